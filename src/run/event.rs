//! What happens in a run: the one way from placing calls to whoever keeps, shows or sends it.

use crate::plan::{PlannedCall, TargetId};
use crate::record::CallRecord;
use crate::record::audio::tape::Tape;
use crate::time::Offset;

/// Something that happened, and when.
#[derive(Debug)]
pub struct Event {
    pub at: Offset,
    pub kind: EventKind,
}

#[derive(Debug)]
pub enum EventKind {
    /// A call is dialled now.
    Placed(PlannedCall),
    /// A call has ended, however it went. Its tape is there when audio is kept.
    Ended { target: TargetId, record: Box<CallRecord>, tape: Option<Tape> },
    /// The first calls to an agent all reached none, so no more calls are placed, to whichever agent.
    GaveUp { target: TargetId },
    /// So many calls to each agent decide what was asked, so no more are placed.
    Decided { calls: u32 },
    /// No more calls follow and none is in progress. The last event.
    Finished {
        /// The user stopped the run.
        stopped: bool,
    },
}

/// Takes in what happens in a run, in its order. It happens beside calls that are being measured, so
/// whatever can wait has to wait.
pub trait Sink {
    fn take(&mut self, event: &Event);
}
