//! What a scenario file means, and how each of its faults reads to whoever wrote it.

mod dial;
mod expectations;
mod faults;
mod hostile;
mod reference;
mod schema;

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use super::testing::parsed;
use super::*;

const GREETING: &str = r#"version: 1
name: greeting
agent: {name: demo-agent, metadata: {stages: {llm: 0.4, tts: [1, true, null]}, a: "x"}, join_timeout: 20s}
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: clips/hours.wav, text: "What are your opening hours?"}     # path relative to the scenario
    start: {after: agent_speech_end, delay: 400ms}
    expect: {agent: responds, within: 8s}
  - id: wait
    say: {file: clips/wait.wav}
    start: {after: agent_speech_start, delay: 900ms}
    expect: {agent: yields, within: 2s}
  - {id: hold, silence: 2s}
hangup: {max_call: 90s}
load: {executor: repeat, calls: 10, concurrency: 5}
thresholds: {heard_e2e_latency: ["p(50)<1500ms", "p(95)<2500ms"], calls_ok: ["rate>0.99"]}
baseline: {primary: heard_e2e_latency.p50, min_effect: {rel: 8%, abs: 60ms}, runs: 5}
"#;

const USUAL_TURN_TAKING: TurnTaking = TurnTaking {
    awkward_silence: Duration::from_secs(3),
    awkward_silence_with_tools: Duration::from_secs(5),
    speech_gap: Duration::from_millis(700),
    busy_limit: Duration::from_secs(30),
};

fn span(text: &str, part: &str) -> Range<usize> {
    let at = text.find(part).expect("the part is in the text");
    at..at + part.len()
}

fn threshold(metric: Metric, aggregate: Aggregate, op: Op, limit: f64, text: &str) -> Threshold {
    Threshold { metric, aggregate, op, limit, text: text.to_owned() }
}

#[test]
fn every_part_of_a_scenario_is_read() {
    let ms = Duration::from_millis;
    let clip = |file: &str, text: Option<&str>| ClipRef {
        file: file.to_owned(),
        text: text.map(str::to_owned),
        take: Take::default(),
        span: span(GREETING, file),
    };
    let step = |id: &str, act, expect| Step {
        id: id.to_owned(),
        act,
        expect,
        content: Content::default(),
        signals: Signals::default(),
    };
    let heard = Metric::HeardE2eLatency;
    let expected = Scenario {
        name: "greeting".to_owned(),
        agent: Agent {
            name: "demo-agent".to_owned(),
            metadata: r#"{"stages":{"llm":0.4,"tts":[1,true,null]},"a":"x"}"#.to_owned(),
            join_timeout: ms(20_000),
            listening: Listening::default(),
        },
        dispatch: None,
        room: parsed(GREETING).room,
        caller: parsed(GREETING).caller,
        steps: vec![
            step("greeting", Act::Listen, Some(Expect::Speaks { within: ms(5_000) })),
            step(
                "hours",
                Act::Say {
                    clip: clip("clips/hours.wav", Some("What are your opening hours?")),
                    start: Start { after: Anchor::AgentSpeechEnd, delay: ms(400) },
                },
                Some(Expect::Responds { within: ms(8_000) }),
            ),
            step(
                "wait",
                Act::Say {
                    clip: clip("clips/wait.wav", None),
                    start: Start { after: Anchor::AgentSpeechStart, delay: ms(900) },
                },
                Some(Expect::Yields { within: ms(2_000) }),
            ),
            step("hold", Act::Silence { length: ms(2_000) }, None),
        ],
        max_call: ms(90_000),
        end_states: Vec::new(),
        load: Load::Repeat {
            calls: NonZeroU32::new(10).expect("not zero"),
            concurrency: NonZeroU16::new(5).expect("not zero"),
        },
        thresholds: vec![
            threshold(heard, Aggregate::Quantile(50.0), Op::Less, 1_500.0, "p(50)<1500ms"),
            threshold(heard, Aggregate::Quantile(95.0), Op::Less, 2_500.0, "p(95)<2500ms"),
            threshold(Metric::CallsOk, Aggregate::Rate, Op::Greater, 0.99, "rate>0.99"),
        ],
        baseline: BaselineRule {
            primary: heard,
            quantile: 50.0,
            min_effect_rel: 0.08,
            min_effect_abs_ms: 60.0,
            primary_decides: true,
            gate: Gate::default(),
            runs: 5,
        },
        turn_taking: USUAL_TURN_TAKING,
    };
    assert_eq!(parsed(GREETING), expected);
}

#[test]
fn noise_content_and_silences_are_read() {
    let scenario = parsed(
        "version: 1
name: a
turn_taking: {awkward_silence: 2s}
turns:
  - {id: cough, say: {file: c.wav}, start: {after: agent_speech_start}, expect: {agent: ignores}}
  - id: hours
    say: {file: h.wav}
    expect: {agent: responds, within: 2s, text: {contains: Nine, matches: \"(?i)six|6\"}, tools: [get_hours]}
thresholds: {false_interruption_count: \"count<1\", overlap_ratio: \"max<0.2\"}
",
    );
    assert_eq!(scenario.steps()[0].expect, Some(Expect::Ignores));
    assert!(scenario.steps()[0].content.is_empty());
    let content = &scenario.steps()[1].content;
    assert_eq!(
        (&content.contains[..], &content.tools[..]),
        (&["Nine".to_owned()][..], &["get_hours".to_owned()][..])
    );
    assert!(
        content.matches.as_ref().is_some_and(|p| p.is_match("till SIX") && !p.is_match("nine"))
    );
    let expected = TurnTaking { awkward_silence: Duration::from_secs(2), ..USUAL_TURN_TAKING };
    assert_eq!(scenario.turn_taking(), expected);
    let units: Vec<f64> = scenario.thresholds().iter().map(|t| t.limit).collect();
    assert_eq!(units, [1.0, 0.2]);
}

#[test]
fn what_is_left_out_has_a_default() {
    let scenario = parsed("version: 1\nname: a\nturns: [{id: b, say: {file: c.wav}}]\n");
    let agent = Agent {
        name: String::new(),
        metadata: String::new(),
        join_timeout: Duration::from_secs(20),
        listening: Listening::default(),
    };
    assert_eq!(scenario.agent(), &agent);
    assert_eq!(scenario.max_call(), Duration::from_secs(300));
    assert_eq!(scenario.load(), Load::Once);
    assert_eq!(scenario.thresholds(), []);
    assert_eq!(scenario.turn_taking(), USUAL_TURN_TAKING);
    let rule = BaselineRule {
        primary: Metric::HeardE2eLatency,
        quantile: 50.0,
        min_effect_rel: 0.08,
        min_effect_abs_ms: 60.0,
        primary_decides: false,
        gate: Gate::default(),
        runs: 7,
    };
    assert_eq!(scenario.baseline(), rule);
    assert_eq!(scenario.steps()[0].expect, None);

    let one = parsed(
        "version: 1\nname: a\nturns: [{id: b, silence: 1s}]\nload: {executor: repeat, calls: 3}\n",
    );
    let Load::Repeat { calls, concurrency } = one.load() else { panic!("repeat was asked for") };
    assert_eq!((calls.get(), concurrency.get()), (3, 1));
}

#[test]
fn a_first_word_waits_for_the_agent_and_later_ones_for_its_speech() {
    let anchors = |turns: &str| {
        let scenario = parsed(&format!("version: 1\nname: a\nturns: [{turns}]\n"));
        let anchor = |step: &Step| match &step.act {
            Act::Say { start, .. } => Some((start.after, start.delay.as_millis())),
            Act::Listen | Act::Silence { .. } => None,
        };
        scenario.steps().iter().filter_map(anchor).collect::<Vec<_>>()
    };
    let (joined, end) = ((Anchor::AgentJoined, 400), (Anchor::AgentSpeechEnd, 400));
    let say = |id: &str| format!("{{id: {id}, say: {{file: x.wav}}}}");
    let listen = "{id: l, expect: {agent: speaks, within: 1s}}";
    assert_eq!(anchors(&format!("{}, {}", say("a"), say("b"))), [joined, end]);
    assert_eq!(anchors(&format!("{listen}, {}", say("a"))), [end]);
    assert_eq!(anchors(&format!("{{id: s, silence: 1s}}, {}", say("a"))), [joined]);
    assert_eq!(
        anchors("{id: a, say: {file: x.wav}, start: {delay: 1s}}"),
        [(Anchor::AgentJoined, 1_000)]
    );
    assert_eq!(anchors("{id: a, say: {file: x.wav}, start: {after: agent_speech_end}}"), [end]);
}

#[test]
fn metadata_is_text_or_json_in_the_order_of_the_file() {
    let metadata = |value: &str| {
        let text = format!(
            "version: 1\nname: a\nagent:\n  name: m\n  metadata: {value}\nturns: [{{id: b, silence: 1s}}]\n"
        );
        parsed(&text).agent().metadata.clone()
    };
    assert_eq!(
        metadata("{z: 1, a: -2.5, m: {b: [], a: {}}}"),
        r#"{"z":1,"a":-2.5,"m":{"b":[],"a":{}}}"#
    );
    assert_eq!(metadata(r#"'{"already": "json"}'"#), r#"{"already": "json"}"#);
    assert_eq!(metadata("some text"), "some text");
    assert_eq!(
        metadata("[1, \"2\", true, null, 18446744073709551615]"),
        r#"[1,"2",true,null,18446744073709551615]"#
    );
    assert_eq!(metadata("null"), "");
    assert_eq!(metadata("5"), "5");
    assert_eq!(metadata(r#"{"on": 1}"#), r#"{"on":1}"#);
    assert_eq!(
        metadata("{a: \"no\", b: 'off', c: !!str yes}"),
        r#"{"a":"no","b":"off","c":"yes"}"#
    );
    assert_eq!(metadata("|-\n    no"), "no");
    assert_eq!(metadata("> # folded\n    on"), "on\n");
}

#[test]
fn byte_order_mark_windows_lines_comments_and_aliases_are_understood() {
    let plain = parsed(GREETING);
    let windows = parsed(&GREETING.replace('\n', "\r\n"));
    assert_eq!((windows.steps.len(), &windows.agent), (plain.steps.len(), &plain.agent));
    let marked = format!("\u{feff}{GREETING}");
    let Act::Say { clip, .. } = &parsed(&marked).steps[1].act else { panic!("a spoken turn") };
    assert_eq!(&marked[clip.span.clone()], "clips/hours.wav");

    let aliased = parsed(
        "version: 1\nname: a\nturns:\n  - {id: a, say: &clip {file: x.wav}, expect: &soon {agent: responds, within: 2s}}\n  - {id: b, say: *clip, expect: *soon}\n",
    );
    assert_eq!(aliased.steps[0].expect, aliased.steps[1].expect);
}

#[test]
fn a_metric_with_one_limit_needs_no_list() {
    let text = "version: 1\nname: a\nturns: [{id: b, silence: 1s}]\nthresholds:\n  llm_node_ttft: p(99.9) <= 1.5s\n  calls_ok: rate>=1\n";
    let expected = [
        threshold(
            Metric::LlmNodeTtft,
            Aggregate::Quantile(99.9),
            Op::LessOrEqual,
            1_500.0,
            "p(99.9) <= 1.5s",
        ),
        threshold(Metric::CallsOk, Aggregate::Rate, Op::GreaterOrEqual, 1.0, "rate>=1"),
    ];
    assert_eq!(parsed(text).thresholds(), expected);
}

#[test]
fn a_start_can_name_every_anchor() {
    for (word, anchor) in [
        ("session_start", Anchor::SessionStart),
        ("agent_joined", Anchor::AgentJoined),
        ("previous_turn", Anchor::PreviousTurn),
        ("agent_speech_start", Anchor::AgentSpeechStart),
        ("agent_speech_end", Anchor::AgentSpeechEnd),
    ] {
        let text = format!(
            "version: 1\nname: a\nturns: [{{id: b, say: {{file: c.wav}}, start: {{after: {word}, delay: 0s}}}}]\n"
        );
        let Act::Say { start, .. } = parsed(&text).steps[0].act.clone() else { panic!("spoken") };
        assert_eq!(start, Start { after: anchor, delay: Duration::ZERO });
    }
}

#[test]
fn what_of_a_file_is_said_may_be_chosen() {
    use crate::audio::{Channel, Side};
    let take = |written: &str| {
        let text = format!(
            "version: 1\nname: a\nagent: {{name: a}}\nturns: [{{id: a, say: {{file: a.wav{written}}}, \
             expect: {{agent: responds, within: 8s}}}}]\n"
        );
        let Act::Say { clip, .. } = parsed(&text).steps()[0].act.clone() else { panic!("{text}") };
        clip.take
    };
    let channel = |channel| Take { channel: Some(channel), end: None };
    assert_eq!(take(""), Take::default());
    assert_eq!(take(", channel: left"), channel(Channel::Only(Side::Left)));
    assert_eq!(take(", channel: right"), channel(Channel::Only(Side::Right)));
    assert_eq!(take(", channel: mix"), channel(Channel::Mix));
    let end = Some(Duration::from_millis(2_400));
    assert_eq!(take(", end: 2.40s"), Take { channel: None, end });
}
