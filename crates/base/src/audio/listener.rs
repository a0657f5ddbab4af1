//! The packets of a stream, in their order → samples → what the ear makes of them. All that is heard is decoded:
//! nothing is guessed from a packet.

use std::time::Duration;

use super::ear::{Ear, Event, Heard};
use super::opus::Decoder;

/// A packet of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it arrived, on the caller's clock.
    pub at: Duration,
    /// A clock of 48 kHz with any beginning that wraps around.
    pub rtp_time: u32,
    /// One Opus packet.
    pub payload: &'a [u8],
}

/// The ear and the decoder in front of it.
#[derive(Debug, Default)]
pub struct Listener {
    /// `None` before the first stream.
    decoder: Option<Decoder>,
    ear: Ear,
    /// RTP time behind the last packet.
    rtp_end: Option<u32>,
    undecodable: u64,
}

impl Listener {
    /// One that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another stream follows, by another encoder.
    pub fn begin_stream(&mut self) {
        self.decoder = Decoder::new().map_err(|e| log::error!("{e}")).ok();
        self.rtp_end = None;
    }

    /// Takes in a packet and says what became certain with it. Packets come in the order of their RTP times.
    pub fn hear(&mut self, packet: Packet<'_>) -> Vec<Event> {
        let Packet { at, rtp_time, payload } = packet;
        let decoded = self.decoder.as_mut().map(|decoder| decoder.decode(payload));
        let Some(Ok(pcm)) = decoded else {
            self.undecodable += 1;
            self.rtp_end = Some(rtp_time);
            return Vec::new();
        };
        self.rtp_end = Some(rtp_after(rtp_time, pcm.len()));
        self.ear.hear(Heard { at, rtp_time, pcm })
    }

    /// So many packets are missing in front of the next one, which came at `at`. Few enough are concealed, as a receiver
    /// would; a longer loss is a hole.
    pub fn lost(&mut self, missing: u64, at: Duration) -> Vec<Event> {
        let few = u32::try_from(missing).ok().filter(|n| (1..=Decoder::CONCEAL_MAX).contains(n));
        if let (Some(lost), Some(rtp_time), Some(decoder)) = (few, self.rtp_end, &mut self.decoder)
            && let Ok(pcm) = decoder.conceal(lost)
        {
            return self.ear.hear(Heard { at, rtp_time, pcm });
        }
        self.ear.lose();
        Vec::new()
    }

    /// Notices that no packet comes any more, as [`Ear::advance`].
    pub fn advance(&mut self, now: Duration) -> Vec<Event> {
        self.ear.advance(now)
    }

    /// Packets that were empty or no Opus.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }
}

/// The RTP time behind so many samples.
fn rtp_after(rtp_time: u32, samples: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "a packet has at most 5760 samples")]
    rtp_time.wrapping_add(samples as u32)
}

#[cfg(test)]
mod tests;
