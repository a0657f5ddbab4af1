//! The sending side: one RTP stream out of one local track.

mod encoder;
mod ledger;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use encoder::Encoder;
pub(crate) use ledger::RtpPosition;
use parking_lot::{Mutex, MutexGuard};

use super::{AudioTrack, ClipTimeline, Grid, PcmTimeline, ReaderId, Source, grid::CATCH_UP};
use crate::types::RtcError;

/// RFC 6464: no sound at all.
const SILENT: u8 = 127;

/// How PCM is encoded. Ready-made packets are sent as they are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TxSettings {
    /// In bit/s; by default 32 000 for each channel.
    pub(crate) bitrate: Option<u64>,
    /// Whether to send (almost) nothing during silence.
    pub(crate) dtx: bool,
}

/// A packet to send when it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutgoingPacket {
    pub(crate) payload: Arc<[u8]>,
    pub(crate) rtp_time: u32,
    /// Counts on beyond 16 bits.
    pub(crate) seq: u64,
    /// Set when nothing was sent for the period before.
    pub(crate) marker: bool,
    /// In -dBov: 0 is full scale, 127 is silence.
    pub(crate) level: u8,
    /// When the packet is due, or was.
    pub(crate) deadline: Instant,
}

/// What was sent since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TxStats {
    pub(crate) packets: u64,
    /// Of payload.
    pub(crate) bytes: u64,
    /// Periods given up after a stall.
    pub(crate) skipped: u64,
}

/// Turns the periods of a local track into packets.
///
/// Sequence numbers rise by one for each packet. RTP time rises by 960 for each period, with or without a packet.
/// After a stall the periods of the last half second are made up for at once; of a longer one, nothing is.
///
/// Where the source wants it, the packets of a few periods are given out at once, the rest of them before its time.
#[derive(Debug)]
pub(crate) struct AudioTx {
    track: AudioTrack,
    feed: TxFeed,
    grid: Grid,
    /// The first period that was not dealt with.
    next: u64,
    /// The first period that is not to be dealt with yet.
    until: u64,
    /// Periods that are dealt with together.
    batch: u64,
    position: RtpPosition,
    after_gap: bool,
    stats: TxStats,
}

#[derive(Debug)]
enum TxFeed {
    Pcm { timeline: Arc<Mutex<PcmTimeline>>, reader: ReaderId, encoder: Box<Encoder> },
    Clips(Arc<Mutex<ClipTimeline>>),
    Nothing,
}

impl AudioTx {
    /// Starts with the period in progress at `now`. To go on after another track of the same RTP stream, pass the
    /// [`position`](Self::position) of its `AudioTx`, otherwise [`RtpPosition::random`].
    ///
    /// # Errors
    ///
    /// `Internal` if the track is a remote one, or its source has a shape that cannot be encoded.
    pub(crate) fn new(
        track: &AudioTrack,
        settings: TxSettings,
        position: RtpPosition,
        now: Instant,
    ) -> Result<Self, RtcError> {
        if track.listeners().is_some() {
            return Err(RtcError::internal(format!(
                "track {} is a remote one and cannot be sent",
                track.id()
            )));
        }
        let (feed, grid) = TxFeed::new(track, settings, now)?;
        let next = grid.current(now);
        Ok(Self {
            track: track.clone(),
            batch: feed.batch(),
            feed,
            grid,
            next,
            until: next,
            position: position.continued(grid.deadline(next)),
            after_gap: true,
            stats: TxStats::default(),
        })
    }

    /// When the next [`tick`](Self::tick) has something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.grid.deadline(self.next)
    }

    /// The next packet that is due at `now`, or goes with one that is. `None` when all those periods have been dealt with.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<OutgoingPacket> {
        let current = self.grid.current(now);
        let due = current.saturating_sub(self.next);
        if due > CATCH_UP {
            self.skip(due - 1);
        }
        if due > 0 {
            self.until = behind_batch(current, self.batch);
        }
        while self.next < self.until {
            let index = self.next;
            let frame = self.feed.frame(index, &self.track);
            let sent_at = self.position;
            let deadline = self.next_deadline();
            self.next += 1;
            self.position.advance(1, self.next_deadline());
            let Some((payload, level)) = frame else {
                self.after_gap = true;
                continue;
            };
            self.position.count_packet();
            self.stats.packets += 1;
            self.stats.bytes += payload.len() as u64;
            let marker = std::mem::take(&mut self.after_gap);
            return Some(OutgoingPacket {
                payload,
                rtp_time: sent_at.rtp_time(),
                seq: sent_at.seq(),
                marker,
                level,
                deadline,
            });
        }
        None
    }

    /// A packet has left, so long after it was due.
    pub(crate) fn left(&self, late: Duration) {
        if let Some(mut clips) = self.feed.clips() {
            clips.pacing().record(late);
        }
    }

    /// Changes the bitrate of PCM that is encoded from now on.
    pub(crate) fn limit_bitrate(&mut self, bits_per_second: u64) {
        match &mut self.feed {
            TxFeed::Pcm { encoder, .. } => encoder.limit_bitrate(bits_per_second),
            TxFeed::Clips(_) | TxFeed::Nothing => {}
        }
    }

    /// Where the RTP stream stands, for the `AudioTx` of the track that replaces this one on it.
    pub(crate) fn position(&self) -> RtpPosition {
        self.position
    }

    pub(crate) fn stats(&self) -> TxStats {
        self.stats
    }

    fn skip(&mut self, periods: u64) {
        self.next += periods;
        self.position.advance(periods, self.next_deadline());
        self.stats.skipped += periods;
        self.after_gap = true;
        if let Some(mut clips) = self.feed.clips() {
            clips.pacing().skip(periods);
        }
    }
}

/// The first period behind the batch of the last complete one, where so many are complete. Streams of the same phase of
/// the [`Grid`] have their batches together, so that a thread, and the application behind it, has something to do less
/// often: that is a twenty-fifth of the CPU time of a hundred calls.
fn behind_batch(complete: u64, periods: u64) -> u64 {
    complete.div_ceil(periods) * periods
}

impl TxFeed {
    fn new(
        track: &AudioTrack,
        settings: TxSettings,
        now: Instant,
    ) -> Result<(Self, Grid), RtcError> {
        Ok(match track.source() {
            None => (Self::Nothing, Grid::new(now)),
            Some(Source::Pcm(source)) => {
                let mut timeline = source.lock();
                let encoder = Box::new(Encoder::new(timeline.shape(), settings)?);
                let (reader, _) = timeline.attach(now);
                let grid = timeline.grid();
                drop(timeline);
                (Self::Pcm { timeline: Arc::clone(source), reader, encoder }, grid)
            }
            Some(Source::Clips(clips)) => {
                let grid = clips.lock().grid();
                (Self::Clips(Arc::clone(clips)), grid)
            }
        })
    }

    /// Periods whose packets are given out together: only what is ready-made is known before its time.
    fn batch(&self) -> u64 {
        self.clips().map_or(1, |clips| clips.batch())
    }

    /// The timeline of ready-made packets, if it is that.
    fn clips(&self) -> Option<MutexGuard<'_, ClipTimeline>> {
        match self {
            Self::Clips(clips) => Some(clips.lock()),
            Self::Pcm { .. } | Self::Nothing => None,
        }
    }

    /// The payload and level of a period, if something is to be sent for it.
    fn frame(&mut self, index: u64, track: &AudioTrack) -> Option<(Arc<[u8]>, u8)> {
        match self {
            Self::Pcm { timeline, reader, encoder } => {
                let samples = timeline.lock().fetch(*reader, index)?;
                if track.enabled() { encoder.encode(&samples) } else { encoder.encode_silence() }
            }
            Self::Clips(clips) => {
                let mut timeline = clips.lock();
                let heard = timeline.frame(index);
                let frame = if track.enabled() { heard } else { timeline.silence() };
                Some((frame.payload, frame.level.min(SILENT)))
            }
            Self::Nothing => None,
        }
    }
}

impl Drop for AudioTx {
    fn drop(&mut self) {
        if let TxFeed::Pcm { timeline, reader, .. } = &self.feed {
            timeline.lock().detach(*reader);
        }
    }
}

#[cfg(test)]
mod tests;
