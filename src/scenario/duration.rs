//! Reads and writes durations as people write them: `500ms`, `2s`, `1m 30s`.

use std::time::Duration;

use jiff::fmt::friendly::{SpanParser, SpanPrinter};

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("negative")]
    Negative,
    #[error("missing unit")]
    NoUnit,
    #[error("the largest unit is the hour")]
    Calendar,
    #[error("not a duration")]
    Unreadable,
}

/// The duration that `text` names.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    SpanParser::new().parse_unsigned_duration(text).map_err(|_| reason(text))
}

/// As `parse` would read it: `1m 30s`.
pub(super) fn show(length: Duration) -> String {
    SpanPrinter::new().unsigned_duration_to_string(&length)
}

/// jiff's own message is a long sentence about its grammar; these are the mistakes people make.
fn reason(text: &str) -> DurationError {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim();
    if text.starts_with('-') || text.ends_with(" ago") {
        DurationError::Negative
    } else if unit.is_empty() && !text.is_empty() {
        DurationError::NoUnit
    } else if ["d", "day", "days", "w", "week", "weeks", "mo", "month", "months", "y", "year"]
        .contains(&unit)
    {
        DurationError::Calendar
    } else {
        DurationError::Unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, ms) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1.5s", 1_500),
            ("1m 30s", 90_000),
            ("1m30s", 90_000),
            ("2 seconds", 2_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn says_why_a_text_is_not_a_duration() {
        for (text, why) in [
            ("5", DurationError::NoUnit),
            ("0.5", DurationError::NoUnit),
            ("-2s", DurationError::Negative),
            ("2s ago", DurationError::Negative),
            ("1d", DurationError::Calendar),
            ("3 weeks", DurationError::Calendar),
            ("soon", DurationError::Unreadable),
            ("", DurationError::Unreadable),
            ("5 sec onds", DurationError::Unreadable),
            ("99999999999999999999h", DurationError::Unreadable),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn shows_a_length_as_it_would_be_written() {
        for text in ["500ms", "2s", "1m 30s", "2m", "1h", "0s"] {
            assert_eq!(parse(text).map(show), Ok(text.to_owned()));
        }
    }
}
