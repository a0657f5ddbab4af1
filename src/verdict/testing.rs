//! Runs of a simulated agent for tests: two questions a call, each reply delayed by known stages.

use super::{Baseline, Deciding, Judging, Mismatch, Verdict, judge};
use crate::random::SplitMix64;
use crate::record::{CallRecord, Observation, Outcome, ReportedMetrics, Run, SessionEvent};
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::turn::testing as make;

/// An agent whose stages take exactly this long, in milliseconds, plus what chance adds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agent {
    pub(crate) end_of_turn: f64,
    pub(crate) hook: f64,
    pub(crate) ttft: f64,
    pub(crate) first_sentence: f64,
    pub(crate) ttfb: f64,
    /// Outside of what it reports.
    pub(crate) network: f64,
    /// Each turn differs by up to this, evenly, and so does each call.
    pub(crate) jitter: f64,
    /// One turn in so many gets no reply; 0 for none.
    pub(crate) silent_every: u32,
    /// Whether it has a session to report in.
    pub(crate) reports: bool,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            end_of_turn: 500.0,
            hook: 0.0,
            ttft: 250.0,
            first_sentence: 180.0,
            ttfb: 150.0,
            network: 200.0,
            jitter: 20.0,
            silent_every: 0,
            reports: true,
        }
    }
}

impl Agent {
    /// A run of `calls` calls with this agent.
    pub(crate) fn run(&self, run_id: &str, calls: u32, seed: u64, scenario: &Scenario) -> Run {
        let mut random = SplitMix64::new(seed);
        let calls = (0..calls).map(|id| self.call(id, &mut random)).collect();
        make::run(run_id, calls, scenario)
    }

    fn call(&self, id: u32, random: &mut SplitMix64) -> CallRecord {
        let mut log = [
            make::connected(300),
            make::joined(700),
            make::began(0, 850),
            make::voice(1_500, 3_000),
        ]
        .concat();
        let of_call = self.chance(random);
        let mut outcome = Outcome::Answered;
        for step in 1..=2_u32 {
            let begin = i64::from(step) * 20_000;
            let asked = begin + 2_000;
            log.extend([make::began(step, begin - 500), make::said(step, begin, asked)].concat());
            let silent = self.silent_every > 0 && (id * 2 + step).is_multiple_of(self.silent_every);
            if silent {
                log.extend(make::missed(step, asked + 8_000));
                outcome = Outcome::NoAnswer;
                continue;
            }
            log.extend(self.reply(asked, of_call + self.chance(random)));
        }
        make::call(id, log, 60_000, outcome)
    }

    fn reply(&self, asked: i64, chance: f64) -> Vec<crate::record::Stamped> {
        let ttft = self.ttft + chance;
        let e2e = self.end_of_turn + self.hook + ttft + self.first_sentence + self.ttfb;
        #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
        let heard = (e2e + self.network).round() as i64;
        let user = ReportedMetrics {
            end_of_turn_delay_ms: Some(self.end_of_turn),
            on_user_turn_completed_delay_ms: Some(self.hook),
            transcription_delay_ms: Some(350.0),
            ..ReportedMetrics::default()
        };
        let agent = ReportedMetrics {
            llm_node_ttft_ms: Some(ttft),
            llm_node_ttfs_ms: Some(ttft + self.first_sentence),
            tts_node_ttfb_ms: Some(self.ttfb),
            e2e_latency_ms: Some(e2e),
            ..ReportedMetrics::default()
        };
        let mut log = make::voice(asked + heard, asked + heard + 1_500);
        if self.reports {
            let (id, text) = ("item".to_owned(), "question".to_owned());
            let user = SessionEvent::UserMessage { id, text, metrics: user };
            log.insert(0, make::is(asked + 600, Observation::Session(user)));
            log.extend(make::agent_with(asked + heard + 1_600, "answer", false, agent));
        }
        log
    }

    fn chance(&self, random: &mut SplitMix64) -> f64 {
        (random.unit() * 2.0 - 1.0) * self.jitter
    }
}

/// A baseline of one run.
pub(crate) fn accepted(run: &Run, scenario: &Scenario) -> Baseline {
    let analysis = analyse(run, scenario);
    Baseline::accept(&analysis, scenario, "2026-11-24T12:00:00Z").expect("fit")
}

/// Judges a run against a baseline made of another.
pub(crate) fn against(baseline: Option<&Run>, run: &Run, scenario: &Scenario) -> Verdict {
    let baseline = baseline.map(|b| accepted(b, scenario));
    let analysis = analyse(run, scenario);
    judge(Judging {
        scenario,
        analysis: &analysis,
        baseline: baseline.as_ref(),
        mismatch: Mismatch::Refuse,
        deciding: Deciding::Once,
        seed: 7,
    })
}

pub(crate) fn compared(old: Agent, new: Agent, calls: u32) -> Verdict {
    let scenario = make::two_questions();
    let (old, new) = (old.run("run-a", calls, 1, &scenario), new.run("run-b", calls, 2, &scenario));
    against(Some(&old), &new, &scenario)
}

/// Lines of a scenario in which calls may fail, so that the comparison is left to find it.
pub(crate) const CALLS_MAY_FAIL: &str = r#"thresholds: {calls_ok: "rate>=0"}"#;
