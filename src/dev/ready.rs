//! What says that an agent can take calls.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// What livekit-agents (Python and Node) logs once it can take calls.
const REGISTERED: &str = "registered worker";
/// How often a port is tried.
const EVERY: Duration = Duration::from_millis(50);

/// The sign of an agent that can take calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// A text in its output.
    Text(String),
    /// It listens on this TCP port of this machine.
    Port(u16),
}

/// As livekit-agents says it.
impl Default for Ready {
    fn default() -> Self {
        Self::Text(REGISTERED.to_owned())
    }
}

/// A text, or `port:8080`.
impl FromStr for Ready {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(port) = text.strip_prefix("port:") {
            let port = port.parse().ok().filter(|port| *port != 0);
            return port.map(Self::Port).ok_or("write a port from 1 to 65535, such as port:8080");
        }
        if text.trim().is_empty() || text.contains('\n') {
            return Err("write a text on one line that the agent prints, or port:N");
        }
        Ok(Self::Text(text.to_owned()))
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "print `{text}`"),
            Self::Port(port) => write!(f, "listen on port {port}"),
        }
    }
}

/// Whether somebody listens on a port of this machine.
pub(super) async fn listens(port: u16) -> bool {
    for host in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        if TcpStream::connect(SocketAddr::new(host, port)).await.is_ok() {
            return true;
        }
    }
    false
}

/// Waits until somebody does.
pub(super) async fn until_listening(port: u16) {
    while !listens(port).await {
        sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_a_text_or_a_port() {
        assert_eq!("Bot ready: 1".parse(), Ok(Ready::Text("Bot ready: 1".into())));
        assert_eq!("port:7860".parse(), Ok(Ready::Port(7860)));
        for text in ["", " ", "port:", "port:0", "port:65536", "a\nb"] {
            assert!(text.parse::<Ready>().is_err(), "{text:?}");
        }
    }
}
