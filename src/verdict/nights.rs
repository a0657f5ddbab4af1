//! What a baseline records of every night since it began: a line of figures each. Its level is that of its first runs
//! and stays; how much nights differ is learnt from all of them, and so is since when something looks worse.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::figures::{Figure, Figures};
use super::questions::{Sighting, Suspicion};
use crate::measured::{Fingerprint, Measured};

/// Nights that are kept: more than a year of them.
pub(super) const MAX_NIGHTS: usize = 400;
/// Bytes of a digest that tell what was run from what was run in other nights.
const DIGEST_BYTES: usize = 6;

/// A valid night.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Night {
    /// The id of the run.
    pub(super) run: String,
    /// RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) started_at: String,
    /// Of what was run: another one says that something was changed.
    pub(super) print: String,
    pub(super) figures: Figures,
    /// What looked worse than the level then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) suspected: Vec<Suspicion>,
}

impl Night {
    /// The night of a run.
    pub(super) fn of(run: &Measured) -> Self {
        Self {
            run: run.run_id.clone(),
            started_at: run.started_at.clone(),
            print: digest(&run.fingerprint),
            figures: rounded(Figures::of(run)),
            suspected: Vec::new(),
        }
    }

    /// What looked worse, each with the night since when.
    pub(super) fn suspicions(&self) -> Vec<Suspicion> {
        let this = Sighting { run: self.run.clone(), started_at: self.started_at.clone() };
        began(&self.suspected, &this)
    }
}

/// Suspicions of this run; one without an earlier run began in it.
pub(super) fn began(suspected: &[Suspicion], this: &Sighting) -> Vec<Suspicion> {
    let since = |s: &Suspicion| s.since.clone().or_else(|| Some(this.clone()));
    suspected.iter().map(|s| Suspicion { since: since(s), ..s.clone() }).collect()
}

/// Of all that makes a run comparable with another or explains why it differs.
fn digest(print: &Fingerprint) -> String {
    let text = serde_json::to_string(print).unwrap_or_default();
    let hash = Sha256::digest(text);
    hash.iter().take(DIGEST_BYTES).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// With as many digits as say something: a line is read by people, too.
fn rounded(figures: Figures) -> Figures {
    let figure = |of: Figure| Figure {
        value: to_digits(of.value, 6),
        variance: to_digits(of.variance, 9),
        third: to_digits(of.third, 9),
        ..of
    };
    let Figures { typical, slow, steps, .. } = figures;
    let steps = steps.into_iter().map(|(id, of)| (id, figure(of))).collect();
    Figures { typical: typical.map(figure), slow: slow.map(figure), steps, ..figures }
}

fn to_digits(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::super::questions::{Asked, Question};
    use super::*;
    use crate::turn::analyse;
    use crate::turn::testing::two_questions;
    use crate::verdict::testing::Agent;

    fn night(run: &str, agent: Agent) -> Night {
        let scenario = two_questions();
        let run = agent.run(run, 10, 1, &scenario);
        Night::of(&Measured::take(&analyse(&run, &scenario), &scenario, true))
    }

    #[test]
    fn a_night_is_a_short_line_that_is_read_again() {
        let night = night("r", Agent::default());
        let line = serde_json::to_string(&night).unwrap();
        assert!(line.len() < 900, "{} bytes: {line}", line.len());
        let read: Night = serde_json::from_str(&line).unwrap();
        assert_eq!(read, night);
        // 1,280 ms and what chance adds.
        let typical = read.figures.typical.unwrap();
        assert!((1_240.0..1_320.0).contains(&typical.ms()), "{typical:?}");
    }

    #[test]
    fn the_digest_tells_another_agent() {
        let print = |agent: &str| {
            let scenario = two_questions().calling(agent, "");
            let run = Agent::default().run("r", 6, 1, &scenario);
            Night::of(&Measured::take(&analyse(&run, &scenario), &scenario, true)).print
        };
        assert_eq!(print("a"), print("a"));
        assert_ne!(print("a"), print("b"));
    }

    #[test]
    fn a_suspicion_began_in_the_night_that_names_no_earlier_one() {
        let asked = Asked { question: Question::SlowTurns, step: None };
        let since = Some(Sighting { run: "r1".to_owned(), started_at: String::new() });
        let with = |since| Night {
            suspected: vec![Suspicion { asked: asked.clone(), since }],
            ..night("r2", Agent::default())
        };
        let run = |night: Night| night.suspicions()[0].since.clone().unwrap().run;
        assert_eq!(run(with(since)), "r1");
        assert_eq!(run(with(None)), "r2");
    }
}
