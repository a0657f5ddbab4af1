use super::*;
use crate::record::{Arm, MetadataDigest};
use crate::turn::analyse;
use crate::turn::testing::two_questions;
use crate::verdict::Baseline;
use crate::verdict::testing::{Agent, accepted};

fn measured(agent: Agent, calls: u32) -> Measured {
    let scenario = two_questions();
    let run = agent.run("20261124-1200", calls, 1, &scenario);
    Measured::take(&analyse(&run, &scenario), &scenario, true)
}

#[test]
fn the_file_says_how_calls_that_failed_ended() {
    let text = measured(Agent { silent_every: 4, jitter: 0.0, ..Agent::default() }, 2).to_json();
    let want = "{\n  \"format\": 5,\n  \"kind\": \"loadcall measured\",\n  \"steps\": [\n";
    assert_eq!(text.get(..want.len()), Some(want), "{text}");
    let calls: Vec<&str> = text.lines().filter(|line| line.contains("\"call\":")).collect();
    assert!(calls[0].starts_with(r#"    {"run":0,"call":0,"ok":true,"us":[1280000,"#), "{text}");
    let failed =
        r#"    {"run":0,"call":1,"ok":false,"outcome":"no_answer","cause":"no_reply","us":["#;
    assert!(calls[1].starts_with(failed), "{text}");
}

#[test]
fn reading_gives_back_what_was_written() {
    let mut written = measured(Agent { silent_every: 7, ..Agent::default() }, 10);
    assert_eq!(Measured::parse(&written.to_json()).unwrap(), written);
    written.valid = false;
    written.side = Some(Side::B);
    assert_eq!(Measured::parse(&written.to_json()).unwrap(), written);
}

#[test]
fn a_baseline_of_a_run_is_the_same_from_its_values_and_from_its_recording() {
    let scenario = two_questions();
    let run = Agent { silent_every: 7, ..Agent::default() }.run("r", 10, 1, &scenario);
    let from_recording = accepted(&run, &scenario);
    let stored = Measured::take(&analyse(&run, &scenario), &scenario, true).to_json();
    let from_values = Baseline::from_run(Measured::parse(&stored).unwrap());
    assert_eq!(from_values.measures(), from_recording.measures());
}

#[test]
fn other_files_are_refused() {
    let good = measured(Agent { silent_every: 2, ..Agent::default() }, 2).to_json();
    let error = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        Measured::parse(&good.replacen(from, to, 1)).expect_err("refused").to_string()
    };
    for (from, to, want) in [
        ("loadcall measured", "loadcall baseline", "not a file of measured values (its kind is"),
        ("\"format\": 5", "\"format\": 4", "file of measured values format 4 is older than 5"),
        ("no_reply", "bad_mood", "the file contradicts itself (call 0 has the unknown failure"),
    ] {
        assert!(error(from, to).starts_with(want), "{}", error(from, to));
    }
}

#[test]
fn dispatch_metadata_is_in_no_file() {
    let scenario = two_questions().calling("demo-agent", r#"{"api_key":"sk-secret-1"}"#);
    let mut run = Agent::default().run("r", 6, 1, &scenario);
    let analysis = analyse(&run, &scenario);
    let texts = [
        Measured::take(&analysis, &scenario, true).to_json(),
        Baseline::accept(&analysis, &scenario, "now").unwrap().to_json(),
    ];
    for text in texts {
        assert!(text.contains("api_key") && !text.contains("sk-secret"), "{text}");
    }
    // Nor in the recording of an A/B side, whose agent the scenario's text does not name.
    let agent_metadata = MetadataDigest::digest(r#"{"api_key":"sk-secret-2"}"#);
    let (ab, agent_name) = ("ab".to_owned(), "other".to_owned());
    let (side, looks) = (Side::B, Vec::new());
    run.head.arm =
        Some(Arm { ab, side, agent_name, agent_metadata: agent_metadata.clone(), looks });
    assert!(!serde_json::to_string(&run.head).unwrap().contains("sk-secret"));
    let analysis = analyse(&run, &scenario);
    assert_eq!(Fingerprint::take(&analysis, &scenario).agent_metadata, agent_metadata);
}

#[test]
fn a_baseline_of_before_is_read_and_compared_only_when_asked_for() {
    let scenario = two_questions().calling("demo-agent", r#"{"api_key":"sk-secret-1"}"#);
    let run = Agent::default().run("r", 6, 1, &scenario);
    let new = accepted(&run, &scenario).to_json();
    let digest =
        serde_json::to_string(&MetadataDigest::digest(&scenario.agent().metadata)).unwrap();
    let whole = serde_json::to_string(&scenario.agent().metadata).unwrap();
    let old = new
        .replace("\"format\": 5", "\"format\": 2")
        .replace(&digest, &whole)
        .replace("\"started_at\":\"2026-11-24T10:00:00.000000Z\",", "");
    assert!(old.contains("sk-secret") && !old.contains("started_at"), "{old}");
    let old = Baseline::parse(&old).unwrap();
    // What it measured is defined otherwise, and nothing that is written again says it were not.
    let why = old.comparable(&analyse(&run, &scenario), &scenario).unwrap_err();
    assert!(!why.other_steps && why.slight.is_empty(), "{why}");
    let [difference] = &why.differences[..] else { panic!("{why}") };
    assert_eq!(difference.to_string(), "definition of the metrics: of format 3 → of format 4");
    assert!(old.with(accepted(&run, &scenario), 7).is_err());
    assert!(!old.to_json().contains("sk-secret") && old.to_json().contains("\"format\": 3"));
}
