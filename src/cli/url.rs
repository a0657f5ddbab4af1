//! Addresses and keys as they are given, by flags or variables: blanks at their ends go, and what cannot be one is
//! refused before anything is sent. What is refused is not repeated, as it may be secret.

use super::KeyArgs;
use super::failure::Failure;
use crate::room::address;
use crate::room::endpoint::Endpoint;
use crate::room::probe::ProbeError;
use crate::secret::Secret;

pub(super) use crate::room::address::without_credentials;

/// The address of a LiveKit server.
pub(super) fn server(text: &str) -> Result<String, Failure> {
    address::address(text).map_err(|why| Failure::usage(&why).hint(why.remedy()))
}

/// An API key; `name` is where it comes from.
pub(super) fn key(name: &str, text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let wrong = |what: &str| Err(Failure::usage(format!("{name} {what}")));
    if text.is_empty() {
        return wrong("is empty");
    }
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return wrong("has quotes around it: leave them out");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return wrong("has blanks or line breaks in it: copy it again");
    }
    Ok(text.to_owned())
}

/// An API secret.
pub(super) fn secret(name: &str, secret: &Secret) -> Result<Secret, Failure> {
    key(name, secret.expose()).map(Secret::new)
}

/// The server an address and keys name.
pub(super) fn given(keys: &KeyArgs) -> Result<Endpoint, Failure> {
    let Some(url) = &keys.url else {
        return Err(Failure::usage("no LiveKit server").hint(
            "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or --url, --api-key and \
             --api-secret)",
        ));
    };
    let url = server(url)?;
    let (api_key, api_secret) = match (&keys.api_key, &keys.api_secret) {
        (Some(api_key), Some(api_secret)) => (api_key, api_secret),
        (None, None) => {
            return Err(no_keys("LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not"));
        }
        (None, Some(_)) => return Err(no_keys("LIVEKIT_API_KEY is not")),
        (Some(_), None) => return Err(no_keys("LIVEKIT_API_SECRET is not")),
    };
    let api_key = key("LIVEKIT_API_KEY", api_key)?;
    let api_secret = secret("LIVEKIT_API_SECRET", api_secret)?;
    Ok(Endpoint { url, api_key, api_secret })
}

fn no_keys(missing: &str) -> Failure {
    Failure::usage(format!("the LiveKit URL is set, but {missing}"))
        .hint("set them, or use --api-key and --api-secret")
}

/// Why a server cannot be used, with what can be done about it.
pub(super) fn unusable(why: &ProbeError) -> Failure {
    let failure = Failure::nothing_measured(why);
    match why {
        ProbeError::UnknownKey { .. } => failure.hint(
            "check that LIVEKIT_URL and LIVEKIT_API_KEY are of the same project, and that key and secret are not swapped",
        ),
        ProbeError::WrongSecret { .. } => {
            failure.hint("copy LIVEKIT_API_SECRET again: it belongs to one API key")
        }
        ProbeError::Refused { .. } => {
            failure.hint("check LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
        }
        ProbeError::Clock { .. } => failure.hint("set this machine's clock, or the server's"),
        ProbeError::Other { .. } | ProbeError::NoServer { .. } => failure.hint("check LIVEKIT_URL"),
        ProbeError::NeedsTls { .. }
        | ProbeError::SpeaksNoTls { .. }
        | ProbeError::Redirects { .. } => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lose_blanks_and_nothing_of_them_is_repeated() {
        for text in ["APIkey", " APIkey", "APIkey\n", "\tAPIkey\r\n"] {
            assert_eq!(key("KEY", text).ok().as_deref(), Some("APIkey"), "{text:?}");
        }
        for (text, says) in [
            ("", "KEY is empty"),
            (" \n", "KEY is empty"),
            ("\"hunter2\"", "KEY has quotes around it"),
            ("'hunter2'", "KEY has quotes around it"),
            ("hunter2 hunter3", "KEY has blanks"),
            ("hunter2\nhunter3", "KEY has blanks"),
        ] {
            let why = key("KEY", text).unwrap_err();
            let why = why.message().unwrap_or_default();
            assert!(why.starts_with(says) && !why.contains("hunter"), "{text:?}: {why}");
        }
    }
}
