//! One span of the agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A span as the agent made it. Texts are others' own. Times are by the clock of the agent's machine, in nanoseconds
/// since 1970; Langfuse keeps milliseconds of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentSpan {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// `None` for a root.
    pub parent_id: Option<String>,
    /// `llm_node`, `agent_turn` …
    pub name: String,
    pub begin_ns: u64,
    pub end_ns: u64,
    /// Of the span, then of its resource where the span has none of that name.
    pub attributes: BTreeMap<String, Value>,
    /// What its status says, when that is an error; may be empty.
    pub error: Option<String>,
}

/// The value of an attribute; what has another shape is its JSON text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Yes(bool),
    Whole(i64),
    Number(f64),
    Text(String),
}

/// Names that were changed, the newest first: agents of every version are read.
const RENAMED: [&[&str]; 2] =
    [&["lk.room_id", "room_id", "lk.room_sid"], &["lk.track_id", "lk.track_sid"]];

impl AgentSpan {
    /// An attribute by any of its names.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        let alone = [name];
        let names = RENAMED.into_iter().find(|all| all.contains(&name)).unwrap_or(&alone);
        names.iter().find_map(|name| self.attributes.get(*name))
    }

    /// An attribute that is a number, or a text of one, as Langfuse gives them back.
    pub fn number(&self, name: &str) -> Option<f64> {
        let number = match self.attribute(name)? {
            Value::Number(number) => *number,
            #[expect(
                clippy::cast_precision_loss,
                reason = "counts and durations are far below 2^52"
            )]
            Value::Whole(whole) => *whole as f64,
            Value::Text(text) => text.trim().parse().ok()?,
            Value::Yes(_) => return None,
        };
        number.is_finite().then_some(number)
    }

    /// An attribute that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attribute(name)? {
            Value::Text(text) => Some(text),
            Value::Yes(_) | Value::Whole(_) | Value::Number(_) => None,
        }
    }

    /// Whether an attribute says yes, also as a text, as Langfuse gives it back.
    pub fn truth(&self, name: &str) -> bool {
        match self.attribute(name) {
            Some(Value::Yes(yes)) => *yes,
            Some(Value::Text(text)) => text.eq_ignore_ascii_case("true"),
            Some(Value::Whole(_) | Value::Number(_)) | None => false,
        }
    }

    /// The session it belongs to: as Langfuse finds it, from the most to the least explicit name.
    pub fn session(&self) -> Option<&str> {
        let names = ["langfuse.session.id", "session.id", "gen_ai.conversation.id"];
        names.iter().find_map(|name| self.text(name)).filter(|id| !id.is_empty())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::AgentSpan;

    /// A span of a millisecond, the `id`-th of its trace.
    pub(crate) fn span(name: &str, id: u64) -> AgentSpan {
        AgentSpan {
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            span_id: format!("{id:016x}"),
            parent_id: None,
            name: name.to_owned(),
            begin_ns: id * 1_000_000,
            end_ns: (id + 1) * 1_000_000,
            attributes: std::collections::BTreeMap::new(),
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(attributes: &[(&str, Value)]) -> AgentSpan {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        AgentSpan { attributes: attributes.collect(), ..testing::span("llm_node", 1) }
    }

    #[test]
    fn an_attribute_is_found_by_any_of_its_names() {
        let text = |text: &str| Value::Text(text.to_owned());
        let old = span(&[("lk.room_sid", text("RM_1"))]);
        assert_eq!((old.text("lk.room_id"), old.text("lk.room_sid")), (Some("RM_1"), Some("RM_1")));
        let both = span(&[("room_id", text("old")), ("lk.room_id", text("new"))]);
        assert_eq!(both.text("lk.room_sid"), Some("new"));
        assert_eq!(both.text("lk.track_id"), None);
    }

    #[test]
    fn numbers_may_be_texts() {
        let of = |value| span(&[("lk.response.ttft", value)]).number("lk.response.ttft");
        assert_eq!(of(Value::Number(0.25)), Some(0.25));
        assert_eq!(of(Value::Whole(2)), Some(2.0));
        assert_eq!(of(Value::Text("0.25".to_owned())), Some(0.25));
        assert_eq!(of(Value::Text("NaN".to_owned())), None);
        assert_eq!(of(Value::Yes(true)), None);
    }

    #[test]
    fn the_most_explicit_name_gives_the_session() {
        let text = |text: &str| Value::Text(text.to_owned());
        let all = span(&[("gen_ai.conversation.id", text("RM_1")), ("session.id", text("room"))]);
        assert_eq!(all.session(), Some("room"));
        assert_eq!(span(&[("session.id", text(""))]).session(), None);
    }
}
