//! Live tests of the agent's own spans: the demo agent sends them to the receiver beside a run.

use super::cases::{SHORT, Tested, check};
use super::stage::{PYTHON, Ran, Stage, ran};
use loadcall::record::{CallId, trace_id};
use loadcall::spans::{AgentSpan, store};
use serde_json::Value;

/// A name that the stage's own agent does not answer to.
const AGENT: &str = "traced";
const LLM_MS: f64 = 700.0;

/// A greeting and a question; the model's first attempt at it fails.
fn scenario() -> String {
    format!(
        "version: 1
name: traced
agent: {{name: {AGENT}, metadata: {{{SHORT}, stages: {{llm_ttft_ms: {LLM_MS}}}, faults: [{{kind: llm_error_retry, turn: 2}}]}}, join_timeout: 30s}}
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
    check((ttft[0] - LLM_MS).abs() <= 25.0, &format!("injected {LLM_MS}: {ttft:?}"), &ran)?;
    let longest = nodes.iter().map(|node| ms(node)).fold(0.0, f64::max);
    check(longest >= LLM_MS, &format!("the span is as long: {longest}"), &ran)?;
    // A retry is not slowness.
    let tries: Vec<f64> = found.spans.iter().filter_map(|s| s.number("lk.retry_count")).collect();
    check(tries.contains(&1.0), &format!("the second attempt is a retry: {tries:?}"), &ran)?;
    let failed = named("llm_request_run").filter(|span| span.error.is_some()).count();
    check(failed == 1, &format!("one attempt failed, not {failed}"), &ran)
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
