//! What `loadcall report` prints in each format, validated by readers that had no part in writing it
//! (`tests/formats/check.py`): of the example, of runs that failed, of an A/B run, and of recordings in which agent,
//! server and files try to be more than text. Needs no server.
//!
//! Needs what `make tools` installs. Without it the test says so and passes, unless `LOADCALL_REQUIRE_LIVE=1` makes
//! that a failure.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test of files and processes"
)]

mod common;
mod formats {
    pub(crate) mod hostile;
}

use common::root;
use formats::hostile;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PYTHON: &str = ".tools/formats/bin/python";
/// What can be printed of a run, and of an A/B run.
const OF_RUN: [&str; 9] = [
    "text",
    "json",
    "markdown",
    "junit",
    "github-annotations",
    "gitlab-annotations",
    "openmetrics",
    "calls-csv",
    "turns-csv",
];
const OF_PAIR: [&str; 6] =
    ["text", "json", "markdown", "junit", "github-annotations", "gitlab-annotations"];

fn loadcall(args: &[&str], folder: &Path) -> Output {
    let mut command = common::loadcall();
    command.env("NO_COLOR", "1").env("CI_JOB_URL", "https://gitlab.example/job/1");
    command.args(args).current_dir(folder).output().unwrap()
}

fn python() -> Option<PathBuf> {
    let python = root().join(PYTHON);
    if python.exists() {
        return Some(python);
    }
    println!("skipped: no validators in .tools/formats: run `make tools`");
    assert!(
        std::env::var("LOADCALL_REQUIRE_LIVE").as_deref() != Ok("1"),
        "LOADCALL_REQUIRE_LIVE=1 asks for it"
    );
    None
}

/// Prints a run in every format into a folder.
fn print(run: &Path, baseline: Option<&Path>, formats: &[&str], into: &Path) {
    std::fs::create_dir(into).unwrap();
    for format in formats {
        let mut args = vec!["report", run.to_str().unwrap(), "--format", format];
        if let Some(baseline) = baseline {
            args.extend(["--baseline", baseline.to_str().unwrap()]);
        }
        let output = loadcall(&args, root());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{} as {format}: {stderr}", run.display());
        std::fs::write(into.join(format), output.stdout).unwrap();
    }
}

fn validate(python: &Path, folders: &[PathBuf]) {
    let check = root().join("tests/formats/check.py");
    let output = Command::new(python).arg(check).args(folders).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    print!("{said}");
}

#[test]
fn every_format_is_valid() {
    let Some(python) = python() else { return };
    let out = tempfile::tempdir().unwrap();
    let examples = root().join("docs/examples");
    let night = |n: &str| examples.join("nights").join(n);
    let runs = [
        ("example", root().join("reports/example"), None),
        ("failing", examples.join("failing"), None),
        ("alike", night("2"), Some(night("1"))),
        ("slower", examples.join("slower"), Some(night("1"))),
    ];
    let mut folders = Vec::new();
    for (name, run, baseline) in runs {
        let into = out.path().join(name);
        print(&run, baseline.as_deref(), &OF_RUN, &into);
        folders.push(into);
    }
    let into = out.path().join("ab");
    print(&examples.join("ab"), None, &OF_PAIR, &into);
    folders.push(into);
    validate(&python, &folders);
}

#[test]
fn hostile_text_is_only_text_in_every_format() {
    let Some(python) = python() else { return };
    let out = tempfile::tempdir().unwrap();
    let mut folders = Vec::new();
    for round in 0..hostile::ROUNDS {
        let run = out.path().join(format!("{round}-{}", hostile::FILE_NAME));
        hostile::record(&root().join("reports/example"), &run, round);
        let into = out.path().join(format!("run-{round}"));
        print(&run, None, &OF_RUN, &into);
        // The texts have arrived where they are to be harmless.
        let report = std::fs::read_to_string(into.join("json")).unwrap();
        for text in ["<script>=1 | `x` ::error::y", "evil.example", "SSAP"] {
            assert!(report.contains(text), "{text} is not in the report");
        }
        messages(&run, &into, round);
        folders.push(into);
    }
    validate(&python, &folders);
}

/// Error messages about hostile names and files.
fn messages(run: &Path, into: &Path, round: usize) {
    let name = run.to_str().unwrap();
    let text: String = hostile::text(round).chars().filter(|c| *c != '\0').take(5_000).collect();
    let broken = run.with_extension("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("run.jsonl"), format!("{{\"run\": {text}\n")).unwrap();
    let scenario = run.join("scenario.yaml");
    std::fs::write(&scenario, format!("version: 1\nname: x\nagent: {{nam: {text}\n")).unwrap();
    let missing = format!("{name}/{}", text.replace('/', "_").chars().take(60).collect::<String>());
    for (number, args) in [
        &["report", &missing][..],
        &["report", broken.to_str().unwrap()],
        &["report", name, "--format", &text],
        &["report", name, &text],
        &["check", scenario.to_str().unwrap()],
        &["check", &missing],
        &["compare", name, &missing],
        &["accept", "--even-failed", "--baseline", &missing, name],
        &["run", &missing],
    ]
    .into_iter()
    .enumerate()
    {
        let output = loadcall(args, into);
        // Accepting such a run is no error.
        let expected = if args[0] == "accept" { 0 } else { 2 };
        assert_eq!(output.status.code(), Some(expected), "{args:?}");
        let said = [output.stdout, output.stderr].concat();
        std::fs::write(into.join(format!("message-{number}")), said).unwrap();
    }
}

#[test]
fn an_ab_run_has_no_tables_and_says_so() {
    let run = root().join("docs/examples/ab");
    for format in ["openmetrics", "calls-csv", "turns-csv"] {
        let output = loadcall(&["report", run.to_str().unwrap(), "--format", format], root());
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("name one of its runs"));
    }
}

#[test]
fn annotations_of_gitlab_need_the_page_they_lead_to() {
    for page in ["", "javascript:alert(1)"] {
        let mut command = common::loadcall();
        command.args(["report", "reports/example", "--format", "gitlab-annotations"]);
        let output = command.env("CI_JOB_URL", page).current_dir(root()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("CI_JOB_URL"));
    }
}
