//! Two voices as a file that every browser plays: Ogg Opus (RFC 3533, RFC 7845) in plain stereo, a voice a side.
//!
//! # Why the sides stay apart
//! The encoder works in its transform (CELT) mode alone, which codes how loud each band is for either side, so a side that
//! is silent stays silent while the other one speaks. The speech mode of Opus would predict one side from the other. Two
//! mono streams in one file (mapping family 255) would be apart as well, but few players know them.
//!
//! # Which sample is the first
//! The encoder looks ahead by some samples, which the head of the file has players skip (pre-skip), and the position of the
//! last page has them stop at the last one. So what is played begins and ends with what went in. (Chromium's
//! `decodeAudioData` skips twice as much, 2.5 ms, which is one reason for an encoder that looks ahead so little.)

mod player;

pub use player::{Unplayable, play};

use std::io::{self, Write};

use opus::{Application, Bitrate, Channels, Encoder};

use super::opus::{CodecError, PACKET_MAX};
use super::{FRAME, RATE};

/// Bits a second of both sides together: 32 kbit/s each, fewer in silence.
const BITRATE: i32 = 64_000;
/// How hard the encoder tries, of 10: more takes twice the time for what nobody hears.
const COMPLEXITY: i32 = 5;
/// Packets of a page: one second.
const PAGE_PACKETS: usize = 50;
/// Parts of at most 255 bytes that a page holds.
const PAGE_PARTS: usize = 255;

const CONTINUES_NOTHING: u8 = 0;
const FIRST_PAGE: u8 = 2;
const LAST_PAGE: u8 = 4;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The codec refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The file took no more.
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl From<opus::Error> for FileError {
    fn from(source: opus::Error) -> Self {
        Self::Codec(CodecError::Library(source))
    }
}

/// A file that is being written, 20 ms at a time.
pub struct StereoFile<W> {
    pages: Pages<W>,
    encoder: Encoder,
    /// Samples that players skip at the beginning.
    pre_skip: u16,
    /// Samples of a side that were encoded.
    encoded: u64,
}

impl<W: Write> StereoFile<W> {
    /// Begins a file. `serial` tells its stream from others, should somebody put two files into one.
    ///
    /// # Errors
    /// libopus fails, or `out` does.
    pub fn create(out: W, serial: u32) -> Result<Self, FileError> {
        let mut encoder = Encoder::new(RATE, Channels::Stereo, Application::LowDelay)?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE))?;
        encoder.set_complexity(COMPLEXITY)?;
        let lookahead = encoder.get_lookahead()?;
        let pre_skip = u16::try_from(lookahead).map_err(|_| CodecError::Lookahead(lookahead))?;
        let mut pages = Pages::new(out, serial);
        pages.add(&head(pre_skip))?;
        pages.flush(FIRST_PAGE, 0)?;
        pages.add(&tags())?;
        pages.flush(CONTINUES_NOTHING, 0)?;
        Ok(Self { pages, encoder, pre_skip, encoded: 0 })
    }

    /// Adds 20 ms: left and right samples in turn.
    ///
    /// # Errors
    /// libopus fails, or the file does.
    pub fn add(&mut self, pcm: &[i16; 2 * FRAME]) -> Result<(), FileError> {
        let mut packet = [0; PACKET_MAX];
        let length = self.encoder.encode(pcm, &mut packet)?;
        if !self.pages.has_room(length) {
            self.pages.flush(CONTINUES_NOTHING, self.encoded)?;
        }
        self.pages.add(&packet[..length])?;
        self.encoded += FRAME as u64;
        Ok(())
    }

    /// Ends the file, of which `samples` of a side are to be played, and gives its length in bytes. At most as many as were
    /// added.
    ///
    /// # Errors
    /// libopus fails, or the file does.
    pub fn finish(mut self, samples: u64) -> Result<u64, FileError> {
        let needed = samples.min(self.encoded) + u64::from(self.pre_skip);
        while self.encoded < needed {
            self.add(&[0; 2 * FRAME])?;
        }
        self.pages.flush(LAST_PAGE, needed)?;
        self.pages.out.flush()?;
        Ok(self.pages.written)
    }
}

/// The identification header: version 1, two channels as they are.
fn head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend(pre_skip.to_le_bytes());
    head.extend(RATE.to_le_bytes());
    // No gain, and the mapping of plain stereo.
    head.extend([0, 0, 0]);
    head
}

/// The comment header: who wrote it, and no comment.
fn tags() -> Vec<u8> {
    let mut tags = b"OpusTags\x08\0\0\0loadcall".to_vec();
    tags.extend([0; 4]);
    tags
}

/// Packets → pages.
struct Pages<W> {
    out: W,
    serial: u32,
    sequence: u32,
    packets: usize,
    /// Lengths of the parts of the packets: 255 each but for the last of a packet.
    parts: Vec<u8>,
    body: Vec<u8>,
    /// Bytes that were written.
    written: u64,
}

impl<W: Write> Pages<W> {
    fn new(out: W, serial: u32) -> Self {
        let (parts, body) = (Vec::new(), Vec::new());
        Self { out, serial, sequence: 0, packets: 0, parts, body, written: 0 }
    }

    fn has_room(&self, length: usize) -> bool {
        self.packets < PAGE_PACKETS && self.parts.len() + length / 255 < PAGE_PARTS
    }

    fn add(&mut self, packet: &[u8]) -> io::Result<()> {
        if !self.has_room(packet.len()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.parts.extend(std::iter::repeat_n(255, packet.len() / 255));
        #[expect(clippy::cast_possible_truncation, reason = "a remainder below 255")]
        self.parts.push((packet.len() % 255) as u8);
        self.body.extend_from_slice(packet);
        self.packets += 1;
        Ok(())
    }

    /// Writes the page, at whose end the stream has come to this position.
    fn flush(&mut self, kind: u8, position: u64) -> io::Result<()> {
        let mut page = b"OggS\0".to_vec();
        page.push(kind);
        page.extend(position.to_le_bytes());
        page.extend(self.serial.to_le_bytes());
        page.extend(self.sequence.to_le_bytes());
        let sum_at = page.len();
        page.extend([0; 4]);
        page.push(u8::try_from(self.parts.len()).map_err(io::Error::other)?);
        page.append(&mut self.parts);
        page.append(&mut self.body);
        let sum = checksum(&page).to_le_bytes();
        page[sum_at..sum_at + 4].copy_from_slice(&sum);
        self.out.write_all(&page)?;
        self.written += page.len() as u64;
        self.sequence += 1;
        self.packets = 0;
        Ok(())
    }
}

/// The checksum of a page: CRC-32 with the polynomial 04c11db7, from the highest bit on, without inversions.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, byte| {
        let place = (sum >> 24) as u8 ^ byte;
        sum << 8 ^ CHECKSUMS[usize::from(place)]
    })
}

/// The checksum of each byte.
const CHECKSUMS: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = sum & 0x8000_0000 != 0;
            sum <<= 1;
            if carry {
                sum ^= 0x04c1_1db7;
            }
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests;
