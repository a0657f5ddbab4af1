//! The TCP connections of a peer, made when there is something to send.
//!
//! Most calls need none and keep theirs for the day that UDP stops, so the thread is told which of them have something:
//! asking each at each tick was a tenth of all CPU time of a hundred calls.
//!
//! Those to TURN servers may be encrypted. Then what waits to be sent is encrypted already.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, net::TcpStream};

use super::tls::Session;
use crate::peer::Link;

/// Bytes that may wait for a connection or its other side. What goes beyond is lost, as in any full queue on the way.
const WAITING_MAX: usize = 256 * 1024;
/// Connections of one peer.
const STREAMS_MAX: usize = 32;
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long nothing is sent to where a connection failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often they are looked at when nothing happened, to give up on those that are not made in time.
const LOOK: Duration = Duration::from_millis(500);

/// Where a connection is registered, so that its thread hears of what happens on it.
pub(super) struct Watch {
    pub(super) registry: Arc<Registry>,
    pub(super) token: Token,
}

pub(super) struct Streams {
    watch: Watch,
    all: Vec<Stream>,
    has_news: bool,
    looked_at: Instant,
}

struct Stream {
    link: Link,
    state: State,
    /// Of a connection with TLS, while it is made or open.
    session: Option<Session>,
    /// Not yet taken by the socket. Begins within a message, but only ever ends with a whole one.
    waiting: Vec<u8>,
}

enum State {
    Connecting { socket: TcpStream, since: Instant },
    Open(TcpStream),
    Broken { since: Instant },
}

/// What came of a connection.
pub(super) enum Incoming<'a> {
    Bytes(&'a Link, &'a [u8]),
    End(&'a Link),
}

impl Streams {
    pub(super) fn new(watch: Watch, now: Instant) -> Self {
        Self { watch, all: vec![], has_news: false, looked_at: now }
    }

    /// One of them can be read from or written to.
    pub(super) fn news_arrived(&mut self) {
        self.has_news = true;
    }

    /// When the next tick has something to do.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let wait = if self.has_news { Duration::ZERO } else { LOOK };
        (!self.all.is_empty()).then_some(self.looked_at + wait)
    }

    /// Sends a message, now or as soon as the connection takes it.
    pub(super) fn send(&mut self, to: Link, message: &[u8], now: Instant) {
        if let Some(stream) = self.all.iter_mut().find(|stream| stream.link == to) {
            stream.send(message, &self.watch, now);
        } else if self.all.len() < STREAMS_MAX {
            let mut stream = Stream::new(to, &self.watch, now);
            stream.send(message, &self.watch, now);
            self.all.push(stream);
        } else {
            log::debug!("not connecting to {}: there are {STREAMS_MAX} connections", to.remote());
        }
    }

    pub(super) fn hang_up(&mut self, link: &Link) {
        self.all.retain(|stream| stream.link != *link);
    }

    /// Reads what has arrived, hands it to `take`, and sends what can be sent.
    pub(super) fn tick(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        mut take: impl FnMut(Incoming<'_>),
    ) {
        self.looked_at = now;
        self.has_news = false;
        for stream in &mut self.all {
            stream.look(now);
            while let Some(length) = stream.read(buffer, now) {
                stream.decrypt(&buffer[..length], now, &mut take);
            }
            stream.flush(now);
            if matches!(stream.state, State::Broken { since } if since == now) {
                take(Incoming::End(&stream.link));
            }
        }
    }
}

impl Stream {
    fn new(link: Link, watch: &Watch, now: Instant) -> Self {
        let state = State::Broken { since: now };
        let mut stream = Self { link, state, session: None, waiting: vec![] };
        stream.connect(watch, now);
        stream
    }

    fn connect(&mut self, watch: &Watch, now: Instant) {
        let session = match &self.link {
            Link::SecureRelay(_, name) => Session::new(name).map(Some),
            Link::Candidate(_) | Link::Relay(_) => Ok(None),
        };
        let connected = session.and_then(|session| {
            let mut socket = TcpStream::connect(self.link.remote())?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            watch.registry.register(&mut socket, watch.token, interest)?;
            Ok((session, socket))
        });
        match connected {
            Ok((session, socket)) => {
                self.session = session;
                self.state = State::Connecting { socket, since: now };
            }
            Err(error) => self.give_up(&error, now),
        }
    }

    fn send(&mut self, message: &[u8], watch: &Watch, now: Instant) {
        if let State::Broken { since } = self.state {
            if now < since + RETRY_AFTER {
                return;
            }
            self.connect(watch, now);
        }
        if self.waiting.len() + message.len() > WAITING_MAX {
            log::debug!("dropping a message: the connection to {} is full", self.link.remote());
            return;
        }
        match &mut self.session {
            None => self.waiting.extend_from_slice(message),
            Some(session) => {
                if let Err(error) = session.write(message) {
                    return self.give_up(&error, now);
                }
            }
        }
        self.flush(now);
    }

    /// Hands on what was read.
    fn decrypt(&mut self, bytes: &[u8], now: Instant, take: &mut impl FnMut(Incoming<'_>)) {
        let Some(session) = &mut self.session else {
            return take(Incoming::Bytes(&self.link, bytes));
        };
        let link = &self.link;
        let result = session.read(bytes, |decrypted| take(Incoming::Bytes(link, decrypted)));
        if let Err(error) = result {
            log::warn!("no tls to the turn server {}: {error}", self.link.remote());
            // An alert tells the other side why.
            self.flush(now);
            self.give_up(&error, now);
        }
    }

    /// Whether the connection is made by now.
    fn look(&mut self, now: Instant) {
        let State::Connecting { socket, since } = &self.state else { return };
        let result = match socket.take_error() {
            Ok(Some(error)) | Err(error) => Err(error),
            Ok(None) => match socket.peer_addr() {
                Ok(_) => socket.set_nodelay(true),
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    if *since + CONNECT_WITHIN > now {
                        return;
                    }
                    Err(ErrorKind::TimedOut.into())
                }
                Err(error) => Err(error),
            },
        };
        match (result, std::mem::replace(&mut self.state, State::Broken { since: now })) {
            (Ok(()), State::Connecting { socket, .. }) => self.state = State::Open(socket),
            (Ok(()), other) => self.state = other,
            (Err(error), _) => self.give_up(&error, now),
        }
    }

    fn read(&mut self, buffer: &mut [u8], now: Instant) -> Option<usize> {
        let State::Open(socket) = &mut self.state else { return None };
        match socket.read(buffer) {
            Ok(0) => {
                self.give_up(&ErrorKind::UnexpectedEof.into(), now);
                None
            }
            Ok(length) => Some(length),
            Err(error) => {
                self.check(&error, now);
                None
            }
        }
    }

    fn flush(&mut self, now: Instant) {
        if let Some(Err(error)) =
            self.session.as_mut().map(|session| session.take_encrypted(&mut self.waiting))
        {
            return self.give_up(&error, now);
        }
        let State::Open(socket) = &mut self.state else { return };
        while !self.waiting.is_empty() {
            match socket.write(&self.waiting) {
                Ok(taken) => drop(self.waiting.drain(..taken)),
                Err(error) => return self.check(&error, now),
            }
        }
    }

    /// Most errors end the connection.
    fn check(&mut self, error: &io::Error, now: Instant) {
        if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
            self.give_up(error, now);
        }
    }

    fn give_up(&mut self, error: &io::Error, now: Instant) {
        log::debug!("the connection to {} is broken: {error}", self.link.remote());
        self.state = State::Broken { since: now };
        self.session = None;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use mio::Poll;

    use super::*;

    fn streams() -> (Poll, Streams) {
        let poll = Poll::new().unwrap();
        let watch =
            Watch { registry: Arc::new(poll.registry().try_clone().unwrap()), token: Token(0) };
        (poll, Streams::new(watch, Instant::now()))
    }

    /// Ticks until `done`, for at most ten seconds; returns all that came.
    fn run(streams: &mut Streams, mut done: impl FnMut(&[u8], usize) -> bool) -> (Vec<u8>, usize) {
        let (mut bytes, mut ends, mut buffer) = (vec![], 0, [0; 1000]);
        let limit = Instant::now() + Duration::from_secs(10);
        while !done(&bytes, ends) {
            assert!(Instant::now() < limit, "nothing came in ten seconds");
            streams.tick(&mut buffer, Instant::now(), |incoming| match incoming {
                Incoming::Bytes(_, some) => bytes.extend_from_slice(some),
                Incoming::End(_) => ends += 1,
            });
            std::thread::sleep(Duration::from_millis(1));
        }
        (bytes, ends)
    }

    #[test]
    fn a_connection_is_made_used_and_made_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let remote = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            // Twice: sends back the five bytes it reads, and hangs up.
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut five = [0; 5];
                stream.read_exact(&mut five).unwrap();
                stream.write_all(&five).unwrap();
            }
        });
        let (_poll, mut streams) = streams();
        streams.send(Link::Candidate(remote), b"hello", Instant::now());
        let (bytes, _) = run(&mut streams, |_, ends| ends == 1);
        assert_eq!(bytes, b"hello");
        streams.send(Link::Candidate(remote), b"early", Instant::now());
        streams.send(Link::Candidate(remote), b"again", Instant::now() + RETRY_AFTER);
        let (bytes, _) = run(&mut streams, |bytes, _| bytes.len() == 5);
        assert_eq!(bytes, b"again");
        server.join().unwrap();
    }

    #[test]
    fn where_nobody_listens_the_end_is_told_and_nothing_piles_up() {
        let remote = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap()
        };
        let (_poll, mut streams) = streams();
        streams.send(Link::Candidate(remote), &[0; 1000], Instant::now());
        run(&mut streams, |_, ends| ends == 1);
        streams.send(Link::Candidate(remote), &[0; 1000], Instant::now());
        assert!(streams.all[0].waiting.is_empty());
    }

    #[test]
    fn a_full_connection_drops_whole_messages() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let remote = listener.local_addr().unwrap();
        let (_poll, mut streams) = streams();
        for _ in 0..1000 {
            streams.send(Link::Candidate(remote), &[0; 1000], Instant::now());
        }
        let waiting = streams.all[0].waiting.len();
        assert!(waiting <= WAITING_MAX && waiting > WAITING_MAX - 1000 && waiting % 1000 == 0);
    }
}
