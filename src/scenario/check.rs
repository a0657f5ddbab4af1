//! Turns the tree of a file into a [`Scenario`], collecting every fault on the way: each part is checked
//! whether or not the parts before it were sound.

use std::num::{NonZeroU16, NonZeroU32};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use super::diagnostic::{Faults, quoted};
use super::fields::{Checked, Field, Fields, Look};
use super::file::{self, Node, Value};
use super::{Act, Agent, Load, Scenario, Step, TurnTaking, duration, limits, turns};

/// The version of the grammar that this build reads.
const VERSION: u64 = 1;
/// The name becomes part of room names.
const MAX_NAME: usize = 64;
const MAX_AGENT_NAME: usize = 256;
/// What a LiveKit server takes as metadata unless it is told otherwise.
const MAX_METADATA: usize = 64 * 1024;
const JOIN_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(120);
const DEFAULT_JOIN_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_CALL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
const DEFAULT_MAX_CALL: Duration = Duration::from_secs(300);
const CALLS: RangeInclusive<u64> = 1..=100_000;
const CONCURRENCY: RangeInclusive<u64> = 1..=1_000;

/// Words of the grammar that this version lacks.
const LATER_ROOT: &[&str] = &["tags", "userdata", "caller"];
const LATER_AGENT: &[&str] = &["userdata"];
const LATER_HANGUP: &[&str] = &["by", "after"];
const LATER_LOAD: &[&str] =
    &["rate", "duration", "max_concurrent", "warmup_calls", "stages", "gracefulStop"];
const LATER_EXECUTOR: &[&str] = &[
    "constant-arrival-rate",
    "ramping-arrival-rate",
    "constant-concurrency",
    "ramping-concurrency",
];

const EXAMPLE: &str = "`version: 1`, `name: greeting` and `turns:`";

impl Scenario {
    /// Reads a scenario file. Never panics and reads nothing but `text`, whatever `text` is.
    ///
    /// # Errors
    /// Every fault of the file. Only a text that is not YAML, or of another version, gives a single one.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let tree = file::read(text, &mut faults)?;
        let mut look = Look { source: text, faults };
        let checked = scenario(&tree, &mut look);
        match (checked, Faults::from_vec(look.faults)) {
            (_, Some(faults)) => Err(faults),
            (Ok(scenario), None) => Ok(scenario),
            (Err(_), None) => unreachable!("a `Reported` is only made along with a fault"),
        }
    }
}

fn scenario(tree: &Node, look: &mut Look<'_>) -> Checked<Scenario> {
    if matches!(tree.value, Value::Null) {
        let help = format!("write {EXAMPLE}");
        return Err(look.report("scenario::empty", &(0..0), "the file is empty", "", help));
    }
    let root = Field { name: "scenario", at: first_word(look.source), value: tree };
    // `version:1` is one text to YAML.
    let joined = matches!(&tree.value, Value::Text(text) if text.contains(':'));
    let example = if joined { "a blank after each colon: `version: 1`" } else { EXAMPLE };
    let mut fields = Fields::of(&root, "the scenario", example, look)?;

    // A file of another version has another grammar, so nothing else about it is worth saying.
    let version = fields.require("version", "`version: 1`", look);
    if let Ok(field) = &version
        && let Value::Number(number) = &field.value.value
        && number.as_u64() != Some(VERSION)
    {
        return Err(look.report(
            "scenario::version",
            &field.value.span,
            format!("scenario version {number} cannot be read"),
            format!("this build reads version {VERSION}"),
            format!("write `version: {VERSION}`, or use a build of loadcall that reads {number}"),
        ));
    }
    let version = version.and_then(|field| field.whole(&(VERSION..=VERSION), look));

    let name = fields.require("name", "`name: …`, such as `name: greeting`", look);
    let name = name.and_then(|field| name_of(&field, look));
    let agent = fields.take("agent").map_or(Ok(anyone()), |field| agent(&field, look));
    let steps = fields.require("turns", "`turns:`, a list of what is said and expected", look);
    let steps = steps.and_then(|field| Ok((turns::turns(&field, look)?, field.at)));
    let hangup = fields.take("hangup");
    let max_call = hangup.map_or(Ok((DEFAULT_MAX_CALL, None)), |field| hangup_of(&field, look));
    let load = fields.take("load").map_or(Ok(Load::Once), |field| load(&field, look));
    let thresholds =
        fields.take("thresholds").map_or(Ok(Vec::new()), |field| limits::thresholds(&field, look));
    let baseline = fields
        .take("baseline")
        .map_or(Ok(limits::DEFAULT_BASELINE), |field| limits::baseline(&field, look));
    let turn_taking = fields
        .take("turn_taking")
        .map_or(Ok(TurnTaking::DEFAULT), |field| limits::turn_taking(&field, look));
    fields.finish(LATER_ROOT, look)?;

    let (steps, turns_at) = steps?;
    let (max_call, hangup_at) = max_call?;
    fits(&steps, max_call, &hangup_at.unwrap_or(turns_at), look)?;
    version?;
    Ok(Scenario {
        name: name?,
        agent: agent?,
        steps,
        max_call,
        load: load?,
        thresholds: thresholds?,
        baseline: baseline?,
        turn_taking: turn_taking?,
    })
}

/// The first word of the file that is no comment: where to point when the file as a whole is at fault.
fn first_word(source: &str) -> Range<usize> {
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        let text = line.trim_start_matches(blank);
        if !text.is_empty() && !text.starts_with(['#', '%']) && text.trim_end() != "---" {
            let from = start + line.len() - text.len();
            let end = text.find([':', '\n', '\r']).unwrap_or(text.len());
            return from..from + end;
        }
        start += line.len();
    }
    0..0
}

fn name_of(field: &Field<'_>, look: &mut Look<'_>) -> Checked<String> {
    let name = field.line(MAX_NAME, "a short name, such as `greeting`", look)?;
    let fits =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && name.chars().all(fits) {
        return Ok(name.to_owned());
    }
    let proposal: String =
        name.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let proposal = proposal.trim_matches(['-', '_', '.']);
    let help = if proposal.is_empty() { "greeting" } else { proposal };
    Err(look.report(
        "scenario::bad_name",
        &field.value.span,
        format!("`name` cannot be {}", quoted(name)),
        "lower-case letters, digits, `-`, `_` and `.`, a letter or digit first",
        format!("write `{help}`; it becomes part of room names"),
    ))
}

/// The agent of a scenario that says nothing about it: whichever the server dispatches.
fn anyone() -> Agent {
    Agent { name: String::new(), metadata: String::new(), join_timeout: DEFAULT_JOIN_TIMEOUT }
}

fn agent(field: &Field<'_>, look: &mut Look<'_>) -> Checked<Agent> {
    let mut fields = Fields::of(field, "`agent`", "`{name: my-agent}`", look)?;
    let name = fields.take("name").map_or(Ok(String::new()), |field| {
        // `""` says it openly: automatic dispatch.
        if matches!(&field.value.value, Value::Text(text) if text.is_empty()) {
            return Ok(String::new());
        }
        let example = "the name the agent registers with, or `\"\"` for automatic dispatch";
        field.line(MAX_AGENT_NAME, example, look).map(str::to_owned)
    });
    let metadata = fields.take("metadata").map_or(Ok(String::new()), |field| {
        let text = metadata(&field, look)?;
        if matches!(&name, Ok(name) if name.is_empty()) && !text.is_empty() {
            let message = "`metadata` reaches only an agent that is called by its name";
            let help = "add `name`: a server that dispatches by itself hands over no metadata";
            let code = "scenario::metadata_without_name";
            return Err(look.report(code, &field.at, message, "nobody gets this", help));
        }
        Ok(text)
    });
    let join_timeout = fields
        .take("join_timeout")
        .map_or(Ok(DEFAULT_JOIN_TIMEOUT), |field| field.duration(&JOIN_TIMEOUT, look));
    fields.finish(LATER_AGENT, look)?;
    Ok(Agent { name: name?, metadata: metadata?, join_timeout: join_timeout? })
}

/// What the agent gets: a text as it is (it may be JSON already), anything else as JSON in the order of
/// the file.
fn metadata(field: &Field<'_>, look: &mut Look<'_>) -> Checked<String> {
    let text = match &field.value.value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
            serde_json::to_string(field.value).map_err(|error| {
                let message = format!("`metadata` cannot be written as JSON: {error}");
                look.report("scenario::bad_metadata", &field.at, message, "", "write a mapping")
            })?
        }
    };
    if text.len() <= MAX_METADATA {
        return Ok(text);
    }
    let message = format!("`metadata` is at most {} KiB of JSON", MAX_METADATA / 1024);
    let label = format!("{} KiB", text.len().div_ceil(1024));
    let help = "send less, or a name by which the agent finds the rest";
    Err(look.report("scenario::too_large", &field.at, message, label, help))
}

fn hangup_of(field: &Field<'_>, look: &mut Look<'_>) -> Checked<(Duration, Option<Range<usize>>)> {
    let mut fields = Fields::of(field, "`hangup`", "`{max_call: 90s}`", look)?;
    let max_call = fields.take("max_call").map_or(Ok((DEFAULT_MAX_CALL, None)), |field| {
        Ok((field.duration(&MAX_CALL, look)?, Some(field.value.span.clone())))
    });
    fields.finish(LATER_HANGUP, look)?;
    max_call
}

/// A script whose fixed waits alone outlast the call could never be performed to its end.
fn fits(steps: &[Step], max_call: Duration, at: &Range<usize>, look: &mut Look<'_>) -> Checked<()> {
    let fixed = |step: &Step| match &step.act {
        Act::Listen => Duration::ZERO,
        Act::Say { start, .. } => start.delay,
        Act::Silence { length } => *length,
    };
    let total: Duration = steps.iter().map(fixed).sum();
    if total <= max_call {
        return Ok(());
    }
    let (total, limit) = (duration::show(total), duration::show(max_call));
    Err(look.report(
        "scenario::out_of_range",
        at,
        format!("the call ends after `{limit}`, before the turns are over"),
        format!("silences and delays alone take {total}"),
        "write a longer `hangup: {max_call: …}`, or shorter waits",
    ))
}

fn load(field: &Field<'_>, look: &mut Look<'_>) -> Checked<Load> {
    #[derive(Clone, Copy, PartialEq)]
    enum Executor {
        Once,
        Repeat,
    }
    const WORDS: &[(&str, Executor)] = &[("once", Executor::Once), ("repeat", Executor::Repeat)];
    const EXAMPLE: &str = "`{executor: repeat, calls: 10, concurrency: 5}`";

    let mut fields = Fields::of(field, "`load`", EXAMPLE, look)?;
    let executor = fields.require("executor", "`executor: repeat`, or `once` for one call", look);
    // The other keys belong to the executor: without one nothing can be said about them.
    let executor = executor?.word(WORDS, LATER_EXECUTOR, look)?;
    let calls = fields.take("calls");
    let concurrency = fields.take("concurrency");
    if executor == Executor::Once {
        let mut outcome = fields.finish(LATER_LOAD, look);
        for field in [calls, concurrency].into_iter().flatten() {
            outcome = Err(look.report(
                "scenario::unknown_key",
                &field.at,
                format!("{} has no meaning with `executor: once`", quoted(field.name)),
                "`once` places one call",
                "remove it, or write `executor: repeat`",
            ));
        }
        return outcome.map(|()| Load::Once);
    }
    let calls = calls.ok_or(()).or_else(|()| fields.require("calls", "`calls: 10`", look));
    let calls = calls.and_then(|field| field.whole(&CALLS, look));
    let concurrency = concurrency.map_or(Ok((1, field.at.clone())), |field| {
        Ok((field.whole(&CONCURRENCY, look)?, field.value.span.clone()))
    });
    fields.finish(LATER_LOAD, look)?;
    let (calls, (concurrency, at)) = (calls?, concurrency?);
    if concurrency > calls {
        return Err(look.report(
            "scenario::out_of_range",
            &at,
            format!("`concurrency` {concurrency} is more than there are calls"),
            format!("`calls` is {calls}"),
            format!("write `concurrency: {calls}`, or more `calls`"),
        ));
    }
    let calls = u32::try_from(calls).ok().and_then(NonZeroU32::new);
    let concurrency = u16::try_from(concurrency).ok().and_then(NonZeroU16::new);
    Ok(Load::Repeat {
        calls: calls.unwrap_or(NonZeroU32::MIN),
        concurrency: concurrency.unwrap_or(NonZeroU16::MIN),
    })
}
