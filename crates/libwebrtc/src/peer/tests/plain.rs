//! str0m with RTP of its own: what it encrypts is opened here, and the other way round; and str0m without: it is silent.

use std::time::Instant;

use str0m::{
    Candidate, Event, Input, Output as RtcOutput, Rtc,
    change::SdpOffer,
    media::Mid,
    net::{Protocol, Receive},
    rtp::{Extension, RawPacket, RtpWrite, SeqNo, rtcp::Rtcp},
};

use super::*;
use crate::peer::Output;

const STEP: Duration = Duration::from_millis(5);

/// A connection of str0m's alone, and what came of it.
struct Plain {
    rtc: Rtc,
    mid: Option<Mid>,
    is_connected: bool,
    heard: Vec<(u64, Arc<[u8]>)>,
    reports: usize,
}

impl Plain {
    fn new(now: Instant) -> Self {
        let settings = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .enable_raw_packets(true)
            .set_extension(1, Extension::AudioLevel);
        let mut rtc = settings.build(now);
        rtc.add_local_candidate(Candidate::host(address(B), "udp").unwrap());
        Self { rtc, mid: None, is_connected: false, heard: vec![], reports: 0 }
    }

    fn answer(&mut self, offer: &SessionDescription) -> SessionDescription {
        let offer = SdpOffer::from_sdp_string(offer.text()).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap();
        SessionDescription::parse(&answer.to_sdp_string(), SdpType::Answer).unwrap()
    }

    /// Sends a packet, once there is a way.
    fn send(&mut self, number: u64, now: Instant) {
        let Some(mid) = self.mid.filter(|_| self.is_connected) else { return };
        let payload_type = self.rtc.media(mid).unwrap().remote_pts()[0];
        let mut api = self.rtc.direct_api();
        let [.., a, b, c, d] = (number * 960).to_be_bytes();
        let time = u32::from_be_bytes([a, b, c, d]);
        let write = RtpWrite::new(payload_type, SeqNo::from(number), time, now, payload(number));
        api.stream_tx_by_mid(mid, None).unwrap().write_rtp(write);
    }

    /// What it says now.
    fn poll(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = vec![];
        loop {
            match self.rtc.poll_output().unwrap() {
                RtcOutput::Timeout(_) => return datagrams,
                RtcOutput::Transmit(transmit) => datagrams.push(transmit.contents.to_vec()),
                RtcOutput::Event(event) => self.take(event),
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "events that say nothing here")]
    fn take(&mut self, event: Event) {
        match event {
            Event::Connected => self.is_connected = true,
            Event::MediaAdded(media) => self.mid = Some(media.mid),
            Event::RtpPacket(packet) => self.heard.push((*packet.seq_no, packet.payload.clone())),
            Event::RawPacket(packet) => {
                let is_report = matches!(*packet, RawPacket::RtcpRx(Rtcp::SenderReport(_)));
                self.reports += usize::from(is_report);
            }
            _ => {}
        }
    }
}

fn payload(number: u64) -> Arc<[u8]> {
    let [.., high, low] = number.to_be_bytes();
    [0xf8, high, low].into()
}

#[test]
fn what_one_encrypts_the_other_reads() {
    let mut now = clock::now();
    let mut near = peer(address(A), now);
    near.add_track(microphone(7), vec!["stream".into()]).unwrap();
    let mut far = Plain::new(now);
    let offer = near.create_offer(&OfferOptions::default()).unwrap();
    near.set_local_description(offer.clone()).unwrap();
    near.set_remote_description(far.answer(&offer)).unwrap();
    let (mut stream, mut received) = (None, vec![]);
    // Over the end of 16 bits.
    let first = 65_536 - 300;
    for round in 0..4_000_u32 {
        now += STEP;
        near.handle_timeout(now);
        near.fetch_audio(now);
        far.rtc.handle_input(Input::Timeout(now)).unwrap();
        if round % 4 == 0 {
            far.send(first + u64::from(round / 4), now);
        }
        loop {
            match near.poll() {
                Output::Timeout(_) => break,
                Output::Datagram { destination, contents, .. } => {
                    let receive = Receive::new(Protocol::Udp, address(A), destination, &contents);
                    far.rtc.handle_input(Input::Receive(now, receive.unwrap())).unwrap();
                }
                Output::Event(PeerEvent::Candidate(candidate)) => {
                    let candidate = Candidate::from_sdp_string(candidate.line()).unwrap();
                    far.rtc.add_remote_candidate(candidate);
                }
                Output::Event(PeerEvent::Track(id)) => {
                    let track = near.transceiver_mut(id).unwrap().remote_track().clone();
                    let Track::Audio(track) = track else { panic!("an audio track") };
                    stream = Some(EncodedAudioStream::new(RtcAudioTrack::new(track)));
                }
                Output::Event(_) | Output::Stream { .. } | Output::HangUp(_) => {}
            }
        }
        for datagram in far.poll() {
            near.handle_datagram(now, address(B), &datagram);
        }
        received.extend(stream.iter_mut().flat_map(read));
    }
    assert!(far.heard.len() > 900, "{} heard by str0m", far.heard.len());
    assert!(far.heard.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
    assert!(far.heard.iter().all(|(_, payload)| **payload == [7; 20]));
    assert!(received.len() > 900, "{} heard of str0m", received.len());
    assert!(received.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert!(received.iter().all(|frame| *frame.payload == *payload(frame.seq)));
    assert!(far.reports > 0, "sender reports are read");
    let said = near.rtp.sender_said(received[0].ssrc).expect("sender reports of str0m are read");
    assert!(said.packets > 100, "{said:?}");
}

#[test]
fn str0m_says_nothing_of_audio() {
    let mut pair = Pair::new();
    for side in [A, B] {
        pair.peers[side].add_track(microphone(1), vec!["stream".into()]).unwrap();
    }
    pair.negotiate(A, &OfferOptions::default());
    pair.run_until(|pair| pair.are_connected());
    let mut streams = [A, B].map(|side| EncodedAudioStream::new(remote_track(&mut pair, side)));
    for _ in 0..3 {
        pair.run_for(Duration::from_secs(60));
        pair.negotiate(B, &OfferOptions::default());
    }
    for (side, stream) in streams.iter_mut().enumerate() {
        assert!(read(stream).len() > 500, "it handed out its keys");
        assert_eq!(pair.peers[side].counters.datagrams_suppressed, 0);
    }
    let now = pair.now;
    pair.peers[A].close(now);
    pair.run_for(Duration::from_secs(2));
    for side in [A, B] {
        let suppressed = pair.peers[side].counters.datagrams_suppressed;
        assert!(suppressed <= 1, "{suppressed}: more than a goodbye");
    }
}
