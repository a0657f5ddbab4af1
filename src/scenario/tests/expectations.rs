//! What must not be said, what has to be left behind, and how many calls have to be ok.

use super::super::testing::parsed;
use super::super::*;
use serde_json::json;

fn part(text: &str) -> String {
    format!("version: 1\nname: a\nturns: [{{id: b, silence: 1s}}]\n{text}\n")
}

/// The faults of a part as (code and message, the text at fault, help).
fn faults(text: &str) -> Vec<(String, String)> {
    let faults = Scenario::parse(text).expect_err(text);
    let rendered = faults.render("a.yaml", text, Style::Plain);
    let of = |line: &str, start: &str| line.trim().strip_prefix(start).map(str::to_owned);
    let messages = rendered.lines().filter_map(|l| of(l, "error["));
    let helps = rendered.lines().filter_map(|l| of(l, "= help: "));
    messages.zip(helps).collect()
}

fn only(text: &str, message: &str, help: &str) {
    let found = faults(text);
    let [(is, remedy)] = &found[..] else { panic!("{text}: {found:?}") };
    assert!(is.contains(message), "{text}: {is}");
    assert!(remedy.contains(help), "{text}: {remedy}");
}

#[test]
fn repeats_and_a_pass_rate_are_short_for_load_and_a_threshold() {
    let short = parsed(&part("repeats: 10\npass_rate: 0.9"));
    let long =
        parsed(&part("load: {executor: repeat, calls: 10}\nthresholds: {calls_ok: \"rate>=0.9\"}"));
    assert_eq!(short.load(), long.load());
    let [short, long] = [short.thresholds(), long.thresholds()].map(|t| t[0].clone());
    assert!(short.is_pass_rate() && !long.is_pass_rate());
    assert_eq!(
        Threshold { text: String::new(), ..short },
        Threshold { text: String::new(), ..long }
    );
    let beside = parsed(&part("pass_rate: 1\nthresholds: {heard_e2e_latency: \"p(95)<2s\"}"));
    assert_eq!(beside.thresholds().len(), 2);
}

#[test]
fn what_is_short_for_something_does_not_stand_beside_it() {
    only(
        &part("repeats: 10\nload: {executor: repeat, calls: 10}"),
        "`repeats` cannot be used with `load`",
        "remove it, or write `load: {executor: repeat, calls: …}` alone",
    );
    only(
        &part("pass_rate: 0.9\nthresholds: {calls_ok: [\"rate>0.8\"]}"),
        "`pass_rate` cannot be used with a threshold on `calls_ok`",
        "`pass_rate: 0.9` is `calls_ok: \"rate>=0.9\"`",
    );
    for (wrong, help) in [
        ("90%", "write `0.9`"),
        ("90", "write `0.9`"),
        ("0", "write a number above 0, at most 1, such as `0.9`"),
        ("1.5", "write a number above 0"),
        ("\"0.9\"", "write `0.9`"),
        ("-1", "write a number above 0"),
        ("most", "write a number above 0"),
    ] {
        only(&part(&format!("pass_rate: {wrong}")), "`pass_rate` cannot be", help);
    }
    only(&part("repeats: 0"), "`repeats` cannot be `0`", "an integer from 1 to 100000");
}

fn expecting(what: &str) -> String {
    format!(
        "version: 1\nname: a\nturns: [{{id: b, expect: {{agent: speaks, within: 2s, {what}}}}}]\n"
    )
}

#[test]
fn what_must_not_be_said_is_read_and_does_not_contradict_what_should() {
    let text = "text: {contains: [nine]}, must_not: {text: {contains: [sorry, ten], matches: \"x+\"}, tools: hang_up}";
    let scenario = parsed(&expecting(text));
    let must_not = &scenario.steps()[0].content.must_not;
    assert_eq!(must_not.contains, ["sorry", "ten"]);
    assert_eq!(must_not.matches.as_ref().map(Pattern::as_str), Some("x+"));
    assert_eq!(must_not.tools, ["hang_up"]);
    only(
        &expecting("must_not: {}"),
        "`must_not` is empty",
        "must_not: {text: {contains: [sorry]}}",
    );
    only(&expecting("must_not: {text: {}}"), "`text` is empty", "contains");
    only(
        &expecting("must_not: {words: [a]}"),
        "unknown key `words` in `must_not`",
        "`text` and `tools`",
    );
    only(
        &expecting("text: {contains: [From Nine on]}, must_not: {text: {contains: nine}}"),
        "`nine` is expected and must not be",
        "remove it from one of the two",
    );
    only(&expecting("tools: [a, b], must_not: {tools: b}"), "`b` is expected and must not be", "");
    let barge = "version: 1\nname: a\nturns: [{id: b, say: {file: a.wav}, expect: {agent: ignores, must_not: {tools: b}}}]\n";
    only(barge, "`must_not` cannot be used in a turn that expects no reply", "");
}

fn checks(what: &str) -> String {
    part(&format!("end_state: [{what}]"))
}

#[test]
fn an_end_state_is_read_with_its_names() {
    let scenario = parsed(&checks(
        "{get: \"https://h/{{room}}\", headers: {A: {$env: TOKEN}}, equals: {call: \"{{call}}\", list: [1, {}]}}",
    ));
    let [check] = scenario.end_states() else { panic!("one check") };
    assert_eq!(check.within, std::time::Duration::from_secs(10));
    let names = Names { call: "007".into(), ..Names::default() };
    assert_eq!(
        check.difference(&names, &json!({"call": "007", "list": [1, {"a": 1}], "x": 1})),
        None
    );
    let other = check.difference(&names, &json!({"call": "008", "list": [1, {}]}));
    assert_eq!(other.as_deref(), Some("`$.call` is \"008\", not \"007\""));
    assert!(scenario.referring_texts().any(|text| text.contains("$env")));
    assert_eq!(parsed(&part("")).end_states(), []);
}

#[test]
fn an_end_state_that_cannot_be_asked_for_is_a_fault() {
    let get = "get: \"https://h/{{room}}\"";
    only(&checks(&format!("{{{get}}}")), "missing key `equals`", "add `equals: {status: booked}`");
    only(
        &checks("{get: \"ftp://h/\", equals: 1}"),
        "`get` cannot be `ftp://h/`",
        "https://product.example",
    );
    only(&checks("{get: \"https://a:b@h/\", equals: 1}"), "`get` cannot be", "$env");
    only(
        &checks("{get: \"https://h/{call_id}\", equals: 1}"),
        "`get` cannot contain single braces",
        "`{{room}}` for the name of the call's room",
    );
    only(
        &checks("{get: \"https://h/{{rom}}\", equals: 1}"),
        "`get` cannot contain `{{rom}}`",
        "`{{room}}`",
    );
    only(
        &checks(&format!("{{{get}, equals: \"{{{{rom}}}}\"}}")),
        "`equals` cannot contain",
        "`{{room}}`",
    );
    only(&checks(&format!("{{{get}, equals: 1, within: 1h}}")), "`within` cannot be `1h`", "2m");
    only(&part("end_state: []"), "`end_state` is empty", "equals");
    // A state that all calls share is met by the first.
    let shared = "end_state: [{get: \"https://h/latest\", equals: {a: 1}}]";
    only(
        &part(&format!("repeats: 2\n{shared}")),
        "several calls cannot have one end state",
        "{{room}}",
    );
    parsed(&part(&format!("repeats: 1\n{shared}")));
    for name in ["get: \"https://h/{{call}}\"", "get: \"https://h/\", headers: {A: \"{{caller}}\"}"]
    {
        parsed(&part(&format!("repeats: 2\nend_state: [{{{name}, equals: {{a: 1}}}}]")));
    }
    let caller = "caller: {identity: jo}\nrepeats: 2\nend_state: [{get: \"https://h/{{caller}}\", equals: 1}]";
    only(&part(caller), "several calls cannot have one end state", "{{room}}");
}
