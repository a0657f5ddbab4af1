//! A connection without IO: time, datagrams and calls come in, datagrams, events and the next deadline come out.
//!
//! The rule of use: after every call that takes `&mut self`, call [`Peer::poll`] until it answers
//! [`Output::Timeout`]; at that time, or earlier when something arrives, come back with [`Peer::handle_timeout`] or
//! [`Peer::handle_datagram`].

mod error;
mod negotiation;
mod transceiver;
mod channel;
mod audio;
mod report;

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    task::Waker,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, IceConnectionState as IceState, Input, Output as RtcOutput, Rtc,
    channel::ChannelId,
    media::Mid,
    net::{Protocol, Receive, Transmit},
    rtp::Ssrc,
};

pub(crate) use self::{
    channel::ChannelKey,
    error::PeerError,
    transceiver::{Transceiver, TransceiverId},
};
use self::{channel::Channel, negotiation::Negotiation};
use crate::{
    data_channel::DataChannelState,
    ice_candidate::IceCandidate,
    media::Grid,
    peer_connection::{IceConnectionState, IceGatheringState, PeerConnectionState, SignalingState},
    session_description::SessionDescription,
};

/// How long a connection may stay disconnected before it counts as failed.
pub(crate) const FAILED_AFTER: Duration = Duration::from_secs(10);
/// How long the goodbye of a closed connection may take.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);
/// Longest wait asked for; the engine's "never" is decades away, which not every timer can count.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Events that may wait to be polled. They are polled after every input, so only a bug can pile them up.
const EVENTS_MAX: usize = 1 << 16;
/// Remote streams whose transceiver is remembered.
const ROUTES_MAX: usize = 1024;
/// Bytes of data channel messages that SCTP keeps itself; the rest waits in the channel.
const SCTP_BUFFER: usize = 1 << 20;
/// Longest data channel message taken from the other side, in bytes.
const MESSAGE_MAX: usize = 256 * 1024;

/// What [`Peer::poll`] answers.
pub(crate) enum Output {
    /// Send this datagram.
    Transmit(Transmit),
    /// Tell the application.
    Event(PeerEvent),
    /// Nothing more until then.
    Timeout(Instant),
}

/// What an application is told.
#[derive(Debug)]
pub(crate) enum PeerEvent {
    Connection(PeerConnectionState),
    IceConnection(IceConnectionState),
    Gathering(IceGatheringState),
    Signaling(SignalingState),
    NegotiationNeeded(u32),
    Candidate(IceCandidate),
    /// A transceiver began to receive.
    Track(TransceiverId),
    /// The other side opened a channel.
    ChannelAdded { key: ChannelKey, label: String },
    ChannelState(ChannelKey, DataChannelState),
    Message { key: ChannelKey, data: Vec<u8>, binary: bool },
    /// So many bytes of a channel were acknowledged.
    Acknowledged(ChannelKey, u64),
}

/// What a connection is made from.
#[derive(Debug, Clone)]
pub(crate) struct PeerConfig {
    /// The address other machines can reach the socket by.
    pub(crate) host: SocketAddr,
    /// See [`RtcConfiguration::enable_sctp_snap`](crate::peer_connection_factory::RtcConfiguration::enable_sctp_snap).
    pub(crate) sctp_snap: bool,
    pub(crate) hub: Hub,
}

/// What all remote tracks of a connection share.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    /// Wakes whoever drives the peer, when somebody begins to listen to a track.
    pub(crate) waker: Waker,
    /// The periods in which tracks are played.
    pub(crate) grid: Grid,
}

/// One side of a connection.
pub(crate) struct Peer {
    rtc: Rtc,
    host: SocketAddr,
    has_loopback: bool,
    state: PeerConnectionState,
    ice_state: IceConnectionState,
    gathering: IceGatheringState,
    negotiation: Negotiation,
    transceivers: Vec<Transceiver>,
    /// Which transceiver a received stream belongs to. Forgotten with every negotiation.
    routes: HashMap<Ssrc, TransceiverId>,
    channels: Vec<Channel>,
    next_channel: u32,
    /// Channels given up before SCTP knew them; closed as soon as they open.
    abandoned: Vec<(ChannelId, Option<u16>)>,
    events: VecDeque<PeerEvent>,
    dtls_up: bool,
    disconnected_since: Option<Instant>,
    /// Set once closed by the application: when to stop waiting for the goodbye.
    close_by: Option<Instant>,
    hub: Hub,
    now: Instant,
    counters: Counters,
}

/// Totals for the stats.
#[derive(Debug, Default, Clone, Copy)]
struct Counters {
    channels_opened: u32,
    channels_closed: u32,
    datagrams_received: u64,
    datagrams_sent: u64,
    bytes_received: u64,
    bytes_sent: u64,
    datagrams_refused: u64,
}

impl Peer {
    pub(crate) fn new(config: PeerConfig, now: Instant) -> Result<Self, PeerError> {
        let mut rtc_config = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            // Video is negotiated so that a room with video can be joined; nothing decodes it.
            .enable_vp8(true)
            .enable_h264(true)
            .enable_vp9(true)
            .set_rtp_mode(true)
            .set_snap_enabled(config.sctp_snap)
            .set_sctp_max_buffered_amount(SCTP_BUFFER)
            .set_sctp_max_message_size(u32::try_from(MESSAGE_MAX).unwrap_or(u32::MAX));
        rtc_config.set_max_stun_rto(Duration::from_secs(1));
        rtc_config.set_max_stun_retransmits(5);
        let mut rtc = rtc_config.build(now);
        let candidate = Candidate::host(config.host, "udp").map_err(PeerError::candidate)?;
        rtc.add_local_candidate(candidate);
        Ok(Self {
            rtc,
            host: config.host,
            has_loopback: config.host.ip().is_loopback(),
            state: PeerConnectionState::New,
            ice_state: IceConnectionState::New,
            gathering: IceGatheringState::New,
            negotiation: Negotiation::default(),
            transceivers: vec![],
            routes: HashMap::new(),
            channels: vec![],
            next_channel: 0,
            abandoned: vec![],
            events: VecDeque::new(),
            dtls_up: false,
            disconnected_since: None,
            close_by: None,
            hub: config.hub,
            now,
            counters: Counters::default(),
        })
    }

    pub(crate) fn connection_state(&self) -> PeerConnectionState {
        self.state
    }

    pub(crate) fn ice_connection_state(&self) -> IceConnectionState {
        self.ice_state
    }

    pub(crate) fn ice_gathering_state(&self) -> IceGatheringState {
        self.gathering
    }

    pub(crate) fn signaling_state(&self) -> SignalingState {
        self.negotiation.signaling()
    }

    pub(crate) fn current_local_description(&self) -> Option<&SessionDescription> {
        self.negotiation.current_local()
    }

    pub(crate) fn current_remote_description(&self) -> Option<&SessionDescription> {
        self.negotiation.current_remote()
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.input(Input::Timeout(now));
        self.play_due_audio(now);
        if self.disconnected_since.is_some_and(|since| since + FAILED_AFTER <= now) {
            self.disconnected_since = None;
            self.set_ice_state(IceConnectionState::Failed);
            self.set_state(PeerConnectionState::Failed);
        }
        if self.close_by.is_some_and(|by| by <= now) {
            self.rtc.disconnect();
        }
    }

    /// A datagram was read from the socket at `arrival`. Anything may come from a network: what makes no sense is
    /// counted and ignored.
    pub(crate) fn handle_datagram(&mut self, arrival: Instant, source: SocketAddr, contents: &[u8]) {
        self.now = self.now.max(arrival);
        self.counters.datagrams_received += 1;
        self.counters.bytes_received += contents.len() as u64;
        let destination = if source.ip().is_loopback() { self.loopback() } else { self.host };
        match Receive::new(Protocol::Udp, source, destination, contents) {
            Ok(receive) => self.input(Input::Receive(arrival, receive)),
            Err(error) => {
                self.counters.datagrams_refused += 1;
                log::debug!("ignoring a datagram from {source}: {error}");
            }
        }
    }

    /// See the rule of use above.
    pub(crate) fn poll(&mut self) -> Output {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Output::Event(event);
            }
            match self.rtc.poll_output() {
                Ok(RtcOutput::Timeout(at)) => {
                    if self.flush_channels() {
                        continue;
                    }
                    self.report_acknowledged();
                    if self.events.is_empty() {
                        return Output::Timeout(self.deadline(at));
                    }
                }
                Ok(RtcOutput::Transmit(transmit)) if self.is_routable(&transmit) => {
                    self.counters.datagrams_sent += 1;
                    self.counters.bytes_sent += transmit.contents.len() as u64;
                    return Output::Transmit(transmit);
                }
                Ok(RtcOutput::Transmit(_)) => {}
                Ok(RtcOutput::Event(event)) => self.handle_event(event),
                Err(error) => self.break_down(&error),
            }
        }
    }

    /// Starts the goodbye. Keep polling until [`Self::is_finished`].
    pub(crate) fn close(&mut self, now: Instant) {
        if self.close_by.is_some() {
            return;
        }
        self.close_by = Some(now + CLOSE_WITHIN);
        if !self.dtls_up || self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
        self.end_channels();
        for transceiver in &mut self.transceivers {
            transceiver.end();
        }
        self.disconnected_since = None;
        self.set_signaling(SignalingState::Closed);
        self.set_ice_state(IceConnectionState::Closed);
        self.set_state(PeerConnectionState::Closed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.close_by.is_some()
    }

    /// Gives up without a goodbye and without touching the engine, which may be in no state to be called.
    pub(crate) fn abandon(&mut self) {
        self.close_by.get_or_insert(self.now);
        self.events.clear();
        self.channels.clear();
        for transceiver in &mut self.transceivers {
            transceiver.end();
        }
        self.state = PeerConnectionState::Failed;
    }

    /// Whether the goodbye is over: nothing will be sent any more and the peer can be dropped.
    pub(crate) fn is_finished(&self) -> bool {
        self.close_by.is_some() && !self.rtc.is_alive() && self.events.is_empty()
    }

    fn loopback(&self) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.host.port())
    }

    /// The socket is bound to all addresses, so it is for us to keep the loopback and the outside apart: what claims
    /// to come from one and goes to the other would arrive with a source the other side does not expect.
    fn is_routable(&self, transmit: &Transmit) -> bool {
        !self.has_loopback || transmit.source.ip().is_loopback() == transmit.destination.ip().is_loopback()
    }

    /// Uses the loopback as well, once the other side turned out to live on it. It need not be told: it sees where our
    /// checks come from.
    fn use_loopback(&mut self) {
        if self.has_loopback {
            return;
        }
        if let Ok(candidate) = Candidate::host(self.loopback(), "udp") {
            self.rtc.add_local_candidate(candidate);
            self.has_loopback = true;
        }
    }

    fn deadline(&mut self, at: Instant) -> Instant {
        let failure = self.disconnected_since.map(|since| since + FAILED_AFTER);
        let own = [failure, self.close_by, self.audio_deadline()];
        own.into_iter().flatten().fold(at.min(self.now + IDLE_MAX), Instant::min)
    }

    fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            // Errors of single packets. What is beyond repair shows again when polled.
            log::debug!("input refused: {error}");
        }
    }

    fn handle_event(&mut self, event: Event) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "events of modes that are not switched on")]
        match event {
            Event::Connected => {
                self.dtls_up = true;
                self.set_state(PeerConnectionState::Connected);
            }
            Event::IceConnectionStateChange(state) => self.handle_ice_state(state),
            Event::ChannelOpen(id, label) => self.channel_opened(id, label),
            Event::ChannelData(data) => self.channel_data(data),
            Event::ChannelClose(id) => self.channel_closed(id),
            Event::RtpPacket(packet) => self.receive_packet(packet),
            Event::Closed => self.handle_remote_close(),
            _ => {}
        }
    }

    fn handle_ice_state(&mut self, state: IceState) {
        self.disconnected_since = None;
        let ice_state = match state {
            IceState::New => IceConnectionState::New,
            IceState::Checking => IceConnectionState::Checking,
            IceState::Connected => IceConnectionState::Connected,
            IceState::Completed => IceConnectionState::Completed,
            IceState::Disconnected => IceConnectionState::Disconnected,
        };
        self.set_ice_state(ice_state);
        match state {
            IceState::New => {}
            IceState::Checking => self.set_state(PeerConnectionState::Connecting),
            IceState::Connected | IceState::Completed if self.dtls_up => self.set_state(PeerConnectionState::Connected),
            IceState::Connected | IceState::Completed => {}
            IceState::Disconnected => self.set_disconnected(),
        }
    }

    /// The other side said goodbye. It says so over signalling as well, with the reason, so this is not yet a failure:
    /// the application may be about to close.
    fn handle_remote_close(&mut self) {
        self.end_channels();
        self.set_disconnected();
    }

    /// The engine gave up on the connection.
    fn break_down(&mut self, error: &str0m::RtcError) {
        log::warn!("peer connection failed: {error}");
        self.rtc.disconnect();
        self.end_channels();
        self.disconnected_since = None;
        self.set_state(PeerConnectionState::Failed);
    }

    fn set_disconnected(&mut self) {
        if self.close_by.is_none() {
            self.disconnected_since.get_or_insert(self.now);
            self.set_state(PeerConnectionState::Disconnected);
        }
    }

    fn set_state(&mut self, state: PeerConnectionState) {
        if self.state != state && self.state != PeerConnectionState::Closed {
            self.state = state;
            self.push(PeerEvent::Connection(state));
        }
    }

    fn set_ice_state(&mut self, state: IceConnectionState) {
        if self.ice_state != state && self.ice_state != IceConnectionState::Closed {
            self.ice_state = state;
            self.push(PeerEvent::IceConnection(state));
        }
    }

    fn set_signaling(&mut self, state: SignalingState) {
        if self.negotiation.set_signaling(state) {
            self.push(PeerEvent::Signaling(state));
        }
    }

    /// Announces the host candidate, which is all there is to gather.
    fn announce_candidates(&mut self, mid: &str) {
        let Ok(candidate) = Candidate::host(self.host, "udp") else { return };
        if let Ok(candidate) = IceCandidate::parse(mid, 0, &candidate.to_sdp_string()) {
            self.set_gathering(IceGatheringState::Gathering);
            self.push(PeerEvent::Candidate(candidate));
            self.set_gathering(IceGatheringState::Complete);
        }
    }

    fn set_gathering(&mut self, state: IceGatheringState) {
        if self.gathering != state {
            self.gathering = state;
            self.push(PeerEvent::Gathering(state));
        }
    }

    fn push(&mut self, event: PeerEvent) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
            return;
        }
        // Losing an event would leave the application with a wrong picture for good.
        self.events.clear();
        self.rtc.disconnect();
        self.state = PeerConnectionState::Failed;
        self.events.push_back(PeerEvent::Connection(PeerConnectionState::Failed));
    }

    fn check_open(&self) -> Result<(), PeerError> {
        if self.close_by.is_some() { Err(PeerError::Closed) } else { Ok(()) }
    }

    fn transceiver_by_mid(&mut self, mid: Mid) -> Option<&mut Transceiver> {
        self.transceivers.iter_mut().find(|t| t.mid() == Some(mid))
    }

    pub(crate) fn transceiver_mut(&mut self, id: TransceiverId) -> Option<&mut Transceiver> {
        self.transceivers.get_mut(id.index())
    }

    pub(crate) fn transceiver_ids(&self) -> impl Iterator<Item = TransceiverId> + use<> {
        (0..self.transceivers.len()).map(TransceiverId::new)
    }
}
