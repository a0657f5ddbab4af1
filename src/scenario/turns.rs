//! Checks the script: what a turn says or waits for, and that the turns together can be performed.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic::quoted;
use super::fields::{Checked, Field, Fields, Look, Reported};
use super::file::{Node, Value};
use super::{Act, Anchor, ClipRef, Content, Expect, Start, Step, content};

/// Turns in one scenario.
const MAX_TURNS: usize = 1_000;
const MAX_ID: usize = 64;
const MAX_PATH: usize = 1_024;
const MAX_SPOKEN: usize = 2_000;
const WITHIN: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(120);
const DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(120);
const SILENCE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);
/// What people leave between two turns of a conversation, roughly; long enough not to interrupt.
const DEFAULT_DELAY: Duration = Duration::from_millis(400);

/// Words of the grammar that this version lacks.
const LATER_TURN: &[&str] = &["dtmf", "stop_on_failure"];
const LATER_SAY: &[&str] = &["tts", "eos_ms", "impair", "volume"];
const LATER_AGENT: &[&str] = &["reprompts"];
const LATER_ANCHOR: &[&str] = &["event"];

const ANCHORS: &[(&str, Anchor)] = &[
    ("session_start", Anchor::SessionStart),
    ("agent_joined", Anchor::AgentJoined),
    ("previous_turn", Anchor::PreviousTurn),
    ("agent_speech_start", Anchor::AgentSpeechStart),
    ("agent_speech_end", Anchor::AgentSpeechEnd),
];

/// The turns of the scenario; every fault of each is reported.
pub(super) fn turns(field: &Field<'_>, look: &mut Look<'_>) -> Checked<Vec<Step>> {
    const EXAMPLE: &str = "`- {id: greeting, expect: {agent: speaks, within: 5s}}`";
    let items = field.list(EXAMPLE, look)?;
    if items.is_empty() {
        let help = format!("write {EXAMPLE}");
        let message = "a scenario has at least one turn";
        return Err(look.report("scenario::empty", &field.at, message, "no turns", help));
    }
    if items.len() > MAX_TURNS {
        return Err(look.report(
            "scenario::too_large",
            &field.at,
            format!("a scenario has at most {MAX_TURNS} turns"),
            format!("{} turns", items.len()),
            "split the scenario",
        ));
    }
    let mut script = Script { ids: BTreeSet::new(), default_anchor: Anchor::AgentJoined };
    let steps: Vec<Checked<Step>> = items.iter().map(|item| script.turn(item, look)).collect();
    steps.into_iter().collect()
}

/// What is known of the turns so far.
struct Script<'t> {
    ids: BTreeSet<&'t str>,
    /// When a turn that says something begins, unless it tells. The agent's speech once there was
    /// reason to expect some; before that the agent's arrival, or the first word would wait for ever.
    default_anchor: Anchor,
}

impl<'t> Script<'t> {
    fn turn(&mut self, item: &'t Node, look: &mut Look<'_>) -> Checked<Step> {
        const EXAMPLE: &str = "`{id: …, say: {file: …}}`";
        // A turn has no key that names it; its first one shows where it begins.
        let at = match &item.value {
            Value::Map(entries) => entries.first().map(|(key, _)| key.span.clone()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Refused => None,
        };
        let at = at.unwrap_or_else(|| item.span.clone());
        let turn = Field { name: "turn", at, value: item };
        let mut fields = Fields::of(&turn, "a turn", EXAMPLE, look)?;

        let id = fields.require("id", "`id: …`, a name for reports", look);
        let id = id.and_then(|field| self.id(&field, item, look));
        let say = fields.take("say");
        let silence = fields.take("silence");
        let start = fields.take("start");
        let expect = fields.take("expect");
        let at = fields.at().clone();
        let rest = fields.finish(LATER_TURN, look);

        let done = match (say, silence) {
            (Some(_), Some(silence)) => Err(look.report(
                "scenario::bad_turn",
                &silence.at,
                "a turn cannot both say something and be silent",
                "`say` is there already",
                "make it a turn of its own",
            )),
            (Some(say), None) => self.say(&say, start, expect, look),
            (None, Some(silence)) => silent(&silence, start, expect, look),
            (None, None) => {
                let wait = Wait { at, rest, start };
                self.listen(wait, expect, look)
            }
        };
        rest?;
        let (act, expect, content) = done?;
        Ok(Step { id: id?, act, expect, content })
    }

    fn id(&mut self, field: &Field<'t>, item: &Node, look: &mut Look<'_>) -> Checked<String> {
        let id = field.line(MAX_ID, "a short name for reports, such as `greeting`", look)?;
        if self.ids.insert(id) {
            return Ok(id.to_owned());
        }
        let aliased = item.used != item.span;
        let span = if aliased { &item.used } else { &field.value.span };
        let message = format!("two turns have the id {}", quoted(id));
        let help = "give every turn an id of its own";
        Err(look.report("scenario::duplicate_id", span, message, "taken by a turn above", help))
    }

    fn say(
        &mut self,
        say: &Field<'_>,
        start: Option<Field<'_>>,
        expect: Option<Field<'_>>,
        look: &mut Look<'_>,
    ) -> Checked<Done> {
        let default = std::mem::replace(&mut self.default_anchor, Anchor::AgentSpeechEnd);
        let clip = clip(say, look);
        let start = start.map_or(Ok(Start { after: default, delay: DEFAULT_DELAY }), |field| {
            begin(&field, default, look)
        });
        let wanted = expect.map(|field| expectation(&field, look)).transpose();
        let expect = wanted.and_then(|wanted| {
            let Some(wanted) = wanted else { return Ok((None, Content::default())) };
            Ok((Some(reply(&wanted, start, look)?), wanted.content))
        });
        let act = Act::Say { clip: clip?, start: start? };
        let (expect, content) = expect?;
        Ok((act, expect, content))
    }

    fn listen(
        &mut self,
        wait: Wait<'_>,
        expect: Option<Field<'_>>,
        look: &mut Look<'_>,
    ) -> Checked<Done> {
        self.default_anchor = Anchor::AgentSpeechEnd;
        let early = wait.start.map(|start| only_with_say(&start, look));
        let Some(expect) = expect else {
            // What the turn does may be what was reported.
            wait.rest?;
            return Err(look.report(
                "scenario::bad_turn",
                &wait.at,
                "a turn does nothing",
                "neither `say`, `silence` nor `expect`",
                "add `say: {file: …}`, `silence: 2s` or `expect: {agent: speaks, within: 5s}`",
            ));
        };
        let wanted = expectation(&expect, look)?;
        if let Some(reported) = early {
            return Err(reported);
        }
        match wanted.what {
            What::Speaks { within } => {
                Ok((Act::Listen, Some(Expect::Speaks { within }), wanted.content))
            }
            What::Responds { .. } => Err(look.report(
                "scenario::bad_turn",
                &wanted.word.value.span,
                "the agent cannot respond to a turn that says nothing",
                "this turn has no `say`",
                "write `agent: speaks`, or add `say: {file: …}`",
            )),
            What::Yields { .. } => Err(look.report(
                "scenario::bad_turn",
                &wanted.word.value.span,
                "the agent cannot yield to a turn that says nothing",
                "this turn has no `say`",
                "add `say: {file: …}` and `start: {after: agent_speech_start, delay: 900ms}`",
            )),
            What::Ignores => Err(look.report(
                "scenario::bad_turn",
                &wanted.word.value.span,
                "the agent cannot ignore a turn that says nothing",
                "this turn has no `say`",
                "add the noise, as `say: {file: clips/cough.wav}`",
            )),
        }
    }
}

/// A turn without `say` and `silence`.
struct Wait<'t> {
    at: std::ops::Range<usize>,
    /// Whether keys of it were reported.
    rest: Checked<()>,
    start: Option<Field<'t>>,
}

fn silent(
    silence: &Field<'_>,
    start: Option<Field<'_>>,
    expect: Option<Field<'_>>,
    look: &mut Look<'_>,
) -> Checked<Done> {
    let length = silence.duration(&SILENCE, look);
    let start = start.map(|field| only_with_say(&field, look));
    let expect = expect.map(|field| {
        look.report(
            "scenario::not_supported",
            &field.at,
            "`expect` in a turn of silence is not supported yet",
            "not in this version",
            "move it to a turn of its own: `{id: …, expect: {agent: speaks, within: 5s}}`",
        )
    });
    if let Some(reported) = start.or(expect) {
        return Err(reported);
    }
    Ok((Act::Silence { length: length? }, None, Content::default()))
}

fn only_with_say(start: &Field<'_>, look: &mut Look<'_>) -> Reported {
    look.report(
        "scenario::bad_turn",
        &start.at,
        "`start` says when a clip begins, and this turn plays none",
        "this turn has no `say`",
        "remove `start`: a turn without `say` begins when the one before is over",
    )
}

fn clip(say: &Field<'_>, look: &mut Look<'_>) -> Checked<ClipRef> {
    const EXAMPLE: &str = "`file: clips/hello.wav`";
    let mut fields = Fields::of(say, "`say`", "`{file: clips/hello.wav}`", look)?;
    let file = fields.require("file", EXAMPLE, look).and_then(|field| {
        let file =
            field.line(MAX_PATH, "the path of a WAV file, such as `clips/hello.wav`", look)?;
        Ok((file.to_owned(), field.value.span.clone()))
    });
    let text = fields
        .take("text")
        .map(|field| field.line(MAX_SPOKEN, "what is spoken in the clip, or remove `text`", look));
    let text = text.transpose().map(|text| text.map(str::to_owned));
    fields.finish(LATER_SAY, look)?;
    let (file, span) = file?;
    Ok(ClipRef { file, text: text?, span })
}

fn begin(field: &Field<'_>, default: Anchor, look: &mut Look<'_>) -> Checked<Start> {
    let example = "`{after: agent_speech_end, delay: 400ms}`";
    let mut fields = Fields::of(field, "`start`", example, look)?;
    let after =
        fields.take("after").map_or(Ok(default), |word| word.word(ANCHORS, LATER_ANCHOR, look));
    let delay = fields.take("delay").map_or(Ok(DEFAULT_DELAY), |time| time.duration(&DELAY, look));
    fields.finish(&[], look)?;
    Ok(Start { after: after?, delay: delay? })
}

/// What a turn does, what the agent has to do, and what its reply has to hold.
type Done = (Act, Option<Expect>, Content);

#[derive(Clone, Copy)]
enum What {
    Speaks { within: Duration },
    Responds { within: Duration },
    Yields { within: Duration },
    Ignores,
}

/// An expectation before it is known whether the turn can have it.
struct Wanted<'t> {
    what: What,
    word: Field<'t>,
    content: Content,
}

fn expectation<'t>(field: &Field<'t>, look: &mut Look<'_>) -> Checked<Wanted<'t>> {
    type Timed = fn(Duration) -> What;
    const WORDS: &[(&str, Option<Timed>)] = &[
        ("speaks", Some(|within| What::Speaks { within })),
        ("responds", Some(|within| What::Responds { within })),
        ("yields", Some(|within| What::Yields { within })),
        ("ignores", None),
    ];
    let mut fields = Fields::of(field, "`expect`", "`{agent: responds, within: 8s}`", look)?;
    let agent = fields.require("agent", "`agent: speaks`, `responds`, `yields` or `ignores`", look);
    let agent = agent.and_then(|word| Ok((word.word(WORDS, LATER_AGENT, look)?, word)));
    let what = if let Ok((None, _)) = &agent {
        match fields.take("within") {
            None => Ok(What::Ignores),
            Some(within) => Err(look.report(
                "scenario::bad_turn",
                &within.at,
                "`ignores` has no `within`",
                "the windows are fixed: 1 s to fall silent, 2 s to answer",
                "remove `within`",
            )),
        }
    } else {
        let within = fields.require("within", "a limit, such as `within: 8s`", look);
        let within = within.and_then(|time| time.duration(&WITHIN, look));
        // Without a word it is not known what is limited, and that is reported already.
        let timed = agent.as_ref().ok().and_then(|(timed, _)| *timed);
        within.map(|within| timed.map_or(What::Ignores, |timed| timed(within)))
    };
    let (text, tools) = (fields.take("text"), fields.take("tools"));
    let asked = text.as_ref().or(tools.as_ref()).map(|field| field.at.clone());
    let content = content::content(text.as_ref(), tools.as_ref(), look);
    fields.finish(&[], look)?;
    let ((_, word), what, content) = (agent?, what?, content?);
    match (what, asked) {
        (What::Yields { .. } | What::Ignores, Some(at)) => Err(look.report(
            "scenario::bad_turn",
            &at,
            "this turn awaits no reply that could hold anything",
            "for `speaks` and `responds`",
            "remove it, or move it to a turn that awaits a reply",
        )),
        _ => Ok(Wanted { what, word, content }),
    }
}

/// The expectation of a turn that says something.
fn reply(wanted: &Wanted<'_>, start: Checked<Start>, look: &mut Look<'_>) -> Checked<Expect> {
    let span = &wanted.word.value.span;
    match wanted.what {
        What::Responds { within } => Ok(Expect::Responds { within }),
        What::Ignores => Ok(Expect::Ignores),
        What::Speaks { .. } => Err(look.report(
            "scenario::bad_turn",
            span,
            "`speaks` is for a turn that says nothing",
            "this turn has `say`",
            "write `agent: responds`, or move `expect` to a turn of its own before this one",
        )),
        What::Yields { within } if start?.after == Anchor::AgentSpeechStart => {
            Ok(Expect::Yields { within })
        }
        What::Yields { .. } => Err(look.report(
            "scenario::bad_turn",
            span,
            "the agent can only yield when it is interrupted",
            "this turn does not begin while the agent speaks",
            "add `start: {after: agent_speech_start, delay: 900ms}`",
        )),
    }
}
