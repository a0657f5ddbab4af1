//! The spans of a turn: the turn itself, what the caller said and how the agent responded.

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;

use super::attributes::{Attributes, Kind, Level, clipped};
use super::{Draft, Trace};
use crate::time::Offset;
use crate::turn::{Disturbance, Reply, Span, Turn, stages};

impl Trace<'_> {
    /// A turn, what the caller said in it and the agent's response; nothing when neither spoke.
    pub(super) fn turn(&self, turn: &Turn, spans: &mut Vec<SpanData>) {
        let response = response(turn);
        let Some((from, until)) = extent(turn, response.as_ref()) else { return };
        let place = turn.step;
        let said = self.said(turn);
        let mut attributes = Attributes::new(Kind::Chain);
        attributes.text("loadcall.turn", &turn.id);
        attributes.count("loadcall.step", u64::from(turn.step));
        attributes.some_text("langfuse.observation.input", said);
        attributes.some_text("langfuse.observation.output", turn.reply_text.as_deref());
        if let Reply::Yielded { yield_ms } = turn.reply {
            attributes.seconds("loadcall.time_to_yield_s", yield_ms);
        }
        if let Some((level, message)) = self.fault(turn) {
            attributes.failed(level, message);
        }
        spans.push(self.span(Draft {
            name: "loadcall.turn",
            place,
            parent: Some(self.root()),
            kind: SpanKind::Internal,
            from,
            until,
            attributes,
        }));
        spans.extend(turn.said.map(|span| self.speech(turn, span, said)));
        spans.extend(response.map(|response| self.response(turn, &response, said)));
    }

    /// What the caller said, when its words are known.
    fn said(&self, turn: &Turn) -> Option<&str> {
        turn.said?;
        self.head.clips.get(turn.step as usize)?.as_ref()?.text.as_deref()
    }

    /// What went wrong in a turn.
    fn fault(&self, turn: &Turn) -> Option<(Level, String)> {
        match turn.reply {
            Reply::Unanswered { waited_ms } => {
                Some((Level::Error, format!("no reply within {waited_ms:.0} ms")))
            }
            Reply::DidNotYield { waited_ms } => Some((
                Level::Warning,
                format!("the agent kept speaking for {waited_ms:.0} ms after the barge-in"),
            )),
            Reply::Disturbed { by, after_ms } => {
                let what = match by {
                    Disturbance::Stopped => "fell silent",
                    Disturbance::Answered => "spoke",
                };
                let text = format!("the agent {what} {after_ms:.0} ms after a noise began");
                Some((Level::Warning, text))
            }
            Reply::CutIn { early_ms, .. } => Some((
                Level::Warning,
                format!("the agent cut in {early_ms:.0} ms before the caller had ended"),
            )),
            Reply::NotTested => {
                Some((Level::Warning, "the barge-in found the agent silent: not tested".to_owned()))
            }
            Reply::NotReached => {
                Some((Level::Warning, "the call ended before this turn was decided".to_owned()))
            }
            Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. }
                if self.moments.missed.contains(&turn.step) =>
            {
                Some((
                    Level::Warning,
                    format!("the reply after {latency_ms:.0} ms is later than the scenario allows"),
                ))
            }
            Reply::Greeted { .. }
            | Reply::Heard { .. }
            | Reply::Yielded { .. }
            | Reply::Ignored
            | Reply::NotAwaited => turn.errors.first().map(|error| {
                (Level::Warning, format!("the agent reported an error: {}", clipped(error)))
            }),
        }
    }

    fn speech(&self, turn: &Turn, span: Span, said: Option<&str>) -> SpanData {
        let mut attributes = Attributes::new(Kind::Span);
        attributes.some_text("langfuse.observation.output", said);
        if let Some(Some(clip)) = self.head.clips.get(turn.step as usize) {
            attributes.text("loadcall.clip", &clip.file);
        }
        self.span(Draft {
            name: "loadcall.caller_speech",
            place: turn.step,
            parent: Some(self.id("loadcall.turn", turn.step)),
            kind: SpanKind::Internal,
            from: span.from,
            until: span.until,
            attributes,
        })
    }

    fn response(&self, turn: &Turn, response: &Response, said: Option<&str>) -> SpanData {
        let mut attributes = Attributes::new(Kind::Generation);
        // Langfuse looks models up by pattern to price them; no price is known for a whole agent.
        attributes.text(
            "langfuse.observation.model.name",
            &format!(
                "livekit-agent/{}",
                if self.agent.is_empty() { "unnamed" } else { self.agent }
            ),
        );
        attributes.some_text("langfuse.observation.input", said);
        attributes.some_text("langfuse.observation.output", turn.reply_text.as_deref());
        attributes.some_text("loadcall.heard_by_agent", turn.heard_by_agent.as_deref());
        if let Some((audible, latency_ms)) = response.audible {
            let audible = self.wall(audible).to_string();
            attributes.text("langfuse.observation.completion_start_time", &audible);
            attributes.seconds("loadcall.response_latency_s", latency_ms);
        }
        for (metric, ms) in stages(&turn.reported) {
            attributes.seconds(&format!("loadcall.reported.{}_s", metric.name()), ms);
        }
        attributes.texts("loadcall.tools", &turn.tools);
        attributes.texts("loadcall.errors", &turn.errors);
        if let Some((level, message)) = self.fault(turn) {
            attributes.failed(level, message);
        }
        self.span(Draft {
            name: "loadcall.agent_response",
            place: turn.step,
            parent: Some(self.id("loadcall.turn", turn.step)),
            kind: SpanKind::Client,
            from: response.from,
            until: response.until,
            attributes,
        })
    }
}

/// The agent's part of a turn.
struct Response {
    from: Offset,
    until: Offset,
    /// The first audible sample and the latency to it in milliseconds.
    audible: Option<(Offset, f64)>,
}

/// The response to a turn that awaits one; `None` when it awaits none or its call ended before.
fn response(turn: &Turn) -> Option<Response> {
    match turn.reply {
        Reply::Greeted { voice, latency_ms } | Reply::Heard { voice, latency_ms } => {
            Some(Response {
                // An agent that began before the caller had ended has no time to first sound.
                from: earlier(voice.from, latency_ms.max(0.0)),
                until: voice.until,
                audible: Some((voice.from, latency_ms)),
            })
        }
        Reply::CutIn { voice, .. } => {
            Some(Response { from: voice.from, until: voice.until, audible: None })
        }
        Reply::Unanswered { waited_ms } => {
            let from = turn.said?.until;
            Some(Response { from, until: earlier(from, -waited_ms), audible: None })
        }
        Reply::Yielded { .. }
        | Reply::DidNotYield { .. }
        | Reply::Ignored
        | Reply::Disturbed { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => None,
    }
}

/// From the first to the last thing that happened in a turn.
fn extent(turn: &Turn, response: Option<&Response>) -> Option<(Offset, Offset)> {
    let yielded = match (turn.said, turn.reply) {
        (Some(said), Reply::Yielded { yield_ms: ms } | Reply::DidNotYield { waited_ms: ms }) => {
            Some((said.from, earlier(said.from, -ms)))
        }
        (Some(_) | None, _) => None,
    };
    [
        turn.said.map(|said| (said.from, said.until)),
        response.map(|response| (response.from, response.until)),
        yielded,
    ]
    .into_iter()
    .flatten()
    .reduce(|(from, until), (f, u)| (from.min(f), until.max(u)))
}

fn earlier(at: Offset, ms: f64) -> Offset {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    at.plus_micros(-((ms * 1_000.0).round() as i64))
}
