//! Log lines of libraries go to stderr, above the progress bar when there is one: harmless whatever a
//! server put into them, and never with a token.

use super::environment;
use crate::clock::wall_now;
use crate::text::safe;
use indicatif::MultiProgress;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::Write;

/// Logs whole requests below `info`, with the token in their `Authorization` header.
const LOGS_TOKENS: &str = "tungstenite";

/// Our own modules. What the libraries beneath log as errors reaches people as the outcome of a call.
const OURS: &str = "loadcall";

/// Our own errors by default, everybody's `info` and `debug` lines with `-v` and `-vv`; `LOADCALL_LOG` takes
/// `env_logger`'s filters (`info`, `livekit=debug` …) and goes before.
pub(super) fn start(bars: &MultiProgress, verbose: u8) {
    let filters = environment::variable("LOADCALL_LOG").unwrap_or_default();
    let mut builder = env_logger::Builder::new();
    match verbose {
        _ if !filters.is_empty() => builder.parse_filters(&filters),
        0 => builder.filter(Some(OURS), LevelFilter::Error),
        1 => builder.filter_level(LevelFilter::Info),
        _ => builder.filter_level(LevelFilter::Debug),
    };
    builder.format(|out, record| {
        let style = out.default_level_style(record.level());
        let (level, target) = (record.level(), safe(record.target()));
        let at = jiff::Timestamp::try_from(wall_now()).unwrap_or_default();
        let text = safe(&record.args().to_string());
        writeln!(out, "[{at:.3} {style}{level}{style:#} {target}] {text}")
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
