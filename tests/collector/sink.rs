//! A receiver of OTLP over HTTP inside the test: it decodes what it gets, and answers as it is told.

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The path that was posted to.
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) request: ExportTraceServiceRequest,
}

/// Listens on loopback until the process ends.
#[derive(Debug)]
pub(crate) struct Sink {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Sink {
    /// Answers every request with this status, and header lines behind it.
    pub(crate) fn start(answer: &'static str) -> Self {
        Self::playing(vec![answer])
    }

    /// An answer a request; the last goes on.
    pub(crate) fn playing(answers: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let answers: Arc<[&str]> = answers.into();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
                thread::spawn(move || serve(&stream, &answers, &kept));
            }
        });
        Self { address, received }
    }

    /// The base address, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// All spans that have arrived, in the order in which they did.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.received().into_iter().map(|received| received.request);
        let resources = requests.flat_map(|request| request.resource_spans);
        resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
    }
}

fn serve(stream: &TcpStream, answers: &[&str], kept: &Mutex<Vec<Received>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
            let packed = std::mem::take(&mut body);
            GzDecoder::new(packed.as_slice()).read_to_end(&mut body).ok()?;
        }
        let request = ExportTraceServiceRequest::decode(body.as_slice()).ok()?;
        let answer = {
            let mut kept = kept.lock().unwrap();
            kept.push(Received { path, headers, request });
            answers.get(kept.len() - 1).or(answers.last())?
        };
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}
