//! Streams and packets in every order become one text of each segment.

use super::*;
use proptest::prelude::*;

const fn ms(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

/// Speaker, text, opened and closed in milliseconds.
fn brief(told: &[Stamped]) -> Vec<(Speaker, &str, i64, Option<i64>)> {
    let each = |stamped: &Stamped| stamped.at.micros() / 1_000;
    told.iter()
        .filter_map(|stamped| {
            let Observation::Transcript { speaker, text, until, last, .. } = &stamped.what else {
                return None;
            };
            assert_eq!(*last, until.is_some(), "a text is whole when its stream was closed");
            Some((*speaker, text.as_str(), each(stamped), until.map(|at| at.micros() / 1_000)))
        })
        .collect()
}

/// A stream of the caller's segment with all its text.
fn tell(of: &mut Transcripts, name: &str, text: &str, at: i64, is_final: bool) -> Vec<Stamped> {
    let stream = of.open(Speaker::Caller, name, ms(at));
    of.grow(stream, text);
    of.close(stream, Some(ms(at + 5)), is_final)
}

#[test]
fn a_reply_is_stamped_when_its_stream_opens_and_is_whole_when_it_is_closed() {
    // A reply that is broken off: its stream ends when the caller has long begun to speak again. Node
    // never says that it is final.
    for is_final in [false, true] {
        let mut of = Transcripts::default();
        let stream = of.open(Speaker::Agent, "SG_1", ms(7_200));
        of.grow(stream, "we are ");
        of.grow(stream, "open");
        let told = of.close(stream, Some(ms(11_600)), is_final);
        assert_eq!(brief(&told), [(Speaker::Agent, "we are open", 7_200, Some(11_600))]);
        assert_eq!(of.rest(), []);
    }
}

#[test]
fn of_a_segment_that_is_told_again_and_again_the_last_text_counts() {
    let mut of = Transcripts::default();
    assert_eq!(tell(&mut of, "a", "what", 1_000, false), []);
    assert_eq!(tell(&mut of, "a", "what are your", 1_400, false), []);
    let told = tell(&mut of, "a", "What are your hours?", 2_000, true);
    assert_eq!(brief(&told), [(Speaker::Caller, "What are your hours?", 1_000, Some(2_005))]);
    // A stream of it that ends late changes nothing.
    assert_eq!(tell(&mut of, "a", "what are your", 2_010, false), []);
    assert_eq!(of.rest(), []);
}

#[test]
fn a_segment_that_never_becomes_final_is_told_when_the_next_begins_or_the_call_ends() {
    let mut of = Transcripts::default();
    tell(&mut of, "a", "what are", 1_000, false);
    tell(&mut of, "a", "what are your hours", 1_400, false);
    let told = tell(&mut of, "b", "and", 9_000, false);
    assert_eq!(brief(&told), [(Speaker::Caller, "what are your hours", 1_000, Some(1_405))]);
    tell(&mut of, "b", "and on Sundays", 9_500, false);
    assert_eq!(brief(&of.rest()), [(Speaker::Caller, "and on Sundays", 9_000, Some(9_505))]);
    assert_eq!(of.rest(), []);
}

#[test]
fn streams_that_end_in_another_order_do_not_put_older_words_last() {
    let mut of = Transcripts::default();
    let (first, second) =
        (of.open(Speaker::Caller, "a", ms(1_000)), of.open(Speaker::Caller, "a", ms(1_010)));
    of.grow(first, "my number");
    of.grow(second, "my number is four");
    of.close(second, Some(ms(1_020)), false);
    of.close(first, Some(ms(1_030)), false);
    assert_eq!(brief(&of.rest()), [(Speaker::Caller, "my number is four", 1_000, Some(1_020))]);
}

#[test]
fn what_is_still_being_said_when_the_call_ends_is_kept_and_not_called_whole() {
    let mut of = Transcripts::default();
    let stream = of.open(Speaker::Agent, "SG_1", ms(5_000));
    of.open(Speaker::Agent, "SG_2", ms(5_500));
    of.grow(stream, "the first half");
    assert_eq!(brief(&of.rest()), [(Speaker::Agent, "the first half", 5_000, None)]);
}

#[test]
fn packets_count_where_no_stream_comes() {
    let mut of = Transcripts::default();
    for (at, text) in [(2_000, "nine"), (2_400, "nine to five")] {
        assert!(of.packet(Speaker::Agent, "SG_1", text, ms(at)));
        assert!(of.packet(Speaker::Caller, "SG_2", text, ms(at - 1_000)));
    }
    tell(&mut of, "SG_3", "hours", 900, true);
    assert_eq!(brief(&of.rest()), [(Speaker::Agent, "nine to five", 2_000, Some(2_400))]);
}

#[test]
fn texts_names_and_packets_have_limits() {
    let mut of = Transcripts::default();
    let stream = of.open(Speaker::Agent, &"n".repeat(10_000), ms(0));
    (0..10).for_each(|_| of.grow(stream, &"long ".repeat(1_000)));
    let told = of.close(stream, Some(ms(1)), true);
    let Observation::Transcript { text, segment, .. } = &told[0].what else { panic!() };
    assert_eq!((text.len(), segment.len()), (TEXT_LIMIT, NAME_LIMIT));
    let mut packet = |i: usize| of.packet(Speaker::Caller, &i.to_string(), "x", ms(1));
    assert!((0..PACKETS).all(&mut packet) && !packet(PACKETS) && packet(PACKETS + 1));
    assert_eq!(of.rest().len(), PACKETS);
}

proptest! {
    /// Whatever order streams open, grow and end in, each segment of the agent's is told once, and
    /// nothing is told before it began.
    #[test]
    fn nothing_is_lost_or_told_twice(steps in proptest::collection::vec((0_u8..5, 0_usize..6, any::<bool>()), 0..80)) {
        let mut of = Transcripts::default();
        let mut open = Vec::new();
        let mut told = Vec::new();
        let mut agents = 0;
        for (at, (step, which, is_final)) in (0..).zip(steps) {
            match step {
                0 => open.push(of.open(Speaker::Caller, &format!("{}", which % 2), ms(at))),
                1 => {
                    let stream = of.open(Speaker::Agent, &format!("{at}"), ms(at));
                    of.grow(stream, "words");
                    agents += 1;
                    open.push(stream);
                }
                2 => { of.packet(Speaker::Agent, "p", "packet", ms(at)); }
                3 => if let Some(stream) = open.get(which) { of.grow(*stream, "more"); },
                _ => if which < open.len() {
                    told.extend(of.close(open.remove(which), Some(ms(at)), is_final));
                },
            }
        }
        told.extend(of.rest());
        let of_agent = told.iter().filter(|s| matches!(
            &s.what, Observation::Transcript { speaker: Speaker::Agent, segment, .. } if segment != "p"
        ));
        prop_assert_eq!(of_agent.count(), agents);
        for stamped in &told {
            let Observation::Transcript { until, .. } = &stamped.what else { panic!() };
            prop_assert!(until.is_none_or(|until| until >= stamped.at));
        }
        prop_assert_eq!(of.rest(), Vec::new());
    }
}
