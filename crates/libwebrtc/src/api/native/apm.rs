//! Audio processing (echo cancellation, noise suppression, gain control), which this engine does not have.

use crate::RtcError;

/// A processor that refuses to process, whatever it was asked to do.
#[derive(Debug)]
pub struct AudioProcessingModule {}

impl AudioProcessingModule {
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "the signature is that of the official crate"
    )]
    pub fn new(
        _echo_canceller_enabled: bool,
        _gain_controller_enabled: bool,
        _high_pass_filter_enabled: bool,
        _noise_suppression_enabled: bool,
    ) -> Self {
        Self {}
    }

    /// Fails with an "unsupported" error and leaves the samples alone.
    pub fn process_stream(
        &mut self,
        _data: &mut [i16],
        _sample_rate: i32,
        _num_channels: i32,
    ) -> Result<(), RtcError> {
        Err(unsupported())
    }

    /// Fails with an "unsupported" error and leaves the samples alone.
    pub fn process_reverse_stream(
        &mut self,
        _data: &mut [i16],
        _sample_rate: i32,
        _num_channels: i32,
    ) -> Result<(), RtcError> {
        Err(unsupported())
    }

    /// Fails with an "unsupported" error.
    pub fn set_stream_delay_ms(&mut self, _delay_ms: i32) -> Result<(), RtcError> {
        Err(unsupported())
    }
}

fn unsupported() -> RtcError {
    RtcError::unsupported("audio processing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_refused_and_left_alone() {
        let mut samples = [7; 480];
        let error = AudioProcessingModule::new(true, true, true, true).process_stream(
            &mut samples,
            48_000,
            1,
        );
        assert!(error.is_err_and(|error| error.message.contains("unsupported")));
        assert_eq!(samples, [7; 480]);
    }
}
