use super::*;
use crate::report::trace::Origin;
use crate::spans::timeline::Timeline;
use crate::spans::timeline::testing::{Session, Talk, text};

fn page(session: &str, link: &str) -> String {
    let mut made = Session::default();
    made.talk(&Talk { retry: 400.0, ..Talk::default() });
    let turn = made.spans.iter().find(|span| span.name == "agent_turn").unwrap().span_id.clone();
    let tool = [("lk.function_tool.name", text(session))];
    made.push(Some(&turn), "function_tool", (1_900.0, 2_000.0), &tool);
    let trace = Trace {
        call: None,
        scenario: None,
        session: session.to_owned(),
        agent: None,
        links: vec![link.to_owned()],
        origin: Origin::Langfuse,
        timeline: Timeline::of_session(&made.spans),
    };
    let mut out = Vec::new();
    write(&trace, None, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_page_draws_the_stages_and_holds_to_its_policy() {
    let page = page("room-1", "https://cloud.langfuse.com/trace/1");
    assert!(page.contains("nothing was heard") && page.contains("1 retry took 400 ms"), "{page}");
    assert!(page.contains("<rect class=\"model\""));
    assert!(page.contains("href=\"https://cloud.langfuse.com/trace/1\""));
    assert!(page.contains("Content-Security-Policy") && !page.contains("<script"));
    // The policy allows one style, and no attribute is one.
    assert_eq!(page.matches("<style>").count(), 1);
    assert!(!page.contains(" style="));
}

#[test]
fn text_of_others_is_only_text() {
    let page = page("<script>alert(1)</script>\u{202e}", "javascript:alert(1)");
    assert!(!page.contains("<script") && !page.contains('\u{202e}'));
    assert!(!page.contains("href=\"javascript"));
}
