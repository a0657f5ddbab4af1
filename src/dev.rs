//! Private processes for one run: a livekit-server on loopback and, when asked for, the agent under
//! test beside it. Both are ended when the run ends, also when it fails.

mod network;

pub use network::{Lane, Media, Network, Relay};

use rustix::process::{Pid, Signal, kill_process_group};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The release that `make demo` installs and that loadcall is tested with.
pub const SERVER_MODULE: &str = "github.com/livekit/livekit-server/cmd/server@v1.13.5";
/// What livekit-server uses in `--dev` mode.
const DEV_KEY: (&str, &str) = ("devkey", "secret");
/// How long the server may take until it answers, and an agent until it is registered.
const SERVER_START: Duration = Duration::from_secs(15);
const AGENT_START: Duration = Duration::from_secs(90);
/// How long a process may take to end by itself before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Goes on with the server's `rtc` settings: media on 127.0.0.1 alone, whatever other addresses the
/// machine has. A relay has the same port of another one, and sending from `::1`, which the server would
/// offer too, costs the kernel more.
const ON_LOOPBACK: &str = "  enable_loopback_candidate: true
  ips:
    includes: [127.0.0.1/32]
";
/// The same: send no checks of its own, which would find a way around the relay.
const BEHIND_RELAY: &str = "  use_ice_lite: true
";
/// What livekit-agents (Python and Node) logs once it can take calls.
const REGISTERED: &str = "registered worker";

#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error(
        "there is no livekit-server on the PATH or in .tools/bin: run `make tools`, or `go install {SERVER_MODULE}` and put it on the PATH as livekit-server"
    )]
    NoServer,
    #[error("cannot start `{program}`: {source}")]
    Spawn { program: String, source: std::io::Error },
    #[error("no free port on loopback: {0}")]
    Port(std::io::Error),
    #[error("cannot relay the media of a private server (only Linux has all of 127.0.0.0/8): {0}")]
    Relay(std::io::Error),
    #[error("cannot write the log `{path}`: {source}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("livekit-server ended before it answered ({status}): see `{log}`")]
    ServerEnded { status: ExitStatus, log: PathBuf },
    #[error("livekit-server did not answer within {SERVER_START:?}: see `{log}`")]
    ServerSilent { log: PathBuf },
    #[error("the agent command ended before the agent had registered ({status}): see `{log}`")]
    AgentEnded { status: ExitStatus, log: PathBuf },
    #[error(
        "the agent did not log `{REGISTERED}` within {AGENT_START:?}: see `{log}`, and start agents of other kinds by hand"
    )]
    AgentSilent { log: PathBuf },
}

/// A livekit-server of our own on loopback.
#[derive(Debug)]
pub struct DevServer {
    process: Process,
    relay: Option<Relay>,
    pub url: String,
    pub api_key: &'static str,
    pub api_secret: &'static str,
}

impl DevServer {
    /// Starts a server on free ports and waits until it answers; it logs to `log`.
    pub async fn start(log: &Path) -> Result<Self, DevError> {
        Self::start_with(log, None).await
    }

    /// As [`Self::start`], with a network between the server's media and its clients (callers and
    /// agents alike).
    pub async fn start_behind(network: Network, log: &Path) -> Result<Self, DevError> {
        Self::start_with(log, Some(network)).await
    }

    async fn start_with(log: &Path, network: Option<Network>) -> Result<Self, DevError> {
        let program = server_program().ok_or(DevError::NoServer)?;
        // Ports are free when they are picked and may be taken when they are used: try again then.
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::start_once(&program, log, network).await {
                Err(DevError::ServerEnded { .. } | DevError::Relay(_)) if tries < 3 => {}
                other => return other,
            }
        }
    }

    async fn start_once(
        program: &Path,
        log: &Path,
        network: Option<Network>,
    ) -> Result<Self, DevError> {
        let (http, tcp, udp) = free_ports().map_err(DevError::Port)?;
        let mut config = format!(
            "port: {http}\nlogging:\n  level: info\nrtc:\n  tcp_port: {tcp}\n  udp_port: {udp}\n{ON_LOOPBACK}"
        );
        let mut media_address = Ipv4Addr::LOCALHOST;
        let mut relay = None;
        if let Some(network) = network {
            relay = Some(Relay::start(network, udp).await?);
            media_address = network::RELAY_ADDRESS;
            config.push_str(BEHIND_RELAY);
        }
        let mut command = Command::new(program);
        command
            .args(["--dev", "--bind", "127.0.0.1", "--node-ip"])
            .arg(media_address.to_string())
            .arg("--config-body")
            .arg(config)
            // These would override the private server's own settings.
            .env_remove("LIVEKIT_CONFIG")
            .env_remove("LIVEKIT_KEYS");
        let mut process = Process::start(command, log, &program.display().to_string()).await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http));
        let answers = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = answers => {}
            status = process.child.wait() => {
                let status = status.map_err(|source| spawn_error(program, source))?;
                return Err(DevError::ServerEnded { status, log: log.into() });
            }
            () = sleep(SERVER_START) => return Err(DevError::ServerSilent { log: log.into() }),
        }
        let (api_key, api_secret) = DEV_KEY;
        Ok(Self { process, relay, url: format!("ws://127.0.0.1:{http}"), api_key, api_secret })
    }

    pub async fn stop(self) {
        self.process.stop().await;
    }

    /// What lies between the server's media and its clients, if it was started behind something.
    pub fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }

    /// The server's process id, for tests that need it to die.
    pub fn pid(&self) -> Option<u32> {
        self.process.child.id()
    }
}

/// An agent worker started from a shell command, with the server's address and keys in its
/// environment.
#[derive(Debug)]
pub struct DevAgent {
    process: Process,
}

impl DevAgent {
    /// Starts `command` in a shell and waits until it has registered with the server.
    pub async fn start(
        command: &str,
        url: &str,
        (api_key, api_secret): (&str, &str),
        log: &Path,
    ) -> Result<Self, DevError> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        Self::start_program(shell, command, url, (api_key, api_secret), log).await
    }

    /// Starts our own scripted agent with this name.
    pub async fn start_scripted(
        name: &str,
        url: &str,
        keys: (&str, &str),
        log: &Path,
    ) -> Result<Self, DevError> {
        let program =
            std::env::current_exe().map_err(|source| spawn_error(Path::new("loadcall"), source))?;
        let shown = format!("{} agent", program.display());
        let mut command = Command::new(program);
        command.args(["agent", "--name", name]);
        Self::start_program(command, &shown, url, keys, log).await
    }

    async fn start_program(
        mut program: Command,
        command: &str,
        url: &str,
        (api_key, api_secret): (&str, &str),
        log: &Path,
    ) -> Result<Self, DevError> {
        program
            .env("LIVEKIT_URL", url)
            .env("LIVEKIT_API_KEY", api_key)
            .env("LIVEKIT_API_SECRET", api_secret);
        let mut process = Process::start(program, log, command).await?;
        let mut registered = process.registered.clone();
        tokio::select! {
            seen = registered.wait_for(|seen| *seen) => {
                // The sender is gone when the agent closed its output: its end is seen below.
                if seen.is_err() {
                    let status = process.child.wait().await
                        .map_err(|source| spawn_error(Path::new(command), source))?;
                    return Err(DevError::AgentEnded { status, log: log.into() });
                }
            }
            status = process.child.wait() => {
                let status = status.map_err(|source| spawn_error(Path::new(command), source))?;
                return Err(DevError::AgentEnded { status, log: log.into() });
            }
            () = sleep(AGENT_START) => return Err(DevError::AgentSilent { log: log.into() }),
        }
        Ok(Self { process })
    }

    pub async fn stop(self) {
        self.process.stop().await;
    }

    /// The process group the agent and its children run in, for tests that need some to die.
    pub fn process_group(&self) -> Option<u32> {
        self.process.child.id()
    }
}

/// A child in a process group of its own, whose output goes to a log.
#[derive(Debug)]
struct Process {
    child: Child,
    /// Led by the child; `None` once it was ended.
    group: Option<Pid>,
    /// Becomes true when the output contains [`REGISTERED`].
    registered: watch::Receiver<bool>,
    copying: JoinSet<()>,
}

impl Process {
    async fn start(mut command: Command, log: &Path, name: &str) -> Result<Self, DevError> {
        let log_error = |source| DevError::Log { path: log.into(), source };
        let file = File::options().create(true).append(true).open(log).await.map_err(log_error)?;
        let second = file.try_clone().await.map_err(log_error)?;
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| DevError::Spawn { program: name.into(), source })?;
        let (seen, registered) = watch::channel(false);
        let mut copying = JoinSet::new();
        if let Some(out) = child.stdout.take() {
            copying.spawn(copy_output(out, file, seen.clone()));
        }
        if let Some(err) = child.stderr.take() {
            copying.spawn(copy_output(err, second, seen));
        }
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { child, group, registered, copying })
    }

    /// Asks the whole group to end, and kills what has not after [`STOP_PATIENCE`].
    async fn stop(mut self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::TERM);
        }
        let _ = timeout(STOP_PATIENCE, self.child.wait()).await;
        self.kill_group();
        let _ = timeout(STOP_PATIENCE, self.child.wait()).await;
        // What the group wrote last belongs in the log.
        let drained = async { while self.copying.join_next().await.is_some() {} };
        let _ = timeout(Duration::from_millis(500), drained).await;
    }

    /// Kills the leader and whatever of the group has outlived it.
    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
    }
}

/// Copies output to the log, whatever bytes it is, and watches it for [`REGISTERED`].
async fn copy_output(mut from: impl AsyncRead + Unpin, mut log: File, seen: watch::Sender<bool>) {
    let mut chunk = vec![0; 8_192];
    let mut recent: Vec<u8> = Vec::new();
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        let _ = log.write_all(&chunk[..n]).await;
        let _ = log.flush().await;
        // The marker may be cut by the end of a chunk.
        recent.extend_from_slice(&chunk[..n]);
        if recent.windows(REGISTERED.len()).any(|part| part == REGISTERED.as_bytes()) {
            seen.send_replace(true);
        }
        recent.drain(..recent.len().saturating_sub(REGISTERED.len()));
    }
}

fn spawn_error(program: &Path, source: std::io::Error) -> DevError {
    DevError::Spawn { program: program.display().to_string(), source }
}

/// livekit-server from the PATH, else the one `make tools` installed.
fn server_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("livekit-server"))
        .chain([PathBuf::from(".tools/bin/livekit-server")])
        .find(|program| program.is_file())
}

/// A free TCP port for signalling and a TCP and a UDP port for media.
fn free_ports() -> std::io::Result<(u16, u16, u16)> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let (http, tcp) = (TcpListener::bind(any)?, TcpListener::bind(any)?);
    let udp = UdpSocket::bind(any)?;
    Ok((http.local_addr()?.port(), tcp.local_addr()?.port(), udp.local_addr()?.port()))
}
