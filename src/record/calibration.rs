//! How far off the caller itself is, as `loadcall calibrate` found it on this machine.

use super::Host;
use serde::{Deserialize, Serialize};

/// A calibration. Milliseconds throughout; an error is measured minus true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// RFC 3339, UTC.
    pub at: String,
    pub loadcall_version: String,
    pub host: Host,
    /// Calls at a time, and calls in all.
    pub concurrency: u32,
    pub calls: u32,
    /// What the network between the caller and the agent was made to do.
    pub loss_percent: f64,
    pub jitter_ms: f64,
    pub errors: Vec<CalibrationError>,
}

/// The error of one measured thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationError {
    /// A metric's name, or what edge it is.
    pub of: String,
    /// How often it was measured, and how often only one of the two was there: the thing or its measurement.
    pub n: u64,
    pub missed: u64,
    /// The mean, with its 95 % interval.
    pub bias_ms: f64,
    pub bias_low_ms: f64,
    pub bias_high_ms: f64,
    /// Standard deviation, and the median of the signed error.
    pub sd_ms: f64,
    pub p50_ms: f64,
    /// Of its size, whatever its sign; the 99th percentile with its 95 % interval.
    pub abs_p95_ms: f64,
    pub abs_p99_ms: f64,
    pub abs_p99_low_ms: f64,
    pub abs_p99_high_ms: f64,
    pub abs_max_ms: f64,
}

impl Calibration {
    /// The error of this, when it was measured.
    pub fn error(&self, of: &str) -> Option<&CalibrationError> {
        self.errors.iter().find(|error| error.of == of)
    }

    /// Whether the network was left as it is.
    pub fn is_plain(&self) -> bool {
        self.loss_percent == 0.0 && self.jitter_ms == 0.0
    }
}
