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

fn part(path: &Path, part: Part) -> f64 {
    path.parts.get(&part).copied().unwrap_or_default()
}

#[test]
fn one_after_another() {
    let path =
        Path::trace(1_200.0, &reported(400.0, 300.0, 250.0, 370.0, 150.0, 925.0), None).unwrap();
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
    let path =
        Path::trace(1_150.0, &reported(400.0, 300.0, 380.0, 500.0, 150.0, 955.0), None).unwrap();
    assert_eq!((part(&path, Part::Transcription), part(&path, Part::EndOfTurn)), (300.0, 0.0));
    assert_eq!(part(&path, Part::LlmFirstToken), 380.0);
    assert_eq!(part(&path, Part::BetweenStages), 5.0);
    assert_eq!(path.hidden_ms, 95.0);
    assert_eq!(path.total_ms(), 1_150.0);
    // A slow end of turn hides the model: max(2500, 300 + 500) + 150.
    let path = Path::trace(2_900.0, &reported(2_500.0, 300.0, 380.0, 500.0, 150.0, 2_655.0), None)
        .unwrap();
    assert_eq!(part(&path, Part::LlmFirstToken), 0.0);
    assert_eq!(path.bottleneck(), Some(Part::EndOfTurn));
}

#[test]
fn a_tool_is_a_part_of_its_own() {
    let of = reported(400.0, 300.0, 250.0, 370.0, 150.0, 1_780.0);
    let path = Path::trace(2_000.0, &of, Some(600.0)).unwrap();
    assert_eq!(part(&path, Part::Tool), 600.0);
    // The request before the tool.
    assert_eq!(part(&path, Part::BetweenStages), 260.0);
    assert_eq!(path.bottleneck(), Some(Part::Tool));
}

#[test]
fn without_the_agents_own_latency_there_is_no_path() {
    let of = ReportedMetrics { llm_node_ttft_ms: Some(250.0), ..ReportedMetrics::default() };
    assert_eq!(Path::trace(1_000.0, &of, None), None);
}

#[test]
fn a_typical_path_leaves_out_what_is_not_around_the_percentile() {
    let path = |heard: f64, ttft: f64| {
        Path::trace(heard, &reported(400.0, 300.0, ttft, ttft, 150.0, heard - 200.0), None).unwrap()
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

proptest! {
    #[test]
    fn parts_add_up_and_none_of_the_agents_is_negative(
        heard in -2_000.0_f64..60_000.0,
        values in prop::collection::vec(prop::option::of(0.0_f64..5_000.0), 7),
        tool in prop::option::of(0.0_f64..5_000.0),
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
        let path = Path::trace(heard, &of, tool);
        prop_assert_eq!(path.is_some(), values[6].is_some());
        if let Some(path) = path {
            prop_assert!((path.total_ms() - heard).abs() < 1e-6, "{path:?}");
            for (part, ms) in &path.parts {
                prop_assert!(*ms >= 0.0 || *part == Part::Unattributed, "{path:?}");
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
