//! An allocation against a TURN server, in virtual time; and against one that sends anything.

use std::time::Instant;

use proptest::prelude::*;
use turn_server_proto::{
    api::{Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
    stun::Instant as TurnInstant,
    types::{TransportType, prelude::DelayedTransmitBuild},
};

use super::*;
use crate::peer::{
    Credentials, Output, Policy, RelayServer, RelayTransport,
    relay::{Relay, Step},
    testing::peer_with_policy,
};

const SERVER: &str = "10.0.0.9:3478";
const RELAYED: &str = "10.0.0.9:50000";

fn server(transport: RelayTransport) -> RelayServer {
    RelayServer {
        transport,
        address: SERVER.parse().unwrap(),
        credentials: Credentials::new("somebody", "hunter2").unwrap(),
    }
}

/// An allocation and its server, without a network between them.
struct Bench {
    relay: Relay,
    server: TurnServer,
    epoch: Instant,
    now: Instant,
    /// What the server sent on, from where, and to whom.
    sent_on: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// What the client got, and from whom.
    received: Vec<(SocketAddr, Vec<u8>)>,
    /// What the client sent to the server so far.
    sent: usize,
    allocations: usize,
    over: bool,
}

impl Bench {
    fn new(password: &str) -> Self {
        let now = clock::now();
        let mut protocol =
            TurnServer::new(TransportType::Udp, SERVER.parse().unwrap(), "realm".into());
        protocol.add_user("somebody".into(), password.into());
        Self {
            relay: Relay::new(server(RelayTransport::Udp), address(A), now),
            server: protocol,
            epoch: now,
            now,
            sent_on: vec![],
            received: vec![],
            sent: 0,
            allocations: 0,
            over: false,
        }
    }

    fn at(&self) -> TurnInstant {
        TurnInstant::from_nanos(i64::try_from((self.now - self.epoch).as_nanos()).unwrap())
    }

    fn take(&mut self, from: SocketAddr, to: SocketAddr, data: Vec<u8>) {
        let transmit = Transmit::new(data, TransportType::Udp, from, to);
        if let Some(answer) = self.server.recv(transmit, self.at()) {
            let (from, to) = (answer.from, answer.to);
            self.hand_on(from, to, answer.data.build());
        }
    }

    fn hand_on(&mut self, from: SocketAddr, to: SocketAddr, data: Vec<u8>) {
        if from == SERVER.parse().unwrap() {
            let received = self.relay.receive(&data, self.now);
            self.received.extend(received);
        } else {
            self.sent_on.push((from, to, data));
        }
    }

    fn send(&mut self, to: SocketAddr, data: &[u8]) {
        if let Some(message) = self.relay.send(to, data, self.now) {
            self.take(address(A), SERVER.parse().unwrap(), message);
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while let Some(step) = self.relay.poll(self.now) {
                match step {
                    Step::Send(message) => {
                        self.sent += 1;
                        self.take(address(A), SERVER.parse().unwrap(), message);
                    }
                    Step::Allocated(relayed) => assert_eq!(relayed.to_string(), RELAYED),
                    Step::Over => {
                        self.over = true;
                        break;
                    }
                }
            }
            while let TurnServerPollRet::AllocateSocket {
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
            } = self.server.poll(self.at())
            {
                self.allocations += 1;
                let (relayed, at) = (Ok(RELAYED.parse().unwrap()), self.at());
                self.server.allocated_socket(
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                    relayed,
                    at,
                );
            }
            while let Some(transmit) = self.server.poll_transmit(self.at()) {
                self.hand_on(transmit.from, transmit.to, transmit.data);
            }
            if self.now >= end || self.over {
                return;
            }
            self.now =
                self.relay.due().clamp(self.now, end).max(self.now + Duration::from_millis(1));
        }
    }
}

#[test]
fn an_allocation_lasts_and_is_deleted() {
    let mut bench = Bench::new("hunter2");
    bench.server.set_nonce_expiry_duration(Duration::from_secs(700));
    bench.run_for(Duration::from_secs(1));
    assert_eq!(bench.relay.relayed().unwrap().to_string(), RELAYED);
    let (peer, stun, media) = (address(B), [0, 1, 2, 3], [128; 100]);
    // The first waits until the server has let the peer in.
    bench.send(peer, &stun);
    bench.run_for(Duration::from_secs(1));
    assert_eq!(bench.sent_on, [(RELAYED.parse().unwrap(), peer, stun.to_vec())]);
    bench.send(peer, &media);
    bench.run_for(Duration::from_secs(1));
    for hour in 0..3 {
        for minute in 0..60 {
            bench.sent_on.clear();
            bench.received.clear();
            bench.send(peer, &media);
            bench.take(peer, RELAYED.parse().unwrap(), media.to_vec());
            bench.run_for(Duration::from_secs(60));
            let there = [(RELAYED.parse().unwrap(), peer, media.to_vec())];
            assert_eq!(bench.sent_on, there, "{hour}:{minute}");
            assert_eq!(bench.received, [(peer, media.to_vec())], "{hour}:{minute}");
        }
    }
    assert_eq!(bench.allocations, 1, "it is kept, not made again");
    assert!(bench.sent < 300, "{} messages in three hours", bench.sent);
    // Media has the four bytes of a channel before it.
    assert_eq!(bench.relay.send(peer, &media, bench.now).unwrap().len(), 104);
    bench.relay.delete(bench.now);
    bench.run_for(Duration::from_secs(1));
    assert!(bench.over);
    bench.sent_on.clear();
    bench.received.clear();
    bench.take(peer, RELAYED.parse().unwrap(), media.to_vec());
    assert!(bench.received.is_empty());
}

#[test]
fn a_wrong_password_ends_it() {
    let mut bench = Bench::new("other");
    bench.run_for(Duration::from_secs(60));
    assert!(bench.over && bench.relay.relayed().is_none());
    assert!(bench.now - bench.epoch <= Duration::from_secs(11));
}

#[test]
fn peers_and_what_waits_for_them_are_limited() {
    let mut bench = Bench::new("hunter2");
    bench.run_for(Duration::from_secs(1));
    for machine in 0..1000u16 {
        let [high, low] = machine.to_be_bytes();
        bench.send(SocketAddr::from(([10, 1, high, low], 9)), &[0; 1000]);
    }
    assert!(bench.relay.kept() <= 8 * 1000);
    bench.run_for(Duration::from_secs(30));
    // Each machine that is asked for may take a repetition or two, as requests are 50 ms apart.
    assert!(bench.sent < 64 * 3, "{} messages", bench.sent);
}

/// A peer with a server of this kind, that has just sent the request the bytes of which are returned.
fn asking(transport: RelayTransport) -> (Peer, Vec<u8>) {
    let mut one = peer_with_policy(address(A), Policy::Relayed, clock::now());
    one.create_channel("chat", &DataChannelInit::default()).unwrap();
    one.expect_relays(1);
    one.add_relay(server(transport));
    let offer = one.create_offer(&OfferOptions::default()).unwrap();
    one.set_local_description(offer).unwrap();
    let requests = said(&mut one);
    assert_eq!(requests.len(), 1);
    (one, requests.into_iter().next().unwrap())
}

fn said(one: &mut Peer) -> Vec<Vec<u8>> {
    let mut said = vec![];
    loop {
        match one.poll() {
            Output::Datagram { contents, .. } => said.push(contents.to_vec()),
            Output::Stream { contents, .. } => said.push(contents),
            Output::Event(PeerEvent::Candidate(candidate)) => {
                assert!(candidate.candidate().contains("typ relay"));
            }
            Output::Event(_) | Output::HangUp(_) => {}
            Output::Timeout(_) => return said,
        }
    }
}

/// Attributes a TURN server may answer with, and others, of the right length or not.
fn attributes() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let kind = prop_oneof![
        prop::sample::select(vec![
            0x0006u16, 0x0008, 0x0009, 0x000a, 0x000c, 0x000d, 0x0012, 0x0013, 0x0014, 0x0015,
            0x0016, 0x0017, 0x0019, 0x001c, 0x001d, 0x0020, 0x8001, 0x8002, 0x8003, 0x8004, 0x8028,
        ]),
        any::<u16>(),
    ];
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(vec![0, 0, 4, 1]),
        Just(vec![0, 0, 4, 38]),
        Just(vec![0, 0, 4, 37]),
        prop::collection::vec(any::<u8>(), 500..900),
        "[a-z]{1,30}".prop_map(String::into_bytes),
    ];
    prop::collection::vec((kind, value), 0..8)
}

/// An answer to a request, or something like it.
fn answer(request: &[u8], class: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![];
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let kind = u16::from_be_bytes([request[0], request[1]]) | class;
    let length = u16::try_from(body.len()).unwrap();
    [&kind.to_be_bytes()[..], &length.to_be_bytes(), &request[4..20], &body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_server_may_answer_anything(
        is_stream: bool,
        answers in prop::collection::vec((prop::sample::select(vec![0u16, 0x10, 0x100, 0x110]), attributes(), 0..40u64), 1..12),
    ) {
        let transport = if is_stream { RelayTransport::Tcp } else { RelayTransport::Udp };
        let link = Link::Relay(SERVER.parse().unwrap());
        let (mut one, mut request) = asking(transport);
        let mut now = clock::now();
        for (class, attributes, seconds) in answers {
            let challenge = vec![(0x0009, vec![0, 0, 4, 1]), (0x0014, b"realm".to_vec()), (0x0015, b"nonce".to_vec())];
            for attributes in [attributes, challenge] {
                let message = answer(&request, class, &attributes);
                if is_stream {
                    one.handle_stream(now, &link, &message);
                } else {
                    one.handle_datagram(now, SERVER.parse().unwrap(), &message);
                }
                now += Duration::from_millis(100);
                one.handle_timeout(now);
                if let Some(last) = said(&mut one).pop() {
                    request = last;
                }
            }
            now += Duration::from_secs(seconds);
            one.handle_timeout(now);
            said(&mut one);
            prop_assert!(one.relays.kept() <= 70_000);
        }
    }

    #[test]
    fn any_bytes_of_a_server(pieces in prop::collection::vec((prop::bool::ANY, prop::collection::vec(any::<u8>(), 0..2000)), 0..40)) {
        let link = Link::Relay(SERVER.parse().unwrap());
        let (mut datagrams, _) = asking(RelayTransport::Udp);
        let (mut stream, request) = asking(RelayTransport::Tcp);
        let now = clock::now();
        for (is_begun, bytes) in pieces {
            // Some begin as a message does, and claim to be as long as one can be.
            let begun = [&[0x01, 0x13, 0xff, 0xfc], &request[4..20], &bytes].concat();
            let bytes = if is_begun { begun } else { bytes };
            datagrams.handle_datagram(now, SERVER.parse().unwrap(), &bytes);
            stream.handle_stream(now, &link, &bytes);
            for one in [&mut datagrams, &mut stream] {
                said(one);
                prop_assert!(one.relays.kept() <= 70_000);
            }
        }
    }
}

#[test]
fn a_closed_peer_waits_only_so_long_for_its_server() {
    let mut one = asking(RelayTransport::Udp).0;
    one.close(clock::now());
    said(&mut one);
    assert!(one.is_finished(), "there is nothing to delete");
    assert!(!one.relays.are_in_use());
}
