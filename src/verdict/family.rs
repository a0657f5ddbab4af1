//! Several scenarios of one agent, judged together: with ten of them, each with a false alarm in 5 % of runs, two nights
//! in five would have one.

use super::{Answer, Comparison};
use crate::stats::holm;

/// The chance of a false alarm of all scenarios together.
pub const LEVEL: f64 = 0.05;

/// What the comparison of one scenario says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// How often chance alone makes any of its questions look this bad; `None` where nothing was compared.
    pub p: Option<f64>,
    /// It is worse by its own level, and by enough to matter.
    pub worse: bool,
}

/// The parts of the questions in one chance, as a comparison has them: those of latency, calls that fail, cut-ins.
const LATENCIES: f64 = 5.0 / 6.0;
const CALLS_OK: f64 = 0.6 / 6.0;
const CUT_INS: f64 = 0.4 / 6.0;

/// How often chance alone makes any of the questions that decide look as bad as they do here (Bonferroni's correction
/// with the parts that the questions have); `None` where none was asked.
pub fn chance(comparison: &Comparison) -> Option<f64> {
    let deciding = || comparison.answers.iter().filter(|answer| answer.decides);
    // The interval of an answer that decides is that of its level, on both sides.
    let level = |answer: &Answer| (100.0 - answer.confidence) / 200.0;
    let all: f64 = deciding().map(level).sum();
    let latencies = deciding().map(|answer| answer.p_slower * all / level(answer) / LATENCIES);
    let counts = [(comparison.failures, CALLS_OK), (comparison.cut_ins, CUT_INS)];
    let counts = counts.into_iter().filter_map(|(count, part)| Some(count?.p / part));
    latencies.chain(counts).reduce(f64::min).map(|p| p.min(1.0))
}

/// Which scenarios are worse when all are looked at together (Holm's correction).
pub fn worse(members: &[Member]) -> Vec<bool> {
    let p: Vec<f64> = members.iter().filter_map(|member| member.p).collect();
    let mut adjusted = holm(&p).into_iter();
    let is_worse = |member: &Member| {
        let p = member.p.and_then(|_| adjusted.next());
        // What is worse without a chance that is known is not made good by others.
        member.worse && p.is_none_or(|p| p <= LEVEL)
    };
    members.iter().map(is_worse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    #[test]
    fn each_of_many_has_to_be_surer() {
        let member = |p| Member { p: Some(p), worse: p <= LEVEL };
        assert_eq!(worse(&[member(0.04)]), [true]);
        assert_eq!(worse(&[member(0.04), member(0.5)]), [false, false]);
        assert_eq!(worse(&[member(0.5), member(0.02), member(0.03)]), [false, false, false]);
        assert_eq!(worse(&[member(0.5), member(0.001), member(0.02)]), [false, true, true]);
        // One that was not compared takes no share.
        let none = Member { p: None, worse: false };
        assert_eq!(worse(&[member(0.04), none]), [true, false]);
        assert_eq!(worse(&[member(0.5), Member { p: None, worse: true }]), [false, true]);
        assert!(worse(&[]).is_empty());
    }

    #[test]
    fn ten_scenarios_without_a_change_have_one_false_alarm_in_twenty() {
        let mut random = SplitMix64::new(5);
        let mut night = || {
            let members = (0..10).map(|_| random.unit());
            members.map(|p| Member { p: Some(p), worse: p <= LEVEL }).collect::<Vec<_>>()
        };
        let (mut alone, mut together) = (0, 0);
        for _ in 0..4_000 {
            let members = night();
            alone += u32::from(members.iter().any(|member| member.worse));
            together += u32::from(worse(&members).contains(&true));
        }
        // 40 % and 5 % of 4,000.
        assert!((1_500..=1_710).contains(&alone), "{alone}");
        assert!((160..=240).contains(&together), "{together}");
    }
}
