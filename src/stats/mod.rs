//! Numbers to quantiles with intervals and differences. Knows nothing of calls or agents.

/// A quantile of possibly censored values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    pub value: f64,
    /// The quantile falls among censored values: the truth is at least `value`.
    pub lower_bound: bool,
}

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub point: f64,
    pub high: f64,
}
