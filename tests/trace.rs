//! `loadcall trace` of a production session, as users call it, against servers on loopback that play Langfuse 4 and 3.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;
#[path = "common/http.rs"]
#[expect(dead_code, reason = "of what tests share, these need a part")]
mod http;
#[path = "common/langfuse/mod.rs"]
#[expect(dead_code, reason = "of what tests share, these need a part")]
mod langfuse;
mod trace {
    pub(crate) mod langfuse3;
    pub(crate) mod session;
}

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use langfuse::{Fault, Langfuse, PUBLIC_KEY, SECRET_KEY, TOKEN};
use serde_json::Value;
use trace::langfuse3;
use trace::session::{BETWEEN, END_OF_TURN, RETRY, ROOM, ROOM_SID, TRACE, TTFB, TTFT, rows};

fn trace(url: &str, session: &str, more: &[&str]) -> Command {
    let mut command = common::loadcall();
    command
        .args(["trace", session, "--reports", "target/no-reports"])
        .args(more)
        .current_dir(common::root())
        .env("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
        .env("LANGFUSE_SECRET_KEY", SECRET_KEY)
        .env("LANGFUSE_BASE_URL", url)
        .env("NO_PROXY", "127.0.0.1");
    command
}

/// Runs it, and sees to it that no key and no control character comes out.
fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    for text in [&out, &err] {
        assert!(![SECRET_KEY, TOKEN].iter().any(|secret| text.contains(secret)), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    }
    (status.code(), out, err)
}

/// The timeline as JSON; that there is one is checked.
fn timeline(url: &str, session: &str) -> Value {
    let (code, out, err) = output(&mut trace(url, session, &["--format", "json"]));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    serde_json::from_str(&out).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds")]
fn is(value: &Value, ms: i64) -> bool {
    value.as_f64().is_some_and(|found| (found - ms as f64).abs() < 1.0)
}

fn share<'a>(turn: &'a Value, part: &str) -> &'a Value {
    let shares = turn["breakdown"]["shares"].as_array().unwrap();
    let share = shares.iter().find(|share| share["part"] == part);
    share.map_or(&Value::Null, |share| &share["ms"])
}

#[test]
fn a_production_call_has_the_agents_figures_alone() {
    let server = Langfuse::start(rows(), |_| None);
    let found = timeline(&server.url(), ROOM);
    assert_eq!((&found["session"], &found["agent"]), (&ROOM.into(), &"front-desk".into()));
    assert_eq!(found["spans_from"], "langfuse");
    assert_eq!((&found["sides"]["known"], &found["run"]), (&"reported".into(), &Value::Null));
    assert_eq!(found["links"][0], format!("{}/project/p1/sessions/{ROOM}", server.url()));
    let [slow, retried] = found["turns"].as_array().unwrap().as_slice() else { panic!("{found}") };
    let totals =
        [END_OF_TURN + TTFT[0] + TTFB + BETWEEN, END_OF_TURN + RETRY + TTFT[1] + TTFB + BETWEEN];
    for (turn, (total, ttft)) in [slow, retried].into_iter().zip(totals.into_iter().zip(TTFT)) {
        assert!(turn["heard_ms"].is_null() && turn["id"].is_null(), "{turn}");
        assert!(is(&turn["claims"]["e2e_latency_ms"], total), "{turn}");
        assert!(is(&turn["breakdown"]["total_ms"], total), "{turn}");
        assert!(is(share(turn, "end_of_turn_delay"), END_OF_TURN), "{turn}");
        assert!(is(share(turn, "llm_node_ttft"), ttft), "{turn}");
        assert!(is(share(turn, "tts_node_ttfb"), TTFB), "{turn}");
        let sources = turn["rows"].as_array().unwrap().iter().map(|row| &row["source"]);
        assert!(sources.into_iter().all(|source| source == "reported"), "{turn}");
    }
    // A retry is told from slowness.
    assert!(share(slow, "llm_retries").is_null(), "{slow}");
    assert!(is(share(retried, "llm_retries"), RETRY), "{retried}");
    assert_eq!(found["totals"]["retries"], 1);
    assert_eq!(found["bottleneck"]["part"], "llm_node_ttft");
    // What was asked for: all of the session, and nothing of what was said.
    for request in server.requests() {
        assert_eq!((request.method.as_str(), &request.query["sessionId"][..]), ("GET", ROOM));
        assert!(!request.query["fields"].contains("io") && request.query["limit"] == "1000");
    }
}

#[test]
fn people_read_that_nothing_was_heard_and_what_was_tried_again() {
    let server = Langfuse::start(rows(), |_| None);
    let (code, out, err) = output(&mut trace(&server.url(), ROOM, &[]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let text: String = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for says in [
        "nothing was heard: loadcall did not place this call",
        "the bottleneck is llm_node_ttft",
        "told by the agent alone; the agent claims 1,480 ms",
        "1 retry took 650 ms",
        "failed: HTTP 529: overloaded",
        "812 tokens in, 40 out",
    ] {
        assert!(text.contains(says), "{says}: {out}");
    }
    assert!(!out.contains('●') || out.contains("● heard"), "{out}");
    let (_, one, _) = output(&mut trace(&server.url(), ROOM, &["--turn", "2"]));
    assert!(one.contains("1 retry took") && !one.contains("turn 1 "), "{one}");
    let (code, _, err) = output(&mut trace(&server.url(), ROOM, &["--turn", "9"]));
    assert_eq!(code, Some(2));
    assert!(err.contains("there is no turn `9`") && err.contains("1 to 2"), "{err}");
}

#[test]
fn langfuse_3_gives_the_same_timeline() {
    let (new, old) = (Langfuse::start(rows(), |_| None), langfuse3::start(rows()));
    let placeless = |url: &str, session: &str| timeline(url, session).to_string().replace(url, "");
    let expected = placeless(&new.url(), ROOM);
    assert_eq!(placeless(&old.url(), ROOM), expected);
    let paths: Vec<String> = old.arrived().into_iter().map(|request| request.path).collect();
    assert_eq!(paths[0], "/api/public/v2/observations");
    assert_eq!(paths[1], "/api/public/traces");
    let pages = rows().len().div_ceil(7);
    assert_eq!(paths[2..], vec!["/api/public/observations"; pages]);
    // By the id of the trace, too.
    assert_eq!(placeless(&old.url(), TRACE), expected);
}

#[test]
fn a_session_is_found_by_what_people_have_at_hand() {
    let server = Langfuse::start(rows(), |_| None);
    let by_name = timeline(&server.url(), ROOM);
    let address = format!("{}/project/p1", server.url());
    for given in [
        TRACE,
        ROOM_SID,
        &format!("{address}/sessions/{ROOM}"),
        &format!("{address}/traces/{TRACE}?timestamp=2026"),
        &format!("{address}/traces?peek={TRACE}"),
    ] {
        let found = timeline(&server.url(), given);
        assert_eq!(found["turns"], by_name["turns"], "{given}");
    }
    let asked = server.requests();
    assert!(asked.iter().any(|request| request.query.get("traceId").is_some_and(|id| id == TRACE)));
    assert!(asked.iter().any(|request| {
        request.query.get("filter").is_some_and(|filter| filter.contains(ROOM_SID))
    }));
}

/// As an agent that stamps no session leaves it.
#[test]
fn a_trace_without_a_session_is_shown_by_its_id() {
    let mut nameless = rows();
    for row in &mut nameless {
        row.session = None;
    }
    let expected = timeline(&Langfuse::start(rows(), |_| None).url(), ROOM)["turns"].clone();
    let (new, old) = (Langfuse::start(nameless.clone(), |_| None), langfuse3::start(nameless));
    for url in [new.url(), old.url()] {
        let found = timeline(&url, TRACE);
        assert_eq!((&found["turns"], &found["session"]), (&expected, &TRACE.into()));
    }
}

#[test]
fn a_server_that_is_busy_is_waited_for_as_long_as_there_is_time() {
    let busy = |seconds: &str| {
        let after = ("Retry-After", seconds.to_owned());
        Some(Fault::Answer(429, vec![after], "{}".to_owned()))
    };
    let server = Langfuse::start(rows(), move |number| if number == 0 { busy("1") } else { None });
    let began = Instant::now();
    assert_eq!(timeline(&server.url(), ROOM)["turns"].as_array().unwrap().len(), 2);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.requests().len(), 2);
    let server = Langfuse::start(rows(), move |_| busy("600"));
    let began = Instant::now();
    let (code, out, err) = output(&mut trace(&server.url(), ROOM, &["--wait", "2s"]));
    assert_eq!((code, out.as_str()), (Some(3), ""));
    assert!(err.contains("asks to wait 600 s, longer than is left"), "{err}");
    assert!(began.elapsed() < Duration::from_secs(20) && server.requests().len() == 1);
}

#[test]
fn why_there_is_no_timeline_is_said() {
    let ask = |fault: Option<Fault>, session: &str| {
        let server = Langfuse::start(rows(), move |_| fault.clone());
        output(&mut trace(&server.url(), session, &[]))
    };
    let answer = |status, body: &str| Some(Fault::Answer(status, Vec::new(), body.to_owned()));
    for (fault, session, code, says) in [
        (None, "support-9999", 2, "has no session `support-9999`"),
        (None, "RM_nobody", 2, "has no session `RM_nobody`"),
        (None, "ffffffffffffffffffffffffffffffff", 2, "has no session `ffffffff"),
        (answer(401, ""), ROOM, 2, "does not know these keys (HTTP 401)"),
        (answer(403, r#"{"message":"no access"}"#), ROOM, 2, "(HTTP 403: no access)"),
        (answer(500, "down"), ROOM, 3, "failed 5 times, at last with HTTP 500: down"),
        (answer(200, "<html>"), ROOM, 3, "not JSON (line 1"),
    ] {
        let (found, out, err) = ask(fault, session);
        assert_eq!((found, out.as_str()), (Some(code), ""), "{err}");
        assert!(err.contains(says), "{says}: {err}");
    }
    let (_, _, err) = ask(None, "support-9999");
    assert!(err.contains("no run in `target/no-reports` has a call of it either"), "{err}");
    // Without keys nobody is asked.
    let server = Langfuse::start(rows(), |_| None);
    let (code, _, err) = output(trace(&server.url(), ROOM, &[]).env_remove("LANGFUSE_SECRET_KEY"));
    assert_eq!((code, server.requests().len()), (Some(2), 0));
    assert!(err.contains("set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"), "{err}");
    // A call of loadcall whose agent sends its spans elsewhere.
    let mut ours = rows();
    for row in &mut ours {
        row.name = "loadcall.turn".to_owned();
    }
    let server = Langfuse::start(ours, |_| None);
    let (code, _, err) = output(&mut trace(&server.url(), ROOM, &[]));
    assert_eq!(code, Some(2));
    assert!(err.contains("holds spans of loadcall alone"), "{err}");
}

#[test]
fn what_others_write_is_harmless() {
    let evil = "\u{1b}[2J\n::error::x \u{202e}<script>alert(1)</script>";
    let mut hostile = rows();
    for row in &mut hostile {
        row.attributes.push(("lk.agent_name", evil.to_owned()));
        if row.error.is_some() {
            row.error = Some(evil.to_owned());
        }
        if row.name == "llm_request" {
            row.attributes.push(("gen_ai.request.model", evil.to_owned()));
        }
    }
    let server = Langfuse::start(hostile, |_| None);
    for format in ["text", "json", "html"] {
        let (code, out, err) = output(&mut trace(&server.url(), ROOM, &["--format", format]));
        assert_eq!(code, Some(0), "{err}");
        assert!(!out.contains("\n::error") && !out.contains('\u{202e}'), "{format}: {out}");
        assert!(format != "html" || !out.contains("<script>alert"), "{out}");
    }
}
