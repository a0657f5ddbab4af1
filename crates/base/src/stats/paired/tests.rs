use proptest::prelude::*;

use super::*;

const HOW: Resampling = Resampling { resamples: 400, seed: 5 };

fn known(values: &[f64]) -> Vec<PairedDifference> {
    let known = |(cluster, v): (u32, &f64)| PairedDifference { at_least: *v, at_most: *v, cluster };
    (0..).zip(values).map(known).collect()
}

fn point(values: &[f64]) -> f64 {
    shift(&known(values), &HOW).expect("two clusters").at_least
}

/// Straight from the definition, for few values.
fn by_definition(values: &[f64]) -> f64 {
    let mut means: Vec<f64> =
        values.iter().flat_map(|a| values.iter().map(move |b| f64::midpoint(*a, *b))).collect();
    means.sort_by(f64::total_cmp);
    means[(means.len() - 1) / 2]
}

#[test]
fn the_median_of_all_means() {
    assert!((point(&[0.0, 10.0]) - 5.0).abs() < 1e-3);
    assert!((point(&[7.0, 7.0, 7.0]) - 7.0).abs() < 1e-9);
    // One wild value of seven moves it by little.
    assert!((point(&[9.0, 10.0, 11.0, 10.0, 9.0, 11.0, 8_000.0]) - 10.0).abs() <= 1.0);
    assert_eq!(shift(&known(&[3.0]), &HOW), None);
    assert_eq!(shift(&[], &HOW), None);
}

proptest! {
    #[test]
    fn as_defined(values in prop::collection::vec(-500.0_f64..500.0, 2..30)) {
        prop_assert!((point(&values) - by_definition(&values)).abs() < 2e-3);
    }

    /// Whatever an unknown difference turns out to be, the shift lies within the bounds.
    #[test]
    fn bounds_hold_whatever_comes(
        values in prop::collection::vec((-500.0_f64..500.0, 0..6_u8), 2..25),
        truth in prop::collection::vec(0.0_f64..5_000.0, 25),
    ) {
        let mut bounded = Vec::new();
        let mut complete = Vec::new();
        for ((cluster, (value, kind)), more) in (0..).zip(&values).zip(&truth) {
            let (least, most, is) = match kind {
                0 => (*value, f64::INFINITY, value + more),
                1 => (f64::NEG_INFINITY, *value, value - more),
                _ => (*value, *value, *value),
            };
            bounded.push(PairedDifference { at_least: least, at_most: most, cluster });
            complete.push(is);
        }
        let bounds = shift(&bounded, &HOW).expect("two clusters");
        let is = point(&complete);
        prop_assert!(bounds.at_least <= is + 1e-2 && is <= bounds.at_most + 1e-2, "{bounds:?} {is}");
        prop_assert!(bounds.low <= bounds.at_least && bounds.at_most <= bounds.high);
    }
}

#[test]
fn what_is_unknown_too_often_has_no_bound() {
    let unknown = |n: u32, of: u32| -> Vec<PairedDifference> {
        (0..of)
            .map(|cluster| PairedDifference {
                at_least: 10.0,
                at_most: if cluster < n { f64::INFINITY } else { 10.0 },
                cluster,
            })
            .collect()
    };
    // Three in ten are in half of all means.
    let few = shift(&unknown(2, 10), &HOW).expect("clusters");
    assert!((few.at_most - 10.0).abs() < 1e-9 && few.high.is_infinite(), "{few:?}");
    let many = shift(&unknown(4, 10), &HOW).expect("clusters");
    assert!(many.at_most.is_infinite() && (many.at_least - 10.0).abs() < 1e-9, "{many:?}");
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    // Few clusters, two values each that share half of their spread.
    for (clusters, least, most) in [(8_u32, 366, 396), (30, 366, 396)] {
        let mut random = SplitMix64::new(11);
        let mut noise = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let mut covered = 0;
        for seed in 0..400 {
            let mut differences = Vec::new();
            for cluster in 0..clusters {
                let shared = noise();
                for _ in 0..2 {
                    let value = 50.0 + 30.0 * (shared + noise());
                    differences.push(PairedDifference { at_least: value, at_most: value, cluster });
                }
            }
            let how = Resampling { resamples: 500, seed };
            let s = shift(&differences, &how).expect("clusters");
            covered += i32::from(s.low <= 50.0 && 50.0 <= s.high);
        }
        assert!((least..=most).contains(&covered), "{covered} of 400 with {clusters} clusters");
    }
}

#[test]
fn values_of_a_cluster_are_drawn_together() {
    let of = |times: usize| -> Vec<PairedDifference> {
        let values = [3.0, -8.0, 12.0, 5.0, -2.0, 9.0, 1.0, 4.0];
        let one = known(&values);
        one.iter().flat_map(|d| std::iter::repeat_n(*d, times)).collect()
    };
    assert_eq!(shift(&of(1), &HOW), shift(&of(9), &HOW));
}

#[test]
fn tails_are_wider_with_few_clusters() {
    // Hesterberg 2015, table 6: n = 10 gives 0.0086 (t = 2.262, widened by √(10/9)).
    assert!((tail(10) - 0.0086).abs() < 0.0002, "{}", tail(10));
    assert!((tail(10_000) - 0.025).abs() < 0.0001);
}

#[test]
fn chance_divides_pairs() {
    // 2 · (1 + 6) / 2^6, and the two ends.
    assert!((mcnemar(5, 1) - 0.218_75).abs() < 1e-9);
    assert!((mcnemar(6, 0) - 0.031_25).abs() < 1e-9);
    assert!((mcnemar(0, 0) - 1.0).abs() < 1e-9);
    assert!((mcnemar(3, 3) - 1.0).abs() < 1e-9);
}
