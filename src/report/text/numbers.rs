//! Milliseconds as a terminal report has them.

use crate::stats::Quantile;
use crate::text;

pub(super) fn number(quantile: Quantile) -> String {
    let bound = if quantile.lower_bound { "≥ " } else { "" };
    format!("{bound}{}", grouped(quantile.value))
}

pub(super) fn signed(ms: f64) -> String {
    let text = grouped(ms);
    if ms > 0.0 && text != "0" { format!("+{text}") } else { text }
}

/// Whole milliseconds with thousands set apart.
pub(super) fn grouped(ms: f64) -> String {
    if ms.abs() >= 1e9 {
        // Nonsense of an agent would burst its column.
        return format!("{ms:.1e}");
    }
    let text = format!("{ms:.0}");
    match text.strip_prefix('-') {
        Some("0") => "0".to_owned(),
        Some(number) => format!("\u{2212}{}", text::grouped(number)),
        None => text::grouped(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (ms, text) in [
            (0.0, "0"),
            (-0.4, "0"),
            (999.4, "999"),
            (1_234.5, "1,234"),
            (-1_234.0, "\u{2212}1,234"),
            (123_456_789.0, "123,456,789"),
            (1.5e300, "1.5e300"),
        ] {
            assert_eq!(grouped(ms), text);
        }
        assert_eq!(signed(12.0), "+12");
        assert_eq!(signed(-12.0), "\u{2212}12");
        assert_eq!(signed(0.2), "0");
    }
}
