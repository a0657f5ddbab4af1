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
        self.state.lock().put(items, self.capacity)
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
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker @ None => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// How many items were dropped unread since the beginning.
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

impl<T> State<T> {
    fn put(&mut self, items: impl IntoIterator<Item = T>, capacity: usize) -> u64 {
        if self.ended {
            return 0;
        }
        let before = self.dropped;
        for item in items {
            if self.items.len() >= capacity {
                self.items.pop_front();
                self.dropped += 1;
            }
            self.items.push_back(item);
        }
        self.dropped - before
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        task::Wake,
    };

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

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn of_wakes(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_reader_sleeps_until_it_is_woken_for_something() {
        let count = Arc::new(Count::default());
        let woken = || count.of_wakes();
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
    fn the_end_wakes_the_reader() {
        let count = Arc::new(Count::default());
        let (queue, waker) = (Queue::<u32>::new(3), Waker::from(count.clone()));
        assert!(queue.poll(&Context::from_waker(&waker)).is_pending());
        queue.end();
        assert_eq!(count.of_wakes(), 1);
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
