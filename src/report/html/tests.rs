use super::agents::Agents;
use super::*;
use crate::record::{Outcome, Run};
use crate::report::fixture::{
    answered, at, call, comparison, report, report_with, run, scenario, turns,
};
use crate::spans::timeline::testing::{Session, Talk, text};
use crate::turn::{Reply, Turn};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

fn lanes(run: &Run) -> Vec<io::Result<Lanes>> {
    run.calls.iter().map(|call| Ok(Lanes::of(call, &scenario()))).collect()
}

fn kept(id: u32, bytes: u64) -> Kept {
    let call = CallId(id);
    Kept { call, file: "../../etc/passwd".to_owned(), starts: at(0), length_ms: 1_000.0, bytes }
}

fn page(report: &Report, run: &Run, kept: &[Kept], audio_bytes: u64) -> String {
    let mut out = Vec::new();
    let page = Page { report, baseline: None, kept, audio_bytes, spans: &[] };
    let audio = |kept: &Kept| Some(vec![7; usize::try_from(kept.bytes).unwrap()]);
    write(page, lanes(run), audio, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What stands between two texts.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    page.split_once(begin).unwrap().1.split_once(end).unwrap().0
}

#[test]
fn the_policy_knows_the_script_and_the_style_and_nothing_else() {
    let (run, turns) = answered();
    let page = page(&report(&run, &turns), &run, &[], 0);
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(
        policy.contains(&format!("script-src {};", hash(between(&page, "<script>", "</script>"))))
    );
    assert!(
        policy.contains(&format!("style-src {};", hash(between(&page, "<style>", "</style>"))))
    );
    for wide in ["unsafe", "http", "*"] {
        assert!(!policy.contains(wide), "{policy}");
    }
    // A style or a handler in an element would be refused.
    assert!(!page.contains(" style=") && !page.contains(" onclick="));
}

#[test]
fn text_of_others_stays_text() {
    let (mut run, mut turns) = answered();
    let bad = "</script><script>x</script><img src=x onerror=y>\u{1b}[31m\u{202e}";
    bad.clone_into(&mut run.head.run_id);
    bad.clone_into(&mut run.head.server_url);
    bad.clone_into(&mut run.calls[0].room);
    run.calls[0].end.outcome = Outcome::NoAnswer;
    bad.clone_into(&mut run.calls[0].end.detail);
    turns[1].errors = vec![bad.to_owned()];
    let own = page(&report(&run, &turns), &run, &[], 0);
    // Ours: what all calls share, four calls, and the program.
    assert_eq!(own.matches("<script").count(), 1 + 4 + 1);
    assert_eq!(own.matches("</script").count(), own.matches("<script").count());
    assert!(!own.contains("<img") && own.contains("&lt;img") && own.contains("\\u003cimg"));
    assert!(!own.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn audio_is_inside_for_the_calls_in_front_as_long_as_there_is_room() {
    let (run, turns) = answered();
    let report = report(&run, &turns);
    let all: Vec<Kept> = (0..4).map(|id| kept(id, 300)).collect();
    let inside = |audio_bytes| {
        let page = page(&report, &run, &all, audio_bytes);
        (0..4).filter(|id| page.contains(&format!("id=\"audio-{id}\""))).collect::<Vec<u32>>()
    };
    // The slowest is the last; as text each takes 400 bytes.
    assert_eq!(inside(0), [0; 0]);
    assert_eq!(inside(399), [0; 0]);
    assert_eq!(inside(400), [3]);
    assert_eq!(inside(1_599), [1, 2, 3]);
    assert_eq!(inside(1_600), [0, 1, 2, 3]);
    let page = page(&report, &run, &all, 400);
    assert!(page.contains(&STANDARD.encode([7; 300])));
    assert!(page.contains("\"file\":\"audio/001.ogg\"") && !page.contains("passwd"));
}

#[test]
fn audio_that_is_larger_than_it_was_said_to_be_is_linked() {
    let (run, turns) = answered();
    let report = report(&run, &turns);
    let (all, mut out) = ([kept(3, 30)], Vec::new());
    let page = Page { report: &report, baseline: None, kept: &all, audio_bytes: 1_000, spans: &[] };
    write(page, lanes(&run), |_| Some(vec![0; 31]), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("id=\"audio-3\"") && text.contains("\"inside\":false"));
}

#[test]
fn what_failed_comes_first_and_then_what_was_slow() {
    let (mut run, turns) = answered();
    run.calls[1].end.outcome = Outcome::NoAnswer;
    run.calls[2].end.outcome = Outcome::OurFault;
    let report = report(&run, &turns);
    let order: Vec<u32> =
        worst_first(&report.judged.analysis.calls).map(|call| call.call.0).collect();
    // 2 says nothing about the agent; 3 was slower than 0.
    assert_eq!(order, [1, 3, 0, 2]);
}

#[test]
fn a_turn_without_a_reply_is_drawn_and_keeps_the_curve_below_the_top() {
    let (run, mut turns) = answered();
    turns[1].reply = Reply::Unanswered { waited_ms: 8_000.0 };
    let page = page(&report(&run, &turns), &run, &[], 0);
    let chart = between(&page, "id=\"ecdf-1-says\"", "</svg>");
    // Three of four: 75 %, and the ring on the axis' end at 8,000 ms.
    assert!(chart.contains("<path class=\"is ring\" d=\"M1000 250H1000"), "{chart}");
    assert!(chart.contains("V250\"/><path class=\"is lost\""), "{chart}");
    assert!(page.contains("n\u{a0}4, 1 unanswered"));
}

#[test]
fn the_parts_of_a_change_lead_from_the_baseline_to_the_run() {
    let (run, turns) = answered();
    let report = report_with(&run, &turns, |verdict| verdict.comparison = Some(comparison(120.0)));
    let page = page(&report, &run, &[], 0);
    let table = between(&page, "From the baseline to this run: ", "</table>");
    let numbers: Vec<&str> = table
        .split("<td class=\"number\">")
        .skip(1)
        .map(|of| of.split('<').next().unwrap())
        .collect();
    // 1,120 + 100 + 22 − 3 + 1 = 1,240
    assert_eq!(numbers, ["1,120", "+100", "+22", "\u{2212}3", "+1", "≥\u{a0}1,240"]);
}

#[test]
fn a_call_takes_no_more_than_it_is_given() {
    let mut one = call(0);
    let words = |at: crate::time::Offset, i: i64| crate::record::Stamped {
        at: at.plus_micros(i),
        what: crate::record::Observation::Transcript {
            speaker: crate::record::Speaker::Agent,
            segment: format!("s{i}"),
            text: "words ".repeat(2_000),
            last: true,
            until: None,
        },
    };
    one.log.extend((0..60).map(|i| words(at(3_000_000), i)));
    let run = run(vec![one.clone()]);
    let turns: Vec<Turn> = turns(&one);
    let report = report(&run, &turns);
    let facts = &report.judged.analysis.calls[0];
    let lanes = Lanes::of(&one, &scenario());
    let shown = data::Shown { facts, lanes: &lanes, audio: None };
    let sizes: Vec<Option<usize>> = [1_000_000, 20_000, 6_000, 100]
        .map(|most| {
            data::call(&report.judged.analysis.head, shown, &Agents::default(), most)
                .map(|json| json.len())
        })
        .to_vec();
    assert!(matches!(sizes[..], [Some(a), Some(b), Some(c), None] if a > b && b > c), "{sizes:?}");
    let head = &report.judged.analysis.head;
    let shown = data::call(head, shown, &Agents::default(), 20_000).unwrap();
    assert!(shown.contains("\"shortened\":true"));
    // However many calls there are, all together take no more than the page has room for.
    for calls in [1, 50, 1_000, 100_000] {
        let all: usize = (0..calls).map(|rank| room_of(rank, calls)).sum();
        assert!(all <= CALLS, "{calls} calls: {all}");
    }
}

#[test]
fn the_same_run_gives_the_same_page() {
    let (run, turns) = answered();
    let report = report(&run, &turns);
    assert_eq!(page(&report, &run, &[], 0), page(&report, &run, &[], 0));
}

#[test]
fn the_agents_stages_stand_in_the_page_of_their_call() {
    let (run, turns) = answered();
    let report = report(&run, &turns);
    let mut session = Session::default();
    session.greets(800.0, 2_000.0);
    let evil = "</script><script>alert(1)</script>\u{202e}";
    let talk = Talk { end_of_turn: 580.0, ..Talk::default() };
    session.talk(&Talk { said: (4_530.0, 6_080.0), ..talk });
    let turn =
        session.spans.iter().rfind(|span| span.name == "agent_turn").unwrap().span_id.clone();
    session.push(
        Some(&turn),
        "function_tool",
        (6_700.0, 6_800.0),
        &[("lk.function_tool.name", text(evil))],
    );
    for span in &mut session.spans {
        span.attributes.insert("session.id".to_owned(), text(&run.calls[0].room));
    }
    let mut out = Vec::new();
    let spans = &session.spans;
    let page = Page { report: &report, baseline: None, kept: &[], audio_bytes: 0, spans };
    write(page, lanes(&run), |_| None, &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    let first = between(&page, "id=\"data-0\">", "</script>");
    let call: serde_json::Value = serde_json::from_str(first).unwrap();
    let names: Vec<&str> =
        call["spans"].as_array().unwrap().iter().map(|of| of[4].as_str().unwrap()).collect();
    assert!(
        names.iter().any(|name| name.starts_with("LLM: first token after 300 ms")),
        "{names:?}"
    );
    assert!(call["spans_note"].as_str().unwrap().contains("to within ±"), "{call}");
    // Those of another call are not its own, and no name is markup.
    let second = between(&page, "id=\"data-1\">", "</script>");
    assert!(second.contains("\"spans\":[]"), "{second}");
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'));
}
