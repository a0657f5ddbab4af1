//! Whether traces arrive: one span is sent to every backend that is set, and in Langfuse it is read back.

use super::finding::{Area, Finding};
use crate::cli::failure::Failure;
use crate::cli::terminal::eprint_line;
use crate::cli::{LangfuseArgs, environment, traces};
use crate::clock::wall_now;
use crate::export::otlp::{Backend, Batch, Budget, Exporter, Fate, from_variables};
use crate::export::{langfuse, probe};
use crate::langfuse::{ApiError, Client, Deadline, Project};
use std::time::Duration;
use tokio::sync::watch;

/// For one request of Langfuse's API.
const REQUEST: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_secs(2);
/// For sending one span, with attempts.
const SENDING: Duration = Duration::from_secs(20);

/// `wait` is how long a trace may take until Langfuse has it: seconds, under load longer.
pub(super) async fn check(args: &LangfuseArgs, wait: Duration, id: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    match traces::project(args) {
        Ok(Some(project)) => findings.extend(of_langfuse(&project, wait, id).await),
        Ok(None) => findings.push(Finding::not_tested(
            Area::Tracing,
            "Langfuse",
            "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set",
        )),
        Err(e) => findings.push(unusable("Langfuse", &e)),
    }
    findings.push(match from_variables(environment::variable) {
        Ok(Some(backend)) => match send(backend, id).await {
            Ok((place, _)) => {
                Finding::ok(Area::Tracing, "OTLP", format!("{place} accepted a trace of one span"))
            }
            Err(why) => not_sent("OTLP", &why),
        },
        Ok(None) => Finding::not_tested(
            Area::Tracing,
            "OTLP",
            "OTEL_EXPORTER_OTLP_ENDPOINT is not set, or traces are switched off",
        ),
        Err(e) => unusable("OTLP", &Failure::usage(e)),
    });
    findings
}

fn unusable(check: &'static str, failure: &Failure) -> Finding {
    let why = failure.message().unwrap_or("the settings cannot be used");
    let remedy = failure.remedy().unwrap_or("correct the variable that it names");
    Finding::failed(Area::Tracing, check, why, remedy)
}

/// The texts of these failures end with what to do.
fn not_sent(check: &'static str, why: &str) -> Finding {
    let remedy = "do what the line above says, then `loadcall doctor --only tracing`; runs go on without it, and `loadcall export RUN` sends their traces later";
    Finding::failed(Area::Tracing, check, why, remedy)
}

/// Sends one span; gives the backend's name and the id of the trace, or why it did not arrive.
async fn send(backend: Backend, id: &str) -> Result<(String, String), String> {
    let mut exporter = Exporter::new(backend, id).map_err(|e| e.to_string())?;
    let (trace, spans) = probe::trace(id, wall_now());
    let mut batch = Batch::default();
    batch.add(spans, exporter.limits());
    let (_sender, mut stop) = watch::channel(false);
    let budget = Budget::start(SENDING, Duration::ZERO);
    let fates = exporter.send(batch, &budget, &mut stop).await;
    let place = exporter.backend().shown();
    match fates.into_values().next() {
        Some(Fate::Arrived) => Ok((place, trace)),
        Some(Fate::Left(why) | Fate::Unknown(why)) => Err(why.to_string()),
        None => Err("nothing was sent".to_owned()),
    }
}

async fn of_langfuse(project: &Project, wait: Duration, id: &str) -> Vec<Finding> {
    let sent = match langfuse::backend(project) {
        Ok(backend) => send(backend, id).await,
        Err(why) => Err(why),
    };
    let trace = match sent {
        Ok((_, trace)) => trace,
        Err(why) => {
            let why_not = "the trace did not arrive";
            return vec![
                not_sent("Langfuse", &why),
                Finding::not_tested(Area::Tracing, "Langfuse back", why_not),
            ];
        }
    };
    let address = project.address();
    let taken =
        Finding::ok(Area::Tracing, "Langfuse", format!("{address} accepted a trace of one span"));
    eprint_line(&format!("waiting for the trace in Langfuse: up to {} s", wait.as_secs()));
    let back = match Client::new(project, REQUEST) {
        Ok(client) => read_back(&client, &trace, wait).await,
        Err(e) => Err(e),
    };
    vec![taken, came_back(back, wait, address, &trace)]
}

fn came_back(back: Result<bool, ApiError>, wait: Duration, address: &str, trace: &str) -> Finding {
    match back {
        Ok(true) => Finding::ok(
            Area::Tracing,
            "Langfuse back",
            format!("the trace was read back: {address}/trace/{trace}"),
        ),
        Ok(false) => Finding::failed(
            Area::Tracing,
            "Langfuse back",
            format!(
                "the trace was accepted, but could not be read back within {} s",
                wait.as_secs()
            ),
            "check that the worker of a self-hosted Langfuse runs; it may be behind: look for the trace later",
        ),
        Err(e) => Finding::failed(
            Area::Tracing,
            "Langfuse back",
            e.to_string(),
            "do what the line above says: traces are sent, but `loadcall trace` and `loadcall sessions` need to read them",
        ),
    }
}

/// Whether the trace appears, by the API of version 4, or that of earlier servers.
async fn read_back(client: &Client, trace: &str, wait: Duration) -> Result<bool, ApiError> {
    let until = Deadline::after(wait);
    let (query, legacy) =
        ([("traceId", trace), ("limit", "1")], format!("/api/public/traces/{trace}"));
    let mut is_legacy = false;
    while !until.is_over() {
        let found = if is_legacy {
            client.get(&legacy, &[], until).await.map(|_| true)
        } else {
            let found = client.get("/api/public/v2/observations", &query, until).await;
            found.map(|page| page["data"].as_array().is_some_and(|all| !all.is_empty()))
        };
        match found {
            Ok(true) => return Ok(true),
            Err(ApiError::NotFound { .. }) if !is_legacy => is_legacy = true,
            // There the trace itself is what is not found, as long as it is not there.
            Ok(false) | Err(ApiError::NotFound { .. }) => tokio::time::sleep(BETWEEN).await,
            Err(ApiError::Deadline { .. }) => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}
