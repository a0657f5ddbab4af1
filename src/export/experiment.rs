//! A run as an experiment in Langfuse: the scenario is an item of a dataset, and each call is the item's root
//! observation once more. Langfuse makes the link by attributes of the spans.

mod api;
#[cfg(test)]
mod tests;

pub use api::{Linked, takes_links_from_spans};

use opentelemetry::KeyValue;

use crate::record::RunHead;
use crate::scenario::Scenario;
use crate::text::clipped;

/// The dataset that holds a project's scenarios.
pub const DATASET: &str = "loadcall";
/// Characters of a name that are kept: ids of items have at most 255.
const NAME: usize = 150;

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// The run's id: no two runs are one experiment.
    id: String,
    name: String,
    /// The id of the scenario's item.
    item: String,
    /// The id of the dataset, once Langfuse has given it.
    dataset: Option<String>,
}

impl Experiment {
    /// The experiment that a run is; `None` when it is to be none.
    pub fn of(head: &RunHead, scenario: &Scenario) -> Option<Self> {
        let prefix = clipped(head.labels.experiment.as_deref()?, NAME);
        let id = clipped(&head.run_id, NAME);
        let name = if prefix.is_empty() { id.clone() } else { format!("{prefix} {id}") };
        let item = format!("loadcall-{}", clipped(scenario.name(), NAME));
        Some(Self { id, name, item, dataset: None })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What every span of a call carries; `root` is the id of the call's root span.
    pub(super) fn attributes(&self, root: &str) -> Vec<KeyValue> {
        let text = |key: &'static str, text: &str| KeyValue::new(key, text.to_owned());
        let mut list = vec![
            text("langfuse.experiment.id", &self.id),
            text("langfuse.experiment.name", &self.name),
            text("langfuse.experiment.item.id", &self.item),
            text("langfuse.experiment.item.root_observation_id", root),
        ];
        let dataset = self.dataset.as_deref();
        list.extend(dataset.map(|dataset| text("langfuse.experiment.dataset.id", dataset)));
        list
    }
}
