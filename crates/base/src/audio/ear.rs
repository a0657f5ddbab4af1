//! The ear of a caller: finds when the agent's voice begins and ends, from decoded packets and the
//! times they arrived.
//!
//! # Which moment
//!
//! A sample is heard when its packet arrived plus its place in the packet: the earliest moment at which
//! anybody could have heard it. There is no jitter buffer in it; what one would add belongs to the
//! listener's device and not to the agent. It follows that packets which arrive in one burst after a
//! stall overlap, as each could have been played at once. Times of events never go back all the same.
//!
//! How long it was silent is measured in the stream's own time (`rtp_time`) and not by arrival,
//! so neither a late packet nor a burst makes or hides a pause. Only when no packet comes for
//! [`NO_PACKETS`] is that taken for silence too ([`Ear::advance`]).
//!
//! # What is voice
//!
//! The rules of the [module](super), with the noise learned as the stream goes on: the quietest 30 ms
//! of the last 4 s, at most −40 dBFS, and the **bed** under the voice (`bed`), at most −26 dBFS. Both stay as they are
//! where nothing was sent (DTX, loss, mute): nothing is learned there. A bed that sets in later is heard as a sound until
//! it is known to be none, and is then retracted.
//!
//! A packet is **not silent** from [`SOUND_DBFS`] on, or from 10 dB above the noise where that is
//! louder: audible to nobody yet, but no longer the silence that a sender makes up.
//!
//! An event is emitted when it is certain and carries the moment at which it happened: a beginning is
//! known 30 to 40 ms later, an end [`END_SILENCE`] later.
//!
//! Spoken replies have gaps between sentences that last longer than [`END_SILENCE`], so one reply
//! may be several voices here. Whether a reply is over is for the script to decide.

mod event;
mod timeline;
mod bed;

pub use event::{Event, Heard};

use std::time::Duration;

use bed::{BED_MAX, Beds, COMFORT};
use timeline::{Edge, Timeline};

use super::burst::{Burst, Bursts, HOLE_BLOCKS};
use super::level::{BLOCK, FULL_POWER, Noise, Threshold, dbfs, power};

/// Silence after which a voice has ended. Longer than the closure of a plosive (120 ms) and the gaps
/// between words of fluent speech, shorter than a pause between sentences.
pub const END_SILENCE: Duration = Duration::from_millis(200);
const END_SILENCE_SAMPLES: u64 = 200 * 48;

/// How long no packet may come before that is silence: a sender that pauses in silence (DTX) still
/// sends one each 400 ms, and a stall of the network is rarely longer.
pub const NO_PACKETS: Duration = Duration::from_millis(400);

/// The level (RMS) from which a packet is not silent. Comfort noise and dither lie below.
pub const SOUND_DBFS: f64 = -60.0;
/// Its mean square, written out because it is needed for each packet.
const SOUND: f64 = FULL_POWER * 1e-6;

/// Samples whose moment may still be asked for: beds are looked back at for 4 s.
const HISTORY: u64 = 4_100 * 48;

/// A quiet sound with which packets set in may be a bed or comfort noise. It is told once it was not at one level for
/// so long: 300 ms.
const DOUBT: u64 = 300 * 48;
/// What was at one level until now is judged after it has changed for so long, when a bed has been told from a voice on it:
/// 150 ms.
const CHANGE: u64 = 150 * 48;
/// Packets have set in with a sound that begins so soon after the first: 100 ms.
const SET_IN: u64 = 100 * 48;

/// What stands out of a bed that is recognised later begins a voice of its own when the bed alone was heard for so
/// long before: 50 ms. (What is left can make a greeting look so much earlier.)
const BED_ALONE: u64 = 50 * 48;
/// An edge that was found to the sample stays, where looking back to the block finds it this near: 30 ms.
const SAME_EDGE: u64 = 30 * 48;

/// A voice that did not pause for so long is one for whose end nobody should wait.
const ENDLESS: u64 = 30 * 48_000;

/// Blocks the noise has to be known for before it decides where a voice began.
const NOISE_KNOWN_BLOCKS: u64 = 4;

/// The ear, between two packets.
#[derive(Debug)]
pub struct Ear {
    bursts: Bursts,
    noise: Noise,
    beds: Beds,
    timeline: Timeline,
    /// The block that is not full yet, and the position of its first sample.
    block: Vec<i16>,
    block_at: u64,
    /// Where packets set in after the last hole.
    set_in: u64,
    is_after_loss: bool,
    voice: Option<Voice>,
    last_audible: Option<Edge>,
    sound: Option<Sound>,
    said_never_silent: bool,
    /// The time of the last event, before which none can be.
    last_event: Duration,
}

/// A voice that has begun.
#[derive(Clone, Copy, Debug)]
struct Voice {
    first: Edge,
    sound_at: Duration,
    /// Mean square of its loudest block.
    loudest: f64,
    /// Whether its beginning was told.
    is_told: bool,
    /// Until where it is doubted for having been at one level.
    doubted_until: u64,
}

/// A row of packets that are not silent.
#[derive(Clone, Copy, Debug)]
struct Sound {
    /// When the first of them came.
    at: Duration,
    /// The position behind the last of them.
    until: u64,
}

impl Default for Ear {
    fn default() -> Self {
        Self::new()
    }
}

impl Ear {
    /// An ear that has heard nothing.
    pub fn new() -> Self {
        Self {
            bursts: Bursts::new(),
            noise: Noise::new(),
            beds: Beds::new(),
            timeline: Timeline::new(),
            block: Vec::with_capacity(BLOCK),
            block_at: 0,
            set_in: 0,
            is_after_loss: false,
            voice: None,
            last_audible: None,
            sound: None,
            said_never_silent: false,
            last_event: Duration::ZERO,
        }
    }

    /// Takes in a packet and says what became certain with it, mostly nothing.
    ///
    /// Packets come in the order of their RTP times. One that comes after its successor is left out: its
    /// place has passed. A jump of the RTP time by more than a minute, or back by more than two
    /// seconds, is a new stream that follows the old one.
    pub fn hear(&mut self, heard: Heard<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        let arrival = self.timeline.arrive(&heard);
        if arrival.hole > 0 {
            let why = if self.is_after_loss { Hole::Unknown } else { Hole::OfSender };
            self.pass_hole(arrival.position, why, &mut events);
        }
        self.is_after_loss = false;
        let mut pcm = heard.pcm.get(arrival.skip..).unwrap_or_default();
        self.listen_for_sound(heard.at, arrival.position, pcm);
        while !pcm.is_empty() {
            let (now, later) = pcm.split_at(pcm.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            pcm = later;
            if self.block.len() == BLOCK {
                self.finish_block(&mut events);
            }
        }
        events
    }

    /// Packets were lost in front of the next one: a hole there is none that the sender made.
    pub fn lose(&mut self) {
        self.is_after_loss = true;
    }

    /// Notes when packets that are not silent set in. A voice keeps its row going to its own end.
    fn listen_for_sound(&mut self, at: Duration, position: u64, pcm: &[i16]) {
        let power = power(pcm);
        let above_noise = Threshold::above_from(self.noise.power(), SOUND);
        let threshold = self.beds.threshold().map_or(above_noise, |bed| bed.max(above_noise));
        if pcm.is_empty() || !threshold.reached_by(power) {
            return;
        }
        let until = position + pcm.len() as u64;
        let goes_on =
            self.sound.filter(|sound| position.saturating_sub(sound.until) < END_SILENCE_SAMPLES);
        let at = goes_on.map_or(at, |sound| sound.at);
        self.sound = Some(Sound { at, until });
    }

    /// Notices that no packet comes any more. Call it with the current time now and then, each 100 ms
    /// for example; it does nothing while packets come.
    pub fn advance(&mut self, now: Duration) -> Vec<Event> {
        let mut events = Vec::new();
        if self.timeline.last_heard().is_some_and(|last| now >= last.saturating_add(NO_PACKETS)) {
            let position = self.timeline.pause();
            self.pass_hole(position, Hole::Unknown, &mut events);
        }
        events
    }

    /// Silence that was not sent: ends the block before it and lets any burst end, then goes on at
    /// `position`.
    fn pass_hole(&mut self, position: u64, why: Hole, events: &mut Vec<Event>) {
        if !self.block.is_empty() {
            self.finish_block(events);
        }
        if why == Hole::OfSender {
            let is_comfort = self.block_at.saturating_sub(self.set_in) <= COMFORT;
            if self.voice.take_if(|voice| is_comfort && !voice.is_told).is_some() {
                self.bursts.restart(None);
            }
            if self.beds.hole(self.set_in) {
                self.look_back(events);
            }
        }
        // So many blocks of silence close a burst; more would change nothing.
        for _ in 0..=HOLE_BLOCKS {
            if self.block_at + BLOCK as u64 > position {
                break;
            }
            self.finish_block(events);
        }
        self.noise.hole();
        self.block_at = position;
        self.set_in = position;
        self.end_if_silent(events);
    }

    /// Judges the block as far as it is filled; the rest of it is silence that was not sent.
    fn finish_block(&mut self, events: &mut Vec<Event>) {
        let block_at = self.block_at;
        let is_full = self.block.len() == BLOCK;
        let (noise, bed) = (&mut self.noise, self.beds.threshold());
        let mut of_block = 0.0;
        let found = self.bursts.block(block_at, &self.block, |power| {
            of_block = power;
            if is_full {
                noise.learn(power);
            }
            let over = |threshold: Threshold| bed.map_or(threshold, |bed| bed.max(threshold));
            let threshold = Threshold::above(noise.power());
            // What is known of the noise from the beginning of a voice only would set its edge too late.
            let is_known = noise.learned() > NOISE_KNOWN_BLOCKS;
            (over(threshold), over(if is_known { threshold } else { Threshold::lowest() }))
        });
        self.block.clear();
        if let Some(burst) = found {
            self.voice(burst, events);
        }
        self.block_at += BLOCK as u64;
        if is_full {
            if self.beds.block(block_at, of_block, !self.bursts.is_open()) {
                self.look_back(events);
            }
            self.tell_if_certain(of_block, events);
            self.notice_what_never_ends(events);
        }
        self.end_if_silent(events);
        self.timeline.forget_before(self.block_at.saturating_sub(HISTORY));
    }

    fn voice(&mut self, burst: Burst, events: &mut Vec<Event>) {
        let is_apart = self
            .last_audible
            .is_some_and(|edge| burst.first.saturating_sub(edge.position) >= END_SILENCE_SAMPLES);
        if self.voice.is_some() && is_apart {
            self.end(events);
        }
        if self.voice.is_none() {
            self.begin(burst.first);
        }
        if self.last_audible.is_none_or(|edge| edge.position < burst.last) {
            self.last_audible = Some(self.edge(burst.last));
        }
    }

    fn begin(&mut self, position: u64) {
        let first = self.edge(position);
        self.last_event = first.at;
        let sound_at = self.sound.map_or(first.at, |sound| sound.at.min(first.at));
        self.voice =
            Some(Voice { first, sound_at, loudest: 0.0, is_told: false, doubted_until: 0 });
    }

    fn edge(&self, position: u64) -> Edge {
        Edge { position, at: self.timeline.moment(position).max(self.last_event) }
    }

    /// Tells that a voice has begun: at once, but when it may be a bed or comfort noise with which packets set in.
    fn tell_if_certain(&mut self, power: f64, events: &mut Vec<Event>) {
        let Some(voice) = self.voice.as_mut().filter(|voice| !voice.is_told) else { return };
        voice.loudest = voice.loudest.max(power);
        let (from, now) = (voice.first.position, self.block_at);
        let is_set_in = from.saturating_sub(self.set_in) <= SET_IN;
        let is_new = now.saturating_sub(from) < DOUBT;
        if is_set_in && !is_new && self.beds.is_steady_since(from) {
            voice.doubted_until = now + CHANGE;
        }
        let is_doubtful = if is_new { voice.loudest < BED_MAX } else { now < voice.doubted_until };
        if !(is_set_in && is_doubtful) {
            self.tell(events);
        }
    }

    fn tell(&mut self, events: &mut Vec<Event>) {
        if let Some(voice) = self.voice.as_mut().filter(|voice| !voice.is_told) {
            voice.is_told = true;
            events.push(Event::VoiceStarted { at: voice.first.at, sound_at: voice.sound_at });
        }
    }

    fn end_if_silent(&mut self, events: &mut Vec<Event>) {
        let is_over = self
            .last_audible
            .is_some_and(|edge| self.block_at.saturating_sub(edge.position) >= END_SILENCE_SAMPLES);
        if is_over && !self.bursts.undecided() {
            self.end(events);
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        // Nothing has ended where the silence is as loud as the voice.
        if let (Some(voice), Some(last)) = (self.voice, self.last_audible)
            && self.beds.goes_on_behind(voice.first.position, last.position)
        {
            self.retract(events);
            return;
        }
        self.tell(events);
        if let (Some(_), Some(edge)) = (self.voice.take(), self.last_audible) {
            self.last_event = self.last_event.max(edge.at);
            events.push(Event::VoiceEnded { at: self.last_event });
        }
    }

    /// Judges the voice that goes on once more, as a bed has been recognised.
    fn look_back(&mut self, events: &mut Vec<Event>) {
        let Some(voice) = self.voice else {
            // A sound that has just begun goes on, if it is none of the bed.
            let begun = self.bursts.open_at();
            if !begun.is_some_and(|at| self.beds.stands_out_since(at)) {
                self.bursts.restart(None);
            }
            return;
        };
        let from = voice.first.position.max(self.beds.oldest());
        let is_all = from == voice.first.position;
        let above = self.beds.voices_since(from);
        let exact = self.last_audible;
        match above.first() {
            None if is_all => self.retract(events),
            None => {
                self.last_audible = Some(self.edge(from));
                self.end(events);
            }
            Some(first) => {
                if is_all && first.first.saturating_sub(from) > BED_ALONE {
                    self.retract(events);
                    self.sound = None;
                    self.begin(first.first);
                }
                self.last_audible = None;
            }
        }
        for burst in &above {
            self.voice(*burst, events);
            self.tell(events);
        }
        let end = self.last_audible.map_or(0, |edge| edge.position);
        if let Some(exact) = exact.filter(|edge| edge.position.abs_diff(end) <= SAME_EDGE) {
            self.last_audible = Some(exact);
        }
        self.bursts.restart(self.last_audible.map(|edge| edge.position));
    }

    fn retract(&mut self, events: &mut Vec<Event>) {
        if let Some(voice) = self.voice.take()
            && voice.is_told
        {
            events.push(Event::VoiceRetracted { at: voice.first.at });
        }
    }

    fn notice_what_never_ends(&mut self, events: &mut Vec<Event>) {
        if self.said_never_silent {
            return;
        }
        let endless =
            self.voice.filter(|v| self.block_at.saturating_sub(v.first.position) >= ENDLESS);
        let endless = endless.map(|voice| (voice.first.at, dbfs(self.beds.level())));
        let bed = self.beds.lasting(self.block_at);
        let bed = bed.map(|(since, level)| (self.timeline.moment(since), level));
        if let Some((since, level_dbfs)) = bed.or(endless) {
            self.said_never_silent = true;
            events.push(Event::NeverSilent { since, level_dbfs });
        }
    }
}

/// Why samples are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// The sender left them out (DTX).
    OfSender,
    /// They may have been lost, or be late.
    Unknown,
}

#[cfg(test)]
mod tests;
