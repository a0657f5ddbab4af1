//! The states of a connection, and what makes them change.

use str0m::IceConnectionState as IceState;

use super::{Peer, PeerEvent};
use crate::types::states::{
    IceConnectionState, IceGatheringState, PeerConnectionState, SignalingState,
};

/// Events that may wait to be polled. They are polled after every input, so only a bug can pile them up.
const EVENTS_MAX: usize = 1 << 16;

impl Peer {
    pub(super) fn handle_ice_state(&mut self, state: IceState) {
        self.disconnected_since = None;
        let ice_state = match state {
            IceState::New => IceConnectionState::New,
            IceState::Checking => IceConnectionState::Checking,
            IceState::Connected => IceConnectionState::Connected,
            IceState::Completed => IceConnectionState::Completed,
            IceState::Disconnected => IceConnectionState::Disconnected,
        };
        self.set_ice_state(ice_state);
        match state {
            IceState::Checking => self.set_state(PeerConnectionState::Connecting),
            IceState::Connected | IceState::Completed if self.dtls_up => {
                self.set_state(PeerConnectionState::Connected);
            }
            IceState::New | IceState::Connected | IceState::Completed => {}
            IceState::Disconnected => self.set_disconnected(),
        }
    }

    /// The other side said goodbye. It says so over signalling as well, with the reason, so this is not yet a failure:
    /// the application may be about to close.
    pub(super) fn handle_remote_close(&mut self) {
        self.end_channels();
        self.set_disconnected();
    }

    /// The engine gave up on the connection.
    pub(super) fn break_down(&mut self, error: &str0m::RtcError) {
        self.rtc.disconnect();
        if is_goodbye(error) {
            log::debug!("the other side closed, or its data channels broke: {error}");
            self.handle_remote_close();
            return;
        }
        log::warn!("peer connection failed: {error}");
        self.end_channels();
        self.disconnected_since = None;
        self.set_state(PeerConnectionState::Failed);
    }

    pub(super) fn set_disconnected(&mut self) {
        if self.close_by.is_none() {
            self.disconnected_since.get_or_insert(self.now);
            self.set_state(PeerConnectionState::Disconnected);
        }
    }

    pub(super) fn set_state(&mut self, state: PeerConnectionState) {
        if self.state != state && self.state != PeerConnectionState::Closed {
            self.state = state;
            self.push(PeerEvent::Connection(state));
        }
    }

    pub(super) fn set_ice_state(&mut self, state: IceConnectionState) {
        if self.ice_state != state && self.ice_state != IceConnectionState::Closed {
            self.ice_state = state;
            self.push(PeerEvent::IceConnection(state));
        }
    }

    pub(super) fn set_signaling(&mut self, state: SignalingState) {
        if self.negotiation.set_signaling(state) {
            self.push(PeerEvent::Signaling(state));
        }
    }

    pub(super) fn set_gathering(&mut self, state: IceGatheringState) {
        if self.gathering != state {
            self.gathering = state;
            self.push(PeerEvent::Gathering(state));
        }
    }

    pub(super) fn push(&mut self, event: PeerEvent) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
            return;
        }
        // Losing an event would leave the application with a wrong picture for good.
        self.events.clear();
        self.rtc.disconnect();
        self.state = PeerConnectionState::Failed;
        self.events.push_back(PeerEvent::Connection(PeerConnectionState::Failed));
    }
}

/// A goodbye that crosses something of ours on its way comes out as an error: in the middle of the SCTP handshake, or
/// when an acknowledgement still has to be sent through a DTLS connection that has just been closed.
fn is_goodbye(error: &str0m::RtcError) -> bool {
    let is_closed = |text: &str| text.contains("connection closed");
    matches!(error, str0m::RtcError::Sctp(_))
        || matches!(error, str0m::RtcError::Dtls(dtls) if is_closed(&dtls.to_string()))
}
