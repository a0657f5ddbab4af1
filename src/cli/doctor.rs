//! `loadcall doctor`: what a run needs, checked one by one, each with what was seen and what to do.

use super::args::{
    DoctorArgs, DoctorFormat, DoctorPart, EnvArgs, LabelArgs, LangfuseArgs, OverrideArgs,
    PlacingArgs, ReceiverArgs,
};
use super::failure::Failure;
use super::loaded::LoadedScenario;
use super::server::{Server, Site};
use super::session::{NewRun, RunSession};
use super::terminal::{eprint_line, print_json, print_result};
use super::{check, files, logging, machine, recorded};
use crate::clock::Clock;
use crate::record::audio::choice::KeepAudio;
use crate::room::endpoint::Endpoint;
use crate::scenario::Override;
use finding::{Area, Finding};
use indicatif::MultiProgress;

mod agent;
mod finding;
mod host;
mod server;
mod tracing;

/// Where findings go: to the terminal as they come, or into one document.
struct Findings {
    format: DoctorFormat,
    all: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, new: impl IntoIterator<Item = Finding>) -> Result<(), Failure> {
        for finding in new {
            if self.format == DoctorFormat::Text {
                print_result(&finding::render(&finding))?;
            }
            self.all.push(finding);
        }
        Ok(())
    }
}

pub(super) fn doctor(args: &DoctorArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars, args.verbose);
    let mut findings = Findings { format: args.format, all: Vec::new() };
    let (loaded, calls) = scenario(args, &mut findings)?.unzip();
    let calls = calls.unwrap_or(1);
    let runtime = machine::runtime(None)?;
    let wanted = |part| args.only.is_none_or(|only| only == part);
    if wanted(DoctorPart::Machine) {
        findings.add(runtime.block_on(host::check(calls)))?;
    }
    if let Some(loaded) = loaded.filter(|_| args.only.is_none()) {
        call(args, &loaded, &bars, &runtime, &mut findings)?;
    } else if wanted(DoctorPart::Server) {
        match super::url::given(&args.server.keys) {
            Ok(endpoint) => server_checks(&endpoint, &runtime, &mut findings)?,
            Err(e) => findings.add([unusable(&e)])?,
        }
        if args.only.is_none() {
            findings.add(agent::not_tested("no scenario was named, which says whom to call"))?;
        }
    }
    if wanted(DoctorPart::Tracing) {
        let id = format!("loadcall-doctor-{}", super::session::new_run_id(Clock::start())?);
        findings.add(runtime.block_on(tracing::check(&args.langfuse, args.wait, &id)))?;
    }
    machine::shut_down(runtime);
    match args.format {
        DoctorFormat::Text => print_result(&finding::summary(&findings.all))?,
        DoctorFormat::Json => {
            let text = serde_json::to_string_pretty(&findings.all).map_err(Failure::internal)?;
            print_json(&(text + "\n"))?;
        }
    }
    Ok(finding::exit_code(&findings.all))
}

/// The scenario that says whom to call, if one was named and can be used, cut to one call; and how many calls it
/// places at a time.
fn scenario(
    args: &DoctorArgs,
    findings: &mut Findings,
) -> Result<Option<(LoadedScenario, u32)>, Failure> {
    let Some(path) = &args.scenario else { return Ok(None) };
    let loaded = files::read_scenario(path).and_then(|text| {
        let given = args.overrides.list();
        let (whole, _) = check::parse(path, &text, given.clone())?;
        let is_load = |of: &Override| matches!(of, Override::Calls(_) | Override::Concurrency(_));
        let mut changes: Vec<Override> = given.into_iter().filter(|of| !is_load(of)).collect();
        changes.push(Override::Calls("1".to_owned()));
        let loaded = LoadedScenario::load(path, changes, args.clips.outside())?;
        Ok((loaded, u32::from(whole.load().at_a_time())))
    });
    let shown = path.display().to_string();
    match loaded {
        Ok(loaded) => {
            findings.add([Finding::ok(Area::Settings, "scenario", format!("{shown} is valid"))])?;
            Ok(Some(loaded))
        }
        Err(e) => {
            let why = e.message().and_then(|text| text.lines().next()).unwrap_or("it has faults");
            let remedy = format!("loadcall check {shown}");
            findings.add([Finding::failed(Area::Settings, "scenario", why, remedy)])?;
            Ok(None)
        }
    }
}

fn unusable(failure: &Failure) -> Finding {
    let why = failure.message().unwrap_or("the settings cannot be used");
    let remedy = failure.remedy().unwrap_or("see loadcall doctor --help");
    Finding::failed(Area::Settings, "server", why, remedy)
}

fn server_checks(
    endpoint: &Endpoint,
    runtime: &tokio::runtime::Runtime,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let id = super::session::new_run_id(Clock::start())?;
    findings.add(runtime.block_on(server::check(endpoint, &id)))
}

/// Checks the server of the scenario, then places one of its calls.
fn call(
    args: &DoctorArgs,
    loaded: &LoadedScenario,
    bars: &MultiProgress,
    runtime: &tokio::runtime::Runtime,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let server = match Server::from_args(&args.server, &loaded.scenario) {
        Ok(server) => server,
        Err(e) => {
            findings.add([unusable(&e)])?;
            return findings.add(agent::not_tested("there is no server to call it on"));
        }
    };
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let one = one_call(args);
    let new = NewRun::prepare(Some(&folder.path().join("call")))?;
    let mut session = match RunSession::start(&server, &new.folder, loaded, &one, bars) {
        Ok(session) => session,
        Err(e) => {
            let why = e.message().unwrap_or("stopped").to_owned();
            let remedy = e.remedy().unwrap_or("see what the server or the agent says").to_owned();
            findings.add([Finding::failed(Area::Server, "start", why, remedy)])?;
            return findings.add(agent::not_tested("what was to be started did not start"));
        }
    };
    match session.site().clone() {
        Site::Keys(endpoint) => server_checks(&endpoint, runtime, findings)?,
        Site::Tokens(_) => {
            let why = "a start endpoint gives the tokens, so there are no keys to ask it with";
            findings.add([Finding::not_tested(Area::Server, "address", why)])?;
        }
    }
    if findings.all.iter().any(|f| f.area == Area::Server && f.is_failed()) {
        return findings.add(agent::not_tested("the server has to be mended first"));
    }
    eprint_line("placing one call");
    let run = session.run(&new).and_then(|folder| Ok((recorded::analyse(&folder)?, folder)));
    drop(session);
    match run {
        Ok(((scenario, analysis), folder)) => {
            findings.add(agent::check(&scenario, &analysis, &folder))
        }
        Err(e) => {
            let why = e.message().unwrap_or("the call was stopped").to_owned();
            let remedy = e.remedy().unwrap_or("place it again").to_owned();
            findings.add([Finding::failed(Area::Agent, "dispatch", why, remedy)])
        }
    }
}

/// One call of the scenario, with its audio, and without traces: those have checks of their own, and this call is no
/// run's.
fn one_call(args: &DoctorArgs) -> PlacingArgs {
    PlacingArgs {
        out: None,
        dry_run: false,
        seed: 1,
        keep_audio: KeepAudio::All,
        quiet: args.format == DoctorFormat::Json,
        verbose: args.verbose,
        clips: args.clips,
        env: EnvArgs::default(),
        overrides: OverrideArgs::default(),
        server: args.server.clone(),
        receiver: ReceiverArgs::default(),
        langfuse: LangfuseArgs::default(),
        labels: LabelArgs::default(),
        untraced: true,
    }
}
