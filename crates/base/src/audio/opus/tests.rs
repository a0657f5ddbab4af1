use super::*;
use crate::audio::ear::{Ear, Event, Heard};
use crate::audio::testing::{CLIPS, burst, mix, noise, room, silence as quiet, tone};

/// A clip of these samples, which begin and end audible.
fn clip(pcm: &[i16]) -> Clip {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("a valid spec");
    for sample in pcm {
        writer.write_sample(*sample).expect("a vector has room");
    }
    writer.finalize().expect("a vector has room");
    Clip::from_wav(&bytes.into_inner()).expect("a voice")
}

/// What a receiver hears of `before` packets of silence, the clip, and a second of silence.
fn heard(encoded: &EncodedClip, before: usize) -> Vec<i16> {
    let pause = silence().expect("an encoder");
    let packets = std::iter::repeat_n(&pause, before)
        .chain(encoded.frames())
        .chain(std::iter::repeat_n(&pause, 50));
    let mut decoder = Decoder::new().expect("a decoder");
    packets
        .flat_map(|packet| decoder.decode(&packet.payload).expect("our own packet").to_vec())
        .collect()
}

/// The moments an ear makes of samples that arrive in time.
fn events(pcm: &[i16]) -> Vec<Event> {
    let mut ear = Ear::new();
    let mut events = Vec::new();
    for (i, packet) in pcm.chunks(FRAME).enumerate() {
        let at = duration_of((i * FRAME) as u64);
        let rtp_time = u32::try_from(i * FRAME).expect("a short test");
        events.extend(ear.hear(Heard { at, rtp_time, pcm: packet }));
    }
    events
}

fn assert_within(ms: u64, found: Duration, expected: Duration, context: &str) {
    let off = found.abs_diff(expected);
    assert!(off < Duration::from_millis(ms), "{context}: {found:?} is not {expected:?}");
}

#[test]
fn edges_come_out_where_the_encoded_clip_says() {
    for hz in [200.0, 440.0, 1000.0, 2500.0] {
        for (length, before) in [(24_000, 10), (24_333, 11), (31_999, 50)] {
            let encoded = encode(&clip(&tone(length, hz, -20.0))).expect("an encoder");
            let heard = heard(&encoded, before);
            let start = duration_of((before * FRAME) as u64);
            let context = format!("{hz} Hz, {length} samples");
            let [Event::VoiceStarted { at: first, .. }, Event::VoiceEnded { at: last }] =
                events(&heard)[..]
            else {
                panic!("{context}: {:?}", events(&heard));
            };
            assert_within(2, first, start + encoded.first_voiced_at(), &context);
            assert_within(5, last, start + encoded.last_voiced_at(), &context);
        }
    }
}

#[test]
fn the_delay_of_the_codec_is_the_one_documented() {
    // Where the decoded noise resembles the encoded one most.
    let pcm = noise(24_000, -20.0, 7);
    let mut encoder = Encoder::settled().expect("an encoder");
    encoder.0.set_bitrate(Bitrate::Bits(256_000)).expect("a valid bitrate");
    let mut receiver = Decoder::new().expect("a decoder");
    let output: Vec<i16> = pcm
        .chunks_exact(FRAME)
        .flat_map(|frame| {
            let packet = encoder.encode(frame).expect("an encoder");
            receiver.decode(&packet.payload).expect("our own packet").to_vec()
        })
        .collect();
    let likeness = |delay: usize| -> f64 {
        pcm[4800..14_400]
            .iter()
            .zip(&output[4800 + delay..])
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let best = (0..1000).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)));
    assert_eq!(best, Some(LOOKAHEAD));
}

#[test]
fn silence_around_a_clip_is_silent() {
    for pcm in [tone(24_000, 300.0, -12.0), noise(24_000, -15.0, 3)] {
        let encoded = encode(&clip(&pcm)).expect("an encoder");
        let heard = heard(&encoded, 20);
        let start = 20 * FRAME;
        let before = dbfs(power(&heard[..start]));
        assert!(before < -80.0, "before: {before}");
        let end = start + encoded.frames().len() * FRAME;
        for (i, ms) in heard[end - FRAME..].chunks(480).enumerate() {
            let level = dbfs(power(ms));
            assert!(level < -70.0, "{i}: {level}");
        }
    }
}

#[test]
fn packets_of_silence_do_not_change_and_are_small() {
    let mut encoder = Encoder::settled().expect("an encoder");
    let pause = silence().expect("an encoder");
    assert_eq!(pause.level, 127);
    assert!(pause.payload.len() < 40, "{} bytes", pause.payload.len());
    for _ in 0..100 {
        assert_eq!(encoder.encode(&[0; FRAME]).expect("an encoder"), pause);
    }
}

#[test]
fn a_clip_is_encoded_the_same_each_time() {
    let clip = clip(&room(24_000, -20.0, 5));
    let (a, b) = (encode(&clip).expect("an encoder"), encode(&clip).expect("an encoder"));
    assert_eq!(a.frames(), b.frames());
    assert!(a.last_voiced_at() < Duration::from_millis(20 * a.frames().len() as u64));
    assert!(a.frames().iter().all(|frame| frame.payload.len() < 400));
}

#[test]
fn levels_are_those_of_the_samples() {
    let encoded = encode(&clip(&tone(24_000, 1000.0, -20.0))).expect("an encoder");
    assert_eq!(encoded.frames()[5].level, 20);
    assert_eq!(encoded.frames().last().map(|frame| frame.level), Some(127));
    assert_eq!(level(&[i16::MIN; FRAME]), 0);
    assert_eq!(level(&[1; FRAME]), 90);
}

#[test]
fn a_lost_packet_is_filled_and_a_long_loss_is_not() {
    let encoded = encode(&clip(&tone(48_000, 300.0, -20.0))).expect("an encoder");
    let mut decoder = Decoder::new().expect("a decoder");
    for frame in &encoded.frames()[..20] {
        assert_eq!(decoder.decode(&frame.payload).expect("our own packet").len(), FRAME);
    }
    assert!(decoder.conceal(0).expect("a decoder").is_empty());
    let filled = decoder.conceal(1).expect("a decoder");
    assert_eq!(filled.len(), FRAME);
    assert!(dbfs(power(filled)) > -26.0, "{}", dbfs(power(filled)));
    assert_eq!(decoder.conceal(1000).expect("a decoder").len(), 6 * FRAME);
    decoder.decode(&encoded.frames()[30].payload).expect("it goes on");
}

#[test]
fn silence_that_is_not_decoded_changes_nothing_of_what_is_heard() {
    let (voice, silence) = (encode(&clip(&burst(300, -20.0))).unwrap(), super::silence().unwrap());
    let silent = |n| std::iter::repeat_n(&silence, n);
    // Too little silence to settle, and much more than that, from the beginning and after a voice.
    let packets = silent(30)
        .chain(voice.frames())
        .chain(silent(5))
        .chain(voice.frames())
        .chain(silent(100))
        .chain(voice.frames());
    let mut decoder = Decoder::new().unwrap();
    let mut plain = opus::Decoder::new(RATE, Channels::Mono).unwrap();
    let (mut expected, mut skipped, mut off) = ([0; DECODED_MAX], 0, 0);
    for packet in packets {
        skipped += u32::from(decoder.rest.is_settled_on(&packet.payload));
        let heard = decoder.decode(&packet.payload).unwrap();
        let length = plain.decode(&packet.payload, &mut expected, false).unwrap();
        assert_eq!(heard.len(), length);
        off = heard.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).fold(off, u16::max);
    }
    // The noise of the codec is another one, far below what is audible.
    assert!(off <= 32, "{off}");
    assert!(skipped > 100, "most of the silence is not decoded: {skipped}");
    assert!(decoder.conceal(1).is_ok() && !decoder.rest.is_settled_on(&silence.payload));
}

#[test]
fn packets_of_other_lengths_and_channels_are_decoded() {
    for (ms, channels) in
        [(10, Channels::Mono), (40, Channels::Mono), (60, Channels::Stereo), (120, Channels::Mono)]
    {
        let mut encoder =
            opus::Encoder::new(RATE, channels, Application::Audio).expect("an encoder");
        let samples = ms * 48;
        let interleaved = if channels == Channels::Stereo { samples * 2 } else { samples };
        let packet = encoder.encode_vec(&vec![1000; interleaved], 4000).expect("a packet");
        let mut decoder = Decoder::new().expect("a decoder");
        assert_eq!(decoder.decode(&packet).expect("a packet").len(), samples);
        assert!(decoder.conceal(6).expect("a decoder").len() <= DECODED_MAX);
    }
}

#[test]
fn what_is_no_packet_is_refused_and_the_decoder_goes_on() {
    let mut decoder = Decoder::new().expect("a decoder");
    assert!(matches!(decoder.decode(&[]), Err(CodecError::Empty)));
    // Code 3 with a frame count of 0 is invalid (RFC 6716, 3.2.5).
    let error = decoder.decode(&[0xff, 0x00, 0x01]).expect_err("no packet").to_string();
    assert!(error.starts_with("undecodable Opus packet of 3 bytes: "), "{error}");
    assert_eq!(
        decoder.decode(&silence().expect("an encoder").payload).expect("our own packet").len(),
        FRAME
    );
}

#[test]
fn a_voice_in_the_noise_of_a_room_survives_the_codec() {
    let mut pcm = room(96_000, -55.0, 9);
    mix(&mut pcm, 24_000, &burst(700, -20.0));
    let mut encoder = Encoder::settled().expect("an encoder");
    let mut receiver = Decoder::new().expect("a decoder");
    let output: Vec<i16> = [quiet(100), pcm]
        .concat()
        .chunks_exact(FRAME)
        .flat_map(|frame| {
            let packet = encoder.encode(frame).expect("an encoder");
            receiver.decode(&packet.payload).expect("our own packet").to_vec()
        })
        .collect();
    let [Event::VoiceStarted { at: first, .. }, Event::VoiceEnded { at: last }] =
        events(&output)[..]
    else {
        panic!("{:?}", events(&output));
    };
    let expected = Duration::from_millis(600) + duration_of(LOOKAHEAD as u64);
    assert_within(2, first, expected, "beginning");
    assert_within(5, last, expected + Duration::from_millis(700), "end");
}

#[test]
fn real_speech_keeps_its_ends() {
    for (name, bytes) in CLIPS {
        let encoded =
            encode(&Clip::from_wav(bytes).expect("a committed clip")).expect("an encoder");
        let found = events(&heard(&encoded, 25));
        let start = Duration::from_millis(500);
        let (Some(Event::VoiceStarted { at: first, .. }), Some(Event::VoiceEnded { at: last })) =
            (found.first(), found.last())
        else {
            panic!("{name}: {found:?}");
        };
        assert_within(2, *first, start + encoded.first_voiced_at(), name);
        // A cough dies away in noise, so its last moment is less certain than that of a word.
        assert_within(
            if name == "cough.wav" { 10 } else { 5 },
            *last,
            start + encoded.last_voiced_at(),
            name,
        );
    }
}
