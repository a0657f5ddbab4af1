//! A script in one call: what is said, how late, and what goes wrong.

use super::{BargeIn, Fault, FaultKind, LONGEST_MS, Script, Stage, Tool};
use crate::agent::voice::Sound;
use crate::random::SplitMix64;
use std::time::Duration;

/// How fast the agent speaks when no length is given.
const MS_PER_CHARACTER: u32 = 55;
const SHORTEST_SPEECH_MS: u32 = 400;

/// A script with the call it is played in, which decides the draws and the faults.
#[derive(Debug, Clone)]
pub struct CallScript {
    script: Script,
    /// The digits (at least three) that end the room's name, as in `greeting-4f1c-007`.
    call: Option<u32>,
}

/// The delays of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    pub transcription: Duration,
    pub end_of_turn: Duration,
    pub hook: Duration,
    pub ttft: Duration,
    /// From the request to the first sentence.
    pub ttfs: Duration,
    pub ttfb: Duration,
}

/// Something to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub text: String,
    pub sound: Sound,
    pub audio_ms: u32,
    pub barge_in: BargeIn,
}

impl CallScript {
    pub(super) fn new(script: Script, room: &str) -> Self {
        Self { call: call_number(room), script }
    }

    pub fn script(&self) -> &Script {
        &self.script
    }

    /// The fault of this kind that strikes at this turn, if any.
    pub fn fault(&self, kind: FaultKind, turn: u32) -> Option<&Fault> {
        self.faults_of_this_call(kind).find(|fault| match fault.turn {
            _ if fault.kind.of_the_call() => true,
            Some(struck) => struck == turn,
            None => turn > 0,
        })
    }

    /// Whether a fault of this kind may strike in this call.
    pub fn has_fault(&self, kind: FaultKind) -> bool {
        self.faults_of_this_call(kind).next().is_some()
    }

    fn faults_of_this_call(&self, kind: FaultKind) -> impl Iterator<Item = &Fault> {
        self.script.faults.iter().filter(move |fault| {
            let calls = fault.calls.as_ref();
            let this_call = calls.is_none_or(|calls| self.call.is_some_and(|c| calls.contains(&c)));
            fault.kind == kind && this_call
        })
    }

    /// What is said in answer to a turn; 0 is the greeting, where there is one.
    pub fn line(&self, turn: u32) -> Option<Line> {
        let script = &self.script;
        if turn == 0 {
            let greeting = script.greeting.as_ref()?;
            return Some(Line {
                sound: greeting.sound.unwrap_or(script.sound),
                audio_ms: spoken_ms(greeting.audio_ms.or(script.reply_audio_ms), &greeting.text),
                text: greeting.text.clone(),
                barge_in: script.barge_in,
            });
        }
        let own = script.turns.get(&turn);
        let text = script.replies.get((turn as usize - 1) % script.replies.len())?.clone();
        let given = own.and_then(|own| own.reply_audio_ms).or(script.reply_audio_ms);
        Some(Line {
            sound: own.and_then(|own| own.sound).unwrap_or(script.sound),
            audio_ms: spoken_ms(given, &text),
            text,
            barge_in: own.and_then(|own| own.barge_in).unwrap_or(script.barge_in),
        })
    }

    /// The tool of a turn, and what is said while it runs.
    pub fn tool(&self, turn: u32) -> Option<(&Tool, Option<Line>)> {
        let tool = self.script.tool.as_ref().filter(|tool| tool.turn == turn)?;
        let filler = tool.filler.as_ref().zip(self.line(turn)).map(|(text, reply)| Line {
            audio_ms: spoken_ms(None, text),
            text: text.clone(),
            ..reply
        });
        Some((tool, filler))
    }

    /// What the agent understands of a turn.
    pub fn heard(&self, turn: u32) -> String {
        let hears = &self.script.hears;
        let place = (turn.saturating_sub(1)) as usize % hears.len().max(1);
        hears.get(place).cloned().unwrap_or_else(|| format!("user turn {turn}"))
    }

    /// The delays of a turn: the defaults, then the turn's own values, then chance.
    pub fn delays(&self, turn: u32) -> Delays {
        let draw = |stage| self.draw(stage, turn);
        let ttft = draw(Stage::Ttft);
        let words = self.line(turn).map_or(0, |line| first_sentence_words(&line.text));
        let more_words = Duration::from_secs_f64(
            f64::from(words.saturating_sub(1)) / self.script.stages.llm_tps,
        );
        Delays {
            transcription: draw(Stage::Transcription),
            end_of_turn: draw(Stage::EndOfTurn),
            hook: draw(Stage::Hook),
            ttft,
            ttfs: ttft + more_words,
            ttfb: draw(Stage::Ttfb),
        }
    }

    fn draw(&self, stage: Stage, turn: u32) -> Duration {
        let script = &self.script;
        let own = script.turns.get(&turn).and_then(|own| own.stage(stage));
        let greeting = script.greeting.as_ref().and_then(|greeting| greeting.tts_ttfb_ms);
        let greeting = greeting.filter(|_| turn == 0 && stage == Stage::Ttfb);
        let delay = own.or(greeting).unwrap_or(script.stages.stage(stage));
        // One generator per value: another stage or turn leaves this draw alone.
        let call = self.call.map_or(0, |call| u64::from(call) + 1);
        let purpose = (call << 32) | (u64::from(turn) << 8) | stage as u64;
        let mut random = SplitMix64::for_purpose(script.seed, purpose);
        let spread = script.jitter_ms.get(&stage).copied().unwrap_or(0.0);
        let ms = delay.draw(&mut random) + (random.unit() * 2.0 - 1.0) * spread;
        Duration::from_secs_f64(ms.clamp(stage.earliest_ms(), LONGEST_MS) / 1_000.0)
    }
}

impl Delays {
    /// When the turn ends, counted from the end of the caller's speech.
    pub fn turn_ends(&self) -> Duration {
        self.transcription.max(self.end_of_turn)
    }
}

fn spoken_ms(given: Option<u32>, text: &str) -> u32 {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let natural = characters.saturating_mul(MS_PER_CHARACTER).max(SHORTEST_SPEECH_MS);
    given.unwrap_or(natural).min(super::LONGEST_REPLY_MS)
}

fn first_sentence_words(text: &str) -> u32 {
    let sentence = text.split_inclusive(['.', '!', '?']).next().unwrap_or(text);
    u32::try_from(sentence.split_whitespace().count()).unwrap_or(u32::MAX)
}

fn call_number(room: &str) -> Option<u32> {
    let digits = room.len() - room.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    (digits >= 3).then(|| room[room.len() - digits..].parse().ok()).flatten()
}
