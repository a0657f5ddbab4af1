//! What the caller hears: packets of the agent's voice → samples → edges of speech, each at the
//! moment its sample could first be heard, which is the arrival of its packet plus its place in it.

use super::script::Heard;
use super::sequence::{Arrival, Sequence};
use crate::audio::ear::{Ear, Event, Heard as Packet};
use crate::audio::opus::Decoder;
use crate::clock::Clock;
use crate::record::{MediaFacts, Observation, Offset};
use futures_util::StreamExt as _;
use livekit::webrtc::encoded::{EncodedAudioStream, ReceivedFrame as Frame};
use std::time::Duration;

/// How long no packet may come before the agent's audio counts as stopped. Silence that is not sent
/// (DTX) still gives a packet each 400 ms.
const STALL: Duration = Duration::from_secs(2);
/// How often the ear is asked whether silence has lasted long enough.
const ADVANCE: Duration = Duration::from_millis(100);

/// The listening half of a call.
pub struct Hearing {
    clock: Clock,
    stream: Option<EncodedAudioStream>,
    decoder: Option<Decoder>,
    ear: Ear,
    heard: Vec<(Offset, Option<Heard>, Observation)>,
    last: Option<Last>,
    stalled: bool,
    advanced: Offset,
    counts: Counts,
}

/// The latest packet.
#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    sequence: Sequence,
    rtp_time: u32,
    /// RTP time behind its last sample.
    rtp_end: u32,
    at: Offset,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    received: u64,
    /// In streams that have ended.
    lost: u64,
    undecodable: u64,
    largest_gap: Duration,
}

impl Hearing {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            stream: None,
            decoder: None,
            ear: Ear::new(),
            heard: Vec::new(),
            last: None,
            stalled: false,
            advanced: Offset::default(),
            counts: Counts::default(),
        }
    }

    /// Listens to this track from now on; one that was listened to before has been replaced.
    pub fn listen_to(&mut self, stream: EncodedAudioStream) {
        self.stream = Some(stream);
        self.decoder = Decoder::new().map_err(|e| log::error!("{e}")).ok();
        self.stream_ended();
    }

    /// The next packet; never, while there is no track. Cancelling loses nothing.
    pub async fn next_packet(&mut self) -> Frame {
        if let Some(stream) = &mut self.stream
            && let Some(frame) = stream.next().await
        {
            return frame;
        }
        // The track has ended or not begun; another may come.
        self.stream = None;
        std::future::pending().await
    }

    /// Hears a packet.
    pub fn take(&mut self, frame: &Frame) {
        let at = self.clock.offset(frame.arrival);
        self.counts.received += 1;
        if self.stalled {
            self.stalled = false;
            let now = self.clock.now();
            self.heard.push((now, Some(Heard::MediaResumed), Observation::AgentMediaResumed));
        }
        let mut sequence = Sequence::starting_with(frame.seq);
        if let Some(last) = self.last.as_mut().filter(|last| last.ssrc == frame.ssrc) {
            let Arrival::Next { missing } = last.sequence.take(frame.seq) else { return };
            sequence = last.sequence;
            // An agent that sends little in silence is no gap: only what the packets' own clock does
            // not explain is one.
            let explained = frame.rtp_time.wrapping_sub(last.rtp_time);
            let gap = at.since(last.at).saturating_sub(ticks(explained));
            self.counts.largest_gap = self.counts.largest_gap.max(gap);
            let rtp_end = last.rtp_end;
            self.conceal(missing, at, rtp_end);
        } else {
            self.stream_ended();
        }
        let mut rtp_end = frame.rtp_time;
        if let Some(decoder) = &mut self.decoder
            && let Ok(pcm) = decoder.decode(&frame.payload)
        {
            rtp_end = rtp_end.wrapping_add(samples(pcm));
            let rtp_time = frame.rtp_time;
            let events = self.ear.hear(Packet { at: at.since_start(), rtp_time, pcm });
            self.note(&events);
        } else {
            self.counts.undecodable += 1;
        }
        let Frame { ssrc, rtp_time, .. } = *frame;
        self.last = Some(Last { ssrc, sequence, rtp_time, rtp_end, at });
    }

    /// Another stream follows, whose numbers have nothing to do with this one's.
    fn stream_ended(&mut self) {
        self.counts.lost += self.last.take().map_or(0, |last| last.sequence.lost());
    }

    /// Lets the ear hear what the decoder makes up for lost packets, as if they came with the next.
    fn conceal(&mut self, missing: u64, at: Offset, rtp_time: u32) {
        let few = u32::try_from(missing).ok().filter(|n| (1..=Decoder::CONCEAL_MAX).contains(n));
        if let (Some(lost), Some(decoder)) = (few, &mut self.decoder)
            && let Ok(pcm) = decoder.conceal(lost)
        {
            let events = self.ear.hear(Packet { at: at.since_start(), rtp_time, pcm });
            self.note(&events);
        }
    }

    /// Notices silence by the absence of packets.
    pub fn look_at_the_clock(&mut self, now: Offset) {
        if now.since(self.advanced) < ADVANCE {
            return;
        }
        self.advanced = now;
        let events = self.ear.advance(now.since_start());
        self.note(&events);
        if let Some(last) = self.last
            && !self.stalled
            && now.since(last.at) >= STALL
        {
            self.stalled = true;
            self.heard.push((last.at, Some(Heard::MediaStalled), Observation::AgentMediaStalled));
        }
    }

    /// When the clock has to be looked at next.
    pub fn wake_at(&self) -> Option<Offset> {
        self.last.map(|_| self.advanced.plus(ADVANCE))
    }

    /// What was heard since the last call: when it happened, what it means to the script if anything,
    /// and what is logged.
    pub fn take_heard(&mut self) -> Vec<(Offset, Option<Heard>, Observation)> {
        std::mem::take(&mut self.heard)
    }

    fn note(&mut self, events: &[Event]) {
        let offset = |at| Offset::default().plus(at);
        for event in events {
            match *event {
                Event::VoiceStarted { at, sound_at } => {
                    let at = offset(at);
                    self.heard.push((offset(sound_at), None, Observation::SoundBegan));
                    let heard = Some(Heard::VoiceBegan { at });
                    self.heard.push((at, heard, Observation::VoiceBegan));
                }
                Event::VoiceEnded { at } => {
                    let at = offset(at);
                    let heard = Some(Heard::VoiceEnded { at });
                    self.heard.push((at, heard, Observation::VoiceEnded));
                }
            }
        }
    }

    /// What the received media was like; the other half is the microphone's.
    pub fn facts(&self) -> MediaFacts {
        let overflowed = self.stream.as_ref().map_or(0, EncodedAudioStream::overflowed);
        MediaFacts {
            packets_received: self.counts.received,
            packets_lost: self.counts.lost + self.last.map_or(0, |last| last.sequence.lost()),
            packets_unread: overflowed + self.counts.undecodable,
            largest_gap_ms: self.counts.largest_gap.as_secs_f64() * 1_000.0,
            ..MediaFacts::default()
        }
    }
}

/// A difference of RTP times as time; a jump to another stream is none.
fn ticks(rtp: u32) -> Duration {
    Duration::from_micros(u64::from(rtp) * 1_000 / 48)
}

fn samples(pcm: &[i16]) -> u32 {
    u32::try_from(pcm.len()).expect("a packet has at most 5760 samples")
}
