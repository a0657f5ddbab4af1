//! Every secret that a user gives, looked for in everything that comes out: the terminal, the files of the run, and what
//! backends of traces were sent.

use super::cases::{Tested, check};
use super::stage::{Ran, Stage, ran};
use crate::common::loadcall;
use crate::http::{Answer, Request, Server};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

const LANGFUSE: &str = "sk-lf-hunter-langfuse";
const OTLP: &str = "hunter-otlp-0123456789";
const SYSTEM: &str = "hunter-system-0123456789";
/// A number within the metadata that the agent is dispatched with: the agent takes no keys that it does not know.
const METADATA: &str = "918273645546372";

/// All of them, and how they look on their way: both keys of Langfuse together, and the beginning of every token of
/// LiveKit's.
const SECRETS: [(&str, &str); 7] = [
    ("Langfuse's secret key", LANGFUSE),
    ("Langfuse's keys in Base64", "cGstbGYtMTpzay1sZi1odW50ZXItbGFuZ2Z1c2U="),
    ("the header of the OTLP backend", OTLP),
    ("the header of the product's system", SYSTEM),
    ("the agent's metadata", METADATA),
    ("a token of LiveKit", "eyJ0eXAiOi"),
    ("a token of LiveKit", "eyJhbGciOi"),
];

/// A backend of traces, with an answer that fits every request.
fn backend() -> Server {
    let answer = r#"{"id":"ds-1","status":"OK","version":"4.16.0","data":[],"meta":{}}"#;
    Server::answers([Answer::new(200, answer)])
}

/// The product's system: a booking that becomes so during the call.
fn product() -> Server {
    let status = |status: &str| Answer::new(200, &format!(r#"{{"status":"{status}"}}"#));
    Server::answers([status("open"), status("booked")])
}

fn scenario(system: &Server) -> String {
    format!(
        "version: 1
name: secrets
agent: {{name: demo-agent, metadata: {{$env: AGENT_METADATA}}, join_timeout: 20s}}
turns:
  - {{id: greeting, expect: {{agent: speaks, within: 5s}}}}
end_state:
  - {{get: \"{}/bookings/{{{{room}}}}\", headers: {{Authorization: {{$env: SYSTEM}}}}, within: 2s, equals: {{status: booked}}}}
hangup: {{max_call: 60s}}
load: {{executor: once}}
",
        system.url()
    )
}

/// A text as bytes, unpacked where it is packed.
fn unpacked(request: &Request) -> Vec<u8> {
    let mut body = Vec::new();
    let packed = request.headers.get("content-encoding").is_some_and(|name| name == "gzip");
    if packed {
        flate2::read::GzDecoder::new(request.body.as_slice()).read_to_end(&mut body).unwrap();
        return body;
    }
    request.body.clone()
}

/// What went over the wire without the header that the secret belongs into.
fn sent(server: &Server, header: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for request in server.arrived() {
        all.extend_from_slice(format!("{} {:?}\n", request.path, request.query).as_bytes());
        for (name, value) in request.headers.iter().filter(|(name, _)| *name != header) {
            all.extend_from_slice(format!("{name}: {value}\n").as_bytes());
        }
        all.extend(unpacked(&request));
    }
    all
}

/// Every file in a folder and the folders in it, by its name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

pub(crate) fn no_secret_comes_out(stage: &Stage) -> Tested {
    let (langfuse, otlp, system) = (backend(), backend(), product());
    let scenario = stage.scenario("secrets", &scenario(&system));
    let out = stage.new_folder();
    let metadata = format!(
        r#"{{"greeting": {{"text": "Hello.", "audio_ms": 500}}, "replies": ["Nine."], "seed": {METADATA}}}"#
    );
    let with_secrets = |command: &mut Command| -> Result<Ran, std::io::Error> {
        command
            .env("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
            .env("LANGFUSE_SECRET_KEY", LANGFUSE)
            .env("LANGFUSE_BASE_URL", langfuse.url())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.url())
            .env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{OTLP}"))
            .env("SYSTEM", SYSTEM)
            .env("AGENT_METADATA", &metadata);
        Ok(ran(stage.at_server(command).output()?, out.clone()))
    };
    let placed = with_secrets(stage.command(&scenario, &out).args([
        "-vv",
        "--keep-audio",
        "none",
        "--langfuse-experiment=secrets",
    ]))?;
    check(placed.code == Some(0), "the run passes", &placed)?;
    let mut seen = vec![("loadcall run".to_owned(), placed.seen().into_bytes())];
    let run = out.display().to_string();
    let file = scenario.display().to_string();
    for arguments in [
        vec!["report", &run],
        vec!["report", &run, "--format", "json"],
        vec!["report", &run, "--format", "html"],
        vec!["report", &run, "--format", "junit"],
        vec!["report", &run, "--format", "markdown"],
        vec!["calls", &run, "--format", "json"],
        vec!["trace", &run, "0", "--wait", "0s"],
        vec!["export", &run, "--again"],
        vec!["sessions"],
        vec!["check", &file],
        vec!["doctor", &file, "-vv", "--wait", "1s"],
    ] {
        let shown = with_secrets(loadcall().args(&arguments))?;
        check(!shown.stdout.is_empty() || !shown.stderr.is_empty(), "it says something", &shown)?;
        seen.push((format!("loadcall {}", arguments.join(" ")), shown.seen().into_bytes()));
    }
    let written = files(&out);
    check(written.len() >= 4, &format!("files: {}", written.len()), &placed)?;
    seen.extend(written);
    seen.push(("what Langfuse was sent".to_owned(), sent(&langfuse, "authorization")));
    seen.push(("what the OTLP backend was sent".to_owned(), sent(&otlp, "authorization")));
    // They were used: each is where it belongs.
    let carried = |server: &Server, secret: &str| {
        let all = server.arrived();
        !all.is_empty() && all.iter().all(|of| of.headers["authorization"].contains(secret))
    };
    check(carried(&langfuse, SECRETS[1].1), "Langfuse got its keys, and no others", &placed)?;
    check(carried(&otlp, OTLP), "the OTLP backend got its key", &placed)?;
    check(carried(&system, SYSTEM), "the product's system got its key", &placed)?;
    for (place, bytes) in &seen {
        for (name, secret) in SECRETS {
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            check(!holds, &format!("{place} holds {name}"), &placed)?;
        }
    }
    Ok(())
}
