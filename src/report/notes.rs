//! What a reader of the numbers has to know: which agent it was, what is missing and why.

use std::collections::{BTreeMap, BTreeSet};

use super::StepLine;
use crate::record::Dialect;
use crate::scenario::Metric;
use crate::text::{count, number};
use crate::turn::{
    Analysis, Answer, Found, Measures, Part, Parties, Reply, Seen, Tally, Turn, Twins, Untold, Why,
};

/// Different texts of one kind that are named; the rest is counted.
const NAMED: usize = 3;

/// An agent that reports so much more than was heard counts from elsewhere than the caller. Milliseconds.
const MORE_THAN_HEARD_MS: f64 = 50.0;

/// The end-of-turn model of livekit-agents that runs within the worker.
const LOCAL_DETECTOR: &str = "turn-detector-v1-mini";

/// The notes of a run. What bears on the verdict is among its reasons instead.
pub(super) fn notes(run: &Analysis, steps: &[StepLine]) -> Vec<String> {
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
    untold(&mut notes, run);
    answers_untold(&mut notes, run);
    unanswered(&mut notes, run);
    stuck(&mut notes, &seen.stuck);
    rejected(&mut notes, run);
    more_than_heard(&mut notes, run);
    first_byte(&mut notes, &run.measures);
    between_stages(&mut notes, run, steps);
    // Our own scripted agent is meant to have them.
    let is_ours = !seen.sdks.is_empty() && seen.sdks.keys().all(|sdk| sdk.starts_with("loadcall"));
    if !is_ours {
        constants(&mut notes, &run.measures);
    }
    turn_detector(&mut notes, run);
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
            Why::LongerThanTheTurn => {
                "was reported as longer than from the caller's first sample to the reply"
            }
            Why::LongerThanHeard => "was reported as longer than the latency that was heard",
        };
        let turns = number_of_turns(n);
        let verb = if n == 1 { "is" } else { "are" };
        notes.push(format!("{} {what} in {turns}, which {verb} excluded", metric.name()));
    }
}

/// What replies should hold and cannot be told, with what would change that.
fn untold(notes: &mut Vec<String>, run: &Analysis) {
    let mut turns: BTreeMap<Untold, usize> = BTreeMap::new();
    for turn in run.turns() {
        let why = |found| if let Found::CannotTell(why) = found { Some(why) } else { None };
        let of_turn: BTreeSet<Untold> =
            turn.content.iter().filter_map(|result| why(result.found)).collect();
        for why in of_turn {
            *turns.entry(why).or_default() += 1;
        }
    }
    for (why, n) in turns {
        let (what, because) = match why {
            Untold::NoTools => (
                "which tools ran",
                "the agent reports none (livekit-agents does from 1.4 on and on Node, unless it is \
                 started with `session_host=False`)",
            ),
            Untold::UnnamedTool => (
                "which tools ran",
                "the agent does not name them (livekit-agents does; Pipecat with \
                 `function_call_report_level`)",
            ),
            Untold::NoText => (
                "what was answered",
                "the agent sends no text of its replies (livekit-agents does, unless its text output is \
                 off)",
            ),
            Untold::CutOff => ("what was answered", "the call ended before the text had come"),
            Untold::NotAllText => (
                "that something was not said",
                "the agent did not send the text of all that it said there",
            ),
        };
        notes.push(format!(
            "cannot tell {what} in {}, which counts neither as met nor as missed: {because}",
            number_of_turns(n)
        ));
    }
}

/// Answers of which it cannot be told whether they came.
fn answers_untold(notes: &mut Vec<String>, run: &Analysis) {
    let n = run.turns().filter(|turn| turn.answer == Some(Answer::Unknown)).count();
    if n > 0 {
        notes.push(format!(
            "cannot tell whether the agent still owed the answer in {}, so answer_latency has no value there: it worked \
             after it had begun to speak, said nothing more, and does not tell whether its tools gave the model \
             anything",
            number_of_turns(n)
        ));
    }
}

/// A caller's end of speech that is dated too late makes every agent look fast.
fn more_than_heard(notes: &mut Vec<String>, run: &Analysis) {
    let mut all: Vec<f64> = run.turns().filter_map(heard_minus_reported).collect();
    all.sort_by(f64::total_cmp);
    let Some(median) = all.get(all.len() / 2).filter(|ms| **ms < -MORE_THAN_HEARD_MS) else {
        return;
    };
    notes.push(format!(
        "the agent reports {} ms more than was heard (median of {}): the end of the caller's speech is \
         probably dated too late (`loadcall check` shows where it is), and heard_e2e_latency too short; or the \
         agent counts from earlier",
        number(-median),
        number_of_turns(all.len())
    ));
}

/// Also where the report was left out for just this.
fn heard_minus_reported(turn: &Turn) -> Option<f64> {
    let Reply::Heard { latency_ms, .. } = turn.reply else { return None };
    let doubted = turn.doubts.iter().find(|doubt| doubt.why == Why::LongerThanHeard);
    let rejected = doubted.and_then(|doubt| Some(latency_ms - doubt.ms?));
    turn.unattributed_ms().or(rejected)
}

/// An agent that does not tell when it had a sentence may count the wait for it as speech synthesis.
fn first_byte(notes: &mut Vec<String>, measures: &Measures) {
    let has = |metric| !measures.values(metric).is_empty();
    if has(Metric::TtsNodeTtfb) && !has(Metric::LlmNodeTtfs) {
        notes.push(format!(
            "{} may contain the wait for the first sentence: the agent does not report {}, so both are one \
             part of the breakdown, {}",
            Metric::TtsNodeTtfb.name(),
            Metric::LlmNodeTtfs.name(),
            Part::FirstTokenToAudio.name()
        ));
    }
}

/// What is left over is not to be called a bottleneck without a word.
fn between_stages(notes: &mut Vec<String>, run: &Analysis, steps: &[StepLine]) {
    let is_largest = |line: &&StepLine| line.path.bottleneck() == Some(Part::BetweenStages);
    for line in steps.iter().filter(is_largest) {
        let of_step = |turn: &&Turn| turn.step == line.step && !turn.tools.is_empty();
        let mut with_tools = run.turns().filter(of_step).peekable();
        let why = match with_tools.peek() {
            None => "time that no stage the agent reports accounts for",
            Some(turn) if turn.tool_ms.is_none() => {
                "the agent ran tools, and reports neither their time nor that of the model's request \
                 before them"
            }
            Some(_) => {
                "the agent ran tools, and does not report the time of the model's request before them"
            }
        };
        notes.push(format!("{} is most of `{}`: {why}", Part::BetweenStages.name(), line.id));
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

/// The end-of-turn model that livekit-agents takes where it is not hosted, in an agent of ours: deployed elsewhere it may
/// be another agent.
fn turn_detector(notes: &mut Vec<String>, run: &Analysis) {
    let is_local = |model: &String| model.starts_with("eot ") && model.ends_with(LOCAL_DETECTOR);
    if run.head.agent_started && run.seen.models.iter().any(is_local) {
        notes.push(format!(
            "{LOCAL_DETECTOR} decided when the caller's turns had ended, as in an agent on servers of your own; on LiveKit \
             Cloud the same agent takes turn-detector-v1 and adaptive interruption unless it names others. \
             LIVEKIT_DEV_MODE=1 and the keys of a Cloud project in its environment measure those (docs/agents.md)",
        ));
    }
}

fn calls(n: usize) -> String {
    if n == 1 { "1 call".to_owned() } else { format!("{n} calls") }
}

#[cfg(test)]
mod tests;
