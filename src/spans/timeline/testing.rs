//! Spans for tests, as livekit-agents 1.8.9 makes them; written in milliseconds of the agent's clock.

use std::collections::BTreeMap;

use crate::spans::{AgentSpan, Value};

/// Where the agent's clock stands at its zero: nanoseconds since 1970.
pub(crate) const ZERO_NS: u64 = 1_796_083_200_000_000_000;

/// A session that is being made.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) spans: Vec<AgentSpan>,
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Milliseconds as seconds.
pub(crate) fn s(ms: f64) -> Value {
    Value::Number(ms / 1_000.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "moments of tests are small and positive"
)]
fn ns(ms: f64) -> u64 {
    ZERO_NS + (ms * 1_000_000.0) as u64
}

/// One exchange as the agent has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    /// The caller's speech as the agent notices it.
    pub(crate) said: (f64, f64),
    pub(crate) end_of_turn: f64,
    /// Until the first token, after retries.
    pub(crate) ttft: f64,
    /// From the first token to the first sentence.
    pub(crate) sentence: f64,
    pub(crate) ttfb: f64,
    /// Lost to an attempt that failed.
    pub(crate) retry: f64,
    pub(crate) speaks: f64,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            said: (0.0, 1_300.0),
            end_of_turn: 500.0,
            ttft: 300.0,
            sentence: 60.0,
            ttfb: 120.0,
            retry: 0.0,
            speaks: 2_000.0,
        }
    }
}

impl Talk {
    pub(crate) fn at(self, from: f64) -> Self {
        Self { said: (from + self.said.0, from + self.said.1), ..self }
    }

    /// The agent's own latency: nothing else is in it.
    pub(crate) fn e2e(&self) -> f64 {
        self.end_of_turn + self.retry + self.ttft + self.sentence + self.ttfb
    }
}

impl Session {
    pub(crate) fn push(
        &mut self,
        parent: Option<&str>,
        name: &str,
        (from, until): (f64, f64),
        attributes: &[(&str, Value)],
    ) -> String {
        let span_id = format!("{:016x}", self.spans.len() + 1);
        let mut attributes: BTreeMap<String, Value> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        attributes.entry("session.id".to_owned()).or_insert_with(|| text("room-1"));
        self.spans.push(AgentSpan {
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            span_id: span_id.clone(),
            parent_id: parent.map(str::to_owned),
            name: name.to_owned(),
            begin_ns: ns(from),
            end_ns: ns(until),
            attributes,
            error: None,
        });
        span_id
    }

    /// The caller's turn alone.
    pub(crate) fn user(&mut self, talk: &Talk) {
        let (from, until) = talk.said;
        let commit = until + talk.end_of_turn;
        let delay = ("lk.end_of_turn_delay", s(talk.end_of_turn));
        let turn = self.push(None, "user_turn", (from, commit), &[delay]);
        self.push(Some(&turn), "user_speaking", talk.said, &[]);
        self.push(Some(&turn), "eou_wait", (until, commit), &[]);
    }

    /// A greeting.
    pub(crate) fn greets(&mut self, from: f64, speaks: f64) {
        let turn = self.push(None, "agent_turn", (from - 150.0, from + speaks), &[]);
        let ttfb = ("lk.response.ttfb", s(140.0));
        self.push(Some(&turn), "tts_node", (from - 145.0, from + 200.0), &[ttfb]);
        self.push(Some(&turn), "agent_speaking", (from, from + speaks), &[]);
    }

    /// The caller's turn and the reply to it. Gives when the agent began to speak.
    pub(crate) fn talk(&mut self, talk: &Talk) -> f64 {
        self.user(talk);
        let commit = talk.said.1 + talk.end_of_turn;
        let begin = talk.said.1 + talk.e2e();
        let end = begin + talk.speaks;
        let e2e = [("lk.e2e_latency", s(talk.e2e())), ("lk.speech.queue_wait", s(1.0))];
        let turn = self.push(None, "agent_turn", (commit, end), &e2e);
        self.model(&turn, commit, talk);
        let ttfb = ("lk.response.ttfb", s(talk.ttfb));
        let tts = self.push(Some(&turn), "tts_node", (commit + 1.0, begin + 400.0), &[ttfb]);
        self.push(Some(&tts), "tts_request", (begin - talk.ttfb, begin + 400.0), &[]);
        self.push(Some(&turn), "agent_speaking", (begin, end), &[]);
        begin
    }

    /// A request to the model under an `agent_turn`.
    pub(crate) fn model(&mut self, turn: &str, from: f64, talk: &Talk) {
        let answered = from + talk.retry;
        let until = answered + talk.ttft + talk.sentence + 100.0;
        let ttft = ("lk.response.ttft", s(talk.retry + talk.ttft));
        let node = self.push(Some(turn), "llm_node", (from, until), &[ttft]);
        let usage = [
            ("gen_ai.request.model", text("gpt-4o-mini")),
            ("gen_ai.usage.input_tokens", Value::Whole(512)),
            ("gen_ai.usage.output_tokens", Value::Whole(40)),
        ];
        let request = self.push(Some(&node), "llm_request", (from, until), &usage);
        if talk.retry > 0.0 {
            let first = [("lk.retry_count", Value::Whole(0))];
            self.push(Some(&request), "llm_request_run", (from, from + talk.retry / 2.0), &first);
            self.spans.last_mut().unwrap().error = Some("overloaded".to_owned());
        }
        let count = Value::Whole(i64::from(talk.retry > 0.0));
        self.push(
            Some(&request),
            "llm_request_run",
            (answered, until),
            &[("lk.retry_count", count)],
        );
    }
}
