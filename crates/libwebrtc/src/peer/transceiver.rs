//! Transceivers: what each side wants to send and receive on an m-line, and what was agreed.

use std::time::Instant;

use str0m::{
    change::SdpApi,
    media::{Direction, MediaKind, Mid},
};

use super::Hub;
use crate::{
    media::{AudioRx, AudioTrack, AudioTx, RtpPosition, Track, TxSettings, VideoTrack},
    types::{
        random_uuid,
        rtp_parameters::{
            DegradationPreference, RtpCodecParameters, RtpEncodingParameters, RtpParameters,
        },
        sdp::{Opus, Section},
        states::RtpTransceiverDirection,
    },
};

/// Transceivers of one connection.
pub(super) const TRANSCEIVERS_MAX: usize = 512;

/// Names a transceiver of a connection for good: transceivers are stopped, never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TransceiverId(usize);

impl TransceiverId {
    pub(super) fn new(index: usize) -> Self {
        Self(index)
    }

    pub(super) fn index(self) -> usize {
        self.0
    }
}

pub(crate) struct Transceiver {
    kind: MediaKind,
    mid: Option<Mid>,
    /// Given by an offer that is created but not set.
    offered_mid: Option<Mid>,
    direction: RtpTransceiverDirection,
    current: Option<RtpTransceiverDirection>,
    pub(super) local_track: Option<Track>,
    /// Made by `add_track`: any fitting m-line of a remote offer will do.
    pub(super) takes_any_line: bool,
    pub(super) stream_id: String,
    pub(super) encodings: Vec<RtpEncodingParameters>,
    degradation_preference: Option<DegradationPreference>,
    remote_track: Track,
    remote_streams: Vec<String>,
    opus: Option<Opus>,
    pub(super) sender: Option<AudioTx>,
    /// Something is to be sent; the sender is made when time is known.
    wants_sender: bool,
    /// Where the RTP stream of the last sender ended.
    position: Option<RtpPosition>,
    /// Of audio, until the end.
    pub(super) receiver: Option<AudioRx>,
}

impl Transceiver {
    pub(super) fn new(
        kind: MediaKind,
        direction: RtpTransceiverDirection,
        remote_track_id: Option<String>,
        hub: &Hub,
        now: Instant,
    ) -> Self {
        let id = remote_track_id.unwrap_or_else(random_uuid);
        let (remote_track, receiver) = match kind {
            MediaKind::Audio => {
                let track = AudioTrack::remote(id, hub.waker.clone());
                let receiver = AudioRx::new(&track, hub.grid, now).ok();
                (Track::Audio(track), receiver)
            }
            MediaKind::Video => (Track::Video(VideoTrack::new(id)), None),
        };
        Self {
            kind,
            mid: None,
            offered_mid: None,
            direction,
            current: None,
            local_track: None,
            takes_any_line: false,
            stream_id: "-".into(),
            encodings: vec![],
            degradation_preference: None,
            remote_track,
            remote_streams: vec![],
            opus: None,
            sender: None,
            wants_sender: false,
            position: None,
            receiver,
        }
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.kind
    }

    pub(crate) fn is_audio(&self) -> bool {
        self.kind == MediaKind::Audio
    }

    pub(crate) fn mid(&self) -> Option<Mid> {
        self.mid
    }

    pub(crate) fn direction(&self) -> RtpTransceiverDirection {
        self.direction
    }

    pub(crate) fn current_direction(&self) -> Option<RtpTransceiverDirection> {
        self.current
    }

    pub(crate) fn local_track(&self) -> Option<&Track> {
        self.local_track.as_ref()
    }

    pub(crate) fn remote_track(&self) -> &Track {
        &self.remote_track
    }

    pub(crate) fn remote_streams(&self) -> &[String] {
        &self.remote_streams
    }

    /// The payload type to send Opus with, once known.
    pub(super) fn opus_payload_type(&self) -> Option<u8> {
        self.opus.map(|opus| opus.payload_type)
    }

    pub(super) fn receives(&self) -> bool {
        self.current.is_some_and(RtpTransceiverDirection::receives)
    }

    pub(crate) fn sender_parameters(&self) -> RtpParameters {
        RtpParameters {
            codecs: self.codecs(),
            encodings: if self.encodings.is_empty() {
                vec![RtpEncodingParameters::default()]
            } else {
                self.encodings.clone()
            },
            degradation_preference: self.degradation_preference,
            ..RtpParameters::default()
        }
    }

    pub(crate) fn receiver_parameters(&self) -> RtpParameters {
        RtpParameters { codecs: self.codecs(), ..RtpParameters::default() }
    }

    pub(crate) fn set_sender_parameters(&mut self, parameters: RtpParameters) {
        self.encodings = parameters.encodings;
        self.degradation_preference = parameters.degradation_preference;
        let max_bitrate = self.max_bitrate();
        if let Some((sender, bitrate)) = self.sender.as_mut().zip(max_bitrate) {
            sender.limit_bitrate(bitrate);
        }
    }

    /// Whether the application lets the sender run.
    pub(super) fn is_active(&self) -> bool {
        self.encodings.first().is_none_or(|e| e.active)
    }

    pub(super) fn assign(&mut self, mid: Mid) {
        self.mid = Some(mid);
        self.offered_mid = None;
    }

    pub(super) fn waits_for_any_line(&self) -> bool {
        self.takes_any_line && self.mid.is_none() && self.offered_mid.is_none()
    }

    /// The m-line in the engine, if it has one that can still be changed.
    pub(super) fn negotiated(&self) -> Option<(Mid, Direction)> {
        let is_stopped = self.direction == RtpTransceiverDirection::Stopped;
        self.mid
            .filter(|_| self.current.is_some() && !is_stopped)
            .map(|mid| (mid, engine_direction(self.direction)))
    }

    /// Puts the m-line into an offer.
    pub(super) fn offer(&mut self, changes: &mut SdpApi<'_>) {
        let is_stopped = self.direction == RtpTransceiverDirection::Stopped;
        match self.mid {
            Some(mid) if is_stopped => changes.stop_media(mid),
            Some(mid) => changes.set_direction(mid, engine_direction(self.direction)),
            None if is_stopped => {}
            None => {
                let track = self.local_track.as_ref().map(|track| track.id().to_owned());
                let direction = engine_direction(self.direction);
                let mid = changes.add_media(
                    self.kind,
                    direction,
                    Some(self.stream_id.clone()),
                    track,
                    None,
                );
                self.offered_mid = Some(mid);
            }
        }
    }

    /// The offer is in force.
    pub(super) fn confirm_offer(&mut self) {
        if let Some(mid) = self.offered_mid.take() {
            self.mid = Some(mid);
        }
    }

    /// The offer is void.
    pub(super) fn withdraw_offer(&mut self) {
        self.offered_mid = None;
        if self.current.is_none() {
            self.mid = None;
        }
    }

    /// Takes over what the other side wrote about the m-line. Returns whether it begins to be received.
    pub(super) fn apply(&mut self, section: &Section) -> bool {
        self.opus = section.opus;
        let was_receiving = self.receives();
        let sends = self.direction.sends() && section.receives && !section.rejected;
        let receives = self.direction.receives() && section.sends && !section.rejected;
        self.current = Some(RtpTransceiverDirection::new(sends, receives));
        self.remote_streams = if receives {
            section.msids.iter().map(|(stream, _)| stream.clone()).filter(|s| s != "-").collect()
        } else {
            vec![]
        };
        self.update_sender();
        receives && !was_receiving
    }

    /// Replaces what is sent.
    pub(super) fn set_local_track(&mut self, track: Option<Track>) {
        self.local_track = track;
        self.stop_sender();
        self.update_sender();
    }

    /// Stops for good, or just stops sending.
    pub(super) fn stop(&mut self) {
        self.end();
        self.direction = RtpTransceiverDirection::Stopped;
        self.current = Some(RtpTransceiverDirection::Stopped);
    }

    pub(super) fn stop_sending(&mut self) {
        self.local_track = None;
        self.stop_sender();
        self.direction = RtpTransceiverDirection::new(false, self.direction.receives());
    }

    /// The connection is over: nothing is sent or received any more. The local track stays known.
    pub(super) fn end(&mut self) {
        self.stop_sender();
        self.receiver = None;
        self.remote_track.end();
    }

    /// Makes the sender, if one is wanted and missing.
    pub(super) fn start_sender(&mut self, now: Instant) {
        if !std::mem::take(&mut self.wants_sender) {
            return;
        }
        let Some(Track::Audio(track)) = &self.local_track else { return };
        let dtx = self.opus.is_some_and(|o| o.wants_dtx);
        let settings = TxSettings { bitrate: self.max_bitrate(), dtx };
        let position = self.position.unwrap_or_else(RtpPosition::random);
        match AudioTx::new(track, settings, position, now) {
            Ok(sender) => self.sender = Some(sender),
            Err(error) => log::error!("track {} cannot be sent: {error}", track.id()),
        }
    }

    /// Brings the sender in line with what was agreed.
    fn update_sender(&mut self) {
        let has_audio = matches!(self.local_track, Some(Track::Audio(_)));
        if has_audio && self.current.is_some_and(RtpTransceiverDirection::sends) {
            self.wants_sender = self.sender.is_none();
        } else {
            self.stop_sender();
        }
    }

    fn stop_sender(&mut self) {
        self.wants_sender = false;
        if let Some(sender) = self.sender.take() {
            self.position = Some(sender.position());
        }
    }

    fn max_bitrate(&self) -> Option<u64> {
        self.encodings.first().and_then(|e| e.max_bitrate)
    }

    fn codecs(&self) -> Vec<RtpCodecParameters> {
        let opus = |opus: Opus| RtpCodecParameters {
            payload_type: opus.payload_type,
            mime_type: "audio/opus".into(),
            clock_rate: Some(48_000),
            channels: Some(2),
        };
        self.opus.map(opus).into_iter().collect()
    }
}

fn engine_direction(direction: RtpTransceiverDirection) -> Direction {
    match direction {
        RtpTransceiverDirection::SendRecv => Direction::SendRecv,
        RtpTransceiverDirection::SendOnly => Direction::SendOnly,
        RtpTransceiverDirection::RecvOnly => Direction::RecvOnly,
        RtpTransceiverDirection::Inactive | RtpTransceiverDirection::Stopped => Direction::Inactive,
    }
}
