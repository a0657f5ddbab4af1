//! What a role measured in a window, as it is sent to the one that started the role.

use serde::{Deserialize, Serialize};

/// What was measured in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) received: u64,
    /// Sequence numbers that did not come.
    pub(crate) lost: u64,
    /// Between two packets of a stream.
    pub(crate) gaps: u64,
    /// Beginnings and ends of speech that were heard.
    pub(crate) edges: u64,
    /// Calls that broke since they were up.
    pub(crate) broken: u64,
    /// How late packets left, in milliseconds.
    pub(crate) late_p50: f64,
    pub(crate) late_p99: f64,
    pub(crate) late_max: f64,
}
