//! The calls and turns of `report.json`, made one at a time as they are written. Their shape is part of the
//! format, as all of `shape` is.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{micro, path};
use crate::record::trace_url;
use crate::report::replies::{disturbed_ms, heard_ms, is_censored, reply, yield_ms};
use crate::report::since_start;
use crate::time::Offset;
use crate::turn::{
    Analysis, Answer, CallFacts, ContentResult, Part, Path, Rejected, Span, Turn, stages,
};

/// The calls of a run as a list.
pub(super) struct Calls<'a>(pub(super) &'a Analysis);

/// The turns of all its calls as a list.
pub(super) struct Turns<'a>(pub(super) &'a Analysis);

#[derive(Serialize)]
struct CallJson<'a> {
    id: u32,
    room: &'a str,
    room_sid: Option<&'a str>,
    agent_identity: Option<&'a str>,
    outcome: &'static str,
    detail: &'a str,
    ok: Option<bool>,
    cause: Option<&'static str>,
    cause_detail: Option<&'a str>,
    overlap_ms: f64,
    speech_ms: f64,
    due_ms: f64,
    dialled_ms: f64,
    connected_ms: Option<f64>,
    agent_joined_ms: Option<f64>,
    agent_ready_ms: Option<f64>,
    ended_ms: f64,
    packets_received: u64,
    packets_lost: u64,
    largest_gap_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_url: Option<String>,
}

#[derive(Serialize)]
struct TurnJson<'a> {
    call: u32,
    step: u32,
    turn: &'a str,
    reply: &'static str,
    heard_ms: Option<f64>,
    ttfa_ms: Option<f64>,
    answer: Option<AnswerJson>,
    cut_in: bool,
    yield_ms: Option<f64>,
    disturbed_ms: Option<f64>,
    censored: bool,
    said: Option<SpanJson>,
    voice: Option<SpanJson>,
    stages_ms: BTreeMap<&'static str, f64>,
    unattributed_ms: Option<f64>,
    tool_ms: Option<f64>,
    turn_decided_ms: Option<f64>,
    answer_prepared_ms: Option<f64>,
    path_ms: BTreeMap<&'static str, f64>,
    hidden_ms: Option<f64>,
    bottleneck: Option<&'static str>,
    doubts: Vec<DoubtJson>,
    false_interruption: bool,
    content: Vec<ContentJson>,
    wrong_content: Vec<String>,
    heard_by_agent: Option<&'a str>,
    reply_text: Option<&'a str>,
    tools: &'a [String],
    errors: &'a [String],
}

/// A reported value that is not believed, or that is missing.
#[derive(Serialize)]
struct DoubtJson {
    metric: &'static str,
    ms: Option<f64>,
    why: &'static str,
}

/// Something the reply should hold.
#[derive(Serialize)]
struct ContentJson {
    result: &'static str,
    text: String,
}

#[derive(Serialize)]
struct SpanJson {
    from_ms: f64,
    until_ms: f64,
}

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head = &self.0.head;
        serializer.collect_seq(
            self.0.calls.iter().map(|call| CallJson {
                trace_url: trace_url(head, call.call),
                ..CallJson::from(call)
            }),
        )
    }
}

impl Serialize for Turns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.turns().map(TurnJson::from))
    }
}

impl<'a> From<&'a CallFacts> for CallJson<'a> {
    fn from(call: &'a CallFacts) -> Self {
        let moment = |at: Option<Offset>| at.map(since_start);
        Self {
            id: call.call.0,
            room: &call.room,
            room_sid: call.room_sid.as_deref(),
            agent_identity: call.agent_identity.as_deref(),
            outcome: call.outcome.name(),
            detail: &call.detail,
            ok: call.ok(),
            cause: call.failure.as_ref().map(|failure| failure.cause.name()),
            cause_detail: call.failure.as_ref().map(|failure| failure.detail.as_str()),
            overlap_ms: micro(call.overlap.overlap_ms),
            speech_ms: micro(call.overlap.speech_ms),
            due_ms: since_start(call.due),
            dialled_ms: since_start(call.dialled),
            connected_ms: moment(call.connected),
            agent_joined_ms: moment(call.agent_joined),
            agent_ready_ms: moment(call.agent_ready),
            ended_ms: since_start(call.ended),
            packets_received: call.packets_received,
            packets_lost: call.packets_lost,
            largest_gap_ms: micro(call.largest_gap_ms),
            trace_url: None,
        }
    }
}

/// From the caller's last voiced sample to the answer; `censored`: it had not come when the caller went on.
#[derive(Debug, Serialize)]
struct AnswerJson {
    ms: f64,
    censored: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    filler_gap_ms: Option<f64>,
}

impl<'a> From<&'a Turn> for TurnJson<'a> {
    fn from(turn: &'a Turn) -> Self {
        let (reply, voice) = reply(turn.reply);
        let of_path = turn.path();
        let stages = stages(&turn.reported).into_iter();
        Self {
            call: turn.call.0,
            step: turn.step,
            turn: &turn.id,
            reply,
            heard_ms: heard_ms(turn.reply).map(micro),
            ttfa_ms: turn.ttfa_ms.map(micro),
            answer: turn.answer.and_then(AnswerJson::of),
            cut_in: turn.cut_in,
            yield_ms: yield_ms(turn.reply).map(micro),
            disturbed_ms: disturbed_ms(turn.reply).map(micro),
            censored: is_censored(turn.reply),
            said: turn.said.map(Into::into),
            voice: voice.map(Into::into),
            stages_ms: stages.map(|(metric, ms)| (metric.name(), micro(ms))).collect(),
            unattributed_ms: turn.unattributed_ms().filter(|ms| ms.is_finite()).map(micro),
            tool_ms: turn.tool_ms.map(micro),
            turn_decided_ms: turn.turn_decided_ms.map(micro),
            answer_prepared_ms: turn.answer_prepared_ms().map(micro),
            path_ms: of_path.as_ref().map(path).unwrap_or_default(),
            hidden_ms: of_path.as_ref().map(|path| micro(path.hidden_ms)),
            bottleneck: of_path.as_ref().and_then(Path::bottleneck).map(Part::name),
            doubts: turn.doubts.iter().map(Into::into).collect(),
            false_interruption: turn.false_interruption,
            content: turn.content.iter().map(Into::into).collect(),
            wrong_content: turn.wrong_content().collect(),
            heard_by_agent: turn.heard_by_agent.as_deref(),
            reply_text: turn.reply_text.as_deref(),
            tools: &turn.tools,
            errors: &turn.errors,
        }
    }
}

impl From<&Rejected> for DoubtJson {
    fn from(of: &Rejected) -> Self {
        let ms = of.ms.filter(|ms| ms.is_finite()).map(micro);
        Self { metric: of.metric.name(), ms, why: of.why.name() }
    }
}

impl From<&ContentResult> for ContentJson {
    fn from(of: &ContentResult) -> Self {
        Self { result: of.result(), text: of.sentence() }
    }
}

impl AnswerJson {
    /// `None` when it cannot be told which part of the reply it was.
    fn of(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Heard { latency_ms, filler } => Some(Self {
                ms: micro(latency_ms),
                censored: false,
                filler_gap_ms: filler.map(|filler| micro(filler.gap_ms)),
            }),
            Answer::Outstanding { waited_ms } | Answer::Never { waited_ms } => {
                Some(Self { ms: micro(waited_ms), censored: true, filler_gap_ms: None })
            }
            Answer::Unknown => None,
        }
    }
}

impl From<Span> for SpanJson {
    fn from(span: Span) -> Self {
        Self { from_ms: since_start(span.from), until_ms: since_start(span.until) }
    }
}
