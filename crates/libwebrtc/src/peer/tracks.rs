//! What the application asks of the transceivers.

use str0m::media::MediaKind;

use super::{
    Peer, PeerError, TransceiverId,
    transceiver::{TRANSCEIVERS_MAX, Transceiver},
};
use crate::{
    media::Track,
    types::{sdp::SectionKind, settings::RtpTransceiverInit, states::RtpTransceiverDirection},
};

impl Peer {
    /// A transceiver that sends `track`, or waits for one.
    pub(crate) fn add_transceiver(
        &mut self,
        kind: MediaKind,
        track: Option<Track>,
        init: RtpTransceiverInit,
    ) -> Result<TransceiverId, PeerError> {
        self.check_open()?;
        if matches!(track, Some(Track::Video(_))) {
            return Err(PeerError::Unsupported("publishing video"));
        }
        if self.transceivers.len() >= TRANSCEIVERS_MAX {
            return Err(PeerError::TooMany { what: "transceivers", max: TRANSCEIVERS_MAX });
        }
        let mut transceiver = Transceiver::new(kind, init.direction, None, &self.hub, self.now);
        transceiver.local_track = track;
        transceiver.encodings = init.send_encodings;
        if let Some(stream) = init.stream_ids.into_iter().next() {
            transceiver.stream_id = stream;
        }
        self.transceivers.push(transceiver);
        self.need_negotiation();
        Ok(TransceiverId::new(self.transceivers.len() - 1))
    }

    /// The same, for the next fitting m-line whoever offers it.
    pub(crate) fn add_track(
        &mut self,
        track: Track,
        stream_ids: Vec<String>,
    ) -> Result<TransceiverId, PeerError> {
        let direction = RtpTransceiverDirection::SendRecv;
        let init = RtpTransceiverInit { direction, stream_ids, send_encodings: vec![] };
        let id = self.add_transceiver(MediaKind::Audio, Some(track), init)?;
        self.transceivers[id.index()].takes_any_line = true;
        Ok(id)
    }

    pub(crate) fn remove_track(&mut self, id: TransceiverId) -> Result<(), PeerError> {
        self.check_open()?;
        self.transceiver_mut(id).ok_or(PeerError::UnknownTransceiver)?.stop_sending();
        self.need_negotiation();
        Ok(())
    }

    pub(crate) fn set_local_track(
        &mut self,
        id: TransceiverId,
        track: Option<Track>,
    ) -> Result<(), PeerError> {
        self.check_open()?;
        if matches!(track, Some(Track::Video(_))) {
            return Err(PeerError::Unsupported("publishing video"));
        }
        self.transceiver_mut(id).ok_or(PeerError::UnknownTransceiver)?.set_local_track(track);
        Ok(())
    }

    pub(crate) fn stop_transceiver(&mut self, id: TransceiverId) -> Result<(), PeerError> {
        self.check_open()?;
        self.transceiver_mut(id).ok_or(PeerError::UnknownTransceiver)?.stop();
        self.need_negotiation();
        Ok(())
    }

    /// Makes sure that there is a transceiver which receives media of a kind, if that is wanted.
    pub(super) fn add_receiving(
        &mut self,
        kind: SectionKind,
        wanted: bool,
    ) -> Result<(), PeerError> {
        let kind = if kind == SectionKind::Audio { MediaKind::Audio } else { MediaKind::Video };
        let exists = self.transceivers.iter().any(|t| t.kind() == kind && t.direction().receives());
        if !wanted || exists {
            return Ok(());
        }
        let direction = RtpTransceiverDirection::RecvOnly;
        let init = RtpTransceiverInit { direction, stream_ids: vec![], send_encodings: vec![] };
        self.add_transceiver(kind, None, init).map(|_| ())
    }
}
