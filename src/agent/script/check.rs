//! What a script cannot say although it has the form of one.

use super::{
    BargeIn, Delay, EARLIEST_YIELD, FaultKind, LONGEST_MS, LONGEST_REPLY_MS, SHORTEST_REPLY_MS,
    Script, ScriptError, Stage,
};
use std::time::Duration;

impl Script {
    pub(super) fn check(&self) -> Result<(), ScriptError> {
        let wrong = |key: String, what: String| Err(ScriptError::Value { key, what });
        for stage in Stage::ALL {
            self.stages.stage(stage).check(stage, "stages")?;
            for (turn, own) in &self.turns {
                if let Some(delay) = own.stage(stage) {
                    delay.check(stage, &format!("turns.{turn}"))?;
                }
            }
        }
        if self.turns.contains_key(&0) {
            return wrong("turns.0".into(), "is no turn: the caller's first is 1".into());
        }
        if !(0.1..=10_000.0).contains(&self.stages.llm_tps) {
            return wrong("stages.llm_tps".into(), "must be 0.1 to 10000 words a second".into());
        }
        if self.replies.is_empty() {
            return wrong("replies".into(), "must have at least one text".into());
        }
        let lengths = self.turns.values().map(|turn| turn.reply_audio_ms);
        let greeting = self.greeting.as_ref().and_then(|greeting| greeting.audio_ms);
        for ms in lengths.chain([self.reply_audio_ms, greeting]).flatten() {
            if !(SHORTEST_REPLY_MS..=LONGEST_REPLY_MS).contains(&ms) {
                let what = format!("must be {SHORTEST_REPLY_MS} to {LONGEST_REPLY_MS}, not {ms}");
                return wrong("reply_audio_ms".into(), what);
            }
        }
        for barge_in in self.turns.values().filter_map(|t| t.barge_in).chain([self.barge_in]) {
            barge_in.check()?;
        }
        for (i, fault) in self.faults.iter().enumerate() {
            if fault.turn.is_some() && fault.kind.of_the_call() {
                let what = "cannot be given: the fault concerns the whole call".into();
                return wrong(format!("faults[{i}].turn"), what);
            }
            if fault.ms.is_some() != (fault.kind == FaultKind::LateJoin) {
                let what = "belongs to `late_join`, which needs it".into();
                return wrong(format!("faults[{i}].ms"), what);
            }
        }
        Ok(())
    }
}

impl BargeIn {
    fn check(self) -> Result<(), ScriptError> {
        let after = match self {
            Self::Ignore {} => return Ok(()),
            Self::Yield { after_ms } | Self::Resume { after_ms, .. } => after_ms,
        };
        if Duration::from_millis(after.into()) >= EARLIEST_YIELD {
            return Ok(());
        }
        let what = format!("must be at least {}, not {after}", EARLIEST_YIELD.as_millis());
        Err(ScriptError::Value { key: "barge_in.after_ms".into(), what })
    }
}

impl Delay {
    fn check(self, stage: Stage, place: &str) -> Result<(), ScriptError> {
        let lowest = stage.earliest_ms();
        let good = |ms: f64| (lowest..=LONGEST_MS).contains(&ms);
        let what = match self {
            Self::Fixed(ms) if good(ms) => return Ok(()),
            Self::Fixed(ms) => format!("must be {lowest} to {LONGEST_MS}, not {ms}"),
            Self::LogNormal { p50, p95 } if good(p50) && good(p95) && p50 > 0.0 && p50 <= p95 => {
                return Ok(());
            }
            Self::LogNormal { p50, p95 } => format!(
                "must have a p50 above 0 and a p95 not below it, {lowest} to {LONGEST_MS}, not {p50} and {p95}"
            ),
        };
        Err(ScriptError::Value { key: format!("{place}.{}", stage.name()), what })
    }
}
