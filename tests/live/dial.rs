//! Agents that loadcall does not dispatch, callers that agents expect, and push-to-talk.

use super::cases::{SHORT, Tested, check};
use super::stage::{Ran, Stage, ran};
use crate::common::loadcall;
use libtest_mimic::Failed;
use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_api::services::agent_dispatch::AgentDispatchClient;
use livekit_api::services::room::{CreateRoomOptions, RoomClient};
use livekit_protocol::{CreateAgentDispatchRequest, RoomAgentDispatch, RoomConfiguration};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{JoinHandle, spawn};

const KEY: &str = "start-key-0123456789";
const TURNS: &str = "turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: clips/hours.wav}
    SIGNALS
    expect: {agent: responds, within: 6s}
hangup: {max_call: 60s}
";

/// A product's start endpoint: gives each request to `answer`, and what that makes of it back. Returns what it got.
fn endpoint(
    requests: usize,
    answer: impl Fn(usize, &str) -> (u16, Value) + Send + 'static,
) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/start", listener.local_addr().unwrap());
    let serve = move || {
        let mut all = Vec::new();
        for n in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut got, mut chunk) = (String::new(), [0; 4_096]);
            while !got.ends_with('}') {
                let n = stream.read(&mut chunk).unwrap();
                assert!(n > 0, "the request ended early: {got}");
                got.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
            }
            let (status, body) = answer(n, &got);
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}",
                body.len()
            );
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
            all.push(got);
        }
        all
    };
    (url, spawn(serve))
}

/// What a product dispatches the demo agent with.
fn agent_metadata() -> String {
    let greeting = json!({"text": "Hello.", "audio_ms": 500});
    let replies = ["From nine to six."];
    json!({"greeting": greeting, "replies": replies, "reply_audio_ms": 600}).to_string()
}

/// A caller's token as a product makes it, which also dispatches its agent.
fn token(stage: &Stage, room: &str) -> String {
    let agents = vec![RoomAgentDispatch {
        agent_name: "demo-agent".into(),
        metadata: agent_metadata(),
        ..RoomAgentDispatch::default()
    }];
    let config = RoomConfiguration { agents, departure_timeout: 1, ..RoomConfiguration::default() };
    let grants = VideoGrants { room_join: true, room: room.into(), ..VideoGrants::default() };
    AccessToken::with_api_key(stage.server.api_key, stage.server.api_secret)
        .with_identity("customer")
        .with_grants(grants)
        .with_room_config(config)
        .to_jwt()
        .unwrap()
}

/// Everything that a run has written.
fn written(ran: &Ran) -> String {
    let files = std::fs::read_dir(&ran.out).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file());
    files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
}

pub(crate) fn a_start_endpoint_lets_the_caller_in(stage: &Stage) -> Tested {
    let tokens = ["product-0", "product-1"].map(|room| token(stage, room));
    let (server, given) = (stage.server.url.clone(), tokens.clone());
    let (url, got) = endpoint(2, move |n, _| {
        (200, json!({"url": server, "access": {"token": given[n]}, "sessionId": "s"}))
    });
    let scenario = format!(
        "version: 1
name: started
dispatch:
  http:
    url: \"{url}\"
    headers: {{Authorization: {{$env: START_KEY}}}}
    body: {{transport: livekit, body: {{call: \"{{{{call}}}}\", plan: b, key: {{$env: START_KEY}}}}}}
    token: $.access.token
    server: $.url
load: {{executor: repeat, calls: 2}}
{TURNS}"
    );
    let scenario = stage.scenario("started", &scenario.replace("SIGNALS\n", "\n"));
    let out = stage.new_folder();
    // Without any key of LiveKit, and without its address.
    let mut command = loadcall();
    command.arg("run").arg(&scenario).arg("--out").arg(&out).env("START_KEY", KEY);
    let ran = ran(command.output()?, out);
    check(ran.code == Some(0), "the run passes", &ran)?;
    check(ran.heard("hours").len() == 2, "both calls are answered", &ran)?;
    let rooms: Vec<&Value> =
        ran.report["calls"].as_array().unwrap().iter().map(|c| &c["room"]).collect();
    check(rooms == ["product-0", "product-1"], &format!("the product's rooms: {rooms:?}"), &ran)?;
    let got = got.join().unwrap();
    let asked = got.iter().all(|request| {
        request.starts_with("POST /start ") && request.contains(&format!("authorization: {KEY}"))
    });
    check(asked && got[1].contains(r#""call":"001""#), &format!("{got:?}"), &ran)?;
    let all = written(&ran) + &ran.stdout + &ran.stderr;
    check(!all.contains(KEY), "no file has the key", &ran)?;
    check(!tokens.iter().any(|token| all.contains(token.as_str())), "no file has a token", &ran)
}

pub(crate) fn a_room_that_an_endpoint_names_is_only_left(stage: &Stage) -> Tested {
    let server = stage.server.url.replace("ws:", "http:");
    let (key, secret) = (stage.server.api_key, stage.server.api_secret);
    let rooms = RoomClient::with_api_key(&server, key, secret);
    let agents = AgentDispatchClient::with_api_key(&server, key, secret);
    let runtime = tokio::runtime::Runtime::new()?;
    let handle = runtime.handle().clone();
    // Its agent is on its way before the caller is.
    let (url, got) = endpoint(1, move |_, _| {
        let dispatch = CreateAgentDispatchRequest {
            agent_name: "demo-agent".into(),
            room: "lobby".into(),
            metadata: agent_metadata(),
            ..CreateAgentDispatchRequest::default()
        };
        let options = CreateRoomOptions { departure_timeout: 60, ..CreateRoomOptions::default() };
        handle.block_on(async {
            rooms.create_room("lobby", options).await.unwrap();
            agents.create_dispatch(dispatch).await.unwrap();
        });
        (201, json!({"rooms": [{"name": "lobby"}]}))
    });
    let scenario = format!(
        "version: 1
name: lobby
dispatch: {{http: {{url: \"{url}\", body: {{}}, room: \"$.rooms[0].name\"}}}}
caller: {{identity: guest}}
{TURNS}"
    );
    let scenario = stage.scenario("lobby", &scenario.replace("SIGNALS\n", "\n"));
    let ran = stage.run(&scenario, &[]);
    got.join().unwrap();
    check(ran.code == Some(0) && ran.heard("hours").len() == 1, "the run passes", &ran)?;
    check(ran.report["calls"][0]["room"] == "lobby", "the endpoint's room", &ran)?;
    let rooms = RoomClient::with_api_key(&server, key, secret);
    let left = runtime.block_on(async {
        let left = rooms.list_rooms(vec!["lobby".into()]).await.unwrap();
        rooms.delete_room("lobby").await.unwrap();
        left
    });
    check(left.len() == 1, "the room is still there", &ran)
}

pub(crate) fn a_start_endpoint_that_fails_is_named(stage: &Stage) -> Tested {
    let (url, got) = endpoint(1, |_, _| (503, json!({"error": format!("no capacity for {KEY}")})));
    let scenario = format!(
        "version: 1
name: full
dispatch: {{http: {{url: \"{url}\", headers: {{Authorization: {{$env: START_KEY}}}}, body: {{}}, token: $.token}}}}
turns: [{{id: greeting, expect: {{agent: speaks, within: 5s}}}}]
"
    );
    let scenario = stage.scenario("full", &scenario);
    let out = stage.new_folder();
    let mut command = loadcall();
    command.arg("run").arg(&scenario).arg("--out").arg(&out).env("START_KEY", KEY);
    command.env("LIVEKIT_URL", &stage.server.url);
    let ran = ran(command.output()?, out);
    got.join().unwrap();
    check(ran.code == Some(3), "nothing is measured", &ran)?;
    check(ran.outcomes() == ["no_agent"], "no agent", &ran)?;
    let said =
        format!("the start endpoint {url} answered HTTP 503: {{\"error\":\"no capacity for …\"}}");
    check(
        ran.stdout.replace("\n ", "").contains("answered HTTP 503"),
        "the status is named",
        &ran,
    )?;
    check(ran.report["calls"][0]["detail"] == said.as_str(), &said, &ran)
}

/// Runs a scenario against a scripted agent of its own; also gives the agent's truth.
fn with_agent(stage: &Stage, name: &str, text: &str) -> Result<(Ran, Vec<Value>), Failed> {
    let truth = stage.new_folder().join("truth.jsonl");
    let program = env!("CARGO_BIN_EXE_loadcall");
    let agent = format!("exec {program} agent --name {name} --truth {}", truth.display());
    let scenario = stage.scenario(name, text);
    let out = stage.new_folder();
    let mut command = stage.command(&scenario, &out);
    command
        .args(["--agent-command", &agent, "--agent-ready", "registered"])
        .env("CALLER_NOTE", KEY);
    let ran = ran(command.output()?, out);
    let truth = std::fs::read_to_string(&truth).unwrap_or_default();
    Ok((ran, truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect()))
}

pub(crate) fn an_agent_sees_the_caller_and_hears_its_signals(stage: &Stage) -> Tested {
    // More than a token carries: such metadata reaches the server before the call.
    let padding = " ".repeat(511 * 1024);
    let text = format!(
        "version: 1
name: ptt
agent: {{name: ptt, metadata: '{{\"rpc\": [\"start_turn\", \"end_turn\"], \"reply_audio_ms\": 600}}{padding}'}}
room: {{prefix: pbx-, metadata: {{tenant: acme, caller: \"{{{{caller}}}}\"}}}}
caller:
  identity: \"sip_{{{{call}}}}\"
  name: Jo
  kind: sip
  metadata: {{plan: b}}
  attributes: {{sip.phoneNumber: \"+15550100\", sip.callStatus: active, note: {{$env: CALLER_NOTE}}}}
{TURNS}"
    );
    let signals = "before: {rpc: {method: start_turn, payload: {turn: 1}}}\n    after: {rpc: {method: end_turn}}";
    let (ran, truth) = with_agent(stage, "ptt", &text.replace("SIGNALS", signals))?;
    check(ran.code == Some(0), "the run passes", &ran)?;
    let of = |event: &str| truth.iter().find(|t| t["event"] == event).cloned().unwrap_or_default();
    let (caller, seen) = (of("caller"), format!("{truth:?}"));
    let is = |key: &str, value: Value| check(caller[key] == value, &format!("{key}: {seen}"), &ran);
    is("identity", json!("sip_000"))?;
    is("name", json!("Jo"))?;
    is("kind", json!("sip"))?;
    is("metadata", json!(r#"{"plan":"b"}"#))?;
    is("room_metadata", json!(r#"{"tenant":"acme","caller":"sip_000"}"#))?;
    let attributes = &caller["attributes"];
    let known = attributes["sip.phoneNumber"] == "+15550100" && attributes["note"] == KEY;
    check(known, &seen, &ran)?;
    check(caller["room"].as_str().is_some_and(|room| room.starts_with("pbx-ptt-")), &seen, &ran)?;
    let rpcs: Vec<&Value> = truth.iter().filter(|t| t["event"] == "rpc").collect();
    let order = rpcs.len() == 2
        && rpcs[0]["payload"] == r#"{"turn":1}"#
        && rpcs[0]["at"].as_u64() < of("caller_began")["at"].as_u64()
        && rpcs[1]["method"] == "end_turn";
    check(order, &seen, &ran)?;
    // Pressed before the first sample, released behind the last: within what a person takes for it.
    let ended = of("caller_ended")["at"].as_i64().unwrap_or_default();
    let released = rpcs[1]["at"].as_i64().unwrap_or_default();
    check((released - ended).abs() < 150_000, &format!("{ended} {released}"), &ran)?;
    check(!written(&ran).contains(KEY), "no file has the attribute", &ran)
}

pub(crate) fn an_agent_without_the_method_fails_the_call(stage: &Stage) -> Tested {
    let text = format!(
        "version: 1\nname: deaf\nagent: {{name: deaf, metadata: {{{SHORT}}}}}\nroom: {{metadata: {{tenant: acme}}}}\ncaller: {{metadata: {}}}\n{TURNS}",
        "x".repeat(60_000)
    );
    let signals = "before: {rpc: {method: start_turn}}";
    let (ran, truth) = with_agent(stage, "deaf", &text.replace("SIGNALS", signals))?;
    check(ran.code == Some(4), "the run fails", &ran)?;
    let long = truth.iter().any(|t| t["metadata"].as_str().is_some_and(|m| m.len() == 60_000));
    check(long, "the caller's metadata", &ran)?;
    let room = truth.iter().any(|t| t["room_metadata"] == r#"{"tenant":"acme"}"#);
    check(room, &format!("{truth:?}"), &ran)?;
    // The reply was measured all the same.
    check(ran.heard("hours").len() == 1, "the turn is measured", &ran)?;
    let call = &ran.report["calls"][0];
    let said = "turn `hours`: the agent's method `start_turn` failed: Method not supported at destination (1400)";
    check(call["failure"]["cause"] == "rpc" || call["cause"] == "rpc", &call.to_string(), &ran)?;
    check(call.to_string().contains(said), &call.to_string(), &ran)
}

pub(crate) fn an_agent_that_does_not_start_shows_its_log(stage: &Stage) -> Tested {
    let text = "version: 1\nname: dead\nagent: {name: dead}\nturns: [{id: a, expect: {agent: speaks, within: 1s}}]\n";
    let scenario = stage.scenario("dead", text);
    let agent = "echo cannot import name openai; exit 7";
    let ran = stage.run(&scenario, &["--agent-command", agent]);
    check(ran.code == Some(3), "nothing is measured", &ran)?;
    let said = ran.stderr.contains("(exit status: 7)")
        && ran.stderr.contains("agent.log` ends with\n  | cannot import name openai");
    check(said, "the log is shown", &ran)?;
    let options = [
        "--agent-command",
        "exec sleep 60",
        "--agent-ready",
        "port:1",
        "--agent-start-timeout",
        "1s",
    ];
    let ran = stage.run(&scenario, &options);
    let said = ran.stderr.contains("did not listen on port 1 within 1s")
        && ran.stderr.contains("hint: --agent-ready names another sign");
    check(ran.code == Some(3) && said, "the sign is named", &ran)
}

/// The first call is booked when its state is asked for the third time, the second never; of the third nothing is known.
pub(crate) fn what_a_call_leaves_behind_decides(stage: &Stage) -> Tested {
    const TOKEN: &str = "bookings-token-0123";
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    spawn(move || {
        let mut first = 0;
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut got, mut chunk) = (String::new(), [0; 4_096]);
            while !got.ends_with("\r\n\r\n") {
                let Ok(n @ 1..) = stream.read(&mut chunk) else { break };
                got.push_str(&String::from_utf8_lossy(&chunk[..n]));
            }
            let is_first = got.split(' ').nth(1).is_some_and(|path| path.ends_with("-000"));
            first += usize::from(is_first);
            let (status, body) = match () {
                () if !got.contains(TOKEN) => (401, "no token"),
                () if is_first && first >= 3 => (200, "{\"status\": \"booked\", \"seats\": 2}"),
                () if got.contains("-002 ") => (500, "bookings-token-0123 is odd"),
                () => (200, "{\"status\": \"open\"}"),
            };
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}");
            let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
        }
    });
    let scenario = format!(
        "version: 1
name: booked
agent: {{name: demo-agent, metadata: {{{SHORT}}}, join_timeout: 20s}}
end_state:
  - get: \"http://{at}/bookings/{{{{room}}}}\"
    headers: {{Authorization: {{$env: BOOKINGS_TOKEN}}}}
    within: 2s
    equals: {{status: booked}}
repeats: 3
{TURNS}"
    );
    let scenario = stage.scenario("booked", &scenario.replace("SIGNALS\n", "\n"));
    let out = stage.new_folder();
    let mut command = stage.command(&scenario, &out);
    let ran = ran(command.env("BOOKINGS_TOKEN", TOKEN).output()?, out);
    check(ran.code != Some(0), "a call that books nothing fails the run", &ran)?;
    let calls = ran.report["calls"].as_array().cloned().unwrap_or_default();
    let causes: Vec<&Value> = calls.iter().map(|call| &call["cause"]).collect();
    let expected = [Value::Null, json!("end_state"), json!("end_state_unknown")];
    check(causes == expected.iter().collect::<Vec<_>>(), &format!("{causes:?}"), &ran)?;
    let detail = calls[1]["cause_detail"].as_str().unwrap_or_default();
    check(detail.ends_with("`$.status` is \"open\", not \"booked\""), detail, &ran)?;
    let odd = calls[2]["cause_detail"].as_str().unwrap_or_default();
    check(odd.ends_with("HTTP 500: … is odd"), odd, &ran)?;
    check(!written(&ran).contains(TOKEN), "the token is written nowhere", &ran)
}
