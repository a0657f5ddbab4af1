use super::*;

fn mean_of(values: &[f64]) -> Estimate {
    let figures = |out: &dyn Fn(usize) -> bool| {
        let kept: Vec<f64> =
            values.iter().enumerate().filter(|(i, _)| !out(*i)).map(|(_, v)| *v).collect();
        vec![Some(kept.iter().sum::<f64>() / f64::from(u32::try_from(kept.len()).expect("few")))]
    };
    jackknife(values.len(), figures).expect("several").remove(0).expect("a mean")
}

#[test]
fn of_a_mean_it_is_the_usual_error() {
    let values = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0];
    let of = mean_of(&values);
    let usual = super::super::deviation(&values) / 6.0_f64.sqrt();
    assert!((of.point - 4.5).abs() < 1e-12 && (of.error() - usual).abs() < 1e-12, "{of:?}");
    // t with 5 degrees of freedom: 2.571 at 2.5 %.
    assert!((of.reach(0.025) / usual - 2.5706).abs() < 1e-3);
    assert!((of.p_above(of.point - of.reach(0.01)) - 0.01).abs() < 1e-9);
    assert!((of.negated().point + 4.5).abs() < 1e-12);
}

#[test]
fn many_clusters_are_left_out_in_groups() {
    let mut random = SplitMix64::new(3);
    let values: Vec<f64> = (0..1_990).map(|_| random.normal()).collect();
    let of = mean_of(&values);
    assert_eq!(of.influence.len(), 199);
    let usual = super::super::deviation(&values) / 1_990.0_f64.sqrt();
    assert!((of.error() / usual - 1.0).abs() < 0.2, "{} and {usual}", of.error());
}

#[test]
fn tiny_levels_reach_far_and_stay_in_order() {
    let of = mean_of(&[1.0, 2.0, 4.0, 3.0, 5.0, 1.5, 2.5, 3.5]);
    let reaches: Vec<f64> =
        [0.1, 0.01, 1e-4, 9e-7, 1e-9, 1e-14].map(|alpha| of.reach(alpha)).to_vec();
    assert!(reaches.windows(2).all(|pair| pair[0] < pair[1]), "{reaches:?}");
    assert!(of.reach(0.0).is_infinite());
}

#[test]
fn what_has_no_error_is_certain() {
    let of = mean_of(&[2.0; 7]);
    assert!(of.error().abs() < 1e-12 && of.p_above(1.0) < 1e-12 && of.p_above(2.5) > 0.99);
}

/// Six questions of 12 clusters that vary together: none is beyond its limit, drawn in, more often than the
/// level says.
#[test]
fn all_questions_together_keep_their_level() {
    let mut random = SplitMix64::new(11);
    let (mut wrong, mut factors) = (0, 0.0);
    let trials = 1_500;
    for seed in 0..trials {
        let clusters: Vec<[f64; 6]> = (0..12)
            .map(|_| {
                let common = random.normal();
                [0.0; 6].map(|_: f64| common + 0.6 * random.normal())
            })
            .collect();
        let estimates: Vec<Estimate> =
            (0..6).map(|q| mean_of(&clusters.iter().map(|c| c[q]).collect::<Vec<_>>())).collect();
        let asked: Vec<(&Estimate, f64)> =
            estimates.iter().zip([0.016, 0.012, 0.003, 0.003, 0.003, 0.003]).collect();
        let factor = drawn_in(&asked, seed);
        factors += factor;
        let beyond = |(of, share): &(&Estimate, f64)| of.point > factor * of.reach(*share);
        wrong += i32::from(asked.iter().any(beyond));
    }
    // 4 % of 1,500 is 60, with a standard error of 7.6.
    assert!((40..=80).contains(&wrong), "{wrong} of {trials}");
    let factor = factors / 1_500.0;
    assert!(factor < 0.95, "what varies together is asked as one: {factor}");
}
