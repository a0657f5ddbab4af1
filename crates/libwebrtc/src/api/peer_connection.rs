//! A connection to one peer, as an application holds it.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use crate::{
    api::{
        data_channel::DataChannel, media_stream::MediaStream, media_stream_track::MediaStreamTrack,
        rtp_receiver::RtpReceiver, rtp_sender::RtpSender, rtp_transceiver::RtpTransceiver,
    },
    driver::{ChannelShared, Handle, On, Owner},
    types::{
        MediaType, RtcError,
        ice_candidate::IceCandidate,
        session_description::SessionDescription,
        settings::{DataChannelInit, RtcConfiguration, RtpTransceiverInit},
        stats::RtcStats,
    },
};

pub use crate::types::{
    settings::OfferOptions,
    states::{IceConnectionState, IceGatheringState, PeerConnectionState, SignalingState},
};

#[derive(Debug, Clone, Default)]
pub struct AnswerOptions {}

/// Limits of the send bitrate, in bits per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BitrateSettings {
    pub min_bitrate_bps: Option<u64>,
    pub start_bitrate_bps: Option<u64>,
    pub max_bitrate_bps: Option<u64>,
}

/// A failed attempt to gather a candidate. Host candidates cannot fail, so none is reported.
#[derive(Debug, Clone)]
pub struct IceCandidateError {
    pub address: String,
    pub port: i32,
    pub url: String,
    pub error_code: i32,
    pub error_text: String,
}

/// A remote track began to be received.
#[derive(Debug, Clone)]
pub struct TrackEvent {
    pub receiver: RtpReceiver,
    pub streams: Vec<MediaStream>,
    pub track: MediaStreamTrack,
    pub transceiver: RtpTransceiver,
}

impl TrackEvent {
    /// `None` when the connection is gone.
    fn of(handle: Handle) -> Option<Self> {
        let transceiver = RtpTransceiver::new(handle);
        let receiver = transceiver.receiver();
        let track = receiver.track()?;
        Some(Self { streams: receiver.streams(), receiver, track, transceiver })
    }
}

/// See [`OnStateChange`](crate::data_channel::OnStateChange) for the thread these run on.
pub type OnConnectionChange = Box<dyn FnMut(PeerConnectionState) + Send + Sync>;
pub type OnDataChannel = Box<dyn FnMut(DataChannel) + Send + Sync>;
pub type OnIceCandidate = Box<dyn FnMut(IceCandidate) + Send + Sync>;
pub type OnIceCandidateError = Box<dyn FnMut(IceCandidateError) + Send + Sync>;
pub type OnIceConnectionChange = Box<dyn FnMut(IceConnectionState) + Send + Sync>;
pub type OnIceGatheringChange = Box<dyn FnMut(IceGatheringState) + Send + Sync>;
pub type OnNegotiationNeeded = Box<dyn FnMut(u32) + Send + Sync>;
pub type OnSignalingChange = Box<dyn FnMut(SignalingState) + Send + Sync>;
pub type OnTrack = Box<dyn FnMut(TrackEvent) + Send + Sync>;

/// A connection. It closes when the last clone of this handle goes away, or on [`Self::close`].
#[derive(Clone)]
pub struct PeerConnection {
    owner: Arc<Owner>,
}

impl PeerConnection {
    pub(crate) fn new(owner: Arc<Owner>) -> Self {
        Self { owner }
    }

    /// Takes over the part of `config` that can change: its ICE servers. Those that are new are asked for an allocation at once.
    #[expect(clippy::needless_pass_by_value, reason = "signature of the API")]
    pub fn set_configuration(&self, config: RtcConfiguration) -> Result<(), RtcError> {
        self.owner.connection().set_configuration(&config)
    }

    /// Checks the limits against each other. Audio does not adapt to bandwidth, so they have no effect beyond that.
    pub fn set_bitrate(&self, settings: BitrateSettings) -> Result<(), RtcError> {
        self.owner.connection().check_open()?;
        let ordered = |low: Option<u64>, high: Option<u64>| {
            low.zip(high).is_none_or(|(low, high)| low <= high)
        };
        let BitrateSettings {
            min_bitrate_bps: min,
            start_bitrate_bps: start,
            max_bitrate_bps: max,
        } = settings;
        if ordered(min, start) && ordered(start, max) && ordered(min, max) {
            return Ok(());
        }
        Err(RtcError::internal(format!(
            "bitrates out of order: min {min:?}, start {start:?}, max {max:?}"
        )))
    }

    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn create_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, RtcError> {
        self.owner.connection().create_offer(&options)
    }

    /// The answer to the remote offer that was set last.
    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn create_answer(
        &self,
        options: AnswerOptions,
    ) -> Result<SessionDescription, RtcError> {
        let AnswerOptions {} = options;
        self.owner.connection().create_answer()
    }

    /// Puts an offer or answer made by this connection in force. Edits of its text are not read back.
    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn set_local_description(&self, desc: SessionDescription) -> Result<(), RtcError> {
        self.owner.connection().set_local_description(desc)
    }

    /// Applies the other side's description. While a local offer is out, the answer already in force (again) or a
    /// rollback withdraws that offer.
    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn set_remote_description(&self, desc: SessionDescription) -> Result<(), RtcError> {
        self.owner.connection().set_remote_description(desc)
    }

    /// Takes a remote candidate. One that cannot be reached from here (of another IP version, or with a host name) is
    /// skipped.
    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn add_ice_candidate(&self, candidate: IceCandidate) -> Result<(), RtcError> {
        self.owner.connection().add_ice_candidate(&candidate)
    }

    #[expect(clippy::needless_pass_by_value, reason = "signature of the API")]
    pub fn create_data_channel(
        &self,
        label: &str,
        init: DataChannelInit,
    ) -> Result<DataChannel, RtcError> {
        Ok(DataChannel::new(self.owner.connection().create_data_channel(label, &init)?))
    }

    /// Sends `track` on a transceiver of its own.
    pub fn add_track<T: AsRef<str>>(
        &self,
        track: MediaStreamTrack,
        streams_ids: &[T],
    ) -> Result<RtpSender, RtcError> {
        let ids = streams_ids.iter().map(|id| id.as_ref().to_owned()).collect();
        Ok(RtpSender::new(self.owner.connection().add_track(track.into(), ids)?))
    }

    /// Stops sending; the other side learns of it with the next offer.
    #[expect(clippy::needless_pass_by_value, reason = "signature of the API")]
    pub fn remove_track(&self, sender: RtpSender) -> Result<(), RtcError> {
        self.owner.connection().remove_track(sender.handle())
    }

    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn get_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        Ok(self.owner.connection().peer().stats())
    }

    pub fn add_transceiver(
        &self,
        track: MediaStreamTrack,
        init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        Ok(RtpTransceiver::new(self.owner.connection().add_transceiver(track.into(), init)?))
    }

    pub fn add_transceiver_for_media(
        &self,
        media_type: MediaType,
        init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        let handle = self.owner.connection().add_transceiver_for_media(media_type, init)?;
        Ok(RtpTransceiver::new(handle))
    }

    /// Says goodbye to the other side and releases socket, channels and tracks. Callbacks see the final states and are
    /// then dropped.
    pub fn close(&self) {
        self.owner.connection().close();
    }

    /// Lets the next offer restart ICE.
    pub fn restart_ice(&self) {
        self.owner.connection().restart_ice();
    }

    pub fn connection_state(&self) -> PeerConnectionState {
        self.owner.connection().peer().connection_state()
    }

    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.owner.connection().peer().ice_connection_state()
    }

    pub fn ice_gathering_state(&self) -> IceGatheringState {
        self.owner.connection().peer().ice_gathering_state()
    }

    pub fn signaling_state(&self) -> SignalingState {
        self.owner.connection().peer().signaling_state()
    }

    pub fn current_local_description(&self) -> Option<SessionDescription> {
        self.owner.connection().peer().current_local_description().cloned()
    }

    pub fn current_remote_description(&self) -> Option<SessionDescription> {
        self.owner.connection().peer().current_remote_description().cloned()
    }

    pub fn senders(&self) -> Vec<RtpSender> {
        self.transceivers().iter().map(RtpTransceiver::sender).collect()
    }

    pub fn receivers(&self) -> Vec<RtpReceiver> {
        self.transceivers().iter().map(RtpTransceiver::receiver).collect()
    }

    /// All transceivers in the order they came to be; none once closed.
    pub fn transceivers(&self) -> Vec<RtpTransceiver> {
        let handles = self.owner.connection().transceivers();
        handles.into_iter().map(RtpTransceiver::new).collect()
    }

    pub fn on_connection_state_change(&self, f: Option<OnConnectionChange>) {
        self.owner.connection().callbacks.connection.set(f);
    }

    pub fn on_data_channel(&self, f: Option<OnDataChannel>) {
        let f = f.map(|mut f| -> On<Arc<ChannelShared>> {
            Box::new(move |shared| f(DataChannel::new(shared)))
        });
        self.owner.connection().callbacks.data_channel.set(f);
    }

    pub fn on_ice_candidate(&self, f: Option<OnIceCandidate>) {
        self.owner.connection().callbacks.candidate.set(f);
    }

    /// The handler is never called, and therefore not kept: gathering host candidates cannot fail.
    pub fn on_ice_candidate_error(&self, f: Option<OnIceCandidateError>) {
        drop(f);
    }

    pub fn on_ice_connection_state_change(&self, f: Option<OnIceConnectionChange>) {
        self.owner.connection().callbacks.ice_connection.set(f);
    }

    pub fn on_ice_gathering_state_change(&self, f: Option<OnIceGatheringChange>) {
        self.owner.connection().callbacks.gathering.set(f);
    }

    /// Gets a number that grows with each call.
    pub fn on_negotiation_needed(&self, f: Option<OnNegotiationNeeded>) {
        self.owner.connection().callbacks.negotiation.set(f);
    }

    pub fn on_signaling_state_change(&self, f: Option<OnSignalingChange>) {
        self.owner.connection().callbacks.signaling.set(f);
    }

    pub fn on_track(&self, f: Option<OnTrack>) {
        let f = f.map(|mut f| -> On<Handle> {
            Box::new(move |handle| {
                if let Some(event) = TrackEvent::of(handle) {
                    f(event);
                }
            })
        });
        self.owner.connection().callbacks.track.set(f);
    }
}

impl Debug for PeerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnection")
            .field("state", &self.connection_state())
            .field("ice_state", &self.ice_connection_state())
            .finish()
    }
}
