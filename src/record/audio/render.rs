//! The tape of a call and what its recording says of the caller → the file that people listen to. Both sides are put
//! where they were heard: the caller on its capture clock, the agent by the arrival of its packets.

use super::tape::{Packet, packets};
use crate::audio::lane::{Lane, Playhead};
use crate::audio::ogg::{FileError, StereoFile};
use crate::audio::opus::{CodecError, Decoder};
use crate::audio::{FRAME, RATE};
use crate::record::{CallId, CallRecord, Observation};
use crate::time::Offset;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait of a packet for the one before it, in samples: 20 ms. What comes so much later may have to be played
/// now.
const AHEAD: u64 = FRAME as u64;
/// How often somebody who waits may say that it is not wanted any more: each second of the call.
const FRAMES_APART: u64 = 50;

/// What a step says, as packets of 20 ms.
#[derive(Debug, Clone)]
pub struct Clip {
    pub packets: Arc<[Arc<[u8]>]>,
    /// From the beginning of the first packet.
    pub first_voiced_at: Duration,
}

/// When what was said in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub call: CallId,
    pub starts: Offset,
    pub ends: Offset,
    /// The steps and their first voiced samples.
    steps: Vec<(u32, Offset)>,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not wanted any more.
    #[error("stopped")]
    Stopped,
}

impl From<CodecError> for RenderError {
    fn from(e: CodecError) -> Self {
        Self::File(e.into())
    }
}

impl From<RenderError> for io::Error {
    fn from(e: RenderError) -> Self {
        match e {
            RenderError::File(FileError::Write(e)) => e,
            RenderError::File(_) | RenderError::Stopped => Self::other(e),
        }
    }
}

impl Said {
    /// The caller's side of a call that has ended.
    pub fn in_call(call: &CallRecord) -> Self {
        let began = call.log.iter().filter_map(|seen| {
            let Observation::UtteranceBegan { step } = seen.what else { return None };
            Some((step, seen.at))
        });
        Self { call: call.id, starts: call.dialled, ends: call.end.at, steps: began.collect() }
    }

    /// Whether the caller said nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How long the file plays, in milliseconds.
    pub fn length_ms(&self) -> f64 {
        self.ends.since(self.starts).as_secs_f64() * 1_000.0
    }
}

/// Writes the file of a call and gives its length in bytes. `goes_on` is asked each second of the call.
///
/// # Errors
/// `out` takes no more, libopus fails, or `goes_on` says no.
pub fn render(
    said: &Said,
    clips: &[Option<Clip>],
    tape: &[u8],
    out: impl Write,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<u64, RenderError> {
    let (mut caller, mut agent) = (Caller::new(said, clips)?, Agent::new(tape, said.starts));
    let mut file = StereoFile::create(out, said.call.0)?;
    let (mut at, total) = (0, samples(said.ends.since(said.starts)));
    while at < total {
        if (at / FRAME as u64).is_multiple_of(FRAMES_APART) && !goes_on() {
            return Err(RenderError::Stopped);
        }
        let until = at + FRAME as u64;
        caller.hear_until(until);
        agent.hear_until(until + AHEAD)?;
        let mut frame = [0; 2 * FRAME];
        for both in frame.chunks_exact_mut(2) {
            both.copy_from_slice(&[caller.lane.next_sample(), agent.lane.next_sample()]);
        }
        file.add(&frame)?;
        at = until;
    }
    Ok(file.finish(total)?)
}

/// The caller's side.
struct Caller<'a> {
    lane: Lane,
    decoder: Decoder,
    /// Packets and their positions, the next last.
    packets: Vec<(u64, &'a [u8])>,
}

impl<'a> Caller<'a> {
    fn new(said: &Said, clips: &'a [Option<Clip>]) -> Result<Self, CodecError> {
        let mut packets = Vec::new();
        for (step, began) in &said.steps {
            let Some(Some(clip)) = clips.get(*step as usize) else { continue };
            let first = position(began.minus(clip.first_voiced_at), said.starts);
            let at = |packet: usize| first + (packet * FRAME) as u64;
            packets.extend(clip.packets.iter().enumerate().map(|(n, packet)| (at(n), &**packet)));
        }
        packets.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(Self { lane: Lane::default(), decoder: Decoder::new()?, packets })
    }

    fn hear_until(&mut self, until: u64) {
        while let Some((at, packet)) = self.packets.pop_if(|(at, _)| *at < until) {
            if let Ok(pcm) = self.decoder.decode(packet) {
                self.lane.add(at, pcm);
            }
        }
    }
}

/// The agent's side: all tracks of its voice.
struct Agent<'a> {
    starts: Offset,
    lane: Lane,
    tracks: HashMap<u32, Track>,
    /// The next last.
    packets: Vec<Packet<'a>>,
}

/// One track.
struct Track {
    playhead: Playhead,
    decoder: Decoder,
    /// Stream and number of the packet before.
    last: Option<(u32, u64)>,
}

impl<'a> Agent<'a> {
    fn new(tape: &'a [u8], starts: Offset) -> Self {
        let mut packets: Vec<Packet<'_>> = packets(tape).collect();
        // Taken from the end, and of those that arrived together the first one first. Tracks are read one after another,
        // so a tape is not in the order of arrivals.
        packets.reverse();
        packets.sort_by_key(|packet| std::cmp::Reverse(packet.at));
        Self { starts, lane: Lane::default(), tracks: HashMap::new(), packets }
    }

    fn hear_until(&mut self, until: u64) -> Result<(), CodecError> {
        let starts = self.starts;
        while let Some(packet) = self.packets.pop_if(|next| position(next.at, starts) < until) {
            let track = match self.tracks.entry(packet.track) {
                Entry::Occupied(track) => track.into_mut(),
                Entry::Vacant(place) => place.insert(Track::new()?),
            };
            track.hear(&packet, position(packet.at, starts), &mut self.lane)?;
        }
        Ok(())
    }
}

impl Track {
    fn new() -> Result<Self, CodecError> {
        Ok(Self { playhead: Playhead::default(), decoder: Decoder::new()?, last: None })
    }

    /// As the ear hears it: what comes behind its successor is left out.
    fn hear(&mut self, packet: &Packet<'_>, at: u64, lane: &mut Lane) -> Result<(), CodecError> {
        match self.last {
            Some((ssrc, seq)) if ssrc == packet.ssrc && packet.seq <= seq => return Ok(()),
            Some((ssrc, _)) if ssrc != packet.ssrc => {
                self.decoder = Decoder::new()?;
                self.playhead.begin_stream();
            }
            Some(_) | None => {}
        }
        self.last = Some((packet.ssrc, packet.seq));
        // What cannot be decoded is not heard.
        if let Ok(pcm) = self.decoder.decode(packet.payload) {
            lane.add(self.playhead.place(at, packet.rtp_time, pcm), pcm);
        }
        Ok(())
    }
}

fn position(at: Offset, starts: Offset) -> u64 {
    samples(at.since(starts))
}

fn samples(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(0) * u64::from(RATE) / 1_000_000
}

#[cfg(test)]
mod tests;
