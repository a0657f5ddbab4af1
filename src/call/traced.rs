//! The caller's trace in the metadata that an agent is dispatched with, so that both sides can be one trace.

use std::collections::BTreeMap;

use serde_json::Value;

/// The key of the metadata: the name that the W3C gives it.
pub const KEY: &str = "traceparent";

/// Why metadata cannot hold it. The metadata itself is not shown: it may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTraced {
    #[error(
        "the agent's metadata is no JSON object, and --traceparent adds a key to it: write `metadata: {{…}}`, or leave --traceparent out"
    )]
    NoObject,
    #[error(
        "the agent's metadata has a `{KEY}`, which --traceparent gives every call its own: leave one of them out"
    )]
    Taken,
}

/// The metadata with a `traceparent`; empty metadata is an object without keys. The rest stays as it is written.
///
/// # Errors
/// It is no JSON object, or has such a key.
pub fn traced(metadata: &str, traceparent: &str) -> Result<String, NotTraced> {
    let text = if metadata.trim().is_empty() { "{}" } else { metadata.trim() };
    let keys: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|_| NotTraced::NoObject)?;
    if keys.contains_key(KEY) {
        return Err(NotTraced::Taken);
    }
    let open = text.strip_suffix('}').ok_or(NotTraced::NoObject)?.trim_end();
    let comma = if keys.is_empty() { "" } else { "," };
    Ok(format!("{open}{comma}\"{KEY}\":\"{traceparent}\"}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_added_to_an_object() {
        for (metadata, expected) in [
            ("", r#"{"traceparent":"t"}"#),
            (" { } ", r#"{"traceparent":"t"}"#),
            (r#"{"a": 1.50, "b": {}}"#, r#"{"a": 1.50, "b": {},"traceparent":"t"}"#),
        ] {
            assert_eq!(traced(metadata, "t").unwrap(), expected);
        }
    }

    #[test]
    fn other_metadata_is_an_error_that_does_not_show_it() {
        for metadata in ["sk-1234", "[1]", "\"x\"", "3", "{\"a\":"] {
            assert_eq!(traced(metadata, "t"), Err(NotTraced::NoObject), "{metadata}");
        }
        assert_eq!(traced(r#"{"traceparent": "x"}"#, "t"), Err(NotTraced::Taken));
        assert!(NotTraced::NoObject.to_string().contains("write `metadata: {…}`"));
    }
}
