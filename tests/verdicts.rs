//! Verdicts from the command line: what is accepted, what is compared with what, and what fails a job. All of
//! it on recordings that are committed or made from them.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;

use common::root;
use std::path::{Path, PathBuf};

/// The exit code, stdout and stderr of a command in a folder.
fn said(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = common::loadcall().args(args).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn example(path: &str) -> String {
    root().join(path).to_str().unwrap().to_owned()
}

fn night(n: usize) -> String {
    example(&format!("docs/examples/nights/{n}"))
}

/// A recording in a folder of its own, with its lines changed.
fn changed(folder: &Path, name: &str, of: &str, change: impl Fn(&mut Vec<String>)) -> PathBuf {
    let text = std::fs::read_to_string(Path::new(of).join("run.jsonl")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let run = folder.join(name);
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("run.jsonl"), lines.join("\n") + "\n").unwrap();
    run
}

/// The same calls as another run's.
fn renamed(folder: &Path, name: &str, of: &str) -> String {
    let run = changed(folder, name, of, |lines| {
        let id =
            lines[0].split("\"run_id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        lines[0] = lines[0].replace(&id, name);
    });
    run.to_str().unwrap().to_owned()
}

#[test]
fn an_accepted_run_is_not_judged_against_itself() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| said(folder.path(), args);
    let (first, slower) = (night(1), example("docs/examples/slower"));
    assert_eq!(run(&["accept", "--baseline", "b.json", &first]).0, 0);
    let (code, out, _) = run(&["compare", &first, "b.json"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("INCONCLUSIVE: this run is the baseline"), "{out}");
    assert!(!out.contains("loadcall accept") && !out.contains("PASS"), "{out}");
    assert_eq!(run(&["compare", &first, "b.json", "--fail-on", "inconclusive"]).0, 5);
    // A run that is slower stays so when it is accepted; levels are people's.
    let four: Vec<String> = (2..=4).map(night).collect();
    for run_of in &four {
        assert_eq!(run(&["accept", "--baseline", "b.json", run_of]).0, 0);
    }
    assert_eq!(run(&["accept", "--baseline", "b.json", &night(5)]).0, 0);
    let before = run(&["compare", &slower, "b.json"]);
    assert_eq!(before.0, 4, "{}", before.1);
    let (code, _, err) = run(&["accept", "--baseline", "b.json", &slower]);
    assert!(code == 0 && err.contains("warning: this run is worse"), "{err}");
    let after = run(&["compare", &slower, "b.json"]);
    assert_eq!(after.0, 4, "{}", after.1);
    let headline = |out: &str| out.lines().take(3).collect::<Vec<_>>().join("\n");
    assert_eq!(headline(&after.1), headline(&before.1));
    assert!(after.1.contains("compared with the 5 other accepted runs"), "{}", after.1);
}

#[test]
fn a_run_that_failed_is_accepted_only_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| said(folder.path(), args);
    let failing = example("docs/examples/failing");
    let (code, _, err) = run(&["accept", "--baseline", "b.json", &failing]);
    assert_eq!(code, 2);
    assert!(err.contains("threshold failed: ") && err.contains("--even-failed"), "{err}");
    assert!(!folder.path().join("b.json").exists());
    assert_eq!(run(&["accept", "--replace", "--baseline", "b.json", &failing]).0, 2);
    let (code, out, _) = run(&["accept", "--even-failed", "--baseline", "b.json", &failing]);
    assert_eq!(code, 0);
    assert!(out.contains("1 run") && out.contains(" calls succeeded"), "{out}");
    // What it measured, as the report has it: n, the calls, and a bound as such.
    let mute = changed(folder.path(), "mute", &night(1), |lines| {
        for line in lines.iter_mut().filter(|line| line.starts_with("{\"call\"")).take(7) {
            let mut call: serde_json::Value = serde_json::from_str(line).unwrap();
            let log = call["call"]["log"].as_array_mut().unwrap();
            let said = log.iter().position(|o| o["is"].get("utterance_ended").is_some()).unwrap();
            log.truncate(said + 1);
            let (at, step) = (
                log[said]["at"].as_i64().unwrap(),
                log[said]["is"]["utterance_ended"]["step"].clone(),
            );
            log.push(serde_json::json!({"at": at + 8_000_000, "is": {"expectation_missed": {"step": step}}}));
            call["call"]["end"]["outcome"] = "no_answer".into();
            *line = call.to_string();
        }
    });
    let mute = mute.to_str().unwrap();
    let (code, out, _) =
        run(&["accept", "--even-failed", "--replace", "--baseline", "b.json", mute]);
    assert_eq!(code, 0);
    assert!(out.contains("heard_e2e_latency p50: ≥ 8,0"), "{out}");
    assert!(out.contains("(10 values, 7 of them unanswered); 3 of 10 calls succeeded"), "{out}");
    // The breakdown is of the few that were answered, and says so.
    let (_, out, _) = run(&["report", mute]);
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("(of the 3 turns that were answered; 7 were not)"), "{out}");
}

#[test]
fn a_job_learns_from_every_valid_run_until_it_has_enough() {
    let folder = tempfile::tempdir().unwrap();
    let learn = |run: &str| {
        said(folder.path(), &["accept", "--while-learning", "--baseline", "b.json", run])
    };
    let runs = || {
        let text = std::fs::read_to_string(folder.path().join("b.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["runs"].as_array().unwrap().len()
    };
    let (code, out, _) = learn(&example("docs/examples/failing"));
    assert!(code == 0 && out.contains("b.json: not added: threshold failed: "), "{out}");
    for n in 1..=5 {
        assert_eq!(learn(&night(n)).0, 0);
        assert_eq!(runs(), n);
    }
    let (code, out, _) = learn(&night(5));
    assert!(
        code == 0 && out.contains("not added") && out.contains("is already in the baseline"),
        "{out}"
    );
    let killed = changed(folder.path(), "killed", &night(1), |lines| drop(lines.pop()));
    let (code, out, _) = learn(killed.to_str().unwrap());
    assert!(code == 0 && out.contains("not added: this run cannot become a baseline"), "{out}");
    // A run is learnt from whatever its comparison says: leaving out slow nights makes false alarms later.
    let (code, _, err) = learn(&example("docs/examples/slower"));
    assert!(code == 0 && err.contains("warning: this run is worse"), "{err}");
    assert_eq!(runs(), 6);
    assert_eq!(learn(&renamed(folder.path(), "seventh", &night(2))).0, 0);
    let (code, out, _) = learn(&renamed(folder.path(), "eighth", &night(3)));
    assert!(code == 0 && out.contains("its level is complete; this run is not added"), "{out}");
    assert_eq!(runs(), 7);
    // What is no recording is an error all the same.
    assert_eq!(learn("nothing").0, 2);
}

#[test]
fn one_line_that_cannot_be_read_costs_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let damaged = changed(folder.path(), "damaged", &night(1), |lines| lines[4].truncate(300));
    let damaged = damaged.to_str().unwrap();
    let run = |args: &[&str]| said(folder.path(), args);
    let (code, out, _) = run(&["report", damaged]);
    assert_eq!(code, 0);
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.starts_with("INVALID: the recording is damaged: 1 line cannot be read ("),
        "{out}"
    );
    assert!(words.replace(' ', "").contains("run.jsonl:5:300:notvalidJSON"), "{out}");
    assert!(words.contains("9 of 10 calls"), "{out}");
    let (code, out, err) = run(&["compare", damaged, &night(2)]);
    assert!(code == 0 && out.starts_with("INVALID") && err.contains("default,invalid"), "{err}");
    assert_eq!(run(&["compare", damaged, &night(2), "--fail-on", "default,invalid"]).0, 5);
    for args in
        [vec!["accept", "--baseline", "b.json", damaged], vec!["compare", &night(2), damaged]]
    {
        let (code, _, err) = run(&args);
        assert!(code == 2 && err.contains("the recording is damaged"), "{err}");
    }
    let (code, _, err) = run(&["noise", &night(2), damaged]);
    assert!(code == 5 && err.contains("the recording is damaged"), "{err}");
}

#[test]
fn nobody_there_is_the_same_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = changed(folder.path(), "nobody", &night(1), |lines| {
        for line in lines.iter_mut().filter(|line| line.starts_with("{\"call\"")) {
            let mut call: serde_json::Value = serde_json::from_str(line).unwrap();
            call["call"]["log"] = serde_json::json!([]);
            call["call"]["end"]["outcome"] = "no_agent".into();
            *line = call.to_string();
        }
    });
    let nobody = nobody.to_str().unwrap();
    let run = |args: &[&str]| said(folder.path(), args);
    assert_eq!(run(&["compare", nobody, &night(2)]).0, 3);
    let (code, _, err) = run(&["noise", &night(2), nobody]);
    assert!(code == 3 && err.contains("no call reached an agent"), "{err}");
}

#[test]
fn what_fails_a_job_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let code = |run: &str, fail_on: &str| {
        said(folder.path(), &["compare", run, &night(1), "--fail-on", fail_on]).0
    };
    let failing = example("docs/examples/failing");
    assert_eq!(code(&failing, "default"), 4);
    assert_eq!(code(&failing, "none"), 0);
    assert_eq!(code(&failing, "invalid"), 0);
    // Against a run that is named nothing is learnt.
    assert_eq!(code(&failing, "inconclusive,invalid"), 5);
    assert_eq!(code(&night(2), "default"), 0);
    let (code, _, err) = said(folder.path(), &["compare", &failing, "--fail-on", "slow"]);
    assert!(code == 2 && err.contains("nothing-measured"), "{err}");
}
