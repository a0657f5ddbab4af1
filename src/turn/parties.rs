//! Who was in a call beside the caller, who of them spoke, and what was not heard.

use crate::record::{CallRecord, Heard, KEPT, Kind, Observation, Participant, Track};
use crate::text::clipped;
use crate::time::Offset;

/// Participants, tracks and utterances of one call that are looked at: more than any call records.
const KEPT_FACTS: usize = 20_000;

/// Two agents answer when they speak at once, or in turns, for longer than this: less is a handover in which the one
/// had not quite finished.
const AT_ONCE_MS: f64 = 300.0;

/// The others in a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parties {
    /// Identities of those of the agent's side that spoke, each with whom it speaks for, in the order of their first
    /// words. An avatar and its agent are one.
    pub spoke: Vec<String>,
    /// `lk.agent.name` of the first agent that says so.
    pub agent_name: Option<String>,
    /// Several answered the caller in this call, and for how long at once, in milliseconds.
    pub twins: Option<Twins>,
    /// Another participant took over from the one before.
    pub handed_over: Option<(String, String)>,
    /// Tracks that reached the caller and were not heard, in words.
    pub not_heard: Vec<String>,
    /// Tracks that were heard as a voice and turned out to be ambience.
    pub heard_in_error: Vec<String>,
    /// Nobody joined as an agent, but these were there and published no audio.
    pub silent: Vec<String>,
}

/// Several agents that answer one caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Twins {
    pub who: Vec<String>,
    pub at_once_ms: f64,
}

/// What is folded out of a log.
#[derive(Default)]
struct Fold<'a> {
    guests: Vec<&'a Participant>,
    tracks: Vec<(&'a Track, Heard)>,
    /// Tracks that were listened to, in that order.
    voices: Vec<u32>,
    since: Option<Offset>,
    utterances: Vec<(u32, Offset, Offset)>,
    in_error: Vec<u32>,
    agent_joined: bool,
}

impl Parties {
    pub(super) fn of(call: &CallRecord) -> Self {
        let mut fold = Fold::default();
        for stamped in &call.log {
            fold.take(stamped.at, &stamped.what);
        }
        fold.finish()
    }
}

/// The first who is the agent: of kind agent, on nobody's behalf, as LiveKit's clients have it.
pub(super) fn agent<'a>(
    guests: impl Iterator<Item = &'a Participant> + Clone,
) -> Option<&'a Participant> {
    let mut agents = guests.filter(|guest| guest.kind == Kind::Agent);
    agents.find(|guest| guest.on_behalf_of.is_empty())
}

impl<'a> Fold<'a> {
    fn take(&mut self, at: Offset, what: &'a Observation) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "six facts of many are wanted")]
        match what {
            Observation::AgentJoined { .. } => self.agent_joined = true,
            Observation::Participant(guest) => {
                self.guests.retain(|known| known.identity != guest.identity);
                self.guests.push(guest);
            }
            Observation::Track(track) => {
                self.tracks.push((track, track.heard));
                self.listens_to(track.track, track.heard);
            }
            Observation::TrackChanged { track, heard } => {
                if let Some((_, now)) = self.tracks.iter_mut().find(|(t, _)| t.track == *track) {
                    let was = std::mem::replace(now, *heard);
                    if was == Heard::Voice && *heard == Heard::Ambience {
                        self.in_error.push(*track);
                    }
                }
                self.listens_to(*track, *heard);
            }
            Observation::VoiceBegan => self.since = Some(at),
            // As long as there is one track, whatever is heard is its voice.
            Observation::VoiceEnded => {
                if let (Some(from), [only]) = (self.since.take(), self.voices.as_slice()) {
                    self.utterances.push((*only, from, at));
                }
            }
            Observation::TrackSpoke { track, until } if self.utterances.len() < KEPT_FACTS => {
                self.utterances.push((*track, at, (*until).max(at)));
            }
            _ => {}
        }
    }

    fn listens_to(&mut self, track: u32, heard: Heard) {
        if heard == Heard::Voice && !self.voices.contains(&track) {
            self.voices.push(track);
        }
    }

    fn finish(mut self) -> Parties {
        self.utterances.sort_by_key(|(_, from, _)| *from);
        // One that was silent until it was turned away misled nobody.
        let utterances = &self.utterances;
        self.in_error.retain(|track| utterances.iter().any(|(spoke, ..)| spoke == track));
        let mut spoke: Vec<&str> = Vec::new();
        let mut said: Vec<(&str, Offset, Offset)> = Vec::new();
        for (track, from, until) in &self.utterances {
            let Some(who) = self.speaker(*track) else { continue };
            if !spoke.contains(&who) {
                spoke.push(who);
            }
            said.push((who, *from, *until));
        }
        let at_once_ms = at_once(&said);
        let twins = spoke.len() > 1 && (at_once_ms > AT_ONCE_MS || comes_back(&said));
        let owned = |who: &[&str]| who.iter().map(|who| (*who).to_owned()).collect::<Vec<_>>();
        let handed_over = match spoke.as_slice() {
            [first, .., last] if !twins => Some(((*first).to_owned(), (*last).to_owned())),
            _ => None,
        };
        let silent = self.guests.iter().filter(|_| !self.agent_joined);
        Parties {
            agent_name: self.agent_name(),
            twins: twins.then(|| Twins { who: owned(&spoke), at_once_ms }),
            handed_over,
            not_heard: self.not_heard(),
            heard_in_error: self.in_error.iter().filter_map(|track| self.name(*track)).collect(),
            silent: silent.map(|guest| clipped(&guest.identity, KEPT)).collect(),
            spoke: owned(&spoke),
        }
    }

    /// Whose voice a track is: that of the agent on whose behalf it is published.
    fn speaker(&self, track: u32) -> Option<&'a str> {
        let (track, _) = self.tracks.iter().find(|(known, _)| known.track == track)?;
        let guest = self.guests.iter().find(|guest| guest.identity == track.identity);
        let agent = guest.map(|guest| guest.on_behalf_of.as_str()).filter(|who| !who.is_empty());
        Some(agent.unwrap_or(&track.identity))
    }

    fn agent_name(&self) -> Option<String> {
        let named = self.guests.iter().find(|guest| !guest.agent_name.is_empty())?;
        Some(clipped(&named.agent_name, KEPT))
    }

    fn not_heard(&self) -> Vec<String> {
        let unheard = self.tracks.iter().filter(|(track, heard)| {
            *heard != Heard::Voice && !self.in_error.contains(&track.track)
        });
        let mut names: Vec<String> = unheard.filter_map(|(t, _)| self.name(t.track)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A track in words that are the same in every call, so without the identity of whoever has a new one each time.
    fn name(&self, track: u32) -> Option<String> {
        let (track, _) = self.tracks.iter().find(|(known, _)| known.track == track)?;
        Some(format!("`{}` ({})", clipped(&track.name, KEPT), track.source.name()))
    }
}

/// For how long several of them speak, in milliseconds.
fn at_once(said: &[(&str, Offset, Offset)]) -> f64 {
    let mut ms = 0.0;
    for (place, (who, from, until)) in said.iter().enumerate() {
        // In the order of their beginnings, so those that overlap and began later follow.
        let later = said.iter().skip(place + 1).take_while(|(_, begin, _)| begin < until);
        for (other, begin, end) in later {
            if other != who {
                ms += (*end).min(*until).ms_since((*begin).max(*from)).max(0.0);
            }
        }
    }
    ms
}

/// Whether somebody speaks again after another one has spoken.
fn comes_back(said: &[(&str, Offset, Offset)]) -> bool {
    let mut order: Vec<&str> = said.iter().map(|(who, ..)| *who).collect();
    order.dedup();
    let mut once = order.clone();
    once.sort_unstable();
    once.dedup();
    order.len() > once.len()
}

#[cfg(test)]
mod tests;
