//! What agents sent, as they sent it, in a file without a name: a run that is killed leaves nothing behind.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::spans::otlp::Encoding;

/// The most that is kept of a run, in bytes, and in how many requests.
pub(super) const MAX_BYTES: u64 = 64 << 20;
const MAX_REQUESTS: usize = 100_000;

/// The body of a request, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub body: Vec<u8>,
    pub encoding: Encoding,
    pub gzip: bool,
}

/// What came and is not kept, in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Metrics and logs, which are not read.
    pub others: u64,
    /// Spans beyond what is kept of a run.
    pub over: u64,
    /// Spans that the disk did not take.
    pub unwritten: u64,
    /// Refused for another reason: too large, too slow, in another format.
    pub refused: u64,
}

/// Why a request was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotKept {
    Full,
    Disk,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    len: usize,
    encoding: Encoding,
    gzip: bool,
}

#[derive(Debug)]
pub(super) struct Inbox {
    file: File,
    places: Vec<Place>,
    tally: Tally,
}

impl Inbox {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(Self { file, places: Vec::new(), tally: Tally::default() })
    }

    pub(super) fn put(
        &mut self,
        body: &[u8],
        encoding: Encoding,
        gzip: bool,
    ) -> Result<(), NotKept> {
        let at = self.end();
        if at + body.len() as u64 > MAX_BYTES || self.places.len() >= MAX_REQUESTS {
            self.tally.over += 1;
            return Err(NotKept::Full);
        }
        if let Err(e) = self.file.write_all_at(body, at) {
            log::warn!("spans of the agent cannot be kept: {e}");
            self.tally.unwritten += 1;
            return Err(NotKept::Disk);
        }
        self.places.push(Place { at, len: body.len(), encoding, gzip });
        Ok(())
    }

    fn end(&self) -> u64 {
        self.places.last().map_or(0, |last| last.at + last.len as u64)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn sent(&self, n: usize) -> Option<io::Result<Sent>> {
        let Place { at, len, encoding, gzip } = *self.places.get(n)?;
        let mut body = vec![0; len];
        let read = self.file.read_exact_at(&mut body, at);
        Some(read.map(|()| Sent { body, encoding, gzip }))
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn count(&mut self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally);
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.tally = Tally::default();
        // What is left of it costs the disk alone, and is written over.
        let _ = self.file.set_len(0);
    }
}
