//! Checks what an author calls good enough: thresholds, and how a run is compared with its baseline.

use std::ops::Range;

use super::diagnostics::{Checked, Diagnostics, Sense};
use super::fault::quoted;
use super::field::Field;
use super::fields::{Fields, written};
use super::file::{Node, Value};
use super::grammar::{Kind, list_and};
use super::threshold::{self, quantile};
use super::values::{
    cannot_be, duration, entries, fraction, integer, mismatch, one_or_many, percent, string, texts,
};
use super::{BaselineRule, Gate, Gated, Metric, Threshold, TurnTaking, metric};

/// The limits of every metric named, in the order of the file.
pub(super) fn thresholds(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Vec<Threshold>> {
    let Kind::Thresholds = field.key.kind else { mismatch(field) };
    let entries: Vec<Checked<Vec<Threshold>>> = written(entries(field, diagnostics)?)
        .map(|(name, at, value)| {
            let field = Field { name, at: at.clone(), value, key: field.key };
            thresholds_of(&field, diagnostics)
        })
        .collect();
    let entries: Checked<Vec<Vec<Threshold>>> = entries.into_iter().collect();
    Ok(entries?.into_iter().flatten().collect())
}

/// The limits on one metric: a string, or a list of strings.
fn thresholds_of(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Vec<Threshold>> {
    let metric = named(field.name, &field.at, diagnostics);
    let items = one_or_many(field);
    if items.is_empty() {
        let message = format!("{} has no limit", quoted(field.name));
        let help = "write one, such as `\"p(95)<2500ms\"`, or remove the metric";
        let code = "scenario::empty";
        return Err(diagnostics.report(code, &field.at, message, "an empty list", help));
    }
    let metric = metric?;
    let each =
        items.iter().map(|value| limit(metric, &Field { value, ..field.clone() }, diagnostics));
    let checked: Vec<Checked<Threshold>> = each.collect();
    let limits = checked.into_iter().collect::<Checked<Vec<Threshold>>>()?;
    let demanded = diagnostics.sense == Sense::Demanded;
    for (at, threshold) in limits.iter().enumerate().filter(|_| demanded) {
        if let Some(other) = limits[..at].iter().find(|other| threshold.contradicts(other)) {
            return Err(diagnostics.report(
                "scenario::bad_threshold",
                &items[at].span,
                format!(
                    "only one of {} and {} can be met",
                    quoted(&other.text),
                    quoted(&threshold.text)
                ),
                "contradicts the limit before it",
                "remove or correct one of the two",
            ));
        }
    }
    Ok(limits)
}

fn limit(
    metric: Metric,
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Threshold> {
    let example = threshold::example(metric);
    if matches!(field.value.value, Value::Map(_)) {
        let help = format!("write the expression alone: `\"{example}\"`");
        return Err(diagnostics.unsupported(field.value, "a threshold with options", &help));
    }
    let Some(text) = field.value.value.text() else {
        return Err(diagnostics.not_a(field, "a string", format!("write `\"{example}\"`")));
    };
    let threshold = threshold::parse(metric, text).map_err(|error| {
        let span = within(field.value, &error.at, text, diagnostics.source);
        let message = format!("invalid threshold {}", quoted(text));
        diagnostics.report("scenario::bad_threshold", &span, message, error.label, error.help)
    })?;
    if diagnostics.sense == Sense::Demanded
        && let Some(why) = threshold.is_never_met()
    {
        let message = format!("threshold {} can be met by no run", quoted(text));
        let help = format!("write a limit that some runs meet, such as `\"{example}\"`");
        let code = "scenario::bad_threshold";
        return Err(diagnostics.report(code, &field.value.span, message, why, help));
    }
    Ok(threshold)
}

/// The threshold that a pass rate is short for, beside those that are `set`.
pub(super) fn pass_rate(
    field: &Field<'_>,
    set: &[Threshold],
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Threshold> {
    let rate = fraction(field, diagnostics)?;
    if set.iter().any(|threshold| threshold.metric == Metric::CallsOk) {
        return Err(diagnostics.report(
            "scenario::bad_threshold",
            &field.at,
            "`pass_rate` cannot be used with a threshold on `calls_ok`",
            "both limit the same share of calls",
            format!("remove one of the two; `pass_rate: {rate}` is `calls_ok: \"rate>={rate}\"`"),
        ));
    }
    Ok(Threshold::pass_rate(rate))
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

fn named(name: &str, at: &Range<usize>, diagnostics: &mut Diagnostics<'_>) -> Checked<Metric> {
    if let Some(metric) = Metric::named(name) {
        return Ok(metric);
    }
    let names: Vec<&str> = Metric::ALL.into_iter().map(Metric::name).collect();
    let help = diagnostics.similar(name, &names).map_or_else(
        || format!("the metrics are {}", list_and(&names)),
        |name| format!("did you mean `{name}`?"),
    );
    let message = format!("unknown metric {}", quoted(name));
    Err(diagnostics.report("scenario::unknown_metric", at, message, "", help))
}

/// From when on a silence is awkward.
pub(super) fn turn_taking(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<TurnTaking> {
    let mut fields = Fields::of(field, diagnostics)?;
    let plain = fields.value("awkward_silence", diagnostics, duration);
    let tools = fields.value("awkward_silence_with_tools", diagnostics, duration);
    let gap = fields.value("speech_gap", diagnostics, duration);
    let busy = fields.value("busy_limit", diagnostics, duration);
    fields.finish(diagnostics)?;
    Ok(TurnTaking {
        awkward_silence: plain?,
        awkward_silence_with_tools: tools?,
        speech_gap: gap?,
        busy_limit: busy?,
    })
}

pub(super) fn baseline(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<BaselineRule> {
    let mut fields = Fields::of(field, diagnostics)?;
    let primary = fields.optional("primary", diagnostics, primary);
    let gate = fields.optional("gate", diagnostics, gate);
    let effect = fields.value("min_effect", diagnostics, min_effect);
    let runs = fields.value("runs", diagnostics, integer);
    fields.finish(diagnostics)?;
    let (named, (min_effect_rel, min_effect_abs_ms)) = (primary?, effect?);
    let primary_decides = named.is_some();
    let (primary, quantile) = named.unwrap_or((Metric::HeardE2eLatency, 50.0));
    let gate = gate?.unwrap_or_default();
    let runs = u16::try_from(runs?).unwrap_or(u16::MAX);
    Ok(BaselineRule {
        primary,
        quantile,
        min_effect_rel,
        min_effect_abs_ms,
        primary_decides,
        gate,
        runs,
    })
}

fn gate(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Gate> {
    let names = texts(field, diagnostics)?;
    let mut chosen = Vec::new();
    for name in &names {
        let Some(gated) = Gated::ALL.into_iter().find(|gated| gated.name() == name) else {
            let all = Gated::ALL.map(Gated::name);
            return Err(diagnostics.report(
                "scenario::bad_baseline",
                &field.value.span,
                format!("unknown question {}", quoted(name)),
                "",
                format!("what can decide is {}", list_and(&all)),
            ));
        };
        chosen.push(gated);
    }
    Ok(Gate::of(&chosen).unwrap_or_default())
}

fn primary(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<(Metric, f64)> {
    let Kind::Percentile = field.key.kind else { mismatch(field) };
    let text = string(field, diagnostics)?;
    let span = &field.value.span;
    let (name, quantile_text) = text.split_once('.').unwrap_or((text, ""));
    let metric = named(name, span, diagnostics)?;
    if !metric.is_time() {
        let what = match metric.kind() {
            metric::Kind::Ratio => "a ratio of each call, not a time",
            metric::Kind::Share | metric::Kind::Time => "a share of calls, not a time",
            metric::Kind::Event => "a count of turns, not a time",
        };
        return Err(diagnostics.report(
            "scenario::bad_baseline",
            span,
            cannot_be(field, text),
            what,
            "write a latency, such as `heard_e2e_latency.p50`; a threshold can limit anything else",
        ));
    }
    if let Some(quantile) = quantile_text.strip_prefix('p').and_then(quantile) {
        return Ok((metric, quantile));
    }
    let proposal = quantile(quantile_text).map_or("50", |_| quantile_text);
    Err(diagnostics.report(
        "scenario::bad_baseline",
        span,
        cannot_be(field, text),
        "missing percentile",
        format!("write `{name}.p{proposal}`"),
    ))
}

fn min_effect(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<(f64, f64)> {
    let mut fields = Fields::of(field, diagnostics)?;
    let rel = fields.value("rel", diagnostics, percent);
    let abs = fields.value("abs", diagnostics, duration);
    fields.finish(diagnostics)?;
    Ok((rel?, abs?.as_secs_f64() * 1_000.0))
}
