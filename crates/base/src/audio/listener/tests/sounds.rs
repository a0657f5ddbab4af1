//! Sounds of agents: voices, and what goes on under them.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers in tests"
)]

use std::f64::consts::TAU;

use crate::audio::testing::{Random, noise, room};

/// Samples of so many milliseconds at this RMS level.
fn levelled(ms: usize, dbfs: f64, mut wave: impl FnMut(f64) -> f64) -> Vec<i16> {
    let raw: Vec<f64> = (0..ms * 48).map(|i| wave(i as f64 / 48_000.0)).collect();
    let rms = (raw.iter().map(|x| x * x).sum::<f64>() / raw.len().max(1) as f64).sqrt();
    let gain = 32_768.0 * 10f64.powf(dbfs / 20.0) / rms.max(1e-9);
    raw.iter().map(|x| (x * gain).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// A voiced sound with formants whose level changes as that of syllables does, to a tenth of its amplitude, and fades
/// over 5 ms at both ends.
pub(super) fn voice(ms: usize, dbfs: f64) -> Vec<i16> {
    let (mut phase, length) = (0.0, ms as f64 / 1_000.0);
    levelled(ms, dbfs, |t| {
        phase += TAU * (130.0 + 12.0 * (TAU * 1.3 * t).sin()) / 48_000.0;
        let weight = |k: f64| (-((k * 130.0 - 700.0) / 900.0).powi(2)).exp() / k;
        let tone: f64 = (1..18).map(f64::from).map(|k| weight(k) * (k * phase).sin()).sum();
        let fade = (t / 0.005).min((length - t) / 0.005).min(1.0);
        tone * (0.55 + 0.45 * (TAU * 4.2 * t + 0.7).sin()) * fade
    })
}

pub(super) fn chord(ms: usize, dbfs: f64) -> Vec<i16> {
    levelled(ms, dbfs, |t| {
        [262.0, 330.0, 392.0].iter().map(|hz| (TAU * hz * t).sin()).sum::<f64>()
            * (0.8 + 0.2 * (TAU * 0.5 * t).sin())
    })
}

/// A chord with a stroke each half second that is twice as loud and dies away within 100 ms.
pub(super) fn beats(ms: usize, dbfs: f64) -> Vec<i16> {
    let mut random = Random(5);
    levelled(ms, dbfs, |t| {
        let stroke = 4.0 * (-(t % 0.5) / 0.03).exp() * (random.unit() - 0.5);
        [196.0, 294.0, 440.0].iter().map(|hz| (TAU * hz * t).sin()).sum::<f64>() + 2.0 * stroke
    })
}

/// Blades at 97 Hz with overtones over a rush.
pub(super) fn fan(ms: usize, dbfs: f64) -> Vec<i16> {
    let mut random = Random(6);
    let mut low = 0.0;
    levelled(ms, dbfs, |t| {
        low += 0.08 * (random.unit() - 0.5 - low);
        let hum: f64 = (1..6).map(f64::from).map(|k| (TAU * 97.0 * k * t).sin() / k).sum();
        (0.08 * hum + low) * (1.0 + 0.1 * (TAU * 0.7 * t).sin())
    })
}

/// A room full of people from afar, whose level wavers slowly, with cups.
pub(super) fn cafe(ms: usize, dbfs: f64) -> Vec<i16> {
    let mut random = Random(8);
    let (mut low, mut cup) = (0.0, 0.0);
    levelled(ms, dbfs, |t| {
        low += 0.06 * (random.unit() - 0.5 - low);
        if random.unit() < 1.2 / 48_000.0 {
            cup = 0.25;
        }
        cup *= 0.9985;
        let wave = 1.0 + 0.25 * (TAU * 0.31 * t).sin() + 0.2 * (TAU * 0.83 * t).sin();
        low * wave + cup * (TAU * 2_700.0 * t).sin()
    })
}

/// Keys of 12 to 30 ms, five to eleven a second, up to 8 dB above a level, over a hiss 22 dB below it.
pub(super) fn typing(ms: usize, dbfs: f64) -> Vec<i16> {
    let mut pcm = noise(ms * 48, dbfs - 22.0, 4);
    let mut random = Random(9);
    let mut at = 0;
    while at + 2_000 < pcm.len() {
        let length = ((0.012 + 0.018 * random.unit()) * 48_000.0) as usize;
        let key = noise(length, dbfs + 8.0 * random.unit(), random.next());
        for (i, sample) in key.iter().enumerate() {
            let faded = f64::from(*sample) * (-(i as f64) / (length as f64 / 4.0)).exp();
            pcm[at + i] = pcm[at + i].saturating_add(faded as i16);
        }
        at += ((0.09 + 0.13 * random.unit()) * 48_000.0) as usize;
    }
    pcm
}

pub(super) fn white(ms: usize, dbfs: f64) -> Vec<i16> {
    noise(ms * 48, dbfs, 3)
}

pub(super) fn murmur(ms: usize, dbfs: f64) -> Vec<i16> {
    room(ms * 48, dbfs, 3)
}

/// A bed with its level changed over time: a factor at each second.
pub(super) fn shaped(pcm: &[i16], gain: impl Fn(f64) -> f64) -> Vec<i16> {
    let shape = |(i, s): (usize, &i16)| (f64::from(*s) * gain(i as f64 / 48_000.0)).round() as i16;
    pcm.iter().enumerate().map(shape).collect()
}
