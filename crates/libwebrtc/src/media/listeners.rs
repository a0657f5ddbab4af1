//! Who listens to a remote track.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

use parking_lot::Mutex;

use super::{PcmShape, Queue};
use crate::types::{audio_frame::AudioFrame, packets::ReceivedFrame};

/// A reader of decoded audio.
#[derive(Debug)]
pub(crate) struct PcmSink {
    shape: PcmShape,
    queue: Queue<AudioFrame<'static>>,
}

impl PcmSink {
    /// A sink that keeps up to `capacity` frames of 10 ms.
    pub(crate) fn new(shape: PcmShape, capacity: usize) -> Self {
        Self { shape, queue: Queue::new(capacity) }
    }

    pub(crate) fn shape(&self) -> PcmShape {
        self.shape
    }

    pub(crate) fn queue(&self) -> &Queue<AudioFrame<'static>> {
        &self.queue
    }
}

/// A reader of packets as they arrive.
#[derive(Debug)]
pub(crate) struct Tap {
    batch: u32,
    queue: Queue<ReceivedFrame>,
}

impl Tap {
    /// A tap that keeps up to `capacity` packets, for a reader that takes `batch` of them at a time.
    pub(crate) fn new(batch: u32, capacity: usize) -> Self {
        Self { batch: batch.max(1), queue: Queue::new(capacity) }
    }

    pub(crate) fn batch(&self) -> u32 {
        self.batch
    }

    pub(crate) fn queue(&self) -> &Queue<ReceivedFrame> {
        &self.queue
    }
}

/// The readers of a track. The receiving side looks at [`generation`](Self::generation) before it copies the lists.
#[derive(Debug)]
pub(crate) struct Listeners {
    lists: Mutex<Lists>,
    generation: AtomicU64,
    wake: Waker,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    pub(crate) sinks: Vec<Arc<PcmSink>>,
    pub(crate) taps: Vec<Arc<Tap>>,
    ended: bool,
}

impl Listeners {
    pub(crate) fn new(wake: Waker) -> Self {
        Self { lists: Mutex::default(), generation: AtomicU64::new(0), wake }
    }

    pub(crate) fn add_sink(&self, sink: &Arc<PcmSink>) {
        self.change(|lists| {
            lists.sinks.push(Arc::clone(sink));
            if lists.ended {
                sink.queue().end();
            }
        });
    }

    pub(crate) fn add_tap(&self, tap: &Arc<Tap>) {
        self.change(|lists| {
            lists.taps.push(Arc::clone(tap));
            if lists.ended {
                tap.queue().end();
            }
        });
    }

    pub(crate) fn remove_sink(&self, sink: &Arc<PcmSink>) {
        self.change(|lists| lists.sinks.retain(|other| !Arc::ptr_eq(other, sink)));
    }

    pub(crate) fn remove_tap(&self, tap: &Arc<Tap>) {
        self.change(|lists| lists.taps.retain(|other| !Arc::ptr_eq(other, tap)));
    }

    /// Nothing more will be received.
    pub(crate) fn end(&self) {
        self.change(|lists| {
            lists.ended = true;
            lists.sinks.iter().for_each(|sink| sink.queue().end());
            lists.taps.iter().for_each(|tap| tap.queue().end());
        });
    }

    /// A number that changes with the lists.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn lists(&self) -> Lists {
        self.lists.lock().clone()
    }

    fn change(&self, edit: impl FnOnce(&mut Lists)) {
        edit(&mut self.lists.lock());
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.wake.wake_by_ref();
    }
}
