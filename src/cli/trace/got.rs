//! What was got of the agent's side.

use crate::report::trace::Origin;
use crate::spans::AgentSpan;

/// Spans, and where they came from.
pub(super) struct Got {
    pub(super) spans: Vec<AgentSpan>,
    pub(super) origin: Origin,
    /// Where they can be seen.
    pub(super) links: Vec<String>,
    /// The session they are of, where whoever gave them tells it.
    pub(super) session: Option<String>,
}

impl Got {
    pub(super) const fn from(origin: Origin, spans: Vec<AgentSpan>) -> Self {
        Self { spans, origin, links: Vec::new(), session: None }
    }
}
