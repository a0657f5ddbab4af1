//! The calibrations of this machine, kept between runs: `calibration.json` in the state folder of the
//! user (`$XDG_STATE_HOME/loadcall`, else `~/.local/state/loadcall`).
#![expect(clippy::disallowed_methods, reason = "IO: keeps calibrations")]

use super::failure::Failure;
use super::terminal::eprint_line;
use super::{files, machine};
use crate::record::Calibration;
use crate::scenario::Load;
use std::path::{Path, PathBuf};

const FILE: &str = "calibration.json";
/// The largest file that is read; one calibration takes 4 KiB.
const LIMIT: u64 = 1 << 20;
/// How many are kept, the newest.
const KEPT: usize = 16;

/// What a run with this load should know of its caller: the calibration at the next higher number of
/// calls at a time, else at the highest there is. `None` when the machine was never calibrated.
pub(super) fn of_this_machine(load: Load) -> Option<Calibration> {
    let known = match path().map(|path| read(&path)) {
        Some(Ok(known)) => known,
        Some(Err(why)) => {
            eprint_line(&format!("warning: {why}; run `loadcall calibrate` again"));
            Vec::new()
        }
        None => Vec::new(),
    };
    choose(known, load.at_a_time().into())
}

fn choose(known: Vec<Calibration>, concurrency: u32) -> Option<Calibration> {
    let host = machine::host();
    let mut usable: Vec<_> = known.into_iter().filter(|c| c.host == host && c.is_plain()).collect();
    usable.sort_by_key(|c| c.concurrency);
    let enough = usable.iter().position(|c| c.concurrency >= concurrency);
    let index = enough.or_else(|| usable.len().checked_sub(1))?;
    Some(usable.swap_remove(index))
}

/// Keeps a calibration, in place of an older one of the same kind; the answer is where.
pub(super) fn keep(new: &Calibration) -> Result<PathBuf, Failure> {
    let Some(path) = path() else {
        return Err(Failure::usage("no home folder to save the calibration in")
            .hint("set HOME or XDG_STATE_HOME, or use --out FILE"));
    };
    let mut known = read(&path).unwrap_or_default();
    known.retain(|old| !same_kind(old, new));
    known.insert(0, new.clone());
    known.truncate(KEPT);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| {
            Failure::usage(format!("cannot create the folder `{}`: {e}", folder.display()))
        })?;
    }
    let text = serde_json::to_string_pretty(&known).map_err(Failure::internal)?;
    files::write(&path, text.as_bytes())?;
    Ok(path)
}

fn same_kind(a: &Calibration, b: &Calibration) -> bool {
    let kind = |c: &Calibration| {
        (c.concurrency, c.loss_percent.to_bits(), c.jitter_ms.to_bits(), c.host.clone())
    };
    kind(a) == kind(b)
}

fn read(path: &Path) -> Result<Vec<Calibration>, String> {
    let bytes = match crate::files::read(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if e.is_missing() => return Ok(Vec::new()),
        Err(e) => return Err(format!("cannot read `{}`: {e}", path.display())),
    };
    serde_json::from_slice(&bytes).map_err(|e| format!("`{}` is not valid: {e}", path.display()))
}

fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("loadcall").join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(concurrency: u32, loss_percent: f64) -> Calibration {
        Calibration {
            at: "2026-01-02T03:04:05Z".into(),
            loadcall_version: "0.1.0".into(),
            host: machine::host(),
            concurrency,
            calls: 6,
            loss_percent,
            jitter_ms: 0.0,
            errors: Vec::new(),
        }
    }

    #[test]
    fn a_run_gets_the_calibration_of_at_least_as_many_calls() {
        let known = || vec![at(50, 0.0), at(1, 0.0), at(10, 1.0)];
        let chosen = |concurrency| choose(known(), concurrency).map(|c| c.concurrency);
        assert_eq!([1, 2, 50, 80].map(chosen), [Some(1), Some(50), Some(50), Some(50)]);
        assert_eq!(choose(vec![at(1, 1.0)], 1), None);
        let mut elsewhere = at(1, 0.0);
        elsewhere.host.cpus += 1;
        assert_eq!(choose(vec![elsewhere], 1), None);
    }
}
