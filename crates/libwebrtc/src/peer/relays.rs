//! The TURN servers of a connection, and how what is relayed gets to the engine and from it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{Candidate, net::Protocol};

use super::{
    Link, Output, Peer, PeerEvent, Route,
    relay::{Relay, RelayServer, RelayTransport, Step},
};
use crate::types::{
    ice_candidate::IceCandidate, states::IceGatheringState, stats::IceCandidateType,
};

/// Servers of one connection. Those beyond are not used.
const SERVERS_MAX: usize = 8;
/// How long the deletion of the allocations may take, after the goodbye.
const DELETE_WITHIN: Duration = Duration::from_millis(500);

/// Which of our candidates the other side learns of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    All,
    /// None that tells where we are.
    Relayed,
}

pub(super) struct Relays {
    policy: Policy,
    servers: Vec<RelayServer>,
    live: Vec<Relay>,
    /// Servers whose address is still looked for.
    expected: usize,
    /// The m-line that candidates are announced for.
    mid: String,
}

impl Relays {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, servers: vec![], live: vec![], expected: 0, mid: String::new() }
    }

    pub(super) fn allows_hosts(&self) -> bool {
        self.policy == Policy::All
    }

    pub(super) fn clear(&mut self) {
        self.live.clear();
    }

    pub(super) fn are_gone(&self) -> bool {
        self.live.is_empty()
    }

    /// When one of them has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.live.iter().map(Relay::due).min()
    }

    /// Bytes that wait for something.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.live.iter().map(Relay::kept).sum()
    }

    #[cfg(test)]
    pub(super) fn are_in_use(&self) -> bool {
        self.live.iter().any(|relay| relay.relayed().is_some())
    }

    fn position(&self, of: impl Fn(&RelayServer) -> bool) -> Option<usize> {
        self.live.iter().position(|relay| of(relay.server()))
    }
}

impl Peer {
    /// Other servers come: so many calls of [`Self::add_relay`] or [`Self::relay_not_found`]. Allocations there are
    /// stay.
    pub(crate) fn expect_relays(&mut self, count: usize) {
        self.relays.servers.clear();
        self.relays.expected = count;
    }

    /// The address of an expected server was found.
    pub(crate) fn add_relay(&mut self, server: RelayServer) {
        self.relays.expected = self.relays.expected.saturating_sub(1);
        if self.relays.servers.len() < SERVERS_MAX {
            self.relays.servers.push(server);
        } else {
            log::debug!("a turn server is not used: there are {SERVERS_MAX}");
        }
        if self.negotiation.candidates_announced {
            self.allocate();
        }
    }

    /// There is no address of an expected server.
    pub(crate) fn relay_not_found(&mut self) {
        self.relays.expected = self.relays.expected.saturating_sub(1);
        self.finish_gathering();
    }

    /// Asks all servers for an allocation that have given none, and announces those there are.
    pub(super) fn gather_relayed(&mut self, mid: &str) {
        mid.clone_into(&mut self.relays.mid);
        let relayed: Vec<_> = self.relays.live.iter().filter_map(Relay::relayed).collect();
        for address in relayed {
            self.announce_relayed(address);
        }
        if !self.relays.allows_hosts()
            && self.relays.servers.is_empty()
            && self.relays.expected == 0
        {
            log::warn!("only relayed candidates are allowed, and there is no turn server");
        }
        self.allocate();
    }

    fn allocate(&mut self) {
        if self.is_closed() {
            return;
        }
        for server in self.relays.servers.clone() {
            let is_it =
                |s: &RelayServer| s.transport == server.transport && s.address == server.address;
            if self.relays.live.len() >= SERVERS_MAX || self.relays.position(is_it).is_some() {
                continue;
            }
            let protocol = match server.transport {
                RelayTransport::Udp => Protocol::Udp,
                RelayTransport::Tcp | RelayTransport::Tls(_) => Protocol::Tcp,
            };
            let Some(local) = self.locals.towards(protocol, server.address) else {
                log::debug!("no way to the turn server {}", server.address);
                continue;
            };
            self.set_gathering(IceGatheringState::Gathering);
            self.relays.live.push(Relay::new(server, local, self.now));
        }
        self.finish_gathering();
    }

    pub(super) fn finish_gathering(&mut self) {
        let is_gathering = self.gathering == IceGatheringState::Gathering;
        let is_waiting =
            self.relays.expected > 0 || self.relays.live.iter().any(Relay::is_allocating);
        if is_gathering && !is_waiting {
            self.set_gathering(IceGatheringState::Complete);
        }
    }

    fn use_relayed(&mut self, address: SocketAddr, server: SocketAddr) {
        let local = self.locals.towards(Protocol::Udp, server).unwrap_or(address);
        match Candidate::relayed(address, local, Protocol::Udp) {
            Ok(candidate) => {
                self.rtc.add_local_candidate(candidate);
                self.announce_relayed(address);
            }
            Err(error) => log::debug!("no use for the relayed address {address}: {error}"),
        }
        self.finish_gathering();
    }

    fn announce_relayed(&mut self, address: SocketAddr) {
        let line = Candidate::relayed(address, address, Protocol::Udp).map(|c| c.to_sdp_string());
        let parsed = line.ok().and_then(|l| IceCandidate::parse(&self.relays.mid, 0, &l).ok());
        if let Some(candidate) = parsed {
            self.push(PeerEvent::Candidate(candidate));
        }
    }

    /// What the allocations have to say to their servers.
    pub(super) fn poll_relays(&mut self) -> Option<Output> {
        if self.is_closed() && !self.rtc.is_alive() {
            self.relays.live.iter_mut().for_each(|relay| relay.delete(self.now));
        }
        let mut index = 0;
        while let Some(relay) = self.relays.live.get_mut(index) {
            let server = relay.server().address;
            match relay.poll(self.now) {
                None => index += 1,
                Some(Step::Send(message)) => return Some(to_server(relay, message)),
                Some(Step::Allocated(address)) => self.use_relayed(address, server),
                Some(Step::Over) => {
                    let relay = self.relays.live.remove(index);
                    self.finish_gathering();
                    if let Some(link) = link(relay.server()) {
                        return Some(Output::HangUp(link));
                    }
                }
            }
        }
        None
    }

    /// Until when a closed peer waits for its allocations to be deleted.
    pub(super) fn deletion_deadline(&self) -> Option<Instant> {
        let by = self.close_by? + DELETE_WITHIN;
        (!self.relays.are_gone()).then_some(by)
    }

    /// Whether the engine sends from a relayed address.
    pub(super) fn is_relayed(&self, route: &Route) -> bool {
        self.relays.live.iter().any(|relay| relay.relayed() == Some(route.source))
    }

    /// Sends it so.
    pub(super) fn send_relayed(&mut self, route: &Route, contents: &[u8]) -> Option<Output> {
        let is_source = |relay: &&mut Relay| relay.relayed() == Some(route.source);
        let relay = self.relays.live.iter_mut().find(is_source)?;
        let message = relay.send(route.destination, contents, self.now)?;
        Some(to_server(relay, message))
    }

    /// A datagram from a TURN server; whether it was one.
    pub(super) fn receive_relayed(
        &mut self,
        arrival: Instant,
        source: SocketAddr,
        contents: &[u8],
    ) -> bool {
        let is_it = |s: &RelayServer| s.transport == RelayTransport::Udp && s.address == source;
        let Some(index) = self.relays.position(is_it) else { return false };
        self.now = self.now.max(arrival);
        let relay = &mut self.relays.live[index];
        let relayed = relay.relayed();
        if let (Some((peer, data)), Some(relayed)) = (relay.receive(contents, self.now), relayed) {
            self.receive(arrival, Protocol::Udp, peer, relayed, &data);
        }
        true
    }

    /// Bytes of the connection to a TURN server.
    pub(super) fn receive_relayed_bytes(&mut self, arrival: Instant, from: &Link, bytes: &[u8]) {
        let Some(index) = self.relays.position(|s| link(s).as_ref() == Some(from)) else { return };
        self.now = self.now.max(arrival);
        let relay = &mut self.relays.live[index];
        let relayed = relay.relayed();
        let received = relay.receive_bytes(bytes, self.now);
        for (peer, data) in received {
            if let Some(relayed) = relayed {
                self.receive(arrival, Protocol::Udp, peer, relayed, &data);
            }
        }
    }

    pub(super) fn relay_connection_ended(&mut self, to: &Link) {
        if let Some(index) = self.relays.position(|s| link(s).as_ref() == Some(to)) {
            self.relays.live[index].connection_ended();
        }
    }

    /// What kind of candidate an address of ours is.
    pub(super) fn local_kind(&self, local: SocketAddr) -> IceCandidateType {
        if self.relays.live.iter().any(|relay| relay.relayed() == Some(local)) {
            IceCandidateType::Relay
        } else {
            IceCandidateType::Host
        }
    }
}

fn to_server(relay: &Relay, message: Vec<u8>) -> Output {
    let server = relay.server();
    match link(server) {
        Some(to) => Output::Stream { to, contents: message, due: None },
        None => {
            Output::Datagram { destination: server.address, contents: message.into(), due: None }
        }
    }
}

/// The connection to a server that is not spoken to by datagrams.
fn link(server: &RelayServer) -> Option<Link> {
    match &server.transport {
        RelayTransport::Udp => None,
        RelayTransport::Tcp => Some(Link::Relay(server.address)),
        RelayTransport::Tls(name) => Some(Link::SecureRelay(server.address, name.clone())),
    }
}
