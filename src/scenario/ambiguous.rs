//! Knows the unquoted scalars that mean one thing in YAML 1.1 and another in YAML 1.2, such as `no`,
//! `012` and `1:30`. Files pass through editors, formatters and templating of both kinds, so a scenario
//! has to say which it means. Sources: YAML 1.1 type repository (bool, int, float, timestamp) and the
//! core schema of YAML 1.2 §10.3.

/// What a scalar means to either reader, and how to write each meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ambiguous {
    pub label: &'static str,
    pub help: String,
}

/// Says why an unquoted scalar is ambiguous; `None` when both readers agree on it.
pub(super) fn ambiguous(raw: &str) -> Option<Ambiguous> {
    let quote = format!("`\"{raw}\"` for the string");
    let digits = raw.strip_prefix(['-', '+']).unwrap_or(raw);
    let found = |label, help| Some(Ambiguous { label, help });

    if let Some(truth) = old_bool(raw) {
        let label = "a boolean in YAML 1.1, a string in YAML 1.2";
        return found(label, format!("write {quote}, or `{truth}` for the boolean"));
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if is_zero_led(digits) {
        let plain = digits.trim_start_matches('0');
        let label = if digits.bytes().any(|digit| digit > b'7') {
            "a string in YAML 1.1, a number in YAML 1.2"
        } else {
            "an octal number in YAML 1.1, a decimal one in YAML 1.2"
        };
        let plain = if plain.is_empty() { "0" } else { plain };
        return found(label, format!("write {quote}, or `{plain}` for the number"));
    }
    if digits.starts_with("0o") {
        return found(
            "a string in YAML 1.1, an octal number in YAML 1.2",
            format!("write {quote}, or the number in decimal"),
        );
    }
    if is_binary(digits) || is_underscored(digits) {
        return found(
            "a number in YAML 1.1, a string in YAML 1.2",
            format!("write {quote}, or the number with decimal digits only"),
        );
    }
    if is_sexagesimal(digits) {
        return found(
            "a base-60 number in YAML 1.1, a string in YAML 1.2",
            format!("write {quote}; a duration is written `1m 30s`"),
        );
    }
    if is_date(raw) {
        let label = "a date in YAML 1.1, a string in YAML 1.2";
        return found(label, format!("write {quote}"));
    }
    if is_new_exponent(digits) {
        return found(
            "a string in YAML 1.1, a number in YAML 1.2",
            format!("write {quote}, or the number without an exponent"),
        );
    }
    None
}

/// The boolean that YAML 1.1 reads, where YAML 1.2 reads a string.
fn old_bool(raw: &str) -> Option<bool> {
    let lower = raw.to_ascii_lowercase();
    // `yES` is a string to both; only these three spellings count.
    let cased = raw == lower
        || raw == raw.to_ascii_uppercase()
        || raw.chars().skip(1).all(|c| c.is_ascii_lowercase());
    match lower.as_str() {
        "y" | "yes" | "on" if cased => Some(true),
        "n" | "no" | "off" if cased => Some(false),
        _ => None,
    }
}

fn is_zero_led(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|c| c.is_ascii_digit())
}

fn is_binary(digits: &str) -> bool {
    digits.strip_prefix("0b").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|c| matches!(c, b'0' | b'1' | b'_'))
    })
}

fn is_underscored(digits: &str) -> bool {
    let number = digits.strip_prefix("0x").map_or_else(
        || digits.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'_' | b'.')),
        |hex| hex.bytes().all(|c| c.is_ascii_hexdigit() || c == b'_'),
    );
    number && digits.contains('_')
}

/// `1:30`, `1:30:00`, `1:30.5`: digits, then groups of at most 59.
fn is_sexagesimal(digits: &str) -> bool {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut groups = whole.split(':');
    let first = groups.next().unwrap_or_default();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    whole.contains(':')
        && number(first)
        && groups
            .all(|group| number(group) && (group.len() == 1 || (group.len() == 2 && group < "6")))
        && fraction.bytes().all(|c| c.is_ascii_digit() || c == b'_')
}

/// `2026-01-31`, alone or with a time behind it.
fn is_date(raw: &str) -> bool {
    let (date, rest) = raw.split_at_checked(10).unwrap_or((raw, ""));
    let mut parts = date.split('-').map(str::len);
    let shape = [parts.next(), parts.next(), parts.next(), parts.next()];
    let time = rest.trim_start_matches(['T', 't', ' ', '\t']);
    shape == [Some(4), Some(2), Some(2), None]
        && date.bytes().all(|c| c.is_ascii_digit() || c == b'-')
        && (rest.is_empty()
            || (time.len() < rest.len() && time.starts_with(|c: char| c.is_ascii_digit())))
}

/// `1e3`, `1.5e3`: YAML 1.1 wants both a point and a sign (`1.5e+3`).
fn is_new_exponent(digits: &str) -> bool {
    let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) else { return false };
    let signed = exponent.starts_with(['+', '-']);
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let number = mantissa.bytes().all(|c| c.is_ascii_digit() || c == b'.')
        && mantissa.bytes().any(|c| c.is_ascii_digit())
        && mantissa.matches('.').count() <= 1;
    let old = signed && mantissa.contains('.');
    number && !old && !power.is_empty() && power.bytes().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_that_differ_are_found() {
        for raw in [
            "yes",
            "Yes",
            "YES",
            "no",
            "on",
            "Off",
            "OFF",
            "y",
            "N",
            "012",
            "-012",
            "00",
            "08",
            "0o14",
            "0b101",
            "1_000",
            "0xff_ff",
            "1_0.5",
            "1:30",
            "1:30:00",
            "1:6",
            "190:20:30.15",
            "-1:30",
            "1e3",
            "1.5e3",
            "1E+3",
            "2026-01-31",
            "2026-01-31T10:00:00Z",
            "2026-01-31 10:00:00",
        ] {
            assert!(ambiguous(raw).is_some(), "{raw}");
        }
    }

    #[test]
    fn readings_that_agree_are_left_alone() {
        for raw in [
            "",
            "true",
            "False",
            "null",
            "~",
            "0",
            "7",
            "-7",
            "+7",
            "1.5",
            ".5",
            "1.",
            "1.5e+3",
            "0x1f",
            "500ms",
            "1m 30s",
            "8%",
            "yep",
            "yES",
            "noon",
            "p(95)<2500ms",
            "rate>0.99",
            "1:60",
            "1:",
            "a:30",
            "2026-1-31",
            "2026-01-31x",
            "1.2.3",
            "e3",
            "1e",
            "demo-agent",
            "012a",
            "0b",
            "é",
        ] {
            assert_eq!(ambiguous(raw), None, "{raw}");
        }
    }
}
