//! Files of [`super::StereoFile`] read again: any Ogg Opus file of one stream in plain stereo. What is wrong with a file is
//! said, never guessed.

use opus::{Channels, Decoder};

use super::{LAST_PAGE, PAGE_PARTS, checksum};
use crate::audio::RATE;
use crate::audio::opus::CodecError;

/// The longest packet of Opus, in samples of a side: 120 ms.
const LONGEST: usize = 5760;
/// Bytes of a page before the lengths of its parts, and where its checksum stands.
const HEAD: usize = 27;
const SUM_AT: usize = 22;

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum Unplayable {
    /// Not what [`super::StereoFile`] writes, or damaged.
    #[error("not an Ogg Opus file of two sides: {0}")]
    Bad(&'static str),
    /// A packet is no Opus.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<opus::Error> for Unplayable {
    fn from(source: opus::Error) -> Self {
        Self::Codec(CodecError::Library(source))
    }
}

/// Plays a file: `hear` gets its samples at 48 kHz in order, left and right in turn, up to 120 ms at a time. Gives how many
/// there were of each side.
///
/// # Errors
/// The file is damaged or of another kind; `hear` may have had a part of it.
pub fn play(bytes: &[u8], hear: &mut dyn FnMut(&[i16])) -> Result<u64, Unplayable> {
    let mut pages = Pages { bytes };
    let mut skip = pages.next()?.and_then(|page| pre_skip(page.body)).ok_or(bad("no head"))?;
    let tags = pages.next()?.is_some_and(|page| page.body.starts_with(b"OpusTags"));
    if !tags {
        return Err(bad("no comments"));
    }
    let mut player = Player { decoder: Decoder::new(RATE, Channels::Stereo)?, decoded: 0 };
    let mut pcm = vec![0; 2 * LONGEST];
    let mut count = 0;
    while let Some(page) = pages.next()? {
        let mut rest = page.body;
        for length in page.packets()? {
            let (packet, behind) = rest.split_at_checked(length).ok_or(bad("a cut packet"))?;
            rest = behind;
            let samples = player.decode(packet, &mut pcm)?;
            let heard = if page.is_last { player.up_to(page.position, samples) } else { samples };
            let from = skip.min(heard);
            skip -= from;
            hear(&pcm[2 * from..2 * heard]);
            count += (heard - from) as u64;
        }
        if page.is_last {
            return Ok(count);
        }
    }
    Err(bad("no end"))
}

struct Player {
    decoder: Decoder,
    /// Samples of a side so far.
    decoded: u64,
}

impl Player {
    fn decode(&mut self, packet: &[u8], pcm: &mut [i16]) -> Result<usize, Unplayable> {
        if packet.is_empty() {
            // libopus would take it for a loss.
            return Err(bad("an empty packet"));
        }
        let samples = self.decoder.decode(packet, pcm, false)?;
        self.decoded += samples as u64;
        Ok(samples)
    }

    /// How many of the latest samples lie before a position.
    fn up_to(&self, position: u64, samples: usize) -> usize {
        let beyond = usize::try_from(self.decoded.saturating_sub(position)).unwrap_or(usize::MAX);
        samples.saturating_sub(beyond)
    }
}

/// The pages that are left.
struct Pages<'a> {
    bytes: &'a [u8],
}

struct Page<'a> {
    is_last: bool,
    position: u64,
    parts: &'a [u8],
    body: &'a [u8],
}

impl<'a> Pages<'a> {
    fn next(&mut self) -> Result<Option<Page<'a>>, Unplayable> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let page = Self::page(self.bytes).ok_or(bad("a cut page"))?;
        let length = HEAD + page.parts.len() + page.body.len();
        let (bytes, rest) = self.bytes.split_at(length);
        let mut summed = bytes.to_vec();
        let sum: Vec<u8> = summed.splice(SUM_AT..SUM_AT + 4, [0; 4]).collect();
        if sum != checksum(&summed).to_le_bytes() {
            return Err(bad("a damaged page"));
        }
        self.bytes = rest;
        Ok(Some(page))
    }

    fn page(bytes: &[u8]) -> Option<Page<'_>> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let head = head.strip_prefix(b"OggS\0")?;
        let position = u64::from_le_bytes(*head[1..].first_chunk()?);
        let (parts, rest) = rest.split_at_checked((*head.last()?).into())?;
        let length = parts.iter().map(|part| usize::from(*part)).sum();
        let body = rest.get(..length)?;
        Some(Page { is_last: head[0] & LAST_PAGE != 0, position, parts, body })
    }
}

impl Page<'_> {
    /// The lengths of the packets; none goes on in the next page.
    fn packets(&self) -> Result<Vec<usize>, Unplayable> {
        let mut lengths = Vec::with_capacity(PAGE_PARTS);
        let mut length = 0;
        for part in self.parts {
            length += usize::from(*part);
            if *part < 255 {
                lengths.push(std::mem::take(&mut length));
            }
        }
        if length == 0 { Ok(lengths) } else { Err(bad("a packet of several pages")) }
    }
}

/// What players of a stereo file skip.
fn pre_skip(head: &[u8]) -> Option<usize> {
    let head = head.strip_prefix(b"OpusHead\x01\x02")?.first_chunk::<9>()?;
    let [low, high, .., family] = *head;
    (family == 0).then(|| u16::from_le_bytes([low, high]).into())
}

fn bad(why: &'static str) -> Unplayable {
    Unplayable::Bad(why)
}
