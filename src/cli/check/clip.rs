//! What `loadcall check` says of a clip.

use crate::audio::{ClipFacts, Rule};
use crate::report::text::Page;
use std::fmt::Write as _;
use std::time::Duration;

/// A handful of samples at full scale is nothing.
const CLIPPED_MAX: u64 = 5;

/// A pause from which on the turn may be taken for over: the default of livekit-agents' endpointing and of
/// its voice activity detection (0.5 and 0.55 s), and of most servers that detect turns.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// An end that other rules put earlier by more than this is not certain. One that is too late makes agents look
/// faster than they are; one that is too early does not.
const UNCERTAIN: Duration = Duration::from_millis(50);

/// An edge of speech is certain when it stands out from the noise by this much.
const NOISY_BELOW_DB: f64 = 5.0;

/// Writes the lines about the clip that a step says.
pub(super) fn write(page: &mut Page, step: &str, file: &str, facts: &ClipFacts) {
    page.paragraph(2, &[], &format!("{step}: {file}: {facts}"));
    page.paragraph(4, &[], &end(facts));
    for doubt in doubts(facts) {
        page.paragraph(4, &[], &format!("note: {doubt}"));
    }
}

/// Where the voice ends, and where it would by other rules.
fn end(facts: &ClipFacts) -> String {
    let mut out = format!("ends at {}", seconds(facts.end.at));
    if facts.end.is_given {
        out += ", as the scenario says";
        return out;
    }
    let (mut joint, mut threshold) = (";", "with a threshold of");
    for (rule, at) in &facts.end.otherwise {
        let at = seconds(*at);
        let _ = match rule {
            Rule::From(dbfs) => write!(out, "{joint} {threshold} {dbfs:.0} dBFS at {at}"),
            Rule::WithoutRumble => write!(out, "{joint} without rumble at {at}"),
        };
        (joint, threshold) = (",", "of");
    }
    out
}

/// What may make a clip a bad measure, and what to do.
pub(super) fn doubts(facts: &ClipFacts) -> Vec<String> {
    let mut doubts: Vec<String> = facts.oddities.iter().map(ToString::to_string).collect();
    if facts.clipped > CLIPPED_MAX {
        doubts.push("clipped: record it at a lower level".to_owned());
    }
    if facts.longest_pause > LONG_PAUSE {
        doubts.push(format!(
            "the agent may mistake the {} ms pause at {} for the end of the turn",
            facts.longest_pause.as_millis(),
            seconds(facts.pause_at)
        ));
    }
    if facts.threshold_dbfs - facts.noise_dbfs < NOISY_BELOW_DB {
        doubts.push("too noisy to find the end of speech reliably: record it again".to_owned());
    }
    doubts.extend(uncertain_end(facts));
    doubts.extend(left_out(facts));
    doubts
}

fn uncertain_end(facts: &ClipFacts) -> Option<String> {
    let end = &facts.end;
    if end.is_given {
        let silent = end.at.saturating_sub(end.found);
        return (silent > UNCERTAIN).then(|| {
            format!("nothing is audible in the last {} ms before `end`", silent.as_millis())
        });
    }
    let apart = |at: &Duration| end.at.saturating_sub(*at);
    let (_, other) = end.otherwise.iter().max_by_key(|(_, at)| apart(at))?;
    (apart(other) > UNCERTAIN).then(|| {
        format!(
            "the end of speech is uncertain by {} ms: listen to it, and write where it is beside `file`, such as \
             `end: {:.2}s`",
            apart(other).as_millis(),
            other.as_secs_f64()
        )
    })
}

fn left_out(facts: &ClipFacts) -> Option<String> {
    let (first, others) = facts.left_out.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let end = facts.left_out.last()?;
    Some(format!(
        "{} ms of sound at {} ({:.0} dBFS){others} are not taken for speech and not said; if they are, write \
         `end: {:.2}s` beside `file`",
        first.length.as_millis(),
        seconds(first.at),
        first.dbfs,
        (end.at + end.length).as_secs_f64()
    ))
}

fn seconds(at: Duration) -> String {
    format!("{:.2} s", at.as_secs_f64())
}

#[cfg(test)]
mod tests;
