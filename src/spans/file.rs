//! Spans from a file of OTLP JSON: one object, or one a line, as the file exporter of the OpenTelemetry Collector writes.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::otlp::{self, Decoded, Encoding, OtlpError};
use super::store::Found;
use crate::files::{self, ReadError};

/// Spans that are taken of a file.
const MAX_SPANS: usize = 200_000;
/// The largest file that is read.
const MAX_BYTES: u64 = 512 << 20;

/// Why a file gives no spans.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read `{path}`: {source}")]
    Open { path: PathBuf, source: ReadError },
    #[error(
        "`{path}` line {line} is {source}: write one object of `resourceSpans` in the file, or one a line, as the file exporter of the OpenTelemetry Collector does"
    )]
    Line { path: PathBuf, line: usize, source: OtlpError },
    #[error("`{path}` holds no spans")]
    Empty { path: PathBuf },
}

/// Reads the spans of a file, a line at a time where it has an object a line.
///
/// # Errors
/// It cannot be read, is something else, or holds no span.
pub fn read(path: &Path) -> Result<Found, FileError> {
    let open = |source: ReadError| FileError::Open { path: path.to_owned(), source };
    let bad = |line, source| FileError::Line { path: path.to_owned(), line, source };
    let file = files::open(path).map_err(open)?;
    let mut lines = BufReader::new(file.take(MAX_BYTES + 1));
    let (mut found, mut number, mut bytes) = (Found::default(), 0, 0);
    while let Some(line) = next_line(&mut lines).map_err(|e| open(e.into()))? {
        number += 1;
        bytes += line.len() as u64;
        if bytes > MAX_BYTES {
            return Err(open(ReadError::TooLarge { limit: MAX_BYTES }));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match otlp::decode(line, Encoding::Json) {
            Ok(decoded) => add(&mut found, decoded),
            // An object that goes over several lines.
            Err(_) if number == 1 => {
                let whole = files::read(path, otlp::MAX_BODY as u64).map_err(open)?;
                let decoded = otlp::decode(whole, Encoding::Json);
                add(&mut found, decoded.map_err(|source| bad(1, source))?);
                break;
            }
            Err(source) => return Err(bad(number, source)),
        }
    }
    if found == Found::default() {
        return Err(FileError::Empty { path: path.to_owned() });
    }
    Ok(found)
}

fn add(found: &mut Found, decoded: Decoded) {
    let room = MAX_SPANS.saturating_sub(found.spans.len());
    let over = decoded.spans.len().saturating_sub(room) as u64;
    found.dropped += decoded.dropped + over;
    found.spans.extend(decoded.spans.into_iter().take(room));
}

/// The next line, or as much of it as tells that it is too long.
fn next_line(lines: &mut impl io::BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    lines.take(otlp::MAX_BODY as u64 + 1).read_until(b'\n', &mut line)?;
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"llm_node","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;

    fn read_of(text: &str) -> Result<Found, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spans.json");
        files::replace(&path, text.as_bytes()).unwrap();
        read(&path).map_err(|e| e.to_string())
    }

    #[test]
    fn an_object_may_be_the_file_or_a_line() {
        let pretty: serde_json::Value = serde_json::from_str(ONE).unwrap();
        let pretty = serde_json::to_string_pretty(&pretty).unwrap();
        for (text, spans) in [
            (ONE.to_owned(), 1),
            (format!("{ONE}\n"), 1),
            (format!("{ONE}\n\n{ONE}\n{ONE}"), 3),
            (pretty, 1),
        ] {
            assert_eq!(read_of(&text).unwrap().spans.len(), spans);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let second = read_of(&format!("{ONE}\n{{\n")).unwrap_err();
        assert!(second.contains("line 2 is not OTLP traces in JSON"), "{second}");
        assert!(read_of("hello").unwrap_err().contains("resourceSpans"));
        assert!(read_of("{}").unwrap_err().ends_with("holds no spans"));
        assert!(read_of("").unwrap_err().ends_with("holds no spans"));
    }
}
