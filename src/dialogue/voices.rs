//! The agent's voice, from its edges.

use crate::time::Offset;

use super::Dialogue;

/// The agent's word that it resumes a speech reaches us no further than this from the voice itself.
const RESUME_LAG_US: i64 = 500_000;

/// The agent is audible from one edge to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voice {
    pub(super) from: Offset,
    /// `None`: no end is known.
    pub(super) until: Option<Offset>,
}

/// A voice with all that goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speech {
    pub from: Offset,
    /// Its last audible sample; `None`: no end is known.
    pub until: Option<Offset>,
}

/// All voices in order of time; none overlap.
#[derive(Debug, Clone, Default)]
pub(super) struct Voices {
    /// Begins (true) and ends, in order of time.
    edges: Vec<(Offset, bool)>,
    all: Vec<Voice>,
    /// When packets that are not silent set in, in order of time.
    sounds: Vec<Offset>,
    /// When the agent said that it goes on with what a false interruption had stopped.
    resumes: Vec<Offset>,
}

impl Voices {
    /// An edge that does not fit (a second begin, an end of nothing) is left out, so any edges give a row
    /// of voices that do not overlap.
    pub(super) fn edge(&mut self, at: Offset, begins: bool) {
        let place = self.edges.partition_point(|(edge, _)| *edge <= at);
        self.edges.insert(place, (at, begins));
        if place + 1 == self.edges.len() {
            take(&mut self.all, at, begins);
        } else {
            // Known later than one that came after it.
            self.rebuild();
        }
    }

    /// What began at `at` was no voice, and what led up to it no sound of one.
    pub(super) fn retract(&mut self, at: Offset) {
        let begin = self.edges.iter().rposition(|edge| *edge == (at, true));
        if let Some(begin) = begin {
            self.edges.remove(begin);
            self.rebuild();
        }
        if let Some(sound) = self.sounds.partition_point(|sound| *sound <= at).checked_sub(1) {
            self.sounds.remove(sound);
        }
    }

    /// The same, if it has no end yet.
    pub(super) fn retract_if_open(&mut self, at: Offset) {
        if self.last() == Some(Voice { from: at, until: None }) {
            self.retract(at);
        }
    }

    fn rebuild(&mut self) {
        self.all.clear();
        for (at, begins) in &self.edges {
            take(&mut self.all, *at, *begins);
        }
    }

    pub(super) fn sound_began(&mut self, at: Offset) {
        let place = self.sounds.partition_point(|sound| *sound <= at);
        self.sounds.insert(place, at);
    }

    pub(super) fn resumed_at(&mut self, at: Offset) {
        self.resumes.push(at);
    }

    pub(super) fn first(&self) -> Option<Voice> {
        self.all.first().copied()
    }

    pub(super) fn last(&self) -> Option<Voice> {
        self.all.last().copied()
    }

    pub(super) fn get(&self, index: usize) -> Option<Voice> {
        self.all.get(index).copied()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Voice> {
        self.all.iter().copied()
    }

    /// How many voices began before `at`.
    pub(super) fn before(&self, at: Offset) -> usize {
        self.all.partition_point(|voice| voice.from < at)
    }

    /// Whether the voice of this index begins closest to a moment at which the agent said that it resumes.
    fn is_resumed(&self, index: usize) -> bool {
        let distance = |i: usize, at: Offset| {
            self.all.get(i).map_or(i64::MAX, |v| (v.from.micros() - at.micros()).abs())
        };
        self.resumes.iter().any(|at| {
            let near = (1..self.all.len()).min_by_key(|i| distance(*i, *at));
            near == Some(index) && distance(index, *at) <= RESUME_LAG_US
        })
    }

    /// When the packets that lead up to the voice at `from` set in: the last such moment before it,
    /// but after the voice before.
    pub(super) fn sound(&self, from: Offset) -> Option<Offset> {
        let at = *self.sounds.get(self.sounds.partition_point(|s| *s <= from).checked_sub(1)?)?;
        let before = self.before(from).checked_sub(1).and_then(|i| self.get(i));
        before.is_none_or(|v| v.until.is_some_and(|until| until <= at)).then_some(at)
    }
}

/// The next edge in order of time.
fn take(all: &mut Vec<Voice>, at: Offset, begins: bool) {
    let open = all.last_mut().filter(|voice| voice.until.is_none());
    match (open, begins) {
        (None, true) => all.push(Voice { from: at, until: None }),
        (Some(voice), false) => voice.until = Some(at),
        (Some(_), true) | (None, false) => {}
    }
}

impl Dialogue {
    /// The agent's first speech.
    pub fn first_speech(&self) -> Option<Speech> {
        self.voices.first().map(|_| self.speech(0))
    }

    /// The first voice that begins at `from` or later, with what goes on with it.
    pub fn speech_from(&self, from: Offset) -> Option<Speech> {
        let index = self.voices.before(from);
        self.voices.get(index).map(|_| self.speech(index))
    }

    /// The first speech that begins at `from` or later, so does not go on with one begun before.
    pub fn new_speech(&self, from: Offset) -> Option<Speech> {
        self.new_speeches(from).next()
    }

    /// All such speeches.
    pub fn new_speeches(&self, from: Offset) -> impl Iterator<Item = Speech> {
        let first = self.voices.before(from);
        (first..)
            .take_while(|i| self.voices.get(*i).is_some())
            .filter(|i| *i == 0 || !self.goes_on(*i) && !self.voices.is_resumed(*i))
            .map(|i| self.speech(i))
    }

    /// The speech that was under way at `at`, from the voice it was in.
    pub fn speech_at(&self, at: Offset) -> Option<Speech> {
        let after = self.voices.before(at.plus_micros(1));
        let speech = self.speech(after.checked_sub(1)?);
        speech.until.is_none_or(|until| until > at).then_some(speech)
    }

    /// The latest speech, from its first voice.
    pub fn latest_speech(&self) -> Option<Speech> {
        let mut index = self.voices.iter().count().checked_sub(1)?;
        while index > 0 && self.goes_on(index) {
            index -= 1;
        }
        Some(self.speech(index))
    }

    /// All voices, up to `end` where no end is known.
    pub fn voices(&self, end: Offset) -> impl Iterator<Item = super::Span> {
        self.voices
            .iter()
            .map(move |v| super::Span { from: v.from, until: v.until.unwrap_or(end).max(v.from) })
    }

    /// When the first packet came that was not silent of the speech whose first audible sample is at
    /// `speech`.
    pub fn sound(&self, speech: Offset) -> Option<Offset> {
        self.voices.sound(speech)
    }

    /// The voice of this index with all that goes on with it.
    fn speech(&self, index: usize) -> Speech {
        let voice = |i| self.voices.get(i);
        let mut last = index;
        while voice(last + 1).is_some() && self.goes_on(last + 1) {
            last += 1;
        }
        let from = voice(index).map_or_else(Offset::default, |v| v.from);
        Speech { from, until: voice(last).and_then(|v| v.until) }
    }

    /// Whether a voice goes on with the one before it.
    fn goes_on(&self, index: usize) -> bool {
        let before = index.checked_sub(1).and_then(|i| self.voices.get(i));
        let (Some(before), Some(voice)) = (before, self.voices.get(index)) else { return false };
        let Some(ended) = before.until else { return true };
        voice.from.since(ended) < self.speech_gap
            && !self.turned(before.from, super::Span { from: ended, until: voice.from })
    }

    /// Whether the agent took up a turn of the caller's in a gap of its voice: the caller had spoken since
    /// `voice`, and the agent committed that or thought about it.
    fn turned(&self, voice: Offset, gap: super::Span) -> bool {
        let spoke =
            |said: &super::Said| said.from.is_some_and(|from| from >= voice && from <= gap.until);
        let inside = |at: &Offset| *at > gap.from && *at <= gap.until;
        self.said.values().any(spoke)
            && (self.commits.iter().any(inside) || self.activity.began_to_think(inside))
    }
}
