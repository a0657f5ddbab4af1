//! What was read of sessions, in memory and in the file of `--resume`.

use super::super::failure::Failure;
use super::super::files;
use crate::spans::sessions::Gathered;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The form below.
const VERSION: u32 = 1;
/// The largest file that is read: the sessions of a month take some ten million bytes.
const LIMIT: u64 = 512_000_000;

/// What is asked for; a file goes with one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) langfuse: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) environments: Vec<String>,
}

/// How far reading came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// Nothing was read yet.
    Beginning,
    /// The next page begins at this cursor of Langfuse's.
    At(String),
    /// All was read.
    End,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    pub(super) question: Question,
    pub(super) place: Place,
    pub(super) gathered: Gathered,
}

impl Kept {
    pub(super) fn new(question: Question) -> Self {
        Self { version: VERSION, question, place: Place::Beginning, gathered: Gathered::default() }
    }

    /// What a file holds; `None` when there is none. The time is the file's: `24h` is another day by now.
    pub(super) fn open(path: &Path, asked: &Question) -> Result<Option<Self>, Failure> {
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read_text("what was read of the sessions", path, LIMIT)?;
        let other = "name another file, or delete this one to begin again";
        let failure = |why: &str| Failure::usage(format!("`{}` {why}", path.display())).hint(other);
        let kept: Self = serde_json::from_str(&text).map_err(|e| {
            let place = format!("line {}, column {}", e.line(), e.column());
            failure(&format!(
                "was not written by `loadcall sessions --resume` ({place} cannot be read)"
            ))
        })?;
        if kept.version != VERSION {
            return Err(failure("is of another version of loadcall"));
        }
        let Question { langfuse, environments, .. } = &kept.question;
        if *langfuse != asked.langfuse || *environments != asked.environments {
            return Err(failure("answers another question (another Langfuse or environment)"));
        }
        Ok(Some(kept))
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), Failure> {
        files::write_with(path, |out| Ok(serde_json::to_writer(out, self)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_with_one_question_and_keeps_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.json");
        let question = |from: &str, environment: &str| Question {
            langfuse: "http://x".to_owned(),
            from: from.to_owned(),
            to: "2".to_owned(),
            environments: vec![environment.to_owned()],
        };
        let asked = question("1", "production");
        assert!(Kept::open(&path, &asked).ok().unwrap().is_none());
        let mut kept = Kept::new(asked.clone());
        kept.place = Place::At("cursor".to_owned());
        kept.save(&path).ok().unwrap();
        let again = Kept::open(&path, &question("later", "production")).ok().unwrap().unwrap();
        assert_eq!((again.question, again.place), (asked.clone(), kept.place));
        assert!(Kept::open(&path, &question("1", "staging")).is_err());
        files::write(&path, b"{\"version\": 1").ok().unwrap();
        let failure = Kept::open(&path, &asked).unwrap_err();
        assert!(failure.message().unwrap().contains("line 1"), "{:?}", failure.message());
    }
}
