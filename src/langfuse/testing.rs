//! A listener on loopback that answers as a test says.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Given, Project};
use crate::secret::Secret;

pub(crate) const PUBLIC_KEY: &str = "pk-lf-test";
pub(crate) const SECRET_KEY: &str = "sk-lf-the-secret-part";
/// Both keys as they are sent.
pub(crate) const TOKEN: &str = "cGstbGYtdGVzdDpzay1sZi10aGUtc2VjcmV0LXBhcnQ=";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    /// Names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// An answer: a status, headers, a body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Handler = dyn FnMut(&Request) -> Answer + Send;

/// A server until the end of the test's process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    arrived: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(handler: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(handler));
        let seen = Arc::clone(&arrived);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, handler) = (Arc::clone(&seen), Arc::clone(&handler));
                std::thread::spawn(move || serve(&stream, &seen, &handler));
            }
        });
        Self { address, arrived }
    }

    /// Gives these answers one after another, and the last of them for ever.
    pub(crate) fn answers(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        Self::start(move |_| {
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
        })
    }

    pub(crate) fn project(&self) -> Project {
        project(&format!("http://{}", self.address))
    }

    pub(crate) fn arrived(&self) -> Vec<Request> {
        lock(&self.arrived).clone()
    }
}

/// A project at an address.
pub(crate) fn project(base_url: &str) -> Project {
    let given = Given {
        public_key: PUBLIC_KEY.to_owned(),
        secret_key: Secret::new(SECRET_KEY.to_owned()),
        base_url: Some(base_url.to_owned()),
        environment: None,
    };
    Project::new(&given).unwrap()
}

fn serve(mut stream: &TcpStream, seen: &Mutex<Vec<Request>>, handler: &Mutex<Handler>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        lock(seen).push(request.clone());
        let answer = (lock(handler))(&request);
        let mut text = format!("HTTP/1.1 {} X\r\n", answer.status);
        for (name, value) in &answer.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "content-length: {}\r\n\r\n{}", answer.body.len(), answer.body);
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines[0].split(' ');
    let method = first.next()?.to_owned();
    let url = reqwest::Url::parse(&format!("http://x{}", first.next()?)).ok()?;
    let headers: BTreeMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let query = url.query_pairs().into_owned().collect();
    Some(Request { method, path: url.path().to_owned(), query, headers, body })
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
