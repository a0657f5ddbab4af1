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
use std::time::Duration;

use bytes::Bytes;
use proof::Proof;

use super::FRAME;
use super::ear::{Ear, Event, Heard, NO_PACKETS};
use super::opus::Decoder;
use super::opus::loudness::{Layer, Loud, Loudness};

/// Packets of 20 ms without proof in a row that cannot hide a silence of 200 ms. What proves a packet may lie in the one
/// before it, so from the beginning of that to the end of the next proven one it is 180 ms.
const UNPROVEN_MAX: usize = 6;
/// Packets behind a proven one until an end can be certain, at least: with it and the one before, 200 ms.
const CERTAIN_IN: usize = UNPROVEN_MAX + 2;
/// The most packets that bring a decoder back into step: 400 ms. RFC 7845, 4.6, asks for 80 ms, after which nobody hears
/// the difference. But a vowel repeats its last period over and over, and what a decoder does not know of it fades as
/// slowly: with 140 ms the end of a loud one was found up to 20 ms late, with 280 ms up to 3 ms.
const PREROLL_MAX: usize = 20;
/// The least.
const PREROLL_MIN: usize = 8;
/// What a decoder does not know matters little when something follows that is so much louder, as it then repeats that.
/// So it begins at the last packet of which that is true. Of 6436 edges (the nine clips at seven pitches and levels,
/// with and without noise, at 12 to 48 kbit/s) 5 were 1 ms or more from where full decoding finds them, the worst 6 ms.
/// With the most packets for each, which are half as many again, 3 were, the worst 31 ms.
const LOUDER_DB: f64 = 10.0;
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
    pub payload: Bytes,
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
    kept: VecDeque<Kept>,
    /// Whether there were more than are kept.
    has_dropped: bool,
    /// How many came since the last that was proven audible.
    unproven: usize,
}

#[derive(Debug)]
struct Kept {
    packet: Packet,
    /// How loud it says it is. All have the same layer, so they can be compared.
    db: f64,
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
        if let (Some(passing), Some(loud)) = (&mut self.passing, &loud)
            && passing.takes(is_proven)
            && loud.layer == passing.layer
            && follows
        {
            self.rtp_end = Some(rtp_after(packet.rtp_time, FRAME));
            passing.keep(Kept { packet, db: loud.db }, is_proven);
            return Vec::new();
        }
        let mut events = self.catch_up();
        events.extend(self.decode(&packet, loud.as_ref()));
        let clear = loud.filter(|_| is_proven && self.ear.is_in_a_clear_voice());
        if let Some(Loud { layer, .. }) = clear {
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
        if last.is_some_and(|last| now < last.packet.at.saturating_add(NO_PACKETS)) {
            return Vec::new();
        }
        let mut events = self.catch_up();
        events.extend(self.ear.advance(now));
        events
    }

    /// How many packets have to come before anything can become certain. With 1, the next may do.
    pub fn certain_in(&self) -> usize {
        match &self.passing {
            Some(passing) => CERTAIN_IN - passing.unproven,
            None => self.ear.certain_in(),
        }
    }

    /// Whether nothing becomes certain before a packet comes that is not the silence of the last one, or none comes.
    pub fn is_at_rest(&self) -> bool {
        self.passing.is_none() && self.ear.is_at_rest()
    }

    /// Packets that were empty or no Opus.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// Decodes what was passed over, as far as it matters.
    fn catch_up(&mut self) -> Vec<Event> {
        let Some(mut passing) = self.passing.take() else { return Vec::new() };
        if let Some(decoder) = self.decoder.as_mut().filter(|_| passing.has_dropped) {
            decoder.reset();
            let begin = passing.begin();
            let preroll = PREROLL_MAX.min(passing.kept.len());
            for kept in passing.kept.drain(..preroll).skip(begin) {
                self.undecodable += u64::from(decoder.decode(&kept.packet.payload).is_err());
            }
            if let Some(Kept { packet: next, .. }) = passing.kept.front() {
                self.ear.pass_over_voice(next.at, next.rtp_time);
            }
        }
        passing.kept.iter().flat_map(|kept| self.decode(&kept.packet, None)).collect()
    }

    fn decode(&mut self, packet: &Packet, loud: Option<&Loud>) -> Vec<Event> {
        let Packet { at, rtp_time, .. } = *packet;
        let again = self.decoder.as_ref().and_then(|decoder| decoder.again(&packet.payload));
        if let Some(pcm) = again {
            self.rtp_end = Some(rtp_after(rtp_time, pcm.len()));
            return self.ear.hear_again(Heard { at, rtp_time, pcm });
        }
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

    /// Where a decoder begins that knows nothing of the stream.
    fn begin(&self) -> usize {
        let latest = PREROLL_MAX - PREROLL_MIN;
        let mut loudest = f64::MIN;
        for (place, kept) in self.kept.iter().enumerate().rev() {
            if place <= latest && kept.db + LOUDER_DB <= loudest {
                return place;
            }
            loudest = loudest.max(kept.db);
        }
        0
    }

    fn keep(&mut self, kept: Kept, is_proven: bool) {
        self.kept.push_back(kept);
        if !is_proven {
            self.unproven += 1;
            return;
        }
        self.unproven = 0;
        while self.kept.len() > PREROLL_MAX + CONTEXT + 1 {
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
