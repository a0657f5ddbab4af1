//! Finds the commit of a source tree without running git, which may be missing or refuse a folder of another user.
//!
//! In this order: the variable `LOADCALL_COMMIT` (an image is built without `.git`), the `.git` of this very folder (a
//! checkout, a worktree, what `cargo install --git` checks out), `build/commit.txt` (git fills it in when it makes a
//! source archive). A `.git` further up is of another project that this source lies in.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Characters of the commit that are shown.
const SHOWN: usize = 12;
/// Links from one reference to the next; git itself follows five.
const LINKS: usize = 5;

/// The commit, if it is known, and the files that say so: when none of them changes, it is still the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) commit: Option<String>,
    pub(crate) read: Vec<PathBuf>,
}

/// The commit of the source in `root`; `named` is the one that the variable names.
pub(crate) fn find(root: &Path, named: Option<&str>) -> Found {
    if let Some(commit) = named.and_then(hash) {
        return Found { commit: Some(commit), read: Vec::new() };
    }
    if let Some(folder) = git_folder(root) {
        return in_git(&folder);
    }
    let filled_in = root.join("build/commit.txt");
    let commit = read_to_string(&filled_in).ok().as_deref().and_then(hash);
    let read = if filled_in.exists() { vec![filled_in] } else { Vec::new() };
    Found { commit, read }
}

/// The folder of git's files for this checkout.
fn git_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    // Of a worktree or submodule.
    let text = read_to_string(git).ok()?;
    Some(root.join(text.strip_prefix("gitdir:")?.trim()))
}

fn in_git(folder: &Path) -> Found {
    // A worktree has its own HEAD; branches lie with the repository.
    let common = read_to_string(folder.join("commondir"));
    let common = common.map_or_else(|_| folder.to_path_buf(), |path| folder.join(path.trim()));
    let mut read = Vec::new();
    let mut at = folder.join("HEAD");
    for _ in 0..LINKS {
        let Ok(text) = read_to_string(&at) else { break };
        read.push(at);
        let Some(name) = text.strip_prefix("ref:").map(str::trim) else {
            return Found { commit: hash(&text), read };
        };
        at = common.join(name);
        if !at.exists() {
            let packed = common.join("packed-refs");
            let refs = read_to_string(&packed).unwrap_or_default();
            let line = refs.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' '));
            // The next commit writes the branch into a file of its own, and a line into the log.
            read.extend([packed, folder.join("logs/HEAD")].into_iter().filter(|p| p.exists()));
            return Found { commit: line.and_then(hash), read };
        }
    }
    Found { commit: None, read }
}

/// The first characters of a text that is a commit.
fn hash(text: &str) -> Option<String> {
    let text = text.trim();
    let is_hash =
        text.len() >= 7 && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then(|| text.chars().take(SHOWN).collect())
}
