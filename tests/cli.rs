//! The command line from outside: what is said, where it is said, and the exit codes. No server.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;

use common::root;
use std::path::Path;
use std::process::Output;

/// What loadcall says and how it ends.
fn loadcall(args: &[&str], folder: &Path) -> Output {
    common::loadcall().args(args).current_dir(folder).env("NO_COLOR", "1").output().unwrap()
}

/// Exit code, stdout and stderr as one text.
fn seen(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    format!("exit {}\n-- stdout\n{out}-- stderr\n{err}", output.status.code().unwrap())
}

#[test]
fn help_reads_well() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help_init", &["init", "--help"]),
        ("help_doctor", &["doctor", "--help"]),
        ("help_trace", &["trace", "--help"]),
        ("help_run", &["run", "--help"]),
        ("help_ab", &["ab", "--help"]),
        ("help_noise", &["noise", "--help"]),
        ("help_compare", &["compare", "--help"]),
        ("help_accept", &["accept", "--help"]),
        ("help_agent", &["agent", "--help"]),
        ("help_calibrate", &["calibrate", "--help"]),
        ("help_check", &["check", "--help"]),
        ("help_schema", &["schema", "--help"]),
        ("help_report", &["report", "--help"]),
        ("help_calls", &["calls", "--help"]),
        ("help_export", &["export", "--help"]),
        ("help_completions", &["completions", "--help"]),
        ("help_man", &["man", "--help"]),
    ] {
        insta::assert_snapshot!(name, seen(&loadcall(args, root())));
    }
}

#[test]
fn a_run_needs_a_server_and_says_so() {
    let run = |more: &[&str]| {
        let args = [&["run", "scenarios/greeting.yaml"], more].concat();
        seen(&loadcall(&args, root()))
    };
    insta::assert_snapshot!("run_without_url", run(&[]));
    insta::assert_snapshot!("run_with_a_bad_url", run(&["--url", "livekit.example"]));
    insta::assert_snapshot!("run_without_keys", run(&["--url", "wss://livekit.example"]));
}

#[test]
fn a_variable_does_not_look_like_a_required_flag() {
    let mut command = common::loadcall();
    command.args(["run", "--nonsense"]).env("NO_COLOR", "1");
    for name in ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"] {
        command.env(name, "x");
    }
    insta::assert_snapshot!("run_with_variables", seen(&command.output().unwrap()));
}

#[test]
fn a_place_that_cannot_be_written_is_the_users() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("reports"), "").unwrap();
    let example = root().join("reports/example");
    let example = example.to_str().unwrap();
    let accept = loadcall(&["accept", "--baseline", "none/b.json", example], folder.path());
    insta::assert_snapshot!("accept_nowhere", seen(&accept));
    let scenario = root().join("scenarios/greeting.yaml");
    let keys = ["--url", "ws://127.0.0.1:9", "--api-key", "k", "--api-secret", "s"];
    let args = [&["run", scenario.to_str().unwrap()], &keys[..]].concat();
    let run = seen(&loadcall(&args, folder.path()));
    // The folder is named after the moment.
    let (before, after) = run.split_once("`reports/").unwrap();
    let after = after.split_once('`').unwrap().1;
    insta::assert_snapshot!("run_without_a_folder", format!("{before}`reports/…`{after}"));
}

#[test]
fn every_scenario_here_is_sound() {
    let mut scenarios = 0;
    for entry in std::fs::read_dir(root().join("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            scenarios += 1;
            let output = loadcall(&["check", path.to_str().unwrap()], root());
            assert_eq!(output.status.code(), Some(0), "{}", seen(&output));
        }
    }
    assert!(scenarios > 0);
}

#[test]
fn a_scenario_that_expects_nothing_is_pointed_out() {
    let folder = tempfile::tempdir().unwrap();
    let checked = |expect: &str| {
        let turn = format!("  - {{id: wait, {expect}}}");
        let scenario = format!("version: 1\nname: wait\nagent: {{name: a}}\nturns:\n{turn}\n");
        std::fs::write(folder.path().join("wait.yaml"), scenario).unwrap();
        seen(&loadcall(&["check", "wait.yaml"], folder.path()))
    };
    assert!(checked("silence: 2s").contains("no turn has `expect`"));
    assert!(!checked("expect: {agent: speaks, within: 5s}").contains("no turn has `expect`"));
}

#[test]
fn faults_are_shown_all_at_once_and_clips_are_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("clips")).unwrap();
    let clip = root().join("scenarios/clips/hours.wav");
    std::fs::copy(clip, folder.path().join("clips/hours.wav")).unwrap();
    let scenario = "version: 1
name: greeting
agent: {nam: demo-agent}
turns:
  - {id: greeting, expect: {agent: speaks, within: soon}}
  - id: hours
    say: {file: clips/hours.wav}
    expect: {agent: answers, within: 8s}
thresholds: {heard_e2e_latency: [\"p(95)<2500\"]}
";
    std::fs::write(folder.path().join("faulty.yaml"), scenario).unwrap();
    insta::assert_snapshot!(
        "check_faults",
        seen(&loadcall(&["check", "faulty.yaml"], folder.path()))
    );
    let scenario = "version: 1
name: greeting
agent: {name: demo-agent}
turns:
  - id: hours
    say: {file: clips/huors.wav}
    expect: {agent: responds, within: 8s}
";
    std::fs::write(folder.path().join("clip.yaml"), scenario).unwrap();
    insta::assert_snapshot!(
        "check_missing_clip",
        seen(&loadcall(&["check", "clip.yaml", "none.yaml"], folder.path()))
    );
}

#[test]
fn a_recording_is_reported_and_judged_again() {
    // From a folder where the scenario has no baseline.
    let folder = tempfile::tempdir().unwrap();
    let example = root().join("reports/example");
    let example = example.to_str().unwrap();
    let text = loadcall(&["report", example], folder.path());
    assert_eq!(text.status.code(), Some(0), "{}", seen(&text));
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("PASS"), "{}", seen(&text));
    // report.json is a function of the recording alone.
    let json = loadcall(&["report", example, "--format", "json"], folder.path());
    let committed = std::fs::read(Path::new(example).join("report.json")).unwrap();
    assert!(json.stdout == committed, "the committed report.json is not what this version makes");
    // A run compared with itself is no worse.
    let same = loadcall(&["compare", example, example], folder.path());
    assert_eq!(same.status.code(), Some(0), "{}", seen(&same));
}

#[test]
fn runs_are_accepted_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let example = root().join("reports/example");
    let recording = std::fs::read_to_string(example.join("run.jsonl")).unwrap();
    // The same calls as another run's.
    let id = recording.split("\"run_id\":\"").nth(1).unwrap().split('"').next().unwrap();
    let other = folder.path().join("other.jsonl");
    std::fs::write(&other, recording.replace(id, "20261125-090000-0000")).unwrap();
    let (example, other) = (example.to_str().unwrap(), other.to_str().unwrap());
    let accept = |args: &[&str]| {
        let args = [&["accept", "--baseline", "b.json"], args].concat();
        seen(&loadcall(&args, folder.path()))
    };
    let said = [accept(&[example]), accept(&[example]), accept(&[other])].join("\n");
    insta::assert_snapshot!("accept_runs", said);
    let baseline = || std::fs::read_to_string(folder.path().join("b.json")).unwrap();
    assert!(baseline().contains(id) && baseline().contains("20261125-090000-0000"));
    accept(&["--replace", other]);
    assert!(!baseline().contains(id) && baseline().contains("20261125-090000-0000"));
}

#[test]
fn what_is_no_recording_or_baseline_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.jsonl"), "hello\n").unwrap();
    std::fs::write(folder.path().join("b.json"), "{}").unwrap();
    let example = root().join("reports/example");
    let example = example.to_str().unwrap();
    let say = |args: &[&str]| {
        let text = seen(&loadcall(args, folder.path()));
        text.replace(root().to_str().unwrap(), "[root]")
    };
    insta::assert_snapshot!("report_no_recording", say(&["report", "run.jsonl"]));
    insta::assert_snapshot!("report_nothing_there", say(&["report", "nothing"]));
    insta::assert_snapshot!("compare_no_baseline", say(&["compare", example, "b.json"]));
    insta::assert_snapshot!("compare_without_baseline", say(&["compare", example]));
}

#[test]
fn an_ab_run_is_told_exactly_what_is_wrong() {
    let ab = |args: &[&str]| {
        let all = [&["ab", "scenarios/greeting.yaml"], args].concat();
        seen(&loadcall(&all, root()))
    };
    insta::assert_snapshot!("ab_without_b", ab(&[]));
    insta::assert_snapshot!("ab_bad_key", ab(&["--b", "nmae=b"]));
    insta::assert_snapshot!("ab_no_file", ab(&["--b", "metadata=@none.json", "--dev"]));
    insta::assert_snapshot!("ab_server_and_dev", ab(&["--b", "url=ws://b.example", "--dev"]));
    insta::assert_snapshot!("ab_no_keys", ab(&["--b", "url=ws://b.example"]));
    insta::assert_snapshot!("ab_no_server", ab(&["--b", "other-agent"]));
    insta::assert_snapshot!("ab_nobody_gets_it", ab(&["--b", "name=,metadata={}", "--dev"]));
}

#[test]
fn an_ab_folder_is_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let example = std::fs::read_to_string(root().join("reports/example/run.jsonl")).unwrap();
    for side in ["a", "b"] {
        let arm = format!(
            "\"arm\":{{\"ab\":\"r\",\"side\":\"{side}\",\"agent_name\":\"demo-agent\",\
             \"agent_metadata\":\"\"}},\"run_id\""
        );
        let text = example.replacen("\"run_id\"", &arm, 1);
        std::fs::create_dir_all(folder.path().join("ab").join(side)).unwrap();
        std::fs::write(folder.path().join("ab").join(side).join("run.jsonl"), text).unwrap();
    }
    let say = |args: &[&str]| seen(&loadcall(args, folder.path()));
    // The same calls on both sides: no shift at all.
    let compared = say(&["compare", "ab"]);
    assert!(compared.starts_with("exit 0\n-- stdout\nPASS: b is no worse than a"), "{compared}");
    let json = loadcall(&["report", "ab", "--format", "json"], folder.path());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["outcome"], "pass");
    assert_eq!(json["comparison"]["changes"][0]["shift_ms"]["at_most"], 0.0);
    insta::assert_snapshot!("accept_ab", say(&["accept", "ab"]));
    insta::assert_snapshot!("compare_ab_baseline", say(&["compare", "ab", "ab/a"]));
    insta::assert_snapshot!("noise_of_a_side", say(&["noise", "ab/a", "ab/b"]));
}

#[test]
fn a_call_is_shown_by_its_number() {
    let shown = loadcall(&["calls", "docs/examples/failing", "3"], root());
    let text = seen(&shown);
    assert!(text.starts_with("exit 0") && text.contains("no reply for 8,201 ms"), "{text}");
    insta::assert_snapshot!(
        "calls_no_such_call",
        seen(&loadcall(&["calls", "reports/example", "33"], root()))
    );
    let worst =
        loadcall(&["calls", "docs/examples/failing", "--worst", "1", "--format", "json"], root());
    let calls: serde_json::Value = serde_json::from_slice(&worst.stdout).unwrap();
    assert_eq!(calls[0]["cause"], "llm_error");
    assert_eq!(calls[0]["slowest"]["censored"], true);
    assert_eq!(calls.as_array().unwrap().len(), 1);
}

#[test]
fn noise_needs_runs() {
    let example = "reports/example";
    let say = |args: &[&str]| seen(&loadcall(args, root()));
    insta::assert_snapshot!("noise_of_one_run", say(&["noise", example]));
    insta::assert_snapshot!("noise_mixed_up", say(&["noise", example, "scenarios/greeting.yaml"]));
    insta::assert_snapshot!("noise_of_twins", say(&["noise", example, example]));
}

#[test]
fn what_check_finds_is_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, more: &str| {
        let turns = "turns: [{id: hi, expect: {agent: speaks, within: 5s}}]";
        let text = format!("version: 1\nname: a\nagent: {{name: b}}\n{turns}\n{more}");
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    write("good.yaml", "");
    write("odd.yaml", "thresholds: {calls_ok: \"rate>=0\"}\n");
    write("bad.yaml", "größe: 1\nthresholds: {connect_delay: [\"p(50)<1s\", \"p(50)>2s\"]}\n");
    let check = |args: &[&str]| {
        let output = loadcall(&[&["check"], args].concat(), folder.path());
        assert!(output.stderr.is_empty(), "{}", seen(&output));
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = check(&["good.yaml", "bad.yaml", "none.yaml", "odd.yaml"]);
    assert_eq!(code, 2, "{text}");
    for part in
        ["good.yaml: ok", "unknown key", "bad.yaml: 2 errors", "`none.yaml`", "note: threshold"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!((check(&["odd.yaml"]).0, check(&["good.yaml", "--strict"]).0), (0, 0));
    let (code, text) = check(&["odd.yaml", "--strict"]);
    assert!(code == 2 && text.contains("1 note, which --strict refuses"), "{text}");
    let (code, text) =
        check(&["good.yaml", "bad.yaml", "none.yaml", "odd.yaml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &json["ok"]), (2, &serde_json::json!(false)));
    let files = json["files"].as_array().unwrap();
    assert_eq!((&files[0]["ok"], &files[0]["calls"]), (&true.into(), &1.into()));
    let error = &files[1]["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&5.into(), &1.into()), "{text}");
    assert_eq!(error["code"], "scenario::unknown_key");
    assert_eq!(files[1]["errors"][1]["code"], "scenario::bad_threshold");
    assert_eq!(files[2]["errors"][0]["code"], "file::unreadable");
    assert!(files[3]["notes"][0]["text"].as_str().unwrap().contains("met by every run"), "{text}");
}

#[test]
fn remedies_of_a_scenario_lead_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("clips")).unwrap();
    std::fs::write(folder.path().join("clips/a.mp3"), "not audio").unwrap();
    let checked = |turns: &str| {
        let text = format!("version: 1\nname: a\nagent: {{name: b}}\nturns:\n{turns}");
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
        String::from_utf8(loadcall(&["check", "a.yaml"], folder.path()).stdout).unwrap()
    };
    // What is proposed is taken.
    let turn = "  - {id: hi, expect: EXPECT}\n";
    let refused = checked(&turn.replace("EXPECT", "speaks"));
    assert!(refused.contains("write `expect: {agent: speaks, within: 5s}`"), "{refused}");
    let taken = checked(&turn.replace("EXPECT", "{agent: speaks, within: 5s}"));
    assert!(taken.contains("a.yaml: ok"), "{taken}");
    // An open bracket is named where it is, also when the file goes on.
    let open =
        checked("  - {id: hi, expect: {agent: speaks, within: 5s}\n  - {id: wait, silence: 2s}\n");
    let place = "the bracket `{` is not closed\n --> a.yaml:5:5";
    assert!(open.contains(place) && open.contains("close it with `}`"), "{open}");
    let comma =
        checked("  - {id: hi,\n     expect: {agent: speaks, within: 5s}\n     silence: 2s}\n");
    assert!(
        comma.contains("put one `,` between two entries, or close the `{` of line 5"),
        "{comma}"
    );
    // A command to copy, with the file in it, and not in a label.
    let audio = checked("  - {id: hi, say: {file: clips/a.mp3}}\n");
    assert!(audio.contains("`ffmpeg -i clips/a.mp3 -ac 1 -ar 48000 clips/a.wav`"), "{audio}");
}

#[test]
fn a_calibration_that_cannot_be_made_is_refused_before_its_calls() {
    let folder = tempfile::tempdir().unwrap();
    for (args, says) in [
        (&["--concurrency", "50", "--calls", "10"][..], "--concurrency 50 is more than --calls 10"),
        (&["--out", "none/c.json"], "cannot write `none/c.json`"),
        (&["--out", "."], "cannot write `.`"),
        (&["--jitter-ms", "5s"], "write a whole number from 0 to 1000, such as 20"),
        (&["--calls", "0"], "write a whole number from 1 to 10000, such as 100"),
        (&["--seed", "x"], "write a whole number, such as 1"),
    ] {
        let output = loadcall(&[&["calibrate"], args].concat(), folder.path());
        let text = seen(&output);
        assert!(output.status.code() == Some(2) && text.contains(says), "{args:?}: {text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_demo_says_which_python_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    for version in ["python3", "python3.14", "python3.13", "python3.12", "python3.11"] {
        // As one that is too old.
        let program = folder.path().join(version);
        std::fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let output = std::process::Command::new("bash")
        .arg(root().join("demo/setup.sh"))
        .arg(folder.path().join("venv"))
        .env("PATH", path)
        .env_remove("PYTHON")
        .output()
        .unwrap();
    let said = seen(&output);
    assert!(
        output.status.code() == Some(1) && said.contains("needs Python 3.11 to 3.14"),
        "{said}"
    );
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains("Python 3.11 to 3.14"), "the same in README.md");
}
