//! The receiving side: the packets of one RTP stream on their way to whoever listens to its track.

mod arrivals;
mod decoder;
mod jitter;

use std::time::Instant;

use arrivals::Arrivals;
use bytes::Bytes;
use decoder::SinkDecoder;
use jitter::{JitterBuffer, Stretch};

use super::{AudioTrack, Grid, PERIOD_TICKS, grid::CATCH_UP, listeners::Lists};
use crate::types::{RtcError, packets::ReceivedFrame};

/// An RTP packet of the track, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IncomingPacket {
    pub(crate) ssrc: u32,
    /// Counts on beyond 16 bits.
    pub(crate) seq: u64,
    pub(crate) rtp_time: u32,
    pub(crate) payload: Bytes,
    /// When it was read from the socket.
    pub(crate) arrival: Instant,
}

/// What was received and played since the start. Sample counts are of one channel at 48 kHz, in the sense of the W3C
/// document "Identifiers for WebRTC's Statistics API"; those below `discarded` count only while somebody listens to PCM.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct RxStats {
    pub(crate) ssrc: u32,
    pub(crate) packets: u64,
    /// Of payload.
    pub(crate) bytes: u64,
    /// Sequence numbers that never arrived, up to the highest one.
    pub(crate) lost: u64,
    /// RFC 3550, 6.4.1, in seconds.
    pub(crate) jitter: f64,
    pub(crate) last_arrival: Option<Instant>,
    /// Packets that came too late, twice, in excess, or were no Opus.
    pub(crate) discarded: u64,
    pub(crate) samples: u64,
    pub(crate) concealed_samples: u64,
    /// The part of these for which the sender had paused.
    pub(crate) silent_concealed_samples: u64,
    /// Runs of concealment.
    pub(crate) concealment_events: u64,
    /// Time that the samples played so far spent waiting, in seconds, and how many samples that are.
    pub(crate) jitter_buffer_delay: f64,
    pub(crate) jitter_buffer_emitted: u64,
}

/// Sorts, plays and counts the packets of a remote track.
///
/// Taps get every packet at once, and are woken when the driver is through with what arrived. For sinks, packets wait in a
/// jitter buffer and are decoded in periods of 20 ms; while there are none, nothing is kept and nothing decoded.
#[derive(Debug)]
pub(crate) struct AudioRx {
    track: AudioTrack,
    lists: Lists,
    generation: u64,
    decoders: Vec<SinkDecoder>,
    arrivals: Arrivals,
    buffer: JitterBuffer,
    grid: Grid,
    /// The first period that was not played.
    next: u64,
    /// Samples that were decoded beyond the end of the period.
    ahead: u32,
    concealing: bool,
    stats: RxStats,
}

impl AudioRx {
    /// The receiver of a remote track, which plays on `grid`.
    ///
    /// # Errors
    ///
    /// `Internal` if the track is a local one.
    pub(crate) fn new(track: &AudioTrack, grid: Grid, now: Instant) -> Result<Self, RtcError> {
        if track.listeners().is_none() {
            return Err(RtcError::internal(format!(
                "track {} is a local one and cannot receive",
                track.id()
            )));
        }
        Ok(Self {
            track: track.clone(),
            lists: Lists::default(),
            generation: 0,
            decoders: Vec::new(),
            arrivals: Arrivals::default(),
            buffer: JitterBuffer::default(),
            grid,
            next: grid.current(now),
            ahead: 0,
            concealing: false,
            stats: RxStats::default(),
        })
    }

    /// Takes a packet: any one, in any order. Taps are woken by [`wake_taps`](Self::wake_taps).
    pub(crate) fn receive(&mut self, packet: IncomingPacket) {
        self.look_for_listeners();
        if self.stats.ssrc != packet.ssrc {
            self.arrivals.restart();
            self.buffer = JitterBuffer::default();
            self.stats.ssrc = packet.ssrc;
        }
        self.arrivals.record(packet.seq, packet.rtp_time, packet.arrival);
        self.stats.packets += 1;
        self.stats.bytes += packet.payload.len() as u64;
        self.stats.last_arrival = Some(packet.arrival);
        self.tap(&packet);
        if !self.lists.sinks.is_empty() {
            self.stats.discarded += self.buffer.insert(packet);
        }
    }

    fn tap(&self, packet: &IncomingPacket) {
        for tap in &self.lists.taps {
            let frame = ReceivedFrame {
                ssrc: packet.ssrc,
                seq: packet.seq,
                rtp_time: packet.rtp_time,
                payload: packet.payload.clone(),
                arrival: packet.arrival,
            };
            tap.queue().put([frame]);
        }
    }

    /// How many packets may wait for one another before their readers are woken. `None` where nobody reads packets; what
    /// is decoded has deadlines of its own.
    pub(crate) fn batch(&mut self) -> Option<u32> {
        self.look_for_listeners();
        self.lists.taps.iter().map(|tap| tap.batch()).min()
    }

    pub(crate) fn wake_taps(&self) {
        self.lists.taps.iter().for_each(|tap| tap.queue().wake());
    }

    /// When the next [`tick`](Self::tick) has something to do; `None` while nobody listens to PCM. Whoever begins to wakes
    /// the driver.
    pub(crate) fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        if self.lists.sinks.is_empty() {
            self.next = self.grid.current(now);
            return None;
        }
        Some(self.grid.deadline(self.next))
    }

    /// Plays all periods that are due to the sinks. Those of more than half a second are skipped.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.look_for_listeners();
        if self.next_deadline(now).is_none() {
            return;
        }
        let current = self.grid.current(now);
        self.next = self.next.max(current.saturating_sub(CATCH_UP));
        while self.next < current {
            self.play_period(now);
            self.next += 1;
        }
    }

    pub(crate) fn stats(&self) -> RxStats {
        RxStats { lost: self.arrivals.lost(), jitter: self.arrivals.jitter(), ..self.stats }
    }

    fn look_for_listeners(&mut self) {
        let Some(listeners) = self.track.listeners() else { return };
        let generation = listeners.generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        self.lists = listeners.lists();
        self.decoders.retain(|decoder| self.lists.sinks.iter().any(|sink| decoder.is_for(sink)));
        for sink in &self.lists.sinks {
            if self.decoders.iter().any(|decoder| decoder.is_for(sink)) {
                continue;
            }
            match SinkDecoder::new(sink) {
                Ok(decoder) => self.decoders.push(decoder),
                Err(error) => {
                    log::error!("the stream of track {} is empty: {error}", self.track.id());
                    sink.queue().end();
                }
            }
        }
        if self.lists.sinks.is_empty() {
            self.buffer = JitterBuffer::default();
            self.ahead = 0;
        }
    }

    fn play_period(&mut self, now: Instant) {
        while self.ahead < PERIOD_TICKS {
            let stretch = self.buffer.next(now);
            self.count(&stretch, now);
            for decoder in &mut self.decoders {
                decoder.decode(&stretch);
            }
            self.ahead += stretch.samples();
        }
        self.ahead -= PERIOD_TICKS;
        self.stats.discarded += self.buffer.trim();
        let muted = !self.track.enabled();
        for decoder in &mut self.decoders {
            if muted {
                decoder.mute();
            }
            decoder.deliver();
        }
    }

    fn count(&mut self, stretch: &Stretch, now: Instant) {
        let samples = u64::from(stretch.samples());
        self.stats.samples += samples;
        match stretch {
            Stretch::Packet(packet) => {
                let waited = now.saturating_duration_since(packet.arrival).as_secs_f64();
                self.stats.jitter_buffer_delay += waited * f64::from(stretch.samples());
                self.stats.jitter_buffer_emitted += samples;
                self.concealing = false;
            }
            Stretch::Conceal { paused, .. } => {
                self.stats.concealed_samples += samples;
                if *paused {
                    self.stats.silent_concealed_samples += samples;
                }
                if !std::mem::replace(&mut self.concealing, true) {
                    self.stats.concealment_events += 1;
                }
            }
            Stretch::Silence => self.concealing = false,
        }
    }
}

#[cfg(test)]
mod tests;
