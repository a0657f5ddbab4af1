//! What the caller signals around its clips: when a method of the agent is to be called, and when a clip that waits for
//! one begins.

use crate::record::SignalTime;
use crate::time::Offset;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a clip waits for the answer to what comes before it. An agent that needs longer misses the beginning,
/// as it would that of a person.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
/// How long an agent may take to answer.
pub(super) const LIMIT: Duration = Duration::from_secs(5);
/// From a sample's place on the capture clock until its packet has left.
const PACKET: Duration = Duration::from_millis(20);

/// What became of a call of a method.
#[derive(Debug)]
pub(super) struct Signalled {
    pub(super) step: u32,
    pub(super) when: SignalTime,
    pub(super) method: String,
    pub(super) sent: Offset,
    /// Why it failed.
    pub(super) error: Option<String>,
}

/// A clip that waits for an answer.
#[derive(Debug, Clone, Copy)]
struct Held {
    step: u32,
    not_before: Offset,
    /// When its method was called.
    asked: Option<Offset>,
    answered: bool,
}

/// The signals of a call.
#[derive(Debug, Default)]
pub(super) struct Signalling {
    held: Option<Held>,
    /// The step whose clip was said, and when its last packet has left.
    said: Option<(u32, Offset)>,
    under_way: JoinSet<Signalled>,
}

impl Signalling {
    /// Keeps the clip of a step until what comes before it is done.
    pub(super) fn hold(&mut self, step: u32, not_before: Offset) {
        self.held = Some(Held { step, not_before, asked: None, answered: false });
    }

    /// The last voiced sample of a step's clip was sent at `ends`.
    pub(super) fn said(&mut self, step: u32, ends: Offset) {
        self.said = Some((step, ends.plus(PACKET)));
    }

    /// When time alone changes something.
    pub(super) fn wake_at(&self) -> Option<Offset> {
        let held = self.held.map(|held| match held.asked {
            None => held.not_before,
            Some(asked) => asked.plus(PATIENCE),
        });
        [held, self.said.map(|(_, at)| at)].into_iter().flatten().min()
    }

    /// A signal that has to be given now.
    pub(super) fn due(&mut self, now: Offset) -> Option<(u32, SignalTime)> {
        if let Some(held) = &mut self.held
            && held.asked.is_none()
            && held.not_before <= now
        {
            held.asked = Some(now);
            return Some((held.step, SignalTime::Before));
        }
        let (step, _) = self.said.take_if(|(_, at)| *at <= now)?;
        Some((step, SignalTime::After))
    }

    /// The step whose clip begins now.
    pub(super) fn released(&mut self, now: Offset) -> Option<u32> {
        let over = |held: &mut Held| {
            held.answered || held.asked.is_some_and(|asked| asked.plus(PATIENCE) <= now)
        };
        self.held.take_if(over).map(|held| held.step)
    }

    /// Waits for the end of a call of a method, no longer than [`LIMIT`].
    pub(super) fn give(
        &mut self,
        (step, when): (u32, SignalTime),
        method: String,
        sent: Offset,
        call: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        self.under_way.spawn(async move {
            let error = match timeout(LIMIT, call).await {
                Ok(done) => done.err(),
                Err(_) => Some(format!("no answer within {LIMIT:?}")),
            };
            Signalled { step, when, method, sent, error }
        });
    }

    /// The next signal that is over; `None` when none is under way. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Option<Signalled> {
        loop {
            let Ok(signalled) = self.under_way.join_next().await? else { continue };
            if signalled.when == SignalTime::Before
                && let Some(held) = self.held.as_mut().filter(|held| held.step == signalled.step)
            {
                held.answered = true;
            }
            return Some(signalled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Offset {
        Offset::default().plus(Duration::from_millis(ms))
    }

    #[tokio::test]
    async fn a_clip_begins_when_the_agent_has_answered() {
        let mut signals = Signalling::default();
        signals.hold(3, at(1_000));
        assert_eq!((signals.due(at(999)), signals.wake_at()), (None, Some(at(1_000))));
        assert_eq!(signals.due(at(1_010)), Some((3, SignalTime::Before)));
        assert_eq!((signals.due(at(1_011)), signals.wake_at()), (None, Some(at(1_510))));
        assert_eq!(signals.released(at(1_020)), None);
        let answer = async { Err("no such method".to_owned()) };
        signals.give((3, SignalTime::Before), "start".into(), at(1_010), answer);
        let Signalled { step, error, sent, .. } = signals.next().await.unwrap();
        assert_eq!((step, error.as_deref(), sent), (3, Some("no such method"), at(1_010)));
        assert_eq!(signals.released(at(1_020)), Some(3));
        assert_eq!((signals.released(at(9_000)), signals.wake_at()), (None, None));
        assert!(signals.next().await.is_none());
    }

    #[tokio::test]
    async fn an_agent_that_does_not_answer_holds_a_clip_for_half_a_second() {
        let mut signals = Signalling::default();
        signals.hold(0, at(0));
        signals.due(at(100)).unwrap();
        let never = std::future::pending();
        signals.give((0, SignalTime::Before), "start".into(), at(100), never);
        assert_eq!(signals.released(at(599)), None);
        assert_eq!(signals.released(at(600)), Some(0));
    }

    #[test]
    fn what_comes_after_a_clip_waits_for_its_last_packet() {
        let mut signals = Signalling::default();
        signals.said(2, at(500));
        assert_eq!((signals.due(at(519)), signals.wake_at()), (None, Some(at(520))));
        assert_eq!(signals.due(at(520)), Some((2, SignalTime::After)));
        assert_eq!(signals.due(at(521)), None);
    }
}
