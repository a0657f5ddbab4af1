//! The application's side of a data channel.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, Ordering},
    },
};

use parking_lot::Mutex;

use super::{Connection, On, callback::Callback};
use crate::{
    peer::ChannelKey,
    types::{
        messages::{DataBuffer, DataChannelError},
        states::DataChannelState,
    },
};

/// Gets each message.
type OnMessage = Box<dyn FnMut(DataBuffer<'_>) + Send + Sync>;

/// Messages kept for a handler that is not set yet; beyond it the oldest is dropped.
const EARLY_MESSAGES_MAX: usize = 1024;

pub(crate) struct ChannelShared {
    connection: Weak<Connection>,
    key: ChannelKey,
    label: String,
    state: AtomicU8,
    pub(crate) on_state_change: Callback<On<DataChannelState>>,
    pub(crate) on_buffered_amount_change: Callback<On<u64>>,
    on_message: Callback<OnMessage>,
    early: Mutex<VecDeque<(Vec<u8>, bool)>>,
}

impl ChannelShared {
    /// A channel made by this side.
    pub(super) fn created(connection: Weak<Connection>, key: ChannelKey, label: &str) -> Arc<Self> {
        Self::new(connection, key, label, DataChannelState::Connecting)
    }

    /// A channel made by the other side.
    pub(super) fn opened(connection: Weak<Connection>, key: ChannelKey, label: &str) -> Arc<Self> {
        Self::new(connection, key, label, DataChannelState::Open)
    }

    fn new(
        connection: Weak<Connection>,
        key: ChannelKey,
        label: &str,
        state: DataChannelState,
    ) -> Arc<Self> {
        Arc::new(Self {
            connection,
            key,
            label: label.into(),
            state: AtomicU8::new(state as u8),
            on_state_change: Callback::default(),
            on_buffered_amount_change: Callback::default(),
            on_message: Callback::default(),
            early: Mutex::default(),
        })
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn state(&self) -> DataChannelState {
        const CONNECTING: u8 = DataChannelState::Connecting as u8;
        const OPEN: u8 = DataChannelState::Open as u8;
        const CLOSING: u8 = DataChannelState::Closing as u8;
        match self.state.load(Ordering::Acquire) {
            CONNECTING => DataChannelState::Connecting,
            OPEN => DataChannelState::Open,
            CLOSING => DataChannelState::Closing,
            _ => DataChannelState::Closed,
        }
    }

    pub(crate) fn stream_id(&self) -> i32 {
        let stream = self.connection.upgrade().and_then(|c| c.peer().stream_id(self.key));
        stream.map_or(-1, i32::from)
    }

    pub(crate) fn buffered_amount(&self) -> u64 {
        self.connection.upgrade().map_or(0, |c| c.peer().buffered_amount(self.key))
    }

    pub(crate) fn send(&self, data: &[u8], binary: bool) -> Result<(), DataChannelError> {
        let connection = self.connection.upgrade().ok_or(DataChannelError::Send)?;
        connection.peer().send(self.key, data, binary)?;
        connection.wake();
        Ok(())
    }

    /// The state changes at once, the callback hears of it from the task.
    pub(crate) fn close(&self) {
        let closing = |state| {
            (state < DataChannelState::Closing as u8).then_some(DataChannelState::Closing as u8)
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, closing).is_err() {
            return;
        }
        match self.connection.upgrade() {
            Some(connection) => {
                connection.peer().close_channel(self.key);
                connection.wake();
            }
            None => self.state.store(DataChannelState::Closed as u8, Ordering::Release),
        }
    }

    pub(crate) fn set_on_message(&self, callback: Option<OnMessage>) {
        self.on_message.set(callback);
        // Only the task delivers, so that messages stay in order.
        if let Some(connection) = self.connection.upgrade() {
            connection.has_new_handler.store(true, Ordering::Release);
            connection.wake();
        }
    }

    pub(super) fn set_state(&self, state: DataChannelState) {
        if self.state.swap(state as u8, Ordering::AcqRel) != state as u8 {
            self.on_state_change.call(|f| f(state));
        }
    }

    pub(super) fn deliver(&self, data: Vec<u8>, binary: bool) {
        {
            let mut early = self.early.lock();
            if early.len() >= EARLY_MESSAGES_MAX {
                log::warn!(
                    "data channel {:?} has no message handler: dropping the oldest message",
                    self.label
                );
                early.pop_front();
            }
            early.push_back((data, binary));
        }
        self.deliver_waiting();
    }

    /// The task is over.
    pub(super) fn finish(&self) {
        self.set_state(DataChannelState::Closed);
        self.on_state_change.set(None);
        self.on_buffered_amount_change.set(None);
        self.on_message.set(None);
        self.early.lock().clear();
    }

    /// Hands what waits to the handler, in order.
    pub(super) fn deliver_waiting(&self) {
        while self.on_message.is_set() {
            let Some((data, binary)) = self.early.lock().pop_front() else { return };
            self.on_message.call(|f| f(DataBuffer { data: &data, binary }));
        }
    }
}
