//! The audio that is kept: what an independent ear finds in the files is what was recorded, on both sides.

use super::cases::{Tested, check};
use super::stage::{PYTHON, Ran, Stage};
use loadcall::record::audio::{Index, Kept};
use loadcall::record::{CallRecord, Observation, store};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The most that a moment in a file may be from the recorded one.
const CLOSE_MS: f64 = 20.0;
/// The same for the end of the agent's voice: packets that came late and then at once are played one after the other.
const CLOSE_END_MS: f64 = 60.0;

const SCENARIO: &str = r#"version: 1
name: audible
agent:
  name: scripted
  metadata: {greeting: {text: "Hello.", audio_ms: 500}, replies: ["From nine to six."], reply_audio_ms: 900}
  join_timeout: 20s
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: clips/hours.wav}
    start: {after: agent_speech_end, delay: 400ms}
    expect: {agent: responds, within: 6s}
  - id: wait
    say: {file: clips/wait.wav}
    start: {after: agent_speech_end, delay: 600ms}
    expect: {agent: responds, within: 6s}
hangup: {max_call: 60s}
load: {executor: repeat, calls: 3, concurrency: 3}
"#;

pub(crate) fn kept_audio_is_what_was_recorded(stage: &Stage) -> Tested {
    let scenario = stage.scenario("audible", SCENARIO);
    let ran = stage.run(&scenario, &["--dev", "--dev-agent", "--keep-audio", "worst:2"]);
    check(ran.code == Some(0), "the run passes", &ran)?;
    check(ran.stderr.contains("audio of 2 calls"), "it says that audio is kept", &ran)?;
    let run = store::read(&ran.out)?;
    let index = Index::read(&ran.out)?.ok_or("no index")?;
    check(index.calls.len() == 2, &format!("the two slowest calls of {index:?}"), &ran)?;
    let slowest = |call: &CallRecord| {
        let waits = ["greeting", "hours", "wait"].map(|id| heard_ms(&ran, id, call));
        waits.into_iter().fold(f64::NAN, f64::max)
    };
    let mut by_wait: Vec<&CallRecord> = run.calls.iter().collect();
    by_wait.sort_by(|a, b| slowest(a).total_cmp(&slowest(b)));
    let best = index.of(by_wait[0].id);
    check(best.is_none(), &format!("the best call was kept: {best:?}"), &ran)?;
    for kept in &index.calls {
        let call = run.calls.iter().find(|call| call.id == kept.call).ok_or("no such call")?;
        agrees(kept, call, &ran)?;
    }
    Ok(())
}

/// Every edge that was recorded is in the file, and the time between two of both sides is the latency that is reported.
fn agrees(kept: &Kept, call: &CallRecord, ran: &Ran) -> Tested {
    let heard = edges(&ran.out.join(&kept.file))?;
    let length = heard["length_ms"].as_f64().unwrap_or_default();
    let same = (length - kept.length_ms).abs() < 1.0;
    check(same, &format!("{length} ms long, {} in the index", kept.length_ms), ran)?;
    let mut seen = 0;
    for stamped in &call.log {
        let is = [
            matches!(stamped.what, Observation::UtteranceBegan { .. }),
            matches!(stamped.what, Observation::UtteranceEnded { .. }),
            stamped.what == Observation::VoiceBegan,
            stamped.what == Observation::VoiceEnded,
        ];
        let Some(edge) = is.iter().position(|is| *is) else { continue };
        let (side, end) = (edge / 2, edge % 2);
        let recorded = stamped.at.ms_since(kept.starts);
        let found = heard["sides"][side].as_array().into_iter().flatten();
        let off = found.filter_map(|edges| Some(edges[end].as_f64()? - recorded));
        let off = off.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::MAX);
        let what = format!("{:?} at {recorded} ms is {off} ms off in {heard}", stamped.what);
        let close = if stamped.what == Observation::VoiceEnded { CLOSE_END_MS } else { CLOSE_MS };
        check(off.abs() <= close, &what, ran)?;
        seen += 1;
    }
    check(seen >= 9, &format!("{seen} edges were recorded"), ran)?;
    for id in ["hours", "wait"] {
        let reported = heard_ms(ran, id, call);
        let gaps = gaps(&heard);
        let close = gaps.iter().any(|gap| (gap - reported).abs() <= CLOSE_MS);
        check(close, &format!("{id}: {reported} ms are reported, {gaps:?} heard"), ran)?;
    }
    Ok(())
}

/// The latency that is reported of a turn.
fn heard_ms(ran: &Ran, turn: &str, call: &CallRecord) -> f64 {
    let mut turns = ran.turns(turn);
    let turn = turns.find(|turn| turn["call"].as_u64() == Some(call.id.0.into()));
    turn.and_then(|turn| turn["heard_ms"].as_f64()).unwrap_or(f64::NAN)
}

/// From each end of the caller's side to the next beginning on the agent's, in milliseconds.
fn gaps(heard: &Value) -> Vec<f64> {
    let all = |side: usize, end: usize| -> Vec<f64> {
        let edges = heard["sides"][side].as_array().into_iter().flatten();
        edges.filter_map(|edges| edges[end].as_f64()).collect()
    };
    let begins = all(1, 0);
    let next = |end: f64| begins.iter().copied().find(|begin| *begin > end);
    all(0, 1).into_iter().filter_map(|end| Some(next(end)? - end)).collect()
}

fn edges(file: &Path) -> Result<Value, libtest_mimic::Failed> {
    let output = Command::new(PYTHON).arg("tests/live/edges.py").arg(file).output()?;
    if !output.status.success() {
        return Err(format!("no edges: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub(crate) fn a_killed_run_leaves_no_audio(stage: &Stage) -> Tested {
    let scenario = stage.scenario("killed", &SCENARIO.replace("calls: 3", "calls: 9"));
    let out = stage.new_folder();
    let mut command = stage.command(&scenario, &out);
    command.args(["--dev", "--dev-agent", "--keep-audio", "all", "--quiet"]);
    let mut child = command.spawn()?;
    let recording = out.join(store::FILE_NAME);
    let began = Instant::now();
    // The head, and a call whose tape is on disk by then.
    while std::fs::read_to_string(&recording).map_or(0, |text| text.lines().count()) < 2 {
        if began.elapsed() > Duration::from_secs(60) {
            child.kill()?;
            return Err("no call ended within a minute".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let pid = Pid::from_raw(i32::try_from(child.id())?).ok_or("no process")?;
    kill_process(pid, Signal::KILL)?;
    child.wait()?;
    let names = std::fs::read_dir(&out)?.map(|file| Ok(file?.file_name()));
    let names: Vec<_> = names.collect::<std::io::Result<_>>()?;
    let known = ["run.jsonl", "livekit-server.log", "agent.log"];
    let more: Vec<_> = names.iter().filter(|name| !known.iter().any(|k| name == k)).collect();
    if more.is_empty() { Ok(()) } else { Err(format!("left behind: {more:?}").into()) }
}
