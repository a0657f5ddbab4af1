//! Whether thresholds can be met and missed: one that no run can meet is a fault, one that every run meets or that
//! nothing is measured for is worth a note.

use super::{Act, Aggregate, Expect, Kind, Metric, Op, Scenario, Step, Threshold};

/// The values that a threshold allows: between two ends, which belong to it or not.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    low: f64,
    high: f64,
    /// Whether the end itself is allowed.
    closed: bool,
}

impl Threshold {
    /// Why no run can meet this limit, if none can.
    pub(super) fn is_never_met(&self) -> Option<&'static str> {
        let (least, most) = self.possible();
        let beyond = match self.op {
            Op::Less => self.limit <= least,
            Op::LessOrEqual => self.limit < least,
            Op::Greater => self.limit >= most,
            Op::GreaterOrEqual => self.limit > most,
        };
        let why = match (self.aggregate, self.metric.kind()) {
            (Aggregate::Count, _) => "a count is never below 0",
            (_, Kind::Time) => "no delay is below 0",
            (_, Kind::Ratio | Kind::Share | Kind::Event) => "it lies between 0 and 1",
        };
        beyond.then_some(why)
    }

    /// Whether every run meets this limit.
    fn is_always_met(&self) -> bool {
        let (least, most) = self.possible();
        match self.op {
            Op::Less => self.limit > most,
            Op::LessOrEqual => self.limit >= most,
            Op::Greater => self.limit < least,
            Op::GreaterOrEqual => self.limit <= least,
        }
    }

    /// Whether no run can meet this limit and another one of the same metric.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.place(), other.place());
        // A higher quantile is at least as large, so an upper limit on it is one on the lower ones.
        let both = [(self, mine, other, theirs), (other, theirs, self, mine)];
        let alike = mine.is_sign_negative() || theirs.is_sign_negative();
        let comparable = !alike || self.aggregate == other.aggregate;
        self.metric == other.metric
            && comparable
            && both.into_iter().any(|(upper, higher, lower, deeper)| {
                let (above, below) = (upper.allowed(), lower.allowed());
                let apart = below.low > above.high
                    || (below.low >= above.high && !(below.closed && above.closed));
                higher >= deeper && apart
            })
    }

    /// The least and the largest value that can be measured.
    fn possible(&self) -> (f64, f64) {
        match (self.aggregate, self.metric.kind()) {
            // A difference of two times.
            (_, Kind::Time) if self.metric == Metric::Unattributed => {
                (f64::NEG_INFINITY, f64::INFINITY)
            }
            (Aggregate::Count, _) | (_, Kind::Time) => (0.0, f64::INFINITY),
            (_, Kind::Ratio | Kind::Share | Kind::Event) => (0.0, 1.0),
        }
    }

    fn allowed(&self) -> Allowed {
        let (low, high) = match self.op {
            Op::Less | Op::LessOrEqual => (f64::NEG_INFINITY, self.limit),
            Op::Greater | Op::GreaterOrEqual => (self.limit, f64::INFINITY),
        };
        let closed = matches!(self.op, Op::LessOrEqual | Op::GreaterOrEqual);
        Allowed { low, high, closed }
    }

    /// Where the aggregate lies among the values, in percent; rates and counts are compared with their like alone.
    fn place(&self) -> f64 {
        match self.aggregate {
            Aggregate::Quantile(percent) => percent,
            Aggregate::Max => 100.0,
            Aggregate::Rate => -1.0,
            Aggregate::Count => -2.0,
        }
    }
}

impl Scenario {
    /// What is odd about the thresholds: met by every run, or on something that no turn measures.
    pub fn odd_thresholds(&self) -> Vec<String> {
        let note = |threshold: &Threshold| {
            let of = format!("threshold `{} {}`", threshold.metric.name(), threshold.text);
            if let Some(missing) = missing(threshold.metric, self.steps()) {
                return Some(format!(
                    "{of} fails in every run, as nothing is measured for it: {missing}"
                ));
            }
            if threshold.metric == Metric::ToolDelay && !expects_tools(self.steps()) {
                return Some(format!(
                    "{of} fails in a run in which the agent runs no tool, and no turn expects one (`tools`)"
                ));
            }
            threshold.is_always_met().then(|| format!("{of} is met by every run"))
        };
        self.thresholds().iter().filter_map(note).collect()
    }
}

/// What of a scenario would have to be there for a metric to have values.
fn missing(metric: Metric, steps: &[Step]) -> Option<&'static str> {
    use Metric as M;
    let expects =
        |wanted: fn(Expect) -> bool| steps.iter().filter_map(|step| step.expect).any(wanted);
    let greeting = steps.first().and_then(|step| step.expect);
    let (there, what) = match metric {
        M::GreetingLatency => (
            matches!(greeting, Some(Expect::Speaks { .. })),
            "the first turn does not expect `{agent: speaks}`",
        ),
        M::TimeToYield => {
            (expects(|e| matches!(e, Expect::Yields { .. })), "no turn expects `{agent: yields}`")
        }
        M::FalseInterruptionCount => {
            (expects(|e| e == Expect::Ignores), "no turn expects `{agent: ignores}`")
        }
        M::HeardE2eLatency
        | M::AnswerLatency
        | M::HeardTtfa
        | M::FillerGap
        | M::FillerCount
        | M::Unattributed
        | M::UnansweredTurns
        | M::AwkwardSilenceCount
        | M::EotMispredictionCount => (
            expects(|e| matches!(e, Expect::Responds { .. })),
            "no turn expects `{agent: responds}`",
        ),
        M::EndOfTurnDelay
        | M::TranscriptionDelay
        | M::OnUserTurnCompletedDelay
        | M::LlmNodeTtft
        | M::LlmNodeTtfs
        | M::TtsNodeTtfb
        | M::E2eLatency
        | M::TurnDecided
        | M::AnswerPrepared => {
            (steps.iter().any(|step| matches!(step.act, Act::Say { .. })), "no turn has `say`")
        }
        M::ConnectDelay
        | M::AgentJoinDelay
        | M::AgentReadyDelay
        | M::ToolDelay
        | M::CallsOk
        | M::OverlapRatio => return None,
    };
    (!there).then_some(what)
}

fn expects_tools(steps: &[Step]) -> bool {
    steps.iter().any(|step| !step.content.tools.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::Style;
    use super::super::testing::parsed;
    use super::*;

    fn text(thresholds: &str) -> String {
        format!(
            "version: 1\nname: a\nagent: {{name: b}}\nturns:\n  - id: hours\n    say: {{file: a.wav}}\n    \
             expect: {{agent: responds, within: 8s}}\nthresholds: {{{thresholds}}}\n"
        )
    }

    #[test]
    fn a_recording_with_a_limit_that_no_run_meets_is_read_again() {
        let text = text("heard_e2e_latency: [\"p(95)<0ms\", \"p(50)<1s\", \"p(50)>2s\"]");
        assert!(Scenario::parse(&text).is_err());
        let read = Scenario::again(&text, None).unwrap();
        assert_eq!(read.thresholds().len(), 3);
    }

    #[test]
    fn what_no_run_can_meet_is_a_fault() {
        for thresholds in [
            "heard_e2e_latency: \"p(95)<0ms\"",
            "connect_delay: \"max<0s\"",
            "calls_ok: \"rate>1\"",
            "calls_ok: \"rate<0\"",
            "unanswered_turns: \"count<0\"",
            "overlap_ratio: \"p(95)>1\"",
            "heard_e2e_latency: [\"p(50)<1s\", \"p(50)>2s\"]",
            "heard_e2e_latency: [\"p(50)>2s\", \"p(95)<1s\"]",
            "heard_e2e_latency: [\"max<1s\", \"med>=1s\"]",
            "calls_ok: [\"rate>0.9\", \"rate<=0.9\"]",
            "unanswered_turns: [\"count<1\", \"count>3\"]",
        ] {
            let text = text(thresholds);
            let faults = Scenario::parse(&text).expect_err(thresholds);
            let faults = faults.render("a.yaml", &text, Style::Plain);
            assert!(faults.contains("scenario::bad_threshold"), "{thresholds}: {faults}");
            assert!(faults.contains("can be met"), "{thresholds}: {faults}");
        }
    }

    #[test]
    fn what_some_runs_meet_is_neither_fault_nor_note() {
        for thresholds in [
            "heard_e2e_latency: [\"p(50)<1500ms\", \"p(95)<2500ms\", \"p(0)>0ms\"]",
            "heard_e2e_latency: [\"p(95)>2s\", \"p(50)<1s\"]",
            "unattributed: \"p(50)<0ms\"",
            "calls_ok: [\"rate>0.99\", \"rate<1\"]",
            "calls_ok: [\"rate>=0.9\", \"rate<=0.9\"]",
            "unanswered_turns: [\"count<1\", \"rate<=0.5\"]",
            "connect_delay: \"p(95)<1s\"",
        ] {
            let notes = parsed(&text(thresholds)).odd_thresholds();
            assert!(notes.is_empty(), "{thresholds}: {notes:?}");
        }
    }

    #[test]
    fn what_every_run_meets_and_what_nothing_measures_is_noted() {
        for (thresholds, says) in [
            ("calls_ok: \"rate>=0\"", "`calls_ok rate>=0` is met by every run"),
            ("calls_ok: \"rate<=1\"", "met by every run"),
            ("unanswered_turns: \"count>=0\"", "met by every run"),
            ("connect_delay: \"p(50)>=0ms\"", "met by every run"),
            ("tool_delay: \"p(50)<1s\"", "runs no tool, and no turn expects one"),
            ("greeting_latency: \"p(50)<1s\"", "the first turn does not expect"),
            ("time_to_yield: \"p(50)<1s\"", "no turn expects `{agent: yields}`"),
            ("false_interruption_count: \"count<1\"", "`{agent: ignores}`"),
        ] {
            let notes = parsed(&text(thresholds)).odd_thresholds();
            assert!(notes.len() == 1 && notes[0].contains(says), "{thresholds}: {notes:?}");
        }
        let silent = "version: 1\nname: a\nagent: {name: b}\nturns: [{id: a, silence: 2s}]\n\
                      thresholds: {heard_e2e_latency: \"p(50)<1s\", llm_node_ttft: \"p(50)<1s\"}\n";
        let notes = parsed(silent).odd_thresholds().join("\n");
        assert!(
            notes.contains("`{agent: responds}`") && notes.contains("no turn has `say`"),
            "{notes}"
        );
    }
}
