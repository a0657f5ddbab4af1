//! Calibrations of made-up calls.

use super::*;
use crate::agent::script::Script;
use crate::agent::truth::{Happened, Truth};
use crate::record::*;
use crate::scenario::{Scenario, Step};
use crate::time::Offset;

fn parsed() -> Scenario {
    Scenario::parse(&scenario(4, 2)).expect("the scenario is valid")
}

#[test]
fn the_agent_understands_what_it_is_to_do() {
    let scenario = parsed();
    let script = Script::parse(&scenario.agent().metadata).expect("a script").for_room("a-001");
    let sounds: Vec<Sound> = (1..=9).filter_map(|turn| Some(script.line(turn)?.sound)).collect();
    let (plain, cut) = sounds.split_at(Sound::ALL.len());
    assert_eq!(plain, Sound::ALL);
    assert_eq!(cut, [Sound::Speech, Sound::Speech, Sound::Noise, Sound::Speech]);
    assert_ne!(script.line(6).map(|l| l.barge_in), script.line(8).map(|l| l.barge_in));
    let says = |step: &Step| matches!(step.act, crate::scenario::Act::Say { .. });
    assert_eq!(scenario.steps().iter().filter(|step| says(step)).count(), 9);
}

fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

/// A call in which every reply is heard `off` ms after it was sent, and the third not at all.
fn call(id: u32, off: i64) -> (CallRecord, Vec<Truth>) {
    let room = format!("calibration-{id:03}");
    let mut log =
        vec![Stamped { at: at(0), what: Observation::Connected { room_sid: String::new() } }];
    let mut truths = Vec::new();
    let mut note = |ms, what| log.push(Stamped { at: at(ms), what });
    let mut really = |what| truths.push(Truth { room: room.clone(), what });
    note(10, Observation::AgentTrackSubscribed);
    note(10, Observation::StepBegan { step: 0 });
    note(500 + off, Observation::VoiceBegan);
    note(1_000 + off, Observation::VoiceEnded);
    really(Happened::Spoke { turn: 0, sound: Sound::Speech, at: at(500), wanted: at(495) });
    really(Happened::FellSilent { turn: 0, sound: Sound::Speech, at: at(1_000), cut: false });
    note(1_000 + off, Observation::ExpectationMet { step: 0 });
    for turn in 1..=5_u32 {
        let begin = i64::from(turn) * 4_000;
        note(begin, Observation::StepBegan { step: turn });
        note(begin, Observation::UtteranceBegan { step: turn });
        note(begin + 600, Observation::UtteranceEnded { step: turn });
        really(Happened::CallerBegan { at: at(begin + 23) });
        really(Happened::CallerEnded { at: at(begin + 623) });
        let sound = Sound::ALL[turn as usize - 1];
        really(Happened::Spoke { turn, sound, at: at(begin + 1_300), wanted: at(begin + 1_290) });
        really(Happened::FellSilent { turn, sound, at: at(begin + 1_900), cut: false });
        if turn == 3 {
            note(begin + 3_000, Observation::ExpectationMissed { step: turn });
        } else {
            note(begin + 1_300 + off, Observation::VoiceBegan);
            note(begin + 1_900 + off, Observation::VoiceEnded);
            note(begin + 1_900 + off, Observation::ExpectationMet { step: turn });
        }
    }
    let record = CallRecord {
        id: CallId(id),
        room,
        due: at(0),
        dialled: at(0),
        log,
        end: CallEnd { at: at(30_000), outcome: Outcome::Answered, detail: String::new() },
        media: MediaFacts::default(),
    };
    (record, truths)
}

fn run(offs: &[i64]) -> (Run, Vec<Truth>) {
    let (calls, truths): (Vec<_>, Vec<_>) = (0..).zip(offs).map(|(id, off)| call(id, *off)).unzip();
    let head = RunHead {
        run_id: "r".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        loadcall_version: "0.1.0".into(),
        scenario_path: String::new(),
        scenario_text: String::new(),
        overlay: None,
        clips: Vec::new(),
        seed: 1,
        server_url: String::new(),
        langfuse_url: None,
        agent_started: false,
        labels: crate::record::Labels::default(),
        server: None,
        host: Host { os: "linux".into(), cpus: 2 },
        calibration: None,
        arm: None,
    };
    (Run { head, calls, tail: None }, truths.concat())
}

#[test]
fn an_error_is_measured_minus_true_and_what_was_missed_is_counted() {
    let (run, truths) = run(&[2, 4, 6, 8]);
    let errors = errors(&run, &parsed(), &truths, 1);
    let of = |name: &str| errors.iter().find(|e| e.of == name).expect("measured");
    let heard = of("heard_e2e_latency");
    assert_eq!((heard.n, heard.missed), (16, 4));
    assert!((heard.bias_ms - 5.0).abs() < 1e-9, "{heard:?}");
    assert!(heard.bias_low_ms < 5.0 && heard.bias_high_ms > 5.0, "{heard:?}");
    assert!((heard.sd_ms - (80.0_f64 / 15.0).sqrt()).abs() < 1e-9, "{heard:?}");
    assert_eq!((heard.abs_p99_ms, heard.abs_max_ms, heard.p50_ms), (8.0, 8.0, 4.0));
    assert_eq!((of("voice_begin").n, of("voice_begin").missed), (20, 4));
    assert!((of("voice_end").bias_ms - 5.0).abs() < 1e-9);
    // The packet of a sample leaves 20 ms after the sample was captured; 3 ms are the way.
    assert!((of("caller_voice_begin").bias_ms - 3.0).abs() < 1e-9);
    assert!((of("caller_voice_end").bias_ms - 3.0).abs() < 1e-9);
}

#[test]
fn each_sound_has_its_error() {
    let (run, truths) = run(&[3, 3]);
    let errors = by_sound(&run, &parsed(), &truths, 1);
    let seen: Vec<_> = errors.iter().map(|e| (e.of.as_str(), e.n, e.bias_ms)).collect();
    assert_eq!(
        seen,
        [("speech", 2, 3.0), ("tone", 2, 3.0), ("noise", 2, 3.0), ("music", 2, 3.0)],
        "the ramp was never heard"
    );
}

#[test]
fn replies_are_told_apart_by_time_and_not_by_how_the_agent_counts() {
    let (run, mut truths) = run(&[3, 3]);
    for truth in &mut truths {
        if let Happened::Spoke { turn, .. } | Happened::FellSilent { turn, .. } = &mut truth.what {
            *turn += 1;
        }
    }
    let errors = errors(&run, &parsed(), &truths, 1);
    let heard = errors.iter().find(|e| e.of == "heard_e2e_latency").expect("measured");
    assert_eq!((heard.n, heard.missed, heard.abs_max_ms), (8, 2, 3.0));
}

#[test]
fn a_reply_that_nobody_spoke_is_no_measurement() {
    let (run, mut truths) = run(&[3, 3]);
    truths.retain(|truth| !matches!(truth.what, Happened::Spoke { turn: 1 | 3, .. }));
    let errors = errors(&run, &parsed(), &truths, 1);
    let heard = errors.iter().find(|e| e.of == "heard_e2e_latency").expect("measured");
    assert_eq!((heard.n, heard.missed), (6, 2), "the third turn was silent on both sides");
}
