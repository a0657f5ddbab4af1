//! The agent's packets of one call as they came, in memory while the call lasts: nothing is decoded and nothing written
//! beside calls that are being measured. What the caller said is in the recording: clips and their moments.

use crate::time::Offset;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory is taken and given back in such pieces.
const PIECE: usize = 64 << 10;
/// The most that one call keeps: more than an hour at 32 kbit/s.
const OF_A_CALL: usize = 32 << 20;
/// The most that all calls in progress keep together.
const OF_ALL: usize = 256 << 20;
/// Bytes of a packet before its payload: track, stream, number, RTP time, arrival and length.
const HEAD: usize = 4 + 4 + 8 + 4 + 8 + 2;

/// Lets calls keep the packets they hear, as long as there is memory for it. Clones share the same memory.
#[derive(Debug, Clone)]
pub struct Taping {
    left: Arc<AtomicUsize>,
}

impl Default for Taping {
    fn default() -> Self {
        Self::within(OF_ALL)
    }
}

impl Taping {
    fn within(bytes: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(bytes)) }
    }

    /// An empty tape for a call.
    pub fn tape(&self) -> Tape {
        Tape { left: Arc::clone(&self.left), pieces: Vec::new(), is_full: false }
    }
}

/// A packet of a voice as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub track: u32,
    /// The sender's RTP stream; when it changes, `seq` and `rtp_time` start over.
    pub ssrc: u32,
    pub seq: u64,
    /// In ticks of 48 kHz; wraps around.
    pub rtp_time: u32,
    /// Its arrival.
    pub at: Offset,
    pub payload: &'a [u8],
}

/// The packets of one call.
pub struct Tape {
    left: Arc<AtomicUsize>,
    pieces: Vec<Vec<u8>>,
    is_full: bool,
}

impl Tape {
    /// Keeps a packet, or none any more once there was no memory for one.
    pub fn add(&mut self, packet: &Packet<'_>) {
        let needed = HEAD + packet.payload.len();
        let Ok(length) = u16::try_from(packet.payload.len()) else { return };
        if self.is_full || !self.make_room(needed) {
            self.is_full = true;
            return;
        }
        let Some(piece) = self.pieces.last_mut() else { return };
        piece.extend(packet.track.to_le_bytes());
        piece.extend(packet.ssrc.to_le_bytes());
        piece.extend(packet.seq.to_le_bytes());
        piece.extend(packet.rtp_time.to_le_bytes());
        piece.extend(packet.at.micros().to_le_bytes());
        piece.extend(length.to_le_bytes());
        piece.extend_from_slice(packet.payload);
    }

    /// Takes out what a track said: it has turned out to be no voice.
    pub fn forget(&mut self, track: u32) {
        for piece in &mut self.pieces {
            let mut rest = Vec::with_capacity(PIECE.max(piece.capacity()));
            let mut from = 0;
            for packet in packets(piece) {
                let length = HEAD + packet.payload.len();
                if packet.track != track {
                    rest.extend_from_slice(&piece[from..from + length]);
                }
                from += length;
            }
            *piece = rest;
        }
    }

    /// Whether packets were left out for want of memory.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many bytes [`Tape::pieces`] are.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes to be read by [`packets`] when they are put together.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Vec::as_slice)
    }

    fn make_room(&mut self, needed: usize) -> bool {
        if self.pieces.last().is_some_and(|piece| piece.len() + needed <= PIECE) {
            return true;
        }
        if needed > PIECE || (self.pieces.len() + 1) * PIECE > OF_A_CALL {
            return false;
        }
        let take = |left: usize| left.checked_sub(PIECE);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if taken {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        taken
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.left.fetch_add(self.pieces.len() * PIECE, Ordering::Relaxed);
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape")
            .field("bytes", &self.len())
            .field("is_full", &self.is_full)
            .finish_non_exhaustive()
    }
}

/// The packets in the bytes of a tape, in the order they were kept. Ends where bytes are none of a tape.
pub fn packets(mut bytes: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let track = u32::from_le_bytes(take(&mut bytes)?);
        let ssrc = u32::from_le_bytes(take(&mut bytes)?);
        let seq = u64::from_le_bytes(take(&mut bytes)?);
        let rtp_time = u32::from_le_bytes(take(&mut bytes)?);
        let at = Offset::from_micros(i64::from_le_bytes(take(&mut bytes)?));
        let length = u16::from_le_bytes(take(&mut bytes)?);
        let (payload, rest) = bytes.split_at_checked(length.into())?;
        bytes = rest;
        Some(Packet { track, ssrc, seq, rtp_time, at, payload })
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(track: u32, seq: u64, payload: &[u8]) -> Packet<'_> {
        let at = Offset::from_micros(-5 + i64::try_from(seq).unwrap());
        Packet { track, ssrc: 7, seq, rtp_time: u32::MAX, at, payload }
    }

    fn bytes(tape: &Tape) -> Vec<u8> {
        tape.pieces().flatten().copied().collect()
    }

    #[test]
    fn packets_are_kept_as_they_came_and_one_track_can_be_forgotten() {
        let mut tape = Taping::default().tape();
        assert!(tape.is_empty());
        let long = [5; 1_275];
        let all: Vec<Packet<'_>> = (0..200_u32)
            .map(|n| packet(n % 3, u64::from(n) << 33, if n == 9 { &[] } else { &long }))
            .map(|packet| Packet { at: Offset::from_micros(9), ..packet })
            .collect();
        for packet in &all {
            tape.add(packet);
        }
        let kept = bytes(&tape);
        assert_eq!((kept.len(), tape.pieces.len() > 3), (tape.len(), true));
        assert_eq!(packets(&kept).collect::<Vec<_>>(), all);
        tape.forget(1);
        tape.add(&packet(1, 1, &[1]));
        let kept = bytes(&tape);
        assert_eq!(packets(&kept).filter(|packet| packet.track == 1).count(), 1);
        assert_eq!(packets(&kept).count(), 200 - 67 + 1);
        // Half a packet, as of a file that was cut.
        assert_eq!(packets(&kept[..kept.len() - 1]).count(), 200 - 67);
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let taping = Taping::within(3 * PIECE);
        let (mut first, mut second) = (taping.tape(), taping.tape());
        let payload = [0; 1_000];
        let fill = |tape: &mut Tape| (0..1_000).for_each(|n| tape.add(&packet(1, n, &payload)));
        second.add(&packet(2, 0, &payload));
        fill(&mut first);
        assert!(first.is_full() && !second.is_full());
        assert_eq!(first.pieces.len(), 2);
        let kept = bytes(&first);
        let last = packets(&kept).last().unwrap().seq;
        assert_eq!(packets(&kept).count() as u64, last + 1, "nothing is kept behind a hole");
        drop(first);
        fill(&mut second);
        assert_eq!(second.pieces.len(), 3);
        drop(second);
        assert_eq!(taping.left.load(Ordering::Relaxed), 3 * PIECE);

        let mut long = Taping::default().tape();
        (0..100_000).for_each(|n| long.add(&packet(1, n, &payload)));
        assert!(long.is_full() && long.len() <= OF_A_CALL);
    }
}
