//! Scripts from metadata, and what is drawn from them.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> CallScript {
    Script::parse(text).expect("a script").for_room("greeting-4f1c-007")
}

fn fault(text: &str) -> String {
    Script::parse(text).expect_err("wrong").to_string()
}

#[test]
fn nothing_is_a_complete_script() {
    assert_eq!(Script::parse("").expect("empty"), Script::default());
    assert_eq!(Script::parse("{}").expect("nothing"), Script::default());
    let delays = parse("{}").delays(1);
    assert_eq!(delays.turn_ends(), Duration::from_millis(400));
    assert_eq!(delays.ttft, Duration::from_millis(250));
    // "We are open from nine to six on weekdays." has nine words, eight of them after the first.
    assert_eq!(delays.ttfs, Duration::from_millis(250) + Duration::from_secs_f64(8.0 / 60.0));
}

#[test]
fn turns_have_their_own_delays_sounds_and_lengths() {
    let script = parse(
        r#"{"turns": {"2": {"llm_ttft_ms": 900, "sound": "noise", "reply_audio_ms": 250,
            "barge_in": {"reaction": "ignore"}}}}"#,
    );
    assert_eq!(script.delays(1).ttft, Duration::from_millis(250));
    assert_eq!(script.delays(2).ttft, Duration::from_millis(900));
    let line = script.line(2).expect("an answer");
    assert_eq!((line.sound, line.audio_ms), (Sound::Noise, 250));
    assert_eq!(line.barge_in, BargeIn::Ignore {});
    assert_eq!(parse(r#"{"greeting": null}"#).line(0), None);
}

#[test]
fn faults_strike_where_they_are_told_to() {
    let script = parse(
        r#"{"faults": [{"kind": "llm_error", "turn": 2, "calls": [7]}, {"kind": "no_reply",
            "calls": [3]}, {"kind": "late_join", "ms": 3000}]}"#,
    );
    assert!(script.fault(FaultKind::LlmError, 2).is_some());
    assert!(script.fault(FaultKind::LlmError, 1).is_none());
    assert!(script.fault(FaultKind::NoReply, 1).is_none());
    assert_eq!(script.fault(FaultKind::LateJoin, 0).and_then(|f| f.ms), Some(3_000.0));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, part) in [
        ("{", "EOF while parsing"),
        (r#"{"stagse": {}}"#, "unknown field `stagse`, expected one of"),
        (r#"{"stages": {"llm_ttft_ms": "fast"}}"#, "milliseconds, or"),
        (r#"{"stages": {"llm_ttft_ms": {"p50": 1}}}"#, "missing field `p95`"),
        (
            r#"{"stages": {"end_of_turn_delay_ms": 100}}"#,
            "`stages.end_of_turn_delay_ms` must be 270",
        ),
        (r#"{"turns": {"1": {"llm_ttft_ms": -1}}}"#, "`turns.1.llm_ttft_ms` must be 0 to"),
        (r#"{"turns": {"0": {}}}"#, "the caller's first is 1"),
        (r#"{"barge_in": {"reaction": "yield", "after_ms": 20}}"#, "at least 120, not 20"),
        (r#"{"sound": "opera"}"#, "unknown variant `opera`"),
        (r#"{"replies": []}"#, "at least one text"),
        (r#"{"reply_audio_ms": 5}"#, "must be 20 to 60000, not 5"),
        (r#"{"faults": [{"kind": "llm_error", "ms": 3}]}"#, "`faults[0].ms` belongs to"),
        (r#"{"faults": [{"kind": "no_join", "turn": 3}]}"#, "`faults[0].turn` cannot be given"),
    ] {
        let said = fault(text);
        assert!(said.contains(part), "{text}: {said}");
    }
}

#[test]
fn chance_is_that_of_the_seed_and_has_the_wanted_quantiles() {
    let text = r#"{"seed": 5, "stages": {"llm_ttft_ms": {"p50": 300, "p95": 900}},
        "jitter_ms": {"tts_ttfb_ms": 50}}"#;
    let script = Script::parse(text).expect("a script");
    let draw = |call: u32| script.clone().for_room(&format!("a-{call:04}")).delays(1);
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    let mut ttft: Vec<f64> = (0..2_000).map(|call| draw(call).ttft.as_secs_f64()).collect();
    ttft.sort_by(f64::total_cmp);
    assert!((ttft[1_000] - 0.3).abs() < 0.03, "{}", ttft[1_000]);
    assert!((ttft[1_900] - 0.9).abs() < 0.12, "{}", ttft[1_900]);
    let spread = (0..500).map(|call| draw(call).ttfb.as_secs_f64());
    assert!(spread.into_iter().all(|s| (0.1..=0.2).contains(&s)));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = Script::parse(&text);
    }
}
