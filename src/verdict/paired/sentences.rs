//! A paired comparison in words.

use super::{
    Excluded, Finding, MIN_PAIRS, PairedCalls, PairedComparison, Pairing, Question, Seen, Standing,
};
use crate::scenario::Metric;
use crate::text::{count, number, number_of, quantile, signed};
use crate::turn::Part;
use crate::verdict::values_needed;

/// A number of pairs above this is not recommended but called very many.
const MANY_PAIRS: u64 = 10_000;
/// So many of the findings are told.
const TOLD: usize = 3;

/// Why the verdict is what it is, the decisive reason first.
pub(super) fn reasons(comparison: &PairedComparison, seen: &Seen) -> Vec<String> {
    let of_latency = latency(comparison, seen);
    let calls = &comparison.calls;
    let mut of_calls = Vec::new();
    if seen.failing || calls.suspicious() {
        of_calls.push(failing(calls, seen.failing));
    } else if let Some(text) = unanswered(comparison.more_unanswered) {
        of_calls.push(text);
    }
    let shown = comparison.findings.iter().any(|finding| finding.worse);
    let mut both =
        if shown && !seen.failing { [of_latency, of_calls] } else { [of_calls, of_latency] }
            .concat();
    both.extend(looks(comparison));
    both
}

fn latency(comparison: &PairedComparison, seen: &Seen) -> Vec<String> {
    let name = comparison.primary.name();
    if let Some((pairs, turns)) = comparison.too_few {
        return vec![format!("{name} cannot be compared: {}", missing(pairs, turns))];
    }
    let Some(typical) = comparison.findings.first() else {
        return vec![format!(
            "{name} cannot be compared: no pair of calls has values on both sides"
        )];
    };
    let metric = comparison.primary;
    let what = phrase(typical, metric);
    let found = found(comparison);
    if comparison.findings.iter().any(|finding| finding.worse) {
        return worse(comparison);
    }
    match seen.standing {
        Standing::Better => {
            let first = format!("b is better than a: {what}{}", chief(comparison));
            [first].into_iter().chain(by_part(comparison)).collect()
        }
        Standing::NoWorse => {
            let first = no_worse(comparison, &what);
            [first].into_iter().chain(not_better(seen)).chain(found).collect()
        }
        // Failing calls say it.
        Standing::Worse => vec![what],
        Standing::Unclear => {
            let first = format!("{what}: {}", doubt(comparison, seen));
            [first].into_iter().chain(suspicions(comparison)).chain(found).collect()
        }
    }
}

/// What shows that B is worse: the typical turn first, or what it does not show.
fn worse(comparison: &PairedComparison) -> Vec<String> {
    let metric = comparison.primary;
    let mut shown: Vec<&Finding> = comparison.findings.iter().filter(|f| f.worse).collect();
    let typical = shown.first().is_some_and(|f| f.question == Question::TypicalTurn);
    if !typical {
        // What stands out most.
        shown.sort_by(|a, b| a.p.total_cmp(&b.p));
    }
    let mut shown = shown.into_iter();
    let first = shown.next().map(|finding| phrase(finding, metric)).unwrap_or_default();
    let reason = if typical { chief(comparison) } else { as_before(comparison) };
    let mut reasons = vec![format!("b is worse than a: {first}{reason}")];
    let others: Vec<String> = shown.map(|finding| phrase(finding, metric)).collect();
    if !others.is_empty() {
        let more = others.len().saturating_sub(TOLD);
        let told: Vec<String> = others.into_iter().take(TOLD).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        reasons.push(format!("also worse: {}{more}", told.join("; ")));
    }
    if typical {
        reasons.extend(by_part(comparison));
    }
    reasons
}

/// `; typical turn +12 ms, which does not show`.
fn as_before(comparison: &PairedComparison) -> String {
    let Some(typical) = comparison.findings.first() else { return String::new() };
    let subject = subject(typical, comparison.primary);
    format!("; {subject} {}, which shows no slowdown by itself", size(typical))
}

fn no_worse(comparison: &PairedComparison, what: &str) -> String {
    let effect = comparison.min_effect_ms;
    match comparison.excluded {
        Some(Excluded::TwiceMinEffect) => format!(
            "b is not found to be worse than a: {what}; a slowdown of {} ms or more is ruled out, one of {} ms \
             is not",
            number(2.0 * effect),
            number(effect)
        ),
        Some(Excluded::MinEffect) | None => format!(
            "b is no worse than a: {what}; a slowdown of {} ms or more is ruled out",
            number(effect)
        ),
    }
}

/// Why B is not called better though it is faster.
fn not_better(seen: &Seen) -> Option<String> {
    let typical = seen.answers.as_ref()?.typical;
    let why = if typical.surely_faster {
        "more of its calls fail or go unanswered"
    } else {
        "were one more call to it unanswered, chance could explain it"
    };
    typical.faster.then(|| format!("b is faster, but is not called better: {why}"))
}

fn found(comparison: &PairedComparison) -> Option<String> {
    let ms = comparison.detectable_ms?;
    Some(format!(
        "{} of calls detect slowdowns of about {} ms or more in 90 % of cases",
        count(comparison.pairs, "pair"),
        number(ms)
    ))
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
fn doubt(comparison: &PairedComparison, seen: &Seen) -> String {
    let effect = number(comparison.min_effect_ms);
    match comparison.pairs_needed {
        Some(pairs) if pairs <= MANY_PAIRS => format!(
            "cannot confirm or rule out a slowdown of {effect} ms or more; about {} calls to each would \
             settle it (now {})",
            number_of(usize::try_from(pairs).unwrap_or(usize::MAX)),
            number_of(seen.pairs as usize)
        ),
        Some(_) | None => format!(
            "cannot confirm or rule out a slowdown of {effect} ms or more; too many calls would be \
             needed, so raise the minimum effect"
        ),
    }
}

/// What may be slower though it is not shown.
fn suspicions(comparison: &PairedComparison) -> Option<String> {
    let metric = comparison.primary;
    let suspicious = comparison.findings.iter().filter(|finding| finding.suspicious());
    let told: Vec<String> = suspicious.take(TOLD).map(|f| phrase(f, metric)).collect();
    (!told.is_empty()).then(|| format!("may be slower, possibly by chance: {}", told.join("; ")))
}

/// `typical turn +405 ms (+36 %; 96 % interval +381 to +414 ms)`.
fn phrase(finding: &Finding, metric: Metric) -> String {
    let Finding { low_ms, high_ms, confidence, .. } = finding;
    format!(
        "{} {} ({}\u{a0}%; {}\u{a0}% interval {} to {} ms)",
        subject(finding, metric),
        size(finding),
        signed(finding.at_least_ms / finding.a_ms * 100.0),
        number(*confidence),
        signed(*low_ms),
        signed(*high_ms),
    )
}

/// What a question is asked of.
fn subject(finding: &Finding, metric: Metric) -> String {
    let of = if metric == Metric::HeardE2eLatency {
        String::new()
    } else {
        format!(" ({})", metric.name())
    };
    match (finding.question, &finding.turn) {
        (Question::TypicalTurn, _) => format!("typical turn{of}"),
        (Question::SlowTurns, _) => format!("slowest tenth of turns{of}"),
        (Question::Step(_), Some(turn)) => format!("turn `{turn}`{of}"),
        (Question::Step(step), None) => format!("turn {}{of}", step + 1),
    }
}

/// `+405 ms`, or what is known of it.
fn size(finding: &Finding) -> String {
    let Finding { at_least_ms, at_most_ms, .. } = *finding;
    if at_most_ms - at_least_ms < 0.05 {
        format!("{} ms", signed(at_least_ms))
    } else {
        format!("{} to {} ms", signed(at_least_ms), signed(at_most_ms))
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
fn failing(calls: &PairedCalls, shown: bool) -> String {
    let PairedCalls { only_a_ok, only_b_ok, .. } = calls;
    let pairs = calls.pairs();
    let word = if shown {
        "more calls to b fail than to a"
    } else {
        "more calls to b fail than to a, possibly by chance"
    };
    format!(
        "{word}: of {pairs} pairs, {only_a_ok} succeeded only with a and {only_b_ok} only with b \
         (p = {:.3}, exact); {}",
        calls.p(),
        if shown { "this outweighs the latencies" } else { "more calls would tell" }
    )
}

/// More turns go unanswered.
fn unanswered([with_b, with_a]: [u64; 2]) -> Option<String> {
    super::calls::more_than_chance(with_b, with_a).then(|| {
        format!(
            "more turns of b than of a go unanswered, possibly by chance: more in {with_b} pairs of calls, fewer \
             in {with_a}; more calls would tell"
        )
    })
}

/// How often it was looked at.
fn looks(comparison: &PairedComparison) -> Option<String> {
    let looks = comparison.looks.as_ref()?;
    let (planned, most) = (looks.planned.len(), looks.planned.last()?);
    let at = looks.had.checked_sub(1).and_then(|last| looks.planned.get(last));
    Some(match (looks.decided, at) {
        (true, Some(at)) => format!(
            "decided at look {} of {planned}, after {at} of up to {most} pairs; each look asks for so much that all \
             of them together err no more often than one",
            looks.had
        ),
        (false, Some(at)) => {
            format!(
                "not decided by {} of {planned} looks, after {at} of up to {most} pairs",
                looks.had
            )
        }
        (_, None) => format!("the first of {planned} looks was not reached"),
    })
}

/// Further notes.
pub(super) fn notes(input: Pairing<'_>, comparison: &PairedComparison, seen: &Seen) -> Vec<String> {
    let mut notes = Vec::new();
    let rule = input.a.scenario.baseline();
    if (rule.quantile - 50.0).abs() > 1e-9 {
        notes.push(format!(
            "the scenario's {} is not used here: the typical, the slow and every single turn are compared",
            quantile(rule.quantile)
        ));
    }
    let calls = comparison.calls;
    let failed = |of: u64| usize::try_from(of).unwrap_or(usize::MAX);
    let (a, b) = (calls.only_b_ok + calls.neither_ok, calls.only_a_ok + calls.neither_ok);
    if a + b > 0 && !seen.failing && !calls.suspicious() {
        notes.push(format!(
            "{} to a and {} to b failed, of {} each: no significant difference (p = {:.2})",
            count(failed(a), "call"),
            count(failed(b), "call"),
            calls.pairs(),
            calls.p()
        ));
    }
    if let Some(change) = comparison.changes.first().filter(|change| change.bounded > 0) {
        notes.push(format!(
            "{} of {} pairs of turns have an unanswered side, which counts as all the time its step gives the agent",
            number_of(change.bounded),
            number_of(change.turns)
        ));
    }
    notes
}
