//! Placeholders in the strings by which a call comes about: `{{room}}` stands for the name of its room.

use std::ops::Range;

/// What a placeholder can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    Run,
    Call,
    Agent,
    Room,
    Caller,
}

/// What the placeholders of one call stand for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// The id of the run.
    pub run: String,
    /// The number of the call within its run, with at least three digits.
    pub call: String,
    /// The dispatch name of the agent.
    pub agent: String,
    pub room: String,
    /// The caller's identity.
    pub caller: String,
}

/// What a text is, which decides how a name is written in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// As it is.
    Text,
    /// Within a JSON string when the text is JSON, else as it is.
    Body,
    /// With `%` before whatever would mean something in a URL.
    Url,
}

impl Placeholder {
    pub(super) const ALL: [Self; 5] =
        [Self::Room, Self::Caller, Self::Agent, Self::Run, Self::Call];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Call => "call",
            Self::Agent => "agent",
            Self::Room => "room",
            Self::Caller => "caller",
        }
    }

    fn value(self, names: &Names) -> &str {
        match self {
            Self::Run => &names.run,
            Self::Call => &names.call,
            Self::Agent => &names.agent,
            Self::Room => &names.room,
            Self::Caller => &names.caller,
        }
    }
}

/// The placeholders of a text: where each stands, and what it is; `None` for a word that is none.
pub(super) fn placeholders(text: &str) -> Vec<(Range<usize>, Option<Placeholder>)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(begin) = text[from..].find("{{").map(|at| from + at) {
        // `{"a":{"b":{}}}` is JSON: a placeholder is one word.
        let after = text[begin + 2..].trim_start_matches(' ');
        let length = after.bytes().take_while(|c| c.is_ascii_alphanumeric() || *c == b'_').count();
        let (word, rest) = after.split_at(length);
        if let Some(rest) = rest.trim_start_matches(' ').strip_prefix("}}")
            && !word.is_empty()
        {
            let named = Placeholder::ALL.into_iter().find(|known| known.name() == word);
            from = text.len() - rest.len();
            found.push((begin..from, named));
        } else {
            from = begin + 1;
        }
    }
    found
}

/// Whether a text contains a placeholder.
pub(super) fn holds(text: &str, placeholder: Placeholder) -> bool {
    placeholders(text).iter().any(|(_, found)| *found == Some(placeholder))
}

/// The text with names in place of its placeholders.
pub fn fill(text: &str, names: &Names, within: Within) -> String {
    let json =
        within == Within::Body && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let mut filled = String::with_capacity(text.len());
    let mut from = 0;
    for (place, placeholder) in placeholders(text) {
        let Some(placeholder) = placeholder else { continue };
        let value = placeholder.value(names);
        filled.push_str(&text[from..place.start]);
        match within {
            Within::Url => push_escaped(&mut filled, value),
            Within::Body if json => {
                let quoted = serde_json::Value::from(value).to_string();
                filled.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
            }
            Within::Text | Within::Body => filled.push_str(value),
        }
        from = place.end;
    }
    filled.push_str(&text[from..]);
    filled
}

fn push_escaped(into: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            let digit = |of: u8| char::from(HEX[usize::from(of & 15)]);
            into.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            run: "r1".into(),
            call: "007".into(),
            agent: "a \"b\"".into(),
            room: "x/y z".into(),
            caller: "{{run}}".into(),
        }
    }

    #[test]
    fn names_take_the_place_of_placeholders() {
        for (text, within, filled) in [
            ("{{run}}-{{ call }}", Within::Text, "r1-007"),
            ("https://h/{{room}}?a={{agent}}", Within::Url, "https://h/x%2Fy%20z?a=a%20%22b%22"),
            (r#"{"a":{"b":{}},"c":"{{agent}}"}"#, Within::Body, r#"{"a":{"b":{}},"c":"a \"b\""}"#),
            ("a={{agent}}", Within::Body, "a=a \"b\""),
            // What a name brings is no placeholder.
            ("{{caller}}{{room}}", Within::Text, "{{run}}x/y z"),
            ("{{", Within::Text, "{{"),
            ("{{nobody}} {{{call}}}", Within::Text, "{{nobody}} {007}"),
        ] {
            assert_eq!(fill(text, &names(), within), filled, "{text}");
        }
    }

    #[test]
    fn what_json_is_made_of_is_no_placeholder() {
        assert_eq!(placeholders(r#"{"a":{"b":{"c":{}}}}"#), []);
        assert_eq!(placeholders("{{rom}}"), [(0..7, None)]);
        assert_eq!(placeholders("{{{room}}}").len(), 1);
    }
}
