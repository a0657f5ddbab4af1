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
    /// See [`Queue::patience`].
    patience: usize,
    /// So many wake the reader, or one fewer.
    enough: usize,
    /// The same while all that wait are repeats.
    enough_repeats: usize,
    /// Whether something that is no repeat came since the reader last found nothing.
    has_news: bool,
    waker: Option<Waker>,
    ended: bool,
    dropped: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            patience: 1,
            enough: 1,
            enough_repeats: 1,
            has_news: false,
            waker: None,
            ended: false,
            dropped: 0,
        };
        Self { capacity: capacity.max(1), state: Mutex::new(state) }
    }

    /// The reader never needs to be woken for fewer items than this, but for one, which may be late: it would be woken when
    /// twice as many are there otherwise. Whenever it looks by itself, it gets what is there.
    pub(crate) fn be_patient(&self, items: usize) {
        self.state.lock().patience = items.clamp(1, self.capacity);
    }

    /// How many items may be held back before they are put here.
    pub(crate) fn patience(&self) -> usize {
        self.state.lock().patience
    }

    /// More than that from now on, and while all that wait are [repeats](Self::put_repeat).
    pub(crate) fn wake_for(&self, items: usize, repeats: usize) {
        let mut state = self.state.lock();
        state.enough = items.min(self.capacity);
        state.enough_repeats = repeats.min(self.capacity);
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
        state.has_news = true;
        state.put(items, self.capacity)
    }

    /// Adds an item that tells nothing which the one before did not tell.
    pub(crate) fn put_repeat(&self, item: T) {
        self.state.lock().put([item], self.capacity);
    }

    /// Wakes a reader for whom enough is waiting.
    pub(crate) fn wake(&self) {
        let mut state = self.state.lock();
        let repeats = if state.has_news { 0 } else { state.enough_repeats };
        let enough = repeats.max(state.enough).max(state.patience);
        let is_enough = !state.items.is_empty() && state.items.len() + 1 >= enough;
        let waker = if is_enough { state.waker.take() } else { None };
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
        state.has_news = false;
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
    fn a_patient_reader_is_woken_for_enough_or_the_end() {
        let count = Arc::new(Count::default());
        let (queue, waker) = (Queue::new(9), Waker::from(count.clone()));
        let cx = Context::from_waker(&waker);
        queue.be_patient(3);
        assert!(queue.poll(&cx).is_pending());
        queue.push([1]);
        assert_eq!(count.of_wakes(), 0);
        queue.push([2]);
        assert_eq!(count.of_wakes(), 1, "one may be late");
        assert_eq!(drain(&queue), [1, 2]);
        queue.push([3]);
        assert_eq!(drain(&queue), [3], "it may look by itself");
        queue.wake_for(5, 5);
        assert!(queue.poll(&cx).is_pending());
        queue.push([4, 5, 6]);
        assert_eq!(count.of_wakes(), 1, "it asked for more");
        queue.push([7]);
        assert_eq!(count.of_wakes(), 2);
        assert_eq!(drain(&queue), [4, 5, 6, 7]);
        assert!(queue.poll(&cx).is_pending());
        queue.end();
        assert_eq!(count.of_wakes(), 3);
    }

    #[test]
    fn repeats_wait_for_more_of_them_or_for_something_else() {
        let count = Arc::new(Count::default());
        let (queue, waker) = (Queue::new(9), Waker::from(count.clone()));
        let cx = Context::from_waker(&waker);
        queue.be_patient(3);
        queue.wake_for(1, 5);
        assert!(queue.poll(&cx).is_pending());
        let repeat = |n| {
            (0..n).for_each(|_| queue.put_repeat(0));
            queue.wake();
        };
        repeat(3);
        assert_eq!(count.of_wakes(), 0);
        repeat(1);
        assert_eq!(count.of_wakes(), 1, "one may be late");
        assert_eq!(drain(&queue), [0; 4]);
        assert!(queue.poll(&cx).is_pending());
        queue.push([1]);
        assert_eq!(count.of_wakes(), 1);
        repeat(1);
        assert_eq!(count.of_wakes(), 2, "something else waits as well");
        assert_eq!(drain(&queue), [1, 0]);
        assert!(queue.poll(&cx).is_pending());
        repeat(2);
        assert_eq!(count.of_wakes(), 2, "that has been read");
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
