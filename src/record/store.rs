//! `run.jsonl` on disk: one line for the run, one for each call as it ends, one when all are through.
//!
//! # Format
//! Every line is an object with one key: `run` ([`RunHead`] and `format`), `call` ([`CallRecord`])
//! or `end` ([`RunTail`]). Moments are microseconds since the run began.
//!
//! | format | since | change |
//! |---|---|---|
//! | 1 | 0.1.0 | first |
//! | 2 | 0.1.0 | `sound_began`, `tool_started`, `tool_ended`, `handoff`; `speech_ms` of a message |
//!
//! This version reads both; a reader refuses formats it does not know. Fields may be added within a
//! format; unknown ones are ignored. A run that was killed has no `end` line and may have a cut last
//! line, which is dropped.
#![expect(clippy::disallowed_methods, reason = "IO: reads and writes run.jsonl")]

use super::{CallRecord, Run, RunHead, RunTail};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The format this version writes. It reads those before it, too.
pub const FORMAT: u32 = 2;

/// The name of the recording within a run folder.
pub const FILE_NAME: &str = "run.jsonl";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot write `{path}`: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot read `{path}`: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` already holds a run: choose another folder with --out, or remove it")]
    Exists { path: PathBuf },
    #[error("`{path}` is not a recording: its first line holds no `run`")]
    NotARecording { path: PathBuf },
    #[error(
        "`{path}` has format {found}, this loadcall reads formats 1 to {FORMAT}: use the loadcall that wrote it"
    )]
    Format { path: PathBuf, found: u64 },
    #[error("`{path}` line {line}: {source}")]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum LineOut<'a> {
    Run(Headed<&'a RunHead>),
    Call(&'a CallRecord),
    End(&'a RunTail),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineIn {
    Run(Box<Headed<RunHead>>),
    Call(Box<CallRecord>),
    End(RunTail),
}

#[derive(Serialize, Deserialize)]
struct Headed<T> {
    format: u32,
    head: T,
}

/// Appends to the recording of a run in progress. Every line reaches the operating system before
/// the method returns, so a killed loadcall loses nothing of the calls that had ended.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    len: u64,
}

impl Writer {
    /// Creates `run.jsonl` in an existing folder and writes its first line.
    pub fn create(folder: &Path, head: &RunHead) -> Result<Self, StoreError> {
        let mut writer = Self::empty(folder)?;
        writer.line(&LineOut::Run(Headed { format: FORMAT, head }))?;
        Ok(writer)
    }

    fn empty(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file, len: 0 }),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(StoreError::Exists { path })
            }
            Err(source) => Err(StoreError::Write { path, source }),
        }
    }

    /// Copies what was written so far into another folder, and goes on there.
    pub fn move_to(&mut self, folder: &Path) -> Result<(), StoreError> {
        let mut moved = Self::empty(folder)?;
        let read = |source| StoreError::Read { path: self.path.clone(), source };
        let mut written = File::open(&self.path).map_err(read)?.take(self.len);
        moved.len = std::io::copy(&mut written, &mut moved.file)
            .map_err(|source| StoreError::Write { path: moved.path.clone(), source })?;
        if moved.len < self.len {
            return Err(read(std::io::ErrorKind::UnexpectedEof.into()));
        }
        *self = moved;
        Ok(())
    }

    pub fn call(&mut self, call: &CallRecord) -> Result<(), StoreError> {
        self.line(&LineOut::Call(call))
    }

    pub fn end(&mut self, tail: &RunTail) -> Result<(), StoreError> {
        self.line(&LineOut::End(tail))
    }

    fn line(&mut self, line: &LineOut<'_>) -> Result<(), StoreError> {
        let fail = |source| StoreError::Write { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|e| fail(e.into()))?;
        text.push(b'\n');
        if let Err(e) = self.file.write_all(&text) {
            // What follows half a line could not be read.
            let _ = self.file.set_len(self.len);
            let _ = self.file.seek(SeekFrom::Start(self.len));
            return Err(fail(e));
        }
        self.len += text.len() as u64;
        Ok(())
    }

    /// Lets all writing fail for want of space, until [`Writer::free_space`].
    #[cfg(test)]
    pub(crate) fn fill_disk(&mut self) {
        self.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    }

    #[cfg(test)]
    pub(crate) fn free_space(&mut self) {
        self.file = OpenOptions::new().append(true).open(&self.path).unwrap();
    }
}

/// Reads the recording at `path`, a run folder or its `run.jsonl`.
pub fn read(path: &Path) -> Result<Run, StoreError> {
    let path = if path.is_dir() { path.join(FILE_NAME) } else { path.to_path_buf() };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(source) => Err(StoreError::Read { path, source }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Run, StoreError> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let head = parse_head(path, first)?;
    let mut run = Run { head, calls: Vec::new(), tail: None };
    let cut = !rest.is_empty() && !rest.ends_with('\n');
    let count = rest.lines().count();
    for (i, line) in rest.lines().enumerate() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(LineIn::Call(call)) => run.calls.push(*call),
            Ok(LineIn::End(tail)) => run.tail = Some(tail),
            Ok(LineIn::Run(_)) => return Err(StoreError::NotARecording { path: path.into() }),
            // The line that was being written when loadcall was killed.
            Err(_) if cut && i + 1 == count => break,
            Err(source) => {
                return Err(StoreError::Line { path: path.into(), line: i + 2, source });
            }
        }
    }
    run.calls.sort_by_key(|c| c.id);
    Ok(run)
}

fn parse_head(path: &Path, line: &str) -> Result<RunHead, StoreError> {
    let not_a_recording = || StoreError::NotARecording { path: path.into() };
    let any: serde_json::Value = serde_json::from_str(line).map_err(|_| not_a_recording())?;
    let format = any.get("run").and_then(|r| r.get("format")).and_then(serde_json::Value::as_u64);
    match format {
        None => Err(not_a_recording()),
        Some(found) if !(1..=u64::from(FORMAT)).contains(&found) => {
            Err(StoreError::Format { path: path.into(), found })
        }
        Some(_) => match serde_json::from_value(any) {
            Ok(LineIn::Run(headed)) => Ok(headed.head),
            Ok(_) => Err(not_a_recording()),
            Err(source) => Err(StoreError::Line { path: path.into(), line: 1, source }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::*;

    fn head() -> RunHead {
        RunHead {
            run_id: "r1".into(),
            started_at: "2026-01-02T03:04:05.000006Z".into(),
            loadcall_version: "0.1.0".into(),
            scenario_path: "a.yaml".into(),
            scenario_text: "version: 1\n".into(),
            clips: vec![None],
            seed: 7,
            server_url: "ws://127.0.0.1:7880".into(),
            server: None,
            host: Host { os: "linux".into(), cpus: 2 },
            calibration: None,
            arm: None,
        }
    }

    fn call(id: u32) -> CallRecord {
        let say = |at, what| Stamped { at: Offset::from_micros(at), what };
        CallRecord {
            id: CallId(id),
            room: format!("room-{id:03}"),
            due: Offset::from_micros(0),
            dialled: Offset::from_micros(10),
            log: vec![
                say(20, Observation::Connected { room_sid: "RM_1".into() }),
                say(30, Observation::AgentTrackSubscribed),
                say(35, Observation::VoiceBegan),
                say(
                    40,
                    Observation::Session(SessionEvent::AgentMessage {
                        id: "i".into(),
                        text: "\u{1b}[31mhi\n".into(),
                        interrupted: false,
                        metrics: ReportedMetrics {
                            llm_node_ttft_ms: Some(250.5),
                            ..ReportedMetrics::default()
                        },
                    }),
                ),
            ],
            end: CallEnd {
                at: Offset::from_micros(50),
                outcome: Outcome::Answered,
                detail: String::new(),
            },
            media: MediaFacts::default(),
        }
    }

    fn written(lines: impl FnOnce(&mut Writer)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let mut w = Writer::create(dir.path(), &head()).unwrap();
        lines(&mut w);
        std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let tail =
            RunTail { ended: Offset::from_micros(99), stopped: false, gave_up: false, planned: 2 };
        let text = written(|w| {
            w.call(&call(1)).unwrap();
            w.call(&call(0)).unwrap();
            w.end(&tail).unwrap();
        });
        let run = parse(Path::new("x"), &text).unwrap();
        assert_eq!(run, Run { head: head(), calls: vec![call(0), call(1)], tail: Some(tail) });
    }

    #[test]
    fn a_killed_run_keeps_the_calls_that_had_ended() {
        let text = written(|w| {
            w.call(&call(0)).unwrap();
            w.call(&call(1)).unwrap();
        });
        for cut in 1..40 {
            let run = parse(Path::new("x"), &text[..text.len() - cut]).unwrap();
            assert!(run.tail.is_none());
            assert_eq!(run.calls[0], call(0));
            // Losing only the line's end loses nothing.
            assert_eq!(run.calls.len(), if cut == 1 { 2 } else { 1 });
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let text = written(|w| {
            w.call(&call(0)).unwrap();
            w.call(&call(1)).unwrap();
        });
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1] = "{\"call\":{}}";
        let e = parse(Path::new("x"), &(lines.join("\n") + "\n")).unwrap_err();
        assert!(e.to_string().starts_with("`x` line 2: "), "{e}");
    }

    #[test]
    fn the_format_before_is_read() {
        let older = written(|w| w.call(&call(0)).unwrap()).replace("\"format\":2", "\"format\":1");
        assert_eq!(parse(Path::new("x"), &older).unwrap().calls, [call(0)]);
    }

    #[test]
    fn other_formats_and_other_files_are_refused() {
        let newer = written(|_| {}).replace("\"format\":2", "\"format\":9");
        let e = parse(Path::new("x"), &newer).unwrap_err();
        assert_eq!(
            e.to_string(),
            "`x` has format 9, this loadcall reads formats 1 to 2: use the loadcall that wrote it"
        );
        for text in ["", "hello", "{}", "[1]"] {
            let e = parse(Path::new("x"), text).unwrap_err();
            assert!(matches!(e, StoreError::NotARecording { .. }), "{text}: {e}");
        }
    }

    #[test]
    fn a_second_run_in_the_same_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Writer::create(dir.path(), &head()).unwrap();
        assert!(matches!(Writer::create(dir.path(), &head()), Err(StoreError::Exists { .. })));
    }
}
