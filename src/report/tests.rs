//! The documents of a few typical runs, and `report.json` against its schema.

mod hostile;

use insta::assert_snapshot;
use serde_json::Value as Json;

use super::fixture::{
    answered, at, call, comparison, comparison_with_runs, report, report_with, run, turns,
};
use super::text::{Colour, render};
use super::*;
use crate::record::{Observation, Outcome, ReportedMetrics, Run, SessionEvent};
use crate::turn::testing::two_questions;
use crate::turn::{Reply, analyse};
use crate::verdict::testing::{Agent, accepted};
use crate::verdict::{Baseline, Judged, Mismatch, Outcome as Judgement};

const PLACE: &str = "reports/20261124-120000-greeting";

fn text(report: &Report) -> String {
    let text = render(report, Colour::Never, 100, PLACE);
    let widest = text.lines().map(unicode_width::UnicodeWidthStr::width).max();
    assert!(widest <= Some(100), "{text}");
    text
}

fn json_of(report: &Report) -> String {
    let mut bytes = Vec::new();
    json::write(report, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn passed() -> Report {
    let (run, turns) = answered();
    report(&run, &turns)
}

fn regressed() -> Report {
    let (run, turns) = answered();
    report_with(&run, &turns, |verdict| {
        verdict.outcome = Judgement::Regression;
        verdict.reasons = vec![
            "slower than the baseline: heard_e2e_latency p50 1,240 ms after 838 ms".to_owned(),
            "the largest part is llm_node_ttft".to_owned(),
        ];
        verdict.comparison = Some(comparison(402.0));
    })
}

/// Seven accepted runs, slower than they are, and more calls fail.
fn regressed_from_seven() -> Report {
    let (run, turns) = answered();
    report_with(&run, &turns, |verdict| {
        verdict.outcome = Judgement::Regression;
        verdict.reasons = vec!["worse than the 7 accepted runs: heard_e2e_latency p50".to_owned()];
        verdict.comparison = Some(comparison_with_runs(402.0));
    })
}

/// The second call's question is never answered, and the fourth agent spoke on.
fn with_lower_bounds() -> Report {
    let (mut run, mut turns) = answered();
    let end = &mut run.calls[1].end;
    end.outcome = Outcome::NoAnswer;
    end.detail = "turn `hours`: nothing was heard for 8,000 ms".to_owned();
    turns[4].reply = Reply::Unanswered { waited_ms: 8_000.0 };
    turns[4].reported = ReportedMetrics::default();
    turns[5].said = None;
    turns[5].reply = Reply::NotReached;
    turns[11].reply = Reply::DidNotYield { waited_ms: 2_000.0 };
    report(&run, &turns)
}

/// Nobody came; the details differ.
fn no_agent() -> Report {
    let calls = (0..3).map(|id| {
        let mut call = call(id);
        call.log.truncate(1);
        call.end.outcome = Outcome::NoAgent;
        call.end.detail = format!("no agent joined within {} s", 20 + id);
        call.media = crate::record::MediaFacts::default();
        call
    });
    let run = run(calls.collect());
    report(&run, &[])
}

/// The agent sends nothing of its session.
fn by_ear() -> Report {
    let (mut run, mut turns) = answered();
    for call in &mut run.calls {
        call.log.retain(|stamped| !matches!(stamped.what, Observation::Session(_)));
    }
    for turn in &mut turns {
        turn.reported = ReportedMetrics::default();
        turn.reply_text = None;
    }
    report(&run, &turns)
}

/// Ctrl-C after one of ten calls, while the recording was cut short as well.
fn stopped() -> Report {
    let mut one = run(vec![call(0)]);
    let turns = turns(&one.calls[0]);
    if let Some(tail) = &mut one.tail {
        tail.stopped = true;
        tail.planned = 10;
    }
    report(&one, &turns)
}

/// A killed run of a hostile agent behind a hostile server.
fn hostile() -> Report {
    let (mut run, mut turns) = answered();
    run.tail = None;
    run.calls[0].end.outcome = Outcome::AgentLeft;
    run.calls[0].end.detail = "\x1b[2J\x1b[1;1HPASS: all is well\r\n\u{202e}live".to_owned();
    run.calls[0].media.largest_gap_ms = f64::INFINITY;
    run.calls[1].media.pacing = "not base64".to_owned();
    for n in 0..200 {
        run.calls[2].log.push(crate::record::Stamped {
            at: at(n),
            what: Observation::Session(SessionEvent::Error {
                message: format!("\x07{n} {}", "x".repeat(5_000)),
            }),
        });
    }
    turns[1].reported.llm_node_ttft_ms = Some(1e300);
    turns[4].reported.llm_node_ttft_ms = Some(f64::NAN);
    turns[7].reported.llm_node_ttft_ms = Some(-5.0);
    turns[1].reply_text = Some("\u{0}\x1b]0;owned\x07".to_owned());
    report_with(&run, &turns, |verdict| {
        verdict.outcome = Judgement::Inconclusive;
        verdict.reasons = vec!["Too few calls: \x1b[32mPASS\x1b[0m".to_owned()];
    })
}

fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("passed", passed()),
        ("regressed", regressed()),
        ("regressed_from_seven", regressed_from_seven()),
        ("with_lower_bounds", with_lower_bounds()),
        ("no_agent", no_agent()),
        ("by_ear", by_ear()),
        ("stopped", stopped()),
        ("hostile", hostile()),
    ]
}

#[test]
fn a_pass() {
    assert_snapshot!(text(&passed()));
}

#[test]
fn a_regression() {
    assert_snapshot!(text(&regressed()));
}

#[test]
fn a_regression_from_seven_runs() {
    assert_snapshot!(text(&regressed_from_seven()));
}

#[test]
fn lower_bounds() {
    assert_snapshot!(text(&with_lower_bounds()));
}

#[test]
fn nobody_came() {
    assert_snapshot!(text(&no_agent()));
}

#[test]
fn without_the_agents_session() {
    assert_snapshot!(text(&by_ear()));
}

#[test]
fn an_agent_that_is_never_silent_is_said_to_be() {
    let (mut run, turns) = answered();
    let note = |run: &Run| {
        let lines = report(run, &turns).notes;
        lines.into_iter().find(|note| note.contains("never silent"))
    };
    assert_eq!(note(&run), None);
    for (call, level_dbfs) in run.calls.iter_mut().zip([-52.0, -44.6]) {
        let what = Observation::NeverSilent { level_dbfs };
        call.log.push(crate::record::Stamped { at: at(500_000), what });
    }
    let expected = "the agent's track is never silent (-45 dBFS in 2 of 4 calls): a voice counts \
                    where it stands out of what is always there, and what does not stand out is not heard";
    assert_eq!(note(&run).as_deref(), Some(expected));
}

#[test]
fn stopped_by_the_user() {
    assert_snapshot!(text(&stopped()));
}

#[test]
fn a_narrow_terminal() {
    for (asked, width) in [(1, 60), (60, 60), (80, 80), (86, 86), (300, 100)] {
        for (name, report) in all() {
            let text = render(&report, Colour::Never, asked, PLACE);
            // A command to copy is never broken.
            let lines = text.lines().filter(|line| !line.starts_with("    loadcall "));
            let widest = lines.map(unicode_width::UnicodeWidthStr::width).max();
            assert!(widest <= Some(width), "{name} at {width}: {text}");
        }
    }
    let whole = |text: &str| text.lines().all(|line| !line.ends_with('…'));
    let text = render(&with_lower_bounds(), Colour::Never, 1, PLACE);
    assert!(whole(&text), "{text}");
    let text = render(&regressed(), Colour::Never, 80, PLACE);
    assert!(whole(&text), "{text}");
    assert_snapshot!(text);
}

#[test]
fn hostile_text_has_no_power_over_the_terminal() {
    let report = hostile();
    let plain = text(&report);
    assert!(!plain.contains(|c: char| c.is_control() && c != '\n'), "{plain:?}");
    assert!(!plain.contains('\u{202e}'));
    assert_snapshot!(plain);
    // With colour there are our own styles and nothing else: without them it is the same text.
    let coloured = render(&report, Colour::Always, 100, PLACE);
    assert!(coloured.contains('\x1b'));
    let mut rest = coloured.as_str();
    let mut stripped = String::new();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        stripped.push_str(before);
        let (codes, after) = after.split_once('m').unwrap();
        assert!(codes.chars().all(|c| c.is_ascii_digit()), "{codes:?}");
        rest = after;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}

#[test]
fn json_of_a_run() {
    let mut json: Json = serde_json::from_str(&json_of(&with_lower_bounds())).unwrap();
    // Compressed bytes differ between versions of the compressor; their meaning is tested elsewhere.
    for metric in json["metrics"].as_object_mut().unwrap().values_mut() {
        if let Some(histogram) = metric.get_mut("histogram") {
            *histogram = "…".into();
        }
    }
    json["pacing"]["histogram"] = "…".into();
    let some_calls: Vec<Json> = json["calls"].as_array().unwrap()[..2].to_vec();
    let some_turns: Vec<Json> = json["turns"].as_array().unwrap()[..6].to_vec();
    json["calls"] = some_calls.into();
    json["turns"] = some_turns.into();
    assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

fn validator() -> jsonschema::Validator {
    let schema: Json = serde_json::from_str(include_str!("report.schema.json")).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn every_document_keeps_the_schema() {
    let validator = validator();
    for (name, report) in all() {
        let json: Json = serde_json::from_str(&json_of(&report)).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

/// Every key that is renamed, every value of another type and every unknown key is refused, so the
/// schema says something about each part of the document.
#[test]
fn the_schema_refuses_what_is_not_so() {
    let validator = validator();
    let mut tried = 0;
    let documents = [
        ("lower bounds", with_lower_bounds()),
        ("regressed", regressed()),
        ("regressed from seven", regressed_from_seven()),
    ];
    for (name, report) in documents {
        let json: Json = serde_json::from_str(&json_of(&report)).unwrap();
        for pointer in pointers(&json) {
            for (what, mutant) in mutants(&json, &pointer) {
                tried += 1;
                assert!(!validator.is_valid(&mutant), "{name}: {what} at `{pointer}` was accepted");
            }
        }
    }
    assert!(tried > 2_000, "{tried}");
}

/// JSON pointers to every value of a document.
fn pointers(json: &Json) -> Vec<String> {
    let mut all = vec![String::new()];
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                all.extend(pointers(value).into_iter().map(|rest| format!("/{key}{rest}")));
            }
        }
        Json::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                all.extend(pointers(value).into_iter().map(|rest| format!("/{at}{rest}")));
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
    all
}

fn mutants(json: &Json, pointer: &str) -> Vec<(&'static str, Json)> {
    let mut mutants = Vec::new();
    let mut with = |what, change: &dyn Fn(&mut Json)| {
        let mut mutant = json.clone();
        change(mutant.pointer_mut(pointer).unwrap());
        mutants.push((what, mutant));
    };
    // No value of a document may be a list of lists.
    with("another type", &|value| *value = serde_json::json!([[1]]));
    let value = json.pointer(pointer).unwrap();
    if value.is_object() {
        with("an unknown key", &|value| value["a_new_key"] = 1.into());
    }
    // In these maps every key may be absent.
    let optional =
        pointer == "/metrics" || pointer.ends_with("/stages_ms") || pointer.ends_with("/path_ms");
    for key in value.as_object().into_iter().flat_map(|map| map.keys()).filter(|_| !optional) {
        with("a missing key", &|value| {
            value.as_object_mut().unwrap().remove(key);
        });
    }
    mutants
}

#[test]
fn json_names_what_is_only_a_lower_bound() {
    let json: Json = serde_json::from_str(&json_of(&with_lower_bounds())).unwrap();
    let heard = &json["metrics"]["heard_e2e_latency"];
    assert_eq!((&heard["n"], &heard["censored"]), (&4.into(), &1.into()));
    assert_eq!(heard["p95"], 8_000.0);
    assert_eq!(heard["lower_bounds"], serde_json::json!(["p90", "p95", "p99", "max"]));
}

/// Judging and rendering take nothing but the recording, the baseline and the seed.
fn document(run: &Run, scenario: &Scenario, baseline: &Baseline, seed: u64) -> String {
    let of = (scenario.clone(), analyse(run, scenario));
    json_of(&Report::new(Judged::judge(of, Some(baseline), Mismatch::Refuse, seed)))
}

#[test]
fn the_same_recording_and_seed_give_the_same_bytes() {
    let scenario = two_questions();
    let wild = Agent { jitter: 300.0, silent_every: 17, ..Agent::default() };
    let run = |id: &str, seed| wild.run(id, 30, seed, &scenario);
    let one = accepted(&run("a", 1), &scenario);
    let week = (2..8).fold(one.clone(), |all, seed| {
        all.with(accepted(&run(&format!("a{seed}"), seed), &scenario), 7).expect("of one kind")
    });
    let tonight = run("b", 100);
    for baseline in [&one, &week] {
        let first = document(&tonight, &scenario, baseline, 1);
        // Again, against the baseline as it is read from its file.
        let read = Baseline::parse(&baseline.to_json()).expect("a baseline");
        assert_eq!(document(&tonight.clone(), &scenario, &read, 1), first);
        // Nothing of a comparison is drawn at random.
        assert_eq!(document(&tonight, &scenario, baseline, 2), first);
        let validator = validator();
        let json: Json = serde_json::from_str(&first).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn ten_thousand_calls_are_judged() {
    let scenario = two_questions();
    let wild = Agent { jitter: 300.0, ..Agent::default() };
    let base = accepted(&wild.run("a", 10_000, 1, &scenario), &scenario);
    let run = wild.run("b", 10_000, 2, &scenario);
    let json: Json = serde_json::from_str(&document(&run, &scenario, &base, 1)).unwrap();
    assert_eq!(json["verdict"]["outcome"], "pass");
    assert_eq!(json["calls"].as_array().unwrap().len(), 10_000);
    let decided = &json["verdict"]["comparison"]["changes"][0];
    // The values of a thousand calls narrow the interval to some ten milliseconds.
    let width = decided["difference"]["high"].as_f64().unwrap()
        - decided["difference"]["low"].as_f64().unwrap();
    assert!((1.0..80.0).contains(&width), "{decided}");
}
