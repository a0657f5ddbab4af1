//! Audio between the tracks of the transceivers and the streams of the connection.

use std::time::{Duration, Instant};

use str0m::media::Mid;

use super::{Due, Output, Peer, Transceiver, TransceiverId, datagrams::is_rtcp};
use crate::{
    media::{AudioRx, AudioTx},
    rtp::Line,
    types::sdp::{self, Section},
};

impl Peer {
    /// Fetches the packets of microphones that are due at `now`, and those that go with them. They are the next to be
    /// [polled](Self::poll_audio).
    pub(crate) fn fetch_audio(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.dtls_up || self.is_closed() {
            return;
        }
        for index in 0..self.transceivers.len() {
            self.transceivers[index].start_sender(now);
            while let Some(packet) =
                self.transceivers[index].sender.as_mut().and_then(|tx| tx.tick(now))
            {
                if !self.transceivers[index].is_active() {
                    continue;
                }
                if let Some(datagram) = self.rtp.seal(index, &packet) {
                    let microphone = TransceiverId::new(index);
                    self.send_audio(datagram, Some(Due { at: packet.deadline, microphone }));
                }
            }
        }
    }

    /// What [`poll`](Self::poll) would answer, where that is audio or a report about it.
    pub(crate) fn poll_audio(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }

    /// A packet of a microphone has left, so long after it was due.
    pub(crate) fn audio_left(&mut self, microphone: TransceiverId, late: Duration) {
        if let Some(sender) = self.transceiver_mut(microphone).and_then(|t| t.sender.as_ref()) {
            sender.left(late);
        }
    }

    /// How many packets may wait for one another before their readers are woken: as many as all of them agree to.
    pub(crate) fn batch(&mut self) -> u32 {
        let receivers = self.transceivers.iter_mut().filter_map(|t| t.receiver.as_mut());
        receivers.filter_map(AudioRx::batch).min().unwrap_or(1)
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

    /// Takes a datagram of audio or of reports about it. The answer is whether it was one of the other side's.
    pub(super) fn receive_audio(&mut self, datagram: &[u8], arrival: Instant) -> bool {
        if self.is_closed() {
            return false;
        }
        if is_rtcp(datagram) {
            let is_theirs = self.rtp.open_report(datagram, arrival);
            while let Some(again) = self.rtp.poll_again() {
                self.send_audio(again, None);
            }
            return is_theirs;
        }
        let Some(opened) = self.rtp.open(datagram, arrival) else { return false };
        let transceiver = self.transceivers.get_mut(opened.line);
        if let Some(receiver) = transceiver.and_then(|transceiver| transceiver.receiver.as_mut()) {
            receiver.receive(opened.packet);
        }
        true
    }

    /// Sends the reports that are due.
    pub(super) fn report(&mut self, now: Instant) {
        for report in self.rtp.report(now) {
            self.send_audio(report.into(), None);
        }
    }

    /// Takes over what both descriptions in force say about the streams of each m-line.
    pub(super) fn agree_lines(&mut self) {
        let Some(remote) = self.current_remote_description() else { return };
        for section in sdp::sections(remote.text()) {
            let mid: Mid = section.mid.as_str().into();
            let place = self.transceivers.iter().position(|t| t.mid() == Some(mid));
            let Some(place) = place else { continue };
            if let Some(line) = self.line(place, mid, section) {
                self.rtp.agree(place, line);
            }
        }
    }

    fn line(&mut self, place: usize, mid: Mid, section: Section) -> Option<Line> {
        let payload_type = self.transceivers.get(place).and_then(Transceiver::opus_payload_type)?;
        let mut engine = self.rtc.direct_api();
        let ssrc = engine.stream_tx_by_mid(mid, None).map(|stream| *stream.ssrc());
        Some(Line {
            mid: section.mid,
            payload_type,
            extensions: section.extensions,
            ssrc,
            remote_ssrcs: section.ssrcs,
        })
    }
}
