//! The ways of datagrams, to the engine and from it.

use std::{net::SocketAddr, time::Instant};

use str0m::{
    Input,
    net::{Protocol, Receive, Transmit},
    stats::CandidatePairStats,
};

use super::{Due, Link, Output, Peer, streams};

/// Where audio is sent: to where the engine sends its own, and from where the other side's came, whatever is newer. The
/// engine tells of another pair of candidates now and then only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    proto: Protocol,
    source: SocketAddr,
    destination: SocketAddr,
}

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
        // What the engine has to say of audio is not its business.
        if is_media(&transmit.contents) {
            return None;
        }
        if is_dtls(&transmit.contents) {
            let Transmit { proto, source, destination, .. } = transmit;
            self.route = Some(Route { proto, source, destination });
        }
        self.way(transmit)
    }

    /// Sends audio, or a report about it, the way that everything goes; nowhere as long as there is none.
    pub(super) fn send_audio(&mut self, datagram: Vec<u8>, when: Option<Due>) {
        let Some(Route { proto, source, destination }) = self.route else { return };
        let transmit = Transmit { proto, source, destination, contents: datagram.into() };
        if let Some(mut output) = self.way(transmit) {
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

    fn way(&mut self, transmit: Transmit) -> Option<Output> {
        let length = transmit.contents.len() as u64;
        let destination = transmit.destination;
        let output = if self.is_relayed(&transmit) {
            self.send_relayed(&transmit)?
        } else if !self.relays.allows_hosts() || !self.is_routable(&transmit) {
            return None;
        } else if transmit.proto == Protocol::Udp {
            Output::Datagram { destination, contents: transmit.contents, due: None }
        } else {
            let contents = streams::framed(&transmit.contents)?;
            Output::Stream { to: Link::Candidate(destination), contents, due: None }
        };
        self.counters.datagrams_sent += 1;
        self.counters.bytes_sent += length;
        Some(output)
    }
}

/// RTP or RTCP, by the first byte (RFC 7983, 7).
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, ..])
}

/// Of the two, whether it is RTCP (RFC 5761, 4).
pub(super) fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [_, marked, ..] if (64..96).contains(&(marked & 0x7f)))
}

/// Handshakes and data channels, by the first byte (RFC 7983, 7).
pub(crate) fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=63, ..])
}
