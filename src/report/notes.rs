//! What a reader of the numbers has to know: which agent it was, what is missing and why.

use std::collections::BTreeMap;

use crate::record::Dialect;
use crate::scenario::Metric;
use crate::text::count;
use crate::turn::{Analysis, Measures, Parties, Reply, Seen, Tally, Twins, Why};

/// Different texts of one kind that are named; the rest is counted.
const NAMED: usize = 3;

/// The notes of a run. What bears on the verdict is among its reasons instead.
pub(super) fn notes(run: &Analysis) -> Vec<String> {
    let seen = &run.seen;
    let mut notes = Vec::new();
    if let Some(tail) = run.tail.as_ref().filter(|tail| tail.gave_up) {
        notes.push(format!(
            "only {} of {} planned calls were placed: the first ones reached no agent",
            run.calls.len(),
            tail.planned
        ));
    }
    named(&mut notes, "agent SDK:", &seen.sdks, "");
    reporting(&mut notes, seen);
    parties(&mut notes, run);
    unanswered(&mut notes, run);
    stuck(&mut notes, &seen.stuck);
    rejected(&mut notes, run);
    constants(&mut notes, &run.measures);
    false_interruptions(&mut notes, run);
    if seen.stalled > 0 {
        notes.push(format!("the agent's audio stalled for two seconds in {}", calls(seen.stalled)));
    }
    never_silent(&mut notes, run);
    named(&mut notes, "the agent reported an error:", &seen.errors, "");
    named(&mut notes, "a tool of the agent failed:", &seen.failed_tools, "");
    named(&mut notes, "a limit was reached:", &seen.limits, "; later data was left out");
    notes
}

fn named(notes: &mut Vec<String>, what: &str, texts: &Tally, after: &str) {
    let mut by_calls: Vec<_> = texts.iter().collect();
    by_calls.sort_by_key(|(_, calls)| std::cmp::Reverse(**calls));
    for (text, n) in by_calls.iter().take(NAMED) {
        notes.push(format!("{what} {text} ({}){after}", calls(**n)));
    }
    if by_calls.len() > NAMED {
        notes.push(format!("{what} {} more", by_calls.len() - NAMED));
    }
}

/// Agents that say they are busy and are silent.
fn stuck(notes: &mut Vec<String>, stuck: &Tally) {
    for (doing, n) in stuck {
        notes.push(format!(
            "the agent was silent and said it was {doing} until the caller went on, in {}",
            calls(*n)
        ));
    }
}

/// How the agents reported, where that bears on what is known, and what would tell more.
fn reporting(notes: &mut Vec<String>, seen: &Seen) {
    // Everything comes by `lk.agent.session`; of the others it is said, as less is known from them.
    for (dialect, n) in seen.dialects.iter().filter(|(d, _)| **d != Dialect::Session) {
        notes.push(format!("the agent reported by {} ({})", dialect.name(), calls(*n)));
    }
    if seen.without_session > 0 {
        notes.push(format!(
            "{} without reports of the agent: its stages, tools and texts are unknown. livekit-agents sends them \
             from 1.4 on (lk.agent.session, lk.agent.events) unless it is told `session_host=False`, Pipecat by RTVI",
            calls(seen.without_session),
        ));
    }
    if seen.without_metrics > 0 {
        notes.push(format!(
            "{} without metrics in the agent's RTVI messages: its stages and usage are unknown. \
             PipelineParams(enable_metrics=True, enable_usage_metrics=True) sends them",
            calls(seen.without_metrics),
        ));
    }
}

/// Who was there beside one agent with one voice.
fn parties(notes: &mut Vec<String>, run: &Analysis) {
    let all = || run.calls.iter().map(|call| &call.parties);
    let twins: Vec<&Twins> = all().filter_map(|parties| parties.twins.as_ref()).collect();
    if let Some(first) = twins.first() {
        let at_once = twins.iter().map(|twins| twins.at_once_ms).fold(0.0, f64::max);
        let who: Vec<String> = first.who.iter().map(|who| format!("`{who}`")).collect();
        notes.push(format!(
            "{} agents are in the call: {}, speaking at the same time for {}{:.1} s ({}); what is heard is all of them",
            first.who.len(),
            who.join(", "),
            if twins.len() > 1 { "up to " } else { "" },
            at_once / 1_000.0,
            calls(twins.len()),
        ));
    }
    let handed: Vec<_> = all().filter_map(|parties| parties.handed_over.as_ref()).collect();
    if let Some((from, to)) = handed.first() {
        let n = calls(handed.len());
        notes.push(format!(
            "the call was handed to another participant, from `{from}` to `{to}` ({n})"
        ));
    }
    let tally = |of: fn(&Parties) -> &[String]| {
        let mut tally = Tally::new();
        for text in all().flat_map(of) {
            *tally.entry(text.clone()).or_default() += 1;
        }
        tally
    };
    let not_heard = tally(|p| &p.not_heard);
    let after = ", not the agent's voice unless `agent: {tracks: …}` says so";
    named(notes, "not heard: track", &not_heard, after);
    let after = "; until a microphone track came it was taken for the agent's voice";
    named(notes, "heard in error: track", &tally(|p| &p.heard_in_error), after);
    let silent = "no agent joined, but a participant without audio was there:";
    named(notes, silent, &tally(|p| &p.silent), "");
}

fn unanswered(notes: &mut Vec<String>, run: &Analysis) {
    let (mut missing, mut spoke_on, mut not_tested) = (0_usize, 0_usize, 0_usize);
    for turn in run.turns() {
        match turn.reply {
            Reply::Unanswered { .. } => missing += 1,
            Reply::DidNotYield { .. } => spoke_on += 1,
            Reply::NotTested => not_tested += 1,
            Reply::Greeted { .. }
            | Reply::Heard { .. }
            | Reply::CutIn { .. }
            | Reply::Yielded { .. }
            | Reply::Ignored
            | Reply::Disturbed { .. }
            | Reply::NotAwaited
            | Reply::NotReached => {}
        }
    }
    if missing > 0 {
        notes.push(format!(
            "{missing} unanswered {} as a lower bound (the waiting time)",
            if missing == 1 { "turn counts" } else { "turns count" },
        ));
    }
    if not_tested > 0 {
        notes.push(format!(
            "{} found the agent silent, so whether it yields was not tested",
            count(not_tested, "barge-in"),
        ));
    }
    if spoke_on > 0 {
        notes.push(format!(
            "the agent kept speaking after {spoke_on} {} as a lower bound (the waiting time)",
            if spoke_on == 1 { "barge-in, which counts" } else { "barge-ins, which count" },
        ));
    }
}

fn never_silent(notes: &mut Vec<String>, run: &Analysis) {
    let seen = run.seen.never_silent;
    if let Some(level) = seen.loudest_dbfs() {
        notes.push(format!(
            "the agent's track is never silent ({level:.0} dBFS in {} of {}): a voice counts where it stands out of what is \
             always there, and what does not stand out is not heard",
            seen.calls,
            calls(run.calls.len()),
        ));
    }
}

/// What the agent reported and is not believed, by metric.
fn rejected(notes: &mut Vec<String>, run: &Analysis) {
    let mut by_kind: BTreeMap<(Metric, Why), usize> = BTreeMap::new();
    for doubt in run.turns().flat_map(|turn| &turn.doubts) {
        *by_kind.entry((doubt.metric, doubt.why)).or_default() += 1;
    }
    for ((metric, why), n) in by_kind {
        let what = match why {
            Why::Negative => "was reported as negative",
            Why::Absurd => "was reported as over a minute",
            Why::SpeechRunsBackwards => "came with a speech that ends before it begins",
            Why::AbsentAfterHandoff => "was not reported after a handoff to another agent",
        };
        let turns = number_of_turns(n);
        let verb = if n == 1 { "is" } else { "are" };
        notes.push(format!("{} {what} in {turns}, which {verb} excluded", metric.name()));
    }
}

/// Figures that are no measurements.
fn constants(notes: &mut Vec<String>, measures: &Measures) {
    for metric in Metric::ALL.into_iter().filter(|metric| measures.is_constant(*metric)) {
        let Some(first) = measures.values(metric).first() else { continue };
        notes.push(format!(
            "{} is {:.3} ms, identical to the microsecond in every turn: not a measurement",
            metric.name(),
            first.value
        ));
    }
}

fn number_of_turns(n: usize) -> String {
    if n == 1 { "1 turn".to_owned() } else { format!("{n} turns") }
}

fn false_interruptions(notes: &mut Vec<String>, run: &Analysis) {
    let n = run.turns().filter(|turn| turn.false_interruption).count();
    if n > 0 {
        notes.push(format!("{} reported by the agent", count(n, "false interruption")));
    }
}

fn calls(n: usize) -> String {
    if n == 1 { "1 call".to_owned() } else { format!("{n} calls") }
}
