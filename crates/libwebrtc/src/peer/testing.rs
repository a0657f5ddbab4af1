//! Two peers on a simulated network, in virtual time.

mod network;

use std::{
    net::SocketAddr,
    task::Waker,
    time::{Duration, Instant},
};

use self::network::Flight;
pub(super) use self::network::{Conditions, Loss, Network};
use super::{ChannelKey, Hub, Link, Output, Peer, PeerConfig, PeerEvent, Policy};
use crate::{
    clock,
    media::Grid,
    types::{
        settings::{DataChannelInit, OfferOptions},
        states::{DataChannelState, PeerConnectionState},
    },
};

/// Index of a side.
pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

/// Two peers and what is on its way between them.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) peers: [Peer; 2],
    /// All events so far, except messages.
    pub(super) events: [Vec<PeerEvent>; 2],
    pub(super) messages: [Vec<(ChannelKey, Vec<u8>, bool)>; 2],
    pub(super) network: Network,
    /// Every datagram that was sent, for those who want to tamper with some.
    pub(super) sent: Vec<Vec<u8>>,
    /// What is not to leave yet, of which side.
    sealed: Vec<(Instant, usize, Output)>,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self::with_snap(true)
    }

    /// With the SCTP handshake in the descriptions, or after DTLS.
    pub(super) fn with_snap(sctp_snap: bool) -> Self {
        let now = clock::now();
        Self {
            now,
            peers: [A, B].map(|side| peer_with_snap(address(side), sctp_snap, now)),
            events: [vec![], vec![]],
            messages: [vec![], vec![]],
            network: Network::new(0),
            sent: vec![],
            sealed: vec![],
        }
    }

    /// A pair with a channel of A's making, connected.
    pub(super) fn connected() -> (Self, ChannelKey) {
        let mut pair = Self::new();
        let key = pair.peers[A].create_channel("chat", &DataChannelInit::default()).unwrap();
        pair.negotiate(A, &OfferOptions::default());
        pair.run_until(|pair| {
            pair.are_connected() && pair.is_open(A) && !pair.messages_channel(B).is_empty()
        });
        (pair, key)
    }

    pub(super) fn are_connected(&self) -> bool {
        self.peers.iter().all(|p| p.connection_state() == PeerConnectionState::Connected)
    }

    /// An offer of one side, its answer, and all candidates.
    pub(super) fn negotiate(&mut self, offerer: usize, options: &OfferOptions) {
        let answerer = 1 - offerer;
        let offer = self.peers[offerer].create_offer(options).unwrap();
        self.peers[offerer].set_local_description(offer.clone()).unwrap();
        self.peers[answerer].set_remote_description(offer).unwrap();
        let answer = self.peers[answerer].create_answer().unwrap();
        self.peers[answerer].set_local_description(answer.clone()).unwrap();
        self.peers[offerer].set_remote_description(answer).unwrap();
        self.settle();
        for side in [A, B] {
            let candidates: Vec<_> = self.events[side]
                .iter()
                .filter_map(|e| {
                    if let PeerEvent::Candidate(candidate) = e {
                        Some(candidate.clone())
                    } else {
                        None
                    }
                })
                .collect();
            for candidate in candidates {
                self.peers[1 - side].add_remote_candidate(&candidate).unwrap();
            }
        }
        self.settle();
    }

    /// Whether a channel of a side's making is open.
    pub(super) fn is_open(&self, side: usize) -> bool {
        self.events[side]
            .iter()
            .any(|e| matches!(e, PeerEvent::ChannelState(_, DataChannelState::Open)))
    }

    /// Keys of the channels the other side opened.
    pub(super) fn messages_channel(&self, side: usize) -> Vec<ChannelKey> {
        let added = |e: &PeerEvent| {
            if let PeerEvent::ChannelAdded { key, .. } = e { Some(*key) } else { None }
        };
        self.events[side].iter().filter_map(added).collect()
    }

    pub(super) fn states(&self, side: usize) -> Vec<PeerConnectionState> {
        let state =
            |e: &PeerEvent| if let PeerEvent::Connection(state) = e { Some(*state) } else { None };
        self.events[side].iter().filter_map(state).collect()
    }

    /// Runs for at most a virtual minute.
    pub(super) fn run_until(&mut self, done: impl FnMut(&mut Self) -> bool) {
        self.run_within(Duration::from_secs(60), done);
    }

    pub(super) fn run_within(&mut self, time: Duration, mut done: impl FnMut(&mut Self) -> bool) {
        let limit = self.now + time;
        while !done(self) {
            assert!(
                self.now < limit,
                "nothing happened within {time:?}; events: {:?}",
                self.events
            );
            self.step(limit);
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step(end);
        }
    }

    /// Goes to the next moment at which something is due.
    fn step(&mut self, end: Instant) {
        let deadlines = self.settle();
        let arrival = self.network.next_arrival();
        let sealed = self.sealed.iter().map(|(at, ..)| *at);
        let next = deadlines.into_iter().chain(arrival).chain(sealed).fold(end, Instant::min);
        self.now = self.now.max(next);
        let now = self.now;
        let due: Vec<_> = self.sealed.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, side, output) in due {
            self.act(side, output);
        }
        while let Some((at, side, flight)) = self.network.arrived(self.now) {
            match flight {
                Flight::Datagram { source, contents } => {
                    self.peers[side].handle_datagram(at, source, &contents);
                }
                Flight::Stream { source, contents } => {
                    self.peers[side].handle_stream(at, &Link::Candidate(source), &contents);
                }
            }
            self.drain(side);
        }
        for side in [A, B] {
            self.peers[side].handle_timeout(self.now);
        }
    }

    /// Everything that both sides have to do and say right now.
    fn settle(&mut self) -> [Instant; 2] {
        [A, B].map(|side| {
            self.peers[side].fetch_audio(self.now);
            self.drain(side)
        })
    }

    fn drain(&mut self, side: usize) -> Instant {
        loop {
            let output = self.peers[side].poll();
            match output.due() {
                Some(due) if due.at > self.now => self.sealed.push((due.at, side, output)),
                Some(_) | None => {
                    if let Some(deadline) = self.act(side, output) {
                        return deadline;
                    }
                }
            }
        }
    }

    /// The answer is the peer's next deadline, if it was that.
    fn act(&mut self, side: usize, output: Output) -> Option<Instant> {
        match output {
            Output::Timeout(at) => return Some(at),
            Output::Datagram { destination, contents, .. } => {
                self.sent.push(contents.to_vec());
                self.network.send(self.now, side, destination, &contents);
            }
            Output::Stream { to, contents, .. } => {
                self.network.stream(self.now, side, to.remote(), &contents);
            }
            Output::HangUp(_) => {}
            Output::Event(PeerEvent::Message { key, data, binary }) => {
                self.messages[side].push((key, data, binary));
            }
            Output::Event(event) => self.events[side].push(event),
        }
        None
    }
}

pub(super) fn peer(host: SocketAddr, now: Instant) -> Peer {
    peer_at(vec![host], now)
}

pub(super) fn peer_at(hosts: Vec<SocketAddr>, now: Instant) -> Peer {
    Peer::new(config(hosts, true, now), now)
}

fn peer_with_snap(host: SocketAddr, sctp_snap: bool, now: Instant) -> Peer {
    Peer::new(config(vec![host], sctp_snap, now), now)
}

pub(super) fn peer_with_policy(host: SocketAddr, policy: Policy, now: Instant) -> Peer {
    Peer::new(PeerConfig { policy, ..config(vec![host], true, now) }, now)
}

fn config(hosts: Vec<SocketAddr>, sctp_snap: bool, now: Instant) -> PeerConfig {
    let hub = Hub { waker: Waker::noop().clone(), grid: Grid::new(now) };
    PeerConfig { hosts, policy: Policy::All, sctp_snap, hub }
}

pub(super) fn address(side: usize) -> SocketAddr {
    ["10.0.0.1:1000", "10.0.0.2:2000"][side].parse().unwrap()
}
