//! What else is to be heard: under the agent's voice, and behind the caller's.

use super::clips::Clip;
use super::play::{PLAIN, QUESTIONS, play};
use crate::common::root;
use crate::live::cases::Tested;
use crate::live::stage::Stage;

/// Greeting, latency and the end of speech stay right, and the caller does not wait for a silence that cannot come.
fn under_the_voice(stage: &Stage, sound: &str, dbfs: i32) -> Tested {
    let metadata = format!("{PLAIN}, bed: {{sound: {sound}, dbfs: {dbfs}}}");
    let played = play(stage, &format!("{sound}{dbfs}"), &metadata, QUESTIONS);
    played.passes()?;
    played.greeted_at_its_time()?;
    played.heard("one", "reply 1")?;
    played.heard("two", "reply 2")?;
    played.began_after(1, "greeting", 400.0..2_500.0)?;
    played.began_after(2, "reply 1", 400.0..2_500.0)
}

pub(crate) fn noise_at_55(stage: &Stage) -> Tested {
    under_the_voice(stage, "noise", -55)
}

pub(crate) fn noise_at_45(stage: &Stage) -> Tested {
    under_the_voice(stage, "noise", -45)
}

pub(crate) fn noise_at_32(stage: &Stage) -> Tested {
    under_the_voice(stage, "noise", -32)
}

pub(crate) fn music_at_38(stage: &Stage) -> Tested {
    under_the_voice(stage, "music", -38)
}

pub(crate) fn typing_at_40(stage: &Stage) -> Tested {
    under_the_voice(stage, "typing", -40)
}

pub(crate) fn a_click_is_not_the_end_of_speech(stage: &Stage) -> Tested {
    let hours = Clip::read(&root().join("scenarios/clips/hours.wav"));
    hours.with_click(600).write(&stage.folder().join("clips/click.wav"));
    let metadata =
        "greeting: [{at: 600, ms: 600}], endpoint: 900, replies: [[{after: 1500, ms: 600}]]";
    let turns = QUESTIONS.replace("clips/hours.wav", "clips/click.wav");
    let played = play(stage, "click", metadata, &turns);
    played.passes()?;
    let said = |key: &str| played.turn("one")["said"][key].as_f64().unwrap_or(f64::NAN);
    let words = said("until_ms") - said("from_ms");
    played.holds((1_200.0..1_500.0).contains(&words), &format!("the words took {words:.0} ms"))?;
    // Whether the agent's own ear took the click for a word is of no matter here.
    played.is_reply("one", played.speeches("reply 1").next(), "reply 1")
}
