use super::super::Report;
use crate::record::{
    CallRecord, ModelUsage, Observation, Outcome, ReportedMetrics, SessionEvent, Stamped,
};
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::turn::testing::*;
use crate::verdict::{Judged, Mismatch};

/// A question from 1,000 to 3,400, answered after 1,047 ms, and what the agent reports.
fn answered(id: u32, metrics: ReportedMetrics, more: &[Vec<Stamped>]) -> CallRecord {
    let log = [
        connected(0),
        joined(100),
        began(0, 500),
        said(0, 1_000, 3_400),
        user(3_600, "hours?", 100.0),
        voice(4_447, 6_000),
        agent_with(6_100, "nine", false, metrics),
    ];
    call(id, [&log[..], more].concat().concat(), 9_000, Outcome::Answered)
}

fn notes(scenario: Scenario, calls: Vec<CallRecord>) -> Vec<String> {
    let analysis = analyse(&run("r", calls, &scenario), &scenario);
    Report::new(Judged::judge((scenario, analysis), None, Mismatch::Refuse, 1)).notes
}

fn has(notes: &[String], words: &str) -> bool {
    notes.iter().any(|note| note.contains(words))
}

fn e2e(ms: f64) -> ReportedMetrics {
    ReportedMetrics { e2e_latency_ms: Some(ms), ..ReportedMetrics::default() }
}

#[test]
fn an_agent_that_reports_more_than_was_heard_is_pointed_out() {
    let all = |ms: f64| {
        let calls = (0..5).map(|id| answered(id, e2e(ms), &[])).collect();
        notes(scenario(vec![ask("hours")]), calls)
    };
    // As of a human recording whose end was dated 274 ms late, beyond what is believed.
    for (ms, more) in [(1_100.0, "53 ms more"), (1_321.0, "274 ms more")] {
        let notes = all(ms);
        assert!(has(&notes, more) && has(&notes, "probably dated too late"), "{notes:?}");
    }
    // Within the bluntness of both ends, and what is absurd says nothing of the clip.
    for ms in [900.0, 1_097.0, 15_200.0] {
        assert!(!has(&all(ms), "more than was heard"), "{ms}");
    }
    assert!(has(&all(15_200.0), "e2e_latency was reported as longer than from the caller's first"));
    assert!(has(
        &all(1_321.0),
        "e2e_latency was reported as longer than the latency that was heard"
    ));
}

#[test]
fn what_is_left_over_between_the_stages_is_not_named_without_a_word() {
    let metrics = ReportedMetrics { llm_node_ttft_ms: Some(100.0), ..e2e(1_000.0) };
    let tool = crate::record::ToolResult { name: "lookup".to_owned(), is_error: false, gave: None };
    let ran = session(4_000, SessionEvent::ToolsExecuted { tools: vec![tool] });
    let asked = || scenario(vec![ask("two")]);
    let of = notes(asked(), vec![answered(0, metrics, &[ran])]);
    assert!(has(&of, "between_stages is most of `two`: the agent ran tools, and reports neither"));
    let of = notes(asked(), vec![answered(0, metrics, &[])]);
    assert!(has(&of, "between_stages is most of `two`: time that no stage"), "{of:?}");
    let metrics = ReportedMetrics { tts_node_ttfb_ms: Some(420.0), ..metrics };
    let of = notes(asked(), vec![answered(0, metrics, &[])]);
    assert!(has(&of, "tts_node_ttfb may contain the wait for the first sentence"), "{of:?}");
    assert!(!has(&of, "between_stages"), "{of:?}");
}

#[test]
fn what_cannot_be_told_is_said_once_and_above_all() {
    let yaml = "version: 1\nname: a\nturns: [{id: q, say: {file: a.wav}, expect: \
                {agent: responds, within: 8s, text: {contains: nine}, tools: [lookup]}}]\n";
    let scenario = Scenario::parse(yaml).expect("valid");
    let mute = |id| {
        let mut call = answered(id, ReportedMetrics::default(), &[]);
        call.log.retain(|seen| !matches!(seen.what, Observation::Session(_)));
        call
    };
    let analysis = analyse(&run("r", vec![mute(0), mute(1)], &scenario), &scenario);
    let report = Report::new(Judged::judge((scenario, analysis), None, Mismatch::Refuse, 1));
    let about = |what: &str| report.notes.iter().filter(|note| note.contains(what)).count();
    assert_eq!(
        (about("cannot tell which tools ran in 2 turns"), about("livekit-agents does")),
        (1, 2)
    );
    assert_eq!(about("cannot tell what was answered in 2 turns"), 1);
    let reasons = &report.judged.verdict.reasons;
    let hidden = "4 of 4 expected texts and tools could not be checked; the notes say why";
    assert!(reasons.iter().any(|reason| reason == hidden), "{reasons:?}");
    assert_eq!((report.content.cannot_tell, report.content.all()), (4, 4));
}

#[test]
fn an_agent_of_ours_that_is_another_one_in_the_cloud_is_pointed_out() {
    let of = |model: &str, is_ours: bool| {
        let (kind, provider) = ("eot".to_owned(), "livekit".to_owned());
        let models =
            vec![ModelUsage { kind, provider, model: model.to_owned(), counts: Vec::new() }];
        let call = answered(0, e2e(900.0), &[session(7_000, SessionEvent::Usage { models })]);
        let scenario = scenario(vec![ask("hours")]);
        let mut run = run("r", vec![call], &scenario);
        run.head.agent_started = is_ours;
        let analysis = analyse(&run, &scenario);
        let notes =
            Report::new(Judged::judge((scenario, analysis), None, Mismatch::Refuse, 1)).notes;
        has(&notes, "LIVEKIT_DEV_MODE=1")
    };
    assert!(of("turn-detector-v1-mini", true));
    // What is deployed is what it is.
    assert!(!of("turn-detector-v1-mini", false));
    assert!(!of("turn-detector-v1", true));
}
