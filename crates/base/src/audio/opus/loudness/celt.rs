//! The level of a CELT frame of 20 ms, from the coarse energies of its bands, which come before its
//! sound (RFC 6716, 4.3.2.1).

use super::range::Range;

/// The most bands a frame has (RFC 6716, 4.3).
pub(super) const BANDS_MAX: usize = 21;

/// What the energies are relative to, in octaves of amplitude (`eMeans` of the reference decoder).
const MEANS: [f32; BANDS_MAX] = [
    6.4375, 6.25, 5.75, 5.3125, 5.0625, 4.8125, 4.5, 4.375, 4.875, 4.6875, 4.5625, 4.4375, 4.875,
    4.625, 4.3125, 4.5, 4.375, 4.625, 4.75, 4.4375, 3.75,
];

/// Gain of the de-emphasis (RFC 6716, 4.3.7.2) in octaves of amplitude: the mean power of
/// 1 / (1 − 0.85 z⁻¹) over the band.
const EMPHASIS: [f32; BANDS_MAX] = [
    2.731, 2.695, 2.628, 2.538, 2.434, 2.321, 2.206, 2.091, 1.927, 1.72, 1.532, 1.362, 1.14, 0.881,
    0.662, 0.434, 0.202, -0.017, -0.264, -0.532, -0.758,
];

/// dB from the sum of the bands down to full scale, as found with noise and tones.
const FULL_SCALE_DB: f64 = 93.0;

/// For each band the chance of a 0 in 1/256, and the decay (`e_prob_model` of the reference decoder
/// for 960 samples), of an energy predicted from the frame before and of one that is not.
const CHANCES_INTER: [(u8, u8); BANDS_MAX] = [
    (42, 121),
    (96, 66),
    (108, 43),
    (111, 40),
    (117, 44),
    (123, 32),
    (120, 36),
    (119, 33),
    (127, 33),
    (134, 34),
    (139, 21),
    (147, 23),
    (152, 20),
    (158, 25),
    (154, 26),
    (166, 21),
    (173, 16),
    (184, 13),
    (184, 10),
    (150, 13),
    (139, 15),
];
const CHANCES_INTRA: [(u8, u8); BANDS_MAX] = [
    (22, 178),
    (63, 114),
    (74, 82),
    (84, 83),
    (92, 82),
    (103, 62),
    (96, 72),
    (96, 67),
    (101, 73),
    (107, 72),
    (113, 55),
    (118, 52),
    (125, 52),
    (118, 52),
    (117, 55),
    (135, 49),
    (137, 39),
    (157, 32),
    (145, 29),
    (97, 33),
    (77, 40),
];

/// Chances of 0, −1 and 1 when few bits are left, and of the shapes of the post-filter.
const THREE: [u8; 3] = [2, 1, 0];

/// Weight of the frame before, and how much less of a step goes on to the next band, for 20 ms.
const FROM_BEFORE: f32 = 16_384.0 / 32_768.0;
const LEAK_INTER: f32 = 6_554.0 / 32_768.0;
const LEAK_INTRA: f32 = 4_915.0 / 32_768.0;

/// An energy below this is predicted from as if it were this.
const PREDICTED_MIN: f32 = -9.0;

/// The energy of all bands of a silent frame.
const SILENT: f32 = -28.0;

/// Packets after which an unknown state no longer matters: it was off by less than 40 octaves, and
/// each packet halves that. What is left is less than what the fine energies make.
const FORGOTTEN: u32 = 8;

/// The energies of the bands, as far as the packets so far tell.
///
/// The fine energies are not read. They move a band by up to half an octave of amplitude, and as half
/// of that goes on to the next packet, a band is off by one octave (6 dB) at most.
#[derive(Clone, Debug)]
pub(super) struct Bands {
    count: usize,
    energies: [f32; BANDS_MAX],
    /// Packets since nothing was known.
    known: u32,
}

impl Bands {
    /// Of a decoder of which nothing is known. `count` is at most [`BANDS_MAX`].
    pub(super) fn unknown(count: usize) -> Self {
        Self { count, energies: [0.0; BANDS_MAX], known: 0 }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Level of the next frame in dBFS; `None` as long as it may be wrong.
    ///
    /// Of noise it is right to 3 dB. A voice strays about it by 8 dB, 4 dB too loud in the median; what
    /// the post-filter adds to a voice or a tone is missing, 11 dB in a tone of 300 Hz.
    pub(super) fn level(&mut self, frame: &[u8]) -> Option<f64> {
        self.read(frame);
        let octaves = self.energies.iter().zip(MEANS).zip(EMPHASIS).take(self.count);
        let power: f32 = octaves
            // The limit keeps the nonsense finite that is in a packet of nonsense.
            .map(|((energy, mean), emphasis)| (energy + mean).clamp(-32.0, 32.0) + emphasis)
            .map(|octaves| (2.0 * octaves).exp2())
            .sum();
        (self.known >= FORGOTTEN).then(|| 10.0 * f64::from(power).log10() - FULL_SCALE_DB)
    }

    fn read(&mut self, frame: &[u8]) {
        let mut range = Range::new(frame);
        let silent = range.flag(15);
        if silent {
            self.energies = [SILENT; BANDS_MAX];
            self.known = FORGOTTEN;
            return;
        }
        skip_postfilter(&mut range);
        let _transient = range.has(3) && range.flag(3);
        let intra = range.has(3) && range.flag(3);
        let (chances, from_before, leak) = if intra {
            (&CHANCES_INTRA, 0.0, LEAK_INTRA)
        } else {
            (&CHANCES_INTER, FROM_BEFORE, LEAK_INTER)
        };
        let mut from_below = 0.0;
        for (energy, chances) in self.energies.iter_mut().zip(chances).take(self.count) {
            let step = f32::from(step(&mut range, *chances));
            *energy = from_before * energy.max(PREDICTED_MIN) + from_below + step;
            from_below += step - leak * step;
        }
        self.known = if intra { FORGOTTEN } else { (self.known + 1).min(FORGOTTEN) };
    }
}

/// The parameters of the post-filter (RFC 6716, 4.3.7.1), which moves no energy between packets.
fn skip_postfilter(range: &mut Range<'_>) {
    if range.has(16) && range.flag(1) {
        let octave = range.even(6);
        range.skip_raw(4 + octave);
        range.skip_raw(3);
        if range.has(2) {
            range.symbol(&THREE, 2);
        }
    }
}

/// The energy of a band above what was predicted, in octaves of amplitude (6 dB).
fn step(range: &mut Range<'_>, (zero, decay): (u8, u8)) -> i16 {
    if range.has(15) {
        range.laplace(u32::from(zero) << 7, u32::from(decay) << 6)
    } else if range.has(2) {
        [0, -1, 1][usize::from(range.symbol(&THREE, 2))]
    } else if range.has(1) {
        -i16::from(range.flag(1))
    } else {
        -1
    }
}
