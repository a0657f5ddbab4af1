#![expect(clippy::float_cmp, reason = "whole milliseconds that nothing was added to")]

use proptest::prelude::*;

use super::*;

fn reported(
    eot: f64,
    transcription: f64,
    token: f64,
    sentence: f64,
    audio: f64,
    e2e: f64,
) -> ReportedMetrics {
    ReportedMetrics {
        transcription_delay_ms: Some(transcription),
        end_of_turn_delay_ms: Some(eot),
        on_user_turn_completed_delay_ms: Some(0.0),
        llm_node_ttft_ms: Some(token),
        llm_node_ttfs_ms: Some(sentence),
        tts_node_ttfb_ms: Some(audio),
        e2e_latency_ms: Some(e2e),
        speech_ms: None,
    }
}

fn trace(heard_ms: f64, reported: &ReportedMetrics, tool_ms: Option<f64>) -> Option<Path> {
    let may_have_run_tools = tool_ms.is_some();
    let known = Known { reported: *reported, tool_ms, may_have_run_tools, turn_decided_ms: None };
    Path::trace(heard_ms, &known)
}

fn part(path: &Path, part: Part) -> f64 {
    path.parts.get(&part).copied().unwrap_or_default()
}

#[test]
fn one_after_another() {
    let path = trace(1_200.0, &reported(400.0, 300.0, 250.0, 370.0, 150.0, 925.0), None).unwrap();
    assert_eq!(part(&path, Part::EndOfTurn), 400.0);
    assert_eq!(part(&path, Part::Transcription), 0.0);
    assert_eq!(part(&path, Part::LlmFirstToken), 250.0);
    assert_eq!(part(&path, Part::LlmFirstSentence), 120.0);
    assert_eq!(part(&path, Part::BetweenStages), 5.0);
    assert_eq!(part(&path, Part::Unattributed), 275.0);
    assert_eq!((path.hidden_ms, path.total_ms()), (0.0, 1_200.0));
    assert_eq!(path.bottleneck(), Some(Part::EndOfTurn));
}

#[test]
fn a_model_that_starts_early_is_on_the_path_from_the_transcript_on() {
    // max(400, 300 + 500) + 150.
    let path = trace(1_150.0, &reported(400.0, 300.0, 380.0, 500.0, 150.0, 955.0), None).unwrap();
    assert_eq!((part(&path, Part::Transcription), part(&path, Part::EndOfTurn)), (300.0, 0.0));
    assert_eq!(part(&path, Part::LlmFirstToken), 380.0);
    assert_eq!(part(&path, Part::BetweenStages), 5.0);
    assert_eq!(path.hidden_ms, 95.0);
    assert_eq!(path.total_ms(), 1_150.0);
    // A slow end of turn hides the model: max(2500, 300 + 500) + 150.
    let path =
        trace(2_900.0, &reported(2_500.0, 300.0, 380.0, 500.0, 150.0, 2_655.0), None).unwrap();
    assert_eq!(part(&path, Part::LlmFirstToken), 0.0);
    assert_eq!(path.bottleneck(), Some(Part::EndOfTurn));
}

#[test]
fn a_tool_is_a_part_of_its_own() {
    let of = reported(400.0, 300.0, 250.0, 370.0, 150.0, 1_780.0);
    let path = trace(2_000.0, &of, Some(600.0)).unwrap();
    assert_eq!(part(&path, Part::Tool), 600.0);
    // The request before the tool.
    assert_eq!(part(&path, Part::BetweenStages), 260.0);
    assert_eq!(path.bottleneck(), Some(Part::Tool));
}

#[test]
fn without_the_agents_own_latency_there_is_no_path() {
    let of = ReportedMetrics { llm_node_ttft_ms: Some(250.0), ..ReportedMetrics::default() };
    assert_eq!(trace(1_000.0, &of, None), None);
}

#[test]
fn a_typical_path_leaves_out_what_is_not_around_the_percentile() {
    let path = |heard: f64, ttft: f64| {
        trace(heard, &reported(400.0, 300.0, ttft, ttft, 150.0, heard - 200.0), None).unwrap()
    };
    let paths: Vec<Path> = (0..20)
        .map(|i| if i == 19 { path(9_000.0, 8_000.0) } else { path(1_000.0 + f64::from(i), 200.0) })
        .collect();
    let median = Path::around(&paths, 50.0).unwrap();
    assert!((median.total_ms() - 1_009.5).abs() < 1e-6, "{median:?}");
    assert!((part(&median, Part::LlmFirstToken) - 200.0).abs() < 1e-9);
    let slow = Path::around(&paths, 99.0).unwrap();
    assert_eq!(slow.bottleneck(), Some(Part::LlmFirstToken));
    assert_eq!(Path::around(&[], 50.0), None);
    assert!(Path::around(&paths[..1], 95.0).is_some());
}

/// Python 1.8.9 as it was measured: heard 1,644, thinking 751 after the caller's end.
fn python() -> Known {
    let reported = ReportedMetrics {
        llm_node_ttft_ms: Some(280.0),
        llm_node_ttfs_ms: Some(540.0),
        ..reported(577.0, 300.0, 280.0, 540.0, 165.0, 1_461.0)
    };
    Known { reported, turn_decided_ms: Some(751.0), ..Known::default() }
}

#[test]
fn what_is_unattributed_is_mostly_that_the_end_was_noticed_late() {
    let path = Path::trace(1_644.0, &python()).unwrap();
    assert_eq!(part(&path, Part::EndNoticedLate), 174.0);
    assert_eq!(part(&path, Part::Unattributed), 9.0);
    assert!((path.total_ms() - 1_644.0).abs() < 1e-9);
    // The hook runs before the agent thinks.
    let mut known = python();
    known.reported.on_user_turn_completed_delay_ms = Some(30.0);
    assert_eq!(part(&Path::trace(1_644.0, &known).unwrap(), Part::EndNoticedLate), 144.0);
    // A state that does not fit the stages splits nothing.
    for decided in [None, Some(f64::NAN), Some(200.0), Some(820.0)] {
        let known = Known { turn_decided_ms: decided, ..python() };
        let path = Path::trace(1_644.0, &known).unwrap();
        assert!(!path.parts.contains_key(&Part::EndNoticedLate), "{decided:?}");
        assert_eq!(part(&path, Part::Unattributed), 183.0);
    }
}

#[test]
fn an_agent_that_reports_nothing_has_the_two_parts_of_its_state() {
    let by_ear = Known { turn_decided_ms: Some(659.0), ..Known::default() };
    let path = Path::trace(1_541.0, &by_ear).unwrap();
    let parts = [(Part::TurnDecided, 659.0), (Part::AnswerPrepared, 882.0)];
    assert_eq!(path.parts, parts.into());
    assert_eq!(path.bottleneck(), Some(Part::AnswerPrepared));
    // So has one that reports the latency of another reply, which is no anchor.
    let mut of_another = python();
    of_another.reported.e2e_latency_ms = Some(15_200.0);
    let path = Path::trace(1_047.0, &of_another).unwrap();
    let parts = [(Part::TurnDecided, 751.0), (Part::AnswerPrepared, 296.0)];
    assert_eq!(path.parts, parts.into());
    assert_eq!(Path::trace(1_047.0, &Known { turn_decided_ms: None, ..of_another }), None);
}

#[test]
fn without_the_first_sentence_the_wait_for_it_is_in_one_part_with_the_first_byte() {
    // 260 ms until the first sentence, 165 to its first audio: contained in the first byte (Node, before
    // 1.6.5, own nodes), or not (1.6.5 to 1.6.8, where it would lie between the stages).
    for ttfb in [425.0, 165.0] {
        let mut known = python();
        known.reported.llm_node_ttfs_ms = None;
        known.reported.tts_node_ttfb_ms = Some(ttfb);
        known.reported.e2e_latency_ms = Some(1_282.0);
        let path = Path::trace(1_450.0, &known).unwrap();
        assert_eq!(part(&path, Part::FirstTokenToAudio), 425.0, "{path:?}");
        for absent in [Part::TtsFirstByte, Part::LlmFirstSentence, Part::BetweenStages] {
            assert!(!path.parts.contains_key(&absent), "{path:?}");
        }
        // Tools that nobody timed are no speech synthesis: 819 ms of Node.
        known.may_have_run_tools = true;
        known.reported.e2e_latency_ms = Some(577.0 + 280.0 + ttfb + 819.0);
        let path = Path::trace(2_300.0, &known).unwrap();
        assert_eq!(part(&path, Part::FirstTokenToAudio), ttfb);
        assert_eq!(path.bottleneck(), Some(Part::BetweenStages));
    }
}

#[test]
fn paths_are_told_apart_alike_or_not_at_all() {
    let full = Path::trace(1_644.0, &python()).unwrap();
    let unsplit = Path::trace(1_600.0, &Known { turn_decided_ms: None, ..python() }).unwrap();
    let by_ear = Known { turn_decided_ms: Some(700.0), ..Known::default() };
    let by_ear = Path::trace(1_500.0, &by_ear).unwrap();
    let names = |paths: &[Path]| -> Vec<usize> {
        Path::alike(paths).iter().map(|path| path.parts.len()).collect()
    };
    assert_eq!(names(&[full.clone(), full.clone(), unsplit.clone()]), [8, 8]);
    assert_eq!(names(&[full.clone(), unsplit.clone(), unsplit.clone()]), [7, 7, 7]);
    assert_eq!(names(&[full.clone(), unsplit.clone(), by_ear.clone()]), [8]);
    assert_eq!(names(&[full.clone(), by_ear.clone(), by_ear.clone()]), [2, 2, 2]);
    assert_eq!(names(&[unsplit, by_ear.clone(), by_ear]), [2, 2]);
    assert_eq!(names(&[]), [0; 0]);
    let pooled = Detail { stages: true, noticed: true, sentence: false };
    let path = full.at(pooled).unwrap();
    // 260 of the sentence, 165 of the byte, 179 between stages.
    assert!((part(&path, Part::FirstTokenToAudio) - 604.0).abs() < 1e-9, "{path:?}");
    assert!((path.total_ms() - 1_644.0).abs() < 1e-9);
}

proptest! {
    #[test]
    fn parts_add_up_and_none_of_the_agents_is_negative(
        heard in -2_000.0_f64..60_000.0,
        values in prop::collection::vec(prop::option::of(0.0_f64..5_000.0), 7),
        tool in prop::option::of(0.0_f64..5_000.0),
        decided in prop::option::of(-200.0_f64..5_000.0),
        may_have_run_tools in any::<bool>(),
        detail in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let of = ReportedMetrics {
            transcription_delay_ms: values[0],
            end_of_turn_delay_ms: values[1],
            on_user_turn_completed_delay_ms: values[2],
            llm_node_ttft_ms: values[3],
            llm_node_ttfs_ms: values[4],
            tts_node_ttfb_ms: values[5],
            e2e_latency_ms: values[6],
            speech_ms: None,
        };
        let known = Known { reported: of, tool_ms: tool, may_have_run_tools, turn_decided_ms: decided };
        let path = Path::trace(heard, &known);
        let anchored = values[6].is_some_and(|e2e| heard - e2e >= -250.0);
        prop_assert_eq!(path.is_some(), anchored || decided.is_some());
        let (stages, noticed, sentence) = detail;
        let told = path.as_ref().and_then(|p| p.at(Detail { stages, noticed, sentence }));
        for path in path.iter().chain(&told) {
            prop_assert!((path.total_ms() - heard).abs() < 1e-6, "{path:?}");
            for (part, ms) in &path.parts {
                let ours = [
                    Part::TurnDecided,
                    Part::AnswerPrepared,
                    Part::EndNoticedLate,
                    Part::Unattributed,
                ];
                prop_assert!(*ms >= 0.0 || ours.contains(part), "{path:?}");
                prop_assert!(*ms >= -250.0 || *part == Part::AnswerPrepared, "{path:?}");
            }
            prop_assert!(path.hidden_ms >= 0.0);
        }
    }

    #[test]
    fn a_window_is_never_empty_and_lies_within(n in 1_usize..500, percent in 0.0_f64..=100.0) {
        let window = window(n, percent);
        prop_assert!(!window.is_empty() && window.end <= n, "{window:?}");
    }
}
