//! The structure ARCHITECTURE.md describes, held by a test: which module uses which, who names the
//! outside libraries, how long a file gets.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Module → the modules of ours it may use. An edge that is not here is an error.
const EDGES: [(&str, &[&str]); 14] = [
    ("scenario", &[]),
    ("plan", &["scenario", "record"]),
    ("record", &[]),
    ("clock", &["record"]),
    ("call", &["plan", "record", "scenario", "clock"]),
    ("run", &["plan", "call", "record"]),
    ("agent", &["call", "record", "clock"]),
    ("turn", &["record", "scenario"]),
    ("verdict", &["scenario", "record", "turn"]),
    ("calibrate", &["agent", "record", "scenario", "turn"]),
    ("report", &["scenario", "record", "turn", "verdict"]),
    ("export", &["scenario", "record", "turn", "verdict", "report"]),
    ("dev", &["record", "clock"]),
    (
        "cli",
        &[
            "scenario",
            "plan",
            "record",
            "clock",
            "call",
            "run",
            "agent",
            "turn",
            "verdict",
            "calibrate",
            "report",
            "export",
            "dev",
        ],
    ),
];

/// An outside library → the only files that may name it.
const NAMED_BY: [(&str, &[&str]); 4] = [
    ("serde_yaml::", &["scenario/"]),
    (
        "livekit::",
        &[
            "call/livekit.rs",
            "call/readers.rs",
            "call/hearing.rs",
            "call/drive.rs",
            "agent/job.rs",
            "agent/worker.rs",
        ],
    ),
    ("livekit_api::", &["call/livekit.rs", "agent/registration.rs"]),
    ("opentelemetry", &["export/"]),
];

/// Lines of a file without its tests: more is more than one thing.
const LONGEST_FILE: usize = 450;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its path below `src/`, and its text before its tests.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&source(), &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            (name, code)
        })
        .filter(|(name, _)| !is_test(name))
        .collect()
}

fn is_test(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".rs");
    name.contains("/tests/") || ["tests", "testing", "fixture"].contains(&file)
}

fn module(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or(name)
}

#[test]
fn data_flows_one_way() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, code) in sources() {
        let from = module(&name);
        let Some((_, allowed)) = EDGES.iter().find(|(module, _)| *module == from) else {
            assert!(["lib", "main"].contains(&from), "{name}: its module is in no table");
            continue;
        };
        for used in code.split("crate::").skip(1) {
            let end = used.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let to = &used[..end.unwrap_or(used.len())];
            let known = EDGES.iter().any(|(module, _)| *module == to);
            if known && to != from {
                seen.insert((from.to_owned(), to.to_owned()));
                if !allowed.contains(&to) {
                    wrong.push(format!("{name} uses {to}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "not in the table of ARCHITECTURE.md: {wrong:#?}");
    assert!(seen.len() > 20, "the check sees the edges there are: {seen:?}");
}

#[test]
fn outside_libraries_are_named_where_they_belong() {
    for (library, places) in NAMED_BY {
        for (name, code) in sources() {
            let names_it = code.lines().any(|line| {
                let line = line.trim_start();
                let uses = line.starts_with("use ") || line.contains(&format!(" {library}"));
                uses && !line.starts_with("//")
                    && line.contains(library)
                    && !line.contains(&format!("::{library}"))
            });
            let allowed = places.iter().any(|place| name.starts_with(place));
            assert!(!names_it || allowed, "{name} names {library}, which only {places:?} may");
        }
    }
}

#[test]
fn no_file_is_too_long_and_each_says_what_it_is_for() {
    for (name, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= LONGEST_FILE, "{name} has {lines} lines, at most {LONGEST_FILE}");
        assert!(code.starts_with("//!"), "{name} does not open by saying what it is for");
    }
}
