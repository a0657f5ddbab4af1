//! Words and numbers of the page: text of others made harmless and short, units, links to definitions.

use maud::{Markup, html};

use crate::scenario::Metric;
use crate::stats::{Interval, Quantile};
use crate::text::{self, clipped, safe};
use crate::turn::{Cause, Part};
use crate::verdict::Outcome;

/// Characters of a name, a room or a reason that are shown.
const SHORT: usize = 300;

/// Text of others on one line, without anything that hides or turns the reading direction. Whoever writes it
/// into the page escapes it.
pub(super) fn shown(of: &str) -> String {
    safe(&clipped(of, SHORT)).replace(" %", "\u{a0}%")
}

/// Milliseconds as people read them: whole, with thousands set apart.
pub(super) fn ms(value: f64) -> String {
    if value.abs() >= 1e9 {
        // Nonsense of an agent would burst its column.
        return format!("{value:.1e}");
    }
    text::number(value.round())
}

/// The same with its sign.
pub(super) fn signed(value: f64) -> String {
    let plain = ms(value);
    if value > 0.0 && plain != "0" { format!("+{plain}") } else { plain }
}

/// The same with `≥` where only a lower bound is known.
pub(super) fn bounded(quantile: Quantile) -> String {
    let bound = if quantile.lower_bound { "≥\u{a0}" } else { "" };
    format!("{bound}{}", ms(quantile.value))
}

/// `+390 to +431 ms`.
pub(super) fn range(of: &Interval) -> String {
    format!("{} to {}\u{a0}ms", signed(of.low), signed(of.high))
}

/// The name of a metric as a link to its definition.
pub(super) fn term(metric: Metric) -> Markup {
    html! { a.term href={ "#def-" (metric.name()) } title=(metric.definition().text) { (metric.name()) } }
}

/// The name of a part of a latency, likewise.
pub(super) fn part(of: Part) -> Markup {
    html! { a.term href={ "#def-" (of.name()) } title=(part_text(of)) { (of.name()) } }
}

/// The name of a cause, likewise.
pub(super) fn cause(of: Cause) -> Markup {
    html! { a.term href={ "#def-" (of.name()) } title=(cause_text(of)) { (of.name()) } }
}

/// What a part of a latency is.
pub(super) const fn part_text(of: Part) -> &'static str {
    match of {
        Part::TurnDecided => Metric::TurnDecided.definition().text,
        Part::EndOfTurn => Metric::EndOfTurnDelay.definition().text,
        Part::Transcription => Metric::TranscriptionDelay.definition().text,
        Part::UserTurnHook => Metric::OnUserTurnCompletedDelay.definition().text,
        Part::Tool => Metric::ToolDelay.definition().text,
        Part::LlmFirstToken => Metric::LlmNodeTtft.definition().text,
        Part::LlmFirstSentence => {
            "the model's first token → the first sentence that goes to speech synthesis"
        }
        Part::TtsFirstByte => Metric::TtsNodeTtfb.definition().text,
        Part::FirstTokenToAudio => {
            "the model's first token → the first audio of speech synthesis, where the agent does not tell the \
             first sentence and the first byte apart"
        }
        Part::BetweenStages => "reported end-to-end latency that no stage accounts for",
        Part::AnswerPrepared => Metric::AnswerPrepared.definition().text,
        Part::EndNoticedLate => {
            "by how much later than loadcall the agent takes the caller's speech for ended"
        }
        Part::Unattributed => Metric::Unattributed.definition().text,
    }
}

/// What a cause means.
pub(super) const fn cause_text(of: Cause) -> &'static str {
    match of {
        Cause::Dispatch => "no agent joined",
        Cause::Join => "an agent joined, but not in time or without its audio",
        Cause::Greeting => "the agent did not say its first words",
        Cause::Silence => "the agent did not reply, and named no error",
        Cause::NoAnswer => "the agent said something in reply, and the answer never came",
        Cause::AgentLeft => "the agent left, and named no error",
        Cause::ProviderLimit => "a provider refused: too many requests or no quota",
        Cause::SttError => "the agent named an error of its speech-to-text",
        Cause::LlmError => "the agent named an error of its language model",
        Cause::TtsError => "the agent named an error of its text-to-speech",
        Cause::AgentError => "the agent named an error of no stage that is known",
        Cause::Rpc => "a method of the agent that the caller called failed, or was not answered",
        Cause::WrongContent => {
            "the agent replied, but not with the words or tools that were expected"
        }
        Cause::TurnTaking => "the agent did not yield to a barge-in, or reacted to a noise",
        Cause::Late => "the agent replied later than the scenario allows",
        Cause::EndState => "the call did not leave behind what it should have",
        Cause::EndStateUnknown => {
            "whether the call left behind what it should could not be checked"
        }
        Cause::NotTested => "what a step expects could not be tested",
        Cause::Connection => "the connection to the server broke, or the server refused the caller",
        Cause::Stopped => "you stopped the run",
        Cause::Ours => "the caller itself failed; says nothing about the agent",
    }
}

/// The tone of something that is judged; a word and a sign say it too, never the colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubt,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Doubt => "doubt",
        }
    }

    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Doubt => "?",
        }
    }
}

/// A judgement in a word.
pub(super) const fn judgement(outcome: Outcome) -> (&'static str, Tone) {
    match outcome {
        Outcome::Pass => ("Pass", Tone::Good),
        Outcome::Improvement => ("Improvement", Tone::Good),
        Outcome::Fail => ("Fail", Tone::Bad),
        Outcome::Regression => ("Regression", Tone::Bad),
        Outcome::NothingMeasured => ("Nothing measured", Tone::Bad),
        Outcome::Suspected => ("Suspected", Tone::Doubt),
        Outcome::Inconclusive => ("Inconclusive", Tone::Doubt),
        Outcome::NotComparable => ("Not comparable", Tone::Doubt),
        Outcome::Invalid => ("Invalid", Tone::Doubt),
        Outcome::Stopped => ("Stopped", Tone::Doubt),
    }
}
