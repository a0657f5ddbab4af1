//! `loadcall agent`: a scripted agent that takes calls until it is stopped.

use super::exit;
use super::failure::Failure;
use super::terminal::{eprint_line, print_line};
use super::{AgentArgs, files, logging, machine, stop, url};
use crate::agent::script::Script;
use crate::agent::truth::Truth;
use crate::agent::worker::{Crash, Worker};
use crate::clock::Clock;
use indicatif::MultiProgress;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use tokio::sync::{mpsc, watch};

/// Truths waiting to be written.
const TRUTHS: usize = 10_000;
/// The largest script file that is read.
const SCRIPT_LIMIT: u64 = 1 << 20;

pub(super) fn agent(args: &AgentArgs) -> Result<u8, Failure> {
    logging::start(&MultiProgress::new(), args.verbose);
    let endpoint = url::given(&args.keys)?;
    let script = args.script.as_deref().map_or_else(|| Ok(Script::default()), read_script)?;
    let file = args.truth.as_deref().map(open).transpose()?;
    let (sender, receiver) = mpsc::channel(TRUTHS);
    let worker = Worker {
        endpoint,
        name: args.name.clone(),
        script,
        crash: if args.allow_crash { Crash::Allowed } else { Crash::Refused },
        clock: Clock::start(),
        truth: file.is_some().then_some(sender),
        // Who waits for the agent reads stdout, as with any agent.
        say: |line| {
            let _ = print_line(line);
        },
    };
    let runtime = machine::runtime(None)?;
    let served = runtime.block_on(async {
        let stop = stop::signals()?;
        let (registered, _) = watch::channel(false);
        let serving = async {
            tokio::select! {
                served = worker.serve(registered, stop.first) => {
                    served.map_err(Failure::nothing_measured)
                }
                () = second(stop.second) => Ok(()),
            }
        };
        let (served, ()) = tokio::join!(serving, write(file, receiver));
        served.map(|()| exit::PASS)
    });
    machine::shut_down(runtime);
    served
}

async fn second(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Writes the ground truth, line by line as it happens, until the agent ends.
async fn write(file: Option<File>, mut truths: mpsc::Receiver<Truth>) {
    let Some(mut file) = file else { return };
    while let Some(truth) = truths.recv().await {
        let line = serde_json::to_string(&truth).unwrap_or_default();
        if let Err(e) = writeln!(file, "{line}") {
            return eprint_line(&format!("warning: cannot write the ground truth: {e}"));
        }
    }
}

fn read_script(path: &Path) -> Result<Script, Failure> {
    let what = "the agent's script";
    let text = files::read_text(what, path, SCRIPT_LIMIT)?;
    Script::parse(&text)
        .map_err(|e| Failure::usage(format!("cannot read {what} `{}`: {e}", path.display())))
}

fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|e| {
        Failure::usage(format!("cannot write the ground truth to `{}`: {e}", path.display()))
    })
}
