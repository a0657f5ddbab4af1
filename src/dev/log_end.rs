//! The end of a process's log, for whoever has to find out why it failed.

use crate::text::{clipped, safe};
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Lines that are shown, characters of each, and bytes of the log that are read for them.
const LINES: usize = 10;
const WIDTH: usize = 300;
const READ: u64 = 32 * 1024;
/// Shorter secrets are those of development, and ordinary words.
const HIDDEN_FROM: usize = 12;

/// The last lines of a log, made harmless, and where all of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    path: PathBuf,
    lines: Vec<String>,
}

impl LogEnd {
    /// Reads the end of a log; one that cannot be read counts as empty. `secret` is not shown.
    pub(super) fn read(path: &Path, secret: &str) -> Self {
        let text = end_of(path).unwrap_or_default();
        let hidden = if secret.len() < HIDDEN_FROM { text } else { text.replace(secret, "…") };
        let lines: Vec<&str> = hidden.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.len().saturating_sub(LINES);
        let lines = lines[last..].iter().map(|line| clipped(&safe(line.trim_end()), WIDTH));
        Self { path: path.to_owned(), lines: lines.collect() }
    }
}

fn end_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(READ);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// "its log `agent.log` ends with" and the lines.
impl fmt::Display for LogEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.lines.is_empty() {
            return write!(f, "its log `{path}` is empty");
        }
        write!(f, "its log `{path}` ends with")?;
        for line in &self.lines {
            write!(f, "\n| {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown_and_nothing_in_them_does_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        let end = |text: &str| {
            std::fs::File::create(&path).unwrap();
            std::io::Write::write_all(&mut File::create(&path).unwrap(), text.as_bytes()).unwrap();
            LogEnd::read(&path, "a-long-api-secret").to_string()
        };
        assert!(end("").ends_with("is empty"));
        let many: Vec<String> = (0..30).map(|n| format!("line {n}\r\n")).collect();
        let shown = end(&many.join("\n"));
        assert!(shown.contains("ends with\n| line 20\n| line 21\n"), "{shown}");
        assert!(shown.ends_with("\n| line 29") && !shown.contains("line 19"), "{shown}");
        let shown = end("\u{1b}[31mred\u{1b}[0m a-long-api-secret");
        assert!(shown.ends_with("\n| \\u{1b}[31mred\\u{1b}[0m …"), "{shown}");
        let shown = end(&"x".repeat(1_000_000));
        assert!(shown.chars().count() < 500 && shown.ends_with("x…"), "{shown}");
        assert!(LogEnd::read(Path::new("/nowhere/x.log"), "").to_string().ends_with("is empty"));
    }
}
