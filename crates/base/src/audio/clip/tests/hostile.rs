//! What people record with their words: it must not move the end of speech.

use std::f64::consts::TAU;

use super::{CLIPS, Clip, assert_near, wav_48k};
use crate::audio::clip::voice;
use crate::audio::testing::{Random, burst, mix, noise, room, silence, tone};
use crate::audio::{Rule, Take};
use std::time::Duration;

/// The voices among the clips at 48 kHz, each with what lies around it in its file.
fn voices() -> Vec<(&'static str, Vec<i16>)> {
    let voiced = CLIPS.into_iter().filter(|(name, _)| *name != "cough.wav");
    voiced
        .map(|(name, bytes)| {
            let pcm = Clip::from_wav(bytes).expect("a clip").pcm().to_vec();
            (name, [silence(200), pcm, silence(200)].concat())
        })
        .collect()
}

/// A sound with this course of its level over `ms`: 1 is the level that was asked for.
fn shaped(mut pcm: Vec<i16>, course: impl Fn(f64) -> f64) -> Vec<i16> {
    for (i, sample) in pcm.iter_mut().enumerate() {
        *sample = (f64::from(*sample) * course(i as f64 / 48_000.0)).round() as i16;
    }
    pcm
}

fn decaying(pcm: Vec<i16>, seconds: f64) -> Vec<i16> {
    shaped(pcm, |t| (-t / seconds).exp())
}

/// The click that stops a recorder: 46 ms.
fn click(dbfs: f64, seed: u64) -> Vec<i16> {
    decaying(noise(46 * 48, dbfs + 3.0, seed), 0.012)
}

fn keys(dbfs: f64, seed: u64) -> Vec<i16> {
    let mut random = Random(seed);
    let each = (0..6).flat_map(|i| {
        let gap = 70 + usize::try_from(random.next() % 120).expect("small");
        [click(dbfs - 3.0 * random.unit(), seed + i)[..20 * 48].to_vec(), silence(gap)]
    });
    each.collect::<Vec<_>>().concat()
}

fn breath(dbfs: f64, seed: u64) -> Vec<i16> {
    let ms = 200 + usize::try_from(seed % 5).expect("small") * 90;
    let length = ms as f64 / 1000.0;
    shaped(noise(ms * 48, dbfs + 3.0, seed), |t| (std::f64::consts::PI * t / length).sin())
}

/// Wood that sticks and slips, at no steady rate.
fn creak(dbfs: f64, seed: u64) -> Vec<i16> {
    let mut random = Random(seed);
    let mut pcm = silence(300);
    let mut at = 0.0;
    while at < 0.27 {
        let slip = decaying(tone(4 * 48, 900.0 + 600.0 * random.unit(), dbfs + 6.0), 0.0015);
        mix(&mut pcm, (at * 48_000.0) as usize, &slip);
        at += 0.006 + 0.02 * random.unit();
    }
    pcm
}

fn door(dbfs: f64, seed: u64) -> Vec<i16> {
    decaying(room(400 * 48, dbfs + 6.0, seed), 0.08)
}

fn thud(dbfs: f64, seed: u64) -> Vec<i16> {
    decaying(tone(400 * 48, 60.0 + 10.0 * (seed % 6) as f64, dbfs), 0.07)
}

/// The mains and three of their harmonics.
fn hum(samples: usize, dbfs: f64, hz: f64) -> Vec<i16> {
    let amplitude = 32_768.0 * 10f64.powf(dbfs / 20.0) * 1.3;
    (0..samples)
        .map(|i| TAU * hz * i as f64 / 48_000.0)
        .map(|x| x.sin() + 0.3 * (2.0 * x + 1.0).sin() + 0.15 * (3.0 * x + 2.0).sin())
        .map(|x| (amplitude * x).round() as i16)
        .collect()
}

/// Where the voice is in a recording.
fn audible_span(pcm: &[i16]) -> Option<(usize, usize)> {
    voice::span(pcm).map(|span| (span.first as usize, span.last as usize))
}

/// How far another recording moves the end of a voice, in ms.
fn moved(clean: &[i16], with: &[i16]) -> f64 {
    let end = |pcm| audible_span(pcm).expect("a voice").1 as f64 / 48.0;
    end(with) - end(clean)
}

type Sound = (&'static str, fn(f64, u64) -> Vec<i16>, [f64; 3]);

#[test]
fn sounds_behind_the_last_word_do_not_move_the_end() {
    let sounds: [Sound; 6] = [
        ("click", click, [-20.0, -30.0, -40.0]),
        ("keys", keys, [-25.0, -35.0, -45.0]),
        ("breath", breath, [-32.0, -38.0, -45.0]),
        ("creak", creak, [-28.0, -35.0, -42.0]),
        ("door", door, [-25.0, -30.0, -40.0]),
        ("thud", thud, [-15.0, -25.0, -35.0]),
    ];
    let mut wrong = Vec::new();
    for (name, pcm) in voices() {
        let (_, last) = audible_span(&pcm).expect("a voice");
        for (sound, make, levels) in sounds {
            for (i, dbfs) in levels.into_iter().enumerate() {
                for gap_ms in [170, 600] {
                    let made = make(dbfs, gap_ms as u64 + i as u64);
                    let mut with = pcm.clone();
                    with.resize(last + gap_ms * 48 + made.len() + 9_600, 0);
                    mix(&mut with, last + gap_ms * 48, &made);
                    let moved = moved(&pcm, &with);
                    if moved.abs() > 30.0 {
                        wrong.push(format!("{name}: {sound} of {dbfs} after {gap_ms} ms: {moved}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn two_clicks_and_a_breath_and_a_click_do_not_either() {
    for (name, pcm) in voices() {
        let (_, last) = audible_span(&pcm).expect("a voice");
        for tail in [
            [silence(300), click(-30.0, 1), silence(90), click(-28.0, 2), silence(300)].concat(),
            [silence(200), breath(-38.0, 3), silence(150), click(-30.0, 4), silence(100)].concat(),
        ] {
            let with = [&pcm[..=last], &tail].concat();
            assert!(moved(&pcm, &with).abs() < 30.0, "{name}: {}", moved(&pcm, &with));
        }
    }
}

#[test]
fn hum_does_not_hide_the_end() {
    for (name, pcm) in voices() {
        for dbfs in [-36.0, -42.0, -48.0] {
            for hz in [50.0, 60.0] {
                let mut with = [pcm.clone(), silence(600)].concat();
                let hum = hum(with.len(), dbfs, hz);
                mix(&mut with, 0, &hum);
                let moved = moved(&pcm, &with);
                assert!(moved.abs() < 30.0, "{name} in {dbfs} dBFS of {hz} Hz: {moved}");
            }
        }
    }
}

#[test]
fn the_murmur_of_a_room_is_no_voice() {
    for (name, pcm) in voices() {
        for dbfs in [-60.0, -55.0, -50.0] {
            let mut with = [pcm.clone(), silence(800)].concat();
            let murmur = room(with.len(), dbfs, 5);
            mix(&mut with, 0, &murmur);
            let moved = moved(&pcm, &with);
            // What is as weak as the room is lost in it.
            assert!((-90.0..30.0).contains(&moved), "{name} in {dbfs} dBFS: {moved}");
        }
    }
}

/// What a recording of a person in a room showed: its quietest moment is at −65 dBFS, its murmur at −55, and blips
/// of it at −47 made a voice and then a plosive, 260 ms behind the last word.
#[test]
fn blips_of_a_murmur_are_no_consonants() {
    for (name, pcm) in voices() {
        let (_, last) = audible_span(&pcm).expect("a voice");
        let mut with = [&pcm[..=last], &silence(450)].concat();
        let murmur = room(with.len(), -54.0, 11);
        mix(&mut with, 0, &murmur);
        for at_ms in [110, 123, 136, 250] {
            mix(&mut with, last + at_ms * 48, &tone(11 * 48, 220.0, -47.0));
        }
        let moved = moved(&pcm, &with);
        assert!((-90.0..30.0).contains(&moved), "{name}: {moved}");
    }
}

#[test]
fn a_quiet_final_consonant_counts() {
    for (name, pcm) in voices() {
        let (_, last) = audible_span(&pcm).expect("a voice");
        let spoken = &pcm[..=last];
        for (consonant, length) in
            [(burst(25, -44.0), 80 + 25), (noise(90 * 48, -40.0, 9), 60 + 90)]
        {
            let closure = silence(length - consonant.len() / 48);
            let with = [spoken, &closure, &consonant, &silence(300)].concat();
            let moved = moved(&pcm, &with);
            assert!((moved - length as f64).abs() < 12.0, "{name}: {moved} and not {length} ms");
        }
        let hiss = shaped(noise(120 * 48, -38.0, 7), |t| 1.0 - t / 0.2);
        let with = [spoken, &hiss, &silence(300)].concat();
        let moved = moved(&pcm, &with);
        assert!((moved - 120.0).abs() < 15.0, "{name}: {moved} and not 120 ms");
    }
}

#[test]
fn a_last_word_after_a_pause_counts() {
    for (name, pcm) in voices() {
        let weaker = shaped(pcm.clone(), |_| 0.4);
        let with = [pcm.clone(), silence(700), weaker].concat();
        let expected = (pcm.len() + 700 * 48) as f64 / 48.0;
        let moved = moved(&pcm, &with);
        // What is weaker dies away sooner.
        assert!((-60.0..30.0).contains(&(moved - expected)), "{name}: {moved} and not {expected}");
    }
}

#[test]
fn sounds_before_the_first_word_do_not_move_the_beginning() {
    for (name, pcm) in voices() {
        for sound in [click(-25.0, 1), breath(-38.0, 2), keys(-30.0, 3), door(-30.0, 4)] {
            let with = [silence(100), sound.clone(), silence(300), pcm.clone()].concat();
            let begin = |pcm| audible_span(pcm).expect("a voice").0;
            let before = with.len() - pcm.len();
            let moved = begin(&with).abs_diff(before + begin(&pcm));
            assert!(moved < 30 * 48, "{name}: {} ms", moved / 48);
        }
    }
}

/// What is left out and what is uncertain is said.
#[test]
fn doubts_about_the_end_are_facts() {
    let (_, voice) = voices().swap_remove(0);
    let tail = [silence(400), noise(60 * 48, -30.0, 1), silence(300)].concat();
    let clip = Clip::from_wav(&wav_48k(&[voice.clone(), tail].concat())).expect("a clip");
    let [sound] = clip.facts().left_out[..] else { panic!("{:?}", clip.facts().left_out) };
    assert_near(sound.at, voice.len() as u64 / 48 + 400, 2, "the knock");
    let spread = |clip: &Clip| {
        let end = &clip.facts().end;
        end.otherwise.iter().map(|(_, at)| end.at.abs_diff(*at)).max().expect("other rules")
    };
    assert!(spread(&clip) < Duration::from_millis(50), "{:?}", clip.facts().end);
    let fading = shaped(noise(400 * 48, -38.0, 7), |t| 1.0 - t / 0.4);
    let (_, last) = audible_span(&voice).expect("a voice");
    let clip = Clip::from_wav(&wav_48k(&[&voice[..=last], &fading, &silence(300)].concat()));
    let clip = clip.expect("a clip");
    assert!(spread(&clip) > Duration::from_millis(50), "{:?}", clip.facts().end);
    assert!(clip.facts().end.otherwise.iter().any(|(rule, _)| *rule == Rule::WithoutRumble));
}

#[test]
fn the_end_may_be_given() {
    let pcm = [silence(100), burst(400, -20.0), silence(200), burst(100, -30.0), silence(300)];
    let wav = wav_48k(&pcm.concat());
    let read = |ms| Clip::read(&wav, Take { channel: None, end: Some(Duration::from_millis(ms)) });
    for ms in [300, 500, 560, 900] {
        let clip = read(ms).expect("a clip");
        assert!(clip.facts().end.is_given);
        assert_near(clip.facts().end.at, ms, 0, "as given");
        assert_near(
            clip.facts().end.found,
            ms.min(if ms < 800 { 500 } else { 800 }),
            1,
            "as found",
        );
        assert_eq!(clip.last_voiced(), usize::try_from(ms - 100).expect("small") * 48 - 1);
        assert_near(clip.facts().trailing_silence, 1_100 - ms, 0, "the rest");
    }
    let refused = |ms| read(ms).expect_err("no usable end").to_string();
    assert_eq!(refused(1_200), "`end` is 1.2s and the file is 1.1s long");
    assert!(refused(60).starts_with("no voice in it"), "{}", refused(60));
}
