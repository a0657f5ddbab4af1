//! The agent's voice in a call, from its edges, and which voices are one speech.

use super::Span;
use crate::record::{CallRecord, Observation, SPEECH_GAP, SessionEvent};
use crate::time::Offset;

/// The agent's word that it resumes a speech reaches us no further than this from the voice itself.
const RESUME_LAG_US: i64 = 500_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    pub(super) span: Span,
    /// Its end was heard; otherwise `until` is the end of the call.
    pub(super) ended: bool,
    /// The agent said that it goes on with what a false interruption had stopped.
    pub(super) resumed: bool,
}

/// All voices in order of time; none overlap.
#[derive(Debug)]
pub(super) struct Voices {
    all: Vec<Voice>,
    /// When packets that are not silent set in, in order of time.
    sounds: Vec<Offset>,
}

impl Voices {
    /// An edge that does not fit (a second begin, an end of nothing) is left out, so any log gives a
    /// row of voices that do not overlap.
    pub(super) fn new(call: &CallRecord) -> Self {
        let mut edges: Vec<(Offset, bool)> = Vec::new();
        let (mut sounds, mut resumes) = (Vec::new(), Vec::new());
        for seen in &call.log {
            #[expect(clippy::wildcard_enum_match_arm, reason = "four facts of many are wanted")]
            match &seen.what {
                Observation::VoiceBegan => edges.push((seen.at, true)),
                Observation::VoiceEnded => edges.push((seen.at, false)),
                Observation::SoundBegan => sounds.push(seen.at),
                Observation::Session(SessionEvent::FalseInterruption { resumed: true }) => {
                    resumes.push(seen.at);
                }
                _ => {}
            }
        }
        // Edges are written down when they are known, which need not be in the order of their moments.
        edges.sort_by_key(|(at, _)| *at);
        sounds.sort_unstable();
        let mut voices = Self { all: paired(&edges, call.end.at), sounds };
        for at in resumes {
            voices.resume(at);
        }
        voices
    }

    /// Marks the voice that begins closest to when the agent said that it resumes.
    fn resume(&mut self, at: Offset) {
        let distance = |v: &Voice| (v.span.from.micros() - at.micros()).abs();
        let near = self.all.iter_mut().skip(1).min_by_key(|v| distance(v));
        if let Some(voice) = near.filter(|v| distance(v) <= RESUME_LAG_US) {
            voice.resumed = true;
        }
    }

    pub(super) fn first(&self) -> Option<Voice> {
        self.all.first().copied()
    }

    pub(super) fn find(&self, is: impl Fn(&Voice) -> bool) -> Option<Voice> {
        self.all.iter().copied().find(is)
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        self.all.iter().map(|v| v.span)
    }

    /// The first voice after `from` that does not go on with a speech begun before it.
    pub(super) fn new_speech(&self, from: Offset) -> Option<Voice> {
        let first = self.all.partition_point(|v| v.span.from < from);
        let mut before = first.checked_sub(1).and_then(|i| self.all.get(i));
        for voice in self.all.iter().skip(first) {
            match before {
                Some(running) if goes_on(running, voice) || voice.resumed => before = Some(voice),
                Some(_) | None => return Some(*voice),
            }
        }
        None
    }

    /// The speech that was under way at `at`, and whether its end was heard.
    pub(super) fn speech_at(&self, at: Offset) -> Option<(Span, bool)> {
        let first = self.all.partition_point(|v| v.span.from <= at).checked_sub(1)?;
        let running = self.all.get(first)?;
        let (span, ended) = self.whole(*running);
        (span.until > at).then_some((span, ended))
    }

    /// A voice with all that goes on with it, and whether its end was heard.
    pub(super) fn whole(&self, voice: Voice) -> (Span, bool) {
        let after = self.all.partition_point(|v| v.span.from <= voice.span.from);
        let mut last = voice;
        for next in self.all.iter().skip(after) {
            if !goes_on(&last, next) {
                break;
            }
            last = *next;
        }
        (Span { from: voice.span.from, until: last.span.until }, last.ended)
    }

    /// When the packets that lead up to the voice at `from` set in: the last such moment before it,
    /// but after the voice before.
    pub(super) fn sound(&self, from: Offset) -> Option<Offset> {
        let at = *self.sounds.get(self.sounds.partition_point(|s| *s <= from).checked_sub(1)?)?;
        let before = self.all.partition_point(|v| v.span.from < from).checked_sub(1);
        let before = before.and_then(|i| self.all.get(i));
        before.is_none_or(|v| v.span.until <= at).then_some(at)
    }
}

fn goes_on(before: &Voice, next: &Voice) -> bool {
    next.span.from.since(before.span.until) < SPEECH_GAP
}

/// Begins (true) and ends in order of time → voices.
fn paired(edges: &[(Offset, bool)], end: Offset) -> Vec<Voice> {
    let mut voices = Vec::new();
    let mut since = None;
    for (at, begins) in edges {
        if *begins {
            since.get_or_insert(*at);
        } else if let Some(from) = since.take() {
            voices.push(Voice { span: Span { from, until: *at }, ended: true, resumed: false });
        }
    }
    if let Some(from) = since {
        let until = end.max(from);
        voices.push(Voice { span: Span { from, until }, ended: false, resumed: false });
    }
    voices
}
