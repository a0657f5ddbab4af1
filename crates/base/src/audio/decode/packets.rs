//! Opus packets of a file, which symphonia finds and does not decode.

use opus::Channels;

use crate::audio::RATE;

/// The longest packet an Opus stream may hold, in samples of a channel: 120 ms.
const LONGEST: usize = 5760;

/// Decodes the packets of one file.
pub(super) struct PacketDecoder {
    inner: opus::Decoder,
    channels: usize,
    /// What the file wants its samples multiplied by.
    gain: f32,
    /// Interleaved.
    samples: Vec<f32>,
}

impl PacketDecoder {
    /// A decoder for the stream with this identification header (RFC 7845, 5.1); `None` for one that is
    /// none, or whose channels are of several streams.
    pub(super) fn of_head(head: &[u8]) -> Option<Self> {
        let head = head.strip_prefix(b"OpusHead")?.first_chunk::<11>()?;
        let [_, channels, _, _, _, _, _, _, low, high, family] = *head;
        let kind = match (channels, family) {
            (1, 0) => Channels::Mono,
            (2, 0) => Channels::Stereo,
            _ => return None,
        };
        let inner = opus::Decoder::new(RATE, kind).ok()?;
        let channels = usize::from(channels);
        // Q7.8 in dB.
        let gain = 10f32.powf(f32::from(i16::from_le_bytes([low, high])) / (20.0 * 256.0));
        Some(Self { inner, channels, gain, samples: vec![0.0; LONGEST * channels] })
    }

    /// The samples of each channel at 48 kHz; `None` when the packet is no Opus.
    pub(super) fn decode(&mut self, packet: &[u8]) -> Option<Vec<Vec<f32>>> {
        if packet.is_empty() {
            // libopus would take it for a loss.
            return None;
        }
        let length = self.inner.decode_float(packet, &mut self.samples, false).ok()?;
        let all = &self.samples[..length * self.channels];
        let channel =
            |i| all.iter().skip(i).step_by(self.channels).map(|x| x * self.gain).collect();
        Some((0..self.channels).map(channel).collect())
    }
}
