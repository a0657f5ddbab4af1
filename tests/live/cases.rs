//! The live tests themselves.

use super::stage::{Ran, Stage, ran};
use crate::common::loadcall;
use libtest_mimic::Failed;
use loadcall::dev::{Lane, Media, Network};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(crate) type Tested = Result<(), Failed>;

/// Fails a test with everything that was seen.
pub(crate) fn check(holds: bool, what: &str, ran: &Ran) -> Tested {
    if holds { Ok(()) } else { Err(format!("{what}\n{}", ran.seen()).into()) }
}

/// A greeting and one question, `calls` times.
pub(crate) fn question(name: &str, metadata: &str, calls: u32, concurrency: u32) -> String {
    format!(
        "version: 1
name: {name}
agent: {{name: demo-agent, metadata: {metadata}, join_timeout: 20s}}
turns:
  - {{id: greeting, expect: {{agent: speaks, within: 5s}}}}
  - id: hours
    say: {{file: clips/hours.wav}}
    start: {{after: agent_speech_end, delay: 400ms}}
    expect: {{agent: responds, within: 6s}}
hangup: {{max_call: 60s}}
load: {{executor: repeat, calls: {calls}, concurrency: {concurrency}}}
"
    )
}

pub(crate) const SHORT: &str = r#"greeting: {text: "Hello.", audio_ms: 500}, replies: ["From nine to six."], reply_audio_ms: 600"#;

pub(crate) fn reported_stages_are_the_injected_ones(stage: &Stage) -> Tested {
    let metadata = format!(
        "{{{SHORT}, stages: {{transcription_delay_ms: 350, end_of_turn_delay_ms: 500, llm_ttft_ms: 300, tts_ttfb_ms: 200}}}}"
    );
    let scenario = stage.scenario("stages", &question("stages", &metadata, 4, 2));
    let ran = stage.run(&scenario, &["--server-info"]);
    check(ran.code == Some(0), "the run passes", &ran)?;
    let injected = [
        ("transcription_delay", 350.0),
        ("end_of_turn_delay", 500.0),
        ("llm_node_ttft", 300.0),
        ("tts_node_ttfb", 200.0),
    ];
    for (name, value) in injected {
        let reported = ran.stages("hours", name);
        check(reported.len() == 4, &format!("{name} in every call"), &ran)?;
        for ms in reported {
            check((ms - value).abs() <= 25.0, &format!("{name} {ms} is about {value}"), &ran)?;
        }
    }
    for turn in ran.turns("hours") {
        let heard = turn["heard_ms"].as_f64().unwrap_or_default();
        let reported = turn["stages_ms"]["e2e_latency"].as_f64().unwrap_or_default();
        let within = reported <= heard && heard <= reported + 400.0;
        check(within, &format!("heard {heard}, reported {reported}"), &ran)?;
    }
    let version = ran.head()["server"]["version"].as_str().map(str::to_owned).unwrap_or_default();
    check(version.starts_with("1."), &format!("the server's version is kept: {version}"), &ran)?;
    let pacing = ran.report["pacing"]["p99"].as_f64().unwrap_or(f64::MAX);
    check(pacing <= 20.0, &format!("pacing p99 {pacing} ms"), &ran)
}

pub(crate) fn a_slower_llm_is_a_regression_and_named(stage: &Stage) -> Tested {
    let agent = |ttft: u32| {
        format!(
            "{{{SHORT}, seed: 7, jitter_ms: {{llm_ttft_ms: 20}}, stages: {{llm_ttft_ms: {ttft}}}}}"
        )
    };
    let scenario = |ttft: u32| stage.scenario("llm", &question("llm", &agent(ttft), 10, 5));
    let good = stage.run(&scenario(250), &[]);
    check(good.code == Some(0), "the first run passes without a baseline", &good)?;
    // From the scenario's folder, where its baseline may be written without being named.
    let mut accept = loadcall();
    accept.arg("accept").arg(&good.out).current_dir(scenario(250).parent().unwrap());
    let accepted = accept.output()?;
    check(accepted.status.success(), &format!("accepted: {accepted:?}"), &good)?;

    let slower = stage.run(&scenario(650), &[]);
    check(slower.code == Some(4), "400 ms more is worse", &slower)?;
    let verdict = &slower.report["verdict"];
    check(verdict["outcome"] == "regression", "the verdict is a regression", &slower)?;
    let first = verdict["reasons"][0].as_str().unwrap_or_default();
    check(first.contains("llm_node_ttft"), "the first reason names the LLM", &slower)?;

    let same = stage.run(&scenario(250), &[]);
    check(same.code == Some(0), "the same agent again is no worse", &same)?;
    // The stored recordings are judged alike without a server.
    let compared = loadcall().arg("compare").arg(&slower.out).output()?;
    check(compared.status.code() == Some(4), &format!("compare: {compared:?}"), &slower)
}

/// What an agent of an A/B run is dispatched with: one whose LLM takes so long.
fn agent_of_a_side(ttft: u32) -> String {
    format!(
        r#"{{"greeting": {{"text": "Hello.", "audio_ms": 500}}, "replies": ["Nine."], "reply_audio_ms": 600, "seed": 7, "jitter_ms": {{"llm_ttft_ms": 20}}, "stages": {{"llm_ttft_ms": {ttft}}}}}"#
    )
}

pub(crate) fn a_slower_b_is_worse_and_the_same_b_is_not(stage: &Stage) -> Tested {
    let agent = agent_of_a_side;
    let scenario = stage.scenario("ab", &question("ab", &agent(250), 10, 4));
    let ab = |b: &str| -> Result<Ran, Failed> {
        let out = stage.new_folder();
        let mut command = loadcall();
        command.arg("ab").arg(&scenario).arg("--out").arg(&out);
        let output =
            stage.at_server(&mut command).args(["--b", &format!("metadata={b}")]).output()?;
        Ok(ran(output, out))
    };
    let slower = ab(&agent(550))?;
    check(slower.code == Some(4), "300 ms more is worse", &slower)?;
    let first = slower.stdout.lines().take(3).collect::<Vec<_>>().join(" ");
    check(first.contains("llm_node_ttft"), "the LLM is named", &slower)?;
    let again = loadcall().arg("compare").arg(&slower.out).output()?;
    check(again.status.code() == Some(4), "judged alike without a server", &slower)?;
    let side = loadcall().arg("report").arg(slower.out.join("b")).output()?;
    check(side.status.success(), "a side is a run", &slower)?;
    let same = ab(&agent(250))?;
    check(same.code == Some(0), "the same agent is no worse", &same)
}

pub(crate) fn an_ab_run_ends_when_it_is_decided(stage: &Stage) -> Tested {
    let agent = agent_of_a_side;
    let scenario = stage.scenario("until", &question("until", &agent(250), 10, 4));
    let out = stage.new_folder();
    let mut command = loadcall();
    command.arg("ab").arg(&scenario).arg("--out").arg(&out);
    command.args(["--until-decided", "--max-calls", "50", "--b"]);
    let metadata = format!("metadata={}", agent(850));
    let ran = ran(stage.at_server(&mut command).arg(metadata).output()?, out);
    check(ran.code == Some(4), "600 ms more is worse", &ran)?;
    check(ran.stdout.contains("decided at look "), "it says when it was decided", &ran)?;
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(ran.out.join("ab.json"))?)?;
    let looks = &report["comparison"]["looks"];
    check(looks["planned"] == serde_json::json!([10, 20, 30, 40, 50]), "five looks", &ran)?;
    check(looks["decided"] == true, "it is decided", &ran)?;
    let (a, b) = (&report["a"]["calls"], &report["b"]["calls"]);
    let placed = a.as_u64().unwrap_or(50);
    check(a == b && placed < 50 && placed % 10 == 0, &format!("it ends early: {a} {b}"), &ran)?;
    let again = loadcall().arg("compare").arg(&ran.out).output()?;
    check(again.status.code() == Some(4), "judged alike without a server", &ran)?;
    let text = String::from_utf8_lossy(&again.stdout).into_owned();
    check(text.contains("decided at look "), "at the same look", &ran)
}

pub(crate) fn nobody_joins(stage: &Stage) -> Tested {
    let text = question("nobody", "{}", 4, 4)
        .replace("demo-agent", "no-such-agent")
        .replace("join_timeout: 20s", "join_timeout: 2s");
    let ran = stage.run(&stage.scenario("nobody", &text), &[]);
    check(ran.code == Some(3), "nothing was measured", &ran)?;
    check(ran.outcomes() == ["no_agent"; 4], "every call says so", &ran)?;
    check(ran.stdout.contains("no-such-agent"), "the agent's name is shown", &ran)
}

pub(crate) fn a_wrong_secret_is_named(stage: &Stage) -> Tested {
    let scenario = stage.scenario("secret", &question("secret", "{}", 1, 1));
    let out = stage.new_folder();
    let output =
        stage.command(&scenario, &out).env("LIVEKIT_API_SECRET", "hunter2hunter2").output()?;
    let ran = ran(output, out);
    check(ran.code == Some(3), "nothing was measured", &ran)?;
    check(
        ran.stderr.contains("the API secret does not belong to the API key"),
        "the reason is said",
        &ran,
    )?;
    check(!ran.seen().contains("hunter2"), "the secret is not", &ran)
}

pub(crate) fn no_server_answers(stage: &Stage) -> Tested {
    let scenario = stage.scenario("nowhere", &question("nowhere", "{}", 1, 1));
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let out = stage.new_folder();
    let output =
        stage.command(&scenario, &out).env("LIVEKIT_URL", format!("ws://{free}")).output()?;
    let ran = ran(output, out);
    check(ran.code == Some(3), "nothing was measured", &ran)?;
    check(ran.stderr.contains("no LiveKit server answers"), "the reason is said", &ran)?;
    let output = loadcall().arg("run").arg(&scenario).output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(2), &format!("no URL is wrong usage: {text}"), &ran)?;
    check(text.contains("LIVEKIT_URL") && text.contains("--dev"), &text, &ran)
}

pub(crate) fn a_killed_agent_is_named(stage: &Stage) -> Tested {
    let metadata = format!("{{{SHORT}, faults: [{{kind: crash, turn: 1, calls: [1]}}]}}");
    let ran = stage.run(&stage.scenario("killed", &question("killed", &metadata, 3, 3)), &[]);
    check(ran.outcomes() == ["answered", "agent_left", "answered"], "only one call is hit", &ran)?;
    check(ran.code == Some(4), "a call that is not ok fails the run", &ran)?;
    check(ran.stdout.contains("agent_left"), "the outcome is shown", &ran)
}

pub(crate) fn an_agent_without_session_is_heard(stage: &Stage) -> Tested {
    let metadata = format!("{{{SHORT}, session_host: false}}");
    let ran = stage.run(&stage.scenario("by-ear", &question("by-ear", &metadata, 2, 2)), &[]);
    check(ran.code == Some(0), "the run passes", &ran)?;
    check(ran.heard("hours").len() == 2, "every answer was heard", &ran)?;
    check(ran.head()["server"].is_null(), "a server is only asked with --server-info", &ran)?;
    check(ran.stages("hours", "llm_node_ttft").is_empty(), "no stage is made up", &ran)?;
    check(ran.stdout.contains("lk.agent.session"), "the report says what is missing", &ran)
}

pub(crate) fn an_unanswered_turn_is_a_lower_bound(stage: &Stage) -> Tested {
    let metadata = format!("{{{SHORT}, faults: [{{kind: no_reply, turn: 1, calls: [0]}}]}}");
    let ran = stage.run(&stage.scenario("mute", &question("mute", &metadata, 2, 2)), &[]);
    check(ran.code == Some(4), "an unanswered turn is a failure", &ran)?;
    check(ran.outcomes() == ["no_answer", "answered"], "and named", &ran)?;
    let heard = &ran.report["metrics"]["heard_e2e_latency"];
    check(heard["n"] == 2 && heard["censored"] == 1, "it counts", &ran)?;
    check(heard["p99"].as_f64() >= Some(6_000.0), "and the worst is at least the wait", &ran)
}

pub(crate) fn a_barge_in_is_timed_and_ignoring_it_fails(stage: &Stage) -> Tested {
    let metadata = "{greeting: {text: A long welcome., audio_ms: 8000}, \
                    faults: [{kind: ignore_barge_in, calls: [1]}]}";
    let text = format!(
        "version: 1
name: barge-in
agent: {{name: demo-agent, metadata: {metadata}}}
turns:
  - {{id: greeting, expect: {{agent: speaks, within: 5s}}}}
  - id: wait
    say: {{file: clips/wait.wav}}
    start: {{after: agent_speech_start, delay: 1s}}
    expect: {{agent: yields, within: 2s}}
hangup: {{max_call: 60s}}
load: {{executor: repeat, calls: 2, concurrency: 2}}
"
    );
    let ran = stage.run(&stage.scenario("barge-in", &text), &[]);
    check(ran.code == Some(4), "the call whose agent went on speaking fails the run", &ran)?;
    let yields: Vec<_> = ran.turns("wait").map(|t| t["yield_ms"].as_f64()).collect();
    let polite = yields.first().copied().flatten().is_some_and(|ms| ms > 100.0 && ms < 2_000.0);
    check(polite, &format!("the first agent yielded: {yields:?}"), &ran)?;
    let metric = &ran.report["metrics"]["time_to_yield"];
    check(metric["n"] == 2 && metric["censored"] == 1, "the other counts as still speaking", &ran)
}

pub(crate) fn an_interrupt_keeps_what_was_measured(stage: &Stage) -> Tested {
    let scenario = stage.scenario("stopped", &question("stopped", &format!("{{{SHORT}}}"), 50, 1));
    let (mut child, out) = stage.start(&scenario);
    // One line of progress: one call has ended, the next is in progress.
    let mut stderr = BufReader::new(child.stderr.take().ok_or("no stderr")?);
    let mut seen = String::new();
    stderr.read_line(&mut seen)?;
    let pid = Pid::from_raw(i32::try_from(child.id())?).ok_or("no pid")?;
    kill_process(pid, Signal::INT)?;
    let began = Instant::now();
    stderr.read_to_string(&mut seen)?;
    let mut output = child.wait_with_output()?;
    output.stderr = seen.into_bytes();
    let ran = ran(output, out);
    check(began.elapsed() < Duration::from_secs(15), "it ends soon", &ran)?;
    check(ran.code == Some(130), "the exit code says stopped", &ran)?;
    check(ran.outcomes().contains(&"answered"), "what was measured is there", &ran)?;
    check(ran.outcomes().len() < 50, "and no more", &ran)?;
    let recording = std::fs::read_to_string(ran.out.join("run.jsonl"))?;
    check(recording.lines().count() == ran.outcomes().len() + 2, "also in the recording", &ran)
}

pub(crate) fn a_server_that_dies_is_a_lost_connection(stage: &Stage) -> Tested {
    let (server, agent) = stage.another_server();
    let long = "{greeting: {text: Hello., audio_ms: 20000}}";
    let scenario = stage.scenario("lost", &question("lost", long, 1, 1));
    let out = stage.new_folder();
    let mut command = stage.command(&scenario, &out);
    let child = command
        .env("LIVEKIT_URL", &server.url)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    std::thread::sleep(Duration::from_secs(5));
    let pid = server.pid().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    kill_process(pid.ok_or("the server is gone")?, Signal::KILL)?;
    let ran = ran(child.wait_with_output()?, out);
    stage.stop(server, agent);
    check(ran.outcomes() == ["connection_lost"], "the outcome is named", &ran)
}

/// A Langfuse of version 4 that takes requests, one a connection, until the test's process ends.
fn langfuse(listener: TcpListener) -> mpsc::Receiver<Vec<u8>> {
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Ok(request) = taken(stream) else { continue };
            if sender.send(request).is_err() {
                break;
            }
        }
    });
    received
}

fn taken(mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = Vec::new();
    let mut chunk = [0; 8_192];
    while !whole(&request) {
        let n = stream.read(&mut chunk)?;
        request.extend_from_slice(&chunk[..n]);
        if n == 0 {
            break;
        }
    }
    let body = r#"{"id":"ds-1","status":"OK","version":"4.16.0"}"#;
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + body).as_bytes())?;
    Ok(request)
}

/// Whether the request's body is complete.
fn whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
    // A request that only asks has no body.
    request.len() >= end + 4 + length.unwrap_or(0_usize)
}

pub(crate) fn calls_become_traces(stage: &Stage) -> Tested {
    let scenario = stage.scenario("traced", &question("traced", &format!("{{{SHORT}}}"), 1, 1));
    let with_langfuse = |out: &Path, url: &str| -> Command {
        let mut command = stage.command(&scenario, out);
        command
            .env("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
            .env("LANGFUSE_SECRET_KEY", "sk-lf-hunter2")
            .env("LANGFUSE_BASE_URL", url);
        command
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let received = langfuse(listener);
    let out = stage.new_folder();
    let mut command = with_langfuse(&out, &url);
    let traced = ran(command.arg("--langfuse-experiment=live").output()?, out);
    check(traced.code == Some(0), "the run passes", &traced)?;
    let requests: Vec<String> =
        received.try_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let paths: Vec<&str> =
        requests.iter().filter_map(|request| request.split(' ').nth(1)).collect();
    let expected = [
        "/api/public/v2/datasets",
        "/api/public/dataset-items",
        "/api/public/otel/v1/traces",
        "/api/public/health",
        "/api/public/scores",
        "/api/public/health",
        "/api/public/scores",
    ];
    check(paths == expected, &format!("{paths:?}"), &traced)?;
    let head = requests[2].get(..600).unwrap_or(&requests[2]).to_ascii_lowercase();
    check(head.contains("x-langfuse-ingestion-version: 4"), &head, &traced)?;
    let scores = [r#""name":"loadcall.passed""#, r#""name":"loadcall.heard_e2e_latency_s""#];
    check(scores.iter().all(|score| requests[4].contains(score)), &requests[4], &traced)?;
    check(requests[6].contains(r#""name":"loadcall.verdict""#), &requests[6], &traced)?;
    check(traced.stderr.contains("sent to Langfuse"), "it says so", &traced)?;

    // One that is down costs nothing but a message.
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let out = stage.new_folder();
    let down = ran(with_langfuse(&out, &format!("http://{gone}")).output()?, out);
    check(down.code == Some(0), "the run passes all the same", &down)?;
    check(down.stderr.contains("Langfuse"), "the reason is printed", &down)?;
    check(!down.seen().contains("hunter2"), "the key is not", &down)
}

/// Each caller counts as lost what the network has dropped of the audio on its way to it.
pub(crate) fn lost_packets_are_counted(stage: &Stage) -> Tested {
    for (name, loss) in [("loss-1", 0.01), ("loss-5", 0.05), ("loss-20", 0.2)] {
        let to_clients = Lane { loss, ..Lane::default() };
        let network = Network { to_clients, seed: 1, ..Network::default() };
        let (server, agent) = stage.behind(network);
        let metadata = r#"{greeting: {text: "Hello.", audio_ms: 12000}, replies: ["Yes."], reply_audio_ms: 600}"#;
        let scenario = stage.scenario(name, &question(name, metadata, 3, 3));
        let out = stage.new_folder();
        let mut command = stage.command(&scenario, &out);
        let output = command.env("LIVEKIT_URL", &server.url).output().unwrap();
        let ran = ran(output, out);
        let media = server.relay().unwrap().media_to_each_client();
        stage.stop(server, agent);
        let calls = ran.report["calls"].as_array().cloned().unwrap_or_default();
        check(calls.len() == 3, "three calls", &ran)?;
        for call in calls {
            let count = |name: &str| call[name].as_u64().unwrap_or_default();
            let (received, lost) = (count("packets_received"), count("packets_lost"));
            check(received > 400, "the agent was heard", &ran)?;
            // Callers are told from agents by what reached them; the last packets find a caller
            // that has hung up.
            let same = |m: &&Media| (received..=received + 15).contains(&m.passed);
            let mut dropped = media.iter().filter(same).map(|m| m.dropped);
            let counted = dropped.any(|dropped| lost.abs_diff(dropped) * 10 <= dropped.max(10));
            let what = format!("{lost} lost and {received} received are among {media:?}");
            check(counted, &what, &ran)?;
        }
    }
    Ok(())
}
