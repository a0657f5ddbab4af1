//! A listener on loopback that takes requests apart, and answers each in one way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Settings, settings};

/// A request as it arrived.
pub(super) struct Arrived {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// What a server does with every request.
#[derive(Clone)]
pub(super) enum Manner {
    Answer(&'static str, String),
    Silence,
}

/// A server for the length of a test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) requests: mpsc::Receiver<Arrived>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::accept(manner, |stream| async { Some(stream) }).await
    }

    pub(super) async fn start_tls(certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.cert.der().clone()], key.unwrap())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        Self::accept(Manner::Answer("200 OK", "{}".to_owned()), move |stream| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(stream).await.ok() }
        })
        .await
    }

    async fn accept<S, F>(
        manner: Manner,
        open: impl Fn(TcpStream) -> F + Send + Clone + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        F: Future<Output = Option<S>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel(100);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (open, manner, sender) = (open.clone(), manner.clone(), sender.clone());
                connections.spawn(async move {
                    if let Some(stream) = open(stream).await {
                        serve(stream, manner, sender).await;
                    }
                });
            }
        });
        Self { address, requests, _tasks: tasks }
    }

    pub(super) fn settings(&self) -> Settings {
        settings(&format!("http://{}", self.address))
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    manner: Manner,
    sender: mpsc::Sender<Arrived>,
) {
    while let Some(arrived) = read_request(&mut stream).await {
        sender.send(arrived).await.unwrap();
        match &manner {
            Manner::Answer(status, body) => {
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            Manner::Silence => std::future::pending().await,
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Arrived> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    Some(Arrived { line, headers, body })
}
