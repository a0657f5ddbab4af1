//! Files of the calls that were chosen, an index that names them, and numbers that suffer from nothing.

use super::*;
use crate::audio::opus::silence;
use crate::record::audio::tape::{Packet, Taping};
use crate::record::{CallEnd, MediaFacts, Outcome};
use crate::time::Offset;
use std::cell::RefCell;
use tempfile::TempDir;

thread_local! {
    static WARNED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn warn(line: &str) {
    WARNED.with_borrow_mut(|warned| warned.push(line.to_owned()));
}

fn warned() -> Vec<String> {
    WARNED.take()
}

/// A call of two seconds; the room's name is how long its slowest reply took, in milliseconds.
fn call(id: u32, outcome: Outcome, slowest_ms: i64) -> CallRecord {
    let at = Offset::from_micros(i64::from(id) * 1_000_000);
    CallRecord {
        id: CallId(id),
        room: slowest_ms.to_string(),
        due: at,
        dialled: at,
        log: Vec::new(),
        end: CallEnd { at: at.plus_micros(2_000_000), outcome, detail: String::new() },
        media: MediaFacts::default(),
    }
}

fn tape(of: &CallRecord) -> Tape {
    let (mut tape, silence) = (Taping::default().tape(), silence().unwrap());
    for seq in 0..50 {
        let at = of.dialled.plus_micros(i64::try_from(seq).unwrap() * 20_000);
        let rtp_time = u32::try_from(seq).unwrap() * 960;
        let payload = &*silence.payload;
        tape.add(&Packet { track: 0, ssrc: 1, seq, rtp_time, at, payload });
    }
    tape
}

fn keeper(keep: KeepAudio) -> (Keeper, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let rank = |call: &CallRecord| Rank {
        failed: call.end.outcome != Outcome::Answered,
        slowest_us: call.room.parse().unwrap(),
    };
    (Keeper::new(folder.path().to_path_buf(), keep, Vec::new(), Box::new(rank), warn), folder)
}

fn take(keeper: &mut Keeper, calls: &[(u32, Outcome, i64)]) {
    for (id, outcome, ms) in calls {
        let call = call(*id, *outcome, *ms);
        keeper.take(&call, &tape(&call));
    }
}

fn names(folder: &TempDir) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(folder.path().join(FOLDER)) else { return Vec::new() };
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_worst_and_the_failed_get_files() {
    let (mut keeper, folder) = keeper(KeepAudio::Worst(2));
    let answered = Outcome::Answered;
    take(
        &mut keeper,
        &[
            (0, answered, 700),
            (1, Outcome::NoAnswer, 0),
            (2, answered, 900),
            (3, answered, 800),
            (1_000, Outcome::Stopped, 500),
        ],
    );
    // Nobody said anything.
    keeper.take(&call(7, Outcome::NoAgent, 9_000), &Taping::default().tape());
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "no name while it is measured"
    );
    let mut steps = Vec::new();
    let kept = keeper.finish(|step| {
        steps.push((step.done, step.of));
        true
    });
    assert_eq!(names(&folder), ["001.ogg", "002.ogg", "003.ogg", "1000.ogg", "index.json"]);
    assert_eq!(kept.iter().map(|kept| kept.call.0).collect::<Vec<_>>(), [1, 2, 3, 1_000]);
    assert_eq!(Index::read(folder.path()).unwrap().unwrap().calls, kept);
    for kept in &kept {
        let file = kept.read(folder.path()).unwrap();
        assert_eq!(kept.bytes, file.len() as u64);
        assert_eq!(kept.starts, Offset::from_micros(i64::from(kept.call.0) * 1_000_000));
        let samples = crate::audio::ogg::play(&file, &mut |_| {}).unwrap();
        assert_eq!((samples, kept.length_ms), (96_000, 2_000.0));
    }
    assert_eq!((steps.first(), steps.last()), (Some(&(0, 4)), Some(&(3, 4))));
    assert_eq!(warned(), [""; 0]);
}

#[test]
fn whoever_has_enough_keeps_what_is_written() {
    let answered = Outcome::Answered;
    let calls = [(0, answered, 1), (1, answered, 2), (2, answered, 3)];
    let (mut stopped, folder) = keeper(KeepAudio::All);
    take(&mut stopped, &calls);
    // In the midst of the second file.
    let mut asked = 0;
    let kept = stopped.finish(|step| {
        asked += u32::from(step.done == 1);
        asked < 3
    });
    assert_eq!((kept.len(), kept[0].call), (1, CallId(2)), "the worst comes first");
    assert_eq!(names(&folder), ["002.ogg", "index.json"]);

    let (mut stopped, folder) = keeper(KeepAudio::All);
    take(&mut stopped, &calls);
    assert_eq!(stopped.finish(|_| false), []);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(warned(), [""; 0]);
}

#[test]
fn a_full_disk_costs_the_audio_alone() {
    let (mut keeper, folder) = keeper(KeepAudio::All);
    take(&mut keeper, &[(0, Outcome::Answered, 1)]);
    keeper.spool.as_mut().unwrap().fill_disk();
    take(&mut keeper, &[(1, Outcome::Answered, 1), (2, Outcome::Answered, 1)]);
    assert_eq!(keeper.finish(|_| true), []);
    assert_eq!(names(&folder), [""; 0]);
    let warned = warned();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].starts_with("warning: no audio of calls is kept: "), "{warned:?}");
}

#[test]
fn a_link_is_not_followed() {
    let (mut keeper, folder) = keeper(KeepAudio::All);
    let other = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(other.path(), folder.path().join(FOLDER)).unwrap();
    take(&mut keeper, &[(0, Outcome::Answered, 1)]);
    assert_eq!(keeper.finish(|_| true), []);
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
    let warned = warned();
    assert!(warned.len() == 1 && warned[0].contains("/audio: "), "{warned:?}");
}
