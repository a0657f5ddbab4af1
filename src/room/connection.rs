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

/// The innermost cause of an error, which says what happened; what stands around it says once more what was tried.
pub fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("tried")]
    struct Tried(#[source] std::io::Error);

    #[test]
    fn the_innermost_cause_is_shown() {
        let refused = std::io::Error::other("refused");
        assert_eq!(last_cause(&Tried(refused)), "refused");
    }
}
