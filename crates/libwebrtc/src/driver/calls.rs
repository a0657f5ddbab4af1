//! The calls of the application's handles: lock the peer, do it, wake the task.

use std::sync::Arc;

use str0m::media::MediaKind;

use super::{ChannelShared, Connection, Handle};
use crate::{
    media::Track,
    peer::{PeerError, TransceiverId},
    types::{
        MediaType, RtcError,
        ice_candidate::IceCandidate,
        session_description::SessionDescription,
        settings::{DataChannelInit, OfferOptions, RtcConfiguration, RtpTransceiverInit},
    },
};

impl Connection {
    pub(crate) fn check_open(&self) -> Result<(), RtcError> {
        if self.peer().is_closed() { Err(PeerError::Closed.into()) } else { Ok(()) }
    }

    pub(crate) fn set_configuration(
        self: &Arc<Self>,
        config: &RtcConfiguration,
    ) -> Result<(), RtcError> {
        self.check_open()?;
        self.use_servers(&config.ice_servers);
        Ok(())
    }

    pub(crate) fn create_offer(
        &self,
        options: &OfferOptions,
    ) -> Result<SessionDescription, RtcError> {
        let offer = self.peer().create_offer(options);
        self.wake();
        Ok(offer?)
    }

    pub(crate) fn create_answer(&self) -> Result<SessionDescription, RtcError> {
        Ok(self.peer().create_answer()?)
    }

    pub(crate) fn set_local_description(
        &self,
        description: SessionDescription,
    ) -> Result<(), RtcError> {
        let result = self.peer().set_local_description(description);
        self.wake();
        Ok(result?)
    }

    pub(crate) fn set_remote_description(
        &self,
        description: SessionDescription,
    ) -> Result<(), RtcError> {
        let result = self.peer().set_remote_description(description);
        self.wake();
        Ok(result?)
    }

    pub(crate) fn add_ice_candidate(&self, candidate: &IceCandidate) -> Result<(), RtcError> {
        let result = self.peer().add_remote_candidate(candidate);
        self.wake();
        Ok(result?)
    }

    pub(crate) fn restart_ice(&self) {
        self.peer().restart_ice();
        self.wake();
    }

    pub(crate) fn create_data_channel(
        self: &Arc<Self>,
        label: &str,
        init: &DataChannelInit,
    ) -> Result<Arc<ChannelShared>, RtcError> {
        // Held until the channel can be found: the task must not learn of its opening before.
        let mut channels = self.channels.lock();
        let key = self.peer().create_channel(label, init)?;
        let shared = ChannelShared::created(Arc::downgrade(self), key, label);
        channels.insert(key, shared.clone());
        drop(channels);
        self.wake();
        Ok(shared)
    }

    pub(crate) fn transceivers(self: &Arc<Self>) -> Vec<Handle> {
        let peer = self.peer();
        if peer.is_closed() {
            return vec![];
        }
        peer.transceiver_ids().map(|id| self.handle(id)).collect()
    }

    pub(crate) fn add_transceiver(
        self: &Arc<Self>,
        track: Track,
        init: RtpTransceiverInit,
    ) -> Result<Handle, RtcError> {
        let id = self.peer().add_transceiver(kind_of(&track), Some(track), init)?;
        self.wake();
        Ok(self.handle(id))
    }

    pub(crate) fn add_transceiver_for_media(
        self: &Arc<Self>,
        media_type: MediaType,
        init: RtpTransceiverInit,
    ) -> Result<Handle, RtcError> {
        let kind = match media_type {
            MediaType::Audio => MediaKind::Audio,
            MediaType::Video => MediaKind::Video,
            MediaType::Data | MediaType::Unsupported => {
                return Err(RtcError::unsupported("a transceiver for neither audio nor video"));
            }
        };
        let id = self.peer().add_transceiver(kind, None, init)?;
        self.wake();
        Ok(self.handle(id))
    }

    pub(crate) fn add_track(
        self: &Arc<Self>,
        track: Track,
        stream_ids: Vec<String>,
    ) -> Result<Handle, RtcError> {
        let id = self.peer().add_track(track, stream_ids)?;
        self.wake();
        Ok(self.handle(id))
    }

    pub(crate) fn remove_track(&self, sender: &Handle) -> Result<(), RtcError> {
        if !sender.belongs_to(self) {
            return Err(PeerError::UnknownTransceiver.into());
        }
        let result = self.peer().remove_track(sender.id);
        self.wake();
        Ok(result?)
    }

    pub(crate) fn set_local_track(
        &self,
        id: TransceiverId,
        track: Option<Track>,
    ) -> Result<(), RtcError> {
        let result = self.peer().set_local_track(id, track);
        self.wake();
        Ok(result?)
    }

    pub(crate) fn stop_transceiver(&self, id: TransceiverId) -> Result<(), RtcError> {
        let result = self.peer().stop_transceiver(id);
        self.wake();
        Ok(result?)
    }

    fn handle(self: &Arc<Self>, id: TransceiverId) -> Handle {
        Handle::new(Arc::downgrade(self), id)
    }
}

fn kind_of(track: &Track) -> MediaKind {
    match track {
        Track::Audio(_) => MediaKind::Audio,
        Track::Video(_) => MediaKind::Video,
    }
}
