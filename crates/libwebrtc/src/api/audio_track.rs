//! An audio track: a source with an id on the sending side, a place to listen at on the receiving side.

use std::{
    fmt::{self, Debug},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use crate::{
    audio_source::native::{Feed, NativeAudioSource},
    media::Listeners,
    media_stream_track::RtcTrackState,
};

/// A handle to an audio track; clones are the same track.
#[derive(Clone)]
pub struct RtcAudioTrack {
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    enabled: AtomicBool,
    ended: AtomicBool,
    end: End,
}

enum End {
    Local(NativeAudioSource),
    Remote(Listeners),
    /// The microphone that does not exist.
    Device,
}

impl RtcAudioTrack {
    /// A track that sends what `source` captures.
    pub(crate) fn local(id: String, source: NativeAudioSource) -> Self {
        if let Feed::Clips(clips) = source.feed() {
            clips.lock().track_made();
        }
        Self::new(id, End::Local(source))
    }

    /// A track without a source: it sends nothing.
    pub(crate) fn device(id: String) -> Self {
        Self::new(id, End::Device)
    }

    /// A track of the remote side. `wake` is called when somebody begins to listen, which may give its
    /// [`AudioRx`](crate::media::AudioRx) a deadline.
    pub(crate) fn remote(id: String, wake: Waker) -> Self {
        Self::new(id, End::Remote(Listeners::new(wake)))
    }

    fn new(id: String, end: End) -> Self {
        Self { shared: Arc::new(Shared { id, enabled: true.into(), ended: false.into(), end }) }
    }

    pub fn id(&self) -> String {
        self.shared.id.clone()
    }

    pub fn enabled(&self) -> bool {
        self.shared.enabled.load(Ordering::Acquire)
    }

    /// Mutes (`false`) or unmutes the track. A muted local track sends silence, a muted remote one plays it. Returns
    /// whether that changed anything.
    pub fn set_enabled(&self, enabled: bool) -> bool {
        self.shared.enabled.swap(enabled, Ordering::AcqRel) != enabled
    }

    pub fn state(&self) -> RtcTrackState {
        if self.shared.ended.load(Ordering::Acquire) {
            RtcTrackState::Ended
        } else {
            RtcTrackState::Live
        }
    }

    /// Marks the track as over. Its streams end after what they have.
    pub(crate) fn end(&self) {
        self.shared.ended.store(true, Ordering::Release);
        if let End::Remote(listeners) = &self.shared.end {
            listeners.end();
        }
    }

    /// The source of a local track.
    pub(crate) fn source(&self) -> Option<&NativeAudioSource> {
        match &self.shared.end {
            End::Local(source) => Some(source),
            End::Remote(_) | End::Device => None,
        }
    }

    /// Who listens to a remote track.
    pub(crate) fn listeners(&self) -> Option<&Listeners> {
        match &self.shared.end {
            End::Remote(listeners) => Some(listeners),
            End::Local(_) | End::Device => None,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        match &self.end {
            End::Local(source) => {
                if let Feed::Clips(clips) = source.feed() {
                    clips.lock().track_gone();
                }
            }
            End::Remote(listeners) => listeners.end(),
            End::Device => {}
        }
    }
}

impl Debug for RtcAudioTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcAudioTrack")
            .field("id", &self.shared.id)
            .field("enabled", &self.enabled())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
