use super::testing::{Session, Talk, ZERO_NS, text};
use super::*;
use crate::record::{CallRecord, Outcome};
use crate::spans::Value;
use crate::turn::testing::{began, call, connected, joined, said, two_questions, voice};
use crate::turn::{Lanes, analyse_call};

/// A call with a greeting and two questions, heard by us, and the agent's spans of it. The agent's clock is ahead by
/// `ahead` milliseconds; its voice takes 60 ms to us, and it takes the caller's speech for ended 90 ms late.
fn told(ahead: f64, second: Talk) -> (CallRecord, Session) {
    let mut session = Session::default();
    session.greets(1_000.0 + ahead, 2_000.0);
    let first = Talk { said: (4_030.0 + ahead, 5_590.0 + ahead), ..Talk::default() };
    let a = session.talk(&first) - ahead + 60.0;
    let second = Talk { said: (12_030.0 + ahead, 13_590.0 + ahead), ..second };
    let b = session.talk(&second) - ahead + 60.0;
    #[expect(clippy::cast_possible_truncation, reason = "moments of a test")]
    let ms = |of: f64| of as i64;
    let log = [
        connected(100),
        joined(400),
        began(0, 500),
        voice(1_060, 3_060),
        began(1, 4_000),
        said(1, 4_000, 5_500),
        voice(ms(a), ms(a) + 2_000),
        began(2, 12_000),
        said(2, 12_000, 13_500),
        voice(ms(b), ms(b) + 2_000),
    ]
    .concat();
    (call(0, log, 20_000, Outcome::Answered), session)
}

fn timeline(call: &CallRecord, spans: &[AgentSpan]) -> Timeline {
    let scenario = two_questions();
    let (facts, _) = analyse_call(call, &scenario);
    let lanes = Lanes::of(call, &scenario);
    let mut head = crate::record::testing::head();
    let zero = jiff::Timestamp::from_nanosecond(i128::from(ZERO_NS)).unwrap();
    head.started_at = format!("{zero:.6}");
    Timeline::of_call(Call { head: &head, facts: &facts, lanes: &lanes }, spans)
}

fn ms(turn: &TurnLine, part: &str) -> f64 {
    let shares = turn.breakdown.iter().flat_map(|of| &of.shares);
    shares.filter(|share| share.part == part).map(|share| share.ms).sum()
}

fn near(a: f64, b: f64, off: f64) {
    assert!((a - b).abs() <= off, "{a} is not {b}");
}

#[test]
fn spans_stand_beside_what_was_heard() {
    let slow = Talk { ttft: 900.0, ..Talk::default() };
    let (call, session) = told(0.0, slow);
    let timeline = timeline(&call, &session.spans);
    let Sides::Both { clocks, ahead_ms } = timeline.sides else { panic!("{:?}", timeline.sides) };
    near(ahead_ms.unwrap(), 0.0, clocks.error_ms);
    assert!(clocks.error_ms < 120.0 && clocks.edges == 7, "{clocks:?}");
    assert_eq!(timeline.turns.len(), 3);
    let ids: Vec<&str> = timeline.turns.iter().filter_map(|turn| turn.id.as_deref()).collect();
    assert_eq!(ids, ["greeting", "hours", "price"]);
    let price = &timeline.turns[2];
    // Heard: 90 ms until the agent noticed, its own figure, 60 ms on the way.
    near(price.heard_ms.unwrap(), 90.0 + slow.e2e() + 60.0, 1.0);
    near(price.claims.unwrap().e2e_latency_ms.unwrap(), slow.e2e(), 0.1);
    near(ms(price, "llm_node_ttft"), 900.0, 1.0);
    near(ms(price, "unattributed"), 150.0, 1.0);
    let rows = |what| price.rows.iter().filter(move |row| row.what == what);
    let llm = rows(What::Llm).next().unwrap();
    let heard = rows(What::AgentHeard).next().unwrap();
    // The model was asked when the turn was over: 90 + 500 ms after the caller's end.
    near(llm.from_ms - price.zero_ms.unwrap(), 590.0, clocks.error_ms);
    assert!(llm.from_ms < heard.from_ms && heard.source == Source::Heard);
    assert_eq!(rows(What::LlmRequest).next().unwrap().facts.input_tokens, Some(512.0));
    let bottleneck = timeline.bottleneck.unwrap();
    assert_eq!((bottleneck.part, bottleneck.turns), ("llm_node_ttft", 2));
}

#[test]
fn a_clock_that_is_wrong_by_an_hour_changes_nothing_but_the_note() {
    let (call, right) = told(0.0, Talk::default());
    let (_, wrong) = told(3_600_000.0, Talk::default());
    let (right, wrong) = (timeline(&call, &right.spans), timeline(&call, &wrong.spans));
    let ahead = |of: &Timeline| {
        let Sides::Both { ahead_ms, .. } = of.sides else { panic!("{:?}", of.sides) };
        ahead_ms.unwrap()
    };
    near(ahead(&wrong) - ahead(&right), 3_600_000.0, 1.0);
    for (a, b) in right.turns.iter().zip(&wrong.turns) {
        assert_eq!(a.rows.len(), b.rows.len());
        for (a, b) in a.rows.iter().zip(&b.rows) {
            near(a.from_ms, b.from_ms, 0.01);
        }
        assert_eq!(a.id, b.id);
    }
}

#[test]
fn a_retry_is_named_a_retry() {
    let (call, session) = told(0.0, Talk { retry: 1_100.0, ..Talk::default() });
    let timeline = timeline(&call, &session.spans);
    let price = &timeline.turns[2];
    let row = price.retried().unwrap();
    assert_eq!((row.what, row.facts.retries), (What::Llm, 1));
    near(row.facts.retries_ms.unwrap(), 1_100.0, 0.1);
    near(ms(price, "llm_retries"), 1_100.0, 1.0);
    near(ms(price, "llm_node_ttft"), 300.0, 1.0);
    assert_eq!((timeline.totals.retries, timeline.totals.llm_requests), (1, 2));
    assert_eq!(timeline.slowest_first()[0].id.as_deref(), Some("price"));
}

#[test]
fn clocks_that_cannot_be_aligned_leave_each_side_on_its_axis() {
    let (call, session) = told(0.0, Talk::default());
    let lonely: Vec<AgentSpan> =
        session.spans.into_iter().filter(|span| span.name != "user_speaking").collect();
    let timeline = timeline(&call, &lonely);
    assert_eq!(timeline.sides, Sides::Apart { why: Apart::TooFew });
    let axes: Vec<Axis> = timeline.turns.iter().map(|turn| turn.axis).collect();
    assert_eq!(axes[..3], [Axis::Call; 3]);
    assert!(axes[3..].iter().all(|axis| *axis == Axis::Session) && axes.len() > 3);
}

#[test]
fn without_spans_the_call_is_what_was_heard() {
    let (call, _) = told(0.0, Talk::default());
    let timeline = timeline(&call, &[]);
    assert_eq!((timeline.sides, timeline.turns.len()), (Sides::Heard, 3));
    assert_eq!(timeline.totals, Totals::default());
}

#[test]
fn a_session_of_spans_alone_has_the_agents_figures_and_nothing_heard() {
    let (_, session) = told(0.0, Talk { ttft: 1_200.0, ..Talk::default() });
    let timeline = Timeline::of_session(&session.spans);
    assert_eq!(timeline.sides, Sides::Reported);
    assert_eq!(timeline.turns.len(), 3);
    assert!(
        timeline.turns.iter().all(|turn| turn.heard_ms.is_none() && turn.went == Went::Reported)
    );
    let last = timeline.turns.last().unwrap();
    near(last.breakdown.as_ref().unwrap().total_ms, 1_880.0, 0.1);
    near(ms(last, "unattributed"), 0.0, 0.0);
    assert_eq!(timeline.bottleneck.unwrap().part, "llm_node_ttft");
    assert!(Timeline::of_session(&[]).turns.is_empty());
}

#[test]
fn a_generation_that_was_made_too_early_is_discarded_and_shifts_nothing() {
    let (call, mut session) = told(0.0, Talk::default());
    let turn =
        session.spans.iter().rfind(|span| span.name == "agent_turn").unwrap().span_id.clone();
    // Asked at an interim transcript, 200 ms before the caller's end.
    session.model(&turn, 13_390.0, &Talk { ttft: 200.0, ..Talk::default() });
    let timeline = timeline(&call, &session.spans);
    let price = &timeline.turns[2];
    let llm: Vec<bool> = (price.rows.iter().filter(|row| row.what == What::Llm))
        .map(|row| row.facts.discarded)
        .collect();
    assert_eq!(llm, [true, false]);
    assert_eq!(timeline.totals.discarded, 1);
    near(ms(price, "llm_node_ttft"), 300.0, 1.0);
}

#[test]
fn a_turn_that_the_agent_did_not_see_and_one_it_made_up_shift_nothing() {
    let (call, mut session) = told(0.0, Talk::default());
    // It replies to a noise at nine seconds.
    session.talk(&Talk { said: (9_000.0, 9_300.0), speaks: 300.0, ..Talk::default() });
    let both = timeline(&call, &session.spans);
    let ids: Vec<Option<&str>> = both.turns.iter().map(|turn| turn.id.as_deref()).collect();
    assert_eq!(ids, [Some("greeting"), Some("hours"), None, Some("price")]);
    assert_eq!(both.turns[2].went, Went::Reported);
    near(both.turns[3].claims.unwrap().e2e_latency_ms.unwrap(), 980.0, 0.1);
}

#[test]
fn hostile_spans_are_shown_within_limits() {
    let mut session = Session::default();
    let mut parent = None;
    for at in 0..3_000 {
        let name = if at % 3 == 0 { "agent_turn" } else { "llm_node\u{1b}[2J" };
        let huge = [("lk.e2e_latency", Value::Number(f64::MAX)), ("lk.retry_count", text("x"))];
        let moment = f64::from(at) * 7.0;
        parent = Some(session.push(parent.as_deref(), name, (moment, moment - 5.0), &huge));
    }
    // Parents that name each other in a circle.
    let (first, last) = (session.spans[0].span_id.clone(), parent);
    session.spans[0].parent_id = last;
    session.spans[1].parent_id = Some(first);
    session.spans[2].begin_ns = 0;
    session.spans[3].end_ns = u64::MAX;
    let timeline = Timeline::of_session(&session.spans);
    assert!(timeline.turns.len() <= 2_000);
    assert!(timeline.turns.iter().all(|turn| turn.rows.len() <= stages::MOST));
    assert!(timeline.length_ms.is_finite());
}

#[test]
fn spans_of_a_call_are_those_that_say_so_and_the_nameless_ones_of_their_traces() {
    let (_, session) = told(0.0, Talk::default());
    let wanted = Wanted { names: vec!["room-1".to_owned()], traces: Vec::new() };
    assert_eq!(wanted.choose(&session.spans).len(), session.spans.len());
    let mut spans = session.spans;
    // One without a session is of the trace's; one of another session, or of our own, is not.
    spans[1].attributes.clear();
    spans[2].attributes.insert("session.id".to_owned(), text("room-2"));
    spans[3].name = "loadcall.call".to_owned();
    assert_eq!(wanted.choose(&spans).len(), spans.len() - 2);
    let other = Wanted { names: vec!["room-3".to_owned()], traces: Vec::new() };
    assert!(other.choose(&spans).is_empty());
    let by_trace =
        Wanted { traces: vec!["0AF7651916CD43DD8448EB211C80319C".to_owned()], ..Wanted::default() };
    assert!(!by_trace.choose(&spans).is_empty());
}
