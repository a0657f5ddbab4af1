//! What the caller hears: packets of the agent's voice → samples → edges of speech, each at the
//! moment its sample could first be heard, which is the arrival of its packet plus its place in it.

use super::sequence::{Arrival, Sequence};
use crate::audio::ear::Event;
use crate::audio::listener::{Listener, Packet};
use crate::clock::Clock;
use crate::record::{MediaFacts, Observation, Stamped};
use crate::time::Offset;
use futures_util::{FutureExt as _, StreamExt as _};
use livekit::webrtc::encoded::{EncodedAudioStream, ReceivedFrame as Frame};
use std::time::Duration;

/// How long no packet may come before the agent's audio counts as stopped. Silence that is not sent
/// (DTX) still gives a packet each 400 ms.
const STALL: Duration = Duration::from_secs(2);
/// How long the ear may go without being asked whether silence has lasted long enough: longer than a batch of packets takes
/// to come, so that the clock is looked at only when none does.
const LOOK: Duration = Duration::from_millis(100);
/// All calls look in such steps of the clock, because a thread that wakes for many of them is cheaper.
const LOOK_STEP_US: i64 = 20_000;

/// The listening half of a call.
pub struct Hearing {
    clock: Clock,
    stream: Option<EncodedAudioStream>,
    listener: Listener,
    heard: Vec<Stamped>,
    last: Option<Last>,
    stalled: bool,
    looked: Offset,
    counts: Counts,
}

/// The latest packet.
#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    sequence: Sequence,
    rtp_time: u32,
    at: Offset,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    received: u64,
    /// In streams that have ended.
    lost: u64,
    largest_gap: Duration,
}

impl Hearing {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            stream: None,
            listener: Listener::new(),
            heard: Vec::new(),
            last: None,
            stalled: false,
            looked: Offset::default(),
            counts: Counts::default(),
        }
    }

    /// Listens to this track from now on; one that was listened to before has been replaced.
    pub fn listen_to(&mut self, stream: EncodedAudioStream) {
        self.stream = Some(stream);
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

    /// Hears the packets that wait. Before the clock is looked at, or it would seem that none came.
    pub fn take_waiting(&mut self) {
        while let Some(frame) = self.next_packet().now_or_never() {
            self.take(&frame);
        }
    }

    /// Hears a packet.
    pub fn take(&mut self, frame: &Frame) {
        let at = self.clock.offset(frame.arrival);
        self.counts.received += 1;
        if self.stalled {
            self.stalled = false;
            let now = self.clock.now();
            self.heard.push(Stamped { at: now, what: Observation::AgentMediaResumed });
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
            if missing > 0 {
                let events = self.listener.lost(missing, at.since_start());
                self.note(&events);
            }
        } else if self.last.is_some() {
            self.stream_ended();
        }
        let Frame { ssrc, rtp_time, .. } = *frame;
        let packet = Packet { at: at.since_start(), rtp_time, payload: &frame.payload };
        let events = self.listener.hear(packet);
        self.note(&events);
        self.last = Some(Last { ssrc, sequence, rtp_time, at });
    }

    /// Another stream follows, whose numbers have nothing to do with this one's.
    fn stream_ended(&mut self) {
        self.counts.lost += self.last.take().map_or(0, |last| last.sequence.lost());
        self.listener.begin_stream();
    }

    /// Notices silence by the absence of packets.
    pub fn look_at_the_clock(&mut self, now: Offset) {
        self.looked = now;
        let events = self.listener.advance(now.since_start());
        self.note(&events);
        if let Some(last) = self.last
            && !self.stalled
            && now.since(last.at) >= STALL
        {
            self.stalled = true;
            self.heard.push(Stamped { at: last.at, what: Observation::AgentMediaStalled });
        }
    }

    /// When the clock has to be looked at next.
    pub fn wake_at(&self) -> Option<Offset> {
        let last = self.last?;
        let steps = self.looked.max(last.at).plus(LOOK).micros() / LOOK_STEP_US + 1;
        Some(Offset::from_micros(steps * LOOK_STEP_US))
    }

    /// What was heard since the last call, at the moment it happened.
    pub fn take_heard(&mut self) -> Vec<Stamped> {
        std::mem::take(&mut self.heard)
    }

    fn note(&mut self, events: &[Event]) {
        let stamped = |at, what| Stamped { at: Offset::default().plus(at), what };
        for event in events {
            match *event {
                Event::VoiceStarted { at, sound_at } => {
                    self.heard.push(stamped(sound_at, Observation::SoundBegan));
                    self.heard.push(stamped(at, Observation::VoiceBegan));
                }
                Event::VoiceEnded { at } => self.heard.push(stamped(at, Observation::VoiceEnded)),
                Event::VoiceRetracted { at } => {
                    self.heard.push(stamped(at, Observation::VoiceRetracted));
                }
                Event::NeverSilent { since, level_dbfs } => {
                    self.heard.push(stamped(since, Observation::NeverSilent { level_dbfs }));
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
            packets_unread: overflowed + self.listener.undecodable(),
            largest_gap_ms: self.counts.largest_gap.as_secs_f64() * 1_000.0,
            ..MediaFacts::default()
        }
    }
}

/// A difference of RTP times as time; a jump to another stream is none.
fn ticks(rtp: u32) -> Duration {
    Duration::from_micros(u64::from(rtp) * 1_000 / 48)
}
