//! Reads the limits an author puts on a metric, in the grammar of k6 thresholds:
//! `aggregate operator limit`, such as `p(95)<2500ms`, `max<=6s`, `rate>0.99` or `count<3`.

use std::ops::Range;
use std::time::Duration;

use super::{Aggregate, Kind, Metric, Op, Threshold, duration};

/// A limit beyond this says nothing about a call.
const MAX_LIMIT: Duration = Duration::from_secs(3_600);

/// Why an expression is not a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ThresholdError {
    /// The part at fault, in bytes of the expression.
    pub at: Range<usize>,
    pub label: String,
    pub help: String,
}

/// The limit that `text` puts on `metric`.
pub(super) fn parse(metric: Metric, text: &str) -> Result<Threshold, ThresholdError> {
    let error = |at: Range<usize>, label: &str, help: String| ThresholdError {
        at,
        label: label.to_owned(),
        help,
    };
    let example = example(metric);
    let Some(begin) = text.find(['<', '>', '=', '!']) else {
        let label = "missing comparison";
        return Err(error(0..text.len(), label, format!("write it like `{example}`")));
    };
    let symbols = text[begin..].find(|c| !matches!(c, '<' | '>' | '=' | '!'));
    let end = symbols.map_or(text.len(), |length| begin + length);
    let op = match &text[begin..end] {
        "<" => Op::Less,
        "<=" => Op::LessOrEqual,
        ">" => Op::Greater,
        ">=" => Op::GreaterOrEqual,
        _ => {
            let help = "compare with `<`, `<=`, `>` or `>=`".to_owned();
            return Err(error(begin..end, "unknown comparison", help));
        }
    };
    let left = trimmed(text, 0..begin);
    let right = trimmed(text, end..text.len());
    let aggregate = aggregate(metric, &text[left.clone()], &text[right.clone()])
        .map_err(|(label, help)| error(left, label, help))?;
    let limit = match (metric.kind(), aggregate) {
        (Kind::Time, _) => time(&text[right.clone()]),
        (_, Aggregate::Count) => whole(&text[right.clone()]),
        (Kind::Ratio | Kind::Share | Kind::Event, _) => share(&text[right.clone()]),
    };
    let limit = limit.map_err(|(label, help)| error(right, label, help))?;
    Ok(Threshold { metric, aggregate, op, limit, text: text.trim().to_owned() })
}

/// A threshold as one writes it for this metric.
pub(super) const fn example(metric: Metric) -> &'static str {
    match metric.kind() {
        Kind::Time => "p(95)<2500ms",
        Kind::Ratio => "p(95)<0.1",
        Kind::Share => "rate>0.99",
        Kind::Event => "rate<0.05",
    }
}

/// What `p…` or `p(…)` names: percent from 0 to 100.
pub(super) fn quantile(text: &str) -> Option<f64> {
    decimal(text).filter(|percent| (0.0..=100.0).contains(percent))
}

/// `8%` as a fraction of 1; from `0%` to `100%`.
pub(super) fn percentage(text: &str) -> Option<f64> {
    text.strip_suffix('%').map(str::trim_end).and_then(quantile).map(|percent| percent / 100.0)
}

type Wrong = (&'static str, String);

fn aggregate(metric: Metric, text: &str, limit: &str) -> Result<Aggregate, Wrong> {
    let name = metric.name();
    match metric.kind() {
        Kind::Share => {
            let help = || format!("write `rate`: `{name}` is a share of calls");
            return if text == "rate" { Ok(Aggregate::Rate) } else { Err(("not `rate`", help())) };
        }
        Kind::Event => {
            let help = || format!("write `count` or `rate`: `{name}` counts turns");
            return match text {
                "rate" => Ok(Aggregate::Rate),
                "count" => Ok(Aggregate::Count),
                _ => Err(("neither `count` nor `rate`", help())),
            };
        }
        Kind::Time | Kind::Ratio => {}
    }
    let what = if metric.is_time() { "a time" } else { "a ratio of each call" };
    match text {
        "rate" | "count" => {
            let help = format!("write `p(95)`, `med` or `max`: `{name}` is {what}");
            return Err(("not for this metric", help));
        }
        "med" => return Ok(Aggregate::Quantile(50.0)),
        "max" => return Ok(Aggregate::Max),
        "avg" | "min" => {
            let help = "write `p(95)`, `med` or `max`".to_owned();
            return Err(("not supported", help));
        }
        _ => {}
    }
    if let Some(percent) = text.strip_prefix("p(").and_then(|rest| rest.strip_suffix(')')) {
        let help = "write a percentile from `p(0)` to `p(100)`, such as `p(95)`".to_owned();
        return quantile(percent.trim())
            .map(Aggregate::Quantile)
            .ok_or(("invalid percentile", help));
    }
    if let Some(percent) = text.strip_prefix('p').filter(|rest| quantile(rest).is_some()) {
        let usual = if metric.is_time() { "2500ms" } else { "0.1" };
        let limit = if limit.is_empty() { usual } else { limit };
        return Err((
            "missing brackets",
            format!("write `p({percent})`, as in `p({percent})<{limit}`"),
        ));
    }
    let label = if text.is_empty() { "missing aggregate" } else { "unknown aggregate" };
    Err((label, "write `p(95)`, `med` or `max` before the comparison".to_owned()))
}

/// A limit on a time, in milliseconds.
fn time(text: &str) -> Result<f64, Wrong> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    if text.is_empty() {
        return Err(("missing limit", "write one, such as `2500ms` or `2.5s`".to_owned()));
    }
    if decimal(text).is_some() {
        let help = format!("write `{text}ms` for milliseconds, `{text}s` for seconds");
        return Err(("missing unit", help));
    }
    let length = duration::parse(text).ok().filter(|length| *length <= MAX_LIMIT);
    match (length, decimal(number)) {
        (Some(length), _) => Ok(length.as_secs_f64() * 1_000.0),
        (None, Some(_)) if duration::parse(text).is_ok() => {
            Err(("out of range", "write a limit of at most `1h`".to_owned()))
        }
        (None, _) => Err(("not a duration", "write it like `2500ms` or `2.5s`".to_owned())),
    }
}

/// A limit on a share, as a fraction of 1.
fn share(text: &str) -> Result<f64, Wrong> {
    if text.is_empty() {
        return Err(("missing limit", "write one, such as `0.99`".to_owned()));
    }
    if let Some(fraction) = percentage(text) {
        return Err(("a percentage", format!("write `{fraction}`")));
    }
    decimal(text).filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
        ("not a fraction", "write a number from `0` to `1`, such as `0.99`".to_owned())
    })
}

/// A limit on a count.
fn whole(text: &str) -> Result<f64, Wrong> {
    if text.is_empty() {
        return Err(("missing limit", "write one, such as `1`".to_owned()));
    }
    decimal(text)
        .filter(|count| count.fract() == 0.0 && *count <= 1e9)
        .ok_or_else(|| ("not a count", "write an integer, such as `3`".to_owned()))
}

/// A number of digits with at most one point between: `f64` would read `inf` and `1e3`, too.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    let bounded = text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with('.');
    (plain && bounded && text.len() <= 16).then(|| text.parse().ok()).flatten()
}

/// A range of `text` without whitespace at either end.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let latency = Metric::HeardE2eLatency;
        for (metric, text, aggregate, op, limit) in [
            (latency, "p(95)<2500ms", Aggregate::Quantile(95.0), Op::Less, 2_500.0),
            (latency, "p(99.9) <= 2.5s", Aggregate::Quantile(99.9), Op::LessOrEqual, 2_500.0),
            (latency, "med<1s", Aggregate::Quantile(50.0), Op::Less, 1_000.0),
            (latency, "max<1m 30s", Aggregate::Max, Op::Less, 90_000.0),
            (latency, "p(0)>0ms", Aggregate::Quantile(0.0), Op::Greater, 0.0),
            (Metric::CallsOk, "rate>=0.99", Aggregate::Rate, Op::GreaterOrEqual, 0.99),
            (Metric::CallsOk, " rate > 1 ", Aggregate::Rate, Op::Greater, 1.0),
            (Metric::UnansweredTurns, "count<3", Aggregate::Count, Op::Less, 3.0),
            (Metric::FalseInterruptionCount, "rate<=0.05", Aggregate::Rate, Op::LessOrEqual, 0.05),
            (Metric::OverlapRatio, "p(95)<0.1", Aggregate::Quantile(95.0), Op::Less, 0.1),
        ] {
            let text_kept = text.trim().to_owned();
            let expect = Threshold { metric, aggregate, op, limit, text: text_kept };
            assert_eq!(parse(metric, text), Ok(expect), "{text}");
        }
    }

    #[test]
    fn points_at_the_part_at_fault() {
        for (text, part) in [
            ("p(95)", "p(95)"),
            ("p95<2s", "p95"),
            ("p(101)<2s", "p(101)"),
            ("avg<2s", "avg"),
            ("<2s", ""),
            ("p(95)==2s", "=="),
            ("p(95)<2500", "2500"),
            ("p(95) <  soon", "soon"),
            ("p(95)<2h", "2h"),
            ("p(95)<inf", "inf"),
            ("rate<2s", "rate"),
            ("count<2", "count"),
        ] {
            let error = parse(Metric::LlmNodeTtft, text).expect_err(text);
            assert_eq!(&text[error.at], part, "{text}");
        }
        for (metric, text, part) in [
            (Metric::UnansweredTurns, "count<2.5", "2.5"),
            (Metric::UnansweredTurns, "count<3s", "3s"),
            (Metric::UnansweredTurns, "rate<5%", "5%"),
            (Metric::UnansweredTurns, "p(95)<3", "p(95)"),
            (Metric::OverlapRatio, "count<3", "count"),
            (Metric::OverlapRatio, "p(95)<100ms", "100ms"),
            (Metric::CallsOk, "count>3", "count"),
        ] {
            let error = parse(metric, text).expect_err(text);
            assert_eq!(&text[error.at], part, "{text}");
        }
    }
}
