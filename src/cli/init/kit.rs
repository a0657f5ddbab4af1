//! What `loadcall init` writes: a scenario that runs as it is, its clips, and a workflow, all from the program itself.

use crate::text::safe;
use std::borrow::Cow;

/// The scenario, where the nightly workflow looks for it.
pub(super) const SCENARIO: &str = "scenarios/greeting.yaml";
pub(super) const WORKFLOW: &str = ".github/workflows/loadcall-nightly.yml";
pub(super) const GITIGNORE: &str = ".gitignore";
/// The agent of the scenario unless another is named.
pub(super) const AGENT: &str = "demo-agent";
/// The line that keeps run folders out of git.
pub(super) const IGNORED: &str = "/reports/";

const GREETING: &str = include_str!("../../../scenarios/greeting.yaml");
const NIGHTLY: &str = include_str!("../../../deploy/ci/github-nightly.yml");
/// What the scenario says, spoken by espeak-ng (`scenarios/clips/make.sh`).
const CLIPS: [(&str, &[u8]); 2] = [
    ("scenarios/clips/hours.wav", include_bytes!("../../../scenarios/clips/hours.wav")),
    ("scenarios/clips/wait.wav", include_bytes!("../../../scenarios/clips/wait.wav")),
];
const HEAD: &str = "\
# Written by `loadcall init`. `loadcall check` shows every error of this file at once.
# Set agent.name to the name your agent registers with; remove it for automatic dispatch.
# The clips were spoken by espeak-ng: put recordings of your own callers in their place.

";
/// The line of the scenario that names the agent.
const NAME_LINE: &str = "  name: demo-agent\n";

/// A file, with its path below the folder that `init` writes to.
pub(super) struct Piece {
    pub(super) path: &'static str,
    pub(super) contents: Cow<'static, [u8]>,
}

/// All files, for an agent of this (cleaned) name; empty for automatic dispatch.
pub(super) fn pieces(agent: &str) -> Vec<Piece> {
    let text = |path, text: Cow<'static, str>| {
        let contents = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Piece { path, contents }
    };
    let mut pieces = vec![text(SCENARIO, scenario(agent).into())];
    pieces.extend(CLIPS.map(|(path, clip)| Piece { path, contents: Cow::Borrowed(clip) }));
    pieces.push(text(WORKFLOW, NIGHTLY.into()));
    pieces.push(text(GITIGNORE, format!("{IGNORED}\n").into()));
    pieces
}

pub(super) fn scenario(agent: &str) -> String {
    let name = match agent {
        AGENT => NAME_LINE.to_owned(),
        "" => String::new(),
        // A text in JSON is one in YAML.
        name => format!("  name: {}\n", serde_json::Value::from(name)),
    };
    format!("{HEAD}{}", GREETING.replacen(NAME_LINE, &name, 1))
}

/// A name without whitespace at its ends and without characters that cannot be seen.
pub(super) fn cleaned(name: &str) -> String {
    let spaced = name.replace(['\n', '\r', '\t'], " ");
    let visible = |c: &char| {
        let mut buffer = [0; 4];
        let text: &str = c.encode_utf8(&mut buffer);
        safe(text) == text
    };
    spaced.chars().filter(visible).collect::<String>().trim().to_owned()
}

/// Whether the text of a `.gitignore` keeps run folders out of git.
pub(super) fn ignores_reports(gitignore: &str) -> bool {
    let lines = gitignore.lines().map(str::trim);
    lines.map(|line| line.trim_start_matches('/')).any(|line| {
        let rest = line.strip_prefix("reports");
        rest.is_some_and(|rest| ["", "/", "/*", "/**"].contains(&rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Act, Scenario};
    use proptest::prelude::*;

    #[test]
    fn the_scenario_is_sound_and_its_clips_come_with_it() {
        let scenario = Scenario::parse(&scenario(AGENT)).unwrap();
        assert_eq!(scenario.agent().name, AGENT);
        let pieces = pieces(AGENT);
        for step in scenario.steps() {
            if let Act::Say { clip, .. } = &step.act {
                let path = format!("scenarios/{}", clip.file);
                assert!(pieces.iter().any(|piece| piece.path == path), "{path}");
            }
        }
        assert!(pieces.iter().map(|piece| piece.contents.len()).sum::<usize>() < 1 << 20);
    }

    #[test]
    fn an_agent_without_a_name_is_dispatched_automatically() {
        assert_eq!(Scenario::parse(&scenario("")).unwrap().agent().name, "");
    }

    #[test]
    fn the_workflow_calls_what_was_written() {
        let nightly = pieces(AGENT).into_iter().find(|piece| piece.path == WORKFLOW).unwrap();
        assert!(String::from_utf8(nightly.contents.into_owned()).unwrap().contains(SCENARIO));
    }

    #[test]
    fn names_are_cleaned() {
        for (name, clean) in [
            ("  my-agent ", "my-agent"),
            ("a\tb\r\n", "a b"),
            ("\u{1b}[31mred\u{200b}\u{202e}", "[31mred"),
            ("größer \"x\"", "größer \"x\""),
            ("\u{7}\n", ""),
        ] {
            assert_eq!(cleaned(name), clean, "{name:?}");
        }
    }

    #[test]
    fn a_gitignore_that_ignores_reports_is_known() {
        for text in ["reports", "/reports/\n", "target\n/reports/*\n!reports/keep", "reports/**"] {
            assert!(ignores_reports(text), "{text}");
        }
        for text in ["", "reportsx", "# reports/", "!/reports/", "a/reports", "reports/example"] {
            assert!(!ignores_reports(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_name_reaches_the_scenario(name in "[^$]{0,80}") {
            let name = cleaned(&name);
            let text = scenario(&name);
            let read = Scenario::parse(&text).map(|scenario| scenario.agent().name.clone());
            prop_assert_eq!(read.ok(), Some(name), "{}", text);
        }
    }
}
