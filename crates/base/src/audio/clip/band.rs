//! What tells a voice from other sounds of a recording: its band, and that it repeats itself.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use crate::audio::RATE;
use crate::audio::level::BLOCK;

/// Below this the hum of mains, rumble and the thud of a door have most of their power, a voice very
/// little of its own: telephones leave it out.
const LOWEST_HZ: f64 = 180.0;

/// A pitch needs no more samples than 6 kHz.
const DECIMATION: usize = 8;
/// A pitch is looked for every 5 ms.
const PLACE: usize = BLOCK / 2;
/// The samples that are compared with later ones, 25 ms.
const COMPARED: usize = 150;
/// The periods of 70 to 400 Hz at 6 kHz.
const SHORTEST: usize = 15;
const LONGEST: usize = 85;
/// From this correlation on, sounds a period apart are the same …
const SAME: f64 = 0.6;
/// … where they were different in between, as those of a slow swell never are.
const DIFFERENT: f64 = 0.3;

/// The samples without what lies below a voice. The filter runs in both directions, so nothing moves.
pub(super) fn high_pass(pcm: &[i16]) -> Vec<i16> {
    let mut samples: Vec<f64> = pcm.iter().copied().map(f64::from).collect();
    Biquad::high_pass().run(samples.iter_mut());
    Biquad::high_pass().run(samples.iter_mut().rev());
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    samples.into_iter().map(|x| x.round() as i16).collect()
}

/// A filter of second order (Butterworth, by the bilinear transform).
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    fn high_pass() -> Self {
        let omega = TAU * LOWEST_HZ / f64::from(RATE);
        let (sin, cos) = omega.sin_cos();
        let alpha = sin * FRAC_1_SQRT_2;
        let whole = 1.0 + alpha;
        let b = f64::midpoint(1.0, cos) / whole;
        Self {
            b: [b, -2.0 * b, b],
            a: [-2.0 * cos / whole, (1.0 - alpha) / whole],
            state: [0.0; 2],
        }
    }

    fn run<'a>(mut self, samples: impl Iterator<Item = &'a mut f64>) {
        let ([b0, b1, b2], [a1, a2]) = (self.b, self.a);
        for x in samples {
            let y = b0 * *x + self.state[0];
            self.state = [b1 * *x - a1 * y + self.state[1], b2 * *x - a2 * y];
            *x = y;
        }
    }
}

/// Whether a sound repeats itself as a voice does, in samples without what lies below a voice.
pub(super) struct Pitch {
    samples: Vec<f64>,
}

impl Pitch {
    pub(super) fn of(pcm: &[i16]) -> Self {
        let mean = |piece: &[i16]| piece.iter().copied().map(f64::from).sum::<f64>() / 8.0;
        Self { samples: pcm.chunks_exact(DECIMATION).map(mean).collect() }
    }

    /// At how many places of a block, 5 ms apart, a pitch is found.
    pub(super) fn places_in(&self, block: usize) -> usize {
        (block * BLOCK..(block + 1) * BLOCK).step_by(PLACE).filter(|at| self.is_at(*at)).count()
    }

    /// Whether there is a pitch in the 40 ms from a sample on.
    fn is_at(&self, sample: usize) -> bool {
        let from = sample / DECIMATION;
        let Some(window) = self.samples.get(from..from + COMPARED + LONGEST) else { return false };
        let energy = |at: usize| window[at..at + COMPARED].iter().map(|x| x * x).sum::<f64>();
        let first = energy(0);
        let mut has_differed = false;
        for lag in 1..=LONGEST {
            let both: f64 = window[..COMPARED].iter().zip(&window[lag..]).map(|(a, b)| a * b).sum();
            let correlation = both / (first * energy(lag)).sqrt();
            if lag >= SHORTEST && has_differed && correlation >= SAME {
                return true;
            }
            has_differed |= correlation < DIFFERENT;
        }
        false
    }
}
