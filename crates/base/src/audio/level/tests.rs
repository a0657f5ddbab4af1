use super::*;
use crate::audio::testing::{Random, burst, mix, noise, room};

#[test]
fn levels() {
    assert!((dbfs(power(&[i16::MIN; 100]))).abs() < 1e-9);
    assert!((dbfs(power(&[0; 100])) - SILENCE_DBFS).abs() < 1e-9);
    assert!((dbfs(power(&[])) - SILENCE_DBFS).abs() < 1e-9);
    assert!((dbfs(power_of(-33.0)) + 33.0).abs() < 1e-9);
}

#[test]
fn constants_are_those_of_their_levels() {
    for (level, power) in [(-50.0, THRESHOLD_MIN), (-40.0, NOISE_MAX), (10.0, MARGIN * FULL_POWER)]
    {
        assert!((power_of(level) / power - 1.0).abs() < 1e-12, "{level}");
    }
}

#[test]
fn sums_of_squares_are_exact() {
    for pcm in [&[][..], &[i16::MIN], &[i16::MIN; 2], &[i16::MIN, 3, -5], &[i16::MAX; 961]] {
        let each: i64 = pcm.iter().map(|s| i64::from(*s) * i64::from(*s)).sum();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let expected = each as f64;
        assert!((energy(pcm) - expected).abs() < 0.5, "{pcm:?}");
    }
}

#[test]
fn the_threshold_follows_the_noise_between_its_limits() {
    for (noise, threshold) in
        [(-90.0, -50.0), (-60.0, -50.0), (-55.0, -45.0), (-40.0, -30.0), (-10.0, -30.0)]
    {
        let found = Threshold::above(power_of(noise)).dbfs();
        assert!((found - threshold).abs() < 1e-6, "noise {noise}: {found}");
    }
}

#[test]
fn the_threshold_of_a_recording_keeps_its_distance_from_the_voice() {
    for (quietest, loudest, threshold) in
        [(-90.0, -20.0, -50.0), (-52.0, -15.0, -42.0), (-35.0, -15.0, -40.0), (-31.0, -30.0, -50.0)]
    {
        let found = Threshold::of_recording(power_of(quietest), power_of(loudest)).dbfs();
        assert!((found - threshold).abs() < 1e-6, "{quietest}, {loudest}: {found}");
    }
}

fn window(pcm: &[i16]) -> Window {
    let mut window = Window::silent();
    pcm.chunks(BLOCK).for_each(|block| window.push(block));
    window
}

/// First and last audible sample of a window whose last three blocks are silent but for these
/// samples; all is counted from there.
fn edges(sounds: &[(std::ops::Range<usize>, i16)]) -> (Option<usize>, Option<usize>) {
    let mut pcm = [0; 4 * BLOCK];
    for (range, value) in sounds {
        pcm[BLOCK..][range.clone()].fill(*value);
    }
    let window = window(&pcm);
    let lowest = Threshold::lowest();
    let edges = [lowest.first_audible(&window), lowest.last_audible(&window)];
    let [first, last] = edges.map(|found| found.map(|i| i - BLOCK));
    (first, last)
}

#[test]
fn edges_are_found_to_the_sample() {
    assert_eq!(edges(&[(300..1101, 2000)]), (Some(300), Some(1100)));
    assert_eq!(edges(&[(0..1440, -2000)]), (Some(0), Some(1439)));
    assert_eq!(edges(&[(960..1440, 2000)]), (None, Some(1439)));
    assert_eq!(edges(&[(0..960, 2000)]), (Some(0), None));
    assert_eq!(edges(&[(0..1440, 50)]), (None, None));
    // 20 samples are no millisecond.
    assert_eq!(edges(&[(300..320, 130), (1000..1020, 130)]), (None, None));
}

#[test]
fn a_single_millisecond_is_no_edge() {
    let sounds = [(300..348, 130), (700..1100, 130), (1300..1348, 130)];
    assert_eq!(edges(&sounds), (Some(700), Some(1099)));
}

#[test]
fn what_is_masked_is_not_heard() {
    // 26 dB weaker, 6 ms before and to 25 ms behind; then 10 dB weaker.
    assert_eq!(edges(&[(300..588, 200), (588..700, 4000), (700..1420, 200)]), (Some(588), None));
    assert_eq!(
        edges(&[(300..588, 1300), (588..700, 4000), (700..1420, 1300)]),
        (Some(300), Some(1419))
    );
    // Further away it is heard.
    assert_eq!(edges(&[(20..588, 200), (588..700, 4000)]).0, Some(20));
}

/// The search as its rule is worded, with every sum computed again.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn found_by_the_rule(
    threshold: Threshold,
    pcm: &[i16],
    count: usize,
    masked: Masking,
) -> Option<usize> {
    let sample = |i| pcm.get(i).copied().unwrap_or_default();
    let mean = |from: usize, length: usize| {
        (from..from + length).map(|i| square(sample(i))).sum::<f64>() / length as f64
    };
    (0..count).find(|i| {
        let level = square(sample(*i)).min(mean(*i, MS));
        let near = (i / MS..=i / MS + masked.ms).map(|ms| mean(ms * MS, MS));
        let loudest = near.fold(0.0, f64::max);
        threshold.reached_by(level)
            && threshold.reached_by(mean(*i, LASTING_MS * MS))
            && level >= loudest * (power_of(-masked.db) / FULL_POWER)
    })
}

#[test]
fn the_search_finds_what_its_rule_says() {
    let mut found = 0;
    for seed in 0..400 {
        let mut random = Random(seed);
        let mut pcm = room(4 * BLOCK, -70.0 + 30.0 * random.unit(), seed);
        for sound in [burst(8, -40.0), noise(600, -45.0, seed), burst(5, -25.0)] {
            let at = usize::try_from(random.next() % 1500).expect("small");
            mix(&mut pcm, at, &sound);
        }
        let window = window(&pcm);
        let threshold = Threshold::above(power_of(-70.0 + 30.0 * random.unit()));
        let first = found_by_the_rule(threshold, &pcm[BLOCK..], 2 * BLOCK, MASKED_BEFORE);
        assert_eq!(threshold.first_audible(&window), first.map(|i| BLOCK + i), "{seed}");
        pcm.reverse();
        let last = found_by_the_rule(threshold, &pcm, BLOCK, MASKED_BEHIND);
        assert_eq!(threshold.last_audible(&window), last.map(|i| 4 * BLOCK - 1 - i), "{seed}");
        found += usize::from(first.is_some()) + usize::from(last.is_some());
    }
    assert!((100..700).contains(&found), "{found} of 800");
}

#[test]
fn noise_is_the_quietest_of_four_seconds() {
    let mut noise = Noise::new();
    assert!(noise.power() <= 0.0);
    (0..3).for_each(|_| noise.learn(100.0));
    (0..390).for_each(|_| noise.learn(900.0));
    assert!((noise.power() - 100.0).abs() < 1e-9);
    (0..20).for_each(|_| noise.learn(900.0));
    assert!((noise.power() - 900.0).abs() < 1e-9);
}

#[test]
fn one_quiet_block_is_not_the_noise() {
    let mut noise = Noise::new();
    (0..20).for_each(|_| noise.learn(900.0));
    noise.learn(0.0);
    assert!((noise.power() - 600.0).abs() < 1e-9);
    noise.hole();
    noise.learn(300.0);
    assert!((noise.power() - 300.0).abs() < 1e-9);
}
