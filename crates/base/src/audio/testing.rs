//! Signals for the tests of this module.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "small numbers in tests"
)]

use std::f64::consts::TAU;

/// The clips that come with the scenarios.
pub(super) const CLIPS: [(&str, &[u8]); 9] = [
    ("hours.wav", include_bytes!("../../../../scenarios/clips/hours.wav")),
    ("booking.wav", include_bytes!("../../../../scenarios/clips/booking.wav")),
    ("price.wav", include_bytes!("../../../../scenarios/clips/price.wav")),
    ("order.wav", include_bytes!("../../../../scenarios/clips/order.wav")),
    ("wait.wav", include_bytes!("../../../../scenarios/clips/wait.wav")),
    ("stop.wav", include_bytes!("../../../../scenarios/clips/stop.wav")),
    ("mhm.wav", include_bytes!("../../../../scenarios/clips/mhm.wav")),
    ("thanks.wav", include_bytes!("../../../../scenarios/clips/thanks.wav")),
    ("cough.wav", include_bytes!("../../../../scenarios/clips/cough.wav")),
];

/// A sine of `hz` Hz with an RMS level of `dbfs`, beginning at phase zero.
pub(super) fn tone(samples: usize, hz: f64, dbfs: f64) -> Vec<i16> {
    let amplitude = 32_768.0 * 2f64.sqrt() * 10f64.powf(dbfs / 20.0);
    (0..samples).map(|i| to_i16(amplitude * (TAU * hz * i as f64 / 48_000.0).sin())).collect()
}

/// A tone of 1 kHz that begins and ends at its crest, so that its edges are exact to the sample.
pub(super) fn burst(ms: usize, dbfs: f64) -> Vec<i16> {
    let amplitude = 32_768.0 * 2f64.sqrt() * 10f64.powf(dbfs / 20.0);
    (0..ms * 48).map(|i| to_i16(amplitude * (TAU * (i as f64 + 0.5) / 48.0).cos())).collect()
}

pub(super) fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * 48]
}

/// White noise with an RMS level of `dbfs`, Gaussian by the sum of twelve.
pub(super) fn noise(samples: usize, dbfs: f64, seed: u64) -> Vec<i16> {
    let rms = 32_768.0 * 10f64.powf(dbfs / 20.0);
    let mut random = Random(seed);
    (0..samples)
        .map(|_| {
            // Twelve numbers of 16 bit out of three of 64: their sum has a deviation of one unit.
            let sum: u64 = (0..3)
                .map(|_| random.next())
                .map(|x| (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48))
                .sum();
            to_i16(rms * (sum as f64 / 65_536.0 - 6.0))
        })
        .collect()
}

/// Noise with the slope of a room: more energy below (a one-pole low pass at about 300 Hz).
pub(super) fn room(samples: usize, dbfs: f64, seed: u64) -> Vec<i16> {
    let mut random = Random(seed);
    let mut low = 0.0;
    let raw: Vec<f64> = (0..samples)
        .map(|_| {
            low += 0.04 * (random.unit() - 0.5 - low);
            low
        })
        .collect();
    let rms = (raw.iter().map(|x| x * x).sum::<f64>() / raw.len() as f64).sqrt();
    let gain = 32_768.0 * 10f64.powf(dbfs / 20.0) / rms;
    raw.into_iter().map(|x| to_i16(x * gain)).collect()
}

pub(super) fn mix(into: &mut [i16], at: usize, what: &[i16]) {
    for (to, from) in into[at..].iter_mut().zip(what) {
        *to = to.saturating_add(*from);
    }
}

fn to_i16(x: f64) -> i16 {
    x.round().clamp(-32_768.0, 32_767.0) as i16
}

/// `SplitMix64`: the same signals on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
