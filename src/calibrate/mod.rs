//! What the caller measures against what the agent really did: the calls of a calibration, and the
//! error of every kind of measurement, from their recording and the agent's truth. Pure.
//!
//! # What is true
//! Caller and agent run in one process, on one monotonic clock.
//!
//! - The caller's samples have their places on its capture clock (`ARCHITECTURE.md`), which is what
//!   every measurement counts from; so there is no error in that end of an interval by definition.
//!   That those samples really are on the wire 20 ms later, where the clip says they are, is measured
//!   as `caller_voice_begin` and `caller_voice_end`: as the agent's ear finds them.
//! - The agent's first and last audible sample are found in the samples before they are encoded, by
//!   the definition of `audio`, whatever they sound like. Each is dated by the deadline of its packet,
//!   plus its place in the packet, the encoder's look-ahead included.
//!
//! So the error of a latency holds everything between the agent's socket and the number in a report:
//! how late the agent's packets leave, the way through the server, how late the caller reads its
//! socket, what the codec does to an edge, the ear, the script and the analysis. The 20 ms for which a
//! packet is collected before it leaves are part of the agent's delay and of none of these errors.

mod errors;

pub use errors::{by_sound, errors};

use std::fmt::Write as _;

use crate::agent::voice::Sound;

/// The name of the agent, which nobody else is asked for by.
pub const AGENT: &str = "loadcall-calibration";
/// The clips: a question that each sound answers, and what interrupts.
pub const QUESTION: &str = "question.wav";
pub const INTERRUPTION: &str = "interruption.wav";

/// How long an answer is, and one that is interrupted.
const ANSWER_MS: u32 = 600;
const LONG_MS: u32 = 4_000;
/// How long after the beginning of an interruption the agent yields; different in each, so that
/// whatever moves with the packets shows.
const YIELDS_MS: [u32; 2] = [300, 455];
/// What is interrupted.
const INTERRUPTED: [Sound; 2] = [Sound::Speech, Sound::Noise];

/// The scenario of a calibration: a question for each sound, then two interruptions.
pub fn scenario(calls: u32, concurrency: u32) -> String {
    let mut text = format!(
        "version: 1\nname: calibration\nagent: {{name: {AGENT}, join_timeout: 30s, metadata: {}}}\nturns:\n  \
         - {{id: greeting, expect: {{agent: speaks, within: 10s}}}}\n",
        metadata()
    );
    let mut question = |id: &str| {
        let _ = writeln!(
            text,
            "  - {{id: {id}, say: {{file: {QUESTION}}}, start: {{after: agent_speech_end, delay: \
             100ms}}, expect: {{agent: responds, within: 5s}}}}"
        );
    };
    for sound in Sound::ALL {
        question(sound.name());
    }
    for sound in INTERRUPTED {
        let name = sound.name();
        let _ = writeln!(
            text,
            "  - {{id: long_{name}, say: {{file: {QUESTION}}}, start: {{after: agent_speech_end, \
             delay: 100ms}}, expect: {{agent: responds, within: 5s}}}}\n  - {{id: cut_{name}, say: \
             {{file: {INTERRUPTION}}}, start: {{after: agent_speech_start, delay: 700ms}}, expect: \
             {{agent: yields, within: 3s}}}}"
        );
    }
    let _ = writeln!(
        text,
        "  - {{id: end, silence: 1s}}\nhangup: {{max_call: 120s}}\nload: {{executor: repeat, calls: {calls}, concurrency: {concurrency}}}"
    );
    text
}

/// What the agent does in it, as flow-style YAML, which is JSON.
fn metadata() -> String {
    let mut turns = Vec::new();
    let mut add = |turn: String| turns.push(format!("\"{}\": {turn}", turns.len() + 1));
    for sound in Sound::ALL {
        add(format!("{{\"sound\": \"{}\"}}", sound.name()));
    }
    for (sound, yields) in INTERRUPTED.into_iter().zip(YIELDS_MS) {
        add(format!(
            "{{\"sound\": \"{}\", \"reply_audio_ms\": {LONG_MS}, \"barge_in\": {{\"reaction\": \
             \"yield\", \"after_ms\": {yields}}}}}",
            sound.name()
        ));
        // The answer to the interruption.
        add("{}".into());
    }
    format!(
        "{{\"greeting\": {{\"audio_ms\": {ANSWER_MS}}}, \"reply_audio_ms\": {ANSWER_MS}, \
         \"replies\": [\"Yes.\"], \"stages\": {{\"llm_ttft_ms\": 100, \"tts_ttfb_ms\": 57}}, \
         \"jitter_ms\": {{\"tts_ttfb_ms\": 40}}, \"turns\": {{{}}}}}",
        turns.join(", ")
    )
}

#[cfg(test)]
mod tests;
