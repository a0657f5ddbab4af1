//! How loud is audible: levels, the threshold above the background noise, and the first and last
//! audible sample. The reasons for the numbers stand with the constants.

use std::collections::VecDeque;

/// Samples in a block of 10 ms, the step in which a level is judged: a pitch period of the lowest
/// voices (80 Hz) still fits in, and it is the frame of WebRTC and of most voice detectors.
pub(super) const BLOCK: usize = 480;
const BLOCK_SAMPLES: f64 = 480.0;

/// Samples in a millisecond, the step in which an edge is refined.
pub(super) const MS: usize = 48;
const MS_SAMPLES: f64 = 48.0;

/// How long a sound reaches the threshold on average from its edge on: a single millisecond does so by
/// chance in a rumbling noise.
const LASTING_MS: usize = 5;
const LASTING_SAMPLES: f64 = 240.0;

/// Milliseconds in a block; blocks, milliseconds and samples in a window.
const BLOCK_MS: usize = 10;
const BLOCKS: usize = 4;
const WINDOW_MS: usize = BLOCKS * BLOCK_MS;
const LENGTH: usize = BLOCKS * BLOCK;

/// A sound this much weaker than one that follows closely is masked by it: nobody hears it, and it
/// need not even be there, because codecs smear. Before a step in a tone, Opus at 32 kbit/s puts noise
/// 17 to 40 dB below it, for 6 ms.
const MASKED_BEFORE_DB: f64 = 15.0;

/// How long before a louder sound the weaker one is masked. The ear's own backward masking lasts 5 to
/// 20 ms; a soft consonant is longer and stays.
const MASKED_BEFORE_MS: usize = 10;

/// The same for a sound that comes behind a louder one. Forward masking is the stronger of the two.
/// Behind white noise that ends at once, Opus goes on for up to 25 ms with noise 12 to 30 dB below it.
const MASKED_BEHIND_DB: f64 = 11.0;

/// How long behind. The ear's forward masking lasts 100 ms and more; a voice that dies away by less
/// than 0.35 dB per ms is heard to its end.
const MASKED_BEHIND_MS: usize = 30;

/// Masking in one direction.
#[derive(Clone, Copy)]
struct Masking {
    db: f64,
    ms: usize,
}

const MASKED_BEFORE: Masking = Masking { db: MASKED_BEFORE_DB, ms: MASKED_BEFORE_MS };
const MASKED_BEHIND: Masking = Masking { db: MASKED_BEHIND_DB, ms: MASKED_BEHIND_MS };

/// The lowest threshold. Speech in a call has an active level of −30 to −15 dBFS, so what is below is
/// at least 20 dB under the voice and disappears in any room; the noise of dither, codecs and
/// good microphones (−90 to −60 dBFS) is below it by a clear distance.
/// That is −50 dBFS as a mean square, written out because it is needed for each block; so are the next two.
const THRESHOLD_MIN: f64 = FULL_POWER * 1e-5;

/// The distance of the threshold from the noise, as a factor. The noise level is a minimum, so it lies a few dB
/// under the mean of an uneven noise; 10 dB keeps those peaks out and still lets in a voice 15 dB above
/// the noise, at which point speech starts to be hard to follow.
const MARGIN: f64 = 10.0;

/// The loudest that counts as background noise, −40 dBFS. A louder sound is something the caller listens to,
/// even when it never pauses: a held tone, music on hold.
const NOISE_MAX: f64 = FULL_POWER * 1e-4;

/// How far the noise of a recording lies below its loudest 30 ms at least. What is closer is a quiet
/// sound of a clip without pauses, such as the "s" of a "yes" that was cut tightly.
const NOISE_DISTANCE_DB: f64 = 35.0;

/// Digital silence has no level; this stands for it (one step of 16 bit is −90.3 dBFS).
pub(super) const SILENCE_DBFS: f64 = -100.0;

/// Full scale squared.
pub(super) const FULL_POWER: f64 = 32_768.0 * 32_768.0;

/// Mean square of the samples, 0 for none.
#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 samples")]
pub(super) fn power(pcm: &[i16]) -> f64 {
    energy(pcm) / pcm.len().max(1) as f64
}

/// Sum of the squares. It is a whole number far below 2^53, so it is exact however it is added up; whole
/// numbers are added several at a time, which the processor may not do with fractions.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53, which is 8 million loudest samples"
)]
fn energy(pcm: &[i16]) -> f64 {
    let squares = pcm.iter().map(|sample| u64::from(u32::from(sample.unsigned_abs()).pow(2)));
    squares.sum::<u64>() as f64
}

/// The level of a mean square in dBFS, never below [`SILENCE_DBFS`].
pub(super) fn dbfs(power: f64) -> f64 {
    (10.0 * (power / FULL_POWER).log10()).max(SILENCE_DBFS)
}

/// The mean square of a level in dBFS.
pub(super) fn power_of(dbfs: f64) -> f64 {
    FULL_POWER * 10f64.powf(dbfs / 10.0)
}

fn square(sample: i16) -> f64 {
    f64::from(sample) * f64::from(sample)
}

/// Four blocks, the surroundings in which an edge is looked for. Each block is looked at in several
/// windows, so the energies its milliseconds have are added up once and stay with it.
#[derive(Debug)]
pub(super) struct Window {
    /// A ring: most blocks come and go without an edge, and need not be moved for it.
    blocks: [[i16; BLOCK]; BLOCKS],
    each_ms: [[f64; BLOCK_MS]; BLOCKS],
    /// Which block is the last one.
    last: usize,
}

impl Window {
    pub(super) fn silent() -> Self {
        Self { blocks: [[0; BLOCK]; BLOCKS], each_ms: [[0.0; BLOCK_MS]; BLOCKS], last: 0 }
    }

    /// Puts a block behind the others and lets go of the first. One shorter than 10 ms ends in silence.
    pub(super) fn push(&mut self, block: &[i16]) {
        self.last = (self.last + 1) % BLOCKS;
        let last = &mut self.blocks[self.last];
        let (filled, rest) = last.split_at_mut(block.len().min(BLOCK));
        filled.copy_from_slice(&block[..filled.len()]);
        rest.fill(0);
        for (of_ms, pcm) in self.each_ms[self.last].iter_mut().zip(last.chunks_exact(MS)) {
            *of_ms = energy(pcm);
        }
    }

    /// Mean square of the last block.
    pub(super) fn last_power(&self) -> f64 {
        self.each_ms[self.last].iter().sum::<f64>() / BLOCK_SAMPLES
    }

    /// Silence behind the last block.
    fn sample(&self, index: usize) -> i16 {
        if index < LENGTH { self.blocks[self.place(index / BLOCK)][index % BLOCK] } else { 0 }
    }

    fn each_ms(&self) -> [f64; WINDOW_MS] {
        std::array::from_fn(|ms| self.each_ms[self.place(ms / BLOCK_MS)][ms % BLOCK_MS])
    }

    /// Where a block is, counted from the first.
    fn place(&self, block: usize) -> usize {
        (self.last + 1 + block) % BLOCKS
    }
}

/// The level from which something is audible.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Threshold {
    power: f64,
}

impl Threshold {
    /// The threshold where nothing is known of the noise.
    pub(super) fn lowest() -> Self {
        Self { power: THRESHOLD_MIN }
    }

    /// The threshold above noise of this mean square.
    pub(super) fn above(noise: f64) -> Self {
        Self::above_from(noise, Self::lowest().power)
    }

    /// The same with another lowest mean square.
    pub(super) fn above_from(noise: f64, lowest: f64) -> Self {
        Self { power: (noise.min(NOISE_MAX) * MARGIN).max(lowest) }
    }

    /// The threshold of a recording, from the mean square of its quietest and its loudest 30 ms.
    pub(super) fn of_recording(quietest: f64, loudest: f64) -> Self {
        Self::above(quietest.min(loudest * power_of(-NOISE_DISTANCE_DB) / FULL_POWER))
    }

    /// The threshold at this mean square.
    pub(super) fn of_power(power: f64) -> Self {
        Self { power }
    }

    /// The higher of two.
    pub(super) fn max(self, other: Self) -> Self {
        Self { power: self.power.max(other.power) }
    }

    /// Whether a mean square reaches it.
    pub(super) fn reached_by(self, power: f64) -> bool {
        power >= self.power
    }

    pub(super) fn dbfs(self) -> f64 {
        dbfs(self.power)
    }

    /// Index of the first audible sample in the second and third block of a window.
    pub(super) fn first_audible(self, window: &Window) -> Option<usize> {
        let mut each_ms = window.each_ms();
        each_ms.rotate_left(BLOCK_MS);
        each_ms[3 * BLOCK_MS..].fill(0.0);
        let sample = |i| window.sample(BLOCK + i);
        self.search(2 * BLOCK, MASKED_BEFORE, sample, &each_ms).map(|i| BLOCK + i)
    }

    /// Index of the last audible sample in the last block of a window.
    pub(super) fn last_audible(self, window: &Window) -> Option<usize> {
        let last = LENGTH - 1;
        let mut each_ms = window.each_ms();
        each_ms.reverse();
        self.search(BLOCK, MASKED_BEHIND, |i| window.sample(last - i), &each_ms).map(|i| last - i)
    }

    /// The first of `count` samples that is audible with the milliseconds it begins, in the direction
    /// in which `sample` and `each_ms` read a window. What lies further on can mask it: the same for
    /// all samples of a millisecond, most of which are weaker than that in the middle of a voice.
    fn search(
        self,
        count: usize,
        masked: Masking,
        sample: impl Fn(usize) -> i16,
        each_ms: &[f64; WINDOW_MS],
    ) -> Option<usize> {
        let least_of_loudest = power_of(-masked.db) / FULL_POWER;
        // The running sums are exact as each energy is, and do not drift.
        let mut short = each_ms[0];
        let mut long = each_ms[..LASTING_MS].iter().sum::<f64>();
        for ms in 0..count / MS {
            let near = &each_ms[ms..(ms + masked.ms + 1).min(WINDOW_MS)];
            let loudest = near.iter().copied().fold(0.0, f64::max) / MS_SAMPLES;
            let least = self.power.max(loudest * least_of_loudest);
            for i in ms * MS..(ms + 1) * MS {
                let own = square(sample(i));
                let level = own.min(short / MS_SAMPLES);
                if level >= least && long >= self.power * LASTING_SAMPLES {
                    return Some(i);
                }
                short += square(sample(i + MS)) - own;
                long += square(sample(i + LASTING_MS * MS)) - own;
            }
        }
        None
    }
}

/// Blocks in a bucket of 100 ms.
const BUCKET: usize = 10;

/// Buckets looked back over: 4 s. Longer than a voice goes without a hole of 30 ms (the closure of a
/// "p", a breath), so the minimum is noise and not voice; short enough that a noise that began in the
/// middle of a call is recognised as one soon.
const BUCKETS: usize = 40;

/// Blocks a level is averaged over before its minimum is taken, which takes the chance out of it.
const SMOOTH: usize = 3;

/// The background noise: the quietest 30 ms of the last 4 s.
#[derive(Debug)]
pub(super) struct Noise {
    /// The last levels that followed each other without a hole.
    recent: VecDeque<f64>,
    /// The minimum of each bucket, the current one last.
    minima: VecDeque<f64>,
    in_bucket: usize,
    /// Blocks learned from so far.
    learned: u64,
    /// The loudest 30 ms ever.
    loudest: f64,
}

impl Noise {
    pub(super) fn new() -> Self {
        Self {
            recent: VecDeque::with_capacity(SMOOTH + 1),
            minima: VecDeque::with_capacity(BUCKETS + 1),
            in_bucket: BUCKET,
            learned: 0,
            loudest: 0.0,
        }
    }

    /// Takes in the mean square of the next block.
    pub(super) fn learn(&mut self, power: f64) {
        self.recent.push_back(power);
        if self.recent.len() > SMOOTH {
            self.recent.pop_front();
        }
        let (sum, count) = self.recent.iter().fold((0.0, 0.0), |(s, c), p| (s + p, c + 1.0));
        let smooth = sum / count;
        self.loudest = self.loudest.max(smooth);
        if self.in_bucket == BUCKET {
            self.in_bucket = 0;
            self.minima.push_back(smooth);
            if self.minima.len() > BUCKETS {
                self.minima.pop_front();
            }
        } else if let Some(current) = self.minima.back_mut() {
            *current = current.min(smooth);
        }
        self.in_bucket += 1;
        self.learned += 1;
    }

    /// The next block does not follow the last one.
    pub(super) fn hole(&mut self) {
        self.recent.clear();
    }

    /// Blocks learned from so far.
    pub(super) fn learned(&self) -> u64 {
        self.learned
    }

    /// Mean square of the loudest 30 ms ever.
    pub(super) fn loudest(&self) -> f64 {
        self.loudest
    }

    /// Mean square of the noise, 0 before anything was learned.
    pub(super) fn power(&self) -> f64 {
        self.minima.iter().copied().reduce(f64::min).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests;
