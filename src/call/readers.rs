//! Reads the room's data streams beside the call: the agent's session messages one after another
//! (read in parallel they change their order), transcriptions each by itself (one stays open for as
//! long as the agent speaks).

use super::session;
use crate::clock::Clock;
use crate::record::{Observation, Speaker, Stamped};
use crate::room::streams::{LAST_ATTRIBUTE, SEGMENT_ATTRIBUTE, read_bytes};
use crate::time::Offset;
use futures_util::StreamExt as _;
use livekit::{ByteStreamReader, StreamReader as _, TextStreamReader};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Session messages waiting to be read, observations waiting to be logged, transcriptions being
/// read, and bytes of one transcription that are kept.
const SESSION_QUEUE: usize = 256;
const OUT_QUEUE: usize = 1_024;
const TRANSCRIPTIONS: usize = 32;
const TRANSCRIPT_LIMIT: usize = 4_000;
/// How long one session message and one transcription may take.
const SESSION_TIMEOUT: Duration = Duration::from_secs(5);
const TRANSCRIPTION_TIMEOUT: Duration = Duration::from_secs(120);

/// The readers of one call; dropping them ends all reading.
#[derive(Debug)]
pub struct Readers {
    clock: Clock,
    session: mpsc::Sender<ByteStreamReader>,
    out: mpsc::Sender<Stamped>,
    tasks: JoinSet<()>,
}

impl Readers {
    /// Readers and what they have read, stamped when it was complete.
    pub fn start(clock: Clock) -> (Self, mpsc::Receiver<Stamped>) {
        let (out, read) = mpsc::channel(OUT_QUEUE);
        let (session, mut streams) = mpsc::channel::<ByteStreamReader>(SESSION_QUEUE);
        let mut tasks = JoinSet::new();
        let to = out.clone();
        tasks.spawn(async move {
            while let Some(reader) = streams.recv().await {
                let Ok(Some(bytes)) = timeout(SESSION_TIMEOUT, read_bytes(reader)).await else {
                    continue;
                };
                let at = clock.now();
                if let Some(event) = session::decode(&bytes) {
                    send(&to, at, Observation::Session(event)).await;
                }
            }
        });
        (Self { clock, session, out, tasks }, read)
    }

    /// Reads a message of the agent's session when those before it are read.
    pub fn session(&mut self, reader: ByteStreamReader) {
        if self.session.try_send(reader).is_err() {
            self.limit_reached("session messages waiting to be read");
        }
    }

    /// Reads a transcription to its end.
    pub fn transcription(&mut self, reader: TextStreamReader, speaker: Speaker) {
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() > TRANSCRIPTIONS {
            self.limit_reached("transcriptions being read");
            return;
        }
        let (to, clock) = (self.out.clone(), self.clock);
        self.tasks.spawn(async move {
            let reading = timeout(TRANSCRIPTION_TIMEOUT, read_transcript(reader, speaker)).await;
            if let Ok(Some(transcript)) = reading {
                send(&to, clock.now(), transcript).await;
            }
        });
    }

    fn limit_reached(&self, what: &str) {
        let what = Observation::LimitReached { what: what.into() };
        // When even this finds no room, the reader of the queue is gone or has seen one already.
        let _ = self.out.try_send(Stamped { at: self.clock.now(), what });
    }
}

async fn send(to: &mpsc::Sender<Stamped>, at: Offset, what: Observation) {
    // The receiver is gone when the call is over.
    let _ = to.send(Stamped { at, what }).await;
}

/// The transcript, unless it is one of the many updates before the last.
async fn read_transcript(mut reader: TextStreamReader, speaker: Speaker) -> Option<Observation> {
    let mut text = String::new();
    while let Some(chunk) = reader.next().await {
        let room = TRANSCRIPT_LIMIT.saturating_sub(text.len());
        text.extend(chunk.ok()?.chars().take(room));
    }
    // The end of the stream may have changed the attributes.
    let attributes = reader.info().attributes();
    let last = attributes.get(LAST_ATTRIBUTE).is_some_and(|last| last == "true");
    let segment = attributes.get(SEGMENT_ATTRIBUTE).cloned().unwrap_or_default();
    let segment = segment.chars().take(100).collect();
    last.then_some(Observation::Transcript { speaker, segment, text, last })
}
