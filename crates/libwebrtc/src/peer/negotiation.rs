//! Offers and answers: the standard's two-step exchange over an engine that has one step.
//!
//! The engine applies an offer of its own only together with the answer, and applies a remote offer at once. So
//! `create_offer` keeps the pending offer, setting it as local description only moves the state, and the answer is fed
//! to the pending offer; a remote offer yields its answer when it is set, and `create_answer` hands that out.

use str0m::{
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId},
    media::{Direction, MediaKind, Mid},
};

use super::{
    Peer, PeerError, PeerEvent, Transceiver, TransceiverId, transceiver::TRANSCEIVERS_MAX,
};
use crate::types::{
    sdp::{self, Section, SectionKind},
    session_description::{SdpType, SessionDescription},
    settings::OfferOptions,
    states::{RtpTransceiverDirection, SignalingState},
};

/// Where the exchange stands.
pub(super) struct Negotiation {
    signaling: SignalingState,
    current_local: Option<SessionDescription>,
    current_remote: Option<SessionDescription>,
    /// An offer of ours, from `create_offer` to its answer.
    pending: Option<SdpPendingOffer>,
    /// The text of the offer that was put in force.
    pending_local: Option<SessionDescription>,
    /// The answer to the remote offer in force.
    answer: Option<SessionDescription>,
    /// Some description in force has an application m-line.
    has_application: bool,
    /// The anonymous channel that got us the application m-line, and its stream.
    placeholder: Option<(ChannelId, u16)>,
    wants_ice_restart: bool,
    pub(super) candidates_announced: bool,
    pub(super) remote_candidates: usize,
    needed: u32,
}

impl Default for Negotiation {
    fn default() -> Self {
        Self {
            signaling: SignalingState::Stable,
            current_local: None,
            current_remote: None,
            pending: None,
            pending_local: None,
            answer: None,
            has_application: false,
            placeholder: None,
            wants_ice_restart: false,
            candidates_announced: false,
            remote_candidates: 0,
            needed: 0,
        }
    }
}

impl Negotiation {
    pub(super) fn signaling(&self) -> SignalingState {
        self.signaling
    }

    /// Returns whether this is a change.
    pub(super) fn set_signaling(&mut self, state: SignalingState) -> bool {
        std::mem::replace(&mut self.signaling, state) != state
    }

    pub(super) fn current_local(&self) -> Option<&SessionDescription> {
        self.current_local.as_ref()
    }

    pub(super) fn current_remote(&self) -> Option<&SessionDescription> {
        self.current_remote.as_ref()
    }

    pub(super) fn has_application(&self) -> bool {
        self.has_application
    }

    pub(super) fn is_placeholder(&self, id: ChannelId) -> bool {
        self.placeholder.is_some_and(|(placeholder, _)| placeholder == id)
    }

    pub(super) fn uses_stream(&self, id: u16) -> bool {
        self.placeholder.is_some_and(|(_, stream)| stream == id)
    }
}

impl Peer {
    pub(crate) fn create_offer(
        &mut self,
        options: &OfferOptions,
    ) -> Result<SessionDescription, PeerError> {
        self.check_open()?;
        self.add_receiving(SectionKind::Audio, options.offer_to_receive_audio)?;
        self.add_receiving(SectionKind::Video, options.offer_to_receive_video)?;
        let restarts = (options.ice_restart
            || std::mem::take(&mut self.negotiation.wants_ice_restart))
            && self.negotiation.current_remote.is_some();
        let placeholder = if self.negotiation.has_application || self.channels.is_empty() {
            None
        } else {
            self.placeholder_id()
        };
        let mut changes = self.rtc.sdp_api();
        if let Some(stream) = placeholder {
            let config = ChannelConfig { negotiated: Some(stream), ..Default::default() };
            let id = changes.add_channel_with_config(config);
            self.negotiation.placeholder = Some((id, stream));
        }
        for transceiver in &mut self.transceivers {
            transceiver.offer(&mut changes);
        }
        if restarts {
            // The socket stays, so its candidate does.
            changes.ice_restart(true);
            self.negotiation.candidates_announced = false;
        }
        if !changes.has_changes()
            && let Some((mid, direction)) =
                self.transceivers.iter().find_map(Transceiver::negotiated)
        {
            // The engine makes no offer without a change, so change a direction there and back.
            let other = if direction == Direction::SendRecv {
                Direction::SendOnly
            } else {
                Direction::SendRecv
            };
            changes.set_direction(mid, other);
            changes.set_direction(mid, direction);
        }
        if let Some((offer, pending)) = changes.apply() {
            self.negotiation.pending = Some(pending);
            return Ok(SessionDescription::new(SdpType::Offer, &offer.to_sdp_string()));
        }
        // Only data channels, and nothing about them to say: repeat what holds.
        let current = self.negotiation.current_local.as_ref().ok_or(PeerError::NothingToOffer)?;
        let offer = SessionDescription::new(SdpType::Offer, current.text());
        self.negotiation.pending = None;
        Ok(offer)
    }

    pub(crate) fn create_answer(&mut self) -> Result<SessionDescription, PeerError> {
        self.check_open()?;
        self.negotiation.answer.clone().ok_or(self.wrong_state("create an answer"))
    }

    pub(crate) fn set_local_description(
        &mut self,
        description: SessionDescription,
    ) -> Result<(), PeerError> {
        self.check_open()?;
        let signaling = self.negotiation.signaling;
        match description.sdp_type() {
            SdpType::Offer => {
                if !matches!(signaling, SignalingState::Stable | SignalingState::HaveLocalOffer) {
                    return Err(self.wrong_state("set a local offer"));
                }
                let repeats = self
                    .negotiation
                    .current_local
                    .as_ref()
                    .is_some_and(|c| c.text() == description.text());
                if self.negotiation.pending.is_none() && !repeats {
                    return Err(PeerError::NotOurs);
                }
                for transceiver in &mut self.transceivers {
                    transceiver.confirm_offer();
                }
                self.announce(&description);
                self.negotiation.pending_local = Some(description);
                self.set_signaling(SignalingState::HaveLocalOffer);
            }
            SdpType::Answer => {
                if signaling != SignalingState::HaveRemoteOffer {
                    return Err(self.wrong_state("set a local answer"));
                }
                if self.negotiation.answer.take().is_none() {
                    return Err(PeerError::NotOurs);
                }
                self.announce(&description);
                self.negotiation.current_local = Some(description);
                self.set_signaling(SignalingState::Stable);
                self.agree_lines();
            }
            SdpType::PrAnswer => return Err(PeerError::Unsupported("a provisional answer")),
            SdpType::Rollback => self.roll_back(),
        }
        Ok(())
    }

    pub(crate) fn set_remote_description(
        &mut self,
        description: SessionDescription,
    ) -> Result<(), PeerError> {
        self.check_open()?;
        match description.sdp_type() {
            SdpType::Offer => self.set_remote_offer(&description)?,
            SdpType::Answer => {
                if self.negotiation.signaling != SignalingState::HaveLocalOffer {
                    return Err(self.wrong_state("set a remote answer"));
                }
                // An application withdraws its offer by giving the answer in force once more.
                if self
                    .negotiation
                    .current_remote
                    .as_ref()
                    .is_some_and(|c| c.text() == description.text())
                {
                    self.roll_back();
                    return Ok(());
                }
                self.set_remote_answer(&description)?;
            }
            SdpType::PrAnswer => return Err(PeerError::Unsupported("a provisional answer")),
            SdpType::Rollback => {
                self.roll_back();
                return Ok(());
            }
        }
        self.use_candidates_of(&description);
        self.negotiation.remote_candidates = 0;
        self.negotiation.current_remote = Some(description);
        self.agree_lines();
        Ok(())
    }

    pub(crate) fn restart_ice(&mut self) {
        self.negotiation.wants_ice_restart = true;
        self.need_negotiation();
    }

    /// Tells the application that an offer is due, unless an exchange is under way.
    pub(super) fn need_negotiation(&mut self) {
        if self.negotiation.signaling == SignalingState::Stable {
            self.negotiation.needed = self.negotiation.needed.wrapping_add(1);
            self.push(PeerEvent::NegotiationNeeded(self.negotiation.needed));
        }
    }

    fn set_remote_offer(&mut self, description: &SessionDescription) -> Result<(), PeerError> {
        if !matches!(
            self.negotiation.signaling,
            SignalingState::Stable | SignalingState::HaveRemoteOffer
        ) {
            return Err(self.wrong_state("set a remote offer"));
        }
        let sections = sdp::sections(description.text());
        self.check_room(&sections)?;
        let offer = SdpOffer::from_sdp_string(description.text()).map_err(PeerError::remote)?;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(PeerError::remote)?;
        // An offer of ours that was only created, not set, is void now.
        self.negotiation.pending = None;
        self.negotiation.answer =
            Some(SessionDescription::new(SdpType::Answer, &answer.to_sdp_string()));
        self.set_signaling(SignalingState::HaveRemoteOffer);
        self.apply_sections(&sections, SdpType::Offer);
        Ok(())
    }

    fn set_remote_answer(&mut self, description: &SessionDescription) -> Result<(), PeerError> {
        let sections = sdp::sections(description.text());
        self.check_room(&sections)?;
        let answer = SdpAnswer::from_sdp_string(description.text()).map_err(PeerError::remote)?;
        if let Some(pending) = self.negotiation.pending.take() {
            self.rtc.sdp_api().accept_answer(pending, answer).map_err(PeerError::remote)?;
        }
        self.negotiation.current_local = self.negotiation.pending_local.take();
        self.set_signaling(SignalingState::Stable);
        self.apply_sections(&sections, SdpType::Answer);
        Ok(())
    }

    /// Brings the transceivers in line with what the other side wrote.
    fn apply_sections(&mut self, sections: &[Section], written_in: SdpType) {
        for section in sections {
            let kind = match section.kind {
                SectionKind::Audio => MediaKind::Audio,
                SectionKind::Video => MediaKind::Video,
                SectionKind::Application => {
                    self.negotiation.has_application |= !section.rejected;
                    continue;
                }
                SectionKind::Other => continue,
            };
            let mid: Mid = section.mid.as_str().into();
            let id = self.transceiver_for(mid, kind, section, written_in);
            let Some(transceiver) = self.transceivers.get_mut(id.index()) else { continue };
            if transceiver.apply(section) {
                self.push(PeerEvent::Track(id));
            }
        }
    }

    /// The transceiver of an m-line: the one that has it, or for an offer one made by `add_track` that waits for one,
    /// or a new one.
    fn transceiver_for(
        &mut self,
        mid: Mid,
        kind: MediaKind,
        section: &Section,
        written_in: SdpType,
    ) -> TransceiverId {
        let waiting = |t: &Transceiver| {
            written_in == SdpType::Offer
                && section.receives
                && t.kind() == kind
                && t.waits_for_any_line()
        };
        let known = self.transceivers.iter().position(|t| t.mid() == Some(mid));
        if let Some(index) = known.or_else(|| self.transceivers.iter().position(waiting)) {
            self.transceivers[index].assign(mid);
            return TransceiverId::new(index);
        }
        let track_id =
            section.msids.first().map(|(_, track)| track.clone()).filter(|id| !id.is_empty());
        let mut transceiver = Transceiver::new(
            kind,
            RtpTransceiverDirection::RecvOnly,
            track_id,
            &self.hub,
            self.now,
        );
        transceiver.assign(mid);
        self.transceivers.push(transceiver);
        TransceiverId::new(self.transceivers.len() - 1)
    }

    fn check_room(&self, sections: &[Section]) -> Result<(), PeerError> {
        if sections.len() > TRANSCEIVERS_MAX || self.transceivers.len() > TRANSCEIVERS_MAX {
            return Err(PeerError::TooMany { what: "m-lines", max: TRANSCEIVERS_MAX });
        }
        Ok(())
    }

    /// Withdraws whatever exchange is under way.
    fn roll_back(&mut self) {
        self.negotiation.pending = None;
        self.negotiation.pending_local = None;
        self.negotiation.answer = None;
        // m-lines that only the withdrawn offer had are offered again, under other ids.
        for transceiver in &mut self.transceivers {
            transceiver.withdraw_offer();
        }
        if self.negotiation.signaling != SignalingState::Closed {
            self.set_signaling(SignalingState::Stable);
        }
    }

    fn wrong_state(&self, action: &'static str) -> PeerError {
        PeerError::WrongState { action, state: self.negotiation.signaling }
    }
}
