use proptest::prelude::*;

use super::*;

const ALIGNED: Aligned = Aligned { offset_ms: 0.0, error_ms: 50.0, edges: 9 };

fn heard(from: f64) -> Heard {
    Heard { said: Some((from, from + 1_500.0)), reply: Some(from + 2_500.0), e2e_ms: None }
}

fn exchange(from: f64) -> Exchange {
    Exchange {
        said: Some((from + 30.0, from + 1_590.0)),
        spoke: Some((from + 2_430.0, from + 4_000.0)),
        from,
        until: from + 4_000.0,
        ..Exchange::default()
    }
}

proptest! {
    #[test]
    fn missing_and_extra_turns_shift_nothing(
        sides in prop::collection::vec(0_u8..10, 1..30),
    ) {
        let (mut turns, mut exchanges, mut want) = (Vec::new(), Vec::new(), Vec::new());
        for (at, side) in (0_u32..).zip(&sides) {
            let from = 8_000.0 * f64::from(at);
            if *side != 1 {
                exchanges.push(exchange(from));
            }
            if *side != 0 {
                turns.push(heard(from));
                want.push((*side != 1).then(|| exchanges.len() - 1));
            }
        }
        prop_assert_eq!(join(&turns, &exchanges, Some(ALIGNED)), want);
    }

    #[test]
    fn pairs_never_cross(
        ours in prop::collection::vec(0.0..60_000.0_f64, 0..20),
        theirs in prop::collection::vec(0.0..60_000.0_f64, 0..20),
    ) {
        let turns: Vec<Heard> = ours.into_iter().map(heard).collect();
        let exchanges: Vec<Exchange> = theirs.into_iter().map(exchange).collect();
        let joined = join(&turns, &exchanges, Some(ALIGNED));
        let pairs: Vec<usize> = joined.into_iter().flatten().collect();
        prop_assert!(pairs.windows(2).all(|pair| pair[0] < pair[1]), "{pairs:?}");
    }
}

#[test]
fn the_same_figure_is_the_same_turn_without_any_clock() {
    let with = |e2e_ms| Heard { e2e_ms: Some(e2e_ms), ..Heard::default() };
    let of = |e2e| Exchange {
        claims: crate::spans::timeline::Claims { e2e_latency_ms: Some(e2e), ..Default::default() },
        ..Exchange::default()
    };
    let turns = [with(911.25), with(1_204.5), with(950.0)];
    let exchanges = [of(700.0), of(911.251), of(950.0)];
    assert_eq!(join(&turns, &exchanges, None), [Some(1), None, Some(2)]);
}
