//! A connection without IO: time, datagrams and calls come in, datagrams, events and the next deadline come out.
//!
//! The rule of use: after every call that takes `&mut self`, call [`Peer::poll`] until it answers
//! [`Output::Timeout`] ([`Peer::handle_datagram`] names an exception); at that time, or earlier when something arrives,
//! come back with [`Peer::handle_timeout`] or [`Peer::handle_datagram`].

mod error;
mod state;
mod route;
mod candidates;
mod datagrams;
mod relay;
mod relays;
mod streams;
mod negotiation;
mod transceiver;
mod tracks;
mod channel;
mod audio;
mod measured;
mod report;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    task::Waker,
    time::{Duration, Instant},
};

use bytes::Bytes;
use str0m::{
    Event, Input, Output as RtcOutput, Rtc, channel::ChannelId, net::Protocol, rtp::Extension,
};

use self::{
    candidates::Locals, channel::Channel, measured::Measured, negotiation::Negotiation,
    relays::Relays, route::Route, streams::Streams,
};
pub(crate) use self::{
    channel::ChannelKey,
    datagrams::is_media,
    error::PeerError,
    relay::{Credentials, RelayServer, RelayTransport, RelayUrl, RelayUrlError},
    relays::Policy,
    route::Link,
    transceiver::{Transceiver, TransceiverId},
};
use crate::{
    media::Grid,
    rtp,
    types::{
        ice_candidate::IceCandidate,
        session_description::SessionDescription,
        states::{
            DataChannelState, IceConnectionState, IceGatheringState, PeerConnectionState,
            SignalingState,
        },
    },
};

/// How often a path that works is checked (RFC 7675 asks for each five seconds, pion does it each two).
/// One that does not answer is checked sooner, and given up after so many checks, which is about eight seconds.
const CHECK_EVERY: Duration = Duration::from_secs(2);
const CHECKS_MAX: usize = 5;
/// How long a connection may stay disconnected before it counts as failed.
pub(crate) const FAILED_AFTER: Duration = Duration::from_secs(10);
/// How long the goodbye of a closed connection may take.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);
/// Longest wait asked for; the engine's "never" is decades away, which not every timer can count.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Bytes of data channel messages that SCTP keeps itself; the rest waits in the channel.
const SCTP_BUFFER: usize = 1 << 20;
/// Longest data channel message taken from the other side, in bytes.
const MESSAGE_MAX: usize = 256 * 1024;

/// What [`Peer::poll`] answers.
pub(crate) enum Output {
    /// Send this by UDP, at once or when it is due.
    Datagram { destination: SocketAddr, contents: Bytes, due: Option<Due> },
    /// Send these bytes through a TCP connection, which is made if there is none.
    Stream { to: Link, contents: Vec<u8>, due: Option<Due> },
    /// A TCP connection is of no use any more.
    HangUp(Link),
    /// Tell the application.
    Event(PeerEvent),
    /// Nothing more until then.
    Timeout(Instant),
}

/// When a packet of a microphone is to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: Instant,
    pub(crate) microphone: TransceiverId,
}

impl Output {
    /// `None` for what is not sent, or at once.
    pub(crate) fn due(&self) -> Option<Due> {
        match self {
            Self::Datagram { due, .. } | Self::Stream { due, .. } => *due,
            Self::HangUp(_) | Self::Event(_) | Self::Timeout(_) => None,
        }
    }
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
    ChannelAdded {
        key: ChannelKey,
        label: String,
    },
    ChannelState(ChannelKey, DataChannelState),
    Message {
        key: ChannelKey,
        data: Vec<u8>,
        binary: bool,
    },
    /// So many bytes of a channel were acknowledged.
    Acknowledged(ChannelKey, u64),
}

/// What a connection is made from.
#[derive(Debug, Clone)]
pub(crate) struct PeerConfig {
    /// The addresses other machines can reach the UDP socket by, at most one of IPv4 and one of IPv6.
    pub(crate) hosts: Vec<SocketAddr>,
    pub(crate) policy: Policy,
    /// See [`RtcConfiguration::enable_sctp_snap`](crate::types::settings::RtcConfiguration::enable_sctp_snap).
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
    /// When the engine wants to be passed the time.
    engine_due: Instant,
    rtp: rtp::Session,
    /// The way of audio, once one is known.
    route: Option<Route>,
    locals: Locals,
    streams: Streams,
    relays: Relays,
    measured: Measured,
    state: PeerConnectionState,
    ice_state: IceConnectionState,
    gathering: IceGatheringState,
    negotiation: Negotiation,
    transceivers: Vec<Transceiver>,
    channels: Vec<Channel>,
    next_channel: u32,
    /// Channels given up before SCTP knew them; closed as soon as they open.
    abandoned: Vec<(ChannelId, Option<u16>)>,
    events: VecDeque<PeerEvent>,
    /// Audio and reports that are to be sent.
    ready: VecDeque<Output>,
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
    /// Of audio, by the engine, which were not sent.
    datagrams_suppressed: u64,
}

impl Peer {
    pub(crate) fn new(config: PeerConfig, now: Instant) -> Self {
        let mut settings = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            // Video is negotiated so that a room with video can be joined; nothing decodes it.
            .enable_vp8(true)
            .enable_h264(true)
            .enable_vp9(true)
            .clear_extension_map()
            .set_extension(1, Extension::AudioLevel)
            .set_extension(2, Extension::RtpMid)
            .set_stats_interval(Some(measured::EVERY))
            .set_snap_enabled(config.sctp_snap)
            .set_sctp_max_buffered_amount(SCTP_BUFFER)
            .set_sctp_max_message_size(u32::try_from(MESSAGE_MAX).unwrap_or(u32::MAX));
        settings.set_max_stun_rto(CHECK_EVERY);
        settings.set_max_stun_retransmits(CHECKS_MAX);
        let (rtc, keys) = rtp::build(settings, now);
        let mut peer = Self {
            rtc,
            engine_due: now,
            rtp: rtp::Session::new(keys),
            route: None,
            locals: Locals::new(config.hosts),
            streams: Streams::default(),
            relays: Relays::new(config.policy),
            measured: Measured::default(),
            state: PeerConnectionState::New,
            ice_state: IceConnectionState::New,
            gathering: IceGatheringState::New,
            negotiation: Negotiation::default(),
            transceivers: vec![],
            channels: vec![],
            next_channel: 0,
            abandoned: vec![],
            events: VecDeque::new(),
            ready: VecDeque::new(),
            dtls_up: false,
            disconnected_since: None,
            close_by: None,
            hub: config.hub,
            now,
            counters: Counters::default(),
        };
        if peer.relays.allows_hosts() {
            for host in peer.locals.hosts() {
                peer.use_local(Protocol::Udp, host);
            }
        }
        peer
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
        self.report(now);
        if self.disconnected_since.is_some_and(|since| since + FAILED_AFTER <= now) {
            self.disconnected_since = None;
            self.set_ice_state(IceConnectionState::Failed);
            self.set_state(PeerConnectionState::Failed);
        }
        if let Some(by) = self.close_by {
            self.say_goodbye();
            if by <= now {
                self.rtc.disconnect();
            }
            if self.deletion_deadline().is_some_and(|by| by <= now) {
                self.relays.clear();
            }
        }
    }

    /// See the rule of use above.
    pub(crate) fn poll(&mut self) -> Output {
        loop {
            if let Some(output) = self.poll_audio() {
                return output;
            }
            if let Some(event) = self.events.pop_front() {
                return Output::Event(event);
            }
            if let Some(output) = self.poll_relays() {
                return output;
            }
            match self.rtc.poll_output() {
                Ok(RtcOutput::Timeout(at)) => {
                    self.engine_due = at;
                    if self.flush_channels() {
                        continue;
                    }
                    self.report_acknowledged();
                    if self.events.is_empty() {
                        return Output::Timeout(self.deadline());
                    }
                }
                Ok(RtcOutput::Transmit(transmit)) => {
                    if let Some(output) = self.output(transmit) {
                        return output;
                    }
                }
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
        if let Some(goodbye) = self.rtp.goodbye() {
            self.send_audio(goodbye.into(), None);
        }
        if self.dtls_up {
            self.say_goodbye();
        } else {
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

    /// The engine cannot close while SCTP shakes hands, which takes only as long as a few datagrams. So it is asked
    /// again whenever something happened; once it agreed, asking changes nothing.
    fn say_goodbye(&mut self) {
        if let Err(error) = self.rtc.close() {
            log::debug!("the goodbye has to wait: {error}");
        }
    }

    /// Gives up without a goodbye and without touching the engine, which may be in no state to be called.
    pub(crate) fn abandon(&mut self) {
        self.close_by.get_or_insert(self.now);
        self.events.clear();
        self.ready.clear();
        self.channels.clear();
        self.relays.clear();
        for transceiver in &mut self.transceivers {
            transceiver.end();
        }
        self.state = PeerConnectionState::Failed;
    }

    /// Whether the goodbye is over: nothing will be sent any more and the peer can be dropped.
    pub(crate) fn is_finished(&self) -> bool {
        self.close_by.is_some()
            && !self.rtc.is_alive()
            && self.relays.are_gone()
            && self.ready.is_empty()
            && self.events.is_empty()
    }

    /// What [`Output::Timeout`] says.
    pub(crate) fn deadline(&mut self) -> Instant {
        let failure = self.disconnected_since.map(|since| since + FAILED_AFTER);
        let goodbye = self.close_by.filter(|_| self.rtc.is_alive());
        let deletion = self.deletion_deadline();
        let audio = self.audio_deadline();
        let own = [failure, goodbye, deletion, self.relays.due(), audio, self.rtp.report_at()];
        own.into_iter().flatten().fold(self.engine_due.min(self.now + IDLE_MAX), Instant::min)
    }

    fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            // Errors of single packets. What is beyond repair shows again when polled.
            log::debug!("input refused: {error}");
        }
    }

    fn handle_event(&mut self, event: Event) {
        if self.is_closed() {
            return;
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "events of modes that are not switched on"
        )]
        match event {
            Event::Connected => {
                self.dtls_up = true;
                self.rtp.start(self.now);
                self.set_state(PeerConnectionState::Connected);
            }
            Event::IceConnectionStateChange(state) => self.handle_ice_state(state),
            Event::ChannelOpen(id, label) => self.channel_opened(id, label),
            Event::ChannelData(data) => self.channel_data(data),
            Event::ChannelClose(id) => self.channel_closed(id),
            Event::Closed => self.handle_remote_close(),
            Event::PeerStats(stats) => self.path_measured(stats.selected_candidate_pair),
            _ => {}
        }
    }

    fn check_open(&self) -> Result<(), PeerError> {
        if self.close_by.is_some() { Err(PeerError::Closed) } else { Ok(()) }
    }

    pub(crate) fn transceiver_mut(&mut self, id: TransceiverId) -> Option<&mut Transceiver> {
        self.transceivers.get_mut(id.index())
    }

    pub(crate) fn transceiver_ids(&self) -> impl Iterator<Item = TransceiverId> + use<> {
        (0..self.transceivers.len()).map(TransceiverId::new)
    }
}
