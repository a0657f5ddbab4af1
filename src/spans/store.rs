//! `spans.jsonl` on disk: the agent's spans of a run, beside its recording. One line for the format, one for each span,
//! one at the end for what was left out.

use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::AgentSpan;
use crate::files::{self, ReadError};

/// The name of the file within a run folder.
pub const FILE_NAME: &str = "spans.jsonl";
/// The format this version writes.
const FORMAT: u32 = 1;
/// The most that is written and read, in bytes: a call of a minute takes about 50 kB.
pub const MAX_BYTES: u64 = 64 << 20;
/// The longest line that is read: a span with as many and as long texts as are kept.
const MAX_LINE: u64 = 4 << 20;

/// Why the file is not there or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot write `{path}`: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read `{path}`: {source}")]
    Open { path: PathBuf, source: ReadError },
    #[error("`{path}` line {line} is longer than a span can be")]
    LongLine { path: PathBuf, line: usize },
    #[error("`{path}` line {line} does not hold a span of an agent")]
    NotASpan { path: PathBuf, line: usize },
    #[error("`{path}` has format {format}; this version reads {FORMAT}: use a newer loadcall")]
    Format { path: PathBuf, format: u32 },
}

impl StoreError {
    /// Whether there is no such file: nobody sent spans.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Open { source, .. } if source.is_missing())
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    pub spans: Vec<AgentSpan>,
    /// Spans of the run that were left out when they came, or that can no longer be read.
    pub dropped: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    pub spans: u64,
    /// Spans that were left out, for whatever reason.
    pub dropped: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FormatLine {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DroppedLine {
    dropped: u64,
}

/// The spans that are written. A span that was sent twice is written once.
pub struct Lines<'a> {
    out: &'a mut dyn io::Write,
    limit: u64,
    bytes: u64,
    known: HashSet<(String, String)>,
    written: Written,
    /// Kept until the end, which reports it.
    failed: Option<io::Error>,
}

impl Lines<'_> {
    /// Writes a span, or counts it where the file is as long as it may be.
    pub fn add(&mut self, span: &AgentSpan) {
        if !self.known.insert((span.trace_id.clone(), span.span_id.clone())) {
            return;
        }
        let Ok(mut line) = serde_json::to_vec(span) else { return self.leave_out(1) };
        line.push(b'\n');
        if self.failed.is_some() || self.bytes + line.len() as u64 > self.limit {
            return self.leave_out(1);
        }
        self.bytes += line.len() as u64;
        match self.out.write_all(&line) {
            Ok(()) => self.written.spans += 1,
            Err(e) => self.failed = Some(e),
        }
    }

    /// Counts spans that are not there to be written.
    pub fn leave_out(&mut self, spans: u64) {
        self.written.dropped += spans;
    }
}

/// Writes the file of a run folder whole, with the spans that `fill` adds.
///
/// # Errors
/// The disk takes no file, or not all of it; then an older file stays.
pub fn write(folder: &Path, fill: impl FnOnce(&mut Lines<'_>)) -> Result<Written, StoreError> {
    write_up_to(MAX_BYTES, folder, fill)
}

fn write_up_to(
    limit: u64,
    folder: &Path,
    fill: impl FnOnce(&mut Lines<'_>),
) -> Result<Written, StoreError> {
    let path = folder.join(FILE_NAME);
    let mut written = Written::default();
    let done = files::replace_with(&path, |out| {
        line(out, &FormatLine { format: FORMAT })?;
        let (known, none) = (HashSet::new(), Written::default());
        let mut lines = Lines { out, limit, bytes: 0, known, written: none, failed: None };
        fill(&mut lines);
        written = lines.written;
        if let Some(e) = lines.failed {
            return Err(e);
        }
        line(lines.out, &DroppedLine { dropped: written.dropped })
    });
    done.map_err(|source| StoreError::Write { path, source })?;
    Ok(written)
}

fn line(out: &mut dyn io::Write, what: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(what)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

/// Reads the spans of a run folder that are wanted, line by line.
///
/// # Errors
/// There is no such file, it cannot be read, or it is something else. A span that was cut at the end of the file is
/// counted as dropped.
pub fn read(folder: &Path, wanted: impl Fn(&AgentSpan) -> bool) -> Result<Found, StoreError> {
    let path = folder.join(FILE_NAME);
    let open = |source| StoreError::Open { path: path.clone(), source };
    let mut lines = BufReader::new(files::open(&path).map_err(open)?);
    let (mut found, mut line, mut buffer, mut bytes) = (Found::default(), 0, Vec::new(), 0);
    loop {
        buffer.clear();
        line += 1;
        let read = lines.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut buffer);
        let read = read.map_err(|e| open(e.into()))? as u64;
        bytes += read;
        if bytes > MAX_BYTES + MAX_LINE {
            return Err(open(ReadError::TooLarge { limit: MAX_BYTES }));
        }
        if read > MAX_LINE {
            return Err(StoreError::LongLine { path, line });
        }
        if buffer.is_empty() {
            return Ok(found);
        }
        match parse(buffer.trim_ascii()) {
            Some(Line::Span(span)) if wanted(&span) => found.spans.push(*span),
            Some(Line::Span(_) | Line::Empty | Line::Format(FORMAT)) => {}
            Some(Line::Format(format)) => return Err(StoreError::Format { path, format }),
            Some(Line::Dropped(dropped)) => found.dropped = found.dropped.saturating_add(dropped),
            // Cut when loadcall was killed.
            None if !buffer.ends_with(b"\n") => found.dropped += 1,
            None => return Err(StoreError::NotASpan { path, line }),
        }
    }
}

enum Line {
    Empty,
    Format(u32),
    Span(Box<AgentSpan>),
    Dropped(u64),
}

/// `None` for what is none of these.
fn parse(line: &[u8]) -> Option<Line> {
    if line.is_empty() {
        return Some(Line::Empty);
    }
    if let Ok(span) = serde_json::from_slice(line) {
        return Some(Line::Span(Box::new(span)));
    }
    if let Ok(FormatLine { format }) = serde_json::from_slice(line) {
        return Some(Line::Format(format));
    }
    serde_json::from_slice(line).ok().map(|DroppedLine { dropped }| Line::Dropped(dropped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spans::span::testing::span;

    fn kept(folder: &Path) -> Found {
        read(folder, |_| true).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path(), |_| true).unwrap_err().is_missing());
        let (a, b) = (span("llm_node", 1), span("tts_node", 2));
        let written = write(folder.path(), |lines| {
            // An exporter that got no answer sends its spans again.
            for span in [&a, &b, &a] {
                lines.add(span);
            }
            lines.leave_out(3);
        });
        assert_eq!(written.unwrap(), Written { spans: 2, dropped: 3 });
        assert_eq!(kept(folder.path()), Found { spans: vec![a, b.clone()], dropped: 3 });
        let only = read(folder.path(), |span| span.name == "tts_node").unwrap();
        assert_eq!(only.spans, [b]);
    }

    #[test]
    fn what_is_over_the_limit_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let fill = |lines: &mut Lines<'_>| (10..60).for_each(|id| lines.add(&span("a", id)));
        let one = serde_json::to_vec(&span("a", 10)).unwrap().len() as u64 + 1;
        let written = write_up_to(10 * one, folder.path(), fill).unwrap();
        assert_eq!(written, Written { spans: 10, dropped: 40 });
        assert_eq!((kept(folder.path()).spans.len(), kept(folder.path()).dropped), (10, 40));
    }

    #[test]
    fn files_that_are_something_else_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let read_of = |text: &str| {
            files::replace(&folder.path().join(FILE_NAME), text.as_bytes()).unwrap();
            read(folder.path(), |_| true)
        };
        let line = serde_json::to_string(&span("a", 1)).unwrap();
        // A run that was killed while it wrote.
        let cut = read_of(&format!("{{\"format\":1}}\n{line}\n{}", &line[..40])).unwrap();
        assert_eq!((cut.spans.len(), cut.dropped), (1, 1));
        assert!(matches!(read_of("{\"format\":2}\n"), Err(StoreError::Format { format: 2, .. })));
        let wrong = read_of(&format!("{line}\n{{}}\n")).unwrap_err();
        assert!(wrong.to_string().ends_with("line 2 does not hold a span of an agent"), "{wrong}");
        let long = read_of(&"x".repeat(5 << 20)).unwrap_err();
        assert!(matches!(long, StoreError::LongLine { line: 1, .. }), "{long}");
    }
}
