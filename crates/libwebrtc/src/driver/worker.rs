//! A thread and the connections it drives, all in the same tick.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Registry, Token};
use parking_lot::Mutex;

use super::{
    Bell, Connection,
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
/// Of a thread, where the system allows it: what it does takes microseconds and has a deadline, what others do takes
/// milliseconds and has none.
#[cfg(target_os = "linux")]
const NICENESS: i32 = -10;

/// A running thread.
pub(super) struct Worker {
    thread: JoinHandle<()>,
    newcomers: Arc<Mutex<Vec<Newcomer>>>,
    is_rung: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

type Newcomer = (Arc<Connection>, Socket);

impl Worker {
    pub(super) fn start(index: usize) -> io::Result<Self> {
        let newcomers = Arc::default();
        let is_rung = Arc::default();
        let connections = Arc::default();
        let poll = Poll::new()?;
        let crew = Crew {
            newcomers: Arc::clone(&newcomers),
            is_rung: Arc::clone(&is_rung),
            connections: Arc::clone(&connections),
            members: Vec::new(),
            due: Vec::new(),
            lively_until: Instant::now(),
            registry: Arc::new(poll.registry().try_clone()?),
            poll,
            events: Events::with_capacity(EVENTS),
            inbound: Inbound::default(),
        };
        let run = || {
            go_before_others();
            crew.run();
        };
        let thread = thread::Builder::new().name(format!("rtc-{index}")).spawn(run)?;
        Ok(Self { thread, newcomers, is_rung, connections })
    }

    /// How many connections it drives.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn bell(&self) -> Bell {
        Bell { is_rung: Arc::clone(&self.is_rung), thread: self.thread.thread().clone() }
    }

    /// Takes on a connection for life.
    pub(super) fn adopt(&self, connection: Arc<Connection>, socket: Socket) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.newcomers.lock().push((connection, socket));
        self.thread.thread().unpark();
    }
}

/// Takes a higher priority for the calling thread, which the superuser may do, and whoever has `CAP_SYS_NICE` or a limit
/// for it (`RLIMIT_NICE`). On Linux niceness is a thread's and not a process's: setpriority(2), "C library/kernel
/// differences".
fn go_before_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        log::debug!("the engine's threads have no higher priority than others: {error}");
    }
}

/// What of a connection is told of.
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
    is_rung: Arc<AtomicBool>,
    /// How many there are, newcomers included.
    connections: Arc<AtomicUsize>,
    /// `None` is a place for a newcomer.
    members: Vec<Option<Member>>,
    /// The places of those that are due; kept for its memory.
    due: Vec<usize>,
    /// The latest of all members.
    lively_until: Instant,
    poll: Poll,
    /// Of the poll, for the members to register their TCP connections with.
    registry: Arc<Registry>,
    events: Events,
    inbound: Inbound,
}

/// A connection and when it has to be looked after. All are gone through in each tick, so there is little to go through.
struct Member {
    due_at: Instant,
    driven: Box<Driven>,
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
            let are_alarms_raised = self.is_rung.swap(false, Ordering::AcqRel);
            if are_alarms_raised {
                self.look_for_alarms(now);
            }
            self.look_after(now, are_alarms_raised);
            let tick = if now < self.lively_until { SHORT_TICK } else { TICK };
            next_tick = clock::next_tick(Instant::now(), tick);
        }
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
        if !newcomers.is_empty() {
            // Their alarms may have been raised before they were here.
            self.is_rung.store(true, Ordering::Release);
        }
        for (connection, socket) in newcomers {
            let place = self.members.iter().position(Option::is_none).unwrap_or_else(|| {
                self.members.push(None);
                self.members.len() - 1
            });
            match self.watch(place, socket) {
                Ok((socket, watch)) => {
                    let driven = Box::new(Driven::new(connection, socket, watch));
                    self.members[place] = Some(Member { due_at: driven.due_at(), driven });
                }
                Err(error) => {
                    connection.fail(&format!("cannot watch its socket: {error}"));
                    self.connections.fetch_sub(1, Ordering::Relaxed);
                }
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
                let Some(Some(member)) = self.members.get_mut(place) else { continue };
                match subject {
                    Subject::Socket => member.driven.datagrams_arrived(),
                    Subject::Streams => member.driven.streams_have_news(),
                }
                member.due_at = now;
            }
            if told < EVENTS {
                return;
            }
        }
    }

    fn look_for_alarms(&mut self, now: Instant) {
        let members = self.members.iter_mut().flatten();
        members.filter(|member| member.driven.is_asked()).for_each(|member| member.due_at = now);
    }

    /// Gives a turn to those that are due.
    fn look_after(&mut self, now: Instant, are_alarms_raised: bool) {
        let Self { members, due, inbound, .. } = self;
        let is_due = |member: &Option<Member>| member.as_ref().is_some_and(|it| it.due_at <= now);
        due.clear();
        due.extend((0..members.len()).filter(|place| is_due(&members[*place])));
        let mut each = |action: &mut dyn FnMut(&mut Driven)| {
            for place in &*due {
                members[*place].iter_mut().for_each(|member| action(&mut member.driven));
            }
        };
        // Before anything that takes longer.
        each(&mut |driven| driven.send_sealed(now));
        let clocks = Clocks::read();
        each(&mut |driven| driven.turn(clocks, inbound, are_alarms_raised));
        // When all have been read, so that the application wakes once for what all of them have heard.
        each(&mut Driven::tell_readers);
        for place in &self.due {
            let Some(member) = &mut self.members[*place] else { continue };
            member.due_at = member.driven.due_at();
            self.lively_until = self.lively_until.max(member.driven.lively_until());
            // Its socket goes with it.
            if self.members[*place].take_if(|member| member.driven.is_over()).is_some() {
                self.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
