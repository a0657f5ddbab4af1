//! Where datagrams go: the pair of addresses between which they are sent, and the TCP connections that carry some of them.

use std::{net::SocketAddr, sync::Arc};

use str0m::net::Protocol;

/// Where audio is sent: to where the engine sends its own, and from where the other side's came, whatever is newer. The
/// engine tells of another pair of candidates now and then only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) proto: Protocol,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

/// A TCP connection: what it is for, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    /// To a passive candidate of the other side.
    Candidate(SocketAddr),
    /// To a TURN server.
    Relay(SocketAddr),
    /// To a TURN server, by TLS, with the name its certificate has to be for.
    SecureRelay(SocketAddr, Arc<str>),
}

impl Link {
    pub(crate) fn remote(&self) -> SocketAddr {
        match self {
            Self::Candidate(remote) | Self::Relay(remote) | Self::SecureRelay(remote, _) => *remote,
        }
    }
}
