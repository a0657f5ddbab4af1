use super::super::testing::*;
use super::*;
use crate::record::{Outcome, SessionEvent};

fn e2e(ms: f64) -> ReportedMetrics {
    ReportedMetrics { e2e_latency_ms: Some(ms), ..ReportedMetrics::default() }
}

fn doubts(turn: &Turn) -> Vec<(Metric, Why)> {
    turn.doubts.iter().map(|doubt| (doubt.metric, doubt.why)).collect()
}

/// A question from 1,000 to 3,400, answered from 4,447 to 6,000 (heard after 1,047), and what the agent
/// reports when that is over.
fn reported(user: ReportedMetrics, reply: ReportedMetrics) -> Turn {
    let (id, text) = ("item_u".to_owned(), "hours?".to_owned());
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 3_400),
        session(3_950, SessionEvent::UserMessage { id, text, metrics: user }),
        voice(4_447, 6_000),
        agent_with(6_100, "nine", false, reply),
    ];
    turns_of(vec![ask("hours")], &log, 8_000, Outcome::Answered).remove(0)
}

#[test]
fn a_reply_is_not_heard_before_it_began() {
    let user = ReportedMetrics {
        transcription_delay_ms: Some(14_800.0),
        end_of_turn_delay_ms: Some(14_900.0),
        ..ReportedMetrics::default()
    };
    let turn = reported(user, ReportedMetrics { llm_node_ttft_ms: Some(250.0), ..e2e(15_200.0) });
    let all = [Metric::TranscriptionDelay, Metric::EndOfTurnDelay, Metric::E2eLatency];
    assert_eq!(doubts(&turn), all.map(|metric| (metric, Why::LongerThanTheTurn)));
    assert_eq!(turn.doubts[2].ms, Some(15_200.0));
    assert_eq!(
        turn.reported,
        ReportedMetrics { llm_node_ttft_ms: Some(250.0), ..ReportedMetrics::default() }
    );
    assert_eq!((turn.path(), turn.unattributed_ms()), (None, None));
}

#[test]
fn a_latency_is_doubted_from_what_was_heard_on() {
    let why = |ms| doubts(&reported(ReportedMetrics::default(), e2e(ms)));
    assert_eq!(why(1_047.0), []);
    // Both ends are heard bluntly.
    assert_eq!(why(1_297.0), []);
    assert_eq!(why(1_298.0), [(Metric::E2eLatency, Why::LongerThanHeard)]);
    // From the caller's first sample it is 3,447.
    assert_eq!(why(3_697.0), [(Metric::E2eLatency, Why::LongerThanHeard)]);
    assert_eq!(why(3_698.0), [(Metric::E2eLatency, Why::LongerThanTheTurn)]);
}

#[test]
fn every_stage_lies_within_the_turn() {
    for (metric, field) in REPORTED.into_iter().filter(|(m, _)| *m != Metric::E2eLatency) {
        let mut metrics = ReportedMetrics::default();
        *field(&mut metrics) = Some(3_697.0);
        // A model that started early, or an end of turn long before ours, is no contradiction.
        assert_eq!(doubts(&reported(metrics, ReportedMetrics::default())), []);
        assert_eq!(doubts(&reported(ReportedMetrics::default(), metrics)), []);
        *field(&mut metrics) = Some(3_698.0);
        let why = [(metric, Why::LongerThanTheTurn)];
        assert_eq!(doubts(&reported(metrics, ReportedMetrics::default())), why);
        assert_eq!(doubts(&reported(ReportedMetrics::default(), metrics)), why);
    }
}

/// "Let me check", a tool of 3 s, the answer; the agent reports the latency of the answer.
fn filler(message_at: i64, latency: f64) -> Turn {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        user(2_600, "hours?", 500.0),
        voice(3_255, 4_400),
        voice(7_300, 8_000),
        agent_with(message_at, "nine", false, e2e(latency)),
    ];
    turns_of(vec![ask("hours")], &log, 9_000, Outcome::Answered).remove(0)
}

#[test]
fn a_reply_behind_a_filler_has_its_own_latency() {
    let turn = filler(8_100, 5_100.0);
    assert_eq!(doubts(&turn), []);
    assert_eq!(turn.reported.e2e_latency_ms, Some(5_100.0));
    // It does not explain the wait for the filler.
    assert_eq!((turn.unattributed_ms(), turn.path()), (None, None));
    // What was told before the second speech began is not about it.
    let why = doubts(&filler(4_500, 5_100.0));
    assert_eq!(why, [(Metric::E2eLatency, Why::LongerThanTheTurn)]);
    assert_eq!(doubts(&filler(8_100, 5_551.0)), [(Metric::E2eLatency, Why::LongerThanHeard)]);
}

#[test]
fn a_speech_that_goes_on_after_a_breath_is_no_second_one() {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        user(2_600, "hours?", 500.0),
        voice(3_000, 5_500),
        voice(6_000, 8_000),
        agent_with(8_100, "nine", false, e2e(3_900.0)),
    ];
    let turn = turns_of(vec![ask("hours")], &log, 9_000, Outcome::Answered).remove(0);
    assert_eq!(doubts(&turn), [(Metric::E2eLatency, Why::LongerThanTheTurn)]);
}

#[test]
fn an_agent_that_takes_a_pause_for_the_end_counts_from_there() {
    let asked = |commit: i64, reply: i64, latency: f64| {
        let log = [
            connected(0),
            began(0, 0),
            // Words until 2,000, a pause of 1.2 s, words again.
            said(0, 1_000, 4_000),
            user(commit, "I would like", 500.0),
            voice(reply, reply + 1_500),
            agent_with(reply + 1_600, "yes?", false, e2e(latency)),
        ];
        turns_of(vec![ask("table")], &log, 9_000, Outcome::Answered).remove(0)
    };
    // It broke in, 900 ms after the first piece.
    let turn = asked(2_600, 2_900, 900.0);
    assert_eq!((doubts(&turn), turn.reported.e2e_latency_ms), (vec![], Some(900.0)));
    // Its reply to the first piece came after the last word.
    let turn = asked(2_600, 4_300, 2_300.0);
    assert_eq!((doubts(&turn), turn.unattributed_ms()), (vec![], None));
    // Beyond the caller's first word it is impossible all the same.
    assert_eq!(
        doubts(&asked(2_600, 4_300, 3_551.0)),
        [(Metric::E2eLatency, Why::LongerThanTheTurn)]
    );
    // Committed after the last word it counts from there.
    assert_eq!(doubts(&asked(4_200, 4_300, 2_300.0)), [(Metric::E2eLatency, Why::LongerThanHeard)]);
}

#[test]
fn what_was_never_heard_is_bounded_by_the_time_there_was() {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        user(2_600, "hours?", 500.0),
        agent_with(5_000, "nine", false, e2e(9_300.0)),
        missed(0, 10_000),
    ];
    let turn = turns_of(vec![ask("hours")], &log, 10_100, Outcome::NoAnswer).remove(0);
    assert_eq!(doubts(&turn), []);
    let log = [&log[..4], &[agent_with(5_000, "nine", false, e2e(9_400.0)), missed(0, 10_000)]];
    let turn = turns_of(vec![ask("hours")], &log.concat(), 10_100, Outcome::NoAnswer).remove(0);
    assert_eq!(doubts(&turn), [(Metric::E2eLatency, Why::LongerThanTheTurn)]);
}
