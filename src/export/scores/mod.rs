//! What a run says of its calls, as scores in Langfuse: numbers and words that it filters, averages and draws by. Their
//! ids are made from the run, the call and what is scored, so a second sending replaces the first.
//!
//! A turn that was never answered has a score, too: how long the caller waited, marked as a lower bound. Left out, an agent
//! that does not answer would look quicker.

mod send;
#[cfg(test)]
mod tests;

pub use send::{Sent, send};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::trace::{TraceError, passed, response_id, started_at, why};
use crate::record::{RunHead, trace_text};
use crate::scenario::Metric;
use crate::stats::{Point, Quantile, Sample};
use crate::text::{clipped, safe};
use crate::time::Offset;
use crate::turn::{Analysis, CallFacts, Value};

/// Characters of a comment.
const COMMENT: usize = 500;
/// Characters of a run's id within a score's.
const RUN_ID: usize = 150;
/// Turns of a run that are scored where nobody says whether they are to be: Langfuse counts every score.
const FEW_TURNS: usize = 2_000;

/// What is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Calls, and the run where it is an experiment.
    Calls,
    /// And each turn that awaited a reply.
    Turns,
}

impl Detail {
    /// Turns as long as there are few.
    pub fn of_size(analysis: &Analysis) -> Self {
        let turns = analysis.measures.values(Metric::HeardE2eLatency).len();
        if turns <= FEW_TURNS { Self::Turns } else { Self::Calls }
    }
}

/// One score.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    id: String,
    name: &'static str,
    of: Of,
    value: Scored,
    /// For people; may be empty.
    comment: String,
    /// The true value is at least this.
    is_bound: bool,
    at: Timestamp,
    environment: String,
}

/// What a score is of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Call(String),
    /// The response of a turn: trace and span.
    Response(String, String),
    Experiment(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Scored {
    Number(f64),
    YesOrNo(bool),
    Word(String),
}

impl Score {
    /// As the API takes it.
    fn json(&self) -> Json {
        let (kind, value) = match &self.value {
            Scored::Number(number) => ("NUMERIC", json!(number)),
            Scored::YesOrNo(yes) => ("BOOLEAN", json!(u8::from(*yes))),
            Scored::Word(word) => ("CATEGORICAL", json!(word)),
        };
        let mut score = json!({
            "id": self.id,
            "name": self.name,
            "value": value,
            "dataType": kind,
            "environment": self.environment,
            "timestamp": self.at.to_string(),
        });
        match &self.of {
            Of::Call(trace) => score["traceId"] = json!(trace),
            Of::Response(trace, span) => {
                score["traceId"] = json!(trace);
                score["observationId"] = json!(span);
            }
            Of::Experiment(id) => score["datasetRunId"] = json!(id),
        }
        if !self.comment.is_empty() {
            score["comment"] = json!(self.comment);
        }
        if self.is_bound {
            score["metadata"] = json!({"lower_bound": true});
        }
        score
    }
}

/// Scores of one run on their way.
struct Scoring<'a> {
    head: &'a RunHead,
    start: Timestamp,
    environment: &'a str,
}

/// The scores of a run's calls, call by call, in an order that is always the same.
pub fn of_calls<'a>(
    analysis: &'a Analysis,
    environment: &'a str,
    detail: Detail,
) -> Result<impl Iterator<Item = Score> + 'a, TraceError> {
    let start = started_at(&analysis.head)?;
    let scoring = Scoring { head: &analysis.head, start, environment };
    let all = analysis.measures.values(Metric::HeardE2eLatency);
    Ok(analysis.calls.iter().flat_map(move |call| {
        let of_call = |value: &Value| value.call == call.call;
        let from = all.partition_point(|value| value.call < call.call);
        let heard: Vec<Value> = all.iter().skip(from).take_while(|v| of_call(v)).copied().collect();
        let mut scores = scoring.call(analysis, call, &heard);
        if detail == Detail::Turns {
            scores.extend(heard.iter().map(|value| scoring.turn(call, value)));
        }
        scores
    }))
}

/// The figures of a run that is an experiment, on the experiment of this id.
pub fn of_run(
    analysis: &Analysis,
    environment: &str,
    experiment: &str,
) -> Result<Vec<Score>, TraceError> {
    let new = run_scorer(analysis, environment, experiment)?;
    let known: Vec<bool> = analysis.calls.iter().filter_map(passed).collect();
    let good = known.iter().filter(|passed| **passed).count();
    let mut scores = Vec::new();
    if !known.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 calls")]
        let rate = good as f64 / known.len() as f64;
        let comment = format!("{good} of {} calls", known.len());
        scores.push(new("loadcall.pass_rate", Scored::Number(rate), &comment));
    }
    for (name, quantile) in spread(analysis.measures.values(Metric::HeardE2eLatency)) {
        let score = new(name, Scored::Number(quantile.value / 1_000.0), "");
        scores.push(score.bound(quantile.lower_bound));
    }
    Ok(scores)
}

/// The verdict of such a run, by its name and its first reason.
pub fn of_verdict(
    analysis: &Analysis,
    environment: &str,
    experiment: &str,
    (verdict, reason): (&str, &str),
) -> Result<Score, TraceError> {
    let new = run_scorer(analysis, environment, experiment)?;
    Ok(new("loadcall.verdict", Scored::Word(verdict.to_owned()), reason))
}

/// Makes scores of a whole run.
fn run_scorer(
    analysis: &Analysis,
    environment: &str,
    experiment: &str,
) -> Result<impl Fn(&'static str, Scored, &str) -> Score, TraceError> {
    let head = &analysis.head;
    let scoring = Scoring { head, start: started_at(head)?, environment };
    let ended = analysis.calls.iter().map(|call| call.ended).max().unwrap_or_default();
    let blank = Score {
        id: format!("loadcall-{}", clipped(&head.run_id, RUN_ID)),
        name: "",
        of: Of::Experiment(experiment.to_owned()),
        value: Scored::Number(0.0),
        comment: String::new(),
        is_bound: false,
        at: scoring.wall(ended),
        environment: environment.to_owned(),
    };
    Ok(move |name: &'static str, value: Scored, comment: &str| Score {
        id: format!("{}-{name}", blank.id),
        name,
        value,
        comment: clipped(&safe(comment), COMMENT),
        ..blank.clone()
    })
}

impl Score {
    /// A value that may be more than it says is marked.
    fn bound(mut self, is_bound: bool) -> Self {
        if is_bound {
            self.is_bound = true;
            "at least: the agent never replied".clone_into(&mut self.comment);
        }
        self
    }
}

impl Scoring<'_> {
    fn call(&self, analysis: &Analysis, call: &CallFacts, heard: &[Value]) -> Vec<Score> {
        let new = |name, value, comment: &str| self.score(call, name, value, comment, None);
        let why = why(call);
        let mut scores = Vec::new();
        let passed = passed(call);
        scores.extend(passed.map(|yes| new("loadcall.passed", Scored::YesOrNo(yes), "")));
        scores.push(new("loadcall.verdict", Scored::Word(word(call, passed).to_owned()), &why));
        let cause = call.failure.as_ref().map(|failure| failure.cause.name());
        scores
            .extend(cause.map(|cause| new("loadcall.cause", Scored::Word(cause.to_owned()), &why)));
        for (name, quantile) in spread(heard) {
            let score = new(name, Scored::Number(quantile.value / 1_000.0), "");
            scores.push(score.bound(quantile.lower_bound));
        }
        for (metric, name, missing) in [
            (Metric::ConnectDelay, "loadcall.connect_delay_s", ""),
            (Metric::AgentJoinDelay, "loadcall.agent_join_delay_s", "at least: no agent joined"),
        ] {
            let values = analysis.measures.values(metric);
            let found = values.binary_search_by_key(&call.call, |value| value.call);
            if let Some(value) = found.ok().and_then(|place| values.get(place)) {
                let comment = if value.censored { missing } else { "" };
                let mut score = new(name, Scored::Number(value.value / 1_000.0), comment);
                score.is_bound = value.censored;
                scores.push(score);
            }
        }
        scores
    }

    fn turn(&self, call: &CallFacts, heard: &Value) -> Score {
        let turn = call.turns.iter().find(|turn| turn.step == heard.step);
        let comment = turn.map_or_else(String::new, |turn| format!("turn `{}`", turn.id));
        let number = Scored::Number(heard.value / 1_000.0);
        let name = "loadcall.heard_e2e_latency_s";
        let mut score = self.score(call, name, number, &comment, Some(heard.step));
        if heard.censored {
            score.comment =
                clipped(&format!("at least: {} was never answered", score.comment), COMMENT);
            score.is_bound = true;
        }
        score
    }

    fn score(
        &self,
        call: &CallFacts,
        name: &'static str,
        value: Scored,
        comment: &str,
        step: Option<u32>,
    ) -> Score {
        let trace = trace_text(&self.head.run_id, call.call);
        let place = step.map_or_else(String::new, |step| format!("-{step}"));
        let id = format!("loadcall-{trace}-{name}{place}");
        let of = match step {
            Some(step) => Of::Response(trace, response_id(self.head, call.call, step).to_string()),
            None => Of::Call(trace),
        };
        Score {
            id,
            name,
            of,
            value,
            comment: clipped(&safe(comment), COMMENT),
            is_bound: false,
            at: self.wall(call.ended),
            environment: self.environment.to_owned(),
        }
    }

    fn wall(&self, at: Offset) -> Timestamp {
        let since = SignedDuration::from_micros(at.micros());
        self.start.saturating_add(since).unwrap_or(self.start)
    }
}

/// How a call went, in a word.
fn word(call: &CallFacts, passed: Option<bool>) -> &'static str {
    match (passed, call.ok()) {
        (Some(true), _) => "pass",
        (Some(false), _) => "fail",
        (None, Some(_)) => "cannot_tell",
        // The user stopped it, or the caller itself failed.
        (None, None) => "not_judged",
    }
}

/// The middle, the slow end and the slowest of heard latencies, in milliseconds; nothing without any.
fn spread(heard: &[Value]) -> Vec<(&'static str, Quantile)> {
    let points = heard.iter().map(|value| Point {
        value: value.value,
        censored: value.censored,
        cluster: value.call.0,
        stratum: value.step,
    });
    let Some(sample) = Sample::new(points) else { return Vec::new() };
    vec![
        ("loadcall.heard_e2e_latency_p50_s", sample.quantile(50.0)),
        ("loadcall.heard_e2e_latency_p95_s", sample.quantile(95.0)),
        ("loadcall.heard_e2e_latency_max_s", sample.max()),
    ]
}
