//! What a call has to leave behind: an address of JSON, and what has to stand there.

use std::time::Duration;

use serde_json::Value as Json;

use super::calling::Caller;
use super::diagnostics::{Checked, Diagnostics};
use super::dial::{headers, sound, url};
use super::fault::quoted;
use super::field::Field;
use super::fields::Fields;
use super::grammar::Kind;
use super::template::{self, Names, Placeholder, Within};
use super::values::{duration, list, mismatch};
use super::{Load, fill};

/// How much of a value is shown.
const SHOWN: usize = 60;

/// One check of the end state. Texts may hold placeholders and references to environment variables, as those by which
/// a call comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndState {
    pub get: String,
    /// Names and values, in the order of the file.
    pub headers: Vec<(String, String)>,
    /// How long after the caller has hung up it may take.
    pub within: Duration,
    /// JSON, with placeholders.
    equals: String,
}

impl EndState {
    /// In what the answer differs from what it should hold, for people; `None` where it does not.
    pub fn difference(&self, names: &Names, found: &Json) -> Option<String> {
        let wanted = fill(&self.equals, names, Within::Body);
        let wanted: Json = serde_json::from_str(&wanted).unwrap_or(Json::Null);
        difference("$", &wanted, found)
    }

    /// Whether two calls look at different things.
    fn names_call(&self, caller: &Caller) -> bool {
        let of_call = |text: &str, of: &[Placeholder]| of.iter().any(|p| template::holds(text, *p));
        let caller_differs = of_call(&caller.identity, &[Placeholder::Call, Placeholder::Room]);
        let values = self.headers.iter().map(|(_, value)| value);
        [&self.get, &self.equals].into_iter().chain(values).any(|text| {
            of_call(text, &[Placeholder::Call, Placeholder::Room])
                || caller_differs && of_call(text, &[Placeholder::Caller])
        })
    }
}

/// The first place in which `found` is not as `wanted`.
fn difference(at: &str, wanted: &Json, found: &Json) -> Option<String> {
    match (wanted, found) {
        (Json::Object(wanted), Json::Object(found)) => wanted.iter().find_map(|(key, value)| {
            let at = format!("{at}.{key}");
            match found.get(key) {
                Some(found) => difference(&at, value, found),
                None => Some(format!("`{}` is missing", shortened(&at))),
            }
        }),
        (Json::Array(wanted), Json::Array(found)) if wanted.len() == found.len() => {
            let mut pairs = (0_usize..).zip(wanted.iter().zip(found));
            pairs.find_map(|(i, (wanted, found))| difference(&format!("{at}[{i}]"), wanted, found))
        }
        (Json::Array(wanted), Json::Array(found)) => {
            Some(format!("`{}` has {} items, not {}", shortened(at), found.len(), wanted.len()))
        }
        (Json::Number(a), Json::Number(b)) if a == b || is_same_fraction(a, b) => None,
        _ if wanted == found => None,
        _ => {
            let [at, wanted, found] = [at, &wanted.to_string(), &found.to_string()].map(shortened);
            Some(format!("`{at}` is {found}, not {wanted}"))
        }
    }
}

/// `1` and `1.0`: integers are equal or not.
fn is_same_fraction(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
}

fn shortened(text: &str) -> String {
    crate::text::clipped(text, SHOWN)
}

/// The checks of a scenario.
pub(super) fn checks(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Vec<(EndState, std::ops::Range<usize>)>> {
    let items = list(field, diagnostics)?;
    let each = items.iter().map(|item| Ok((check(item, diagnostics)?, item.at.clone())));
    let all: Vec<Checked<_>> = each.collect();
    all.into_iter().collect()
}

fn check(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<EndState> {
    let mut fields = Fields::of(field, diagnostics)?;
    let code = "scenario::bad_end_state";
    let get = fields.value("get", diagnostics, |field, diagnostics| {
        let get = url(field, code, diagnostics)?;
        double_braces(field, get, diagnostics)
    });
    let headers = fields.optional("headers", diagnostics, headers);
    let within = fields.value("within", diagnostics, duration);
    let equals = fields.value("equals", diagnostics, |field, diagnostics| {
        let json = json(field, diagnostics)?;
        sound(field, json, &Placeholder::ALL, diagnostics)
    });
    fields.finish(diagnostics)?;
    Ok(EndState {
        get: get?,
        headers: headers?.unwrap_or_default(),
        within: within?,
        equals: equals?,
    })
}

/// `{call}` is how others write a placeholder; within an address it means nothing else.
fn double_braces(
    field: &Field<'_>,
    text: String,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<String> {
    let places = template::placeholders(&text);
    let within = |at: usize| places.iter().any(|(place, _)| place.contains(&at));
    let written = field.value.value.text().is_some();
    if !written || text.char_indices().all(|(at, c)| !matches!(c, '{' | '}') || within(at)) {
        return Ok(text);
    }
    Err(diagnostics.report(
        "scenario::unknown_placeholder",
        &field.value.span,
        format!("{} cannot contain single braces", quoted(field.name)),
        "",
        "write a placeholder with two: `{{room}}` for the name of the call's room, `{{call}}` for its number",
    ))
}

fn json(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<String> {
    let Kind::Json { max_bytes } = field.key.kind else { mismatch(field) };
    let text = serde_json::to_string(field.value).map_err(|_| diagnostics.wrong_type(field))?;
    if text.len() <= max_bytes {
        return Ok(text);
    }
    let message = format!("{} is larger than {} KiB", quoted(field.name), max_bytes / 1024);
    let label = format!("{} KiB of JSON", text.len().div_ceil(1024));
    let help = "name only what has to be so";
    Err(diagnostics.report("scenario::too_large", &field.at, message, label, help))
}

/// A state that all calls look at is met by the first of them.
pub(super) fn of_one_call(
    checks: Vec<(EndState, std::ops::Range<usize>)>,
    load: Load,
    caller: &Caller,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Vec<EndState>> {
    let several = matches!(load, Load::Repeat { calls, .. } if calls.get() > 1);
    let shared = checks.iter().find(|(check, _)| several && !check.names_call(caller));
    if let Some((_, at)) = shared {
        return Err(diagnostics.report(
            "scenario::bad_end_state",
            at,
            "several calls cannot have one end state",
            "every call looks at the same",
            "name the call in `get`, `headers` or `equals`: `{{room}}`, or `{{call}}`",
        ));
    }
    Ok(checks.into_iter().map(|(check, _)| check).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_may_hold_more_and_never_less() {
        let found = json!({"status": "booked", "seats": 2, "list": [{"a": 1, "b": 2}], "n": null});
        for (wanted, differs) in [
            (json!({}), None),
            (json!({"status": "booked"}), None),
            (json!({"seats": 2.0, "list": [{"a": 1}], "n": null}), None),
            (json!({"status": "open"}), Some("`$.status` is \"booked\", not \"open\"")),
            (json!({"seat": 2}), Some("`$.seat` is missing")),
            (json!({"seats": "2"}), Some("`$.seats` is 2, not \"2\"")),
            (json!({"list": [{"a": 2}]}), Some("`$.list[0].a` is 1, not 2")),
            (json!({"list": []}), Some("`$.list` has 1 items, not 0")),
            (json!({"n": false}), Some("`$.n` is null, not false")),
            (
                json!([]),
                Some(
                    "`$` is {\"list\":[{\"a\":1,\"b\":2}],\"n\":null,\"seats\":2,\"status\":\"booked\"…, not []",
                ),
            ),
        ] {
            let found = difference("$", &wanted, &found);
            assert_eq!(found.as_deref(), differs, "{wanted}");
        }
        // Integers that are the same as fractions are not.
        let [one, other] = [json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992_i64)];
        assert!(difference("$", &one, &other).is_some());
    }
}
