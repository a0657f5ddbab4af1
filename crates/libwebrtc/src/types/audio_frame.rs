//! A stretch of PCM audio.

use std::borrow::Cow;

/// Interleaved signed 16-bit samples with their shape.
#[derive(Debug, Clone)]
pub struct AudioFrame<'a> {
    /// `samples_per_channel` × `num_channels` samples, one of every channel at a time.
    pub data: Cow<'a, [i16]>,
    /// In Hz.
    pub sample_rate: u32,
    pub num_channels: u32,
    pub samples_per_channel: u32,
}

impl AudioFrame<'_> {
    /// A frame of silence.
    pub fn new(sample_rate: u32, num_channels: u32, samples_per_channel: u32) -> Self {
        let samples = num_channels as usize * samples_per_channel as usize;
        Self { data: vec![0; samples].into(), sample_rate, num_channels, samples_per_channel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_frame_is_silent_and_has_every_channel() {
        let frame = AudioFrame::new(48_000, 2, 480);
        assert_eq!(frame.data.len(), 960);
        assert!(frame.data.iter().all(|sample| *sample == 0));
    }
}
