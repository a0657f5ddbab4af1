//! All rounds, in the order in which they are comparable: within a round everybody has the same machine.
#![expect(clippy::disallowed_methods, reason = "IO: writes the results")]

use crate::{args::Bench, error::Error, role::say_on_stderr, round::Round, table};

pub(crate) async fn run(bench: &Bench) -> Result<(), Error> {
    tokio::select! {
        done = rounds(bench) => done,
        // The processes are ended as they are dropped.
        _ = tokio::signal::ctrl_c() => Err(Error::Stopped),
    }
}

async fn rounds(bench: &Bench) -> Result<(), Error> {
    let mut all = Vec::new();
    for calls in &bench.calls {
        let mut rounds = Vec::new();
        for repeat in 1..=bench.repeats {
            say_on_stderr(&format!("{calls} calls, {repeat} of {}", bench.repeats));
            rounds.push(Round::run(bench, *calls).await?);
            all.push(rounds[rounds.len() - 1]);
            write(bench, &all)?;
        }
        table::print(*calls, &rounds);
    }
    table::print_memory(&all);
    Ok(())
}

fn write(bench: &Bench, rounds: &[Round]) -> Result<(), Error> {
    let path = &bench.json;
    let write_error = |source| Error::Write { path: path.clone(), source };
    let json = serde_json::to_string_pretty(rounds).map_err(|e| write_error(e.into()))?;
    std::fs::write(path, json + "\n").map_err(write_error)
}
