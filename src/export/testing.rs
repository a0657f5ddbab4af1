//! A backend of both kinds for tests: a listener on loopback that takes requests apart, and answers each as it is told.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue as Attribute, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::otlp::{Backend, Budget, Retry};
use crate::langfuse::{Given, Project};
use crate::record::{CallId, CallRecord};
use crate::report::fixture::{call, run, scenario, turns};
use crate::secret::Secret;
use crate::turn::{CallFacts, analyse_call};

pub(super) const SECRET: &str = "sk-lf-the-secret-part";
pub(super) const TOKEN: &str = "cGstbGYtdGVzdDpzay1sZi10aGUtc2VjcmV0LXBhcnQ=";
/// What an OTLP backend is given in a header.
pub(super) const KEY: &str = "otlp-the-key-part";

/// A Langfuse at this address, asked again soon.
pub(super) fn langfuse(base_url: &str) -> Backend {
    let given = Given {
        public_key: "pk-lf-test".to_owned(),
        secret_key: Secret::new(SECRET.to_owned()),
        base_url: Some(base_url.to_owned()),
        environment: None,
    };
    soon(super::langfuse::backend(&Project::new(&given).unwrap()).unwrap())
}

/// An OTLP backend at this address, with more variables.
pub(super) fn otlp(base_url: &str, more: &[(&str, &str)]) -> Backend {
    let variable = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(base_url.to_owned()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some(format!("authorization=Bearer%20{KEY}")),
        _ => more.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
    };
    soon(super::otlp::from_variables(variable).unwrap().unwrap())
}

fn soon(backend: Backend) -> Backend {
    let (first_pause, longest_pause) = (Duration::from_millis(2), Duration::from_millis(20));
    let retry = Retry { first_pause, longest_pause, ..Retry::USUAL };
    // Longer than a machine that does much else keeps anybody waiting.
    Backend { retry, timeout: Duration::from_secs(30), ..backend }
}

/// Enough for everything but what never ends.
pub(super) fn budget() -> Budget {
    Budget::start(Duration::from_secs(30), Duration::from_millis(50))
}

/// A call of the fixture's run `r1`.
pub(super) fn recorded(id: u32) -> CallRecord {
    CallRecord { id: CallId(id), ..call(id % 10) }
}

pub(super) fn spans_of(call: &CallRecord) -> Vec<SpanData> {
    let head = run(vec![call.clone()]).head;
    let (facts, _) = analyse_call(call, &scenario());
    let facts = CallFacts { turns: turns(call), ..facts };
    super::trace::call_spans(&head, &scenario(), call, &facts, None).unwrap()
}

pub(super) fn text<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    let value = &attributes.iter().find(|attribute| attribute.key == key)?.value;
    let any_value::Value::StringValue(text) = value.as_ref()?.value.as_ref()? else {
        panic!("{key} is no text");
    };
    Some(text)
}

/// No text that a user sees holds what must not be shown.
pub(super) fn assert_harmless(shown: &str) {
    let secrets = [SECRET, TOKEN, KEY];
    assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.len() < 600, "{shown}");
}

/// A request as it arrived.
pub(super) struct Arrived {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Arrived {
    pub(super) fn decoded(&self) -> ExportTraceServiceRequest {
        let mut bytes = self.body.clone();
        if self.headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
            bytes.clear();
            flate2::read::GzDecoder::new(self.body.as_slice()).read_to_end(&mut bytes).unwrap();
        }
        if self.headers["content-type"] == "application/json" {
            serde_json::from_slice(&bytes).unwrap()
        } else {
            ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap()
        }
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        let request = self.decoded();
        let [of_resource] = request.resource_spans.as_slice() else { panic!("{request:?}") };
        let [of_scope] = of_resource.scope_spans.as_slice() else { panic!("{request:?}") };
        of_scope.spans.clone()
    }
}

/// What a server does with a request.
#[derive(Clone)]
pub(super) enum Manner {
    /// Status and further headers, and a body.
    Answer(&'static str, String),
    /// Takes the spans, after this time.
    Slow(Duration),
    Silence,
    /// Reads the request, and closes the connection.
    HangUp,
    /// Closes the connection when it has read the headers.
    HangUpEarly,
    /// 413 for bodies that hold more spans than this.
    AtMost(usize),
}

impl Manner {
    pub(super) fn ok() -> Self {
        Self::Answer("200 OK", "{}".to_owned())
    }
}

/// A server for the length of a test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) requests: mpsc::Receiver<Arrived>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::playing(vec![manner]).await
    }

    /// A manner a request; the last goes on.
    pub(super) async fn playing(manners: Vec<Manner>) -> Self {
        Self::accept(manners, |stream| async { Some(stream) }).await
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
        Self::accept(vec![Manner::ok()], move |stream| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(stream).await.ok() }
        })
        .await
    }

    async fn accept<S, F>(
        manners: Vec<Manner>,
        open: impl Fn(TcpStream) -> F + Send + Clone + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        F: Future<Output = Option<S>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel(1_000);
        let manners = Arc::new(Mutex::new(manners));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (open, manners, sender) = (open.clone(), Arc::clone(&manners), sender.clone());
                connections.spawn(async move {
                    if let Some(stream) = open(stream).await {
                        serve(stream, &manners, sender).await;
                    }
                });
            }
        });
        Self { address, requests, _tasks: tasks }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that arrived until now.
    pub(super) async fn arrived(&mut self) -> Vec<Arrived> {
        self.requests.close();
        let mut all = Vec::new();
        while let Some(arrived) = self.requests.recv().await {
            all.push(arrived);
        }
        all
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    manners: &Mutex<Vec<Manner>>,
    sender: mpsc::Sender<Arrived>,
) {
    while let Some((line, headers)) = read_head(&mut stream).await {
        let manner = {
            let mut left = manners.lock().unwrap();
            if left.len() > 1 { left.remove(0) } else { left[0].clone() }
        };
        let mut body = Vec::new();
        if !matches!(manner, Manner::HangUpEarly) {
            body.resize(headers["content-length"].parse().unwrap(), 0);
            stream.read_exact(&mut body).await.unwrap();
        }
        let arrived = Arrived { line, headers, body };
        let spans = if arrived.body.is_empty() { 0 } else { arrived.spans().len() };
        let _ = sender.send(arrived).await;
        let (status, body) = match manner {
            Manner::Answer(status, body) => (status, body),
            Manner::Slow(time) => {
                tokio::time::sleep(time).await;
                ("200 OK", "{}".to_owned())
            }
            Manner::AtMost(most) if spans > most => ("413 Too Large", String::new()),
            Manner::AtMost(_) => ("200 OK", "{}".to_owned()),
            Manner::Silence => std::future::pending().await,
            Manner::HangUp | Manner::HangUpEarly => return,
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Option<(String, BTreeMap<String, String>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Some((line, headers))
}
