//! Whether media reaches a server, and by which way: a room is joined, and the pair of addresses that the connection
//! uses is looked at.

use super::connection::{last_cause, leave, room_options};
use super::endpoint::{AdmitError, Dial, Endpoint};
use crate::clock::Clock;
use livekit::Room;
use livekit::webrtc::prelude::IceTransportsType;
use livekit::webrtc::stats::{IceCandidateType, RtcStats};
use std::time::Duration;

/// How long a way may take to be found.
const TIMEOUT: Duration = Duration::from_secs(12);
/// The engine tells of a connection's path every three seconds.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(250);

/// Which ways are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    Any,
    /// By a TURN server alone.
    Relayed,
}

/// A way that media takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// From dialling until the room was joined.
    pub joined_in: Duration,
    /// Through a TURN server.
    pub is_relayed: bool,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// There and back, as ICE measured it; `None` before its first answer.
    pub round_trip: Option<Duration>,
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    #[error(transparent)]
    Admit(#[from] AdmitError),
    #[error("the room could not be joined: {0}")]
    Join(String),
    #[error("the room could not be joined within {} s", TIMEOUT.as_secs())]
    Late,
    #[error("the room was joined, and no path for media was found")]
    NoPath,
}

/// Joins the room of `dial` and says how media gets there. It asks for no agent if `dial` names none.
///
/// # Errors
/// The room could not be joined in this way.
pub async fn reach(endpoint: &Endpoint, dial: &Dial, ways: Ways) -> Result<Way, ReachError> {
    let ticket = endpoint.admit(dial).await?;
    let mut options = room_options();
    options.join_retries = 0;
    if ways == Ways::Relayed {
        options.rtc_config.ice_transport_type = IceTransportsType::Relay;
    }
    let clock = Clock::start();
    let joining = Room::connect(&ticket.url, ticket.token.expose(), options);
    let joined = tokio::time::timeout(TIMEOUT, joining).await.map_err(|_| ReachError::Late)?;
    // Its news are nobody's; they are let go of with the room.
    let (room, _news) = joined.map_err(|e| ReachError::Join(last_cause(&e)))?;
    let joined_in = clock.now().since_start();
    let mut found = Err(ReachError::NoPath);
    for _ in 0..LOOKS {
        if let Some(way) = path(&room, joined_in).await {
            found = Ok(way);
            break;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    leave(&room).await;
    let _ = endpoint.delete_room(&dial.room).await;
    found
}

/// The path that the room's connection uses, once it is known.
async fn path(room: &Room, joined_in: Duration) -> Option<Way> {
    let stats = room.get_stats().await.ok()?;
    let all = || stats.subscriber_stats.iter().chain(&stats.publisher_stats);
    let pair = all().find_map(|entry| {
        if let RtcStats::CandidatePair(pair) = entry { Some(&pair.candidate_pair) } else { None }
    })?;
    let local = all().find_map(|entry| {
        if let RtcStats::LocalCandidate(local) = entry {
            Some(&local.local_candidate)
        } else {
            None
        }
    })?;
    let round_trip = pair.current_round_trip_time;
    Some(Way {
        joined_in,
        is_relayed: local.candidate_type == Some(IceCandidateType::Relay),
        protocol: local.protocol.clone(),
        round_trip: (round_trip > 0.0).then(|| Duration::from_secs_f64(round_trip)),
    })
}
