//! Addresses: ours, which are told to the other side, and theirs.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use str0m::{
    Candidate, CandidateKind,
    net::{Protocol, TcpType},
};

use super::{Peer, PeerError, PeerEvent, Route};
use crate::types::{
    ice_candidate::IceCandidate,
    sdp,
    session_description::SessionDescription,
    states::{IceGatheringState, PeerConnectionState},
    stats::IceCandidateType,
};

/// Remote candidates taken between two remote descriptions.
const CANDIDATES_MAX: usize = 128;
/// What stands for the port of connections that are yet to be made (RFC 6544, 4.5).
const DISCARD_PORT: u16 = 9;

/// Where this side sends from.
pub(super) struct Locals {
    /// One address of each family at most, with the port of the UDP socket.
    hosts: Vec<SocketAddr>,
    /// What the engine was told of.
    known: Vec<(Protocol, SocketAddr)>,
    /// What the other side told of its addresses, the newest first.
    remotes: VecDeque<Candidate>,
}

impl Locals {
    pub(super) fn new(hosts: Vec<SocketAddr>) -> Self {
        Self { hosts, known: vec![], remotes: VecDeque::new() }
    }

    /// The addresses that are told to the other side. Loopback is not, unless it is all there is.
    pub(super) fn hosts(&self) -> Vec<SocketAddr> {
        let is_far = |host: &&SocketAddr| !host.ip().is_loopback();
        let far: Vec<_> = self.hosts.iter().filter(is_far).copied().collect();
        if far.is_empty() { self.hosts.clone() } else { far }
    }

    /// Whether the engine was told of an address.
    #[cfg(test)]
    pub(super) fn is_known(&self, protocol: Protocol, local: &str) -> bool {
        self.known.iter().any(|(p, address)| *p == protocol && address.to_string() == local)
    }

    /// The address that datagrams of a kind to `remote` come from: the socket is bound to all addresses, so the way
    /// they take decides. `None` when there is no way.
    pub(super) fn towards(&self, protocol: Protocol, remote: SocketAddr) -> Option<SocketAddr> {
        let host = self.hosts.iter().find(|host| host.is_ipv4() == remote.is_ipv4())?;
        let ip = match (remote.ip().is_loopback(), host.ip()) {
            (false, ip) => ip,
            (true, IpAddr::V4(_)) => Ipv4Addr::LOCALHOST.into(),
            (true, IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
        };
        let port = if protocol == Protocol::Udp { host.port() } else { DISCARD_PORT };
        Some(SocketAddr::new(ip, port))
    }
}

impl Peer {
    /// What claims to come from one of our addresses and leaves by another would arrive with a source that the other
    /// side does not expect.
    pub(super) fn is_routable(&self, route: &Route) -> bool {
        self.locals.towards(route.proto, route.destination) == Some(route.source)
    }

    /// Makes the engine use one of our addresses. The other side need not be told of those that only turn up later: it
    /// sees where our checks come from.
    pub(super) fn use_local(&mut self, protocol: Protocol, local: SocketAddr) {
        if self.locals.known.contains(&(protocol, local)) {
            return;
        }
        let candidate = match protocol {
            Protocol::Udp => Candidate::host(local, "udp"),
            Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => {
                Candidate::builder().tcp().host(local).tcptype(TcpType::Active).build()
            }
        };
        if let Ok(candidate) = candidate {
            self.locals.known.push((protocol, local));
            self.rtc.add_local_candidate(candidate);
        }
    }

    /// Announces the host candidates, and the relayed ones as the servers allocate them.
    fn announce_candidates(&mut self, mid: &str) {
        self.set_gathering(IceGatheringState::Gathering);
        let hosts = if self.relays.allows_hosts() { self.locals.hosts() } else { vec![] };
        for host in hosts {
            let line = Candidate::host(host, "udp").map(|c| c.to_sdp_string());
            if let Some(candidate) = line.ok().and_then(|l| IceCandidate::parse(mid, 0, &l).ok()) {
                self.push(PeerEvent::Candidate(candidate));
            }
        }
        self.gather_relayed(mid);
    }

    /// Takes a remote candidate, or skips it when it is of a kind that is not used.
    pub(crate) fn add_remote_candidate(
        &mut self,
        candidate: &IceCandidate,
    ) -> Result<(), PeerError> {
        self.check_open()?;
        let line = candidate.line();
        if line.is_empty() {
            return Ok(());
        }
        let parsed = match Candidate::from_sdp_string(line) {
            Ok(parsed) => parsed,
            // A host name in place of the address (mDNS) is a valid candidate, only not for us.
            Err(_) if sdp::is_host_name_candidate(line) => return Ok(()),
            Err(error) => return Err(PeerError::Candidate(error.to_string())),
        };
        if self.negotiation.remote_candidates >= CANDIDATES_MAX {
            return Err(PeerError::TooMany { what: "remote candidates", max: CANDIDATES_MAX });
        }
        if self.make_reachable(&parsed) {
            self.negotiation.remote_candidates += 1;
            self.rtc.add_remote_candidate(parsed);
        } else {
            log::debug!("skipping a candidate that cannot be reached from here: {line}");
        }
        Ok(())
    }

    /// The same for the candidates inside a description, which the engine takes itself.
    pub(super) fn use_candidates_of(&mut self, remote: &SessionDescription) {
        for line in sdp::candidates(remote.text()).take(CANDIDATES_MAX) {
            if let Ok(candidate) = Candidate::from_sdp_string(line) {
                self.make_reachable(&candidate);
            }
        }
    }

    pub(super) fn announce(&mut self, local: &SessionDescription) {
        if self.state == PeerConnectionState::Closed || self.negotiation.candidates_announced {
            return;
        }
        self.negotiation.candidates_announced = true;
        let mid = sdp::sections(local.text()).first().map(|s| s.mid.clone()).unwrap_or_default();
        self.announce_candidates(&mid);
    }

    /// Sees to it that there is an address to reach a candidate from. Of two sides, TCP needs one that waits for the
    /// other's connection; this side only ever connects.
    fn make_reachable(&mut self, remote: &Candidate) -> bool {
        let is_usable = match remote.proto() {
            Protocol::Udp => true,
            Protocol::Tcp => remote.tcptype() == Some(TcpType::Passive),
            Protocol::SslTcp | Protocol::Tls => false,
        };
        if self.relays.allows_hosts() {
            let local = self.locals.towards(remote.proto(), remote.addr()).filter(|_| is_usable);
            let Some(local) = local else { return false };
            self.use_local(remote.proto(), local);
        } else if remote.proto() != Protocol::Udp {
            return false;
        }
        self.locals.remotes.truncate(CANDIDATES_MAX - 1);
        self.locals.remotes.push_front(remote.clone());
        true
    }

    /// What kind of candidate an address of the other side was announced as.
    pub(super) fn remote_kind(&self, protocol: Protocol, remote: SocketAddr) -> IceCandidateType {
        let is_it = |c: &&Candidate| c.proto() == protocol && c.addr() == remote;
        match self.locals.remotes.iter().find(is_it).map(Candidate::kind) {
            Some(CandidateKind::Host) => IceCandidateType::Host,
            Some(CandidateKind::ServerReflexive) => IceCandidateType::Srflx,
            Some(CandidateKind::Relayed) => IceCandidateType::Relay,
            Some(CandidateKind::PeerReflexive) | None => IceCandidateType::Prflx,
        }
    }
}
