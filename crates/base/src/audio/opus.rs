//! Opus packets of what a caller says, and samples of the packets it hears.
//!
//! A clip is encoded once and its packets are sent by every caller: encoding costs ten times as much
//! as anything else a caller does.
//!
//! # Where a sample is in the packets
//!
//! The codec looks ahead: what is decoded comes [`LOOKAHEAD`] (6.5 ms) later in the stream of packets
//! than it went in. Sample n of a clip is heard 312 + n samples after the beginning of the first packet.
//! [`EncodedClip::first_voiced_at`] and [`EncodedClip::last_voiced_at`] have that added, because a
//! moment is counted when it can be heard, not when it went into the encoder; the moment on the wire is
//! "when that packet was sent, plus the place in it".
//!
//! In the other direction nothing is to be corrected. The look-ahead of the agent's encoder is part of
//! the delay the caller really has, and a decoder adds none: what is decoded from a packet is what can
//! be heard from it, so the moment is "when that packet arrived, plus the place in it".

use std::sync::Arc;
use std::time::Duration;

use opus::{Application, Bitrate, Channels};

use super::clip::Clip;
use super::level::{dbfs, power};
use super::{FRAME, RATE, duration_of};

/// Samples by which the decoded signal lies behind the encoded one: libopus at 48 kHz, 2.5 ms of
/// overlap and 4 ms to let its two codecs run in step. [`encode`] checks that the library agrees.
pub const LOOKAHEAD: usize = 312;

/// What the clients of `LiveKit` speak with; speech at 48 kHz is transparent here.
const BITRATE: i32 = 32_000;

/// The largest packet RFC 6716 allows for a frame.
pub(super) const PACKET_MAX: usize = 1275;

/// The longest packet an Opus stream may hold: 120 ms.
const DECODED_MAX: usize = 5760;

/// Silence an encoder gets before the clip, as long as it takes to settle. Its packets are those of
/// [`silence`], which a receiver has had before, so the beginning of the clip meets a decoder in the
/// state it was made for.
const WARM_UP: usize = 25;

/// Silence that is encoded behind the clip, after which the packets of [`silence`] can follow without
/// a sound.
const SETTLE: usize = 2;

/// Something libopus refused.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The library failed with nothing wrong on our side.
    #[error("libopus failed: {0}")]
    Library(#[from] opus::Error),
    /// A library with other delays than the ones documented here, so every latency would be off.
    #[error(
        "libopus looks ahead {0} samples where {LOOKAHEAD} are known: use the libopus that comes with the build"
    )]
    Lookahead(i32),
    /// A packet without a byte, which no encoder makes.
    #[error("empty Opus packet: report a lost one with `Decoder::conceal`")]
    Empty,
    /// A packet that is no Opus.
    #[error("undecodable Opus packet of {bytes} bytes: {source}")]
    Packet {
        /// Its length.
        bytes: usize,
        /// What libopus says.
        source: opus::Error,
    },
}

/// A packet of 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFrame {
    /// The Opus packet, shared by all who send it.
    pub payload: Arc<[u8]>,
    /// Level of what was encoded in −dBov, 0 (loudest) to 127 (silence), for the audio level header
    /// extension of RTP (RFC 6464).
    pub level: u8,
}

/// A clip as packets to be sent one each 20 ms. Cloning it copies no packets.
#[derive(Clone, Debug)]
pub struct EncodedClip {
    frames: Arc<[EncodedFrame]>,
    first_voiced_at: Duration,
    last_voiced_at: Duration,
}

impl EncodedClip {
    /// The packets in the order they are sent.
    pub fn frames(&self) -> &[EncodedFrame] {
        &self.frames
    }

    /// Where the first audible sample is heard, from the beginning of the first packet.
    pub fn first_voiced_at(&self) -> Duration {
        self.first_voiced_at
    }

    /// Where the last audible sample is heard, from the beginning of the first packet.
    pub fn last_voiced_at(&self) -> Duration {
        self.last_voiced_at
    }
}

/// Encodes a clip.
///
/// # Errors
/// Only when libopus itself fails or is one with another look-ahead.
pub fn encode(clip: &Clip) -> Result<EncodedClip, CodecError> {
    encode_pcm(clip.pcm(), clip.first_voiced(), clip.last_voiced())
}

/// Encodes samples (48 kHz mono) of which the first and the last audible one are known.
///
/// # Errors
/// As [`encode`].
pub fn encode_pcm(
    pcm: &[i16],
    first_voiced: usize,
    last_voiced: usize,
) -> Result<EncodedClip, CodecError> {
    let mut encoder = Encoder::settled()?;
    let needed = pcm.len() + LOOKAHEAD;
    let frames = needed.div_ceil(FRAME) + SETTLE;
    let mut pcm = pcm.to_vec();
    pcm.resize(frames * FRAME, 0);
    Ok(EncodedClip {
        frames: pcm
            .chunks_exact(FRAME)
            .map(|frame| encoder.encode(frame))
            .collect::<Result<_, _>>()?,
        first_voiced_at: duration_of((first_voiced + LOOKAHEAD) as u64),
        last_voiced_at: duration_of((last_voiced + LOOKAHEAD) as u64),
    })
}

/// A packet of silence that can be sent over and over, before, between and after clips.
///
/// # Errors
/// As [`encode`].
pub fn silence() -> Result<EncodedFrame, CodecError> {
    Encoder::settled()?.encode(&[0; FRAME])
}

/// The encoder with the settings all packets share.
struct Encoder(opus::Encoder);

impl Encoder {
    /// One that has heard nothing but silence, long enough that its packets no longer change.
    fn settled() -> Result<Self, CodecError> {
        let mut encoder = opus::Encoder::new(RATE, Channels::Mono, Application::Voip)?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE))?;
        // It runs once per clip, so the best quality costs nothing.
        encoder.set_complexity(10)?;
        // A microphone track is continuous: packets go on in silence.
        encoder.set_dtx(false)?;
        let lookahead = encoder.get_lookahead()?;
        if usize::try_from(lookahead) != Ok(LOOKAHEAD) {
            return Err(CodecError::Lookahead(lookahead));
        }
        let mut encoder = Self(encoder);
        for _ in 0..WARM_UP {
            encoder.encode(&[0; FRAME])?;
        }
        Ok(encoder)
    }

    fn encode(&mut self, pcm: &[i16]) -> Result<EncodedFrame, CodecError> {
        let mut packet = [0; PACKET_MAX];
        let length = self.0.encode(pcm, &mut packet)?;
        Ok(EncodedFrame { payload: packet[..length].into(), level: level(pcm) })
    }
}

fn level(pcm: &[i16]) -> u8 {
    let power = power(pcm);
    if power <= 0.0 {
        return 127;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=127"
    )]
    let level = (-dbfs(power)).round().clamp(0.0, 127.0) as u8;
    level
}

/// Decodes the packets of one stream, in their order.
#[derive(Debug)]
pub struct Decoder {
    inner: opus::Decoder,
    pcm: Box<[i16; DECODED_MAX]>,
    /// Samples of the last packet, the length a lost one is taken to have had.
    packet: usize,
    rest: Rest,
}

/// The packet that was decoded to silence last, and how often in a row.
///
/// Most of what a caller hears is silence, and an agent's is digital: the same packet over and over. A
/// decoder that has had it often enough stays as it is for as long as it gets that packet, so until
/// another comes there is nothing to decode.
#[derive(Debug, Default)]
struct Rest {
    payload: Vec<u8>,
    times: u32,
}

impl Rest {
    /// Silent packets that are the same after which what was before has faded. What was decoded later was the
    /// same to the bit from 2 on, with 9 clips, each twice, in 10 settings of the encoder.
    const SETTLED: u32 = 3;
    /// The largest sample of silence, −72 dBFS: the codec makes some noise of its own.
    const QUIET: u16 = 8;

    fn is_settled_on(&self, payload: &[u8]) -> bool {
        self.times >= Self::SETTLED && self.payload == payload
    }

    fn decoded(&mut self, payload: &[u8], pcm: &[i16]) {
        if pcm.iter().any(|sample| sample.unsigned_abs() > Self::QUIET) {
            self.times = 0;
        } else if self.times > 0 && self.payload == payload {
            self.times += 1;
        } else {
            self.payload.clear();
            self.payload.extend_from_slice(payload);
            self.times = 1;
        }
    }
}

impl Decoder {
    /// The longest loss that is filled: 6 packets of 20 ms. A longer one is a hole that a listener
    /// hears, and no invented sound should cover it.
    pub const CONCEAL_MAX: u32 = 6;

    /// A decoder that has heard nothing.
    ///
    /// # Errors
    /// Only when libopus has no memory.
    pub fn new() -> Result<Self, CodecError> {
        let inner = opus::Decoder::new(RATE, Channels::Mono)?;
        Ok(Self { inner, pcm: Box::new([0; DECODED_MAX]), packet: FRAME, rest: Rest::default() })
    }

    /// The samples of a packet, 48 kHz mono, 2.5 to 120 ms of them. Stereo is mixed down.
    ///
    /// # Errors
    /// A packet that is empty or no Opus; the decoder goes on with the next one.
    pub fn decode(&mut self, payload: &[u8]) -> Result<&[i16], CodecError> {
        if payload.is_empty() {
            // libopus would take it for a loss.
            return Err(CodecError::Empty);
        }
        if self.rest.is_settled_on(payload) {
            // The samples of the packet before are still there.
            return Ok(&self.pcm[..self.packet]);
        }
        let samples = self
            .inner
            .decode(payload, &mut self.pcm[..], false)
            .map_err(|source| CodecError::Packet { bytes: payload.len(), source })?;
        self.packet = samples;
        self.rest.decoded(payload, &self.pcm[..samples]);
        Ok(&self.pcm[..samples])
    }

    /// What a receiver plays in place of `lost` packets, each as long as the last one: the sound before
    /// goes on and fades. At most [`Decoder::CONCEAL_MAX`] packets and 120 ms are filled; the caller
    /// sees from the length what is missing still.
    ///
    /// # Errors
    /// Only when libopus itself fails.
    pub fn conceal(&mut self, lost: u32) -> Result<&[i16], CodecError> {
        // Neither the samples nor the decoder are what they were.
        self.rest = Rest::default();
        let mut filled = 0;
        for _ in 0..lost.min(Self::CONCEAL_MAX) {
            let end = filled + self.packet;
            if end > DECODED_MAX {
                break;
            }
            filled += self.inner.decode(&[], &mut self.pcm[filled..end], false)?;
        }
        Ok(&self.pcm[..filled])
    }
}

#[cfg(test)]
mod tests;
