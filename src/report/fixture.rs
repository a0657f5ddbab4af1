//! A small run for tests: calls with a greeting, a question and a barge-in, and what follows from
//! them.

use std::collections::BTreeMap;

use super::{Report, summary};
use crate::record::{
    CallEnd, CallId, CallRecord, ClipFact, Host, MediaFacts, Observation, Outcome, ReportedMetrics,
    Run, RunHead, RunTail, SessionEvent, Stamped,
};
use crate::scenario::testing::parsed;
use crate::scenario::{Metric, Scenario};
use crate::stats::{Histogram, Interval, Rate, Statistic, rate_difference};
use crate::time::Offset;
use crate::turn::{
    Answer, CallFacts, Cause, ContentResult, Failure, Found, Measures, Overlap, Part, Reply, Span,
    Turn, Untold, Value, Wanted, analyse, stages,
};
use crate::verdict::{
    self, Asked, Attribution, Basis, Change, Comparison, Direction, FailureChange, Judged,
    Mismatch, PartChange, Question, RunToRun, StepChange, Verdict,
};

pub(crate) const SECOND: i64 = 1_000_000;

pub(crate) fn at(us: i64) -> Offset {
    Offset::from_micros(us)
}

pub(crate) fn scenario() -> Scenario {
    parsed(
        r#"version: 1
name: greeting
agent: {name: demo-agent, metadata: {token: in-the-metadata}}
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: clips/hours.wav, text: "What are your opening hours?"}
    expect: {agent: responds, within: 8s}
  - id: wait
    say: {file: clips/wait.wav}
    start: {after: agent_speech_start, delay: 900ms}
    expect: {agent: yields, within: 2s}
hangup: {max_call: 90s}
load: {executor: repeat, calls: 4, concurrency: 2}
thresholds: {heard_e2e_latency: ["p(50)<1500ms", "p(95)<2500ms"], calls_ok: ["rate>0.99"]}
"#,
    )
}

/// An answered call: the greeting 800 ms after connecting, the reply 1,200 ms (and 40 ms more with
/// every id) after the question, silence 350 ms after the barge-in.
pub(crate) fn call(id: u32) -> CallRecord {
    let began = i64::from(id) * 5 * SECOND;
    let reply = 6_000_000 + 1_200_000 + i64::from(id) * 40_000;
    let mut log = Vec::new();
    let mut push = |us: i64, what| log.push(Stamped { at: at(began + us), what });
    push(50_000, Observation::Connected { room_sid: format!("RM_{id}") });
    push(300_000, Observation::AgentJoined { identity: format!("agent-AJ_{id}") });
    push(420_000, Observation::AgentTrackSubscribed);
    push(
        430_000,
        Observation::Session(SessionEvent::Framework {
            sdk: "python".to_owned(),
            sdk_version: "1.8.9".to_owned(),
        }),
    );
    push(850_000, Observation::VoiceBegan);
    push(2_850_000, Observation::VoiceEnded);
    push(4_500_000, Observation::UtteranceBegan { step: 1 });
    push(6_000_000, Observation::UtteranceEnded { step: 1 });
    push(reply, Observation::VoiceBegan);
    push(10_000_000, Observation::UtteranceBegan { step: 2 });
    push(10_350_000, Observation::VoiceEnded);
    push(10_800_000, Observation::UtteranceEnded { step: 2 });
    CallRecord {
        id: CallId(id),
        room: format!("loadcall-r1-{id}"),
        due: at(began),
        dialled: at(began + 1_000),
        log,
        end: CallEnd {
            at: at(began + 12 * SECOND),
            outcome: Outcome::Answered,
            detail: String::new(),
        },
        media: MediaFacts {
            pacing: pacing(&[100, 200, 300, 4_000]),
            packets_received: 500,
            packets_lost: 2,
            largest_gap_ms: 41.0,
            ..MediaFacts::default()
        },
    }
}

/// The pacing of packets that left that many microseconds late.
pub(crate) fn pacing(late_us: &[i64]) -> String {
    summary::text(&Histogram::of(late_us.iter().copied()))
}

/// The turns of such a call.
pub(crate) fn turns(call: &CallRecord) -> Vec<Turn> {
    let began = i64::from(call.id.0) * 5 * SECOND;
    let span = |from, until| Span { from: at(began + from), until: at(began + until) };
    let latency_ms = 1_200.0 + f64::from(call.id.0) * 40.0;
    let reply = 7_200_000 + i64::from(call.id.0) * 40_000;
    let turn = |step: u32, id: &str, said, reply| Turn {
        call: call.id,
        step,
        id: id.to_owned(),
        said,
        reply,
        cut_in: false,
        answer: if let Reply::Heard { latency_ms, .. } = reply {
            Some(Answer::Heard { latency_ms, filler: None })
        } else {
            None
        },
        is_late: false,
        reported: ReportedMetrics::default(),
        doubts: Vec::new(),
        heard_by_agent: None,
        reply_text: None,
        tools: Vec::new(),
        errors: Vec::new(),
        ttfa_ms: None,
        tool_ms: None,
        turn_decided_ms: None,
        false_interruption: false,
        content: Vec::new(),
    };
    let mut hours = turn(
        1,
        "hours",
        Some(span(4_500_000, 6_000_000)),
        Reply::Heard { voice: span(reply, 10_350_000), latency_ms },
    );
    hours.reported = ReportedMetrics {
        transcription_delay_ms: Some(150.0),
        end_of_turn_delay_ms: Some(500.0),
        llm_node_ttft_ms: Some(300.0),
        tts_node_ttfb_ms: Some(200.0),
        e2e_latency_ms: Some(latency_ms - 130.0),
        ..ReportedMetrics::default()
    };
    hours.heard_by_agent = Some("what are your opening hours".to_owned());
    hours.reply_text = Some("We are open from nine to six.".to_owned());
    hours.tools = vec!["opening_hours".to_owned()];
    hours.ttfa_ms = Some(latency_ms - 12.5);
    hours.tool_ms = Some(120.0);
    hours.turn_decided_ms = Some(620.0);
    let content = |wanted, found| ContentResult { wanted, found };
    hours.content = vec![
        content(Wanted::Tool("opening_hours".to_owned()), Found::Met),
        content(Wanted::Contains("nine".to_owned()), Found::CannotTell(Untold::NoText)),
    ];
    vec![
        turn(
            0,
            "greeting",
            None,
            Reply::Greeted { voice: span(850_000, 2_850_000), latency_ms: 800.0 },
        ),
        hours,
        turn(2, "wait", Some(span(10_000_000, 10_800_000)), Reply::Yielded { yield_ms: 350.0 }),
    ]
}

pub(crate) fn run(calls: Vec<CallRecord>) -> Run {
    let ended = calls.iter().map(|call| call.end.at).max().unwrap_or_default();
    let planned = u32::try_from(calls.len()).unwrap();
    let clip = |file: &str, text: Option<&str>| {
        Some(ClipFact {
            file: file.to_owned(),
            sha256: "00ff".to_owned(),
            text: text.map(str::to_owned),
            voiced_ms: 1_500.0,
            end_given_ms: None,
            channel: None,
            source: None,
        })
    };
    Run {
        head: RunHead {
            run_id: "20261124-120000-greeting".to_owned(),
            started_at: "2026-11-24T12:00:00.000250Z".to_owned(),
            loadcall_version: "0.1.0".to_owned(),
            scenario_path: "scenarios/greeting.yaml".to_owned(),
            scenario_text: "version: 1\n".to_owned(),
            overlay: None,
            clips: vec![
                None,
                clip("clips/hours.wav", Some("What are your opening hours?")),
                clip("clips/wait.wav", None),
            ],
            seed: 1,
            server_url: "ws://127.0.0.1:7880".to_owned(),
            langfuse_url: None,
            agent_started: false,
            labels: crate::record::Labels::default(),
            server: None,
            host: Host { os: "linux".to_owned(), cpus: 2 },
            calibration: None,
            arm: None,
        },
        calls,
        tail: Some(RunTail { ended, stopped: false, gave_up: false, planned }),
    }
}

/// The samples that follow from the turns, simply.
pub(crate) fn measures(run: &Run, turns: &[Turn]) -> Measures {
    let mut by_metric: BTreeMap<Metric, Vec<Value>> = BTreeMap::new();
    let mut add = |metric, call, step, value, censored| {
        by_metric.entry(metric).or_default().push(Value { call, step, value, censored });
    };
    for turn in turns {
        let mut put = |metric, value, censored| add(metric, turn.call, turn.step, value, censored);
        match turn.reply {
            Reply::Greeted { latency_ms, .. } => put(Metric::GreetingLatency, latency_ms, false),
            Reply::Heard { latency_ms, .. } => {
                put(Metric::HeardE2eLatency, latency_ms, false);
                put(Metric::UnansweredTurns, 0.0, false);
                put(Metric::AwkwardSilenceCount, 0.0, false);
                if let Some(e2e) = turn.reported.e2e_latency_ms {
                    put(Metric::Unattributed, latency_ms - e2e, false);
                }
            }
            Reply::Unanswered { waited_ms } => {
                put(Metric::HeardE2eLatency, waited_ms, true);
                put(Metric::UnansweredTurns, 1.0, false);
            }
            Reply::Yielded { yield_ms } => put(Metric::TimeToYield, yield_ms, false),
            Reply::DidNotYield { waited_ms } => put(Metric::TimeToYield, waited_ms, true),
            Reply::CutIn { .. }
            | Reply::Ignored
            | Reply::Disturbed { .. }
            | Reply::NotAwaited
            | Reply::NotTested
            | Reply::NotReached => {}
        }
        for (metric, value) in stages(&turn.reported) {
            put(metric, value, false);
        }
    }
    for call in &run.calls {
        let mut put = |metric, value| add(metric, call.id, 0, value, false);
        put(Metric::OverlapRatio, 0.07);
        put(Metric::CallsOk, if call.end.outcome == Outcome::Answered { 1.0 } else { 0.0 });
        for stamped in &call.log {
            if matches!(stamped.what, Observation::Connected { .. }) {
                put(Metric::ConnectDelay, stamped.at.ms_since(call.dialled));
            }
            if matches!(stamped.what, Observation::AgentJoined { .. }) {
                put(Metric::AgentJoinDelay, stamped.at.ms_since(call.dialled));
            }
        }
    }
    Measures { by_metric, dropped_reported: 0 }
}

/// What is simply said of how a call ended.
fn failure(call: &CallFacts) -> Option<Failure> {
    let cause = match call.outcome {
        Outcome::Answered => return None,
        Outcome::NoAgent => Cause::Dispatch,
        Outcome::NoAnswer => Cause::Silence,
        Outcome::AgentLate
        | Outcome::AgentLeft
        | Outcome::NoGreeting
        | Outcome::ConnectionLost
        | Outcome::Refused
        | Outcome::Stopped
        | Outcome::OurFault => Cause::AgentLeft,
    };
    Some(Failure { cause, detail: call.detail.clone() })
}

/// The report of `run` and `turns`, judged without a baseline.
pub(crate) fn report(run: &Run, turns: &[Turn]) -> Report {
    report_with(run, turns, |_| {})
}

/// As [`report`], with a verdict that was changed.
pub(crate) fn report_with(run: &Run, turns: &[Turn], change: impl Fn(&mut Verdict)) -> Report {
    let scenario = scenario();
    let mut analysis = analyse(run, &scenario);
    for call in &mut analysis.calls {
        call.overlap = Overlap { overlap_ms: 350.0, speech_ms: 5_000.0 };
        call.failure = failure(call);
        call.turns = turns.iter().filter(|turn| turn.call == call.call).cloned().collect();
    }
    analysis.measures = measures(run, turns);
    let mut judged = Judged::judge((scenario, analysis), None, Mismatch::Refuse, 1);
    change(&mut judged.verdict);
    Report::new(judged)
}

/// A comparison with one run whose primary metric moved by `moved` milliseconds.
pub(crate) fn comparison(moved: f64) -> Comparison {
    let change = |metric, run: f64, moved: f64, direction| Change {
        metric,
        statistic: Statistic::Quantile(50.0),
        basis: Basis::Calls,
        baseline: run - moved,
        run,
        baseline_is_bound: false,
        run_is_bound: metric == Metric::HeardE2eLatency,
        difference: Interval { low: moved - 30.0, point: moved, high: moved + 30.0 },
        min_effect_ms: 67.04,
        detectable_ms: 115.5,
        p: 0.001,
        direction,
    };
    Comparison {
        baseline_run_id: "20261120-090000-greeting".to_owned(),
        baseline_runs: vec!["20261120-090000-greeting".to_owned()],
        primary: Metric::HeardE2eLatency,
        quantile: 50.0,
        min_effect_ms: 67.04,
        answers: answers(1_240.0, moved),
        changes: vec![
            change(Metric::HeardE2eLatency, 1_240.0, moved, Direction::Slower),
            change(Metric::LlmNodeTtft, 280.0 + moved, moved - 20.0, Direction::Slower),
            change(Metric::TtsNodeTtfb, 200.0, -2.0, Direction::Alike),
        ],
        spread: None,
        failures: None,
        cut_ins: None,
        events: Vec::new(),
        attribution: Some(attribution(moved)),
    }
}

/// The typical turn and one of the steps moved, the slow turns did not.
fn answers(run: f64, moved: f64) -> Vec<verdict::Answer> {
    let answer = |question, step: Option<&str>, run: f64, moved: f64, direction| verdict::Answer {
        asked: Asked { question, step: step.map(str::to_owned) },
        decides: true,
        basis: Basis::Calls,
        baseline: run - moved,
        run,
        baseline_is_bound: false,
        run_is_bound: question == Question::TypicalTurn,
        difference: Interval { low: moved - 30.0, point: moved, high: moved + 30.0 },
        confidence: 96.0,
        min_effect_ms: 67.04,
        detectable_ms: 115.5,
        p_slower: 0.001,
        p_faster: 0.999,
        direction,
    };
    vec![
        answer(Question::TypicalTurn, None, run, moved, Direction::Slower),
        answer(Question::SlowTurns, None, 2_100.0, 12.0, Direction::Unclear),
        answer(Question::WorstStep, Some("hours"), run, moved, Direction::Slower),
    ]
}

/// Two steps, the second of which did not change.
fn attribution(moved: f64) -> Attribution {
    let change = |part, change_ms| PartChange { part, change_ms };
    let own =
        vec![change(Part::LlmFirstToken, 2.0 * (moved - 20.0)), change(Part::Unattributed, 44.0)];
    Attribution {
        total_ms: moved,
        parts: vec![
            change(Part::LlmFirstToken, moved - 20.0),
            change(Part::Unattributed, 21.6),
            change(Part::TtsFirstByte, -2.4),
        ],
        steps: vec![
            StepChange { step: 1, change_ms: moved - 20.0 + 22.0, own },
            StepChange { step: 2, change_ms: -2.8, own: vec![change(Part::TtsFirstByte, -5.6)] },
        ],
        rest_ms: 0.8,
    }
}

/// The same against seven runs, with more of everything.
pub(crate) fn comparison_with_runs(moved: f64) -> Comparison {
    let with_one = comparison(moved);
    let (baseline, of) = (with_one.changes[0].baseline, Rate { hits: 28, n: 28 });
    let basis = Basis::Runs(RunToRun {
        runs: 7,
        expected: Interval { low: baseline - 90.0, point: baseline, high: baseline + 100.0 },
        between_runs_ms: 41.2,
        sampling_ms: 30.0,
    });
    let answers: Vec<verdict::Answer> =
        with_one.answers.iter().map(|answer| verdict::Answer { basis, ..answer.clone() }).collect();
    let changes: Vec<Change> =
        with_one.changes.iter().map(|change| Change { basis, ..*change }).collect();
    let run = Rate { hits: 2, n: 4 };
    Comparison {
        baseline_runs: (14..=20).map(|day| format!("202611{day}-090000-greeting")).collect(),
        spread: Some(Change { statistic: Statistic::Spread, ..changes[0] }),
        cut_ins: None,
        failures: Some(FailureChange {
            baseline: of,
            run,
            runs: 7,
            difference: rate_difference(of, run).expect("calls"),
            p: 0.012,
            more: true,
        }),
        answers,
        changes,
        ..with_one
    }
}

/// Four answered calls and their turns.
pub(crate) fn answered() -> (Run, Vec<Turn>) {
    let run = run((0..4).map(call).collect());
    let turns = run.calls.iter().flat_map(turns).collect();
    (run, turns)
}
