//! Placing the calls of a scenario: what is prepared before the first one, what is kept of each, and
//! an orderly end.

use super::exit::{self, Failure, tell};
use super::progress::{Shown, Verbosity};
use super::server::{self, Server};
use super::stop::{self, Stop};
use super::{PlacingArgs, calibrations, check, clips, files, traces};
use crate::audio::opus;
use crate::call::drive::{Calling, Sayable, packet};
use crate::call::livekit::Target;
use crate::clock::Clock;
use crate::plan::Plan;
use crate::record::store::Writer;
use crate::record::{CallRecord, Host, Run, RunHead, RunTail};
use crate::run::{Progress, place};
use crate::scenario::Scenario;
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything a run needs that can be wrong before the first call.
pub(super) struct Prepared {
    /// Where the scenario was read from.
    path: PathBuf,
    text: String,
    scenario: Arc<Scenario>,
    clips: Vec<Option<clips::Loaded>>,
    sayable: Arc<[Option<Sayable>]>,
    run_id: String,
    pub(super) folder: PathBuf,
    clock: Clock,
}

impl Prepared {
    /// Reads a scenario with its clips and makes the folder of its run.
    pub(super) fn new(path: &Path, out: Option<&Path>) -> Result<Self, Failure> {
        let text = files::read_scenario(path)?;
        let scenario = check::parse(path, &text)?;
        let loaded = check::load_clips(path, &text, &scenario)?;
        let encoded = clips::encode(&loaded).map_err(Failure::internal)?;
        let sayable = encoded.iter().map(|clip| clip.as_ref().map(Sayable::from)).collect();
        let clock = Clock::start();
        let run_id = files::new_run_id(clock.started_at());
        let folder = files::make_run_folder(out, &run_id)?;
        let (path, scenario) = (path.to_path_buf(), Arc::new(scenario));
        Ok(Self { path, text, scenario, clips: loaded, sayable, run_id, folder, clock })
    }

    fn head(&self, seed: u64, target: &Target) -> RunHead {
        RunHead {
            run_id: self.run_id.clone(),
            started_at: files::timestamp(self.clock.started_at()),
            loadcall_version: env!("CARGO_PKG_VERSION").into(),
            scenario_path: self.path.display().to_string(),
            scenario_text: self.text.clone(),
            clips: self.clips.iter().map(|c| c.as_ref().map(clips::Loaded::fact)).collect(),
            seed,
            server_url: server::without_credentials(&target.url),
            host: host(),
            calibration: calibrations::of_this_machine(self.scenario.load()),
        }
    }
}

/// The machine this runs on.
pub(super) fn host() -> Host {
    let cpus = std::thread::available_parallelism();
    Host {
        os: std::env::consts::OS.into(),
        cpus: cpus.map_or(0, |n| u32::try_from(n.get()).unwrap_or(0)),
    }
}

/// Runs what places calls, on threads of its own.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(format!("cannot start the runtime: {e}")))?;
    let done = runtime.block_on(work);
    // Whatever still waits for a server that does not answer is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Starts what is needed, places the calls, and ends what was started whatever happened.
pub(super) async fn calls(
    args: &PlacingArgs,
    server: &Server,
    prepared: &Prepared,
    bars: &MultiProgress,
) -> Result<Run, Failure> {
    let stop = stop::signals()?;
    let how = if args.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    let mut stopped = stop.first.clone();
    let (target, started) = tokio::select! {
        started = server.start(&prepared.folder, &prepared.scenario.agent().name, how) => started?,
        _ = stopped.wait_for(|stop| *stop) => return Err(Failure::shown(exit::STOPPED)),
    };
    let placed = place_calls(args, prepared, target, stop, bars, how).await;
    started.stop().await;
    placed
}

async fn place_calls(
    args: &PlacingArgs,
    prepared: &Prepared,
    target: Target,
    mut stop: Stop,
    bars: &MultiProgress,
    how: Verbosity,
) -> Result<Run, Failure> {
    target.probe().await.map_err(Failure::nothing_measured)?;
    let head = prepared.head(args.seed, &target);
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
