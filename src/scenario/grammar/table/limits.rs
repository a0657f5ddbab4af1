//! Ends, load, comparison and limits.

use super::super::Kind::{Integer, OneOf, Percentage, Percentile, Texts};
use super::super::Need::{Default, Optional, Required};
use super::super::{Choice, EXECUTORS, Key, Mapping, Only};
use super::{key, mapping, ms, reserved};

pub(super) const HANGUP: Mapping = Mapping {
    what: "`hangup`",
    example: "{max_call: 90s}",
    any_of: &[],
    keys: &[
        key(
            "max_call",
            ms(1_000, 3_600_000),
            Default("5m"),
            "90s",
            "The longest a call may last. It has to cover all silences and delays of the turns.",
        ),
        reserved("by"),
        reserved("after"),
    ],
};

pub(super) const LOAD: Mapping = Mapping {
    what: "`load`",
    example: "{executor: repeat, calls: 10, concurrency: 5}",
    any_of: &[],
    keys: &[
        key(
            "executor",
            OneOf {
                choice: Choice::Executor(EXECUTORS),
                reserved: &[
                    "constant-arrival-rate",
                    "ramping-arrival-rate",
                    "constant-concurrency",
                    "ramping-concurrency",
                ],
            },
            Required,
            "repeat",
            "How calls are placed.",
        ),
        Key {
            only: Some(Only::When("executor", &["repeat"])),
            ..key("calls", Integer { min: 1, max: 100_000 }, Required, "10", "The calls in all.")
        },
        Key {
            only: Some(Only::When("executor", &["repeat"])),
            ..key(
                "concurrency",
                Integer { min: 1, max: 1_000 },
                Default("1"),
                "5",
                "The most calls in progress at a time; no more than `calls`.",
            )
        },
        reserved("rate"),
        reserved("duration"),
        reserved("max_concurrent"),
        reserved("warmup_calls"),
        reserved("stages"),
        reserved("gracefulStop"),
    ],
};

pub(super) const BASELINE: Mapping = Mapping {
    what: "`baseline`",
    example: "{min_effect: {rel: 8%, abs: 60ms}, runs: 7}",
    any_of: &[],
    keys: &[
        key(
            "primary",
            Percentile,
            Optional,
            "heard_e2e_latency.p95",
            "A latency and the percentile of it that decides whether a run got worse, in place of the typical turn, the \
             slow turns and the worst step.",
        ),
        key(
            "gate",
            Texts { max_items: 4, max: 20 },
            Optional,
            "[calls_ok, slow_turns]",
            "What decides whether a run got worse, of `calls_ok`, `typical_turn`, `slow_turns` and `worst_step`; all of \
             them unless it is said. What does not decide is reported.",
        ),
        mapping(
            "min_effect",
            &MIN_EFFECT,
            Default("{}"),
            "How large a change of the typical turn has to be to count as a regression; both limits have to be reached. For \
             slow turns the share is 15/8 of it, for a single step also the time is 5/3 of it.",
        ),
        key(
            "runs",
            // More would keep a baseline of times long gone.
            Integer { min: 1, max: 30 },
            Default("7"),
            "7",
            "How many accepted runs a baseline keeps, the newest ones.",
        ),
    ],
};

const MIN_EFFECT: Mapping = Mapping {
    what: "`min_effect`",
    example: "{rel: 8%, abs: 60ms}",
    any_of: &[],
    keys: &[
        key("rel", Percentage, Default("8%"), "8%", "The change as a share of the baseline."),
        key("abs", ms(0, 60_000), Default("60ms"), "60ms", "The change in time."),
    ],
};

pub(super) const TURN_TAKING: Mapping = Mapping {
    what: "`turn_taking`",
    example: "{awkward_silence: 3s}",
    any_of: &[],
    keys: &[
        key(
            "awkward_silence",
            ms(100, 120_000),
            Default("3s"),
            "2s",
            "A silence after the caller's last voiced sample is awkward from this length on. There is no standard; \
             the default is usual among testers of voice agents.",
        ),
        key(
            "awkward_silence_with_tools",
            ms(100, 120_000),
            Default("5s"),
            "8s",
            "The same for a turn in which the agent ran a tool.",
        ),
        key(
            "speech_gap",
            ms(200, 30_000),
            // Longer than the pause between two sentences, and the usual end-of-speech silence of voice testers.
            Default("700ms"),
            "3s",
            "Silence of the agent that ends its speech. An agent that says words of waiting over a slow tool, and \
             reports neither its state nor its tools, needs a longer one: the caller goes on after it.",
        ),
        key(
            "busy_limit",
            ms(1_000, 600_000),
            Default("30s"),
            "60s",
            "How long the caller waits for an agent that is silent and says that it thinks or runs a tool (for one that \
             says it speaks, 5 s at most). After that it counts as stuck, and the caller goes on.",
        ),
    ],
};
