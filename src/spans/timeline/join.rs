//! Which exchange of the agent's is which turn of ours: by order and time together. A pairing never crosses another
//! one, and of all such the one that agrees with most is taken, so that an exchange too many, or a turn that the agent
//! did not notice, does not shift the others.

use super::align::Aligned;
use super::exchange::Exchange;
use crate::turn::Turn;

/// Turns and exchanges that are paired.
pub(super) const MOST: usize = 2_000;
/// Sound is under way, and speech is noticed late, for no longer than this. Milliseconds.
const UNDER_WAY: f64 = 500.0;
/// The same figure in the call and in the spans is the same number. Milliseconds.
const SAME: f64 = 0.2;

/// A turn of ours by what the join needs of it, milliseconds of our clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    pub(super) said: Option<(f64, f64)>,
    pub(super) reply: Option<f64>,
    /// What the agent reported in the call of the same turn.
    pub(super) e2e_ms: Option<f64>,
}

impl Heard {
    pub(super) fn of(turn: &Turn, ms: impl Fn(crate::time::Offset) -> f64) -> Self {
        let reply = turn.reply.voice().map(|voice| ms(voice.from));
        Self {
            said: turn.said.map(|said| (ms(said.from), ms(said.until))),
            reply,
            e2e_ms: turn.reported.e2e_latency_ms,
        }
    }
}

/// For each turn the exchange that is the same one.
pub(super) fn join(
    turns: &[Heard],
    exchanges: &[Exchange],
    aligned: Option<Aligned>,
) -> Vec<Option<usize>> {
    let (n, m) = (turns.len().min(MOST), exchanges.len().min(MOST));
    // The best total from turn i and exchange j on.
    let width = m + 1;
    let mut best = vec![0_u32; (n + 1) * width];
    let score = |i: usize, j: usize| agreement(&turns[i], &exchanges[j], aligned);
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            let skip = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            let matched = match score(i, j) {
                0 => 0,
                points => points + best[(i + 1) * width + j + 1],
            };
            best[i * width + j] = skip.max(matched);
        }
    }
    let mut joined = vec![None; turns.len()];
    let (mut i, mut j) = (0, 0);
    while i < n && j < m {
        let (now, points) = (best[i * width + j], score(i, j));
        if points > 0 && now == points + best[(i + 1) * width + j + 1] {
            joined[i] = Some(j);
            (i, j) = (i + 1, j + 1);
        } else if now == best[(i + 1) * width + j] {
            i += 1;
        } else {
            j += 1;
        }
    }
    joined
}

/// How much speaks for the two being the same; 0 where nothing does.
fn agreement(turn: &Heard, exchange: &Exchange, aligned: Option<Aligned>) -> u32 {
    let same = |a: Option<f64>, b: Option<f64>| Some((a? - b?).abs() <= SAME);
    let claimed = match same(turn.e2e_ms, exchange.claims.e2e_latency_ms) {
        Some(true) => 8,
        Some(false) | None => 0,
    };
    let Some(Aligned { offset_ms, error_ms, .. }) = aligned else { return claimed };
    let near = UNDER_WAY + error_ms;
    let begins = exchange.spoke.map(|spoke| spoke.0 + offset_ms);
    let replied = match (turn.reply, begins) {
        (Some(heard), Some(sent)) if (heard - sent).abs() <= near => 4,
        _ => 0,
    };
    let said = match (turn.said, exchange.said) {
        (Some(ours), Some(theirs)) => {
            let theirs = (theirs.0 + offset_ms, theirs.1 + offset_ms);
            let apart = (theirs.0 - ours.1).max(ours.0 - theirs.1);
            let is_whole = (theirs.1 - ours.1).abs() <= near;
            if apart > near { 0 } else { 2 + u32::from(is_whole) }
        }
        _ => 0,
    };
    claimed + replied + said
}

#[cfg(test)]
mod tests;
