//! Reads what the room sends beside the audio: an agent's reports one after another (read in parallel they
//! change their order), transcripts each by itself (one stays open for as long as the agent speaks).

use super::dialect::{Reports, rtvi};
use super::transcripts::{Stream, Transcripts};
use crate::clock::Clock;
use crate::record::{Dialect, Observation, Speaker, Stamped};
use crate::room::streams::{LAST_ATTRIBUTE, SEGMENT_ATTRIBUTE, read_bytes};
use crate::time::Offset;
use futures_util::StreamExt as _;
use livekit::{ByteStreamReader, StreamReader as _, TextStreamReader};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Reports waiting to be read, observations waiting to be logged, and transcripts being read.
const REPORTS: usize = 256;
const OUT_QUEUE: usize = 1_024;
const TRANSCRIPTS: usize = 32;
/// How long one report and one transcript may take.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);
const TRANSCRIPT_TIMEOUT: Duration = Duration::from_secs(120);

/// A message in which an agent reports of itself, as it comes out of the room.
#[derive(Debug)]
pub enum Report {
    Session(ByteStreamReader),
    Event(TextStreamReader),
    Packet(Arc<Vec<u8>>),
}

/// A report, whose it is, and when it came.
type Queued = (String, Report, Offset);

/// The readers of one call; dropping them ends all reading.
#[derive(Debug)]
pub struct Readers {
    clock: Clock,
    reports: mpsc::Sender<Queued>,
    out: mpsc::Sender<Stamped>,
    transcripts: Arc<Mutex<Transcripts>>,
    tasks: JoinSet<()>,
}

impl Readers {
    /// Readers, and what they have read.
    pub fn start(clock: Clock) -> (Self, mpsc::Receiver<Stamped>) {
        let (out, read) = mpsc::channel(OUT_QUEUE);
        let (reports, waiting) = mpsc::channel(REPORTS);
        let mut tasks = JoinSet::new();
        tasks.spawn(read_reports(waiting, out.clone(), clock));
        let transcripts = Arc::default();
        (Self { clock, reports, out, transcripts, tasks }, read)
    }

    /// Reads a report when those before it are read.
    pub fn report(&mut self, from: &str, report: Report) {
        if matches!(&report, Report::Packet(packet) if !rtvi::is_rtvi(packet)) {
            return;
        }
        if self.reports.try_send((from.to_owned(), report, self.clock.now())).is_err() {
            self.limit_reached("reports of the agent waiting to be read");
        }
    }

    /// Reads a transcript to its end.
    pub fn transcript(&mut self, reader: TextStreamReader, speaker: Speaker) {
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() > TRANSCRIPTS {
            self.limit_reached("transcripts being read");
            return;
        }
        let (to, clock, all) = (self.out.clone(), self.clock, Arc::clone(&self.transcripts));
        let attributes = reader.info().attributes();
        let segment = attributes.get(SEGMENT_ATTRIBUTE).map(String::as_str).unwrap_or_default();
        let stream = lock(&all).open(speaker, segment, clock.now());
        self.tasks.spawn(async move {
            let reading = timeout(TRANSCRIPT_TIMEOUT, read_transcript(reader, &all, stream)).await;
            let is_final = reading.ok().flatten();
            let closed = is_final.map(|_| clock.now());
            let told = lock(&all).close(stream, closed, is_final == Some(true));
            for stamped in told {
                send(&to, stamped).await;
            }
        });
    }

    /// Takes a segment of a transcript as older agents send it.
    pub fn transcript_packet(&mut self, speaker: Speaker, segment: &str, text: &str) {
        let now = self.clock.now();
        if !lock(&self.transcripts).packet(speaker, segment, text, now) {
            self.limit_reached("segments of transcripts in packets");
        }
    }

    /// The transcripts that are left when the call is over.
    pub fn rest(&self) -> Vec<Stamped> {
        lock(&self.transcripts).rest()
    }

    fn limit_reached(&self, what: &str) {
        let what = Observation::LimitReached { what: what.into() };
        // When even this finds no room, the reader of the queue is gone or has seen one already.
        let _ = self.out.try_send(Stamped { at: self.clock.now(), what });
    }
}

async fn send(to: &mpsc::Sender<Stamped>, stamped: Stamped) {
    // The receiver is gone when the call is over.
    let _ = to.send(stamped).await;
}

fn lock(transcripts: &Mutex<Transcripts>) -> MutexGuard<'_, Transcripts> {
    transcripts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads reports one after another; a stream is stamped when it is complete, a packet when it came.
async fn read_reports(
    mut waiting: mpsc::Receiver<Queued>,
    to: mpsc::Sender<Stamped>,
    clock: Clock,
) {
    let mut reports = Reports::default();
    while let Some((from, report, came)) = waiting.recv().await {
        let told = match report {
            Report::Session(reader) => {
                let bytes = timeout(REPORT_TIMEOUT, read_bytes(reader)).await.ok().flatten();
                bytes.map(|bytes| reports.take(&from, Dialect::Session, &bytes, clock.now()))
            }
            Report::Event(reader) => {
                let bytes = timeout(REPORT_TIMEOUT, read_bytes(reader)).await.ok().flatten();
                bytes.map(|bytes| reports.take(&from, Dialect::Events, &bytes, clock.now()))
            }
            Report::Packet(packet) => Some(reports.take(&from, Dialect::Rtvi, &packet, came)),
        };
        for stamped in told.unwrap_or_default() {
            send(&to, stamped).await;
        }
    }
}

/// Whether the agent calls a transcript final; nothing when its stream broke.
async fn read_transcript(
    mut reader: TextStreamReader,
    all: &Mutex<Transcripts>,
    stream: Stream,
) -> Option<bool> {
    while let Some(chunk) = reader.next().await {
        lock(all).grow(stream, &chunk.ok()?);
    }
    // The end of the stream may have changed the attributes.
    let attributes = reader.info().attributes();
    Some(attributes.get(LAST_ATTRIBUTE).is_some_and(|last| last == "true"))
}
