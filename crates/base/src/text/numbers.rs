//! Numbers as people read them.

use crate::stats::Interval;

/// `1,123`; one decimal below 10; a real minus sign.
pub fn number(value: f64) -> String {
    let small = value.abs() < 9.95 && value.fract().abs() > 1e-9;
    let plain = if small { format!("{:.1}", value.abs()) } else { format!("{:.0}", value.abs()) };
    let (whole, rest) = plain.split_once('.').map_or((plain.as_str(), None), |(w, r)| (w, Some(r)));
    let grouped = grouped(whole);
    let nothing = plain.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if value < 0.0 && !nothing { "\u{2212}" } else { "" };
    match rest {
        Some(rest) => format!("{sign}{grouped}.{rest}"),
        None => format!("{sign}{grouped}"),
    }
}

/// Digits with thousands set apart.
pub fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// As [`number`], with a plus sign for what is not negative.
pub fn signed(value: f64) -> String {
    let number = number(value);
    if number.starts_with('\u{2212}') { number } else { format!("+{number}") }
}

/// `+390 to +431`.
pub fn range(interval: &Interval) -> String {
    format!("{} to {}", signed(interval.low), signed(interval.high))
}

/// `3.2 % of cases`, `fewer than 0.1 % of cases`.
pub fn chance(p: f64) -> String {
    match p * 100.0 {
        percent if percent < 0.1 => "fewer than 0.1 % of cases".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1} % of cases"),
        percent => format!("{percent:.0} % of cases"),
    }
}

/// `p50`, `p99.9`.
pub fn quantile(percent: f64) -> String {
    format!("p{percent}")
}

/// `1 call`, `2 calls`.
pub fn count(n: usize, what: &str) -> String {
    let number = number_of(n);
    if n == 1 { format!("{number} {what}") } else { format!("{number} {what}s") }
}

/// A whole number with separators.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn number_of(n: usize) -> String {
    number(n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (value, want) in [
            (0.0, "0"),
            (-0.04, "0.0"),
            (7.25, "7.2"),
            (9.96, "10"),
            (-7.5, "\u{2212}7.5"),
            (3.0, "3"),
            (999.5, "1,000"),
            (1_123.4, "1,123"),
            (-1_234_567.0, "\u{2212}1,234,567"),
        ] {
            assert_eq!(number(value), want);
        }
        assert_eq!((signed(411.0), signed(-0.01)), ("+411".to_owned(), "+0.0".to_owned()));
        assert_eq!(
            range(&Interval { low: -3.0, point: 0.0, high: 12.0 }),
            "\u{2212}3 to +12".to_owned()
        );
        assert_eq!(
            [0.000_1, 0.031_6, 0.25].map(chance),
            ["fewer than 0.1 % of cases", "3.2 % of cases", "25 % of cases"]
        );
        assert_eq!((quantile(50.0), quantile(99.9)), ("p50".to_owned(), "p99.9".to_owned()));
        assert_eq!(
            (count(1, "call"), count(2_000, "call")),
            ("1 call".into(), "2,000 calls".into())
        );
    }
}
