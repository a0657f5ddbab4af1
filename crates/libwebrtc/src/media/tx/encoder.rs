//! PCM to Opus.

use std::sync::Arc;

use opus::{Application, Bitrate, Channels};

use super::{SILENT, TxSettings};
use crate::{
    media::{PcmShape, resample::Resampler},
    types::RtcError,
};

/// The rate that everything is resampled to which Opus does not take.
const FULL_BAND: u32 = 48_000;
/// Rates that the encoder takes as they are (RFC 6716, 2.1.1).
const RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, FULL_BAND];
/// What the receiver is assumed to lose, so that packets carry a copy of the one before for its sake.
const ASSUMED_LOSS_PERCENT: i32 = 5;
/// More than any Opus packet of 20 ms (RFC 6716, 3.2.1).
const MAX_PACKET: usize = 1276;
/// The encoder's way to say that a packet need not be sent.
const DTX_PACKET: usize = 2;

/// Encodes periods of one shape.
#[derive(Debug)]
pub(super) struct Encoder {
    opus: opus::Encoder,
    resampler: Option<Resampler>,
    dtx: bool,
    silence: Arc<[i16]>,
    /// Scratch for resampled samples.
    resampled: Vec<i16>,
    failed: bool,
}

impl Encoder {
    pub(super) fn new(shape: PcmShape, settings: TxSettings) -> Result<Self, RtcError> {
        let PcmShape { rate, channels } = shape;
        if !shape.is_supported() {
            return Err(RtcError::unsupported(&format!(
                "a source of {rate} Hz and {channels} channels"
            )));
        }
        let (opus_channels, application) = match channels {
            1 => (Channels::Mono, Application::Voip),
            _ => (Channels::Stereo, Application::Audio),
        };
        let native = RATES.contains(&rate);
        let opus_rate = if native { rate } else { FULL_BAND };
        let failed = |error: opus::Error| {
            RtcError::internal(format!(
                "opus encoder for {rate} Hz and {channels} channels: {error}"
            ))
        };
        let mut opus = opus::Encoder::new(opus_rate, opus_channels, application).map_err(failed)?;
        opus.set_inband_fec(true).map_err(failed)?;
        opus.set_packet_loss_perc(ASSUMED_LOSS_PERCENT).map_err(failed)?;
        opus.set_dtx(settings.dtx).map_err(failed)?;
        let mut encoder = Self {
            opus,
            resampler: (!native).then(|| Resampler::new(rate, FULL_BAND, channels as usize)),
            dtx: settings.dtx,
            silence: vec![0; shape.period()].into(),
            resampled: Vec::new(),
            failed: false,
        };
        encoder.limit_bitrate(settings.bitrate.unwrap_or(32_000 * u64::from(channels)));
        Ok(encoder)
    }

    /// Takes effect from the next period on; values out of the range of Opus are brought into it.
    pub(super) fn limit_bitrate(&mut self, bits_per_second: u64) {
        let bits = i32::try_from(bits_per_second.clamp(6_000, 510_000))
            .expect("clamped to the range of an i32");
        if let Err(error) = self.opus.set_bitrate(Bitrate::Bits(bits)) {
            log::error!("opus encoder refuses {bits} bit/s: {error}");
        }
    }

    /// The payload of a period and its level; `None` if nothing need be sent.
    pub(super) fn encode(&mut self, samples: &[i16]) -> Option<(Arc<[u8]>, u8)> {
        let level = level(samples);
        let input = match &mut self.resampler {
            None => samples,
            Some(resampler) => {
                self.resampled.clear();
                resampler.process(samples, &mut self.resampled);
                &self.resampled
            }
        };
        let mut packet = [0; MAX_PACKET];
        match self.opus.encode(input, &mut packet) {
            Ok(len) if self.dtx && len <= DTX_PACKET => None,
            Ok(len) => Some((packet[..len].into(), level)),
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    log::error!("opus encoder: {error}; this is reported once");
                }
                None
            }
        }
    }

    pub(super) fn encode_silence(&mut self) -> Option<(Arc<[u8]>, u8)> {
        let silence = Arc::clone(&self.silence);
        self.encode(&silence)
    }
}

/// The power of a period in -dBov (RFC 6464, 3 and 4): a full-scale square wave is 0.
fn level(samples: &[i16]) -> u8 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let count = u32::try_from(samples.len()).map_or(f64::INFINITY, f64::from);
    let full_scale = f64::from(i16::MIN).powi(2);
    let decibels = -10.0 * (energy / count / full_scale).log10();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=127 before"
    )]
    // Digital silence is an infinite number of decibels, and no samples at all are not a number.
    if decibels.is_nan() { SILENT } else { decibels.round().clamp(0.0, f64::from(SILENT)) as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::tone;

    #[test]
    fn levels() {
        assert_eq!(level(&[0; 960]), 127);
        assert_eq!(level(&[]), 127);
        assert_eq!(level(&[i16::MIN; 960]), 0);
        assert_eq!(level(&[3277; 960]), 20);
        assert_eq!(level(&[1; 960]), 90);
    }

    #[test]
    fn every_supported_shape_gives_a_packet_of_twenty_milliseconds() {
        for rate in [8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
            for channels in 1..=2 {
                let shape = PcmShape { rate, channels };
                let mut encoder = Encoder::new(shape, TxSettings::default()).expect("supported");
                let (packet, _) =
                    encoder.encode(&tone(440.0, rate, shape.period())).expect("a tone is sent");
                let samples =
                    opus::packet::get_nb_samples(&packet, 48_000).expect("a valid packet");
                assert_eq!(samples, 960, "{rate} Hz, {channels} channels");
            }
        }
    }

    #[test]
    fn discontinuous_transmission_is_silent_in_silence_only() {
        let shape = PcmShape { rate: 48_000, channels: 1 };
        let mut encoder = Encoder::new(shape, TxSettings { dtx: true, ..TxSettings::default() })
            .expect("supported");
        let sent = |encoder: &mut Encoder, samples: &[i16]| {
            (0..50).filter(|_| encoder.encode(samples).is_some()).count()
        };
        assert_eq!(sent(&mut encoder, &tone(440.0, 48_000, 960)), 50);
        sent(&mut encoder, &[0; 960]);
        assert!(sent(&mut encoder, &[0; 960]) < 10);
    }

    #[test]
    fn the_bitrate_is_followed() {
        let shape = PcmShape { rate: 48_000, channels: 1 };
        let bytes = |bits: u64| {
            let settings = TxSettings { bitrate: Some(bits), ..TxSettings::default() };
            let mut encoder = Encoder::new(shape, settings).expect("supported");
            let noise: Vec<i16> =
                (0..48_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 18) as i16).collect();
            noise
                .chunks(960)
                .filter_map(|period| encoder.encode(period))
                .map(|(packet, _)| packet.len())
                .sum::<usize>()
        };
        assert!(
            bytes(64_000) > 6_000 && bytes(16_000) < 3_000,
            "{} and {}",
            bytes(64_000),
            bytes(16_000)
        );
    }
}
