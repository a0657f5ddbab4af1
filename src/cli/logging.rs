//! What libraries log goes to stderr, above the progress bar when there is one, and never with a
//! caller's token in it.

use indicatif::MultiProgress;
use log::{Level, Log, Metadata, Record};
use std::io::Write;

/// These log whole URLs, with the caller's token in them, below this level.
const LOG_TOKENS: [&str; 4] =
    ["tungstenite", "tokio_tungstenite", "livekit_signaling", "livekit_net"];

/// Errors by default; `LOADCALL_LOG` takes `env_logger`'s filters (`info`, `livekit=debug` …).
pub(super) fn start(bars: &MultiProgress) {
    let filters = std::env::var_os("LOADCALL_LOG").unwrap_or_default();
    let mut builder = env_logger::Builder::new();
    builder.filter_level(log::LevelFilter::Error);
    if !filters.is_empty() {
        builder.parse_filters(&filters.to_string_lossy());
    }
    let bars = bars.clone();
    let logger = builder.target(env_logger::Target::Pipe(Box::new(Above { bars }))).build();
    log::set_max_level(logger.filter());
    // A second start within a process (tests) keeps the first.
    let _ = log::set_boxed_logger(Box::new(WithoutTokens(logger)));
}

struct WithoutTokens(env_logger::Logger);

impl Log for WithoutTokens {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        let tells = metadata.level() > Level::Info && LOG_TOKENS.contains(&crate_name);
        !tells && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Writes lines where a progress bar does not overwrite them.
struct Above {
    bars: MultiProgress,
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bars.suspend(|| std::io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}
