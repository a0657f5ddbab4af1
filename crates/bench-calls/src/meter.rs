//! What a role counts, and what of it falls into the window.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use livekit::webrtc::encoded::{EncodedAudioSource, Pacing, ReceivedFrame};

use crate::{measured::Measured, role::Measure};

/// A longer silence between two packets is a gap that a listener hears.
const GAP: Duration = Duration::from_millis(100);

/// One call, as far as it is counted.
#[derive(Debug)]
pub(crate) struct Meter {
    received: AtomicU64,
    /// How far the sequence numbers have come, over all streams.
    expected: AtomicU64,
    gaps: AtomicU64,
    edges: AtomicU64,
    broken: AtomicU64,
    microphone: EncodedAudioSource,
}

/// Where a stream stands; kept by its reader.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    ssrc: u32,
    highest: u64,
    last: Instant,
}

impl Meter {
    pub(crate) fn new(microphone: EncodedAudioSource) -> Self {
        Self {
            received: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            edges: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            microphone,
        }
    }

    pub(crate) fn packet(&self, stream: &mut Option<Stream>, frame: &ReceivedFrame) {
        self.received.fetch_add(1, Ordering::Relaxed);
        let before = stream.filter(|stream| stream.ssrc == frame.ssrc);
        let came = before.map_or(1, |before| frame.seq.saturating_sub(before.highest));
        self.expected.fetch_add(came, Ordering::Relaxed);
        if before.is_some_and(|before| frame.arrival.saturating_duration_since(before.last) > GAP) {
            self.gaps.fetch_add(1, Ordering::Relaxed);
        }
        let highest = before.map_or(frame.seq, |before| before.highest.max(frame.seq));
        *stream = Some(Stream { ssrc: frame.ssrc, highest, last: frame.arrival });
    }

    pub(crate) fn edges(&self, edges: u64) {
        self.edges.fetch_add(edges, Ordering::Relaxed);
    }

    pub(crate) fn broke(&self) {
        self.broken.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            received: read(&self.received),
            expected: read(&self.expected),
            gaps: read(&self.gaps),
            edges: read(&self.edges),
            broken: read(&self.broken),
            pacing: self.microphone.pacing(),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Counts {
    received: u64,
    expected: u64,
    gaps: u64,
    edges: u64,
    broken: u64,
    pacing: Pacing,
}

/// All calls of a role.
#[derive(Debug)]
pub(crate) struct Meters<'a> {
    meters: &'a std::sync::Mutex<Vec<std::sync::Arc<Meter>>>,
    begun: Vec<Counts>,
}

impl<'a> Meters<'a> {
    pub(crate) fn new(meters: &'a std::sync::Mutex<Vec<std::sync::Arc<Meter>>>) -> Self {
        Self { meters, begun: Vec::new() }
    }

    fn counts(&self) -> Vec<Counts> {
        let meters = self.meters.lock().map(|meters| meters.clone()).unwrap_or_default();
        meters.iter().map(|meter| meter.counts()).collect()
    }
}

impl Measure for Meters<'_> {
    fn begin(&mut self) {
        self.begun = self.counts();
    }

    fn end(&mut self) -> Measured {
        let (mut measured, mut late) = (Measured::default(), Pacing::default());
        let none = Counts::default();
        for (index, end) in self.counts().into_iter().enumerate() {
            let begin = self.begun.get(index).unwrap_or(&none);
            let received = end.received - begin.received;
            measured.received += received;
            measured.lost += (end.expected - begin.expected).saturating_sub(received);
            measured.gaps += end.gaps - begin.gaps;
            measured.edges += end.edges - begin.edges;
            measured.broken += end.broken;
            late.merge(&end.pacing.since(&begin.pacing));
        }
        let quantile = |q: f64| quantile(&late, q).as_secs_f64() * 1_000.0;
        (measured.late_p50, measured.late_p99) = (quantile(0.5), quantile(0.99));
        measured.late_max = late.buckets().last().map_or(0.0, |(late, _)| late.as_secs_f64() * 1e3);
        measured
    }
}

fn quantile(late: &Pacing, q: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "far fewer packets than 2^52")]
    let rank = late.sent() as f64 * q;
    let mut seen = 0.0;
    for (bound, n) in late.buckets() {
        #[expect(clippy::cast_precision_loss, reason = "far fewer packets than 2^52")]
        let n = n as f64;
        seen += n;
        if seen >= rank {
            return bound;
        }
    }
    Duration::ZERO
}
