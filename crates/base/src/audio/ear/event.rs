//! What the ear is given and what it says.

use std::time::Duration;

/// Decoded samples and when they came.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// When the packet arrived, on the caller's clock.
    pub at: Duration,
    /// RTP time of its first sample: a clock of 48 kHz with any beginning that wraps around. Where the
    /// samples come without one, count them.
    pub rtp_time: u32,
    /// The samples, 48 kHz mono. Samples concealed for lost packets come as those of a packet that
    /// arrived with the next one.
    pub pcm: &'a [i16],
}

/// What was heard. Each voice that started ends or is retracted before the next one starts, and the times of these
/// events never go back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A voice began.
    VoiceStarted {
        /// The moment of its first audible sample.
        at: Duration,
        /// When the first packet came that was not silent, of those that lead up to the voice without
        /// [`END_SILENCE`](super::END_SILENCE) between them: before `at` where the voice has a soft lead-in.
        sound_at: Duration,
    },
    /// The voice ended.
    VoiceEnded {
        /// The moment of its last audible sample.
        at: Duration,
    },
    /// What was told as a voice was the beginning of a bed and no voice. Comes in the place of its end; where a voice
    /// stood out of the bed meanwhile, its beginning follows.
    VoiceRetracted {
        /// The moment that was told as its beginning.
        at: Duration,
    },
    /// This stream is never silent: silence of it cannot be waited for. Comes once. Voices that stand out of what is
    /// always there are told as ever; one that does not cannot be heard.
    NeverSilent {
        /// Since when it has been so.
        since: Duration,
        /// The level (median) of what is always there.
        level_dbfs: f64,
    },
}
