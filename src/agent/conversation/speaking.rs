//! Something the agent is about to say or is saying, and where in it the packets are.
//!
//! A packet captured in [T − 20 ms, T) leaves at T; what the agent does is dated by when it leaves.

use super::Action;
use crate::agent::script::Line;
use crate::agent::voice::Voice;
use crate::record::{ReportedMetrics, SessionEvent};
use crate::time::Offset;
use std::sync::Arc;
use std::time::Duration;

const PACKET: Duration = Duration::from_millis(20);
const PACKET_US: i64 = 20_000;
/// A packet leaves some milliseconds after its deadline at worst; what ends is over after that.
const LATE: Duration = Duration::from_millis(20);

/// How a speech ended, or is going to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Finished,
    /// Cut off, and the caller is answered.
    Yielded,
    /// Cut off, to be gone on with.
    Paused,
}

/// A stretch of packets that is on its way.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// Its first packet, by its number in the clip.
    from: usize,
    /// The capture time of its first sample.
    began: Offset,
    cut: Option<(usize, Ending, Offset)>,
}

/// When a voice is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// A moment of the capture clock, in the middle of the first packet that is not sent.
    pub(super) moment: Offset,
    /// When its last packet has left.
    pub(super) silent_at: Offset,
}

#[derive(Debug)]
pub(super) struct Speaking {
    pub(super) turn: u32,
    pub(super) line: Line,
    /// When its first audible sample was to be sent.
    pub(super) wanted: Offset,
    voice: Arc<Voice>,
    /// The last audible sample of what it answers.
    answers: Option<Offset>,
    metrics: ReportedMetrics,
    stretch: Option<Stretch>,
    /// The first packet that was not sent yet.
    next: usize,
    audible_from: Option<Offset>,
}

impl Speaking {
    pub(super) fn new(
        turn: u32,
        line: Line,
        voice: Arc<Voice>,
        wanted: Offset,
        answers: Option<Offset>,
        metrics: ReportedMetrics,
    ) -> Self {
        let (stretch, audible_from) = (None, None);
        Self { turn, line, wanted, voice, answers, metrics, stretch, next: 0, audible_from }
    }

    pub(super) fn say(&self) -> Action {
        let first = self.voice.clip().first_voiced_at();
        let not_before = self.wanted.minus(PACKET).minus(first);
        Action::Say { voice: Arc::clone(&self.voice), from: self.next, not_before }
    }

    /// Its packets have begun to leave. The answer is when its first audible sample is sent, the first
    /// time.
    pub(super) fn start(&mut self, began: Offset) -> Option<Offset> {
        let is_first = self.audible_from.is_none();
        self.stretch = Some(Stretch { from: self.next, began, cut: None });
        let first = began.plus(PACKET).plus(self.voice.clip().first_voiced_at());
        if is_first {
            self.audible_from = Some(first);
            self.metrics.e2e_latency_ms = self.answers.map(|end| first.ms_since(end));
        }
        is_first.then_some(first)
    }

    /// When the last packet has left unless it is cut.
    pub(super) fn ends_by_itself(&self) -> Offset {
        let left = self.voice.clip().frames().len().saturating_sub(self.next);
        let began = self.stretch.map(|stretch| stretch.began).unwrap_or_default();
        began.plus(packets(left)).plus(LATE)
    }

    /// Ends it so that its last sample is sent at `wanted`, or within 20 ms after it; `None` when it is
    /// over by then or is cut already.
    pub(super) fn cut(&mut self, wanted: Offset, ending: Ending) -> Option<Cut> {
        let left = self.voice.clip().frames().len().saturating_sub(self.next);
        let stretch = self.stretch.as_mut().filter(|stretch| stretch.cut.is_none())?;
        let elapsed = wanted.minus(PACKET).micros() - stretch.began.micros();
        let sent = usize::try_from(elapsed.div_euclid(PACKET_US) + 1).ok()?;
        if sent >= left {
            return None;
        }
        let end = stretch.began.plus(packets(sent));
        let silent_at = end.plus(PACKET).plus(LATE);
        stretch.cut = Some((sent, ending, silent_at));
        Some(Cut { moment: end.minus(PACKET / 2), silent_at })
    }

    /// When it will have fallen silent, when it is to be cut.
    pub(super) fn silent_at(&self) -> Option<Offset> {
        self.stretch.and_then(|stretch| stretch.cut).map(|(_, _, at)| at)
    }

    /// Its last packet has left: when its last audible sample was sent, and why it was the last.
    pub(super) fn end(&mut self) -> (Option<Offset>, Ending) {
        let Some(stretch) = self.stretch.take() else { return (None, Ending::Finished) };
        let all = self.voice.clip().frames().len();
        let (sent, ending) =
            stretch.cut.map_or((all - self.next, Ending::Finished), |(n, ending, _)| (n, ending));
        self.next = stretch.from + sent;
        let last = self.voice.last_audible_of(self.next);
        let before = packets(stretch.from);
        let at = last.and_then(|last| last.checked_sub(before));
        (at.map(|last| stretch.began.plus(PACKET).plus(last)), ending)
    }

    /// Goes on where it was paused.
    pub(super) fn resume(&mut self, now: Offset) -> Option<Action> {
        let paused = self.stretch.is_none() && self.audible_from.is_some();
        let voice = Arc::clone(&self.voice);
        paused.then_some(Action::Say { voice, from: self.next, not_before: now })
    }

    /// What the session says of it; its length is that of its packets.
    pub(super) fn report(&self, ending: Ending) -> SessionEvent {
        let speech_ms = Some(packets(self.next).as_secs_f64() * 1_000.0);
        SessionEvent::AgentMessage {
            id: format!("item_agent_{}", self.turn),
            text: self.line.text.clone(),
            interrupted: ending == Ending::Yielded,
            metrics: ReportedMetrics { speech_ms, ..self.metrics },
        }
    }
}

fn packets(n: usize) -> Duration {
    PACKET * u32::try_from(n).unwrap_or(u32::MAX)
}
