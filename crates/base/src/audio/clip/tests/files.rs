//! Files as people have them: each has to give the clip that a plain file of the same sound gives.

use std::time::Duration;

use super::{CLIPS, Clip, ClipError, assert_near};
use crate::audio::{Channel, Encoding, Oddity, Side, Take};

/// The samples of a clip that comes with the scenarios, at 22.05 kHz.
fn samples() -> Vec<i16> {
    let mut reader = hound::WavReader::new(CLIPS[0].1).expect("a WAV file");
    reader.samples::<i16>().map(|sample| sample.expect("a sample")).collect()
}

const RATE: u32 = 22_050;

fn chunk(name: &[u8], body: &[u8], declared: u32, pad: bool) -> Vec<u8> {
    let mut chunk = [name, &declared.to_le_bytes(), body].concat();
    if pad && body.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

fn whole(name: &[u8], body: &[u8]) -> Vec<u8> {
    chunk(name, body, u32::try_from(body.len()).expect("small"), true)
}

fn format(tag: u16, channels: u16, bytes: u16, bits: u16, more: &[u8]) -> Vec<u8> {
    let block = channels * bytes;
    let per_second = RATE * u32::from(block);
    let mut body = [tag, channels].map(u16::to_le_bytes).concat();
    body.extend([RATE, per_second].map(u32::to_le_bytes).concat());
    body.extend([block, bits].map(u16::to_le_bytes).concat());
    body.extend(more);
    whole(b"fmt ", &body)
}

/// The second half of an extensible format.
fn extended(codec: u16, valid: u16) -> Vec<u8> {
    let mut more = [22, valid].map(u16::to_le_bytes).concat();
    more.extend(4u32.to_le_bytes());
    more.extend(codec.to_le_bytes());
    more.extend([0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113]);
    more
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let length = u32::try_from(body.len() + 4).expect("small");
    [&b"RIFF"[..], &length.to_le_bytes(), b"WAVE", &body].concat()
}

fn pcm16() -> Vec<u8> {
    samples().iter().flat_map(|s| s.to_le_bytes()).collect()
}

fn format16() -> Vec<u8> {
    format(1, 1, 2, 16, &[])
}

fn plain() -> Vec<u8> {
    riff(&[format16(), whole(b"data", &pcm16())])
}

/// The samples as they are written in so many bytes, made by `value`.
fn written<const N: usize>(value: impl Fn(i16) -> [u8; N]) -> Vec<u8> {
    samples().into_iter().flat_map(value).collect()
}

fn read(bytes: &[u8]) -> Clip {
    Clip::from_wav(bytes).unwrap_or_else(|e| panic!("{e}"))
}

fn assert_same(name: &str, bytes: &[u8]) {
    let (clip, plain) = (read(bytes), read(&plain()));
    let (facts, expected) = (clip.facts(), plain.facts());
    let off = facts.end.at.abs_diff(expected.end.at);
    assert!(off < Duration::from_millis(2), "{name} ends off by {off:?}");
    let off = facts.leading_silence.abs_diff(expected.leading_silence);
    assert!(off < Duration::from_millis(2), "{name} begins off by {off:?}");
    assert!((facts.level_dbfs - expected.level_dbfs).abs() < 0.2, "{name}: {facts}");
    assert!((facts.peak_dbfs - expected.peak_dbfs).abs() < 0.3, "{name}: {facts}");
    assert_eq!(facts.clipped, expected.clipped, "{name}: {facts}");
}

#[test]
fn lengths_and_chunks_are_taken_as_they_are() {
    let data = pcm16();
    let length = u32::try_from(data.len()).expect("small");
    let list = b"INFOINAM\x06\0\0\0hours\0!";
    let known = [
        ("2^32-1", vec![format16(), chunk(b"data", &data, u32::MAX, true)]),
        ("2^31-1", vec![format16(), chunk(b"data", &data, 0x7fff_ffff, true)]),
        ("0x7ffff000", vec![format16(), chunk(b"data", &data, 0x7fff_f000, true)]),
        ("no length", vec![format16(), chunk(b"data", &data, 0, true)]),
        ("odd chunk", vec![format16(), whole(b"LIST", list), whole(b"data", &data)]),
        (
            "odd chunk without its padding",
            vec![format16(), chunk(b"LIST", list, 19, false), whole(b"data", &data)],
        ),
        ("odd chunk in front", vec![whole(b"bext", &[1; 603]), format16(), whole(b"data", &data)]),
        ("fact of 12", vec![format16(), whole(b"fact", &[0; 12]), whole(b"data", &data)]),
        ("own chunk", vec![whole(b"abcd", &[7; 31]), format16(), whole(b"data", &data)]),
        ("tags behind", vec![format16(), whole(b"data", &data), whole(b"LIST", list)]),
        (
            "ID3 behind",
            vec![format16(), whole(b"data", &data), [&b"TAG"[..], &[65; 5000]].concat()],
        ),
        ("filling behind", vec![format16(), whole(b"data", &data), vec![0; 9000]]),
        ("a byte lost", vec![format16(), chunk(b"data", &data[1..], length - 1, false)]),
    ];
    for (name, chunks) in known {
        if name == "a byte lost" {
            // Every sample is another; what counts is that whole ones are read.
            let missing = read(&plain()).facts().file.abs_diff(read(&riff(&chunks)).facts().file);
            assert!(missing < Duration::from_micros(50), "{missing:?}");
            continue;
        }
        assert_same(name, &riff(&chunks));
        assert_eq!(read(&riff(&chunks)).facts().oddities, [], "{name}");
    }
    let tagged = [&b"ID3\x03\0\0\0\0\0\x0a"[..], &[0; 10], &plain()].concat();
    assert_same("ID3 in front", &tagged);
    let mut wide = riff(&[
        whole(b"ds64", &[[0; 8], u64::from(length).to_le_bytes(), [0; 8]].concat()),
        format16(),
        chunk(b"data", &data, u32::MAX, true),
        whole(b"LIST", list),
    ]);
    wide[..4].copy_from_slice(b"RF64");
    assert_same("RF64", &wide);
    let mut rate = plain();
    rate[28..32].copy_from_slice(&[1, 2, 3, 4]);
    assert_same("wrong byte rate", &rate);
}

#[test]
fn what_is_missing_is_named() {
    let data = pcm16();
    let length = u32::try_from(data.len()).expect("small");
    let short = riff(&[format16(), chunk(b"data", &data, length + 44_100, true)]);
    assert_same("a second short", &short);
    let facts = read(&short).facts().clone();
    assert_eq!(facts.oddities, [Oddity::CutOff(Duration::from_secs(1))]);
    assert!(facts.oddities[0].is_loss());
    assert_eq!(facts.oddities[0].to_string(), "cut off: the header declares 1.000 s more");
}

#[test]
fn audio_behind_the_audio_is_refused() {
    let data = pcm16();
    let part = |range: std::ops::Range<usize>| riff(&[format16(), whole(b"data", &data[range])]);
    let third = data.len() / 6 * 2;
    let one = part(0..third);
    let three = [one.clone(), part(third..2 * third), part(2 * third..data.len())].concat();
    let e = Clip::from_wav(&three).expect_err("three files");
    assert!(
        matches!(e, ClipError::SeveralFiles { files: 3, first } if (550..560).contains(&first.as_millis())),
        "{e:?}"
    );
    // The same of programs that do not know their lengths.
    let streamed = |data: &[u8]| riff(&[format16(), chunk(b"data", data, u32::MAX, true)]);
    let two = [streamed(&data[..third]), streamed(&data[third..])].concat();
    let e = Clip::from_wav(&two).expect_err("two files");
    assert!(
        matches!(e, ClipError::SeveralFiles { files: 2, first } if (550..560).contains(&first.as_millis())),
        "{e:?}"
    );
    let small = u32::try_from(third).expect("small");
    let behind = riff(&[format16(), chunk(b"data", &data, small, true)]);
    let e = Clip::from_wav(&behind).expect_err("more than declared");
    assert!(matches!(e, ClipError::Behind { behind, .. } if behind == data.len() - third), "{e:?}");
}

#[test]
fn every_width_of_samples_is_read_from_its_upper_end() {
    let wide = |value: i32| {
        [
            format(1, 1, 4, 32, &[]),
            whole(b"data", &written(|s| (i32::from(s) << value).to_le_bytes())),
        ]
    };
    let in_24 = |shift: i32| {
        written(|s| {
            let [a, b, c, _] = (i32::from(s) << shift | 1).to_le_bytes();
            [a, b, c]
        })
    };
    let cases = [
        ("24 in 32", vec![format(0xfffe, 1, 4, 32, &extended(1, 24)), wide(16)[1].clone()]),
        ("24 in 32, lower", vec![format(0xfffe, 1, 4, 32, &extended(1, 24)), wide(8)[1].clone()]),
        ("24 in 32, short", vec![format(1, 1, 4, 24, &[]), wide(16)[1].clone()]),
        ("20 in 24", vec![format(0xfffe, 1, 3, 24, &extended(1, 20)), whole(b"data", &in_24(8))]),
        (
            "20 in 24, lower",
            vec![format(0xfffe, 1, 3, 24, &extended(1, 20)), whole(b"data", &in_24(4))],
        ),
        ("20 in 24, short", vec![format(1, 1, 3, 20, &[]), whole(b"data", &in_24(8))]),
        ("32, 18 bytes", vec![format(1, 1, 4, 32, &[0, 0]), wide(16)[1].clone()]),
        (
            "16, extensible",
            vec![format(0xfffe, 1, 2, 16, &extended(1, 16)), whole(b"data", &pcm16())],
        ),
        (
            "float",
            vec![
                format(3, 1, 4, 32, &[0, 0]),
                whole(b"data", &written(|s| (f32::from(s) / 32_768.0).to_le_bytes())),
            ],
        ),
        (
            "double",
            vec![
                format(3, 1, 8, 64, &[]),
                whole(b"data", &written(|s| (f64::from(s) / 32_768.0).to_le_bytes())),
            ],
        ),
        (
            "double, extensible",
            vec![
                format(0xfffe, 1, 8, 64, &extended(3, 64)),
                whole(b"data", &written(|s| (f64::from(s) / 32_768.0).to_le_bytes())),
            ],
        ),
    ];
    for (name, chunks) in cases {
        assert_same(name, &riff(&chunks));
    }
}

/// G.711, as the standard has it: sign, three bits of exponent, four of mantissa.
fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let size = i32::from(sample).abs().min(32_635) + 132;
    let exponent = size.ilog2() - 7;
    let mantissa = size >> (exponent + 3) & 15;
    !(sign
        | u8::try_from(exponent << 4).expect("three bits")
        | u8::try_from(mantissa).expect("four bits"))
}

fn a_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let size = (if sample < 0 { -i32::from(sample) - 1 } else { i32::from(sample) }) >> 3;
    let code = if size < 32 {
        size >> 1
    } else {
        let exponent = i32::try_from(size.ilog2()).expect("small") - 4;
        exponent << 4 | size >> exponent & 15
    };
    (sign | u8::try_from(code).expect("seven bits")) ^ 0x55
}

#[test]
fn telephone_codecs_are_read_and_others_named() {
    for (tag, codec, name) in [(7, mu_law as fn(i16) -> u8, "µ-law"), (6, a_law, "A-law")] {
        let coded =
            riff(&[format(tag, 1, 1, 8, &[0, 0]), whole(b"data", &written(|s| [codec(s)]))]);
        assert_same(name, &coded);
        assert_eq!(read(&coded).facts().encoding, Encoding::Coded(name));
    }
    for (tag, name) in
        [(2, "Microsoft ADPCM"), (0x11, "IMA ADPCM"), (0x31, "GSM 6.10"), (0x1234, "codec 0x1234")]
    {
        let e = Clip::from_wav(&riff(&[format(tag, 1, 1, 4, &[0, 0]), whole(b"data", &[1; 99])]));
        let e = e.expect_err("a codec that is not read").to_string();
        assert!(e.starts_with(&format!("WAV with {name} is not read")), "{e}");
    }
}

/// A file with two channels.
fn stereo(pairs: impl Iterator<Item = (i16, i16)>) -> Vec<u8> {
    let data: Vec<u8> =
        pairs.flat_map(|(l, r)| [l.to_le_bytes(), r.to_le_bytes()].concat()).collect();
    riff(&[format(1, 2, 2, 16, &[]), whole(b"data", &data)])
}

#[test]
fn two_channels_are_never_mixed_in_silence() {
    let both = || samples().into_iter();
    assert_same("the same", &stereo(both().map(|s| (s, s))));
    assert_eq!(read(&stereo(both().map(|s| (s, s)))).facts().oddities, []);
    for (name, file, oddity) in [
        ("left alone", stereo(both().map(|s| (s, 0))), Oddity::OnlyIn(Side::Left)),
        ("right alone", stereo(both().map(|s| (s / 2000, s))), Oddity::OnlyIn(Side::Right)),
        (
            "the other way round",
            stereo(both().map(|s| (s, s.saturating_neg()))),
            Oddity::SameIn(Side::Left),
        ),
        ("weaker", stereo(both().map(|s| (s / 3, s))), Oddity::SameIn(Side::Right)),
    ] {
        assert_same(name, &file);
        assert_eq!(read(&file).facts().oddities, [oddity], "{name}");
    }
    let mut other = samples();
    other.reverse();
    let two = stereo(samples().into_iter().zip(other));
    let e = Clip::from_wav(&two).expect_err("two speakers");
    assert!(matches!(e, ClipError::Differ { .. }), "{e:?}");
    assert!(e.remedy("a.wav").contains("`channel: left`"), "{e}");
    let take = |channel| Clip::read(&two, Take { channel: Some(channel), end: None });
    let left = take(Channel::Only(Side::Left)).expect("the left one");
    assert_eq!(left.pcm(), read(&plain()).pcm());
    let right = take(Channel::Only(Side::Right)).expect("the right one");
    assert_near(right.facts().leading_silence, 332, 30, "the right one");
    let mix = take(Channel::Mix).expect("both");
    assert!(mix.facts().speech > left.facts().speech, "{}", mix.facts());
}

const CODED: [(&str, &[u8], &str); 10] = [
    ("flac", include_bytes!("../../decode/fixtures/mhm.flac"), "FLAC"),
    ("mp3", include_bytes!("../../decode/fixtures/mhm.mp3"), "MP3"),
    ("ogg", include_bytes!("../../decode/fixtures/mhm.ogg"), "Vorbis"),
    ("oga", include_bytes!("../../decode/fixtures/mhm.oga"), "FLAC"),
    ("opus", include_bytes!("../../decode/fixtures/mhm.opus"), "Opus"),
    ("opus stereo", include_bytes!("../../decode/fixtures/mhm-stereo.opus"), "Opus"),
    ("webm", include_bytes!("../../decode/fixtures/mhm.webm"), "Opus"),
    ("m4a", include_bytes!("../../decode/fixtures/mhm.m4a"), "AAC"),
    ("aac", include_bytes!("../../decode/fixtures/mhm.aac"), "AAC"),
    ("aiff", include_bytes!("../../decode/fixtures/mhm.aiff"), "PCM"),
];

#[test]
fn every_common_container_and_codec_is_read() {
    let original = CLIPS.iter().find(|(name, _)| *name == "mhm.wav").expect("the clip").1;
    let original = read(original).facts().clone();
    for (name, bytes, codec) in CODED {
        let facts = read(bytes).facts().clone();
        assert_eq!(facts.encoding, Encoding::Coded(codec), "{name}");
        assert_eq!(facts.oddities, [], "{name}");
        // Lossy codecs smear an edge and some begin with their delay; a voice keeps its length.
        assert_near(facts.speech, 467, 40, name);
        // One voice in the middle of two channels has half its power in each.
        let lower = if facts.channels == 2 { 3.0 } else { 0.0 };
        assert!((facts.level_dbfs + lower - original.level_dbfs).abs() < 0.7, "{name}: {facts}");
        let tagged = [&b"ID3\x03\0\0\0\0\0\x0a"[..], &[0; 10], bytes].concat();
        assert_near(read(&tagged).facts().speech, 467, 40, name);
    }
}

#[test]
fn no_damage_of_a_coded_file_panics() {
    let mut random = crate::audio::testing::Random(11);
    for (_, bytes, _) in CODED {
        for _ in 0..40 {
            let mut damaged = bytes.to_vec();
            for _ in 0..3 {
                let at = usize::try_from(random.next() % bytes.len() as u64).expect("small");
                damaged[at] = random.next() as u8;
            }
            let cut = usize::try_from(random.next() % bytes.len() as u64).expect("small");
            let _ = Clip::from_wav(&damaged);
            let _ = Clip::from_wav(&damaged[..cut]);
        }
    }
}

#[test]
fn one_coded_file_behind_another_is_not_half_said() {
    for (name, bytes, _) in CODED {
        match Clip::from_wav(&[bytes, bytes].concat()) {
            Ok(clip) => {
                assert!(clip.facts().speech.as_millis() > 1_200, "{name}: {}", clip.facts());
            }
            Err(ClipError::SeveralFiles { files, first }) => {
                assert_eq!(files, 2, "{name}");
                assert_near(first, 860, 60, name);
            }
            Err(e) => panic!("{name}: {e}"),
        }
    }
}
