//! A bounded queue from the engine to one reader of the application.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// Holds at most `capacity` items; when it is full the oldest one makes room and is counted.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    waker: Option<Waker>,
    ended: bool,
    dropped: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::new(), waker: None, ended: false, dropped: 0 };
        Self { capacity: capacity.max(1), state: Mutex::new(state) }
    }

    /// Adds items and wakes the reader once. Returns how many older ones had to go.
    pub(crate) fn push(&self, items: impl IntoIterator<Item = T>) -> u64 {
        let dropped = self.put(items);
        self.wake();
        dropped
    }

    /// As [`push`](Self::push), for a reader that is woken later.
    pub(crate) fn put(&self, items: impl IntoIterator<Item = T>) -> u64 {
        let mut state = self.state.lock();
        if state.ended {
            return 0;
        }
        let before = state.dropped;
        for item in items {
            if state.items.len() >= self.capacity {
                state.items.pop_front();
                state.dropped += 1;
            }
            state.items.push_back(item);
        }
        state.dropped - before
    }

    /// Wakes a reader for whom something is waiting.
    pub(crate) fn wake(&self) {
        let mut state = self.state.lock();
        let waker = if state.items.is_empty() { None } else { state.waker.take() };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nothing more will come: the reader gets what is waiting, then the end.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The reader is gone: forgets what is waiting and takes nothing more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.items.clear();
        drop(state);
        self.end();
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state.lock();
        if let Some(item) = state.items.pop_front() {
            return Poll::Ready(Some(item));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// How many items were dropped unread since the beginning.
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue<u32>) -> Vec<u32> {
        let cx = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| match queue.poll(&cx) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let queue = Queue::new(3);
        assert_eq!(queue.push([1, 2]), 0);
        assert_eq!(queue.push([3, 4, 5]), 2);
        assert_eq!(queue.dropped(), 2);
        assert_eq!(drain(&queue), [3, 4, 5]);
    }

    #[test]
    fn a_reader_sleeps_until_it_is_woken_for_something() {
        #[derive(Default)]
        struct Count(std::sync::atomic::AtomicU32);
        impl std::task::Wake for Count {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let count = std::sync::Arc::new(Count::default());
        let woken = || count.0.load(std::sync::atomic::Ordering::Relaxed);
        let (queue, waker) = (Queue::new(3), Waker::from(count.clone()));
        assert!(queue.poll(&Context::from_waker(&waker)).is_pending());
        queue.wake();
        assert_eq!(woken(), 0, "there is nothing to read");
        queue.put([1]);
        queue.put([2]);
        assert_eq!(woken(), 0);
        queue.wake();
        assert_eq!(woken(), 1);
        assert_eq!(drain(&queue), [1, 2]);
    }

    #[test]
    fn what_is_waiting_is_read_before_the_end() {
        let queue = Queue::new(3);
        queue.push([1]);
        queue.end();
        queue.push([2]);
        assert_eq!(drain(&queue), [1]);
        assert!(queue.poll(&Context::from_waker(Waker::noop())).is_ready());
    }

    #[test]
    fn a_closed_queue_is_empty() {
        let queue = Queue::new(3);
        queue.push([1]);
        queue.close();
        assert_eq!(queue.push([2]), 0);
        assert!(drain(&queue).is_empty());
    }
}
