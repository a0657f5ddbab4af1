//! What makes a run an experiment in Langfuse, before its traces are sent.

use super::LabelArgs;
use super::failure::Failure;
use super::terminal::eprint_line;
use crate::export::experiment::Experiment;
use crate::export::trace;
use crate::langfuse::{Client, Deadline, Project};
use crate::record::{Labels, RunHead};
use crate::scenario::Scenario;
use std::time::Duration;

/// How long a single request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// How long the dataset and its item may take.
const REGISTRATION: Duration = Duration::from_secs(20);
/// Characters of what an experiment's name begins with.
const LONGEST_NAME: usize = 100;

/// What the traces of a run will say of it; `is_on`: they are sent to Langfuse.
pub(super) fn labels(labels: &LabelArgs, is_on: bool) -> Result<Labels, Failure> {
    if let Some(name) = &labels.experiment {
        if !is_on {
            return Err(Failure::usage(
                "--langfuse-experiment needs a Langfuse project: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY",
            ));
        }
        if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(Failure::usage(format!(
                "--langfuse-experiment takes a name of up to {LONGEST_NAME} characters on one line, such as nightly"
            )));
        }
    }
    Ok(Labels { release: labels.release.clone(), experiment: labels.experiment.clone() })
}

/// The experiment that a run is, if any, with its dataset made ready.
pub(super) async fn begin(
    project: Option<&Project>,
    head: &RunHead,
    scenario: &Scenario,
) -> Option<Experiment> {
    let mut experiment = Experiment::of(head, scenario)?;
    let client = client(project)?;
    let until = Deadline::after(REGISTRATION);
    if let Err(e) = experiment.register(&client, trace::item(scenario), until).await {
        let text = "the experiment has no dataset in Langfuse, only its traces and scores";
        eprint_line(&format!("warning: {text}: {e}"));
    }
    Some(experiment)
}

/// Asks Langfuse, if it is set up.
pub(super) fn client(project: Option<&Project>) -> Option<Client> {
    Client::new(project?, REQUEST).ok()
}
