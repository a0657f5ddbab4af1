//! A receiver of OTLP over HTTP, which agents send their spans to. It has a thread of its own and keeps what comes as it
//! comes: nothing is unpacked or decoded while calls are measured.

mod answer;
mod inbox;

pub use inbox::{Sent, Tally};

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::otlp::{self, Decoded, OtlpError};
use inbox::Inbox;

/// Connections at a time: each job process of an agent has one.
const CONNECTIONS: usize = 256;
/// Bodies that are read at a time, each of up to [`otlp::MAX_BODY`] bytes.
const BODIES: usize = 4;
/// How long a connection may be idle or take to send the head of a request, and how long its body may take.
const IDLE: Duration = Duration::from_secs(60);
const BODY: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be taken: most likely there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no receiver.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    #[error("cannot listen for spans at {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot keep spans in a file: {0}")]
    Inbox(io::Error),
    #[error("cannot start a thread for spans: {0}")]
    Thread(io::Error),
}

/// Why something that came cannot be read again.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the file that keeps it fails: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Otlp(#[from] OtlpError),
}

/// What bounds a connection.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connections: usize,
    idle: Duration,
    body: Duration,
}

/// What connections and the owner share.
#[derive(Debug)]
struct Shared {
    inbox: Mutex<Inbox>,
    bodies: Semaphore,
    limits: Limits,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiver; it ends when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Listens at an address, and keeps what comes in a file without a name on the disk of `folder`.
    ///
    /// # Errors
    /// The address cannot be listened at, or the folder takes no file.
    pub fn start(address: SocketAddr, folder: &Path) -> Result<Self, ReceiverError> {
        Self::start_with(
            address,
            folder,
            Limits { connections: CONNECTIONS, idle: IDLE, body: BODY },
        )
    }

    fn start_with(
        address: SocketAddr,
        folder: &Path,
        limits: Limits,
    ) -> Result<Self, ReceiverError> {
        let listen = |source| ReceiverError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let inbox = Mutex::new(Inbox::create(folder).map_err(ReceiverError::Inbox)?);
        let shared = Arc::new(Shared { inbox, bodies: Semaphore::new(BODIES), limits });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ReceiverError::Thread)?;
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("spans".to_owned())
            .spawn(move || runtime.block_on(serve(listener, of_thread, stopped)))
            .map_err(ReceiverError::Thread)?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests with spans are kept.
    pub fn len(&self) -> usize {
        self.shared.inbox().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What else came.
    pub fn tally(&self) -> Tally {
        self.shared.inbox().tally()
    }

    /// The `n`-th request, from 0, as it was sent; `None` when there are no more.
    pub fn sent(&self, n: usize) -> Option<io::Result<Sent>> {
        self.shared.inbox().sent(n)
    }

    /// The spans of the `n`-th request.
    pub fn decoded(&self, n: usize) -> Option<Result<Decoded, ReadError>> {
        Some(self.sent(n)?.map_err(ReadError::from).and_then(|sent| {
            let body = if sent.gzip { otlp::unpack(&sent.body)? } else { sent.body };
            Ok(otlp::decode(body, sent.encoding)?)
        }))
    }

    /// Forgets what came: another run begins.
    pub fn clear(&self) {
        self.shared.inbox().clear();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes connections until `stopped`.
async fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => {}
            // Those that are too many wait in the queue of the system, which is short.
            taken = listener.accept(), if connections.len() < shared.limits.connections => {
                match taken {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, Arc::clone(&shared)));
                    }
                    Err(_) => sleep(PAUSE).await,
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let idle = shared.limits.idle;
    let answering = service_fn(|request| answer::answer(request, &shared));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_headers(64)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), answering)
        .await;
    if let Err(e) = served {
        log::debug!("a connection of an agent's exporter ended: {e}");
    }
}

#[cfg(test)]
mod tests;
