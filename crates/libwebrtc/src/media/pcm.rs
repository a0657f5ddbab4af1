//! What a PCM source has captured, cut into periods.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::grid::{CATCH_UP, Grid};

/// Without a queue there is no back-pressure; more than this is never kept, the oldest goes first.
const DIRECT_LIMIT: Duration = Duration::from_millis(500);

/// Sampling rate and channels of PCM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PcmShape {
    pub(crate) rate: u32,
    pub(crate) channels: u32,
}

impl PcmShape {
    /// Whether sources and sinks of this shape can be served: mono or stereo at a multiple of 50 Hz, so that 20 ms are
    /// a whole number of samples.
    pub(crate) fn is_supported(self) -> bool {
        (8_000..=192_000).contains(&self.rate)
            && self.rate.is_multiple_of(50)
            && (1..=2).contains(&self.channels)
    }

    /// Samples of all channels in `time`, always whole samples of every channel.
    pub(crate) fn samples(self, time: Duration) -> usize {
        let per_channel = time.as_micros() * u128::from(self.rate) / 1_000_000;
        usize::try_from(per_channel).unwrap_or(usize::MAX).saturating_mul(self.channels as usize)
    }

    /// Samples of all channels in one period.
    pub(crate) fn period(self) -> usize {
        self.samples(super::PERIOD)
    }
}

/// The samples of a source on their way into periods.
///
/// Time alone moves samples on, as in a sound card: a period takes what is waiting when it is complete, whether or not
/// somebody sends it. All senders of the source get the same periods.
///
/// With a queue, a period without samples is silence. Without one (`queue` is zero) it does not exist and nothing is
/// sent for it.
#[derive(Debug)]
pub(crate) struct PcmTimeline {
    grid: Grid,
    shape: PcmShape,
    /// In samples of all channels.
    queue: usize,
    waiting: VecDeque<i16>,
    /// The first period that has not taken its samples yet.
    next: u64,
    readers: Vec<Reader>,
    /// Periods that some reader has still to fetch; at most [`CATCH_UP`].
    recent: VecDeque<(u64, Arc<[i16]>)>,
    last_reader: u64,
}

#[derive(Debug)]
struct Reader {
    id: ReaderId,
    next: u64,
}

/// Names a sender that reads the periods of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReaderId(u64);

impl PcmTimeline {
    pub(crate) fn new(grid: Grid, shape: PcmShape, queue: Duration, now: Instant) -> Self {
        Self {
            grid,
            shape,
            queue: shape.samples(queue),
            waiting: VecDeque::new(),
            next: grid.current(now),
            readers: Vec::new(),
            recent: VecDeque::new(),
            last_reader: 0,
        }
    }

    pub(crate) fn grid(&self) -> Grid {
        self.grid
    }

    pub(crate) fn shape(&self) -> PcmShape {
        self.shape
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.queue == 0
    }

    /// Samples of all channels that fit into the queue, the size in which to hand over longer frames.
    pub(crate) fn queue(&self) -> usize {
        self.queue
    }

    /// Takes samples, at most a [`queue`](Self::queue) length, unless there is no room: then it says when to try again.
    /// Up to two queue lengths may wait, so that a frame is taken at once and its caller held back afterwards, see
    /// [`next_push`](Self::next_push).
    pub(crate) fn push(&mut self, now: Instant, samples: &[i16]) -> Result<(), Instant> {
        self.advance(self.grid.current(now));
        if self.is_direct() {
            self.waiting.extend(samples);
            let excess = self.waiting.len().saturating_sub(self.shape.samples(DIRECT_LIMIT));
            self.waiting.drain(..excess);
            return Ok(());
        }
        let limit = (2 * self.queue).saturating_sub(samples.len());
        if self.waiting.len() > limit {
            return Err(self.drained_to(limit));
        }
        self.waiting.extend(samples);
        Ok(())
    }

    /// The instant until which the caller of [`push`](Self::push) must wait so that not more than a queue length is
    /// ahead of the clock; `None` if that is so now.
    pub(crate) fn next_push(&mut self, now: Instant) -> Option<Instant> {
        self.advance(self.grid.current(now));
        (!self.is_direct() && self.waiting.len() > self.queue).then(|| self.drained_to(self.queue))
    }

    /// Forgets the samples that no period has taken yet.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Adds a sender that will fetch every period from the one in progress at `now`; returns that period.
    pub(crate) fn attach(&mut self, now: Instant) -> (ReaderId, u64) {
        let current = self.grid.current(now);
        self.advance(current);
        if self.is_direct() && self.readers.is_empty() {
            self.waiting.clear();
        }
        self.last_reader += 1;
        let id = ReaderId(self.last_reader);
        self.readers.push(Reader { id, next: current });
        (id, current)
    }

    pub(crate) fn detach(&mut self, id: ReaderId) {
        self.readers.retain(|reader| reader.id != id);
        self.forget();
    }

    /// The samples of a period that is complete; `None` if it has none, or they are not kept any more.
    pub(crate) fn fetch(&mut self, id: ReaderId, index: u64) -> Option<Arc<[i16]>> {
        self.advance(index.saturating_add(1));
        let found =
            self.recent.iter().find(|(i, _)| *i == index).map(|(_, samples)| Arc::clone(samples));
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.id == id) {
            reader.next = reader.next.max(index.saturating_add(1));
        }
        self.forget();
        found
    }

    /// Lets all periods before `end` take their samples.
    fn advance(&mut self, end: u64) {
        let due = end.saturating_sub(self.next);
        // Nobody can fetch these any more (or ever could): their samples have just gone by.
        let unheard = if self.readers.is_empty() { due } else { due.saturating_sub(CATCH_UP) };
        let gone =
            usize::try_from(unheard).unwrap_or(usize::MAX).saturating_mul(self.shape.period());
        self.waiting.drain(..gone.min(self.waiting.len()));
        self.next = self.next.max(end.saturating_sub(due - unheard));
        while self.next < end {
            if let Some(samples) = self.take_period() {
                self.recent.push_back((self.next, samples));
            }
            self.next += 1;
        }
        let excess =
            self.recent.len().saturating_sub(usize::try_from(CATCH_UP).unwrap_or(usize::MAX));
        self.recent.drain(..excess);
    }

    fn take_period(&mut self) -> Option<Arc<[i16]>> {
        let len = self.shape.period();
        if self.is_direct() && self.waiting.len() < len {
            return None;
        }
        let have = len.min(self.waiting.len());
        let silence = std::iter::repeat_n(0, len - have);
        Some(self.waiting.drain(..have).chain(silence).collect())
    }

    /// Drops the periods that all readers have fetched.
    fn forget(&mut self) {
        let needed = self.readers.iter().map(|reader| reader.next).min().unwrap_or(u64::MAX);
        self.recent.retain(|(index, _)| *index >= needed);
    }

    /// When time will have taken all but `rest` samples.
    fn drained_to(&self, rest: usize) -> Instant {
        let periods = self.waiting.len().saturating_sub(rest).div_ceil(self.shape.period().max(1));
        self.grid.deadline(self.next.saturating_add(periods as u64).saturating_sub(1))
    }
}

#[cfg(test)]
mod tests;
