//! When what a packet says of its loudness proves that it is audible.
//!
//! The distances were chosen so that no packet of the clips was proven wrongly, with room noise of −70, −60 and −50 dBFS
//! and without, at 16 settings of the encoder, nor any of noises and tones below the threshold that set in after the rest
//! was learned; the nearest miss was 2.6 dB away. 59 to 97 % of the packets of a voice are proven. A packet of CELT may
//! say what its neighbour holds, which the [listener](super::Listener) allows for.

use crate::audio::level::{BLOCK, THRESHOLD_MIN_DBFS, dbfs, power};
use crate::audio::opus::loudness::{Layer, Loud};

/// How far above the threshold CELT has to say that a packet is: its energies are those of the sound, to a few dB.
const CELT_ABOVE_DB: f64 = 10.0;
/// The same for SILK, above what it says of the voice at the threshold. It tells the level in front of a filter, and noise
/// needs 14 to 22 dB more there than a voice for the same sound.
const SILK_ABOVE_DB: f64 = 25.0;
/// From here on a decoded packet shows what SILK says of a voice.
const VOICE_DBFS: f64 = -45.0;
/// Packets of a voice that are known before any is proven by SILK, and the most that are: half a second and five.
const KNOWN_MIN: usize = 25;
const KNOWN_MAX: usize = 250;

/// What was learned of a stream.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// One for each layer of SILK that came; a stream has one or two.
    silk: Vec<Voice>,
}

#[derive(Debug)]
struct Voice {
    layer: Layer,
    /// By how many dB the estimate was above the truth, in order.
    over: Vec<f64>,
}

impl Proof {
    /// Takes in a packet that was decoded by a decoder in step.
    pub(super) fn learn(&mut self, loud: &Loud, pcm: &[i16]) {
        if let Layer::Celt { .. } = loud.layer {
            return;
        }
        let place = self.silk.iter().position(|voice| voice.layer == loud.layer);
        let place = place.unwrap_or_else(|| {
            self.silk.push(Voice { layer: loud.layer, over: Vec::new() });
            self.silk.len() - 1
        });
        self.silk[place].learn(loud.db, pcm);
    }

    /// Whether a packet is audible for sure, where the threshold is the lowest.
    pub(super) fn holds_for(&self, loud: &Loud) -> bool {
        if let Layer::Celt { .. } = loud.layer {
            return loud.db > THRESHOLD_MIN_DBFS + CELT_ABOVE_DB;
        }
        let voice = self.silk.iter().find(|voice| voice.layer == loud.layer);
        let median = voice.and_then(Voice::median);
        median.is_some_and(|over| loud.db > THRESHOLD_MIN_DBFS + over + SILK_ABOVE_DB)
    }
}

impl Voice {
    fn learn(&mut self, estimate: f64, pcm: &[i16]) {
        if self.over.len() >= KNOWN_MAX {
            return;
        }
        let level = pcm.chunks(BLOCK).map(|block| dbfs(power(block))).fold(f64::MIN, f64::max);
        if level < VOICE_DBFS {
            return;
        }
        let over = estimate - level;
        let place = self.over.partition_point(|known| *known < over);
        self.over.insert(place, over);
    }

    /// Of what was learned, once that is enough.
    fn median(&self) -> Option<f64> {
        self.over.get(self.over.len() / 2).copied().filter(|_| self.over.len() >= KNOWN_MIN)
    }
}
