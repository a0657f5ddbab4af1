//! `loadcall ab`: calls two agents alternately and compares the second with the first.

use super::documents::Reported;
use super::dry_run::{self, Runs};
use super::failure::Failure;
use super::loaded::LoadedScenario;
use super::server::{self, Server, Site};
use super::session::{NewRun, RunSession, Target};
use super::spec::{AgentSpec, Metadata};
use super::terminal::print_result;
use super::{
    AbArgs, PlacingArgs, UntilArgs, documents, environment, files, job, logging, recorded, url,
};
use crate::plan::Schedule;
use crate::record::{Arm, MetadataDigest, Side};
use crate::room::endpoint::Endpoint;
use crate::run::Looks;
use crate::scenario::Scenario;
use crate::scenario::metadata::MAX_BYTES;
use crate::secret::Secret;
use crate::turn::Analysis;
use crate::verdict::JudgedPair;
use crate::verdict::paired::{self, MIN_PAIRS, Pairing, Recorded, planned};
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An agent, resolved but for the server that is only started for the run.
struct Agent {
    scenario: Arc<Scenario>,
    /// `None`: the server both are called on.
    endpoint: Option<Endpoint>,
}

pub(super) fn ab(args: &AbArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars, args.placing.verbose);
    let AbArgs { scenario, a, b, until, fail_on, job, placing: args } = args;
    let changes = args.overrides.list().into_iter().chain(until.change()).collect();
    let loaded = LoadedScenario::load(scenario, changes, args.clips.outside())?;
    let looks = looks(*until, &loaded.scenario)?;
    if args.dry_run {
        if let Some(last) = looks.last() {
            print_result(&format!("until decided, at most {last} calls to each agent:"))?;
        }
        return dry_run::show(&loaded, Runs::BOTH, args);
    }
    let default = AgentSpec::default();
    let a = resolve("--a", a.as_ref().unwrap_or(&default), &loaded.scenario, args)?;
    let b = resolve("--b", b, &loaded.scenario, args)?;
    let server = common_server(&a, &b, args, &loaded.scenario)?;
    let new = NewRun::prepare(args.out.as_deref())?;
    let mut session = RunSession::start(&server, &new.folder, &loaded, args, &bars)?;
    let scenarios = [&a, &b].map(|agent| Scenario::clone(&agent.scenario));
    let common = session.site();
    let [a, b] =
        [(a, Side::A), (b, Side::B)].map(|(a, side)| target(a, side, &new, common, &looks));
    let targets = [a?, b?];
    let places = [&targets[0], &targets[1]].map(|target| target.folder.clone());
    let mut decides = |pairs| is_decided(&places, &scenarios, pairs, args.seed);
    let looking = Looks { at: &looks, decides: &mut decides };
    let folders = session.run_ab(&new, targets, Some(looking).filter(|_| !looks.is_empty()))?;
    drop(session);
    // The recordings have the metadata of their agents as digests only; the scenarios here have it.
    let [a, b] = scenarios;
    let a = (a, recorded::analyse(&folders[0])?.1);
    let b = (b, recorded::analyse(&folders[1])?.1);
    let judged = JudgedPair::judge(a, b, args.seed);
    let (report, written) =
        documents::write_pair(judged, &new.folder, &folders, job.page.html_audio);
    if args.out.is_none() {
        files::point_latest_at(&new.folder);
    }
    print_result(&documents::paired_text(&report, &new.folder))?;
    let fail_on = &fail_on.fail_on;
    let reported = Reported::Pair { report: &report, fail_on };
    let informed = job::inform(reported, &new.folder, job);
    written.and(informed)?;
    reported.say_what_passed_over(args.verbosity());
    Ok(reported.code())
}

/// The numbers of calls to each agent at which the run is judged, when it ends as soon as it is decided; none for
/// one that is judged at its end.
fn looks(until: UntilArgs, scenario: &Scenario) -> Result<Vec<u32>, Failure> {
    if !until.until_decided {
        return Ok(Vec::new());
    }
    let most = Schedule::new(scenario.load()).calls();
    if (most as usize) < MIN_PAIRS {
        return Err(Failure::usage(format!(
            "--until-decided needs at least {MIN_PAIRS} calls to each agent, and the scenario places {most}"
        ))
        .hint("add --max-calls with the most you want, such as 60"));
    }
    Ok(planned(most))
}

/// Whether the calls that are on record decide it; no call is in progress. What cannot be read decides nothing.
fn is_decided(folders: &[PathBuf; 2], scenarios: &[Scenario; 2], pairs: u32, seed: u64) -> bool {
    let read = |side: usize| -> Option<Analysis> {
        let recording = recorded::open(folders.get(side)?).ok()?;
        let analysis = recorded::fold(recording, scenarios.get(side)?).ok()?;
        (analysis.calls.len() >= pairs as usize).then_some(analysis)
    };
    let (Some(a), Some(b)) = (read(0), read(1)) else { return false };
    let [a, b] = [(&scenarios[0], &a), (&scenarios[1], &b)]
        .map(|(scenario, analysis)| Recorded { scenario, analysis });
    paired::is_decided(Pairing { a, b, seed }, pairs)
}

fn resolve(
    flag: &str,
    spec: &AgentSpec,
    scenario: &Scenario,
    args: &PlacingArgs,
) -> Result<Agent, Failure> {
    refuse_what_reaches_nobody(flag, spec, scenario)?;
    let own = scenario.agent();
    let name = spec.name.as_ref().unwrap_or(&own.name);
    let metadata = match &spec.metadata {
        None => own.metadata.clone(),
        Some(Metadata::Text(text)) => text.clone(),
        Some(Metadata::File(path)) => read_metadata(flag, path)?,
    };
    if metadata.len() > MAX_BYTES {
        return Err(too_long(flag, metadata.len()));
    }
    if name.is_empty() && !metadata.is_empty() {
        return Err(Failure::usage(format!(
            "{flag}: dispatch metadata needs an agent name; automatic dispatch has none"
        ))
        .hint("add name=…, or remove the metadata with metadata="));
    }
    let endpoint = match &spec.url {
        None => None,
        Some(_) if args.server.dev => {
            return Err(Failure::usage(format!("{flag} has a url, which conflicts with --dev"))
                .hint("remove one of the two"));
        }
        Some(url) => Some(elsewhere(flag, spec, url, args)?),
    };
    Ok(Agent { scenario: Arc::new(scenario.clone().calling(name, &metadata)), endpoint })
}

/// Whether A and B can have a room each, and a start endpoint gets what the specification says.
fn refuse_what_reaches_nobody(
    flag: &str,
    spec: &AgentSpec,
    scenario: &Scenario,
) -> Result<(), Failure> {
    if !scenario.room().is_of_the_run() {
        return Err(Failure::usage("both agents would be called in rooms of one name")
            .hint("add {{run}} to the `name` of `room`, or write `prefix` in its place"));
    }
    if scenario.dispatch().is_none() {
        return Ok(());
    }
    let key = if spec.metadata.is_some() {
        "metadata"
    } else if spec.url.is_some() {
        "url"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("{flag} has {key}, which the start endpoint of the scenario does not get"))
        .hint("tell the agents apart by name: {{agent}} stands for it in the url, headers and body of `dispatch`"))
}

fn read_metadata(flag: &str, path: &Path) -> Result<String, Failure> {
    crate::files::read_text(path, MAX_BYTES as u64).map_err(|e| {
        Failure::usage(format!("{flag}: cannot read the metadata `{}`: {e}", path.display()))
    })
}

fn too_long(flag: &str, size: usize) -> Failure {
    Failure::usage(format!("{flag}: metadata has {size} bytes; the limit is {MAX_BYTES}"))
}

/// A server of its own for one agent, with the keys from the variables that are named, else the
/// usual ones.
fn elsewhere(
    flag: &str,
    spec: &AgentSpec,
    at: &str,
    args: &PlacingArgs,
) -> Result<Endpoint, Failure> {
    let named = |variable: &String| {
        let value = environment::variable(variable)
            .ok_or_else(|| Failure::usage(format!("{flag}: {variable} is not set, or empty")))?;
        url::key(variable, &value)
    };
    let missing = |what: &str| {
        Failure::usage(format!("{flag}: no {what} for this server")).hint(
            "add api-key-env=… and api-secret-env=… with the names of variables, or set \
             LIVEKIT_API_KEY and LIVEKIT_API_SECRET",
        )
    };
    let keys = &args.server.keys;
    let api_key = match (&spec.api_key_env, &keys.api_key) {
        (Some(variable), _) => named(variable)?,
        (None, Some(key)) => url::key("LIVEKIT_API_KEY", key)?,
        (None, None) => return Err(missing("API key")),
    };
    let api_secret = match (&spec.api_secret_env, &keys.api_secret) {
        (Some(variable), _) => Secret::new(named(variable)?),
        (None, Some(secret)) => url::secret("LIVEKIT_API_SECRET", secret)?,
        (None, None) => return Err(missing("API secret")),
    };
    Ok(Endpoint { url: at.to_owned(), api_key, api_secret })
}

/// The server that whoever names none is called on.
fn common_server(
    a: &Agent,
    b: &Agent,
    args: &PlacingArgs,
    scenario: &Scenario,
) -> Result<Server, Failure> {
    match (&a.endpoint, &b.endpoint) {
        (Some(endpoint), Some(_)) if args.server.keys.url.is_none() => Ok(Server::Given {
            site: Site::Keys(endpoint.clone()),
            agent: server::Agent::from_args(&args.server),
        }),
        _ => Server::from_args(&args.server, scenario),
    }
}

fn target(
    agent: Agent,
    side: Side,
    new: &NewRun,
    common: &Site,
    looks: &[u32],
) -> Result<Target, Failure> {
    let run_id = format!("{}-{}", new.run_id, side.name());
    let folder = files::make_run_folder(Some(&new.folder.join(side.name())), &run_id)?;
    let of = agent.scenario.agent();
    let arm = Arm {
        ab: new.run_id.clone(),
        side,
        agent_name: of.name.clone(),
        agent_metadata: MetadataDigest::digest(&of.metadata),
        looks: looks.to_vec(),
    };
    let called = agent.endpoint.map_or_else(|| common.clone(), Site::Keys);
    Ok(Target { run_id, folder, scenario: agent.scenario, site: called, arm: Some(arm) })
}
