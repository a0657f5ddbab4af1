//! Whose reply a voice is, and whether the agent has finished.

use super::clips::Clip;
use super::play::{PLAIN, Played, QUESTIONS, play};
use crate::common::root;
use crate::live::cases::Tested;
use crate::live::stage::Stage;

pub(crate) fn a_plain_agent(stage: &Stage) -> Tested {
    let metadata = format!("{PLAIN}, reports: [attribute, session], text: {{}}");
    let played = play(stage, "plain", &metadata, QUESTIONS);
    played.passes()?;
    played.greeted_at_its_time()?;
    played.heard("one", "reply 1")?;
    played.heard("two", "reply 2")?;
    played.began_after(2, "reply 1", 400.0..1_000.0)?;
    for turn in ["one", "two"] {
        // The agent measures from its own ear.
        played.has_stage(turn, "e2e_latency", 700.0, 5.0)?;
        played.has_stage(turn, "end_of_turn_delay", 400.0, 5.0)?;
        let text = &played.turn(turn)["reply_text"];
        played.holds(text == "we are open from nine to six", "the words are those of the reply")?;
    }
    played.holds(played.ran.report["notes"] == serde_json::json!([]), "nothing is noted")
}

pub(crate) fn a_plain_agent_by_ear(stage: &Stage) -> Tested {
    let played = play(stage, "plain-by-ear", PLAIN, QUESTIONS);
    played.passes()?;
    played.greeted_at_its_time()?;
    played.heard("one", "reply 1")?;
    played.heard("two", "reply 2")
}

/// Words, 1.2 s of thinking, words: the agent answers the first half.
fn pause(stage: &Stage, name: &str, reports: &str) -> Played {
    let hours = Clip::read(&root().join("scenarios/clips/hours.wav"));
    hours.with_pause(1_200).write(&stage.folder().join(format!("clips/{name}.wav")));
    let metadata = format!(
        "greeting: [{{at: 600, ms: 600}}], \
         replies: [[{{after: 600, ms: 700}}], [{{after: 900, ms: 600}}], [{{after: 700, ms: 600}}]], \
         reports: [{reports}]"
    );
    let turns = QUESTIONS.replace("clips/hours.wav", &format!("clips/{name}.wav"));
    play(stage, name, &metadata, &turns)
}

fn cut_in(stage: &Stage, name: &str, reports: &str) -> Tested {
    let played = pause(stage, name, reports);
    played.no_latency_below_zero()?;
    let cut_ins = played.metric("eot_misprediction_count", "count");
    played.holds((cut_ins - 1.0).abs() < 0.1, "the cut-in is counted")?;
    // The answer to the second half is one for the first question, the third speech one for the second.
    played.began_after(3, "reply 2", 400.0..2_000.0)?;
    played.heard("two", "reply 3")
}

pub(crate) fn a_cut_in_is_no_fast_reply(stage: &Stage) -> Tested {
    cut_in(stage, "cut-in", "attribute, session")
}

pub(crate) fn a_cut_in_is_no_fast_reply_by_its_state(stage: &Stage) -> Tested {
    cut_in(stage, "cut-in-state", "attribute")
}

/// By ear alone nobody knows that an answer is still to come; but no figure may be better for it.
pub(crate) fn a_cut_in_is_no_fast_reply_by_ear(stage: &Stage) -> Tested {
    let played = pause(stage, "cut-in-ear", "");
    played.no_latency_below_zero()?;
    let cut_ins = played.metric("eot_misprediction_count", "count");
    played.holds(cut_ins >= 1.0, "the cut-in is counted")?;
    let fastest = played.turn("two")["heard_ms"].as_f64();
    let is_fast = fastest.is_some_and(|ms| ms < 640.0);
    played.holds(!is_fast, &format!("no reply is as fast as {fastest:?} ms"))
}

/// "Let me look that up", a tool of 2.5 s, the answer.
fn filler(stage: &Stage, name: &str, more: &str) -> Played {
    let metadata = format!(
        "greeting: [{{at: 600, ms: 600}}], replies: [[{{after: 600, ms: 600, text: \"let me look that up\"}}, \
         {{tool: look_up, after: 650, ms: 2400}}, {{after: 3400, ms: 700}}], [{{after: 700, ms: 600}}]], {more}"
    );
    play(stage, name, &metadata, QUESTIONS)
}

fn answer_after_filler(played: &Played) -> Tested {
    played.passes()?;
    played.heard("one", "reply 1")?;
    played.answered("one", "reply 1")?;
    played.began_after(2, "reply 1", 400.0..1_200.0)?;
    played.heard("two", "reply 2")?;
    played.answered("two", "reply 2")
}

pub(crate) fn a_filler_is_no_answer(stage: &Stage) -> Tested {
    answer_after_filler(&filler(stage, "filler", "reports: [attribute, session], text: {}"))
}

pub(crate) fn a_filler_is_no_answer_by_its_state(stage: &Stage) -> Tested {
    answer_after_filler(&filler(stage, "filler-state", "reports: [attribute]"))
}

pub(crate) fn a_filler_is_no_answer_by_its_messages(stage: &Stage) -> Tested {
    answer_after_filler(&filler(stage, "filler-messages", "reports: [session], tools: nameless"))
}

pub(crate) fn a_filler_is_no_answer_in_json_events(stage: &Stage) -> Tested {
    answer_after_filler(&filler(stage, "filler-events", "reports: [events]"))
}

pub(crate) fn a_filler_is_no_answer_in_rtvi(stage: &Stage) -> Tested {
    answer_after_filler(&filler(stage, "filler-rtvi", "reports: [rtvi]"))
}

pub(crate) fn a_short_gap_is_within_one_speech(stage: &Stage) -> Tested {
    let metadata = "greeting: [{at: 600, ms: 600}], \
                    replies: [[{after: 600, ms: 500}, {after: 1600, ms: 700}], [{after: 700, ms: 600}]]";
    let played = play(stage, "gap", metadata, QUESTIONS);
    played.passes()?;
    played.heard("one", "reply 1")?;
    played.began_after(2, "reply 1", 400.0..1_000.0)?;
    played.heard("two", "reply 2")
}

pub(crate) fn typing_is_no_voice(stage: &Stage) -> Tested {
    let metadata = "greeting: [{at: 600, ms: 600}], replies: [[{after: 450, ms: 1400, sound: typing, dbfs: -34}, \
                    {after: 2000, ms: 700}]]";
    let played = play(stage, "typing", metadata, QUESTIONS);
    played.passes()?;
    for (turn, of) in [("one", "reply 1"), ("two", "reply 2")] {
        played.is_reply(turn, played.speeches(of).last(), of)?;
    }
    Ok(())
}

/// What is played while the agent thinks is audible, and the answer has a figure of its own.
pub(crate) fn music_is_no_answer(stage: &Stage) -> Tested {
    let metadata = "greeting: [{at: 600, ms: 600}], replies: [[{after: 500, ms: 900, sound: music, dbfs: -30}, \
                    {after: 2400, ms: 700}]], reports: [attribute, session]";
    let played = play(stage, "hold", metadata, QUESTIONS);
    played.passes()?;
    played.heard("one", "reply 1")?;
    played.answered("one", "reply 1")?;
    played.began_after(2, "reply 1", 400.0..1_200.0)
}

/// "Hello", 1.4 s later "how can I help you", into the caller's question.
fn two_greetings(stage: &Stage, name: &str, reports: &str) -> Tested {
    let metadata = format!(
        "greeting: [{{at: 600, ms: 600}}, {{at: 2600, ms: 700}}], \
         replies: [[{{after: 900, ms: 600}}], [{{after: 700, ms: 600}}]], reports: [{reports}]"
    );
    let played = play(stage, name, &metadata, QUESTIONS);
    played.no_latency_below_zero()?;
    played.heard("one", "reply 1")?;
    played.began_after(2, "reply 1", 400.0..1_200.0)?;
    played.heard("two", "reply 2")
}

pub(crate) fn a_second_greeting_is_no_reply(stage: &Stage) -> Tested {
    two_greetings(stage, "two-greetings", "attribute, session")
}

pub(crate) fn a_second_greeting_is_no_reply_by_its_state(stage: &Stage) -> Tested {
    two_greetings(stage, "two-greetings-state", "attribute")
}

/// By ear the second greeting may count as a cut-in, never as a fast reply.
pub(crate) fn a_second_greeting_is_no_reply_by_ear(stage: &Stage) -> Tested {
    let metadata =
        "greeting: [{at: 600, ms: 600}, {at: 2600, ms: 700}], replies: [[{after: 900, ms: 600}]]";
    let played = play(stage, "two-greetings-ear", metadata, QUESTIONS);
    played.no_latency_below_zero()?;
    for turn in ["one", "two"] {
        let fastest = played.turn(turn)["heard_ms"].as_f64();
        let is_fast = fastest.is_some_and(|ms| (-200.0..840.0).contains(&ms));
        played.holds(!is_fast, &format!("no reply is as fast as {fastest:?} ms"))?;
    }
    Ok(())
}

pub(crate) fn a_barge_in_on_silence_is_a_miss(stage: &Stage) -> Tested {
    let turns = "
  - {id: greeting, expect: {agent: speaks, within: 8s}}
  - {id: wait, say: {file: clips/wait.wav}, start: {after: agent_speech_start, delay: 1500ms}, expect: {agent: yields, within: 2s}}
  - {id: hold, silence: 2s}";
    let played = play(stage, "late-barge-in", PLAIN, turns);
    played.holds(played.ran.code == Some(4), "nothing was there to be interrupted")?;
    let cause = &played.ran.report["calls"][0]["cause"];
    played.holds(cause == "not_tested", &format!("the cause is named: {cause}"))
}

pub(crate) fn a_mute_agent_never_passes(stage: &Stage) -> Tested {
    let turns = "
  - {id: one, say: {file: clips/hours.wav}}
  - {id: hold, silence: 2s}";
    let played = play(stage, "mute", "greeting: [], replies: [[]]", turns);
    played.holds(played.ran.code != Some(0), "an agent that says nothing does not pass")
}
