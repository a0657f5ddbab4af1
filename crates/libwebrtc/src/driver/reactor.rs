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
    Connection, ThreadWaker,
    socket::{Clocks, Inbound, Socket},
    streams::Watch,
    task::ConnectionTask,
};
use crate::clock;

/// How often a thread looks after its connections: four times in the 20 ms of a packet, in step with the four phases of
/// the microphones.
const TICK: Duration = Duration::from_millis(5);
/// Sockets that are told of at once; the rest is told of in the next round.
const EVENTS: usize = 256;
/// Of a thread, where the system allows it: what it does takes microseconds and has a deadline, what others do takes
/// milliseconds and has none.
#[cfg(target_os = "linux")]
const NICENESS: i32 = -10;

/// A running thread.
pub(super) struct Worker {
    thread: JoinHandle<()>,
    pending: Arc<Mutex<Vec<Pending>>>,
    is_woken: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

/// A connection on its way to the thread.
type Pending = (Arc<Connection>, Socket);

impl Worker {
    pub(super) fn start(index: usize) -> io::Result<Self> {
        let pending = Arc::default();
        let is_woken = Arc::default();
        let connections = Arc::default();
        let poll = Poll::new()?;
        let reactor = Reactor {
            pending: Arc::clone(&pending),
            is_woken: Arc::clone(&is_woken),
            connections: Arc::clone(&connections),
            slots: Vec::new(),
            due: Vec::new(),
            registry: Arc::new(poll.registry().try_clone()?),
            poll,
            events: Events::with_capacity(EVENTS),
            inbound: Inbound::default(),
        };
        let run = || {
            go_before_others();
            reactor.run();
        };
        let thread = thread::Builder::new().name(format!("rtc-{index}")).spawn(run)?;
        Ok(Self { thread, pending, is_woken, connections })
    }

    /// How many connections it drives.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn waker(&self) -> ThreadWaker {
        ThreadWaker { is_woken: Arc::clone(&self.is_woken), thread: self.thread.thread().clone() }
    }

    /// Takes on a connection for life.
    pub(super) fn adopt(&self, connection: Arc<Connection>, socket: Socket) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.pending.lock().push((connection, socket));
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
struct Reactor {
    pending: Arc<Mutex<Vec<Pending>>>,
    is_woken: Arc<AtomicBool>,
    /// How many there are, pending ones included.
    connections: Arc<AtomicUsize>,
    slots: Vec<Option<Slot>>,
    /// The places of those that are due; kept for its memory.
    due: Vec<usize>,
    poll: Poll,
    /// Of the poll, for the connections to register their TCP connections with.
    registry: Arc<Registry>,
    events: Events,
    inbound: Inbound,
}

/// A connection and when it has to be looked after. All are gone through in each tick, so there is little to go through.
struct Slot {
    due_at: Instant,
    task: Box<ConnectionTask>,
}

impl Reactor {
    fn run(mut self) {
        let mut next_tick = clock::next_tick(Instant::now(), TICK);
        loop {
            self.wait(next_tick);
            self.admit();
            let now = Instant::now();
            if now >= next_tick {
                self.look_for_datagrams(now);
            }
            let are_flags_raised = self.is_woken.swap(false, Ordering::AcqRel);
            if are_flags_raised {
                self.look_for_flags(now);
            }
            self.look_after(now, are_flags_raised);
            next_tick = clock::next_tick(Instant::now(), TICK);
        }
    }

    /// Until the tick, a raised flag, or another connection. Waking without a reason does no harm.
    fn wait(&self, next_tick: Instant) {
        if self.slots.iter().all(Option::is_none) {
            if self.pending.lock().is_empty() {
                thread::park();
            }
            return;
        }
        thread::park_timeout(next_tick.saturating_duration_since(Instant::now()));
    }

    fn admit(&mut self) {
        let pending = std::mem::take(&mut *self.pending.lock());
        if !pending.is_empty() {
            // Their flags may have been raised before they were here.
            self.is_woken.store(true, Ordering::Release);
        }
        for (connection, socket) in pending {
            let place = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            });
            match self.watch(place, socket) {
                Ok((socket, watch)) => {
                    let task = Box::new(ConnectionTask::new(connection, socket, watch));
                    self.slots[place] = Some(Slot { due_at: task.due_at(), task });
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
                let Some(Some(slot)) = self.slots.get_mut(place) else { continue };
                match subject {
                    Subject::Socket => slot.task.datagrams_arrived(),
                    Subject::Streams => slot.task.streams_have_news(),
                }
                slot.due_at = now;
            }
            if told < EVENTS {
                return;
            }
        }
    }

    fn look_for_flags(&mut self, now: Instant) {
        let slots = self.slots.iter_mut().flatten();
        slots.filter(|slot| slot.task.is_asked()).for_each(|slot| slot.due_at = now);
    }

    /// Ticks those that are due.
    fn look_after(&mut self, now: Instant, are_flags_raised: bool) {
        let Self { slots, due, inbound, .. } = self;
        let is_due = |slot: &Option<Slot>| slot.as_ref().is_some_and(|it| it.due_at <= now);
        due.clear();
        due.extend((0..slots.len()).filter(|place| is_due(&slots[*place])));
        let mut each = |action: &mut dyn FnMut(&mut ConnectionTask)| {
            for place in &*due {
                slots[*place].iter_mut().for_each(|slot| action(&mut slot.task));
            }
        };
        // Before anything that takes longer.
        each(&mut |task| task.send_sealed(now));
        let clocks = Clocks::read();
        each(&mut |task| task.tick(clocks, inbound, are_flags_raised));
        // When all have been read, so that the application wakes once for what all of them have heard.
        each(&mut ConnectionTask::tell_readers);
        for place in &self.due {
            let Some(slot) = &mut self.slots[*place] else { continue };
            slot.due_at = slot.task.due_at();
            // Its socket goes with it.
            if self.slots[*place].take_if(|slot| slot.task.is_over()).is_some() {
                self.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
