//! What files, servers and scenarios of others cannot do to the machine loadcall runs on, and what it leaves
//! behind when it is ended.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;

use common::root;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far more than any command below needs, far less than a hang.
const PATIENCE: Duration = Duration::from_secs(30);
/// What nobody but loadcall may write: a colour, a title, a clear screen (C1), a reversed text.
const HOSTILE: &str = "\u{1b}[31mPASS\u{1b}]0;title\u{7}\u{9b}2J\u{202e}";

/// loadcall as in a terminal with colours.
fn loadcall(args: &[&str], folder: &Path) -> Command {
    let mut command = common::loadcall();
    command.args(args).current_dir(folder).env("CLICOLOR_FORCE", "1");
    command
}

/// What a command says, when it ends in time.
fn ended(command: &mut Command) -> Output {
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    in_time(child)
}

fn in_time(child: Child) -> Output {
    let id = pid(&child);
    let (done, output) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    output.recv_timeout(PATIENCE).map_or_else(
        |_| {
            let _ = kill_process(id, Signal::KILL);
            panic!("loadcall does not end")
        },
        Result::unwrap,
    )
}

fn within_patience(mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

/// Checks that a text shown on a terminal holds the hostile one, and nothing of it has any power.
fn harmless(shown: &str) {
    assert!(shown.contains("PASS"), "{shown:?}");
    assert!(!shown.contains("\u{1b}[31m"), "a colour: {shown:?}");
    assert!(!shown.contains("\u{1b}]"), "a title: {shown:?}");
    let others = |c: char| c.is_control() && !matches!(c, '\n' | '\u{1b}');
    assert!(!shown.contains(others) && !shown.contains('\u{202e}'), "{shown:?}");
}

fn scenario_text(clip: &str) -> String {
    let clip = serde_json::to_string(clip).unwrap();
    format!(
        "version: 1\nname: a\nagent: {{name: b}}\nturns:\n  - id: hours\n    say: {{file: {clip}}}\n    \
         expect: {{agent: responds, within: 8s}}\n"
    )
}

/// A folder with a scenario in it, and a clip beside it.
fn scenario(clip: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let wav = root().join("scenarios/clips/hours.wav");
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    std::fs::copy(&wav, folder.path().join("inner/hours.wav")).unwrap();
    std::fs::copy(&wav, folder.path().join("outer.wav")).unwrap();
    symlink(folder.path().join("outer.wav"), folder.path().join("inner/link.wav")).unwrap();
    symlink("hours.wav", folder.path().join("inner/inner.wav")).unwrap();
    std::fs::write(folder.path().join("inner/a.yaml"), scenario_text(clip)).unwrap();
    folder
}

/// The example's recording with other text in its head.
fn recording(folder: &Path, change: impl FnOnce(&mut serde_json::Value)) -> PathBuf {
    let text = std::fs::read_to_string(root().join("reports/example/run.jsonl")).unwrap();
    let (head, calls) = text.split_once('\n').unwrap();
    let mut head = serde_json::from_str(head).unwrap();
    change(&mut head);
    let path = folder.join("run.jsonl");
    std::fs::write(&path, format!("{head}\n{calls}")).unwrap();
    path
}

#[test]
fn a_server_says_nothing_in_its_own_colours() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let body = serde_json::json!({ "code": "internal", "msg": HOSTILE }).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4_096]);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    let folder = scenario("hours.wav");
    let args = ["run", "inner/a.yaml", "--url", &url, "--api-key", "k", "--api-secret", "s"];
    let output = ended(&mut loadcall(&args, folder.path()));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    harmless(&text(&output));
}

#[test]
fn a_scenario_says_nothing_in_its_own_colours() {
    let folder = scenario(&format!("{HOSTILE}.wav"));
    harmless(&text(&ended(&mut loadcall(&["check", "inner/a.yaml"], folder.path()))));
    let path = folder.path().join(format!("{HOSTILE}.yaml"));
    let keys = serde_json::to_string(HOSTILE).unwrap();
    for scenario in [
        format!("version: 1\nname: {keys}\n{keys}: 1\nagent: {{name: {keys}, {keys}: {keys}}}\n"),
        // Characters of the file itself, in the source line and beside the caret.
        format!("version: 1\nname: [{HOSTILE}"),
        format!("{HOSTILE}\n"),
        format!("version: 1\nname: x # {HOSTILE}\nturns: {HOSTILE}\n"),
    ] {
        std::fs::write(&path, &scenario).unwrap();
        let output = ended(loadcall(&["check"], folder.path()).arg(&path));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        harmless(&text(&output));
    }
}

#[test]
fn a_recording_says_nothing_in_its_own_colours() {
    let folder = tempfile::tempdir().unwrap();
    let run = recording(folder.path(), |head| {
        head["run"]["head"]["scenario_path"] = format!("{HOSTILE}.yaml").into();
        head["run"]["head"]["scenario_text"] = format!("version: 1\n{HOSTILE}: 1\n").into();
    });
    harmless(&text(&ended(loadcall(&["report"], folder.path()).arg(&run))));
    harmless(&text(&ended(loadcall(&["compare"], folder.path()).arg(&run))));
    let run = recording(folder.path(), |head| {
        head["run"]["head"]["run_id"] = HOSTILE.into();
        head["run"]["head"]["scenario_path"] = format!("{HOSTILE}.yaml").into();
    });
    harmless(&text(&ended(loadcall(&["accept"], folder.path()).arg(&run))));
    // A terminal obeys C1 controls, and JSON may hold them.
    let json = ended(loadcall(&["report", "--format", "json"], folder.path()).arg(&run));
    harmless(&text(&json));
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(report.to_string().contains('\u{202e}'), "the document is the same");
}

#[test]
fn wrong_arguments_are_quoted_without_their_power() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        ["ab", "a.yaml", "--b", &format!("{HOSTILE}=")].as_slice(),
        &["check", &format!("--{HOSTILE}")],
        &[HOSTILE],
        &["report", HOSTILE],
    ] {
        let output = ended(&mut loadcall(args, folder.path()));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        harmless(&text(&output));
    }
}

#[test]
fn help_shows_no_values_of_variables() {
    for command in ["run", "ab", "noise", "agent"] {
        let mut help = common::loadcall();
        help.args([command, "--help"]);
        for name in ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"] {
            help.env(name, "hunter2");
        }
        for name in ["PUBLIC_KEY", "SECRET_KEY", "BASE_URL", "TRACING_ENVIRONMENT"] {
            help.env(format!("LANGFUSE_{name}"), "hunter2");
        }
        // A line may end within the brackets.
        let shown = text(&ended(&mut help)).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains("[env: LIVEKIT_URL]") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_recording_chooses_no_place_to_write_to() {
    let folder = tempfile::tempdir().unwrap();
    let (here, elsewhere) = (folder.path().join("here"), folder.path().join("elsewhere"));
    for made in [&here, &elsewhere, &here.join("scenarios")] {
        std::fs::create_dir(made).unwrap();
    }
    symlink(&elsewhere, here.join("link")).unwrap();
    let written = || std::fs::read_dir(&elsewhere).unwrap().count();
    let absolute = elsewhere.join("a.yaml");
    for path in [absolute.to_str().unwrap(), "../elsewhere/a.yaml", "link/a.yaml"] {
        let run =
            recording(folder.path(), |head| head["run"]["head"]["scenario_path"] = path.into());
        let refused = ended(loadcall(&["accept"], &here).arg(&run));
        assert_eq!(refused.status.code(), Some(2), "{path}: {refused:?}");
        assert!(text(&refused).contains("--baseline"), "{refused:?}");
        assert_eq!(written(), 0, "{path}");
        let replaced = ended(loadcall(&["accept", "--replace"], &here).arg(&run));
        assert_eq!((replaced.status.code(), written()), (Some(2), 0), "{path}: {replaced:?}");
    }
    // Where the user says so, and in the current folder, it is written.
    let run = folder.path().join("run.jsonl");
    let named = elsewhere.join("b.json");
    let named = ended(loadcall(&["accept", "--baseline"], &here).arg(&named).arg(&run));
    assert_eq!((named.status.code(), written()), (Some(0), 1), "{named:?}");
    let inside = here.join("scenarios/a.yaml");
    for path in ["scenarios/b.yaml", inside.to_str().unwrap()] {
        let run =
            recording(folder.path(), |head| head["run"]["head"]["scenario_path"] = path.into());
        let accepted = ended(loadcall(&["accept"], &here).arg(&run));
        assert_eq!(accepted.status.code(), Some(0), "{path}: {accepted:?}");
        let baseline = here.join(path).with_extension("baseline.json");
        assert!(baseline.exists(), "{}", baseline.display());
    }
}

#[test]
fn runs_accepted_at_the_same_time_all_count() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (0..6).map(|n| format!("20261125-09000{n}-0000")).collect();
    let runs: Vec<PathBuf> = ids
        .iter()
        .map(|id| {
            let run = folder.path().join(id);
            std::fs::create_dir(&run).unwrap();
            recording(&run, |head| head["run"]["head"]["run_id"] = id.as_str().into())
        })
        .collect();
    let accepting: Vec<Child> = runs
        .iter()
        .map(|run| {
            let mut accept = loadcall(&["accept", "--baseline", "b.json"], folder.path());
            accept.arg(run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in accepting {
        let output = in_time(child);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let baseline = std::fs::read_to_string(folder.path().join("b.json")).unwrap();
    for id in ids {
        assert!(baseline.contains(&id), "{id} is lost");
    }
}

#[test]
fn a_link_that_waits_for_a_temporary_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    symlink(&victim, folder.path().join("b.partial")).unwrap();
    let example = root().join("reports/example");
    let accept = ended(loadcall(&["accept", "--baseline", "b.json"], folder.path()).arg(example));
    assert_eq!(accept.status.code(), Some(0), "{accept:?}");
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn devices_and_fifos_are_not_read() {
    let folder = scenario("hours.wav");
    let inner = folder.path().join("inner");
    mknodat(CWD, inner.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let example = root().join("reports/example");
    let example = example.to_str().unwrap();
    let key = ["--url", "ws://127.0.0.1:9", "--api-key", "k", "--api-secret", "s"];
    for file in ["fifo", "/dev/zero"] {
        let metadata = format!("metadata=@{file}");
        std::fs::write(inner.join("clip.yaml"), scenario_text(file)).unwrap();
        for args in [
            // A clip; a scenario; a baseline; a recording; metadata; an agent's script.
            ["check", "--allow-outside", "clip.yaml"].as_slice(),
            &["check", file],
            &["compare", example, file],
            &["report", file],
            &["report", example, "--baseline", file],
            &["ab", "a.yaml", "--dev", "--b", &metadata],
            &[&["agent", "--script", file], &key[..]].concat(),
        ] {
            let output = ended(&mut loadcall(args, &inner));
            assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
            assert!(text(&output).contains("not a regular file"), "{args:?}: {output:?}");
        }
    }
}

#[test]
fn clips_stay_in_the_scenarios_folder() {
    for (clip, inside) in [
        ("hours.wav", true),
        ("./../inner/hours.wav", true),
        ("inner.wav", true),
        ("link.wav", false),
        ("../outer.wav", false),
        ("../none.wav", false),
        ("/dev/zero", false),
    ] {
        let folder = scenario(clip);
        let refused = ended(&mut loadcall(&["check", "inner/a.yaml"], folder.path()));
        let code = if inside { 0 } else { 2 };
        assert_eq!(refused.status.code(), Some(code), "{clip}: {refused:?}");
        let told = text(&refused).contains("scenario::clip_outside");
        assert_eq!(told, !inside, "{clip}: {refused:?}");
        // Also from within the folder, where its path is empty.
        let within = ended(&mut loadcall(&["check", "a.yaml"], &folder.path().join("inner")));
        assert_eq!(within.status.code(), Some(code), "{clip}: {within:?}");
    }
    for clip in ["link.wav", "../outer.wav"] {
        let folder = scenario(clip);
        let args = ["check", "--allow-outside", "inner/a.yaml"];
        let allowed = ended(&mut loadcall(&args, folder.path()));
        assert_eq!(allowed.status.code(), Some(0), "{clip}: {allowed:?}");
    }
}

/// A run that waits for its agent, which is a shell with a child of its own, and both of their ids.
fn waiting(folder: &Path, before: &str) -> (Child, [Pid; 2]) {
    let loadcall = env!("CARGO_BIN_EXE_loadcall");
    let agent = "sleep 300 & echo $$ $! > pids.new; mv pids.new pids; wait";
    let run = format!(
        "{before} exec {loadcall} run inner/a.yaml --url ws://127.0.0.1:9 --api-key k \
         --api-secret s --agent-command '{agent}'"
    );
    let mut command = Command::new("sh");
    command.args(["-c", &run]).current_dir(folder);
    for (name, value) in common::loadcall().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pids = || std::fs::read_to_string(folder.join("pids")).ok();
    assert!(within_patience(|| pids().is_some()), "the agent has started");
    let ids: Vec<Pid> = pids()
        .unwrap()
        .split_whitespace()
        .map(|id| Pid::from_raw(id.parse().unwrap()).unwrap())
        .collect();
    (child, ids.try_into().unwrap())
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

fn gone(pid: Pid) -> bool {
    // Whoever inherits an ended process may take a while to reap it.
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_err() || status.is_ok_and(|status| status.contains(") Z "))
}

#[test]
fn a_supervised_program_keeps_its_exit_code() {
    let supervise = |script: &str, group: Option<i32>, stdin: Stdio| {
        let mut command = loadcall(&["supervise", "--", "sh", "-c", script], root());
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(group) = group {
            command.process_group(group);
        }
        let mut child = command.spawn().unwrap();
        // Held to the end: closed, it would end the program.
        let _lifeline = child.stdin.take();
        in_time(child).status.code()
    };
    assert_eq!(supervise("exit 0", Some(0), Stdio::piped()), Some(0));
    assert_eq!(supervise("exit 7", Some(0), Stdio::piped()), Some(7));
    assert_eq!(supervise("kill -KILL $$", Some(0), Stdio::piped()), Some(137));
    assert_eq!(supervise("kill -TERM $PPID; exit 8", Some(0), Stdio::piped()), Some(8));
    // It would end processes that are not its own, or never learn of its parent's end.
    assert_eq!(supervise("exit 0", None, Stdio::piped()), Some(1));
    assert_eq!(supervise("exit 0", Some(0), Stdio::null()), Some(1));
}

#[test]
fn children_end_with_a_killed_loadcall() {
    let folder = scenario("hours.wav");
    let (mut child, agent) = waiting(folder.path(), "");
    assert!(agent.iter().all(|pid| !gone(*pid)), "they are there");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(within_patience(|| agent.iter().all(|pid| gone(*pid))), "left behind: {agent:?}");
}

#[test]
fn a_closed_terminal_ends_a_run_in_order() {
    let folder = scenario("hours.wav");
    for signal in [Signal::HUP, Signal::TERM] {
        let _ = std::fs::remove_file(folder.path().join("pids"));
        let (child, agent) = waiting(folder.path(), "");
        kill_process(pid(&child), signal).unwrap();
        let output = in_time(child);
        assert_eq!(output.status.code(), Some(130), "{signal:?}: {output:?}");
        let ended = within_patience(|| agent.iter().all(|pid| gone(*pid)));
        assert!(ended, "{signal:?} left behind: {agent:?}");
    }
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let folder = scenario("hours.wav");
    let (mut child, _) = waiting(folder.path(), "trap '' HUP;");
    kill_process(pid(&child), Signal::HUP).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "SIGHUP ended it");
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert_eq!(in_time(child).status.code(), Some(130));
}
