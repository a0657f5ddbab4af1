//! What the engine measures of the path and of what the other side reports, as of its last report, once a second.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use str0m::{
    media::Mid,
    net::Protocol,
    stats::{CandidatePairStats, MediaEgressStats, MediaIngressStats},
};

use super::{Peer, transceiver::TRANSCEIVERS_MAX};
use crate::stats::{
    self, IceCandidatePairState, IceCandidateType, LocalCandidateStats, RemoteCandidateStats,
    RemoteInboundRtpStats, RemoteOutboundRtpStats, RtcStats, dictionaries::IceCandidateStats,
};

/// How often the engine reports.
pub(super) const EVERY: Duration = Duration::from_secs(1);
const PAIR_ID: &str = "CP";
const LOCAL_ID: &str = "L";
const REMOTE_ID: &str = "R";
/// RTP time runs this fast in Opus, whatever the sound (RFC 7587).
const OPUS_CLOCK: f64 = 48_000.0;

#[derive(Default)]
pub(super) struct Measured {
    pair: Option<CandidatePairStats>,
    /// How often another pair was chosen.
    pair_changes: u32,
    sent: HashMap<Mid, Sent>,
    received: HashMap<Mid, MediaIngressStats>,
}

struct Sent {
    last: MediaEgressStats,
    /// Round trips by the reports of the other side; one report a second at most is seen.
    round_trips: u64,
    total_round_trip: Duration,
}

impl Measured {
    pub(super) fn path(&mut self, pair: Option<CandidatePairStats>) {
        let ends = |p: &CandidatePairStats| (p.local.addr, p.remote.addr, p.protocol);
        if pair.as_ref().map(ends) != self.pair.as_ref().map(ends) {
            self.pair_changes += 1;
        }
        self.pair = pair;
    }

    pub(super) fn sent(&mut self, stats: MediaEgressStats) {
        let sequence =
            |stats: &MediaEgressStats| stats.remote.as_ref().map(|r| r.maximum_sequence_number);
        let known = self.sent.remove(&stats.mid);
        if known.is_none() && self.sent.len() >= TRANSCEIVERS_MAX {
            return;
        }
        let is_new = sequence(&stats) != known.as_ref().and_then(|k| sequence(&k.last));
        let round_trip = stats.rtt.filter(|_| is_new);
        let (count, total) =
            known.map_or((0, Duration::ZERO), |k| (k.round_trips, k.total_round_trip));
        let sent = Sent {
            round_trips: count + u64::from(round_trip.is_some()),
            total_round_trip: total + round_trip.unwrap_or_default(),
            last: stats,
        };
        self.sent.insert(sent.last.mid, sent);
    }

    pub(super) fn received(&mut self, stats: MediaIngressStats) {
        if self.received.len() < TRANSCEIVERS_MAX || self.received.contains_key(&stats.mid) {
            self.received.insert(stats.mid, stats);
        }
    }

    /// Empty while no pair is in use.
    pub(super) fn pair_id(&self) -> &'static str {
        if self.pair.is_some() { PAIR_ID } else { "" }
    }

    pub(super) fn pair_changes(&self) -> u32 {
        self.pair_changes
    }

    /// NACKs that came for what is sent on an m-line.
    pub(super) fn nacks_received(&self, mid: Mid) -> u32 {
        self.sent.get(&mid).map_or(0, |sent| clamped(sent.last.nacks))
    }

    /// NACKs that were sent for what is received on an m-line.
    pub(super) fn nacks_sent(&self, mid: Mid) -> u32 {
        self.received.get(&mid).map_or(0, |received| clamped(received.nacks))
    }

    /// What the other side says of what it receives on an m-line; nothing before its first report.
    pub(super) fn remote_inbound(&self, mid: Mid) -> Option<RtcStats> {
        let sent = self.sent.get(&mid)?;
        let remote = sent.last.remote.as_ref()?;
        let mut stats = RemoteInboundRtpStats::default();
        stats.rtc.id = format!("RI{mid}");
        stats.stream.kind = "audio".into();
        stats.received.packets_lost = signed_24_bits(remote.packets_lost);
        stats.received.jitter = f64::from(remote.jitter) / OPUS_CLOCK;
        stats.remote_inbound.local_id = format!("O{mid}");
        stats.remote_inbound.round_trip_time = seconds(sent.last.rtt);
        stats.remote_inbound.total_round_trip_time = sent.total_round_trip.as_secs_f64();
        stats.remote_inbound.round_trip_time_measurements = sent.round_trips;
        stats.remote_inbound.fraction_lost = sent.last.loss.map_or(0.0, f64::from);
        Some(RtcStats::RemoteInboundRtp(stats))
    }

    /// What the other side says it sent on an m-line; nothing before its first report.
    pub(super) fn remote_outbound(&self, mid: Mid) -> Option<RtcStats> {
        let received = self.received.get(&mid)?;
        let remote = received.remote.as_ref()?;
        let mut stats = RemoteOutboundRtpStats::default();
        stats.rtc.id = format!("RO{mid}");
        stats.stream.kind = "audio".into();
        stats.sent.packets_sent = remote.packets;
        stats.sent.bytes_sent = remote.bytes;
        stats.remote_outbound.local_id = format!("I{mid}");
        stats.remote_outbound.round_trip_time = seconds(received.rtt);
        Some(RtcStats::RemoteOutboundRtp(stats))
    }
}

impl Peer {
    /// The pair of candidates in use, and both of them.
    pub(super) fn path_stats(&self, transport: &str) -> Vec<RtcStats> {
        let Some(pair) = &self.measured.pair else { return vec![] };
        let mut stats = stats::CandidatePairStats::default();
        stats.rtc.id = PAIR_ID.into();
        let told = &mut stats.candidate_pair;
        told.transport_id = transport.into();
        told.local_candidate_id = LOCAL_ID.into();
        told.remote_candidate_id = REMOTE_ID.into();
        told.state = Some(IceCandidatePairState::Succeeded);
        told.nominated = true;
        told.current_round_trip_time = seconds(pair.current_round_trip_time);
        told.total_round_trip_time = pair.total_round_trip_time.as_secs_f64();
        told.responses_received = pair.responses_received;
        let (mut local, mut remote) =
            (LocalCandidateStats::default(), RemoteCandidateStats::default());
        local.rtc.id = LOCAL_ID.into();
        local.local_candidate =
            candidate(transport, pair.protocol, pair.local.addr, self.local_kind(pair.local.addr));
        remote.rtc.id = REMOTE_ID.into();
        let kind = self.remote_kind(pair.protocol, pair.remote.addr);
        remote.remote_candidate = candidate(transport, pair.protocol, pair.remote.addr, kind);
        vec![
            RtcStats::CandidatePair(stats),
            RtcStats::LocalCandidate(local),
            RtcStats::RemoteCandidate(remote),
        ]
    }
}

fn candidate(
    transport: &str,
    protocol: Protocol,
    address: SocketAddr,
    kind: IceCandidateType,
) -> IceCandidateStats {
    IceCandidateStats {
        transport_id: transport.into(),
        address: address.ip().to_string(),
        port: address.port().into(),
        protocol: protocol.to_string(),
        candidate_type: Some(kind),
        ..IceCandidateStats::default()
    }
}

fn seconds(time: Option<Duration>) -> f64 {
    time.unwrap_or_default().as_secs_f64()
}

fn clamped(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A count of lost packets is below zero where packets came twice (RFC 3550, 6.4.1).
fn signed_24_bits(count: u64) -> i64 {
    let count = i64::try_from(count & 0xff_ffff).unwrap_or_default();
    if count < 0x80_0000 { count } else { count - 0x100_0000 }
}
