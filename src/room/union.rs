//! The voices of several tracks as one: audible while any of them is.
//!
//! Edges become known after they happened, each track's at its own delay (see [`crate::audio::ear`]), and what was said
//! is not taken back. So a voice that begins within the silence that another one's end still has to prove is the same
//! voice; a beginning that is known late, after an end later than it was said, is moved to that end; and of two that begin
//! at about the same time the one that is known first counts, which is later than the earliest by at most as much as one
//! ear needs longer than the other.

use crate::time::Offset;

/// An edge of the union. Beginnings and ends alternate, a beginning first, and their times never go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Began {
        at: Offset,
        sound_at: Offset,
    },
    Ended {
        at: Offset,
    },
    /// What was said to begin at this moment did not. Comes in the place of the end; where another track was
    /// audible meanwhile, its beginning follows.
    Retracted {
        at: Offset,
    },
}

#[derive(Debug, Default)]
pub(super) struct Union {
    /// The tracks that are audible and since when.
    audible: Vec<(u32, Offset)>,
    /// Who began the union, and when and with what sound the first other one joined in.
    begun: Option<Begun>,
    /// The last audible sample of those that have fallen silent since the union began.
    silent_from: Offset,
    /// The edge that was said last.
    last: Offset,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    track: u32,
    at: Offset,
    joined: Option<(Offset, Offset)>,
}

impl Union {
    /// The tracks that are audible.
    pub(super) fn audible(&self) -> Vec<u32> {
        self.audible.iter().map(|(track, _)| *track).collect()
    }

    pub(super) fn began(&mut self, track: u32, at: Offset, sound_at: Offset) -> Option<Edge> {
        if self.audible.iter().any(|(audible, _)| *audible == track) {
            return None;
        }
        let first = self.audible.is_empty();
        self.audible.push((track, at));
        if !first {
            if let Some(begun) = &mut self.begun {
                let at = at.max(begun.at);
                begun.joined.get_or_insert((at, sound_at.max(begun.at).min(at)));
            }
            return None;
        }
        let at = at.max(self.last);
        let sound_at = sound_at.max(self.last).min(at);
        (self.last, self.silent_from) = (at, at);
        self.begun = Some(Begun { track, at, joined: None });
        Some(Edge::Began { at, sound_at })
    }

    /// The voice of a track was none.
    pub(super) fn retracted(&mut self, track: u32) -> Vec<Edge> {
        let Some(place) = self.audible.iter().position(|(audible, _)| *audible == track) else {
            return Vec::new();
        };
        self.audible.swap_remove(place);
        let mut edges = Vec::new();
        let is_over = self.audible.is_empty();
        if let Some(begun) = self.begun.filter(|begun| begun.track == track) {
            edges.push(Edge::Retracted { at: begun.at });
            self.begun = None;
            let Some((at, sound_at)) = begun.joined else { return edges };
            edges.push(Edge::Began { at, sound_at });
        }
        if is_over {
            self.last = self.silent_from;
            edges.push(Edge::Ended { at: self.silent_from });
        }
        edges
    }

    /// When the track's voice had begun, and the end of the union if it was the last.
    pub(super) fn ended(&mut self, track: u32, at: Offset) -> Option<(Offset, Option<Edge>)> {
        let place = self.audible.iter().position(|(audible, _)| *audible == track)?;
        let (_, from) = self.audible.swap_remove(place);
        self.silent_from = self.silent_from.max(at);
        if !self.audible.is_empty() {
            return Some((from, None));
        }
        self.last = self.silent_from;
        Some((from, Some(Edge::Ended { at: self.silent_from })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: fn(i64) -> Offset = |ms| Offset::from_micros(ms * 1_000);

    #[test]
    fn voices_that_overlap_are_one() {
        let mut union = Union::default();
        assert_eq!(
            union.began(1, MS(100), MS(90)),
            Some(Edge::Began { at: MS(100), sound_at: MS(90) })
        );
        assert_eq!(union.began(2, MS(500), MS(500)), None);
        assert_eq!(union.ended(1, MS(900)), Some((MS(100), None)));
        assert_eq!(
            union.ended(2, MS(700)),
            Some((MS(500), Some(Edge::Ended { at: MS(900) }))),
            "the later end counts, whenever it was known"
        );
        // Known too late: its packets were read after the end was said.
        assert_eq!(
            union.began(3, MS(880), MS(870)),
            Some(Edge::Began { at: MS(900), sound_at: MS(900) })
        );
        assert_eq!(union.ended(7, MS(950)), None);
    }

    #[test]
    fn what_was_no_voice_leaves_the_voices_of_others() {
        let begun = |at| Edge::Began { at: MS(at), sound_at: MS(at) };
        let retracted = Edge::Retracted { at: MS(100) };
        // Alone.
        let mut union = Union::default();
        union.began(1, MS(100), MS(100));
        assert_eq!(union.retracted(1), [retracted]);
        assert_eq!(union.began(2, MS(500), MS(500)), Some(begun(500)));
        // Another one joined in: it goes on, or has ended.
        let mut union = Union::default();
        union.began(1, MS(100), MS(100));
        union.began(2, MS(500), MS(500));
        assert_eq!(union.retracted(1), [retracted, begun(500)]);
        assert_eq!(union.ended(2, MS(900)), Some((MS(500), Some(Edge::Ended { at: MS(900) }))));
        let mut union = Union::default();
        union.began(1, MS(100), MS(100));
        union.began(2, MS(500), MS(500));
        union.ended(2, MS(900));
        assert_eq!(union.retracted(1), [retracted, begun(500), Edge::Ended { at: MS(900) }]);
        // It was the one that joined in.
        let mut union = Union::default();
        union.began(1, MS(100), MS(100));
        union.began(2, MS(500), MS(500));
        assert_eq!(union.retracted(2), []);
        assert_eq!(union.ended(1, MS(900)), Some((MS(100), Some(Edge::Ended { at: MS(900) }))));
    }

    /// What one track says: when its voices begin and end and how much later that is known, in milliseconds. As an ear
    /// has it: a voice lasts 40 ms at least, silence between two 200 ms, and an end is known when that has passed.
    fn track() -> impl Strategy<Value = Vec<(i64, i64, i64, i64)>> {
        let voice = (200..1_500_i64, 40..2_000_i64, 30..120_i64, 200..460_i64);
        proptest::collection::vec(voice, 0..12).prop_map(|voices| {
            let mut at = 0;
            voices
                .into_iter()
                .map(|(gap, length, begin_known, end_known)| {
                    let from = at + gap;
                    at = from + length;
                    (from, at, begin_known, end_known)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn it_is_the_union_of_all_voices(tracks in proptest::collection::vec(track(), 1..5)) {
            let mut known: Vec<(i64, u32, bool, i64)> = Vec::new();
            let mut voices: Vec<(i64, i64)> = Vec::new();
            let mut longest_proof = 0;
            for (number, track) in (0..).zip(&tracks) {
                let begins = |(from, _, begin_known, _): &(i64, i64, i64, i64)| from + begin_known;
                for (place, voice) in track.iter().enumerate() {
                    let (from, until, _, end_known) = *voice;
                    // An ear ends a voice before it begins the next.
                    let next = track.get(place + 1).map_or(i64::MAX, begins);
                    let (begin, end) = (begins(voice), (until + end_known).min(next));
                    known.push((begin, number, true, from));
                    known.push((end, number, false, until));
                    voices.push((from, until));
                    longest_proof = longest_proof.max(end - until);
                }
            }
            known.sort_unstable_by_key(|(at, number, begins, _)| (*at, *number, *begins));
            voices.sort_unstable();

            let mut union = Union::default();
            let mut said: Vec<(i64, i64)> = Vec::new();
            let (mut open, mut last) = (None, 0);
            for (_, number, begins, at) in known {
                let edge = if begins {
                    union.began(number, MS(at), MS(at))
                } else {
                    union.ended(number, MS(at)).and_then(|(_, edge)| edge)
                };
                match edge {
                    Some(Edge::Began { at, sound_at }) => {
                        let at = at.micros() / 1_000;
                        prop_assert!(open.is_none() && at >= last && sound_at.micros() / 1_000 <= at);
                        (open, last) = (Some(at), at);
                    }
                    Some(Edge::Ended { at }) => {
                        let at = at.micros() / 1_000;
                        prop_assert!(at >= last);
                        said.push((open.take().expect("a beginning before the end"), at));
                        last = at;
                    }
                    Some(Edge::Retracted { .. }) => prop_assert!(false, "nothing was retracted"),
                    None => {}
                }
            }
            prop_assert!(open.is_none());

            // How much longer one beginning may take to be known than another.
            let slack = 120 - 30;
            let covers = |(from, until): (i64, i64)| {
                // A moved beginning touches the end before it.
                let mut at = from;
                for (begin, end) in &said {
                    if *begin <= at || at == from && *begin <= from + slack {
                        at = at.max(*end);
                    }
                }
                at >= until
            };
            for voice in &voices {
                prop_assert!(covers(*voice), "{voice:?} is missing in {said:?}");
            }
            // What is said beyond the voices are gaps that were not proved yet.
            let mut until = i64::MIN;
            let mut gaps = Vec::new();
            for (from, end) in &voices {
                if *from > until && until != i64::MIN {
                    gaps.push((until, *from));
                }
                until = until.max(*end);
            }
            for (from, gap_end) in gaps {
                let bridged = said.iter().any(|(begin, end)| *begin < gap_end && *end > from);
                prop_assert!(!bridged || gap_end - from <= longest_proof + 120);
            }
        }
    }
}
