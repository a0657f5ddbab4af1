//! What the agent says of itself: in every dialect, incompletely, and wrongly.

use super::play::{PLAIN, Played, QUESTIONS, play};
use crate::live::cases::Tested;
use crate::live::stage::Stage;

pub(crate) fn an_impossible_latency_is_doubted(stage: &Stage) -> Tested {
    let metadata = format!(
        "{PLAIN}, reports: [attribute, session], metrics: {{'1': {{e2e_latency: 15.2}}}}, \
         user_metrics: {{'1': {{end_of_turn_delay: 14.9, transcription_delay: 14.8}}}}"
    );
    let played = play(stage, "impossible", &metadata, QUESTIONS);
    played.heard("one", "reply 1")?;
    for (metric, most) in [("e2e_latency", 2_000.0), ("end_of_turn_delay", 1_000.0)] {
        let max = played.metric(metric, "max");
        played.holds(max <= most, &format!("{metric} of {max:.0} ms is left out"))?;
    }
    let rest = played.turn("one")["unattributed_ms"].as_f64().unwrap_or_default();
    played.holds(rest > -250.0, &format!("{rest} ms are not attributed"))?;
    let doubts = played.turn("one")["doubts"].as_array().map(Vec::len).unwrap_or_default();
    played.holds(doubts >= 2, "both are listed as doubted")
}

/// A question whose answer has to have these words, and run this tool.
fn asked(stage: &Stage, name: &str, metadata: &str, expect: &str) -> Played {
    let turns = format!(
        "
  - {{id: greeting, expect: {{agent: speaks, within: 8s}}}}
  - {{id: one, say: {{file: clips/hours.wav}}, expect: {{agent: responds, within: 8s, {expect}}}}}"
    );
    play(stage, name, metadata, &turns)
}

pub(crate) fn a_text_that_is_never_final(stage: &Stage) -> Tested {
    let metadata = format!("{PLAIN}, text: {{final: never}}");
    let played = asked(stage, "never-final", &metadata, "text: {contains: [nine]}");
    played.passes()?;
    let wrong = asked(stage, "never-final-no", &metadata, "text: {contains: [ten]}");
    wrong.holds(wrong.ran.code == Some(4), "wrong words are wrong")
}

pub(crate) fn segments_are_joined(stage: &Stage) -> Tested {
    let metadata = "greeting: [{at: 600, ms: 600}], replies: [[{after: 700, ms: 1800}]], text: {segments: 3, gap: 500}";
    let played =
        asked(stage, "segments", metadata, "text: {contains: [\"open from nine to six\"]}");
    played.passes()?;
    let text = played.turn("one")["reply_text"].as_str().unwrap_or_default().to_owned();
    played.holds(text.split_whitespace().count() == 7, &format!("`{text}` has every word"))
}

/// By the transcript alone, as agents before 1.5 write it.
pub(crate) fn the_words_of_a_broken_off_reply_stay_with_it(stage: &Stage) -> Tested {
    let metadata = "greeting: [{at: 600, ms: 600}], replies: [[{after: 700, ms: 5000}], [{after: 700, ms: 600}]], \
                    texts: [\"first words\", \"second words\"], yields: 300, text: {}";
    let turns = "
  - {id: greeting, expect: {agent: speaks, within: 8s}}
  - {id: one, say: {file: clips/hours.wav}, expect: {agent: responds, within: 8s, text: {contains: first}}}
  - {id: stop, say: {file: clips/wait.wav}, start: {after: agent_speech_start, delay: 900ms}, expect: {agent: yields, within: 2s}}
  - {id: hold, silence: 2500ms}";
    let played = play(stage, "broken-off", metadata, turns);
    played.passes()?;
    let text = played.turn("one")["reply_text"].as_str().unwrap_or_default().to_owned();
    played.holds(
        text.trim() == "first words",
        &format!("`{text}` are the words of the first reply"),
    )?;
    let next = played.turn("stop")["reply_text"].as_str().unwrap_or_default().to_owned();
    played.holds(!next.contains("first"), &format!("`{next}` are not"))
}

const WITH_TOOL: &str = "greeting: [{at: 600, ms: 600}], \
                         replies: [[{tool: look_up, after: 400, ms: 400}, {after: 1200, ms: 600}]]";

fn tool(stage: &Stage, name: &str, more: &str, expected: &str) -> Played {
    asked(stage, name, &format!("{WITH_TOOL}, {more}"), &format!("tools: [{expected}]"))
}

pub(crate) fn tools_without_names_in_their_results(stage: &Stage) -> Tested {
    let ran = tool(stage, "nameless", "reports: [attribute, session], tools: nameless", "look_up");
    ran.passes()?;
    let more = "reports: [attribute, session], tools: nameless";
    let other = tool(stage, "nameless-other", more, "book");
    other.holds(other.ran.code == Some(4), "another tool was not run")
}

pub(crate) fn tools_in_json_events(stage: &Stage) -> Tested {
    let played = tool(stage, "tools-events", "reports: [attribute, events]", "look_up");
    played.passes()?;
    let ms = played.turn("one")["tool_ms"].as_f64().unwrap_or(f64::NAN);
    played.holds((ms - 400.0).abs() <= 40.0, &format!("the tool took {ms:.0} ms"))
}

/// Unknown is not "no".
pub(crate) fn tools_and_words_of_an_agent_that_tells_neither(stage: &Stage) -> Tested {
    let expect = "tools: [look_up], text: {contains: nine}";
    let played = asked(stage, "tells-nothing", WITH_TOOL, expect);
    played.never_says("did not run the tool")?;
    let wrong = &played.turn("one")["wrong_content"];
    played.holds(*wrong == serde_json::json!([]), "nothing is known to be wrong")?;
    played.says("cannot tell")
}

pub(crate) fn stages_in_json_events(stage: &Stage) -> Tested {
    let metadata = format!("{PLAIN}, reports: [attribute, events]");
    stages(&play(stage, "events", &metadata, QUESTIONS))
}

fn stages(played: &Played) -> Tested {
    played.passes()?;
    for (turn, of) in [("one", "reply 1"), ("two", "reply 2")] {
        played.heard(turn, of)?;
        played.has_stage(turn, "end_of_turn_delay", 400.0, 5.0)?;
        played.has_stage(turn, "llm_node_ttft", 120.0, 15.0)?;
        played.has_stage(turn, "tts_node_ttfb", 120.0, 15.0)?;
        played.has_stage(turn, "e2e_latency", 700.0, 5.0)?;
    }
    Ok(())
}

pub(crate) fn stages_in_rtvi(stage: &Stage) -> Tested {
    let played = play(stage, "rtvi", &format!("{PLAIN}, reports: [rtvi]"), QUESTIONS);
    played.passes()?;
    for turn in ["one", "two"] {
        played.has_stage(turn, "llm_node_ttft", 120.0, 15.0)?;
        played.has_stage(turn, "tts_node_ttfb", 120.0, 15.0)?;
        let text = played.turn(turn)["reply_text"].as_str().unwrap_or_default().to_owned();
        played.holds(text.contains("nine to six"), &format!("`{text}` is what it said"))?;
    }
    Ok(())
}
