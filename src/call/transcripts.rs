//! Transcripts of a call: streams that open, grow and close → one observation for each segment.
//!
//! An agent's segment is one stream that grows while it is spoken. A segment of the caller's is told in many
//! streams, each with the whole text so far; the last of them may say so (`lk.transcription_final`), or not
//! (livekit-agents up to 1.0.20). Older agents send packets instead of streams, and some send both.

use crate::record::{Observation, Speaker, Stamped};
use crate::time::Offset;
use std::collections::VecDeque;

/// Bytes of one text and characters of a segment's name that are kept.
const TEXT_LIMIT: usize = 4_000;
const NAME_LIMIT: usize = 100;
/// Segments that came as packets, and finished ones that are remembered.
const PACKETS: usize = 256;
const FINISHED: usize = 32;

/// A stream that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u64);

/// What is known of a segment.
#[derive(Debug)]
struct Segment {
    speaker: Speaker,
    name: String,
    text: String,
    /// When its first stream opened.
    opened: Offset,
    /// When the stream opened that the text is of.
    newest: Offset,
    closed: Option<Offset>,
}

/// The transcripts of one call.
#[derive(Debug, Default)]
pub struct Transcripts {
    opened: u64,
    reading: Vec<(Stream, Segment)>,
    /// The caller's segment that may be told again.
    interim: Option<Segment>,
    /// Names of the caller's last finished segments, so that a stream that is late changes none of them.
    finished: VecDeque<String>,
    packets: Vec<Segment>,
    full: bool,
    /// Whose transcripts came as streams.
    streamed: Vec<Speaker>,
}

impl Transcripts {
    pub fn open(&mut self, speaker: Speaker, segment: &str, at: Offset) -> Stream {
        self.opened += 1;
        let stream = Stream(self.opened);
        self.reading.push((stream, Segment::begun(speaker, segment, at)));
        if !self.streamed.contains(&speaker) {
            self.streamed.push(speaker);
        }
        stream
    }

    pub fn grow(&mut self, stream: Stream, text: &str) {
        if let Some((_, segment)) = self.reading.iter_mut().find(|(known, _)| *known == stream) {
            let room = TEXT_LIMIT.saturating_sub(segment.text.len());
            segment.text.extend(text.chars().take(room));
        }
    }

    /// The stream ended: by being closed `at` then, or broken off. `is_final` is what the agent says.
    pub fn close(&mut self, stream: Stream, at: Option<Offset>, is_final: bool) -> Vec<Stamped> {
        let Some(place) = self.reading.iter().position(|(known, _)| *known == stream) else {
            return Vec::new();
        };
        let (_, mut segment) = self.reading.remove(place);
        segment.closed = at;
        match segment.speaker {
            Speaker::Agent => segment.told().into_iter().collect(),
            Speaker::Caller => self.close_of_caller(segment, is_final),
        }
    }

    fn close_of_caller(&mut self, segment: Segment, is_final: bool) -> Vec<Stamped> {
        if self.finished.contains(&segment.name) {
            return Vec::new();
        }
        let (segment, before) = match self.interim.take() {
            Some(known) if known.name == segment.name => (known.retold(segment), None),
            before => (segment, before),
        };
        let before = before.and_then(|before| {
            self.finish(&before);
            before.told()
        });
        let whole = if is_final {
            self.finish(&segment);
            segment.told()
        } else {
            self.interim = Some(segment);
            None
        };
        before.into_iter().chain(whole).collect()
    }

    fn finish(&mut self, segment: &Segment) {
        if self.finished.len() >= FINISHED {
            self.finished.pop_front();
        }
        self.finished.push_back(segment.name.clone());
    }

    /// A segment as a packet has it: with the whole text so far. False when there is no room for the first
    /// time.
    pub fn packet(&mut self, speaker: Speaker, segment: &str, text: &str, at: Offset) -> bool {
        if self.streamed.contains(&speaker) {
            return true;
        }
        let mut told = Segment::begun(speaker, segment, at);
        told.text = text.chars().take(TEXT_LIMIT).collect();
        told.closed = Some(at);
        let known = |s: &Segment| s.speaker == speaker && s.name == told.name;
        if let Some(known) = self.packets.iter_mut().find(|s| known(s)) {
            (known.text, known.closed) = (told.text, told.closed);
            return true;
        }
        if self.packets.len() < PACKETS {
            self.packets.push(told);
            return true;
        }
        std::mem::replace(&mut self.full, true)
    }

    /// What is left when the call is over: streams that are still open, the caller's last words if nothing
    /// said that they were the last, and what came as packets and never as a stream.
    pub fn rest(&mut self) -> Vec<Stamped> {
        let streams: Vec<Stream> = self.reading.iter().map(|(stream, _)| *stream).collect();
        let mut rest: Vec<Stamped> =
            streams.into_iter().flat_map(|stream| self.close(stream, None, false)).collect();
        rest.extend(self.interim.take().and_then(Segment::told));
        let streamed = std::mem::take(&mut self.streamed);
        let packets = std::mem::take(&mut self.packets).into_iter();
        rest.extend(packets.filter(|s| !streamed.contains(&s.speaker)).filter_map(Segment::told));
        rest
    }
}

impl Segment {
    fn begun(speaker: Speaker, name: &str, at: Offset) -> Self {
        let name = name.chars().take(NAME_LIMIT).collect();
        Self { speaker, name, text: String::new(), opened: at, newest: at, closed: None }
    }

    /// The same segment as another stream has it. Streams may end in another order than they began; the
    /// text of the one that began last counts.
    fn retold(self, again: Self) -> Self {
        let opened = self.opened.min(again.opened);
        let latest = if again.newest >= self.newest { again } else { self };
        Self { opened, ..latest }
    }

    /// Nothing when nothing was said.
    fn told(self) -> Option<Stamped> {
        let Self { speaker, name: segment, text, opened, closed: until, .. } = self;
        let what = Observation::Transcript { speaker, segment, text, last: until.is_some(), until };
        let is_empty =
            matches!(&what, Observation::Transcript { text, .. } if text.trim().is_empty());
        (!is_empty).then_some(Stamped { at: opened, what })
    }
}

#[cfg(test)]
mod tests;
