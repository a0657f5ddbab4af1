//! Log lines of libraries go to stderr, above the progress bar when there is one: harmless whatever a
//! server put into them, and never with a token.

use super::environment;
use crate::text::safe;
use indicatif::MultiProgress;
use log::{Level, Log, Metadata, Record};
use std::io::Write;

/// Logs whole requests below `info`, with the token in their `Authorization` header.
const LOGS_TOKENS: &str = "tungstenite";

/// Errors by default; `LOADCALL_LOG` takes `env_logger`'s filters (`info`, `livekit=debug` …).
pub(super) fn start(bars: &MultiProgress) {
    let filters = environment::variable("LOADCALL_LOG");
    let mut builder = env_logger::Builder::new();
    builder.filter_level(log::LevelFilter::Error);
    if let Some(filters) = filters {
        builder.parse_filters(&filters);
    }
    builder.format(|out, record| {
        let style = out.default_level_style(record.level());
        let (level, target) = (record.level(), safe(record.target()));
        writeln!(out, "[{style}{level}{style:#} {target}] {}", safe(&record.args().to_string()))
    });
    let bars = bars.clone();
    let logger = builder.target(env_logger::Target::Pipe(Box::new(Above { bars }))).build();
    log::set_max_level(logger.filter());
    // A second start within a process (tests) keeps the first.
    let _ = log::set_boxed_logger(Box::new(WithoutTokens(logger)));
}

struct WithoutTokens(env_logger::Logger);

impl Log for WithoutTokens {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let library = metadata.target().split("::").next();
        let has_token = metadata.level() > Level::Info && library == Some(LOGS_TOKENS);
        !has_token && self.0.enabled(metadata)
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
