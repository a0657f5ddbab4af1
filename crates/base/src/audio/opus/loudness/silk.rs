//! The level of a SILK frame of 20 ms, from its gains, which are among the first things in it
//! (RFC 6716, 4.2.7).

use std::sync::LazyLock;

use super::range::Range;

/// Chances of the types of a frame without and with voice activity (RFC 6716, 4.2.7.3).
const TYPE_INACTIVE: [u8; 2] = [230, 0];
const TYPE_ACTIVE: [u8; 4] = [232, 158, 10, 0];

/// Chances of the upper three bits of the first gain of an inactive, an unvoiced and a voiced frame
/// (RFC 6716, 4.2.7.4).
const GAIN_HIGH: [[u8; 8]; 3] = [
    [224, 112, 44, 15, 3, 2, 1, 0],
    [254, 237, 192, 132, 70, 23, 4, 0],
    [255, 252, 226, 155, 61, 11, 2, 0],
];

/// Of its lower three bits.
const GAIN_LOW: [u8; 8] = [224, 192, 160, 128, 96, 64, 32, 0];

/// Of the steps from one gain to the next, of which the first is [`STEP_MIN`].
const GAIN_STEP: [u8; 41] = [
    250, 245, 234, 203, 71, 50, 42, 38, 35, 33, 31, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
    17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
];
const STEP_MIN: i32 = -4;

/// The largest gain.
const GAIN_MAX: i32 = 63;
const GAINS: usize = GAIN_MAX.unsigned_abs() as usize + 1;

/// A step of the gain in dB: 86 dB in 63 steps, of which the quantizer keeps 29.1 of 1/128 octave
/// of amplitude each.
const STEP_DB: f64 = 1.369;

/// The power of each gain, which would have to be worked out four times for each packet of a voice.
static POWERS: LazyLock<[f64; GAINS]> = LazyLock::new(|| {
    let mut powers = [0.0; GAINS];
    for (gain, power) in (0_u8..).zip(&mut powers) {
        *power = 10f64.powf(f64::from(gain) * STEP_DB / 10.0);
    }
    powers
});

/// Level of the quieter half of the frame (10 ms) in dB, from a zero of its own. `None` when a copy of
/// an earlier frame stands in front (LBRR; RFC 6716, 4.2.5), which is as dear to read as the rest.
///
/// The gains are those of the excitation; how many pulses that has and what the filters behind it add
/// is not read. Noise has few pulses, so it comes out 14 to 22 dB louder than a voice of the same level.
/// The filter's codebook alone does not help: noise of a room has a filter like a voice's.
pub(super) fn level(frame: &[u8]) -> Option<f64> {
    let gains = gains(frame)?;
    // A sound that begins in the last 5 ms is heard for the greater part behind the packet, and one
    // that ended in the first is over. In both cases the other half says so.
    let [a, b, c, d] = gains.map(|gain| POWERS[gain.cast_unsigned() as usize]);
    Some(10.0 * (a + b).min(c + d).log10())
}

/// The gain of each 5 ms, 0 to [`GAIN_MAX`].
///
/// The first may not lie more than 16 steps below the last of the packet before, which only raises it
/// (4.2.7.4). That is left out: it needs no packet before, and no sound is taken for a louder one.
fn gains(frame: &[u8]) -> Option<[i32; 4]> {
    let mut range = Range::new(frame);
    let active = range.flag(1);
    let has_copy = range.flag(1);
    if has_copy {
        return None;
    }
    let class = if active {
        1 + usize::from(range.symbol(&TYPE_ACTIVE, 8) / 2)
    } else {
        range.symbol(&TYPE_INACTIVE, 8);
        0
    };
    let high = range.symbol(&GAIN_HIGH[class], 8);
    let mut gain = i32::from(8 * high + range.symbol(&GAIN_LOW, 8));
    let mut gains = [gain; 4];
    for next in &mut gains[1..] {
        let step = i32::from(range.symbol(&GAIN_STEP, 8)) + STEP_MIN;
        // Far up, a step counts double, so that one is enough for any rise.
        let double = gain + 8;
        let step = if step > double { 2 * step - double } else { step };
        gain = (gain + step).clamp(0, GAIN_MAX);
        *next = gain;
    }
    Some(gains)
}
