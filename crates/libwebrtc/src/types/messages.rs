//! Messages of data channels.

use std::str::Utf8Error;

use thiserror::Error;

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

/// A received message.
#[derive(Debug)]
pub struct DataBuffer<'a> {
    pub data: &'a [u8],
    /// False for text.
    pub binary: bool,
}
