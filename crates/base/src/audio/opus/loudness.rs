//! How loud an Opus packet is, told from its first bytes: at a fiftieth of the cost of decoding, or less.
//!
//! What is read comes before the sound in a packet: the energies of the bands of CELT, the gains of
//! SILK. Neither is a measurement, so a level proves something only by a wide margin. With a threshold
//! of −50 dBFS, what never took a quiet packet for a loud one, and how much of a voice it found loud
//! (9 clips, 16 settings of the encoder, clean and in noise of a room up to −50 dBFS; the shares
//! without that loudest noise, which reaches the threshold itself):
//!
//! - CELT: −40 dBFS, 93 to 97 %. A packet is not cut out of the sound sharply: it overlaps its
//!   neighbours by 2.5 ms (RFC 6716, 4.3.7), so a sound that begins right behind it makes it loud, and
//!   in the packet behind the end of a voice there can be more energy than is heard. What is loud is
//!   therefore this packet, the one before, or the first 2.5 ms of the next.
//! - SILK: 25 dB above −50 dBFS plus the median of (level − real level) of packets that were decoded and
//!   are louder than −45 dBFS, 59 to 81 %. That median depends on the bit rate. Noise comes out up to
//!   22 dB louder than a voice, so what was learned from silent pauses alone is no limit: noise that
//!   sets in later would be above it.

mod celt;
mod range;
mod silk;

/// The longest frame (RFC 6716, 3.2.1).
const FRAME_MAX: usize = 1275;

/// Follows a stream of packets.
#[derive(Debug, Default)]
pub(in crate::audio) struct Loudness {
    /// While packets are CELT alone.
    bands: Option<celt::Bands>,
}

/// How loud a packet is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::audio) struct Loud {
    /// Where that was read.
    pub(in crate::audio) layer: Layer,
    /// Its level in dB. CELT: of the whole packet in dBFS. SILK: of its quieter 10 ms, from a zero of
    /// its own.
    pub(in crate::audio) db: f64,
}

/// Levels of different layers are not to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audio) enum Layer {
    /// SILK at 8 kHz.
    SilkNarrow,
    /// SILK at 12 kHz.
    SilkMedium,
    /// SILK at 16 kHz, alone or below CELT (hybrid), of which nothing is read.
    SilkWide,
    /// CELT alone.
    Celt {
        /// How many bands are coded, which is the bandwidth.
        bands: usize,
    },
}

impl Loudness {
    /// At the beginning of a stream.
    pub(in crate::audio) fn new() -> Self {
        Self::default()
    }

    /// How loud the next packet is. `None` where it cannot be told without decoding: packets that are
    /// not one frame of 20 ms in mono, copies against loss, and CELT until enough of it was seen. Every
    /// packet of the stream must be given, in order.
    pub(in crate::audio) fn of(&mut self, packet: &[u8]) -> Option<Loud> {
        let Some((layer, frame)) = single(packet) else {
            self.lost();
            return None;
        };
        let db = if let Layer::Celt { bands: count } = layer {
            if self.bands.as_ref().is_none_or(|bands| bands.count() != count) {
                self.bands = Some(celt::Bands::unknown(count));
            }
            self.bands.as_mut()?.level(frame)
        } else {
            // The decoder forgets its CELT when it changes to SILK and back.
            self.lost();
            silk::level(frame)
        };
        db.map(|db| Loud { layer, db })
    }

    /// Packets were lost in front of the next one, or the stream starts anew.
    pub(in crate::audio) fn lost(&mut self) {
        self.bands = None;
    }
}

/// The frame of a packet that holds one of 20 ms in mono, and what it is coded with (RFC 6716, 3.1).
fn single(packet: &[u8]) -> Option<(Layer, &[u8])> {
    let (toc, frame) = packet.split_first()?;
    // Code 0, and not the one byte or none of a pause (DTX), which a decoder takes for a loss.
    let (config, stereo, code) = (toc >> 3, (toc >> 2) & 1, toc & 3);
    if stereo != 0 || code != 0 || !(2..=FRAME_MAX).contains(&frame.len()) {
        return None;
    }
    let layer = match config {
        1 => Layer::SilkNarrow,
        5 => Layer::SilkMedium,
        9 | 13 | 15 => Layer::SilkWide,
        19 => Layer::Celt { bands: 13 },
        23 => Layer::Celt { bands: 17 },
        27 => Layer::Celt { bands: 19 },
        31 => Layer::Celt { bands: celt::BANDS_MAX },
        _ => return None,
    };
    Some((layer, frame))
}

#[cfg(test)]
mod tests;
