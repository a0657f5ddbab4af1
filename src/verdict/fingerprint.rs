//! What a run was of, so that like is compared with like.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::{CallRecord, Observation, Run, SessionEvent};
use crate::scenario::{Act, Anchor, Expect, Load, Scenario};

/// Longest value of a difference that is printed whole, in characters.
const MAX_SHOWN: usize = 120;

/// What was run. Thresholds, the baseline rule and the number of calls are not in it: they do not
/// change what is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    pub scenario: String,
    /// Dispatch name.
    pub agent: String,
    /// JSON text handed to the agent: its configuration, which may be what is being compared.
    pub agent_metadata: String,
    /// As the agent says it: `python 1.8.9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_sdk: Option<String>,
    /// Its endpointing and interruption options as it reports them; where calls differ, all values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agent_options: BTreeMap<String, String>,
    /// The models it used: `llm openai/gpt-5`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub models: BTreeSet<String>,
    /// Host of the LiveKit server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// As the server says it: `1.9.0`, and its region where it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server_version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server_region: String,
    /// Calls at a time.
    pub concurrency: u32,
    pub loadcall_version: String,
    /// Of the caller: `linux, 2 cpus`.
    pub host: String,
}

/// One step as it was performed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepPrint {
    pub id: String,
    /// `listen`, `say`, `silence 2000 ms`.
    pub act: String,
    /// For people; the audio is what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    /// SHA-256 of the clip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    /// `agent_speech_end + 400 ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// `speaks`, `responds`, `yields`, `ignores`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// How long it was waited for. A change only moves the bound of what was not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub what: String,
    pub baseline: String,
    pub run: String,
}

/// The baseline is of something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not comparable with the baseline: {}; accept a run of the scenario as it is now{}",
    list(differences),
    if *other_steps { "" } else { ", or compare all the same with --allow-different" }
)]
pub struct NotComparable {
    /// What makes a comparison meaningless; at least one.
    pub differences: Vec<Difference>,
    /// What is only to be known.
    pub slight: Vec<Difference>,
    /// There are other steps, so turns have nothing to be compared with, whatever is allowed.
    pub other_steps: bool,
}

/// Whether a baseline of something else may be compared with all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Different {
    #[default]
    Blocks,
    Allowed,
}

impl NotComparable {
    /// All differences, when they are allowed and can be.
    pub fn allowed(self, different: Different) -> Result<Vec<Difference>, Self> {
        match different {
            Different::Allowed if !self.other_steps => {
                Ok(self.differences.into_iter().chain(self.slight).collect())
            }
            Different::Allowed | Different::Blocks => Err(self),
        }
    }
}

impl Fingerprint {
    pub fn of(run: &Run, scenario: &Scenario) -> Self {
        let Told { sdks, options, models } = Told::of(&run.calls);
        let server = run.head.server.as_ref();
        Self {
            scenario: scenario.name().to_owned(),
            agent: scenario.agent().name.clone(),
            agent_metadata: scenario.agent().metadata.clone(),
            agent_sdk: (!sdks.is_empty()).then(|| joined(&sdks)),
            agent_options: options.iter().map(|(name, all)| (name.clone(), joined(all))).collect(),
            models,
            server: host(&run.head.server_url).to_owned(),
            server_version: server.map(|s| s.version.clone()).unwrap_or_default(),
            server_region: server.map(|s| s.region.clone()).unwrap_or_default(),
            concurrency: match scenario.load() {
                Load::Once => 1,
                Load::Repeat { calls, concurrency } => {
                    u32::from(concurrency.get()).min(calls.get())
                }
            },
            loadcall_version: run.head.loadcall_version.clone(),
            host: format!("{}, {} cpus", run.head.host.os, run.head.host.cpus),
        }
    }

    /// What differs: first what makes a comparison meaningless, then what is only to be known.
    fn differences(&self, run: &Self) -> (Vec<Difference>, Vec<Difference>) {
        let concurrency = |of: &Self| of.concurrency.to_string();
        let sdk = |of: &Self| of.agent_sdk.clone().unwrap_or_else(|| "unknown".to_owned());
        let grave = [
            differ("scenario", &self.scenario, &run.scenario),
            differ("agent", &self.agent, &run.agent),
            differ("concurrency", &concurrency(self), &concurrency(run)),
        ];
        let slight = [
            differ("agent SDK", &sdk(self), &sdk(run)),
            differ("loadcall version", &self.loadcall_version, &run.loadcall_version),
            differ("caller's host", &self.host, &run.host),
        ];
        let metadata = metadata_differences(&self.agent_metadata, &run.agent_metadata);
        let slight = metadata
            .into_iter()
            .chain(self.told_differences(run))
            .chain(slight.into_iter().flatten())
            .collect();
        (grave.into_iter().flatten().collect(), slight)
    }

    /// Differences of what agent and server tell of themselves, where both sides know it.
    fn told_differences(&self, run: &Self) -> Vec<Difference> {
        let both = |old: bool, new: bool| !old && !new;
        let mut all = Vec::new();
        if both(self.agent_options.is_empty(), run.agent_options.is_empty()) {
            let names: BTreeSet<&String> =
                self.agent_options.keys().chain(run.agent_options.keys()).collect();
            let of = |print: &Self, name: &str| {
                print.agent_options.get(name).cloned().unwrap_or_default()
            };
            all.extend(names.into_iter().filter_map(|name| {
                differ(&format!("agent option `{name}`"), &of(self, name), &of(run, name))
            }));
        }
        if both(self.models.is_empty(), run.models.is_empty()) {
            all.extend(differ("models", &joined(&self.models), &joined(&run.models)));
        }
        for (what, old, new) in [
            ("server", &self.server, &run.server),
            ("server version", &self.server_version, &run.server_version),
            ("server region", &self.server_region, &run.server_region),
        ] {
            if both(old.is_empty(), new.is_empty()) {
                all.extend(differ(what, old, new));
            }
        }
        all
    }
}

/// What the agents of a run told of themselves.
#[derive(Default)]
struct Told {
    sdks: BTreeSet<String>,
    options: BTreeMap<String, BTreeSet<String>>,
    models: BTreeSet<String>,
}

impl Told {
    fn of(calls: &[CallRecord]) -> Self {
        let mut told = Self::default();
        for seen in calls.iter().flat_map(|call| &call.log) {
            let Observation::Session(event) = &seen.what else { continue };
            #[expect(clippy::wildcard_enum_match_arm, reason = "three messages of many")]
            match event {
                SessionEvent::Framework { sdk, sdk_version } => {
                    told.sdks.insert(format!("{sdk} {sdk_version}"));
                }
                SessionEvent::Options { options } => {
                    for (name, value) in options {
                        told.options.entry(name.clone()).or_default().insert(value.clone());
                    }
                }
                SessionEvent::Usage { models } => {
                    let name = |m: &crate::record::ModelUsage| {
                        format!("{} {}/{}", m.kind, m.provider, m.model)
                    };
                    told.models.extend(models.iter().map(name));
                }
                _ => {}
            }
        }
        told
    }
}

fn joined(values: &BTreeSet<String>) -> String {
    let all: Vec<&str> = values.iter().map(String::as_str).collect();
    all.join(" | ")
}

/// `wss://host.example:443/path` → `host.example`: ports of private servers are chance.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

impl StepPrint {
    /// The steps of a run.
    pub(super) fn all(run: &Run, scenario: &Scenario) -> Vec<Self> {
        let clips = run.head.clips.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let steps = scenario.steps().iter().zip(clips).map(|(step, clip)| {
            let (act, start) = match &step.act {
                Act::Listen => ("listen".to_owned(), None),
                Act::Say { start, .. } => {
                    let delay = start.delay.as_millis();
                    let start = format!("{} + {delay} ms", anchor(start.after));
                    ("say".to_owned(), Some(start))
                }
                Act::Silence { length } => (format!("silence {} ms", length.as_millis()), None),
            };
            let (expect, within) = match step.expect {
                None => (None, None),
                Some(Expect::Speaks { within }) => (Some("speaks"), Some(within)),
                Some(Expect::Responds { within }) => (Some("responds"), Some(within)),
                Some(Expect::Yields { within }) => (Some("yields"), Some(within)),
                Some(Expect::Ignores) => (Some("ignores"), None),
            };
            Self {
                id: step.id.clone(),
                act,
                clip: clip.map(|c| c.file.clone()),
                audio: clip.map(|c| c.sha256.clone()),
                start,
                expect: expect.map(str::to_owned),
                within_ms: within.map(|w| u64::try_from(w.as_millis()).unwrap_or(u64::MAX)),
            }
        });
        steps.collect()
    }
}

/// Whether two runs may be compared, and what should be known when they are.
pub(super) fn comparable(
    baseline: (&Fingerprint, &[StepPrint]),
    run: (&Fingerprint, &[StepPrint]),
) -> Result<Vec<Difference>, NotComparable> {
    let (mut grave, mut slight) = baseline.0.differences(run.0);
    let ids =
        |steps: &[StepPrint]| steps.iter().map(|s| s.id.clone()).collect::<Vec<_>>().join(", ");
    let steps = differ("steps", &ids(baseline.1), &ids(run.1));
    let other_steps = steps.is_some();
    grave.extend(steps);
    for (old, new) in baseline.1.iter().zip(run.1).filter(|(old, new)| old.id == new.id) {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let within =
            |step: &StepPrint| step.within_ms.map_or("nothing".to_owned(), |ms| format!("{ms} ms"));
        let of = |what: &str| format!("{what} of step `{}`", old.id);
        grave.extend(differ(&of("act"), &old.act, &new.act));
        grave.extend(differ(&of("audio"), &text(&old.audio), &text(&new.audio)));
        grave.extend(differ(&of("start"), &text(&old.start), &text(&new.start)));
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
        baseline: shown(baseline),
        run: shown(run),
    })
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN) {
        _ if value.is_empty() => "nothing".to_owned(),
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Which keys of the agent's metadata changed; the whole text where it is no JSON object.
fn metadata_differences(baseline: &str, run: &str) -> Vec<Difference> {
    type Object = BTreeMap<String, serde_json::Value>;
    let read = |text: &str| match text {
        "" => Ok(Object::new()),
        text => serde_json::from_str::<Object>(text),
    };
    let (Ok(old), Ok(new)) = (read(baseline), read(run)) else {
        return differ("agent metadata", baseline, run).into_iter().collect();
    };
    let text = |of: &Object, key: &str| of.get(key).map(ToString::to_string).unwrap_or_default();
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter_map(|key| {
            differ(&format!("agent metadata `{key}`"), &text(&old, key), &text(&new, key))
        })
        .collect()
}

fn anchor(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::SessionStart => "session_start",
        Anchor::AgentJoined => "agent_joined",
        Anchor::PreviousTurn => "previous_turn",
        Anchor::AgentSpeechStart => "agent_speech_start",
        Anchor::AgentSpeechEnd => "agent_speech_end",
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} and is {}", self.what, self.baseline, self.run)
    }
}

fn list(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests;
