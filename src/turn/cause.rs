//! Why a call failed, and whose fault that was.

use super::{Answer, Disturbance, Reply, Turn};
use crate::record::{CallRecord, Observation, Outcome, StateFound};

/// What went wrong in a call. Where the agent named an error of one of its stages and did not reply,
/// that is the cause, and not the silence that follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// No agent joined: the dispatch came to nothing.
    Dispatch,
    /// An agent joined, but not with its audio, or not in time.
    Join,
    /// It did not say its first words.
    Greeting,
    /// It did not reply, and named no error.
    Silence,
    /// It said something in reply, and the answer never came.
    NoAnswer,
    /// It left, and named no error.
    AgentLeft,
    /// A provider refused for want of quota, or because of too many requests.
    ProviderLimit,
    SttError,
    LlmError,
    TtsError,
    /// An error the agent named, of no stage that we know.
    AgentError,
    /// A method of it that the caller called failed, or was not answered.
    Rpc,
    /// It replied with something else.
    WrongContent,
    /// What it should have left behind was not there.
    EndState,
    /// Whether it was there could not be found out.
    EndStateUnknown,
    /// It did not yield to a barge-in, or took notice of a noise.
    TurnTaking,
    /// It replied later than the scenario allows.
    Late,
    /// What a step expects could not be tested.
    NotTested,
    /// The connection to the server broke, or the server refused the caller.
    Connection,
    /// The user stopped the run.
    Stopped,
    /// The caller itself failed.
    Ours,
}

impl Cause {
    pub const ALL: [Self; 21] = [
        Self::Dispatch,
        Self::Join,
        Self::Greeting,
        Self::Silence,
        Self::NoAnswer,
        Self::AgentLeft,
        Self::ProviderLimit,
        Self::SttError,
        Self::LlmError,
        Self::TtsError,
        Self::AgentError,
        Self::Rpc,
        Self::WrongContent,
        Self::EndState,
        Self::EndStateUnknown,
        Self::TurnTaking,
        Self::Late,
        Self::NotTested,
        Self::Connection,
        Self::Stopped,
        Self::Ours,
    ];

    /// The cause of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }

    /// The name in `report.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Join => "join",
            Self::Greeting => "greeting",
            Self::Silence => "no_reply",
            Self::NoAnswer => "no_answer",
            Self::AgentLeft => "agent_left",
            Self::ProviderLimit => "provider_limit",
            Self::SttError => "stt_error",
            Self::LlmError => "llm_error",
            Self::TtsError => "tts_error",
            Self::AgentError => "agent_error",
            Self::Rpc => "rpc",
            Self::WrongContent => "wrong_content",
            Self::EndState => "end_state",
            Self::EndStateUnknown => "end_state_unknown",
            Self::TurnTaking => "turn_taking",
            Self::Late => "late_reply",
            Self::NotTested => "not_tested",
            Self::Connection => "connection",
            Self::Stopped => "stopped",
            Self::Ours => "caller_fault",
        }
    }
}

/// A cause with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub cause: Cause,
    pub detail: String,
}

/// Why a call failed; `None` for one that succeeded. `spoke`: the agent was heard in it; `checks`: how many checks
/// of the end state there are.
pub(super) fn find(
    call: &CallRecord,
    turns: &[Turn],
    spoke: bool,
    checks: usize,
) -> Option<Failure> {
    let ended = |cause| Some(Failure { cause, detail: call.end.detail.clone() });
    match call.end.outcome {
        Outcome::Answered => in_signals(call, turns)
            .or_else(|| in_turns(call, turns))
            .or_else(|| never_heard(spoke))
            .or_else(|| in_end_state(call, checks)),
        Outcome::NoAgent => ended(Cause::Dispatch),
        Outcome::AgentLate => ended(Cause::Join),
        Outcome::NoGreeting => in_stage(turns).or_else(|| ended(Cause::Greeting)),
        Outcome::NoAnswer => {
            let named = in_stage(turns).or_else(|| in_signals(call, turns));
            named.or_else(|| ended(Cause::Silence))
        }
        Outcome::AgentLeft => in_stage(turns).or_else(|| ended(Cause::AgentLeft)),
        Outcome::ConnectionLost | Outcome::Refused => ended(Cause::Connection),
        Outcome::Stopped => ended(Cause::Stopped),
        Outcome::OurFault => ended(Cause::Ours),
    }
}

/// The first method of the agent that failed: what follows in its turn and later may follow from that.
fn in_signals(call: &CallRecord, turns: &[Turn]) -> Option<Failure> {
    let failed = call.log.iter().find_map(|stamped| {
        let Observation::Rpc { step, method, error: Some(error), .. } = &stamped.what else {
            return None;
        };
        Some((turns.iter().find(|turn| turn.step == *step)?, method, error))
    });
    let (turn, method, error) = failed?;
    let detail = format!("turn `{}`: the agent's method `{method}` failed: {error}", turn.id);
    Some(Failure { cause: Cause::Rpc, detail })
}

/// The error the agent named in the turn that it did not answer; of several the first, because others
/// follow from it.
fn in_stage(turns: &[Turn]) -> Option<Failure> {
    in_stage_of(turns.iter().find(|t| matches!(t.reply, Reply::Unanswered { .. }))?)
}

fn in_stage_of(turn: &Turn) -> Option<Failure> {
    let error = turn.errors.first()?;
    let detail = format!("turn `{}`: {error}", turn.id);
    Some(Failure { cause: stage(error), detail })
}

/// What the error is about. livekit-agents writes `type='llm_error' … APIStatusError(message='…',
/// status_code=429, …)`, providers put it in their own words.
fn stage(error: &str) -> Cause {
    let text = error.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&[
        "status_code=429",
        "status code 429",
        "http 429",
        "429 too many",
        "too many requests",
        "rate limit",
        "rate_limit",
        "ratelimit",
        "quota",
        "resource_exhausted",
        "resource exhausted",
    ]) {
        Cause::ProviderLimit
    } else if any(&["stt_error"]) {
        Cause::SttError
    } else if any(&["llm_error", "realtime_model_error"]) {
        Cause::LlmError
    } else if any(&["tts_error"]) {
        Cause::TtsError
    } else {
        Cause::AgentError
    }
}

/// A call that expects nothing of the agent is not fine when the agent is mute.
fn never_heard(spoke: bool) -> Option<Failure> {
    let detail = "the agent was never heard".to_owned();
    (!spoke).then_some(Failure { cause: Cause::Silence, detail })
}

/// What the call left behind: first a state that does not match, then one that could not be read.
fn in_end_state(call: &CallRecord, checks: usize) -> Option<Failure> {
    let of = |check: usize| {
        #[expect(clippy::wildcard_enum_match_arm, reason = "one fact of many is wanted")]
        call.log.iter().rev().find_map(|stamped| match &stamped.what {
            Observation::EndState { check: of, found, detail } if *of as usize == check => {
                Some((*found, detail.as_str()))
            }
            _ => None,
        })
    };
    let found = |check| of(check).unwrap_or((StateFound::Unknown, "it was not looked at"));
    let first = |wanted: StateFound, cause| {
        let (check, (_, detail)) =
            (0..checks).map(|check| (check, found(check))).find(|(_, (is, _))| *is == wanted)?;
        let number = if checks > 1 { format!(" {}", check + 1) } else { String::new() };
        Some(Failure { cause, detail: format!("end state{number}: {detail}") })
    };
    first(StateFound::Different, Cause::EndState)
        .or_else(|| first(StateFound::Unknown, Cause::EndStateUnknown))
}

/// What was wrong in a call that was played to its end.
fn in_turns(call: &CallRecord, turns: &[Turn]) -> Option<Failure> {
    let in_turn = |turn: &Turn, cause, what: &str| {
        Some(Failure { cause, detail: format!("turn `{}`: {what}", turn.id) })
    };
    for turn in turns {
        let found = match turn.reply {
            Reply::Unanswered { .. } => {
                in_stage_of(turn).or_else(|| in_turn(turn, Cause::Silence, "no reply"))
            }
            Reply::DidNotYield { .. } => {
                in_turn(turn, Cause::TurnTaking, "the agent kept speaking after a barge-in")
            }
            Reply::Disturbed { by: Disturbance::Stopped, .. } => {
                in_turn(turn, Cause::TurnTaking, "the agent stopped because of a noise")
            }
            Reply::Disturbed { by: Disturbance::Answered, .. } => {
                in_turn(turn, Cause::TurnTaking, "the agent answered a noise")
            }
            Reply::NotTested => {
                in_turn(turn, Cause::NotTested, "the barge-in found the agent silent")
            }
            Reply::NotReached => {
                in_turn(turn, Cause::NotTested, "the call ended before this was decided")
            }
            Reply::Greeted { .. } | Reply::Heard { .. } if turn.is_late => {
                in_turn(turn, Cause::Late, "later than the scenario allows")
            }
            Reply::Yielded { .. } if missed(call, turn.step) => {
                in_turn(turn, Cause::Late, "later than the scenario allows")
            }
            Reply::Heard { .. } if never_came(call, turn) => in_stage_of(turn)
                .or_else(|| in_turn(turn, Cause::NoAnswer, "the answer never came")),
            // Whether a noise was ignored is known better afterwards than while the script ran.
            Reply::Greeted { .. }
            | Reply::Heard { .. }
            | Reply::CutIn { .. }
            | Reply::Yielded { .. }
            | Reply::Ignored
            | Reply::NotAwaited => None,
        };
        let wrong = turn.wrong_content().next();
        if let Some(found) = found.or_else(|| in_turn(turn, Cause::WrongContent, &wrong?)) {
            return Some(found);
        }
    }
    None
}

/// Whether something bridged the wait for an answer that did not come.
fn never_came(call: &CallRecord, turn: &Turn) -> bool {
    match turn.answer {
        Some(Answer::Never { .. }) => true,
        Some(Answer::Outstanding { .. }) => stuck(call),
        Some(Answer::Heard { .. } | Answer::Unknown) | None => false,
    }
}

/// Whether the caller gave up waiting for an agent that said it was busy.
fn stuck(call: &CallRecord) -> bool {
    call.log.iter().any(|s| matches!(s.what, Observation::AgentStuck { .. }))
}

fn missed(call: &CallRecord, step: u32) -> bool {
    call.log.iter().any(|s| s.what == Observation::ExpectationMissed { step })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        for (error, cause) in [
            (
                "type='llm_error' error=APIStatusError(message='x', status_code=500)",
                Cause::LlmError,
            ),
            (
                "type='llm_error' error=APIStatusError(message='x', status_code=429)",
                Cause::ProviderLimit,
            ),
            (
                "type='tts_error' error=APIError('You exceeded your current quota')",
                Cause::ProviderLimit,
            ),
            ("type='stt_error' label='deepgram.STT' error=APIConnectionError()", Cause::SttError),
            ("type='tts_error' label='tts.4290'", Cause::TtsError),
            ("tool `hours` failed", Cause::AgentError),
        ] {
            assert_eq!(stage(error), cause, "{error}");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
    }
}
