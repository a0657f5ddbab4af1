//! Messages beside the media.

use std::{
    fmt::{self, Debug},
    str::Utf8Error,
    sync::Arc,
};

use serde::Deserialize;
use thiserror::Error;

use crate::{driver::ChannelShared, rtp_parameters::Priority};

/// How a channel is opened.
#[derive(Clone, Debug)]
pub struct DataChannelInit {
    pub ordered: bool,
    /// In milliseconds. Ignored when `max_retransmits` is set.
    pub max_retransmit_time: Option<i32>,
    pub max_retransmits: Option<i32>,
    pub protocol: String,
    /// Both sides create the channel with the same `id`, and nothing about it is said in-band.
    pub negotiated: bool,
    /// The SCTP stream of a negotiated channel, 0 to 65534.
    pub id: i32,
    /// Has no effect.
    pub priority: Option<Priority>,
}

impl Default for DataChannelInit {
    fn default() -> Self {
        Self {
            ordered: true,
            max_retransmit_time: None,
            max_retransmits: None,
            protocol: String::new(),
            negotiated: false,
            id: -1,
            priority: None,
        }
    }
}

#[derive(Debug, Error)]
pub enum DataChannelError {
    /// The channel is not open, the message is longer than 256 KiB, or 16 MiB are already waiting.
    #[error(
        "cannot send: the channel is not open, the message is too long, or too much is waiting to be sent"
    )]
    Send,
    #[error("cannot send text that is not utf-8: {0}")]
    Utf8(#[from] Utf8Error),
}

#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataChannelState {
    Connecting,
    Open,
    Closing,
    Closed,
}

/// A received message.
#[derive(Debug)]
pub struct DataBuffer<'a> {
    pub data: &'a [u8],
    /// False for text.
    pub binary: bool,
}

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
