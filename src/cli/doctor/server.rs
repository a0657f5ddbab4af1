//! Whether calls can reach the server: its address, the keys, the clocks, and the ways of media.

use super::finding::{Area, Finding};
use crate::cli::url;
use crate::cli::url::without_credentials;
use crate::room::endpoint::{Dial, Endpoint, Guest};
use crate::room::probe::ProbeError;
use crate::room::reach::{ReachError, Way, Ways, reach};
use crate::room::registration::server_info;
use crate::scenario::CallerKind;
use crate::secret::Secret;

/// Asks a server; what follows a failure is not tested.
pub(super) async fn check(endpoint: &Endpoint, run_id: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let address = without_credentials(&endpoint.url);
    match endpoint.probe().await {
        Ok(probed) => {
            findings.push(Finding::ok(Area::Server, "address", format!("{address} answers")));
            findings.push(Finding::ok(
                Area::Server,
                "key and secret",
                "the server accepts a token made with them",
            ));
            findings.push(match probed.clock {
                None => Finding::not_tested(Area::Server, "clock", "the server tells no time"),
                Some(apart) if apart.matters() => Finding::failed(
                    Area::Server,
                    "clock",
                    format!("this machine's clock is {apart}"),
                    "synchronise the clocks (NTP): tokens are refused, and traces lie in the wrong place",
                ),
                Some(_) => Finding::ok(
                    Area::Server,
                    "clock",
                    "less than 5 s from the server's, whose answer tells whole seconds",
                ),
            });
        }
        Err(why) => {
            findings.push(refused(&why));
            for check in ["version", "media", "media by TURN"] {
                findings.push(Finding::not_tested(
                    Area::Server,
                    check,
                    "no call can be placed before that is mended",
                ));
            }
            return findings;
        }
    }
    findings.push(match server_info(endpoint).await {
        Ok(Some(server)) => {
            let region = if server.region.is_empty() { "" } else { ", region " };
            let text = format!("livekit-server {}{region}{}", server.version, server.region);
            Finding::ok(Area::Server, "version", text)
        }
        Ok(None) => Finding::not_tested(Area::Server, "version", "the server does not tell it"),
        Err(e) => Finding::failed(
            Area::Server,
            "agents",
            format!("the server registers no agents: {e}"),
            "check that the key may register agents, and that a proxy in front lets websockets to /agent through",
        ),
    });
    let room = |suffix: &str| format!("loadcall-doctor-{run_id}-{suffix}");
    let direct = reach(endpoint, &dial(room("any")), Ways::Any).await;
    findings.push(media(&direct));
    let relayed = reach(endpoint, &dial(room("turn")), Ways::Relayed).await;
    findings.push(turn(&relayed));
    findings
}

fn dial(room: String) -> Dial {
    let nothing = || Secret::new(String::new());
    Dial {
        room,
        room_metadata: nothing(),
        caller: Guest {
            identity: "loadcall-doctor".to_owned(),
            name: String::new(),
            metadata: nothing(),
            attributes: Vec::new(),
            kind: CallerKind::Standard,
        },
        agent_name: String::new(),
        agent_metadata: nothing(),
    }
}

fn refused(why: &ProbeError) -> Finding {
    let check = match why {
        ProbeError::UnknownKey { .. } => "key",
        ProbeError::WrongSecret { .. } => "secret",
        ProbeError::Clock { .. } => "clock",
        ProbeError::Refused { .. } => "key and secret",
        ProbeError::Other { .. }
        | ProbeError::NeedsTls { .. }
        | ProbeError::SpeaksNoTls { .. }
        | ProbeError::Redirects { .. }
        | ProbeError::NoServer { .. } => "address",
    };
    let failure = url::unusable(why);
    let remedy =
        failure.remedy().unwrap_or("check LIVEKIT_URL and that the server runs").to_owned();
    Finding::failed(Area::Server, check, why.to_string(), remedy)
}

fn media(found: &Result<Way, ReachError>) -> Finding {
    match found {
        Ok(way) if way.is_relayed || way.protocol != "udp" => Finding::failed(
            Area::Server,
            "media",
            format!("{}: no direct way by UDP", described(way)),
            "let UDP through to the server's ports (50000-60000, or what its rtc settings name): a relay or TCP adds delay that callers by UDP do not have",
        ),
        Ok(way) => Finding::ok(Area::Server, "media", described(way)),
        Err(e) => Finding::failed(
            Area::Server,
            "media",
            e.to_string(),
            "let UDP through to the server's ports, and check the address that the server advertises (rtc.node_ip, use_external_ip)",
        ),
    }
}

/// Calls work without a TURN server, so a relay that was not reached does not count as failed.
fn turn(found: &Result<Way, ReachError>) -> Finding {
    match found {
        Ok(way) => Finding::ok(Area::Server, "media by TURN", described(way)),
        Err(_) => Finding::not_tested(
            Area::Server,
            "media by TURN",
            "no relay was reached: the server offers no TURN server, or it cannot be reached from here",
        ),
    }
}

fn described(way: &Way) -> String {
    let kind = if way.is_relayed { "through a TURN server" } else { "directly" };
    let trip = match way.round_trip {
        Some(trip) => format!(", there and back in {:.1} ms", trip.as_secs_f64() * 1_000.0),
        None => String::new(),
    };
    let joined = way.joined_in.as_millis();
    format!("{kind} by {}{trip}; joined in {joined} ms", way.protocol.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Found;
    use super::*;
    use std::time::Duration;

    fn way(is_relayed: bool, protocol: &str) -> Way {
        let round_trip = Some(Duration::from_micros(1_240));
        let joined_in = Duration::from_millis(180);
        Way { joined_in, is_relayed, protocol: protocol.to_owned(), round_trip }
    }

    #[test]
    fn only_a_direct_way_by_udp_is_as_callers_have_it() {
        let direct = media(&Ok(way(false, "udp")));
        let evidence = "directly by UDP, there and back in 1.2 ms; joined in 180 ms".to_owned();
        assert_eq!(direct.found, Found::Ok { evidence });
        for bad in [Ok(way(true, "udp")), Ok(way(false, "tcp")), Err(ReachError::Late)] {
            assert!(matches!(media(&bad).found, Found::Failed { .. }), "{bad:?}");
        }
        assert!(matches!(turn(&Ok(way(true, "udp"))).found, Found::Ok { .. }));
        assert!(matches!(turn(&Err(ReachError::Late)).found, Found::NotTested { .. }));
    }
}
