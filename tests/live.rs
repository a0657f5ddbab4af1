//! The whole tool against a real livekit-server and a real livekit-agents agent, all on loopback.
//!
//! Needs what `make tools` installs. Without it the tests say so and pass, unless
//! `LOADCALL_REQUIRE_LIVE=1` makes that a failure. Those that measure run one at a time, after the others.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test of files and processes"
)]

mod common;
#[path = "common/http.rs"]
#[expect(dead_code, reason = "of what tests share, these need a part")]
mod http;
mod live {
    pub(crate) mod audio;
    pub(crate) mod cases;
    pub(crate) mod dial;
    pub(crate) mod doctor;
    pub(crate) mod scripted;
    pub(crate) mod secrets;
    pub(crate) mod spans;
    pub(crate) mod stage;
    pub(crate) mod turns;
}
#[path = "field"]
mod field {
    pub(crate) mod cases;
    pub(crate) mod clips;
    pub(crate) mod play;
    pub(crate) mod reach;
    pub(crate) mod says;
    pub(crate) mod sound;
    pub(crate) mod who;
    pub(crate) mod whose;
}

use field::cases::FIELD;
use libtest_mimic::{Arguments, Failed, Trial};
use live::audio;
use live::cases;
use live::dial;
use live::doctor;
use live::scripted;
use live::secrets;
use live::spans;
use live::stage::Stage;
use live::turns;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// A test and its name.
pub(crate) type Case = (&'static str, fn(&Stage) -> Result<(), Failed>);

/// Those that look at what happens, and not at how long it takes.
const UNTIMED: [Case; 18] = [
    (
        "an_agent_that_exports_elsewhere_goes_on_to",
        spans::an_agent_that_exports_elsewhere_goes_on_to,
    ),
    // The longest first, as they run beside each other.
    ("a_killed_agent_is_named", cases::a_killed_agent_is_named),
    ("calls_become_traces", cases::calls_become_traces),
    ("no_secret_comes_out", secrets::no_secret_comes_out),
    ("an_interrupt_keeps_what_was_measured", cases::an_interrupt_keeps_what_was_measured),
    (
        "a_doctor_sees_what_works_and_what_does_not",
        doctor::a_doctor_sees_what_works_and_what_does_not,
    ),
    ("an_agent_without_session_is_heard", cases::an_agent_without_session_is_heard),
    (
        "an_agent_sees_the_caller_and_hears_its_signals",
        dial::an_agent_sees_the_caller_and_hears_its_signals,
    ),
    (
        "an_agent_without_the_method_fails_the_call",
        dial::an_agent_without_the_method_fails_the_call,
    ),
    ("what_a_call_leaves_behind_decides", dial::what_a_call_leaves_behind_decides),
    ("a_start_endpoint_lets_the_caller_in", dial::a_start_endpoint_lets_the_caller_in),
    (
        "a_room_that_an_endpoint_names_is_only_left",
        dial::a_room_that_an_endpoint_names_is_only_left,
    ),
    ("nobody_joins", cases::nobody_joins),
    ("a_killed_run_leaves_no_audio", audio::a_killed_run_leaves_no_audio),
    (
        "an_agent_that_does_not_start_shows_its_log",
        dial::an_agent_that_does_not_start_shows_its_log,
    ),
    ("a_start_endpoint_that_fails_is_named", dial::a_start_endpoint_that_fails_is_named),
    ("a_wrong_secret_is_named", cases::a_wrong_secret_is_named),
    ("no_server_answers", cases::no_server_answers),
];

/// Those that compare what was measured with what was to be measured, or start an agent of their own, which takes both
/// cores for seconds.
const TIMED: [Case; 16] = [
    ("the_agents_spans_come_in_beside_its_calls", spans::the_agents_spans_come_in_beside_its_calls),
    ("reported_stages_are_the_injected_ones", cases::reported_stages_are_the_injected_ones),
    ("a_slower_llm_is_a_regression_and_named", cases::a_slower_llm_is_a_regression_and_named),
    ("a_slower_b_is_worse_and_the_same_b_is_not", cases::a_slower_b_is_worse_and_the_same_b_is_not),
    ("an_ab_run_ends_when_it_is_decided", cases::an_ab_run_ends_when_it_is_decided),
    ("an_unanswered_turn_is_a_lower_bound", cases::an_unanswered_turn_is_a_lower_bound),
    ("a_barge_in_is_timed_and_ignoring_it_fails", cases::a_barge_in_is_timed_and_ignoring_it_fails),
    (
        "what_was_added_to_a_stage_is_attributed_to_it",
        turns::what_was_added_to_a_stage_is_attributed_to_it,
    ),
    (
        "a_filler_whose_answer_never_comes_fails_the_call",
        turns::a_filler_whose_answer_never_comes_fails_the_call,
    ),
    ("a_noise_is_ignored_or_counted", turns::a_noise_is_ignored_or_counted),
    ("a_server_that_dies_is_a_lost_connection", cases::a_server_that_dies_is_a_lost_connection),
    ("lost_packets_are_counted", cases::lost_packets_are_counted),
    (
        "a_scripted_agent_answers_as_late_as_it_is_told",
        scripted::a_scripted_agent_answers_as_late_as_it_is_told,
    ),
    ("what_init_writes_runs_as_it_is", scripted::what_init_writes_runs_as_it_is),
    ("kept_audio_is_what_was_recorded", audio::kept_audio_is_what_was_recorded),
    (
        "a_calibration_finds_a_small_error_and_reports_carry_it",
        scripted::a_calibration_finds_a_small_error_and_reports_carry_it,
    ),
];

/// How many of the untimed tests run beside each other: they mostly wait.
const BESIDE: usize = 3;
/// How many calls to the field agent, which is one process for all: what is right differs from what is wrong by more
/// than the calls disturb one another.
const FIELD_BESIDE: usize = 4;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Some(missing) = Stage::missing_tools() {
        if std::env::var_os("LOADCALL_REQUIRE_LIVE").is_some() {
            println!("live tests cannot run: {missing}");
            return ExitCode::FAILURE;
        }
        println!("live tests skipped: {missing}");
        return ExitCode::SUCCESS;
    }
    // Set up by the first test that runs, so that listing tests starts nothing.
    let stage: Arc<OnceLock<Stage>> = Arc::default();
    let failed = [(&UNTIMED[..], BESIDE), (FIELD, FIELD_BESIDE), (&TIMED[..], 1)]
        .map(|(cases, at_a_time)| run(&arguments, cases, at_a_time, &stage));
    if let Some(stage) = Arc::into_inner(stage).and_then(OnceLock::into_inner) {
        stage.tear_down();
    }
    if failed.contains(&true) { ExitCode::from(101) } else { ExitCode::SUCCESS }
}

/// Runs the cases that the arguments choose, and says whether any failed.
fn run(
    arguments: &Arguments,
    cases: &[Case],
    at_a_time: usize,
    stage: &Arc<OnceLock<Stage>>,
) -> bool {
    let arguments = Arguments { test_threads: Some(at_a_time), ..arguments.clone() };
    let trial = |(name, case): &Case| {
        let (case, stage) = (*case, Arc::clone(stage));
        Trial::test(*name, move || case(stage.get_or_init(Stage::set_up)))
    };
    libtest_mimic::run(&arguments, cases.iter().map(trial).collect()).has_failed()
}
