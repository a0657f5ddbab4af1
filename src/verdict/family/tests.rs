use super::*;
use crate::random::SplitMix64;
use crate::scenario::Scenario;
use crate::stats::Prediction;
use crate::turn::testing::two_questions;
use crate::turn::{Analysis, analyse};
use crate::verdict::testing::{Agent, accepted};
use crate::verdict::{Baseline, Deciding, Ground, Judging, Mismatch, Suspicion, judge};

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

/// A night in a row of them, of ten scenarios whose agents did not change, each against seven runs of its own: how often
/// one of them is called worse together.
#[test]
fn two_nights_in_a_row_raise_no_more_alarms_than_one() {
    const FAMILIES: u32 = 6_000;
    let mut random = SplitMix64::new(11);
    // A member by both nights, and by the second alone.
    let mut night = |slower: f64| {
        let level: Vec<f64> = (0..7).map(|_| random.normal()).collect();
        // Both nights are compared with the same seven runs, so one that is low makes both look slow.
        let known = Prediction::of(&level, 0.0).expect("seven");
        let [before, p] = [(); 2].map(|()| known.p_above(random.normal() + slower));
        let again = before <= 0.1 && p <= 0.1;
        let both = Member { p: Some(of_two_runs(p, again)), worse: again || p <= 0.01 };
        [both, Member { p: Some(p), worse: p <= LEVEL }]
    };
    let mut alarms = 0;
    for _ in 0..FAMILIES {
        let members: Vec<Member> = (0..10).map(|_| night(0.0)[0]).collect();
        alarms += u32::from(worse(&members).contains(&true));
    }
    println!("ten unchanged scenarios, two nights: an alarm in {alarms} of {FAMILIES}");
    // At most 5 %, with three standard errors.
    assert!(alarms <= 351, "{alarms}");
    // One of ten got slower by four standard deviations of a run: two nights find it more often than one.
    let mut found = [0, 0];
    for _ in 0..1_000 {
        let nights: Vec<[Member; 2]> =
            (0..10).map(|n| night(if n == 9 { 4.0 } else { 0.0 })).collect();
        for (found, by) in found.iter_mut().zip(0..) {
            let members: Vec<Member> = nights.iter().map(|night| night[by]).collect();
            *found += u32::from(worse(&members)[9]);
        }
    }
    println!("one slower: found in {} of 1,000 by two nights, in {} by one", found[0], found[1]);
    assert!(found[0] > found[1] + 50, "{found:?}");
}

/// Nights of an agent that does not change, analysed once.
struct Nights {
    scenario: Scenario,
    all: Vec<(Analysis, Baseline)>,
}

impl Nights {
    fn new(size: u64) -> Self {
        let scenario = two_questions();
        let night = |n: u64| {
            let mut random = SplitMix64::new(n);
            let ttft = 250.0 + 30.0 * random.normal();
            let run = Agent { ttft, jitter: 150.0, ..Agent::default() }.run(
                &format!("n{n}"),
                20,
                n + 1_000,
                &scenario,
            );
            (analyse(&run, &scenario), accepted(&run, &scenario))
        };
        Self { all: (0..size).map(night).collect(), scenario }
    }

    /// Chances of two nights after seven that set the level, drawn without two alike: of one night by itself, and of
    /// the second by the rule of two.
    fn chances(&self, random: &mut SplitMix64) -> ([f64; 2], Member) {
        let size = u32::try_from(self.all.len()).expect("few");
        let mut drawn: Vec<usize> = Vec::new();
        while drawn.len() < 9 {
            let at = random.below(size) as usize;
            if !drawn.contains(&at) {
                drawn.push(at);
            }
        }
        let (nights, level) = drawn.split_at(2);
        let mut level = level.iter().map(|at| self.all[*at].1.clone());
        let first = level.next().expect("seven");
        let baseline = level.fold(first, |all, run| all.with(run, 7).expect("of one kind"));
        let judged = |at: usize, deciding| {
            judge(Judging {
                scenario: &self.scenario,
                analysis: &self.all[at].0,
                baseline: Some(&baseline),
                mismatch: Mismatch::Refuse,
                deciding,
                seed: 7,
            })
        };
        let alone = chance(&judged(nights[0], Deciding::Once), false).expect("compared");
        let before = judged(nights[0], Deciding::Confirmed { before: &[] });
        let since = |seen: &Suspicion| Suspicion {
            since: Some(crate::verdict::Sighting {
                run: "before".to_owned(),
                started_at: "2026-11-24T12:00:00Z".to_owned(),
            }),
            ..seen.clone()
        };
        let before: Vec<Suspicion> = before.suspected.iter().map(since).collect();
        let second = judged(nights[1], Deciding::Confirmed { before: &before });
        let p = chance(&second, true).expect("compared");
        let is_worse = second.grounds.contains(&Ground::Regression);
        ([alone, p], Member { p: Some(p), worse: is_worse })
    }
}

#[test]
fn the_chance_of_a_comparison_is_one() {
    const TRIALS: u32 = 300;
    let nights = Nights::new(80);
    let mut random = SplitMix64::new(3);
    let limits = [0.005, 0.02, 0.05, 0.2];
    let (mut below, mut members) = ([[0_u32; 4]; 2], Vec::new());
    for _ in 0..TRIALS {
        let (chances, member) = nights.chances(&mut random);
        for (counts, p) in below.iter_mut().zip(chances) {
            for (count, limit) in counts.iter_mut().zip(limits) {
                *count += u32::from(p <= limit);
            }
        }
        members.push(member);
    }
    let families = members.chunks(10).filter(|family| worse(family).contains(&true)).count();
    println!(
        "chances up to {limits:?}: {below:?} of {TRIALS}; {families} families of ten with an alarm"
    );
    for counts in below {
        for (count, limit) in counts.into_iter().zip(limits) {
            let expected = f64::from(TRIALS) * limit;
            let most = expected + 3.0 * (expected * (1.0 - limit)).sqrt();
            assert!(f64::from(count) <= most, "{count} of {TRIALS} are {limit} or less");
        }
    }
}
