//! Who in the room is the agent, and which tracks are its voice. Decides only (no clock, no IO): [`super::livekit`]
//! tells it what the server says.
//!
//! # The agent's side
//! Every participant of kind agent, whoever publishes on behalf of one (`lk.publish_on_behalf`: an avatar), and
//! whoever else publishes audio: nobody but agents speaks in a caller's room. An `identity` in the scenario chooses
//! instead. *The agent* is the first of them of kind agent that publishes on nobody's behalf, as in LiveKit's clients.
//!
//! # Its voice
//! Tracks of the source microphone. A track of another source is the voice only as long as nobody of the agent's
//! side who is in the room has ever had a microphone track: bare agents publish without a source, agents of a framework
//! play music that way. `background_audio` is ambience in any case. `tracks` in the scenario choose instead.
//!
//! # When it has left
//! When the last one of the agent's side has gone and nobody of it has come within [`HANDOVER`].

#[cfg(test)]
mod tests;

use crate::record::{Heard, KEPT, Kind, Observation, Participant, Source, Track};
use crate::scenario::Listening;
use crate::time::Offset;
use std::time::Duration;

/// Track name of livekit-agents' background music and thinking sounds.
const BACKGROUND_TRACK: &str = "background_audio";

/// How long the agent's side may be empty before the call counts as left: the next agent joins when the one before
/// has gone.
pub const HANDOVER: Duration = Duration::from_secs(3);

/// Voice tracks that are listened to at a time, tracks of a call and other participants of a room: more than any
/// real call has.
const EARS: usize = 8;
const TRACKS: usize = 256;
const GUESTS: usize = 32;

/// What follows from what the server said, in the order in which it is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Something to be recorded, without further effect.
    Noted(Observation),
    /// The first one of the agent's side is there.
    Joined {
        identity: String,
    },
    /// This track is the agent's voice from now on; not `surely` while a microphone track may still come beside it.
    Listen {
        track: u32,
        surely: bool,
    },
    /// It is no longer: it has turned out to be ambience.
    TurnAway {
        track: u32,
    },
    Ended {
        track: u32,
    },
    Muted {
        track: u32,
        muted: bool,
    },
    /// What the agent says it is doing.
    State(String),
    /// Everybody of the agent's side has gone, the last one at that moment.
    Left {
        at: Offset,
        reason: String,
    },
}

/// The other participants of a room and their tracks.
#[derive(Debug, Default)]
pub struct Party {
    listening: Listening,
    guests: Vec<Guest>,
    tracks: Vec<Entry>,
    next_track: u32,
    joined: bool,
    leaving: Option<Leaving>,
    limits: Vec<&'static str>,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Guest {
    is: Participant,
    present: bool,
    /// It has published audio that is not marked as background.
    spoke_up: bool,
    /// It has had a track of the source microphone.
    had_microphone: bool,
    state: Option<String>,
    /// The state that was told last.
    told: Option<String>,
}

#[derive(Debug)]
struct Entry {
    /// The server's name of it.
    sid: String,
    is: Track,
    live: bool,
}

#[derive(Debug)]
struct Leaving {
    at: Offset,
    reason: String,
}

impl Party {
    pub fn new(listening: Listening) -> Self {
        Self { listening, ..Self::default() }
    }

    /// What was decided since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// A participant is in the room, or its attributes have changed.
    pub fn came(&mut self, is: &Participant, state: Option<&str>) {
        let is = Participant {
            identity: short(&is.identity),
            name: short(&is.name),
            agent_name: short(&is.agent_name),
            on_behalf_of: short(&is.on_behalf_of),
            ..*is
        };
        let known = self.guests.iter().position(|guest| guest.is.identity == is.identity);
        if known.is_none() && self.guests.len() == GUESTS {
            return self.limit("participants of the room");
        }
        let news = known.is_none_or(|at| self.guests[at].is != is || !self.guests[at].present);
        if news {
            self.changes.push(Change::Noted(Observation::Participant(is.clone())));
        }
        let state = state.map(short);
        if let Some(at) = known {
            let guest = &mut self.guests[at];
            (guest.is, guest.present, guest.state) = (is, true, state);
        } else {
            self.guests.push(Guest {
                is,
                present: true,
                spoke_up: false,
                had_microphone: false,
                state,
                told: None,
            });
        }
        self.settle();
    }

    /// A participant has left.
    pub fn left(&mut self, identity: &str, at: Offset, reason: String) {
        let identity = short(identity);
        let guest = self.guests.iter_mut().find(|g| g.is.identity == identity && g.present);
        let Some(guest) = guest else { return };
        guest.present = false;
        guest.told = None;
        let left = Observation::ParticipantLeft { identity: identity.clone() };
        self.changes.push(Change::Noted(left));
        let of_it = |entry: &&Entry| entry.live && entry.is.identity == identity;
        let ended: Vec<String> = self.tracks.iter().filter(of_it).map(|e| e.sid.clone()).collect();
        for sid in &ended {
            self.ended(sid);
        }
        self.settle();
        if self.joined && self.leaving.is_none() && !self.agent_is_there() {
            self.leaving = Some(Leaving { at, reason });
        }
    }

    /// An audio track of a participant reaches the caller. `microphone`: the participant has published a track of the
    /// source microphone, be it this one or another that is still on its way. Gives the track's number in the call.
    pub fn subscribed(&mut self, sid: &str, track: &Track, microphone: bool) -> Option<u32> {
        let track = Track { identity: short(&track.identity), name: short(&track.name), ..*track };
        let background = track.name == BACKGROUND_TRACK;
        if let Some(guest) = self.guests.iter_mut().find(|g| g.is.identity == track.identity) {
            guest.spoke_up |= !background;
            guest.had_microphone |= microphone && !background;
        }
        self.settle();
        if let Some(at) = self.tracks.iter().position(|entry| entry.sid == sid && entry.live) {
            // After a reconnection the same track comes over another connection.
            let Track { track, heard, .. } = self.tracks[at].is;
            if heard == Heard::Voice {
                self.listen(at);
            }
            return Some(track);
        }
        if self.tracks.len() == TRACKS {
            // Those that have ended make room, so that an agent with a track for each utterance is heard to the end.
            self.tracks.retain(|entry| entry.live);
            if self.tracks.len() == TRACKS {
                self.limit("tracks of the room");
                return None;
            }
        }
        let number = self.next_track;
        self.next_track = number.saturating_add(1);
        let track = Track { track: number, heard: Heard::Not, ..track };
        self.tracks.push(Entry { sid: sid.to_owned(), is: track, live: true });
        let heard = self.use_of(self.tracks.len() - 1);
        let entry = self.tracks.last_mut()?;
        entry.is.heard = heard;
        self.changes.push(Change::Noted(Observation::Track(entry.is.clone())));
        if heard == Heard::Voice {
            self.listen(self.tracks.len() - 1);
        }
        Some(number)
    }

    /// A track was taken back.
    pub fn ended(&mut self, sid: &str) {
        let Some(entry) = self.live(sid) else { return };
        entry.live = false;
        let track = entry.is.track;
        self.changes.push(Change::Noted(Observation::TrackEnded { track }));
        self.changes.push(Change::Ended { track });
        self.settle();
    }

    pub fn muted(&mut self, sid: &str, muted: bool) {
        let Some(entry) = self.live(sid) else { return };
        let track = entry.is.track;
        self.changes.push(Change::Muted { track, muted });
    }

    /// When time alone decides something.
    pub fn wake_at(&self) -> Option<Offset> {
        self.leaving.as_ref().map(|leaving| leaving.at.plus(HANDOVER))
    }

    /// Notices that nobody has taken over.
    pub fn look_at_the_clock(&mut self, now: Offset) {
        if self.wake_at().is_some_and(|at| now >= at)
            && let Some(Leaving { at, reason }) = self.leaving.take()
        {
            self.changes.push(Change::Left { at, reason });
        }
    }

    /// Whether what this participant reports of a session is the agent's. Its data may come before the server tells
    /// of it.
    pub fn reports(&self, identity: &str) -> bool {
        let Some(pattern) = &self.listening.identity else { return true };
        let known = self.guests.iter().find(|guest| guest.is.identity == identity);
        pattern.matches(identity) || known.is_some_and(|guest| self.of_agent(guest))
    }

    /// Whom to ask what the agent is.
    pub fn agent(&self) -> Option<&str> {
        let there = || self.guests.iter().filter(|guest| guest.present && self.of_agent(guest));
        let agent = there().find(|g| g.is.kind == Kind::Agent && g.is.on_behalf_of.is_empty());
        agent.or_else(|| there().next()).map(|guest| guest.is.identity.as_str())
    }

    fn of_agent(&self, guest: &Guest) -> bool {
        let Participant { identity, kind, on_behalf_of, .. } = &guest.is;
        if let Some(pattern) = &self.listening.identity {
            return pattern.matches(identity)
                || !on_behalf_of.is_empty() && pattern.matches(on_behalf_of);
        }
        *kind == Kind::Agent || !on_behalf_of.is_empty() || guest.spoke_up
    }

    fn agent_is_there(&self) -> bool {
        self.guests.iter().any(|guest| guest.present && self.of_agent(guest))
    }

    /// What a track is to the caller, by all that is known now.
    fn use_of(&mut self, index: usize) -> Heard {
        let heard = self.role_of(index);
        let others = self.tracks.iter().enumerate();
        let others = others.filter(|(at, e)| *at != index && e.live && e.is.heard == Heard::Voice);
        if heard == Heard::Voice && others.count() >= EARS {
            self.limit("voice tracks listened to at a time");
            return Heard::Not;
        }
        heard
    }

    fn role_of(&self, index: usize) -> Heard {
        let Some(entry) = self.tracks.get(index) else { return Heard::Not };
        let of = |guest: &&Guest| guest.is.identity == entry.is.identity;
        if !self.guests.iter().find(of).is_some_and(|guest| self.of_agent(guest)) {
            return Heard::Not;
        }
        let Track { name, source, .. } = &entry.is;
        let has_microphone = |g: &Guest| g.present && g.had_microphone && self.of_agent(g);
        let microphones = || self.guests.iter().any(has_microphone);
        let voice = if self.listening.tracks.is_empty() {
            name != BACKGROUND_TRACK && (*source == Source::Microphone || !microphones())
        } else {
            self.listening.tracks.iter().any(|pattern| pattern.matches(name))
        };
        if voice { Heard::Voice } else { Heard::Ambience }
    }

    /// Draws all conclusions from a change.
    fn settle(&mut self) {
        if let Some(at) = self.guests.iter().position(|g| g.present && self.of_agent(g)) {
            self.leaving = None;
            if !self.joined {
                self.joined = true;
                let identity = self.guests[at].is.identity.clone();
                self.changes.push(Change::Joined { identity });
            }
        }
        self.tell_states();
        for index in 0..self.tracks.len() {
            if !self.tracks[index].live {
                continue;
            }
            let heard = self.use_of(index);
            let entry = &mut self.tracks[index];
            if entry.is.heard == heard {
                continue;
            }
            let was = std::mem::replace(&mut entry.is.heard, heard);
            let track = entry.is.track;
            self.changes.push(Change::Noted(Observation::TrackChanged { track, heard }));
            if heard == Heard::Voice {
                self.listen(index);
            } else if was == Heard::Voice {
                self.changes.push(Change::TurnAway { track });
            }
        }
    }

    fn listen(&mut self, index: usize) {
        let Track { track, source, .. } = self.tracks[index].is;
        let surely = source == Source::Microphone || !self.listening.tracks.is_empty();
        self.changes.push(Change::Listen { track, surely });
    }

    fn tell_states(&mut self) {
        for index in 0..self.guests.len() {
            let guest = &self.guests[index];
            let news = guest.present && guest.state.is_some() && guest.state != guest.told;
            if news && self.of_agent(guest) {
                let guest = &mut self.guests[index];
                guest.told.clone_from(&guest.state);
                self.changes.extend(guest.state.clone().map(Change::State));
            }
        }
    }

    fn live(&mut self, sid: &str) -> Option<&mut Entry> {
        self.tracks.iter_mut().find(|entry| entry.sid == sid && entry.live)
    }

    fn limit(&mut self, what: &'static str) {
        if !self.limits.contains(&what) {
            self.limits.push(what);
            let what = what.to_owned();
            self.changes.push(Change::Noted(Observation::LimitReached { what }));
        }
    }
}

/// What others call themselves, at a length that is kept.
fn short(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
