//! Clips with something in them that recordings of people have.

use std::path::Path;

/// Bytes before the samples of the clips in `scenarios/clips`.
const HEADER: usize = 44;

/// A spoken clip: 16 bit, one channel.
pub(crate) struct Clip {
    rate: usize,
    samples: Vec<i16>,
}

impl Clip {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(&bytes[36..40], b"data", "a plain WAV");
        let rate = u32::from_le_bytes(bytes[24..28].try_into().unwrap());
        let samples = bytes[HEADER..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]));
        Self { rate: usize::try_from(rate).unwrap(), samples: samples.collect() }
    }

    pub(crate) fn write(&self, path: &Path) {
        let size = u32::try_from(2 * self.samples.len()).unwrap();
        let rate = u32::try_from(self.rate).unwrap();
        let mut bytes = [&b"RIFF"[..], &(size + 36).to_le_bytes(), b"WAVEfmt "].concat();
        bytes.extend(16_u32.to_le_bytes());
        bytes.extend([1_u16, 1].iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend([rate, 2 * rate].iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend([2_u16, 16].iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend(b"data");
        bytes.extend(size.to_le_bytes());
        bytes.extend(self.samples.iter().flat_map(|s| s.to_le_bytes()));
        std::fs::write(path, bytes).unwrap();
    }

    /// A silence in the quietest place of the middle third.
    pub(crate) fn with_pause(mut self, ms: usize) -> Self {
        let third = self.samples.len() / 3;
        let window = self.rate / 50;
        let loudness = |at: &usize| -> i64 {
            self.samples[*at..at + window].iter().map(|s| i64::from(*s).pow(2)).sum()
        };
        let at = (third..2 * third).step_by(window).min_by_key(loudness).unwrap();
        let pause = std::iter::repeat_n(0, self.rate * ms / 1_000);
        self.samples.splice(at..at, pause);
        self
    }

    /// The click of the button that ends a recording, so long behind the last word.
    pub(crate) fn with_click(mut self, ms: usize) -> Self {
        let is_loud = |s: &i16| s.unsigned_abs() > 300;
        let end = self.samples.iter().rposition(is_loud).unwrap();
        self.samples.truncate(end);
        self.samples.extend(std::iter::repeat_n(0, self.rate * ms / 1_000));
        // Noise from −26 dBFS down, over some 40 ms.
        let mut random = 1_u32;
        for n in 0..self.rate / 25 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = i32::try_from(random >> 16).unwrap() - 32_768;
            let fade = i32::try_from(self.rate / 25 - n).unwrap();
            let sample = noise * fade / i32::try_from(self.rate / 25).unwrap() / 20;
            self.samples.push(i16::try_from(sample).unwrap());
        }
        self.samples.extend(std::iter::repeat_n(0, self.rate / 5));
        self
    }
}
