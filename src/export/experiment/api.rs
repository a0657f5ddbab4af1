//! What of an experiment goes through the API: the dataset and its item, which Langfuse knows again by name and id, and
//! for servers of version 3 the link from each call to the item, which later ones take from the spans.

use serde_json::{Value as Json, json};

use super::{DATASET, Experiment};
use crate::langfuse::{ApiError, Client, Deadline};
use crate::record::{CallId, RunHead, trace_text};

/// What became of links from calls to an item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Linked {
    /// The experiment's id as this server has it, for scores.
    pub id: Option<String>,
    pub calls: usize,
    pub left: usize,
    /// Why some are left.
    pub why: Option<String>,
}

impl Experiment {
    /// Makes the dataset and the scenario's item, with what goes in and what is expected, or brings them up to date, and
    /// notes the dataset's id.
    pub async fn register(
        &mut self,
        client: &Client,
        (input, expected): (Json, Json),
        until: Deadline,
    ) -> Result<(), ApiError> {
        let dataset = json!({
            "name": DATASET,
            "description": "Scenarios of loadcall: simulated calls to voice agents.",
        });
        let (_, made) = client.post("/api/public/v2/datasets", &dataset, until).await?;
        let item = json!({
            "datasetName": DATASET,
            "id": self.item,
            "input": input,
            "expectedOutput": expected,
        });
        client.post("/api/public/dataset-items", &item, until).await?;
        self.dataset = made.get("id").and_then(Json::as_str).map(str::to_owned);
        Ok(())
    }

    /// Links the traces of calls to the item, one request each, where the server is of version 3: later ones take the
    /// link from the spans.
    pub async fn link(
        &self,
        client: &Client,
        head: &RunHead,
        calls: impl IntoIterator<Item = CallId>,
        until: Deadline,
    ) -> Linked {
        let mut calls = calls.into_iter();
        let mut linked = Linked::default();
        match takes_links_from_spans(client, until).await {
            Ok(true) => return linked,
            Ok(false) => {}
            Err(error) => {
                linked.left = calls.count();
                linked.why = Some(error.to_string());
                return linked;
            }
        }
        while let Some(call) = calls.next() {
            let link = json!({
                "runName": self.name,
                "datasetItemId": self.item,
                "traceId": trace_text(&head.run_id, call),
            });
            match client.post("/api/public/dataset-run-items", &link, until).await {
                Ok((_, made)) => {
                    linked.calls += 1;
                    let id = made.get("datasetRunId").and_then(Json::as_str);
                    linked.id = id.map(str::to_owned).or(linked.id);
                }
                Err(error) => {
                    linked.left = 1 + calls.by_ref().count();
                    linked.why = Some(error.to_string());
                }
            }
        }
        linked
    }
}

/// Whether the server knows experiments by their spans: so from version 4 on, by what it says of itself. One that says
/// nothing that can be read is taken for a later one.
pub async fn takes_links_from_spans(client: &Client, until: Deadline) -> Result<bool, ApiError> {
    let health = client.get("/api/public/health", &[], until).await?;
    let version = health.get("version").and_then(Json::as_str).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next();
    Ok(major.and_then(|major| major.parse::<u32>().ok()).is_none_or(|major| major >= 4))
}
