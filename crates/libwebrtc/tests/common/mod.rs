//! Two connections of one process, and what the tests ask of them.

use std::{sync::Arc, time::Duration};

use libwebrtc::{
    encoded::{EncodedAudioSource, EncodedFrame},
    peer_connection_factory::native::PeerConnectionFactoryExt,
    prelude::*,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::{Stream, StreamExt};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// More events than any test causes.
pub(crate) const QUEUE: usize = 256;

pub(crate) struct Side {
    pub(crate) connection: PeerConnection,
    pub(crate) states: mpsc::Receiver<PeerConnectionState>,
    pub(crate) channels: mpsc::Receiver<DataChannel>,
    pub(crate) tracks: mpsc::Receiver<MediaStreamTrack>,
    pub(crate) candidates: mpsc::Receiver<IceCandidate>,
}

impl Side {
    pub(crate) fn new(config: RtcConfiguration) -> Self {
        let connection = PeerConnectionFactory::default().create_peer_connection(config).unwrap();
        let (send_state, states) = mpsc::channel(QUEUE);
        let (send_channel, channels) = mpsc::channel(QUEUE);
        let (send_track, tracks) = mpsc::channel(QUEUE);
        let (send_candidate, candidates) = mpsc::channel(QUEUE);
        connection.on_connection_state_change(Some(Box::new(move |state| {
            let _ = send_state.try_send(state);
        })));
        connection.on_data_channel(Some(Box::new(move |channel| {
            let _ = send_channel.try_send(channel);
        })));
        connection.on_track(Some(Box::new(move |event| {
            let _ = send_track.try_send(event.track);
        })));
        connection.on_ice_candidate(Some(Box::new(move |candidate| {
            let _ = send_candidate.try_send(candidate);
        })));
        Self { connection, states, channels, tracks, candidates }
    }

    pub(crate) async fn reached(&mut self, state: PeerConnectionState) {
        let reached = async {
            while self.states.recv().await.expect("states end only when closed") != state {}
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{state:?} was not reached"));
    }
}

/// An offer of one and the other's answer, as they are when they arrive.
pub(crate) async fn exchange(
    a: &Side,
    b: &Side,
    arrived: fn(&SessionDescription) -> SessionDescription,
) {
    let offer = a.connection.create_offer(OfferOptions::default()).await.unwrap();
    a.connection.set_local_description(offer.clone()).await.unwrap();
    b.connection.set_remote_description(arrived(&offer)).await.unwrap();
    let answer = b.connection.create_answer(AnswerOptions::default()).await.unwrap();
    b.connection.set_local_description(answer.clone()).await.unwrap();
    a.connection.set_remote_description(arrived(&answer)).await.unwrap();
}

pub(crate) async fn connect(a: &mut Side, b: &mut Side) {
    exchange(a, b, SessionDescription::clone).await;
    let ours = timeout(PATIENCE, a.candidates.recv()).await.unwrap().unwrap();
    let theirs = timeout(PATIENCE, b.candidates.recv()).await.unwrap().unwrap();
    a.connection.add_ice_candidate(theirs).await.unwrap();
    b.connection.add_ice_candidate(ours).await.unwrap();
    a.reached(PeerConnectionState::Connected).await;
    b.reached(PeerConnectionState::Connected).await;
}

/// A microphone that sends the same packet for ever, and a track of it.
pub(crate) fn microphone() -> (EncodedAudioSource, MediaStreamTrack) {
    let silence: &[u8] = &[0xf8, 0xff, 0xfe];
    let source = EncodedAudioSource::new(EncodedFrame { payload: Arc::from(silence), level: 127 });
    let RtcAudioSource::Native(native) = source.rtc_source() else { panic!("a native source") };
    let track = PeerConnectionFactory::default().create_audio_track("microphone", native);
    (source, track.into())
}

pub(crate) fn audio(track: MediaStreamTrack) -> RtcAudioTrack {
    match track {
        MediaStreamTrack::Audio(track) => track,
        MediaStreamTrack::Video(_) => panic!("an audio track"),
    }
}

pub(crate) async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    timeout(PATIENCE, stream.next()).await.expect("nothing came")
}
