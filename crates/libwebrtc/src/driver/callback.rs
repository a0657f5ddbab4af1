//! A place for one callback.

use std::sync::Arc;

use parking_lot::Mutex;

/// Holds a callback that may be replaced at any time, also from within itself.
pub(crate) struct Callback<F> {
    callback: Mutex<Option<Arc<Mutex<F>>>>,
}

impl<F> Default for Callback<F> {
    fn default() -> Self {
        Self { callback: Mutex::new(None) }
    }
}

impl<F> Callback<F> {
    pub(crate) fn set(&self, callback: Option<F>) {
        let old = std::mem::replace(
            &mut *self.callback.lock(),
            callback.map(|f| Arc::new(Mutex::new(f))),
        );
        // Dropped here, without the lock: it may own anything.
        drop(old);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.callback.lock().is_some()
    }

    /// Calls the callback, if there is one. All calls of one connection come from its task, so the callback's own lock
    /// is free, unless the callback makes its connection call it from within; then the inner call is dropped.
    pub(crate) fn call(&self, f: impl FnOnce(&mut F)) {
        let callback = self.callback.lock().clone();
        if let Some(mut callback) = callback.as_deref().and_then(Mutex::try_lock) {
            f(&mut callback);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Call = Box<dyn FnMut(u32) + Send>;

    #[test]
    fn a_callback_may_replace_itself() {
        let slot: Arc<Callback<Call>> = Arc::default();
        let seen = Arc::new(Mutex::new(vec![]));
        let (inner_slot, first, second) = (slot.clone(), seen.clone(), seen.clone());
        slot.set(Some(Box::new(move |n| {
            first.lock().push(("first", n));
            let second = second.clone();
            inner_slot.set(Some(Box::new(move |n| second.lock().push(("second", n)))));
        })));
        slot.call(|f| f(1));
        slot.call(|f| f(2));
        assert_eq!(*seen.lock(), [("first", 1), ("second", 2)]);
        slot.set(None);
        slot.call(|f| f(3));
        assert_eq!(seen.lock().len(), 2);
    }
}
