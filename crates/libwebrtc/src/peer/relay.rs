//! One allocation on a TURN server (RFC 8656): what is sent from the relayed address is wrapped for the server, what the
//! server hands on is unwrapped.
//!
//! `turn-client-proto` keeps the state of the protocol: authentication and stale nonces, and the refreshing of the
//! allocation, its permissions and its channels. It does not know of the padding that channel messages have in a
//! connection. So connections carry indications alone, and are cut into messages here.

pub(super) mod server;

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use turn_client_proto::{
    api::{Transmit, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    client::TurnClient,
    prelude::{DelayedTransmitBuild, TurnClientApi},
    stun::{Instant as TurnInstant, types::message::MessageHeader},
    tcp::TurnClientTcp,
    types::{TransportType, TurnCredentials},
    udp::TurnClientUdp,
};

pub(crate) use self::server::{Credentials, RelayServer, RelayTransport, RelayUrl, RelayUrlError};

/// Machines that may send through an allocation.
const PEERS_MAX: usize = 64;
/// Addresses that are sent to with the short header of a channel. The others cost 32 bytes more per datagram.
const CHANNELS_MAX: usize = 16;
/// How long a machine that could not be let in is not asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Datagrams that wait until their machine is let in. What goes beyond is lost, and sent again by those who need it.
const HELD_MAX: usize = 8;
/// How long a server may take to give an allocation. It says no to a wrong password as if it had been given none, which
/// the protocol takes for no answer.
const ALLOCATE_WITHIN: Duration = Duration::from_secs(10);
/// The protocol is never asked more often than this.
const TICK: Duration = Duration::from_millis(1);

pub(super) struct Relay {
    server: RelayServer,
    client: TurnClient,
    /// What the protocol's time counts from.
    epoch: Instant,
    state: State,
    /// When the protocol has something to do.
    due: Instant,
    /// The machines that were asked for, and when.
    asked: HashMap<IpAddr, Instant>,
    channels: Vec<SocketAddr>,
    held: VecDeque<(SocketAddr, Vec<u8>)>,
    ready: VecDeque<Vec<u8>>,
    /// The beginning of a message, of a connection.
    partial: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Allocating,
    /// There is a relayed address.
    Allocated(SocketAddr),
    /// The server was asked to forget the allocation.
    Deleting,
    Over,
}

/// What an allocation wants.
pub(super) enum Step {
    /// Send this to the server.
    Send(Vec<u8>),
    /// There is a relayed address now.
    Allocated(SocketAddr),
    /// It is no longer of use.
    Over,
}

impl Relay {
    /// `local` is the address that datagrams to the server come from.
    pub(super) fn new(server: RelayServer, local: SocketAddr, now: Instant) -> Self {
        let credentials =
            TurnCredentials::new(server.credentials.username(), server.credentials.password());
        let config = TurnConfig::new(credentials);
        let client = match server.transport {
            RelayTransport::Udp => TurnClientUdp::allocate(local, server.address, config).into(),
            RelayTransport::Tcp | RelayTransport::Tls(_) => {
                TurnClientTcp::allocate(local, server.address, config).into()
            }
        };
        Self {
            server,
            client,
            epoch: now,
            state: State::Allocating,
            due: now,
            asked: HashMap::new(),
            channels: vec![],
            held: VecDeque::new(),
            ready: VecDeque::new(),
            partial: vec![],
        }
    }

    pub(super) fn server(&self) -> &RelayServer {
        &self.server
    }

    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        if let State::Allocated(address) = self.state { Some(address) } else { None }
    }

    pub(super) fn is_allocating(&self) -> bool {
        self.state == State::Allocating
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Bytes that wait for something.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let held: usize = self.held.iter().map(|(_, data)| data.len()).sum();
        held + self.ready.iter().map(Vec::len).sum::<usize>() + self.partial.len()
    }

    /// Call it until it answers nothing, and again at [`Self::due`].
    pub(super) fn poll(&mut self, now: Instant) -> Option<Step> {
        if self.state == State::Over {
            return Some(Step::Over);
        }
        if let Some(message) = self.ready.pop_front() {
            return Some(Step::Send(message));
        }
        if now < self.due {
            return None;
        }
        let allocate_by = self.epoch + ALLOCATE_WITHIN;
        if self.state == State::Allocating && allocate_by <= now {
            return Some(self.end("it gives no allocation: wrong credentials, or no answer"));
        }
        let at = self.at(now);
        while let Some(event) = self.client.poll_event() {
            if let Some(step) = self.take(&event, now) {
                return Some(step);
            }
        }
        if let Some(message) = self.ready.pop_front() {
            return Some(Step::Send(message));
        }
        if let Some(transmit) = self.client.poll_transmit(at) {
            return Some(Step::Send(transmit.data.to_vec()));
        }
        match self.client.poll(at) {
            TurnPollRet::WaitUntil(until) => {
                let due = self.moment(until).max(now + TICK);
                let is_allocating = self.state == State::Allocating;
                self.due = if is_allocating { due.min(allocate_by) } else { due };
            }
            // Only of allocations that relay TCP, which are not asked for.
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {
                self.due = now + TICK;
            }
            TurnPollRet::Closed => return Some(self.end("the allocation is gone")),
        }
        None
    }

    /// Wraps a datagram from the relayed address to `to`. Nothing while the server has yet to let that machine in.
    pub(super) fn send(&mut self, to: SocketAddr, data: &[u8], now: Instant) -> Option<Vec<u8>> {
        self.relayed()?;
        if !self.client.have_permission(TransportType::Udp, to.ip()) {
            if self.ask_for(to.ip(), now) && self.held.len() < HELD_MAX {
                self.held.push_back((to, data.to_vec()));
            }
            return None;
        }
        if self.server.transport == RelayTransport::Udp && !is_stun(data) {
            self.bind_channel(to, now);
        }
        self.wrap(to, data, now)
    }

    /// A datagram came from the server, or a whole message through the connection to it. Answers what some machine sent
    /// to the relayed address, if that is what it holds.
    pub(super) fn receive(
        &mut self,
        message: &[u8],
        now: Instant,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let transmit = Transmit::new(
            message,
            self.client.transport(),
            self.client.remote_addr(),
            self.client.local_addr(),
        );
        let received = self.client.recv(transmit, self.at(now));
        match received {
            TurnRecvRet::PeerData(data) => {
                self.relayed().map(|_| (data.peer, data.data().to_vec()))
            }
            TurnRecvRet::Handled | TurnRecvRet::Ignored(_) | TurnRecvRet::PeerIcmp { .. } => {
                self.due = now;
                None
            }
        }
    }

    /// The same for bytes of a connection.
    pub(super) fn receive_bytes(
        &mut self,
        bytes: &[u8],
        now: Instant,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut unwrapped = vec![];
        let mut waiting = std::mem::take(&mut self.partial);
        waiting.extend_from_slice(bytes);
        let mut rest = waiting.as_slice();
        while self.state != State::Over {
            let Ok(length) = message_length(rest) else {
                self.end("what it sends is not STUN");
                break;
            };
            let Some((message, after)) = length.and_then(|length| rest.split_at_checked(length))
            else {
                self.partial = rest.to_vec();
                break;
            };
            unwrapped.extend(self.receive(message, now));
            rest = after;
        }
        unwrapped
    }

    /// The connection to the server ended, or could not be made.
    pub(super) fn connection_ended(&mut self) {
        self.end("there is no connection to it");
    }

    /// Has the server forget the allocation. It is over when the server has answered.
    pub(super) fn delete(&mut self, now: Instant) {
        match self.state {
            State::Allocating => self.state = State::Over,
            State::Allocated(_) => {
                self.state = State::Deleting;
                self.due = now;
                self.held.clear();
                if self.client.delete(self.at(now)).is_err() {
                    self.state = State::Over;
                }
            }
            State::Deleting | State::Over => {}
        }
    }

    fn take(&mut self, event: &TurnEvent, now: Instant) -> Option<Step> {
        match event {
            TurnEvent::AllocationCreated(_, address) if self.state == State::Allocating => {
                log::debug!("the turn server {} relays {address}", self.server.address);
                self.state = State::Allocated(*address);
                return Some(Step::Allocated(*address));
            }
            TurnEvent::AllocationCreateFailed(_) => {
                return Some(self.end("it refuses an allocation"));
            }
            TurnEvent::PermissionCreated(_, ip) => {
                let held = std::mem::take(&mut self.held);
                for (to, data) in held {
                    if to.ip() == *ip {
                        let message = self.wrap(to, &data, now);
                        self.ready.extend(message);
                    } else {
                        self.held.push_back((to, data));
                    }
                }
            }
            TurnEvent::PermissionCreateFailed(_, ip) => {
                log::debug!("the turn server {} does not let {ip} in", self.server.address);
                self.held.retain(|(to, _)| to.ip() != *ip);
            }
            TurnEvent::AllocationCreated(..)
            | TurnEvent::ChannelCreated(..)
            | TurnEvent::ChannelCreateFailed(..)
            | TurnEvent::TcpConnected(_)
            | TurnEvent::TcpConnectFailed(_) => {}
        }
        None
    }

    fn end(&mut self, reason: &str) -> Step {
        if !matches!(self.state, State::Deleting | State::Over) {
            log::warn!("the turn server {} is not used: {reason}", self.server.address);
        }
        self.state = State::Over;
        self.held.clear();
        self.partial.clear();
        Step::Over
    }

    /// Whether the server was asked to let a machine in, now or a moment ago.
    fn ask_for(&mut self, machine: IpAddr, now: Instant) -> bool {
        if let Some(asked) = self.asked.get(&machine) {
            if now < *asked + ASK_AGAIN {
                return true;
            }
        } else if self.asked.len() >= PEERS_MAX {
            return false;
        }
        self.asked.insert(machine, now);
        self.due = now;
        let asked = self.client.create_permission(TransportType::Udp, machine, self.at(now));
        if let Err(error) = &asked {
            log::debug!("cannot ask {} to let {machine} in: {error}", self.server.address);
        }
        asked.is_ok()
    }

    fn bind_channel(&mut self, to: SocketAddr, now: Instant) {
        if self.channels.contains(&to) || self.channels.len() >= CHANNELS_MAX {
            return;
        }
        self.channels.push(to);
        self.due = now;
        if let Err(error) = self.client.bind_channel(TransportType::Udp, to, self.at(now)) {
            log::debug!("no channel to {to}: {error}");
        }
    }

    fn wrap(&mut self, to: SocketAddr, data: &[u8], now: Instant) -> Option<Vec<u8>> {
        let at = self.at(now);
        let wrapped = self.client.send_to(TransportType::Udp, to, data, at).ok()??;
        Some(wrapped.data.build())
    }

    fn at(&self, now: Instant) -> TurnInstant {
        let since = now.saturating_duration_since(self.epoch).as_nanos();
        TurnInstant::from_nanos(i64::try_from(since).unwrap_or(i64::MAX))
    }

    fn moment(&self, at: TurnInstant) -> Instant {
        self.epoch + Duration::from_nanos(u64::try_from(at.as_nanos()).unwrap_or_default())
    }
}

struct NotStun;

/// Of the first message, if its header is there: at most 64 kB.
fn message_length(bytes: &[u8]) -> Result<Option<usize>, NotStun> {
    let Some(header) = bytes.get(..MessageHeader::LENGTH) else { return Ok(None) };
    let header = MessageHeader::from_bytes(header).map_err(|_| NotStun)?;
    Ok(Some(MessageHeader::LENGTH + usize::from(header.data_length())))
}

/// Connectivity checks, by the first byte (RFC 7983, 7).
fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}
