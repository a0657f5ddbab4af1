//! When an A/B run that goes on until it is decided is looked at, and at which levels.
//!
//! The looks are planned and recorded before the first call, so whoever judges the recording again asks at the
//! same ones and no other. Between two looks nothing is judged.

use super::asked::{Asking, MIN_PAIRS, SHARES, Shares};
use crate::stats::looks::levels;

/// So many looks at equal distances.
const LOOKS: u32 = 5;

/// The numbers of pairs at which a run of up to `most` is looked at, the last of them `most`. Even, so that a
/// block of calls, A B B A, is whole; the first no smaller than a comparison needs.
pub fn planned(most: u32) -> Vec<u32> {
    let least = u32::try_from(MIN_PAIRS).unwrap_or(u32::MAX);
    let mut looks: Vec<u32> = (1..=LOOKS)
        .map(|look| {
            let at = u64::from(most) * u64::from(look) / u64::from(LOOKS);
            u32::try_from(at.next_multiple_of(2)).unwrap_or(most).max(least).min(most)
        })
        .collect();
    looks.dedup();
    looks
}

/// One look: at so many pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) pairs: u32,
    pub(super) asking: Asking,
    /// No look follows.
    pub(super) last: bool,
}

/// One look at all of `pairs`.
pub(super) fn once(pairs: u32, seed: u64) -> Vec<Look> {
    let asking = Asking { shares: SHARES, once: true, seed };
    vec![Look { pairs, asking, last: true }]
}

/// Looks at these numbers of pairs, rising.
pub(super) fn all(planned: &[u32], seed: u64) -> Vec<Look> {
    let Some(most) = planned.last().copied().map(f64::from) else { return Vec::new() };
    let through: Vec<f64> = planned.iter().map(|at| f64::from(*at) / most).collect();
    let spread = |alpha| levels(alpha, &through);
    let Shares { calls, typical, slow, steps, better, equal } = SHARES;
    let [calls, typical, slow, steps, better, equal] =
        [calls, typical, slow, steps, better, equal].map(spread);
    let level = |of: &Vec<f64>, i: usize| of.get(i).copied().unwrap_or_default();
    planned
        .iter()
        .enumerate()
        .map(|(i, pairs)| {
            let shares = Shares {
                calls: level(&calls, i),
                typical: level(&typical, i),
                slow: level(&slow, i),
                steps: level(&steps, i),
                better: level(&better, i),
                equal: level(&equal, i),
            };
            let asking = Asking { shares, once: false, seed };
            Look { pairs: *pairs, asking, last: i + 1 == planned.len() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_even_rising_and_end_with_all() {
        assert_eq!(planned(40), [8, 16, 24, 32, 40]);
        assert_eq!(planned(30), [6, 12, 18, 24, 30]);
        assert_eq!(planned(12), [6, 8, 10, 12]);
        assert_eq!(planned(25), [6, 10, 16, 20, 25]);
        assert_eq!(planned(6), [6]);
        assert_eq!(planned(1), [1]);
    }

    #[test]
    fn the_first_looks_ask_for_much_and_the_last_for_little_more_than_one_would() {
        let looks = all(&planned(50), 1);
        let typical: Vec<f64> = looks.iter().map(|look| look.asking.shares.typical).collect();
        assert!(typical.windows(2).all(|pair| pair[0] < pair[1]), "{typical:?}");
        assert!(typical[0] < 1e-6 && (0.6..1.0).contains(&(typical[4] / SHARES.typical)));
        assert!(looks[4].last && !looks[3].last && !looks[0].asking.once);
        assert_eq!(once(50, 1)[0].asking.shares, SHARES);
    }
}
