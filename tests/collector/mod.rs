//! A real OpenTelemetry Collector between a sender and a [`Sink`] of the test: what arrives there was understood by
//! OpenTelemetry's own receiver, and written anew by its exporter.

pub(crate) mod agent;
pub(crate) mod sink;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) use sink::Sink;

/// How long a collector may take to listen, and spans to pass through it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector that receives OTLP over HTTP on loopback, and passes on to a sink.
pub(crate) struct Collector {
    child: Child,
    port: u16,
    _config: tempfile::NamedTempFile,
}

impl Collector {
    /// Starts the collector that `tools/collector.sh` has built, or says that there is none. With
    /// `LOADCALL_REQUIRE_COLLECTOR` set, that there is none is a failure.
    pub(crate) fn start(sink: &Sink) -> Option<Self> {
        let Some(program) = program() else {
            let required = std::env::var_os("LOADCALL_REQUIRE_COLLECTOR").is_some();
            assert!(!required, "there is no collector: tools/collector.sh builds it");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut config = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        let text = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:{port}}}}}}}}}\n\
             exporters: {{otlp_http: {{endpoint: '{}'}}}}\n\
             service:\n  \
             telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}\n  \
             pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}\n",
            sink.url()
        );
        config.write_all(text.as_bytes()).unwrap();
        let child = Command::new(program)
            .arg("--config")
            .arg(config.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut collector = Self { child, port, _config: config };
        collector.wait();
        Some(collector)
    }

    fn wait(&mut self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the collector ended at once: {ended:?}");
            assert!(began.elapsed() < PATIENCE, "the collector does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to, to send to it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until so many spans have arrived; they need not stay the only ones.
pub(crate) fn await_spans(sink: &Sink, count: usize) {
    let began = Instant::now();
    while sink.spans().len() < count {
        assert!(began.elapsed() < PATIENCE, "{} of {count} spans arrived", sink.spans().len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn program() -> Option<PathBuf> {
    let tools = crate::common::root().join(".tools/bin");
    let entries = std::fs::read_dir(tools).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_one = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with("otelcol-"))
    };
    entries.filter(is_one).max()
}
