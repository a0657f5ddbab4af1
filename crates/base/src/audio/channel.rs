//! From two channels to the one a caller speaks into.

use super::error::{ClipError, Oddity};
use super::level::{FULL_POWER, dbfs};
use super::take::{Channel, Side};

/// Two channels are the same signal when what one adds to the other lies this far below it: 20 dB, which
/// lossy codecs keep and a second microphone does not.
const SAME_CORRELATION: f64 = 0.995;

/// Channels whose levels differ by less are equally loud.
const SAME_LEVEL_DB: f64 = 1.0;

/// A channel this far below the other holds nothing but its noise or crosstalk …
const SILENT_BELOW_DB: f64 = 40.0;
/// … if it is also below this, dB relative to full scale.
const SILENT_DBFS: f64 = -60.0;

/// The channel to say, and what is odd about it. Two are never mixed unless that was asked for.
///
/// # Errors
/// More than two channels, or two that differ and no choice.
pub(super) fn choose(
    channels: Vec<Vec<f32>>,
    choice: Option<Channel>,
) -> Result<(Vec<f32>, Option<Oddity>), ClipError> {
    let (left, right) = match <[Vec<f32>; 2]>::try_from(channels) {
        Ok([left, right]) => (left, right),
        Err(mut channels) => {
            let only = channels.pop().filter(|_| channels.is_empty());
            return Ok((only.ok_or(ClipError::Channels(channels.len() + 1))?, None));
        }
    };
    match choice {
        Some(Channel::Only(Side::Left)) => Ok((left, None)),
        Some(Channel::Only(Side::Right)) => Ok((right, None)),
        Some(Channel::Mix) => {
            Ok((left.iter().zip(&right).map(|(l, r)| f32::midpoint(*l, *r)).collect(), None))
        }
        None => alike(left, right),
    }
}

fn alike(left: Vec<f32>, right: Vec<f32>) -> Result<(Vec<f32>, Option<Oddity>), ClipError> {
    let Sums { left: l, right: r, both } = Sums::of(&left, &right);
    #[expect(clippy::cast_precision_loss, reason = "a clip has at most some millions of samples")]
    let level = |sum: f64| dbfs(sum / left.len().max(1) as f64 * FULL_POWER);
    let (left_dbfs, right_dbfs) = (level(l), level(r));
    let side = if right_dbfs > left_dbfs { Side::Right } else { Side::Left };
    let apart = (left_dbfs - right_dbfs).abs();
    let is_silent = apart >= SILENT_BELOW_DB && left_dbfs.min(right_dbfs) <= SILENT_DBFS;
    let correlation = both / (l * r).sqrt();
    let oddity = if is_silent {
        Some(Oddity::OnlyIn(side))
    } else if correlation.abs() < SAME_CORRELATION {
        return Err(ClipError::Differ { left_dbfs, right_dbfs });
    } else {
        (correlation < 0.0 || apart >= SAME_LEVEL_DB).then_some(Oddity::SameIn(side))
    };
    let said = match side {
        Side::Left => left,
        Side::Right => right,
    };
    Ok((said, oddity))
}

/// The products of two channels, added up without what is constant in them.
struct Sums {
    left: f64,
    right: f64,
    both: f64,
}

impl Sums {
    fn of(left: &[f32], right: &[f32]) -> Self {
        let mean = |samples: &[f32]| {
            let (sum, n) =
                samples.iter().fold((0.0, 0.0), |(s, n), x| (s + f64::from(*x), n + 1.0));
            if n > 0.0 { sum / n } else { 0.0 }
        };
        let (of_left, of_right) = (mean(left), mean(right));
        let mut sums = Self { left: 0.0, right: 0.0, both: 0.0 };
        for (l, r) in left.iter().zip(right) {
            let (l, r) = (f64::from(*l) - of_left, f64::from(*r) - of_right);
            sums.left += l * l;
            sums.right += r * r;
            sums.both += l * r;
        }
        sums
    }
}
