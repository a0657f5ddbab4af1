//! A call with what it leaves behind: looked at as it begins, and after the caller has hung up, when its slot is free
//! for the next one.

use super::config::CallConfig;
use super::drive::call;
use crate::record::audio::tape::Tape;
use crate::record::{CallEnd, CallId, CallRecord, Outcome, Stamped, StateFound};
use crate::time::Offset;

/// A call that has ended, and what of its end state was there before.
#[derive(Debug)]
pub struct HungUp {
    pub record: CallRecord,
    /// What was heard, if that is kept.
    pub tape: Option<Tape>,
    before: Vec<StateFound>,
}

/// Places one call, as [`call`], and looks meanwhile at what is there before it.
pub async fn place(config: &CallConfig, id: CallId, due: Offset) -> HungUp {
    let before = async {
        let Some(states) = &config.access.end_states else { return Vec::new() };
        states.before(&config.names(id)).await
    };
    let ((record, tape), before) = tokio::join!(call(config, id, due), before);
    HungUp { record, tape, before }
}

impl HungUp {
    /// A call whose end state is not looked at.
    pub fn unchecked(record: CallRecord) -> Self {
        Self { record, tape: None, before: Vec::new() }
    }

    /// Looks at what it left behind; `None` when there is nothing to look at: a call that was not answered to its
    /// end has failed anyway.
    pub fn look(&self, config: &CallConfig) -> Option<impl Future<Output = Vec<Stamped>> + use<>> {
        let states = config.access.end_states.clone()?;
        let CallEnd { at, outcome, .. } = self.record.end;
        let mut names = config.names(self.record.id);
        names.room.clone_from(&self.record.room);
        let (before, clock, stop) = (self.before.clone(), config.clock, config.stop.clone());
        let look = async move { states.after(&names, &before, clock, at, stop).await };
        (outcome == Outcome::Answered).then_some(look)
    }
}
