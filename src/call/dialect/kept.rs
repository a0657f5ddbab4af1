//! What all dialects keep of what an agent says, and how much of it.

use crate::record::{ModelUsage, Observation, SessionEvent, Stamped, ToolResult};
use crate::time::Offset;

/// How much of a text of the agent's is kept.
pub(super) const TEXT_LIMIT: usize = crate::record::LONGEST_TEXT;
/// How many models, tools or options of one message are kept.
pub(super) const LIST_LIMIT: usize = 64;

/// At most [`TEXT_LIMIT`] characters.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(TEXT_LIMIT).collect()
}

pub(super) const fn told(at: Offset, event: SessionEvent) -> Stamped {
    Stamped { at, what: Observation::Session(event) }
}

/// A tool as a message names it: the id of its call, its name, whether it failed, whether it gave something.
pub(super) struct Tool<'a> {
    pub(super) call: &'a str,
    pub(super) name: &'a str,
    pub(super) is_error: bool,
    pub(super) gave: Option<bool>,
}

/// The tools that ran: one for each call, with its name and whether it failed. Outputs know the failure, but
/// their name is empty in livekit-agents 1.5.0 to 1.6.6; a call may have no output.
pub(super) fn executed<'a>(
    calls: impl Iterator<Item = Tool<'a>>,
    outputs: impl Iterator<Item = Tool<'a>>,
) -> Vec<ToolResult> {
    let mut outputs: Vec<_> = outputs.take(LIST_LIMIT).collect();
    let of_calls: Vec<_> = calls
        .take(LIST_LIMIT)
        .map(|call| {
            let place = outputs.iter().position(|output| output.call == call.call);
            let output = place.map(|place| outputs.remove(place));
            let is_error = output.as_ref().is_some_and(|output| output.is_error);
            let gave = output.map_or(call.gave, |output| output.gave);
            ToolResult { name: cut(call.name), is_error, gave }
        })
        .collect();
    // An output of no call that is named: better told than lost.
    let others = outputs.iter().map(|o| ToolResult {
        name: cut(o.name),
        is_error: o.is_error,
        gave: o.gave,
    });
    of_calls.into_iter().chain(others).take(LIST_LIMIT).collect()
}

/// Sums up what single requests have used, as [`SessionEvent::Usage`] has it.
#[derive(Debug, Default)]
pub(super) struct Sums {
    models: Vec<ModelUsage>,
}

impl Sums {
    /// Adds what one request to a model used; what is no amount counts as nothing.
    pub(super) fn add(&mut self, kind: &str, provider: &str, model: &str, counts: &[(&str, f64)]) {
        let (provider, model) = (cut(provider), cut(model));
        let known = |m: &ModelUsage| m.kind == kind && m.provider == provider && m.model == model;
        let place = self.models.iter().position(known);
        if place.is_none() && self.models.len() >= LIST_LIMIT {
            return;
        }
        let place = place.unwrap_or_else(|| {
            self.models.push(ModelUsage { kind: kind.into(), provider, model, counts: Vec::new() });
            self.models.len() - 1
        });
        let Some(sums) = self.models.get_mut(place).map(|m| &mut m.counts) else { return };
        for (name, amount) in counts.iter().filter(|(_, n)| n.is_finite() && *n > 0.0) {
            if let Some((_, sum)) = sums.iter_mut().find(|(known, _)| known == name) {
                *sum += amount;
            } else {
                sums.push(((*name).to_owned(), *amount));
            }
        }
    }

    pub(super) fn event(&self) -> SessionEvent {
        SessionEvent::Usage { models: self.models.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tool<'a>(call: &'a str, name: &'a str, is_error: bool) -> Tool<'a> {
        Tool { call, name, is_error, gave: None }
    }

    fn names(tools: &[ToolResult]) -> Vec<(&str, bool)> {
        tools.iter().map(|t| (t.name.as_str(), t.is_error)).collect()
    }

    #[test]
    fn tools_have_the_name_of_their_call_and_the_failure_of_their_output() {
        let calls = || [tool("a", "hours", false), tool("b", "price", false)].into_iter();
        let nameless = [tool("b", "", true), tool("a", "", false)].into_iter();
        assert_eq!(names(&executed(calls(), nameless)), [("hours", false), ("price", true)]);
        let none = std::iter::empty();
        assert_eq!(names(&executed(calls(), none)), [("hours", false), ("price", false)]);
        let stray = [tool("c", "other", true)].into_iter();
        assert_eq!(names(&executed(std::iter::empty(), stray)), [("other", true)]);
    }

    #[test]
    fn calls_without_ids_are_taken_in_order() {
        let calls = [tool("", "hours", false), tool("", "price", false)].into_iter();
        let outputs = [tool("", "hours", false), tool("", "price", true)].into_iter();
        assert_eq!(names(&executed(calls, outputs)), [("hours", false), ("price", true)]);
    }

    #[test]
    fn usage_is_summed_up_by_model_and_what_is_no_amount_is_nothing() {
        let mut sums = Sums::default();
        sums.add("llm", "p", "m", &[("input_tokens", 10.0), ("output_tokens", f64::NAN)]);
        sums.add("llm", "p", "m", &[("input_tokens", 5.0), ("output_tokens", -3.0)]);
        sums.add("tts", "p", "m", &[("characters_count", 7.0)]);
        (0..1_000).for_each(|i| sums.add("llm", "p", &i.to_string(), &[("input_tokens", 1.0)]));
        let SessionEvent::Usage { models } = sums.event() else { panic!("no usage") };
        assert_eq!(models.len(), LIST_LIMIT);
        assert_eq!(models[0].counts, [("input_tokens".to_owned(), 15.0)]);
        assert_eq!(models[1].counts, [("characters_count".to_owned(), 7.0)]);
    }
}
