//! What is written is read back, whole or cut, and what is not a recording is refused.
#![expect(clippy::disallowed_methods, reason = "a test of files")]

use super::*;
use crate::record::testing::head;
use crate::record::*;
use crate::time::Offset;

fn parse(path: &Path, text: &str) -> Result<Run, StoreError> {
    Recording::begin(path.into(), text.as_bytes())?.collect()
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

/// All lines of a recording of three calls.
fn lines_of_three() -> Vec<String> {
    let tail =
        RunTail { ended: Offset::from_micros(99), stopped: false, gave_up: false, planned: 3 };
    let text = written(|w| {
        (0..3).for_each(|id| w.call(&call(id)).unwrap());
        w.end(&tail).unwrap();
    });
    text.lines().map(str::to_owned).collect()
}

/// The ids of the calls that are read, and the end.
fn streamed(lines: &[String]) -> (Vec<u32>, Ending) {
    let text = lines.join("\n") + "\n";
    let Recording { mut calls, .. } =
        Recording::begin("r/run.jsonl".into(), text.as_bytes()).unwrap();
    let ids = calls.by_ref().map(|call| call.unwrap().id.0).collect();
    (ids, calls.into_ending())
}

#[test]
fn a_line_that_cannot_be_read_costs_its_call_and_is_named() {
    let whole = lines_of_three();
    assert!(streamed(&whole).1.damage.is_none());
    let cut = whole[2][..30].to_owned();
    for (line, first) in [
        ("{\"call\":{}}", "r/run.jsonl:3:10: not a line of a recording (missing field `id`)"),
        ("\u{1}\u{7f}nonsense", "r/run.jsonl:3:1: not valid JSON"),
        (cut.as_str(), "r/run.jsonl:3:30: not valid JSON"),
    ] {
        let mut lines = whole.clone();
        lines[2] = line.to_owned();
        let (ids, ending) = streamed(&lines);
        assert_eq!((ids.as_slice(), ending.tail.is_some()), ([0, 2].as_slice(), true));
        assert_eq!(ending.damage, Some(Damage { lines: 1, first: first.to_owned() }));
        lines[1] = "[]".to_owned();
        lines.push("{".to_owned());
        let (ids, Ending { damage, .. }) = streamed(&lines);
        let damage = damage.unwrap();
        assert_eq!((ids.as_slice(), damage.lines), ([2].as_slice(), 3));
        assert!(damage.first.starts_with("r/run.jsonl:2:"), "{}", damage.first);
        // Whoever needs all of it is refused.
        let e = parse(Path::new("r"), &(lines.join("\n") + "\n")).unwrap_err();
        assert!(e.to_string().starts_with("`r` is damaged: r:2:"), "{e}");
    }
}

#[test]
fn a_broken_last_line_is_that_of_a_killed_run_and_a_broken_first_one_an_error() {
    let mut lines = lines_of_three();
    lines[4] = "{\"end\":".to_owned();
    assert_eq!(streamed(&lines), (vec![0, 1, 2], Ending::default()));
    let broken = lines[0].replace("run_id", "run_id\u{7}");
    let e = Recording::begin("x".into(), broken.as_bytes()).unwrap_err();
    assert!(
        e.to_string().starts_with("x:1:") && e.to_string().ends_with(": not valid JSON"),
        "{e}"
    );
    let other = lines[0].replace("run_id", "ran_id");
    let e = Recording::begin("x".into(), other.as_bytes()).unwrap_err();
    assert!(e.to_string().contains("(missing field `run_id`)"), "{e}");
}

#[test]
fn a_long_explanation_is_cut() {
    let mut lines = lines_of_three();
    lines[2] = format!("{{\"{}\":1}}", "x".repeat(5_000));
    let first = streamed(&lines).1.damage.unwrap().first;
    assert!(first.chars().count() < 250, "{first}");
}

#[test]
fn the_format_before_is_read() {
    let older = written(|w| w.call(&call(0)).unwrap()).replace("\"format\":3", "\"format\":1");
    assert_eq!(parse(Path::new("x"), &older).unwrap().calls, [call(0)]);
}

#[test]
fn other_formats_and_other_files_are_refused() {
    let newer = written(|_| {}).replace("\"format\":3", "\"format\":9");
    let e = parse(Path::new("x"), &newer).unwrap_err();
    assert_eq!(
        e.to_string(),
        "`x` has format 9, this loadcall reads formats 1 to 3: use the loadcall that wrote it"
    );
    for text in ["", "hello", "{}", "[1]"] {
        let e = parse(Path::new("x"), text).unwrap_err();
        assert!(matches!(e, StoreError::NotARecording { .. }), "{text}: {e}");
    }
}

#[test]
fn a_full_disk_leaves_no_empty_recording_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::empty(dir.path()).unwrap();
    writer.fill_disk();
    assert!(matches!(writer.begun(&head()), Err(StoreError::Write { .. })));
    assert!(!dir.path().join(FILE_NAME).exists());
    Writer::create(dir.path(), &head()).unwrap();
}

#[test]
fn a_second_run_in_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Writer::create(dir.path(), &head()).unwrap();
    assert!(matches!(Writer::create(dir.path(), &head()), Err(StoreError::Exists { .. })));
}

#[test]
fn calls_are_read_one_at_a_time() {
    use std::cell::Cell;
    use std::io::{BufReader, Read};

    /// Counts what is taken from it.
    struct Counted<'a>(&'a [u8], &'a Cell<usize>);
    impl Read for Counted<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.read(into)?;
            self.1.set(self.1.get() + n);
            Ok(n)
        }
    }
    let text = written(|w| (0..100).for_each(|id| w.call(&call(id)).unwrap()));
    let longest = text.lines().map(str::len).max().unwrap() + 1;
    let taken = Cell::new(0);
    let lines = BufReader::with_capacity(64, Counted(text.as_bytes(), &taken));
    let Recording { mut calls, .. } = Recording::begin("x".into(), lines).unwrap();
    let mut given = text.lines().next().unwrap().len() + 1;
    for (id, line) in text.lines().skip(1).enumerate() {
        assert_eq!(calls.next().unwrap().unwrap().id.0 as usize, id);
        given += line.len() + 1;
        assert!(taken.get() <= given + 64, "{} of {given} at call {id}", taken.get());
        assert!(calls.buffer.capacity() <= 2 * longest, "{}", calls.buffer.capacity());
    }
    assert!(calls.next().is_none() && calls.into_ending() == Ending::default());
}

#[test]
fn what_is_too_long_or_no_file_is_refused() {
    let long = written(|_| {}) + &"x".repeat(MAX_LINE + 1);
    let e = parse(Path::new("x"), &long).unwrap_err();
    assert!(e.to_string().starts_with("`x` line 2 is longer than 16777216 bytes"), "{e}");
    let endless = Recording::begin("x".into(), std::io::BufReader::new(std::io::repeat(b'x')));
    assert!(matches!(endless, Err(StoreError::LongLine { line: 1, .. })));
    assert!(matches!(
        open(Path::new("/dev/zero")),
        Err(StoreError::Open { source: ReadError::NotRegular, .. })
    ));
}

#[test]
fn what_older_versions_did_not_know_may_be_absent() {
    use crate::record::{Dialect, Speaker};
    let old = r#"{"transcript":{"speaker":"agent","segment":"SG_1","text":"hi","last":true}}"#;
    let (segment, text) = ("SG_1".to_owned(), "hi".to_owned());
    let transcript =
        Observation::Transcript { speaker: Speaker::Agent, segment, text, last: true, until: None };
    assert_eq!(serde_json::from_str::<Observation>(old).unwrap(), transcript);
    assert_eq!(serde_json::to_string(&transcript).unwrap(), old);
    let dialect = Observation::Session(SessionEvent::Dialect(Dialect::Rtvi));
    let text = serde_json::to_string(&dialect).unwrap();
    assert_eq!(text, r#"{"session":{"dialect":"rtvi"}}"#);
    assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), dialect);
}
