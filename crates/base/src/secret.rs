//! Text that must not be shown: keys and tokens.

use std::fmt;

/// A secret. It has no `Display` and cannot be serialized, and its `Debug` shows nothing of it, so
/// that it reaches a log, an error or a report only where [`Secret::expose`] is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_shown() {
        let shown = format!(
            "{:?} {:#?}",
            Secret::new("hush".to_owned()),
            Some(Secret::new("hush".to_owned()))
        );
        assert!(!shown.contains("hush"), "{shown}");
    }
}
