//! Addresses: ours, which are told to the other side, and theirs.

use std::net::{Ipv4Addr, SocketAddr};

use str0m::{
    Candidate,
    net::{Protocol, Transmit},
};

use super::{Peer, PeerError, PeerEvent};
use crate::{
    ice_candidate::IceCandidate,
    peer_connection::{IceGatheringState, PeerConnectionState},
    sdp,
    session_description::SessionDescription,
};

/// Remote candidates taken between two remote descriptions.
const CANDIDATES_MAX: usize = 128;

impl Peer {
    pub(super) fn loopback(&self) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.host.port())
    }

    /// The socket is bound to all addresses, so it is for us to keep the loopback and the outside apart: what claims
    /// to come from one and goes to the other would arrive with a source the other side does not expect.
    pub(super) fn is_routable(&self, transmit: &Transmit) -> bool {
        !self.has_loopback
            || transmit.source.ip().is_loopback() == transmit.destination.ip().is_loopback()
    }

    /// Uses the loopback as well, once the other side turned out to live on it. It need not be told: it sees where our
    /// checks come from.
    pub(super) fn use_loopback(&mut self) {
        if self.has_loopback {
            return;
        }
        if let Ok(candidate) = Candidate::host(self.loopback(), "udp") {
            self.rtc.add_local_candidate(candidate);
            self.has_loopback = true;
        }
    }

    /// Announces the host candidate, which is all there is to gather.
    pub(super) fn announce_candidates(&mut self, mid: &str) {
        let Ok(candidate) = Candidate::host(self.host, "udp") else { return };
        if let Ok(candidate) = IceCandidate::parse(mid, 0, &candidate.to_sdp_string()) {
            self.set_gathering(IceGatheringState::Gathering);
            self.push(PeerEvent::Candidate(candidate));
            self.set_gathering(IceGatheringState::Complete);
        }
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
        if parsed.proto() != Protocol::Udp || !parsed.addr().is_ipv4() {
            log::debug!("skipping a candidate that is not IPv4 over UDP: {line}");
            return Ok(());
        }
        if self.negotiation.remote_candidates >= CANDIDATES_MAX {
            return Err(PeerError::TooMany { what: "remote candidates", max: CANDIDATES_MAX });
        }
        self.negotiation.remote_candidates += 1;
        if parsed.addr().ip().is_loopback() {
            self.use_loopback();
        }
        self.rtc.add_remote_candidate(parsed);
        Ok(())
    }

    pub(super) fn announce(&mut self, local: &SessionDescription) {
        if self.state == PeerConnectionState::Closed || self.negotiation.candidates_announced {
            return;
        }
        self.negotiation.candidates_announced = true;
        let mid = sdp::sections(local.text()).first().map(|s| s.mid.clone()).unwrap_or_default();
        self.announce_candidates(&mid);
    }
}
