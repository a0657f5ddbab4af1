//! `loadcall export`: the traces of a recorded run, to the backends that are set now and have not got them.

use super::args::ExportArgs;
use super::failure::Failure;
use super::progress::Verbosity;
use super::terminal::print_result;
use super::traces::{self, Places, Sending};
use super::{exit, machine, recorded, scores, stop};
use indicatif::MultiProgress;

/// Sends what is missing, and gives the exit code.
pub(super) fn export(args: &ExportArgs) -> Result<u8, Failure> {
    let folder = args.run.path.as_path();
    let head = recorded::open(folder)?.head;
    let places = Places::from_settings(&args.langfuse, &head.run_id)?;
    if places.is_empty() {
        return Err(Failure::usage("there is no backend to send traces to").hint(
            "set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, or OTEL_EXPORTER_OTLP_ENDPOINT \
             (which OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none switch off)",
        ));
    }
    let runtime = machine::runtime(None)?;
    let stop = stop::signals_saying("stopping; press Ctrl-C again to abort")?;
    let (first, mut second) = (stop.first.clone(), stop.second.clone());
    let bars = MultiProgress::new();
    let how = if args.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    let sending = Sending { folder, again: args.again, bars: &bars, how, stop: first.clone() };
    let project = places.project.clone();
    let said = async {
        let sent = places.send(&sending).await;
        scores::send(project.as_ref(), args.langfuse.scores, &sending).await;
        sent
    };
    let sent = runtime.block_on(async {
        tokio::select! {
            sent = said => sent,
            _ = second.wait_for(|stop| *stop) => Err(Failure::shown(exit::STOPPED)),
        }
    });
    machine::shut_down(runtime);
    let sent = sent?;
    let lines = sent.backends.iter().map(|(place, summary)| traces::line(place, summary));
    print_result(&lines.collect::<String>())?;
    sent.say_what_is_missing(folder);
    Ok(match sent.is_complete() {
        true => exit::PASS,
        false if *first.borrow() => exit::STOPPED,
        false => exit::NOTHING_MEASURED,
    })
}
