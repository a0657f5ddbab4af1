//! Histograms as reports and recordings carry them: `HdrHistogram` V2 with DEFLATE, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

/// Significant decimal digits that are kept of a value.
const DIGITS: u8 = 3;
/// Anything longer is counted as this: an hour, in microseconds.
const LARGEST_US: u64 = 3_600_000_000;
/// Base64 characters of the longest histogram that is read. One over an hour with three digits that
/// has a different count in every bucket stays below half of it.
const MAX_TEXT: usize = 256 * 1024;

/// Counts of times in microseconds, to three digits.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    negative: u64,
}

/// Why a histogram could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    #[error("a histogram of {0} characters is longer than the {MAX_TEXT} that are read")]
    TooLong(usize),
    #[error("a histogram is not base64: {0}")]
    NotBase64(#[from] base64::DecodeError),
    #[error("a histogram is not HdrHistogram V2: {0}")]
    NotV2(#[from] hdrhistogram::serialization::DeserializeError),
    #[error("a histogram has values that do not fit an hour in microseconds: {0}")]
    OutOfRange(#[from] hdrhistogram::errors::AdditionError),
    #[error("a histogram could not be written: {0}")]
    Write(#[from] hdrhistogram::serialization::V2DeflateSerializeError),
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = hdrhistogram::Histogram::new_with_max(LARGEST_US, DIGITS)
            .expect("an hour with three digits is within what the format can hold");
        Self { counts, negative: 0 }
    }
}

impl Histogram {
    /// A histogram of times in microseconds.
    pub fn of(values_us: impl IntoIterator<Item = i64>) -> Self {
        let mut histogram = Self::default();
        for value in values_us {
            histogram.record(value);
        }
        histogram
    }

    /// Counts one time in microseconds. A negative one (a reply that began before the caller had
    /// ended) is counted as 0, and in [`Self::negative`]; one over an hour as an hour.
    pub fn record(&mut self, value_us: i64) {
        if value_us < 0 {
            self.negative += 1;
        }
        self.counts.saturating_record(u64::try_from(value_us).unwrap_or(0));
    }

    /// Adds another histogram's counts to these.
    pub fn merge(&mut self, other: &Self) -> Result<(), HistogramError> {
        self.counts.add(&other.counts)?;
        self.negative += other.negative;
        Ok(())
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// How many negative values were counted as 0 (not kept in the text form).
    pub fn negative(&self) -> u64 {
        self.negative
    }

    /// The time at `percent` (0 to 100) in milliseconds, to three digits; `None` of nothing.
    pub fn percentile_ms(&self, percent: f64) -> Option<f64> {
        (!self.counts.is_empty()).then(|| ms(self.counts.value_at_percentile(percent)))
    }

    /// The largest time in milliseconds, to three digits; `None` of nothing.
    pub fn max_ms(&self) -> Option<f64> {
        (!self.counts.is_empty()).then(|| ms(self.counts.max()))
    }

    /// The text form. Equal counts give equal text.
    pub fn to_base64(&self) -> Result<String, HistogramError> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.counts, &mut bytes)?;
        Ok(STANDARD.encode(bytes))
    }

    /// Reads what [`Self::to_base64`] or any other V2 writer wrote.
    pub fn from_base64(text: &str) -> Result<Self, HistogramError> {
        if text.len() > MAX_TEXT {
            return Err(HistogramError::TooLong(text.len()));
        }
        let bytes = STANDARD.decode(text)?;
        let read = Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice())?;
        let mut histogram = Self::default();
        histogram.counts.add(&read)?;
        Ok(histogram)
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour in microseconds fits an f64")]
fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_three_digits() {
        let h = Histogram::of([1_000, 2_000, 1_234_567]);
        assert_eq!(h.count(), 3);
        let p50 = h.percentile_ms(50.0).expect("values");
        assert!((p50 - 2.0).abs() < 0.002, "{p50}");
        let max = h.max_ms().expect("values");
        assert!((max - 1_234.567).abs() < 1.3, "{max}");
        assert_eq!(Histogram::default().percentile_ms(50.0), None);
    }

    #[test]
    fn negative_and_endless_values_are_counted_at_the_ends() {
        let h = Histogram::of([-1, -5_000_000, 0, i64::MAX]);
        assert_eq!((h.count(), h.negative()), (4, 2));
        assert_eq!(h.percentile_ms(75.0), Some(0.0));
        assert!(h.max_ms().expect("values") >= 3_600_000.0);
    }

    #[test]
    fn refuses_what_is_no_histogram() {
        let fails = |text: &str| Histogram::from_base64(text).expect_err("no histogram");
        assert!(matches!(fails("%%%"), HistogramError::NotBase64(_)));
        assert!(matches!(fails(""), HistogramError::NotV2(_)));
        assert!(matches!(fails("AAAAAAAA"), HistogramError::NotV2(_)));
        assert!(matches!(fails(&"A".repeat(MAX_TEXT + 1)), HistogramError::TooLong(_)));
    }

    proptest! {
        #[test]
        fn text_and_back(values in prop::collection::vec(0_i64..4_000_000_000, 0..200)) {
            let h = Histogram::of(values);
            let text = h.to_base64().expect("written");
            prop_assert_eq!(&Histogram::from_base64(&text).expect("read"), &h);
        }

        #[test]
        fn merging_is_counting_together(
            a in prop::collection::vec(-10_i64..100_000, 0..50),
            b in prop::collection::vec(-10_i64..100_000, 0..50),
        ) {
            let mut merged = Histogram::of(a.clone());
            merged.merge(&Histogram::of(b.clone())).expect("same range");
            prop_assert_eq!(merged, Histogram::of(a.into_iter().chain(b)));
        }
    }
}
