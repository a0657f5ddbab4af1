//! Runs that the baseline holds, and what differs from it.

use super::super::super::testing::{Agent, accepted, against};
use super::super::super::{
    Baseline, Deciding, Ground, Judging, Learning, Mismatch, Outcome, judge,
};
use crate::record::Run;
use crate::turn::analyse;
use crate::turn::testing::two_questions;

#[test]
fn a_run_is_never_compared_with_itself() {
    let scenario = two_questions();
    let base = Agent::default();
    let [a, b] = ["a", "b"].map(|id| base.run(id, 10, u64::from(id == "b"), &scenario));
    let slow = Agent { ttft: 650.0, ..base }.run("slow", 10, 3, &scenario);
    // Alone in the baseline, however good or bad it is.
    for run in [&a, &slow] {
        let verdict = against(Some(run), run, &scenario);
        assert_eq!(
            (verdict.outcome, verdict.grounds),
            (Outcome::Inconclusive, vec![Ground::Inconclusive])
        );
        assert!(
            verdict.reasons[0].starts_with("this run is the baseline"),
            "{:?}",
            verdict.reasons
        );
        assert!(verdict.comparison.is_none() && verdict.learning.is_none());
    }
    // Beside others it is compared with those alone.
    let both = accepted(&a, &scenario).with(accepted(&slow, &scenario), 7).expect("alike");
    let judged = |baseline: &Baseline, run: &Run| {
        let (analysis, mismatch) = (analyse(run, &scenario), Mismatch::Refuse);
        let baseline = Some(baseline);
        judge(Judging {
            scenario: &scenario,
            analysis: &analysis,
            baseline,
            mismatch,
            deciding: Deciding::Once,
            seed: 7,
        })
    };
    let (alone, held) = (against(Some(&a), &slow, &scenario), judged(&both, &slow));
    assert_eq!(held.outcome, Outcome::Regression);
    assert_eq!((&held.comparison, &held.learning), (&alone.comparison, &alone.learning));
    let said = "this run is in the baseline; it is compared with the 1 other accepted run";
    assert!(held.reasons.iter().any(|r| r == said), "{:?}", held.reasons);
    assert_eq!(judged(&both, &b).learning, Some(Learning { runs: 2, of: 5 }));
}

#[test]
fn many_differences_are_one_line_and_a_list() {
    let scenario = two_questions();
    let old = Agent::default().run("a", 10, 1, &scenario);
    let mut new = Agent::default().run("b", 10, 2, &scenario);
    new.head.loadcall_version = "9.9.9".to_owned();
    let one = against(Some(&old), &new, &scenario);
    assert!(
        one.reasons
            .iter()
            .any(|r| r == "differs from the baseline: loadcall version: 0.1.0 → 9.9.9"),
        "{:?}",
        one.reasons
    );
    assert_eq!(one.differences.len(), 1);
    new.head.host.cpus = 64;
    let two = against(Some(&old), &new, &scenario);
    assert_eq!(two.differences.len(), 2);
    let about: Vec<&String> =
        two.reasons.iter().filter(|r| r.contains("settings differ")).collect();
    assert_eq!(about, ["2 settings differ from the baseline, listed below"]);
}
