//! Opus to PCM, for one sink.

use std::{collections::VecDeque, sync::Arc};

use opus::Channels;

use super::jitter::Stretch;
use crate::{
    media::{PERIOD, PcmShape, PcmSink, resample::Resampler},
    types::{RtcError, audio_frame::AudioFrame},
};

const FULL_BAND: u32 = 48_000;
/// Rates that the decoder gives as they are (RFC 6716, 2.1.1).
const RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, FULL_BAND];
/// Room for the longest packet, 120 ms of stereo at 48 kHz.
const MAX_SAMPLES: usize = 5760 * 2;

/// Decodes a stream into the shape of a sink.
#[derive(Debug)]
pub(super) struct SinkDecoder {
    sink: Arc<PcmSink>,
    opus: opus::Decoder,
    rate: u32,
    resampler: Option<Resampler>,
    scratch: Vec<i16>,
    resampled: Vec<i16>,
    /// Decoded and not yet delivered.
    ready: VecDeque<i16>,
}

impl SinkDecoder {
    pub(super) fn new(sink: &Arc<PcmSink>) -> Result<Self, RtcError> {
        let PcmShape { rate: wanted, channels } = sink.shape();
        let native = RATES.contains(&wanted);
        let rate = if native { wanted } else { FULL_BAND };
        let opus_channels = if channels == 1 { Channels::Mono } else { Channels::Stereo };
        let opus = opus::Decoder::new(rate, opus_channels).map_err(|error| {
            RtcError::internal(format!("opus decoder for {wanted} Hz: {error}"))
        })?;
        Ok(Self {
            sink: Arc::clone(sink),
            opus,
            rate,
            resampler: (!native).then(|| Resampler::new(FULL_BAND, wanted, channels as usize)),
            scratch: vec![0; MAX_SAMPLES],
            resampled: Vec::new(),
            ready: VecDeque::new(),
        })
    }

    pub(super) fn is_for(&self, sink: &Arc<PcmSink>) -> bool {
        Arc::ptr_eq(&self.sink, sink)
    }

    /// Turns a stretch into exactly as many samples as it is long.
    pub(super) fn decode(&mut self, stretch: &Stretch) {
        let channels = self.sink.shape().channels as usize;
        let len = stretch.samples() as usize * self.rate as usize / FULL_BAND as usize * channels;
        let out = &mut self.scratch[..len.min(MAX_SAMPLES)];
        let decoded = match stretch {
            Stretch::Packet(packet) => self.opus.decode(&packet.payload, out, false),
            Stretch::Conceal { recover: Some(next), .. } => self.opus.decode(next, out, true),
            Stretch::Conceal { recover: None, .. } => self.opus.decode(&[], out, false),
            Stretch::Silence => Ok(0),
        };
        let written = decoded.unwrap_or_else(|error| {
            log::debug!("opus decoder: {error}");
            0
        });
        // A packet that the decoder refuses is as good as lost; silence keeps the time right.
        out[written * channels..].fill(0);
        match &mut self.resampler {
            None => self.ready.extend(&*out),
            Some(resampler) => {
                self.resampled.clear();
                resampler.process(out, &mut self.resampled);
                self.ready.extend(&self.resampled);
            }
        }
    }

    /// Silences what [`deliver`](Self::deliver) will hand over.
    pub(super) fn mute(&mut self) {
        let period = self.sink.shape().period();
        self.ready.iter_mut().take(period).for_each(|sample| *sample = 0);
    }

    /// Hands 20 ms to the sink, in frames of 10 ms.
    pub(super) fn deliver(&mut self) {
        let shape = self.sink.shape();
        // A decoder that was added in the middle of a long packet has nothing yet.
        self.ready.resize(self.ready.len().max(shape.period()), 0);
        let period: Vec<i16> = self.ready.drain(..shape.period()).collect();
        let (first, second) = period.split_at(shape.samples(PERIOD / 2));
        let dropped = self.sink.queue().push([first, second].map(|samples| frame(samples, shape)));
        if dropped > 0 {
            self.report_overflow(dropped);
        }
    }

    fn report_overflow(&self, dropped: u64) {
        let total = self.sink.queue().dropped();
        // The first time, and then every hundredth.
        if total == dropped || total / 100 != (total - dropped) / 100 {
            log::warn!(
                "an audio stream is not read in time: {total} frames of 10 ms were dropped so far"
            );
        }
    }
}

fn frame(samples: &[i16], shape: PcmShape) -> AudioFrame<'static> {
    let per_channel = samples.len() / shape.channels as usize;
    AudioFrame {
        data: samples.to_vec().into(),
        sample_rate: shape.rate,
        num_channels: shape.channels,
        samples_per_channel: u32::try_from(per_channel).unwrap_or_default(),
    }
}
