//! The flags of the receiver of the agent's spans.

use clap::{Args, ValueEnum};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The agent's own spans")]
pub(in crate::cli) struct ReceiverArgs {
    /// Take the agent's OpenTelemetry spans at this address (OTLP over HTTP), such as 127.0.0.1:4318 or
    /// 4318; off takes none. Beside --agent-command they are taken at a free port, and the agent is told.
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    pub(in crate::cli) otlp_receiver: Option<Listen>,
    /// Pass on the spans when the calls are over: otlp (to `OTEL_EXPORTER_OTLP_ENDPOINT`, with its headers)
    /// or langfuse (with its keys).
    #[arg(long, value_name = "WHERE", value_enum)]
    pub(in crate::cli) otlp_forward: Option<ForwardTo>,
    /// Add the call's `traceparent` to the metadata of the dispatch: an agent that takes it makes its spans
    /// part of the call's trace.
    #[arg(long)]
    pub(in crate::cli) traceparent: bool,
}

/// Where spans are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Listen {
    Off,
    At(SocketAddr),
}

/// Where spans are passed on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ForwardTo {
    Otlp,
    Langfuse,
}

/// `127.0.0.1:4318`, `localhost:4318`, `[::1]:4318`, `4318` or `off`.
fn listen(text: &str) -> Result<Listen, &'static str> {
    if text == "off" {
        return Ok(Listen::Off);
    }
    let loopback = |port: &str| {
        let port = port.parse().ok()?;
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    };
    let of_host = || loopback(text.strip_prefix("localhost:")?);
    let address = text.parse().ok().or_else(of_host).or_else(|| loopback(text));
    address.map(Listen::At).ok_or("write an IP address and a port, such as 127.0.0.1:4318, or off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_loopback_unless_it_is_named() {
        for (text, expected) in [
            ("4318", "127.0.0.1:4318"),
            ("localhost:4318", "127.0.0.1:4318"),
            ("0.0.0.0:4318", "0.0.0.0:4318"),
            ("[::1]:0", "[::1]:0"),
        ] {
            assert_eq!(listen(text), Ok(Listen::At(expected.parse().unwrap())));
        }
        assert_eq!(listen("off"), Ok(Listen::Off));
        for text in ["", "otel.example:4318", "127.0.0.1", "70000", ":4318"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }
}
