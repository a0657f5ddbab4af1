//! What else was seen in the calls of a run: what the agents said of themselves, what failed, what is
//! missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{CallRecord, Dialect, ModelUsage, Observation, ReportedMetrics, SessionEvent};
use crate::text::clipped;

/// Characters of a text from outside that are kept.
const KEPT: usize = 160;

/// A text → in how many calls it was seen.
pub type Tally = BTreeMap<String, usize>;

/// Facts of all calls that belong to no turn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The agents' SDKs, e.g. `python 1.8.9`.
    pub sdks: Tally,
    /// The dialects in which the agents reported, where it is recorded.
    pub dialects: BTreeMap<Dialect, usize>,
    /// The agents' options by name, with every value that was reported.
    pub options: BTreeMap<String, BTreeSet<String>>,
    /// The models in use, e.g. `llm openai/gpt-5`.
    pub models: BTreeSet<String>,
    /// Errors the agents reported.
    pub errors: Tally,
    /// Tools that returned an error.
    pub failed_tools: Tally,
    /// Limits that were reached.
    pub limits: Tally,
    /// What agents said they were doing that were silent and busy for too long.
    pub stuck: Tally,
    /// Calls whose agent joined and reported nothing of itself.
    pub without_session: usize,
    /// Calls of agents that speak RTVI and sent no metrics by it.
    pub without_metrics: usize,
    /// Calls in which the agent's audio stalled.
    pub stalled: usize,
    /// Calls in which the agent's audio was never silent.
    pub never_silent: NeverSilent,
}

/// Calls with noise or music that never ends, and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NeverSilent {
    pub calls: usize,
    /// The loudest, in tenths of dBFS.
    loudest_tenths: Option<i32>,
}

impl NeverSilent {
    fn add(&mut self, level_dbfs: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
        let tenths = (level_dbfs * 10.0).round() as i32;
        self.calls += 1;
        self.loudest_tenths = self.loudest_tenths.max(Some(tenths));
    }

    /// The level in the call in which it was loudest.
    pub fn loudest_dbfs(&self) -> Option<f64> {
        self.loudest_tenths.map(|tenths| f64::from(tenths) / 10.0)
    }
}

impl Seen {
    pub(super) fn add(&mut self, call: &CallRecord) {
        let mut of_call = OfCall::default();
        for stamped in &call.log {
            #[expect(clippy::wildcard_enum_match_arm, reason = "five facts of many are wanted")]
            match &stamped.what {
                Observation::AgentJoined { .. } => of_call.joined = true,
                Observation::AgentMediaStalled => of_call.stalls += 1,
                Observation::AgentMediaWasSilent => of_call.stalls -= 1,
                Observation::AgentStuck { doing, .. } => note(&mut of_call.stuck, doing),
                Observation::NeverSilent { level_dbfs } => {
                    of_call.never_silent.get_or_insert(*level_dbfs);
                }
                Observation::LimitReached { what } => note(&mut of_call.limits, what),
                Observation::Session(event) => {
                    of_call.told = of_call.told.max(Told::Something);
                    self.add_event(&mut of_call, event);
                }
                _ => {}
            }
        }
        self.without_session += usize::from(of_call.joined && of_call.told == Told::Nothing);
        let is_rtvi = of_call.dialects.contains(&Dialect::Rtvi);
        self.without_metrics += usize::from(is_rtvi && of_call.told < Told::Metrics);
        for dialect in of_call.dialects {
            *self.dialects.entry(dialect).or_default() += 1;
        }
        self.stalled += usize::from(of_call.stalls > 0);
        of_call.never_silent.into_iter().for_each(|level| self.never_silent.add(level));
        for (into, texts) in [
            (&mut self.sdks, of_call.sdks),
            (&mut self.errors, of_call.errors),
            (&mut self.failed_tools, of_call.failed_tools),
            (&mut self.limits, of_call.limits),
            (&mut self.stuck, of_call.stuck),
        ] {
            for text in texts {
                *into.entry(text).or_default() += 1;
            }
        }
    }

    fn add_event(&mut self, of_call: &mut OfCall, event: &SessionEvent) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "eight messages of many are wanted")]
        match event {
            SessionEvent::Dialect(dialect) => {
                of_call.dialects.insert(*dialect);
            }
            SessionEvent::UserMessage { metrics, .. }
            | SessionEvent::AgentMessage { metrics, .. }
                if *metrics != ReportedMetrics::default() =>
            {
                of_call.told = Told::Metrics;
            }
            SessionEvent::Framework { sdk, sdk_version } => {
                note(&mut of_call.sdks, format!("{sdk} {sdk_version}").trim_end());
            }
            SessionEvent::Error { message } => note(&mut of_call.errors, message),
            SessionEvent::ToolsExecuted { tools } => {
                let failed = tools.iter().filter(|tool| tool.is_error);
                failed.for_each(|tool| note(&mut of_call.failed_tools, &tool.name));
            }
            SessionEvent::Options { options } => {
                for (name, value) in options {
                    self.options.entry(name.clone()).or_default().insert(value.clone());
                }
            }
            SessionEvent::Usage { models } => self.models.extend(models.iter().map(model_name)),
            _ => {}
        }
    }
}

/// How much an agent told of itself.
#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    #[default]
    Nothing,
    Something,
    Metrics,
}

/// What was seen in one call, each text once.
#[derive(Default)]
struct OfCall {
    joined: bool,
    told: Told,
    dialects: BTreeSet<Dialect>,
    /// Less those that turned out to be silence.
    stalls: i64,
    never_silent: Option<f64>,
    sdks: BTreeSet<String>,
    errors: BTreeSet<String>,
    failed_tools: BTreeSet<String>,
    limits: BTreeSet<String>,
    stuck: BTreeSet<String>,
}

fn note(into: &mut BTreeSet<String>, text: &str) {
    into.insert(clipped(text, KEPT));
}

fn model_name(model: &ModelUsage) -> String {
    format!("{} {}/{}", model.kind, model.provider, model.model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Outcome;
    use crate::turn::testing::{agent, call, joined, session};

    fn seen(reports: Vec<Vec<crate::record::Stamped>>) -> Seen {
        let mut seen = Seen::default();
        let log = [vec![joined(100)], reports].concat().concat();
        seen.add(&call(0, log, 5_000, Outcome::Answered));
        seen
    }

    #[test]
    fn how_agents_report_and_what_is_missing_is_counted_by_call() {
        let speaks = |dialect| session(200, SessionEvent::Dialect(dialect));
        let sdk = SessionEvent::Framework { sdk: "pipecat".into(), sdk_version: String::new() };
        let pipecat = || vec![speaks(Dialect::Rtvi), session(200, sdk.clone())];
        let without = seen(pipecat());
        assert_eq!((without.without_session, without.without_metrics), (0, 1));
        assert_eq!(without.dialects, BTreeMap::from([(Dialect::Rtvi, 1)]));
        assert_eq!(without.sdks, BTreeMap::from([("pipecat".to_owned(), 1)]));
        let with = seen([pipecat(), vec![agent(900, "hi", false, 250.0)]].concat());
        assert_eq!((with.without_session, with.without_metrics), (0, 0));
        // Agents of LiveKit say what they have; old recordings do not name their dialect.
        let livekit = seen(vec![speaks(Dialect::Session)]);
        assert_eq!((livekit.without_session, livekit.without_metrics), (0, 0));
        let silent = seen(Vec::new());
        assert_eq!((silent.without_session, silent.without_metrics), (1, 0));
        assert!(silent.dialects.is_empty());
    }
}
