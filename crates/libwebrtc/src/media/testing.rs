//! Signals and their properties, for tests.

use std::{
    f64::consts::TAU,
    time::{Duration, Instant},
};

/// An instant earlier than another, which tests take from the clock.
pub(crate) fn before(instant: Instant, by: Duration) -> Instant {
    instant.checked_sub(by).expect("the clock has run for longer than that")
}

/// A sine of about a third of full scale.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "small numbers in a test"
)]
pub(crate) fn tone(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
    (0..samples)
        .map(|i| ((TAU * hz * i as f64 / f64::from(rate)).sin() * 12_000.0) as i16)
        .collect()
}

/// The frequency of a sine, from its rising zero crossings.
#[expect(clippy::cast_precision_loss, reason = "small numbers in a test")]
pub(crate) fn dominant_frequency(samples: &[i16], rate: u32) -> f64 {
    let crossings: Vec<usize> =
        (1..samples.len()).filter(|i| samples[i - 1] < 0 && samples[*i] >= 0).collect();
    match (crossings.first(), crossings.last()) {
        (Some(first), Some(last)) if last > first => {
            (crossings.len() - 1) as f64 * f64::from(rate) / (last - first) as f64
        }
        _ => 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers in a test")]
pub(crate) fn rms(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}
