//! Each ended call becomes a trace in Langfuse, when its keys are set. Nothing that goes wrong here
//! touches a call or the exit code.

use super::LangfuseArgs;
use super::exit::{Failure, tell};
use crate::export::langfuse::{Langfuse, Settings};
use crate::export::{Exporter, trace};
use crate::record::{CallRecord, RunHead};
use crate::scenario::Scenario;
use crate::turn;
use std::sync::Arc;
use std::time::Duration;

/// How long the traces of one call may take to be sent, and all of them after the last call.
const CALL_DEADLINE: Duration = Duration::from_secs(10);
const LAST_DEADLINE: Duration = Duration::from_secs(15);

/// Traces on their way; nothing when there are no keys.
pub(super) struct Traces {
    exporter: Option<Exporter>,
    head: RunHead,
    scenario: Arc<Scenario>,
}

impl Traces {
    pub(super) fn start(
        args: &LangfuseArgs,
        head: &RunHead,
        scenario: &Arc<Scenario>,
    ) -> Result<Self, Failure> {
        let keys = (&args.public_key, &args.secret_key);
        let exporter = match keys {
            (Some(public_key), Some(secret_key)) => {
                let settings = Settings {
                    public_key: public_key.clone(),
                    secret_key: secret_key.clone(),
                    base_url: args.base_url.clone(),
                    environment: args.environment.clone(),
                    run_id: head.run_id.clone(),
                    deadline: CALL_DEADLINE,
                };
                Some(Exporter::start(Langfuse::new(&settings).map_err(Failure::usage)?))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                tell(
                    "note: no traces are sent: Langfuse needs both LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY",
                );
                None
            }
        };
        Ok(Self { exporter, head: head.clone(), scenario: Arc::clone(scenario) })
    }

    /// Hands the call over; it is sent in the background.
    pub(super) fn call_ended(&self, call: &CallRecord) {
        let Some(exporter) = &self.exporter else { return };
        let turns = turn::turns(call, &self.scenario);
        match trace::call_spans(&self.head, &self.scenario, call, &turns) {
            Ok(spans) => exporter.submit(spans),
            Err(e) => log::error!("{e}"),
        }
    }

    /// Waits for what is under way and says what did not arrive.
    pub(super) async fn finish(self) {
        let Some(exporter) = self.exporter else { return };
        let summary = exporter.finish(LAST_DEADLINE).await;
        for (reason, count) in &summary.failed {
            let s = if *count == 1 { "" } else { "s" };
            tell(&format!("warning: {count} call{s} not traced in Langfuse: {reason}"));
        }
    }
}
