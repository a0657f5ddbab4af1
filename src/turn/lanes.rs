//! One call side by side: what each side said when, what the agent did meanwhile, and what else happened. For people
//! who look at a single call; no figure is made from it.

use std::collections::BTreeMap;

use super::Span;
use crate::dialogue::Dialogue;
use crate::record::{CallId, CallRecord, Observation, SessionEvent, Speaker};
use crate::scenario::{Act, Scenario};
use crate::time::Offset;

/// Entries of one kind that are kept of a call; a recording may hold any number.
const MOST: usize = 2_000;

/// A call by what happened in it. All lists are in the order of time, on the run's clock. Texts are others' own.
#[derive(Debug, Clone, PartialEq)]
pub struct Lanes {
    pub call: CallId,
    pub dialled: Offset,
    pub ended: Offset,
    pub caller: Vec<Utterance>,
    /// When the agent was audible.
    pub agent: Vec<Span>,
    /// What the agent said it was doing (`listening`, `thinking` …), one after another.
    pub states: Vec<Stretch>,
    /// Tools by our receipt of the agent's messages. The name is empty where the agent does not tell it.
    pub tools: Vec<Stretch>,
    pub words: Vec<Words>,
    pub events: Vec<Event>,
}

/// What the caller said in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    pub step: u32,
    /// From the first to the last voiced sample, or to the call's end.
    pub span: Span,
    /// It was said to its end.
    pub whole: bool,
    /// By the scenario.
    pub text: Option<String>,
}

/// Something that lasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub what: String,
    pub span: Span,
}

/// Words by the agent's own transcript: of the caller, as it understood them, or its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// When the transcript of them began, or where the agent sends none, when its message about them came.
    pub at: Offset,
    pub speaker: Speaker,
    pub text: String,
}

/// Something that happened at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Offset,
    pub weight: Weight,
    /// A sentence without a full stop.
    pub text: String,
}

/// How much an event matters to who looks for what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    Course,
    Problem,
}

impl Lanes {
    /// The call of a recording; `scenario` is the one it was made with.
    pub fn of(call: &CallRecord, scenario: &Scenario) -> Self {
        let mut dialogue = Dialogue::new(scenario.turn_taking().speech_gap);
        call.log.iter().for_each(|seen| dialogue.observe(seen));
        let mut events = events(call, scenario);
        events.sort_by_key(|event| event.at);
        events.truncate(MOST);
        Self {
            call: call.id,
            dialled: call.dialled,
            ended: call.end.at,
            caller: utterances(call, scenario, &dialogue),
            agent: dialogue.voices(call.end.at).take(MOST).collect(),
            states: states(call),
            tools: tools(call),
            words: words(call),
            events,
        }
    }
}

fn utterances(call: &CallRecord, scenario: &Scenario, dialogue: &Dialogue) -> Vec<Utterance> {
    let said = (0_u32..).zip(scenario.steps()).filter_map(|(step, of)| {
        let from = dialogue.said_from(step)?;
        let whole = dialogue.said(step);
        let span = whole.unwrap_or(Span { from, until: call.end.at.max(from) });
        let text = match &of.act {
            Act::Say { clip, .. } => clip.text.clone(),
            Act::Listen | Act::Silence { .. } => None,
        };
        Some(Utterance { step, span, whole: whole.is_some(), text })
    });
    let mut said: Vec<Utterance> = said.collect();
    said.sort_by_key(|utterance| utterance.span.from);
    said
}

/// The attribute outruns the session's messages about the same changes.
fn states(call: &CallRecord) -> Vec<Stretch> {
    let attribute = changes(call, |what| {
        if let Observation::AgentState(state) = what { Some(state.clone()) } else { None }
    });
    let changes = if attribute.is_empty() {
        changes(call, |what| {
            if let Observation::Session(SessionEvent::AgentState { new, .. }) = what {
                Some(new.clone())
            } else {
                None
            }
        })
    } else {
        attribute
    };
    let untils = changes.iter().skip(1).map(|(at, _)| *at).chain([call.end.at]);
    let stretch = |((from, what), until): (&(Offset, String), Offset)| Stretch {
        what: what.clone(),
        span: Span { from: *from, until: until.max(*from) },
    };
    changes.iter().zip(untils).map(stretch).collect()
}

fn changes(
    call: &CallRecord,
    state: impl Fn(&Observation) -> Option<String>,
) -> Vec<(Offset, String)> {
    let states = call.log.iter().filter_map(|seen| Some((seen.at, state(&seen.what)?)));
    let mut changes: Vec<_> = states.take(MOST).collect();
    changes.sort_by_key(|(at, _)| *at);
    changes.dedup_by(|next, before| next.1 == before.1);
    changes
}

/// Single executions where the agent tells them, else from request to result.
fn tools(call: &CallRecord) -> Vec<Stretch> {
    let (mut single, mut batches) = (Vec::new(), Vec::new());
    let mut running: BTreeMap<&str, (Offset, &str)> = BTreeMap::new();
    let mut requested: Option<(Offset, String)> = None;
    let mut tells_ends = false;
    let stretch = |(from, what): (Offset, &str), until: Offset| Stretch {
        what: what.to_owned(),
        span: Span { from, until: until.max(from) },
    };
    for seen in &call.log {
        let Observation::Session(event) = &seen.what else { continue };
        #[expect(clippy::wildcard_enum_match_arm, reason = "four messages of many are about tools")]
        match event {
            SessionEvent::ToolStarted { call, name } => {
                running.insert(call, (seen.at, name));
            }
            SessionEvent::ToolEnded { call } => {
                tells_ends = true;
                single.extend(running.remove(call.as_str()).map(|began| stretch(began, seen.at)));
            }
            SessionEvent::ToolsStarted { names } => requested = Some((seen.at, names.join(", "))),
            SessionEvent::ToolsExecuted { tools } => {
                // Where single ends are never told, all have ended now.
                if !tells_ends {
                    let ended = std::mem::take(&mut running).into_values();
                    single.extend(ended.map(|began| stretch(began, seen.at)));
                }
                let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
                let (from, what) = requested.take().unwrap_or_else(|| (seen.at, names.join(", ")));
                batches.push(stretch((from, &what), seen.at));
            }
            _ => {}
        }
    }
    // What had no end ran until the call ended.
    single.extend(running.into_values().map(|began| stretch(began, call.end.at)));
    batches.extend(requested.map(|(from, what)| stretch((from, &what), call.end.at)));
    let mut tools = if single.is_empty() { batches } else { single };
    tools.sort_by_key(|tool| tool.span.from);
    tools.truncate(MOST);
    tools
}

/// Transcripts of a speaker where there are any, else the messages of the session.
fn words(call: &CallRecord) -> Vec<Words> {
    let mut segments: BTreeMap<(bool, &str), Words> = BTreeMap::new();
    let mut messages: Vec<Words> = Vec::new();
    for seen in &call.log {
        let at = seen.at;
        #[expect(clippy::wildcard_enum_match_arm, reason = "three of many hold words")]
        match &seen.what {
            Observation::Transcript { speaker, segment, text, .. } => {
                let key = (*speaker == Speaker::Agent, segment.as_str());
                let of = || Words { at, speaker: *speaker, text: String::new() };
                text.clone_into(&mut segments.entry(key).or_insert_with(of).text);
            }
            Observation::Session(SessionEvent::UserMessage { text, .. }) => {
                messages.push(Words { at, speaker: Speaker::Caller, text: text.clone() });
            }
            Observation::Session(SessionEvent::AgentMessage { text, .. }) => {
                messages.push(Words { at, speaker: Speaker::Agent, text: text.clone() });
            }
            _ => {}
        }
    }
    let mut words: Vec<Words> = segments.into_values().collect();
    for speaker in [Speaker::Caller, Speaker::Agent] {
        if words.iter().all(|known| known.speaker != speaker) {
            words.extend(messages.iter().filter(|m| m.speaker == speaker).cloned());
        }
    }
    words.retain(|words| !words.text.trim().is_empty());
    words.sort_by_key(|words| words.at);
    words.truncate(MOST);
    words
}

fn events(call: &CallRecord, scenario: &Scenario) -> Vec<Event> {
    let turn = |step: u32| {
        let id = scenario.steps().get(step as usize).map(|step| step.id.as_str());
        id.map_or_else(|| format!("turn {step}"), |id| format!("turn `{id}`"))
    };
    let heard = call.log.iter().find(|seen| seen.what == Observation::VoiceBegan).map(|s| s.at);
    let event = |seen: &crate::record::Stamped| {
        use Weight::{Course, Problem};
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "what the lanes show already, and detail"
        )]
        let (weight, text) = match &seen.what {
            Observation::Connected { .. } => (Course, "the caller is connected".to_owned()),
            Observation::AgentJoined { .. } => (Course, "the agent joined".to_owned()),
            Observation::AgentTrackSubscribed => {
                (Course, "the agent's audio can be heard".to_owned())
            }
            Observation::AgentLeft { reason } => (Course, format!("the agent left: {reason}")),
            Observation::AgentMediaStalled => (Problem, "the agent's audio stalled".to_owned()),
            Observation::AgentMediaResumed => (Course, "the agent's audio resumed".to_owned()),
            Observation::Reconnecting => (Problem, "the caller lost its connection".to_owned()),
            Observation::Reconnected => (Course, "the caller is connected again".to_owned()),
            Observation::ConnectionLost { reason } => {
                (Problem, format!("the connection ended: {reason}"))
            }
            Observation::ExpectationMissed { step } => {
                (Problem, format!("{}: what it expects did not happen in time", turn(*step)))
            }
            Observation::AgentStuck { step, doing } => {
                (Problem, format!("{}: the agent was {doing} for too long", turn(*step)))
            }
            Observation::Rpc { method, error: None, .. } => {
                (Course, format!("the caller called `{method}`"))
            }
            Observation::Rpc { method, error: Some(error), .. } => {
                (Problem, format!("`{method}` failed: {error}"))
            }
            Observation::NeverSilent { level_dbfs } => {
                (Problem, format!("the agent's audio is never silent ({level_dbfs:.0} dBFS)"))
            }
            Observation::LimitReached { what } => (Problem, format!("a limit was reached: {what}")),
            Observation::HangingUp => (Course, "the caller hangs up".to_owned()),
            // The first message of most sessions is one, too.
            Observation::Session(SessionEvent::Handoff) if heard.is_some_and(|at| at < seen.at) => {
                (Course, "another agent of the session took over".to_owned())
            }
            Observation::Session(SessionEvent::Error { message }) => {
                (Problem, format!("the agent reported an error: {message}"))
            }
            Observation::Session(SessionEvent::FalseInterruption { .. }) => {
                (Problem, "the agent took a noise for an interruption".to_owned())
            }
            Observation::Session(SessionEvent::ToolsExecuted { tools })
                if tools.iter().any(|tool| tool.is_error) =>
            {
                let failed = tools.iter().filter(|t| t.is_error).map(|t| format!("`{}`", t.name));
                (Problem, format!("tool failed: {}", failed.collect::<Vec<_>>().join(", ")))
            }
            _ => return None,
        };
        Some(Event { at: seen.at, weight, text })
    };
    call.log.iter().filter_map(event).collect()
}

#[cfg(test)]
mod tests;
