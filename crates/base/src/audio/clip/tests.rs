#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers in tests"
)]

use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;

mod files;
mod hostile;

use super::*;
use crate::audio::level::power;
use crate::audio::testing::{CLIPS, burst, mix, noise, room, silence, tone};

fn spec(rate: u32, channels: u16, bits: u16, format: SampleFormat) -> WavSpec {
    WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format }
}

/// The bytes of a WAV file of that kind with the signal in every channel.
fn wav(spec: WavSpec, mono: &[f64]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).expect("a valid spec");
    let full = 2f64.powi(i32::from(spec.bits_per_sample) - 1);
    for x in mono.iter().flat_map(|x| std::iter::repeat_n(*x, spec.channels.into())) {
        match spec.sample_format {
            SampleFormat::Int => writer.write_sample((x * full).clamp(-full, full - 1.0) as i32),
            SampleFormat::Float => writer.write_sample(x as f32),
        }
        .expect("a vector has room");
    }
    writer.finalize().expect("a vector has room");
    bytes.into_inner()
}

/// A 16-bit file at 48 kHz.
fn wav_48k(pcm: &[i16]) -> Vec<u8> {
    let mono: Vec<f64> = pcm.iter().map(|s| f64::from(*s) / 32_768.0).collect();
    wav(spec(48_000, 1, 16, SampleFormat::Int), &mono)
}

fn clip_of(parts: &[Vec<i16>]) -> Clip {
    Clip::from_wav(&wav_48k(&parts.concat())).expect("a clip with a voice")
}

/// A tone of 440 Hz at −20 dBFS from 0.1 to 0.6 s in a second of silence, at any rate.
fn tone_at(rate: u32) -> Vec<f64> {
    (0..rate)
        .map(|i| f64::from(i) / f64::from(rate))
        .map(|t| {
            if (0.1..0.6).contains(&t) {
                0.141 * (std::f64::consts::TAU * 440.0 * (t - 0.1)).sin()
            } else {
                0.0
            }
        })
        .collect()
}

fn assert_near(what: Duration, ms: u64, tolerance_ms: u64, context: &str) {
    let off = what.abs_diff(Duration::from_millis(ms));
    assert!(off <= Duration::from_millis(tolerance_ms), "{context}: {what:?} is not {ms} ms");
}

#[test]
fn every_common_kind_of_file_gives_the_same_clip() {
    let kinds = [
        (8, SampleFormat::Int),
        (16, SampleFormat::Int),
        (24, SampleFormat::Int),
        (32, SampleFormat::Int),
        (32, SampleFormat::Float),
    ];
    for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
        for channels in [1, 2] {
            // All kinds at one rate, and all rates in one kind.
            for (bits, format) in
                kinds.into_iter().filter(|(bits, _)| rate == 48_000 || *bits == 16)
            {
                let context = format!("{rate} Hz, {channels} channels, {bits} bit {format:?}");
                let clip = Clip::from_wav(&wav(spec(rate, channels, bits, format), &tone_at(rate)))
                    .expect("a clip");
                let facts = clip.facts();
                assert_near(facts.leading_silence, 100, 1, &context);
                assert_near(facts.speech, 500, 1, &context);
                assert_near(facts.trailing_silence, 400, 1, &context);
                assert_near(facts.file, 1000, 1, &context);
                assert!((facts.level_dbfs + 20.0).abs() < 0.5, "{context}: {}", facts.level_dbfs);
                assert!((facts.peak_dbfs + 17.0).abs() < 0.5, "{context}: {}", facts.peak_dbfs);
                assert_eq!(
                    (facts.rate, facts.channels, facts.bits),
                    (rate, usize::from(channels), bits)
                );
                assert_eq!(facts.clipped, 0, "{context}");
            }
        }
    }
}

#[test]
fn the_ends_are_exact_and_the_samples_kept() {
    let voice = burst(300, -20.0);
    let clip = clip_of(&[silence(137), voice.clone(), silence(400)]);
    assert_eq!(clip.first_voiced(), 0);
    assert_eq!(clip.last_voiced(), voice.len() - 1);
    assert_eq!(&clip.pcm()[..voice.len()], &voice[..]);
    assert_eq!(clip.pcm().len(), voice.len() + 960);
    assert_eq!(clip.facts().leading_silence, Duration::from_millis(137));
    assert_eq!(clip.facts().trailing_silence, Duration::from_millis(400));
}

#[test]
fn a_clip_without_silence_is_kept_whole() {
    let clip = clip_of(&[burst(300, -20.0)]);
    assert_eq!(clip.last_voiced(), 300 * 48 - 1);
    assert_eq!(clip.facts().trailing_silence, Duration::ZERO);
    assert!(clip.pcm()[300 * 48..].iter().all(|s| *s == 0));
}

#[test]
fn the_tail_fades_out() {
    let mut pcm = noise(48_000, -55.0, 1);
    mix(&mut pcm, 9600, &tone(19_200, 300.0, -20.0));
    let clip = Clip::from_wav(&wav_48k(&pcm)).expect("a clip");
    let tail = &clip.pcm()[clip.last_voiced() + 1..];
    assert_eq!(tail.len(), 960);
    assert!(tail.iter().take(480).any(|s| *s != 0));
    assert_eq!(tail[959], 0);
    assert!(power(&tail[..240]) > 8.0 * power(&tail[720..]));
}

#[test]
fn a_fade_out_ends_where_it_sinks_below_the_threshold() {
    // 400 ms at full level, then 1 s falling by 60 dB: from −20 to −50 dBFS in half a second.
    let fade: Vec<i16> = tone(48_000, 500.0, -20.0)
        .iter()
        .enumerate()
        .map(|(i, s)| {
            (f64::from(*s) * 10f64.powf(-3.0 * f64::from(i as u32) / 48_000.0)).round() as i16
        })
        .collect();
    let clip = clip_of(&[tone(19_200, 500.0, -20.0), fade, silence(300)]);
    assert_near(clip.facts().speech, 900, 20, "fade");
}

#[test]
fn a_click_in_the_tail_is_not_the_end_and_the_release_of_a_plosive_is() {
    let clip = clip_of(&[burst(400, -20.0), silence(60), burst(2, -6.0), silence(300)]);
    assert_eq!(clip.facts().speech, Duration::from_millis(400));
    let clip = clip_of(&[burst(400, -20.0), silence(250), burst(20, -6.0), silence(300)]);
    assert_eq!(clip.facts().speech, Duration::from_millis(400));
    let clip = clip_of(&[burst(400, -20.0), silence(80), burst(20, -30.0), silence(300)]);
    assert_eq!(clip.facts().speech, Duration::from_millis(500));
}

#[test]
fn pauses_are_measured() {
    let clip = clip_of(&[
        burst(400, -20.0),
        silence(300),
        burst(100, -20.0),
        silence(640),
        burst(200, -20.0),
    ]);
    assert_eq!(clip.facts().longest_pause.as_millis(), 640);
}

#[test]
fn an_offset_is_taken_out() {
    let mono: Vec<f64> = tone_at(48_000).iter().map(|x| x + 0.05).collect();
    let clip = Clip::from_wav(&wav(spec(48_000, 1, 16, SampleFormat::Int), &mono)).expect("a clip");
    assert_near(clip.facts().speech, 500, 1, "offset");
}

#[test]
fn clipping_is_counted() {
    let mono: Vec<f64> = tone_at(16_000).iter().map(|x| x * 10.0).collect();
    let over = mono.iter().filter(|x| x.abs() >= 1.0).count() as u64;
    for (bits, format) in [(16, SampleFormat::Int), (32, SampleFormat::Float)] {
        let clip = Clip::from_wav(&wav(spec(16_000, 1, bits, format), &mono)).expect("a clip");
        assert_eq!(clip.facts().clipped, over);
        assert!(clip.facts().peak_dbfs.abs() < 0.01);
        assert!(clip.facts().to_string().ends_with(&format!("; {over} samples at full scale")));
    }
}

#[test]
fn the_hash_is_that_of_the_file() {
    let bytes = wav_48k(&burst(100, -20.0));
    let a = Clip::from_wav(&bytes).expect("a clip");
    assert_eq!(a.facts().sha256.len(), 64);
    let other = Clip::from_wav(&wav_48k(&burst(101, -20.0))).expect("a clip");
    assert_ne!(a.facts().sha256, other.facts().sha256);
}

fn refused(bytes: &[u8]) -> String {
    let error = Clip::from_wav(bytes).expect_err("no usable clip");
    format!("{error}: {}", error.remedy("FILE"))
}

#[test]
fn what_cannot_be_used_says_why_and_what_to_do() {
    let good = wav_48k(&[silence(100), burst(300, -20.0)].concat());
    let mut compressed = good.clone();
    compressed[20] = 2;
    let mut impossible = good.clone();
    impossible[34] = 0;
    let mut nan = wav(spec(48_000, 1, 32, SampleFormat::Float), &tone_at(48_000));
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let long = vec![0.1; 8000 * 121];
    let cases = [
        ("nothing", Vec::new()),
        ("mp3", b"ID3\x04\0\0\0\0\0\0\0\0\0\0".to_vec()),
        ("header cut off", good[..30].to_vec()),
        ("compressed", compressed),
        ("0 bit", impossible),
        ("no samples", wav_48k(&[])),
        ("six channels", wav(spec(48_000, 6, 16, SampleFormat::Int), &[0.1; 480])),
        ("4 kHz", wav(spec(4_000, 1, 16, SampleFormat::Int), &[0.1; 480])),
        ("192 kHz", wav(spec(192_000, 1, 16, SampleFormat::Int), &[0.1; 480])),
        ("not a number", nan),
        ("121 s", wav(spec(8_000, 1, 16, SampleFormat::Int), &long)),
        ("silence", wav_48k(&silence(1000))),
        ("too quiet", wav_48k(&burst(1000, -60.0))),
        ("a click", wav_48k(&[silence(100), burst(10, -3.0), silence(100)].concat())),
        ("a moment", wav_48k(&[8000; 9])),
    ];
    let table: String =
        cases.iter().map(|(name, bytes)| [name, ": ", &refused(bytes), "\n"].concat()).collect();
    insta::assert_snapshot!(table);
}

#[test]
fn a_file_written_into_a_pipe_is_read_to_its_end() {
    let good = wav_48k(&[burst(300, -20.0), silence(100)].concat());
    let expected = Clip::from_wav(&good).expect("a clip");
    // What espeak-ng, sox and ffmpeg write for a length they do not know.
    for length in [0x7fff_f000u32, 0x7fff_ffff - 1, 0xffff_fffe] {
        let mut piped = good.clone();
        piped[40..44].copy_from_slice(&length.to_le_bytes());
        assert_eq!(Clip::from_wav(&piped).expect("a clip").pcm(), expected.pcm(), "{length:#x}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_ends_of_a_voice_in_noise_are_found(
        lead in 4_800usize..48_000,
        length in 9_600usize..48_000,
        trail in 4_800usize..48_000,
        hz in 150.0..3000.0f64,
        noise_dbfs in -80.0..-50.0f64,
        snr in 30.0..40.0f64,
        seed in any::<u64>(),
    ) {
        let level = (noise_dbfs + snr).max(-35.0);
        let mut pcm = noise(lead + length + trail, noise_dbfs, seed);
        mix(&mut pcm, lead, &tone(length, hz, level));
        let clip = Clip::from_wav(&wav_48k(&pcm)).expect("a voice");
        let facts = clip.facts();
        let first = facts.leading_silence.abs_diff(duration_of(lead as u64));
        let last = facts.trailing_silence.abs_diff(duration_of(trail as u64));
        prop_assert!(first < Duration::from_millis(2), "beginning off by {first:?}");
        prop_assert!(last < Duration::from_millis(2), "end off by {last:?}");
    }

    #[test]
    fn noise_alone_is_no_voice(dbfs in -90.0..-52.0f64, seed in any::<u64>(), of_a_room in any::<bool>()) {
        let pcm = if of_a_room { room(96_000, dbfs, seed) } else { noise(96_000, dbfs, seed) };
        let refused = matches!(Clip::from_wav(&wav_48k(&pcm)), Err(ClipError::Silent { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Clip::from_wav(&bytes);
        for (to, from) in bytes.iter_mut().zip(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0") {
            *to = *from;
        }
        let _ = Clip::from_wav(&bytes);
    }

    #[test]
    fn no_damage_panics(at in 0usize..60, byte in any::<u8>(), cut in 0usize..2000) {
        let mut bytes = wav_48k(&burst(20, -20.0));
        bytes[at.min(43)] = byte;
        bytes.truncate(cut);
        let _ = Clip::from_wav(&bytes);
    }
}

/// Two seeds at which swells reached the threshold.
#[test]
fn the_swells_of_a_murmur_are_no_voice() {
    for seed in [6_505_139_580_104_393_917, 14_395_595_261_774_325_970] {
        let found = Clip::from_wav(&wav_48k(&room(96_000, -52.0, seed)));
        assert!(matches!(found, Err(ClipError::Silent { .. })), "{seed}");
    }
}

#[test]
fn the_clips_of_the_scenarios() {
    let mut table = String::new();
    for (name, bytes) in CLIPS {
        let clip = Clip::from_wav(bytes).expect("a committed clip");
        let facts = clip.facts();
        let parts = facts.leading_silence + facts.speech + facts.trailing_silence;
        assert!(
            parts.abs_diff(facts.file) < Duration::from_millis(1),
            "{name}: {parts:?} of {:?}",
            facts.file
        );
        assert!(facts.speech > Duration::from_millis(200), "{name}: {:?}", facts.speech);
        let length = duration_of(clip.pcm().len() as u64);
        assert_eq!(length, facts.speech + Duration::from_millis(20), "{name}");
        table += &[name, ": ", &facts.to_string(), "\n"].concat();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn all_clips_are_looked_at_and_described() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/clips");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of the clips")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !["README.md", "make.sh"].contains(&name.as_str()))
        .collect();
    files.sort();
    let mut listed = CLIPS.map(|(name, _)| name.to_owned());
    listed.sort();
    assert_eq!(files, listed);
    let readme = include_str!("../../../../../scenarios/clips/README.md");
    for (name, bytes) in CLIPS {
        let clip = Clip::from_wav(bytes).expect("a committed clip");
        let sha256 = &clip.facts().sha256;
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}`")));
        assert!(
            row.is_some_and(|row| row.contains(sha256)),
            "{name} is not in README.md with {sha256}"
        );
    }
}
