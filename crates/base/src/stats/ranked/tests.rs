use super::super::deviation;
use super::*;
use crate::random::SplitMix64;

fn plain(values: &[f64]) -> Vec<Ranked> {
    let each = values.iter().zip(0..);
    each.map(|(value, cluster)| Ranked { value: *value, cut: false, cluster }).collect()
}

fn figure(ranks: Ranks, values: &[Ranked]) -> RankedFigure {
    RankedFigure::of(ranks, values.iter().copied()).expect("values")
}

#[test]
fn figures_by_hand() {
    let even: Vec<f64> = (1..=20).map(f64::from).collect();
    let median = figure(Ranks::Around(50.0), &plain(&even));
    assert!((median.value - 10.5).abs() < 1e-9, "{median:?}");
    // The two slowest of twenty.
    let slow = figure(Ranks::Slowest(0.1), &plain(&even));
    assert!((slow.value - 19.5).abs() < 1e-9, "{slow:?}");
    // A tenth of 15 is one and a half: the largest, and half of the next.
    let odd: Vec<f64> = (1..=15).map(f64::from).collect();
    let slow = figure(Ranks::Slowest(0.1), &plain(&odd));
    assert!((slow.value - (15.0 + 7.0) / 1.5).abs() < 1e-9, "{slow:?}");
    assert!(slow.influence.values().sum::<f64>().abs() < 1e-9);
    assert_eq!(RankedFigure::of(Ranks::Around(50.0), []), None);
    assert!(figure(Ranks::Around(50.0), &plain(&[7.0])).variance() < 1e-12);
}

#[test]
fn what_was_cut_is_at_least_as_large() {
    let mut values = plain(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
    let all = figure(Ranks::Around(50.0), &values);
    values[0].cut = true;
    let some = figure(Ranks::Around(50.0), &values);
    assert!(some.value > all.value && !some.bound, "{some:?}");
    values[9].cut = true;
    assert!(figure(Ranks::Slowest(0.1), &values).bound);
    assert!(figure(Ranks::Around(50.0), &values).bound, "of so few values it counts a little");
}

/// Calls of four turns that vary by 35 % within and 15 % between.
fn calls(random: &mut SplitMix64, n: u32) -> Vec<Ranked> {
    let mut values = Vec::new();
    for cluster in 0..n {
        let call = random.normal() * 0.15;
        let turns = (0..4).map(|_| call + random.normal() * 0.35);
        values.extend(turns.map(|value| Ranked { value, cut: false, cluster }));
    }
    values
}

#[test]
fn the_variance_is_that_of_sampling() {
    let mut random = SplitMix64::new(9);
    for (ranks, slack) in
        [(Ranks::Around(50.0), 0.06), (Ranks::Slowest(0.1), 0.10), (Ranks::Around(95.0), 0.12)]
    {
        let drawn: Vec<RankedFigure> =
            (0..2_000).map(|_| figure(ranks, &calls(&mut random, 30))).collect();
        let values: Vec<f64> = drawn.iter().map(|f| f.value).collect();
        let told = drawn.iter().map(RankedFigure::variance).sum::<f64>() / 2_000.0;
        let ratio = told.sqrt() / deviation(&values);
        assert!((ratio - 1.0).abs() < slack, "{ranks:?}: {ratio}");
    }
}

#[test]
fn the_median_varies_less_than_a_rank_does() {
    let mut random = SplitMix64::new(10);
    // Answers from a cache in half of the turns.
    let mut sample = || -> Vec<f64> {
        let hump = |random: &mut SplitMix64| if random.unit() < 0.5 { 0.0 } else { 1.2 };
        (0..60).map(|_| hump(&mut random) + random.normal() * 0.1).collect()
    };
    let (mut smooth, mut rank) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        let mut values = sample();
        smooth.push(figure(Ranks::Around(50.0), &plain(&values)).value);
        values.sort_by(f64::total_cmp);
        rank.push(values[30]);
    }
    assert!(deviation(&smooth) < 0.8 * deviation(&rank));
}
