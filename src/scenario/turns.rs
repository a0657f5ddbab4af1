//! Checks the script: what a turn says or waits for, and that the turns together can be performed.

use std::collections::BTreeSet;
use std::ops::Range;

use super::calling::Signals;
use super::diagnostics::{Checked, Diagnostics};
use super::dial::signal;
use super::fault::quoted;
use super::field::Field;
use super::fields::Fields;
use super::file::Node;
use super::grammar::{ANCHORS, Awaits, CHANNELS, EXPECTATIONS};
use super::values::{duration, list, one_of, pattern, text, texts};
use super::{Act, Anchor, ClipRef, Content, Expect, MustNot, Pattern, Start, Step};
use crate::audio::Take;

/// The turns of the scenario; every fault of each is reported.
pub(super) fn turns(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Vec<Step>> {
    let items = list(field, diagnostics)?;
    let mut script = Script { ids: BTreeSet::new(), default_anchor: Anchor::AgentJoined };
    let steps: Vec<Checked<Step>> =
        items.iter().map(|item| script.turn(item, diagnostics)).collect();
    steps.into_iter().collect()
}

/// What is known of the turns so far.
struct Script {
    ids: BTreeSet<String>,
    /// After which moment a turn that says something begins, unless it names one. The agent's speech once
    /// there was reason to expect some; before that the agent's arrival, or the first word would wait for
    /// ever.
    default_anchor: Anchor,
}

/// What a turn does, what the agent has to do, and what its reply has to hold.
type Done = (Act, Option<Expect>, Content);

impl Script {
    fn turn(&mut self, turn: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Step> {
        let mut fields = Fields::of(turn, diagnostics)?;
        let id = fields
            .value("id", diagnostics, |field, diagnostics| self.id(field, turn.value, diagnostics));
        let act = match (fields.take("say"), fields.take("silence")) {
            (Some(_), Some(silence)) => Err(diagnostics.report(
                "scenario::bad_turn",
                &silence.at,
                "a turn cannot have both `say` and `silence`",
                "this turn has `say`",
                "move it to a turn of its own",
            )),
            (Some(say), None) => self.say(&say, &mut fields, diagnostics),
            (None, Some(silence)) => silent(&silence, &fields, diagnostics),
            (None, None) => self.listen(&fields, diagnostics),
        };
        let signals = signals(&fields, diagnostics);
        let at = fields.at().clone();
        fields.finish(diagnostics)?;
        let Some((act, expect, content)) = act? else {
            return Err(diagnostics.report(
                "scenario::bad_turn",
                &at,
                "a turn does nothing",
                "none of `say`, `silence` and `expect`",
                "add `say: {file: …}`, `silence: 2s` or `expect: {agent: speaks, within: 5s}`",
            ));
        };
        Ok(Step { id: id?, act, expect, content, signals: signals? })
    }

    fn id(
        &mut self,
        field: &Field<'_>,
        turn: &Node,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Checked<String> {
        let id = text(field, diagnostics)?;
        if self.ids.insert(id.clone()) {
            return Ok(id);
        }
        let aliased = turn.used != turn.span;
        let span = if aliased { &turn.used } else { &field.value.span };
        let message = format!("two turns have the id {}", quoted(&id));
        let help = "give every turn an id of its own";
        let label = "already used by a turn above";
        Err(diagnostics.report("scenario::duplicate_id", span, message, label, help))
    }

    fn say(
        &mut self,
        say: &Field<'_>,
        fields: &mut Fields<'_>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Checked<Option<Done>> {
        let default = std::mem::replace(&mut self.default_anchor, Anchor::AgentSpeechEnd);
        let clip = clip(say, diagnostics);
        let start = fields
            .value("start", diagnostics, |field, diagnostics| begin(field, default, diagnostics));
        let expect = fields.optional("expect", diagnostics, |field, diagnostics| {
            expectation(field, Says::Clip(start), diagnostics)
        });
        let act = Act::Say { clip: clip?, start: start? };
        let (expect, content) = expect?.unzip();
        Ok(Some((act, expect, content.unwrap_or_default())))
    }

    /// `None` for a turn that does nothing.
    fn listen(
        &mut self,
        fields: &Fields<'_>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Checked<Option<Done>> {
        self.default_anchor = Anchor::AgentSpeechEnd;
        let start = fields.optional("start", diagnostics, only_with_say);
        let expect = fields.optional("expect", diagnostics, |field, diagnostics| {
            expectation(field, Says::Nothing, diagnostics)
        });
        let Some((expect, content)) = expect? else { return Ok(None) };
        start?;
        Ok(Some((Act::Listen, Some(expect), content)))
    }
}

fn silent(
    silence: &Field<'_>,
    fields: &Fields<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Option<Done>> {
    let length = duration(silence, diagnostics);
    let start = fields.optional("start", diagnostics, only_with_say);
    let expect = fields.optional("expect", diagnostics, |field, diagnostics| {
        Err::<(), _>(diagnostics.report(
            "scenario::not_supported",
            &field.at,
            "`expect` in a turn of silence is not supported yet",
            "reserved for a later version",
            "move it to a turn of its own: `{id: …, expect: {agent: speaks, within: 5s}}`",
        ))
    });
    let length = length?;
    start?;
    expect?;
    Ok(Some((Act::Silence { length }, None, Content::default())))
}

/// What the caller signals around the clip of a turn, which has to have one.
fn signals(fields: &Fields<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Signals> {
    let says = fields.take("say").is_some();
    let [before, after] = ["before", "after"].map(|key| {
        fields.optional(key, diagnostics, |field, diagnostics| {
            let rpc = signal(field, diagnostics)?;
            if says {
                return Ok(rpc);
            }
            let message = format!("{} cannot be used without `say`", quoted(field.name));
            let help = "remove it, or move it to the turn whose clip it belongs to";
            let code = "scenario::bad_turn";
            Err(diagnostics.report(code, &field.at, message, "this turn has no `say`", help))
        })
    });
    Ok(Signals { before: before?, after: after? })
}

fn only_with_say(start: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<()> {
    Err(diagnostics.report(
        "scenario::bad_turn",
        &start.at,
        "`start` cannot be used without `say`",
        "this turn has no `say`",
        "remove `start`: a turn without `say` begins when the previous one is over",
    ))
}

fn clip(say: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<ClipRef> {
    let mut fields = Fields::of(say, diagnostics)?;
    let file = fields.value("file", diagnostics, |field, diagnostics| {
        Ok((text(field, diagnostics)?, field.value.span.clone()))
    });
    let text = fields.optional("text", diagnostics, text);
    let channel = fields.optional("channel", diagnostics, |field, diagnostics| {
        one_of(field, CHANNELS, diagnostics)
    });
    let end = fields.optional("end", diagnostics, duration);
    fields.finish(diagnostics)?;
    let (file, span) = file?;
    Ok(ClipRef { file, text: text?, take: Take { channel: channel?, end: end? }, span })
}

fn begin(field: &Field<'_>, default: Anchor, diagnostics: &mut Diagnostics<'_>) -> Checked<Start> {
    let mut fields = Fields::of(field, diagnostics)?;
    let after = fields
        .optional("after", diagnostics, |field, diagnostics| one_of(field, ANCHORS, diagnostics));
    let delay = fields.value("delay", diagnostics, duration);
    fields.finish(diagnostics)?;
    Ok(Start { after: after?.unwrap_or(default), delay: delay? })
}

/// What the turn of an expectation says.
#[derive(Clone, Copy)]
enum Says {
    Nothing,
    /// A clip that begins at this moment, if that could be read.
    Clip(Checked<Start>),
}

fn expectation(
    field: &Field<'_>,
    says: Says,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<(Expect, Content)> {
    // A word alone is of the right kind for its turn, or else the turn says which is.
    if let Some(word) = field.value.value.text() {
        return Err(diagnostics.not_a(field, field.key.kind.noun(), in_words(word, says)));
    }
    let mut fields = Fields::of(field, diagnostics)?;
    let word = fields.value("agent", diagnostics, |field, diagnostics| {
        Ok((one_of(field, EXPECTATIONS, diagnostics)?, field.value.span.clone()))
    });
    let expect = match word {
        Ok((Awaits::Nothing(expect), _)) => no_limit(&fields, diagnostics).map(|()| expect),
        Ok((Awaits::Within(expect), _)) => {
            fields.value("within", diagnostics, duration).map(expect)
        }
        // Without a word it is not known what is limited, and that is reported already.
        Err(reported) => fields.value("within", diagnostics, duration).and(Err(reported)),
    };
    let asked = ["text", "tools", "must_not"].into_iter().find_map(|key| fields.take(key));
    let reply = fields.optional("text", diagnostics, reply);
    let tools = fields.optional("tools", diagnostics, texts);
    let forbids = fields.take("must_not");
    let must_not = fields.optional("must_not", diagnostics, must_not);
    fields.finish(diagnostics)?;
    let ((_, word), expect, reply, tools) = (word?, expect?, reply?, tools?);
    let (contains, matches) = reply.unwrap_or_default();
    let (tools, must_not) = (tools.unwrap_or_default(), must_not?.unwrap_or_default());
    let at = forbids.map_or_else(|| field.at.clone(), |field| field.at);
    contradiction(&at, (&contains, &tools), &must_not, diagnostics)?;
    let content = Content { contains, matches, tools, must_not };
    if let (Expect::Yields { .. } | Expect::Ignores, Some(asked)) = (expect, asked) {
        return Err(diagnostics.report(
            "scenario::bad_turn",
            &asked.at,
            format!("{} cannot be used in a turn that expects no reply", quoted(asked.name)),
            "only with `agent: speaks` or `agent: responds`",
            "remove it, or move it to a turn that expects a reply",
        ));
    }
    fits(expect, says, &word, diagnostics)?;
    Ok((expect, content))
}

/// How an expectation is written in a turn of this kind.
fn in_words(word: &str, says: Says) -> String {
    let example = match (word, says) {
        ("yields", Says::Clip(_)) => "{agent: yields, within: 2s}",
        ("ignores", Says::Clip(_)) => "{agent: ignores}",
        (_, Says::Clip(_)) => "{agent: responds, within: 8s}",
        (_, Says::Nothing) => "{agent: speaks, within: 5s}",
    };
    format!("write `expect: {example}`")
}

fn no_limit(fields: &Fields<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<()> {
    let Some(within) = fields.take("within") else { return Ok(()) };
    Err(diagnostics.report(
        "scenario::bad_turn",
        &within.at,
        "`within` cannot be used with `agent: ignores`",
        "its windows are fixed: 1 s for falling silent, 2 s for a reply",
        "remove `within`",
    ))
}

/// What a reply must not hold.
fn must_not(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<MustNot> {
    let fields = Fields::of(field, diagnostics)?;
    let text = fields.optional("text", diagnostics, reply);
    let tools = fields.optional("tools", diagnostics, texts);
    fields.finish(diagnostics)?;
    let (text, tools) = (text?, tools?);
    if text.is_none() && tools.is_none() {
        let help =
            "write `must_not: {text: {contains: [sorry]}}` or `must_not: {tools: [transfer]}`";
        let (code, message) = ("scenario::empty", "`must_not` is empty");
        return Err(diagnostics.report(code, &field.at, message, "", help));
    }
    let (contains, matches) = text.unwrap_or_default();
    Ok(MustNot { contains, matches, tools: tools.unwrap_or_default() })
}

/// What no reply can do: hold what it must not hold.
fn contradiction(
    at: &Range<usize>,
    (contains, tools): (&[String], &[String]),
    must_not: &MustNot,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<()> {
    // A text that has to occur brings every part of it along.
    let occurs = |word: &&String| {
        let word = word.to_lowercase();
        contains.iter().any(|wanted| wanted.to_lowercase().contains(&word))
    };
    let word = must_not.contains.iter().find(occurs);
    let both = word.or_else(|| must_not.tools.iter().find(|tool| tools.contains(tool)));
    let Some(both) = both else { return Ok(()) };
    Err(diagnostics.report(
        "scenario::bad_turn",
        at,
        format!("{} is expected and must not be", quoted(both)),
        "no reply can meet both",
        "remove it from one of the two",
    ))
}

/// The words that a reply has to contain, or must not.
fn reply(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<(Vec<String>, Option<Pattern>)> {
    let fields = Fields::of(field, diagnostics)?;
    let contains = fields.optional("contains", diagnostics, texts);
    let matches = fields.optional("matches", diagnostics, pattern);
    fields.finish(diagnostics)?;
    let (contains, matches) = (contains?.unwrap_or_default(), matches?);
    if contains.is_empty() && matches.is_none() {
        let help = "write `text: {contains: [nine]}` or `text: {matches: \"nine|9\"}`";
        let (code, message) = ("scenario::empty", "`text` is empty");
        return Err(diagnostics.report(code, &field.at, message, "", help));
    }
    Ok((contains, matches))
}

/// Whether an expectation is possible in its turn. `word` is where it is named.
fn fits(
    expect: Expect,
    says: Says,
    word: &Range<usize>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<()> {
    let (message, label, help) = match (expect, says) {
        (Expect::Speaks { .. }, Says::Nothing)
        | (Expect::Responds { .. } | Expect::Ignores, Says::Clip(_)) => return Ok(()),
        (Expect::Yields { .. }, Says::Clip(start)) => {
            if start?.after == Anchor::AgentSpeechStart {
                return Ok(());
            }
            (
                "`yields` needs a turn that interrupts the agent",
                "this turn does not begin while the agent speaks",
                "add `start: {after: agent_speech_start, delay: 900ms}`",
            )
        }
        (Expect::Speaks { .. }, Says::Clip(_)) => (
            "`speaks` cannot be used in a turn with `say`",
            "this turn has `say`",
            "write `agent: responds`, or move `expect` to a turn of its own before this one",
        ),
        (Expect::Responds { .. }, Says::Nothing) => (
            "`responds` needs a turn with `say`",
            "this turn has no `say`",
            "write `agent: speaks`, or add `say: {file: …}`",
        ),
        (Expect::Yields { .. }, Says::Nothing) => (
            "`yields` needs a turn with `say`",
            "this turn has no `say`",
            "add `say: {file: …}` and `start: {after: agent_speech_start, delay: 900ms}`",
        ),
        (Expect::Ignores, Says::Nothing) => (
            "`ignores` needs a turn with `say`",
            "this turn has no `say`",
            "add the noise, such as `say: {file: clips/cough.wav}`",
        ),
    };
    Err(diagnostics.report("scenario::bad_turn", word, message, label, help))
}
