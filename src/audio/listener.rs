//! Hears packets and decodes no more of them than it must.
//!
//! Decoding costs more than all else a caller does. Inside a voice nearly all of it is for nothing: the [ear](Ear) tells
//! nothing there before it has been silent for [`END_SILENCE`]. So it is enough to know of audible moments that are less
//! than that apart, and to look closely where there is none.
//!
//! That a packet is audible is read from the packet ([`Loudness`]): how loud its encoder says it is, which is taken for
//! proof only far above the threshold ([`Proof`]). What cannot be read in this way is decoded all through, and so is a voice
//! with noise behind it that moves the threshold.
//!
//! Packets that were passed over are kept until the next one that is proven audible. When none comes in time, they are
//! decoded after all, behind a few that only bring the decoder back into step. So an end of a voice is found where it
//! would have been, and no later.
//!
//! [`END_SILENCE`]: super::ear::END_SILENCE

mod proof;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proof::Proof;

use super::FRAME;
use super::ear::{Ear, Event, Heard, NO_PACKETS};
use super::opus::Decoder;
use super::opus::loudness::{Layer, Loud, Loudness};

/// Packets of 20 ms without proof in a row that cannot hide a silence of 200 ms. What proves a packet may lie in the one
/// before it, so from the beginning of that to the end of the next proven one it is 180 ms.
const UNPROVEN_MAX: usize = 6;
/// Packets that bring a decoder back into step: 400 ms. RFC 7845, 4.6, asks for 80 ms, after which nobody hears the
/// difference. But a vowel repeats its last period over and over, and what a decoder does not know of it fades as slowly:
/// with 140 ms the end of a loud one was found up to 20 ms late, with 280 ms up to 3 ms, with this up to 0.7 ms. That was
/// with the nine clips this was made with; of 494 edges of other voices, at 12 and 24 kbit/s, 3 were off by 1 ms or more,
/// the worst by 36 ms.
const PREROLL: usize = 20;
/// Packets that are heard in front of the last proven one, because what proves it may lie there, and so that the ear knows
/// what masks what.
const CONTEXT: usize = 2;

/// A packet of the stream.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When it arrived, on the caller's clock.
    pub at: Duration,
    /// A clock of 48 kHz with any beginning that wraps around.
    pub rtp_time: u32,
    /// One Opus packet.
    pub payload: Arc<[u8]>,
}

/// The ear and what brings it the samples.
#[derive(Debug, Default)]
pub struct Listener {
    /// None before the first stream.
    decoder: Option<Decoder>,
    ear: Ear,
    loudness: Loudness,
    proof: Proof,
    /// RTP time behind the last packet.
    rtp_end: Option<u32>,
    /// Whether the last packet was loud for certain.
    was_loud: bool,
    passing: Option<Passing>,
    undecodable: u64,
}

/// Packets that were not decoded.
#[derive(Debug)]
struct Passing {
    /// What all of them are coded with: a decoder begins anew where that changes.
    layer: Layer,
    kept: VecDeque<Packet>,
    /// Whether there were more than are kept.
    has_dropped: bool,
    /// How many came since the last that was proven audible.
    unproven: usize,
}

impl Listener {
    /// One that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another stream follows, by another encoder.
    pub fn begin_stream(&mut self) -> Vec<Event> {
        let events = self.catch_up();
        self.decoder = Decoder::new().map_err(|e| log::error!("{e}")).ok();
        self.loudness = Loudness::new();
        self.proof = Proof::default();
        self.rtp_end = None;
        self.was_loud = false;
        events
    }

    /// Takes in a packet and says what became certain with it. Packets come in the order of their RTP times.
    pub fn hear(&mut self, packet: Packet) -> Vec<Event> {
        let loud = self.loudness.of(&packet.payload);
        let follows = self.rtp_end == Some(packet.rtp_time);
        let is_loud = loud.as_ref().is_some_and(|loud| self.proof.holds_for(loud));
        let was_loud = std::mem::replace(&mut self.was_loud, is_loud && follows);
        // One loud packet alone may be a click, which is no voice.
        let is_proven = is_loud && was_loud && follows;
        let layer = loud.as_ref().map(|loud| loud.layer);
        if let Some(passing) = &mut self.passing
            && passing.takes(is_proven)
            && layer == Some(passing.layer)
            && follows
        {
            self.rtp_end = Some(rtp_after(packet.rtp_time, FRAME));
            passing.keep(packet, is_proven);
            return Vec::new();
        }
        let mut events = self.catch_up();
        events.extend(self.decode(&packet, loud.as_ref()));
        if let Some(layer) = layer.filter(|_| is_proven && self.ear.is_in_a_clear_voice()) {
            self.passing =
                Some(Passing { layer, kept: VecDeque::new(), has_dropped: false, unproven: 0 });
        }
        events
    }

    /// So many packets are missing in front of the next one, which came at `at`. Few enough are made up for.
    pub fn lost(&mut self, missing: u64, at: Duration) -> Vec<Event> {
        let mut events = self.catch_up();
        self.loudness.lost();
        let few = u32::try_from(missing).ok().filter(|n| (1..=Decoder::CONCEAL_MAX).contains(n));
        if let (Some(lost), Some(rtp_time), Some(decoder)) = (few, self.rtp_end, &mut self.decoder)
            && let Ok(pcm) = decoder.conceal(lost)
        {
            events.extend(self.ear.hear(Heard { at, rtp_time, pcm }));
        }
        events
    }

    /// Notices that no packet comes any more, as [`Ear::advance`].
    pub fn advance(&mut self, now: Duration) -> Vec<Event> {
        let last = self.passing.as_ref().and_then(|passing| passing.kept.back());
        if last.is_some_and(|last| now < last.at.saturating_add(NO_PACKETS)) {
            return Vec::new();
        }
        let mut events = self.catch_up();
        events.extend(self.ear.advance(now));
        events
    }

    /// Packets that were empty or no Opus.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// Decodes what was passed over, as far as it matters.
    fn catch_up(&mut self) -> Vec<Event> {
        let Some(Passing { mut kept, has_dropped, .. }) = self.passing.take() else {
            return Vec::new();
        };
        if let Some(decoder) = self.decoder.as_mut().filter(|_| has_dropped) {
            decoder.reset();
            for packet in kept.drain(..PREROLL.min(kept.len())) {
                self.undecodable += u64::from(decoder.decode(&packet.payload).is_err());
            }
            if let Some(next) = kept.front() {
                self.ear.pass_over_voice(next.at, next.rtp_time);
            }
        }
        kept.iter().flat_map(|packet| self.decode(packet, None)).collect()
    }

    fn decode(&mut self, packet: &Packet, loud: Option<&Loud>) -> Vec<Event> {
        let Packet { at, rtp_time, .. } = *packet;
        let decoded = self.decoder.as_mut().map(|decoder| decoder.decode(&packet.payload));
        let Some(Ok(pcm)) = decoded else {
            self.undecodable += 1;
            self.rtp_end = Some(rtp_time);
            return Vec::new();
        };
        self.rtp_end = Some(rtp_after(rtp_time, pcm.len()));
        if let Some(loud) = loud {
            self.proof.learn(loud, pcm);
        }
        self.ear.hear(Heard { at, rtp_time, pcm })
    }
}

impl Passing {
    /// Whether the next packet may be passed over.
    fn takes(&self, is_proven: bool) -> bool {
        is_proven || self.unproven < UNPROVEN_MAX
    }

    fn keep(&mut self, packet: Packet, is_proven: bool) {
        self.kept.push_back(packet);
        if !is_proven {
            self.unproven += 1;
            return;
        }
        self.unproven = 0;
        while self.kept.len() > PREROLL + CONTEXT + 1 {
            self.kept.pop_front();
            self.has_dropped = true;
        }
    }
}

/// The RTP time behind so many samples.
fn rtp_after(rtp_time: u32, samples: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "a packet has at most 5760 samples")]
    rtp_time.wrapping_add(samples as u32)
}

#[cfg(test)]
mod tests;
