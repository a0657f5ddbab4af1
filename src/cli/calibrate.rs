//! `loadcall calibrate`: calls to an agent whose delays are known, in this process, over a private
//! server, and how far off what was measured is.

use super::exit;
use super::failure::Failure;
use super::progress::{Progress, Verbosity};
use super::server::no_server;
use super::session::new_run_id;
use super::stop::{self, Stop};
use super::terminal::{eprint_line, print_result};
use super::{CalibrateArgs, calibrations, documents, files, logging, machine};
use crate::agent::script::Script;
use crate::agent::truth::Truth;
use crate::agent::worker::{Crash, Worker};
use crate::audio::Clip;
use crate::audio::opus;
use crate::calibrate::{self, AGENT, INTERRUPTION, QUESTION};
use crate::call::access::{Access, Gate};
use crate::call::config::CallConfig;
use crate::clock::Clock;
use crate::dev::{DevServer, Lane, Launch, Network};
use crate::plan::{Plan, Schedule, TargetId, Targets};
use crate::record::{Calibration, Run, RunHead, store};
use crate::report::text::{Colour, calibration};
use crate::room::endpoint::Endpoint;
use crate::room::packets::{Sayable, packet};
use crate::run::place;
use crate::run::recorder::Recorder;
use crate::scenario::metadata::Variables;
use crate::scenario::{Act, Scenario};
use crate::secret::Secret;
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

/// What is said: the clips that come with the scenarios.
const CLIPS: [(&str, &[u8]); 2] = [
    (QUESTION, include_bytes!("../../scenarios/clips/stop.wav")),
    (INTERRUPTION, include_bytes!("../../scenarios/clips/wait.wav")),
];
const CALLS: u32 = 6;
/// Twice as far apart as the calls of a run, because an agent joins with each caller and the server serves both on the
/// same machine: a join takes some 40 ms of CPU time, of which the caller's part, all that a run has of it, is a tenth.
const APART_MS: u16 = 100;
/// Truths of all calls.
const TRUTHS: usize = 1_000_000;

struct Prepared {
    scenario: Arc<Scenario>,
    text: String,
    sayable: Arc<[Option<Sayable>]>,
    calls: u32,
    run_id: String,
    clock: Clock,
}

pub(super) fn calibrate(args: &CalibrateArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars, args.verbose);
    let prepared = prepare(args)?;
    if let Some(out) = &args.out {
        // Found before the calls, and not after them.
        files::check_writable(out)?;
    }
    let folder = Folder::new(args.keep.as_deref(), &prepared.run_id)?;
    let runtime = machine::runtime(Some(prepared.scenario.load().at_a_time().into()))?;
    let measured = runtime.block_on(measure(args, &prepared, &folder.path, &bars));
    machine::shut_down(runtime);
    folder.remove();
    let (run, truths) = measured?;
    let errors = calibrate::errors(&run, &prepared.scenario, &truths, args.seed);
    let sounds = calibrate::by_sound(&run, &prepared.scenario, &truths, args.seed);
    if errors.is_empty() {
        return Err(Failure::nothing_measured("no calibration call succeeded"));
    }
    let calibration = Calibration {
        at: run.head.started_at.clone(),
        loadcall_version: run.head.loadcall_version.clone(),
        host: run.head.host.clone(),
        concurrency: args.concurrency,
        calls: prepared.calls,
        loss_percent: args.loss,
        jitter_ms: args.jitter_ms.into(),
        errors,
    };
    let answered = run.calls.iter().filter(|c| c.end.outcome.name() == "answered").count();
    let shown = calibration::Shown { calibration: &calibration, sounds: &sounds, answered };
    print_result(&calibration::render(shown, Colour::Always, documents::terminal_width()))?;
    if let Some(out) = &args.out {
        let text = serde_json::to_string_pretty(&calibration).map_err(Failure::internal)?;
        files::write(out, text.as_bytes())?;
    }
    match calibrations::keep(&calibration) {
        Ok(path) => print_result(&format!("saved to {}\n", path.display()))?,
        Err(e) if args.out.is_none() => return Err(e),
        Err(_) => {}
    }
    Ok(exit::PASS)
}

fn prepare(args: &CalibrateArgs) -> Result<Prepared, Failure> {
    let calls = args.calls.unwrap_or_else(|| CALLS.max(args.concurrency * 2));
    if args.concurrency > calls {
        let concurrency = args.concurrency;
        return Err(Failure::usage(format!(
            "--concurrency {concurrency} is more than --calls {calls}"
        ))
        .hint(format!("use --calls {} or more, or leave it out", concurrency * 2)));
    }
    let text = calibrate::scenario(calls, args.concurrency);
    let scenario = Scenario::parse(&text)
        .map_err(|_| Failure::internal("the calibration scenario is invalid"))?;
    let mut encoded = Vec::new();
    for (name, bytes) in CLIPS {
        let clip = Clip::from_wav(bytes).map_err(Failure::internal)?;
        let clip = opus::encode(&clip).map_err(Failure::internal)?;
        encoded.push((name, Sayable::from(&clip)));
    }
    let sayable = scenario.steps().iter().map(|step| {
        let Act::Say { clip, .. } = &step.act else { return None };
        encoded.iter().find(|(name, _)| *name == clip.file).map(|(_, clip)| clip.clone())
    });
    let sayable = sayable.collect();
    let clock = Clock::start();
    let run_id = new_run_id(clock)?;
    Ok(Prepared { scenario: Arc::new(scenario), text, sayable, calls, run_id, clock })
}

/// Server, agent and callers from beginning to end.
async fn measure(
    args: &CalibrateArgs,
    prepared: &Prepared,
    folder: &Path,
    bars: &MultiProgress,
) -> Result<(Run, Vec<Truth>), Failure> {
    let stop = stop::signals()?;
    let log = folder.join("livekit-server.log");
    let lane = Lane {
        jitter: Duration::from_millis(args.jitter_ms.into()),
        loss: args.loss / 100.0,
        ..Lane::default()
    };
    let launch = Launch::supervised_by_this_program().map_err(Failure::internal)?;
    let server = if lane == Lane::default() {
        DevServer::start(&launch, &log).await
    } else {
        let network = Network { to_server: lane, to_clients: lane, seed: args.seed };
        DevServer::start_behind(network, &launch, &log).await
    };
    let server = server.map_err(|e| no_server(&e))?;
    let endpoint = Endpoint {
        url: server.url.clone(),
        api_key: server.api_key.into(),
        api_secret: Secret::new(server.api_secret.into()),
    };
    let measured = Box::pin(with_agent(args, prepared, folder, bars, endpoint, stop)).await;
    server.stop().await;
    measured
}

async fn with_agent(
    args: &CalibrateArgs,
    prepared: &Prepared,
    folder: &Path,
    bars: &MultiProgress,
    endpoint: Endpoint,
    stop: Stop,
) -> Result<(Run, Vec<Truth>), Failure> {
    let (sender, mut receiver) = mpsc::channel(TRUTHS);
    let worker = Worker {
        endpoint: endpoint.clone(),
        name: AGENT.into(),
        script: Script::default(),
        crash: Crash::Refused,
        clock: prepared.clock,
        truth: Some(sender),
        say: |line| log::info!("{line}"),
    };
    let (registered, mut ready) = watch::channel(false);
    let (over, agent_stop) = watch::channel(false);
    let placing = async {
        // The sender is gone when the agent could not register, which its own result tells.
        let run = match ready.wait_for(|ready| *ready).await {
            Ok(_) => Some(place_calls(args, prepared, folder, bars, endpoint, stop).await),
            Err(_) => None,
        };
        over.send_replace(true);
        run
    };
    let (served, run) = tokio::join!(worker.serve(registered, agent_stop), placing);
    served.map_err(Failure::nothing_measured)?;
    let run = run.ok_or_else(|| Failure::internal("the scripted agent did not start"))??;
    let mut truths = Vec::new();
    while let Ok(truth) = receiver.try_recv() {
        truths.push(truth);
    }
    if args.keep.is_some() {
        keep_truths(folder, &truths)?;
    }
    Ok((run, truths))
}

async fn place_calls(
    args: &CalibrateArgs,
    prepared: &Prepared,
    folder: &Path,
    bars: &MultiProgress,
    endpoint: Endpoint,
    stop: Stop,
) -> Result<Run, Failure> {
    let schedule = Schedule::apart_by(APART_MS, prepared.scenario.load());
    let plan = Plan { schedule, targets: Targets::ONE, seed: args.seed };
    let head = head(args, prepared, &endpoint);
    let (id, elsewhere) = (TargetId::FIRST, std::env::temp_dir());
    let mut recorder =
        Recorder::create(folder, &head, id, schedule.calls(), elsewhere, eprint_line)
            .map_err(Failure::usage)?;
    let how = if args.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    let mut progress = Progress::start(bars, plan, Arc::clone(&prepared.scenario), Vec::new(), how);
    let config = CallConfig {
        run_id: prepared.run_id.clone(),
        access: Access {
            gate: Gate::Keys(endpoint),
            metadata: Secret::new(prepared.scenario.agent().metadata.clone()),
            traceparent: false,
            variables: Variables::default(),
            end_states: None,
        },
        scenario: Arc::clone(&prepared.scenario),
        clips: Arc::clone(&prepared.sayable),
        silence: packet(&opus::silence().map_err(Failure::internal)?),
        clock: prepared.clock,
        taping: None,
        stop: stop.first.clone(),
    };
    place(&[config], &plan, &mut [&mut progress, &mut recorder], stop.second, None).await;
    if *stop.first.borrow() {
        return Err(Failure::shown(exit::STOPPED));
    }
    store::read(&recorder.end().map_err(Failure::internal)?).map_err(Failure::internal)
}

fn head(args: &CalibrateArgs, prepared: &Prepared, endpoint: &Endpoint) -> RunHead {
    RunHead {
        run_id: prepared.run_id.clone(),
        started_at: files::timestamp(prepared.clock.started_at()),
        loadcall_version: env!("CARGO_PKG_VERSION").into(),
        scenario_path: "calibration".into(),
        scenario_text: prepared.text.clone(),
        overlay: None,
        clips: prepared.sayable.iter().map(|_| None).collect(),
        seed: args.seed,
        server_url: endpoint.url.clone(),
        langfuse_url: None,
        agent_started: false,
        labels: crate::record::Labels::default(),
        server: None,
        host: machine::host(),
        calibration: None,
        arm: None,
    }
}

fn keep_truths(folder: &Path, truths: &[Truth]) -> Result<(), Failure> {
    let lines: Vec<String> =
        truths.iter().filter_map(|truth| serde_json::to_string(truth).ok()).collect();
    files::write(&folder.join("truth.jsonl"), (lines.join("\n") + "\n").as_bytes())
}

/// The folder of a calibration, which is removed unless it was asked for.
struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Folder {
    fn new(keep: Option<&Path>, run_id: &str) -> Result<Self, Failure> {
        if let Some(keep) = keep {
            let path = files::make_run_folder(Some(keep), run_id)
                .map_err(|failure| failure.hint("choose another folder with --keep DIR"))?;
            return Ok(Self { path, temporary: None });
        }
        let made = tempfile::Builder::new().prefix("loadcall-calibrate-").tempdir();
        let made = made.map_err(|e| {
            let place = std::env::temp_dir();
            Failure::usage(format!("cannot make a folder in `{}`: {e}", place.display()))
        })?;
        Ok(Self { path: made.path().to_path_buf(), temporary: Some(made) })
    }

    fn remove(self) {
        if let Some(Err(e)) = self.temporary.map(TempDir::close) {
            log::warn!("`{}` was not removed: {e}", self.path.display());
        }
    }
}
