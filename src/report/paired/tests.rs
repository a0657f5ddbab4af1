use super::*;
use crate::record::Run;
use crate::report::text;
use crate::turn::analyse;
use crate::turn::testing::two_questions;
use crate::verdict::paired::testing;

fn report(a: &Run, b: &Run) -> PairedReport {
    let scenario = two_questions();
    let side = |run| (scenario.clone(), analyse(run, &scenario));
    PairedReport::new(&JudgedPair::judge(side(a), side(b), 7))
}

/// Reports of a slower agent, of one that often does not answer, and of one that nobody reached.
fn reports() -> [PairedReport; 3] {
    let usual = testing::run(&[testing::slower(0.0); 10], 1, Side::A);
    let slower = testing::run(&[testing::slower(300.0); 10], 1, Side::B);
    let silent = testing::Agent { silent_every: 2, ..testing::slower(0.0) };
    let silent = silent.run("silent", 10, 3, &two_questions());
    let mut flaky = slower.clone();
    flaky.calls = silent.calls;
    let mut empty = slower.clone();
    empty.calls.clear();
    [report(&usual, &slower), report(&usual, &flaky), report(&usual, &empty)]
}

#[test]
fn the_document_is_as_its_schema_says() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../ab.schema.json")).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for report in reports() {
        let text = json::render(&report);
        let document = serde_json::from_str(&text).expect("JSON");
        let faults: Vec<String> = schema.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}\n{text}");
        assert_eq!(text, json::render(&report));
    }
}

#[test]
fn text_for_people() {
    let [slower, flaky, empty] = reports();
    let show = |report| text::paired::render(report, text::Colour::Never, 100, "reports/x");
    insta::assert_snapshot!("ab_slower", show(&slower));
    insta::assert_snapshot!("ab_flaky", show(&flaky));
    insta::assert_snapshot!("ab_empty", show(&empty));
    for width in [60, 80, 100] {
        let text = text::paired::render(&flaky, text::Colour::Never, width, "reports/x");
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
    }
}
