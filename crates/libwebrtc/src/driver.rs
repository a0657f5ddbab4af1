//! Threads, sockets and timers: what keeps a [`Peer`] going, and how it reaches the application's callbacks.
//!
//! A connection belongs to one of a few threads for its whole life. Each thread runs its own single-threaded runtime
//! that nothing else uses, so an application that keeps its own runtime busy does not delay the microphone.
#![expect(
    clippy::disallowed_methods,
    reason = "IO: this module waits, reads the clock and owns the sockets"
)]

mod api;
mod channel;
mod pool;
mod slot;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    time::Instant,
};

use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;
use tokio::{net::UdpSocket, sync::Notify};

pub(crate) use self::channel::ChannelShared;
use self::slot::Slot;
use crate::{
    RtcError, clock,
    data_channel::{DataChannel, DataChannelState},
    peer::{ChannelKey, Hub, Output, Peer, PeerConfig, PeerEvent},
    peer_connection::{
        OnConnectionChange, OnDataChannel, OnIceCandidate, OnIceConnectionChange,
        OnIceGatheringChange, OnNegotiationNeeded, OnSignalingChange, OnTrack, PeerConnectionState,
        TrackEvent,
    },
    peer_connection_factory::{IceTransportsType, RtcConfiguration},
    rtp_transceiver::{Handle, RtpTransceiver},
};

/// Longest datagram read. What str0m and WebRTC peers send stays below 1500 bytes.
const DATAGRAM_MAX: usize = 2048;
/// Datagrams read before audio, timers and other connections get their turn.
const DATAGRAMS_PER_TURN: usize = 64;

#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) connection: Slot<OnConnectionChange>,
    pub(crate) data_channel: Slot<OnDataChannel>,
    pub(crate) candidate: Slot<OnIceCandidate>,
    pub(crate) ice_connection: Slot<OnIceConnectionChange>,
    pub(crate) gathering: Slot<OnIceGatheringChange>,
    pub(crate) negotiation: Slot<OnNegotiationNeeded>,
    pub(crate) signaling: Slot<OnSignalingChange>,
    pub(crate) track: Slot<OnTrack>,
}

/// What the application's handles and the driving task share.
pub(crate) struct Connection {
    peer: Mutex<Peer>,
    pub(crate) callbacks: Callbacks,
    /// The application's side of the channels, until they are closed.
    channels: Mutex<HashMap<ChannelKey, Arc<ChannelShared>>>,
    /// Notified by calls that may have given the task something to do.
    alarm: Arc<Alarm>,
    /// A channel got a message handler, so messages that waited for one can go out.
    has_new_handler: AtomicBool,
    closed: AtomicBool,
}

/// What the task waits on. Tracks hold it too, so it does not hold the connection.
#[derive(Default)]
struct Alarm(Notify);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

/// Keeps a connection open. The driving task holds the connection itself, so that the end of the last handle, not the
/// end of the task, decides.
pub(crate) struct Owner {
    connection: Arc<Connection>,
}

impl Owner {
    pub(crate) fn spawn(config: &RtcConfiguration) -> Result<Arc<Self>, RtcError> {
        match config.ice_transport_type {
            IceTransportsType::All => {}
            IceTransportsType::Relay => {
                return Err(RtcError::unsupported("a connection through relays only"));
            }
            IceTransportsType::NoHost => {
                return Err(RtcError::unsupported("a connection without host candidates"));
            }
        }
        let io_error = |error: std::io::Error| {
            RtcError::internal(format!("cannot open a udp socket: {error}"))
        };
        let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(io_error)?;
        socket.set_nonblocking(true).map_err(io_error)?;
        let port = socket.local_addr().map_err(io_error)?.port();
        let host = SocketAddr::new(default_address().into(), port);
        let alarm = Arc::new(Alarm::default());
        let hub = Hub { waker: Waker::from(alarm.clone()), grid: clock::grid() };
        let peer_config = PeerConfig { host, sctp_snap: config.enable_sctp_snap, hub };
        let peer = Peer::new(peer_config, Instant::now())?;
        let connection = Arc::new(Connection {
            peer: Mutex::new(peer),
            callbacks: Callbacks::default(),
            channels: Mutex::default(),
            alarm,
            has_new_handler: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let worker = pool::worker()?;
        let task = Task { connection: connection.clone() };
        worker.spawn(task.run(socket));
        Ok(Arc::new(Self { connection }))
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.connection.close();
    }
}

impl Connection {
    /// Locks the peer. Whoever changes it calls [`Self::wake`] afterwards.
    pub(crate) fn peer(&self) -> MutexGuard<'_, Peer> {
        self.peer.lock()
    }

    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.peer().close(Instant::now());
        self.wake();
    }

    fn wake(&self) {
        self.alarm.0.notify_one();
    }

    /// Tells the application, without holding a lock of the engine.
    fn dispatch(self: &Arc<Self>, event: PeerEvent) {
        match event {
            PeerEvent::Connection(state) => self.callbacks.connection.call(|f| f(state)),
            PeerEvent::IceConnection(state) => self.callbacks.ice_connection.call(|f| f(state)),
            PeerEvent::Gathering(state) => self.callbacks.gathering.call(|f| f(state)),
            PeerEvent::Signaling(state) => self.callbacks.signaling.call(|f| f(state)),
            PeerEvent::NegotiationNeeded(number) => self.callbacks.negotiation.call(|f| f(number)),
            PeerEvent::Candidate(candidate) => self.callbacks.candidate.call(|f| f(candidate)),
            PeerEvent::Track(id) => {
                let transceiver = RtpTransceiver::new(Handle::new(Arc::downgrade(self), id));
                let receiver = transceiver.receiver();
                let Some(track) = receiver.track() else { return };
                let event =
                    TrackEvent { streams: receiver.streams(), receiver, track, transceiver };
                self.callbacks.track.call(|f| f(event));
            }
            PeerEvent::ChannelAdded { key, label } => {
                let shared = ChannelShared::opened(Arc::downgrade(self), key, &label);
                self.channels.lock().insert(key, shared.clone());
                self.callbacks.data_channel.call(|f| f(DataChannel::new(shared)));
            }
            PeerEvent::ChannelState(key, state) => {
                if let Some(channel) = self.channel(key) {
                    channel.set_state(state);
                }
                if state == DataChannelState::Closed {
                    self.channels.lock().remove(&key);
                }
            }
            PeerEvent::Message { key, data, binary } => {
                if let Some(channel) = self.channel(key) {
                    channel.deliver(data, binary);
                }
            }
            PeerEvent::Acknowledged(key, bytes) => {
                if let Some(channel) = self.channel(key) {
                    channel.on_buffered_amount_change.call(|f| f(bytes));
                }
            }
        }
    }

    fn channel(&self, key: ChannelKey) -> Option<Arc<ChannelShared>> {
        self.channels.lock().get(&key).cloned()
    }

    /// The task is over, orderly or not: whoever still holds a handle must see it, and callbacks must not keep their
    /// owners alive.
    fn finish(&self) {
        self.close();
        let channels: Vec<_> = self.channels.lock().drain().map(|(_, channel)| channel).collect();
        for channel in channels {
            channel.finish();
        }
        let callbacks = &self.callbacks;
        callbacks.connection.set(None);
        callbacks.data_channel.set(None);
        callbacks.candidate.set(None);
        callbacks.ice_connection.set(None);
        callbacks.gathering.set(None);
        callbacks.negotiation.set(None);
        callbacks.signaling.set(None);
        callbacks.track.set(None);
    }
}

/// What ends a task before its connection was closed.
#[derive(Debug, Error)]
enum Fault {
    #[error("cannot use a udp socket: {0}")]
    Socket(std::io::Error),
    #[error("the engine panicked, see above")]
    Panic,
}

/// The future that drives a connection from its birth to its end.
struct Task {
    connection: Arc<Connection>,
}

impl Task {
    async fn run(self, socket: std::net::UdpSocket) {
        let result = match UdpSocket::from_std(socket) {
            Ok(socket) => self.drive(&socket).await,
            Err(error) => Err(Fault::Socket(error)),
        };
        if let Err(fault) = result {
            log::error!("peer connection failed: {fault}");
            self.connection.peer().abandon();
            self.connection.callbacks.connection.call(|f| f(PeerConnectionState::Failed));
        }
        self.connection.finish();
    }

    async fn drive(&self, socket: &UdpSocket) -> Result<(), Fault> {
        let connection = &self.connection;
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            // A panic would leave the application waiting for ever, and the state of the peer is not used afterwards.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(socket, &mut buffer)));
            let deadline = turn.map_err(|_| Fault::Panic)?;
            if connection.peer().is_finished() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = connection.alarm.0.notified() => {}
                result = socket.readable() => result.map_err(Fault::Socket)?,
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
        }
    }

    /// Does all that is due, in the order of urgency: the microphone, then what arrived, then timers.
    fn turn(&self, socket: &UdpSocket, buffer: &mut [u8]) -> Instant {
        self.send_audio(socket);
        if self.connection.has_new_handler.swap(false, Ordering::AcqRel) {
            let channels: Vec<_> = self.connection.channels.lock().values().cloned().collect();
            for channel in channels {
                channel.deliver_waiting();
            }
        }
        for _ in 0..DATAGRAMS_PER_TURN {
            let Ok((length, source)) = socket.try_recv_from(buffer) else { break };
            // The clock is read for each datagram, right after it: this is the moment of its arrival.
            let arrival = Instant::now();
            self.connection.peer().handle_datagram(arrival, source, &buffer[..length]);
            self.drain(socket);
        }
        self.connection.peer().handle_timeout(Instant::now());
        self.drain(socket)
    }

    /// Sends every microphone packet that is due, each with the time it is really sent at.
    fn send_audio(&self, socket: &UdpSocket) {
        loop {
            let now = Instant::now();
            if !self.connection.peer().send_due_audio(now) {
                return;
            }
            self.drain(socket);
        }
    }

    /// Lets out what the peer has to say. Returns when it wants to be called again.
    fn drain(&self, socket: &UdpSocket) -> Instant {
        loop {
            let output = self.connection.peer().poll();
            match output {
                Output::Transmit(transmit) => {
                    // A full socket buffer loses the datagram, as any router on the way might.
                    if let Err(error) = socket.try_send_to(&transmit.contents, transmit.destination)
                    {
                        log::debug!("cannot send to {}: {error}", transmit.destination);
                    }
                }
                Output::Event(event) => self.connection.dispatch(event),
                Output::Timeout(at) => return at,
            }
        }
    }
}

/// The address of the interface that the default route leaves by; loopback when there is no route.
fn default_address() -> Ipv4Addr {
    let probe = || -> std::io::Result<SocketAddr> {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // Connecting a UDP socket sends nothing, it only chooses a route. The address is from a documentation range.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    match probe() {
        Ok(SocketAddr::V4(address)) => *address.ip(),
        Ok(SocketAddr::V6(_)) | Err(_) => Ipv4Addr::LOCALHOST,
    }
}
