//! A thread and the connections it drives, all in the same tick.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use parking_lot::Mutex;

use super::{
    driven::Driven,
    socket::{Clocks, Inbound},
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
    newcomers: Arc<Mutex<Vec<Driven>>>,
}

impl Worker {
    pub(super) fn start(index: usize) -> io::Result<Self> {
        let newcomers = Arc::default();
        let crew = Crew {
            newcomers: Arc::clone(&newcomers),
            members: Vec::new(),
            poll: Poll::new()?,
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
    pub(super) fn adopt(&self, driven: Driven) {
        self.newcomers.lock().push(driven);
        self.thread().unpark();
    }
}

/// What the thread owns.
struct Crew {
    newcomers: Arc<Mutex<Vec<Driven>>>,
    /// By the token of their socket; `None` is a place for a newcomer.
    members: Vec<Option<Driven>>,
    poll: Poll,
    events: Events,
    inbound: Inbound,
}

impl Crew {
    fn run(mut self) {
        let mut next_tick = clock::next_tick(Instant::now(), TICK);
        loop {
            self.wait(next_tick);
            self.admit();
            let mut clocks = Clocks::read();
            if clocks.now >= next_tick {
                self.members_mut().for_each(|member| member.speak(clocks.now));
                self.look_for_datagrams();
                clocks = Clocks::read();
            }
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
        for mut driven in newcomers {
            let place = self.members.iter().position(Option::is_none).unwrap_or_else(|| {
                self.members.push(None);
                self.members.len() - 1
            });
            let source = driven.socket().source();
            match self.poll.registry().register(source, Token(place), Interest::READABLE) {
                Ok(()) => self.members[place] = Some(driven),
                Err(error) => driven.fail(&format!("cannot watch its socket: {error}")),
            }
        }
    }

    /// Asks which sockets have something, without waiting for it.
    fn look_for_datagrams(&mut self) {
        loop {
            if let Err(error) = self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
                log::debug!("cannot ask for datagrams: {error}");
                return;
            }
            let mut told = 0;
            for event in &self.events {
                told += 1;
                if let Some(Some(member)) = self.members.get_mut(event.token().0) {
                    member.datagrams_arrived();
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
