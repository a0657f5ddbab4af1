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
    peer::{Due, Output, TransceiverId, is_media},
};

/// Datagrams read in a tick: others wait as well.
const DATAGRAMS_PER_TICK: usize = 64;
/// The longest that audio may wait after it has arrived, however many packets its readers take at a time.
const WAIT_MAX: Duration = Duration::from_millis(60);
/// Bytes of memory that a connection keeps for what is read.
const BATCH_KEPT: usize = 4096;

pub(super) struct ConnectionTask {
    connection: Arc<Connection>,
    socket: Socket,
    streams: Streams,
    /// When the peer wants to be called again.
    deadline: Instant,
    /// Packets of microphones that were fetched before they are due, in the order in which they are.
    sealed: VecDeque<(Due, Output)>,
    /// What left, and how late, that the peer was not told of.
    left: Vec<(TransceiverId, Duration)>,
    /// How long audio that has arrived may wait: 20 ms for each packet that its readers take at a time.
    hold: Duration,
    /// What was read from the socket.
    batch: Batch,
    /// Something was received that its readers were not told of.
    has_news: bool,
    is_over: bool,
}

impl ConnectionTask {
    pub(super) fn new(connection: Arc<Connection>, socket: Socket, watch: Watch) -> Self {
        let now = Instant::now();
        Self {
            connection,
            socket,
            streams: Streams::new(watch, now),
            deadline: now,
            sealed: VecDeque::new(),
            left: Vec::new(),
            hold: PERIOD,
            batch: Batch::default(),
            has_news: false,
            is_over: false,
        }
    }

    pub(super) fn datagrams_arrived(&mut self) {
        self.socket.datagrams_arrived();
    }

    pub(super) fn streams_have_news(&mut self) {
        self.streams.news_arrived();
    }

    /// Whether the application asks for something.
    pub(super) fn is_asked(&self) -> bool {
        self.connection.wake_flag.is_raised()
    }

    /// When it has to be looked after next, if nothing happens before.
    pub(super) fn due_at(&self) -> Instant {
        let sealed = self.sealed.front().map(|(due, _)| due.at);
        let unread = self.socket.unread_since();
        let others = [sealed, unread, self.batch.until, self.streams.due_at()];
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
    /// The application can have asked only where flags were raised.
    pub(super) fn tick(&mut self, clocks: Clocks, inbound: &mut Inbound, are_flags_raised: bool) {
        let asked = are_flags_raised && self.connection.wake_flag.take();
        if self.socket.unread_since().is_some() {
            self.read(clocks, inbound);
        }
        let is_due = self.deadline <= clocks.now;
        let hears = self.batch.until.is_some_and(|until| is_due || until <= clocks.now);
        let are_streams_due = self.streams.due_at().is_some_and(|at| at <= clocks.now);
        if !(asked || is_due || hears || are_streams_due) {
            return;
        }
        self.guarded(|task| {
            task.deliver_waiting();
            // Before anything that takes longer.
            if is_due {
                task.fetch_audio();
            }
            if hears {
                task.hear();
            }
            if are_streams_due {
                task.receive_streams(clocks, inbound);
            }
            if asked {
                task.ask_for_batch();
            }
            // A goodbye may have to wait for an answer, and is said when time is passed to the peer.
            let is_closing = task.connection.closed.load(Ordering::Acquire);
            if is_closing {
                task.sealed.clear();
            }
            if asked || is_closing || task.deadline <= clocks.now {
                task.connection.peer().handle_timeout(Instant::now());
                task.drain();
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

    fn ask_for_batch(&mut self) {
        self.hold = PERIOD.saturating_mul(self.connection.peer().batch()).min(WAIT_MAX);
    }

    fn deliver_waiting(&self) {
        if self.connection.has_new_handler.swap(false, Ordering::AcqRel) {
            let channels: Vec<_> = self.connection.channels.lock().values().cloned().collect();
            for channel in channels {
                channel.deliver_waiting();
            }
        }
    }

    /// Empties the socket. Audio can wait for more of it, and does so here, where the peer's state is not needed; nothing else
    /// waits.
    fn read(&mut self, clocks: Clocks, inbound: &mut Inbound) {
        for _ in 0..DATAGRAMS_PER_TICK {
            let Some(datagram) = self.socket.receive(clocks, inbound) else { return };
            let hold = if is_media(datagram.contents) { self.hold } else { Duration::ZERO };
            self.batch.add(&datagram, clocks.now + hold);
        }
    }

    /// Tells the peer of what was read.
    fn hear(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        for (arrival, source, contents) in batch.datagrams() {
            self.has_news = true;
            let was_audio = self.connection.peer().handle_datagram(arrival, source, contents);
            if !was_audio {
                self.drain();
            }
        }
        self.batch = batch.emptied();
    }

    /// What came through TCP since the last tick counts as having come now: on the way around a firewall it has lost its
    /// timing anyway.
    fn receive_streams(&mut self, clocks: Clocks, inbound: &mut Inbound) {
        let Self { connection, streams, has_news, .. } = self;
        streams.tick(inbound.contents(), clocks.now, |incoming| {
            let mut peer = connection.peer();
            match incoming {
                Incoming::Bytes(from, bytes) => {
                    *has_news = true;
                    peer.handle_stream(clocks.now, from, bytes);
                }
                Incoming::End(to) => peer.handle_stream_end(to),
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
struct Batch {
    /// Until when they may wait, if there are any: as long as each of them may.
    until: Option<Instant>,
    each: Vec<(Instant, SocketAddr, usize)>,
    /// The contents of all of them.
    contents: Vec<u8>,
}

impl Batch {
    fn add(&mut self, datagram: &Datagram<'_>, until: Instant) {
        self.until = Some(self.until.map_or(until, |before| before.min(until)));
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
        if self.contents.capacity() > BATCH_KEPT {
            return Self::default();
        }
        self.until = None;
        self.each.clear();
        self.contents.clear();
        self
    }
}
