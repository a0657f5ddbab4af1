use proptest::prelude::*;

use super::*;

/// A call: when the caller speaks and the agent replies, by a perfect clock.
fn turns(gaps: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    let mut at = 2_000.0;
    let turn = |(reply, pause): &(f64, f64)| {
        let (from, until) = (at, at + 1_500.0);
        at = until + reply + pause;
        (from, until, until + reply)
    };
    gaps.iter().map(turn).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_true_difference_is_within_the_error(
        gaps in prop::collection::vec((300.0..4_000.0_f64, 1_500.0..7_000.0_f64), 4..40),
        delays in prop::collection::vec((0.0..250.0_f64, 0.0..300.0_f64, 0.0..90.0_f64), 40),
        missing in prop::collection::vec(0_u8..10, 40),
        extra in prop::collection::vec(0.0..200_000.0_f64, 0..4),
        offset in -3_600_000.0..3_600_000.0_f64,
        drift in -80e-6..80e-6_f64,
    ) {
        // The agent's clock at a moment of ours.
        let theirs = |ours: f64| ours - offset + drift * ours;
        let (mut ours, mut agents) = (Edges::default(), Edges::default());
        let mut both = 0;
        for (at, (from, until, reply)) in turns(&gaps).into_iter().enumerate() {
            let (way, late, begins) = delays[at % delays.len()];
            ours.caller_begins.push(from);
            ours.caller_ends.push(until);
            ours.agent_begins.push(reply);
            // One turn in ten is missing on the agent's side.
            if missing[at % missing.len()] > 0 {
                both += 1;
                agents.agent_begins.push(theirs(reply - way));
                agents.caller_begins.push(theirs(from + begins));
                agents.caller_ends.push(theirs(until + late));
            }
        }
        agents.agent_begins.extend(extra.iter().map(|at| theirs(*at)));
        prop_assume!(both >= 4);
        let length = gaps.iter().map(|(a, b)| a + b + 1_500.0).sum::<f64>();
        let found = align(&ours, &agents, None).unwrap();
        for moment in [0.0, length] {
            let truth = moment - theirs(moment);
            prop_assert!((found.offset_ms - truth).abs() <= found.error_ms, "{found:?} {truth}");
        }
        prop_assert!(found.error_ms < 400.0, "{found:?}");
    }

    #[test]
    fn any_edges_give_a_finite_difference_or_none(
        ours in prop::collection::vec(-1e6..1e6_f64, 0..30),
        agents in prop::collection::vec(-1e6..1e6_f64, 0..30),
        wall in prop::option::of(-1e9..1e9_f64),
    ) {
        let of = |edges: &[f64]| Edges {
            agent_begins: edges.to_vec(), caller_begins: edges.to_vec(), caller_ends: edges.to_vec(),
        };
        if let Ok(found) = align(&of(&ours), &of(&agents), wall) {
            prop_assert!(found.offset_ms.is_finite() && found.error_ms <= WORST);
        }
    }
}

#[test]
fn too_few_edges_are_none() {
    let edges = |begins: &[f64]| Edges { agent_begins: begins.to_vec(), ..Edges::default() };
    assert_eq!(align(&edges(&[]), &edges(&[]), None), Err(Apart::TooFew));
    // Without an edge of ours nothing bounds the difference from below.
    let ours = edges(&[1_000.0, 9_000.0, 13_500.0]);
    assert_eq!(align(&ours, &edges(&[900.0, 8_900.0, 13_400.0]), Some(0.0)), Err(Apart::TooFew));
}

#[test]
fn where_two_differences_fit_as_well_the_wall_clocks_decide() {
    // Two turns that are alike, of which the agent saw one.
    let ours = Edges {
        agent_begins: vec![5_000.0, 15_000.0],
        caller_begins: vec![2_000.0, 12_000.0],
        caller_ends: vec![4_000.0, 14_000.0],
    };
    let agents = Edges {
        agent_begins: vec![14_950.0],
        caller_begins: vec![12_020.0],
        caller_ends: vec![14_080.0],
    };
    assert_eq!(align(&ours, &agents, None), Err(Apart::Contradicting));
    let found = align(&ours, &agents, Some(30.0)).unwrap();
    assert!(found.offset_ms.abs() <= found.error_ms && found.edges == 3, "{found:?}");
    // An hour apart by the wall clocks: nobody knows which.
    assert_eq!(align(&ours, &agents, Some(3_600_000.0)), Err(Apart::Contradicting));
}
