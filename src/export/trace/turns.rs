//! The spans of a turn: the turn itself, what the caller said, how the agent responded and in which stages, and the
//! moments in which one of them broke in on the other.

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;

use super::attributes::{Attributes, Kind, Level, clipped};
use super::{Draft, Trace};
use crate::scenario::Expect;
use crate::time::Offset;
use crate::turn::{Answer, Disturbance, Reply, Span, Turn, stages};

/// The name of the span of an agent's response.
pub(super) const RESPONSE: &str = "loadcall.agent_response";

impl Trace<'_> {
    /// A turn, what the caller said in it and the agent's response; nothing when neither spoke. Says whether there
    /// was anything.
    pub(super) fn turn(&self, turn: &Turn, spans: &mut Vec<SpanData>) -> bool {
        let response = self.response_of(turn);
        let Some((from, until)) = extent(turn, response.as_ref()) else { return false };
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
            place: turn.step,
            parent: Some(self.root()),
            kind: SpanKind::Internal,
            from,
            until,
            attributes,
        }));
        spans.extend(turn.said.map(|span| self.speech(turn, span, said)));
        if let Some(response) = response {
            spans.push(self.response(turn, &response, said));
            spans.extend(self.stages(turn));
        }
        spans.extend(self.broke_in(turn));
        spans.extend(self.cut_in(turn));
        true
    }

    fn child(
        &self,
        turn: &Turn,
        name: &'static str,
        span: Span,
        attributes: Attributes,
    ) -> SpanData {
        self.span(Draft {
            name,
            place: turn.step,
            parent: Some(self.id("loadcall.turn", turn.step)),
            kind: SpanKind::Internal,
            from: span.from,
            until: span.until,
            attributes,
        })
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
            Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } if turn.is_late => {
                Some((
                    Level::Warning,
                    format!("the reply after {latency_ms:.0} ms is later than the scenario allows"),
                ))
            }
            Reply::Yielded { yield_ms } if self.missed(turn.step) => Some((
                Level::Warning,
                format!("the agent yielded after {yield_ms:.0} ms, later than the scenario allows"),
            )),
            Reply::Heard { .. } if self.never_came(turn) => Some((
                Level::Error,
                "the agent said something, and its answer never came".to_owned(),
            )),
            Reply::Greeted { .. }
            | Reply::Heard { .. }
            | Reply::Yielded { .. }
            | Reply::Ignored
            | Reply::NotAwaited => {
                let error =
                    |text: &String| format!("the agent reported an error: {}", clipped(text));
                let wrong = turn.wrong_content().next();
                let why = wrong.or_else(|| turn.errors.first().map(error))?;
                Some((Level::Warning, why))
            }
        }
    }

    /// Whether something bridged the wait for an answer, and nothing followed.
    fn never_came(&self, turn: &Turn) -> bool {
        let never = matches!(turn.answer, Some(Answer::Never { .. }));
        let outstanding = matches!(turn.answer, Some(Answer::Outstanding { .. }));
        never || outstanding && self.is_stuck()
    }

    fn speech(&self, turn: &Turn, span: Span, said: Option<&str>) -> SpanData {
        let mut attributes = Attributes::new(Kind::Span);
        attributes.some_text("langfuse.observation.output", said);
        if let Some(Some(clip)) = self.head.clips.get(turn.step as usize) {
            attributes.text("loadcall.clip", &clip.file);
        }
        self.child(turn, "loadcall.caller_speech", span, attributes)
    }

    /// The two stages of a response that can be told by our clock, where the agent shows its state.
    fn stages(&self, turn: &Turn) -> Vec<SpanData> {
        let (Reply::Heard { voice, .. }, Some(said), Some(decided_ms), Some(prepared_ms)) =
            (turn.reply, turn.said, turn.turn_decided_ms, turn.answer_prepared_ms())
        else {
            return Vec::new();
        };
        // An agent may say that it thinks a little before the caller has ended.
        let thinking = earlier(said.until, -decided_ms);
        let stage = |name, metric, ms: f64, from: Offset, until: Offset| {
            let mut attributes = Attributes::new(Kind::Span);
            attributes.text("loadcall.source", "agent_state");
            attributes.seconds(metric, ms);
            self.span(Draft {
                name,
                place: turn.step,
                parent: Some(self.id(RESPONSE, turn.step)),
                kind: SpanKind::Internal,
                from,
                until,
                attributes,
            })
        };
        vec![
            stage(
                "loadcall.stage.turn_decided",
                "loadcall.turn_decided_s",
                decided_ms,
                said.until.min(thinking),
                thinking,
            ),
            stage(
                "loadcall.stage.answer_prepared",
                "loadcall.answer_prepared_s",
                prepared_ms,
                thinking,
                voice.from.max(thinking),
            ),
        ]
    }

    /// The caller breaks in on the agent, or makes a noise: the moment of its first voiced sample.
    fn broke_in(&self, turn: &Turn) -> Option<SpanData> {
        let at = turn.said?.from;
        let expect = self.scenario.steps().get(turn.step as usize)?.expect?;
        let name = match expect {
            Expect::Yields { .. } => "loadcall.barge_in",
            Expect::Ignores => "loadcall.noise",
            Expect::Speaks { .. } | Expect::Responds { .. } => return None,
        };
        let mut attributes = Attributes::new(Kind::Event);
        if let Reply::Yielded { yield_ms: ms } | Reply::DidNotYield { waited_ms: ms } = turn.reply {
            attributes.seconds("loadcall.time_to_yield_s", ms);
            attributes.flag("loadcall.yielded", matches!(turn.reply, Reply::Yielded { .. }));
        }
        if let Some((level, message)) = self.fault(turn) {
            attributes.failed(level, message);
        }
        Some(self.child(turn, name, Span { from: at, until: at }, attributes))
    }

    /// The agent breaks in on the caller.
    fn cut_in(&self, turn: &Turn) -> Option<SpanData> {
        let said = turn.said.filter(|_| turn.cut_in)?;
        let within = |voice: &&Span| said.from < voice.from && voice.from < said.until;
        let at = self.lanes.agent.iter().find(within)?.from;
        let mut attributes = Attributes::new(Kind::Event);
        let text = "the agent began to speak before the caller had ended";
        attributes.failed(Level::Warning, text.to_owned());
        Some(self.child(turn, "loadcall.cut_in", Span { from: at, until: at }, attributes))
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
        if let Reply::Unanswered { waited_ms } = turn.reply {
            // A bound and no latency: nobody may take it for the time until a reply.
            attributes.seconds("loadcall.unanswered_for_s", waited_ms);
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
            name: RESPONSE,
            place: turn.step,
            parent: Some(self.id("loadcall.turn", turn.step)),
            kind: SpanKind::Client,
            from: response.from,
            until: response.until,
            attributes,
        })
    }

    /// The response to a turn that awaits one; `None` when it awaits none or its call ended before.
    fn response_of(&self, turn: &Turn) -> Option<Response> {
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
                // A greeting that never came follows nothing.
                let until = self.missed_at(turn.step).unwrap_or(self.call.end.at);
                let from = turn.said.map_or_else(|| earlier(until, waited_ms), |said| said.until);
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
}

/// The agent's part of a turn.
struct Response {
    from: Offset,
    until: Offset,
    /// The first audible sample and the latency to it in milliseconds.
    audible: Option<(Offset, f64)>,
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

pub(super) fn earlier(at: Offset, ms: f64) -> Offset {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    at.plus_micros(-((ms * 1_000.0).round() as i64))
}
