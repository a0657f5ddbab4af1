//! A paired comparison in words.

use super::{MIN_PAIRS, PairedCalls, PairedChange, PairedComparison, Pairing, Standing};
use crate::stats::Shift;
use crate::text::{count, number, number_of, quantile, signed};
use crate::turn::Part;
use crate::verdict::values_needed;

/// A number of pairs above this is not recommended but called very many.
const MANY_PAIRS: u64 = 10_000;

/// Why the verdict is what it is, the decisive reason first.
pub(super) fn reasons(comparison: &PairedComparison, standing: Standing) -> Vec<String> {
    let of_latency = latency(comparison, standing);
    let calls = comparison.calls;
    if !calls.worse() && !calls.suspicious() {
        return of_latency;
    }
    let of_calls = vec![failing(&calls)];
    let latency_first = matches!(standing, Standing::Worse)
        || (!calls.worse() && matches!(standing, Standing::Unclear));
    let both = if latency_first { [of_latency, of_calls] } else { [of_calls, of_latency] };
    both.concat()
}

fn latency(comparison: &PairedComparison, standing: Standing) -> Vec<String> {
    let name = comparison.primary.name();
    if let Some((pairs, turns)) = comparison.too_few {
        return vec![format!("{name} cannot be compared: {}", missing(pairs, turns))];
    }
    let Some(change) = primary(comparison) else {
        return vec![format!(
            "{name} cannot be compared: no pair of calls has values on both sides"
        )];
    };
    let what = sentence(change);
    let effect = number(comparison.min_effect_ms);
    let found = comparison.detectable_ms.map(|ms| {
        format!(
            "{} of calls detect slowdowns of {} ms or more in 90 % of cases",
            count(change.pairs, "pair"),
            number(ms)
        )
    });
    match standing {
        Standing::Worse | Standing::Better => {
            let word = if standing == Standing::Worse { "worse" } else { "better" };
            let mut reasons = vec![format!("b is {word} than a: {what}{}", chief(comparison))];
            reasons.extend(by_part(comparison));
            reasons
        }
        Standing::NoWorse => {
            let first = format!(
                "b is no worse than a: {what}; a slowdown of {effect} ms or more is ruled out"
            );
            [first].into_iter().chain(found).collect()
        }
        Standing::Unclear => {
            let first = format!("{what}: {}", doubt(comparison, change));
            [first].into_iter().chain(found).collect()
        }
    }
}

fn primary(comparison: &PairedComparison) -> Option<&PairedChange> {
    comparison.changes.first().filter(|change| change.metric == comparison.primary)
}

/// What is too few.
fn missing(pairs: usize, turns: usize) -> String {
    if pairs < MIN_PAIRS {
        return format!("{} of calls: at least {MIN_PAIRS} are needed", count(pairs, "pair"));
    }
    let need = values_needed(50.0);
    format!("{} of turns: at least {need} are needed", count(turns, "pair"))
}

/// Why it is inconclusive, and what would settle it.
fn doubt(comparison: &PairedComparison, change: &PairedChange) -> String {
    let effect = number(comparison.min_effect_ms);
    match comparison.pairs_needed {
        None => {
            "too many turns were unanswered: the shift is known only within wide bounds".to_owned()
        }
        Some(pairs) if pairs > MANY_PAIRS => format!(
            "cannot confirm or rule out a slowdown of {effect} ms or more; too many calls would be \
             needed, so raise the minimum effect"
        ),
        Some(pairs) => format!(
            "cannot confirm or rule out a slowdown of {effect} ms or more; about {} calls to each would \
             settle it (now {})",
            number_of(usize::try_from(pairs).unwrap_or(usize::MAX)),
            number_of(change.pairs)
        ),
    }
}

/// `heard_e2e_latency +405 ms within pairs (95 % interval +381 to +414), p50 1,126 → 1,530 ms`.
fn sentence(change: &PairedChange) -> String {
    let side = |of: crate::stats::Quantile| {
        format!("{}{}", if of.lower_bound { "\u{2265}\u{a0}" } else { "" }, number(of.value))
    };
    let Shift { low, high, .. } = change.shift;
    format!(
        "{} {} within pairs (95 % interval {} to {}), p50 {} in a and {} in b",
        change.metric.name(),
        size(&change.shift),
        end(low),
        end(high),
        side(change.a),
        side(change.b)
    )
}

/// `+405 ms`, or what is known of it.
fn size(shift: &Shift) -> String {
    let Shift { at_least, at_most, .. } = *shift;
    match (at_least.is_finite(), at_most.is_finite()) {
        (true, true) if at_most - at_least < 0.05 => format!("{} ms", signed(at_least)),
        (true, true) => format!("{} to {} ms", signed(at_least), signed(at_most)),
        (true, false) => format!("at least {} ms", signed(at_least)),
        (false, true) => format!("at most {} ms", signed(at_most)),
        (false, false) => "by an unknown amount".to_owned(),
    }
}

fn end(ms: f64) -> String {
    match ms {
        f64::INFINITY => "+\u{221e}".to_owned(),
        f64::NEG_INFINITY => "\u{2212}\u{221e}".to_owned(),
        ms => signed(ms),
    }
}

/// `, mainly llm_node_ttft (+402 ms)`.
fn chief(comparison: &PairedComparison) -> String {
    let Some(attribution) = &comparison.attribution else { return String::new() };
    match attribution.chief() {
        Some(chief) => format!(", mainly {} ({} ms)", chief.part.name(), signed(chief.change_ms)),
        None => ", with no stage contributing half of it".to_owned(),
    }
}

/// `by stage, in ms: +268 llm_node_ttft, +31 end_of_turn_delay = +299`.
fn by_part(comparison: &PairedComparison) -> Option<String> {
    let whole = comparison.attribution.as_ref()?.whole_ms();
    #[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds")]
    let signed = |ms: i64| signed(ms as f64);
    let listed = whole.iter().filter(|(_, ms)| *ms != 0);
    let parts: Vec<String> = listed
        .map(|(part, ms)| format!("{} {}", signed(*ms), part.map_or("other turns", Part::name)))
        .collect();
    let total = signed(whole.iter().map(|(_, ms)| ms).sum());
    Some(format!("by stage, in ms: {} = {total}", parts.join(", ")))
}

/// More calls fail.
fn failing(calls: &PairedCalls) -> String {
    let PairedCalls { only_a_ok, only_b_ok, .. } = calls;
    let pairs = calls.pairs();
    let word = if calls.worse() {
        "more calls to b fail than to a"
    } else {
        "more calls to b fail than to a, possibly by chance"
    };
    format!(
        "{word}: of {pairs} pairs, {only_a_ok} succeeded only with a and {only_b_ok} only with b \
         (p = {:.3}, exact); {}",
        calls.p(),
        if calls.worse() { "this outweighs the latencies" } else { "more calls would tell" }
    )
}

/// Further notes.
pub(super) fn notes(input: Pairing<'_>, comparison: &PairedComparison) -> Vec<String> {
    let mut notes = Vec::new();
    let rule = input.a.scenario.baseline();
    if (rule.quantile - 50.0).abs() > 1e-9 {
        notes.push(format!(
            "the scenario's {} is not used here: a shift within pairs is that of the typical turn",
            quantile(rule.quantile)
        ));
    }
    let calls = comparison.calls;
    let failed = |of: u64| usize::try_from(of).unwrap_or(usize::MAX);
    let (a, b) = (calls.only_b_ok + calls.neither_ok, calls.only_a_ok + calls.neither_ok);
    if a + b > 0 && !calls.worse() && !calls.suspicious() {
        notes.push(format!(
            "{} to a and {} to b failed, of {} each: no significant difference (p = {:.2})",
            count(failed(a), "call"),
            count(failed(b), "call"),
            calls.pairs(),
            calls.p()
        ));
    }
    if let Some(change) = primary(comparison).filter(|change| change.bounded > 0) {
        notes.push(format!(
            "{} of {} pairs of turns have an unanswered side: their difference is known only within bounds",
            number_of(change.bounded),
            number_of(change.turns)
        ));
    }
    notes
}
