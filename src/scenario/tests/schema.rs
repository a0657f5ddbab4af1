//! The JSON Schema and the parser come from one table, and agree as far as a schema can say it.
#![expect(clippy::disallowed_methods, reason = "a test of committed files")]

use serde_json::Value as Json;

use super::super::grammar::{Key, Kind, Mapping, table};
use super::super::*;
use super::GREETING;

fn validator() -> jsonschema::Validator {
    let schema: Json = serde_json::from_str(&schema()).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema");
    jsonschema::draft202012::new(&schema).expect("a schema")
}

/// What an editor makes of a file before it asks the schema.
fn json(text: &str) -> Json {
    let tree = file::read(text, &mut Vec::new()).expect("YAML");
    serde_json::to_value(&tree).expect("JSON")
}

fn refusals(validator: &jsonschema::Validator, text: &str) -> Vec<String> {
    let json = json(text);
    validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

fn scenario_files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            scenario_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_committed_scenario_is_accepted() {
    let validator = validator();
    let mut files = Vec::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    scenario_files(&root.join("scenarios"), &mut files);
    assert!(!files.is_empty());
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a text");
        Scenario::parse(&text).expect("a scenario");
        assert_eq!(refusals(&validator, &text), [""; 0], "{}", path.display());
    }
}

#[test]
fn what_the_parser_accepts_is_accepted() {
    let validator = validator();
    let turn = |text: &str| format!("version: 1\nname: a\nturns: [{text}]\n");
    let part =
        |text: &str| format!("version: 1\nname: a\nturns: [{{id: b, silence: 1s}}]\n{text}\n");
    for text in [
        GREETING.to_owned(),
        turn("{id: b, say: {file: c.wav}}"),
        turn("{id: b, say: {file: c.wav}, expect: {agent: ignores}}"),
        turn("{id: b, say: {file: c.wav}, start: {}}"),
        turn("{id: b, expect: {agent: speaks, within: 1m 30s, tools: x, text: {matches: \"^a\"}}}"),
        turn("{id: \"ä b\", silence: 2 seconds}"),
        turn("{id: b, silence: \"00:01:30\"}"),
        turn("{id: b, silence: 1.5s}, {id: c, silence: 1m30s}, {id: d, silence: 1 min 2 secs}"),
        part("agent: {name: \"\", metadata: null}"),
        part("agent: {name: m, metadata: {a: [{$env: TOKEN_2}, 5], $b: {}}}"),
        part("agent: {name: m, metadata: {$env: TOKEN}}"),
        part("repeats: 10\npass_rate: 0.9"),
        part(
            "end_state: [{get: {$env: A}, headers: {B: x}, within: 1s, equals: [1, null, {a: b}]}]",
        ),
        turn(
            "{id: b, expect: {agent: speaks, within: 1s, must_not: {text: {matches: a}, tools: x}}}",
        ),
        part("load: {executor: once}"),
        part("load: {executor: repeat, calls: 3}"),
        part(
            "thresholds: {llm_node_ttft: p(99.9) <= 1.5s, calls_ok: [rate>=1], overlap_ratio: max<0.2}",
        ),
        part(
            "thresholds: {heard_ttfa: [\"max < 1m 30s\", med<1s], unanswered_turns: [count<3, rate<0.1]}",
        ),
        part("baseline: {primary: greeting_latency.p99.5, min_effect: {rel: 8 %}}"),
        part(
            "dispatch: {http: {url: {$env: START_URL}, method: PUT, token: $.token, server: \"$['a b'][0]\"}}",
        ),
        part(
            "dispatch: {http: {url: \"http://h/{{agent}}\", headers: {A: {$env: B}, C: \"{{ run }}\"}, body: {r: \"{{room}}\"}}}\n\
             agent: {name: m}\nroom: {prefix: p-, metadata: {a: {$env: B}}}\ncaller: {kind: sip, attributes: {sip.callID: \"1\"}}",
        ),
        part("load: {executor: repeat, calls: 2}\nroom: {name: \"x-{{call}}\"}"),
        part("room: {name: lobby}\ncaller: {identity: \"u-{{room}}\", metadata: \"{{caller}}\"}"),
        turn(
            "{id: b, say: {file: c.wav}, before: {rpc: {method: m}}, after: {rpc: {method: end, payload: [1]}}}",
        ),
    ] {
        assert!(Scenario::parse(&text).is_ok(), "{text}");
        assert_eq!(refusals(&validator, &text), [""; 0], "{text}");
    }
}

#[test]
fn a_variable_can_stand_for_any_scalar() {
    let text = "version: \"${V:-1}\"
name: ${NAME:-a}
agent: {name: \"${AGENT:-x}\"}
turns: [{id: \"${ID:-b}\", expect: {agent: \"${DOES:-speaks}\", within: \"${WAIT:-2}s\"}}]
load: {executor: \"${EXECUTOR:-once}\"}
thresholds: {calls_ok: \"rate>${RATE:-0.9}\"}
baseline: {primary: \"${METRIC:-greeting_latency}.p50\", runs: \"${RUNS:-5}\", min_effect: {rel: \"${REL:-9%}\"}}
dispatch: {http: {url: \"http://${HOST:-h}\", method: \"${METHOD:-PUT}\", token: \"${PATH_OF:-$.room}\"}}
";
    let read = Scenario::read(&text.into(), Some(&|_| None));
    assert!(read.is_ok(), "{}", read.err().map(|f| f.to_string()).unwrap_or_default());
    assert_eq!(refusals(&validator(), text), [""; 0]);
}

#[test]
fn what_breaks_the_grammar_is_refused_by_both() {
    let validator = validator();
    let turn = |text: &str| format!("version: 1\nname: a\nturns: [{text}]\n");
    let part =
        |text: &str| format!("version: 1\nname: a\nturns: [{{id: b, silence: 1s}}]\n{text}\n");
    for text in [
        "name: a\nturns: [{id: b, silence: 1s}]\n".to_owned(),
        "version: 1\nturns: [{id: b, silence: 1s}]\n".to_owned(),
        "version: 1\nname: a\n".to_owned(),
        "version: 2\nname: a\nturns: [{id: b, silence: 1s}]\n".to_owned(),
        "version: 1\nname: A b\nturns: [{id: b, silence: 1s}]\n".to_owned(),
        "- version: 1\n".to_owned(),
        turn(""),
        turn("{id: b}"),
        turn("{silence: 1s}"),
        turn("{id: b, silence: 2}"),
        turn("{id: b, silence: soon}"),
        turn("{id: b, silence: 1d}"),
        turn("{id: b, silence: -2s}"),
        turn("{id: b, silence: 2s, dtmf: \"1\"}"),
        turn("{id: b, silence: 2s, say: {file: a.wav}}"),
        turn("{id: b, silence: 2s, expect: {agent: speaks, within: 1s}}"),
        turn("{id: b, silence: 2s, start: {delay: 1s}}"),
        turn("{id: \" b\", silence: 2s}"),
        turn("{id: b, say: a.wav}"),
        turn("{id: b, say: {text: hello}}"),
        turn("{id: b, expect: {agent: sings, within: 1s}}"),
        turn("{id: b, expect: {agent: speaks}}"),
        turn("{id: b, expect: {within: 1s}}"),
        turn("{id: b, say: {file: a.wav}, expect: {agent: ignores, within: 1s}}"),
        turn("{id: b, say: {file: a.wav}, expect: {agent: ignores, tools: [x]}}"),
        turn("{id: b, expect: {agent: speaks, within: 1s, text: {}}}"),
        turn("{id: b, expect: {agent: speaks, within: 1s, tools: []}}"),
        part("agent: demo"),
        part("agent: {nam: demo}"),
        part("agent: {name: m, metadata: [{$env: a-b}]}"),
        part("agent: {name: m, metadata: {a: {$env: A, or: b}}}"),
        part("tags: {}"),
        part("load: {calls: 10}"),
        part("load: {executor: repeat}"),
        part("load: {executor: once, calls: 10}"),
        part("load: {executor: repeat, calls: 0}"),
        part("load: {executor: repeat, calls: 2.5}"),
        part("load: {executor: constant-arrival-rate}"),
        part("thresholds: {heard_latency: \"p(95)<2s\"}"),
        part("thresholds: {heard_e2e_latency: []}"),
        part("thresholds: {heard_e2e_latency: \"p(95)<2500\"}"),
        part("thresholds: {heard_e2e_latency: \"rate<1\"}"),
        part("thresholds: {calls_ok: \"rate>99%\"}"),
        part("thresholds: {calls_ok: \"rate==1\"}"),
        part("baseline: {primary: calls_ok.p50}"),
        part("baseline: {primary: heard_e2e_latency}"),
        part("baseline: {min_effect: {rel: 8}}"),
        part("baseline: {min_effect: {rel: 800%}}"),
        part("baseline: {runs: 31}"),
        part("dispatch: {}"),
        part("dispatch: {http: {token: $.token}}"),
        part("dispatch: {http: {url: \"http://h\", token: token}}"),
        part("dispatch: {http: {url: {$env: a-b}, token: $.token}}"),
        part("dispatch: {http: {url: \"http://h\", headers: {A: [b]}, token: $.token}}"),
        part("dispatch: {http: {url: \"http://h\", method: PATCH, token: $.token}}"),
        part("room: {name: a, prefix: b}"),
        part("caller: {kind: agent}"),
        part("caller: {attributes: {a: 5}}"),
        turn("{id: b, silence: 1s, before: {rpc: {method: m}}}"),
        turn("{id: b, say: {file: c.wav}, after: {rpc: {}}}"),
    ] {
        assert!(Scenario::parse(&text).is_err(), "{text}");
        assert!(!refusals(&validator, &text).is_empty(), "{text}");
    }
}

/// Every key of the table and where it stands: the names of the mappings around it.
fn keys(
    mapping: &'static Mapping,
    path: &[&'static str],
    found: &mut Vec<(Vec<&'static str>, &'static Key)>,
) {
    for key in mapping.known() {
        found.push((path.to_vec(), key));
        let below = [path, &[key.name]].concat();
        if let Kind::Mapping(mapping) = key.kind {
            keys(mapping, &below, found);
        } else if let Kind::List { item, .. } = key.kind
            && let Kind::Mapping(mapping) = item.kind
        {
            keys(mapping, &below, found);
        }
    }
}

/// A sound file in which every mapping is there, and the value of one key is `value`.
fn with(path: &[&str], name: &str, value: &str) -> String {
    let mut file = json(
        "version: 1
name: a
agent: {name: a}
turns:
  - {id: a, say: {file: a.wav}, start: {delay: 1s}, expect: {agent: responds, within: 2s, text: {contains: [a]}}}
hangup: {max_call: 1m}
load: {executor: repeat, calls: 10, concurrency: 5}
thresholds: {}
baseline: {min_effect: {abs: 1s}}
turn_taking: {}
room: {}
caller: {}
",
    );
    if path.first() == Some(&"dispatch") || name == "dispatch" {
        file["dispatch"] = json("{http: {url: \"http://h/\", room: $.room}}");
    }
    if path.first() == Some(&"end_state") {
        file["end_state"] = json("[{get: \"http://h/{{room}}\", equals: 1}]");
    }
    if name == "repeats"
        && let Some(keys) = file.as_object_mut()
    {
        keys.remove("load");
    }
    if path.ends_with(&["rpc"]) {
        let signal = json("{rpc: {method: a}}");
        file["turns"][0][path[1]] = signal;
    }
    let mut at = &mut file;
    for step in path {
        at = &mut at[step];
        if at.is_array() {
            at = &mut at[0];
        }
    }
    if name == "silence" {
        *at = serde_json::json!({"id": "a"});
    }
    at[name] = json(value);
    file.to_string()
}

/// So no row is there for show, and none has an example or a default that it does not take itself.
#[test]
fn every_row_is_read_by_the_parser_and_by_the_schema() {
    let validator = validator();
    let mut rows = Vec::new();
    keys(&table::SCENARIO, &[], &mut rows);
    assert!(rows.len() > 30, "{}", rows.len());
    for (path, key) in rows {
        let place = [&path[..], &[key.name]].concat().join(".");
        for good in [Some(key.example), key.need.default()].into_iter().flatten() {
            let text = with(&path, key.name, good);
            assert_eq!(refusals(&validator, &text), [""; 0], "{place}: {good}");
            let faults = Scenario::parse(&text).err();
            assert!(
                faults.is_none(),
                "{place}: {}",
                faults.map(|f| f.to_string()).unwrap_or_default()
            );
        }
        if let Kind::Metadata { .. } | Kind::Json { .. } = key.kind {
            continue;
        }
        let wrong = if let Kind::List { .. } = key.kind { "{}" } else { "[[]]" };
        let text = with(&path, key.name, wrong);
        assert!(!refusals(&validator, &text).is_empty(), "{place} of the schema");
        let faults = Scenario::parse(&text).expect_err(&place);
        assert!(
            faults.iter().any(|fault| fault.message.contains(&format!("`{}`", key.name))),
            "{place}: {faults}"
        );
    }
}

/// The pattern for durations is a second reading of them: it takes all that the parser takes.
#[test]
fn a_duration_that_is_read_fits_its_pattern() {
    const UNITS: &[&str] = &[
        "h",
        "hr",
        "hrs",
        "hour",
        "hours",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "ms",
        "msec",
        "msecs",
        "milli",
        "millis",
        "millisecond",
        "milliseconds",
        "us",
        "µs",
        "μs",
        "usec",
        "usecs",
        "µsec",
        "µsecs",
        "micro",
        "micros",
        "microsecond",
        "microseconds",
        "ns",
        "nsec",
        "nsecs",
        "nano",
        "nanos",
        "nanosecond",
        "nanoseconds",
        "H",
        "S",
        "Ms",
        "d",
        "w",
        "",
        ":30",
        ":30:00",
    ];
    let pattern = regex::Regex::new(schema::DURATION).expect("a pattern");
    let mut read = 0;
    for number in ["1", "01", "1.5", "1,5", "+2", "+ 2", ".5", "1.", " 1", "-1"] {
        for unit in UNITS {
            for between in ["", " ", "\t"] {
                for rest in ["", " ", " 30s", ", 30s", "30s", " 1.5ms", " ago"] {
                    let text = format!("{number}{between}{unit}{rest}");
                    if duration::parse(&text).is_ok() {
                        read += 1;
                        assert!(pattern.is_match(&text), "{text:?}");
                    }
                }
            }
        }
    }
    assert!(read > 500, "{read}");
    for text in ["", "2", "soon", "1d", "3 weeks", "-2s"] {
        assert!(!pattern.is_match(text), "{text}");
    }
}
