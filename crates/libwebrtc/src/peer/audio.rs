//! Audio between the tracks of the transceivers and the RTP streams of the engine.

use std::time::Instant;

use str0m::{
    Input,
    media::Pt,
    rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc},
};

use super::{Peer, ROUTES_MAX, TransceiverId};
use crate::media::{AudioRx, AudioTx, IncomingPacket, OutgoingPacket};

/// Packets at least this loud (in -dBov, so: at most this number) are announced as voice.
const VOICE_LEVEL: u8 = 60;

impl Peer {
    /// Sends one microphone packet, if one is due at `now`. Poll, and call again with the clock read anew, until the
    /// answer is `false`: so the time of a packet is the time it is really sent at.
    pub(crate) fn send_due_audio(&mut self, now: Instant) -> bool {
        if !self.dtls_up || self.is_closed() {
            return false;
        }
        for index in 0..self.transceivers.len() {
            let transceiver = &mut self.transceivers[index];
            transceiver.start_sender(now);
            let Some(packet) = transceiver.sender.as_mut().and_then(|tx| tx.tick(now)) else {
                continue;
            };
            if self.write(TransceiverId::new(index), packet, now) {
                // The engine stamps and releases what was written when time is passed to it.
                self.input(Input::Timeout(now));
            }
            return true;
        }
        false
    }

    /// Plays what is due of the tracks that are received.
    pub(super) fn play_due_audio(&mut self, now: Instant) {
        for receiver in self.transceivers.iter_mut().filter_map(|t| t.receiver.as_mut()) {
            receiver.tick(now);
        }
    }

    /// Wakes those who read packets. A driver of many connections does so when it has read from all of them, so that the
    /// application wakes once for the packets of all its calls and not once for each.
    pub(crate) fn wake_readers(&self) {
        self.transceivers.iter().filter_map(|t| t.receiver.as_ref()).for_each(AudioRx::wake_taps);
    }

    /// When audio wants to be called next.
    pub(super) fn audio_deadline(&mut self) -> Option<Instant> {
        if self.is_closed() {
            return None;
        }
        let (now, sends) = (self.now, self.dtls_up);
        let deadlines = self.transceivers.iter_mut().flat_map(|transceiver| {
            let sending = transceiver.sender.as_ref().filter(|_| sends).map(AudioTx::next_deadline);
            let playing = transceiver.receiver.as_mut().and_then(|rx| rx.next_deadline(now));
            [sending, playing]
        });
        deadlines.flatten().min()
    }

    /// Routes a packet to the track of its m-line.
    pub(super) fn receive_packet(&mut self, packet: RtpPacket) {
        let ssrc = packet.header.ssrc;
        let Some(id) = self.route(ssrc) else { return };
        let Some(transceiver) = self.transceivers.get_mut(id.index()) else { return };
        if transceiver.opus_payload_type() != Some(packet.header.payload_type) {
            return;
        }
        let Some(receiver) = &mut transceiver.receiver else { return };
        receiver.receive(IncomingPacket {
            ssrc: *ssrc,
            seq: *packet.seq_no,
            rtp_time: packet.header.timestamp,
            payload: packet.payload,
            arrival: packet.timestamp,
        });
    }

    fn write(&mut self, id: TransceiverId, packet: OutgoingPacket, now: Instant) -> bool {
        let Some(transceiver) = self.transceivers.get(id.index()).filter(|t| t.is_active()) else {
            return false;
        };
        let Some((mid, payload_type)) = transceiver.mid().zip(transceiver.opus_payload_type())
        else {
            return false;
        };
        let mut engine = self.rtc.direct_api();
        let Some(stream) = engine.stream_tx_by_mid(mid, None) else { return false };
        stream.write_rtp(rtp(packet, payload_type, now));
        true
    }

    /// Which transceiver a stream belongs to. Looked up once for each stream and negotiation: the lookup makes the
    /// engine poll everything again.
    fn route(&mut self, ssrc: Ssrc) -> Option<TransceiverId> {
        if let Some(id) = self.routes.get(&ssrc) {
            return Some(*id);
        }
        let mid = self.rtc.direct_api().stream_rx(&ssrc)?.mid();
        let id = TransceiverId::new(self.transceivers.iter().position(|t| t.mid() == Some(mid))?);
        if self.routes.len() < ROUTES_MAX {
            self.routes.insert(ssrc, id);
        }
        Some(id)
    }
}

fn rtp(packet: OutgoingPacket, payload_type: Pt, now: Instant) -> RtpWrite {
    let level = i8::try_from(packet.level).unwrap_or(i8::MAX);
    let extensions = ExtensionValues {
        audio_level: Some(-level),
        voice_activity: Some(packet.level <= VOICE_LEVEL),
        ..ExtensionValues::default()
    };
    RtpWrite::new(payload_type, packet.seq.into(), packet.rtp_time, now, packet.payload)
        .marker(packet.marker)
        .ext_vals(extensions)
        .nackable(true)
}
