//! Sampling rate conversion, for rates that Opus does not know.

use std::f64::consts::PI;

/// Filter length in samples of the slower side; half of it is the delay (0.4 ms at 44.1 kHz).
const LOBES: usize = 32;

/// A streaming polyphase windowed-sinc converter for interleaved samples.
///
/// The output of a stretch of input is exactly as long as the ratio says, whenever that is a whole number: 20 ms in is
/// 20 ms out, for every rate that is a multiple of 50 Hz.
#[derive(Debug)]
pub(crate) struct Resampler {
    channels: usize,
    up: usize,
    down: usize,
    /// `up` filters of `taps` coefficients each, one for every position of an output sample between two input samples.
    filters: Vec<f32>,
    taps: usize,
    /// The last `taps - 1` samples of every channel, then the new input.
    history: Vec<f32>,
    /// Position of the next output sample in steps of 1/`up` input samples after the newest one in the filter.
    position: usize,
}

impl Resampler {
    /// A converter from `from` to `to` Hz, both above zero.
    pub(crate) fn new(from: u32, to: u32, channels: usize) -> Self {
        let common = gcd(from.max(1), to.max(1));
        let up = (to.max(1) / common) as usize;
        let down = (from.max(1) / common) as usize;
        let taps = LOBES * down.div_ceil(up);
        let history = vec![0.0; (taps - 1) * channels];
        Self { channels, up, down, filters: filters(up, down, taps), taps, history, position: 0 }
    }

    /// Converts `input`, whole samples of all channels, and appends the result to `output`.
    pub(crate) fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        self.history.extend(input.iter().map(|sample| f32::from(*sample)));
        let available = self.history.len() / self.channels;
        let mut first = self.position / self.up;
        while first + self.taps <= available {
            let phase = self.position % self.up;
            let filter = &self.filters[phase * self.taps..][..self.taps];
            for channel in 0..self.channels {
                let samples =
                    self.history[first * self.channels + channel..].iter().step_by(self.channels);
                let sum: f32 =
                    filter.iter().zip(samples).map(|(weight, sample)| weight * sample).sum();
                output.push(to_i16(sum));
            }
            self.position += self.down;
            first = self.position / self.up;
        }
        let consumed = first.min(available);
        self.history.drain(..consumed * self.channels);
        self.position -= consumed * self.up;
    }
}

/// A sinc that cuts off at 92 % of the lower Nyquist frequency, under a Blackman window and normalised so that
/// a constant stays a constant.
fn filters(up: usize, down: usize, taps: usize) -> Vec<f32> {
    let cutoff = 0.92 * (float(up) / float(down)).min(1.0);
    let middle = float(taps) / 2.0;
    let mut all = Vec::with_capacity(up * taps);
    for phase in 0..up {
        let at = |tap: usize| {
            let x = float(tap) - middle + 1.0 - float(phase) / float(up);
            let sinc = if x.abs() < 1e-9 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
            let w = PI * x / middle;
            sinc * (0.42 + 0.5 * w.cos() + 0.08 * (2.0 * w).cos()).max(0.0)
        };
        let weights: Vec<f64> = (0..taps).map(at).collect();
        let sum: f64 = weights.iter().sum();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a filter coefficient needs no more than an f32"
        )]
        all.extend(weights.iter().map(|weight| (weight / sum) as f32));
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "counts of filter taps, far below 2^52")]
fn float(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range before")]
fn to_i16(sample: f32) -> i16 {
    sample.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::{dominant_frequency, rms, tone};

    fn convert(from: u32, to: u32, input: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to, 1);
        let mut output = Vec::new();
        for period in input.chunks(from as usize / 50) {
            let before = output.len();
            resampler.process(period, &mut output);
            assert_eq!(output.len() - before, to as usize / 50, "20 ms in, 20 ms out");
        }
        output
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level() {
        for (from, to) in [
            (44_100, 48_000),
            (48_000, 44_100),
            (32_000, 48_000),
            (96_000, 48_000),
            (48_000, 22_050),
        ] {
            let output = convert(from, to, &tone(1000.0, from, from as usize));
            let steady = &output[to as usize / 10..];
            assert!((dominant_frequency(steady, to) - 1000.0).abs() < 5.0, "{from} to {to}");
            assert!(
                (rms(steady) / rms(&tone(1000.0, from, from as usize)) - 1.0).abs() < 0.02,
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn what_the_slower_rate_cannot_hold_is_removed() {
        let output = convert(96_000, 48_000, &tone(30_000.0, 96_000, 96_000));
        assert!(rms(&output[4800..]) < 20.0, "alias of {}", rms(&output[4800..]));
    }

    #[test]
    fn channels_do_not_mix() {
        let mut resampler = Resampler::new(44_100, 48_000, 2);
        let mut output = Vec::new();
        let left: Vec<i16> = tone(500.0, 44_100, 44_100);
        resampler
            .process(&left.iter().flat_map(|sample| [*sample, 0]).collect::<Vec<_>>(), &mut output);
        assert!(output.iter().skip(1).step_by(2).all(|right| *right == 0));
        assert!(rms(&output) > 1000.0);
    }
}
