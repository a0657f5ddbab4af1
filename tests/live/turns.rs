//! Live tests of what a turn was waiting for, and of what an agent should not react to.

use super::cases::{Tested, check};
use super::stage::{Ran, Stage, ran};
use loadcall::dev::{Lane, Network};
use serde_json::Value;
use std::time::Duration;

/// A greeting and two questions; the agent runs a tool for the second.
/// As many calls as a comparison needs at least.
fn questions(metadata: &str) -> String {
    format!(
        "version: 1
name: parts
agent: {{name: demo-agent, metadata: {metadata}, join_timeout: 20s}}
turns:
  - {{id: greeting, expect: {{agent: speaks, within: 5s}}}}
  - id: hours
    say: {{file: clips/hours.wav}}
    expect: {{agent: responds, within: 6s, text: {{contains: nine}}}}
  - id: price
    say: {{file: clips/wait.wav}}
    expect: {{agent: responds, within: 6s, tools: [look_up]}}
hangup: {{max_call: 60s}}
load: {{executor: repeat, calls: 5, concurrency: 5}}
"
    )
}

/// The stages of an agent, some of them other than usual.
fn agent(stages: &str, tool_ms: u32) -> String {
    let usual = "transcription_delay_ms: 400, end_of_turn_delay_ms: 400, llm_ttft_ms: 250, tts_ttfb_ms: 150";
    let own: Vec<&str> = stages.split(',').filter(|s| !s.is_empty()).collect();
    let name = |stage: &str| stage.split(':').next().unwrap_or_default().trim().to_owned();
    let kept = usual.split(',').filter(|s| !own.iter().any(|o| name(o) == name(s)));
    let all: Vec<&str> = kept.chain(own.iter().copied()).collect();
    format!(
        "{{greeting: {{text: Hello., audio_ms: 500}}, replies: [\"From nine to six.\"], reply_audio_ms: 600, \
          tool: {{turn: 2, ms: {tool_ms}}}, stages: {{{}}}}}",
        all.join(",")
    )
}

/// The changes of a step by part, the largest first.
fn own(ran: &Ran, step: u64) -> Vec<(String, f64)> {
    let steps = ran.report["verdict"]["comparison"]["attribution"]["steps"].as_array();
    let of_step = steps.into_iter().flatten().find(|s| s["step"] == step);
    let own = of_step.and_then(|s| s["own"].as_array());
    let part = |p: &Value| Some((p["part"].as_str()?.to_owned(), p["change_ms"].as_f64()?));
    own.into_iter().flatten().filter_map(part).collect()
}

/// Checks that a step became slower by 150 ms, of these parts alike, and that all parts add up.
fn attributed(ran: &Ran, name: &str, step: u64, parts: &[&str]) -> Tested {
    let own = own(ran, step);
    let (of, others): (Vec<_>, Vec<_>) =
        own.iter().partition(|(part, _)| parts.contains(&part.as_str()));
    #[expect(clippy::cast_precision_loss, reason = "one or two parts")]
    let each = 150.0 / parts.len() as f64;
    let added = of.len() == parts.len() && of.iter().all(|(_, ms)| (ms - each).abs() <= 50.0);
    check(added, &format!("{name}: {each} ms more of each of {parts:?}: {own:?}"), ran)?;
    let rest: f64 = others.iter().map(|(_, ms)| ms).sum();
    check(rest.abs() <= 75.0, &format!("{name}: little of anything else: {own:?}"), ran)?;
    let whole = &ran.report["verdict"]["comparison"]["attribution"];
    let parts = whole["parts"].as_array().into_iter().flatten();
    let sum: f64 = parts.filter_map(|p| p["change_ms"].as_f64()).sum();
    let total = whole["total_ms"].as_f64().unwrap_or(f64::NAN);
    let left = whole["rest_ms"].as_f64().unwrap_or(f64::NAN);
    check((sum + left - total).abs() < 0.02, &format!("{name}: the parts add up"), ran)
}

pub(crate) fn what_was_added_to_a_stage_is_attributed_to_it(stage: &Stage) -> Tested {
    let scenario = |name: &str, metadata: &str| stage.scenario(name, &questions(metadata));
    let base = stage.run(&scenario("parts-base", &agent("", 400)), &[]);
    check(base.code == Some(0), "the usual agent passes, words and tools included", &base)?;
    parts_of_a_turn(&base)?;
    let baseline = base.out.display().to_string();
    let added = [
        ("stt", "transcription_delay_ms: 550", 400, 1, "end_of_turn_delay"),
        ("eot", "end_of_turn_delay_ms: 550", 400, 1, "end_of_turn_delay"),
        ("hook", "on_user_turn_completed_delay_ms: 150", 400, 1, "on_user_turn_completed_delay"),
        ("llm", "llm_ttft_ms: 400", 400, 1, "llm_node_ttft"),
        ("tts", "tts_ttfb_ms: 300", 400, 1, "tts_node_ttfb"),
        ("tool", "", 550, 2, "tool_delay"),
    ];
    for (name, stages, tool_ms, step, part) in added {
        let changed = scenario(&format!("parts-{name}"), &agent(stages, tool_ms));
        let ran = stage.run(&changed, &["--baseline", &baseline]);
        attributed(&ran, name, step, &[part])?;
    }
    // 75 ms on the caller's way to the agent, and as much on the way back.
    let to_clients = Lane { delay: Duration::from_millis(75), ..Lane::default() };
    let (server, worker) = stage.behind(Network { to_clients, ..Network::default() });
    let out = stage.new_folder();
    let mut command = stage.command(&scenario("parts-network", &agent("", 400)), &out);
    command.args(["--keep-audio", "none", "--baseline", &baseline]).env("LIVEKIT_URL", &server.url);
    let output = command.output();
    stage.stop(server, worker);
    // What delays the caller's voice makes the agent notice its end late; the way back nobody reports.
    attributed(&ran(output?, out), "network", 1, &["end_noticed_late", "unattributed"])
}

/// What a turn waited for is there without a baseline, too.
fn parts_of_a_turn(base: &Ran) -> Tested {
    for turn in base.turns("price") {
        let tool = turn["path_ms"]["tool_delay"].as_f64().unwrap_or_default();
        check((tool - 400.0).abs() <= 40.0, &format!("the tool is a part: {tool}"), base)?;
        let parts = turn["path_ms"].as_object().into_iter().flatten();
        let sum: f64 = parts.filter_map(|(_, ms)| ms.as_f64()).sum();
        let heard = turn["heard_ms"].as_f64().unwrap_or(f64::NAN);
        check((sum - heard).abs() < 0.02, &format!("{sum} adds up to {heard}"), base)?;
    }
    for turn in base.turns("hours") {
        let heard = turn["heard_ms"].as_f64().unwrap_or(f64::NAN);
        let first = turn["ttfa_ms"].as_f64().unwrap_or(f64::NAN);
        let just_before = heard - first >= 0.0 && heard - first <= 100.0;
        check(just_before, &format!("first packet {first}, voice {heard}"), base)?;
    }
    Ok(())
}

pub(crate) fn a_noise_is_ignored_or_counted(stage: &Stage) -> Tested {
    let metadata = "{greeting: {text: A long welcome., audio_ms: 9000}, \
                    faults: [{kind: ignore_barge_in, calls: [1]}]}";
    let text = format!(
        "version: 1
name: noise
agent: {{name: demo-agent, metadata: {metadata}}}
turns:
  - {{id: greeting, expect: {{agent: speaks, within: 5s}}}}
  - id: aside
    say: {{file: clips/wait.wav}}
    start: {{after: agent_speech_start, delay: 1s}}
    expect: {{agent: ignores}}
hangup: {{max_call: 60s}}
load: {{executor: repeat, calls: 2, concurrency: 2}}
thresholds: {{false_interruption_count: [\"count<2\", \"rate<0.4\"], calls_ok: \"rate>0.1\"}}
"
    );
    let ran = stage.run(&stage.scenario("noise", &text), &[]);
    let replies: Vec<_> = ran.turns("aside").filter_map(|t| t["reply"].as_str()).collect();
    check(replies == ["stopped_by_noise", "ignored"], &format!("{replies:?}"), &ran)?;
    let metric = &ran.report["metrics"]["false_interruption_count"];
    check(metric["n"] == 2 && metric["count"] == 1, "one of two was disturbed", &ran)?;
    check(ran.report["calls"][0]["cause"] == "turn_taking", "the cause is named", &ran)?;
    check(ran.report["calls"][1]["cause"].is_null(), "and the other call is ok", &ran)?;
    check(ran.code == Some(4), "half of the turns are more than the threshold allows", &ran)?;
    let held: Vec<_> =
        ran.report["verdict"]["thresholds"].as_array().into_iter().flatten().collect();
    let held: Vec<bool> = held.iter().filter_map(|t| t["held"].as_bool()).collect();
    check(held.iter().filter(|h| !**h).count() == 1, "the count alone is allowed", &ran)
}

/// A filler over a tool, and the answer in the first call alone.
pub(crate) fn a_filler_whose_answer_never_comes_fails_the_call(stage: &Stage) -> Tested {
    let metadata = "{greeting: {text: Hello., audio_ms: 500}, replies: [\"Nine.\"], reply_audio_ms: 600, \
         tool: {turn: 1, ms: 1500, filler: \"One moment.\"}, faults: [{kind: no_reply, calls: [1]}]}";
    let beside = "{greeting: {text: Hello., audio_ms: 500}, replies: [\"Nine.\"], reply_audio_ms: 600, \
         tool: {turn: 1, ms: 1500, gives: false}}";
    let scenario = |name: &str, metadata: &str| {
        format!(
            "version: 1
name: {name}
agent: {{name: demo-agent, metadata: {metadata}, join_timeout: 20s}}
turns:
  - {{id: greeting, expect: {{agent: speaks, within: 5s}}}}
  - id: hours
    say: {{file: clips/hours.wav}}
    expect: {{agent: responds, within: 6s, must_not: {{text: {{contains: sorry}}, tools: [hang_up]}}}}
hangup: {{max_call: 60s}}
repeats: 2
pass_rate: 0.5
"
        )
    };
    // The demo agent says no fillers.
    let scripted = |name: &str, metadata: &str| -> Result<Ran, libtest_mimic::Failed> {
        let (path, out) = (stage.scenario(name, &scenario(name, metadata)), stage.new_folder());
        let mut command = crate::common::loadcall();
        command.arg("run").arg(path).arg("--out").arg(&out).args(["--dev", "--dev-agent"]);
        Ok(ran(command.output()?, out))
    };
    let ran = scripted("filler", metadata)?;
    let held = &ran.report["verdict"]["thresholds"][0]["held"];
    check(*held == true, "half of the calls are enough", &ran)?;
    let causes: Vec<&Value> =
        ran.report["calls"].as_array().into_iter().flatten().map(|call| &call["cause"]).collect();
    check(causes[..] == [&Value::Null, &"no_answer".into()], &format!("{causes:?}"), &ran)?;
    let answers: Vec<&Value> = ran.turns("hours").map(|turn| &turn["answer"]["censored"]).collect();
    check(answers[..] == [&Value::from(false), &true.into()], &format!("{answers:?}"), &ran)?;
    let text = ran.report["verdict"]["thresholds"][0]["text"].as_str();
    check(text == Some("pass_rate: 0.5"), "the threshold is the pass rate", &ran)?;
    let met = ran.turns("hours").flat_map(|turn| turn["content"].as_array().into_iter().flatten());
    let results: Vec<&Value> = met.map(|content| &content["result"]).collect();
    check(results == ["met"; 4], &format!("nothing forbidden: {results:?}"), &ran)?;
    // A tool that gives nothing runs beside the whole answer.
    let ran = scripted("beside", beside)?;
    check(ran.report["metrics"]["calls_ok"]["rate"] == 1.0, "all calls are ok", &ran)?;
    let fillers = ran.turns("hours").filter(|turn| turn["answer"]["filler_gap_ms"].is_number());
    check(fillers.count() == 0, "and nothing is taken for a filler", &ran)
}
