//! A call to the demo agent, whose spans reach a backend by way of loadcall's receiver.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::{loadcall, root};

const PYTHON: &str = ".tools/venv/bin/python";

/// A greeting and a question, with an agent that takes the caller's trace.
const SCENARIO: &str = "version: 1
name: collected
agent: {name: collected, metadata: {greeting: {text: Hello., audio_ms: 500}, replies: [Nine.], reply_audio_ms: 600}, join_timeout: 60s}
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: hours.wav}
    expect: {agent: responds, within: 6s}
hangup: {max_call: 60s}
load: {executor: once}
";

/// What keeps the agent from running: `make tools` installs it.
pub(crate) fn is_missing() -> bool {
    !root().join(PYTHON).exists()
}

/// Places the call into `folder`/run; both sides' spans go to `endpoint`.
pub(crate) fn call(folder: &Path, endpoint: &str) -> Output {
    let scenario = folder.join("collected.yaml");
    std::fs::write(&scenario, SCENARIO).unwrap();
    std::fs::copy(root().join("scenarios/clips/hours.wav"), folder.join("hours.wav")).unwrap();
    let agent = format!("DEMO_AGENT_NAME=collected exec {PYTHON} demo/agent.py");
    let mut command: Command = loadcall();
    command
        .current_dir(root())
        .arg("run")
        .arg(scenario)
        .arg("--out")
        .arg(folder.join("run"))
        .args(["--dev", "--agent-command", &agent, "--keep-audio", "none"])
        .args(["--traceparent", "--otlp-forward", "otlp"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    command.output().unwrap()
}
