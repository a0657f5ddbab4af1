//! From the bytes of a file to the samples of its channels. The frame of a WAV file is ours ([`wav`]); other
//! containers and all codecs but Opus are symphonia's, Opus is libopus'.

use std::io::{Cursor, ErrorKind};
use std::ops::RangeInclusive;
use std::time::Duration;

use symphonia::core::audio::{Channels, GenericAudioBufferRef};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration as Length, Timestamp};
use symphonia::default::codecs::PcmDecoder;
use symphonia::default::{get_codecs, get_probe};

use super::error::{ClipError, MAX_CLIP, Oddity};
use super::wav::{self, Codec, Frame};

mod packets;

use packets::PacketDecoder;

/// Sample rates from the telephone's to the studio's.
const RATES: RangeInclusive<u32> = 8_000..=96_000;

/// Bytes of a WAV that are decoded at a time; only memory depends on it.
const PIECE: usize = 1 << 15;

/// What may be missing of a compressed file whose length was estimated.
const MISSING_MAX: Duration = Duration::from_millis(250);

/// How a file writes its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Whole numbers.
    Int,
    /// Floating point.
    Float,
    /// By a codec of this name.
    Coded(&'static str),
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) rate: u32,
    /// The samples of each channel, −1..1.
    pub(super) channels: Vec<Vec<f32>>,
    pub(super) encoding: Encoding,
    /// Bits of a sample.
    pub(super) bits: u16,
    /// The largest magnitude in any channel, 1 is full scale.
    pub(super) peak: f32,
    /// Samples at full scale, over all channels.
    pub(super) clipped: u64,
    pub(super) oddities: Vec<Oddity>,
}

/// Reads a whole file.
pub(super) fn read(bytes: &[u8]) -> Result<Source, ClipError> {
    let bytes = without_tag(bytes);
    match wav::frame(bytes)? {
        Some(frame) if frame.codec == Codec::Mp3 => {
            let source = of_container(frame.audio)?;
            Ok(with(source, frame.oddity))
        }
        Some(frame) => of_wav(&frame),
        None if is_audio(bytes) => of_container(bytes),
        None => Err(ClipError::NotAudio),
    }
}

fn with(mut source: Source, oddity: Option<Oddity>) -> Source {
    source.oddities.extend(oddity);
    source
}

/// The bytes behind ID3 tags, whose length has seven bits in each of four bytes.
fn without_tag(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some(head) = rest.first_chunk::<10>().filter(|head| head.starts_with(b"ID3")) {
        let length = head[6..].iter().fold(0, |sum, b| sum << 7 | usize::from(*b & 0x7f));
        rest = rest.get(10 + length..).unwrap_or_default();
    }
    rest
}

/// Whether bytes begin like a container that is read. A decoder that looks for something to decode in any
/// bytes finds something.
fn is_audio(bytes: &[u8]) -> bool {
    let begins = |with: &[&[u8]]| with.iter().any(|with| bytes.starts_with(with));
    let is_mpeg = bytes.first_chunk().is_some_and(|[a, b]| *a == 0xff && *b >= 0xe0);
    let is_aiff = begins(&[b"FORM"]) && bytes.get(8..11) == Some(b"AIF");
    let is_mp4 = bytes.get(4..8) == Some(b"ftyp");
    is_mpeg || is_aiff || is_mp4 || begins(&[b"fLaC", b"OggS", b"\x1a\x45\xdf\xa3"])
}

fn of_wav(frame: &Frame<'_>) -> Result<Source, ClipError> {
    let (codec, encoding, highest) = match (frame.codec, frame.width) {
        (Codec::Float, 8) => (id::CODEC_ID_PCM_F64LE, Encoding::Float, 1.0),
        (Codec::Float, _) => (id::CODEC_ID_PCM_F32LE, Encoding::Float, 1.0),
        // The loudest these can write.
        (Codec::ALaw, _) => (id::CODEC_ID_PCM_ALAW, Encoding::Coded("A-law"), 32_256.0 / 32_768.0),
        (Codec::MuLaw, _) => {
            (id::CODEC_ID_PCM_MULAW, Encoding::Coded("µ-law"), 32_124.0 / 32_768.0)
        }
        // Two's complement: full scale is one step further on the negative side.
        (_, width) => {
            let codec = match width {
                1 => id::CODEC_ID_PCM_U8,
                2 => id::CODEC_ID_PCM_S16LE,
                3 => id::CODEC_ID_PCM_S24LE,
                _ => id::CODEC_ID_PCM_S32LE,
            };
            (codec, Encoding::Int, 1.0 - 2f32.powi(1 - i32::from(frame.bits)))
        }
    };
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(codec)
        .with_sample_rate(frame.rate)
        .with_channels(Channels::Discrete(frame.channels));
    let mut gathered = Gathered::new(highest, scale(frame));
    gathered.begin(frame.rate, frame.channels.into())?;
    let mut decoder =
        PcmDecoder::try_new(&parameters, &AudioDecoderOptions::default()).map_err(refusal)?;
    let block = usize::from(frame.width) * usize::from(frame.channels);
    for piece in frame.audio.chunks(PIECE / block * block) {
        let packet = Packet::new(0, Timestamp::ZERO, Length::ZERO, piece);
        gathered.take(&decoder.decode(&packet).map_err(refusal)?)?;
    }
    Ok(with(gathered.finish(encoding, frame.bits)?, frame.oddity.clone()))
}

/// By how much the samples are too small. Where they have fewer bits than their bytes they are the upper
/// ones; some programs use the lower ones, which shows: what is above them is only the sign.
fn scale(frame: &Frame<'_>) -> f32 {
    let unused = (frame.width * 8).saturating_sub(frame.bits);
    if frame.codec != Codec::Int || frame.width == 1 || unused == 0 {
        return 1.0;
    }
    let value = |sample: &[u8]| {
        let mut upper = [0; 4];
        upper[4 - sample.len()..].copy_from_slice(sample);
        i32::from_le_bytes(upper) >> (8 * (4 - sample.len()))
    };
    let samples = || frame.audio.chunks_exact(frame.width.into()).map(value);
    let sign_only =
        |x: i32| x << (unused + 32 - frame.width * 8) >> (unused + 32 - frame.width * 8) == x;
    let is_upper = samples().all(|x| x & ((1 << unused) - 1) == 0);
    // A whole byte of nothing above is no quiet recording.
    let is_lower = (!is_upper || unused >= 8) && samples().all(sign_only);
    if is_lower { 2f32.powi(unused.into()) } else { 1.0 }
}

/// Files of these kinds one behind another, of which a reader takes the first, and none of what follows
/// or a part of it. Those of other kinds show themselves while they are read.
fn files_in(bytes: &[u8]) -> usize {
    let is_webm = |head: &[u8]| {
        let head = &head[..head.len().min(64)];
        head.windows(4).any(|name| name == b"webm" || name == b"matr")
    };
    let begins = |at: &[u8]| match at {
        [b'f', b'L', b'a', b'C', 0 | 0x80, 0, 0, 34, ..]
        | [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', ..] => true,
        [0, 0, 0, 16..=64, b'f', b't', b'y', b'p', a, b, c, ..] => {
            [a, b, c].iter().all(|c| c.is_ascii_alphanumeric())
        }
        [0x1a, 0x45, 0xdf, 0xa3, head @ ..] => is_webm(head),
        _ => false,
    };
    let kind = bytes.first();
    let places = (0..bytes.len()).filter(|at| bytes.get(*at) == kind && begins(&bytes[*at..]));
    places.count().max(1)
}

fn of_container(bytes: &[u8]) -> Result<Source, ClipError> {
    let source =
        MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let mut reader = get_probe()
        .probe(&Hint::new(), source, FormatOptions::default(), MetadataOptions::default())
        .map_err(refusal)?;
    let is_of_audio =
        |codec: &Option<CodecParameters>| matches!(codec, Some(CodecParameters::Audio(_)));
    let tracks = reader.tracks().iter().filter(|track| is_of_audio(&track.codec_params)).count();
    let track = reader.first_track(TrackType::Audio).ok_or(ClipError::Empty)?;
    let Some(CodecParameters::Audio(parameters)) = &track.codec_params else {
        return Err(ClipError::Empty);
    };
    let (track_id, frames) = (track.id, track.num_frames);
    let encoding = Encoding::Coded(name(parameters.codec));
    let bits = parameters.bits_per_sample.and_then(|bits| u16::try_from(bits).ok()).unwrap_or(16);
    // What is not to be heard of a packet is counted by the track's clock.
    let trims = track
        .time_base
        .is_some_and(|base| (base.numer.get(), base.denom.get()) == (1, super::RATE));
    let mut decoder = Decoder::of(parameters, trims)?;
    let mut gathered = Gathered::new(1.0, 1.0);
    let (mut bad, mut unheard) = (0, 0);
    while let Some(packet) = next(reader.as_mut(), &gathered)? {
        if packet.track_id != track_id {
            continue;
        }
        unheard += packet.trim_end.get();
        match decoder.decode(&packet, &mut gathered) {
            Ok(()) => {}
            Err(Undecoded::Packet) => bad += 1,
            Err(Undecoded::Clip(error)) => return Err(error),
        }
    }
    if gathered.is_empty() && bad > 0 {
        return Err(ClipError::Damaged("none of its packets can be decoded".into()));
    }
    // An MP3 that ends by its header and goes on.
    let files = files_in(bytes).max(1 + usize::from(gathered.lasting(unheard) > MISSING_MAX));
    if files > 1 {
        let first = frames.map_or(gathered.duration(), |frames| gathered.lasting(frames));
        return Err(ClipError::SeveralFiles { files, first });
    }
    let missing = frames.map_or(Duration::ZERO, |frames| gathered.missing_of(frames));
    let mut source = gathered.finish(encoding, bits)?;
    source.oddities.extend((bad > 0).then_some(Oddity::Undecodable(bad)));
    source.oddities.extend((missing > MISSING_MAX).then_some(Oddity::CutOff(missing)));
    source.oddities.extend((tracks > 1).then_some(Oddity::Tracks(tracks)));
    Ok(source)
}

/// The next packet; a file that ends within one is cut off, which its length tells.
fn next(reader: &mut dyn FormatReader, gathered: &Gathered) -> Result<Option<Packet>, ClipError> {
    match reader.next_packet() {
        Err(Error::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof && !gathered.is_empty() => {
            Ok(None)
        }
        Err(Error::ResetRequired) => {
            Err(ClipError::SeveralFiles { files: 2, first: gathered.duration() })
        }
        Err(e) if gathered.is_empty() => Err(refusal(e)),
        Err(e) => {
            Err(ClipError::Damaged(format!("{e}, {:?} from its beginning", gathered.duration())))
        }
        Ok(packet) => Ok(packet),
    }
}

/// What decodes the packets of a track.
enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    /// And whether the track's clock counts its samples.
    Opus(PacketDecoder, bool),
}

/// Why a packet gave no samples.
enum Undecoded {
    /// It is damaged; the next one may not be.
    Packet,
    Clip(ClipError),
}

impl From<ClipError> for Undecoded {
    fn from(error: ClipError) -> Self {
        Self::Clip(error)
    }
}

impl Decoder {
    fn of(parameters: &AudioCodecParameters, trims: bool) -> Result<Self, ClipError> {
        if parameters.codec == id::CODEC_ID_OPUS {
            let head = parameters.extra_data.as_deref().unwrap_or_default();
            return PacketDecoder::of_head(head)
                .map(|decoder| Self::Opus(decoder, trims))
                .ok_or_else(|| ClipError::Unsupported("Opus of more than two channels".into()));
        }
        let options = AudioDecoderOptions::default();
        get_codecs().make_audio_decoder(parameters, &options).map(Self::Symphonia).map_err(refusal)
    }

    fn decode(&mut self, packet: &Packet, gathered: &mut Gathered) -> Result<(), Undecoded> {
        match self {
            Self::Symphonia(decoder) => match decoder.decode(packet) {
                Ok(buffer) => Ok(gathered.take(&buffer)?),
                Err(Error::DecodeError(_) | Error::IoError(_)) => Err(Undecoded::Packet),
                Err(e) => Err(refusal(e).into()),
            },
            Self::Opus(decoder, trims) => {
                let channels = decoder.decode(&packet.data).ok_or(Undecoded::Packet)?;
                gathered.begin(super::RATE, channels.len())?;
                let skipped = |length: Length| {
                    usize::try_from(length.get()).ok().filter(|_| *trims).unwrap_or(0)
                };
                Ok(gathered.extend(
                    &channels,
                    skipped(packet.trim_start),
                    skipped(packet.trim_end),
                )?)
            }
        }
    }
}

/// The samples so far.
struct Gathered {
    /// The largest positive value the format can express.
    highest: f32,
    scale: f32,
    rate: u32,
    channels: Vec<Vec<f32>>,
    /// Those of one packet.
    piece: Vec<Vec<f32>>,
    peak: f32,
    clipped: u64,
}

impl Gathered {
    fn new(highest: f32, scale: f32) -> Self {
        let (channels, piece) = (Vec::new(), Vec::new());
        Self { highest, scale, rate: 0, channels, piece, peak: 0.0, clipped: 0 }
    }

    /// Takes the kind of what follows, which stays the same.
    fn begin(&mut self, rate: u32, channels: usize) -> Result<(), ClipError> {
        if !RATES.contains(&rate) {
            return Err(ClipError::Rate(rate));
        }
        if !(1..=2).contains(&channels) {
            return Err(ClipError::Channels(channels));
        }
        if self.rate == 0 {
            self.rate = rate;
            self.channels.resize(channels, Vec::new());
        }
        if (self.rate, self.channels.len()) != (rate, channels) {
            let what = "a file whose sample rate or channels change within";
            return Err(ClipError::Unsupported(what.into()));
        }
        Ok(())
    }

    fn take(&mut self, buffer: &GenericAudioBufferRef<'_>) -> Result<(), ClipError> {
        if buffer.is_empty() {
            return Ok(());
        }
        self.begin(buffer.spec().rate(), buffer.num_planes())?;
        let mut piece = std::mem::take(&mut self.piece);
        buffer.copy_to_vecs_planar(&mut piece);
        self.extend(&piece, 0, 0)?;
        self.piece = piece;
        Ok(())
    }

    /// Takes the samples of each channel without so many at the beginning and at the end.
    fn extend(&mut self, piece: &[Vec<f32>], from: usize, to: usize) -> Result<(), ClipError> {
        for (all, more) in self.channels.iter_mut().zip(piece) {
            let end = more.len().saturating_sub(to);
            for sample in more.get(from..end).unwrap_or_default() {
                let sample = sample * self.scale;
                if !sample.is_finite() {
                    return Err(ClipError::NotANumber(all.len()));
                }
                self.clipped += u64::from(sample >= self.highest || sample <= -1.0);
                let sample = sample.clamp(-1.0, 1.0);
                self.peak = self.peak.max(sample.abs());
                all.push(sample);
            }
        }
        let so_far = self.duration();
        if so_far > MAX_CLIP { Err(ClipError::TooLong(so_far)) } else { Ok(()) }
    }

    fn is_empty(&self) -> bool {
        self.channels.iter().all(Vec::is_empty)
    }

    fn duration(&self) -> Duration {
        let samples = self.channels.first().map_or(0, Vec::len) as u64;
        Duration::from_micros(samples * 1_000_000 / u64::from(self.rate.max(1)))
    }

    /// What is missing of so many samples.
    fn missing_of(&self, frames: u64) -> Duration {
        self.lasting(frames.saturating_sub(self.channels.first().map_or(0, Vec::len) as u64))
    }

    /// How long so many samples last; never more than a clip may, of a number that may be anything.
    fn lasting(&self, samples: u64) -> Duration {
        let most = MAX_CLIP.as_secs() * u64::from(self.rate.max(1));
        Duration::from_micros(samples.min(most) * 1_000_000 / u64::from(self.rate.max(1)))
    }

    fn finish(self, encoding: Encoding, bits: u16) -> Result<Source, ClipError> {
        if self.is_empty() {
            return Err(ClipError::Empty);
        }
        let Self { rate, channels, peak, clipped, .. } = self;
        let oddities = Vec::new();
        Ok(Source { rate, channels, encoding, bits, peak, clipped, oddities })
    }
}

fn name(codec: AudioCodecId) -> &'static str {
    match codec {
        id::CODEC_ID_MP3 => "MP3",
        id::CODEC_ID_AAC => "AAC",
        id::CODEC_ID_FLAC => "FLAC",
        id::CODEC_ID_VORBIS => "Vorbis",
        id::CODEC_ID_OPUS => "Opus",
        _ => "PCM",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as an error comes")]
fn refusal(error: Error) -> ClipError {
    if let Error::Unsupported(what) = error {
        return ClipError::Unsupported(format!("this kind of file ({what})"));
    }
    let is_end = matches!(&error, Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof);
    let what = if is_end { "it ends within its header".to_owned() } else { error.to_string() };
    ClipError::Damaged(what)
}
