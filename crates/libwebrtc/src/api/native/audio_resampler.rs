//! Conversion of sampling rate and channels for the application's own use.

use crate::media::{self, PcmShape};

/// A streaming converter. It starts anew when the shape of its input or output changes.
#[derive(Default, Debug)]
pub struct AudioResampler {
    current: Option<Conversion>,
    mixed: Vec<i16>,
    output: Vec<i16>,
}

#[derive(Debug)]
struct Conversion {
    from: PcmShape,
    to: PcmShape,
    resampler: media::Resampler,
}

impl AudioResampler {
    /// Converts `samples_per_channel` interleaved samples of `src`. Stereo becomes mono by averaging, other channels
    /// are filled from or cut to the first ones. The delay is half a millisecond or less.
    ///
    /// The result is empty if `src` is shorter than that, or a rate or number of channels is zero.
    pub fn remix_and_resample<'a>(
        &'a mut self,
        src: &[i16],
        samples_per_channel: u32,
        num_channels: u32,
        sample_rate: u32,
        dst_num_channels: u32,
        dst_sample_rate: u32,
    ) -> &'a [i16] {
        self.output.clear();
        let from = PcmShape { rate: sample_rate, channels: num_channels };
        let to = PcmShape { rate: dst_sample_rate, channels: dst_num_channels };
        let wanted = (samples_per_channel as usize).saturating_mul(num_channels as usize);
        let Some(src) =
            src.get(..wanted).filter(|_| [from, to].iter().all(|s| s.rate > 0 && s.channels > 0))
        else {
            log::error!(
                "cannot convert {} samples of {from:?}, {samples_per_channel} each, to {to:?}",
                src.len()
            );
            return &[];
        };
        self.mixed.clear();
        remix(src, num_channels as usize, dst_num_channels as usize, &mut self.mixed);
        if from.rate == to.rate {
            self.output.extend_from_slice(&self.mixed);
            return &self.output;
        }
        let conversion = match self.current.take() {
            Some(current) if (current.from, current.to) == (from, to) => current,
            _ => Conversion {
                from,
                to,
                resampler: media::Resampler::new(from.rate, to.rate, to.channels as usize),
            },
        };
        self.current.insert(conversion).resampler.process(&self.mixed, &mut self.output);
        &self.output
    }
}

fn remix(src: &[i16], from: usize, to: usize, out: &mut Vec<i16>) {
    for frame in src.chunks_exact(from) {
        if (from, to) == (2, 1) {
            out.push(frame[0].midpoint(frame[1]));
        } else {
            out.extend((0..to).map(|channel| frame[channel.min(from - 1)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::{dominant_frequency, tone};

    #[test]
    fn a_tone_keeps_its_pitch_over_frames() {
        let mut resampler = AudioResampler::default();
        let mut output = Vec::new();
        for frame in tone(500.0, 48_000, 48_000).chunks(480) {
            output
                .extend_from_slice(resampler.remix_and_resample(frame, 480, 1, 48_000, 1, 16_000));
        }
        assert_eq!(output.len(), 16_000);
        assert!((dominant_frequency(&output[1600..], 16_000) - 500.0).abs() < 2.0);
    }

    #[test]
    fn channels_are_mixed_and_copied() {
        let mut resampler = AudioResampler::default();
        assert_eq!(
            resampler.remix_and_resample(&[10, 20, -3, -5], 2, 2, 48_000, 1, 48_000),
            [15, -4]
        );
        assert_eq!(
            resampler.remix_and_resample(&[10, 20], 2, 1, 48_000, 2, 48_000),
            [10, 10, 20, 20]
        );
    }

    #[test]
    fn nonsense_gives_nothing() {
        let mut resampler = AudioResampler::default();
        assert!(resampler.remix_and_resample(&[1, 2], 3, 1, 48_000, 1, 16_000).is_empty());
        assert!(resampler.remix_and_resample(&[1, 2], 2, 0, 48_000, 1, 16_000).is_empty());
        assert!(resampler.remix_and_resample(&[1, 2], 2, 1, 48_000, 1, 0).is_empty());
    }
}
