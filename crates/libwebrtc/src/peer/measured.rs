//! What the engine measures of the path, every few seconds, and what the other side reports of audio, as of its last report.

use std::{net::SocketAddr, time::Duration};

use str0m::{net::Protocol, stats::CandidatePairStats};

use super::{Peer, Transceiver};
use crate::{
    media::AudioRx,
    types::stats::{
        self, IceCandidatePairState, IceCandidateType, LocalCandidateStats, RemoteCandidateStats,
        RemoteInboundRtpStats, RemoteOutboundRtpStats, RtcStats, dictionaries::IceCandidateStats,
    },
};

/// How often the engine reports, for which it goes through all m-lines.
pub(super) const EVERY: Duration = Duration::from_secs(3);
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
}

impl Measured {
    pub(super) fn path(&mut self, pair: Option<CandidatePairStats>) {
        let ends = |p: &CandidatePairStats| (p.local.addr, p.remote.addr, p.protocol);
        if pair.as_ref().map(ends) != self.pair.as_ref().map(ends) {
            self.pair_changes += 1;
        }
        self.pair = pair;
    }

    /// Empty while no pair is in use.
    pub(super) fn pair_id(&self) -> &'static str {
        if self.pair.is_some() { PAIR_ID } else { "" }
    }

    pub(super) fn pair_changes(&self) -> u32 {
        self.pair_changes
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

    /// What the other side says of what it receives on an m-line; nothing before its first report.
    pub(super) fn remote_inbound(&self, index: usize) -> Option<RtcStats> {
        let said = self.rtp.receiver_said(index)?;
        let mid = self.transceivers.get(index)?.mid()?;
        let mut stats = RemoteInboundRtpStats::default();
        stats.rtc.id = format!("RI{mid}");
        stats.stream.kind = "audio".into();
        stats.received.packets_lost = said.lost.into();
        stats.received.jitter = f64::from(said.jitter) / OPUS_CLOCK;
        stats.remote_inbound.local_id = format!("O{mid}");
        stats.remote_inbound.round_trip_time = seconds(said.round_trip);
        stats.remote_inbound.total_round_trip_time = said.total_round_trip.as_secs_f64();
        stats.remote_inbound.round_trip_time_measurements = said.round_trips;
        stats.remote_inbound.fraction_lost = said.share_lost;
        Some(RtcStats::RemoteInboundRtp(stats))
    }

    /// What the other side says it sent on an m-line; nothing before its first report.
    pub(super) fn remote_outbound(&self, transceiver: &Transceiver) -> Option<RtcStats> {
        let received = transceiver.receiver.as_ref().map(AudioRx::stats)?;
        let said = self.rtp.sender_said(received.ssrc)?;
        let mid = transceiver.mid()?;
        let mut stats = RemoteOutboundRtpStats::default();
        stats.rtc.id = format!("RO{mid}");
        stats.stream.kind = "audio".into();
        stats.sent.packets_sent = said.packets.into();
        stats.sent.bytes_sent = said.bytes.into();
        stats.remote_outbound.local_id = format!("I{mid}");
        Some(RtcStats::RemoteOutboundRtp(stats))
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
