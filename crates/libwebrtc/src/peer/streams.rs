//! Datagrams over TCP: each with its length before it (RFC 4571), to the passive candidates of the other side.

use std::{collections::HashMap, net::SocketAddr, time::Instant};

use str0m::net::Protocol;

use super::{Link, Peer};

/// Bytes of the length before a datagram.
const LENGTH: usize = 2;
/// Connections whose bytes are put together at a time. As many remote candidates are taken.
const STREAMS_MAX: usize = 128;

/// What was read of connections and is not a whole datagram yet. At most one datagram (64 kB) and what was read at once.
#[derive(Default)]
pub(super) struct Streams(HashMap<SocketAddr, Vec<u8>>);

impl Streams {
    /// Bytes of datagrams that are not whole.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

impl Peer {
    /// Bytes were read from a connection at `arrival`.
    pub(crate) fn handle_stream(&mut self, arrival: Instant, from: &Link, bytes: &[u8]) {
        match from {
            Link::Candidate(remote) => self.receive_framed(arrival, *remote, bytes),
            Link::Relay(_) | Link::SecureRelay(..) => {
                self.receive_relayed_bytes(arrival, from, bytes);
            }
        }
    }

    fn receive_framed(&mut self, arrival: Instant, remote: SocketAddr, bytes: &[u8]) {
        let streams = &mut self.streams.0;
        if !streams.contains_key(&remote) && streams.len() >= STREAMS_MAX {
            log::debug!("ignoring what comes from {remote}: there are {STREAMS_MAX} connections");
            return;
        }
        let mut waiting = streams.remove(&remote).unwrap_or_default();
        waiting.extend_from_slice(bytes);
        let mut rest = waiting.as_slice();
        while let Some((datagram, after)) = split(rest) {
            self.receive_directly(arrival, Protocol::Tcp, remote, datagram);
            rest = after;
        }
        let rest = rest.to_vec();
        self.streams.0.insert(remote, rest);
    }

    /// A connection ended. One to a candidate is made again when there is something to send.
    pub(crate) fn handle_stream_end(&mut self, to: &Link) {
        match to {
            Link::Candidate(remote) => drop(self.streams.0.remove(remote)),
            Link::Relay(_) | Link::SecureRelay(..) => self.relay_connection_ended(to),
        }
    }
}

/// A datagram as it goes through a connection; `None` if it is too long for that.
pub(super) fn framed(datagram: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(datagram.len()).ok()?;
    Some([&length.to_be_bytes(), datagram].concat())
}

/// The first datagram and what comes after it, if all of it is there.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_framed_comes_out_again(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let bytes = datagrams.iter().flat_map(|d| framed(d).unwrap()).collect::<Vec<_>>();
            let mut rest = bytes.as_slice();
            for datagram in &datagrams {
                let (first, after) = split(rest).expect("a whole datagram");
                prop_assert_eq!(first, datagram.as_slice());
                rest = after;
            }
            prop_assert!(rest.is_empty() && split(rest).is_none());
        }
    }

    #[test]
    fn a_datagram_is_at_most_64_kilobytes() {
        assert!(framed(&vec![0; 65_535]).is_some());
        assert!(framed(&vec![0; 65_536]).is_none());
    }
}
