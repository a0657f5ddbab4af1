//! A thread and the connections it drives, all in the same tick.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Registry, Token};
use parking_lot::Mutex;

use super::{
    Connection,
    driven::Driven,
    socket::{Clocks, Inbound, Socket},
    streams::Watch,
};
use crate::clock;

/// How often a thread looks after its connections: four times in the 20 ms of a packet, in step with the four phases of
/// the microphones.
const TICK: Duration = Duration::from_millis(5);
/// The same while one of them is lively.
const SHORT_TICK: Duration = Duration::from_millis(1);
/// Sockets that are told of at once; the rest is told of in the next round.
const EVENTS: usize = 256;

/// A running thread.
pub(super) struct Worker {
    thread: JoinHandle<()>,
    newcomers: Arc<Mutex<Vec<Newcomer>>>,
}

type Newcomer = (Arc<Connection>, Socket);

impl Worker {
    pub(super) fn start(index: usize) -> io::Result<Self> {
        let newcomers = Arc::default();
        let poll = Poll::new()?;
        let crew = Crew {
            newcomers: Arc::clone(&newcomers),
            members: Vec::new(),
            registry: Arc::new(poll.registry().try_clone()?),
            poll,
            events: Events::with_capacity(EVENTS),
            inbound: Inbound::default(),
        };
        let thread = thread::Builder::new().name(format!("rtc-{index}")).spawn(|| crew.run())?;
        Ok(Self { thread, newcomers })
    }

    pub(super) fn thread(&self) -> &Thread {
        self.thread.thread()
    }

    /// Takes on a connection for life.
    pub(super) fn adopt(&self, connection: Arc<Connection>, socket: Socket) {
        self.newcomers.lock().push((connection, socket));
        self.thread().unpark();
    }
}

/// What of a member is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Socket,
    Streams,
}

impl Subject {
    fn token(self, place: usize) -> Token {
        Token(place * 2 + self as usize)
    }

    fn of(token: Token) -> (usize, Self) {
        (token.0 / 2, if token.0.is_multiple_of(2) { Self::Socket } else { Self::Streams })
    }
}

/// What the thread owns.
struct Crew {
    newcomers: Arc<Mutex<Vec<Newcomer>>>,
    /// `None` is a place for a newcomer.
    members: Vec<Option<Driven>>,
    poll: Poll,
    /// Of the poll, for the members to register their TCP connections with.
    registry: Arc<Registry>,
    events: Events,
    inbound: Inbound,
}

impl Crew {
    fn run(mut self) {
        let mut next_tick = clock::next_tick(Instant::now(), TICK);
        loop {
            self.wait(next_tick);
            self.admit();
            let now = Instant::now();
            if now >= next_tick {
                self.look_for_datagrams(now);
            }
            // Before anything that takes longer.
            self.members_mut().for_each(|member| member.send_sealed(now));
            let clocks = Clocks::read();
            let Self { members, inbound, .. } = &mut self;
            members.iter_mut().flatten().for_each(|member| member.turn(clocks, inbound));
            self.members_mut().for_each(Driven::tell_readers);
            self.dismiss();
            let lively = self.members_mut().any(|member| member.is_lively(clocks.now));
            let tick = if lively { SHORT_TICK } else { TICK };
            next_tick = clock::next_tick(Instant::now(), tick);
        }
    }

    fn members_mut(&mut self) -> impl Iterator<Item = &mut Driven> {
        self.members.iter_mut().flatten()
    }

    /// Until the tick, an alarm, or a newcomer. Waking without a reason does no harm.
    fn wait(&self, next_tick: Instant) {
        if self.members.iter().all(Option::is_none) {
            if self.newcomers.lock().is_empty() {
                thread::park();
            }
            return;
        }
        thread::park_timeout(next_tick.saturating_duration_since(Instant::now()));
    }

    fn admit(&mut self) {
        let newcomers = std::mem::take(&mut *self.newcomers.lock());
        for (connection, socket) in newcomers {
            let place = self.members.iter().position(Option::is_none).unwrap_or_else(|| {
                self.members.push(None);
                self.members.len() - 1
            });
            match self.watch(place, socket) {
                Ok((socket, watch)) => {
                    self.members[place] = Some(Driven::new(connection, socket, watch));
                }
                Err(error) => connection.fail(&format!("cannot watch its socket: {error}")),
            }
        }
    }

    fn watch(&self, place: usize, mut socket: Socket) -> io::Result<(Socket, Watch)> {
        let registry = Arc::clone(&self.registry);
        registry.register(socket.source(), Subject::Socket.token(place), Interest::READABLE)?;
        Ok((socket, Watch { registry, token: Subject::Streams.token(place) }))
    }

    /// Asks which sockets have something, without waiting for it.
    fn look_for_datagrams(&mut self, now: Instant) {
        loop {
            if let Err(error) = self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
                log::debug!("cannot ask for datagrams: {error}");
                return;
            }
            let mut told = 0;
            for event in &self.events {
                told += 1;
                let (place, subject) = Subject::of(event.token());
                match (self.members.get_mut(place), subject) {
                    (Some(Some(member)), Subject::Socket) => member.datagrams_arrived(now),
                    (Some(Some(member)), Subject::Streams) => member.streams_have_news(),
                    (Some(None) | None, _) => {}
                }
            }
            if told < EVENTS {
                return;
            }
        }
    }

    /// Lets go of connections that are over, and of their sockets.
    fn dismiss(&mut self) {
        for place in &mut self.members {
            place.take_if(|member| member.is_over());
        }
    }
}
