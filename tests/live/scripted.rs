//! The scripted agent, and what it is for: runs without Python, and the caller's own error.

use super::cases::{SHORT, Tested, check};
use super::stage::{Stage, ran};
use crate::common::{loadcall, root};
use std::process::Stdio;

const SCENARIO: &str = "version: 1
name: scripted
agent: {name: scripted, metadata: {METADATA}, join_timeout: 20s}
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: clips/hours.wav}
    start: {after: agent_speech_end, delay: 400ms}
    expect: {agent: responds, within: 6s}
hangup: {max_call: 60s}
load: {executor: repeat, calls: 4, concurrency: 2}
";

pub(crate) fn a_scripted_agent_answers_as_late_as_it_is_told(stage: &Stage) -> Tested {
    let metadata = format!(
        "{SHORT}, stages: {{transcription_delay_ms: 350, end_of_turn_delay_ms: 500, llm_ttft_ms: 300, tts_ttfb_ms: 200}}"
    );
    let scenario = stage.scenario("scripted", &SCENARIO.replace("METADATA", &metadata));
    let ran = stage.run(&scenario, &["--dev", "--dev-agent"]);
    check(ran.code == Some(0), "the run passes", &ran)?;
    for (name, scripted) in [
        ("transcription_delay", 350.0),
        ("end_of_turn_delay", 500.0),
        ("llm_node_ttft", 300.0),
        ("tts_node_ttfb", 200.0),
    ] {
        let reported = ran.stages("hours", name);
        check(reported.len() == 4, &format!("{name} in every call"), &ran)?;
        let same = reported.iter().all(|ms: &f64| (ms - scripted).abs() < 0.01);
        check(same, &format!("{name} {reported:?} is {scripted}"), &ran)?;
    }
    for turn in ran.turns("hours") {
        let heard = turn["heard_ms"].as_f64().unwrap_or_default();
        let reported = turn["stages_ms"]["e2e_latency"].as_f64().unwrap_or_default();
        // The caller's last sample is collected for up to 20 ms before it leaves.
        let rest = heard - reported;
        check((15.0..60.0).contains(&rest), &format!("heard {heard}, reported {reported}"), &ran)?;
        // "From nine to six." has four words, three of them after the first token, at 60 a second.
        let scripted = 500.0 + 300.0 + 50.0 + 200.0;
        let raster = reported - scripted;
        check((-0.1..=20.1).contains(&raster), &format!("{reported} is about {scripted}"), &ran)?;
    }
    Ok(())
}

/// In an empty folder, with nothing but the program and a server on the `PATH`.
pub(crate) fn what_init_writes_runs_as_it_is(stage: &Stage) -> Tested {
    let folder = stage.new_folder();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = [root().join(".tools/bin")].into_iter();
    let path = std::env::join_paths(tools.chain(std::env::split_paths(&path)))?;
    let loadcall = |args: &[&str]| {
        let mut command = loadcall();
        command.args(args).current_dir(&folder).env("PATH", &path).stdin(Stdio::null());
        command.output()
    };
    let written = loadcall(&["init", "--yes"])?;
    let written = ran(written, folder.clone());
    check(written.code == Some(0), "init writes", &written)?;
    let run = ["run", "scenarios/greeting.yaml", "--dev", "--dev-agent", "--out", "run"];
    let run = ran(loadcall(&run)?, folder.join("run"));
    check(run.code == Some(0) && run.stdout.starts_with("PASS"), "the run passes", &run)?;
    check(run.outcomes().len() == 10, "it has ten calls", &run)?;
    let progress: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with('[')).collect();
    check(progress.len() == 10, "each call has a line", &run)?;
    check(progress[9].starts_with("[10/10] call 00"), "with its number", &run)
}

pub(crate) fn a_calibration_finds_a_small_error_and_reports_carry_it(stage: &Stage) -> Tested {
    let folder = stage.new_folder();
    let out = folder.join("calibration.json");
    let output = loadcall()
        .args(["calibrate", "--calls", "2", "--concurrency", "2", "--out"])
        .arg(&out)
        .env("XDG_STATE_HOME", &folder)
        .output()?;
    let calibrated = ran(output, folder.clone());
    check(calibrated.code == Some(0), "the calibration passes", &calibrated)?;
    let result: serde_json::Value = serde_json::from_slice(&std::fs::read(&out)?)?;
    let errors = result["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, n) in [("heard_e2e_latency", 14), ("time_to_yield", 4), ("voice_begin", 20)] {
        let error = errors.iter().find(|e| e["of"] == name).unwrap_or(&serde_json::Value::Null);
        let bias = error["bias_ms"].as_f64().unwrap_or(f64::MAX);
        check(bias.abs() < 10.0, &format!("the bias of {name} is {bias} ms"), &calibrated)?;
        let all = error["n"].as_u64() >= Some(n) && error["missed"] == 0;
        check(all, &format!("{name} is measured {n} times: {error}"), &calibrated)?;
    }
    let scenario = stage.scenario("calibrated", &SCENARIO.replace("METADATA", SHORT));
    let run_folder = stage.new_folder();
    let mut command = stage.command(&scenario, &run_folder);
    let output = command.args(["--dev", "--dev-agent"]).env("XDG_STATE_HOME", &folder).output()?;
    let run = ran(output, run_folder);
    check(run.stdout.contains("calibrated 20"), "the report says so", &run)?;
    let carried = &run.report["calibration"]["errors"];
    check(carried == &result["errors"], "report.json carries it", &run)
}
