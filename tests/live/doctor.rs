//! `loadcall doctor` against a real server and a real agent.

use super::cases::{SHORT, Tested, check, question};
use super::stage::{Ran, Stage, ran};
use crate::common::loadcall;
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
    let seen = doctor(stage, &well, &[])?;
    check(seen.code == Some(0), "all is well", &seen)?;
    for (name, says) in [
        ("address", " answers"),
        ("key and secret", "takes them"),
        ("clock", "as the server's"),
        ("version", "livekit-server 1."),
        ("media", "directly by UDP"),
        ("dispatch", "joined after"),
        ("answer", "answered in turn"),
        ("stages", "llm_node_ttft"),
        ("audio level", "dBFS"),
        ("schedule", "kept its schedule"),
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
    check(line(&mute, "answer").starts_with("failed"), "it is named", &mute)
}
