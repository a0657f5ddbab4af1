//! Numbers of a report: the summary of a metric and of the microphone's pacing, with their
//! distributions as text; histogram values are microseconds.

use crate::scenario::Metric;
use crate::stats::{Histogram, Quantile};
use crate::turn::{Media, Value};
use crate::verdict;

/// The values of one metric, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub metric: Metric,
    /// All values, censored ones among them.
    pub n: usize,
    /// Values of which only a lower bound is known.
    pub censored: usize,
    /// Values below zero, which the histogram shows as zero.
    pub below_zero: u64,
    /// An agent's figure that is always the same, which no measurement is.
    pub constant: bool,
    pub p50: Quantile,
    pub p90: Quantile,
    pub p95: Quantile,
    pub p99: Quantile,
    /// A lower bound as soon as any value is one.
    pub max: Quantile,
    /// [`Histogram`] in microseconds; censored values stand in it with their lower bound.
    pub histogram: String,
}

impl Summary {
    /// The summary of `values`; `None` when there are none. Values that are no numbers are left out.
    pub fn new(metric: Metric, values: &[Value]) -> Option<Self> {
        let sample = verdict::sample(values)?;
        let finite = values.iter().map(|v| v.value).filter(|value| value.is_finite());
        let histogram = Histogram::of(finite.map(micros));
        Some(Self {
            metric,
            n: sample.len(),
            censored: sample.censored(),
            below_zero: histogram.negative(),
            constant: false,
            p50: sample.quantile(50.0),
            p90: sample.quantile(90.0),
            p95: sample.quantile(95.0),
            p99: sample.quantile(99.0),
            max: sample.max(),
            histogram: text(&histogram),
        })
    }

    /// The quantiles under the names they have in `report.json`.
    pub fn quantiles(&self) -> [(&'static str, Quantile); 5] {
        [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p95", self.p95),
            ("p99", self.p99),
            ("max", self.max),
        ]
    }

    /// Whether there are so many values that the quantile of this name is another one than the largest. People are
    /// shown no others: they would be the largest value under another name.
    pub fn tells(&self, quantile: &str) -> bool {
        let least = match quantile {
            "p90" => 10,
            "p95" => 20,
            "p99" => 100,
            _ => 0,
        };
        self.n >= least
    }
}

/// How late microphone packets left, over all calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Pacing {
    /// Packets.
    pub n: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// [`Histogram`] in microseconds.
    pub histogram: String,
}

impl Pacing {
    /// The pacing of all calls together; `None` when no packet was sent. What cannot be read is left
    /// out (the verdict says so).
    pub fn summarize(media: &Media) -> Option<Self> {
        let verdict::Pacing { packets, p50_ms, p99_ms, max_ms, histogram, .. } =
            verdict::pacing(media)?;
        Some(Self { n: packets, p50_ms, p99_ms, max_ms, histogram: text(&histogram) })
    }
}

fn micros(ms: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    let us = (ms * 1_000.0).round() as i64;
    us
}

pub(super) fn text(histogram: &Histogram) -> String {
    histogram.to_base64().expect("memory can be written and the counts are below 2^63")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::CallId;
    use crate::report::fixture::{call, pacing, run, scenario};
    use crate::turn::analyse;

    fn values(of: &[f64]) -> Vec<Value> {
        of.iter().map(|&value| Value { call: CallId(0), step: 0, value, censored: false }).collect()
    }

    #[test]
    fn the_histogram_holds_every_value_in_microseconds() {
        let summary =
            Summary::new(Metric::Unattributed, &values(&[-3.0, 0.5, 1_234.0, 9.9e9])).unwrap();
        assert_eq!((summary.n, summary.below_zero, summary.censored), (4, 1, 0));
        let expect = Histogram::of([0, 500, 1_234_000, 3_600_000_000]);
        assert_eq!(Histogram::from_base64(&summary.histogram).unwrap(), expect);
    }

    #[test]
    fn a_censored_value_makes_the_maximum_a_lower_bound() {
        let mut of = values(&[100.0, 9_000.0]);
        of[0].censored = true;
        let summary = Summary::new(Metric::HeardE2eLatency, &of).unwrap();
        assert_eq!(summary.max, Quantile { value: 9_000.0, lower_bound: true });
        assert_eq!(summary.censored, 1);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let summary = Summary::new(Metric::LlmNodeTtft, &values(&[f64::NAN, f64::INFINITY, 5.0]));
        assert_eq!(summary.unwrap().n, 1);
        assert_eq!(Summary::new(Metric::LlmNodeTtft, &values(&[f64::NAN])), None);
        assert_eq!(Summary::new(Metric::LlmNodeTtft, &[]), None);
    }

    #[test]
    fn pacing_is_that_of_all_calls_together() {
        let mut calls = [call(0), call(1), call(2), call(3)];
        calls[0].media.pacing = pacing(&[100, 200, 300]);
        calls[1].media.pacing = pacing(&[20_000]);
        calls[2].media.pacing = "bm8gaGlzdG9ncmFt".to_owned();
        calls[3].media.pacing = String::new();
        let analysis = analyse(&run(calls.to_vec()), &scenario());
        let pacing = Pacing::summarize(&analysis.media).unwrap();
        assert_eq!(pacing.n, 4);
        assert!((pacing.p50_ms - 0.2).abs() < 0.001, "{pacing:?}");
        assert!((pacing.max_ms - 20.0).abs() < 0.02, "{pacing:?}");
        assert_eq!(Histogram::from_base64(&pacing.histogram).unwrap().count(), 4);
    }

    #[test]
    fn nothing_sent_is_no_pacing() {
        let mut one = call(0);
        one.media.pacing = String::new();
        let analysis = analyse(&run(vec![one]), &scenario());
        assert_eq!(Pacing::summarize(&analysis.media), None);
    }
}
