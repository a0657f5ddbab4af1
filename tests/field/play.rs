//! Calls to the field agent (`tests/field/agent.py`), and what is asked of a report of one.

use crate::common::root;
use crate::live::cases::{Tested, check};
use crate::live::stage::{PYTHON, Ran, Stage};
use loadcall::dev::{DevAgent, DevError, DevServer, Launch};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// What lies between a sound's playout at the agent and its being heard (measured: 19 to 37 ms), and how far a figure may
/// be off with some calls beside each other.
const PATH_MS: f64 = 25.0;
const WITHIN_MS: f64 = 60.0;
/// The agent's ear hears the end of the caller's words this much later (measured: 35 to 55 ms, and a frame of 20 ms).
const TO_ITS_EAR_MS: std::ops::Range<f64> = 0.0..160.0;

/// The field agent, up for all tests.
pub(crate) struct Field {
    pub(crate) agent: DevAgent,
    truth: PathBuf,
    /// Where it takes `POST /calls`.
    pub(crate) port: u16,
}

impl Field {
    pub(crate) async fn start(server: &DevServer, folder: &Path) -> Result<Self, DevError> {
        let truth = folder.join("field-truth.jsonl");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = free.map_err(DevError::Port)?.port();
        let script = root().join("tests/field/agent.py");
        let command = format!(
            "FIELD_TRUTH='{}' FIELD_HTTP_PORT={port} exec {PYTHON} -W ignore '{}'",
            truth.display(),
            script.display()
        );
        let keys = (server.api_key, server.api_secret);
        let log = folder.join("field-agent.log");
        let agent = DevAgent::start(&command, &server.url, keys, &Launch::Direct, &log).await?;
        Ok(Self { agent, truth, port })
    }
}

/// Greeting and replies of an agent without anything special.
pub(crate) const PLAIN: &str = "greeting: [{at: 600, ms: 600}], replies: [[{after: 700, ms: 600}]]";

/// A greeting and two questions.
pub(crate) const QUESTIONS: &str = "
  - {id: greeting, expect: {agent: speaks, within: 8s}}
  - {id: one, say: {file: clips/hours.wav}, expect: {agent: responds, within: 8s}}
  - {id: two, say: {file: clips/wait.wav}, expect: {agent: responds, within: 8s}}";

/// A call that has been made.
pub(crate) struct Played {
    pub(crate) ran: Ran,
    /// What the agent's side did in it.
    pub(crate) truth: Vec<Value>,
}

/// Calls the field agent with this metadata and lets the caller do `turns`.
pub(crate) fn play(stage: &Stage, name: &str, metadata: &str, turns: &str) -> Played {
    play_as(stage, name, &format!("agent: {{name: field, metadata: {{{metadata}}}}}"), turns)
}

/// The same with the head of a scenario as it stands.
pub(crate) fn play_as(stage: &Stage, name: &str, head: &str, turns: &str) -> Played {
    let text =
        format!("version: 1\nname: {name}\n{head}\nturns:{turns}\nhangup: {{max_call: 40s}}\n");
    let field = stage.field();
    let ran = stage.run(&stage.scenario(name, &text), &[]);
    let run = ran.report["run_id"].as_str().unwrap_or("none").to_owned();
    let room = ran.report["calls"][0]["room"].as_str().unwrap_or("none").to_owned();
    let lines = std::fs::read_to_string(&field.truth).unwrap_or_default();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = |line: &Value| line["room"].as_str().is_some_and(|r| r == room || r.contains(&run));
    Played { truth: lines.filter(ours).collect(), ran }
}

impl Played {
    pub(crate) fn holds(&self, holds: bool, what: &str) -> Tested {
        let truth: Vec<String> = self.truth.iter().map(Value::to_string).collect();
        let truth = truth.join("\n");
        let turns = &self.ran.report["turns"];
        check(holds, &format!("{what}\n--- truth\n{truth}\n--- turns\n{turns}"), &self.ran)
    }

    pub(crate) fn passes(&self) -> Tested {
        self.holds(self.ran.code == Some(0), "the run passes")
    }

    pub(crate) fn turn(&self, turn: &str) -> &Value {
        self.ran.turns(turn).next().unwrap_or(&Value::Null)
    }

    /// The reply that was heard in the turn is the first speech of `of`, and its latency runs from the caller's end.
    pub(crate) fn heard(&self, turn: &str, of: &str) -> Tested {
        self.is_reply(turn, self.speeches(of).next(), of)?;
        self.ended_at_its_time(turn)
    }

    /// The answer that was heard in the turn is the last speech of `of`.
    pub(crate) fn answered(&self, turn: &str, of: &str) -> Tested {
        let answer = self.turn(turn)["answer"]["ms"].as_f64();
        self.is_speech(turn, "answer", answer, self.speeches(of).last(), of)
    }

    /// The reply that was heard in the turn is this speech.
    pub(crate) fn is_reply(&self, turn: &str, speech: Option<&Value>, of: &str) -> Tested {
        self.is_speech(turn, "reply", self.turn(turn)["heard_ms"].as_f64(), speech, of)
    }

    fn is_speech(
        &self,
        turn: &str,
        what: &str,
        ms: Option<f64>,
        speech: Option<&Value>,
        of: &str,
    ) -> Tested {
        let ms = ms.unwrap_or(f64::NAN);
        let end = self.turn(turn)["said"]["until_ms"].as_f64().unwrap_or(f64::NAN);
        let sent = speech.and_then(|line| line["at"].as_f64()).unwrap_or(f64::NAN);
        let right = (sent - self.zero()) * 1_000.0 + PATH_MS - end;
        let what = format!("{what} of `{turn}` is {ms:.0} and should be {right:.0} ms, as of {of}");
        self.holds((ms - right).abs() <= WITHIN_MS, &what)
    }

    /// The caller's end of speech is where the agent heard it.
    fn ended_at_its_time(&self, turn: &str) -> Tested {
        let end = self.turn(turn)["said"]["until_ms"].as_f64().unwrap_or(f64::NAN);
        let ended = |line: &&Value| line["what"] == "caller_ended";
        let ends = self.truth.iter().filter(ended).filter_map(|line| line["at"].as_f64());
        let late = ends.map(|at| (at - self.zero()) * 1_000.0 - end);
        let nearest = late.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::NAN);
        let what = format!("the agent heard the end of `{turn}` {nearest:.0} ms after it");
        self.holds(TO_ITS_EAR_MS.contains(&nearest), &what)
    }

    /// The greeting was heard when it was said.
    pub(crate) fn greeted_at_its_time(&self) -> Tested {
        let said = self.speeches("greeting").next().and_then(|line| line["at"].as_f64());
        let from = self.turn("greeting")["voice"]["from_ms"].as_f64().unwrap_or(f64::NAN);
        let late = (self.zero() + from / 1_000.0 - said.unwrap_or(f64::NAN)) * 1_000.0;
        let what = format!("the greeting was heard {late:.0} ms after it was said");
        self.holds((late - PATH_MS).abs() <= WITHIN_MS, &what)
    }

    /// The caller began its turn of that number (from 1) so long after a speech was over that `quiet` ms were silent.
    pub(crate) fn began_after(&self, turn: usize, of: &str, quiet: std::ops::Range<f64>) -> Tested {
        let began = self.at("caller_began").nth(turn - 1).unwrap_or(f64::NAN);
        let end = |line: &Value| Some(line["at"].as_f64()? + line["ms"].as_f64()? / 1_000.0);
        let over = self.speeches(of).filter_map(end).fold(f64::NAN, f64::max);
        let waited = (began - over) * 1_000.0;
        self.holds(quiet.contains(&waited), &format!("turn {turn} began {waited:.0} ms after {of}"))
    }

    /// No reply came before its question.
    pub(crate) fn no_latency_below_zero(&self) -> Tested {
        let below = &self.ran.report["metrics"]["heard_e2e_latency"]["below_zero"];
        self.holds(*below == 0, "a latency below zero is among the heard ones")
    }

    /// The report says so, somewhere; `text` is in lower case.
    pub(crate) fn says(&self, text: &str) -> Tested {
        self.holds(self.report_has(text), &format!("the report says `{text}`"))
    }

    pub(crate) fn never_says(&self, text: &str) -> Tested {
        self.holds(!self.report_has(text), &format!("the report does not say `{text}`"))
    }

    /// Lines of the report are broken anywhere.
    fn report_has(&self, text: &str) -> bool {
        let words: Vec<&str> = self.ran.stdout.split_whitespace().collect();
        words.join(" ").to_lowercase().contains(text)
    }

    pub(crate) fn metric(&self, name: &str, key: &str) -> f64 {
        self.ran.report["metrics"][name][key].as_f64().unwrap_or(f64::NAN)
    }

    pub(crate) fn has_stage(&self, turn: &str, stage: &str, ms: f64, within: f64) -> Tested {
        let value = self.turn(turn)["stages_ms"][stage].as_f64().unwrap_or(f64::NAN);
        let what = format!("{stage} of `{turn}` is {value:.0} and should be {ms:.0} ms");
        self.holds((value - ms).abs() <= within, &what)
    }

    /// The moments at which something happened, in unix seconds.
    pub(crate) fn at<'a>(&'a self, what: &'a str) -> impl Iterator<Item = f64> + 'a {
        let lines = self.truth.iter().filter(move |line| line["what"] == what);
        lines.filter_map(|line| line["at"].as_f64())
    }

    /// What was said under that name, by whomever, in its order.
    pub(crate) fn speeches<'a>(&'a self, of: &'a str) -> impl Iterator<Item = &'a Value> + 'a {
        self.truth.iter().filter(move |line| line["what"] == "voice" && line["of"] == of)
    }

    /// The zero of the report's times, in unix seconds.
    pub(crate) fn zero(&self) -> f64 {
        let text = self.ran.report["started_at"].as_str().unwrap_or_default();
        text.parse::<jiff::Timestamp>().map_or(f64::NAN, |at| at.as_duration().as_secs_f64())
    }
}
