//! The ways of datagrams, to the engine and from it.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use str0m::{
    Input,
    net::{Protocol, Receive, Transmit},
    stats::CandidatePairStats,
};

use super::{Due, Link, Output, Peer, Route, streams};

impl Peer {
    /// A datagram was read from the socket at `arrival`. Anything may come from a network: what makes no sense is
    /// counted and ignored.
    ///
    /// `true` when it was audio: it calls for no answer, so there is no need to poll.
    pub(crate) fn handle_datagram(
        &mut self,
        arrival: Instant,
        source: SocketAddr,
        contents: &[u8],
    ) -> bool {
        if !self.receive_relayed(arrival, source, contents) {
            self.receive_directly(arrival, Protocol::Udp, source, contents);
        }
        is_media(contents) && !is_rtcp(contents)
    }

    pub(super) fn receive_directly(
        &mut self,
        arrival: Instant,
        protocol: Protocol,
        source: SocketAddr,
        contents: &[u8],
    ) {
        if !self.relays.allows_hosts() {
            self.counters.datagrams_refused += 1;
            return;
        }
        if let Some(destination) = self.locals.towards(protocol, source) {
            self.receive(arrival, protocol, source, destination, contents);
        }
    }

    pub(super) fn receive(
        &mut self,
        arrival: Instant,
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        let is_past = arrival < self.now;
        self.now = self.now.max(arrival);
        self.counters.datagrams_received += 1;
        self.counters.bytes_received += contents.len() as u64;
        if is_media(contents) {
            // Whoever has the keys is there, and expects to hear from here.
            if self.receive_audio(contents, arrival) {
                self.route =
                    Some(Route { proto: protocol, source: destination, destination: source });
            }
            return;
        }
        match Receive::new(protocol, source, destination, contents) {
            Ok(receive) => {
                self.input(Input::Receive(arrival, receive));
                // The engine runs its timers for what it is given only when that is later than all before.
                if is_past {
                    self.input(Input::Timeout(self.now));
                }
            }
            Err(error) => {
                self.counters.datagrams_refused += 1;
                log::debug!("ignoring a datagram from {source}: {error}");
            }
        }
    }

    /// The way of a datagram of the engine's; `None` when there is none.
    pub(super) fn output(&mut self, transmit: Transmit) -> Option<Output> {
        let Transmit { proto, source, destination, contents } = transmit;
        // What the engine has to say of audio is not its business.
        if is_media(&contents) {
            self.counters.datagrams_suppressed += 1;
            return None;
        }
        let route = Route { proto, source, destination };
        if is_dtls(&contents) {
            self.route = Some(route);
        }
        self.way(&route, Vec::from(contents).into())
    }

    /// Sends audio, or a report about it, the way that everything goes; nowhere as long as there is none.
    pub(super) fn send_audio(&mut self, datagram: Bytes, when: Option<Due>) {
        let Some(route) = self.route else { return };
        if let Some(mut output) = self.way(&route, datagram) {
            if let Output::Datagram { due, .. } | Output::Stream { due, .. } = &mut output {
                *due = when;
            }
            self.ready.push_back(output);
        }
    }

    /// The engine tells which pair of candidates it uses.
    pub(super) fn path_measured(&mut self, pair: Option<CandidatePairStats>) {
        if let Some(pair) = &pair {
            self.route = Some(Route {
                proto: pair.protocol,
                source: pair.local.addr,
                destination: pair.remote.addr,
            });
        }
        self.measured.path(pair);
    }

    fn way(&mut self, route: &Route, contents: Bytes) -> Option<Output> {
        let length = contents.len() as u64;
        let destination = route.destination;
        let output = if self.is_relayed(route) {
            self.send_relayed(route, &contents)?
        } else if !self.relays.allows_hosts() || !self.is_routable(route) {
            return None;
        } else if route.proto == Protocol::Udp {
            Output::Datagram { destination, contents, due: None }
        } else {
            let contents = streams::framed(&contents)?;
            Output::Stream { to: Link::Candidate(destination), contents, due: None }
        };
        self.counters.datagrams_sent += 1;
        self.counters.bytes_sent += length;
        Some(output)
    }
}

/// RTP or RTCP, by the first byte (RFC 7983, 7).
pub(crate) fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, ..])
}

/// Of the two, whether it is RTCP (RFC 5761, 4).
pub(super) fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [_, marked, ..] if (64..96).contains(&(marked & 0x7f)))
}

/// Handshakes and data channels, by the first byte (RFC 7983, 7).
fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=63, ..])
}
