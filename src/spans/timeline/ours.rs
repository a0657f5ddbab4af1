//! The heard side of a timeline.

use super::align::Edges;
use super::call::Call;
use super::join::Heard;
use super::line::{Axis, Row, Source, TurnLine, Went};
use super::path::Breakdown;
use super::stages::{Facts, What};
use crate::time::Offset;
use crate::turn::{Lanes, Reply, Span, Stretch, Turn};

/// Silence of the agent after which its voice begins anew. Milliseconds.
const ANEW: f64 = 600.0;
/// Stretches of one turn that are shown of each kind.
const MOST: usize = 40;

/// What was heard of a call, milliseconds since dialling.
#[derive(Debug, Clone)]
pub(super) struct Ours {
    /// Turns that were reached, in the order of time; each with what the join needs of it.
    pub(super) turns: Vec<TurnLine>,
    pub(super) heard: Vec<Heard>,
    pub(super) edges: Edges,
}

impl Ours {
    pub(super) fn of(call: Call<'_>) -> Self {
        let dialled = call.facts.dialled;
        let ms = |at: Offset| at.ms_since(dialled);
        let reached: Vec<(&Turn, Offset)> = (call.facts.turns.iter())
            .filter(|turn| turn.reply != Reply::NotReached)
            .filter_map(|turn| Some((turn, begin(turn, call)?)))
            .collect();
        let mut sorted = reached;
        sorted.sort_by_key(|(_, from)| *from);
        let ends = sorted.iter().skip(1).map(|(_, from)| *from).chain([call.facts.ended]);
        let ends: Vec<Offset> = ends.collect();
        let turns = sorted.iter().zip(ends).map(|((turn, from), until)| {
            let window = Span { from: *from, until };
            line(turn, call.lanes, window, &ms)
        });
        Self {
            turns: turns.collect(),
            heard: sorted.iter().map(|(turn, _)| Heard::of(turn, ms)).collect(),
            edges: edges(call.lanes, ms),
        }
    }
}

/// When a turn begins: with what is said in it, else with what is heard.
fn begin(turn: &Turn, call: Call<'_>) -> Option<Offset> {
    let said =
        call.lanes.caller.iter().find(|said| said.step == turn.step).map(|said| said.span.from);
    let heard = if matches!(turn.reply, Reply::Unanswered { .. }) {
        call.facts.connected
    } else {
        turn.reply.voice().map(|voice| voice.from)
    };
    turn.said.map(|said| said.from).or(said).or(heard)
}

fn edges(lanes: &Lanes, ms: impl Fn(Offset) -> f64) -> Edges {
    let mut quiet_since = f64::MIN;
    let mut agent_begins = Vec::new();
    for voice in &lanes.agent {
        let from = ms(voice.from);
        if from - quiet_since >= ANEW {
            agent_begins.push(from);
        }
        quiet_since = quiet_since.max(ms(voice.until));
    }
    let whole = || lanes.caller.iter().filter(|said| said.whole);
    Edges {
        agent_begins,
        caller_begins: lanes.caller.iter().map(|said| ms(said.span.from)).collect(),
        caller_ends: whole().map(|said| ms(said.span.until)).collect(),
    }
}

fn line(turn: &Turn, lanes: &Lanes, window: Span, ms: &impl Fn(Offset) -> f64) -> TurnLine {
    let (went, heard_ms) = went(turn.reply);
    let row = |what, name: &str, span: Span| Row {
        what,
        source: Source::Heard,
        name: name.to_owned(),
        depth: 0,
        from_ms: ms(span.from),
        until_ms: ms(span.until.max(span.from)),
        facts: Facts::default(),
    };
    let mut rows = Vec::new();
    let said = lanes.caller.iter().filter(|said| said.step == turn.step);
    rows.extend(said.map(|said| row(What::CallerSpeech, "caller", said.span)));
    let told =
        |of: &Stretch| Row { source: Source::Reported, ..row(What::Told, &of.what, of.span) };
    rows.extend(inside(&lanes.tools, window, |tool| tool.span.from).map(told));
    let voices = inside(&lanes.agent, window, |voice| voice.from);
    rows.extend(voices.map(|voice| row(What::AgentHeard, "agent", *voice)));
    if let (
        Reply::Yielded { yield_ms: after } | Reply::DidNotYield { waited_ms: after },
        Some(said),
    ) = (turn.reply, turn.said)
    {
        let until =
            said.from.plus(std::time::Duration::from_secs_f64(after.clamp(0.0, 1e6) / 1_000.0));
        rows.push(row(What::BargeIn, "barge-in", Span { from: said.from, until }));
    }
    let mut line = TurnLine {
        number: 0,
        id: Some(turn.id.clone()),
        axis: Axis::Call,
        went,
        heard_ms,
        claims: None,
        interrupted: false,
        zero_ms: turn.said.map(|said| ms(said.until)),
        from_ms: ms(window.from),
        until_ms: ms(window.until),
        rows,
        rows_left_out: 0,
        breakdown: Breakdown::of_turn(turn),
    };
    line.span();
    line
}

/// What begins in a turn, no more of it than is shown.
fn inside<T>(all: &[T], window: Span, from: impl Fn(&T) -> Offset) -> impl Iterator<Item = &T> {
    let is_inside = move |of: &&T| (window.from..window.until).contains(&from(of));
    all.iter().filter(is_inside).take(MOST)
}

fn went(reply: Reply) -> (Went, Option<f64>) {
    match reply {
        Reply::Greeted { latency_ms, .. } => (Went::Greeted, Some(latency_ms)),
        Reply::Heard { latency_ms, .. } => (Went::Heard, Some(latency_ms)),
        Reply::CutIn { .. } => (Went::CutIn, None),
        Reply::Yielded { yield_ms } => (Went::Yielded, Some(yield_ms)),
        Reply::DidNotYield { waited_ms } => (Went::DidNotYield, Some(waited_ms)),
        Reply::Ignored => (Went::Ignored, None),
        Reply::Disturbed { .. } => (Went::Disturbed, None),
        Reply::Unanswered { waited_ms } => (Went::Unanswered, Some(waited_ms)),
        Reply::NotAwaited | Reply::NotReached => (Went::NotAwaited, None),
        Reply::NotTested => (Went::NotTested, None),
    }
}
