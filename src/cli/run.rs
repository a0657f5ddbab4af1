//! `loadcall run`: scenario → calls → recording → report → verdict.

use super::exit::{self, Failure, print, tell};
use super::progress::{Shown, Verbosity};
use super::report::{self, Judged};
use super::{RunArgs, ServerArgs, clips, files, logging, traces};
use crate::audio::opus;
use crate::call::drive::{Calling, Sayable, packet};
use crate::call::livekit::Target;
use crate::clock::Clock;
use crate::dev::{DevAgent, DevServer};
use crate::plan::Plan;
use crate::record::store::Writer;
use crate::record::{CallRecord, Host, Run, RunHead, RunTail};
use crate::run::{Progress, place};
use crate::scenario::Scenario;
use crate::secret::Secret;
use crate::verdict::Baseline;
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Everything a run needs that can be wrong before the first call.
struct Prepared {
    scenario: Arc<Scenario>,
    text: String,
    clips: Vec<Option<clips::Loaded>>,
    sayable: Arc<[Option<Sayable>]>,
    run_id: String,
    folder: PathBuf,
    baseline: Option<Baseline>,
    clock: Clock,
}

pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars);
    let server = Server::from_args(&args.server)?;
    let prepared = prepare(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(format!("cannot start the runtime: {e}")))?;
    let run = runtime.block_on(calls(args, &server, &prepared, &bars))?;
    // Whatever still waits for a server that does not answer is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let judged = Judged::against(run, prepared.baseline.as_ref(), args.seed)?;
    let written = files::write(&prepared.folder.join("report.json"), judged.json().as_bytes());
    if args.out.is_none() {
        files::point_latest_at(&prepared.folder);
    }
    print(&judged.text(&prepared.folder))?;
    written?;
    Ok(exit::of(judged.verdict.outcome))
}

fn prepare(args: &RunArgs) -> Result<Prepared, Failure> {
    let text = files::read_scenario(&args.scenario)?;
    let scenario = super::check::parse(&args.scenario, &text)?;
    let loaded = super::check::load_clips(&args.scenario, &text, &scenario)?;
    let baseline = report::baseline_for(&args.scenario, args.baseline.as_deref())?;
    let encoded = clips::encode(&loaded).map_err(Failure::internal)?;
    let sayable = encoded.iter().map(|clip| clip.as_ref().map(Sayable::from)).collect();
    let clock = Clock::start();
    let run_id = files::new_run_id(clock.started_at());
    let folder = files::make_run_folder(args.out.as_deref(), &run_id)?;
    let scenario = Arc::new(scenario);
    Ok(Prepared { scenario, text, clips: loaded, sayable, run_id, folder, baseline, clock })
}

/// Which server the calls go to.
enum Server {
    Given { target: Target, agent_command: Option<String> },
    Private { agent_command: Option<String> },
}

/// What was started for this run.
struct Started {
    server: Option<DevServer>,
    agent: Option<DevAgent>,
}

impl Server {
    fn from_args(args: &ServerArgs) -> Result<Self, Failure> {
        let agent_command = args.agent_command.clone();
        if args.dev {
            return Ok(Self::Private { agent_command });
        }
        let Some(url) = &args.url else {
            return Err(Failure::usage("no LiveKit server to call").hint(
                "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or --url, --api-key and \
                 --api-secret), or start a private server on loopback with --dev",
            ));
        };
        if !["ws://", "wss://", "http://", "https://"].iter().any(|s| url.starts_with(s)) {
            return Err(Failure::usage(format!("`{url}` is no address of a LiveKit server"))
                .hint("write it as ws://host:port or wss://host"));
        }
        let (Some(api_key), Some(api_secret)) = (&args.api_key, &args.api_secret) else {
            return Err(Failure::usage("a LiveKit server, but no keys for it")
                .hint("set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"));
        };
        let target =
            Target { url: url.clone(), api_key: api_key.clone(), api_secret: api_secret.clone() };
        Ok(Self::Given { target, agent_command })
    }

    async fn start(&self, folder: &Path, how: Verbosity) -> Result<(Target, Started), Failure> {
        let say = |text: &str| {
            if how == Verbosity::Normal {
                tell(text);
            }
        };
        let (target, server, command) = match self {
            Self::Given { target, agent_command } => (target.clone(), None, agent_command),
            Self::Private { agent_command } => {
                let log = folder.join("livekit-server.log");
                let server = DevServer::start(&log).await.map_err(Failure::nothing_measured)?;
                let (key, secret) = (server.api_key, server.api_secret);
                say(&format!(
                    "private livekit-server: LIVEKIT_URL={} LIVEKIT_API_KEY={key} \
                     LIVEKIT_API_SECRET={secret}",
                    server.url
                ));
                let target = Target {
                    url: server.url.clone(),
                    api_key: key.into(),
                    api_secret: Secret::new(secret.into()),
                };
                (target, Some(server), agent_command)
            }
        };
        let mut agent = None;
        if let Some(command) = command {
            say(&format!("starting the agent: {command}"));
            let keys = (target.api_key.as_str(), target.api_secret.expose());
            let log = folder.join("agent.log");
            match DevAgent::start(command, &target.url, keys, &log).await {
                Ok(started) => agent = Some(started),
                Err(e) => {
                    Started { server, agent: None }.stop().await;
                    return Err(Failure::nothing_measured(e));
                }
            }
        }
        Ok((target, Started { server, agent }))
    }
}

impl Started {
    async fn stop(self) {
        if let Some(agent) = self.agent {
            agent.stop().await;
        }
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

/// Starts what is needed, places the calls, and ends what was started whatever happened.
async fn calls(
    args: &RunArgs,
    server: &Server,
    prepared: &Prepared,
    bars: &MultiProgress,
) -> Result<Run, Failure> {
    let stop = stop_signals()?;
    let how = if args.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    let mut stopped = stop.first.clone();
    let (target, started) = tokio::select! {
        started = server.start(&prepared.folder, how) => started?,
        _ = stopped.wait_for(|stop| *stop) => return Err(Failure::shown(exit::STOPPED)),
    };
    let placed = place_calls(args, prepared, target, stop, bars, how).await;
    started.stop().await;
    placed
}

async fn place_calls(
    args: &RunArgs,
    prepared: &Prepared,
    target: Target,
    mut stop: Stop,
    bars: &MultiProgress,
    how: Verbosity,
) -> Result<Run, Failure> {
    target.probe().await.map_err(Failure::nothing_measured)?;
    let head = head(args, prepared, &target);
    let mut writer = Writer::create(&prepared.folder, &head).map_err(Failure::usage)?;
    let langfuse = traces::langfuse(&args.langfuse, &prepared.run_id)?;
    let plan = Plan::of(&prepared.scenario, &prepared.run_id);
    let planned = u32::try_from(plan.calls.len()).unwrap_or(u32::MAX);
    let mut shown = Shown::start(bars, plan.calls.len(), how);
    let calling = Calling {
        target,
        scenario: Arc::clone(&prepared.scenario),
        clips: Arc::clone(&prepared.sayable),
        silence: packet(&opus::silence().map_err(Failure::internal)?),
        clock: prepared.clock,
        stop: stop.first.clone(),
    };
    let mut kept: Vec<CallRecord> = Vec::new();
    let mut unwritten = None;
    let placing = place(&calling, plan, |progress| {
        shown.on(&progress);
        if let Progress::Ended(call) = progress {
            kept.push(call.clone());
            if let Err(e) = writer.call(call)
                && unwritten.is_none()
            {
                tell(&format!("warning: {e}; the run goes on without a recording"));
                unwritten = Some(e);
            }
        }
    });
    let finished = tokio::select! {
        finished = placing => Some(finished),
        _ = stop.second.wait_for(|stop| *stop) => None,
    };
    shown.end();
    let (calls, tail) = finished.unwrap_or_else(|| {
        kept.sort_by_key(|call| call.id);
        let ended = prepared.clock.now();
        (kept, RunTail { ended, stopped: true, gave_up: false, planned })
    });
    if unwritten.is_none() {
        writer.end(&tail).map_err(Failure::internal)?;
    }
    let run = Run { head, calls, tail: Some(tail) };
    if let Some(langfuse) = langfuse {
        tokio::select! {
            () = traces::send(langfuse, &run, &prepared.scenario) => {}
            _ = stop.second.wait_for(|stop| *stop) => {}
        }
    }
    Ok(run)
}

fn head(args: &RunArgs, prepared: &Prepared, target: &Target) -> RunHead {
    RunHead {
        run_id: prepared.run_id.clone(),
        started_at: files::timestamp(prepared.clock.started_at()),
        loadcall_version: env!("CARGO_PKG_VERSION").into(),
        scenario_path: args.scenario.display().to_string(),
        scenario_text: prepared.text.clone(),
        clips: prepared.clips.iter().map(|c| c.as_ref().map(clips::Loaded::fact)).collect(),
        seed: args.seed,
        server_url: without_credentials(&target.url),
        host: Host {
            os: std::env::consts::OS.into(),
            cpus: std::thread::available_parallelism()
                .map_or(0, |n| u32::try_from(n.get()).unwrap_or(0)),
        },
    }
}

/// `wss://user:password@host/path?query` → `wss://host/path`.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}{slash}{path}")
}

/// The user's wish to stop: first in order, then at once.
struct Stop {
    first: watch::Receiver<bool>,
    second: watch::Receiver<bool>,
}

#[expect(clippy::disallowed_methods, reason = "a watcher that ends with the process")]
fn stop_signals() -> Result<Stop, Failure> {
    let cannot = |e| Failure::internal(format!("cannot watch for signals: {e}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let (first_out, first) = watch::channel(false);
    let (second_out, second) = watch::channel(false);
    tokio::spawn(async move {
        for (n, out) in [first_out, second_out].iter().enumerate() {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if n == 0 {
                tell("stopping: hanging up in order; once more to stop at once");
            }
            out.send_replace(true);
        }
        std::future::pending::<()>().await;
    });
    Ok(Stop { first, second })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_without_what_is_secret_in_it() {
        for (url, kept) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            ("wss://user:pass@host.example/rtc?access_token=x", "wss://host.example/rtc"),
            ("wss://host.example?key=a@b", "wss://host.example"),
        ] {
            assert_eq!(without_credentials(url), kept);
        }
    }
}
