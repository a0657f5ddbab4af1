//! `loadcall sessions` as users call it, against a server on loopback that plays Langfuse.
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
mod langfuse;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use langfuse::{Fault, Langfuse, PUBLIC_KEY, Row, SECRET_KEY, TOKEN};
use serde_json::Value;

/// 2026-12-01T00:00:00Z in milliseconds, where the day ends that is asked for.
const END: i64 = 1_796_083_200_000;
const DAY: i64 = 86_400_000;
const UNTIL: &str = "2026-12-01T00:00:00Z";

/// Numbers that look random and are always the same (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Milliseconds with a long tail.
    fn latency(&mut self, least: u64) -> u64 {
        let tail = if self.below(20) == 0 { self.below(4_000) } else { 0 };
        least + self.below(300) + tail
    }
}

/// What a test makes up, and what of it is true.
#[derive(Default)]
struct Made {
    rows: Vec<Row>,
    times: BTreeMap<&'static str, Vec<u64>>,
    interrupted: usize,
    retried: usize,
    failed: usize,
    cost_known: usize,
    with_tokens: usize,
    input: Vec<u64>,
}

impl Made {
    fn time(&mut self, metric: &'static str, ms: u64) -> String {
        self.times.entry(metric).or_default().push(ms);
        format!("{}.{:03}", ms / 1_000, ms % 1_000)
    }

    fn row(&mut self, session: &str, name: &str, begin: i64, ms: u64) -> &mut Row {
        let id = u64::try_from(self.rows.len()).unwrap() + 1;
        let session = Some(session.to_owned());
        let end = begin + i64::try_from(ms).unwrap();
        let agent = vec![("lk.agent_name", "front-desk".to_owned())];
        self.rows.push(Row {
            name: name.to_owned(),
            trace: format!("trace-{session:?}"),
            id,
            session,
            environment: "production".to_owned(),
            begin,
            end,
            attributes: agent,
            ..Row::default()
        });
        self.rows.last_mut().unwrap()
    }

    /// A session of some turns, all within the day.
    fn session(&mut self, number: u64, random: &mut Numbers) {
        let id = format!("call-{number}");
        let begin = END - DAY + i64::try_from(random.below(86_000_000)).unwrap();
        self.row(&id, "agent_session", begin, 60_000);
        let turns = 1 + random.below(4);
        let (mut interrupted, mut retried, mut failed) = (false, false, false);
        let (mut input, mut known) = (0, true);
        let knows_price = !number.is_multiple_of(3);
        for turn in 0..turns {
            let at = begin + 1_000 + i64::try_from(turn).unwrap() * 8_000;
            let (turn_end, llm, tts) =
                (random.latency(300), random.latency(700), random.latency(80));
            let values = [
                self.time("end_of_turn_delay", turn_end),
                self.time("llm_node_ttft", llm),
                self.time("tts_node_ttfb", tts),
                self.time("e2e_latency", turn_end + llm + tts),
            ];
            let [turn_end, llm, tts, e2e] = values;
            self.row(&id, "user_turn", at, 2_000)
                .attributes
                .push(("lk.end_of_turn_delay", turn_end));
            let cut_off = random.below(10) == 0;
            interrupted |= cut_off;
            let turn = self.row(&id, "agent_turn", at + 2_000, 3_000);
            turn.attributes
                .extend([("lk.e2e_latency", e2e), ("lk.interrupted", cut_off.to_string())]);
            self.row(&id, "llm_node", at + 2_100, 900).attributes.push(("lk.response.ttft", llm));
            let tokens = 100 + random.below(500);
            input += tokens;
            let cost = knows_price.then_some(0.001);
            known &= cost.is_some();
            self.row(&id, "llm_request", at + 2_101, 800).usage = Some((tokens, 20, cost));
            let again = random.below(25) == 0;
            retried |= again;
            let run = self.row(&id, "llm_request_run", at + 2_102, 700);
            run.attributes.push(("lk.retry_count", u8::from(again).to_string()));
            let node = self.row(&id, "tts_node", at + 2_300, 700);
            node.attributes.push(("lk.response.ttfb", tts));
            if random.below(40) == 0 {
                failed = true;
                node.error = Some("APIConnectionError \u{1b}[31m".to_owned());
            }
            // What is not asked for.
            self.row(&id, "agent_speaking", at + 2_500, 2_000);
        }
        self.interrupted += usize::from(interrupted);
        self.retried += usize::from(retried);
        self.failed += usize::from(failed);
        self.with_tokens += 1;
        self.cost_known += usize::from(known);
        self.input.push(input);
    }

    /// What must not be counted.
    fn others(&mut self) {
        for n in 0..40 {
            let at = END - DAY + 1_000 * n;
            // A simulated call: our span, and the agent's beside it.
            let id = format!("tuesday-{n}");
            let ours = self.row(&id, "loadcall.call", at, 9_000);
            "loadcall".clone_into(&mut ours.environment);
            let turn = self.row(&id, "agent_turn", at + 100, 100);
            turn.attributes.push(("lk.e2e_latency", "55".to_owned()));
            // Another agent.
            let other = self.row(&format!("other-{n}"), "agent_turn", at, 100);
            other.attributes =
                vec![("lk.e2e_latency", "44".to_owned()), ("lk.agent_name", "billing".to_owned())];
            // Another day, another environment.
            let early = self.row(&format!("early-{n}"), "agent_turn", at - DAY - 100_000, 100);
            early.attributes.push(("lk.e2e_latency", "33".to_owned()));
            let staging = self.row(&format!("staging-{n}"), "agent_turn", at, 100);
            staging.attributes.push(("lk.e2e_latency", "22".to_owned()));
            "staging".clone_into(&mut staging.environment);
        }
    }
}

fn made(sessions: u64) -> Made {
    let (mut made, mut random) = (Made::default(), Numbers(7));
    for number in 0..sessions {
        made.session(number, &mut random);
    }
    made.others();
    made
}

fn sessions(langfuse: &Langfuse, more: &[&str]) -> Command {
    of(langfuse, "front-desk", more)
}

fn of(langfuse: &Langfuse, agent: &str, more: &[&str]) -> Command {
    let mut command = common::loadcall();
    command
        .args(["sessions", "--until", UNTIL, "--name", agent, "--environment", "production"])
        .args(more)
        .env("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
        .env("LANGFUSE_SECRET_KEY", SECRET_KEY)
        .env("LANGFUSE_BASE_URL", langfuse.url())
        .env("NO_PROXY", "127.0.0.1");
    command
}

/// Runs it, and sees to it that no key and no control character comes out.
fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    harmless(&out);
    harmless(&err);
    (status.code(), out, err)
}

fn harmless(text: &str) {
    for secret in [SECRET_KEY, TOKEN] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
}

fn json(out: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

/// The value of which this share is not above: number ⌈n·p⌉ in order.
fn quantile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds")]
fn is(value: &Value, expected: u64) -> bool {
    (value.as_f64().unwrap() - expected as f64).abs() < 1e-6
}

#[test]
fn two_thousand_sessions_give_the_true_percentiles_through_bursts_of_429() {
    let made = made(2_000);
    let busy = |number: usize| match number {
        3 | 4 => Some(vec![("Retry-After", "1".to_owned())]),
        9..=11 => {
            Some(vec![("X-RateLimit-Limit", "1200".to_owned()), ("Retry-After", "0".to_owned())])
        }
        _ => None,
    };
    let server = Langfuse::start(made.rows.clone(), move |number| match number {
        6 => Some(Fault::Answer(502, Vec::new(), "<html>".to_owned())),
        number => Some(Fault::Answer(429, busy(number)?, String::new())),
    });
    let (code, out, err) = output(&mut sessions(&server, &["--format", "json"]));
    assert_eq!(code, Some(0), "{err}");
    let found = json(&out);
    assert_eq!(found["complete"], true);
    assert_eq!((&found["sessions"], &found["whole_sessions"]), (&2_000.into(), &2_000.into()));
    assert_eq!(found["left_out"]["sessions_of_loadcall"], 40);
    assert_eq!(found["left_out"]["sessions_of_other_agents"], 40);
    assert_eq!(found["stages"].as_array().unwrap().len(), made.times.len());
    for stage in found["stages"].as_array().unwrap() {
        let values = &made.times[stage["metric"].as_str().unwrap()];
        assert_eq!(stage["n"], values.len());
        assert!(is(&stage["p50_ms"], quantile(values, 50)), "{stage}");
        assert!(is(&stage["p95_ms"], quantile(values, 95)), "{stage}");
        assert!(is(&stage["max_ms"], quantile(values, 100)), "{stage}");
        let low = stage["p50_interval_ms"][0].as_f64().unwrap();
        assert!(low <= stage["p50_ms"].as_f64().unwrap(), "{stage}");
    }
    let trouble = |kind: &str| {
        let all = found["troubles"].as_array().unwrap();
        all.iter().find(|trouble| trouble["kind"] == kind).unwrap()["sessions"].clone()
    };
    assert_eq!(trouble("llm_retry"), made.retried);
    assert_eq!(trouble("tts"), made.failed);
    assert_eq!(trouble("llm"), 0);
    assert_eq!(found["interruptions"]["sessions"], made.interrupted);
    assert!(is(&found["tokens"]["input_p50"], quantile(&made.input, 50)));
    assert_eq!(found["cost_usd"]["known_sessions"], made.cost_known);
    assert_eq!(found["cost_usd"]["of_sessions"], made.with_tokens);
    let worst = &found["slowest"][0];
    assert!(is(&worst["worst_e2e_latency_ms"], quantile(&made.times["e2e_latency"], 100)));
    let url =
        format!("{}/project/p1/sessions/{}", server.url(), worst["session"].as_str().unwrap());
    assert_eq!(worst["url"], url);

    let requests = server.requests();
    let rows = made.rows.iter().filter(|row| row.name != "agent_speaking").count();
    // Each page is asked for once, but for the six that were refused.
    assert!(requests.len() <= rows.div_ceil(1_000) + 6, "{} requests", requests.len());
    for request in &requests {
        assert_eq!(request.query["limit"], "1000");
        assert_eq!(request.query["fromStartTime"], "2026-11-30T00:00:00.000Z");
        assert_eq!(request.query["toStartTime"], "2026-12-01T00:00:00.000Z");
        assert!(!request.query["fields"].contains("io"));
    }
}

#[test]
fn people_see_the_figures_and_the_table_has_a_row_for_each_session() {
    let made = made(300);
    let server = Langfuse::start(made.rows.clone(), |_| None);
    let (code, out, _) = output(&mut sessions(&server, &["--slowest", "2"]));
    assert_eq!(code, Some(0));
    let values = &made.times["e2e_latency"];
    let grouped = |ms: u64| match ms {
        0..1_000 => ms.to_string(),
        ms => format!("{},{:03}", ms / 1_000, ms % 1_000),
    };
    let row = out.lines().find(|line| line.trim_start().starts_with("e2e_latency")).unwrap();
    for part in [50, 95, 100].map(|percent| grouped(quantile(values, percent))) {
        assert!(row.split_whitespace().any(|word| word == part), "{part} in {row}");
    }
    assert!(out.contains("left out: 40 of loadcall, 40 of other agents"), "{out}");
    let known = format!("cost known for {} of 300 sessions", made.cost_known);
    assert!(out.contains(&known), "{out}");
    assert_eq!(out.matches("/project/p1/sessions/").count(), 2);

    let (_, table, _) = output(&mut sessions(&server, &["--format", "csv"]));
    assert_eq!(table.lines().count(), 301);
    assert!(table.lines().skip(1).all(|line| line.starts_with("call-")));
}

#[test]
fn it_goes_on_where_a_failure_ended_it() {
    let made = made(500);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept.json");
    let file = file.to_str().unwrap();
    let whole = Langfuse::start(made.rows.clone(), |_| None);
    let (_, expected, _) = output(&mut sessions(&whole, &["--format", "json"]));

    // It fails for good after three pages, and is whole again for the second command.
    let failing = |number| {
        (3..8).contains(&number).then(|| Fault::Answer(500, Vec::new(), "down".to_owned()))
    };
    let server = Langfuse::start(made.rows.clone(), failing);
    let arguments = ["--format", "json", "--resume", file];
    let (code, out, err) = output(&mut sessions(&server, &arguments));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("failed 5 times, at last with HTTP 500: down"), "{err}");
    assert!(err.contains("the same command goes on"), "{err}");
    let part = json(&out);
    assert_eq!(part["complete"], false);
    assert!(part["sessions"].as_u64().unwrap() < 500);

    let (code, out, err) = output(&mut sessions(&server, &arguments));
    assert_eq!(code, Some(0), "{err}");
    let placeless = |text: &str, server: &Langfuse| text.replace(&server.url(), "");
    assert_eq!(placeless(&out, &server), placeless(&expected, &whole));
    let cursors: Vec<Option<String>> =
        server.requests().iter().map(|request| request.query.get("cursor").cloned()).collect();
    assert!(cursors[8].is_some() && cursors[8] == cursors[3], "{cursors:?}");
    // A third time nothing is asked for.
    let before = server.requests().len();
    let (_, again, _) = output(&mut sessions(&server, &arguments));
    assert_eq!((again, server.requests().len()), (out, before));
}

#[test]
fn a_signal_ends_it_with_what_was_read() {
    let made = made(500);
    let server = Langfuse::start(made.rows, |number| (number >= 2).then_some(Fault::Silence));
    let mut command = sessions(&server, &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while server.requests().len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it asks for no third page");
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(130));
    let out = String::from_utf8(stdout).unwrap();
    assert!(out.starts_with("incomplete: stopped, back to 2026-11-30T"), "{out}");
    assert!(out.contains("--resume FILE") && out.contains("e2e_latency"), "{out}");
}

#[test]
fn a_scenario_that_is_not_like_production_is_named() {
    let made = made(200);
    let server = Langfuse::start(made.rows, |_| None);
    // Its agent reported the first token after some 350 ms.
    let run = common::root().join("docs/examples/nights/1");
    let run = run.to_str().unwrap();
    let (code, out, err) = output(&mut sessions(&server, &["--baseline", run, "--format", "json"]));
    assert_eq!(code, Some(0), "{err}");
    let found = json(&out);
    let stage = |metric: &str| {
        let all = found["stages"].as_array().unwrap();
        all.iter().find(|stage| stage["metric"] == metric).unwrap()["simulated"].clone()
    };
    assert_eq!(stage("llm_node_ttft")["representative"], "no", "{found}");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (scenario, baseline) = (at("greeting.yaml"), at("greeting.baseline.json"));
    let (code, _, err) = output(&mut sessions(&server, &["--scenario", &scenario]));
    assert_eq!(code, Some(2));
    assert!(err.contains("has no baseline"), "{err}");
    let accept = ["accept", run, "--baseline", &baseline];
    assert_eq!(output(common::loadcall().args(accept)).0, Some(0));
    let (_, out, _) = output(&mut sessions(&server, &["--scenario", &scenario]));
    let text: String = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("the scenario is not representative"), "{out}");
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do() {
    let ask = |fault: Option<Fault>, more: &[&str]| {
        let server = Langfuse::start(Vec::new(), move |_| fault.clone());
        output(&mut sessions(&server, more))
    };
    let answer = |status, body: &str| Some(Fault::Answer(status, Vec::new(), body.to_owned()));
    let (code, out, err) = ask(answer(401, ""), &[]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("does not know these keys (HTTP 401)"), "{err}");
    let v3 =
        r#"{"message":"The observations v2 API is only available in a Langfuse v4 write mode"}"#;
    let (code, _, err) = ask(answer(404, v3), &[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("it needs Langfuse 4"), "{err}");
    let (code, _, err) = ask(answer(200, "<html>"), &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("not JSON (line 1"), "{err}");
    let (code, _, err) = ask(None, &[]);
    assert_eq!(code, Some(3));
    assert!(err.contains("no sessions of a LiveKit agent"), "{err}");
    let (code, _, err) = ask(None, &["--since", "2027-01-01T00:00:00Z"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("is not before"), "{err}");
    let server = Langfuse::start(Vec::new(), |_| None);
    let (code, _, err) = output(sessions(&server, &[]).env_remove("LANGFUSE_SECRET_KEY"));
    assert_eq!((code, server.requests().len()), (Some(2), 0));
    assert!(err.contains("LANGFUSE_SECRET_KEY"), "{err}");
}

#[test]
fn what_others_write_is_harmless() {
    let mut made = Made::default();
    let evil = "\u{1b}[2Jroom\n::error::x \u{202e}=cmd|' /C calc'";
    for n in 0..3 {
        let row = made.row(&format!("{evil}{n}"), "agent_turn", END - 1_000, 100);
        row.attributes = vec![
            ("lk.e2e_latency", "1.5".to_owned()),
            ("lk.agent_name", evil.to_owned()),
            ("lk.llm_metrics", "y".repeat(1_000_000)),
        ];
    }
    let server = Langfuse::start(made.rows, |_| None);
    for format in ["text", "json", "csv"] {
        let (code, out, err) = output(&mut of(&server, evil, &["--format", format]));
        assert_eq!(code, Some(0), "{err}");
        assert!(!out.contains("\n::error") && !out.contains("\u{202e}"), "{out}");
    }
    let (code, _, err) = output(&mut sessions(&server, &[]));
    assert_eq!(code, Some(3));
    assert!(err.contains("agents with sessions there"), "{err}");
}
