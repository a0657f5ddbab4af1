//! What the agent's models would have used up.

use super::Conversation;
use crate::record::{ModelUsage, SessionEvent};

impl Conversation {
    /// The models' consumption so far.
    pub fn usage(&self) -> SessionEvent {
        let model = |kind: &str, counts: Vec<(String, f64)>| ModelUsage {
            kind: kind.into(),
            provider: "loadcall".into(),
            model: "scripted".into(),
            counts,
        };
        let characters = f64::from(self.spoken_characters);
        SessionEvent::Usage {
            models: vec![
                model("llm", vec![("output_tokens".into(), (characters / 4.0).ceil())]),
                model(
                    "tts",
                    vec![
                        ("characters_count".into(), characters),
                        ("audio_duration".into(), self.spoken.as_secs_f64()),
                    ],
                ),
            ],
        }
    }
}
