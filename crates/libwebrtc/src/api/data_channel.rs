//! Messages beside the media.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use crate::driver::ChannelShared;
pub use crate::types::{
    messages::{DataBuffer, DataChannelError},
    settings::DataChannelInit,
    states::DataChannelState,
};

/// Callbacks run on an engine thread, one at a time per connection and without any lock of the engine: they may call
/// back into this crate, but must not block, because the same thread paces audio.
pub type OnStateChange = Box<dyn FnMut(DataChannelState) + Send + Sync>;
pub type OnMessage = Box<dyn FnMut(DataBuffer) + Send + Sync>;
/// Gets the number of bytes by which [`DataChannel::buffered_amount`] went down.
pub type OnBufferedAmountChange = Box<dyn FnMut(u64) + Send + Sync>;

/// A handle to a channel. It does not keep its connection open.
#[derive(Clone)]
pub struct DataChannel {
    shared: Arc<ChannelShared>,
}

impl DataChannel {
    pub(crate) fn new(shared: Arc<ChannelShared>) -> Self {
        Self { shared }
    }

    /// Queues a message. Returns at once; use [`Self::buffered_amount`] to keep pace with the network.
    pub fn send(&self, data: &[u8], binary: bool) -> Result<(), DataChannelError> {
        if !binary {
            std::str::from_utf8(data)?;
        }
        self.shared.send(data, binary)
    }

    /// The SCTP stream, -1 while there is none.
    pub fn id(&self) -> i32 {
        self.shared.stream_id()
    }

    pub fn label(&self) -> String {
        self.shared.label().into()
    }

    pub fn state(&self) -> DataChannelState {
        self.shared.state()
    }

    pub fn close(&self) {
        self.shared.close();
    }

    /// Bytes of messages that were sent and that the other side has not acknowledged.
    pub fn buffered_amount(&self) -> u64 {
        self.shared.buffered_amount()
    }

    pub fn on_state_change(&self, callback: Option<OnStateChange>) {
        self.shared.on_state_change.set(callback);
    }

    /// Sets the handler of messages. Up to 1024 messages that arrived while there was none are delivered to it first.
    pub fn on_message(&self, callback: Option<OnMessage>) {
        self.shared.set_on_message(callback);
    }

    pub fn on_buffered_amount_change(&self, callback: Option<OnBufferedAmountChange>) {
        self.shared.on_buffered_amount_change.set(callback);
    }
}

impl Debug for DataChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataChannel")
            .field("id", &self.id())
            .field("label", &self.label())
            .field("state", &self.state())
            .finish()
    }
}
