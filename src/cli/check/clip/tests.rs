use super::*;
use crate::audio::{Clip, RATE, Take};
use crate::report::text::Colour;

const HOURS: &[u8] = include_bytes!("../../../../scenarios/clips/hours.wav");

/// What is said of samples at 48 kHz.
fn shown(pcm: &[i16], take: Take, width: usize) -> String {
    let data: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * 2).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    wav.extend(data);
    lines(Clip::read(&wav, take).unwrap().facts(), width)
}

fn lines(facts: &ClipFacts, width: usize) -> String {
    let mut page = Page::new(Colour::Never, width);
    write(&mut page, "hours", "clips/hours.wav", facts);
    page.finish()
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * 48]
}

/// The words of a clip at 48 kHz.
fn words() -> Vec<i16> {
    Clip::from_wav(HOURS).unwrap().pcm().to_vec()
}

/// A hiss that goes from this amplitude to nothing.
fn fading(ms: usize, amplitude: f64) -> Vec<i16> {
    let mut state = 1u32;
    let samples = ms * 48;
    (0..samples)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 16) / 32_768.0 - 1.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "small"
            )]
            let sample = (amplitude * noise * (1.0 - i as f64 / samples as f64)) as i16;
            sample
        })
        .collect()
}

#[test]
fn a_sound_clip_has_two_paragraphs_and_no_note() {
    let text = lines(Clip::from_wav(HOURS).unwrap().facts(), 400);
    insta::assert_snapshot!(text);
}

#[test]
fn every_doubt_says_what_to_do() {
    let recording = [words(), silence(620), words(), fading(300, 900.0), silence(900)].concat();
    let click = fading(40, 3_000.0);
    let recording = [recording, click, silence(200)].concat();
    let text = shown(&recording, Take::default(), 400);
    insta::assert_snapshot!(text);
    let given = Take { channel: None, end: Some(Duration::from_millis(4_200)) };
    insta::assert_snapshot!(shown(&recording, given, 400));
}

#[test]
fn lines_fit_and_say_the_same_at_every_width() {
    let recording =
        [words(), silence(700), words(), silence(400), fading(60, 3_000.0), silence(100)].concat();
    let words_of = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let wide = shown(&recording, Take::default(), 10_000);
    for width in [60, 80, 120] {
        let text = shown(&recording, Take::default(), width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        assert_eq!(words_of(&text), words_of(&wide));
        assert!(text.lines().all(|line| line.starts_with("  ")), "{text}");
    }
}
