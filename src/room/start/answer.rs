//! What a start endpoint answers.

use crate::room::address::address;
use crate::scenario::{HttpDispatch, JsonPath};
use crate::secret::Secret;
use crate::text::{clipped, safe};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Longest name of a room and URL of a server, and keys of an answer that a message names.
const LONGEST: usize = 2_048;
const KEYS_NAMED: usize = 8;

/// What of an answer the scenario wants; what it does not want is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The room that the token is for, or the one that is named.
    pub room: Option<String>,
    pub token: Option<Secret>,
    pub server: Option<String>,
}

impl Answer {
    /// Whether anything of an answer is wanted.
    pub(super) const fn is_wanted(rule: &HttpDispatch) -> bool {
        rule.token.is_some() || rule.room.is_some() || rule.server.is_some()
    }

    /// Takes from an answer what the scenario says is in it; an error goes on with "the answer …".
    pub(super) fn read(bytes: &[u8], rule: &HttpDispatch) -> Result<Self, String> {
        let json: Value =
            serde_json::from_slice(bytes).map_err(|e| format!("is not JSON ({e})"))?;
        let wanted = |what: &str, path: &Option<JsonPath>| {
            path.as_ref().map(|path| text(&json, what, path)).transpose()
        };
        let token = wanted("token", &rule.token)?;
        let named = wanted("room", &rule.room)?;
        let server = wanted("server", &rule.server)?;
        let granted = token.as_deref().map(room_of).transpose()?;
        if let (Some(named), Some(granted)) = (&named, &granted)
            && named != granted
        {
            let [named, granted] = [named, granted].map(|name| clipped(&safe(name), 100));
            return Err(format!(
                "names the room `{named}`, but its token is for `{granted}`: leave `room` out of `dispatch`, the token says it"
            ));
        }
        let server = server.map(|server| address(&server)).transpose();
        let server = server.map_err(|why| {
            let (why, remedy) = (clipped(&safe(&why.to_string()), 200), why.remedy());
            format!("names a server that cannot be used: {why}: {remedy}")
        })?;
        Ok(Self { room: granted.or(named), token: token.map(Secret::new), server })
    }
}

/// The text at a place that is not empty and not too long.
fn text(json: &Value, what: &str, path: &JsonPath) -> Result<String, String> {
    let found = path.find(json);
    let limit = if what == "token" { usize::MAX } else { LONGEST };
    match found.and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() && text.len() <= limit => Ok(text.trim().to_owned()),
        Some(text) if text.len() > limit => {
            Err(format!("has more than {LONGEST} bytes at `{path}`, where the {what} should be"))
        }
        Some(_) => Err(format!("has an empty text at `{path}`, where the {what} should be")),
        None if found.is_some() => {
            Err(format!("has something else than a text at `{path}`, where the {what} should be"))
        }
        None => Err(format!("has nothing at `{path}`, where the {what} should be{}", keys(json))),
    }
}

/// The keys of an answer, and none of its values, which may be secret.
fn keys(json: &Value) -> String {
    let Some(object) = json.as_object() else { return " (it is not an object)".to_owned() };
    if object.is_empty() {
        return " (it is an empty object)".to_owned();
    }
    let keys = object.keys().take(KEYS_NAMED).map(|key| format!("`{}`", clipped(&safe(key), 40)));
    let keys: Vec<String> = keys.collect();
    let more = if object.len() > KEYS_NAMED { " …" } else { "" };
    format!(" (its keys are {}{more})", keys.join(", "))
}

/// The room that an access token is for. Who signed it is the server's business.
fn room_of(token: &str) -> Result<String, String> {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let room = claims.as_ref().and_then(|claims| claims["video"]["room"].as_str());
    match room {
        Some(room) if !room.is_empty() && room.len() <= LONGEST => Ok(room.to_owned()),
        Some(_) | None => {
            Err("has no access token for a LiveKit room where the token should be".to_owned())
        }
    }
}
