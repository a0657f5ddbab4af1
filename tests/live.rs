//! The whole tool against a real livekit-server and a real livekit-agents agent, all on loopback.
//!
//! Needs what `make tools` installs. Without it the tests say so and pass, unless
//! `LOADCALL_REQUIRE_LIVE=1` makes that a failure. One test at a time: they measure.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test of files and processes"
)]

mod live {
    pub(crate) mod cases;
    pub(crate) mod scripted;
    pub(crate) mod stage;
    pub(crate) mod turns;
}

use libtest_mimic::{Arguments, Failed, Trial};
use live::cases;
use live::scripted;
use live::stage::Stage;
use live::turns;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// A test and its name.
type Case = (&'static str, fn(&Stage) -> Result<(), Failed>);

const CASES: [Case; 18] = [
    ("reported_stages_are_the_injected_ones", cases::reported_stages_are_the_injected_ones),
    ("a_slower_llm_is_a_regression_and_named", cases::a_slower_llm_is_a_regression_and_named),
    ("a_slower_b_is_worse_and_the_same_b_is_not", cases::a_slower_b_is_worse_and_the_same_b_is_not),
    ("nobody_joins", cases::nobody_joins),
    ("a_wrong_secret_is_named", cases::a_wrong_secret_is_named),
    ("no_server_answers", cases::no_server_answers),
    ("a_killed_agent_is_named", cases::a_killed_agent_is_named),
    ("an_agent_without_session_is_heard", cases::an_agent_without_session_is_heard),
    ("an_unanswered_turn_is_a_lower_bound", cases::an_unanswered_turn_is_a_lower_bound),
    ("a_barge_in_is_timed_and_ignoring_it_fails", cases::a_barge_in_is_timed_and_ignoring_it_fails),
    (
        "what_was_added_to_a_stage_is_attributed_to_it",
        turns::what_was_added_to_a_stage_is_attributed_to_it,
    ),
    ("a_noise_is_ignored_or_counted", turns::a_noise_is_ignored_or_counted),
    ("an_interrupt_keeps_what_was_measured", cases::an_interrupt_keeps_what_was_measured),
    ("a_server_that_dies_is_a_lost_connection", cases::a_server_that_dies_is_a_lost_connection),
    ("lost_packets_are_counted", cases::lost_packets_are_counted),
    (
        "a_scripted_agent_answers_as_late_as_it_is_told",
        scripted::a_scripted_agent_answers_as_late_as_it_is_told,
    ),
    (
        "a_calibration_finds_a_small_error_and_reports_carry_it",
        scripted::a_calibration_finds_a_small_error_and_reports_carry_it,
    ),
    ("calls_become_traces", cases::calls_become_traces),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
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
    let trials = CASES
        .map(|(name, case)| {
            let stage = Arc::clone(&stage);
            Trial::test(name, move || case(stage.get_or_init(Stage::set_up)))
        })
        .into();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(stage) = Arc::into_inner(stage).and_then(OnceLock::into_inner) {
        stage.tear_down();
    }
    if conclusion.has_failed() { ExitCode::from(101) } else { ExitCode::SUCCESS }
}
