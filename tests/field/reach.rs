//! Agents that are reached in another way, and callers they expect.

use super::play::{PLAIN, QUESTIONS, play, play_as};
use crate::live::cases::Tested;
use crate::live::stage::Stage;

pub(crate) fn three_hundred_kib_of_metadata(stage: &Stage) -> Tested {
    let metadata = format!("{PLAIN}, ballast: \"{}\"", "x".repeat(300 * 1_024));
    let played = play(stage, "heavy", &metadata, QUESTIONS);
    played.passes()?;
    let jobs = played.truth.iter().filter(|line| line["what"] == "job");
    let bytes: Vec<u64> = jobs.filter_map(|line| line["metadata_bytes"].as_u64()).collect();
    played.holds(bytes.iter().all(|n| *n > 300 * 1_024) && bytes.len() == 1, &format!("{bytes:?}"))
}

pub(crate) fn a_caller_with_a_name(stage: &Stage) -> Tested {
    let head = format!(
        "agent: {{name: field, metadata: {{{PLAIN}}}}}
caller: {{name: Ada, identity: tel-1, metadata: \"gold\", attributes: {{plan: pro}}, kind: sip}}"
    );
    let played = play_as(stage, "caller", &head, QUESTIONS);
    played.passes()?;
    let caller = played.truth.iter().find(|line| line["what"] == "caller");
    let seen = caller.cloned().unwrap_or_default();
    let right = seen["name"] == "Ada"
        && seen["identity"] == "tel-1"
        && seen["metadata"] == "gold"
        && seen["attributes"]["plan"] == "pro"
        && seen["kind"] == 3;
    played.holds(right, &format!("the agent saw the caller: {seen}"))
}

pub(crate) fn push_to_talk(stage: &Stage) -> Tested {
    let metadata = format!("{PLAIN}, push_to_talk: true");
    let turns = "
  - {id: greeting, expect: {agent: speaks, within: 8s}}
  - id: one
    say: {file: clips/hours.wav}
    before: {rpc: {method: start_turn, payload: go}}
    after: {rpc: {method: end_turn}}
    expect: {agent: responds, within: 8s}";
    let played = play(stage, "push-to-talk", &metadata, turns);
    played.passes()?;
    played.heard("one", "reply 1")?;
    let calls: Vec<_> = played.truth.iter().filter(|line| line["what"] == "rpc").collect();
    let right = calls.len() == 2
        && calls[0]["method"] == "start_turn"
        && calls[0]["payload"] == "go"
        && calls[1]["method"] == "end_turn";
    played.holds(right, "both were called, in their order")
}

pub(crate) fn a_product_that_starts_the_call(stage: &Stage) -> Tested {
    let port = stage.field().port;
    let head = format!(
        "agent: {{}}
dispatch:
  http:
    url: http://127.0.0.1:{port}/calls
    headers: {{x-field: started}}
    body: {{{PLAIN}}}
    room: $.call.room
    token: $.call.token"
    );
    let played = play_as(stage, "product", &head, QUESTIONS);
    played.passes()?;
    played.heard("one", "reply 1")?;
    let asked = played.truth.iter().find(|line| line["what"] == "asked");
    let right = asked.is_some_and(|line| line["header"] == "started");
    played.holds(right, "the product was asked, with the header")
}

pub(crate) fn a_room_with_a_prefix(stage: &Stage) -> Tested {
    let head = format!(
        "agent: {{name: field, metadata: {{{PLAIN}}}}}
room: {{prefix: support-, metadata: \"vip\"}}"
    );
    let played = play_as(stage, "prefix", &head, QUESTIONS);
    played.passes()?;
    let room = played.ran.report["calls"][0]["room"].as_str().unwrap_or_default();
    played.holds(room.starts_with("support-"), &format!("the room is {room}"))
}
