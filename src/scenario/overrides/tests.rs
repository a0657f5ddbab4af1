use super::*;
use crate::scenario::{Act, Expect, Load, Overlay, Scenario, Style};
use std::time::Duration;

const FILE: &str = "version: 1
name: greeting
agent: {name: demo-agent}
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: clips/hours.wav}
    expect: {agent: responds, within: 8s}
load: {executor: repeat, calls: 10, concurrency: 5}
thresholds: {heard_e2e_latency: [\"p(50)<1500ms\", \"p(95)<2500ms\"]}
";
const ONCE: &str = "version: 1\nname: once\nagent: {name: a}\nturns: [{id: hold, silence: 2s}]\n";

fn set(texts: &[&str]) -> Vec<Override> {
    texts.iter().map(|text| Override::Set((*text).to_owned())).collect()
}

fn read(file: &str, overrides: &[Override]) -> Result<Scenario, String> {
    let source = SourceText::new(file, overrides);
    let read = Scenario::read(&source, None);
    read.map(|(scenario, _)| scenario).map_err(|f| f.render("a.yaml", source, Style::Plain))
}

#[test]
fn an_override_is_as_an_edit_of_the_file() {
    for (flag, from, to) in [
        ("load.calls=20", "calls: 10", "calls: 20"),
        ("agent.name=\"1\"", "name: demo-agent", "name: \"1\""),
        ("turns.hours.expect.within=3s", "within: 8s", "within: 3s"),
        ("turns.0.expect.within=3s", "within: 5s", "within: 3s"),
        (
            "turns[1].say={file: b.wav, text: x}",
            "{file: clips/hours.wav}",
            "{file: b.wav, text: x}",
        ),
        ("thresholds.heard_e2e_latency.1=p(95)<2s", "p(95)<2500ms", "p(95)<2s"),
        ("turn_taking.speech_gap=900ms", "load:", "turn_taking: {speech_gap: 900ms}\nload:"),
        (
            "thresholds.calls_ok=[\"rate>0.9\"]",
            "thresholds: {",
            "thresholds: {calls_ok: rate>0.9, ",
        ),
        ("caller.attributes.'sip.phone'=x", "load:", "caller: {attributes: {sip.phone: x}}\nload:"),
    ] {
        let edited = Scenario::parse(&FILE.replace(from, to));
        let set = read(FILE, &set(&[flag])).unwrap_or_else(|faults| panic!("{flag}:\n{faults}"));
        // Only the place of a clip's name may differ.
        let without_places = |scenario: &Scenario| {
            let mut steps = scenario.steps().to_vec();
            for step in &mut steps {
                if let Act::Say { clip, .. } = &mut step.act {
                    clip.span = 0..0;
                }
            }
            let mut thresholds = scenario.thresholds().to_vec();
            thresholds.sort_by_key(|threshold| threshold.text.clone());
            (steps, scenario.load(), thresholds, scenario.agent().clone())
        };
        let edited = edited.unwrap_or_else(|faults| panic!("{flag}: {faults}"));
        assert_eq!(without_places(&set), without_places(&edited), "{flag}");
        assert_eq!((set.turn_taking(), set.caller()), (edited.turn_taking(), edited.caller()));
        assert_ne!(format!("{set:?}"), format!("{:?}", Scenario::parse(FILE).unwrap()), "{flag}");
    }
}

#[test]
fn flags_have_their_keys() {
    let flags = [Override::Agent("42".into()), Override::Calls("2".into())];
    let scenario = read(FILE, &flags).unwrap();
    assert_eq!(scenario.agent().name, "42");
    // No more at a time than there are.
    let load = |calls: u32, concurrency: u16| Load::Repeat {
        calls: calls.try_into().unwrap(),
        concurrency: concurrency.try_into().unwrap(),
    };
    assert_eq!(scenario.load(), load(2, 2));
    assert_eq!(read(FILE, &[Override::Calls("20".into())]).unwrap().load(), load(20, 5));
    let both = [Override::Calls("20".into()), Override::Concurrency("20".into())];
    assert_eq!(read(FILE, &both).unwrap().load(), load(20, 20));
    assert_eq!(read(ONCE, &both).unwrap().load(), load(20, 20));
    assert_eq!(read(ONCE, &both[..1]).unwrap().load(), load(20, 1));
    let once = format!("{ONCE}load: {{executor: once}}\n");
    assert_eq!(read(&once, &both[..1]).unwrap().load(), load(20, 1));
}

#[test]
fn what_is_set_within_what_was_set_counts() {
    let flags = set(&[
        "turns.hours={id: hours, expect: {agent: speaks, within: 1s}}",
        "turns.hours.expect.within=2s",
    ]);
    let scenario = read(FILE, &flags).unwrap();
    assert_eq!(scenario.steps()[1].expect, Some(Expect::Speaks { within: Duration::from_secs(2) }));
}

#[test]
fn faults_point_at_the_flag() {
    let flags = [
        Override::Agent("a ".into()),
        Override::Calls("many".into()),
        Override::Concurrency("6".into()),
    ];
    let set = set(&[
        "laod.calls=5",
        "turns.huors.expect.within=3s",
        "turns.7=x",
        "turns.hours.expect.within=soon",
        "turns.hours.within=3s",
        "agent.name.first=x",
        "load.executor",
        "turns..hours=1",
        "hangup.max_call=[1s",
        "baseline={runs: no}",
        "name=",
        "load.concurrency=7",
        "thresholds.heard_e2e_latency.0=p(50)<1s",
        "thresholds=p(50)<1s",
    ]);
    insta::assert_snapshot!(read(FILE, &[&flags[..], &set].concat()).unwrap_err());
}

#[test]
fn a_fault_of_the_file_stays_in_the_file() {
    let file = FILE.replace("responds", "answers");
    let faults = read(&file, &set(&["load.calls=20"])).unwrap_err();
    assert!(faults.contains("a.yaml:8") && !faults.contains("command line"), "{faults}");
    // One that a flag mends is none.
    assert!(read(&file, &set(&["turns.hours.expect.agent=responds"])).is_ok());
    for broken in ["", "- a\n", "a: [\n", "text"] {
        assert!(read(broken, &set(&["load.calls=20"])).is_err(), "{broken}");
    }
}

#[test]
fn a_recorded_overlay_reads_the_same_again() {
    let overrides =
        [&[Override::Agent("x".into()), Override::Calls("3".into())][..], &set(&["name=y"])];
    let overlay = Overlay { overrides: overrides.concat(), ..Overlay::default() };
    let json = serde_json::to_string(&overlay).unwrap();
    assert_eq!(json, r#"{"overrides":[{"agent":"x"},{"calls":"3"},{"set":"name=y"}]}"#);
    let again: Overlay = serde_json::from_str(&json).unwrap();
    assert_eq!(Scenario::again(FILE, Some(&again)).ok(), read(FILE, &overlay.overrides).ok());
}

#[test]
fn hostile_flags_are_refused() {
    let deep = format!("{}=1", vec!["a"; 10_000].join("."));
    let nested = format!("name={}", "[".repeat(10_000));
    let long = format!("name={}", "x".repeat(70_000));
    let many = vec!["name=b"; 200];
    for texts in [&[deep.as_str()][..], &[&nested], &[&long], &many] {
        assert!(read(FILE, &set(texts)).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(flags in proptest::collection::vec("[a-z.=\\[\\]{}\"' :$0-9ä\n]{0,30}", 0..4)) {
        let flags: Vec<Override> = flags.into_iter().map(Override::Set).collect();
        let _ = read(FILE, &flags);
    }
}
