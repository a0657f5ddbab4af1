//! The address of a LiveKit server as people write it. What calls would fail at is found before anything is sent there.

use reqwest::Url;

/// Why a text is not the address of a LiveKit server. No message repeats a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("`{0}` is not a LiveKit URL")]
    NotOne(String),
    #[error("the LiveKit URL `{url}` has a path")]
    Path { url: String, path: String },
    #[error("the LiveKit URL `{0}` has something after `?` or `#`")]
    Query(String),
    #[error("the LiveKit URL `{0}` has a user name or a password")]
    Credentials(String),
    #[error("the LiveKit URL `{0}` begins with a quote")]
    Quoted(String),
}

impl AddressError {
    /// What to write instead.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotOne(_) => "write it as ws://host:port or wss://host".to_owned(),
            Self::Path { path, .. } => format!("leave out `{path}`: LiveKit's own paths are added"),
            Self::Query(_) => "leave it out".to_owned(),
            Self::Credentials(_) => {
                "leave them out: the API key and secret say who calls".to_owned()
            }
            Self::Quoted(_) => "leave out the quotes".to_owned(),
        }
    }
}

/// The address in one form: `ws`, `wss`, `http` or `https`, host and port, no blanks and no slash at the end.
///
/// # Errors
/// A text that is not such an address, or has more in it.
pub fn address(text: &str) -> Result<String, AddressError> {
    let text = text.trim();
    if text.starts_with(['"', '\'', '`']) {
        return Err(AddressError::Quoted(without_credentials(text)));
    }
    let wrong = || AddressError::NotOne(without_credentials(text));
    let url = Url::parse(text).map_err(|_| wrong())?;
    let known = matches!(url.scheme(), "ws" | "wss" | "http" | "https");
    // The parser is a browser's, which forgives what nobody means.
    let plain = text.contains("://") && !text.contains(char::is_whitespace) && !text.contains('\\');
    let Some(host) = url.host_str().filter(|_| known && plain && url.port() != Some(0)) else {
        return Err(wrong());
    };
    let shown = without_credentials(text);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Credentials(shown));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AddressError::Query(shown));
    }
    if url.path() != "/" {
        return Err(AddressError::Path { path: url.path().to_owned(), url: shown });
    }
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    Ok(format!("{}://{host}{port}", url.scheme()))
}

/// What may be shown of an address: `wss://user:password@host/path?query` → `wss://host/path`.
pub fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
    // A password may hold anything, so whatever stands before the last `@` goes.
    let (authority, path) = match path.rsplit_once('@') {
        Some((_, path)) => path.split_once('/').unwrap_or((path, "")),
        None => (authority.rsplit_once('@').map_or(authority, |(_, host)| host), path),
    };
    let slash = if path.is_empty() { "" } else { "/" };
    let colon = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{colon}{authority}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_has_one_form() {
        for (text, form) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            (" wss://host.example/ \n", "wss://host.example"),
            ("WSS://Host.Example", "wss://host.example"),
            ("http://localhost:7880/", "http://localhost:7880"),
            ("https://host.example:443", "https://host.example"),
            ("ws://[::1]:7880", "ws://[::1]:7880"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(form), "{text:?}");
        }
    }

    #[test]
    fn what_calls_would_fail_at_is_named() {
        for text in [
            "",
            " ",
            "ws://",
            "ws:",
            "ws:/host",
            "ws:host",
            "host:7880",
            "host",
            "ftp://host",
            "ws://host:99999",
            "ws://host:0",
            "ws://a b",
            "ws:\\\\host",
            "ws://host:port",
        ] {
            let why = address(text).unwrap_err();
            assert!(matches!(why, AddressError::NotOne(_)), "{text:?}: {why}");
        }
        for (text, says) in [
            ("ws://host:7880/rtc", "`ws://host:7880/rtc` has a path: leave out `/rtc`"),
            ("wss://host/foo/", "leave out `/foo/`"),
            ("ws://host?x=1", "`ws://host` has something after `?`"),
            ("ws://host#x", "after `?` or `#`"),
            ("ws://user:hunter2@host", "`ws://host` has a user name or a password"),
            ("'ws://host'", "leave out the quotes"),
            ("\"ws://host\"", "leave out the quotes"),
        ] {
            let why = address(text).unwrap_err();
            let why = format!("{why}: {}", why.remedy());
            assert!(why.contains(says), "{text:?}: {why}");
        }
    }

    #[test]
    fn an_address_is_shown_without_what_is_secret_in_it() {
        for (url, kept) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            ("wss://user:pass@host.example/rtc?access_token=x", "wss://host.example/rtc"),
            ("wss://host.example?key=a@b", "wss://host.example"),
            ("ws://user:pa/ss@host/x", "ws://host/x"),
            ("user:pass@host", "host"),
            ("host:7880", "host:7880"),
        ] {
            assert_eq!(without_credentials(url), kept);
        }
    }

    proptest! {
        #[test]
        fn no_message_holds_a_password(user in "[a-z]{0,5}", host in "[a-z ]{0,8}", tail in "[/?#a-z]{0,8}") {
            let text = format!("ws://{user}:Hunter2@{host}{tail}");
            let said = address(&text).unwrap_or_else(|e| e.to_string());
            prop_assert!(!said.contains("Hunter2"), "{said}");
        }
    }
}
