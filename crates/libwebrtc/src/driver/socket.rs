//! The socket of a connection, which knows when each datagram arrived.
//!
//! Datagrams are read at ticks, so the time of reading is up to a tick late. The kernel stamps them as they come in
//! (`SO_TIMESTAMP`), by the wall clock. Its stamps are made moments of the monotonic clock by their age: both clocks are
//! read together at the tick, and whatever the wall clock is set to meanwhile, a datagram can have come neither before
//! the socket was last found empty nor after it was read.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsRawFd,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mio::net::UdpSocket;
use nix::sys::{
    socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, setsockopt, sockopt,
    },
    time::{TimeVal, TimeValLike},
};

/// Longest datagram read. What str0m and WebRTC peers send stays below 1500 bytes.
const DATAGRAM_MAX: usize = 2048;

pub(super) struct Socket {
    inner: UdpSocket,
    families: Families,
    /// When it was last found to be empty.
    empty_at: Instant,
    /// Whether it was told of something since.
    has_datagrams: bool,
}

/// What a socket sends and receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Families {
    V4,
    /// Both, where the addresses of IPv4 are written as such of IPv6 (RFC 4291, 2.5.5.2).
    Both,
}

/// How often the clocks are read when the readings are further apart than [`CLOSE`].
const READINGS: usize = 5;
const CLOSE: Duration = Duration::from_micros(20);

/// Where datagrams are read to; one for all sockets of a thread.
pub(super) struct Inbound {
    contents: Box<[u8]>,
    control: Vec<u8>,
}

/// The two clocks, read together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) now: Instant,
    wall: SystemTime,
}

pub(super) struct Datagram<'a> {
    pub(super) arrival: Instant,
    pub(super) source: SocketAddr,
    pub(super) contents: &'a [u8],
}

impl Socket {
    /// A socket on a free port of every address; of those of IPv4 where the machine has no IPv6, or keeps the two apart.
    pub(super) fn open() -> io::Result<Self> {
        let both = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into());
        let is_both = |socket: &UdpSocket| getsockopt(socket, sockopt::Ipv6V6Only) == Ok(false);
        let (socket, families) = match both.ok().filter(is_both) {
            Some(socket) => (socket, Families::Both),
            None => (UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into())?, Families::V4),
        };
        setsockopt(&socket, sockopt::ReceiveTimestamp, &true)?;
        Ok(Self { inner: socket, families, empty_at: Instant::now(), has_datagrams: false })
    }

    pub(super) fn has_v6(&self) -> bool {
        self.families == Families::Both
    }

    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.inner.local_addr()?.port())
    }

    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.inner
    }

    /// It is said to have something.
    pub(super) fn datagrams_arrived(&mut self) {
        self.has_datagrams = true;
    }

    /// Since when it may have something, if it does.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        self.has_datagrams.then_some(self.empty_at)
    }

    pub(super) fn send(&self, contents: &[u8], destination: SocketAddr) {
        let written = match (self.families, destination.ip()) {
            (Families::Both, IpAddr::V4(v4)) => {
                SocketAddr::new(v4.to_ipv6_mapped().into(), destination.port())
            }
            (Families::Both | Families::V4, _) => destination,
        };
        // A full socket buffer loses the datagram, as any router on the way might.
        if let Err(error) = self.inner.send_to(contents, written) {
            log::debug!("cannot send to {destination}: {error}");
        }
    }

    /// The next datagram, if there is one.
    pub(super) fn receive<'a>(
        &mut self,
        clocks: Clocks,
        inbound: &'a mut Inbound,
    ) -> Option<Datagram<'a>> {
        let Inbound { contents, control } = inbound;
        let (length, source, stamp) = {
            let mut slices = [IoSliceMut::new(contents)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let received = recvmsg::<SockaddrStorage>(
                self.inner.as_raw_fd(),
                &mut slices,
                Some(control.as_mut_slice()),
                flags,
            );
            let Ok(message) = received else {
                self.empty_at = clocks.now;
                self.has_datagrams = false;
                return None;
            };
            let stamp =
                message.cmsgs().ok().and_then(|mut all| all.find_map(|message| stamp(&message)));
            (message.bytes, message.address.as_ref().and_then(address), stamp)
        };
        let read = Instant::now();
        let arrival = stamp.map_or(read, |stamp| clocks.moment(stamp));
        Some(Datagram {
            arrival: arrival.min(read).max(self.empty_at),
            source: source?,
            contents: contents.get(..length)?,
        })
    }
}

impl Inbound {
    /// The room for what is read.
    pub(super) fn contents(&mut self) -> &mut [u8] {
        &mut self.contents
    }
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            contents: vec![0; DATAGRAM_MAX].into(),
            control: vec![0; nix::cmsg_space!(TimeVal).capacity()],
        }
    }
}

impl Clocks {
    /// A thread that is put aside between the two readings would move every arrival by that long, so the closest of a
    /// few pairs is taken.
    pub(super) fn read() -> Self {
        let pair = || {
            let before = Instant::now();
            let wall = SystemTime::now();
            let now = Instant::now();
            (now - before, Self { now, wall })
        };
        let mut closest = pair();
        for _ in 1..READINGS {
            if closest.0 <= CLOSE {
                break;
            }
            let next = pair();
            if next.0 < closest.0 {
                closest = next;
            }
        }
        closest.1
    }

    /// The moment of a wall clock time that is close to now.
    fn moment(self, stamp: SystemTime) -> Instant {
        match self.wall.duration_since(stamp) {
            Ok(age) => self.now.checked_sub(age).unwrap_or(self.now),
            Err(ahead) => self.now.checked_add(ahead.duration()).unwrap_or(self.now),
        }
    }
}

fn stamp(message: &ControlMessageOwned) -> Option<SystemTime> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else a kernel may tell is not asked for"
    )]
    match message {
        ControlMessageOwned::ScmTimestamp(time) => {
            let since = Duration::from_micros(u64::try_from(time.num_microseconds()).ok()?);
            UNIX_EPOCH.checked_add(since)
        }
        _ => None,
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    let v6 = || storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()));
    let written = v4.or_else(v6)?;
    Some(SocketAddr::new(written.ip().to_canonical(), written.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_to(socket: &Socket, contents: &[u8]) -> SocketAddr {
        let sender = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender.send_to(contents, (Ipv4Addr::LOCALHOST, socket.port().unwrap())).unwrap();
        sender.local_addr().unwrap()
    }

    #[test]
    fn a_datagram_that_waited_is_stamped_with_its_arrival() {
        // On a busy machine a thread is put aside between two readings of a clock now and then.
        assert!((0..5).any(|_| is_stamped_closely()));
    }

    fn is_stamped_closely() -> bool {
        let (mut socket, mut inbound) = (Socket::open().unwrap(), Inbound::default());
        assert!(socket.receive(Clocks::read(), &mut inbound).is_none());
        let before = Instant::now();
        let source = sent_to(&socket, b"hello");
        let after = Instant::now();
        std::thread::sleep(Duration::from_millis(30));
        let datagram = socket.receive(Clocks::read(), &mut inbound).expect("it has arrived");
        assert_eq!((datagram.source, datagram.contents), (source, &b"hello"[..]));
        // The stamp is in whole microseconds, and the two clocks are not read at the same instant.
        let slack = Duration::from_micros(500);
        datagram.arrival + slack >= before && datagram.arrival <= after + slack
    }

    #[test]
    fn a_clock_that_was_set_moves_no_arrival_beyond_what_is_possible() {
        for (set_by, ahead) in [(3600, true), (3600, false)] {
            let (mut socket, mut inbound) = (Socket::open().unwrap(), Inbound::default());
            let empty = Clocks::read();
            assert!(socket.receive(empty, &mut inbound).is_none());
            sent_to(&socket, b"hello");
            let mut clocks = Clocks::read();
            let by = Duration::from_secs(set_by);
            clocks.wall = if ahead { clocks.wall + by } else { clocks.wall - by };
            let datagram = socket.receive(clocks, &mut inbound).expect("it has arrived");
            assert!(datagram.arrival >= empty.now && datagram.arrival <= Instant::now());
        }
    }
}
