//! One track and the ear for it: its packets → edges of its voice, holes in its packets, counts.

use super::pause::{Pause, ticks};
use super::sequence::{Arrival, Sequence};
use crate::audio::ear::Event;
use crate::audio::listener::{Listener, Packet};
use crate::time::Offset;
use livekit::webrtc::encoded::{EncodedAudioStream, ReceivedFrame as Frame};
use std::time::Duration;

/// How long no packet may come before the agent's audio counts as stopped. Silence that is not sent
/// (DTX) still gives a packet each 400 ms.
const STALL: Duration = Duration::from_secs(2);
/// A voice that was audible so shortly before its last packet was cut off.
const CUT_OFF: Duration = Duration::from_millis(60);

/// A track that is listened to.
pub(super) struct Track {
    pub(super) number: u32,
    pub(super) stream: Option<EncodedAudioStream>,
    listener: Listener,
    last: Option<Last>,
    due: Due,
    audible: bool,
    voice_ended: Option<Offset>,
    stalled: bool,
    pause: Option<Pause>,
    /// It sends nothing while it is silent, as it has shown.
    sends_no_silence: bool,
    /// Until then what is heard is kept back: the track may turn out to be ambience.
    doubtful_until: Option<Offset>,
    kept_back: Vec<Event>,
    pub(super) counts: Counts,
}

/// Which packets are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Packets,
    /// None while it is muted.
    Muted,
    /// They are again; it was muted when the last one came.
    Unmuted,
    /// None any more: it was taken back, and only its last voice has to end.
    Gone,
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
pub(super) struct Counts {
    pub(super) received: u64,
    /// In streams that have ended.
    pub(super) lost: u64,
    pub(super) unread: u64,
    pub(super) largest_gap: Duration,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.received += other.received;
        self.lost += other.lost;
        self.unread += other.unread;
        self.largest_gap = self.largest_gap.max(other.largest_gap);
    }
}

/// Packets have stopped to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped {
    pub(super) since: Offset,
    /// In the midst of a voice.
    pub(super) cut_off: bool,
}

/// What a packet, or the absence of packets, says beside the edges of a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Steady,
    /// A hole had looked like a stall and was silence.
    WasSilent,
}

impl Track {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            stream: None,
            listener: Listener::new(),
            last: None,
            due: Due::Packets,
            audible: false,
            voice_ended: None,
            stalled: false,
            pause: None,
            sends_no_silence: false,
            doubtful_until: None,
            kept_back: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Listens to this stream from now on; one that was listened to before has been replaced.
    pub(super) fn listen_to(&mut self, stream: EncodedAudioStream) {
        self.drop_stream();
        self.stream = Some(stream);
        self.due = Due::Packets;
        self.stream_ended();
    }

    pub(super) fn doubt_until(&mut self, until: Offset) {
        self.doubtful_until = Some(until);
    }

    /// Whether it may yet turn out to be ambience.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful_until.is_some()
    }

    pub(super) fn mute(&mut self, muted: bool) {
        if self.due != Due::Gone {
            self.due = if muted { Due::Muted } else { Due::Unmuted };
        }
    }

    /// No packet is due any more. A hole before that was no stall unless a voice was cut off.
    pub(super) fn end(&mut self) -> Flow {
        self.due = Due::Gone;
        self.drop_stream();
        let was_silent = self.stalled && !self.cut_off();
        self.stalled = false;
        if was_silent { Flow::WasSilent } else { Flow::Steady }
    }

    /// Forgets the stream, which has ended.
    pub(super) fn drop_stream(&mut self) {
        let overflowed = self.stream.take().map_or(0, |stream| stream.overflowed());
        self.counts.unread += overflowed;
    }

    /// Whether nothing is to be expected of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.due == Due::Gone && !self.audible && self.kept_back.is_empty()
    }

    pub(super) fn last_packet(&self) -> Option<Offset> {
        self.last.map(|last| last.at)
    }

    /// Whether its packets come.
    pub(super) fn flows(&self, now: Offset) -> bool {
        self.due != Due::Gone && self.last.is_some_and(|last| now.since(last.at) < STALL)
    }

    /// Hears a packet.
    pub(super) fn hear(&mut self, frame: &Frame, at: Offset, events: &mut Vec<Event>) -> Flow {
        self.counts.received += 1;
        let mut flow = Flow::Steady;
        let mut sequence = Sequence::starting_with(frame.seq);
        if let Some(last) = self.last.as_mut().filter(|last| last.ssrc == frame.ssrc) {
            let Arrival::Next { missing } = last.sequence.take(frame.seq) else { return flow };
            let last = *last;
            sequence = last.sequence;
            flow = self.judge_pause(frame, at);
            if self.due == Due::Packets {
                self.measure_gap(last, frame, at, missing);
            } else if self.due == Due::Unmuted {
                self.due = Due::Packets;
            }
            if missing > 0 {
                let concealed = self.listener.lost(missing, at.since_start());
                self.take_in(concealed, events);
            }
        } else if self.last.is_some() {
            self.stream_ended();
        }
        let Frame { ssrc, rtp_time, .. } = *frame;
        let packet = Packet { at: at.since_start(), rtp_time, payload: &frame.payload };
        let heard = self.listener.hear(packet);
        self.take_in(heard, events);
        self.last = Some(Last { ssrc, sequence, rtp_time, at });
        flow
    }

    /// Notices silence by the absence of packets, and says whether they have stopped to come just now.
    pub(super) fn look_at_the_clock(
        &mut self,
        now: Offset,
        events: &mut Vec<Event>,
    ) -> Option<Stopped> {
        let heard = self.listener.advance(now.since_start());
        self.take_in(heard, events);
        if self.doubtful_until.is_some_and(|until| now >= until) {
            self.doubtful_until = None;
            events.append(&mut self.kept_back);
        }
        let last = self.last.filter(|last| now.since(last.at) >= STALL)?;
        let cut_off = self.cut_off();
        let due = matches!(self.due, Due::Packets | Due::Unmuted);
        let expected = due && (cut_off || !self.sends_no_silence);
        let news = expected && !std::mem::replace(&mut self.stalled, true);
        news.then_some(Stopped { since: last.at, cut_off })
    }

    pub(super) fn counts(&self) -> Counts {
        let overflowed = self.stream.as_ref().map_or(0, EncodedAudioStream::overflowed);
        let gap = self.pause.map_or(Duration::ZERO, |pause| pause.gap());
        Counts {
            lost: self.counts.lost + self.last.map_or(0, |last| last.sequence.lost()),
            unread: self.counts.unread + overflowed + self.listener.undecodable(),
            largest_gap: self.counts.largest_gap.max(gap),
            ..self.counts
        }
    }

    /// Another stream follows, whose numbers have nothing to do with this one's.
    fn stream_ended(&mut self) {
        self.counts.lost += self.last.take().map_or(0, |last| last.sequence.lost());
        self.listener.begin_stream();
        self.stalled = false;
    }

    fn take_in(&mut self, heard: Vec<Event>, events: &mut Vec<Event>) {
        for event in heard {
            match event {
                Event::VoiceStarted { .. } => self.audible = true,
                Event::VoiceEnded { at } => {
                    self.audible = false;
                    self.voice_ended = Some(Offset::default().plus(at));
                }
                Event::VoiceRetracted { .. } => self.audible = false,
                Event::NeverSilent { .. } => {}
            }
            let to = if self.doubtful_until.is_some() { &mut self.kept_back } else { &mut *events };
            to.push(event);
        }
    }

    /// Whether its voice lasted up to its last packet.
    fn cut_off(&self) -> bool {
        let until = self.voice_ended.map(|ended| ended.plus(CUT_OFF));
        self.audible || self.last.is_some_and(|last| until.is_some_and(|until| until >= last.at))
    }

    /// An agent that sends little in silence makes no gap: only what the packets' own clock does not explain is one, and
    /// not if that clock stood still because the agent was silent.
    fn measure_gap(&mut self, last: Last, frame: &Frame, at: Offset, missing: u64) {
        let explained = ticks(frame.rtp_time.wrapping_sub(last.rtp_time));
        let gap = at.since(last.at).saturating_sub(explained);
        let silent = missing == 0 && !self.cut_off();
        let pause = Pause::after(gap, explained, at, frame.rtp_time).filter(|_| silent);
        if let Some(pause) = pause {
            self.count_gap();
            self.pause = Some(pause);
        } else {
            self.counts.largest_gap = self.counts.largest_gap.max(gap);
            self.stalled &= self.pause.is_some();
        }
    }

    fn judge_pause(&mut self, frame: &Frame, at: Offset) -> Flow {
        let verdict = self.pause.and_then(|pause| pause.was_silence(at, frame.rtp_time));
        match verdict {
            Some(true) => {
                self.pause = None;
                self.sends_no_silence = true;
                let was_stalled = std::mem::replace(&mut self.stalled, false);
                if was_stalled { Flow::WasSilent } else { Flow::Steady }
            }
            Some(false) => {
                self.count_gap();
                self.stalled = false;
                Flow::Steady
            }
            None => Flow::Steady,
        }
    }

    /// Counts a hole that was no silence, or cannot be told any more.
    fn count_gap(&mut self) {
        if let Some(pause) = self.pause.take() {
            self.counts.largest_gap = self.counts.largest_gap.max(pause.gap());
        }
    }
}

#[cfg(test)]
mod tests;
