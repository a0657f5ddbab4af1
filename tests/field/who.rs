//! Who is heard: everybody of the agent's side, on whichever track, whenever it comes.

use super::play::{PLAIN, Played, QUESTIONS, play};
use crate::live::cases::Tested;
use crate::live::stage::Stage;

/// How far a time of the agent's process may be from one of the server's clock, on one machine.
const CLOCKS_MS: f64 = 40.0;

fn both_answers(played: &Played) -> Tested {
    played.passes()?;
    played.greeted_at_its_time()?;
    played.heard("one", "reply 1")?;
    played.heard("two", "reply 2")
}

fn beside(stage: &Stage, name: &str, track: &str) -> Tested {
    let metadata = format!("{PLAIN}, tracks: [{{{track}}}]");
    both_answers(&play(stage, name, &metadata, QUESTIONS))
}

pub(crate) fn a_silent_second_track(stage: &Stage) -> Tested {
    beside(stage, "second-track", "name: hold-music")
}

pub(crate) fn a_silent_track_before_the_voice(stage: &Stage) -> Tested {
    beside(stage, "track-before", "name: earcon, before: true")
}

pub(crate) fn music_on_a_track_of_its_own(stage: &Stage) -> Tested {
    beside(stage, "music-track", "name: hold-music, sound: music, dbfs: -30")
}

pub(crate) fn background_audio_is_ambience(stage: &Stage) -> Tested {
    let track = "name: background_audio, sound: noise, dbfs: -35, source: microphone";
    beside(stage, "background", track)
}

fn avatar(stage: &Stage, name: &str, avatar: &str) -> Tested {
    let metadata = format!("{PLAIN}, reports: [attribute, session], avatar: {{{avatar}}}");
    let played = play(stage, name, &metadata, QUESTIONS);
    both_answers(&played)?;
    played.has_stage("one", "end_of_turn_delay", 400.0, 5.0)?;
    let agent = played.ran.report["calls"][0]["agent_identity"].as_str().unwrap_or_default();
    played.holds(agent.starts_with("agent-"), "the agent is not its avatar")?;
    played.never_says("without lk.agent.session")
}

pub(crate) fn an_avatar_that_comes_later(stage: &Stage) -> Tested {
    avatar(stage, "avatar-later", "after: 3000")
}

pub(crate) fn an_avatar_that_is_there_first(stage: &Stage) -> Tested {
    avatar(stage, "avatar-first", "first: true")
}

pub(crate) fn twins_are_named(stage: &Stage) -> Tested {
    let metadata = format!(
        "{PLAIN}, twin: {{greeting: [{{at: 1000, ms: 600}}], replies: [[{{after: 1100, ms: 600}}]]}}"
    );
    let played = play(stage, "twins", &metadata, QUESTIONS);
    played.heard("one", "reply 1")?;
    played.heard("two", "reply 2")?;
    played.says("2 agents are in the call")
}

pub(crate) fn the_faster_twin_is_heard(stage: &Stage) -> Tested {
    let metadata = "greeting: [{at: 600, ms: 600}], replies: [[{after: 1800, ms: 600}]], \
                    twin: {replies: [[{after: 600, ms: 600}]]}";
    let played = play(stage, "faster-twin", metadata, QUESTIONS);
    played.heard("one", "reply 1")?;
    played.heard("two", "reply 2")?;
    played.says("2 agents are in the call")
}

fn handoff(stage: &Stage, name: &str, stays: bool) -> Tested {
    let metadata = format!("{PLAIN}, handoff: {{turn: 1, stays: {stays}}}");
    let played = play(stage, name, &metadata, QUESTIONS);
    both_answers(&played)?;
    played.says("another participant")
}

pub(crate) fn a_successor_is_heard(stage: &Stage) -> Tested {
    handoff(stage, "handoff", false)
}

pub(crate) fn a_successor_is_heard_beside_the_first(stage: &Stage) -> Tested {
    handoff(stage, "handoff-stays", true)
}

pub(crate) fn a_silent_agent_that_is_there_first(stage: &Stage) -> Tested {
    both_answers(&play(stage, "monitor", &format!("{PLAIN}, monitor: true"), QUESTIONS))
}

pub(crate) fn stereo(stage: &Stage) -> Tested {
    both_answers(&play(stage, "stereo", &format!("{PLAIN}, track: {{channels: 2}}"), QUESTIONS))
}

pub(crate) fn a_track_for_each_speech(stage: &Stage) -> Tested {
    let metadata = format!("{PLAIN}, track: {{publish: each_word}}");
    let played = play(stage, "each-word", &metadata, QUESTIONS);
    both_answers(&played)?;
    played.never_says("stalled")
}

/// The agent publishes its track with its first answer, so the caller has to speak first.
fn first_word(
    stage: &Stage,
    name: &str,
    more: &str,
    after: &str,
) -> Result<Played, libtest_mimic::Failed> {
    let metadata =
        format!("replies: [[{{after: 700, ms: 600}}]], track: {{publish: first_word}}{more}");
    let turns = format!(
        "
  - {{id: one, say: {{file: clips/hours.wav}}, start: {{after: {after}, delay: 1500ms}}, expect: {{agent: responds, within: 8s}}}}
  - {{id: two, say: {{file: clips/wait.wav}}, expect: {{agent: responds, within: 8s}}}}"
    );
    let played = play(stage, name, &metadata, &turns);
    played.passes()?;
    played.heard("one", "reply 1")?;
    played.heard("two", "reply 2")?;
    Ok(played)
}

/// The agent is in the room after it begins to connect and before it is told that it is connected, which takes it some
/// hundred milliseconds more; by its own clock, and counted from when the call was due.
fn joined_at_its_time(played: &Played) -> Tested {
    let due = played.ran.report["calls"][0]["due_ms"].as_f64().unwrap_or(f64::NAN);
    let moment = |what| {
        let at = played.at(what).next().unwrap_or(f64::NAN);
        (at - played.zero()) * 1_000.0 - due
    };
    let (earliest, latest) = (moment("joins") - CLOCKS_MS, moment("joined") + CLOCKS_MS);
    let delay = played.metric("agent_join_delay", "p50");
    let what =
        format!("agent_join_delay {delay:.0} should be from {earliest:.0} to {latest:.0} ms");
    played.holds((earliest..=latest).contains(&delay), &what)
}

pub(crate) fn a_track_with_the_first_word(stage: &Stage) -> Tested {
    joined_at_its_time(&first_word(stage, "first-word", "", "session_start")?)
}

pub(crate) fn joined_is_in_the_room(stage: &Stage) -> Tested {
    joined_at_its_time(&first_word(stage, "first-word-joined", "", "agent_joined")?)
}

pub(crate) fn a_standard_participant_joins_when_it_does(stage: &Stage) -> Tested {
    joined_at_its_time(&first_word(stage, "standard", ", kind: standard", "session_start")?)
}

pub(crate) fn a_late_track_is_no_late_dispatch(stage: &Stage) -> Tested {
    let metadata = format!("{PLAIN}, track: {{after: 2000}}");
    let played = play(stage, "late-track", &metadata, QUESTIONS);
    both_answers(&played)?;
    joined_at_its_time(&played)?;
    let ready = played.metric("agent_ready_delay", "p50");
    // It waits from when it is told that it is connected.
    let at = |what| played.at(what).next().unwrap_or(f64::NAN);
    let connecting = (at("joined") - at("joins")) * 1_000.0;
    let fits = (1_960.0..=2_200.0 + connecting).contains(&ready);
    played.holds(fits, &format!("agent_ready_delay is {ready:.0}, connecting took {connecting:.0}"))
}
