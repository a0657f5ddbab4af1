//! The agent's side of a call as a state machine without clock or IO: what was heard, and the time →
//! what to do next.
//!
//! A turn of the caller is what it says until it has been silent for as long as the script lets a
//! turn last (the later of transcript and end of turn); voice before that belongs to the same turn.
//! The answer is scheduled from the last audible sample, not from when anything became known, so the
//! delay is the script's; only the raster of packets (20 ms) makes it longer.

mod answer;
mod speaking;
mod tool;
mod usage;

use self::speaking::{Ending, Speaking};
use self::tool::Beside;
use crate::agent::script::{BargeIn, CallScript, FaultKind, Line};
use crate::agent::truth::Happened;
use crate::agent::voice::{Voice, Voices};
use crate::record::{ReportedMetrics, SessionEvent, Speaker};
use crate::time::Offset;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How far into the greeting a fault of turn 0 strikes.
const INTO_GREETING: Duration = Duration::from_millis(500);

/// What the agent learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEvent {
    /// The caller can hear the agent.
    Ready,
    VoiceBegan {
        at: Offset,
    },
    VoiceEnded {
        at: Offset,
    },
    /// The first packet of what was last said has left: the capture time of its first sample.
    Started {
        at: Offset,
    },
}

/// What the agent has to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Its `lk.agent.state` attribute.
    State(AgentState),
    Session(SessionEvent),
    /// On `lk.transcription`.
    Transcript {
        speaker: Speaker,
        text: String,
    },
    /// Play a voice from its packet number `from` on, its first sample not before this moment.
    Say {
        voice: Arc<Voice>,
        from: usize,
        not_before: Offset,
    },
    /// Let the voice end with the packet before this moment of the capture clock.
    CutAt(Offset),
    /// Take back what was said and has not begun.
    Cancel,
    Note(Happened),
    /// Leave the room; nothing follows.
    Leave,
    /// End the process; nothing follows.
    Crash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    Initializing,
    Listening,
    Thinking,
    Speaking,
}

impl AgentState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Listening => "listening",
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
        }
    }
}

/// What the caller is doing, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Silent,
    Speaking,
    /// Speaking, and nobody listens.
    Ignored,
    /// Silent since then, but its turn has not ended.
    Pausing,
}

/// What happens by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Due {
    Transcribed,
    TurnEnded {
        spoke_until: Offset,
    },
    ToolStarted,
    ToolEnded,
    /// The model or the voice gives up; with a message or without.
    NoAnswer {
        error: Option<&'static str>,
    },
    SpeechEnded,
    Resumed,
    Left {
        kind: FaultKind,
    },
}

#[derive(Debug)]
pub struct Conversation {
    script: CallScript,
    voices: Arc<Voices>,
    state: AgentState,
    caller: Caller,
    /// The caller's latest turn.
    turn: u32,
    speaking: Option<Speaking>,
    beside: Option<Beside>,
    due: Vec<(Offset, Due)>,
    actions: VecDeque<Action>,
    spoken_characters: u32,
    spoken: Duration,
}

impl Conversation {
    pub fn new(script: CallScript, voices: Arc<Voices>) -> Self {
        Self {
            script,
            voices,
            state: AgentState::Initializing,
            caller: Caller::Silent,
            turn: 0,
            speaking: None,
            beside: None,
            due: Vec::new(),
            actions: VecDeque::new(),
            spoken_characters: 0,
            spoken: Duration::ZERO,
        }
    }

    pub fn state(&self) -> AgentState {
        self.state
    }

    pub fn caller_speaks(&self) -> bool {
        matches!(self.caller, Caller::Speaking | Caller::Ignored)
    }

    pub fn script(&self) -> &CallScript {
        &self.script
    }

    /// Takes in what was learned at `now`.
    pub fn handle(&mut self, now: Offset, event: AgentEvent) {
        match event {
            AgentEvent::Ready => self.ready(now),
            AgentEvent::VoiceBegan { at } => self.voice_began(at),
            AgentEvent::VoiceEnded { at } => self.voice_ended(at),
            AgentEvent::Started { at } => self.started(at),
        }
    }

    /// The next thing to do, when there is one.
    pub fn poll(&mut self, now: Offset) -> Option<Action> {
        while self.actions.is_empty() {
            let next = self.due.iter().enumerate().min_by_key(|(_, (at, _))| *at);
            let (index, at) =
                next.map(|(index, (at, _))| (index, *at)).filter(|(_, at)| *at <= now)?;
            let (_, due) = self.due.swap_remove(index);
            self.fire(at, due);
        }
        self.actions.pop_front()
    }

    /// When time alone changes something.
    pub fn wake_at(&self) -> Option<Offset> {
        self.due.iter().map(|(at, _)| *at).min()
    }

    fn ready(&mut self, now: Offset) {
        self.enter(AgentState::Listening);
        for kind in [FaultKind::Crash, FaultKind::Disconnect] {
            if self.script.fault(kind, 0).is_some() {
                let at = now.plus(self.script.delays(0).ttfb).plus(INTO_GREETING);
                self.due.push((at, Due::Left { kind }));
            }
        }
        let mute = self.script.fault(FaultKind::NoGreeting, 0).is_some();
        if let Some(line) = self.script.line(0).filter(|_| !mute) {
            let delays = self.script.delays(0);
            if self.script.fault(FaultKind::TtsError, 0).is_some() {
                let error = Some("tts_error");
                return self.due.push((now.plus(delays.ttfb), Due::NoAnswer { error }));
            }
            let metrics = ReportedMetrics {
                tts_node_ttfb_ms: Some(ms(delays.ttfb)),
                ..ReportedMetrics::default()
            };
            self.say(0, line, now.plus(delays.ttfb), None, metrics);
        }
    }

    fn voice_began(&mut self, at: Offset) {
        self.note(Happened::CallerBegan { at });
        self.user_state("listening", "speaking");
        match (self.caller, self.state) {
            // Speaks on within its turn.
            (Caller::Pausing, _) => {
                self.due
                    .retain(|(_, due)| !matches!(due, Due::Transcribed | Due::TurnEnded { .. }));
                self.caller = Caller::Speaking;
            }
            (_, AgentState::Speaking) => self.interrupted(at),
            (_, AgentState::Thinking | AgentState::Listening | AgentState::Initializing) => {
                self.drop_answer();
                self.turn += 1;
                self.caller = Caller::Speaking;
            }
        }
    }

    /// The caller speaks while the agent does.
    fn interrupted(&mut self, at: Offset) {
        let Some(speaking) = &mut self.speaking else { return };
        let reaction = speaking.line.barge_in;
        let (after_ms, ending) = match reaction {
            BargeIn::Ignore {} => {
                self.caller = Caller::Ignored;
                return;
            }
            BargeIn::Yield { after_ms } => (after_ms, Ending::Yielded),
            BargeIn::Resume { after_ms, .. } => (after_ms, Ending::Paused),
        };
        let wanted = at.plus(Duration::from_millis(after_ms.into()));
        if let Some(cut) = speaking.cut(wanted, ending) {
            self.actions.push_back(Action::CutAt(cut.moment));
            self.due.retain(|(_, due)| *due != Due::SpeechEnded);
            self.due.push((cut.silent_at, Due::SpeechEnded));
        }
        match reaction {
            BargeIn::Resume { resume_ms, .. } => {
                self.caller = Caller::Ignored;
                let resume = wanted.plus(Duration::from_millis(resume_ms.into()));
                self.due.push((resume, Due::Resumed));
            }
            BargeIn::Yield { .. } | BargeIn::Ignore {} => {
                self.caller = Caller::Speaking;
                self.turn += 1;
            }
        }
    }

    fn voice_ended(&mut self, at: Offset) {
        self.note(Happened::CallerEnded { at });
        self.user_state("speaking", "listening");
        if self.caller != Caller::Speaking {
            self.caller = Caller::Silent;
            return;
        }
        self.caller = Caller::Pausing;
        let delays = self.script.delays(self.turn);
        self.due.push((at.plus(delays.transcription), Due::Transcribed));
        self.due.push((at.plus(delays.turn_ends()), Due::TurnEnded { spoke_until: at }));
    }

    fn fire(&mut self, at: Offset, due: Due) {
        match due {
            Due::Transcribed => self.transcribed(at),
            Due::TurnEnded { spoke_until } => self.turn_ended(at, spoke_until),
            Due::ToolStarted => self.tool_started(),
            Due::ToolEnded => self.tool_ended(at),
            Due::NoAnswer { error } => {
                if let Some(kind) = error {
                    self.error(at, kind, "recoverable=False");
                }
                self.enter(AgentState::Listening);
            }
            Due::SpeechEnded => self.speech_ended(at),
            Due::Resumed => self.resume(at),
            Due::Left { kind } => self.leave(at, kind),
        }
    }

    /// Lets the first audible sample of a line be sent at `wanted`, or within 20 ms after it.
    fn say(
        &mut self,
        turn: u32,
        line: Line,
        wanted: Offset,
        answers: Option<Offset>,
        metrics: ReportedMetrics,
    ) {
        let voice = match self.voices.get(line.sound, line.audio_ms) {
            Ok(voice) => voice,
            Err(e) => {
                log::error!("the agent has no voice: {e}");
                return self.actions.push_back(Action::Leave);
            }
        };
        let speaking = Speaking::new(turn, line, voice, wanted, answers, metrics);
        self.actions.push_back(speaking.say());
        self.speaking = Some(speaking);
    }

    fn started(&mut self, at: Offset) {
        let Some(speaking) = &mut self.speaking else { return };
        let audible_from = speaking.start(at);
        self.due.push((speaking.ends_by_itself(), Due::SpeechEnded));
        let (turn, sound, wanted) = (speaking.turn, speaking.line.sound, speaking.wanted);
        let text = speaking.line.text.clone();
        self.enter(AgentState::Speaking);
        match audible_from {
            Some(at) => {
                self.note(Happened::Spoke { turn, sound, at, wanted });
                self.actions.push_back(Action::Transcript { speaker: Speaker::Agent, text });
            }
            None => self
                .actions
                .push_back(Action::Session(SessionEvent::FalseInterruption { resumed: true })),
        }
    }

    fn speech_ended(&mut self, now: Offset) {
        let Some(speaking) = &mut self.speaking else { return };
        let (turn, sound) = (speaking.turn, speaking.line.sound);
        let (at, ending) = speaking.end();
        let spoken = speaking.report(ending);
        let characters = speaking.line.text.chars().count();
        if let Some(at) = at {
            self.note(Happened::FellSilent { turn, sound, at, cut: ending != Ending::Finished });
        }
        if ending == Ending::Yielded {
            self.beside = None;
        }
        let works = self.beside.is_some() && ending == Ending::Finished;
        self.enter(if works { AgentState::Thinking } else { AgentState::Listening });
        if ending == Ending::Paused {
            return;
        }
        self.spoken_characters += u32::try_from(characters).unwrap_or(u32::MAX);
        self.spoken += Duration::from_millis(
            self.speaking.take().map_or(0, |speaking| speaking.line.audio_ms.into()),
        );
        self.actions.push_back(Action::Session(spoken));
        let usage = self.usage();
        self.actions.push_back(Action::Session(usage));
        self.go_on_after_tool(now);
    }

    /// What was taken for an interruption was none.
    fn resume(&mut self, at: Offset) {
        if let Some(action) = self.speaking.as_mut().and_then(|speaking| speaking.resume(at)) {
            self.actions.push_back(action);
        }
    }

    /// An answer that has not begun is not given any more.
    fn drop_answer(&mut self) {
        self.due.retain(|(_, due)| matches!(due, Due::Left { .. }));
        self.beside = None;
        if self.speaking.take().is_some() {
            self.actions.push_back(Action::Cancel);
        }
        self.enter(AgentState::Listening);
    }

    fn leave(&mut self, at: Offset, kind: FaultKind) {
        if kind == FaultKind::Crash {
            self.fault(at, "crash");
            self.actions.push_back(Action::Crash);
        } else {
            self.fault(at, "disconnect");
            self.actions.push_back(Action::Leave);
        }
    }

    fn enter(&mut self, new: AgentState) {
        let old = std::mem::replace(&mut self.state, new);
        if old != new {
            self.actions.push_back(Action::State(new));
            let (old, new) = (old.name().into(), new.name().into());
            self.actions.push_back(Action::Session(SessionEvent::AgentState { old, new }));
        }
    }

    fn user_state(&mut self, old: &str, new: &str) {
        let (old, new) = (old.into(), new.into());
        self.actions.push_back(Action::Session(SessionEvent::UserState { old, new }));
    }

    fn error(&mut self, at: Offset, kind: &'static str, recoverable: &str) {
        self.fault(at, kind);
        let message = format!("type='{kind}' error=scripted {recoverable}");
        self.actions.push_back(Action::Session(SessionEvent::Error { message }));
    }

    fn fault(&mut self, at: Offset, kind: &str) {
        self.note(Happened::Fault { turn: self.turn, kind: kind.into(), at });
    }

    fn note(&mut self, happened: Happened) {
        self.actions.push_back(Action::Note(happened));
    }
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests;
