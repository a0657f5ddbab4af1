//! What counts as the response, and how long it is waited for.

use super::*;

#[test]
fn a_reply_after_its_time_is_missed_and_the_script_goes_on() {
    let s = || {
        scenario(vec![
            say("hours", Anchor::AgentJoined, 0, responds(3_000)),
            say("price", Anchor::AgentSpeechEnd, 400, responds(3_000)),
        ])
    };
    // 150 ms late: within the slack for becoming known, beyond the limit.
    let p = play(s(), heard(&[joined(), voice(4_850, 6_000), voice(8_700, 9_000)]));
    let missed = Observation::ExpectationMissed { step: 0 };
    assert_eq!((p.noted(&missed), p.end.outcome), (Some(ms(4_890)), Outcome::Answered));
    assert_eq!(p.said.len(), 2);
    let p = play(s(), heard(&[joined(), voice(4_700, 6_000), voice(8_700, 9_000)]));
    assert_eq!(p.noted(&missed), None);
}

#[test]
fn the_caller_waits_for_an_agent_that_is_at_work() {
    let s = || {
        scenario(vec![
            say("hours", Anchor::AgentJoined, 0, responds(3_000)),
            say("price", Anchor::AgentSpeechEnd, 400, responds(3_000)),
        ])
    };
    let filler = heard(&[
        joined(),
        vec![(2_000, state("thinking")), (2_950, state("speaking"))],
        voice(3_000, 3_700),
        vec![(3_750, state("thinking"))],
    ]);
    let answer = heard(&[
        filler.clone(),
        vec![(7_000, state("speaking"))],
        voice(7_030, 8_000),
        vec![(8_020, state("listening"))],
        voice(11_000, 11_500),
    ]);
    let p = play(s(), answer);
    assert_eq!(p.said[1], (1, ms(8_700)));
    assert_eq!(p.noted(&Observation::ExpectationMet { step: 0 }), Some(ms(3_000)));
    // It stays at work and silent: stuck, and the caller goes on.
    let p = play(s(), heard(&[filler, voice(37_000, 37_500)]));
    let stuck = Observation::AgentStuck { step: 1, doing: "thinking".into() };
    assert_eq!(p.noted(&stuck), Some(ms(3_750)));
    assert_eq!(p.said[1], (1, ms(33_750)));
}

#[test]
fn an_agent_that_never_tells_that_it_has_stopped_speaking_is_not_waited_for_long() {
    let s = scenario(vec![
        say("hours", Anchor::AgentJoined, 0, responds(3_000)),
        say("price", Anchor::AgentSpeechEnd, 400, responds(3_000)),
    ]);
    let speaks = vec![(2_950, state("speaking"))];
    let p = play(s, heard(&[joined(), speaks, voice(3_000, 4_000), voice(11_000, 11_500)]));
    assert_eq!(p.said[1], (1, ms(4_000).plus(SILENT_SPEAKER)));
    let stuck = Observation::AgentStuck { step: 1, doing: "speaking".into() };
    assert_eq!(p.noted(&stuck), Some(ms(4_000)));
}

#[test]
fn a_cut_in_is_not_the_reply_unless_nothing_else_comes() {
    let s = || {
        scenario(vec![
            say("hours", Anchor::AgentJoined, 0, responds(3_000)),
            say("price", Anchor::AgentSpeechEnd, 400, responds(3_000)),
        ])
    };
    // The clip is said from 700 to 1,700.
    let met = Observation::ExpectationMet { step: 0 };
    let replied = [joined(), voice(1_000, 1_300), voice(2_700, 3_500), voice(6_000, 6_500)];
    assert_eq!(play(s(), heard(&replied)).noted(&met), Some(ms(2_700)));
    let over = [joined(), voice(1_000, 2_300), voice(6_000, 6_500)];
    let p = play(s(), heard(&over));
    assert_eq!((p.noted(&met), p.end.outcome), (Some(ms(1_000)), Outcome::Answered));
    let gave_way = [joined(), voice(1_000, 1_300)];
    assert_eq!(play(s(), heard(&gave_way)).end.outcome, Outcome::NoAnswer);
}

#[test]
fn a_caller_who_speaks_first_waits_two_seconds_for_audio() {
    let s = scenario(vec![say("hours", Anchor::AgentJoined, 400, responds(3_000))]);
    let joined = vec![(100, CallEvent::Connected), (600, CallEvent::AgentJoined)];
    let track = vec![(4_500, CallEvent::AgentTrackSubscribed)];
    let p = play(s, heard(&[joined, track, voice(4_600, 5_000)]));
    assert_eq!((p.said, p.end.outcome), (vec![(0, ms(3_000))], Outcome::Answered));
}
