use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::record::CallId;
use crate::report::trace::Origin;
use crate::spans::timeline::Timeline;
use crate::spans::timeline::testing::{Session, Talk, text};

fn session() -> Trace {
    let mut session = Session::default();
    session.greets(1_000.0, 2_000.0);
    session.talk(&Talk { said: (4_000.0, 5_500.0), ..Talk::default() });
    session.talk(&Talk { said: (12_000.0, 13_500.0), retry: 1_100.0, ..Talk::default() });
    Trace {
        call: None,
        scenario: None,
        session: "room-1".to_owned(),
        agent: Some("front-desk".to_owned()),
        links: Vec::new(),
        origin: Origin::Langfuse,
        timeline: Timeline::of_session(&session.spans),
    }
}

fn shown(trace: &Trace, width: usize) -> String {
    render(trace, None, Colour::Never, width)
}

#[test]
fn a_session_is_a_list_and_waterfalls() {
    insta::assert_snapshot!("session_80", shown(&session(), 80));
    insta::assert_snapshot!("session_60", shown(&session(), 60));
}

#[test]
fn every_line_fits() {
    for width in [20, 60, 72, 80, 100, 120] {
        for line in shown(&session(), width).lines() {
            assert!(line.width() <= width.clamp(60, 100), "{width}: {line}");
        }
    }
}

#[test]
fn one_turn_can_be_asked_for() {
    let trace = session();
    let one = render(&trace, Some(&trace.timeline.turns[2]), Colour::Never, 80);
    assert!(one.contains("turn 3") && !one.contains("turn 2"), "{one}");
    assert!(one.contains("1 retry took 1,100 ms") && one.contains("failed: overloaded"), "{one}");
}

#[test]
fn a_long_session_stays_short() {
    let mut session = Session::default();
    for at in 0..500 {
        let ttft = 200.0 + f64::from(at % 37) * 10.0;
        session.talk(&Talk { ttft, ..Talk::default() }.at(f64::from(at) * 8_000.0));
    }
    let timeline = Timeline::of_session(&session.spans);
    assert_eq!(timeline.turns.len(), 500);
    let trace = Trace { timeline, ..self::session() };
    let text = shown(&trace, 80);
    assert!(text.lines().count() < 200, "{}", text.lines().count());
    assert!(
        text.contains("the 40 slowest of 500 turns") && text.contains("495 more turns"),
        "{text}"
    );
}

#[test]
fn text_of_others_has_no_power_here() {
    let mut session = Session::default();
    session.talk(&Talk::default());
    let evil = "\u{1b}[2J\u{202e}<script>\n::error::x";
    let turn = session.spans.iter().find(|span| span.name == "agent_turn").unwrap().span_id.clone();
    let tool = [("lk.function_tool.name", text(evil))];
    session.push(Some(&turn), "function_tool", (1_900.0, 2_000.0), &tool);
    session.spans.last_mut().unwrap().error = Some(evil.to_owned());
    let trace = Trace {
        call: Some((evil.to_owned(), CallId(7))),
        session: evil.to_owned(),
        agent: Some(evil.to_owned()),
        links: vec![evil.to_owned()],
        timeline: Timeline::of_session(&session.spans),
        ..self::session()
    };
    let text = shown(&trace, 80);
    assert!(!text.contains(|c: char| c == '\u{202e}' || (c.is_control() && c != '\n')), "{text}");
    assert!(text.contains("\\u{1b}"), "{text}");
}
