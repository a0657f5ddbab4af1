//! Tracks: a source with an id on the sending side, a place to listen at on the receiving side.

use std::{
    fmt::{self, Debug},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use super::{Listeners, Source};
use crate::types::states::RtcTrackState;

/// A track of either kind; clones are the same track.
#[derive(Debug, Clone)]
pub(crate) enum Track {
    Audio(AudioTrack),
    Video(VideoTrack),
}

/// A handle to an audio track; clones are the same track.
#[derive(Clone)]
pub(crate) struct AudioTrack {
    shared: Arc<Audio>,
}

/// A handle to a video track, which carries no pictures; clones are the same track.
#[derive(Debug, Clone)]
pub(crate) struct VideoTrack {
    state: Arc<State>,
}

/// What every track has.
#[derive(Debug)]
struct State {
    id: String,
    enabled: AtomicBool,
    ended: AtomicBool,
}

struct Audio {
    state: State,
    end: End,
}

enum End {
    Local(Source),
    Remote(Listeners),
    /// The microphone that does not exist.
    Device,
}

impl State {
    fn new(id: String) -> Self {
        Self { id, enabled: true.into(), ended: false.into() }
    }

    fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    fn set_enabled(&self, enabled: bool) -> bool {
        self.enabled.swap(enabled, Ordering::AcqRel) != enabled
    }

    fn track_state(&self) -> RtcTrackState {
        if self.ended.load(Ordering::Acquire) { RtcTrackState::Ended } else { RtcTrackState::Live }
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

impl Track {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Audio(track) => track.id(),
            Self::Video(track) => track.id(),
        }
    }

    /// Marks the track as over.
    pub(crate) fn end(&self) {
        match self {
            Self::Audio(track) => track.end(),
            Self::Video(track) => track.end(),
        }
    }
}

impl AudioTrack {
    /// A track that sends what `source` captures.
    pub(crate) fn local(id: String, source: Source) -> Self {
        if let Source::Clips(clips) = &source {
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
        Self { shared: Arc::new(Audio { state: State::new(id), end }) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.shared.state.id
    }

    pub(crate) fn enabled(&self) -> bool {
        self.shared.state.is_enabled()
    }

    pub(crate) fn set_enabled(&self, enabled: bool) -> bool {
        self.shared.state.set_enabled(enabled)
    }

    pub(crate) fn state(&self) -> RtcTrackState {
        self.shared.state.track_state()
    }

    /// Marks the track as over. Its streams end after what they have.
    pub(crate) fn end(&self) {
        self.shared.state.end();
        if let End::Remote(listeners) = &self.shared.end {
            listeners.end();
        }
    }

    /// The source of a local track.
    pub(crate) fn source(&self) -> Option<&Source> {
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

impl VideoTrack {
    pub(crate) fn new(id: String) -> Self {
        Self { state: Arc::new(State::new(id)) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.state.id
    }

    pub(crate) fn enabled(&self) -> bool {
        self.state.is_enabled()
    }

    pub(crate) fn set_enabled(&self, enabled: bool) -> bool {
        self.state.set_enabled(enabled)
    }

    pub(crate) fn state(&self) -> RtcTrackState {
        self.state.track_state()
    }

    pub(crate) fn end(&self) {
        self.state.end();
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        match &self.end {
            End::Local(Source::Clips(clips)) => clips.lock().track_gone(),
            End::Remote(listeners) => listeners.end(),
            End::Local(Source::Pcm(_)) | End::Device => {}
        }
    }
}

impl Debug for AudioTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioTrack").field("state", &self.shared.state).finish_non_exhaustive()
    }
}
