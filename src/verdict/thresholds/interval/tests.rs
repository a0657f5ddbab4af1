use super::*;
use crate::random::SplitMix64;
use crate::record::CallId;
use crate::verdict::sample;

/// Of calls with these waits, `None` where there was no reply within eight seconds.
fn values(calls: impl IntoIterator<Item = Vec<Option<f64>>>) -> Vec<Value> {
    let of_call = |(call, waits): (u32, Vec<Option<f64>>)| {
        (0..).zip(waits).map(move |(step, wait)| Value {
            call: CallId(call),
            step,
            value: wait.unwrap_or(8_000.0),
            censored: wait.is_none(),
        })
    };
    (0..).zip(calls).flat_map(of_call).collect()
}

fn ends(values: &[Value], percent: f64) -> Option<Ends> {
    of_quantile(values, &sample(values)?, percent)
}

#[test]
fn ranks_are_those_of_the_tables() {
    // Of ten values the second and the ninth, of 20 the sixth and the 15th, of 100 the 40th and the 61st (Conover,
    // "Practical Nonparametric Statistics", 1999, §3.2, by the binomial distribution).
    assert_eq!(ranks(10, 0.5), (Some(2), Some(9)));
    assert_eq!(ranks(20, 0.5), (Some(6), Some(15)));
    assert_eq!(ranks(100, 0.5), (Some(40), Some(61)));
    // 0.95^72 = 2.49 %, 0.95^71 = 2.62 %.
    assert_eq!(ranks(72, 0.95).1, Some(72));
    assert_eq!(ranks(71, 0.95).1, None);
    assert_eq!(ranks(5, 0.5), (None, None));
    assert_eq!(ranks(6, 0.5), (Some(1), Some(6)));
}

#[test]
fn turns_of_a_call_that_are_alike_count_once() {
    let calls = |turns: usize| values((0..20).map(|i| vec![Some(f64::from(i) * 100.0); turns]));
    assert_eq!(ends(&calls(1), 50.0), Some(Ends { low: Some(500.0), high: Some(1_400.0) }));
    // To a rank: they count as 19 values.
    let six = ends(&calls(6), 50.0).expect("calls");
    let (low, high) = (six.low.expect("an end"), six.high.expect("an end"));
    assert!((400.0..=500.0).contains(&low) && (1_400.0..=1_500.0).contains(&high), "{six:?}");
}

#[test]
fn an_end_that_no_value_gives_is_open() {
    let few = values((0..4).map(|i| vec![Some(f64::from(i))]));
    assert_eq!(ends(&few, 50.0), None);
    let ten = values((0..10).map(|i| vec![Some(1_000.0 + f64::from(i))]));
    let p95 = ends(&ten, 95.0).expect("ten calls");
    assert_eq!((p95.low, p95.high), (Some(1_007.0), None));
    assert!(p95.holds(1_500.0) && !p95.holds(1_000.0));
    // Every tenth turn is not answered: nothing above is known.
    let silent = values((0..200).map(|i| vec![(i % 10 > 0).then_some(f64::from(i))]));
    let p95 = ends(&silent, 95.0).expect("calls");
    assert_eq!(p95.high, None);
    let p50 = ends(&silent, 50.0).expect("calls");
    assert!(p50.low.expect("an end") < 100.0 && p50.high.expect("an end") > 100.0, "{p50:?}");
}

#[test]
fn it_is_said_how_many_calls_give_both_ends() {
    let need =
        |values: &[Value], percent| calls_needed(values, &sample(values).expect("values"), percent);
    let calls = |n: u32| values((0..n).map(|i| vec![Some(f64::from(i))]));
    assert_eq!(need(&calls(10), 95.0), Some(72));
    assert_eq!((need(&calls(71), 95.0), need(&calls(72), 95.0)), (Some(72), None));
    assert_eq!((need(&calls(2), 50.0), need(&calls(6), 50.0)), (Some(6), None));
    assert_eq!(need(&calls(10), 100.0), None);
    // Four turns a call that are as different as those of four calls.
    let mut random = SplitMix64::new(4);
    let four = values((0..10).map(|_| (0..4).map(|_| Some(random.unit())).collect()));
    let n = need(&four, 95.0).expect("too few");
    assert!((18..=40).contains(&n), "{n}");
}

/// Calls of an agent: turns vary by 35 % within a call, calls by `between`, and so many turns are not answered.
fn agent(
    random: &mut SplitMix64,
    (calls, turns): (u32, u32),
    between: f64,
    silent: f64,
) -> Vec<Value> {
    values((0..calls).map(|_| {
        let call = random.normal() * between;
        let mut turn =
            || (random.unit() >= silent).then_some((call + 0.35 * random.normal()).exp());
        (0..turns).map(|_| turn()).collect()
    }))
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let shapes = [
        ("30 × 4", (30, 4), 0.15, 0.0),
        ("10 × 1", (10, 1), 0.15, 0.0),
        ("10 × 4, unlike calls", (10, 4), 0.6, 0.0),
        ("100 × 10, unlike calls", (100, 10), 0.35, 0.0),
        ("30 × 4, 3 % silent", (30, 4), 0.15, 0.03),
    ];
    for (name, size, between, silent) in shapes {
        // The quantile of all turns, from a very large run.
        let many = agent(&mut SplitMix64::new(77), (200_000 / size.1, size.1), between, silent);
        let all = sample(&many).expect("values");
        for percent in [50.0, 90.0, 95.0] {
            let truth = all.quantile(percent);
            let mut random = SplitMix64::new(5);
            let trials = 1_000;
            let (mut held, mut below, mut closed) = (0, 0, 0);
            for _ in 0..trials {
                let of = ends(&agent(&mut random, size, between, silent), percent).expect("calls");
                held += u32::from(of.holds(truth.value));
                below += u32::from(of.high.is_some_and(|high| high < truth.value));
                closed += u32::from(of.low.is_some() && of.high.is_some());
            }
            println!(
                "{name:<24} p{percent}: holds {held} of {trials}, ends below in {below}, closed {closed}"
            );
            // 95 %, less what few calls fail to show of how alike their turns are, and three standard errors.
            assert!(held >= 915, "{name} p{percent}: {held}");
        }
    }
}
