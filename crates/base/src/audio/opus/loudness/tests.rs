#![expect(clippy::cast_precision_loss, reason = "small numbers in tests")]

use opus::{Application, Bandwidth, Bitrate, Channels};
use proptest::prelude::*;

use super::*;
use crate::audio::FRAME;
use crate::audio::clip::Clip;
use crate::audio::level::{dbfs, power};
use crate::audio::testing::{CLIPS, mix, noise, room, silence, tone};

/// Samples in 2.5 ms.
const OVERLAP: usize = 120;

/// What is audible.
const THRESHOLD: f64 = -50.0;

fn encoder(application: Application, bitrate: i32) -> opus::Encoder {
    let mut encoder = opus::Encoder::new(48_000, Channels::Mono, application).unwrap();
    encoder.set_bitrate(Bitrate::Bits(bitrate)).unwrap();
    encoder
}

fn encode(encoder: &mut opus::Encoder, pcm: &[i16]) -> Vec<Vec<u8>> {
    pcm.chunks_exact(FRAME).map(|frame| encoder.encode_vec(frame, 1275).unwrap()).collect()
}

/// Clips with pauses, and noise of a room.
fn speech(clips: &[(&str, &[u8])], noise: Option<f64>) -> Vec<i16> {
    let mut pcm = silence(1000);
    for (_, bytes) in clips {
        pcm.extend(Clip::from_wav(bytes).unwrap().pcm());
        pcm.extend(silence(700));
    }
    if let Some(level) = noise {
        let room = room(pcm.len(), level, 5);
        mix(&mut pcm, 0, &room);
    }
    pcm
}

/// A stream, decoded and told without.
struct Stream {
    told: Vec<Option<Loud>>,
    /// Of the louder 10 ms.
    real: Vec<f64>,
    /// Of the first 2.5 ms, if the rest of 10 ms were silent.
    first: Vec<f64>,
}

impl Stream {
    fn of(packets: &[Vec<u8>]) -> Self {
        let mut decoder = opus::Decoder::new(48_000, Channels::Mono).unwrap();
        let mut loudness = Loudness::new();
        let mut stream = Self { told: Vec::new(), real: Vec::new(), first: Vec::new() };
        for packet in packets {
            let mut pcm = [0; FRAME];
            assert_eq!(decoder.decode(packet, &mut pcm, false).unwrap(), FRAME);
            stream.told.push(loudness.of(packet));
            stream
                .real
                .push(pcm.chunks(FRAME / 2).map(|half| dbfs(power(half))).fold(-200.0, f64::max));
            stream.first.push(dbfs(power(&pcm[..OVERLAP])) - 6.0);
        }
        stream
    }

    /// (index, told, real) of the packets of SILK or of CELT.
    fn levels(&self, celt: bool) -> Vec<(usize, f64, f64)> {
        let packets = self.told.iter().zip(&self.real).enumerate();
        packets
            .filter_map(|(i, (told, real))| told.map(|told| (i, told, *real)))
            .filter(|(_, told, _)| matches!(told.layer, Layer::Celt { .. }) == celt)
            .map(|(i, told, real)| (i, told.db, real))
            .collect()
    }

    /// Above which level a packet is loud, as the module says.
    fn limit(&self, celt: bool) -> f64 {
        if celt {
            return THRESHOLD + 10.0;
        }
        let mut off: Vec<f64> = self
            .levels(false)
            .into_iter()
            .filter(|(_, _, real)| *real >= -45.0)
            .map(|(_, told, real)| told - real)
            .collect();
        off.sort_by(f64::total_cmp);
        // Without a voice nothing was learned, so nothing is loud.
        off.get(off.len() / 2).map_or(f64::INFINITY, |median| THRESHOLD + median + 25.0)
    }

    /// Whether nothing audible is in the packet and where CELT lets it stray to.
    fn is_quiet_about(&self, i: usize) -> bool {
        self.real[i.saturating_sub(1)..=i].iter().all(|real| *real < THRESHOLD)
            && self.first.get(i + 1).is_none_or(|first| *first < THRESHOLD)
    }
}

#[test]
fn quiet_packets_are_not_taken_for_loud_ones_and_most_of_a_voice_is() {
    // The settings, whether that makes it CELT, and the share of the voice that is found loud.
    let settings = [
        (Application::Voip, 32_000, true, false, 0.7),
        (Application::Voip, 32_000, false, false, 0.7),
        (Application::Audio, 24_000, true, false, 0.7),
        (Application::LowDelay, 64_000, true, true, 0.92),
        (Application::Audio, 96_000, true, true, 0.92),
    ];
    for (application, bitrate, variable, celt, share) in settings {
        for room in [None, Some(-50.0)] {
            let mut encoder = encoder(application, bitrate);
            encoder.set_vbr(variable).unwrap();
            let stream = Stream::of(&encode(&mut encoder, &speech(&CLIPS, room)));
            let (levels, limit) = (stream.levels(celt), stream.limit(celt));
            let what = format!("{application:?} {bitrate} {room:?}");
            for (i, told, real) in &levels {
                let quiet = *real < THRESHOLD && (!celt || stream.is_quiet_about(*i));
                assert!(!quiet || *told < limit, "{what}: packet {i}: {told} for {real}");
            }
            // Noise at the threshold is no voice.
            let voice: Vec<f64> = levels
                .iter()
                .filter(|(_, _, real)| *real >= THRESHOLD + 5.0)
                .map(|(_, told, _)| *told)
                .collect();
            let loud = voice.iter().filter(|told| **told > limit).count();
            assert!(voice.len() > 500, "{what}: {} packets of voice", voice.len());
            assert!(loud as f64 > share * voice.len() as f64, "{what}: {loud} of {}", voice.len());
        }
    }
}

#[test]
fn a_sound_never_heard_before_is_not_loud_below_the_threshold() {
    let sounds = [
        noise(48_000, -53.0, 3),
        room(48_000, -53.0, 3),
        tone(48_000, 300.0, -52.0),
        tone(48_000, 3000.0, -52.0),
        tone(48_000, 8000.0, -52.0),
    ];
    for (application, bitrate) in
        [(Application::Voip, 32_000), (Application::Voip, 64_000), (Application::LowDelay, 64_000)]
    {
        for sound in &sounds {
            let mut pcm = speech(&CLIPS[..2], None);
            let before = pcm.len() / FRAME + 3;
            pcm.extend(sound);
            let stream = Stream::of(&encode(&mut encoder(application, bitrate), &pcm));
            for celt in [false, true] {
                let later = stream.levels(celt).into_iter().filter(|(i, _, _)| *i > before);
                let loudest = later.map(|(_, told, _)| told).fold(-200.0, f64::max);
                if loudest > -200.0 {
                    assert!(loudest + 4.0 < stream.limit(celt), "{application:?}: {loudest}");
                }
            }
        }
    }
}

#[test]
fn celt_is_right_about_noise() {
    for bandwidth in [Bandwidth::Narrowband, Bandwidth::Wideband, Bandwidth::Fullband] {
        for level in [-20.0, -35.0, -50.0] {
            let mut encoder = encoder(Application::LowDelay, 48_000);
            encoder.set_bandwidth(bandwidth).unwrap();
            let stream = Stream::of(&encode(&mut encoder, &room(48_000, level, 7)));
            for (i, told, real) in stream.levels(true) {
                // Of the louder half, so it is above the mean.
                assert!((told - real).abs() < 4.0, "{bandwidth:?}: packet {i}: {told} for {real}");
            }
        }
    }
}

#[test]
fn silk_follows_the_level() {
    let bands = [
        (Bandwidth::Narrowband, Layer::SilkNarrow),
        (Bandwidth::Mediumband, Layer::SilkMedium),
        (Bandwidth::Wideband, Layer::SilkWide),
    ];
    for (bandwidth, layer) in bands {
        let mean = |level| {
            let mut encoder = encoder(Application::Voip, 16_000);
            encoder.set_bandwidth(bandwidth).unwrap();
            let stream = Stream::of(&encode(&mut encoder, &room(96_000, level, 7)));
            assert!(stream.told.iter().all(|told| told.is_some_and(|told| told.layer == layer)));
            let levels = stream.levels(false);
            let settled = &levels[25..];
            settled.iter().map(|(_, told, _)| told).sum::<f64>() / settled.len() as f64
        };
        let (loud, middle, weak) = (mean(-20.0), mean(-35.0), mean(-50.0));
        assert!((loud - middle - 15.0).abs() < 3.0, "{bandwidth:?}: {loud} {middle}");
        assert!((middle - weak - 15.0).abs() < 3.0, "{bandwidth:?}: {middle} {weak}");
    }
}

#[test]
fn silence_of_celt_is_known_at_once() {
    // TOC of 20 ms full band, and the silence flag.
    let silent = Loudness::new().of(&[31 << 3, 0xff, 0xfe]).unwrap();
    assert_eq!(silent.layer, Layer::Celt { bands: 21 });
    assert!(silent.db < -150.0, "{silent:?}");
}

#[test]
fn after_a_loss_celt_is_silent_until_it_is_right_again() {
    let packets =
        encode(&mut encoder(Application::LowDelay, 64_000), &speech(&CLIPS[..4], Some(-60.0)));
    let (mut whole, mut torn) = (Loudness::new(), Loudness::new());
    let (mut since, mut undecided) = (0, 0);
    for (i, packet) in packets.iter().enumerate() {
        let expected = whole.of(packet);
        if i % 20 == 10 {
            torn.lost();
            since = 0;
            continue;
        }
        since += 1;
        let Some(told) = torn.of(packet) else {
            assert!(since < 8, "packet {i}");
            undecided += 1;
            continue;
        };
        let expected = expected.unwrap();
        assert!((told.db - expected.db).abs() < 1.0, "packet {i}: {told:?} for {expected:?}");
    }
    assert!(undecided > packets.len() / 10, "{undecided}");
}

#[test]
fn what_is_not_one_frame_of_20_ms_in_mono_is_left_undecided() {
    let voice = Clip::from_wav(CLIPS[0].1).unwrap().pcm().to_vec();
    for application in [Application::Voip, Application::LowDelay] {
        for ms in [10, 40, 60] {
            let mut encoder = encoder(application, 32_000);
            let mut loudness = Loudness::new();
            for frame in voice.chunks_exact(ms * 48) {
                assert_eq!(loudness.of(&encoder.encode_vec(frame, 1275).unwrap()), None);
            }
        }
        let mut stereo = opus::Encoder::new(48_000, Channels::Stereo, application).unwrap();
        stereo.set_force_channels(Some(Channels::Stereo)).unwrap();
        let mut loudness = Loudness::new();
        for frame in voice.chunks_exact(2 * FRAME) {
            assert_eq!(loudness.of(&stereo.encode_vec(frame, 1275).unwrap()), None);
        }
    }
    let mut loudness = Loudness::new();
    let silent = [31 << 3, 0xff, 0xfe];
    for odd in [&[][..], &[31 << 3], &[31 << 3, 0xff], &[31 << 3 | 1, 1, 1, 1, 1], &[255; 1277]] {
        assert!(loudness.of(&silent).is_some() && loudness.bands.is_some());
        assert_eq!(loudness.of(odd), None);
        assert!(loudness.bands.is_none(), "what CELT was is lost behind {odd:?}");
    }
}

#[test]
fn copies_against_loss_are_left_undecided() {
    let mut encoder = encoder(Application::Voip, 32_000);
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(20).unwrap();
    let stream = Stream::of(&encode(&mut encoder, &speech(&CLIPS[..4], None)));
    let undecided = stream.told.iter().filter(|told| told.is_none()).count();
    assert!(undecided > 100, "{undecided}");
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(
        packets in prop::collection::vec(
            (
                prop_oneof![
                    prop::sample::select(vec![1u8, 5, 9, 13, 15, 19, 23, 27, 31]).prop_map(|config| config << 3),
                    any::<u8>(),
                ],
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    prop::collection::vec(any::<u8>(), 0..1400),
                    (any::<u8>(), 0..60usize).prop_map(|(byte, count)| vec![byte; count]),
                ],
            ),
            1..40,
        ),
    ) {
        let mut loudness = Loudness::new();
        for (toc, frame) in packets {
            let packet = [&[toc], &frame[..]].concat();
            if let Some(told) = loudness.of(&packet) {
                prop_assert!(told.db.is_finite(), "{told:?}");
            }
        }
    }
}
