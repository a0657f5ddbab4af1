use super::*;
use crate::record::Outcome as Ending;
use crate::report::fixture::{answered, call, comparison_with_runs, report, report_with, run};
use crate::verdict::{Difference, How};

const PLACE: &str = "reports/20261124-120000-greeting";

fn regressed() -> Report {
    let (run, turns) = answered();
    report_with(&run, &turns, |verdict| {
        verdict.outcome = Outcome::Regression;
        verdict.reasons = vec![
            "slower than the baseline: heard_e2e_latency p50 1,240 ms after 838 ms".to_owned(),
            "the largest part is `llm_node_ttft`".to_owned(),
            "differs from the baseline: models: a in the baseline, b in the run".to_owned(),
        ];
        verdict.comparison = Some(comparison_with_runs(402.0));
    })
}

#[test]
fn several_differences_are_listed() {
    let (run, turns) = answered();
    let report = report_with(&run, &turns, |verdict| {
        let of = |what: &str| Difference {
            what: what.to_owned(),
            how: How::Values { baseline: "old".to_owned(), run: "new".to_owned() },
        };
        verdict.differences = vec![of("models"), of("agent SDK")];
        verdict.reasons.push("2 settings differ from the baseline, listed below".to_owned());
    });
    let text = render(&report, PLACE, LIMIT);
    for difference in &report.judged.verdict.differences {
        assert!(text.contains(&inline(&difference.to_string())), "{difference}: {text}");
    }
}

#[test]
fn a_regression() {
    insta::assert_snapshot!(render(&regressed(), PLACE, LIMIT));
}

/// A run in which so many calls fail.
fn failing(calls: u32) -> Report {
    let calls = (0..calls).map(|id| {
        let mut call = call(id);
        call.end.outcome = Ending::NoAgent;
        call.end.detail = format!("no agent joined within {id} s | `x`");
        call
    });
    report(&run(calls.collect()), &[])
}

#[test]
fn failing_calls_are_named_and_the_list_has_an_end() {
    let page = render(&failing(3), PLACE, LIMIT);
    assert!(page.contains("| `dispatch` | 3 | 0, 1, 2 |"), "{page}");
    assert!(page.contains("<details><summary>3 failing calls</summary>"), "{page}");
    assert!(!page.contains("Left out here"), "{page}");
    assert!(!page.contains("[trace]"), "{page}");
    let mut traced = failing(3);
    traced.judged.analysis.head.langfuse_url = Some("https://langfuse.example/a(b)".to_owned());
    let page = render(&traced, PLACE, LIMIT);
    assert_eq!(page.matches("[trace](<https://langfuse.example/a(b)/trace/").count(), 3, "{page}");
    let page = render(&failing(1_000), PLACE, LIMIT);
    assert!(page.contains("Left out here: 900 lines of failing calls."), "{page}");
}

#[test]
fn a_page_is_cut_at_the_border_of_a_row() {
    let reports = [regressed(), failing(1_000)];
    for report in &reports {
        let whole = render(report, PLACE, LIMIT);
        let lines: Vec<&str> = whole.lines().collect();
        for limit in [LEAST, LEAST + 100, LEAST + 1_000, LEAST + 3_000, 20_000] {
            let page = render(report, PLACE, limit);
            assert!(page.len() <= limit, "{} > {limit}", page.len());
            let foreign = page
                .lines()
                .find(|line| !lines.contains(line) && !line.starts_with("Left out here: "));
            assert_eq!(foreign, None, "{page}");
            assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
            let is_cut = page.len() < whole.len();
            assert_eq!(
                page.contains("Left out here: "),
                is_cut || whole.contains("Left out"),
                "{page}"
            );
        }
    }
}
