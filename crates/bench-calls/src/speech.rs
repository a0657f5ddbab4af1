//! What is said in a call: one clip, encoded once, again and again.
#![expect(clippy::disallowed_methods, reason = "IO: reads a clip")]

use std::{path::Path, sync::Arc, time::Duration};

use livekit::webrtc::encoded::EncodedFrame;
use loadcall::{
    audio::{Clip, FRAME, duration_of, opus},
    room::packets::packet,
};

use crate::error::Error;

/// Between two sentences, so that about half of what is sent is speech.
pub(crate) const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(crate) struct Speech {
    pub(crate) frames: Arc<[EncodedFrame]>,
    pub(crate) silence: EncodedFrame,
    pub(crate) duration: Duration,
}

impl Speech {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let clip_error = |reason: String| Error::Clip { path: path.into(), reason };
        let wav = std::fs::read(path).map_err(|e| clip_error(e.to_string()))?;
        let clip = Clip::from_wav(&wav).map_err(|e| clip_error(e.to_string()))?;
        let encoded = opus::encode(&clip).map_err(|e| clip_error(e.to_string()))?;
        let silence = opus::silence().map_err(|e| clip_error(e.to_string()))?;
        Ok(Self {
            frames: encoded.frames().iter().map(packet).collect(),
            silence: packet(&silence),
            duration: duration_of((encoded.frames().len() * FRAME) as u64),
        })
    }
}
