//! Checks what an author calls good enough: thresholds, and how a run is compared with its baseline.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use super::diagnostic::quoted;
use super::fields::{Checked, Field, Fields, Look, all_of};
use super::file::{Node, Value};
use super::threshold::{self, decimal, percentage, quantile};
use super::{BaselineRule, Kind, Metric, Threshold, TurnTaking};

/// How a scenario that says nothing about it is compared.
pub(super) const DEFAULT_BASELINE: BaselineRule = BaselineRule {
    primary: Metric::HeardE2eLatency,
    quantile: 50.0,
    min_effect_rel: 0.08,
    min_effect_abs_ms: 60.0,
    runs: 7,
};

const EFFECT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(60);
const AWKWARD: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(120);
/// More runs would keep a baseline of times long gone.
const RUNS: RangeInclusive<u64> = 1..=30;

/// The limits of every metric named, in the order of the file.
pub(super) fn thresholds(field: &Field<'_>, look: &mut Look<'_>) -> Checked<Vec<Threshold>> {
    const EXAMPLE: &str = "`{heard_e2e_latency: [\"p(95)<2500ms\"]}`";
    let Value::Map(_) = &field.value.value else {
        return Fields::of(field, "`thresholds`", EXAMPLE, look).map(|_| Vec::new());
    };
    let fields = Fields::of(field, "`thresholds`", EXAMPLE, look)?;
    let entries: Vec<Checked<Vec<Threshold>>> =
        fields.all().map(|field| thresholds_of(&field, look)).collect();
    let entries: Checked<Vec<Vec<Threshold>>> = entries.into_iter().collect();
    Ok(entries?.into_iter().flatten().collect())
}

/// The limits on one metric: a text, or a list of texts.
fn thresholds_of(field: &Field<'_>, look: &mut Look<'_>) -> Checked<Vec<Threshold>> {
    let metric = metric(field.name, &field.at, look);
    let items = field.one_or_many();
    if items.is_empty() {
        let message = format!("{} has no limit", quoted(field.name));
        let help = "write one, such as `\"p(95)<2500ms\"`, or remove the metric";
        return Err(look.report("scenario::empty", &field.at, message, "an empty list", help));
    }
    let metric = metric?;
    let example = &format!("`\"{}\"`", threshold::example(metric));
    let checked: Vec<Checked<Threshold>> = items
        .iter()
        .map(|value| {
            if matches!(value.value, Value::Map(_)) {
                let help = format!("write the expression alone: {example}");
                return Err(look.unsupported(value, "a threshold with options", &help));
            }
            let field = Field { name: field.name, at: field.at.clone(), value };
            let Value::Text(text) = &field.value.value else {
                return Err(look.wrong_type(&field, "a text", example));
            };
            threshold::parse(metric, text).map_err(|error| {
                let span = within(value, &error.at, text, look.source);
                let message = format!("invalid threshold {}", quoted(text));
                look.report("scenario::bad_threshold", &span, message, error.label, error.help)
            })
        })
        .collect();
    checked.into_iter().collect()
}

/// The place of a part of a text, when the text is written as it reads; else the place of the text.
fn within(node: &Node, part: &Range<usize>, text: &str, source: &str) -> Range<usize> {
    let raw = source.get(node.span.clone()).unwrap_or_default();
    let inner = raw.strip_prefix(['"', '\'']).unwrap_or(raw);
    if !inner.starts_with(text) {
        return node.span.clone();
    }
    let begin = node.span.start + raw.len() - inner.len();
    begin + part.start..begin + part.end
}

fn metric(name: &str, at: &Range<usize>, look: &mut Look<'_>) -> Checked<Metric> {
    if let Some(metric) = Metric::named(name) {
        return Ok(metric);
    }
    let names: Vec<&str> = Metric::ALL.into_iter().map(Metric::name).collect();
    let help = look.similar(name, &names).map_or_else(
        || format!("the metrics are {}", all_of(&names)),
        |name| format!("did you mean `{name}`?"),
    );
    let message = format!("there is no metric {}", quoted(name));
    Err(look.report("scenario::unknown_metric", at, message, "unknown metric", help))
}

/// From when on a silence is awkward.
pub(super) fn turn_taking(field: &Field<'_>, look: &mut Look<'_>) -> Checked<TurnTaking> {
    let default = TurnTaking::DEFAULT;
    let mut fields = Fields::of(field, "`turn_taking`", "`{awkward_silence: 3s}`", look)?;
    let mut time =
        |key, default| fields.take(key).map_or(Ok(default), |field| field.duration(&AWKWARD, look));
    let (plain, tools) = (
        time("awkward_silence", default.awkward_silence),
        time("awkward_silence_with_tools", default.awkward_silence_with_tools),
    );
    fields.finish(&[], look)?;
    Ok(TurnTaking { awkward_silence: plain?, awkward_silence_with_tools: tools? })
}

pub(super) fn baseline(field: &Field<'_>, look: &mut Look<'_>) -> Checked<BaselineRule> {
    let example = "`{primary: heard_e2e_latency.p50, min_effect: {rel: 8%, abs: 60ms}, runs: 7}`";
    let default = DEFAULT_BASELINE;
    let mut fields = Fields::of(field, "`baseline`", example, look)?;
    let primary = fields
        .take("primary")
        .map_or(Ok((default.primary, default.quantile)), |field| primary(&field, look));
    let effect = fields
        .take("min_effect")
        .map_or(Ok((default.min_effect_rel, default.min_effect_abs_ms)), |field| {
            min_effect(&field, look)
        });
    let runs = fields.take("runs").map_or(Ok(default.runs), |field| {
        Ok(u16::try_from(field.whole(&RUNS, look)?).unwrap_or(default.runs))
    });
    fields.finish(&[], look)?;
    let ((primary, quantile), (min_effect_rel, min_effect_abs_ms)) = (primary?, effect?);
    Ok(BaselineRule { primary, quantile, min_effect_rel, min_effect_abs_ms, runs: runs? })
}

fn primary(field: &Field<'_>, look: &mut Look<'_>) -> Checked<(Metric, f64)> {
    let text = field.text("`heard_e2e_latency.p50`", look)?;
    let span = &field.value.span;
    let (name, quantile_text) = text.split_once('.').unwrap_or((text, ""));
    let metric = metric(name, span, look)?;
    if !metric.is_time() {
        let what = match metric.kind() {
            Kind::Ratio => "a ratio of each call, not a time",
            Kind::Share | Kind::Time => "a share of calls, not a time",
            Kind::Event => "a count of turns, not a time",
        };
        return Err(look.report(
            "scenario::bad_baseline",
            span,
            format!("`primary` cannot be {}", quoted(text)),
            what,
            "write a latency, such as `heard_e2e_latency.p50`; a threshold can limit anything else",
        ));
    }
    if let Some(quantile) = quantile_text.strip_prefix('p').and_then(quantile) {
        return Ok((metric, quantile));
    }
    let proposal = quantile(quantile_text).map_or("50", |_| quantile_text);
    Err(look.report(
        "scenario::bad_baseline",
        span,
        format!("`primary` cannot be {}", quoted(text)),
        "no percentile",
        format!("write `{name}.p{proposal}`"),
    ))
}

fn min_effect(field: &Field<'_>, look: &mut Look<'_>) -> Checked<(f64, f64)> {
    let default = DEFAULT_BASELINE;
    let mut fields = Fields::of(field, "`min_effect`", "`{rel: 8%, abs: 60ms}`", look)?;
    let rel = fields.take("rel").map_or(Ok(default.min_effect_rel), |field| relative(&field, look));
    let abs = fields.take("abs").map_or(Ok(default.min_effect_abs_ms), |field| {
        Ok(field.duration(&EFFECT, look)?.as_secs_f64() * 1_000.0)
    });
    fields.finish(&[], look)?;
    Ok((rel?, abs?))
}

/// A share with its sign, `8%`: a bare `8` or `0.08` could be read either way.
fn relative(field: &Field<'_>, look: &mut Look<'_>) -> Checked<f64> {
    let text = match &field.value.value {
        Value::Text(text) => text.as_str(),
        Value::Number(_) => look.source.get(field.value.span.clone()).unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
            field.text("`8%`", look)?
        }
    };
    percentage(text).ok_or_else(|| {
        // `0.08` was meant as a fraction, `8` as percent.
        let percent = decimal(text).map(|n| if n < 1.0 { n * 100.0 } else { n });
        let help = percent.filter(|percent| *percent <= 100.0).map_or_else(
            || "write it in percent, from `0%` to `100%`: `8%`".to_owned(),
            |percent| format!("write `{}%`", (percent * 1e3).round() / 1e3),
        );
        look.report(
            "scenario::bad_baseline",
            &field.value.span,
            format!("`rel` cannot be {}", quoted(text)),
            "not a share of the baseline",
            help,
        )
    })
}
