//! Whom a caller listens to, where the scenario says so.

/// Whom a caller takes for the agent, and which of its tracks for its voice; without either it decides by what the
/// participants say of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listening {
    /// Participants of another identity are not the agent.
    pub identity: Option<Wildcard>,
    /// Tracks of another name are not its voice; empty where any may be.
    pub tracks: Vec<Wildcard>,
}

/// A text in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard(String);

impl Wildcard {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return text == self.0 };
        let Some(mut text) = text.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            // The first place leaves the most for those that follow.
            let Some(at) = text.find(part) else { return false };
            text = &text[at + part.len()..];
        }
        text.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, yes, no) in [
            ("agent", vec!["agent"], vec!["agent-1", "", "an agent"]),
            ("agent-*", vec!["agent-", "agent-AJ_1"], vec!["agent", "my-agent-1"]),
            ("*", vec!["", "x"], vec![]),
            ("a*b*c", vec!["abc", "a-b-b-c"], vec!["acb", "ab", "a-c"]),
            ("a*a", vec!["aa", "aba"], vec!["a"]),
        ] {
            let pattern = Wildcard::new(pattern);
            for text in yes {
                assert!(pattern.matches(text), "{pattern:?} {text}");
            }
            for text in no {
                assert!(!pattern.matches(text), "{pattern:?} {text}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_the_regular_expression(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            let regex = pattern.split('*').map(regex::escape).collect::<Vec<_>>().join(".*");
            let regex = regex::Regex::new(&format!("^{regex}$")).unwrap();
            prop_assert_eq!(Wildcard::new(pattern).matches(&text), regex.is_match(&text));
        }
    }
}
