//! A Langfuse project as a backend of OTLP.

#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::otlp::{Advice, Backend, Encoding, Kind, Limits, Place, Retry};
use crate::langfuse::Project;

/// Without it Langfuse queues spans for minutes and leaves attributes out.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-langfuse-ingestion-version"), HeaderValue::from_static("4"));
/// For one request.
const TIMEOUT: Duration = Duration::from_secs(10);

const ADVICE: Advice = Advice {
    unauthorized: "check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and that they belong to a project at this \
                   LANGFUSE_BASE_URL",
    forbidden: "check that LANGFUSE_SECRET_KEY is the project's and that its ingestion is not suspended",
    not_found: "LANGFUSE_BASE_URL is the address of its web interface, without a path of its API; the server has to be \
                3.22 or newer",
    redirected: "a redirect would lose the keys; set LANGFUSE_BASE_URL to the address it leads to",
    unreachable: "check LANGFUSE_BASE_URL and that the server runs",
};

/// The project as a backend. The `OTEL_EXPORTER_OTLP_*` variables are for another one, and none is read here.
///
/// # Errors
/// The address of the project cannot carry the path of its API.
pub fn backend(project: &Project) -> Result<Backend, String> {
    let endpoint = format!("{}/api/public/otel/v1/traces", project.address());
    let url = Url::parse(&endpoint).map_err(|e| e.to_string())?;
    let mut headers = HeaderMap::new();
    headers.insert(VERSION.0, VERSION.1);
    headers.insert(AUTHORIZATION, project.authorization().clone());
    let environment = project.environment();
    let resource = [
        ("service.name", "loadcall"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("langfuse.environment", environment),
        ("deployment.environment.name", environment),
    ];
    let project_digest = Some(project.digest().to_owned());
    Ok(Backend {
        place: Place { kind: Kind::Langfuse, endpoint, project: project_digest },
        name: "Langfuse",
        endpoint: url,
        address: project.url(),
        headers,
        hidden: project.hidden().to_vec(),
        resource: resource.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
        encoding: Encoding::Protobuf,
        gzip: true,
        timeout: TIMEOUT,
        retry: Retry::USUAL,
        limits: Limits::USUAL,
        advice: ADVICE,
    })
}
