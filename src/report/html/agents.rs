//! The agent's own stages of a call, as a lane of its page.

use crate::spans::AgentSpan;
use crate::spans::timeline::{Call, Row, Sides, Timeline, Wanted, What};
use crate::text::number;

/// The stages of a call; empty where the agent's side is unknown, or cannot stand on our axis.
#[derive(Debug, Default)]
pub(super) struct Agents {
    pub(super) stages: Vec<Stage>,
    /// How well they stand there.
    pub(super) note: String,
}

/// A stage: milliseconds since dialling, its row in the lane, what it is, and what is told of it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) row: u8,
    pub(super) kind: &'static str,
    pub(super) name: String,
}

/// The stages of this call among the spans of some.
pub(super) fn of(call: Call<'_>, spans: &[AgentSpan]) -> Agents {
    let own = Wanted::of_call(call.head, call.facts).choose(spans);
    if own.is_empty() {
        return Agents::default();
    }
    let timeline = Timeline::of_call(call, &own);
    match timeline.sides {
        Sides::Both { clocks, .. } => Agents {
            stages: timeline.turns.iter().flat_map(|turn| &turn.rows).filter_map(stage).collect(),
            note: format!(
                "The agent's spans stand beside what was heard to within ±{} ms.",
                number(clocks.error_ms.ceil())
            ),
        },
        Sides::Apart { why } => Agents {
            stages: Vec::new(),
            note: format!("The agent's spans are not drawn: {}.", why.sentence()),
        },
        Sides::Heard | Sides::Reported => Agents::default(),
    }
}

fn stage(row: &Row) -> Option<Stage> {
    let (place, kind, name) = match row.what {
        What::EndOfTurn => (0, "turn", "end of turn".to_owned()),
        What::UserTurnHook => (0, "turn", "user hook".to_owned()),
        What::Llm if row.facts.discarded => (1, "rest", "LLM, discarded".to_owned()),
        What::Llm => (1, "model", "LLM".to_owned()),
        What::Tool => (1, "tool", format!("tool {}", row.name)),
        What::Tts => (2, "voice", "TTS".to_owned()),
        What::CallerSpeech
        | What::AgentHeard
        | What::BargeIn
        | What::CallerNoticed
        | What::Transcription
        | What::LlmRequest
        | What::LlmAttempt
        | What::TtsRequest
        | What::TtsAttempt
        | What::AgentSpeech
        | What::Blocked
        | What::Told => return None,
    };
    let facts = crate::report::trace::facts(row);
    let told = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    let (from, until) = (row.from_ms.round() as i64, row.until_ms.round() as i64);
    Some(Stage { from, until, row: place, kind, name: format!("{name}{told}") })
}
