//! Whether two runs may be compared, and what differs between them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::measured::{Fingerprint, IDENTITY, SPEECH_GAP, StepPrint, TRACKS, TURN_MODELS, joined};
use crate::record::{KeyChange, MetadataDigest};

/// Longest value of a difference that is printed whole, in characters.
const MAX_SHOWN: usize = 120;

/// Something that differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub what: String,
    pub how: How,
}

/// How it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Values {
        baseline: String,
        run: String,
    },
    /// A key of the dispatch metadata, whose values are not stored.
    Key(KeyChange),
}

/// The baseline was recorded under other conditions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not comparable with the baseline: {}; accept a run of the current scenario{}",
    list(differences),
    if *other_steps { "" } else { ", or compare anyway with --allow-different" }
)]
pub struct NotComparable {
    /// What makes a comparison meaningless; at least one.
    pub differences: Vec<Difference>,
    /// For information.
    pub slight: Vec<Difference>,
    /// The steps differ, so there are no turns to compare, whatever is allowed.
    pub other_steps: bool,
}

/// What to do when a run and its baseline do not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mismatch {
    #[default]
    Refuse,
    Allow,
}

impl NotComparable {
    /// All differences, when they are allowed and can be.
    pub fn allowed(self, mismatch: Mismatch) -> Result<Vec<Difference>, Self> {
        match mismatch {
            Mismatch::Allow if !self.other_steps => {
                Ok(self.differences.into_iter().chain(self.slight).collect())
            }
            Mismatch::Allow | Mismatch::Refuse => Err(self),
        }
    }
}

/// What differs: first what makes a comparison meaningless, then what is for information.
fn differences(baseline: &Fingerprint, run: &Fingerprint) -> (Vec<Difference>, Vec<Difference>) {
    let concurrency = |of: &Fingerprint| of.concurrency.to_string();
    let sdk = |of: &Fingerprint| of.agent_sdk.clone().unwrap_or_else(|| "unknown".to_owned());
    let definition = |of: &Fingerprint| format!("of format {}", of.definition);
    let grave = [
        differ("definition of the metrics", &definition(baseline), &definition(run)),
        differ("scenario", &baseline.scenario, &run.scenario),
        differ("agent", &baseline.agent, &run.agent),
        differ("start endpoint", &baseline.start, &run.start),
        differ("concurrency", &concurrency(baseline), &concurrency(run)),
    ];
    let (heard_otherwise, limits) = hearing_differences(baseline, run);
    let slight = [
        differ("loadcall version", &baseline.loadcall_version, &run.loadcall_version),
        differ("caller's host", &baseline.host, &run.host),
    ];
    let metadata = |what, of: fn(&Fingerprint) -> &MetadataDigest| {
        metadata_differences(what, of(baseline), of(run))
    };
    // Another SDK explains much of what follows.
    let slight = (differ("agent SDK", &sdk(baseline), &sdk(run)).into_iter())
        .chain(metadata("agent metadata", |of| &of.agent_metadata))
        .chain(metadata("the scenario's", |of| &of.calling))
        .chain(reported_differences(baseline, run))
        .chain(limits)
        .chain(slight.into_iter().flatten())
        .collect();
    (grave.into_iter().flatten().chain(heard_otherwise).collect(), slight)
}

/// Differences in how the caller heard, where both are on record: another end of speech or another voice makes other
/// values of the same sound; the other limits only move when something counts as stuck or awkward.
fn hearing_differences(
    baseline: &Fingerprint,
    run: &Fingerprint,
) -> (Vec<Difference>, Vec<Difference>) {
    if baseline.hearing.is_empty() || run.hearing.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let keys: BTreeSet<&String> = baseline.hearing.keys().chain(run.hearing.keys()).collect();
    let of = |print: &Fingerprint, key: &str| print.hearing.get(key).cloned().unwrap_or_default();
    let changed = keys.into_iter().filter_map(|key| {
        let difference = differ(&format!("`{key}`"), &of(baseline, key), &of(run, key))?;
        Some((key.as_str(), difference))
    });
    let (grave, slight): (Vec<_>, Vec<_>) =
        changed.partition(|(key, _)| [SPEECH_GAP, IDENTITY, TRACKS].contains(key));
    let only = |all: Vec<(&str, Difference)>| all.into_iter().map(|(_, it)| it).collect();
    (only(grave), only(slight))
}

/// Differences in what agent and server report of themselves, where both sides report it.
fn reported_differences(baseline: &Fingerprint, run: &Fingerprint) -> Vec<Difference> {
    let both = |old: bool, new: bool| !old && !new;
    let mut all = Vec::new();
    if both(baseline.agent_options.is_empty(), run.agent_options.is_empty()) {
        let names: BTreeSet<&String> =
            baseline.agent_options.keys().chain(run.agent_options.keys()).collect();
        let of = |print: &Fingerprint, name: &str| {
            print.agent_options.get(name).cloned().unwrap_or_default()
        };
        all.extend(names.into_iter().filter_map(|name| {
            differ(&format!("agent option `{name}`"), &of(baseline, name), &of(run, name))
        }));
    }
    // Models that decide turns are known only where they were asked.
    for (kind, what) in TURN_MODELS {
        if let (Some(old), Some(new)) = (baseline.models_of(kind), run.models_of(kind)) {
            all.extend(differ(what, &old, &new));
        }
    }
    if both(baseline.models.is_empty(), run.models.is_empty()) {
        all.extend(differ("models", &other_models(baseline), &other_models(run)));
    }
    for (what, old, new) in [
        ("server", &baseline.server, &run.server),
        ("server version", &baseline.server_version, &run.server_version),
        ("server region", &baseline.server_region, &run.server_region),
    ] {
        if both(old.is_empty(), new.is_empty()) {
            all.extend(differ(what, old, new));
        }
    }
    all
}

/// The models that do not decide turns.
fn other_models(print: &Fingerprint) -> String {
    let decides = |model: &str| {
        TURN_MODELS
            .iter()
            .any(|(kind, _)| model.strip_prefix(kind).is_some_and(|m| m.starts_with(' ')))
    };
    joined(&print.models.iter().filter(|model| !decides(model)).cloned().collect())
}

/// Whether two runs may be compared, and what differs all the same.
pub(super) fn comparable(
    baseline: (&Fingerprint, &[StepPrint]),
    run: (&Fingerprint, &[StepPrint]),
) -> Result<Vec<Difference>, NotComparable> {
    let (mut grave, mut slight) = differences(baseline.0, run.0);
    let ids =
        |steps: &[StepPrint]| steps.iter().map(|s| s.id.clone()).collect::<Vec<_>>().join(", ");
    let steps = differ("steps", &ids(baseline.1), &ids(run.1));
    let other_steps = steps.is_some();
    grave.extend(steps);
    for (old, new) in baseline.1.iter().zip(run.1).filter(|(old, new)| old.id == new.id) {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let within =
            |step: &StepPrint| step.within_ms.map_or("none".to_owned(), |ms| format!("{ms} ms"));
        let of = |what: &str| format!("{what} of step `{}`", old.id);
        grave.extend(differ(&of("act"), &old.act, &new.act));
        grave.extend(differ(&of("audio"), &text(&old.audio), &text(&new.audio)));
        grave.extend(differ(&of("start"), &text(&old.start), &text(&new.start)));
        grave.extend(differ(&of("RPC"), &text(&old.signals), &text(&new.signals)));
        grave.extend(differ(&of("expectation"), &text(&old.expect), &text(&new.expect)));
        slight.extend(differ(&of("waiting time"), &within(old), &within(new)));
    }
    if grave.is_empty() {
        return Ok(slight);
    }
    Err(NotComparable { differences: grave, slight, other_steps })
}

fn differ(what: &str, baseline: &str, run: &str) -> Option<Difference> {
    (baseline != run).then(|| Difference {
        what: what.to_owned(),
        how: How::Values { baseline: shown(baseline), run: shown(run) },
    })
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN) {
        _ if value.is_empty() => "none".to_owned(),
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

fn metadata_differences(
    of: &str,
    baseline: &MetadataDigest,
    run: &MetadataDigest,
) -> Vec<Difference> {
    let difference = |(key, change): (Option<String>, KeyChange)| Difference {
        what: match key {
            Some(key) => format!("{of} `{}`", shown(&key)),
            None => of.to_owned(),
        },
        how: How::Key(change),
    };
    baseline.changes(run).into_iter().map(difference).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::Values { baseline, run } => write!(f, "{}: {baseline} → {run}", self.what),
            How::Key(KeyChange::Changed) => write!(f, "{} changed", self.what),
            How::Key(KeyChange::Added) => write!(f, "{} added", self.what),
            How::Key(KeyChange::Removed) => write!(f, "{} removed", self.what),
        }
    }
}

fn list(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests;
