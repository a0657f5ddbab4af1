//! Threads, sockets and timers: what keeps a [`Peer`] going, and how it reaches the application's callbacks.
//!
//! A connection belongs to one of a few threads for its whole life ([`pool`]), which nothing else uses: an application
//! that keeps its own runtime busy does not delay the microphone. Where the system allows it they have a higher priority
//! than others ([`reactor`]).
//!
//! With many calls, what costs is not packets or encryption but how often a thread wakes, and how often the state of a
//! call, which has left the caches meanwhile, is fetched from memory. Two rules keep both rare:
//!
//! 1. **One tick.** A thread wakes each 5 ms for all its connections, on the grid of the microphones' deadlines, and when
//!    the application asks for something. It does not wake for packets: the kernel stamps each datagram as it comes in
//!    ([`socket`]), so the moment of arrival does not depend on when it is read.
//! 2. **One batch.** A microphone's packets are encrypted a few at a time, as many as its source says, and leave when they
//!    are due. Audio that has arrived is read at the next tick and stays encrypted until packets of the microphone are
//!    fetched, but no longer than 20 ms for each packet that its readers take at a time; then the readers are woken.
//!    Nothing but audio waits ([`task`]).
//!
//! Every connection has a socket of its own. One for all calls of a thread would save little, as a system call is the
//! smaller part of sending a datagram, and servers that tell their clients apart by address would mix them up.
//!
//! What a call costs, and what was tried to make it cheaper, is in `docs/performance.md`.
#![expect(
    clippy::disallowed_methods,
    reason = "IO: this module waits, reads the clock and owns the sockets"
)]

mod callback;
mod calls;
mod channel;
mod handle;
mod hosts;
mod pool;
mod reactor;
mod resolve;
mod socket;
mod streams;
mod task;
mod tls;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::Thread,
    time::Instant,
};

use parking_lot::{Mutex, MutexGuard};

use self::{callback::Callback, reactor::Worker, socket::Socket};
pub(crate) use self::{channel::ChannelShared, handle::Handle};
use crate::{
    clock,
    peer::{ChannelKey, Hub, Peer, PeerConfig, PeerEvent, Policy},
    types::{
        RtcError,
        ice_candidate::IceCandidate,
        settings::{IceTransportsType, RtcConfiguration},
        states::{
            DataChannelState, IceConnectionState, IceGatheringState, PeerConnectionState,
            SignalingState,
        },
    },
};

/// A callback of the application's. It runs on an engine thread, without any lock of the engine.
pub(crate) type On<T> = Box<dyn FnMut(T) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) connection: Callback<On<PeerConnectionState>>,
    pub(crate) data_channel: Callback<On<Arc<ChannelShared>>>,
    pub(crate) candidate: Callback<On<IceCandidate>>,
    pub(crate) ice_connection: Callback<On<IceConnectionState>>,
    pub(crate) gathering: Callback<On<IceGatheringState>>,
    pub(crate) negotiation: Callback<On<u32>>,
    pub(crate) signaling: Callback<On<SignalingState>>,
    pub(crate) track: Callback<On<Handle>>,
}

/// What the application's handles and the driving thread share.
pub(crate) struct Connection {
    peer: Mutex<Peer>,
    pub(crate) callbacks: Callbacks,
    /// The application's side of the channels, until they are closed.
    channels: Mutex<HashMap<ChannelKey, Arc<ChannelShared>>>,
    /// Raised by calls that may have given the thread something to do.
    wake_flag: Arc<WakeFlag>,
    /// A channel got a message handler, so messages that waited for one can go out.
    has_new_handler: AtomicBool,
    closed: AtomicBool,
}

/// What makes a thread look after a connection before its next tick. Tracks hold it too, so it does not hold the
/// connection.
struct WakeFlag {
    raised: AtomicBool,
    thread: ThreadWaker,
}

/// Tells a thread that flags were raised. It asks for that alone as long as there are none.
#[derive(Clone)]
struct ThreadWaker {
    is_woken: Arc<AtomicBool>,
    thread: Thread,
}

impl WakeFlag {
    fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            self.thread.is_woken.store(true, Ordering::Release);
            self.thread.thread.unpark();
        }
    }

    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Whether it was raised since the last time.
    fn take(&self) -> bool {
        self.raised.load(Ordering::Relaxed) && self.raised.swap(false, Ordering::AcqRel)
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
    }
}

/// Keeps a connection open. The driving thread holds the connection itself, so that the end of the last handle, not the
/// end of the driving, decides.
pub(crate) struct Owner {
    connection: Arc<Connection>,
}

impl Owner {
    pub(crate) fn spawn(config: &RtcConfiguration) -> Result<Arc<Self>, RtcError> {
        Self::on(pool::worker()?, config)
    }

    fn on(worker: &Worker, config: &RtcConfiguration) -> Result<Arc<Self>, RtcError> {
        let policy = match config.ice_transport_type {
            IceTransportsType::All => Policy::All,
            // There are host and relayed candidates only, so without the first there are the second.
            IceTransportsType::Relay | IceTransportsType::NoHost => Policy::Relayed,
        };
        let io_error = |error: std::io::Error| {
            RtcError::internal(format!("cannot open a udp socket: {error}"))
        };
        let socket = Socket::open().map_err(io_error)?;
        let hosts = hosts::find(&socket).map_err(io_error)?;
        let wake_flag =
            Arc::new(WakeFlag { raised: AtomicBool::new(false), thread: worker.waker() });
        let hub = Hub { waker: Waker::from(wake_flag.clone()), grid: clock::grid() };
        let peer_config = PeerConfig { hosts, policy, sctp_snap: config.enable_sctp_snap, hub };
        let peer = Peer::new(peer_config, Instant::now());
        let connection = Arc::new(Connection {
            peer: Mutex::new(peer),
            callbacks: Callbacks::default(),
            channels: Mutex::default(),
            wake_flag,
            has_new_handler: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        worker.adopt(connection.clone(), socket);
        connection.use_servers(&config.ice_servers);
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
        self.wake_flag.raise();
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
                let handle = Handle::new(Arc::downgrade(self), id);
                self.callbacks.track.call(|f| f(handle));
            }
            PeerEvent::ChannelAdded { key, label } => {
                let shared = ChannelShared::opened(Arc::downgrade(self), key, &label);
                self.channels.lock().insert(key, shared.clone());
                self.callbacks.data_channel.call(|f| f(shared));
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

    /// Gives up.
    fn fail(&self, reason: &str) {
        log::error!("peer connection failed: {reason}");
        self.peer().abandon();
        self.callbacks.connection.call(|f| f(PeerConnectionState::Failed));
        self.finish();
    }

    /// The driving is over, orderly or not: whoever still holds a handle must see it, and callbacks must not keep their
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_is_rid_of_a_connection_that_is_over() {
        let worker = Worker::start(0).unwrap();
        let open = || Owner::on(&worker, &RtcConfiguration::default()).unwrap();
        let (one, other) = (open(), open());
        assert_eq!(worker.connections(), 2);
        drop(one);
        let until = Instant::now() + Duration::from_secs(5);
        while worker.connections() != 1 {
            assert!(Instant::now() < until, "{} are left", worker.connections());
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(other);
    }
}
