//! What the live tests share: the server, the demo agent, and running loadcall on a scenario.

use crate::common::{loadcall, root};
use crate::field::play::Field;
use loadcall::dev::{DevAgent, DevServer, Launch, Network};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) const PYTHON: &str = ".tools/venv/bin/python";

/// Server and agent, up for all tests.
pub(crate) struct Stage {
    runtime: Runtime,
    pub(crate) server: DevServer,
    agent: DevAgent,
    /// Started by the first test that needs it.
    field: OnceLock<Field>,
    folder: TempDir,
}

/// What a run of loadcall came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `report.json`; null when there is none.
    pub(crate) report: Value,
    /// The run folder.
    pub(crate) out: PathBuf,
}

impl Stage {
    /// What keeps the live tests from running.
    pub(crate) fn missing_tools() -> Option<&'static str> {
        (!root().join(PYTHON).exists()).then_some("no Python environment: run `make tools`")
    }

    pub(crate) fn set_up() -> Self {
        // The tools are found from the project's root.
        std::env::set_current_dir(root()).unwrap();
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let clips = folder.path().join("clips");
        std::fs::create_dir(&clips).unwrap();
        for clip in ["hours.wav", "wait.wav"] {
            std::fs::copy(root().join("scenarios/clips").join(clip), clips.join(clip)).unwrap();
        }
        let log = folder.path().join("server.log");
        let server = runtime.block_on(DevServer::start(&Launch::Direct, &log)).unwrap();
        let agent = runtime.block_on(start_agent(&server, folder.path())).unwrap();
        Self { runtime, server, agent, field: OnceLock::new(), folder }
    }

    pub(crate) fn tear_down(self) {
        self.runtime.block_on(async {
            if let Some(field) = self.field.into_inner() {
                field.agent.stop().await;
            }
            self.agent.stop().await;
            self.server.stop().await;
        });
    }

    /// The field agent.
    pub(crate) fn field(&self) -> &Field {
        self.field.get_or_init(|| {
            let folder = self.folder.path();
            self.runtime.block_on(Field::start(&self.server, folder)).unwrap()
        })
    }

    /// Where tests keep their files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A second server, for a test that lets it die.
    pub(crate) fn another_server(&self) -> (DevServer, DevAgent) {
        let folder = self.folder.path();
        self.runtime.block_on(async {
            let log = folder.join("server2.log");
            let server = DevServer::start(&Launch::Direct, &log).await.unwrap();
            let agent = start_agent(&server, folder).await.unwrap();
            (server, agent)
        })
    }

    /// A server with a network between its media and its clients.
    pub(crate) fn server_behind(&self, network: Network) -> DevServer {
        let log = self.folder.path().join("server-behind.log");
        let starting = DevServer::start_behind(network, &Launch::Direct, &log);
        self.runtime.block_on(starting).unwrap()
    }

    /// The same with an agent on it.
    pub(crate) fn behind(&self, network: Network) -> (DevServer, DevAgent) {
        let server = self.server_behind(network);
        let agent = self.runtime.block_on(start_agent(&server, self.folder.path())).unwrap();
        (server, agent)
    }

    pub(crate) fn stop_server(&self, server: DevServer) {
        self.runtime.block_on(server.stop());
    }

    pub(crate) fn stop(&self, server: DevServer, agent: DevAgent) {
        self.runtime.block_on(async {
            agent.stop().await;
            server.stop().await;
        });
    }

    /// Writes a scenario and gives its path.
    pub(crate) fn scenario(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.yaml"));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs a scenario to its end. Audio is kept only where a test asks for it: making its files would take CPU
    /// time from the runs beside it.
    pub(crate) fn run(&self, scenario: &Path, more: &[&str]) -> Ran {
        let out = self.new_folder();
        let mut command = self.command(scenario, &out);
        if !more.contains(&"--keep-audio") {
            command.args(["--keep-audio", "none"]);
        }
        let output = command.args(more).output().unwrap();
        ran(output, out)
    }

    /// Starts a run that the test watches.
    pub(crate) fn start(&self, scenario: &Path) -> (Child, PathBuf) {
        let out = self.new_folder();
        let child = self
            .command(scenario, &out)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (child, out)
    }

    /// `loadcall run` against the stage's server, to be changed by a test before it runs.
    pub(crate) fn command(&self, scenario: &Path, out: &Path) -> Command {
        let mut command = loadcall();
        command.arg("run").arg(scenario).arg("--out").arg(out);
        self.at_server(&mut command);
        command
    }

    /// Lets a command call on the stage's server.
    pub(crate) fn at_server<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LIVEKIT_URL", &self.server.url)
            .env("LIVEKIT_API_KEY", self.server.api_key)
            .env("LIVEKIT_API_SECRET", self.server.api_secret)
    }

    pub(crate) fn new_folder(&self) -> PathBuf {
        tempfile::tempdir_in(self.folder.path()).unwrap().keep()
    }
}

pub(crate) fn ran(output: Output, out: PathBuf) -> Ran {
    let report = std::fs::read(out.join("report.json"))
        .map(|bytes| serde_json::from_slice(&bytes).expect("report.json is JSON"))
        .unwrap_or_default();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        report,
        out,
    }
}

impl Ran {
    /// Everything there is to see, for the message of a failed check.
    pub(crate) fn seen(&self) -> String {
        format!("exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }

    /// The head of the recording.
    pub(crate) fn head(&self) -> Value {
        let text = std::fs::read_to_string(self.out.join("run.jsonl")).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        serde_json::from_str::<Value>(line)
            .map(|line| line["run"]["head"].clone())
            .unwrap_or_default()
    }

    /// The values of a reported stage in the turns of that id, in milliseconds.
    pub(crate) fn stages(&self, turn: &str, stage: &str) -> Vec<f64> {
        self.turns(turn).filter_map(|t| t["stages_ms"][stage].as_f64()).collect()
    }

    pub(crate) fn heard(&self, turn: &str) -> Vec<f64> {
        self.turns(turn).filter_map(|t| t["heard_ms"].as_f64()).collect()
    }

    pub(crate) fn turns(&self, turn: &str) -> impl Iterator<Item = &Value> {
        let turns = self.report["turns"].as_array().map(Vec::as_slice).unwrap_or_default();
        turns.iter().filter(move |t| t["turn"] == turn)
    }

    /// The outcomes of the calls, in their order.
    pub(crate) fn outcomes(&self) -> Vec<&str> {
        let calls = self.report["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        calls.iter().filter_map(|call| call["outcome"].as_str()).collect()
    }
}

async fn start_agent(
    server: &DevServer,
    folder: &Path,
) -> Result<DevAgent, loadcall::dev::DevError> {
    let command = format!("exec {PYTHON} demo/agent.py");
    let keys = (server.api_key, server.api_secret);
    let log = folder.join("agent.log");
    DevAgent::start(&command, &server.url, keys, &Launch::Direct, &log).await
}
