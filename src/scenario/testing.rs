//! Scenarios for the tests of other modules: steps as they are built there, written out and parsed.

use super::{Act, Anchor, Content, Expect, Scenario, Signals, Step, Style, duration};

/// The scenario of a file.
pub(crate) fn parsed(text: &str) -> Scenario {
    Scenario::parse(text)
        .unwrap_or_else(|faults| panic!("{}", faults.render("scenario.yaml", text, Style::Plain)))
}

/// The scenario of a file that has these turns below `head`.
pub(crate) fn with_turns(head: &str, steps: Vec<Step>) -> Scenario {
    let turns: String = steps.into_iter().map(|step| turn(&step)).collect();
    parsed(&format!("version: 1\n{head}\nturns:\n{turns}"))
}

fn turn(step: &Step) -> String {
    assert_eq!(step.content, Content::default(), "written without content");
    assert_eq!(step.signals, Signals::default(), "written without signals");
    let act = match &step.act {
        Act::Listen => String::new(),
        Act::Say { clip, start } => {
            let anchor = match start.after {
                Anchor::SessionStart => "session_start",
                Anchor::AgentJoined => "agent_joined",
                Anchor::PreviousTurn => "previous_turn",
                Anchor::AgentSpeechStart => "agent_speech_start",
                Anchor::AgentSpeechEnd => "agent_speech_end",
            };
            let text = clip.text.as_ref().map(|text| format!(", text: {text:?}"));
            let (text, delay) = (text.unwrap_or_default(), duration::show(start.delay));
            format!(
                ", say: {{file: {:?}{text}}}, start: {{after: {anchor}, delay: {delay}}}",
                clip.file
            )
        }
        Act::Silence { length } => format!(", silence: {}", duration::show(*length)),
    };
    let timed =
        |word, within| format!(", expect: {{agent: {word}, within: {}}}", duration::show(within));
    let expect = match step.expect {
        None => String::new(),
        Some(Expect::Speaks { within }) => timed("speaks", within),
        Some(Expect::Responds { within }) => timed("responds", within),
        Some(Expect::Yields { within }) => timed("yields", within),
        Some(Expect::Ignores) => ", expect: {agent: ignores}".to_owned(),
    };
    format!("  - {{id: {:?}{act}{expect}}}\n", step.id)
}
