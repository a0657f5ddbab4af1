//! A scenario pointed at something else from outside: flags, variables, files of variables, several scenarios.
//! No server.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;

use common::root;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

const VARIABLES: &str = "version: 1
name: front-desk
agent: {name: \"desk-${STAGE}\", metadata: {token: {$env: TOKEN}}}
turns: [{id: hold, silence: 2s}]
load: {executor: repeat, calls: \"${CALLS:-3}\"}
";
/// Where nobody listens.
const NOWHERE: [(&str, &str); 3] =
    [("LIVEKIT_URL", "ws://127.0.0.1:9"), ("LIVEKIT_API_KEY", "k"), ("LIVEKIT_API_SECRET", "s")];

fn loadcall(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = common::loadcall();
    command.args(args).current_dir(folder).env("NO_COLOR", "1").envs(variables.iter().copied());
    command.output().unwrap()
}

/// Exit code, stdout and stderr.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A folder with scenarios that need no clips.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn silent(name: &str) -> String {
    format!("version: 1\nname: {name}\nagent: {{name: a}}\nturns: [{{id: hold, silence: 2s}}]\n")
}

#[test]
fn flags_change_what_is_checked() {
    let check = |more: &[&str]| {
        said(&loadcall(root(), &[&["check", "scenarios/greeting.yaml"], more].concat(), &[]))
    };
    let (code, out, _) = check(&["--calls", "2", "--agent", "x", "--set", "turns.hold.silence=1s"]);
    assert!(code == 0 && out.contains("4 turns, 2 calls, 2 concurrent"), "{code} {out}");
    // The faults are the result.
    let (code, err, _) = check(&["--calls", "0", "--set", "agent.nmae=x", "--set", "turns.9=x"]);
    assert_eq!(code, 2);
    for part in ["--calls 0", "did you mean `name`?", "no entry `9`", "3 errors"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    let repeated = folder(&[("r.yaml", &(silent("r") + "repeats: 3\n"))]);
    let (code, out, _) =
        said(&loadcall(repeated.path(), &["check", "r.yaml", "--calls", "2"], &[]));
    assert!(code == 0 && out.contains("1 turn, 2 calls"), "{code} {out}");
    // A clip that a flag names is looked for like any other.
    let (code, err, _) = check(&["--set", "turns.hours.say.file=clips/huors.wav"]);
    assert!(
        code == 2 && err.contains("command line:1:") && err.contains("clips/hours.wav"),
        "{err}"
    );
    let (code, _, err) = check(&["--agent", ""]);
    assert!(code == 2 && err.contains("--agent"), "{err}");
}

#[test]
fn variables_come_from_the_environment_and_from_files() {
    let folder = folder(&[
        ("a.yaml", VARIABLES),
        (".env.local", "\u{feff}# mine\r\nexport STAGE=\"file\"\r\nCALLS=7 # many\r\n"),
        ("second", "CALLS=8\n"),
        ("wrong", "A=1\nB='hush\n"),
    ]);
    let check = |args: &[&str], variables: &[(&str, &str)]| {
        said(&loadcall(folder.path(), &[&["check", "a.yaml"], args].concat(), variables))
    };
    let (code, err, _) = check(&[], &[]);
    assert!(
        code == 2 && err.contains("a.yaml:3:21") && err.contains("`STAGE` is not set"),
        "{err}"
    );
    assert_eq!(check(&[], &[("STAGE", "")]).0, 2);
    let calls = |args: &[&str], variables: &[(&str, &str)]| {
        let (code, out, err) = check(args, variables);
        assert_eq!(code, 0, "{err}");
        out.split_once("turn, ").unwrap().1.split(',').next().unwrap().to_owned()
    };
    let file = ["--env-file", ".env.local"];
    assert_eq!(calls(&[], &[("STAGE", "x")]), "3 calls");
    assert_eq!(calls(&file, &[]), "7 calls");
    assert_eq!(calls(&["--env-file", ".env.local", "--env-file", "second"], &[]), "8 calls");
    assert_eq!(calls(&file, &[("CALLS", "9")]), "9 calls");
    // Empty is not set: the file goes before it.
    assert_eq!(calls(&file, &[("CALLS", "")]), "7 calls");
    let (code, _, err) = check(&["--env-file", "wrong"], &[]);
    assert!(code == 2 && err.contains("`wrong` line 2") && !err.contains("hush"), "{err}");
    let (code, _, err) = check(&["--env-file", "none"], &[]);
    assert!(code == 2 && err.contains("cannot read the variables `none`"), "{err}");
    let secret = VARIABLES.replace("{$env: TOKEN}", "\"${TOKEN}\"");
    std::fs::write(folder.path().join("a.yaml"), secret).unwrap();
    let (code, err, _) = check(&[], &[("STAGE", "x"), ("TOKEN", "hush")]);
    assert!(code == 2 && err.contains("{$env: TOKEN}") && !err.contains("hush"), "{err}");
}

#[test]
fn settings_that_are_empty_are_not_set() {
    let run = |variables: &[(&str, &str)]| {
        said(&loadcall(root(), &["run", "scenarios/greeting.yaml"], variables))
    };
    let (code, _, err) =
        run(&[("LIVEKIT_URL", ""), ("LIVEKIT_API_KEY", "k"), ("LIVEKIT_API_SECRET", "s")]);
    assert!(code == 2 && err.contains("no LiveKit server"), "{err}");
    let (code, _, err) = run(&[
        ("LIVEKIT_URL", "ws://127.0.0.1:9"),
        ("LIVEKIT_API_KEY", "k"),
        ("LIVEKIT_API_SECRET", ""),
    ]);
    assert!(code == 2 && err.contains("LIVEKIT_API_SECRET"), "{err}");
    let folder = folder(&[("a.yaml", &silent("a"))]);
    let empty = ["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASE_URL", "LOADCALL_LOG"]
        .map(|name| (name, ""));
    let variables = [&NOWHERE[..], &empty].concat();
    // Nothing but the server is wrong.
    let (code, _, err) = said(&loadcall(folder.path(), &["run", "a.yaml"], &variables));
    assert!(code == 3 && err.contains("127.0.0.1:9") && !err.contains("LANGFUSE"), "{err}");
}

#[test]
fn a_file_of_variables_names_the_server() {
    let folder = folder(&[
        ("a.yaml", &silent("a")),
        ("env", "LIVEKIT_URL=ws://127.0.0.1:9\nLIVEKIT_API_KEY=k\nLIVEKIT_API_SECRET=hush\n"),
    ]);
    for variables in [&[][..], &[("LIVEKIT_URL", ""), ("LIVEKIT_API_SECRET", "")]] {
        let args = ["run", "a.yaml", "--env-file", "env"];
        let (code, _, err) = said(&loadcall(folder.path(), &args, variables));
        assert!(code == 3 && err.contains("ws://127.0.0.1:9") && !err.contains("hush"), "{err}");
    }
    // The environment goes first.
    let other = [("LIVEKIT_URL", "nowhere.example")];
    let args = ["agent", "--env-file", "env"];
    let (code, _, err) = said(&loadcall(folder.path(), &args, &other));
    assert!(code == 2 && err.contains("nowhere.example"), "{err}");
}

#[test]
fn several_scenarios_are_placed_and_each_is_told() {
    let folder = folder(&[
        ("a.yaml", &silent("a")),
        ("b.yaml", &silent("b")),
        ("faulty.yml", "version: 1\nname: c\nturns: []\n"),
    ]);
    let run = |args: &[&str]| said(&loadcall(folder.path(), &[&["run"], args].concat(), &NOWHERE));
    let (code, out, err) = run(&["*.yaml"]);
    assert_eq!(code, 3, "{out} {err}");
    for part in ["scenario 1 of 2: a.yaml", "scenario 2 of 2: b.yaml"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert_eq!(err.matches("error: no LiveKit server").count(), 2, "{err}");
    assert!(
        out.contains("0 of 2 scenarios passed\n  ERROR            a.yaml: nothing was recorded"),
        "{out}"
    );
    // Nothing was recorded, so nothing is left of them.
    assert!(!folder.path().join("reports/latest").exists());
    let (code, _, _) = run(&["a.yaml", "b.yaml", "--out", "mine", "-q"]);
    assert!(code == 3 && !folder.path().join("mine").exists());
    // Before the first call is placed, the faults of all are shown.
    let (code, out, err) = run(&["a.yaml", "faulty.yml", "none.yaml"]);
    assert!(code == 2 && out.is_empty(), "{out}");
    assert!(err.contains("`turns` is empty") && err.contains("`none.yaml`"), "{err}");
    for (args, why) in [
        (&["a.yaml", "./a.yaml"][..], "are the same scenario"),
        (&["*.yaml", "b.yaml"], "are the same scenario"),
        (&["*.json"], "no file matches `*.json`"),
        (&["*.yaml", "--baseline", "b.json"], "--baseline belongs to one scenario"),
        (&["*.yaml", "--set", "turns.hold.silence=soon"], "command line"),
    ] {
        let (code, out, err) = run(args);
        assert!(code == 2 && out.is_empty() && err.contains(why), "{args:?}: {out} {err}");
    }
    // What all lack is said once.
    let (code, _, err) = said(&loadcall(folder.path(), &["run", "*.yaml"], &[]));
    assert!(code == 2 && err.matches("no LiveKit server").count() == 1, "{err}");
    let (code, out, _) = said(&loadcall(folder.path(), &["check", "*.yaml"], &[]));
    assert!(code == 0 && out.contains("a.yaml: ok") && out.contains("b.yaml: ok"), "{out}");
}

/// The recording of the example with another head, in a folder of its own.
fn recording(change: impl FnOnce(&mut Value)) -> TempDir {
    let text = std::fs::read_to_string(root().join("reports/example/run.jsonl")).unwrap();
    let (head, calls) = text.split_once('\n').unwrap();
    let mut head: Value = serde_json::from_str(head).unwrap();
    head["run"]["head"]["run_id"] = "another-run".into();
    change(&mut head["run"]["head"]);
    folder(&[("run.jsonl", &format!("{head}\n{calls}"))])
}

#[test]
fn a_flag_is_compared_as_an_edit_of_the_file_would_be() {
    let example = root().join("reports/example");
    let compared = |run: &TempDir| {
        let args = ["compare", run.path().to_str().unwrap(), example.to_str().unwrap()];
        said(&loadcall(run.path(), &args, &[]))
    };
    let edited = |from: &str, to: &str| {
        recording(|head| {
            let text = head["scenario_text"].as_str().unwrap();
            assert!(text.contains(from));
            head["scenario_text"] = text.replace(from, to).into();
        })
    };
    for (overlay, from, to, code) in [
        (json!({"overrides": [{"agent": "other"}]}), "name: demo-agent", "name: other", 5),
        (json!({"overrides": [{"concurrency": "4"}]}), "concurrency: 5", "concurrency: 4", 5),
        (json!({"overrides": [{"set": "turns.hold.silence=3s"}]}), "silence: 2s", "silence: 3s", 5),
        (json!({"overrides": [{"set": "thresholds.calls_ok=rate>x"}]}), "rate>0.99", "rate>x", 2),
        (
            json!({"overrides": [{"set": "hangup.max_call=80s"}]}),
            "max_call: 90s",
            "max_call: 80s",
            0,
        ),
    ] {
        let flagged = recording(|head| head["overlay"] = overlay.clone());
        let (flag, edit) = (compared(&flagged), compared(&edited(from, to)));
        assert_eq!(flag.0, code, "{overlay}: {flag:?}");
        if code != 2 {
            let body = |text: &str| text.replace(flagged.path().to_str().unwrap(), "");
            let without = |text: &str| {
                let lines = text.lines().filter(|line| !line.contains("changed by:"));
                lines.map(body).collect::<Vec<_>>()
            };
            let first = |text: &str| without(text)[..4].join("\n");
            assert_eq!(first(&flag.1), first(&edit.1), "{overlay}");
        }
        assert_eq!(flag.0, edit.0);
    }
}

#[test]
fn what_changed_a_scenario_is_shown_and_recorded_values_need_no_environment() {
    let run = recording(|head| {
        let text =
            head["scenario_text"].as_str().unwrap().replace("demo-agent", "\"${WHO}-${N:-1}\"");
        head["scenario_text"] = text.into();
        head["overlay"] = json!({
            "overrides": [{"calls": "10"}, {"set": "turns.hold.silence=2s\u{1b}[31m"}],
            "variables": {"WHO": "desk\u{9b}2J"},
        });
    });
    let report = |format: &str| {
        let args = ["report", run.path().to_str().unwrap(), "--format", format];
        said(&loadcall(run.path(), &args, &[("WHO", "somebody else")]))
    };
    // A control character is a fault of the value it stands in.
    let (code, _, err) = report("text");
    assert!(code == 2 && err.contains("command line:2:") && !err.contains('\u{1b}'), "{err}");
    let run = recording(|head| {
        let text =
            head["scenario_text"].as_str().unwrap().replace("demo-agent", "\"${WHO}-${N:-1}\"");
        head["scenario_text"] = text.into();
        head["overlay"] = json!({
            "overrides": [{"calls": "10"}, {"set": "turns.hold.silence=2s # \u{202e}"}],
            "variables": {"WHO": "desk"},
        });
    });
    let report = |format: &str| {
        let args = ["report", run.path().to_str().unwrap(), "--format", format];
        said(&loadcall(run.path(), &args, &[("WHO", "somebody else")]))
    };
    let (code, out, err) = report("text");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("agent desk-1") && !out.contains('\u{202e}'), "{out}");
    assert!(out.contains("changed by: --calls 10, --set turns.hold.silence=2s # "), "{out}");
    assert!(out.contains("WHO=desk"), "{out}");
    let json: Value = serde_json::from_str(&report("json").1).unwrap();
    assert_eq!(json["agent_name"], "desk-1");
    assert_eq!(json["overrides"][0], json!({"flag": "--calls", "value": "10"}));
    assert_eq!(json["variables"], json!({"WHO": "desk"}));
}

#[test]
fn recordings_cannot_be_changed_by_flags() {
    let args = ["noise", "reports/example", "reports/example", "--calls", "3"];
    let (code, _, err) = said(&loadcall(root(), &args, &[]));
    assert!(code == 2 && err.contains("recorded runs cannot be changed by flags"), "{err}");
}

#[test]
fn a_folder_of_several_runs_names_one() {
    let folder = folder(&[]);
    for name in ["greeting", "booking"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let example = root().join("reports/example/run.jsonl");
        std::fs::copy(example, folder.path().join(name).join("run.jsonl")).unwrap();
    }
    let (code, _, err) = said(&loadcall(folder.path(), &["report", "."], &[]));
    assert!(code == 2 && err.contains("several runs: name one, such as ./booking"), "{err}");
}
