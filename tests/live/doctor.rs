//! `loadcall doctor` against a real server and a real agent.

use super::cases::{SHORT, Tested, check, question};
use super::stage::{Ran, Stage, ran};
use crate::common::loadcall;
use crate::http::{Answer, Server};
use loadcall::dev::{Lane, Network};
use std::path::Path;

/// A check of the scenario's agent on the stage's server.
fn doctor(stage: &Stage, scenario: &Path, more: &[&str]) -> Result<Ran, std::io::Error> {
    let mut command = loadcall();
    command.arg("doctor").arg(scenario).args(more).env("NO_COLOR", "1");
    Ok(ran(stage.at_server(&mut command).output()?, stage.new_folder()))
}

fn line<'a>(ran: &'a Ran, check: &str) -> &'a str {
    let is_it = |line: &&str| line.contains(&format!("  {check}  "));
    ran.stdout.lines().find(is_it).unwrap_or_default()
}

pub(crate) fn a_doctor_sees_what_works_and_what_does_not(stage: &Stage) -> Tested {
    let well = stage.scenario("well", &question("well", &format!("{{{SHORT}}}"), 1, 1));
    let sink = Server::answers([Answer::new(200, "{}")]);
    let mut command = loadcall();
    command.arg("doctor").arg(&well).env("NO_COLOR", "1");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url());
    let seen = ran(stage.at_server(&mut command).output()?, stage.new_folder());
    // Other programs may keep the machine busy; that alone is not the agent's or the server's.
    let failed = seen.stdout.lines().filter(|line| line.starts_with("failed")).count();
    let is_busy = line(&seen, "processors").starts_with("failed");
    let code = if is_busy { 7 } else { 0 };
    check(seen.code == Some(code), "the exit code is that of what failed", &seen)?;
    check(failed == usize::from(is_busy), "nothing else failed", &seen)?;
    // The trace that is sent to see whether it arrives. The call is no run's, and becomes none.
    check(sink.arrived().len() == 1, "one trace is sent", &seen)?;
    for (name, says) in [
        ("address", " answers"),
        ("key and secret", "accepts a token"),
        ("clock", "less than 5 s from the server's"),
        ("version", "livekit-server 1."),
        ("media", "directly by UDP"),
        ("dispatch", "joined after"),
        ("answer", "answered in turn"),
        ("stages", "llm_node_ttft"),
        ("audio level", "dBFS"),
        ("schedule", "kept its schedule"),
        ("OTLP", "accepted a trace"),
    ] {
        let line = line(&seen, name);
        check(line.starts_with("ok") && line.contains(says), &format!("{name}: {line}"), &seen)?;
    }
    // The stage's server has no relay.
    check(line(&seen, "media by TURN").starts_with("not tested"), "no relay", &seen)?;

    let nobody = doctor(
        stage,
        &well,
        &["--agent", "nobody-of-this-name", "--set", "agent.join_timeout=2s"],
    )?;
    check(nobody.code == Some(6), "no agent came", &nobody)?;
    check(line(&nobody, "dispatch").starts_with("failed"), "it is named", &nobody)?;
    check(nobody.stdout.contains("registers as `nobody-of-this-name`"), "with a remedy", &nobody)?;

    let metadata = format!("{{{SHORT}, faults: [{{kind: no_reply, turn: 1}}]}}");
    let mute = stage.scenario("mute", &question("mute", &metadata, 1, 1));
    let mute = doctor(stage, &mute, &[])?;
    check(mute.code == Some(6), "nothing is answered", &mute)?;
    check(line(&mute, "dispatch").starts_with("ok"), "though the agent came", &mute)?;
    check(line(&mute, "answer").starts_with("failed"), "it is named", &mute)?;
    media_does_not_get_through(stage)
}

/// The server answers, and no packet of media goes either way.
fn media_does_not_get_through(stage: &Stage) -> Tested {
    let lost = Lane { loss: 1.0, ..Lane::default() };
    let network = Network { to_server: lost, to_clients: lost, ..Network::default() };
    let server = stage.server_behind(network);
    let mut command = loadcall();
    command.args(["doctor", "--only", "server"]).env("NO_COLOR", "1");
    let output = stage.at_server(&mut command).env("LIVEKIT_URL", &server.url).output();
    stage.stop_server(server);
    let blocked = ran(output?, stage.new_folder());
    check(blocked.code == Some(3), "the server cannot be called", &blocked)?;
    check(line(&blocked, "key and secret").starts_with("ok"), "though it answers", &blocked)?;
    check(line(&blocked, "media").starts_with("failed"), "the media is named", &blocked)?;
    check(blocked.stdout.contains("let UDP through"), "with a remedy", &blocked)
}
