//! What a run was of, so that like is compared with like.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::record::{ClipFact, MetadataDigest, RunHead};
use crate::scenario::metadata::refers;
use crate::scenario::{
    Act, Anchor, CallerKind, Expect, Listening, Load, Rpc, Scenario, Signals, Wildcard,
};
use crate::turn::Analysis;

/// The format since which the metrics are defined as they are now. Values of another definition are not
/// compared with today's.
pub(super) const DEFINITION: u32 = 4;

/// Keys of the scenario that make values others when they change.
pub(crate) const SPEECH_GAP: &str = "turn_taking.speech_gap";
pub(crate) const IDENTITY: &str = "agent.identity";
pub(crate) const TRACKS: &str = "agent.tracks";

/// What was run. Thresholds, the baseline rule and the number of calls are not in it: they do not
/// change what is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The format of `measured.json` whose metrics these are; the file says it for all its runs.
    #[serde(skip)]
    pub definition: u32,
    pub scenario: String,
    /// Dispatch name.
    pub agent: String,
    /// Of what it was dispatched with: its configuration, which may be what is being compared.
    pub agent_metadata: MetadataDigest,
    /// The start endpoint that sends the agent, without credentials, port and query.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub start: String,
    /// Of the rest of how a call comes about: what a start endpoint gets, who the caller is, what the room holds.
    #[serde(default, skip_serializing_if = "MetadataDigest::is_empty")]
    pub calling: MetadataDigest,
    /// As the agent says it: `python 1.8.9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_sdk: Option<String>,
    /// Its endpointing and interruption options as it reports them; where calls differ, all values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agent_options: BTreeMap<String, String>,
    /// The models it used: `llm openai/gpt-5`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub models: BTreeSet<String>,
    /// What tells turns apart and whose voice counts, by the key of the scenario; empty in files of before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hearing: BTreeMap<String, String>,
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
pub struct StepPrint {
    pub id: String,
    /// `listen`, `say`, `silence 2000 ms`.
    pub act: String,
    /// For people; the audio is what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    /// SHA-256 of the clip, and the channel and the end that were chosen of it.
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
    /// The methods of the agent that are called around the clip: `before start_turn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<String>,
}

impl Fingerprint {
    /// The fingerprint of a run of `scenario`.
    pub fn take(analysis: &Analysis, scenario: &Scenario) -> Self {
        let Analysis { head, seen, .. } = analysis;
        let sdks: BTreeSet<String> = seen.sdks.keys().cloned().collect();
        let server = head.server.as_ref();
        Self {
            definition: DEFINITION,
            scenario: scenario.name().to_owned(),
            agent: scenario.agent().name.clone(),
            agent_metadata: agent_metadata(head, scenario),
            start: scenario.dispatch().map(|http| endpoint(&http.url)).unwrap_or_default(),
            calling: calling(scenario),
            agent_sdk: (!sdks.is_empty()).then(|| joined(&sdks)),
            agent_options: seen
                .options
                .iter()
                .map(|(name, all)| (name.clone(), joined(all)))
                .collect(),
            models: seen.models.clone(),
            hearing: hearing(scenario),
            server: host(&head.server_url).to_owned(),
            server_version: server.map(|s| s.version.clone()).unwrap_or_default(),
            server_region: server.map(|s| s.region.clone()).unwrap_or_default(),
            concurrency: match scenario.load() {
                Load::Once => 1,
                Load::Repeat { calls, concurrency } => {
                    u32::from(concurrency.get()).min(calls.get())
                }
            },
            loadcall_version: head.loadcall_version.clone(),
            host: format!("{}, {} cpus", head.host.os, head.host.cpus),
        }
    }
}

/// The kinds of models that decide turns, as usage names them, and what they are for people.
pub(crate) const TURN_MODELS: [(&str, &str); 2] =
    [("eot", "end-of-turn model"), ("interruption", "interruption model")];

impl Fingerprint {
    /// The models of a kind, as `livekit/turn-detector-v1`; `None` where the usage shows none, which does not mean that
    /// there is none: it shows those that were asked.
    pub fn models_of(&self, kind: &str) -> Option<String> {
        let of_kind =
            self.models.iter().filter_map(|model| model.strip_prefix(kind)?.strip_prefix(' '));
        let all: BTreeSet<String> = of_kind.map(str::to_owned).collect();
        (!all.is_empty()).then(|| joined(&all))
    }
}

/// How the caller hears: the same calls, heard otherwise, give other values.
fn hearing(scenario: &Scenario) -> BTreeMap<String, String> {
    let taking = scenario.turn_taking();
    let ms = |length: Duration| format!("{} ms", length.as_millis());
    let mut all = BTreeMap::from([
        (SPEECH_GAP.to_owned(), ms(taking.speech_gap)),
        ("turn_taking.busy_limit".to_owned(), ms(taking.busy_limit)),
        ("turn_taking.awkward_silence".to_owned(), ms(taking.awkward_silence)),
        (
            "turn_taking.awkward_silence_with_tools".to_owned(),
            ms(taking.awkward_silence_with_tools),
        ),
    ]);
    let Listening { identity, tracks } = &scenario.agent().listening;
    if let Some(identity) = identity {
        all.insert(IDENTITY.to_owned(), identity.as_str().to_owned());
    }
    if !tracks.is_empty() {
        let names: Vec<&str> = tracks.iter().map(Wildcard::as_str).collect();
        all.insert(TRACKS.to_owned(), names.join(", "));
    }
    all
}

/// The metadata the agent was dispatched with: that of its side in an A/B run, else the scenario's.
pub fn agent_metadata(head: &RunHead, scenario: &Scenario) -> MetadataDigest {
    match &head.arm {
        Some(arm) => arm.agent_metadata.clone(),
        None => MetadataDigest::digest(&scenario.agent().metadata),
    }
}

pub(crate) fn joined(values: &BTreeSet<String>) -> String {
    let all: Vec<&str> = values.iter().map(String::as_str).collect();
    all.join(" | ")
}

/// `https://me:pw@host.example:443/path?key` → `https://host.example/path`; a reference to a variable is its name.
fn endpoint(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|_| !refers(url)) else {
        return url.replace('"', "");
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{}{path}", host(authority))
}

/// Digests of how a call comes about, by the key of the scenario; what is as usual is left out.
fn calling(scenario: &Scenario) -> MetadataDigest {
    let (caller, room) = (scenario.caller(), scenario.room());
    let mut all = BTreeMap::new();
    let mut add = |key: &str, text: String| {
        if !text.is_empty() {
            all.insert(key.to_owned(), text);
        }
    };
    if let Some(http) = scenario.dispatch() {
        add("dispatch.body", http.body.clone());
        let headers = http.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        add("dispatch.headers", headers.collect());
    }
    add("room.metadata", room.metadata.clone());
    add("caller.name", caller.name.clone());
    add("caller.metadata", caller.metadata.clone());
    let attributes = caller.attributes.iter().map(|(name, value)| format!("{name}={value}\n"));
    add("caller.attributes", attributes.collect());
    if caller.kind != CallerKind::Standard {
        add("caller.kind", caller.kind.name().to_owned());
    }
    if all.is_empty() {
        return MetadataDigest::default();
    }
    MetadataDigest::digest(&serde_json::to_string(&all).unwrap_or_default())
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
    pub fn all(head: &RunHead, scenario: &Scenario) -> Vec<Self> {
        let clips = head.clips.iter().map(Option::as_ref).chain(std::iter::repeat(None));
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
                audio: clip.map(ClipFact::said),
                start,
                expect: expect.map(str::to_owned),
                within_ms: within.map(|w| u64::try_from(w.as_millis()).unwrap_or(u64::MAX)),
                signals: signals(&step.signals),
            }
        });
        steps.collect()
    }
}

fn signals(Signals { before, after }: &Signals) -> Option<String> {
    let of =
        |when: &str, rpc: &Option<Rpc>| rpc.as_ref().map(|rpc| format!("{when} {}", rpc.method));
    let all: Vec<String> =
        [of("before", before), of("after", after)].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(", "))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_its_place() {
        for (url, expected) in [
            ("http://127.0.0.1:7860/start?key=1", "http://127.0.0.1/start"),
            ("https://me:pw@h.example", "https://h.example"),
            ("https://{{agent}}.example/{{run}}/x#y", "https://{{agent}}.example/{{run}}/x"),
            (r#"{"$env":"START_URL"}"#, "{$env:START_URL}"),
        ] {
            assert_eq!(endpoint(url), expected);
        }
    }

    #[test]
    fn how_a_call_comes_about_is_kept_as_digests() {
        let of = |text: &str| {
            let head = "version: 1\nname: a\nturns: [{id: b, silence: 1s}]\n";
            calling(&crate::scenario::testing::parsed(&format!("{head}{text}\n")))
        };
        assert!(of("room: {prefix: x-}").is_empty());
        let sip = of("caller: {kind: sip, attributes: {sip.phoneNumber: \"+15550100\"}}");
        let text = serde_json::to_string(&sip).unwrap();
        assert!(text.contains("caller.kind") && !text.contains("15550100"), "{text}");
        let other = of("caller: {kind: sip, attributes: {sip.phoneNumber: \"+15550101\"}}");
        assert_eq!(sip.changes(&other).len(), 1);
        let start = |body: &str| {
            of(&format!("dispatch: {{http: {{url: \"http://h\", body: {body}, room: $.r}}}}"))
        };
        assert_eq!(start("{a: 1}").changes(&start("{a: 2}")).len(), 1);
    }

    #[test]
    fn how_the_caller_hears_is_kept_by_key() {
        let of = |text: &str| {
            let head = "version: 1\nname: a\nturns: [{id: b, silence: 1s}]\n";
            hearing(&crate::scenario::testing::parsed(&format!("{head}{text}\n")))
        };
        let usual = of("");
        assert_eq!(usual.len(), 4);
        let other = of(
            "turn_taking: {speech_gap: 900ms}\nagent: {name: x, identity: bot-*, tracks: [voice, tts]}",
        );
        assert_eq!(other[SPEECH_GAP], "900 ms");
        assert_eq!((other[IDENTITY].as_str(), other[TRACKS].as_str()), ("bot-*", "voice, tts"));
    }

    #[test]
    fn a_server_is_its_host() {
        for (url, expected) in [
            ("ws://127.0.0.1:39709", "127.0.0.1"),
            ("wss://x.livekit.cloud/path", "x.livekit.cloud"),
            ("", ""),
        ] {
            assert_eq!(host(url), expected);
        }
    }

    #[test]
    fn a_clip_of_which_something_else_is_said_is_another() {
        let old = r#"{"file": "a.wav", "sha256": "00ff", "text": null, "voiced_ms": 1500.0}"#;
        let old: ClipFact = serde_json::from_str(old).unwrap();
        assert_eq!(old.said(), "00ff");
        let ended = ClipFact { end_given_ms: Some(2_400.0), ..old.clone() };
        assert_eq!(ended.said(), "00ff, end 2400 ms");
        let left = ClipFact { channel: Some("left".to_owned()), ..ended };
        assert_eq!(left.said(), "00ff, channel left, end 2400 ms");
        let again: ClipFact = serde_json::from_str(&serde_json::to_string(&left).unwrap()).unwrap();
        assert_eq!(again, left);
    }
}
