use super::*;
use crate::scenario::testing;
use proptest::prelude::*;

const KNOWN: [(&str, &str); 3] = [("TOKEN", "s3cret"), ("QUOTED", "a \"b\"\n{"), ("EMPTY", "")];

fn environment(name: &str) -> Option<String> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn metadata(yaml: &str) -> String {
    let head = format!("name: a\nagent:\n  name: m\n  metadata: {yaml}");
    let text = format!("version: 1\n{head}\nturns: [{{id: b, silence: 1s}}]\n");
    testing::parsed(&text).agent().metadata.clone()
}

#[test]
fn a_scenario_keeps_the_name_and_never_the_value() {
    let kept = metadata("{z: {$env: TOKEN}, a: [1, {\"$env\": QUOTED}]}");
    assert_eq!(kept, r#"{"z":{"$env":"TOKEN"},"a":[1,{"$env":"QUOTED"}]}"#);
}

#[test]
fn references_become_values_and_all_else_stays() {
    for (written, sent) in [
        ("{z: {$env: TOKEN}, a: [1, {$env: QUOTED}]}", r#"{"z":"s3cret","a":[1,"a \"b\"\n{"]}"#),
        ("{$env: TOKEN}", "s3cret"),
        ("[{$env: TOKEN}, {$env: TOKEN}]", r#"["s3cret","s3cret"]"#),
        ("some text with $env", "some text with $env"),
        (
            "{env: TOKEN, text: \"{\\\"$env\\\": \\\"TOKEN\\\"}\"}",
            r#"{"env":"TOKEN","text":"{\"$env\": \"TOKEN\"}"}"#,
        ),
        ("'{\"b\": 1.50, \"a\": {\"$env\" : \"TOKEN\"}}'", r#"{"b": 1.50, "a": "s3cret"}"#),
        ("'not JSON {\"$env\": \"TOKEN\"}'", r#"not JSON {"$env": "TOKEN"}"#),
        ("null", ""),
    ] {
        assert_eq!(resolve(&metadata(written), environment).as_deref(), Ok(sent), "{written}");
    }
}

#[test]
fn every_missing_variable_is_named_and_no_value_is() {
    let text = metadata("{a: {$env: NONE}, b: {$env: TOKEN}, c: [{$env: EMPTY}, {$env: NONE}]}");
    let error = resolve(&text, environment).expect_err("two are missing");
    assert_eq!(error.names, ["EMPTY", "NONE"]);
    assert_eq!(
        error.to_string(),
        "the scenario needs environment variables that are not set: EMPTY, NONE"
    );
    assert!(!format!("{error:?}").contains("s3cret"));
}

proptest! {
    #[test]
    fn metadata_without_references_is_sent_to_the_byte(text in any::<String>()) {
        let json = serde_json::to_string(&text).expect("a string");
        prop_assert_eq!(resolve(&json, environment), Ok(json.clone()));
        if serde_json::from_str::<IgnoredAny>(&text).is_err() {
            prop_assert_eq!(resolve(&text, environment), Ok(text.clone()));
        }
    }

    #[test]
    fn any_value_is_a_json_string_within_json(value in ".+") {
        let sent = resolve(r#"{"a":{"$env":"X"}}"#, |_| Some(value.clone())).expect("it is set");
        let read: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
        prop_assert_eq!(read["a"].as_str(), Some(value.as_str()));
    }
}
