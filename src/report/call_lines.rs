//! The calls of a run, a line each: how a call went, its slowest turn, and where to look further.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::replies::{heard_ms, is_censored};
use crate::record::{CallId, Outcome, RunHead, trace_url};
use crate::time::Offset;
use crate::turn::{Analysis, Answer, CallFacts, Cause, Reply, Turn};

/// A call in short. Texts are as they were recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct CallLine<'a> {
    pub call: CallId,
    /// When it was dialled, by the wall clock of the machine, UTC; `None` where the recording's start is not a time.
    pub dialled_at: Option<Timestamp>,
    pub length_ms: f64,
    pub outcome: Outcome,
    /// `None` for a call that says nothing about the agent.
    pub ok: Option<bool>,
    pub cause: Option<Cause>,
    /// What exactly happened; may be empty.
    pub detail: &'a str,
    pub slowest: Option<Slowest<'a>>,
    pub room: &'a str,
    /// Where its trace can be seen, if one was sent.
    pub trace: Option<String>,
}

/// The turn of a call that its caller waited for longest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowest<'a> {
    pub turn: &'a Turn,
    /// The `heard_e2e_latency` or `answer_latency`, or of a greeting the `greeting_latency`.
    pub ms: f64,
    /// No reply or answer came: it would have been slower than this.
    pub censored: bool,
}

/// Which calls are listed, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// In the order of their ids.
    All,
    /// Those that failed, in the order of their ids.
    Failed,
    /// The worst first, at most so many.
    Worst(usize),
}

/// The calls of a run that are selected.
pub fn selected(analysis: &Analysis, selection: Selection) -> Vec<&CallFacts> {
    let calls = &analysis.calls;
    match selection {
        Selection::All => calls.iter().collect(),
        Selection::Failed => calls.iter().filter(|call| call.failed()).collect(),
        Selection::Worst(most) => worst_first(calls).take(most).collect(),
    }
}

/// The same, in short.
pub fn call_lines(analysis: &Analysis, selection: Selection) -> Vec<CallLine<'_>> {
    let calls = selected(analysis, selection).into_iter();
    calls.map(|call| CallLine::new(&analysis.head, call)).collect()
}

/// Failed calls first, then those with the slowest turns, of which the slowest are those that were never answered;
/// last those that say nothing about the agent.
pub fn worst_first(calls: &[CallFacts]) -> impl Iterator<Item = &CallFacts> {
    let class = |call: &CallFacts| match call.ok() {
        Some(false) => 0_u8,
        Some(true) => 1,
        None => 2,
    };
    let of = |call| (class(call), Slowest::of(call), call);
    let mut order: Vec<_> = calls.iter().map(of).collect();
    order.sort_by(|(class_a, slow_a, a), (class_b, slow_b, b)| {
        class_a.cmp(class_b).then_with(|| by_wait(*slow_b, *slow_a)).then(a.call.cmp(&b.call))
    });
    order.into_iter().map(|(_, _, call)| call)
}

fn by_wait(a: Option<Slowest<'_>>, b: Option<Slowest<'_>>) -> Ordering {
    let key = |of: Option<Slowest<'_>>| of.map(|s| (s.censored, s.ms));
    match (key(a), key(b)) {
        (Some((a_open, a_ms)), Some((b_open, b_ms))) => {
            a_open.cmp(&b_open).then(a_ms.total_cmp(&b_ms))
        }
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

impl<'a> CallLine<'a> {
    pub(super) fn new(head: &RunHead, call: &'a CallFacts) -> Self {
        let detail = call.failure.as_ref().map_or("", |failure| failure.detail.as_str());
        Self {
            call: call.call,
            dialled_at: wall_time(head, call.dialled),
            length_ms: call.ended.ms_since(call.dialled),
            outcome: call.outcome,
            ok: call.ok(),
            cause: call.failure.as_ref().map(|failure| failure.cause),
            detail: if detail.is_empty() { &call.detail } else { detail },
            slowest: Slowest::of(call),
            room: &call.room,
            trace: trace_url(head, call.call),
        }
    }

    /// The name of the room without the number of the call; `None` where it does not end with that.
    pub fn room_stem(&self) -> Option<&'a str> {
        self.room.strip_suffix(&format!("{:03}", self.call.0))
    }

    /// How it went in a word: the cause of its failure, or its outcome.
    pub fn word(&self) -> &'static str {
        self.cause.map_or_else(|| self.outcome.name(), Cause::name)
    }
}

impl<'a> Slowest<'a> {
    /// Of a call; `None` when no turn of it awaited words.
    pub fn of(call: &'a CallFacts) -> Option<Self> {
        let waits = call.turns.iter().filter_map(|turn| {
            let (ms, censored) = wait(turn)?;
            ms.is_finite().then_some(Self { turn, ms, censored })
        });
        waits.max_by(|a, b| by_wait(Some(*a), Some(*b)))
    }
}

/// How long the caller waited for what a turn awaits, and whether that never came. Of an answer that nobody knows of,
/// the response is known.
fn wait(turn: &Turn) -> Option<(f64, bool)> {
    match turn.answer.filter(|_| matches!(turn.reply, Reply::Heard { .. })) {
        Some(Answer::Heard { latency_ms, .. }) => Some((latency_ms, false)),
        Some(Answer::Outstanding { waited_ms } | Answer::Never { waited_ms }) => {
            Some((waited_ms, true))
        }
        None | Some(Answer::Unknown) => Some((heard_ms(turn.reply)?, is_censored(turn.reply))),
    }
}

/// A moment of a run by the wall clock of the machine that placed it.
pub fn wall_time(head: &RunHead, at: Offset) -> Option<Timestamp> {
    let start: Timestamp = head.started_at.parse().ok()?;
    start.checked_add(SignedDuration::from_micros(at.micros())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{answered, report};

    #[test]
    fn failed_calls_are_the_worst_then_those_that_waited_longest() {
        let (run, mut turns) = answered();
        let Reply::Heard { voice, .. } = turns[1].reply else { panic!("{:?}", turns[1]) };
        let with_reply = |latency_ms| Reply::Heard { voice, latency_ms };
        let (slow, quick) = (with_reply(4_000.0), with_reply(100.0));
        let calls = turns.len() / 3;
        turns[4].reply = slow;
        turns[7].reply = quick;
        turns[4].answer = None;
        turns[7].answer = Some(Answer::Outstanding { waited_ms: 3_000.0 });
        let report = report(&run, &turns);
        let order = |selection| {
            call_lines(&report.judged.analysis, selection)
                .iter()
                .map(|line| line.call.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(Selection::Worst(2)), [2, 1]);
        assert_eq!(order(Selection::All).len(), calls);
        let lines = call_lines(&report.judged.analysis, Selection::All);
        let slowest = lines[2].slowest.unwrap();
        assert_eq!(
            (slowest.turn.id.as_str(), slowest.ms, slowest.censored),
            ("hours", 3_000.0, true)
        );
        assert_eq!(lines[0].dialled_at.unwrap().to_string(), "2026-11-24T12:00:00.00125Z");
    }

    #[test]
    fn a_start_that_is_no_time_gives_no_time_of_day() {
        let head = RunHead { started_at: "yesterday".to_owned(), ..crate::record::testing::head() };
        assert_eq!(wall_time(&head, Offset::default()), None);
    }
}
