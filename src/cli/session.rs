//! Placing the calls of a scenario: what is prepared before the first one, what is kept of each, and
//! an orderly end.

use super::exit::{self, Failure};
use super::progress::{Shown, Verbosity};
use super::recorder::Recorder;
use super::server::{self, Server};
use super::stop::{self, Stop};
use super::{PlacingArgs, calibrations, check, clips, files, traces};
use crate::audio::opus;
use crate::call::drive::Calling;
use crate::clock::Clock;
use crate::export::langfuse::Langfuse;
use crate::plan::Plan;
use crate::record::{self, Arm, CallRecord, Host, Run, RunHead, Side};
use crate::room::endpoint::Endpoint;
use crate::room::packets::{Sayable, packet};
use crate::room::registration;
use crate::run::{Callings, Finished, Progress, place, threads};
use crate::scenario::Scenario;
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A scenario with all that it names: what can be wrong before the first call.
pub(super) struct Material {
    /// Where the scenario was read from.
    path: PathBuf,
    text: String,
    pub(super) scenario: Arc<Scenario>,
    clips: Vec<Option<clips::Loaded>>,
    sayable: Arc<[Option<Sayable>]>,
}

impl Material {
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let text = files::read_scenario(path)?;
        let scenario = check::parse(path, &text)?;
        let loaded = check::load_clips(path, &text, &scenario)?;
        let encoded = clips::encode(&loaded).map_err(Failure::internal)?;
        let sayable = encoded.iter().map(|clip| clip.as_ref().map(Sayable::from)).collect();
        let (path, scenario) = (path.to_path_buf(), Arc::new(scenario));
        Ok(Self { path, text, scenario, clips: loaded, sayable })
    }
}

/// A run that begins now: its id, its folder and its clock.
pub(super) struct Fresh {
    pub(super) run_id: String,
    pub(super) folder: PathBuf,
    pub(super) clock: Clock,
}

impl Fresh {
    /// Makes the folder, at `out` or below `reports/`.
    pub(super) fn begin(out: Option<&Path>) -> Result<Self, Failure> {
        let clock = Clock::start();
        let run_id = files::new_run_id(clock.started_at());
        let folder = files::make_run_folder(out, &run_id)?;
        Ok(Self { run_id, folder, clock })
    }
}

/// Who is called, where, and where what was observed goes.
pub(super) struct Callee {
    pub(super) run_id: String,
    pub(super) folder: PathBuf,
    pub(super) scenario: Arc<Scenario>,
    pub(super) endpoint: Endpoint,
    pub(super) arm: Option<Arm>,
}

impl Callee {
    fn head(
        &self,
        material: &Material,
        clock: Clock,
        seed: u64,
        server: Option<record::Server>,
    ) -> RunHead {
        let clips = material.clips.iter().map(|c| c.as_ref().map(clips::Loaded::fact)).collect();
        RunHead {
            run_id: self.run_id.clone(),
            started_at: files::timestamp(clock.started_at()),
            loadcall_version: env!("CARGO_PKG_VERSION").into(),
            scenario_path: material.path.display().to_string(),
            scenario_text: material.text.clone(),
            clips,
            seed,
            server_url: server::without_credentials(&self.endpoint.url),
            server,
            host: host(),
            calibration: calibrations::of_this_machine(self.scenario.load()),
            arm: self.arm.clone(),
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

/// Runs what places the calls of a scenario, or takes calls, on threads of its own.
pub(super) fn block_on<T>(
    scenario: Option<&Scenario>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(scenario) = scenario {
        runtime.worker_threads(threads(scenario.load().at_a_time().into()));
    }
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(format!("cannot start the runtime: {e}")))?;
    let done = runtime.block_on(work);
    // Whatever still waits for a server that does not answer is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Places the calls of the scenario to its own agent.
pub(super) async fn one_run(
    placing: &Placing<'_>,
    fresh: &Fresh,
    endpoint: Endpoint,
    stop: &mut Stop,
) -> Result<Run, Failure> {
    let scenario = &placing.material.scenario;
    let callee = Callee {
        run_id: fresh.run_id.clone(),
        folder: fresh.folder.clone(),
        scenario: Arc::clone(scenario),
        endpoint,
        arm: None,
    };
    let plan = Plan::of(scenario, &fresh.run_id);
    let mut open = placing.open(callee, Side::A, &plan, fresh.clock, stop).await?;
    let calling = open.calling.clone();
    let finished = placing
        .place(Callings::One(Box::new(calling)), plan, stop, |_, call| open.recorder.take(call))
        .await;
    open.end(&finished, Side::A, stop).await
}

/// Places calls to two agents in turn, and gives the recordings of A and B.
pub(super) async fn two_runs(
    placing: &Placing<'_>,
    fresh: &Fresh,
    [a, b]: [Callee; 2],
    stop: &mut Stop,
) -> Result<[Run; 2], Failure> {
    let plan =
        Plan::interleaved(&placing.material.scenario, [&a.run_id, &b.run_id], placing.args.seed);
    let mut a = placing.open(a, Side::A, &plan, fresh.clock, stop).await?;
    let mut b = placing.open(b, Side::B, &plan, fresh.clock, stop).await?;
    let callings = Callings::Two(Box::new([a.calling.clone(), b.calling.clone()]));
    let finished = placing
        .place(callings, plan, stop, |side, call| match side {
            Side::A => a.recorder.take(call),
            Side::B => b.recorder.take(call),
        })
        .await;
    Ok([a.end(&finished, Side::A, stop).await?, b.end(&finished, Side::B, stop).await?])
}

/// What all runs of a command share.
pub(super) struct Placing<'a> {
    pub(super) args: &'a PlacingArgs,
    pub(super) material: &'a Material,
    pub(super) bars: &'a MultiProgress,
}

/// One side of a run that is about to begin.
struct Open {
    calling: Calling,
    recorder: Recorder,
    langfuse: Option<Langfuse>,
}

/// Places all calls of a plan beside its progress, and hands on what each came to. A second wish to
/// stop ends it at once.
pub(super) async fn place_shown(
    callings: Callings,
    plan: Plan,
    bars: &MultiProgress,
    how: Verbosity,
    stop: &mut Stop,
    mut keep: impl FnMut(Side, CallRecord),
) -> Finished {
    let mut shown = Shown::start(bars, &plan, how);
    let clock = callings.to(Side::A).clock;
    let placing = place(callings, plan, |progress| {
        shown.on(&progress);
        if let Progress::Ended(call, record) = progress {
            keep(call.side, record);
        }
    });
    let finished = tokio::select! {
        finished = placing => finished,
        _ = stop.second.wait_for(|stop| *stop) => {
            Finished { at: clock.now(), stopped: true, gave_up: None }
        }
    };
    shown.end();
    finished
}

impl Placing<'_> {
    /// Starts the server and the agent that are asked for, does `work` beside them, and ends what was
    /// started whatever happened.
    pub(super) fn beside<T>(
        &self,
        server: &Server,
        folder: &Path,
        work: impl AsyncFnOnce(Endpoint, &mut Stop) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let scenario = &self.material.scenario;
        block_on(Some(scenario), async {
            let mut stop = stop::signals()?;
            let mut stopped = stop.first.clone();
            let start = server.start(folder, &scenario.agent().name, self.args.verbosity());
            let (endpoint, started) = tokio::select! {
                started = start => started?,
                _ = stopped.wait_for(|stop| *stop) => return Err(Failure::shown(exit::STOPPED)),
            };
            let done = work(endpoint, &mut stop).await;
            started.stop().await;
            done
        })
    }

    /// Whatever can fail before the first call of a side.
    async fn open(
        &self,
        callee: Callee,
        side: Side,
        plan: &Plan,
        clock: Clock,
        stop: &Stop,
    ) -> Result<Open, Failure> {
        callee.endpoint.probe().await.map_err(Failure::nothing_measured)?;
        let server = registration::ask(&callee.endpoint).await.unwrap_or_else(|e| {
            log::info!("the version of the server is not known: {e}");
            None
        });
        let planned = plan.calls.iter().filter(|call| call.side == side).count();
        let head = callee.head(self.material, clock, self.args.seed, server);
        let recorder = Recorder::create(&callee.folder, head, planned)?;
        let langfuse = traces::langfuse(&self.args.langfuse, &callee.run_id)?;
        let calling = Calling {
            endpoint: callee.endpoint,
            scenario: callee.scenario,
            clips: Arc::clone(&self.material.sayable),
            silence: packet(&opus::silence().map_err(Failure::internal)?),
            clock,
            stop: stop.first.clone(),
        };
        Ok(Open { calling, recorder, langfuse })
    }

    async fn place(
        &self,
        callings: Callings,
        plan: Plan,
        stop: &mut Stop,
        keep: impl FnMut(Side, CallRecord),
    ) -> Finished {
        place_shown(callings, plan, self.bars, self.args.verbosity(), stop, keep).await
    }
}

impl Open {
    /// Ends the recording, and sends the traces of its calls.
    async fn end(self, finished: &Finished, side: Side, stop: &mut Stop) -> Result<Run, Failure> {
        let run = self.recorder.end(finished, side)?;
        if let Some(langfuse) = self.langfuse {
            tokio::select! {
                () = traces::send(langfuse, &run, &self.calling.scenario) => {}
                _ = stop.second.wait_for(|stop| *stop) => {}
            }
        }
        Ok(run)
    }
}
