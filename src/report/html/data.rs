//! A call as data for the page's script, which draws it when it is opened: moments are milliseconds since the
//! caller dialled. However much a recording holds, a call takes no more than it is given.

use serde::Serialize;

use super::agents::Agents;
use super::calls::time_of_day;
use super::changes::{ORDER, group};
use super::findings;
use super::marks::{ms, signed};
use crate::record::{RunHead, Speaker, trace_url};
use crate::report::Report;
use crate::scenario::Act;
use crate::text::{clipped, safe};
use crate::time::Offset;
use crate::turn::{CallFacts, Part, Reply, Turn};
use crate::turn::{Lanes, Stretch, Weight};

/// How much of a call is kept, from everything that anybody reads to what must be there.
const LIMITS: [Limit; 4] = [
    Limit { characters: 2_000, entries: 500, states: true },
    Limit { characters: 400, entries: 200, states: true },
    Limit { characters: 120, entries: 80, states: true },
    Limit { characters: 60, entries: 30, states: false },
];

#[derive(Clone, Copy)]
struct Limit {
    characters: usize,
    entries: usize,
    states: bool,
}

/// What all calls share.
#[derive(Serialize)]
struct Shared {
    /// Id and scripted words of each step.
    steps: Vec<(String, String)>,
    /// Name and kind of each part of a latency.
    parts: Vec<(&'static str, &'static str)>,
    /// The calls, those to look at first at the front.
    order: Vec<u32>,
}

/// The recorded audio of a call, as the script finds it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Audio {
    /// Where its first sample is.
    pub(super) from: i64,
    pub(super) ms: i64,
    /// It is in the page; else it is in this file beside it.
    pub(super) inside: bool,
    pub(super) file: String,
}

#[derive(Serialize)]
struct CallData {
    id: u32,
    at: String,
    ok: Option<bool>,
    outcome: &'static str,
    cause: Option<&'static str>,
    detail: String,
    room: String,
    /// Where its trace can be seen.
    trace: Option<String>,
    sid: String,
    agent: String,
    len: i64,
    /// From, until, step, said to its end.
    said: Vec<(i64, i64, u32, bool)>,
    heard: Vec<(i64, i64)>,
    turns: Vec<TurnData>,
    states: Vec<(i64, i64, String)>,
    tools: Vec<(i64, i64, String)>,
    /// When, whether it is the agent's, and the words.
    words: Vec<(i64, bool, String)>,
    /// When, whether it is a problem, and the sentence.
    pins: Vec<(i64, bool, String)>,
    events: Vec<(i64, String)>,
    audio: Option<Audio>,
    /// From, until, row, kind and name of the agent's own stages.
    spans: Vec<(i64, i64, u8, &'static str, String)>,
    /// How well they stand beside what was heard; empty where there are none.
    spans_note: String,
    /// Something was left out.
    shortened: bool,
}

#[derive(Serialize)]
struct TurnData {
    step: u32,
    /// The gap it is about.
    from: i64,
    until: i64,
    text: String,
    /// What was waited for did not come.
    missing: bool,
    /// Index and milliseconds of each part, in their order.
    parts: Vec<(usize, i64)>,
}

/// What all calls share, as JSON.
pub(super) fn shared(report: &Report, order: &[&CallFacts]) -> String {
    let limit = LIMITS[1];
    let words = |act: &Act| match act {
        Act::Say { clip, .. } => limit.text(clip.text.as_deref().unwrap_or(&clip.file)),
        Act::Listen | Act::Silence { .. } => String::new(),
    };
    let steps = report.judged.scenario.steps().iter();
    json(&Shared {
        steps: steps.map(|step| (limit.text(&step.id), words(&step.act))).collect(),
        parts: ORDER.iter().map(|part| (part.name(), group(*part))).collect(),
        order: order.iter().map(|call| call.call.0).collect(),
    })
}

/// What is shown of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) facts: &'a CallFacts,
    pub(super) lanes: &'a Lanes,
    pub(super) audio: Option<&'a Audio>,
}

/// A call as JSON of at most `most` bytes; `None` when it does not fit. `head` is that of its run.
pub(super) fn call(
    head: &RunHead,
    shown: Shown<'_>,
    agents: &Agents,
    most: usize,
) -> Option<String> {
    let trace = trace_url(head, shown.facts.call);
    let at = time_of_day(head, shown.lanes.dialled);
    let fitting = |limit: Limit| {
        let spans = agents.stages.iter().take(if limit.states { limit.entries } else { 0 });
        let spans = spans.map(|of| (of.from, of.until, of.row, of.kind, limit.text(&of.name)));
        json(&CallData {
            trace: trace.clone(),
            spans: spans.collect(),
            spans_note: agents.note.clone(),
            ..call_data(shown, &at, limit)
        })
    };
    LIMITS.into_iter().map(fitting).find(|json| json.len() <= most)
}

/// JSON that ends no script element.
fn json(of: &impl Serialize) -> String {
    // A `<` stands in texts alone.
    serde_json::to_string(of).unwrap_or_default().replace('<', "\\u003c")
}

/// Whole milliseconds since `begin`.
#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
pub(super) fn since(at: Offset, begin: Offset) -> i64 {
    at.ms_since(begin).round() as i64
}

impl Limit {
    fn text(self, of: &str) -> String {
        safe(&clipped(of, self.characters))
    }

    fn cuts(self, lanes: &Lanes) -> bool {
        let long = |text: &str| text.chars().nth(self.characters).is_some();
        let most = [
            lanes.agent.len(),
            lanes.caller.len(),
            lanes.words.len(),
            lanes.tools.len(),
            lanes.events.len(),
        ];
        most.into_iter().any(|n| n > self.entries)
            || lanes.states.len() > if self.states { self.entries } else { 0 }
            || lanes.words.iter().any(|words| long(&words.text))
    }
}

fn call_data(Shown { facts, lanes, audio }: Shown<'_>, at: &str, limit: Limit) -> CallData {
    let of = |moment: Offset| since(moment, lanes.dialled);
    let most = limit.entries;
    let stretches = |all: &[Stretch]| -> Vec<(i64, i64, String)> {
        let shown = all.iter().take(most);
        shown.map(|s| (of(s.span.from), of(s.span.until), limit.text(&s.what))).collect()
    };
    let pins = findings::of(facts, lanes).into_iter().take(most);
    let events = lanes.events.iter().filter(|event| event.weight == Weight::Course).take(most);
    let failure = facts.failure.as_ref();
    let short = LIMITS[2];
    let optional =
        |text: &Option<String>| text.as_deref().map_or(String::new(), |text| short.text(text));
    CallData {
        id: facts.call.0,
        at: at.to_owned(),
        ok: facts.ok(),
        outcome: facts.outcome.name(),
        cause: failure.map(|failure| failure.cause.name()),
        detail: limit.text(failure.map_or(&facts.detail, |failure| &failure.detail)),
        room: short.text(&facts.room),
        trace: None,
        sid: optional(&facts.room_sid),
        agent: optional(&facts.agent_identity),
        len: of(lanes.ended).max(0),
        said: lanes
            .caller
            .iter()
            .take(most)
            .map(|said| (of(said.span.from), of(said.span.until), said.step, said.whole))
            .collect(),
        heard: lanes.agent.iter().take(most).map(|v| (of(v.from), of(v.until))).collect(),
        turns: facts.turns.iter().filter_map(|turn| turn_data(turn, facts, lanes)).collect(),
        states: if limit.states { stretches(&lanes.states) } else { Vec::new() },
        tools: stretches(&lanes.tools),
        words: lanes
            .words
            .iter()
            .take(most)
            .map(|words| (of(words.at), words.speaker == Speaker::Agent, limit.text(&words.text)))
            .collect(),
        pins: pins.map(|pin| (of(pin.at), pin.is_problem, limit.text(&pin.sentence))).collect(),
        events: events.map(|event| (of(event.at), limit.text(&event.text))).collect(),
        audio: audio.cloned(),
        spans: Vec::new(),
        spans_note: String::new(),
        shortened: limit.cuts(lanes),
    }
}

/// The gap of a turn, and the parts that explain it.
fn turn_data(turn: &Turn, facts: &CallFacts, lanes: &Lanes) -> Option<TurnData> {
    let said = turn.said;
    let (from, until, text) = match turn.reply {
        Reply::Greeted { voice, latency_ms } => {
            let from = facts.connected.filter(|_| turn.step == 0)?;
            (from, voice.from, format!("{}\u{a0}ms until the greeting", ms(latency_ms)))
        }
        Reply::Heard { voice, latency_ms } => {
            (said?.until, voice.from, format!("{}\u{a0}ms until the reply", ms(latency_ms)))
        }
        Reply::Unanswered { waited_ms } => {
            let from = said.map(|said| said.until).or(facts.connected)?;
            let text = format!("no reply for {}\u{a0}ms", ms(waited_ms));
            (from, later(from, waited_ms), text)
        }
        Reply::Yielded { yield_ms } => {
            let from = said?.from;
            (
                from,
                later(from, yield_ms),
                format!("silent {}\u{a0}ms after the barge-in", ms(yield_ms)),
            )
        }
        Reply::DidNotYield { waited_ms } => {
            let from = said.map(|said| said.from)?;
            (from, later(from, waited_ms), format!("spoke on for {}\u{a0}ms", ms(waited_ms)))
        }
        Reply::CutIn { voice, early_ms } => {
            (voice.from, said?.until, format!("cut in {}\u{a0}ms early", signed(early_ms)))
        }
        Reply::Ignored
        | Reply::Disturbed { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => return None,
    };
    let path = turn.path();
    let part = |(index, part): (usize, Part)| {
        let ms = path.as_ref()?.parts.get(&part)?.round();
        #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
        Some((index, ms as i64))
    };
    let parts = ORDER.into_iter().enumerate().filter_map(part).filter(|(_, ms)| *ms != 0).collect();
    let begin = lanes.dialled;
    let missing = matches!(turn.reply, Reply::Unanswered { .. } | Reply::DidNotYield { .. });
    Some(TurnData {
        step: turn.step,
        from: since(from, begin),
        until: since(until, begin),
        text,
        missing,
        parts,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn later(at: Offset, ms: f64) -> Offset {
    at.plus_micros((ms * 1_000.0) as i64)
}
