//! Audio between the tracks of the transceivers and the RTP streams of the engine.

use std::time::{Duration, Instant};

use str0m::{
    Input,
    media::Pt,
    rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc},
};

use super::{Due, Peer, ROUTES_MAX, TransceiverId, is_rtp};
use crate::media::{AudioRx, AudioTx, IncomingPacket, OutgoingPacket};

/// Packets at least this loud (in -dBov, so: at most this number) are announced as voice.
const VOICE_LEVEL: u8 = 60;

/// A packet that the engine was given to encrypt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fetched {
    ssrc: u32,
    seq: u16,
    due: Due,
}

impl Peer {
    /// Fetches the packets of microphones that are due at `now`, and those that go with them. Poll until
    /// [`waits_for_audio`](Self::waits_for_audio) is over.
    pub(crate) fn fetch_audio(&mut self, now: Instant) {
        // What did not come out of the engine by now will not do so any more.
        self.fetched.clear();
        self.now = self.now.max(now);
        if !self.dtls_up || self.is_closed() {
            return;
        }
        for index in 0..self.transceivers.len() {
            self.transceivers[index].start_sender(now);
            while let Some(packet) =
                self.transceivers[index].sender.as_mut().and_then(|tx| tx.tick(now))
            {
                self.write(TransceiverId::new(index), packet, now);
            }
        }
        if self.waits_for_audio() {
            // The engine stamps and releases what was written when time is passed to it.
            self.input(Input::Timeout(now));
        }
    }

    /// Whether there are packets of microphones among what is to be polled.
    pub(crate) fn waits_for_audio(&self) -> bool {
        !self.fetched.is_empty()
    }

    /// When a datagram is to leave, if it is one of those.
    pub(super) fn due(&mut self, datagram: &[u8]) -> Option<Due> {
        let place = self.fetched.iter().position(|fetched| fetched.is_in(datagram))?;
        self.fetched.remove(place).map(|fetched| fetched.due)
    }

    /// A packet of a microphone has left, so long after it was due.
    pub(crate) fn audio_left(&mut self, microphone: TransceiverId, late: Duration) {
        if let Some(sender) = self.transceiver_mut(microphone).and_then(|t| t.sender.as_ref()) {
            sender.left(late);
        }
    }

    /// How many packets may wait for one another before their readers have to be told: as many as all of them agree to.
    pub(crate) fn patience(&mut self) -> usize {
        let receivers = self.transceivers.iter_mut().filter_map(|t| t.receiver.as_mut());
        receivers.filter_map(AudioRx::patience).min().unwrap_or(1)
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

    fn write(&mut self, id: TransceiverId, packet: OutgoingPacket, now: Instant) {
        let Some(transceiver) = self.transceivers.get(id.index()).filter(|t| t.is_active()) else {
            return;
        };
        let Some((mid, payload_type)) = transceiver.mid().zip(transceiver.opus_payload_type())
        else {
            return;
        };
        let mut engine = self.rtc.direct_api();
        let Some(stream) = engine.stream_tx_by_mid(mid, None) else { return };
        self.fetched.push_back(Fetched {
            ssrc: *stream.ssrc(),
            #[expect(clippy::cast_possible_truncation, reason = "as it is in the header")]
            seq: packet.seq as u16,
            due: Due { at: packet.deadline, microphone: id },
        });
        stream.write_rtp(rtp(packet, payload_type, now));
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

impl Fetched {
    /// Whether it is what a datagram holds: its sequence number and its stream are not encrypted (RFC 3711, 3.1), and one
    /// that is sent again comes later.
    fn is_in(&self, datagram: &[u8]) -> bool {
        is_rtp(datagram)
            && datagram.get(2..4) == Some(&self.seq.to_be_bytes())
            && datagram.get(8..12) == Some(&self.ssrc.to_be_bytes())
    }
}

/// Sender reports go by the packet that is written last and the time of writing it, and no time in the future is taken
/// there. So they place the samples, which are captured in the period before a packet is due, one period too late, or as
/// many too early as packets are fetched ahead, less one.
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
