//! Finds the tests of the livekit crate, the version that is built with, and makes one program of them.
//!
//! Upstream each suite is a program of its own that compiles the common part again. Here they are modules of one
//! program: `mod common;` becomes `use crate::common;`, and nothing else is changed.
#![expect(clippy::disallowed_methods, reason = "IO: a build script")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../Cargo.lock");
    let from = livekit()?.join("tests");
    let to = PathBuf::from(env::var("OUT_DIR")?).join("tests");
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    copy(&from, &to)?;
    fs::write(to.with_file_name("suites.rs"), modules(&to)?)?;
    Ok(())
}

/// The folder into which cargo has unpacked the livekit crate.
fn livekit() -> Result<PathBuf, Box<dyn Error>> {
    let metadata = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--offline"])
        // Those of other platforms were not downloaded.
        .args(["--filter-platform", &env::var("TARGET")?])
        .output()?;
    let metadata = String::from_utf8(metadata.stdout)?;
    metadata
        .split(r#""manifest_path":""#)
        .filter_map(|rest| Path::new(rest.split('"').next()?).parent())
        .find(|folder| {
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let version = name.strip_prefix("livekit-").unwrap_or_default();
            version.starts_with(|c: char| c.is_ascii_digit())
        })
        .map(Path::to_path_buf)
        .ok_or_else(|| "the livekit crate is not among the dependencies".into())
}

/// Copies the sources, so that they share their common part.
fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if target.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(entry.path())?;
            fs::write(target, text.replace("\nmod common;", "\nuse crate::common;"))?;
        }
    }
    Ok(())
}

/// The root of the program: every suite and what they share. Their warnings are not ours to mend.
fn modules(tests: &Path) -> Result<String, Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(tests)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    let module = |path: &Path| {
        let name = path.file_stem()?.to_str()?;
        let file = if path.is_dir() { path.join("mod.rs") } else { path.to_path_buf() };
        Some(format!("#[allow(warnings, clippy::all)]\n#[path = {file:?}]\nmod {name};\n"))
    };
    files.iter().map(|path| module(path).ok_or_else(|| "a path is not UTF-8".into())).collect()
}
