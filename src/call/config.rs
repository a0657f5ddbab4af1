//! What is the same for all calls to one agent.

use super::access::Access;
use crate::clock::Clock;
use crate::record::CallId;
use crate::record::audio::tape::Taping;
use crate::room::packets::Sayable;
use crate::scenario::{Names, Scenario, Within, fill};
use livekit::webrtc::encoded::EncodedFrame;
use std::sync::Arc;
use tokio::sync::watch;

/// What all calls to one agent share.
#[derive(Debug, Clone)]
pub struct CallConfig {
    pub run_id: String,
    pub access: Access,
    pub scenario: Arc<Scenario>,
    /// The clip of each step, encoded once; `None` for a step that says nothing.
    pub clips: Arc<[Option<Sayable>]>,
    pub silence: EncodedFrame,
    pub clock: Clock,
    /// Keeps the packets that are heard; `None` when no audio is kept.
    pub taping: Option<Taping>,
    /// Becomes true when the user stops the run.
    pub stop: watch::Receiver<bool>,
}

impl CallConfig {
    /// The name we give a call's room: it is the session id of its traces, too, unless a start endpoint chooses another.
    pub fn room(&self, call: CallId) -> String {
        self.names(call).room
    }

    /// What the placeholders of a call stand for.
    pub(super) fn names(&self, call: CallId) -> Names {
        let run = self.run_id.clone();
        let agent = self.scenario.agent().name.clone();
        let mut names = Names { run, call: format!("{:03}", call.0), agent, ..Names::default() };
        names.room = self.scenario.room().name(&names);
        names.caller = fill(&self.scenario.caller().identity, &names, Within::Text);
        names
    }
}
