//! The list of calls, and one call, in a terminal.

use insta::assert_snapshot;
use unicode_width::UnicodeWidthStr as _;

use super::{Colour, call_list, one_call};
use crate::record::{Observation, Outcome, Run, SessionEvent, Speaker};
use crate::report::fixture::{answered, at, scenario};
use crate::report::{CallLine, Selection, call_lines};
use crate::turn::{Analysis, Lanes, analyse};

/// The second call is not answered, by an agent that names its error.
fn failing() -> Run {
    let (mut run, _) = answered();
    run.head.langfuse_url = Some("https://cloud.langfuse.com".to_owned());
    for call in &mut run.calls {
        let is =
            crate::record::Stamped { at: call.dialled, what: Observation::StepBegan { step: 0 } };
        call.log.insert(0, is);
    }
    let call = &mut run.calls[1];
    let end = call.end.at;
    call.log.truncate(9);
    let failed = SessionEvent::Error { message: "llm_error: overloaded".to_owned() };
    let stamped = |us, what| crate::record::Stamped { at: at(us), what };
    call.log.push(stamped(11_500_000, Observation::Session(failed)));
    call.log.push(stamped(19_000_000, Observation::ExpectationMissed { step: 1 }));
    call.end.outcome = Outcome::NoAnswer;
    call.end.detail = "turn `hours`: no reply within 8s".to_owned();
    call.end.at = end;
    run
}

fn lines(analysis: &Analysis, selection: Selection) -> Vec<CallLine<'_>> {
    call_lines(analysis, selection)
}

fn timeline(run: &Run, call: usize, width: usize) -> String {
    let scenario = scenario();
    let analysis = analyse(run, &scenario);
    let all = lines(&analysis, Selection::All);
    let lanes = Lanes::of(&run.calls[call], &scenario);
    let facts = &analysis.calls[call];
    one_call::render(&analysis, &scenario, &all[call], facts, &lanes, Colour::Never, width)
}

#[test]
fn calls_are_listed_with_where_to_look_further() {
    let run = failing();
    let analysis = analyse(&run, &scenario());
    let list = |selection, title| call_list(&lines(&analysis, selection), title, Colour::Never, 80);
    assert_snapshot!("list_all", list(Selection::All, "4 calls"));
    assert_snapshot!("list_failed", list(Selection::Failed, "1 of 4 calls failed"));
    let mut untraced = run;
    untraced.head.langfuse_url = None;
    let analysis = analyse(&untraced, &scenario());
    let all = call_list(&lines(&analysis, Selection::All), "4 calls", Colour::Never, 80);
    assert!(!all.contains("trace"), "{all}");
}

#[test]
fn one_call_reads_from_top_to_bottom() {
    assert_snapshot!("one_answered", timeline(&failing(), 0, 100));
    assert_snapshot!("one_failed", timeline(&failing(), 1, 60));
}

#[test]
fn texts_of_others_are_harmless_and_short() {
    let mut run = failing();
    let hostile = "\u{1b}[2J\u{202e}<script>".repeat(5_000);
    let of = |text: &str| Observation::Transcript {
        speaker: Speaker::Agent,
        segment: "s".to_owned(),
        text: text.to_owned(),
        last: true,
        until: None,
    };
    let call = &mut run.calls[0];
    call.log.push(crate::record::Stamped { at: at(900_000), what: of(&hostile) });
    call.log.push(crate::record::Stamped {
        at: at(1_000_000),
        what: Observation::AgentLeft { reason: hostile.clone() },
    });
    call.room.clone_from(&hostile);
    call.end.detail.clone_from(&hostile);
    for width in [60, 80, 100] {
        let text = timeline(&run, 0, width);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
        assert!(!text.contains('\u{202e}') && text.len() < 30_000, "{} bytes", text.len());
        // An address or a room's name is never broken, so that it can be copied.
        let broken = |line: &&str| {
            line.width() > width
                && !line.starts_with("        room ")
                && !line.starts_with("        trace ")
        };
        assert_eq!(text.lines().find(broken), None);
    }
}
