//! Data streams of a room: their topics, and reading one within limits.

use futures_util::{Stream, StreamExt as _};

/// What an agent says of its session, and what it is asked.
pub const SESSION_TOPIC: &str = "lk.agent.session";
/// The same of livekit-agents 1.4, which knew no other: a text stream for each event.
pub const EVENTS_TOPIC: &str = "lk.agent.events";
/// Who understood or says what.
pub const TRANSCRIPTION_TOPIC: &str = "lk.transcription";
pub const SEGMENT_ATTRIBUTE: &str = "lk.segment_id";
pub const LAST_ATTRIBUTE: &str = "lk.transcription_final";

/// The longest message of a session that is read. The largest seen was 10.5 kB.
const MESSAGE_LIMIT: usize = 1 << 20;

/// The whole stream of bytes or text, or nothing when it breaks or is too long.
pub async fn read_bytes<C: AsRef<[u8]>, E>(
    mut reader: impl Stream<Item = Result<C, E>> + Unpin,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next().await {
        bytes.extend_from_slice(chunk.ok()?.as_ref());
        if bytes.len() > MESSAGE_LIMIT {
            return None;
        }
    }
    Some(bytes)
}
