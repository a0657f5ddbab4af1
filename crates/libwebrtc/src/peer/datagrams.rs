//! The ways of datagrams, to the engine and from it.

use std::{net::SocketAddr, time::Instant};

use str0m::{
    Event, Input, Output as RtcOutput,
    net::{Protocol, Receive, Transmit},
};

use super::{Link, Output, Peer, streams};

impl Peer {
    /// A datagram was read from the socket at `arrival`. Anything may come from a network: what makes no sense is
    /// counted and ignored.
    ///
    /// `true` when it was a packet of audio that is dealt with: it calls for no answer before time is passed to the peer
    /// again, so it is enough to poll then, or when all that waited has been read.
    pub(crate) fn handle_datagram(
        &mut self,
        arrival: Instant,
        source: SocketAddr,
        contents: &[u8],
    ) -> bool {
        if !self.receive_relayed(arrival, source, contents) {
            self.receive_directly(arrival, Protocol::Udp, source, contents);
        }
        is_rtp(contents) && self.take_packet()
    }

    /// Routes the packet that the engine was just given. What else the engine answers waits to be polled.
    fn take_packet(&mut self) -> bool {
        if self.held.is_some() {
            return false;
        }
        match self.rtc.poll_output() {
            Ok(RtcOutput::Event(Event::RtpPacket(packet))) if !self.is_closed() => {
                self.receive_packet(packet);
                true
            }
            other => {
                self.held = Some(other);
                false
            }
        }
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
        match Receive::new(protocol, source, destination, contents) {
            Ok(receive) => {
                self.input(Input::Receive(arrival, receive));
                // The engine runs its timers for what it is given only when that is later than all before. Packets of
                // audio need none of them.
                if is_past && !is_rtp(contents) {
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
        let length = transmit.contents.len() as u64;
        let destination = transmit.destination;
        let when = self.due(&transmit.contents);
        let mut output = if self.is_relayed(&transmit) {
            self.send_relayed(&transmit)?
        } else if !self.relays.allows_hosts() || !self.is_routable(&transmit) {
            return None;
        } else if transmit.proto == Protocol::Udp {
            Output::Datagram { destination, contents: transmit.contents, due: None }
        } else {
            let contents = streams::framed(&transmit.contents)?;
            Output::Stream { to: Link::Candidate(destination), contents, due: None }
        };
        if let Output::Datagram { due, .. } | Output::Stream { due, .. } = &mut output {
            *due = when;
        }
        self.counters.datagrams_sent += 1;
        self.counters.bytes_sent += length;
        Some(output)
    }
}

/// Whether a datagram from the other side itself is RTP and not RTCP (RFC 5761, 4).
pub(crate) fn is_rtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, marked, ..] if !(64..96).contains(&(marked & 0x7f)))
}
