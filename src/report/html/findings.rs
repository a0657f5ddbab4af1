//! What is to be seen in a call, each in one sentence at its moment.

use super::marks::{ms, shown};
use crate::report::Slowest;
use crate::time::Offset;
use crate::turn::{CallFacts, Path, Reply, Turn};
use crate::turn::{Lanes, Weight};

/// Something found at a moment of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) at: Offset,
    /// Something went wrong; else it is only told.
    pub(super) is_problem: bool,
    pub(super) sentence: String,
}

/// The findings of a call, in the order of time.
pub(super) fn of(call: &CallFacts, lanes: &Lanes) -> Vec<Finding> {
    let mut all: Vec<Finding> = call.turns.iter().flat_map(|turn| in_turn(turn, lanes)).collect();
    // What was found in a turn says more than that its expectation was missed.
    let is_told = |text: &str| {
        call.turns.iter().any(|turn| {
            let of_turn =
                text.strip_prefix("turn `").and_then(|rest| rest.strip_prefix(turn.id.as_str()));
            of_turn.is_some_and(|rest| rest.starts_with('`')) && is_wrong(turn)
        })
    };
    let problems = lanes.events.iter().filter(|e| e.weight == Weight::Problem && !is_told(&e.text));
    all.extend(problems.map(|event| Finding {
        at: event.at,
        is_problem: true,
        sentence: shown(&event.text),
    }));
    all.extend(slow(call));
    all.sort_by_key(|finding| finding.at);
    all
}

const fn is_wrong(turn: &Turn) -> bool {
    matches!(turn.reply, Reply::Unanswered { .. } | Reply::DidNotYield { .. })
}

fn in_turn(turn: &Turn, lanes: &Lanes) -> Vec<Finding> {
    let utterance = lanes.caller.iter().find(|utterance| utterance.step == turn.step);
    let said = turn.said.or(utterance.map(|utterance| utterance.span));
    let (begin, end) = said.map_or((lanes.dialled, lanes.dialled), |said| (said.from, said.until));
    let mut all = Vec::new();
    let mut add = |at, sentence: String| all.push(Finding { at, is_problem: true, sentence });
    match turn.reply {
        Reply::Unanswered { waited_ms } => {
            add(end, format!("no reply: the caller waited {}\u{a0}ms", ms(waited_ms)));
        }
        Reply::DidNotYield { waited_ms } => {
            add(
                begin,
                format!("the agent spoke on for {}\u{a0}ms after the barge-in", ms(waited_ms)),
            );
        }
        Reply::CutIn { voice, early_ms } => {
            let sentence =
                format!("the agent cut in {}\u{a0}ms before the caller had ended", ms(early_ms));
            add(voice.from, sentence);
        }
        Reply::Disturbed { after_ms, .. } => {
            add(begin, format!("the agent reacted to a noise after {}\u{a0}ms", ms(after_ms)));
        }
        Reply::NotTested => add(begin, "the barge-in found the agent silent".to_owned()),
        Reply::Heard { .. } if turn.cut_in => {
            add(begin, "the agent cut in before the caller had ended".to_owned());
        }
        Reply::Greeted { .. }
        | Reply::Heard { .. }
        | Reply::Yielded { .. }
        | Reply::Ignored
        | Reply::NotAwaited
        | Reply::NotReached => {}
    }
    let replied = match turn.reply {
        Reply::Greeted { voice, .. } | Reply::Heard { voice, .. } => voice.from,
        Reply::Unanswered { .. }
        | Reply::DidNotYield { .. }
        | Reply::CutIn { .. }
        | Reply::Yielded { .. }
        | Reply::Ignored
        | Reply::Disturbed { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => end,
    };
    for wrong in turn.wrong_content() {
        all.push(Finding { at: replied, is_problem: true, sentence: shown(&wrong) });
    }
    all
}

/// The slowest reply of the call, and what it waited for.
fn slow(call: &CallFacts) -> Option<Finding> {
    let slowest = Slowest::of(call).filter(|slowest| !slowest.censored)?;
    let Reply::Heard { voice, latency_ms } = slowest.turn.reply else { return None };
    let path = slowest.turn.path();
    let mainly = path.as_ref().and_then(Path::bottleneck).map_or(String::new(), |part| {
        let of = path.as_ref().and_then(|path| path.parts.get(&part)).copied().unwrap_or(0.0);
        format!(", of which {} took {}\u{a0}ms", part.name(), ms(of))
    });
    let sentence = format!("the slowest reply of this call: {}\u{a0}ms{mainly}", ms(latency_ms));
    Some(Finding { at: voice.from, is_problem: false, sentence })
}
