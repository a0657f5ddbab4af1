//! What a command that places calls has running while it does: the server and the agent it started, the
//! threads, and the user's wish to stop. Runs are placed in it one after another.

use super::exit;
use super::failure::Failure;
use super::loaded::LoadedScenario;
use super::progress::Progress;
use super::receiver::Receiving;
use super::server::{Server, ServerFacts, Site, Started};
use super::stop::{self, Stop};
use super::terminal::eprint_line;
use super::traces::{Places, Sending};
use super::{
    PlacingArgs, audio, calibrations, environment, experiment, files, machine, scores, traces, url,
};
use crate::audio::opus;
use crate::call::access::{Access, Gate};
use crate::call::config::CallConfig;
use crate::call::traced::traced;
use crate::clock::Clock;
use crate::plan::{Plan, Schedule, TargetId, Targets};
use crate::record::audio::tape::Taping;
use crate::record::{self, Arm, CallId, RunHead};
use crate::room::end_state::EndStates;
use crate::room::packets::packet;
use crate::room::start::Start;
use crate::run::event::Sink;
use crate::run::id::run_id;
use crate::run::recorder::Recorder;
use crate::run::{Looks, place};
use crate::scenario::Scenario;
use crate::scenario::metadata::{MAX_BYTES, Variables, resolve};
use crate::secret::Secret;
use indicatif::MultiProgress;
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A run that begins now: its id, its folder and its clock.
pub(super) struct NewRun {
    pub(super) run_id: String,
    pub(super) folder: PathBuf,
    pub(super) clock: Clock,
    /// Whether the folder was made for it.
    is_made: bool,
}

impl NewRun {
    /// Makes the folder, at `out` or below `reports/`, where `latest` points at it from now on.
    pub(super) fn prepare(out: Option<&Path>) -> Result<Self, Failure> {
        let clock = Clock::start();
        let run_id = new_run_id(clock)?;
        let is_made = !files::run_folder(out, &run_id).exists();
        let folder = files::make_run_folder(out, &run_id)?;
        if out.is_none() {
            files::point_latest_at(&folder);
        }
        Ok(Self { run_id, folder, clock, is_made })
    }
}

impl Drop for NewRun {
    /// A run that never began leaves no folder.
    fn drop(&mut self) {
        if self.is_made {
            files::remove_if_empty(&self.folder);
        }
    }
}

/// The id of a run that begins with this clock.
pub(super) fn new_run_id(clock: Clock) -> Result<String, Failure> {
    let random = getrandom::u64()
        .map_err(|e| Failure::internal(format!("the system gives no random numbers: {e}")))?;
    Ok(run_id(clock.started_at(), random))
}

/// An agent that is called, where, and where the recording of it goes.
pub(super) struct Target {
    pub(super) run_id: String,
    pub(super) folder: PathBuf,
    /// The scenario, with this agent in it.
    pub(super) scenario: Arc<Scenario>,
    pub(super) site: Site,
    pub(super) arm: Option<Arm>,
}

pub(super) struct RunSession<'a> {
    args: &'a PlacingArgs,
    loaded: &'a LoadedScenario,
    bars: &'a MultiProgress,
    /// Both until the session ends.
    runtime: Option<Runtime>,
    started: Option<Started>,
    site: Site,
    stop: Stop,
    facts: ServerFacts,
    /// Of all calls, whose memory for it is one.
    taping: Option<Taping>,
    receiving: Option<Receiving>,
}

/// The calls to one agent that are about to be placed.
struct OpenRun {
    config: CallConfig,
    recorder: Recorder,
    places: Places,
}

impl<'a> RunSession<'a> {
    /// Starts the server and the agent that are asked for; their logs go to `folder`. Both end with the
    /// session.
    pub(super) fn start(
        server: &Server,
        folder: &Path,
        loaded: &'a LoadedScenario,
        args: &'a PlacingArgs,
        bars: &'a MultiProgress,
    ) -> Result<Self, Failure> {
        let scenario = &loaded.scenario;
        let receiving = Receiving::start(args, folder)?;
        let variables = receiving.as_ref().map(Receiving::agent_variables).unwrap_or_default();
        let runtime = machine::runtime(Some(scenario.load().at_a_time().into()))?;
        let began = runtime.block_on(async {
            let stop = stop::signals()?;
            let mut stopped = stop.first.clone();
            tokio::select! {
                started = server.start(folder, &scenario.agent().name, variables, args.verbosity()) => {
                    let (site, started) = started?;
                    Ok((site, started, stop))
                }
                _ = stopped.wait_for(|stop| *stop) => Err(Failure::shown(exit::STOPPED)),
            }
        });
        let (site, started, stop) = match began {
            Ok(began) => began,
            Err(e) => {
                machine::shut_down(runtime);
                return Err(e);
            }
        };
        let facts = ServerFacts::new(args.server.server_info || server.is_private());
        let (runtime, started) = (Some(runtime), Some(started));
        let taping = audio::taping(args.keep_audio);
        Ok(Self { args, loaded, bars, runtime, started, site, stop, facts, taping, receiving })
    }

    /// The server that whoever names none is called on.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// The user wants no more calls.
    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.first.borrow()
    }

    /// Places the calls of the scenario to its own agent; the answer is where the recording lies.
    pub(super) fn run(&mut self, new: &NewRun) -> Result<PathBuf, Failure> {
        let target = Target {
            run_id: new.run_id.clone(),
            folder: new.folder.clone(),
            scenario: Arc::clone(&self.loaded.scenario),
            site: self.site.clone(),
            arm: None,
        };
        let [folder] = self.run_targets(new, [target], None)?;
        Ok(folder)
    }

    /// Places calls to two agents in turn, until all are placed or a look decides; the answer is where the
    /// recordings of A and B lie.
    pub(super) fn run_ab(
        &mut self,
        new: &NewRun,
        both: [Target; 2],
        looks: Option<Looks<'_>>,
    ) -> Result<[PathBuf; 2], Failure> {
        self.run_targets(new, both, looks)
    }

    fn run_targets<const N: usize>(
        &mut self,
        new: &NewRun,
        targets: [Target; N],
        looks: Option<Looks<'_>>,
    ) -> Result<[PathBuf; N], Failure> {
        // Taken out while it drives what borrows the session.
        let Some(runtime) = self.runtime.take() else {
            return Err(Failure::internal("the session is over"));
        };
        let done = runtime.block_on(self.place(new.clock, targets, looks));
        self.runtime = Some(runtime);
        done
    }

    async fn place<const N: usize>(
        &mut self,
        clock: Clock,
        targets: [Target; N],
        looks: Option<Looks<'_>>,
    ) -> Result<[PathBuf; N], Failure> {
        let count = u8::try_from(N).ok().and_then(NonZeroU8::new);
        let ids = Targets::new(count.ok_or_else(|| Failure::internal("no agent, or too many"))?);
        let schedule = Schedule::new(self.loaded.scenario.load());
        let plan = Plan { schedule, targets: ids, seed: self.args.seed };
        let names = targets.iter().filter_map(|t| Some(t.arm.as_ref()?.side.name())).collect();
        let mut open = Vec::new();
        for (id, target) in ids.ids().zip(targets) {
            let mut stopped = self.stop.first.clone();
            let opened = tokio::select! {
                opened = self.open(id, target, plan.schedule.calls(), clock) => opened?,
                // A server that does not answer keeps nobody waiting.
                _ = stopped.wait_for(|stop| *stop) => return Err(Failure::shown(exit::STOPPED)),
            };
            open.push(opened);
        }
        let configs: Vec<CallConfig> = open.iter().map(|run| run.config.clone()).collect();
        let scenario = Arc::clone(&self.loaded.scenario);
        let how = self.args.verbosity();
        let mut progress = Progress::start(self.bars, plan, scenario, names, how);
        let mut sinks: Vec<&mut dyn Sink> = vec![&mut progress];
        sinks.extend(open.iter_mut().map(|run| &mut run.recorder as &mut dyn Sink));
        if let Some(receiving) = &self.receiving {
            receiving.begin();
        }
        place(&configs, &plan, &mut sinks, self.stop.second.clone(), looks).await;
        let mut folders = Vec::new();
        for run in open {
            folders.push(self.end(run).await?);
        }
        if let Some(receiving) = &self.receiving {
            receiving.collect(&folders, &self.stop).await;
        }
        folders.try_into().map_err(|_| Failure::internal("a run has as many folders as agents"))
    }

    /// Whatever can fail before the first call to an agent.
    async fn open(
        &mut self,
        id: TargetId,
        target: Target,
        calls: u32,
        clock: Clock,
    ) -> Result<OpenRun, Failure> {
        let access = access(&target, self.args.receiver.traceparent)?;
        let server = match target.site.endpoint() {
            Some(endpoint) => {
                endpoint.probe().await.map_err(|why| url::unusable(&why))?;
                self.facts.ask_once(endpoint).await
            }
            None => None,
        };
        let places = if self.args.untraced {
            Places::none()
        } else {
            Places::from_settings(&self.args.langfuse, &target.run_id)?
        };
        let project = places.project.as_ref();
        let langfuse_url = project.map(|project| project.address().to_owned());
        let labels = experiment::labels(&self.args.labels, project.is_some())?;
        let head = RunHead { langfuse_url, labels, ..self.head(&target, clock, server) };
        let elsewhere = std::env::temp_dir();
        let recorder = Recorder::create(&target.folder, &head, id, calls, elsewhere, eprint_line)
            .map_err(Failure::usage)?;
        let of = Arc::clone(&target.scenario);
        let keeper = audio::keeper(self.args.keep_audio, &target.folder, of, &self.loaded.sayable);
        let config = CallConfig {
            run_id: target.run_id,
            access,
            scenario: target.scenario,
            clips: Arc::clone(&self.loaded.sayable),
            silence: packet(&opus::silence().map_err(Failure::internal)?),
            clock,
            taping: self.taping.clone(),
            stop: self.stop.first.clone(),
        };
        Ok(OpenRun { config, recorder: recorder.with(keeper), places })
    }

    /// Ends the recording, writes the audio of its calls and sends their traces; the answer is where the recording lies.
    async fn end(&mut self, mut run: OpenRun) -> Result<PathBuf, Failure> {
        let keeper = run.recorder.take_keeper();
        let folder = run.recorder.end().map_err(Failure::internal)?;
        if let Some(keeper) = keeper {
            let show = audio::Show { bars: self.bars, how: self.args.verbosity() };
            audio::finish(keeper, &folder, run.config.clock, &self.stop, &show);
        }
        // One signal has ended the calls already; the next one ends this.
        let enough = if self.is_stopped() { &self.stop.second } else { &self.stop.first };
        let (bars, how, stop) = (self.bars, self.args.verbosity(), enough.clone());
        let sending = Sending { folder: &folder, again: false, bars, how, stop };
        let said = async {
            let project = run.places.project.clone();
            traces::send(run.places, &sending).await;
            scores::send(project.as_ref(), self.args.langfuse.scores, &sending).await;
        };
        tokio::select! {
            () = said => {}
            _ = self.stop.second.wait_for(|stop| *stop) => {}
        }
        Ok(folder)
    }

    fn head(&self, target: &Target, clock: Clock, server: Option<record::Server>) -> RunHead {
        RunHead {
            run_id: target.run_id.clone(),
            started_at: files::timestamp(clock.started_at()),
            loadcall_version: env!("CARGO_PKG_VERSION").into(),
            scenario_path: self.loaded.path.display().to_string(),
            scenario_text: self.loaded.text.clone(),
            overlay: self.loaded.overlay.clone(),
            clips: self.loaded.clip_facts(),
            seed: self.args.seed,
            server_url: server_url(target),
            langfuse_url: None,
            agent_started: self.args.server.agent_command.is_some(),
            labels: record::Labels::default(),
            server,
            host: machine::host(),
            calibration: calibrations::of_this_machine(target.scenario.load()),
            arm: target.arm.clone(),
        }
    }
}

impl Drop for RunSession<'_> {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(started) = self.started.take() {
            runtime.block_on(started.stop());
        }
        machine::shut_down(runtime);
    }
}

/// The server of all calls, if it is known.
fn server_url(target: &Target) -> String {
    let named = target.scenario.dispatch().is_some_and(|http| http.server.is_some());
    let url = if named { None } else { target.site.url() };
    url.map(url::without_credentials).unwrap_or_default()
}

/// How the callers of a run get into their rooms: environment variables that the scenario refers to are resolved here and
/// nowhere else.
fn access(target: &Target, traceparent: bool) -> Result<Access, Failure> {
    let lookup = environment::variable;
    let scenario = &target.scenario;
    let metadata = resolve_metadata(scenario, lookup)?;
    if traceparent {
        check_traced(scenario, &metadata)?;
    }
    let variables =
        Variables::collect(scenario.referring_texts(), lookup).map_err(Failure::usage)?;
    let gate = match (scenario.dispatch(), &target.site) {
        (None, Site::Keys(endpoint)) => Gate::Keys(endpoint.clone()),
        (None, Site::Tokens(_)) => return Err(Failure::internal("no keys and no start endpoint")),
        (Some(rule), site) => {
            let start = Start::new(rule, &variables).map_err(Failure::usage)?;
            if let Some(exposed) = start.exposed() {
                eprint_line(&format!("warning: {exposed}"));
            }
            let (keys, url) = (site.endpoint().cloned(), site.url().map(str::to_owned));
            Gate::Start { start: Arc::new(start), keys, url }
        }
    };
    let end_states = end_states(scenario, &variables)?;
    Ok(Access { gate, metadata, traceparent, variables, end_states })
}

/// Whether the metadata can hold the trace of each call.
fn check_traced(scenario: &Scenario, metadata: &Secret) -> Result<(), Failure> {
    if scenario.dispatch().is_some() {
        return Err(Failure::usage(
            "--traceparent goes into the metadata of a dispatch, and here a start endpoint sends the agent",
        )
        .hint("leave --traceparent out"));
    }
    if scenario.agent().name.is_empty() {
        return Err(Failure::usage(
            "--traceparent reaches only an agent that is dispatched by name",
        )
        .hint("add `agent: {name: …}` to the scenario: automatic dispatch passes no metadata on"));
    }
    let example = record::traceparent("", CallId(0));
    let with = traced(metadata.expose(), &example).map_err(Failure::usage)?;
    if with.len() > MAX_BYTES {
        return Err(Failure::usage(format!(
            "the agent's metadata has {} bytes with the traceparent; the limit is {MAX_BYTES}",
            with.len()
        )));
    }
    Ok(())
}

fn end_states(
    scenario: &Scenario,
    variables: &Variables,
) -> Result<Option<Arc<EndStates>>, Failure> {
    if scenario.end_states().is_empty() {
        return Ok(None);
    }
    let states = EndStates::new(scenario.end_states(), variables).map_err(Failure::usage)?;
    if let Some(exposed) = states.exposed() {
        eprint_line(&format!("warning: {exposed}"));
    }
    Ok(Some(Arc::new(states)))
}

/// What the agent is dispatched with.
fn resolve_metadata(
    scenario: &Scenario,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Secret, Failure> {
    let text = resolve(&scenario.agent().metadata, lookup).map_err(Failure::usage)?;
    if text.len() > MAX_BYTES {
        let size = text.len();
        return Err(Failure::usage(format!(
            "the agent's metadata has {size} bytes with its environment variables; the limit is \
             {MAX_BYTES}"
        )));
    }
    Ok(Secret::new(text))
}
