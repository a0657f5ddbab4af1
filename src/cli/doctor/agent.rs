//! What one call to the agent shows: whether it came, answered, reports of itself, and is loud enough.

use super::finding::{Area, Finding};
use crate::audio::ogg;
use crate::record::CallId;
use crate::record::audio::Index;
use crate::scenario::Scenario;
use crate::turn::{Analysis, Answer, CallFacts, REPORTED, Reply};
use crate::verdict::unfit;
use std::path::Path;

/// A voice below this is hard to tell from a quiet line, and callers on a phone do not understand it.
const QUIET_DBFS: f64 = -38.0;
/// What counts as voice, as for the ear (`audio`).
const AUDIBLE_DBFS: f64 = -50.0;
/// Samples of a block whose level is taken: 10 ms.
const BLOCK: usize = 480;
/// The largest file of audio that is read: ten minutes are some 10 MB.
const AUDIO_LIMIT: u64 = 64 << 20;

/// The checks of a call that was placed for this, whose recording lies in `folder`.
pub(super) fn check(scenario: &Scenario, analysis: &Analysis, folder: &Path) -> Vec<Finding> {
    let Some(call) = analysis.calls.first() else {
        return not_tested("no call was placed");
    };
    let mut findings = vec![dispatch(scenario, call)];
    if call.agent_joined.is_none() {
        let why = "no agent came";
        let rest = ["answer", "stages", "audio level"];
        findings.extend(rest.map(|check| Finding::not_tested(Area::Agent, check, why)));
        return findings;
    }
    findings.push(answer(call));
    findings.push(stages(analysis));
    findings.push(level(folder, call.call));
    findings.push(schedule(analysis));
    findings
}

/// All checks of an agent that was not called.
pub(super) fn not_tested(why: &str) -> Vec<Finding> {
    let all = ["dispatch", "answer", "stages", "audio level"];
    all.map(|check| Finding::not_tested(Area::Agent, check, why)).into()
}

fn dispatch(scenario: &Scenario, call: &CallFacts) -> Finding {
    let name = &scenario.agent().name;
    if let Some(joined) = call.agent_joined {
        let identity = call.agent_identity.as_deref().unwrap_or_default();
        let ms = joined.ms_since(call.dialled);
        return Finding::ok(Area::Agent, "dispatch", format!("{identity} joined after {ms:.0} ms"));
    }
    let detail = call.failure.as_ref().map_or(call.detail.as_str(), |f| f.detail.as_str());
    let remedy = if name.is_empty() {
        "start the agent; one that registers with a name is dispatched by that alone: set agent.name in the scenario".to_owned()
    } else {
        format!(
            "start an agent that registers as `{name}` with this server and these keys (agent_name in its worker options)"
        )
    };
    Finding::failed(Area::Agent, "dispatch", format!("no agent came: {detail}"), remedy)
}

fn answer(call: &CallFacts) -> Finding {
    let answered = call.turns.iter().find_map(|turn| match (turn.reply, turn.answer) {
        (_, Some(Answer::Heard { latency_ms, .. })) | (Reply::Heard { latency_ms, .. }, _) => {
            Some((&turn.id, "answered", latency_ms))
        }
        _ => None,
    });
    let first = answered.or_else(|| {
        call.turns.iter().find_map(|turn| {
            let Reply::Greeted { latency_ms, .. } = turn.reply else { return None };
            Some((&turn.id, "greeted", latency_ms))
        })
    });
    match (first, &call.failure) {
        (Some((id, word, ms)), None) => {
            Finding::ok(Area::Agent, "answer", format!("{word} in turn {id} after {ms:.0} ms"))
        }
        (_, Some(failure)) => Finding::failed(
            Area::Agent,
            "answer",
            format!("the call failed ({}): {}", failure.cause.name(), failure.detail),
            "see the agent's log; `loadcall run` keeps the audio of such a call, and `loadcall calls RUN 0` shows it",
        ),
        (None, None) => {
            let why = "the scenario waits for no words of the agent";
            Finding::not_tested(Area::Agent, "answer", why)
        }
    }
}

fn stages(analysis: &Analysis) -> Finding {
    let seen = REPORTED.iter().map(|(metric, _)| *metric);
    let seen = seen.filter(|metric| !analysis.measures.values(*metric).is_empty());
    let names: Vec<&str> = seen.map(crate::scenario::Metric::name).collect();
    if names.is_empty() {
        let why = "the agent reports no stages in the room: what is heard can be measured, not which stage is slow";
        return Finding::not_tested(Area::Agent, "stages", why);
    }
    Finding::ok(Area::Agent, "stages", names.join(", "))
}

/// How loud the agent's voice is, from the audio that was kept of the call.
fn level(folder: &Path, call: CallId) -> Finding {
    let missing = |why: &str| Finding::not_tested(Area::Agent, "audio level", why);
    let kept = Index::read(folder).ok().flatten();
    let Some(file) = kept.as_ref().and_then(|index| index.of(call)).map(|kept| &kept.file) else {
        return missing("no audio of the call was kept");
    };
    let Ok(Some(bytes)) = crate::files::read(&folder.join(file), AUDIO_LIMIT).map(Some) else {
        return missing("the audio of the call cannot be read");
    };
    let mut meter = Meter::default();
    if ogg::play(&bytes, &mut |samples| meter.hear(samples)).is_err() {
        return missing("the audio of the call cannot be played");
    }
    match meter.voice_dbfs() {
        None => missing("nothing was heard of the agent"),
        Some(dbfs) if dbfs < QUIET_DBFS => Finding::failed(
            Area::Agent,
            "audio level",
            format!("the agent's voice has {dbfs:.0} dBFS, which is hard to hear"),
            "raise the volume of the voice in the text-to-speech settings; -26 to -16 dBFS is usual",
        ),
        Some(dbfs) => {
            Finding::ok(Area::Agent, "audio level", format!("the agent's voice has {dbfs:.0} dBFS"))
        }
    }
}

fn schedule(analysis: &Analysis) -> Finding {
    match unfit(analysis) {
        Some(why) => Finding::failed(
            Area::Machine,
            "schedule",
            why.to_string(),
            "stop what else runs on this machine, or call from another one",
        ),
        None => Finding::ok(Area::Machine, "schedule", "the caller kept its schedule in this call"),
    }
}

/// The level of what is audible on the agent's side of a stereo stream.
#[derive(Debug, Default)]
struct Meter {
    block: Vec<f64>,
    power: f64,
    blocks: u32,
}

impl Meter {
    fn hear(&mut self, samples: &[i16]) {
        for agent in samples.iter().skip(1).step_by(2) {
            self.block.push((f64::from(*agent) / 32_768.0).powi(2));
            if self.block.len() == BLOCK {
                let power = self.block.drain(..).sum::<f64>() / f64::from(480);
                if dbfs(power) >= AUDIBLE_DBFS {
                    self.power += power;
                    self.blocks += 1;
                }
            }
        }
    }

    fn voice_dbfs(&self) -> Option<f64> {
        (self.blocks > 0).then(|| dbfs(self.power / f64::from(self.blocks)))
    }
}

fn dbfs(power: f64) -> f64 {
    10.0 * power.max(f64::MIN_POSITIVE).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_hears_the_agents_side_where_it_is_audible() {
        let mut meter = Meter::default();
        // The caller is loud all the time, the agent half of it, at a tenth of full scale.
        for n in 0..2 * BLOCK {
            meter.hear(&[i16::MAX, if n < BLOCK { 3_277 } else { 0 }]);
        }
        let level = meter.voice_dbfs().unwrap();
        assert!((level + 20.0).abs() < 0.1, "{level}");
        assert_eq!(Meter::default().voice_dbfs(), None);
    }
}
