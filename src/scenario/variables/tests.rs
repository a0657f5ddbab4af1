use super::*;
use crate::scenario::{Load, Overlay, Scenario, SourceText, Style};

const SET: [(&str, &str); 6] = [
    ("AGENT", "front-desk"),
    ("N", "4"),
    ("WAIT", "3s"),
    ("EMPTY", ""),
    ("ODD", "a: [b]\n- c: \"d\" # e"),
    ("PLACE", "https://me:pw@h.example/x"),
];

fn lookup(name: &str) -> Option<String> {
    SET.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn file(more: &str) -> String {
    format!("version: 1\nname: a\nturns: [{{id: b, silence: 1s}}]\n{more}\n")
}

fn read(text: &str) -> Result<(Scenario, Option<BTreeMap<String, String>>), String> {
    Scenario::read(&text.into(), Some(&lookup)).map_err(|f| f.render("a.yaml", text, Style::Plain))
}

#[test]
fn a_variable_stands_for_its_value() {
    let text = file(
        "agent: {name: \"${AGENT}-${STAGE:-test}\", join_timeout: \"${WAIT}\", metadata: {a: \"${N}\", b: [\"$${N} $5 $N\"]}}\n\
         load:\n  executor: repeat\n  calls: ${N}\n  concurrency: \"${MANY:-2}\"\nbaseline: {min_effect: {rel: \"${EMPTY:-9}%\"}}",
    );
    let (scenario, variables) = read(&text).unwrap();
    assert_eq!(scenario.agent().name, "front-desk-test");
    assert_eq!(scenario.agent().join_timeout.as_secs(), 3);
    // Only a key that takes a number makes one of it.
    assert_eq!(scenario.agent().metadata, r#"{"a":"4","b":["${N} $5 $N"]}"#);
    let Load::Repeat { calls, concurrency } = scenario.load() else { panic!("not repeated") };
    assert_eq!((calls.get(), concurrency.get()), (4, 2));
    assert!((scenario.baseline().min_effect_rel - 0.09).abs() < 1e-9);
    // Those that were not set are not recorded, and their defaults hold again without the environment.
    let variables = variables.unwrap();
    assert_eq!(variables.keys().collect::<Vec<_>>(), ["AGENT", "N", "WAIT"]);
    let overlay = Overlay { overrides: Vec::new(), variables };
    assert_eq!(Scenario::again(&text, Some(&overlay)).unwrap(), scenario);
}

#[test]
fn a_value_never_becomes_yaml() {
    let (scenario, _) = read(&file("agent: {name: a, metadata: {x: \"${ODD}\"}}")).unwrap();
    assert_eq!(scenario.agent().metadata, r#"{"x":"a: [b]\n- c: \"d\" # e"}"#);
    let fault = read(&file("agent: {name: \"${ODD}\"}")).unwrap_err();
    assert!(fault.contains("contains a line break"), "{fault}");
}

#[test]
fn a_text_without_an_overlay_is_taken_as_it_stands() {
    let text = file("agent: {name: a, metadata: {prompt: \"Hello ${name}, $${x}\"}}");
    let metadata = |scenario: Scenario| scenario.agent().metadata.clone();
    let old = Scenario::again(&text, None).unwrap();
    assert_eq!(metadata(old), r#"{"prompt":"Hello ${name}, $${x}"}"#);
    assert_eq!(read(&file("")).unwrap().1, None);
    // An escape alone is reason enough to note that the text was read in another way.
    assert_eq!(
        read(&file("agent: {name: a, metadata: \"$${x}\"}")).unwrap().1,
        Some(BTreeMap::new())
    );
    // As is a `$` that YAML spells out.
    assert!(read(&file("agent: {name: \"\\x24{AGENT}\"}")).unwrap().1.is_some());
}

fn all(text: &str) -> Vec<(&str, Option<&str>)> {
    let variable = |piece| match piece {
        Piece::Variable { name, default, .. } => Some((name, default)),
        Piece::Literal(_) | Piece::Malformed(_) => None,
    };
    pieces(text).into_iter().filter_map(variable).collect()
}

#[test]
fn the_braces_of_a_default_come_in_pairs() {
    assert_eq!(all("x-${A:-r-{{room}}}-${B}"), [("A", Some("r-{{room}}")), ("B", None)]);
    assert_eq!(all("${A:-}"), [("A", Some(""))]);
    assert_eq!(all("$${A} $$${B} ${_c9}"), [("_c9", None)]);
}

#[test]
fn every_fault_has_its_place_and_a_remedy() {
    let text = file(
        "agent: {name: \"a-${AGNET}\", identity: \"${EMPTY}\", metadata: {key: \"${API_KEY}\", \"${AGENT}\": 1,\n  \
         b: \"${A-b}\", c: \"${\", d: \"${A:-${B}}\", e: \"${9}\", f: \"${PLACE}\"}}\nload: {executor: repeat, calls: \"${WAIT}\"}",
    );
    insta::assert_snapshot!(read(&text).unwrap_err());
}

#[test]
fn secrets_are_known_by_their_names() {
    for name in ["OPENAI_API_KEY", "api_secret", "HF_TOKEN", "PGPASSWORD", "DB_PWD", "GITHUB_PAT"] {
        assert!(is_secret(name), "{name}");
    }
    for name in ["AGENT", "STAGE", "PWD", "PATH", "DOMAIN", "REPEATS", "AUTHOR"] {
        assert!(!is_secret(name), "{name}");
    }
    assert!(has_credentials("x wss://a@b") && has_credentials("https://a:b@c/d"));
    assert!(!has_credentials("https://h/@me?x=a@b") && !has_credentials("a@b.example"));
}

#[test]
fn values_are_no_way_to_fill_the_memory() {
    let long = |_: &str| Some("x".repeat(100_000));
    let list = vec!["\"${X}\""; 5_000].join(", ");
    let text = file(&format!("agent: {{name: a, metadata: [{list}]}}"));
    let source = SourceText::from(&text);
    let faults = Scenario::read(&source, Some(&long)).unwrap_err();
    assert!(faults.iter().any(|fault| fault.message.contains("1024 KiB")), "{faults}");
}

proptest::proptest! {
    #[test]
    fn the_pieces_of_a_text_are_the_text(text in "[${}:aB9_ä-]{0,40}") {
        let mut again = String::new();
        for piece in pieces(&text) {
            match piece {
                Piece::Literal(BEGIN) => again.push_str("$${"),
                Piece::Literal(part) | Piece::Malformed(part) => again.push_str(part),
                Piece::Variable { written, .. } => again.push_str(written),
            }
        }
        proptest::prop_assert_eq!(again, text);
    }
}
