//! Numbers to quantiles with intervals and differences. Knows nothing of calls or agents: a value
//! has a cluster (what is resampled together) and a stratum (what may be compared with what).
//!
//! Three rules hold throughout:
//! - a value that was waited for in vain is a lower bound, never left out ([`Sample::quantile`]);
//! - values of one cluster are not independent, so clusters are resampled, not values;
//! - everything random comes from a seed, so a judgement can be repeated for ever.

mod bootstrap;
mod components;
mod histogram;
mod jackknife;
pub mod looks;
mod multiple;
mod paired;
pub mod power;
mod prediction;
mod ranked;
mod rate;
mod scale;
mod sample;
mod skewed;

pub use bootstrap::{
    DEFAULT_RESAMPLES, Difference, Resampling, difference, interval_of, mean_interval,
    sampling_deviation,
};
pub use components::{Component, Components, Logged, components};
pub use histogram::{Histogram, HistogramError};
pub use jackknife::{Estimate, drawn_in, jackknife};
pub use multiple::{holm, tarone_level};
pub use paired::{PairedDifference, Shift, location, mcnemar, shift};
pub use prediction::Prediction;
pub use ranked::{Ranked, RankedFigure, Ranks, third_cumulant, variance};
pub use rate::{ExactTest, Rate, more_misses, rate_difference};
pub use sample::{Mix, Point, Sample, Statistic, alike};
pub use scale::{down, up};
pub use skewed::Skewed;

use serde::{Deserialize, Serialize};

/// Standard errors from the middle of a normal 95 % interval to its ends.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// A quantile of possibly censored values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    pub value: f64,
    /// The quantile falls among censored values: the truth is at least `value`.
    pub lower_bound: bool,
}

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub point: f64,
    pub high: f64,
}

/// The standard deviation of values; 0 of fewer than two.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
pub fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

impl Interval {
    /// Half of the distance from `low` to `high`.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}
