//! Turns the tree of a file into a [`Scenario`], collecting every fault on the way: each part is checked
//! whether or not the parts before it were sound.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::ops::Range;
use std::time::Duration;

use super::diagnostics::{Checked, Diagnostics, Sense};
use super::fault::{Faults, quoted};
use super::field::Field;
use super::fields::Fields;
use super::file::{self, Node, Value};
use super::grammar::{EXECUTORS, Executor, table};
use super::overlay::{Lookup, Overlay, SourceText};
use super::values::{duration, integer, name, one_of, text, texts};
use super::{Act, Agent, Listening, Load, Scenario, Step, Wildcard};
use super::{dial, end_state, limits, metadata, overrides, turns, variables};

impl Scenario {
    /// Reads a scenario file. Never panics and reads nothing but `text`, whatever `text` is.
    ///
    /// # Errors
    /// Every fault of the file. Only a text that is not YAML, or of another version, gives a single one.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        Self::read(&text.into(), None).map(|(scenario, _)| scenario)
    }

    /// Parses a file, in which flags set values and, with a `lookup`, variables stand for theirs (`${NAME}`).
    /// Gives the scenario, and the variables that were set, each with its value, where there are any.
    ///
    /// # Errors
    /// As [`Scenario::parse`]. Faults of what a flag sets are placed at the flag.
    pub fn read(
        source: &SourceText<'_>,
        lookup: Option<Lookup<'_>>,
    ) -> Result<(Self, Option<BTreeMap<String, String>>), Faults> {
        Self::read_with(source, lookup, Sense::Demanded)
    }

    fn read_with(
        source: &SourceText<'_>,
        lookup: Option<Lookup<'_>>,
        sense: Sense,
    ) -> Result<(Self, Option<BTreeMap<String, String>>), Faults> {
        let mut faults = Vec::new();
        let mut tree = file::read(source.file(), &mut faults)?;
        let mut diagnostics = Diagnostics { source: source.whole(), sense, faults };
        overrides::apply(&mut tree, source, &mut diagnostics);
        let variables =
            lookup.and_then(|lookup| variables::fill(&mut tree, lookup, &mut diagnostics));
        let checked = scenario(&tree, &mut diagnostics);
        match (checked, Faults::from_vec(diagnostics.faults)) {
            (_, Some(faults)) => Err(faults),
            (Ok(scenario), None) => Ok((scenario, variables)),
            (Err(_), None) => unreachable!("a `Reported` is only made along with a fault"),
        }
    }

    /// Reads a scenario again as it was read, from its text and what lay over it; without an overlay the text
    /// is taken as it stands. Limits that no run can meet are taken, as older versions took them.
    ///
    /// # Errors
    /// As [`Scenario::parse`].
    pub fn again(text: &str, overlay: Option<&Overlay>) -> Result<Self, Faults> {
        let read = match overlay {
            None => Self::read_with(&text.into(), None, Sense::AsRecorded),
            Some(overlay) => {
                let lookup = |name: &str| overlay.variables.get(name).cloned();
                Self::read_with(&overlay.source(text), Some(&lookup), Sense::AsRecorded)
            }
        };
        read.map(|(scenario, _)| scenario)
    }
}

fn scenario(tree: &Node, diagnostics: &mut Diagnostics<'_>) -> Checked<Scenario> {
    if matches!(tree.value, Value::Null) {
        let help = "write `version: 1`, `name: …` and `turns: …`";
        return Err(diagnostics.report("scenario::empty", &(0..0), "the file is empty", "", help));
    }
    let (key, at) = (&table::ROOT, first_word(diagnostics.source));
    let root = Field { name: key.name, key, at, value: tree };
    // `version:1` is one string to YAML.
    if tree.value.text().is_some_and(|text| text.contains(':')) {
        let help = "write a space after each colon: `version: 1`";
        return Err(diagnostics.not_a(&root, key.kind.noun(), help));
    }
    let mut fields = Fields::of(&root, diagnostics)?;

    // A file of another version has another grammar, so nothing else about it is worth saying.
    if let Some(field) = fields.take("version")
        && let Value::Number(number) = &field.value.value
        && number.as_u64() != Some(table::VERSION)
    {
        let version = table::VERSION;
        return Err(diagnostics.report(
            "scenario::version",
            &field.value.span,
            format!("scenario version {number} is not supported"),
            format!("this build of loadcall reads version {version}"),
            format!("write `version: {version}`, or use a build of loadcall that reads {number}"),
        ));
    }
    let version = fields.value("version", diagnostics, integer);
    let name = fields.value("name", diagnostics, name);
    let agent = fields.value("agent", diagnostics, agent);
    let metadata_at = agent.as_ref().ok().and_then(|(_, at)| at.clone());
    let steps = fields.value("turns", diagnostics, |field, diagnostics| {
        Ok((turns::turns(field, diagnostics)?, field.at.clone()))
    });
    let max_call = fields.value("hangup", diagnostics, hangup);
    let load = repeats(&mut fields, diagnostics);
    let thresholds = fields.value("thresholds", diagnostics, limits::thresholds);
    let pass_rate = fields.optional("pass_rate", diagnostics, |field, diagnostics| {
        limits::pass_rate(field, thresholds.as_deref().unwrap_or_default(), diagnostics)
    });
    let end_state = fields.optional("end_state", diagnostics, end_state::checks);
    let baseline = fields.value("baseline", diagnostics, limits::baseline);
    let turn_taking = fields.value("turn_taking", diagnostics, limits::turn_taking);
    let around = dial::Around {
        scenario: name.as_ref().map_or("", String::as_str),
        metadata: metadata_at,
        // Without a load nothing is known of how many calls there are.
        load: load.unwrap_or(Load::Once),
    };
    let dialled = dial::dialled(&mut fields, &around, diagnostics);
    fields.finish(diagnostics)?;

    let (steps, turns_at) = steps?;
    let (max_call, hangup_at) = max_call?;
    fits(&steps, max_call, &hangup_at.unwrap_or(turns_at), diagnostics)?;
    version?;
    let dial::Dialled { dispatch, room, caller } = dialled?;
    let checks = end_state?.unwrap_or_default();
    let end_states = end_state::of_one_call(checks, load?, &caller, diagnostics)?;
    Ok(Scenario {
        name: name?,
        agent: agent?.0,
        dispatch,
        room,
        caller,
        steps,
        max_call,
        load: load?,
        end_states,
        thresholds: pass_rate?.into_iter().chain(thresholds?).collect(),
        baseline: baseline?,
        turn_taking: turn_taking?,
    })
}

/// The first word of the file that is not a comment: where to point when the file as a whole is at fault.
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

/// The agent, and where its metadata stands if it has any.
fn agent(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<(Agent, Option<Range<usize>>)> {
    let mut fields = Fields::of(field, diagnostics)?;
    let name = fields.value("name", diagnostics, text);
    let metadata = fields.optional("metadata", diagnostics, |field, diagnostics| {
        let text = metadata::read(field, diagnostics)?;
        if !text.is_empty() && name.as_ref().is_ok_and(String::is_empty) {
            let message = "`metadata` reaches only an agent that is dispatched by name";
            let help = "add `name`: automatic dispatch passes no metadata on";
            let code = "scenario::metadata_without_name";
            return Err(diagnostics.report(code, &field.at, message, "no agent gets this", help));
        }
        Ok(text)
    });
    let join_timeout = fields.value("join_timeout", diagnostics, duration);
    let identity = fields.optional("identity", diagnostics, text);
    let tracks = fields.optional("tracks", diagnostics, texts);
    let at = fields.take("metadata").map(|field| field.at);
    fields.finish(diagnostics)?;
    let tracks = tracks?.unwrap_or_default().into_iter().map(Wildcard::new).collect();
    let listening = Listening { identity: identity?.map(Wildcard::new), tracks };
    let metadata = metadata?.unwrap_or_default();
    let at = at.filter(|_| !metadata.is_empty());
    Ok((Agent { name: name?, metadata, join_timeout: join_timeout?, listening }, at))
}

/// The longest call, and where the file says so.
fn hangup(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<(Duration, Option<Range<usize>>)> {
    let mut fields = Fields::of(field, diagnostics)?;
    let at = fields.take("max_call").map(|field| field.value.span.clone());
    let max_call = fields.value("max_call", diagnostics, duration);
    fields.finish(diagnostics)?;
    Ok((max_call?, at))
}

/// A script whose fixed waits alone outlast the call could never be performed to its end.
fn fits(
    steps: &[Step],
    max_call: Duration,
    at: &Range<usize>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<()> {
    let fixed = |step: &Step| match &step.act {
        Act::Listen => Duration::ZERO,
        Act::Say { start, .. } => start.delay,
        Act::Silence { length } => *length,
    };
    let total: Duration = steps.iter().map(fixed).sum();
    if total <= max_call {
        return Ok(());
    }
    let (total, limit) = (super::duration::show(total), super::duration::show(max_call));
    Err(diagnostics.report(
        "scenario::out_of_range",
        at,
        format!("the call ends after `{limit}`, before the turns are over"),
        format!("silences and delays alone take {total}"),
        "write a longer `hangup: {max_call: …}`, or shorter waits",
    ))
}

/// `load`, or what `repeats` is short for.
fn repeats(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Load> {
    let Some(repeats) = fields.take("repeats") else {
        return fields.value("load", diagnostics, load);
    };
    let calls = integer(&repeats, diagnostics);
    if let Some(written) = fields.take("load") {
        // Its own faults are worth saying, too.
        let _ = load(&written, diagnostics);
        return Err(diagnostics.report(
            "scenario::unknown_key",
            &repeats.at,
            "`repeats` cannot be used with `load`",
            "`load` says how many calls there are",
            "remove it, or write `load: {executor: repeat, calls: …}` alone",
        ));
    }
    let calls = u32::try_from(calls?).ok().and_then(NonZeroU32::new);
    let (calls, concurrency) = (calls.unwrap_or(NonZeroU32::MIN), NonZeroU16::MIN);
    Ok(Load::Repeat { calls, concurrency })
}

fn load(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Load> {
    let mut fields = Fields::of(field, diagnostics)?;
    let read = |field: &Field<'_>, diagnostics: &mut Diagnostics<'_>| {
        one_of(field, EXECUTORS, diagnostics)
    };
    // The other keys belong to the executor: without one nothing can be said about them.
    match fields.value("executor", diagnostics, read)? {
        Executor::Once => once(fields, diagnostics),
        Executor::Repeat => repeat(fields, diagnostics),
    }
}

fn once(fields: Fields<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Load> {
    let of_repeat = [fields.take("calls"), fields.take("concurrency")];
    let mut outcome = fields.finish(diagnostics);
    for field in of_repeat.into_iter().flatten() {
        outcome = Err(diagnostics.report(
            "scenario::unknown_key",
            &field.at,
            format!("{} cannot be used with `executor: once`", quoted(field.name)),
            "`once` places one call",
            "remove it, or write `executor: repeat`",
        ));
    }
    outcome.map(|()| Load::Once)
}

fn repeat(mut fields: Fields<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Load> {
    let calls = fields.value("calls", diagnostics, integer);
    let at = fields.take("concurrency").map(|field| field.value.span.clone());
    let at = at.unwrap_or_else(|| fields.at().clone());
    let concurrency = fields.value("concurrency", diagnostics, integer);
    fields.finish(diagnostics)?;
    let (calls, concurrency) = (calls?, concurrency?);
    if concurrency > calls {
        return Err(diagnostics.report(
            "scenario::out_of_range",
            &at,
            format!("`concurrency` {concurrency} is more than `calls`"),
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
