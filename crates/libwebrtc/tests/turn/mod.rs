//! A TURN server on the loopback, in a thread.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection};
use turn_server_proto::{
    api::{Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
    stun::Instant as TurnInstant,
    types::{TransportType, prelude::DelayedTransmitBuild},
};

pub(crate) const USER: &str = "somebody";
pub(crate) const PASSWORD: &str = "hunter2";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    allocations: Arc<AtomicUsize>,
    relayed: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) enum Kind {
    Udp,
    Tcp,
    Tls(Arc<ServerConfig>),
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Self {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let (listener, transport, address) = match kind {
            Kind::Udp => {
                let socket = UdpSocket::bind(any).unwrap();
                socket.set_nonblocking(true).unwrap();
                let address = socket.local_addr().unwrap();
                (Listener::Udp(socket), TransportType::Udp, address)
            }
            Kind::Tcp | Kind::Tls(_) => {
                let tls = if let Kind::Tls(config) = kind { Some(config) } else { None };
                let listener = TcpListener::bind(any).unwrap();
                listener.set_nonblocking(true).unwrap();
                let address = listener.local_addr().unwrap();
                (Listener::Tcp { listener, tls }, TransportType::Tcp, address)
            }
        };
        let mut protocol = TurnServer::new(transport, address, "loopback".into());
        protocol.add_user(USER.into(), PASSWORD.into());
        let mut server = Self {
            address,
            allocations: Arc::default(),
            relayed: Arc::default(),
            stop: Arc::default(),
            thread: None,
        };
        let running = Running {
            protocol,
            listener,
            address,
            connections: HashMap::new(),
            sockets: HashMap::new(),
            epoch: Instant::now(),
            allocations: server.allocations.clone(),
            relayed: server.relayed.clone(),
        };
        let stop = server.stop.clone();
        server.thread = Some(std::thread::spawn(move || running.run(&stop)));
        server
    }

    /// Allocations there are.
    pub(crate) fn allocations(&self) -> usize {
        self.allocations.load(Ordering::SeqCst)
    }

    /// Datagrams that came for an allocation so far.
    pub(crate) fn relayed(&self) -> usize {
        self.relayed.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

enum Listener {
    Udp(UdpSocket),
    Tcp { listener: TcpListener, tls: Option<Arc<ServerConfig>> },
}

struct Connection {
    stream: TcpStream,
    session: Option<ServerConnection>,
    /// Read and not yet a whole message.
    plain: Vec<u8>,
}

struct Running {
    protocol: TurnServer,
    listener: Listener,
    address: SocketAddr,
    connections: HashMap<SocketAddr, Connection>,
    sockets: HashMap<SocketAddr, UdpSocket>,
    epoch: Instant,
    allocations: Arc<AtomicUsize>,
    relayed: Arc<AtomicUsize>,
}

impl Running {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            self.receive_from_clients();
            self.receive_from_peers();
            self.poll();
            self.allocations.store(self.sockets.len(), Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn now(&self) -> TurnInstant {
        TurnInstant::from_nanos(i64::try_from(self.epoch.elapsed().as_nanos()).unwrap())
    }

    fn take(&mut self, bytes: Vec<u8>, transport: TransportType, from: SocketAddr, to: SocketAddr) {
        let now = self.now();
        let answer = self.protocol.recv(Transmit::new(bytes, transport, from, to), now);
        if let Some(answer) = answer {
            let (from, to) = (answer.from, answer.to);
            self.send(from, to, &answer.data.build());
        }
    }

    fn receive_from_clients(&mut self) {
        let mut buffer = [0; 4096];
        let mut received = vec![];
        match &self.listener {
            Listener::Udp(socket) => {
                while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    received.push((buffer[..length].to_vec(), TransportType::Udp, from));
                }
            }
            Listener::Tcp { listener, tls } => {
                while let Ok((stream, from)) = listener.accept() {
                    stream.set_nonblocking(true).unwrap();
                    let session = tls.clone().map(|tls| ServerConnection::new(tls).unwrap());
                    self.connections.insert(from, Connection { stream, session, plain: vec![] });
                }
                self.connections.retain(|from, connection| {
                    let Connection { stream, session, plain } = connection;
                    let goes_on = match session {
                        None => read_all(stream, plain),
                        Some(session) => read_tls(stream, session, plain),
                    };
                    // One by one: the protocol leaves a second message lying until another arrives.
                    while let Some(message) = whole_message(plain) {
                        received.push((message, TransportType::Tcp, *from));
                    }
                    goes_on
                });
            }
        }
        for (bytes, transport, from) in received {
            self.take(bytes, transport, from, self.address);
        }
    }

    fn receive_from_peers(&mut self) {
        let mut buffer = [0; 4096];
        let mut received = vec![];
        for (relayed, socket) in &self.sockets {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                received.push((buffer[..length].to_vec(), from, *relayed));
            }
        }
        self.relayed.fetch_add(received.len(), Ordering::SeqCst);
        for (bytes, from, relayed) in received {
            self.take(bytes, TransportType::Udp, from, relayed);
        }
    }

    fn poll(&mut self) {
        loop {
            let now = self.now();
            match self.protocol.poll(now) {
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => {
                    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                    socket.set_nonblocking(true).unwrap();
                    let address = socket.local_addr().unwrap();
                    self.sockets.insert(address, socket);
                    self.protocol.allocated_socket(
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                        Ok(address),
                        now,
                    );
                }
                TurnServerPollRet::SocketClose { listen_addr, .. } => {
                    self.sockets.remove(&listen_addr);
                }
                TurnServerPollRet::WaitUntil(_)
                | TurnServerPollRet::TcpConnect { .. }
                | TurnServerPollRet::TcpClose { .. } => break,
            }
        }
        while let Some(transmit) = self.protocol.poll_transmit(self.now()) {
            self.send(transmit.from, transmit.to, &transmit.data);
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if let Some(socket) = self.sockets.get(&from) {
            let _ = socket.send_to(bytes, to);
            return;
        }
        match &self.listener {
            Listener::Udp(socket) => drop(socket.send_to(bytes, to)),
            Listener::Tcp { .. } => match self.connections.get_mut(&to) {
                Some(Connection { stream, session: None, .. }) => drop(stream.write_all(bytes)),
                Some(Connection { stream, session: Some(session), .. }) => {
                    session.writer().write_all(bytes).unwrap();
                    while session.wants_write() && session.write_tls(stream).is_ok() {}
                }
                None => {}
            },
        }
    }
}

fn whole_message(plain: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = plain.get(2..4)?;
    let length = 20 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    (plain.len() >= length).then(|| plain.drain(..length).collect())
}

/// Reads what is there; whether the connection goes on.
fn read_all(stream: &mut TcpStream, plain: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(length) => plain.extend_from_slice(&buffer[..length]),
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

fn read_tls(stream: &mut TcpStream, session: &mut ServerConnection, plain: &mut Vec<u8>) -> bool {
    loop {
        match session.read_tls(stream) {
            Ok(0) => return false,
            Ok(_) if session.process_new_packets().is_err() => return false,
            Ok(_) => drop(session.reader().read_to_end(plain)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => return false,
        }
    }
    while session.wants_write() && session.write_tls(stream).is_ok() {}
    true
}
