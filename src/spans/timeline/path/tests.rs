use super::*;
use crate::spans::timeline::exchange::exchanges;
use crate::spans::timeline::stages::stages;
use crate::spans::timeline::testing::{Session, Talk, s};
use crate::spans::timeline::tree::Tree;

/// The breakdown of the last exchange.
fn broken_down(session: &Session, heard: Option<f64>) -> Breakdown {
    let tree = Tree::new(&session.spans);
    let exchanges = exchanges(&tree);
    let last = exchanges.last().unwrap();
    Breakdown::of_spans(last, &stages(&tree, last).0, heard).unwrap()
}

fn ms(of: &Breakdown, part: &str) -> f64 {
    of.shares.iter().find(|share| share.part == part).map_or(0.0, |share| share.ms)
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1.0, "{a} is not {b}");
}

#[test]
fn stages_in_a_row_add_up_and_the_rest_is_unclaimed() {
    let mut session = Session::default();
    session.talk(&Talk::default());
    let of = broken_down(&session, Some(1_190.0));
    near(ms(&of, "end_of_turn_delay"), 500.0);
    near(ms(&of, "llm_node_ttft"), 300.0);
    near(ms(&of, "llm_first_sentence"), 60.0);
    near(ms(&of, "tts_node_ttfb"), 120.0);
    near(ms(&of, "unattributed"), 210.0);
    near(of.unclaimed_ms(), 210.0);
    near(of.shares.iter().map(|share| share.ms).sum(), 1_190.0);
    assert_eq!(of.bottleneck().unwrap().part, "end_of_turn_delay");
    // By the agent's own figure there is nothing beyond it.
    let alone = broken_down(&session, None);
    near(alone.total_ms, 980.0);
    assert!(!alone.heard && ms(&alone, "unattributed") == 0.0);
}

#[test]
fn a_retry_is_told_from_slowness() {
    let mut session = Session::default();
    session.talk(&Talk { retry: 1_100.0, ..Talk::default() });
    let retried = broken_down(&session, None);
    near(ms(&retried, "llm_retries"), 1_100.0);
    near(ms(&retried, "llm_node_ttft"), 300.0);
    assert_eq!(retried.bottleneck().unwrap().part, "llm_retries");
    let mut session = Session::default();
    session.talk(&Talk { ttft: 1_400.0, ..Talk::default() });
    let slow = broken_down(&session, None);
    near(ms(&slow, "llm_retries"), 0.0);
    near(ms(&slow, "llm_node_ttft"), 1_400.0);
}

#[test]
fn what_ran_beside_the_stages_on_the_path_is_not_counted() {
    // The model was asked at the transcript, 100 ms after the caller's end, and was through before the commit.
    let mut session = Session::default();
    let talk = Talk { end_of_turn: 800.0, ..Talk::default() };
    session.user(&talk);
    let delay = ("lk.e2e_latency", s(920.0));
    let turn = session.push(None, "agent_turn", (1_400.0, 4_000.0), &[delay]);
    session.model(&turn, 1_400.0, &talk);
    session.push(Some(&turn), "tts_node", (1_401.0, 2_500.0), &[("lk.response.ttfb", s(120.0))]);
    session.push(Some(&turn), "agent_speaking", (2_220.0, 4_000.0), &[]);
    let of = broken_down(&session, None);
    near(ms(&of, "end_of_turn_delay"), 800.0);
    near(ms(&of, "llm_node_ttft"), 0.0);
    near(ms(&of, "tts_node_ttfb"), 120.0);
    near(of.unclaimed_ms(), 0.0);
}

#[test]
fn a_tool_and_the_requests_around_it_are_told_apart() {
    let mut session = Session::default();
    let talk = Talk::default();
    session.user(&talk);
    let delay = ("lk.e2e_latency", s(500.0 + 460.0 + 400.0 + 300.0 + 60.0 + 120.0));
    let turn = session.push(None, "agent_turn", (1_800.0, 6_000.0), &[delay]);
    session.model(&turn, 1_800.0, &talk);
    session.push(Some(&turn), "function_tool", (2_235.0, 2_660.0), &[]);
    session.model(&turn, 2_660.0, &talk);
    let begin = 2_660.0 + 300.0 + 60.0 + 120.0;
    session.push(Some(&turn), "tts_node", (2_661.0, 4_000.0), &[("lk.response.ttfb", s(120.0))]);
    session.push(Some(&turn), "agent_speaking", (begin, 6_000.0), &[]);
    let of = broken_down(&session, None);
    // It began 25 ms before the request that asked for it had ended.
    near(ms(&of, "llm_tool_call"), 435.0);
    near(ms(&of, "tool_delay"), 425.0);
    near(ms(&of, "llm_node_ttft"), 300.0);
    near(of.unclaimed_ms(), 0.0);
}

#[test]
fn figures_that_contradict_what_was_heard_explain_nothing() {
    let mut session = Session::default();
    session.talk(&Talk::default());
    let tree = Tree::new(&session.spans);
    let exchanges = exchanges(&tree);
    assert_eq!(
        Breakdown::of_spans(&exchanges[0], &stages(&tree, &exchanges[0]).0, Some(300.0)),
        None
    );
}
