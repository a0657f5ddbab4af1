use super::*;
use crate::audio::decode;
use crate::audio::level::{dbfs, power};
use crate::audio::testing::{burst, mix, noise, silence, tone};

/// A file of two sides of the same length.
fn file(left: &[i16], right: &[i16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = StereoFile::create(&mut bytes, 7).expect("an encoder");
    for (left, right) in left.chunks(FRAME).zip(right.chunks(FRAME)) {
        let mut frame = [0; 2 * FRAME];
        for (i, (left, right)) in left.iter().zip(right).enumerate() {
            (frame[2 * i], frame[2 * i + 1]) = (*left, *right);
        }
        file.add(&frame).expect("an encoder");
    }
    let length = file.finish(left.len() as u64).expect("an encoder");
    assert_eq!(length, bytes.len() as u64);
    bytes
}

/// What the encoder looks ahead, which the head tells players to skip.
const PRE_SKIP: usize = 120;

/// What an independent reader finds in a file. It refuses pages whose checksum is wrong, ends where the file says, and
/// leaves what is to be skipped in.
fn played(bytes: &[u8]) -> [Vec<i16>; 2] {
    let source = decode::read(bytes).expect("a file");
    assert_eq!(source.rate, RATE);
    let sides: Vec<Vec<i16>> = source
        .channels
        .iter()
        .map(|side| {
            let side = &side[PRE_SKIP..];
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            side.iter().map(|x| (x * 32_768.0).round() as i16).collect()
        })
        .collect();
    sides.try_into().expect("two sides")
}

/// What our own reader finds.
fn own(bytes: &[u8]) -> Result<[Vec<i16>; 2], Unplayable> {
    let mut sides = [Vec::new(), Vec::new()];
    let length = play(bytes, &mut |pcm| {
        for (i, side) in sides.iter_mut().enumerate() {
            side.extend(pcm.iter().skip(i).step_by(2));
        }
    })?;
    assert_eq!(length, sides[0].len() as u64);
    Ok(sides)
}

#[test]
fn a_file_plays_what_went_in_from_the_first_to_the_last_sample() {
    assert_eq!(
        file(&[0], &[0])[28 + 10..28 + 12],
        u16::try_from(PRE_SKIP).expect("small").to_le_bytes()
    );
    for length in [1, 959, 960, 961, 48_000 - 119, 48_000, 48_001, 150_000] {
        let sound = noise(length, -20.0, 3);
        let [left, right] = played(&file(&sound, &vec![0; length]));
        assert_eq!((left.len(), right.len()), (length, length));
    }
    let (voice, beep) = (noise(50_000, -20.0, 3), tone(50_000, 400.0, -20.0));
    let bytes = file(&voice, &beep);
    // Both readers agree, but for rounding.
    for (own, other) in own(&bytes).expect("our own file").iter().zip(&played(&bytes)) {
        assert_eq!(own.len(), other.len());
        assert!(own.iter().zip(other).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
    // A burst of 1 kHz begins with its crest, so its first sample is found within a part of a millisecond.
    let mut sound = silence(1_000);
    mix(&mut sound, 12_345, &burst(200, -12.0));
    let [left, right] = played(&file(&silence(1_000), &sound));
    assert!(left.iter().all(|sample| sample.abs() < 4));
    let loud = |sample: &i16| sample.abs() > 4_000;
    let (first, last) =
        (right.iter().position(loud).expect("a burst"), right.iter().rposition(loud));
    assert!(first.abs_diff(12_345) <= 24, "{first}");
    assert!(last.expect("a burst").abs_diff(12_345 + 9_600) <= 24, "{last:?}");
}

#[test]
fn one_side_does_not_leak_into_the_other() {
    let voice = |hz, seed| {
        let mut voice = tone(96_000, hz, -18.0);
        mix(&mut voice, 0, &noise(96_000, -30.0, seed));
        voice
    };
    let [spoke, silent] = played(&file(&voice(300.0, 1), &vec![0; 96_000]));
    let (spoke, leaked) = (dbfs(power(&spoke)), dbfs(power(&silent)));
    assert!(spoke > -19.0, "{spoke}");
    assert!(leaked < -80.0, "a silent side has {leaked} dBFS");
    // While both speak, what is left of the other tone after taking out one's own.
    let [left, _] = played(&file(&voice(300.0, 1), &voice(700.0, 2)));
    let at = |hz: f64| {
        let (re, im) = left.iter().enumerate().fold((0.0, 0.0), |(re, im), (i, sample)| {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let angle = std::f64::consts::TAU * hz * i as f64 / 48_000.0;
            (re + f64::from(*sample) * angle.cos(), im + f64::from(*sample) * angle.sin())
        });
        20.0 * f64::hypot(re, im).log10()
    };
    let leaked = at(700.0) - at(300.0);
    assert!(leaked < -30.0, "the other tone is at {leaked} dB");
}

#[test]
fn silence_is_small_and_a_voice_has_its_bitrate() {
    let silent = file(&silence(10_000), &silence(10_000)).len();
    assert!(silent < 3_000, "{silent} bytes of ten seconds");
    let sound = noise(480_000, -20.0, 5);
    let loud = file(&sound, &sound).len();
    assert!((60_000..120_000).contains(&loud), "{loud} bytes of ten seconds");
}

#[test]
fn checksums_are_those_of_others() {
    // As CRC-32/CKSUM without its final inversion: reveng's check of "123456789" is 765e7680.
    assert_eq!(!checksum(b"123456789"), 0x765e_7680);
    assert_eq!(checksum(b""), 0);
    let mut bytes = file(&noise(48_000, -20.0, 5), &silence(1_000));
    assert_eq!(played(&bytes)[0].len(), 48_000);
    // An independent reader notices a byte that is another.
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    let damaged = decode::read(&bytes).map_or(0, |source| source.channels[0].len() - PRE_SKIP);
    assert!(damaged < 48_000, "{damaged}");
}

#[test]
fn what_is_no_such_file_is_refused() {
    let bytes = file(&noise(100_000, -20.0, 5), &silence(1_000));
    for length in (0..bytes.len()).step_by(17) {
        assert!(own(&bytes[..length]).is_err(), "cut at {length}");
    }
    for place in [0, 5, 10, 22, 26, 40, 100, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        assert!(own(&damaged).is_err(), "damaged at {place}");
    }
    let foreign = include_bytes!("../decode/fixtures/mhm-stereo.opus");
    let [left, right] = own(foreign).expect("a file of opusenc or ffmpeg");
    assert!(left.len() > 10_000 && left.len() == right.len());
    for foreign in [
        &include_bytes!("../decode/fixtures/mhm.opus")[..],
        include_bytes!("../decode/fixtures/mhm.ogg"),
    ] {
        assert!(own(foreign).is_err());
    }
}

#[test]
fn a_page_holds_what_fits() {
    let mut pages = Pages::new(Vec::new(), 1);
    let mut packets = 0;
    while pages.has_room(PACKET_MAX) {
        pages.add(&[1; PACKET_MAX]).expect("room");
        packets += 1;
    }
    assert_eq!(packets, 42, "six parts each");
    assert!(pages.add(&[1; PACKET_MAX]).is_err());
    pages.flush(CONTINUES_NOTHING, 0).expect("room");
    assert!(pages.has_room(PACKET_MAX));
}
