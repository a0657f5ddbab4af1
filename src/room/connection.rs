//! A connection to a room: joining it, publishing a microphone, and leaving.

use livekit::options::TrackPublishOptions;
use livekit::prelude::*;
use livekit::webrtc::encoded::EncodedAudioSource;
use std::time::Duration;

/// How long one attempt to reach the server may take, and how long hanging up may.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The attribute in which an agent tells what it is doing.
pub const STATE_ATTRIBUTE: &str = "lk.agent.state";

/// How a room is joined.
pub fn room_options() -> RoomOptions {
    let mut options = RoomOptions::default();
    options.connect_timeout = CONNECT_TIMEOUT;
    options
}

/// Publishes a microphone under this track name. Agents listen to the source "microphone" only.
/// Every packet carries one frame and none is left out in silence, so that the packets are an
/// unbroken clock.
pub async fn publish(
    room: &Room,
    microphone: &EncodedAudioSource,
    name: &str,
) -> Result<(), RoomError> {
    let track = LocalAudioTrack::create_audio_track(name, microphone.rtc_source());
    let options = TrackPublishOptions {
        source: TrackSource::Microphone,
        dtx: false,
        red: false,
        ..TrackPublishOptions::default()
    };
    room.local_participant().publish_track(LocalTrack::Audio(track), options).await.map(|_| ())
}

/// Leaves a room. One that is only dropped keeps its connections.
pub async fn leave(room: &Room) {
    if tokio::time::timeout(CLOSE_TIMEOUT, room.close()).await.is_err() {
        log::warn!("leaving the room took more than {CLOSE_TIMEOUT:?}");
    }
}

/// The error and its causes, for libraries whose own text leaves the cause out.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
