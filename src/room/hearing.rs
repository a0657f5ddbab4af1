//! What the caller hears: packets of the agent's voice, of one track or of several → samples → edges of speech, each at
//! the moment its sample could first be heard, which is the arrival of its packet plus its place in it. One ear a track;
//! `VoiceBegan` and `VoiceEnded` are the edges of what all of them hear together.

use super::track::{Counts, Flow, Stopped, Track};
use super::union::{Edge, Union};
use crate::audio::ear::Event;
use crate::clock::Clock;
use crate::record::audio::tape::{Packet, Tape};
use crate::record::{MediaFacts, Observation, Stamped};
use crate::time::Offset;
use futures_util::{FutureExt as _, StreamExt as _};
use livekit::webrtc::encoded::{EncodedAudioStream, ReceivedFrame as Frame};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// How long the ear may go without being asked whether silence has lasted long enough: longer than a batch of packets takes
/// to come, so that the clock is looked at only when none does.
const LOOK: Duration = Duration::from_millis(100);
/// All calls look in such steps of the clock, because a thread that wakes for many of them is cheaper.
const LOOK_STEP_US: i64 = 20_000;
/// How long a track that may yet turn out to be ambience is listened to before what it says counts.
const DOUBT: Duration = Duration::from_secs(1);

/// The listening half of a call.
pub struct Hearing {
    clock: Clock,
    /// Few: who listens limits them.
    tracks: Vec<Track>,
    union: Union,
    /// How many tracks were ever listened to.
    listened: u32,
    heard: Vec<Stamped>,
    stalled: Option<Stalled>,
    looked: Offset,
    /// Of tracks that are over.
    counts: Counts,
    /// Keeps the packets as they come.
    tape: Option<Tape>,
}

/// The agent's audio has stopped.
#[derive(Debug, Clone, Copy)]
struct Stalled {
    track: u32,
    /// Others go on, so only its own packets end it.
    others_go_on: bool,
}

/// A packet and the track it is of.
#[derive(Debug)]
pub struct Heard {
    track: u32,
    pub frame: Frame,
}

impl Hearing {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            tracks: Vec::new(),
            union: Union::default(),
            listened: 0,
            heard: Vec::new(),
            stalled: None,
            looked: Offset::default(),
            counts: Counts::default(),
            tape: None,
        }
    }

    /// Keeps the packets of the voice on a tape.
    #[must_use]
    pub fn taped(self, tape: Option<Tape>) -> Self {
        Self { tape, ..self }
    }

    /// The packets that were heard, if they were kept.
    pub fn take_tape(&mut self) -> Option<Tape> {
        self.tape.take()
    }

    /// Listens to this track from now on. What it says counts at once when it is `surely` a voice; else only after a
    /// second, and not at all if it is turned away by then.
    pub fn listen_to(&mut self, number: u32, stream: EncodedAudioStream, surely: bool) {
        if self.track(number).is_none() {
            self.listened = self.listened.saturating_add(1);
            let mut track = Track::new(number);
            if !surely {
                track.doubt_until(self.clock.now().plus(DOUBT));
            }
            self.tracks.push(track);
        }
        if let Some(track) = self.track(number) {
            track.listen_to(stream);
        }
    }

    /// The track was taken back: what it has said is heard to its end, and no packet is missed.
    pub fn ended(&mut self, number: u32) {
        self.take_waiting();
        let now = self.clock.now();
        let flow = self.track(number).map(Track::end);
        self.note_flow(now, flow.unwrap_or(Flow::Steady));
    }

    /// The track has turned out to be ambience: its voice ends now, and what is still in doubt never was.
    pub fn turn_away(&mut self, number: u32) {
        let Some(place) = self.tracks.iter().position(|track| track.number == number) else {
            return;
        };
        let track = self.tracks.swap_remove(place);
        self.counts.add(track.counts());
        if let Some(tape) = self.tape.as_mut().filter(|_| track.is_doubtful()) {
            tape.forget(number);
        }
        let now = self.clock.now();
        self.fall_silent(number, now);
    }

    pub fn mute(&mut self, number: u32, muted: bool) {
        if let Some(track) = self.track(number) {
            track.mute(muted);
        }
    }

    /// The next packet; never, while there is no track. Cancelling loses nothing.
    pub async fn next_packet(&mut self) -> Heard {
        let tracks = &mut self.tracks;
        poll_fn(|context| {
            for track in tracks.iter_mut() {
                let Some(stream) = &mut track.stream else { continue };
                match stream.poll_next_unpin(context) {
                    Poll::Ready(Some(frame)) => {
                        return Poll::Ready(Heard { track: track.number, frame });
                    }
                    Poll::Ready(None) => track.drop_stream(),
                    Poll::Pending => {}
                }
            }
            // The tracks have ended or not begun; others may come.
            Poll::Pending
        })
        .await
    }

    /// Hears the packets that wait. Before the clock is looked at, or it would seem that none came.
    pub fn take_waiting(&mut self) {
        while let Some(heard) = self.next_packet().now_or_never() {
            self.take(&heard);
        }
    }

    /// Hears a packet.
    pub fn take(&mut self, Heard { track: number, frame }: &Heard) {
        let at = self.clock.offset(frame.arrival);
        if self.stalled.is_some_and(|s| s.track == *number || !s.others_go_on) {
            self.stalled = None;
            self.note(self.clock.now(), Observation::AgentMediaResumed);
        }
        let mut events = Vec::new();
        let Some(track) = self.track(*number) else { return };
        let flow = track.hear(frame, at, &mut events);
        self.note_events(*number, &events);
        self.note_flow(at, flow);
        if let Some(tape) = &mut self.tape {
            let (track, payload) = (*number, &*frame.payload);
            let Frame { ssrc, seq, rtp_time, .. } = *frame;
            tape.add(&Packet { track, ssrc, seq, rtp_time, at, payload });
        }
    }

    /// Notices silence by the absence of packets.
    pub fn look_at_the_clock(&mut self, now: Offset) {
        self.looked = now;
        let flows = self.tracks.iter().any(|track| track.flows(now));
        let mut all = Vec::new();
        for track in &mut self.tracks {
            let mut events = Vec::new();
            let stopped = track.look_at_the_clock(now, &mut events);
            if !events.is_empty() || stopped.is_some() {
                all.push((track.number, events, stopped));
            }
        }
        for (track, events, stopped) in all {
            self.note_events(track, &events);
            // While another track is there, nobody misses one that has stopped in silence.
            if let Some(Stopped { since, cut_off }) = stopped
                && (cut_off || !flows)
                && self.stalled.is_none()
            {
                self.stalled = Some(Stalled { track, others_go_on: flows });
                self.note(since, Observation::AgentMediaStalled);
            }
        }
        let counts = &mut self.counts;
        self.tracks.retain(|track| {
            if track.is_over() {
                counts.add(track.counts());
            }
            !track.is_over()
        });
    }

    /// When the clock has to be looked at next.
    pub fn wake_at(&self) -> Option<Offset> {
        let last = self.tracks.iter().filter_map(Track::last_packet).max()?;
        let steps = self.looked.max(last).plus(LOOK).micros() / LOOK_STEP_US + 1;
        Some(Offset::from_micros(steps * LOOK_STEP_US))
    }

    /// What was heard since the last call, at the moment it happened.
    pub fn take_heard(&mut self) -> Vec<Stamped> {
        std::mem::take(&mut self.heard)
    }

    /// Tells which tracks are still audible, when nothing more will be heard.
    pub fn hang_up(&mut self, now: Offset) {
        for track in self.union.audible() {
            self.fall_silent(track, now);
        }
        // What the caller does not wait for has no end.
        self.heard.retain(|heard| heard.what != Observation::VoiceEnded);
    }

    /// What the received media was like; the other half is the microphone's.
    pub fn facts(&self) -> MediaFacts {
        let mut counts = self.counts;
        self.tracks.iter().for_each(|track| counts.add(track.counts()));
        MediaFacts {
            packets_received: counts.received,
            packets_lost: counts.lost,
            packets_unread: counts.unread,
            largest_gap_ms: counts.largest_gap.as_secs_f64() * 1_000.0,
            ..MediaFacts::default()
        }
    }

    fn track(&mut self, number: u32) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.number == number)
    }

    fn note(&mut self, at: Offset, what: Observation) {
        self.heard.push(Stamped { at, what });
    }

    fn note_flow(&mut self, at: Offset, flow: Flow) {
        if flow == Flow::WasSilent {
            self.stalled = None;
            self.note(at, Observation::AgentMediaWasSilent);
        }
    }

    fn note_events(&mut self, track: u32, events: &[Event]) {
        let moment = |at| Offset::default().plus(at);
        for event in events {
            match *event {
                Event::VoiceStarted { at, sound_at } => {
                    let edge = self.union.began(track, moment(at), moment(sound_at));
                    self.note_edge(edge);
                }
                Event::VoiceEnded { at } => self.fall_silent(track, moment(at)),
                Event::VoiceRetracted { .. } => {
                    for edge in self.union.retracted(track) {
                        self.note_edge(Some(edge));
                    }
                }
                Event::NeverSilent { since, level_dbfs } => {
                    self.note(moment(since), Observation::NeverSilent { level_dbfs });
                }
            }
        }
    }

    fn fall_silent(&mut self, track: u32, at: Offset) {
        let Some((from, edge)) = self.union.ended(track, at) else { return };
        if self.listened > 1 {
            self.note(from, Observation::TrackSpoke { track, until: at.max(from) });
        }
        self.note_edge(edge);
    }

    fn note_edge(&mut self, edge: Option<Edge>) {
        match edge {
            Some(Edge::Began { at, sound_at }) => {
                self.note(sound_at, Observation::SoundBegan);
                self.note(at, Observation::VoiceBegan);
            }
            Some(Edge::Ended { at }) => self.note(at, Observation::VoiceEnded),
            Some(Edge::Retracted { at }) => self.note(at, Observation::VoiceRetracted),
            None => {}
        }
    }
}
