use proptest::prelude::*;

use super::*;

fn point(value: f64, censored: bool) -> Point {
    Point { value, censored, cluster: 0, stratum: 0 }
}

fn sample(known: &[f64], bounds: &[f64]) -> Sample {
    let known = known.iter().map(|v| point(*v, false));
    Sample::new(known.chain(bounds.iter().map(|v| point(*v, true)))).expect("not empty")
}

fn exact(value: f64) -> Quantile {
    Quantile { value, lower_bound: false }
}

fn at_least(value: f64) -> Quantile {
    Quantile { value, lower_bound: true }
}

#[test]
fn nothing_and_infinity_make_no_sample() {
    assert_eq!(Sample::new([]), None);
    assert_eq!(Sample::new([point(f64::NAN, false), point(f64::INFINITY, true)]), None);
}

#[test]
fn quantiles_by_nearest_rank() {
    let s = sample(&[40.0, 10.0, 30.0, 20.0], &[]);
    for (percent, want) in
        [(0.0, 10.0), (25.0, 10.0), (25.1, 20.0), (50.0, 20.0), (75.0, 30.0), (100.0, 40.0)]
    {
        assert_eq!(s.quantile(percent), exact(want), "p{percent}");
    }
    assert_eq!(s.max(), exact(40.0));
}

#[test]
fn a_textbook_survival_curve() {
    // The remission times in weeks of the treated group of Freireich et al. (1963), the usual
    // example for Kaplan–Meier: 21 patients, 12 of them censored. S = 0.5378 at 22, 0.4482 at 23.
    let known = [6.0, 6.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0];
    let bounds = [6.0, 9.0, 10.0, 11.0, 17.0, 19.0, 20.0, 25.0, 32.0, 32.0, 34.0, 35.0];
    let s = sample(&known, &bounds);
    assert_eq!((s.len(), s.censored()), (21, 12));
    assert_eq!(s.quantile(50.0), exact(23.0));
    assert_eq!(s.quantile(46.2), exact(22.0));
    assert_eq!(s.quantile(46.3), exact(23.0));
    assert_eq!(s.quantile(25.0), exact(13.0));
    assert_eq!(s.quantile(90.0), at_least(35.0));
}

#[test]
fn a_quantile_among_unanswered_turns_is_a_bound() {
    let s = sample(&[100.0; 9], &[8_000.0]);
    assert_eq!(s.quantile(90.0), exact(100.0));
    assert_eq!(s.quantile(95.0), at_least(8_000.0));
    assert_eq!(s.max(), at_least(8_000.0));
    assert_eq!(sample(&[], &[5.0, 7.0]).quantile(1.0), at_least(7.0));
}

#[test]
fn same_mix_is_left_alone_and_another_is_weighted() {
    let of = |values: &[(f64, u32)]| {
        let points = (0_u32..).zip(values);
        Sample::new(points.map(|(i, (value, stratum))| Point {
            value: *value,
            censored: false,
            cluster: i,
            stratum: *stratum,
        }))
        .expect("not empty")
    };
    let even = of(&[(10.0, 0), (11.0, 0), (100.0, 1), (101.0, 1)]);
    let alike = |a: &Sample, b: &Sample| {
        let mut both = super::alike(vec![a.clone(), b.clone()])?.into_iter();
        Some((both.next()?, both.next()?))
    };
    assert_eq!(alike(&even, &even), Some((even.clone(), even.clone())));

    // The run lost most of its slow turns: its plain p75 looks ten times faster.
    let lost = of(&[(10.0, 0), (11.0, 0), (11.0, 0), (100.0, 1)]);
    assert_eq!((even.quantile(75.0).value, lost.quantile(75.0).value), (100.0, 11.0));
    let (a, b) = alike(&even, &lost).expect("strata in common");
    assert_eq!((a.quantile(75.0).value, b.quantile(75.0).value), (100.0, 100.0));

    let other = of(&[(10.0, 7)]);
    assert_eq!(alike(&even, &other), None);
    let (a, b) = alike(&even, &of(&[(12.0, 0), (13.0, 7)])).expect("stratum 0");
    assert_eq!((a.len(), b.len()), (2, 1));
    let three = super::alike(vec![even.clone(), lost, of(&[(12.0, 0), (13.0, 7)])]);
    let lengths: Vec<usize> = three.expect("stratum 0").iter().map(Sample::len).collect();
    assert_eq!(lengths, [2, 3, 1]);
    assert_eq!(super::alike(Vec::new()), None);
}

#[test]
fn a_spread_is_from_the_median_to_the_slow_values() {
    let values: Vec<f64> = (1..=10).map(f64::from).collect();
    assert_eq!(sample(&values, &[]).figure(Statistic::Spread), exact(4.0));
    assert_eq!(sample(&values, &[20.0, 20.0]).figure(Statistic::Spread), at_least(14.0));
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
fn naive(mut values: Vec<f64>, percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * values.len() as f64 - 1e-7).ceil() as usize;
    values[rank.max(1) - 1]
}

proptest! {
    #[test]
    fn uncensored_quantiles_equal_a_naive_sort(
        values in prop::collection::vec(-1e5..1e5_f64, 1..200),
        percent in 0_u32..=1_000,
    ) {
        let percent = f64::from(percent) / 10.0;
        prop_assert_eq!(sample(&values, &[]).quantile(percent), exact(naive(values, percent)));
    }

    #[test]
    fn resampling_equals_repeating_the_values(
        values in prop::collection::vec((0_u32..4, 0_u32..50, any::<bool>()), 1..40),
        counts in prop::collection::vec(0_u32..4, 4),
        percent in 1.0..99.0_f64,
    ) {
        // Clusters are dense in the order of their numbers.
        let points: Vec<Point> = values.iter().map(|(cluster, v, censored)| Point {
            value: f64::from(*v), censored: *censored, cluster: *cluster, stratum: 0,
        }).collect();
        let s = Sample::new(points.iter().copied()).expect("not empty");
        let mut present: Vec<u32> = points.iter().map(|p| p.cluster).collect();
        present.sort_unstable();
        present.dedup();
        let repeated = points.iter().flat_map(|p| {
            let place = present.iter().position(|c| *c == p.cluster).expect("present");
            std::iter::repeat_n(*p, counts[place] as usize)
        });
        if let Some(repeated) = Sample::new(repeated) {
            let want = repeated.quantile(percent);
            let got = s.resampled_quantile(percent, &counts);
            if want.lower_bound {
                prop_assert!(got.lower_bound && got.value >= want.value);
            } else {
                prop_assert_eq!(got, want);
            }
        }
    }

    #[test]
    fn an_answer_that_stops_coming_never_looks_faster(
        values in prop::collection::vec(0.0..8_000.0_f64, 1..60),
        lost in prop::collection::vec(any::<bool>(), 60),
        percent in 1.0..99.9_f64,
    ) {
        let before = sample(&values, &[]).quantile(percent);
        let kept: Vec<f64> =
            values.iter().zip(&lost).filter(|(_, l)| !**l).map(|(v, _)| *v).collect();
        let after = sample(&kept, &vec![8_000.0; values.len() - kept.len()]).quantile(percent);
        prop_assert!(after.value >= before.value, "{before:?} became {after:?}");
    }

    #[test]
    fn a_quantile_only_rises_with_its_level_and_the_order_of_input_means_nothing(
        mut values in prop::collection::vec((0_u32..100, any::<bool>()), 1..50),
        a in 0.0..100.0_f64,
        b in 0.0..100.0_f64,
    ) {
        let of = |values: &[(u32, bool)]| {
            Sample::new(values.iter().map(|(v, c)| point(f64::from(*v), *c))).expect("not empty")
        };
        let s = of(&values);
        prop_assert!(s.quantile(a.min(b)).value <= s.quantile(a.max(b)).value);
        values.reverse();
        prop_assert_eq!(of(&values), s);
    }
}
