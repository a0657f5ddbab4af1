//! URLs of LiveKit servers as recordings keep them.

/// `wss://user:password@host/path?query` → `wss://host/path`.
pub(super) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_without_what_is_secret_in_it() {
        for (url, kept) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            ("wss://user:pass@host.example/rtc?access_token=x", "wss://host.example/rtc"),
            ("wss://host.example?key=a@b", "wss://host.example"),
        ] {
            assert_eq!(without_credentials(url), kept);
        }
    }
}
