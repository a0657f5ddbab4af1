//! The stats of a connection.

use super::{Counters, Peer, Transceiver, channel::Channel};
use crate::{
    media::{AudioRx, AudioTx},
    types::stats::{
        DataChannelStats, DtlsTransportState, IceTransportState, InboundRtpStats, OutboundRtpStats,
        PeerConnectionStats, RtcStats, TransportStats,
    },
};

const TRANSPORT_ID: &str = "T01";

impl Peer {
    pub(crate) fn stats(&mut self) -> Vec<RtcStats> {
        let mut report = vec![connection_stats(&self.counters), self.transport_stats()];
        report.extend(self.path_stats(TRANSPORT_ID));
        for (index, transceiver) in self.transceivers.iter().enumerate() {
            let mut sent = transceiver.outbound_stats();
            if let Some(RtcStats::OutboundRtp(sent)) = sent.first_mut() {
                sent.outbound.nack_count = self.rtp.asked_again(index);
            }
            report.extend(sent);
            report.extend(transceiver.inbound_stats());
            report.extend(self.remote_inbound(index));
            report.extend(self.remote_outbound(transceiver));
        }
        for index in 0..self.channels.len() {
            let stream = self.stream_id(self.channels[index].key);
            report.push(channel_stats(&self.channels[index], stream));
        }
        report
    }

    fn transport_stats(&self) -> RtcStats {
        use crate::types::states::IceConnectionState as Ice;
        let mut stats = TransportStats::default();
        stats.rtc.id = TRANSPORT_ID.into();
        stats.transport.packets_sent = self.counters.datagrams_sent;
        stats.transport.packets_received = self.counters.datagrams_received;
        stats.transport.bytes_sent = self.counters.bytes_sent;
        stats.transport.bytes_received = self.counters.bytes_received;
        stats.transport.selected_candidate_pair_id = self.measured.pair_id().into();
        stats.transport.selected_candidate_pair_changes = self.measured.pair_changes();
        stats.transport.dtls_state = Some(match (self.is_closed(), self.dtls_up) {
            (true, _) => DtlsTransportState::Closed,
            (false, true) => DtlsTransportState::Connected,
            (false, false) => DtlsTransportState::New,
        });
        stats.transport.ice_state = Some(match self.ice_state {
            Ice::New | Ice::Max => IceTransportState::New,
            Ice::Checking => IceTransportState::Checking,
            Ice::Connected => IceTransportState::Connected,
            Ice::Completed => IceTransportState::Completed,
            Ice::Failed => IceTransportState::Failed,
            Ice::Disconnected => IceTransportState::Disconnected,
            Ice::Closed => IceTransportState::Closed,
        });
        RtcStats::Transport(stats)
    }
}

impl Transceiver {
    /// Nothing before the first packet.
    pub(crate) fn outbound_stats(&self) -> Vec<RtcStats> {
        let Some(sent) = self.sender.as_ref().map(AudioTx::stats).filter(|sent| sent.packets > 0)
        else {
            return vec![];
        };
        let mid = self.mid().map(|m| m.to_string()).unwrap_or_default();
        let mut stats = OutboundRtpStats::default();
        stats.rtc.id = format!("O{mid}");
        stats.stream.kind = "audio".into();
        stats.stream.transport_id = TRANSPORT_ID.into();
        stats.sent.packets_sent = sent.packets;
        stats.sent.bytes_sent = sent.bytes;
        stats.outbound.remote_id = format!("RI{mid}");
        stats.outbound.mid = mid;
        stats.outbound.active = self.is_active();
        vec![RtcStats::OutboundRtp(stats)]
    }

    /// Nothing before the first packet.
    pub(crate) fn inbound_stats(&self) -> Vec<RtcStats> {
        let Some(received) = self.receiver.as_ref().map(AudioRx::stats).filter(|r| r.packets > 0)
        else {
            return vec![];
        };
        let mid = self.mid().map(|m| m.to_string()).unwrap_or_default();
        let mut stats = InboundRtpStats::default();
        stats.rtc.id = format!("I{mid}");
        stats.stream.kind = "audio".into();
        stats.stream.ssrc = received.ssrc;
        stats.stream.transport_id = TRANSPORT_ID.into();
        stats.received.packets_received = received.packets;
        stats.received.packets_lost = i64::try_from(received.lost).unwrap_or(i64::MAX);
        stats.received.jitter = received.jitter;
        stats.inbound.bytes_received = received.bytes;
        stats.inbound.packets_discarded = received.discarded;
        stats.inbound.total_samples_received = received.samples;
        stats.inbound.concealed_samples = received.concealed_samples;
        stats.inbound.silent_concealed_samples = received.silent_concealed_samples;
        stats.inbound.concealment_events = received.concealment_events;
        stats.inbound.jitter_buffer_delay = received.jitter_buffer_delay;
        stats.inbound.jitter_buffer_emitted_count = received.jitter_buffer_emitted;
        stats.inbound.track_identifier = self.remote_track().id().into();
        stats.inbound.remote_id = format!("RO{mid}");
        stats.inbound.mid = mid;
        vec![RtcStats::InboundRtp(stats)]
    }
}

fn connection_stats(counters: &Counters) -> RtcStats {
    let mut stats = PeerConnectionStats::default();
    stats.rtc.id = "P".into();
    stats.pc.data_channels_opened = counters.channels_opened;
    stats.pc.data_channels_closed = counters.channels_closed;
    RtcStats::PeerConnection(stats)
}

fn channel_stats(channel: &Channel, stream: Option<u16>) -> RtcStats {
    let mut stats = DataChannelStats::default();
    stats.rtc.id = format!("D{}", channel.key.index());
    stats.dc.label.clone_from(&channel.label);
    stats.dc.protocol.clone_from(&channel.protocol);
    stats.dc.data_channel_identifier = stream.map_or(-1, i32::from);
    stats.dc.state = Some(channel.state);
    stats.dc.messages_sent = channel.counters.messages_sent;
    stats.dc.bytes_sent = channel.counters.bytes_sent;
    stats.dc.messages_received = channel.counters.messages_received;
    stats.dc.bytes_received = channel.counters.bytes_received;
    RtcStats::DataChannel(stats)
}
