//! What an application's handles of an m-line hold.

use std::sync::{Arc, Weak};

use super::Connection;
use crate::{
    peer::{Transceiver, TransceiverId},
    types::RtcError,
};

/// A transceiver and its connection, which it does not keep open.
#[derive(Clone)]
pub(crate) struct Handle {
    connection: Weak<Connection>,
    pub(crate) id: TransceiverId,
}

impl Handle {
    pub(crate) fn new(connection: Weak<Connection>, id: TransceiverId) -> Self {
        Self { connection, id }
    }

    /// Reads or changes the transceiver; `None` when the connection is gone.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Transceiver) -> T) -> Option<T> {
        let connection = self.connection.upgrade()?;
        let mut peer = connection.peer();
        peer.transceiver_mut(self.id).map(f)
    }

    pub(crate) fn connection(&self) -> Result<Arc<Connection>, RtcError> {
        self.connection
            .upgrade()
            .ok_or_else(|| RtcError::invalid_state("the peer connection is gone"))
    }

    pub(super) fn belongs_to(&self, connection: &Connection) -> bool {
        std::ptr::eq(self.connection.as_ptr(), connection)
    }
}
