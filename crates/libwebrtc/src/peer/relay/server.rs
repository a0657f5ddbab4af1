//! TURN servers as they are configured: their URLs (RFC 7065), and what is needed to speak to one.

use std::{
    fmt::{self, Debug, Formatter},
    net::SocketAddr,
    sync::Arc,
};

use thiserror::Error;

/// Ports of servers whose URL names none.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;
/// Longest username and password, in bytes. A STUN attribute has room for 512 (RFC 8489, 14.3).
const CREDENTIAL_MAX: usize = 508;
/// Longest host name of DNS.
const HOST_MAX: usize = 253;

/// How this side talks to a TURN server. What is relayed is UDP in any case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RelayTransport {
    Udp,
    Tcp,
    /// TLS, and the name the certificate has to be for.
    Tls(Arc<str>),
}

/// What a URL says of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayUrl {
    pub(crate) transport: RelayTransport,
    /// A name or an address.
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum RelayUrlError {
    #[error("only turn: and turns: servers are used")]
    Scheme,
    #[error("TURN over DTLS is not supported: use transport=tcp")]
    Dtls,
    #[error("the transport is neither udp nor tcp")]
    Transport,
    #[error("it has no host, or one that is too long")]
    Host,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("it has no username or password, or one of more than {CREDENTIAL_MAX} bytes")]
    Credentials,
}

impl RelayUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, RelayUrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(RelayUrlError::Scheme)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "turn" => false,
            "turns" => true,
            _ => return Err(RelayUrlError::Scheme),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = split_port(place)?;
        if host.is_empty() || host.len() > HOST_MAX {
            return Err(RelayUrlError::Host);
        }
        let host: Arc<str> = host.into();
        let asked = query.split('&').find_map(|part| part.strip_prefix("transport="));
        let transport = match (is_secure, asked.map(str::to_ascii_lowercase).as_deref()) {
            (false, None | Some("udp")) => RelayTransport::Udp,
            (false, Some("tcp")) => RelayTransport::Tcp,
            (true, None | Some("tcp")) => RelayTransport::Tls(host.clone()),
            (true, Some("udp")) => return Err(RelayUrlError::Dtls),
            (_, Some(_)) => return Err(RelayUrlError::Transport),
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(RelayUrlError::Port)?,
            None if is_secure => TLS_PORT,
            None => PORT,
        };
        Ok(Self { transport, host, port })
    }
}

/// The host, without the brackets of an IPv6 address, and what is after the colon.
fn split_port(place: &str) -> Result<(&str, Option<&str>), RelayUrlError> {
    if let Some(bracketed) = place.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(RelayUrlError::Host)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(RelayUrlError::Host),
        };
    }
    match place.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

/// A username and its password. Neither is ever printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    pub(crate) fn new(username: &str, password: &str) -> Result<Self, RelayUrlError> {
        if [username, password].iter().any(|text| text.is_empty() || text.len() > CREDENTIAL_MAX) {
            return Err(RelayUrlError::Credentials);
        }
        Ok(Self { username: username.into(), password: password.into() })
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }
}

impl Debug for Credentials {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// A TURN server whose address is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayServer {
    pub(crate) transport: RelayTransport,
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Credentials,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(url: &str) -> Result<(RelayTransport, String, u16), RelayUrlError> {
        RelayUrl::parse(url).map(|url| (url.transport, url.host.to_string(), url.port))
    }

    #[test]
    fn urls_are_read() {
        use RelayTransport::{Tcp, Tls, Udp};
        let tls = |name: &str| Tls(name.into());
        for (url, expected) in [
            ("turn:t.example.org", (Udp, "t.example.org", 3478)),
            ("turn:192.0.2.1:443?transport=udp", (Udp, "192.0.2.1", 443)),
            ("TURN:t.example.org:80?transport=TCP", (Tcp, "t.example.org", 80)),
            ("turns:t.example.org", (tls("t.example.org"), "t.example.org", 5349)),
            ("turns:t.example.org:443?transport=tcp", (tls("t.example.org"), "t.example.org", 443)),
            ("turn:[2001:db8::1]:3479", (Udp, "2001:db8::1", 3479)),
            ("turn:[::1]", (Udp, "::1", 3478)),
        ] {
            let (transport, host, port) = expected;
            assert_eq!(parsed(url), Ok((transport, host.to_owned(), port)), "{url}");
        }
    }

    #[test]
    fn urls_of_no_use_are_refused() {
        for (url, expected) in [
            ("stun:t.example.org", RelayUrlError::Scheme),
            ("t.example.org", RelayUrlError::Scheme),
            ("turns:t.example.org?transport=udp", RelayUrlError::Dtls),
            ("turn:t.example.org?transport=sctp", RelayUrlError::Transport),
            ("turn:", RelayUrlError::Host),
            ("turn:[::1", RelayUrlError::Host),
            ("turn:[::1]3478", RelayUrlError::Host),
            ("turn:t.example.org:0", RelayUrlError::Port),
            ("turn:t.example.org:65536", RelayUrlError::Port),
            ("turn:::1", RelayUrlError::Host),
        ] {
            assert_eq!(parsed(url), Err(expected), "{url}");
        }
        assert!(Credentials::new("", "x").is_err() && Credentials::new("x", "").is_err());
        assert!(Credentials::new("x", &"y".repeat(509)).is_err());
    }

    #[test]
    fn credentials_are_not_printed() {
        let server = RelayServer {
            transport: RelayTransport::Udp,
            address: "192.0.2.1:3478".parse().unwrap(),
            credentials: Credentials::new("somebody", "hunter2").unwrap(),
        };
        let printed = format!("{server:?}");
        assert!(!printed.contains("somebody") && !printed.contains("hunter2"), "{printed}");
    }

    proptest! {
        #[test]
        fn any_text_as_url(text in "(turns?:)?\\PC{0,80}") {
            if let Ok(url) = RelayUrl::parse(&text) {
                prop_assert!(!url.host.is_empty() && url.port != 0);
            }
        }
    }
}
