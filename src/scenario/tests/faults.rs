//! How faults read. One snapshot a theme: each fault is drawn as `loadcall check` shows it.

use std::fmt::Write as _;

use super::super::*;
use super::GREETING;

fn drawn(text: &str) -> String {
    match Scenario::parse(text) {
        Ok(scenario) => panic!("no fault in {text}: {scenario:?}"),
        Err(faults) => faults.render("greeting.yaml", text, Style::Plain),
    }
}

/// Draws the faults of each text and compares the lot with `snapshots/<theme>.snap`.
pub(super) fn theme<T: AsRef<str>>(theme: &str, texts: impl IntoIterator<Item = T>) {
    let mut page = String::new();
    for text in texts {
        writeln!(page, "{}\n", drawn(text.as_ref())).expect("a String takes everything");
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(theme, page));
}

/// Each text fits into a scenario that is sound but for it, and gives exactly one fault.
pub(super) fn single(texts: &[&str], into: impl Fn(&str) -> String) -> Vec<String> {
    let files: Vec<String> = texts.iter().map(|text| into(text)).collect();
    for file in &files {
        let faults = Scenario::parse(file).expect_err(file);
        assert_eq!(faults.len(), 1, "{}", faults.render("greeting.yaml", file, Style::Plain));
        let fault = faults.iter().next().expect("one fault");
        assert!(fault.help.is_some() && fault.code.starts_with("scenario::"), "{fault:?}");
        assert!(file.get(fault.span.clone()).is_some(), "{fault:?}");
    }
    files
}

pub(super) fn turn(text: &str) -> String {
    format!("version: 1\nname: greeting\nturns:\n  - {text}\n")
}

pub(super) fn part(text: &str) -> String {
    format!("version: 1\nname: greeting\nturns: [{{id: hi, silence: 2s}}]\n{text}\n")
}

fn whole(text: &str) -> String {
    text.to_owned()
}

#[test]
fn yaml() {
    theme(
        "yaml",
        single(
            &[
                "",
                "# nothing but a comment\n",
                "---\n",
                "version: 1\nname: a\nturns:\n\t- {id: a, silence: 2s}\n",
                "version: 1\nturns: [{id: a, silence: 2s}\n",
                "version: 1\nturns: [{id: a, silence: 2s}]]\n",
                "version: 1\nname: \"greeting\nturns: []\n",
                "version: 1\nname: 'it's'\nturns: []\n",
                "version: 1\nname: a: b\n",
                "version: 1\n  name: a\n",
                "version: 1\nname: a\nturns:\n  - {id: a,, silence: 2s}\n",
                "version: 1\nname: a\nturns:\n  - {id: a silence: 2s}\n",
                "version: 1\nname: a\nturns:\n  - {id: a}\n  id: b\n",
                "version: 1\nname: >-\n    a\n  b\n",
                "version: 1\nname: @a\n",
                "version: 1\nname: %a\n",
                "version: 1\nname: \u{7}a\n",
                "version: 1\nname: *a\n",
                "version: 1\nname: !a b\n",
                "version: 1\nname: a\nturns: &t [*t]\n",
                "version: 1\nname: a\n---\nversion: 1\n",
                "version:1\nname:a\n",
                "greeting",
                "- version: 1\n",
            ],
            whole,
        ),
    );
}

#[test]
fn keys() {
    let mut files = single(
        &[
            "name: a\nturns: [{id: hi, silence: 2s}]\n",
            "version: 1\nturns: [{id: hi, silence: 2s}]\n",
            "# the script\n\nversion: 1\nname: a\n",
            "version: 2\nnames: a\nsteps: []\n",
            "version: \"1\"\nname: a\nturns: [{id: hi, silence: 2s}]\n",
        ],
        whole,
    );
    files.extend(single(
        &[
            "threshold: {}",
            "timeout: 5s",
            "name: other",
            "1: one",
            "[a]: b",
            "<<: {version: 1}",
            "hangup:",
            "hangup: 90s",
            "load: []",
            "agent: demo-agent",
            "agent: {nmae: demo}",
            "agent: {metadata: {plan: b}}",
        ],
        part,
    ));
    files.extend(single(
        &[
            "{id: hi, silence:2s, expect: {agent: speaks, within: 5s}}",
            "{id: hi, say: {file: a.wav, text: Hello, world}}",
            "{id: hi, expect: {agent: speaks}}",
            "id: hi\n    expect:\n      within: 5s",
        ],
        turn,
    ));
    theme("keys", files);
}

#[test]
fn ambiguous_scalars() {
    let mut files = single(
        &[
            "id: no\n    silence: 2s",
            "{id: 012, silence: 2s}",
            "{id: 08, silence: 2s}",
            "{id: 2026-01-31, silence: 2s}",
            "{id: hi, silence: 1:30}",
            "{id: hi, silence: 1_000}",
        ],
        turn,
    );
    files.extend(single(
        &[
            "agent: {name: on}",
            "agent: {name: x, metadata: {flag: yes}}",
            "agent: {name: x, metadata: {on: 1}}",
            "agent: {name: x, metadata: [0o14]}",
            "agent: {name: x, metadata: [0b11]}",
            "agent: {name: x, metadata: [1e3]}",
            "agent: {name: x, metadata: [.inf]}",
            "agent: {name: x, metadata: [123456789012345678901234567890]}",
            "load: {executor: repeat, calls: 010}",
        ],
        part,
    ));
    theme("ambiguous_scalars", files);
}

#[test]
fn types_and_texts() {
    let long = "x".repeat(65);
    let long_id = format!("{{id: {long}, silence: 2s}}");
    let mut files = single(
        &[
            "version: 1\nname: 5\nturns: [{id: hi, silence: 2s}]\n",
            "version: 1\nname: Greeting Nr. 1!\nturns: [{id: hi, silence: 2s}]\n",
            "version: 1\nname: \"\"\nturns: [{id: hi, silence: 2s}]\n",
            "version: 1\nname: ..\nturns: [{id: hi, silence: 2s}]\n",
            "version: 1\nname: a\nturns: {id: hi, silence: 2s}\n",
            "version: 1\nname: a\nturns: []\n",
            "version: 1\nname: a\nturns: [hello]\n",
            "version: 1\nname: a\nturns:\n",
        ],
        whole,
    );
    files.extend(single(
        &[
            "{id: [hi], silence: 2s}",
            "{id: true, silence: 2s}",
            "{id: \"a\\nb\", silence: 2s}",
            "{id: \" a\", silence: 2s}",
            &long_id,
            "{silence: 2s}",
            "{id: hi, silence: 2s}\n  - {id: hi, silence: 2s}",
            "&t {id: hi, silence: 2s}\n  - *t",
            "{id: hi, say: clips/a.wav}",
            "{id: hi, say: {text: hello}}",
            "{id: hi, say: {file: \"\"}}",
        ],
        turn,
    ));
    theme("types_and_texts", files);
}

#[test]
fn durations() {
    let mut files = single(
        &[
            "{id: hi, silence: 2}",
            "{id: hi, silence: soon}",
            "{id: hi, silence: -2s}",
            "{id: hi, silence: 0s}",
            "{id: hi, silence: 1d}",
            "{id: hi, silence: 2h}",
            "{id: hi, silence: [2s]}",
            "{id: hi, expect: {agent: speaks, within: 3m}}",
            "{id: hi, say: {file: a.wav}, start: {delay: 0.4}}",
        ],
        turn,
    );
    files.extend(single(
        &[
            "agent: {join_timeout: 0s}",
            "hangup: {max_call: 2h}",
            "hangup: {max_call: 1s}",
            "baseline: {min_effect: {abs: 60}}",
        ],
        part,
    ));
    theme("durations", files);
}

#[test]
fn turns() {
    let files = single(
        &[
            "{id: hi}",
            "{id: hi, say: {file: a.wav}, silence: 2s}",
            "{id: hi, silence: 2s, start: {delay: 1s}}",
            "{id: hi, silence: 2s, expect: {agent: speaks, within: 1s}}",
            "{id: hi, start: {delay: 1s}, expect: {agent: speaks, within: 1s}}",
            "{id: hi, expect: {agent: responds, within: 1s}}",
            "{id: hi, expect: {agent: yields, within: 1s}}",
            "{id: hi, say: {file: a.wav}, expect: {agent: speaks, within: 1s}}",
            "{id: hi, say: {file: a.wav}, expect: {agent: yields, within: 1s}}",
            "{id: hi, say: {file: a.wav}, expect: {agent: respond, within: 1s}}",
            "{id: hi, say: {file: a.wav}, expect: {agent: sings, within: 1s}}",
            "{id: hi, say: {file: a.wav}, start: {after: agent-speech-end}}",
            "{id: hi, say: {file: a.wav}, start: {after: lunch}}",
            "{id: hi, say: {file: a.wav}, start: 400ms}",
            "{id: hi, say: {file: a.wav, channel: both}}",
            "{id: hi, say: {file: a.wav, channel: 1}}",
            "{id: hi, say: {file: a.wav, end: 2.4}}",
            "{id: hi, say: {file: a.wav, end: 3m}}",
        ],
        turn,
    );
    theme("turns", files);
}

#[test]
fn load_thresholds_and_baseline() {
    let files = single(
        &[
            "load: {calls: 10}",
            "load: {executor: repeat}",
            "load: {executor: once, calls: 10}",
            "load: {executor: repeat, calls: 0}",
            "load: {executor: repeat, calls: 2.5}",
            "load: {executor: repeat, calls: ten}",
            "load: {executor: repeat, calls: 5, concurrency: 10}",
            "load: {executor: repaet, calls: 5}",
            "thresholds: [\"p(95)<2s\"]",
            "thresholds: {heard_latency: \"p(95)<2s\"}",
            "thresholds: {heard_e2e_latncy: \"p(95)<2s\"}",
            "thresholds: {heard_e2e_latency: []}",
            "thresholds: {heard_e2e_latency: 2500}",
            "thresholds: {heard_e2e_latency: [\"p(95)<2500\"]}",
            "thresholds: {heard_e2e_latency: [\"p95<2500ms\"]}",
            "thresholds: {heard_e2e_latency: [\"p(950)<2500ms\"]}",
            "thresholds: {heard_e2e_latency: [\"2500ms\"]}",
            "thresholds: {heard_e2e_latency: [\"p(95)==2500ms\"]}",
            "thresholds: {heard_e2e_latency: [\"avg<2500ms\"]}",
            "thresholds: {heard_e2e_latency: [\"rate>0.99\"]}",
            "thresholds: {calls_ok: [\"p(95)<2500ms\"]}",
            "thresholds: {calls_ok: [\"rate>99%\"]}",
            "thresholds: {calls_ok: [\"rate>99\"]}",
            "thresholds: {calls_ok: [\"rate>\"]}",
            "baseline: {primary: heard_e2e_latency}",
            "baseline: {primary: heard_e2e_latency.95}",
            "baseline: {primary: calls_ok.p50}",
            "baseline: {primary: latency.p50}",
            "baseline: {min_effect: {rel: 8}}",
            "baseline: {min_effect: {rel: 800%}}",
            "baseline: {runs: 0}",
            "baseline: {runs: seven}",
        ],
        part,
    );
    theme("load_thresholds_and_baseline", files);
}

#[test]
fn ignores_and_content() {
    let files = single(
        &[
            "{id: hi, say: {file: a.wav}, expect: {agent: ignores, within: 2s}}",
            "{id: hi, expect: {agent: ignores}}",
            "{id: hi, say: {file: a.wav}, expect: {agent: ignores, tools: [x]}}",
            "{id: hi, expect: {agent: speaks, within: 3s, text: {contains: []}}}",
            "{id: hi, expect: {agent: speaks, within: 3s, text: {}}}",
            "{id: hi, expect: {agent: speaks, within: 3s, text: {matches: \"(a\"}}}",
            "{id: hi, expect: {agent: speaks, within: 3s, text: help}}",
            "{id: hi, expect: {agent: speaks, within: 3s, tools: [1]}}",
        ],
        turn,
    );
    theme("ignores_and_content", files);
}

#[test]
fn secrets_in_metadata() {
    let files = single(
        &[
            "agent: {name: a, metadata: {token: {$env: api-token}}}",
            "agent: {name: a, metadata: [{$env: 1TOKEN}]}",
            "agent: {name: a, metadata: {$env: \"\"}}",
            "agent: {name: a, metadata: {$env: [TOKEN]}}",
            "agent: {name: a, metadata: {$env:}}",
            "agent: {name: a, metadata: {deep: [{$env: TOKEN, default: x}]}}",
            "agent: {metadata: {$env: TOKEN}}",
        ],
        part,
    );
    theme("secrets_in_metadata", files);
}

#[test]
fn not_supported_yet() {
    let mut files = single(
        &[
            "tags: {feature: greeting}",
            "userdata: {plan: b}",
            "hangup: {by: caller}",
            "load: {executor: constant-arrival-rate, rate: 6/1m, duration: 10m, max_concurrent: 30}",
            "load: {executor: repeat, calls: 10, warmup_calls: 2}",
            "thresholds: {heard_e2e_latency: [{expr: \"p(95)<3s\", abort_on_fail: true}]}",
        ],
        part,
    );
    files.extend(single(
        &[
            "{id: hi, dtmf: \"123#\"}",
            "{id: hi, say: {tts: hello, file: a.wav}}",
            "{id: hi, say: {file: a.wav}, start: {after: event}}",
            "{id: hi, expect: {agent: reprompts, within: 2s}}",
            "{id: hi, silence: 2s, stop_on_failure: false}",
        ],
        turn,
    ));
    theme("not_supported_yet", files);
}

#[test]
fn all_faults_of_a_file_are_shown_at_once() {
    let file = "\
version: 1
name: Greeting
agent: {name: demo-agent, metadata: {debug: yes}, join_timeout: 20}
turns:
  - {id: greeting, expect: {agent: speaks}}
  - id: hours
    say: {flie: clips/hours.wav}
    start: {after: agent_speech_ends}
    expect: {agent: yields, within: 8sec onds}
  - {id: hours, silence: 2s, dtmf: \"1\"}
hangup: {max_call: 2h}
load: {executor: repeat, calls: 5, concurency: 10}
thresholds: {heard_e2e_latency: [\"p(50)<1500\", \"p(95)<2500ms\", \"p95<3s\"], calls_okay: [\"rate>0.99\"]}
baseline: {primary: heard_e2e_latency.p50, min_effect: {rel: 0.08}}
baseline: {}
";
    theme("all_at_once", [file]);
}

#[test]
fn clips_are_reported_where_they_are_named() {
    let scenario = testing::parsed(GREETING);
    let clips = scenario.steps().iter().filter_map(|step| match &step.act {
        Act::Say { clip, .. } => Some(clip),
        Act::Listen | Act::Silence { .. } => None,
    });
    let clips: Vec<&ClipRef> = clips.collect();
    let faults = vec![
        Fault::bad_clip(clips[1], "damaged", Some("export it again".to_owned())),
        Fault::missing_clip(clips[0], "did you mean `clips/hour.wav`?".to_owned()),
        Fault::missing_clip(clips[1], "the folder has no clip".to_owned()),
    ];
    let faults = Faults::from_vec(faults).expect("three faults");
    insta::assert_snapshot!(faults.render("greeting.yaml", GREETING, Style::Plain));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let text = part("timeout: 5s");
    let faults = Scenario::parse(&text).expect_err("an unknown key");
    let coloured = faults.render("greeting.yaml", &text, Style::Coloured);
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    let mut plain = String::new();
    for (count, piece) in coloured.split("\u{1b}[").enumerate() {
        let piece =
            if count == 0 { piece } else { piece.split_once('m').map_or("", |(_, rest)| rest) };
        plain.push_str(piece);
    }
    assert_eq!(plain, faults.render("greeting.yaml", &text, Style::Plain));
    assert_eq!(faults.to_string(), "unknown key `timeout` in the scenario");
}
