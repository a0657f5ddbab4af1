//! Live tests of the agent's own spans: the demo agent sends them to the receiver beside a run.

use super::cases::{SHORT, Tested, check};
use super::stage::{PYTHON, Ran, Stage, ran};
use crate::common::loadcall;
use libtest_mimic::Failed;
use loadcall::record::{CallId, trace_id};
use loadcall::spans::{AgentSpan, store};
use serde_json::Value;

/// A name that the stage's own agent does not answer to.
const AGENT: &str = "traced";
/// Delays that the agent is given: until the first token, and until the first audio.
const LLM_MS: f64 = 700.0;
const TTS_MS: f64 = 300.0;
/// How far what is found may be from what was injected.
const ERROR_MS: f64 = 25.0;

/// A greeting and a question; the model's first attempt at it fails.
fn scenario() -> String {
    format!(
        "version: 1
name: traced
agent: {{name: {AGENT}, metadata: {{{SHORT}, stages: {{llm_ttft_ms: {LLM_MS}, tts_ttfb_ms: {TTS_MS}}}, faults: [{{kind: llm_error_retry, turn: 2}}]}}, join_timeout: 30s}}
turns:
  - {{id: greeting, expect: {{agent: speaks, within: 5s}}}}
  - id: hours
    say: {{file: clips/hours.wav}}
    expect: {{agent: responds, within: 6s}}
  - id: wait
    say: {{file: clips/wait.wav}}
    expect: {{agent: responds, within: 8s}}
hangup: {{max_call: 60s}}
load: {{executor: once}}
"
    )
}

fn run(stage: &Stage, more: &[&str]) -> Ran {
    let scenario = stage.scenario("traced", &scenario());
    let out = stage.new_folder();
    let agent = format!("DEMO_AGENT_NAME={AGENT} exec {PYTHON} demo/agent.py");
    let mut command = stage.command(&scenario, &out);
    command.args(["--keep-audio", "none", "--agent-command", &agent]).args(more);
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
        command.env_remove(name);
    }
    ran(command.output().unwrap(), out)
}

fn ms(span: &AgentSpan) -> f64 {
    let ns = u32::try_from((span.end_ns - span.begin_ns) / 1_000).unwrap_or(u32::MAX);
    f64::from(ns) / 1_000.0
}

/// The call's room, as the recording has it.
fn room(ran: &Ran) -> String {
    let text = std::fs::read_to_string(ran.out.join("run.jsonl")).unwrap_or_default();
    let mut calls = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let room = |line: Value| line["call"]["room"].as_str().map(str::to_owned);
    calls.find_map(room).unwrap_or_default()
}

pub(crate) fn the_agents_spans_come_in_beside_its_calls(stage: &Stage) -> Tested {
    let ran = run(stage, &["--traceparent"]);
    check(ran.code == Some(0), "the run passes", &ran)?;
    let room = room(&ran);
    let found = store::read(&ran.out, |span| span.session() == Some(room.as_str()));
    let found = found.map_err(|e| format!("{e}\n{}", ran.seen()))?;
    check(found.dropped == 0, "no span is left out", &ran)?;
    let named = |name: &'static str| found.spans.iter().filter(move |span| span.name == name);
    for name in ["agent_session", "user_turn", "llm_node", "tts_node"] {
        check(named(name).count() > 0, &format!("{name} is there"), &ran)?;
    }
    // The agent took the caller's trace.
    let run_id = ran.head()["run_id"].as_str().unwrap_or_default().to_owned();
    let ours = format!("{:032x}", u128::from_be_bytes(trace_id(&run_id, CallId(0))));
    let theirs: Vec<&str> = named("agent_session").map(|span| span.trace_id.as_str()).collect();
    check(theirs == [ours.as_str()], &format!("one trace {ours}: {theirs:?}"), &ran)?;
    // The delay that was injected, where the agent says it was.
    let mut nodes: Vec<&AgentSpan> = named("llm_node").collect();
    nodes.sort_by_key(|span| span.begin_ns);
    let ttft: Vec<f64> =
        nodes.iter().filter_map(|n| n.number("lk.response.ttft")).map(|s| s * 1_000.0).collect();
    check(ttft.len() == 2, &format!("a request for each question: {ttft:?}"), &ran)?;
    check((ttft[0] - LLM_MS).abs() <= ERROR_MS, &format!("injected {LLM_MS}: {ttft:?}"), &ran)?;
    let longest = nodes.iter().map(|node| ms(node)).fold(0.0, f64::max);
    check(longest >= LLM_MS, &format!("the span is as long: {longest}"), &ran)?;
    // A retry is not slowness.
    let tries: Vec<f64> = found.spans.iter().filter_map(|s| s.number("lk.retry_count")).collect();
    check(tries.contains(&1.0), &format!("the second attempt is a retry: {tries:?}"), &ran)?;
    let failed = named("llm_request_run").filter(|span| span.error.is_some()).count();
    check(failed == 1, &format!("one attempt failed, not {failed}"), &ran)?;
    as_json(&ran)?;
    as_text(&ran)
}

/// `loadcall trace` of the run's first call, as a user asks for it.
fn trace(of: &Ran, more: &[&str]) -> Result<Ran, Failed> {
    let mut command = loadcall();
    command.arg("trace").arg(&of.out).arg("000").args(more);
    let trace = ran(command.output()?, of.out.clone());
    check(trace.code == Some(0), "there is a timeline", &trace)?;
    check(trace.stderr.is_empty(), "and nothing is amiss", &trace)?;
    Ok(trace)
}

/// What was injected stands in the turn that it was injected into, beside what was heard of it.
fn as_json(of: &Ran) -> Tested {
    let ran = trace(of, &["--format", "json"])?;
    let json: Value = serde_json::from_str(&ran.stdout)?;
    check(json["spans_from"] == "run", "the spans are those that the receiver took", &ran)?;
    check(json["sides"]["known"] == "both", "both sides stand on one axis", &ran)?;
    let error = json["sides"]["clocks"]["error_ms"].as_f64().unwrap_or(f64::MAX);
    let turn = |id: &str| {
        let turns = json["turns"].as_array().into_iter().flatten();
        turns.into_iter().find(|turn| turn["id"] == id).cloned().unwrap_or_default()
    };
    let hours = turn("hours");
    let row = |what: &str, source: &str| {
        let rows = hours["rows"].as_array().into_iter().flatten();
        let row = rows.into_iter().find(|row| row["what"] == what && row["source"] == source);
        row.cloned().unwrap_or_default()
    };
    let (llm, tts) = (row("llm", "reported"), row("tts", "reported"));
    let (caller, agent) = (row("caller_speech", "heard"), row("agent_heard", "heard"));
    let ms = |of: &Value, key: &str| of[key].as_f64().unwrap_or(f64::NAN);
    for (name, row, injected) in [("llm_node", &llm, LLM_MS), ("tts_node", &tts, TTS_MS)] {
        check(row["name"] == name, &format!("a row of {name}: {row}"), &ran)?;
        let first = ms(row, "first_ms");
        let near = (first - injected).abs() <= ERROR_MS;
        check(near, &format!("{name} took {first} ms until its first, {injected} injected"), &ran)?;
    }
    // Their order holds on the axis of what was heard: asked after the caller, spoken before the caller hears it.
    let spoken = ms(&tts, "from_ms") + ms(&tts, "first_ms");
    let moments = [
        ms(&caller, "until_ms") - error,
        ms(&llm, "from_ms"),
        ms(&llm, "from_ms") + ms(&llm, "first_ms"),
        spoken,
        ms(&agent, "from_ms") + error,
    ];
    let in_order = moments.is_sorted();
    check(in_order, &format!("caller, LLM, first token, first audio, heard: {moments:?}"), &ran)?;
    let share = |turn: &Value, part: &str| {
        let shares = turn["breakdown"]["shares"].as_array().into_iter().flatten();
        shares.into_iter().find(|share| share["part"] == part).map(|share| ms(share, "ms"))
    };
    for (part, injected) in [("llm_node_ttft", LLM_MS), ("tts_node_ttfb", TTS_MS)] {
        let found = share(&hours, part).unwrap_or(f64::NAN);
        let near = (found - injected).abs() <= ERROR_MS;
        check(near, &format!("{part} is {found} ms of the reply, {injected} injected"), &ran)?;
    }
    check(share(&hours, "llm_retries").is_none(), "nothing was tried again there", &ran)?;
    let again = turn("wait");
    let lost = share(&again, "llm_retries").unwrap_or_default();
    check(lost > 50.0, &format!("the retry has a part of its own: {lost} ms"), &ran)?;
    check(json["totals"]["retries"] == 1, "and is the only one", &ran)?;
    let bottleneck = &json["bottleneck"]["part"];
    check(bottleneck == "llm_node_ttft", &format!("the LLM is waited for: {bottleneck}"), &ran)
}

fn as_text(of: &Ran) -> Tested {
    let ran = trace(of, &[])?;
    for says in [
        "the bottleneck is llm_node_ttft",
        "both sides stand on our axis",
        "● agent heard",
        "○ LLM",
        "○ TTS",
        "1 retry took ",
        "failed: scripted llm_error_retry",
    ] {
        check(ran.stdout.contains(says), &format!("it says `{says}`"), &ran)?;
    }
    let one = trace(of, &["--turn", "wait"])?;
    check(one.stdout.contains("1 retry took "), "the turn with the retry is shown", &one)?;
    check(!one.stdout.contains("turn 2 hours"), "and no other", &one)
}

pub(crate) fn an_agent_that_exports_elsewhere_goes_on_to(stage: &Stage) -> Tested {
    let scenario = stage.scenario("elsewhere", &scenario());
    let out = stage.new_folder();
    let agent = "echo to $OTEL_EXPORTER_OTLP_ENDPOINT; exit 3";
    let mut command = stage.command(&scenario, &out);
    command.args(["--agent-command", agent]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318");
    let ran = ran(command.output().unwrap(), out);
    check(ran.stderr.contains("| to http://collector.example:4318"), "it keeps its own", &ran)?;
    check(ran.stderr.contains("--otlp-forward otlp takes them here"), "and that is said", &ran)
}
