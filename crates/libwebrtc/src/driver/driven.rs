//! One connection as its thread sees it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    Connection,
    socket::{Clocks, Datagram, Inbound, Socket},
    streams::{Incoming, Streams, Watch},
};
use crate::{
    media::PERIOD,
    peer::{Due, Output, TransceiverId, is_dtls},
    peer_connection::PeerConnectionState,
};

/// Datagrams read before other connections get their turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// How long a connection stays lively after what made it so.
const LIVELY: Duration = Duration::from_millis(50);
/// How long what arrives may wait for each packet that its readers wait for. That is how long the next fetching for the
/// microphone takes, at which a connection is looked after anyway; one without a microphone waits for nothing else.
const WAIT: Duration = PERIOD;
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_millis(60);
/// Bytes of memory that a connection keeps for what is read.
const WAITING_KEPT: usize = 4096;

pub(super) struct Driven {
    connection: Arc<Connection>,
    socket: Socket,
    streams: Streams,
    /// When the peer wants to be called again.
    deadline: Instant,
    /// Packets of microphones that were fetched before they are due, in the order in which they are.
    sealed: VecDeque<(Due, Output)>,
    /// What left, and how late, that the peer was not told of.
    left: Vec<(TransceiverId, Duration)>,
    /// How long packets that have arrived may wait.
    patience: Duration,
    /// What was read from the socket.
    waiting: Waiting,
    /// The peer's, when it was last told of something.
    state: PeerConnectionState,
    /// Something was received that its readers were not told of.
    has_news: bool,
    lively_until: Instant,
    is_over: bool,
}

impl Driven {
    pub(super) fn new(connection: Arc<Connection>, socket: Socket, watch: Watch) -> Self {
        let now = Instant::now();
        Self {
            connection,
            socket,
            streams: Streams::new(watch, now),
            deadline: now,
            sealed: VecDeque::new(),
            left: Vec::new(),
            patience: WAIT,
            waiting: Waiting::default(),
            state: PeerConnectionState::New,
            has_news: false,
            lively_until: now + LIVELY,
            is_over: false,
        }
    }

    pub(super) fn datagrams_arrived(&mut self) {
        self.socket.datagrams_arrived();
    }

    pub(super) fn streams_have_news(&mut self) {
        self.streams.news_arrived();
    }

    /// Whether it is in the middle of a conversation in which every step waits for the answer to the one before.
    pub(super) fn is_lively(&self, now: Instant) -> bool {
        now < self.lively_until
    }

    pub(super) fn lively_until(&self) -> Instant {
        self.lively_until
    }

    /// Whether the application asks for something.
    pub(super) fn is_asked(&self) -> bool {
        self.connection.alarm.is_raised()
    }

    /// When it has to be looked after next, if nothing happens before.
    pub(super) fn due_at(&self) -> Instant {
        let sealed = self.sealed.front().map(|(due, _)| due.at);
        let unread = self.socket.unread_since();
        let others = [sealed, unread, self.waiting.until, self.streams.due_at()];
        others.into_iter().flatten().fold(self.deadline, Instant::min)
    }

    /// Nothing will come of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Lets out what was fetched for this time.
    pub(super) fn send_sealed(&mut self, now: Instant) {
        while self.sealed.front().is_some_and(|(due, _)| due.at <= now) {
            if let Some((due, output)) = self.sealed.pop_front() {
                self.leave(due, output);
            }
        }
    }

    /// Does what the application asked for, reads what arrived, fetches microphone packets when one is due, and runs the
    /// timers that have run out. All in one go, because what costs most of a quiet call is to fetch its state from memory.
    /// The application can have asked only where alarms were raised.
    pub(super) fn turn(&mut self, clocks: Clocks, inbound: &mut Inbound, are_alarms_raised: bool) {
        let asked = are_alarms_raised && self.connection.alarm.take();
        if asked {
            self.lively_until = clocks.now + LIVELY;
        }
        if self.socket.unread_since().is_some() {
            self.read(clocks, inbound);
        }
        let is_due = self.deadline <= clocks.now;
        let is_lively = self.is_lively(clocks.now);
        let hears = self.waiting.until.is_some_and(|at| is_due || is_lively || at <= clocks.now);
        let are_streams_due = self.streams.due_at().is_some_and(|at| at <= clocks.now);
        if !(asked || is_due || hears || are_streams_due) {
            return;
        }
        self.guarded(|driven| {
            driven.deliver_waiting();
            // Before anything that takes longer.
            if is_due {
                driven.fetch_audio();
            }
            if hears {
                driven.hear();
            }
            if are_streams_due {
                driven.receive_streams(clocks, inbound);
            }
            if asked {
                driven.ask_for_patience();
            }
            // A goodbye may have to wait for an answer, and is said when time is passed to the peer.
            let is_closing = driven.connection.closed.load(Ordering::Acquire);
            if is_closing {
                driven.sealed.clear();
            }
            if asked || is_closing || driven.deadline <= clocks.now {
                driven.connection.peer().handle_timeout(Instant::now());
                driven.drain();
            }
        });
    }

    /// Wakes the readers of what arrived in this tick.
    pub(super) fn tell_readers(&mut self) {
        if std::mem::take(&mut self.has_news) {
            self.connection.peer().wake_readers();
        }
    }

    /// A panic would leave the application waiting for ever, and the state of the peer is not used afterwards.
    fn guarded(&mut self, action: impl FnOnce(&mut Self)) {
        if self.is_over {
            return;
        }
        let acted = catch_unwind(AssertUnwindSafe(|| {
            action(self);
            // The application may close the connection at any time: its goodbye has to be sent before it is over.
            if self.connection.peer().is_finished() {
                self.drain();
            }
        }));
        if acted.is_err() {
            self.connection.fail("the engine panicked, see above");
            self.is_over = true;
        } else if self.connection.peer().is_finished() {
            self.connection.finish();
            self.is_over = true;
        }
    }

    /// Lets out the microphone's packets, or keeps them until they are due. That takes no time of the engine's: what else
    /// the peer has to say waits until it wants to be called.
    fn fetch_audio(&mut self) {
        let mut peer = self.connection.peer();
        for (microphone, late) in self.left.drain(..) {
            peer.audio_left(microphone, late);
        }
        peer.fetch_audio(Instant::now());
        self.deadline = peer.deadline();
        drop(peer);
        while let Some(output) = self.poll_audio() {
            self.let_out(output);
        }
    }

    fn poll_audio(&self) -> Option<Output> {
        self.connection.peer().poll_audio()
    }

    fn ask_for_patience(&mut self) {
        let packets = u32::try_from(self.connection.peer().patience()).unwrap_or(u32::MAX);
        self.patience = WAIT.saturating_mul(packets).min(WAIT_MAX);
    }

    fn deliver_waiting(&self) {
        if self.connection.has_new_handler.swap(false, Ordering::AcqRel) {
            let channels: Vec<_> = self.connection.channels.lock().values().cloned().collect();
            for channel in channels {
                channel.deliver_waiting();
            }
        }
    }

    /// Empties the socket. Packets of audio can wait, and do so here, where the peer's state is not needed.
    fn read(&mut self, clocks: Clocks, inbound: &mut Inbound) {
        let is_connecting = self.state == PeerConnectionState::Connecting;
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some(datagram) = self.socket.receive(clocks, inbound) else { return };
            if is_dtls(datagram.contents) || is_connecting {
                self.lively_until = clocks.now + LIVELY;
            }
            self.waiting.add(&datagram, clocks.now + self.patience);
        }
        self.waiting.until = Some(clocks.now);
    }

    /// Tells the peer of what was read.
    fn hear(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for (arrival, source, contents) in waiting.datagrams() {
            self.has_news = true;
            let was_audio = self.connection.peer().handle_datagram(arrival, source, contents);
            if !was_audio {
                self.drain();
            }
        }
        self.waiting = waiting.emptied();
        self.state = self.connection.peer().connection_state();
    }

    /// What came through TCP since the last turn counts as having come now: on the way around a firewall it has lost its
    /// timing anyway.
    fn receive_streams(&mut self, clocks: Clocks, inbound: &mut Inbound) {
        let Self { connection, streams, has_news, lively_until, .. } = self;
        streams.turn(inbound.contents(), clocks.now, |incoming| {
            let mut peer = connection.peer();
            match incoming {
                Incoming::Bytes(from, bytes) => {
                    *has_news = true;
                    peer.handle_stream(clocks.now, from, bytes);
                }
                Incoming::End(to) => peer.handle_stream_end(to),
            }
            if peer.connection_state() == PeerConnectionState::Connecting {
                *lively_until = clocks.now + LIVELY;
            }
        });
        self.drain();
    }

    /// Lets out what the peer has to say.
    fn drain(&mut self) {
        loop {
            let output = self.connection.peer().poll();
            if let Output::Timeout(at) = output {
                self.deadline = at;
                return;
            }
            self.let_out(output);
        }
    }

    fn let_out(&mut self, output: Output) {
        match output.due() {
            Some(due) if due.at > Instant::now() => {
                let place = self.sealed.partition_point(|(other, _)| other.at <= due.at);
                self.sealed.insert(place, (due, output));
            }
            Some(due) => self.leave(due, output),
            None => self.act(output),
        }
    }

    /// Each packet is as late as it really is.
    fn leave(&mut self, due: Due, output: Output) {
        self.left.push((due.microphone, Instant::now().saturating_duration_since(due.at)));
        self.act(output);
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Datagram { destination, contents, .. } => {
                self.socket.send(&contents, destination);
            }
            Output::Stream { to, contents, .. } => {
                self.streams.send(to, &contents, Instant::now());
            }
            Output::HangUp(link) => self.streams.hang_up(&link),
            Output::Event(event) => self.connection.dispatch(event),
            // Said when there is nothing to let out.
            Output::Timeout(_) => {}
        }
    }
}

/// Datagrams that were read and that the peer was not told of.
#[derive(Default)]
struct Waiting {
    /// Until when they may wait, if there are any.
    until: Option<Instant>,
    each: Vec<(Instant, SocketAddr, usize)>,
    /// The contents of all of them.
    contents: Vec<u8>,
}

impl Waiting {
    fn add(&mut self, datagram: &Datagram<'_>, until: Instant) {
        self.until.get_or_insert(until);
        self.each.push((datagram.arrival, datagram.source, datagram.contents.len()));
        self.contents.extend_from_slice(datagram.contents);
    }

    fn datagrams(&self) -> impl Iterator<Item = (Instant, SocketAddr, &[u8])> {
        let mut rest = self.contents.as_slice();
        self.each.iter().map(move |(arrival, source, length)| {
            let (contents, behind) = rest.split_at(*length);
            rest = behind;
            (*arrival, *source, contents)
        })
    }

    /// Without any, but with their memory, unless that is more than a call needs.
    fn emptied(mut self) -> Self {
        if self.contents.capacity() > WAITING_KEPT {
            return Self::default();
        }
        self.until = None;
        self.each.clear();
        self.contents.clear();
        self
    }
}
