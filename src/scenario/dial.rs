//! Checks how a call comes about (see [`super::calling`]), and that its parts fit together.

use std::ops::Range;

use super::calling::{Caller, HttpDispatch, Method, RoomRule, Rpc};
use super::diagnostics::{Checked, Diagnostics};
use super::fault::quoted;
use super::field::Field;
use super::fields::{Fields, written};
use super::grammar::{CALLER_KINDS, Kind, METHODS, list_and};
use super::path::JsonPath;
use super::template::{self, Placeholder};
use super::values::{cannot_be, duration, entries, mismatch, one_of, text};
use super::{Load, metadata};

/// How the calls of a scenario come about.
pub(super) struct Dialled {
    pub dispatch: Option<HttpDispatch>,
    pub room: RoomRule,
    pub caller: Caller,
}

/// What else of the scenario that depends on.
pub(super) struct Around<'a> {
    pub scenario: &'a str,
    /// Where the agent's metadata is, if it has any.
    pub metadata: Option<Range<usize>>,
    pub load: Load,
}

/// Reads `dispatch`, `room` and `caller`, which have to fit together.
pub(super) fn dialled(
    fields: &mut Fields<'_>,
    around: &Around<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Dialled> {
    let dispatch = fields.optional("dispatch", diagnostics, |field, diagnostics| {
        let mut fields = Fields::of(field, diagnostics)?;
        let http = fields.value("http", diagnostics, http);
        fields.finish(diagnostics)?;
        http
    });
    let of_token =
        dispatch.as_ref().is_ok_and(|d| d.as_ref().is_some_and(|http| http.token.is_some()));
    let room = fields.value("room", diagnostics, |field, diagnostics| {
        room(field, around, of_token, diagnostics)
    });
    let caller = fields
        .value("caller", diagnostics, |field, diagnostics| caller(field, of_token, diagnostics));
    let dispatch = dispatch?;
    if let (Some(_), Some(at)) = (&dispatch, &around.metadata) {
        return Err(diagnostics.report(
            "scenario::metadata_without_name",
            at,
            "`metadata` cannot be used with `dispatch`",
            "no agent gets this: the start endpoint dispatches it",
            "remove it, or put it into the `body` of `dispatch`",
        ));
    }
    Ok(Dialled { dispatch, room: room?, caller: caller? })
}

fn http(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<HttpDispatch> {
    let mut fields = Fields::of(field, diagnostics)?;
    let all = &Placeholder::ALL[..];
    let url = fields.value("url", diagnostics, |field, diagnostics| {
        url(field, "scenario::bad_dispatch", diagnostics)
    });
    let method = fields.value("method", diagnostics, |field, d| one_of(field, METHODS, d));
    let headers = fields.optional("headers", diagnostics, headers);
    let body = fields.optional("body", diagnostics, |field, diagnostics| {
        let body = metadata::read(field, diagnostics)?;
        if matches!(method, Ok(Method::Get)) && !body.is_empty() {
            return Err(diagnostics.report(
                "scenario::bad_dispatch",
                &field.at,
                "`body` cannot be used with `method: GET`",
                "a GET request has no body",
                "remove it, or write `method: POST`",
            ));
        }
        sound(field, body, all, diagnostics)
    });
    let timeout = fields.value("timeout", diagnostics, duration);
    let [token, room, server] =
        ["token", "room", "server"].map(|key| fields.optional(key, diagnostics, path));
    fields.finish(diagnostics)?;
    let http = HttpDispatch {
        url: url?,
        method: method?,
        headers: headers?.unwrap_or_default(),
        body: body?.unwrap_or_default(),
        timeout: timeout?,
        token: token?,
        room: room?,
        server: server?,
    };
    let sent = [&http.url, &http.body].into_iter().chain(http.headers.iter().map(|(_, text)| text));
    let tells = sent.into_iter().any(|text| template::holds(text, Placeholder::Room));
    if http.token.is_some() || http.room.is_some() || tells {
        return Ok(http);
    }
    Err(diagnostics.report(
        "scenario::bad_dispatch",
        &field.at,
        "agent and caller would not meet",
        "neither side tells the other which room it is",
        "write where the answer has them (`token: $.token` or `room: $.room`), or send `{{room}}` in the `body`",
    ))
}

/// An address that is written, or a reference to one; `code` is that of a fault.
pub(super) fn url(
    field: &Field<'_>,
    code: &'static str,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<String> {
    let url = metadata::value(field, diagnostics)?;
    if field.value.value.text().is_none() {
        return Ok(url);
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let (label, help) = match authority {
        None | Some("") => (
            "not an http address",
            "write the whole address, such as `https://product.example/start`",
        ),
        Some(authority) if authority.contains('@') => (
            "contains credentials, which would be recorded",
            "send them in `headers`: `{Authorization: {$env: START_AUTHORIZATION}}`",
        ),
        Some(_) => return sound(field, url, &Placeholder::ALL, diagnostics),
    };
    let message = cannot_be(field, &url);
    Err(diagnostics.report(code, &field.value.span, message, label, help))
}

pub(super) fn headers(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Vec<(String, String)>> {
    let headers = strings(field, diagnostics)?;
    // As RFC 9110 has a token, and no more than people write.
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    for (name, at, _) in written(entries(field, diagnostics)?) {
        if name.is_empty() || !name.chars().all(fits) {
            let message = format!("{} is not the name of a header", quoted(name));
            let help = "write a name such as `Authorization`";
            return Err(diagnostics.report("scenario::bad_name", at, message, "", help));
        }
    }
    Ok(headers)
}

/// Names with strings that may hold placeholders.
fn strings(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Vec<(String, String)>> {
    let mut all = Vec::new();
    let mut outcome = Ok(());
    for (name, entry, value) in metadata::each(field, diagnostics)? {
        match value.and_then(|text| sound(&entry, text, &Placeholder::ALL, diagnostics)) {
            Ok(text) => all.push((name, text)),
            Err(reported) => outcome = Err(reported),
        }
    }
    outcome.map(|()| all)
}

fn path(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<JsonPath> {
    let Kind::Path { .. } = field.key.kind else { mismatch(field) };
    let text = text(field, diagnostics)?;
    JsonPath::parse(&text).ok_or_else(|| {
        let help = format!(
            "write `$` and the keys that lead to the value, such as `{}`, `$[\"a key\"]` or `$.list[0]`",
            field.key.example
        );
        let (span, message) = (&field.value.span, cannot_be(field, &text));
        diagnostics.report("scenario::bad_path", span, message, "not a path within JSON", help)
    })
}

fn room(
    field: &Field<'_>,
    around: &Around<'_>,
    of_token: bool,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<RoomRule> {
    let mut fields = Fields::of(field, diagnostics)?;
    let known = [Placeholder::Agent, Placeholder::Run, Placeholder::Call];
    let name = fields.optional("name", diagnostics, |field, diagnostics| {
        let name = text(field, diagnostics)?;
        sound(field, room_of_one_call(field, name, around.load, diagnostics)?, &known, diagnostics)
    });
    let both = fields.take("name").and(fields.take("prefix"));
    let prefix = fields.value("prefix", diagnostics, |field, diagnostics| {
        let prefix = text(field, diagnostics)?;
        sound(field, prefix, &known, diagnostics)
    });
    let metadata = fields.optional("metadata", diagnostics, |field, diagnostics| {
        if of_token {
            return Err(of_the_endpoint(field, "room", diagnostics));
        }
        let metadata = metadata::read(field, diagnostics)?;
        sound(field, metadata, &Placeholder::ALL, diagnostics)
    });
    fields.finish(diagnostics)?;
    if let Some(prefix) = both {
        return Err(diagnostics.report(
            "scenario::bad_room",
            &prefix.at,
            "`prefix` cannot be used with `name`",
            "`name` is the whole name",
            "remove one of the two",
        ));
    }
    let (prefix, scenario) = (prefix?, around.scenario);
    let name = name?.unwrap_or_else(|| format!("{prefix}{scenario}-{{{{run}}}}-{{{{call}}}}"));
    Ok(RoomRule::new(name, metadata?.unwrap_or_default()))
}

/// Calls of one room would hear each other.
fn room_of_one_call(
    field: &Field<'_>,
    name: String,
    load: Load,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<String> {
    let several = matches!(load, Load::Repeat { calls, .. } if calls.get() > 1);
    if !several || template::holds(&name, Placeholder::Call) {
        return Ok(name);
    }
    Err(diagnostics.report(
        "scenario::bad_room",
        &field.value.span,
        "several calls cannot have one room",
        "this is the name of every call's room",
        "add the number of the call, such as `test-{{run}}-{{call}}`, or write `prefix` in place of `name`",
    ))
}

fn caller(field: &Field<'_>, of_token: bool, diagnostics: &mut Diagnostics<'_>) -> Checked<Caller> {
    let mut fields = Fields::of(field, diagnostics)?;
    let known = [Placeholder::Room, Placeholder::Agent, Placeholder::Run, Placeholder::Call];
    let identity = fields.value("identity", diagnostics, |field, diagnostics| {
        let identity = text(field, diagnostics)?;
        sound(field, identity, &known, diagnostics)
    });
    let all = &Placeholder::ALL[..];
    let name = fields.value("name", diagnostics, |field, diagnostics| {
        let name = text(field, diagnostics)?;
        sound(field, name, all, diagnostics)
    });
    let kind = fields.value("kind", diagnostics, |field, d| one_of(field, CALLER_KINDS, d));
    let attributes = fields.optional("attributes", diagnostics, strings);
    let metadata = fields.optional("metadata", diagnostics, |field, diagnostics| {
        let metadata = metadata::read(field, diagnostics)?;
        sound(field, metadata, all, diagnostics)
    });
    if of_token
        && let Some(field) =
            ["name", "kind", "attributes", "metadata"].into_iter().find_map(|key| fields.take(key))
    {
        return Err(of_the_endpoint(&field, "caller", diagnostics));
    }
    fields.finish(diagnostics)?;
    let (attributes, metadata) = (attributes?.unwrap_or_default(), metadata?.unwrap_or_default());
    Ok(Caller { identity: identity?, name: name?, metadata, attributes, kind: kind? })
}

/// The token of an answer decides, so this would reach nobody.
fn of_the_endpoint(
    field: &Field<'_>,
    of: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> super::diagnostics::Reported {
    diagnostics.report(
        "scenario::bad_dispatch",
        &field.at,
        format!(
            "{} of `{of}` cannot be used with a token of the start endpoint",
            quoted(field.name)
        ),
        "the token decides this",
        "remove it and send it in the `body` of `dispatch`, or remove `token` from `dispatch`",
    )
}

/// What the caller signals before or after a clip.
pub(super) fn signal(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Rpc> {
    let mut fields = Fields::of(field, diagnostics)?;
    let rpc = fields.value("rpc", diagnostics, |field, diagnostics| {
        let mut fields = Fields::of(field, diagnostics)?;
        let method = fields.value("method", diagnostics, text);
        let payload = fields.optional("payload", diagnostics, metadata::read);
        fields.finish(diagnostics)?;
        Ok(Rpc { method: method?, payload: payload?.unwrap_or_default() })
    });
    fields.finish(diagnostics)?;
    rpc
}

/// The text, if every placeholder in it is one that is known where it stands.
pub(super) fn sound(
    field: &Field<'_>,
    text: String,
    known: &[Placeholder],
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<String> {
    let wrong = template::placeholders(&text)
        .into_iter()
        .find(|(_, found)| found.is_none_or(|found| !known.contains(&found)));
    let Some((place, _)) = wrong else { return Ok(text) };
    let word = text.get(place).unwrap_or_default();
    let message = format!("{} cannot contain {}", quoted(field.name), quoted(word));
    let names: Vec<String> = known.iter().map(|of| format!("{{{{{}}}}}", of.name())).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let help = format!("the placeholders here are {}", list_and(&names));
    Err(diagnostics.report("scenario::unknown_placeholder", &field.value.span, message, "", help))
}
