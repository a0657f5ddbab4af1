//! The timeline of one call or session, as every form of it says it.

use crate::record::CallId;
use crate::spans::timeline::{Bottleneck, Row, Sides, Timeline, Totals, TurnLine, Went, What};
use crate::text::{clipped, count, number};

/// A timeline with where it is from. Texts are as they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The run and the call of it; `None` for a session that loadcall did not call.
    pub call: Option<(String, CallId)>,
    pub scenario: Option<String>,
    /// The session's id: the room's name, where loadcall called.
    pub session: String,
    pub agent: Option<String>,
    /// Where more can be seen.
    pub links: Vec<String>,
    pub origin: Origin,
    pub timeline: Timeline,
}

/// Where the agent's spans came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file that the user named.
    File(String),
    /// The run's own folder.
    Run,
    Langfuse,
    /// Nowhere; why, and how to get them, each a sentence without a full stop.
    Unknown {
        why: String,
        remedy: String,
    },
}

/// Characters of a name of others that are shown.
const NAME: usize = 60;
/// Characters of an error of others that are shown.
const ERROR: usize = 300;

impl Trace {
    /// What the timeline is of.
    pub fn title(&self) -> String {
        match &self.call {
            Some((run, call)) => format!("call {} of {}", call.0, clipped(run, NAME)),
            None => format!("session {}", clipped(&self.session, ERROR)),
        }
    }

    /// What to know of the timeline as a whole, in sentences without a full stop.
    pub fn remarks(&self) -> Vec<String> {
        let timeline = &self.timeline;
        let mut remarks = vec![self.sides()];
        remarks.extend(timeline.bottleneck.map(|of| bottleneck(of, timeline.sides)));
        if timeline.totals.spans > 0 {
            remarks.push(totals(&timeline.totals));
        }
        remarks
    }

    fn sides(&self) -> String {
        match (self.timeline.sides, &self.origin) {
            (Sides::Both { clocks, ahead_ms }, _) => {
                let edges = count(clocks.edges, "edge");
                let error = number(clocks.error_ms.ceil());
                let ahead = ahead_ms.map_or(String::new(), |ms| {
                    let word = if ms < 0.0 { "behind" } else { "ahead of" };
                    format!("the agent's clock is {} ms {word} ours; ", number(ms.abs()))
                });
                format!("{ahead}both sides stand on our axis to within ±{error} ms, by {edges} of speech that both saw")
            }
            (Sides::Apart { why }, _) => format!(
                "the clocks cannot be aligned: {}; each side stands on an axis of its own",
                why.sentence()
            ),
            (Sides::Reported, _) => {
                "nothing was heard: loadcall did not place this call, and all figures are the agent's own".to_owned()
            }
            (Sides::Heard, Origin::Unknown { why, remedy }) => {
                format!("the agent's side is unknown: {why}; {remedy}")
            }
            (Sides::Heard, Origin::File(_) | Origin::Run | Origin::Langfuse) => {
                "the agent's side is unknown: there are no spans of this call".to_owned()
            }
        }
    }
}

fn bottleneck(of: Bottleneck, sides: Sides) -> String {
    let waits =
        if sides == Sides::Reported { "the agent's own latency" } else { "what the caller waited" };
    format!(
        "the bottleneck is {}: {} % of {waits} in {}",
        of.part,
        number(of.share * 100.0),
        count(of.turns, "turn")
    )
}

fn totals(of: &Totals) -> String {
    let mut parts = vec![
        count(of.spans, "span"),
        count(of.llm_requests, "LLM request"),
        count(of.tts_requests, "TTS request"),
        count(of.tools, "tool"),
    ];
    if of.retries > 0 {
        let retries =
            if of.retries == 1 { "1 retry".to_owned() } else { format!("{} retries", of.retries) };
        parts.push(format!("{retries} ({} ms)", number(of.retries_ms)));
    }
    if of.discarded > 0 {
        parts.push(count(of.discarded, "discarded generation"));
    }
    if of.errors > 0 {
        parts.push(count(of.errors, "error"));
    }
    if let Some(tokens) = tokens(of.input_tokens, of.output_tokens) {
        parts.push(tokens);
    }
    if let Some(usd) = of.cost_usd {
        parts.push(format!(
            "${usd:.4} for {} with a known cost",
            count(of.requests_with_cost, "request")
        ));
    }
    format!("the agent: {}", parts.join(", "))
}

/// `512 tokens in, 40 out`.
fn tokens(input: Option<f64>, output: Option<f64>) -> Option<String> {
    match (input, output) {
        (Some(input), Some(output)) => {
            Some(format!("{} tokens in, {} out", number(input), number(output)))
        }
        (Some(input), None) => Some(format!("{} tokens in", number(input))),
        (None, Some(output)) => Some(format!("{} tokens out", number(output))),
        (None, None) => None,
    }
}

/// `turn 2 hours`.
pub(super) fn turn_name(turn: &TurnLine) -> String {
    let number = turn.number;
    turn.id.as_ref().map_or_else(
        || format!("turn {number}"),
        |id| format!("turn {number} {}", clipped(id, NAME)),
    )
}

/// How it went, in words.
pub(super) fn went(turn: &TurnLine) -> String {
    let after = |verb: &str| match turn.heard_ms {
        Some(ms) => format!("{verb} {} ms", number(ms)),
        None => verb.trim_end_matches(" after").to_owned(),
    };
    let heard = match turn.went {
        Went::Greeted => after("greeting heard after"),
        Went::Heard => after("reply heard after"),
        Went::CutIn => "the agent cut in".to_owned(),
        Went::Yielded => after("silent after"),
        Went::DidNotYield => after("spoke on for at least"),
        Went::Ignored => "took no notice".to_owned(),
        Went::Disturbed => "disturbed by a noise".to_owned(),
        Went::Unanswered => after("no reply for"),
        Went::NotAwaited => "no reply awaited".to_owned(),
        Went::NotTested => "not tested".to_owned(),
        Went::Reported => "told by the agent alone".to_owned(),
    };
    let claimed = turn.claims.and_then(|claims| claims.e2e_latency_ms);
    let claimed =
        claimed.map_or(String::new(), |ms| format!("; the agent claims {} ms", number(ms)));
    let interrupted = if turn.interrupted { "; interrupted" } else { "" };
    format!("{heard}{claimed}{interrupted}")
}

/// `bottleneck llm_node_ttft 620 ms (50 %); unclaimed 213 ms`.
pub(super) fn largest(turn: &TurnLine) -> Option<String> {
    let of = turn.breakdown.as_ref()?;
    let most = of.bottleneck()?;
    let percent = if of.total_ms > 0.0 { most.ms / of.total_ms * 100.0 } else { 100.0 };
    let unclaimed = of.unclaimed_ms();
    let unclaimed = if unclaimed >= 0.5 {
        format!("; unclaimed {} ms", number(unclaimed))
    } else {
        String::new()
    };
    Some(format!(
        "bottleneck {} {} ms ({} %){unclaimed}",
        most.part,
        number(most.ms),
        number(percent)
    ))
}

/// `1,190 ms = end_of_turn_delay 500 + …`.
pub(super) fn sum(turn: &TurnLine) -> Option<String> {
    let of = turn.breakdown.as_ref()?;
    let shares = of.shares.iter().filter(|share| share.ms.abs() >= 0.5);
    let shares: Vec<String> =
        shares.map(|share| format!("{} {}", share.part, number(share.ms))).collect();
    Some(format!("{} ms = {}", number(of.total_ms), shares.join(" + ")))
}

/// The rows that are shown: of requests that went through at once the attempts say nothing more.
pub(super) fn rows(turn: &TurnLine) -> impl Iterator<Item = &Row> {
    let tried = |row: &Row, of_kind: [What; 2]| {
        let retried = turn.rows.iter().filter(|of| of.facts.retries > 0);
        let mut same = retried.filter(|of| of_kind.contains(&of.what));
        same.any(|of| of.from_ms <= row.from_ms && row.from_ms <= of.until_ms)
    };
    turn.rows.iter().filter(move |row| {
        let of_kind = match row.what {
            What::LlmAttempt => [What::Llm, What::LlmRequest],
            What::TtsAttempt => [What::Tts, What::TtsRequest],
            What::CallerSpeech
            | What::AgentHeard
            | What::BargeIn
            | What::CallerNoticed
            | What::EndOfTurn
            | What::Transcription
            | What::UserTurnHook
            | What::Llm
            | What::LlmRequest
            | What::Tool
            | What::Tts
            | What::TtsRequest
            | What::AgentSpeech
            | What::Blocked
            | What::Told => return true,
        };
        row.facts.error.is_some() || tried(row, of_kind)
    })
}

/// What a row is called.
pub(super) fn label(row: &Row) -> String {
    let name = || clipped(&row.name, NAME);
    match row.what {
        What::CallerSpeech => "caller speaks".to_owned(),
        What::CallerNoticed => "caller, as noticed".to_owned(),
        What::EndOfTurn => "end of turn".to_owned(),
        What::Transcription => "transcript".to_owned(),
        What::UserTurnHook => "user hook".to_owned(),
        What::Llm => "LLM".to_owned(),
        What::LlmRequest | What::TtsRequest => match row.name.as_str() {
            "llm_request" | "tts_request" => "request".to_owned(),
            _ => name(),
        },
        What::LlmAttempt | What::TtsAttempt => "attempt".to_owned(),
        What::Tool | What::Told => format!("tool {}", name()),
        What::Tts => "TTS".to_owned(),
        What::AgentSpeech => "agent speaks".to_owned(),
        What::AgentHeard => "agent heard".to_owned(),
        What::BargeIn => "barge-in".to_owned(),
        What::Blocked => "event loop blocked".to_owned(),
    }
}

/// What is known of a row beside its place; empty where there is nothing.
pub(super) fn facts(row: &Row) -> Vec<String> {
    let of = &row.facts;
    let mut facts = Vec::new();
    if of.discarded {
        facts.push("discarded: another one was made for this reply".to_owned());
    }
    if let Some(error) = &of.error {
        facts.push(format!("failed: {}", clipped(error, ERROR)));
    }
    if of.retries > 0 {
        let lost = number(of.retries_ms.unwrap_or(0.0));
        let retries =
            if of.retries == 1 { "1 retry".to_owned() } else { format!("{} retries", of.retries) };
        facts.push(format!("{retries} took {lost} ms"));
    }
    if let Some(ms) = of.first_ms {
        let is_voice = matches!(row.what, What::Tts | What::TtsRequest | What::TtsAttempt);
        let what = if is_voice { "first audio" } else { "first token" };
        facts.push(format!("{what} after {} ms", number(ms)));
    }
    facts.extend(of.model.as_deref().map(|model| clipped(model, NAME)));
    facts.extend(tokens(of.input_tokens, of.output_tokens));
    facts.extend(of.cost_usd.map(|usd| format!("${usd:.4}")));
    facts
}

/// The part of a turn's axis that a picture of it shows: the wait, and a little before and after it.
pub(super) fn frame(turn: &TurnLine) -> (f64, f64) {
    let Some(zero) = turn.zero_ms else {
        return (turn.from_ms, turn.until_ms.max(turn.from_ms + 1.0));
    };
    let speech = |what| {
        let after = turn.rows.iter().filter(move |row| row.what == what && row.until_ms > zero);
        after.map(|row| row.from_ms).reduce(f64::min)
    };
    let reply = speech(What::AgentHeard).or(speech(What::AgentSpeech)).unwrap_or(turn.until_ms);
    let margin = ((reply - zero) * 0.3).max(300.0);
    let from = turn.from_ms.max(zero.min(reply) - margin);
    let until = turn.until_ms.min(reply.max(zero) + margin);
    (from, until.max(from + 1.0))
}
