//! The frame of a WAV file: which bytes are the audio, and how to read them. Programs often write WAV files
//! without knowing their length, or the specification, so chunks and lengths that break it are read as far as
//! they make sense. What is missing or odd is reported.

use std::time::Duration;

use super::error::{ClipError, MAX_CLIP, Oddity};

/// From here on a length means "until the end": programs that write into a pipe do not know it and put a
/// large number there (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, …).
const STREAMED: u64 = 0x7fff_0000;

/// What may lie behind the audio without being a chunk before it is suspected to be audio: 50 ms.
const BEHIND_MAX: Duration = Duration::from_millis(50);

/// Chunks with a meaning. A name that is none of them is believed when it is readable.
const KNOWN: [&[u8; 4]; 25] = [
    b"fmt ", b"data", b"LIST", b"fact", b"bext", b"iXML", b"JUNK", b"junk", b"id3 ", b"ID3 ",
    b"cue ", b"smpl", b"PEAK", b"cart", b"afsp", b"DISP", b"PAD ", b"ds64", b"FLLR", b"inst",
    b"plst", b"axml", b"umid", b"_PMX", b"chna",
];

/// The audio of a WAV file.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) codec: Codec,
    pub(super) channels: u16,
    pub(super) rate: u32,
    /// Bytes of a sample.
    pub(super) width: u16,
    /// Bits of a sample that carry sound, the upper ones.
    pub(super) bits: u16,
    /// Whole samples of all channels.
    pub(super) audio: &'a [u8],
    pub(super) oddity: Option<Oddity>,
}

/// How the samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Int,
    Float,
    ALaw,
    MuLaw,
    Mp3,
}

/// The frame of a WAV file; `None` when the bytes are another kind of file.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, ClipError> {
    let Some(body) = body(bytes) else { return Ok(None) };
    let mut format = None;
    let mut wide = None;
    let mut rest = body;
    loop {
        let Some((chunk, behind)) = Chunk::next(rest) else {
            let what = if format.is_some() { "no audio follows" } else { "it ends within" };
            return Err(ClipError::Damaged(format!("{what} its header")));
        };
        match &chunk.name {
            b"fmt " => format = Some(Format::of(chunk.body)?),
            b"ds64" => wide = long(chunk.body.get(8..16)),
            b"data" => {
                let Some(format) = format else {
                    return Err(ClipError::Damaged("the audio comes before its format".into()));
                };
                let declared = if chunk.declared == u64::from(u32::MAX) { wide } else { None };
                return format
                    .audio(
                        bytes,
                        rest.get(8..).unwrap_or_default(),
                        declared.unwrap_or(chunk.declared),
                    )
                    .map(Some);
            }
            _ => {}
        }
        rest = behind;
    }
}

/// What is inside the outermost chunk, whose length nobody needs.
fn body(bytes: &[u8]) -> Option<&[u8]> {
    let name = bytes.get(..4)?;
    let is_riff = [b"RIFF", b"RF64", b"BW64"].iter().any(|known| name == *known);
    (is_riff && bytes.get(8..12)? == b"WAVE").then(|| &bytes[12..])
}

/// A number of 64 bits in 8 bytes.
fn long(bytes: Option<&[u8]>) -> Option<u64> {
    Some(u64::from_le_bytes(bytes?.try_into().ok()?))
}

struct Chunk<'a> {
    name: [u8; 4],
    declared: u64,
    /// As far as it is there.
    body: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The chunk that bytes begin with, and what lies behind it. An odd one should have a byte of padding
    /// behind it; where it has none the next one begins at once.
    fn next(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let [name @ .., _, _, _, _] = *head;
        let [_, _, _, _, length @ ..] = *head;
        let declared = u32::from_le_bytes(length);
        let length = usize::try_from(declared).unwrap_or(usize::MAX).min(rest.len());
        let (body, behind) = rest.split_at(length);
        let chunk = Self { name, declared: declared.into(), body };
        if length % 2 == 0 {
            return Some((chunk, behind));
        }
        let padded = behind.get(1..).unwrap_or_default();
        let is_padded = is_known(padded)
            || !is_known(behind) && (is_chunk(padded) || padded.is_empty() || !is_chunk(behind));
        Some((chunk, if is_padded { padded } else { behind }))
    }
}

fn is_known(bytes: &[u8]) -> bool {
    bytes.get(..4).is_some_and(|name| KNOWN.iter().any(|known| name == *known))
}

/// Whether bytes begin like a chunk that is all there.
fn is_chunk(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let [name @ .., w, x, y, z] = head;
    let length = u32::from_le_bytes([*w, *x, *y, *z]);
    name.iter().all(|c| (0x20..0x7f).contains(c))
        && usize::try_from(length).is_ok_and(|length| length <= rest.len())
}

/// What a `fmt ` chunk says.
#[derive(Clone, Copy)]
struct Format {
    codec: Codec,
    channels: u16,
    rate: u32,
    width: u16,
    bits: u16,
}

/// What the second half of an extensible format's name is where the first is the number of a codec.
const WAVE_FORMATS: [u8; 14] = [0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113];

impl Format {
    fn of(chunk: &[u8]) -> Result<Self, ClipError> {
        let damaged = |what: &str| ClipError::Damaged(what.to_owned());
        let short = |at: usize| {
            let bytes = chunk.get(at..at + 2)?;
            Some(u16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let cut = || damaged("it ends within its header");
        let mut tag = short(0).ok_or_else(cut)?;
        let channels = short(2).ok_or_else(cut)?;
        let (low, high) = (short(4).ok_or_else(cut)?, short(6).ok_or_else(cut)?);
        let block = short(12).ok_or_else(cut)?;
        let of_block = block.checked_div(channels).ok_or_else(|| damaged("no channels"))?;
        let mut bits = short(14).unwrap_or(of_block.saturating_mul(8));
        // The bytes a sample takes; a block that cannot be is passed over, as the byte rate always is.
        let needed = bits.div_ceil(8);
        let width = if of_block >= needed && block % channels == 0 { of_block } else { needed };
        if tag == 0xfffe {
            let name = chunk.get(26..40).ok_or_else(cut)?;
            tag = if *name == WAVE_FORMATS { short(24).ok_or_else(cut)? } else { tag };
            bits = short(18).filter(|valid| (1..=bits).contains(valid)).unwrap_or(bits);
        }
        let codec = match tag {
            1 => Codec::Int,
            3 => Codec::Float,
            6 => Codec::ALaw,
            7 => Codec::MuLaw,
            0x55 => Codec::Mp3,
            _ => return Err(ClipError::Unsupported(named(tag))),
        };
        let is_read = match codec {
            Codec::Int => (1..=4).contains(&width) && bits > 0,
            Codec::Float => width == 4 || width == 8,
            Codec::ALaw | Codec::MuLaw => width == 1,
            Codec::Mp3 => true,
        };
        if !is_read {
            return Err(ClipError::Unsupported(format!(
                "WAV with {bits}-bit samples of this kind"
            )));
        }
        let rate = u32::from(high) << 16 | u32::from(low);
        Ok(Self { codec, channels, rate, width, bits })
    }

    /// The audio among `rest`, which begins with it. `bytes` are the whole file.
    fn audio<'a>(
        self,
        bytes: &[u8],
        rest: &'a [u8],
        declared: u64,
    ) -> Result<Frame<'a>, ClipError> {
        let present = rest.len() as u64;
        let is_streamed = declared >= STREAMED || declared == 0 && !is_all_chunks(rest);
        let length = if is_streamed { present } else { declared.min(present) };
        let (audio, behind) = rest.split_at(usize::try_from(length).unwrap_or(rest.len()));
        let files = 1 + begins(bytes).skip(1).count();
        if files > 1 {
            let own = begins(rest).next().unwrap_or(rest.len()).min(audio.len());
            return Err(ClipError::SeveralFiles { files, first: self.duration(own as u64) });
        }
        let padding = usize::from(declared % 2 == 1 && !is_known(behind));
        let behind = unaccounted(behind.get(padding..).unwrap_or_default());
        if self.duration(behind as u64) > BEHIND_MAX {
            return Err(ClipError::Behind { declared: self.duration(declared), behind });
        }
        let missing = if is_streamed { 0 } else { declared - length };
        let oddity = (missing > 0).then(|| Oddity::CutOff(self.duration(missing)));
        let block = usize::from(self.width) * usize::from(self.channels);
        let whole = match self.codec {
            Codec::Mp3 => audio.len(),
            Codec::Int | Codec::Float | Codec::ALaw | Codec::MuLaw => {
                audio.len() - audio.len() % block
            }
        };
        let Self { codec, channels, rate, width, bits } = self;
        Ok(Frame { codec, channels, rate, width, bits, audio: &audio[..whole], oddity })
    }

    /// How long so many bytes of audio last, to the microsecond.
    fn duration(self, bytes: u64) -> Duration {
        let per_second = u64::from(self.rate) * u64::from(self.channels) * u64::from(self.width);
        let micros = u128::from(bytes) * 1_000_000 / u128::from(per_second.max(1));
        let most = MAX_CLIP * 1000;
        u64::try_from(micros).map_or(most, Duration::from_micros).min(most)
    }
}

/// The codecs people have that are not read, by their name.
fn named(tag: u16) -> String {
    let name = match tag {
        0x02 => "Microsoft ADPCM",
        0x11 => "IMA ADPCM",
        0x31 => "GSM 6.10",
        0x45 | 0x64 => "G.726",
        0x50 => "MPEG layer 2",
        0x65 => "G.722",
        0xff | 0x1600 | 0x1610 => "AAC",
        _ => return format!("WAV with codec {tag:#06x}"),
    };
    format!("WAV with {name}")
}

/// Where WAV files begin in bytes.
fn begins(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    bytes.windows(16).enumerate().filter(|(_, at)| is_beginning(at)).map(|(i, _)| i)
}

/// A whole beginning, which chance does not write and no metadata contains.
fn is_beginning(at: &[u8]) -> bool {
    at[0] == b'R' && (at.starts_with(b"RIFF") || at.starts_with(b"RF64")) && at[8..12] == *b"WAVE"
}

/// Whether bytes are chunks to their end.
fn is_all_chunks(mut bytes: &[u8]) -> bool {
    while let Some((_, behind)) = is_chunk(bytes).then(|| Chunk::next(bytes)).flatten() {
        bytes = behind;
    }
    bytes.iter().all(|b| *b == 0)
}

/// How many of the bytes behind the audio are neither chunks nor tags nor filling.
fn unaccounted(mut bytes: &[u8]) -> usize {
    while let Some((_, behind)) =
        (is_known(bytes) || is_chunk(bytes)).then(|| Chunk::next(bytes)).flatten()
    {
        bytes = behind;
    }
    let is_tag = [&b"TAG"[..], b"ID3", b"APETAGEX"].iter().any(|tag| bytes.starts_with(tag));
    if is_tag || bytes.iter().all(|b| *b == 0) { 0 } else { bytes.len() }
}
