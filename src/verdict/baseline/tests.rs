use super::super::questions::{Asked, Question};
use super::super::testing::Agent;
use super::*;
use crate::record::{Observation, SessionEvent};
use crate::scenario::Metric;
use crate::scenario::testing::with_turns;
use crate::turn::analyse;
use crate::turn::testing::{ask, is, listen, two_questions};

const METADATA: &str = r#"{"llm":{"ttft":0.25}}"#;

fn baseline(agent: Agent, calls: u32) -> Baseline {
    let scenario = two_questions().calling("demo-agent", METADATA);
    let mut run = agent.run("20261124-1200", calls, 1, &scenario);
    let (sdk, sdk_version) = ("python".to_owned(), "1.8.9".to_owned());
    let framework = SessionEvent::Framework { sdk, sdk_version };
    run.calls[0].log.push(is(900, Observation::Session(framework)));
    let analysis = analyse(&run, &scenario);
    Baseline::accept(&analysis, &scenario, "2026-11-24T12:00:00Z").expect("fit")
}

#[test]
fn the_file_has_a_line_for_each_thing() {
    let text = baseline(Agent { silent_every: 4, jitter: 0.0, ..Agent::default() }, 2).to_json();
    let want = r#"{
  "format": 5,
  "kind": "loadcall baseline",
  "steps": [
    {"id":"greeting","act":"listen","expect":"speaks","within_ms":8000},
    {"id":"hours","act":"say","clip":"clips/hours.wav","audio":"sha of clips/hours.wav","start":"agent_speech_end + 400 ms","expect":"responds","within_ms":8000},
    {"id":"price","act":"say","clip":"clips/price.wav","audio":"sha of clips/price.wav","start":"agent_speech_end + 400 ms","expect":"responds","within_ms":8000}
  ],
  "columns": [
    {"metric":"heard_e2e_latency","step":1},
    {"metric":"heard_e2e_latency","step":2},
"#;
    assert_eq!(text.get(..want.len()), Some(want), "{text}");
    let run = r#"  "runs": [
    {"run":"20261124-1200","started_at":"2026-11-24T10:00:00.000000Z","accepted_at":"2026-11-24T12:00:00Z","fingerprint":{"scenario":"greeting","agent":"demo-agent","agent_metadata":{"llm":"b465157037b08965"},"agent_sdk":"python 1.8.9","hearing":{"turn_taking.awkward_silence":"3000 ms","turn_taking.awkward_silence_with_tools":"5000 ms","turn_taking.busy_limit":"30000 ms","turn_taking.speech_gap":"700 ms"},"server":"127.0.0.1","concurrency":5,"loadcall_version":"0.1.0","host":"linux, 2 cpus"}}
  ],
"#;
    assert!(text.contains(run), "{text}");
    let calls = text.split("\"calls\": [\n").nth(1).expect("calls");
    let lines: Vec<&str> = calls.lines().collect();
    assert!(lines[0].starts_with(
        r#"    {"run":0,"call":0,"ok":true,"us":[1280000,1280000,1280000,1280000,1200000,300000,"#
    ));
    assert!(lines[1].starts_with(r#"    {"run":0,"call":1,"ok":false,"outcome":"no_answer","cause":"no_reply","us":[1280000,8000000,"#));
    assert!(lines[1].ends_with(r#","at_least":[1,3]}"#), "{}", lines[1]);
    assert_eq!(lines[2..], ["  ]", "}"]);
}

#[test]
fn reading_gives_back_what_was_written() {
    let written = baseline(Agent { silent_every: 7, ..Agent::default() }, 10);
    let read = Baseline::parse(&written.to_json()).expect("a baseline");
    assert_eq!(read, written);
    assert_eq!(read.to_json(), written.to_json());
    assert_eq!(read.run_ids().collect::<Vec<_>>(), ["20261124-1200"]);
    let heard = read.measures().values(Metric::HeardE2eLatency);
    assert_eq!((heard.len(), heard.iter().filter(|v| v.censored).count()), (20, 2));
}

#[test]
fn a_thousand_calls_stay_small() {
    let text = baseline(Agent::default(), 1_000).to_json();
    assert!(text.len() < 250_000, "{}", text.len());
}

#[test]
fn other_files_are_refused_with_what_to_do() {
    let good = baseline(Agent::default(), 2).to_json();
    let check = |text: &str, want: &str| {
        let error = Baseline::parse(text).expect_err("refused").to_string();
        assert!(error.starts_with(want), "{error}");
    };
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    check(
        "",
        "not a baseline (line 1, column 0: EOF while parsing a value); `loadcall accept RUN`",
    );
    check("{}", "not a baseline (line 1, column 2: missing field `format`)");
    check(&with("loadcall baseline", "x"), "not a baseline (its kind is `x`)");
    check(
        &with("\"format\": 5", "\"format\": 6"),
        "baseline format 6 is newer than 5, the newest this loadcall reads; update loadcall",
    );
    check(
        &with("\"format\": 5", "\"format\": 1"),
        "baseline format 1 is older than 2, the oldest this loadcall reads; accept a run again",
    );
    check(&with("accepted_at", "accepted"), "not a baseline (line 44, column");
    check(
        &with("heard_e2e_latency", "heard"),
        "the file contradicts itself (`heard` is not a metric of turns); accept a run again",
    );
    check(
        &with("\"call\":1", "\"call\":0"),
        "the file contradicts itself (call 0 of run 0 is there twice)",
    );
    check(&with("\"run\":0", "\"run\":1"), "the file contradicts itself (call 0 of run 1 of 1)");
    check(&with("\"step\":2", "\"step\":3"), "the file contradicts itself (column of step 3 of 3)");
    check(&with("\"us\":[", "\"us\":[1,"), "the file contradicts itself (call 0 has 33 of 32");
    check(
        &with("\"us\":[", "\"at_least\":[32],\"us\":["),
        "the file contradicts itself (call 0 has no value in column 32)",
    );
}

#[test]
fn equal_prints_are_comparable_and_a_longer_run_is_too() {
    let base = baseline(Agent::default(), 10);
    let scenario = two_questions().calling("demo-agent", METADATA);
    let mut run = Agent::default().run("b", 30, 2, &scenario);
    let differences = base.comparable(&analyse(&run, &scenario), &scenario).expect("comparable");
    let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(differences, ["agent SDK: python 1.8.9 → unknown"]);

    let head = "name: other\nagent: {name: demo-agent}";
    let scenario =
        with_turns(head, vec![listen("greeting"), ask("hours")]).calling("demo-agent", METADATA);
    run.head.loadcall_version = "0.2.0".to_owned();
    let error = base.comparable(&analyse(&run, &scenario), &scenario).expect_err("other things");
    assert_eq!(
        error.to_string(),
        "not comparable with the baseline: scenario: greeting → other; concurrency: 5 → 1; steps: \
         greeting, hours, price → greeting, hours; accept a run of the current scenario"
    );
}

fn named(id: &str, seed: u64) -> Baseline {
    let scenario = two_questions();
    let run = Agent::default().run(id, 6, seed, &scenario);
    Baseline::accept(&analyse(&run, &scenario), &scenario, "now").expect("fit")
}

#[test]
fn the_first_runs_set_the_level_and_later_ones_are_nights() {
    let mut base = named("r0", 0);
    for seed in 1..5 {
        base = base.with(named(&format!("r{seed}"), seed), 3).expect("of one kind");
    }
    assert_eq!(base.run_ids().collect::<Vec<_>>(), ["r0", "r1", "r2"]);
    assert_eq!((base.run_id(), base.later_count()), ("r2", 2));
    let each: Vec<Measures> = [0, 1, 2].map(|seed| named("r", seed).measures().clone()).to_vec();
    assert!(base.runs().eq(each.iter()));
    let of = |seed| named("r", seed).nights[0].figures.clone();
    assert!(base.later().eq([of(3), of(4)].iter()));
    // Together, no two calls of different runs are one.
    let heard = base.measures().values(Metric::HeardE2eLatency);
    let calls: BTreeSet<u32> = heard.iter().map(|v| v.call.0).collect();
    assert_eq!((heard.len(), calls.len()), (36, 18));
    let text = base.to_json();
    assert_eq!(Baseline::parse(&text).expect("a baseline"), base);
    assert_eq!(text.lines().filter(|line| line.contains("\"print\":")).count(), 5, "{text}");
    // A longer level begins with the next run.
    let longer = base.with(named("r9", 9), 4).expect("of one kind");
    assert_eq!(longer.run_ids().last(), Some("r9"));
    assert_eq!(longer.later_count(), 2);
}

#[test]
fn a_night_is_known_by_its_line() {
    let base = named("r0", 0).with(named("r1", 1), 1).expect("of one kind");
    let twice = base.with(named("r1", 1), 1).expect_err("twice");
    assert_eq!(twice.to_string(), "run r1 is already in the baseline");
    // A run is never judged by its own line.
    let others = base.without("r1").expect("others");
    assert_eq!((others.run_ids().len(), others.later_count()), (1, 0));
    let twice = base.to_json().replace("{\"run\":\"r1\"", "{\"run\":\"r0\"");
    let error = Baseline::parse(&twice).expect_err("refused").to_string();
    assert!(error.starts_with("the file contradicts itself (night r0 is there twice)"), "{error}");
}

#[test]
fn the_oldest_nights_make_room() {
    let mut base = named("r0", 0);
    let newer = named("r1", 1);
    for night in 0..MAX_NIGHTS + 5 {
        let run = Measured { run_id: format!("n{night}"), ..newer.runs[0].clone() };
        let night = Night { run: run.run_id.clone(), ..newer.nights[0].clone() };
        base = base.with(Baseline::made(vec![run], vec![night]), 1).expect("of one kind");
    }
    assert_eq!((base.run_ids().len(), base.later_count()), (1, MAX_NIGHTS));
    assert_eq!(base.later_ids().next(), Some("n5"));
    let bytes = base.to_json().len();
    assert!(bytes < 1_000 * MAX_NIGHTS, "{bytes}");
}

#[test]
fn what_was_suspected_of_the_newest_run_is_kept_with_its_beginning() {
    let asked = Asked { question: Question::WorstStep, step: Some("price".to_owned()) };
    let suspicion = Suspicion { asked, since: None };
    let base = named("r0", 0);
    assert_eq!(base.suspicions(), []);
    let base = base
        .with(named("r1", 1).suspecting(std::slice::from_ref(&suspicion)), 1)
        .expect("of one kind");
    let base = Baseline::parse(&base.to_json()).expect("a baseline");
    let [kept] = &base.suspicions()[..] else { panic!("{base:?}") };
    assert_eq!(kept.asked, suspicion.asked);
    assert_eq!(kept.since.as_ref().map(|since| since.run.as_str()), Some("r1"));
    // The next night has its own say.
    assert_eq!(base.with(named("r2", 2), 1).expect("of one kind").suspicions(), []);
}

#[test]
fn a_large_run_takes_the_room_of_a_thousand_calls() {
    let scenario = two_questions();
    let of = |calls| {
        let run = Agent::default().run("r", calls, 1, &scenario);
        Baseline::accept(&analyse(&run, &scenario), &scenario, "now").expect("fit")
    };
    let (usual, large) = (of(1_000), of(3_000));
    let values = |base: &Baseline| base.measures().values(Metric::HeardE2eLatency).len();
    assert_eq!((values(&usual), values(&large)), (2_000, 2_000));
    // How all calls ended stays: a short line each.
    assert_eq!(large.runs[0].ends.len(), 3_000);
    let text = large.to_json();
    assert!(text.len() < usual.to_json().len() + 2_000 * 40, "{}", text.len());
    assert_eq!(Baseline::parse(&text).expect("a baseline"), large);
    // Beyond the limit nothing is written.
    let mut out = Limited { out: &mut Vec::new(), left: 100 };
    let written = measured::write(Kind::Baseline, (&large.runs, &large.nights), &mut out);
    assert_eq!(written.expect_err("too large").kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn what_does_not_belong_is_not_added() {
    let base = named("r0", 0);
    let twice = base.with(named("r0", 1), 7).expect_err("twice");
    assert_eq!(twice.to_string(), "run r0 is already in the baseline");
    let scenario = two_questions().calling("other", "");
    let run = Agent::default().run("r1", 6, 1, &scenario);
    let other = Baseline::accept(&analyse(&run, &scenario), &scenario, "now").expect("fit");
    assert_eq!(
        base.with(other, 7).expect_err("of another agent").to_string(),
        "this run does not match the runs in the baseline: agent: demo-agent → other"
    );
}
