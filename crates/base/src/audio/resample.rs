//! Brings samples of any rate to 48 kHz, with every sound where it was.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters, WindowFunction};

use super::RATE;

/// Taps of the filter: at 8 kHz it reaches 8 ms to each side, and what rings there is below −100 dB.
const TAPS: usize = 128;

/// Input samples the filter takes at a time; only memory depends on it.
const CHUNK: usize = 1024;

/// The samples at 48 kHz. The filter is symmetrical and its delay is taken off, so the sound at time
/// t of the input is at time t of the output, to within two samples (40 µs).
pub(super) fn to_48k(samples: &[f32], rate: u32) -> Vec<f32> {
    if rate == RATE {
        return samples.to_vec();
    }
    let parameters = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2);
    let ratio = f64::from(RATE) / f64::from(rate);
    let mut resampler = Async::new_sinc(ratio, 1.0, &parameters, CHUNK, 1, FixedAsync::Input)
        .expect("a ratio of two positive rates and a chunk of a fixed size are valid");
    let input = InterleavedSlice::new(samples, 1, samples.len())
        .expect("one channel of exactly that many samples");
    resampler
        .process_all(&input, samples.len(), None)
        .expect("the buffers are made to fit one channel of that length")
        .take_data()
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "small numbers in tests"
)]
mod tests {
    use super::*;

    const RATES: [u32; 12] = [
        8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200,
        96_000,
    ];

    /// A narrow Gaussian at 250 ms, as every rate sees it.
    fn pulse(rate: u32) -> Vec<f32> {
        let width = 0.0005;
        (0..rate / 2)
            .map(|i| (-((f64::from(i) / f64::from(rate) - 0.25) / width).powi(2)).exp() as f32)
            .collect()
    }

    #[test]
    fn every_rate_keeps_time_and_size() {
        for rate in RATES {
            let out = to_48k(&pulse(rate), rate);
            assert!(out.len().abs_diff(24_000) <= 6, "{rate}: {} samples", out.len());
            let (at, peak) = out
                .iter()
                .enumerate()
                .fold((0, 0.0), |top, (i, x)| if *x > top.1 { (i, *x) } else { top });
            assert!(at.abs_diff(12_000) <= 1, "{rate}: at {at}");
            assert!((peak - 1.0).abs() < 0.01, "{rate}: {peak}");
        }
    }

    #[test]
    fn a_tone_keeps_its_place_and_level_and_gets_no_company() {
        let omega = std::f64::consts::TAU * 1000.0;
        for rate in RATES {
            let samples: Vec<f32> = (0..rate)
                .map(|i| (omega * f64::from(i) / f64::from(rate)).sin() as f32 * 0.5)
                .collect();
            let out = to_48k(&samples, rate);
            // The best sine of 1 kHz, in amplitude and phase, over whole periods.
            let (mut sine, mut cosine) = (0.0, 0.0);
            let middle = || {
                out[4800..43_200]
                    .iter()
                    .enumerate()
                    .map(|(i, x)| (omega * i as f64 / 48e3, f64::from(*x)))
            };
            for (phase, x) in middle() {
                sine += x * phase.sin() / 19_200.0;
                cosine += x * phase.cos() / 19_200.0;
            }
            let rest = middle()
                .map(|(phase, x)| (x - sine * phase.sin() - cosine * phase.cos()).abs())
                .fold(0.0, f64::max);
            let late = cosine.atan2(sine) / omega * 48e3;
            assert!((sine.hypot(cosine) - 0.5).abs() < 0.0005, "{rate}: {sine} {cosine}");
            assert!(rest < 0.0002, "{rate}: {rest} of something else");
            assert!(late.abs() < 2.0, "{rate}: {late} samples late");
        }
    }

    #[test]
    fn short_input_works() {
        for rate in RATES {
            for len in [1, 2, 100] {
                assert!(!to_48k(&vec![0.1; len], rate).is_empty(), "{rate} {len}");
            }
        }
    }
}
