//! A recording is whole whatever happens to its disk, or says what is lost.
#![expect(clippy::disallowed_methods, reason = "a test of files")]

use super::*;
use crate::plan::Targets;
use crate::record::testing::head;
use crate::record::{CallEnd, CallId, MediaFacts, Outcome, Run, store};
use std::num::NonZeroU8;
use tempfile::TempDir;

fn ended(target: TargetId, id: u32) -> Event {
    let at = Offset::from_micros(i64::from(id) + 50);
    let record = CallRecord {
        id: CallId(id),
        room: format!("room-{id:03}"),
        due: Offset::default(),
        dialled: Offset::default(),
        log: Vec::new(),
        end: CallEnd { at, outcome: Outcome::NoAgent, detail: String::new() },
        media: MediaFacts::default(),
    };
    Event { at, kind: EventKind::Ended { target, record: Box::new(record), tape: None } }
}

fn event(kind: EventKind) -> Event {
    Event { at: Offset::from_micros(9_000_000), kind }
}

/// A recorder with a folder of its own and one to turn to.
struct Recording {
    recorder: Recorder,
    own: TempDir,
    elsewhere: TempDir,
}

impl Recording {
    fn new() -> Self {
        let (own, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = elsewhere.path().to_path_buf();
        let recorder =
            Recorder::create(own.path(), &head(), TargetId::FIRST, 5, place, |_| {}).unwrap();
        Self { recorder, own, elsewhere }
    }

    fn take(&mut self, ids: std::ops::Range<u32>) {
        for id in ids {
            self.recorder.take(&ended(TargetId::FIRST, id));
        }
    }

    fn finish(mut self) -> (Result<Run, String>, PathBuf) {
        self.recorder.take(&event(EventKind::Finished { stopped: false }));
        match self.recorder.end() {
            Ok(folder) => (Ok(store::read(&folder).unwrap()), folder),
            Err(e) => (Err(e.to_string()), self.own.path().to_path_buf()),
        }
    }
}

fn ids(run: &Run) -> Vec<u32> {
    run.calls.iter().map(|call| call.id.0).collect()
}

#[test]
fn a_recorder_keeps_the_calls_to_its_own_agent_and_why_they_ended() {
    let other = Targets::new(NonZeroU8::new(2).unwrap()).ids().nth(1).unwrap();
    let mut recording = Recording::new();
    recording.take(0..2);
    recording.recorder.take(&ended(other, 7));
    recording.recorder.take(&event(EventKind::GaveUp { target: TargetId::FIRST }));
    assert!(recording.recorder.unwritten.is_empty(), "nothing stays in memory");
    let own = recording.own.path().to_path_buf();
    let (run, folder) = recording.finish();
    let run = run.unwrap();
    assert_eq!((ids(&run), folder), (vec![0, 1], own));
    let tail = run.tail.unwrap();
    assert_eq!((tail.gave_up, tail.stopped, tail.planned), (true, false, 5));

    let mut recording = Recording::new();
    recording.recorder.take(&event(EventKind::GaveUp { target: other }));
    recording.recorder.take(&event(EventKind::Finished { stopped: true }));
    let tail = store::read(&recording.recorder.end().unwrap()).unwrap().tail.unwrap();
    assert_eq!((tail.gave_up, tail.stopped), (false, true));
}

#[test]
fn calls_of_a_time_without_space_are_written_later() {
    let mut recording = Recording::new();
    recording.take(0..2);
    recording.recorder.writer.fill_disk();
    recording.take(2..4);
    assert_eq!(recording.recorder.unwritten.len(), 2);
    recording.recorder.writer.free_space();
    recording.take(4..5);
    assert!(recording.recorder.unwritten.is_empty());
    let own = recording.own.path().to_path_buf();
    let (run, folder) = recording.finish();
    let run = run.unwrap();
    assert_eq!((ids(&run), folder), ((0..5).collect(), own));
    assert!(run.tail.is_some());
}

#[test]
fn a_recording_that_finds_no_space_moves() {
    let mut recording = Recording::new();
    recording.take(0..2);
    recording.recorder.writer.fill_disk();
    recording.take(2..4);
    let moved = recording.elsewhere.path().join("loadcall-r1");
    let _kept = (recording.own.path().to_path_buf(), &recording.elsewhere);
    recording.recorder.take(&event(EventKind::Finished { stopped: false }));
    let Recording { recorder, own, elsewhere } = recording;
    let folder = recorder.end().unwrap();
    let run = store::read(&folder).unwrap();
    assert_eq!((ids(&run), &folder), ((0..4).collect(), &moved));
    assert!(run.tail.is_some());
    // What was written before stays where it was.
    assert_eq!(ids(&store::read(own.path()).unwrap()), [0, 1]);
    drop(elsewhere);
}

#[test]
fn calls_that_wait_are_bounded() {
    let waiting = u32::try_from(UNWRITTEN).unwrap();
    let mut recording = Recording::new();
    recording.recorder.writer.fill_disk();
    recording.take(0..waiting);
    assert_eq!(recording.recorder.unwritten.len(), UNWRITTEN);
    recording.take(waiting..waiting + 2);
    assert!(recording.recorder.unwritten.len() <= 1, "the recording has moved");
    recording.recorder.take(&event(EventKind::Finished { stopped: false }));
    let run = store::read(&recording.recorder.end().unwrap()).unwrap();
    assert_eq!(ids(&run), (0..waiting + 2).collect::<Vec<_>>());
}

#[test]
fn what_is_lost_is_an_error() {
    let mut recording = Recording::new();
    // Another's folder.
    std::fs::create_dir_all(recording.elsewhere.path().join("loadcall-r1")).unwrap();
    recording.take(0..1);
    recording.recorder.writer.fill_disk();
    let waiting = u32::try_from(UNWRITTEN).unwrap();
    recording.take(1..waiting + 3);
    let (lost, own) = recording.finish();
    let lost = lost.unwrap_err();
    assert!(lost.ends_with(&format!("the rest is in `{}`", own.display())), "{lost}");
    assert!(lost.starts_with(&format!("{} calls of run r1", waiting + 2)), "{lost}");
}

#[test]
fn the_numbers_get_the_space_of_the_audio() {
    use crate::record::audio::choice::{KeepAudio, Rank};
    use crate::record::audio::tape::{Packet, Taping};
    let mut recording = Recording::new();
    let own = recording.own.path().to_path_buf();
    let rank = Box::new(|_: &CallRecord| Rank { failed: false, slowest_us: 0 });
    let keeper = Keeper::new(own.clone(), KeepAudio::All, Vec::new(), rank, |_| {});
    recording.recorder.keeper = Some(keeper);
    let ended = |id| {
        let mut tape = Taping::default().tape();
        let at = Offset::default();
        tape.add(&Packet { track: 0, ssrc: 0, seq: 0, rtp_time: 0, at, payload: &[0; 10] });
        let Event { at, kind: EventKind::Ended { target, record, .. } } =
            ended(TargetId::FIRST, id)
        else {
            unreachable!("a call that has ended")
        };
        Event { at, kind: EventKind::Ended { target, record, tape: Some(tape) } }
    };
    recording.recorder.take(&ended(0));
    recording.recorder.writer.fill_disk();
    recording.recorder.take(&ended(1));
    recording.recorder.writer.free_space();
    recording.recorder.take(&ended(2));
    let keeper = recording.recorder.take_keeper().unwrap();
    assert_eq!(keeper.finish(|_| true), [], "not even of the call before");
    let (run, _) = recording.finish();
    assert_eq!(ids(&run.unwrap()), [0, 1, 2]);
    assert!(!own.join("audio").exists());
}
