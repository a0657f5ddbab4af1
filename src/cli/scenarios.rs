//! Which scenario files a command names: paths and patterns such as `'scenarios/*.yaml'`.

use super::failure::Failure;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A pattern that matches more files is a mistake.
const MAX_FILES: usize = 1_000;

/// The files in the order in which they were named, those of a pattern by their names.
pub(super) fn expand(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    let mut known = BTreeMap::new();
    for path in named {
        for file in matching(path)? {
            let real = file.canonicalize().unwrap_or_else(|_| file.clone());
            if let Some(earlier) = known.insert(real, file.clone()) {
                let (earlier, file) = (earlier.display(), file.display());
                return Err(Failure::usage(format!(
                    "`{earlier}` and `{file}` are the same scenario"
                ))
                .hint("name every scenario once"));
            }
            all.push(file);
            if all.len() > MAX_FILES {
                return Err(Failure::usage(format!("more than {MAX_FILES} scenarios are named")));
            }
        }
    }
    Ok(all)
}

/// The path itself; of a pattern that is no file, the files that match it.
fn matching(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Some(pattern) = path.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return Ok(vec![path.to_path_buf()]);
    };
    if path.exists() {
        return Ok(vec![path.to_path_buf()]);
    }
    let found = glob::glob(pattern)
        .map_err(|e| Failure::usage(format!("`{pattern}` is not a pattern of files: {}", e.msg)))?;
    let mut files = Vec::new();
    for file in found.take(MAX_FILES + 1) {
        let file = file.map_err(|e| {
            let (path, error) = (e.path().display(), e.error());
            Failure::usage(format!("cannot look for `{pattern}` in `{path}`: {error}"))
        })?;
        files.push(file);
    }
    if files.is_empty() {
        return Err(Failure::usage(format!("no file matches `{pattern}`")));
    }
    Ok(files)
}

/// A name for the folder of each scenario: that of its file, with a number where several files have it.
pub(super) fn folder_names(paths: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for path in paths {
        let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let name = std::iter::once(stem.clone()).chain(numbered).find(|name| !names.contains(name));
        names.extend(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_a_folder_of_its_own() {
        let names =
            |paths: &[&str]| folder_names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["a/x.yaml", "y.yaml", "b/x.yaml", "x.yml"]), ["x", "y", "x-2", "x-3"]);
        assert_eq!(names(&["x-2.yaml", "x.yaml", "x.yml"]), ["x-2", "x", "x-3"]);
    }

    #[test]
    fn patterns_are_expanded_and_nothing_is_named_twice() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b.yaml", "a.yaml", "c[1].yaml", "note.txt"] {
            std::fs::File::create(at(name)).unwrap();
        }
        let expanded =
            |names: &[&str]| expand(&names.iter().map(|name| at(name)).collect::<Vec<_>>());
        let all = expanded(&["[ab].yaml", "c[1].yaml"]).ok().unwrap();
        assert_eq!(all, [at("a.yaml"), at("b.yaml"), at("c[1].yaml")]);
        // One that is not there is reported by who reads it.
        assert_eq!(expanded(&["none.yaml"]).ok().unwrap(), [at("none.yaml")]);
        for wrong in
            [&["*.yaml", "a.yaml"][..], &["a.yaml", "./a.yaml"], &["*.yml"], &["a***.yaml"]]
        {
            assert!(expanded(wrong).is_err(), "{wrong:?}");
        }
    }
}
