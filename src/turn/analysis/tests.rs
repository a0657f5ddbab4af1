use super::*;
use crate::record::Outcome;
use crate::record::Stamped;
use crate::record::store::{self, Recording, testing};
use crate::turn::testing::{call, connected, is, two_questions};

/// The recording in a folder, analysed call by call.
fn analysed(folder: &std::path::Path) -> Analysis {
    let Recording { head, mut calls } = store::open(folder).unwrap();
    let scenario = Scenario::parse(&head.scenario_text).ok().unwrap();
    let mut analysis = Analysis::begin(head, &scenario);
    for call in calls.by_ref() {
        analysis.add(&call.unwrap());
    }
    analysis.finish(calls.into_ending())
}

#[test]
fn call_by_call_gives_what_the_whole_run_gives() {
    let folder = tempfile::tempdir().unwrap();
    testing::large(folder.path(), 21, 10, 1).unwrap();
    let run = store::read(folder.path()).unwrap();
    let scenario = Scenario::parse(&run.head.scenario_text).ok().unwrap();
    let streamed = analysed(folder.path());
    assert_eq!(streamed, analyse(&run, &scenario));
    let ids: Vec<u32> = streamed.calls.iter().map(|call| call.call.0).collect();
    assert_eq!(ids, (0..21).collect::<Vec<_>>());
    let heard = streamed.measures.values(crate::scenario::Metric::HeardE2eLatency);
    assert_eq!(heard.len(), 210);
    assert!(heard.is_sorted_by_key(|value| (value.call, value.step)));
}

#[test]
fn no_log_is_kept() {
    let scenario = two_questions();
    let noisy = |n: usize| {
        let say = |i| format!("{i}: {}", "some more words ".repeat(20));
        let log = (0..n).map(|i| {
            is(
                400,
                crate::record::Observation::Transcript {
                    speaker: crate::record::Speaker::Agent,
                    segment: "SG_1".to_owned(),
                    text: say(i),
                    last: false,
                    until: None,
                },
            )
        });
        let log: Vec<Stamped> = connected(100).into_iter().chain(log).collect();
        let mut run = crate::turn::testing::run("r", Vec::new(), &scenario);
        run.calls = vec![call(0, log, 60_000, Outcome::Answered)];
        format!("{:?}", analyse(&run, &scenario)).len()
    };
    let (little, much) = (noisy(1), noisy(1_000));
    assert!(much < little + 100, "{much} bytes for {little}");
}

#[test]
fn who_reads_no_turns_keeps_none_and_all_values() {
    let folder = tempfile::tempdir().unwrap();
    testing::large(folder.path(), 21, 10, 1).unwrap();
    let read = |lean: bool| {
        let Recording { head, mut calls } = store::open(folder.path()).unwrap();
        let scenario = Scenario::parse(&head.scenario_text).ok().unwrap();
        let begun = Analysis::begin(head, &scenario);
        let mut analyser = if lean { begun.without_turns() } else { begun };
        calls.by_ref().for_each(|call| analyser.add(&call.unwrap()));
        analyser.finish(calls.into_ending())
    };
    let (whole, lean) = (read(false), read(true));
    assert_eq!((whole.turns().count(), lean.turns().count()), (21 * 11, 0));
    assert_eq!((&whole.measures, &whole.seen), (&lean.measures, &lean.seen));
    let ends = |of: &Analysis| of.calls.iter().map(|c| (c.call, c.ok())).collect::<Vec<_>>();
    assert_eq!(ends(&whole), ends(&lean));
}

/// Eight recordings of 10,000 calls with ten questions each, to measure time and memory of `accept`, `report` and
/// `compare`: `make size`.
#[test]
#[ignore = "writes about 2.5 GB into the folder for temporary files"]
#[expect(clippy::disallowed_methods, reason = "a test of files")]
fn large_recordings() {
    for seed in 1..=8 {
        let folder = std::env::temp_dir().join(format!("loadcall-large-{seed}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        testing::large(&folder, 10_000, 10, seed).unwrap();
    }
}
