//! Links between pages, to files and to headings.

use super::page::prose;
use std::path::{Component, Path, PathBuf};

/// The targets of the links and pictures of a page.
pub(crate) fn of(text: &str) -> Vec<String> {
    let prose: String = prose(text).split('`').step_by(2).collect();
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// A page of the book may link to the book alone: it is published without the rest of the repository.
pub(crate) fn check(root: &Path, page: &Path, target: &str) -> Result<(), String> {
    if target.starts_with("https://") {
        return Ok(());
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.parent().unwrap_or(Path::new(""));
    let path = if file.is_empty() { page.to_path_buf() } else { folder.join(file) };
    let path = normal(&path).ok_or("leads out of the repository")?;
    if page.starts_with("docs") && !path.starts_with("docs") {
        return Err("leads out of the book".into());
    }
    if !root.join(&path).exists() {
        return Err(format!("there is no {}", path.display()));
    }
    if heading.is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(root.join(&path)).unwrap();
    let found = prose(&text).lines().any(|line| {
        line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == heading
    });
    if found { Ok(()) } else { Err(format!("there is no heading `{heading}`")) }
}

/// `a/../b` as `b`; `None` when it leads out.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(out)
}

/// The anchor GitHub and mdBook give a heading.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}
