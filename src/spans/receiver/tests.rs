use super::*;
use std::io::Write as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"llm_node","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const QUICK: Limits =
    Limits { connections: 3, idle: Duration::from_millis(300), body: Duration::from_millis(300) };

struct Fixture {
    receiver: Receiver,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

fn receiver(limits: Limits) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let receiver = Receiver::start_with(any, folder.path(), limits).unwrap();
    let http = crate::http::client(false).unwrap().build().unwrap();
    Fixture { receiver, http, _folder: folder }
}

fn usual() -> Fixture {
    receiver(Limits { connections: CONNECTIONS, idle: IDLE, body: BODY })
}

impl Fixture {
    /// The status of the answer, its media type and its body.
    async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, String, Vec<u8>) {
        let url = format!("http://{}{path}", self.receiver.address());
        let mut request = self.http.post(url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, media) =
            (response.status().as_u16(), response.headers()["content-type"].clone());
        let body = response.bytes().await.unwrap().to_vec();
        (status, media.to_str().unwrap().to_owned(), body)
    }

    async fn stream(&self) -> TcpStream {
        TcpStream::connect(self.receiver.address()).await.unwrap()
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn spans_are_kept_as_they_came_and_answered_in_their_encoding() {
    let of = usual();
    let json =
        of.post("/v1/traces", &[("content-type", "application/json; charset=utf-8")], SPAN.into());
    assert_eq!(json.await, (200, JSON.to_owned(), b"{}".to_vec()));
    let zipped = [("content-type", JSON), ("content-encoding", "gzip")];
    assert_eq!(of.post("/v1/traces", &zipped, packed(SPAN.as_bytes())).await.0, 200);
    let empty = of.post("/v1/traces", &[("content-type", PROTOBUF)], Vec::new()).await;
    assert_eq!(empty, (200, PROTOBUF.to_owned(), Vec::new()));
    assert_eq!(of.receiver.len(), 3);
    assert_eq!(of.receiver.sent(1).unwrap().unwrap().body, packed(SPAN.as_bytes()));
    let spans = |n: usize| of.receiver.decoded(n).unwrap().unwrap().spans;
    assert_eq!((spans(0).len(), spans(1) == spans(0), spans(2).len()), (1, true, 0));
    assert!(of.receiver.decoded(3).is_none());
    of.receiver.clear();
    assert!(of.receiver.is_empty());
}

#[tokio::test]
async fn metrics_and_logs_are_answered_and_counted() {
    let of = usual();
    for path in ["/v1/metrics", "/v1/logs"] {
        let answer = of.post(path, &[("content-type", PROTOBUF)], vec![1; 100_000]).await;
        assert_eq!(answer, (200, PROTOBUF.to_owned(), Vec::new()));
    }
    assert_eq!(of.receiver.tally(), Tally { others: 2, ..Tally::default() });
    assert!(of.receiver.is_empty());
}

#[tokio::test]
async fn what_is_not_taken_is_answered_with_a_reason() {
    let of = usual();
    let json = [("content-type", JSON)];
    let zstd = [("content-type", PROTOBUF), ("content-encoding", "zstd")];
    for (path, headers, body, status, why) in [
        ("/", &json[..], b"{}".to_vec(), 404, "/v1/traces"),
        ("/v1/traces", &[("content-type", "text/plain")], b"{}".to_vec(), 415, "application/json"),
        ("/v1/traces", &[], Vec::new(), 415, "application/x-protobuf"),
        ("/v1/traces", &zstd, b"{}".to_vec(), 415, "gzip"),
        ("/v1/traces", &json, vec![b' '; otlp::MAX_BODY + 1], 413, "smaller batches"),
    ] {
        let (got, _, said) = of.post(path, headers, body).await;
        assert_eq!(got, status, "{path} {headers:?}");
        assert!(String::from_utf8_lossy(&said).contains(why), "{}", String::from_utf8_lossy(&said));
    }
    let url = format!("http://{}/v1/traces", of.receiver.address());
    let get = of.http.get(url).send().await.unwrap();
    assert_eq!((get.status().as_u16(), &get.headers()["allow"]), (405, &"POST".parse().unwrap()));
    assert!(of.receiver.is_empty());
    assert_eq!(of.receiver.tally().refused, 2);
}

#[tokio::test]
async fn a_chunked_body_is_cut_off_at_the_limit() {
    let of = usual();
    let mut stream = of.stream().await;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: {JSON}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [format!("{:x}\r\n", 1 << 20).into_bytes(), vec![b' '; 1 << 20], b"\r\n".to_vec()];
    let chunk = chunk.concat();
    for _ in 0..=otlp::MAX_BODY >> 20 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    assert_eq!(of.receiver.tally().refused, 1);
}

#[tokio::test]
async fn clients_that_are_slow_lose_their_connection() {
    let of = receiver(QUICK);
    let mut silent = of.stream().await;
    let mut half = of.stream().await;
    half.write_all(b"POST /v1/tra").await.unwrap();
    let mut body = of.stream().await;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: {JSON}\r\ncontent-length: 9\r\n\r\n{{"
    );
    body.write_all(head.as_bytes()).await.unwrap();
    let mut ends = Vec::new();
    for stream in [&mut silent, &mut half, &mut body] {
        let mut end = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut end));
        read.await.expect("the connection ends").unwrap();
        ends.push(String::from_utf8(end).unwrap().lines().next().unwrap_or_default().to_owned());
    }
    assert_eq!(ends[2], "HTTP/1.1 408 Request Timeout");
    // Their places are free again.
    assert_eq!(of.post("/v1/traces", &[("content-type", JSON)], SPAN.into()).await.0, 200);
}

#[tokio::test]
async fn no_more_connections_are_taken_than_it_has_places() {
    let of = receiver(Limits { idle: Duration::from_secs(60), ..QUICK });
    let held = [of.stream().await, of.stream().await, of.stream().await];
    let post = of.post("/v1/traces", &[("content-type", JSON)], SPAN.into());
    let mut post = std::pin::pin!(post);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut post).await.is_err());
    drop(held);
    assert_eq!(post.await.0, 200);
}

#[tokio::test]
async fn what_cannot_be_read_later_says_why() {
    let of = usual();
    let zipped = [("content-type", JSON), ("content-encoding", "gzip")];
    of.post("/v1/traces", &zipped, b"no gzip".to_vec()).await;
    of.post("/v1/traces", &zipped, packed(&vec![b' '; otlp::MAX_BODY + 1])).await;
    of.post("/v1/traces", &[("content-type", JSON)], b"{".to_vec()).await;
    let why = |n: usize| of.receiver.decoded(n).unwrap().unwrap_err().to_string();
    assert!(why(0).starts_with("not gzip"), "{}", why(0));
    assert_eq!(why(1), "more than 16 MiB when it is unpacked");
    assert!(why(2).starts_with("not OTLP traces in JSON"), "{}", why(2));
}

#[test]
fn what_is_over_the_limit_of_a_run_is_refused_and_counted() {
    let mut inbox = Inbox::create(&std::env::temp_dir()).unwrap();
    let body = vec![7; 16 << 20];
    for _ in 0..4 {
        inbox.put(&body, otlp::Encoding::Protobuf, false).unwrap();
    }
    let over = inbox.put(&[1], otlp::Encoding::Protobuf, true);
    assert_eq!((over, inbox.tally().over), (Err(inbox::NotKept::Full), 1));
    assert_eq!(inbox.sent(3).unwrap().unwrap().body, body);
    inbox.clear();
    inbox.put(&[1], otlp::Encoding::Json, true).unwrap();
    let sent = Sent { body: vec![1], encoding: otlp::Encoding::Json, gzip: true };
    assert_eq!((inbox.sent(0).unwrap().unwrap(), inbox.tally()), (sent, Tally::default()));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let why = Receiver::start(address, &std::env::temp_dir()).unwrap_err().to_string();
    assert!(why.starts_with(&format!("cannot listen for spans at {address}: ")), "{why}");
}
