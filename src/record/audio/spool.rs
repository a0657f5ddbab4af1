//! The tapes of ended calls on disk until the run is over. The file has no name, so a run that is killed leaves nothing
//! behind; the place of a tape that is not wanted any more is used for another.

use super::tape::Tape;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Where a tape lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    at: u64,
    len: u64,
}

/// The file and what is free of it.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// Where the file ends.
    end: u64,
    /// In the order of their places; none touches another.
    free: Vec<Slot>,
}

impl Spool {
    /// A spool on the disk of a folder.
    ///
    /// # Errors
    /// The folder takes no file.
    pub fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, end: 0, free: Vec::new() })
    }

    /// Writes a tape.
    ///
    /// # Errors
    /// The disk takes no more.
    pub fn put(&mut self, tape: &Tape) -> io::Result<Slot> {
        let slot = self.find(tape.len() as u64);
        let mut at = slot.at;
        for piece in tape.pieces() {
            self.file.write_all_at(piece, at)?;
            at += piece.len() as u64;
        }
        Ok(slot)
    }

    /// Reads a tape.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, slot: Slot) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(slot.len).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, slot.at)?;
        Ok(bytes)
    }

    /// The tape is not wanted any more.
    pub fn free(&mut self, slot: Slot) {
        let place = self.free.partition_point(|free| free.at < slot.at);
        self.free.insert(place, slot);
        self.free.dedup_by(|next, slot| {
            let touch = slot.at + slot.len == next.at;
            if touch {
                slot.len += next.len;
            }
            touch
        });
        if let Some(last) = self.free.pop_if(|last| last.at + last.len == self.end) {
            self.end = last.at;
        }
    }

    /// The first place that is long enough.
    fn find(&mut self, len: u64) -> Slot {
        let Some(free) = self.free.iter_mut().find(|free| free.len >= len) else {
            let slot = Slot { at: self.end, len };
            self.end += len;
            return slot;
        };
        let slot = Slot { at: free.at, len };
        (free.at, free.len) = (free.at + len, free.len - len);
        self.free.retain(|free| free.len > 0);
        slot
    }

    /// Lets all writing fail for want of space.
    #[cfg(test)]
    pub(crate) fn fill_disk(&mut self) {
        self.file = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tape::{Packet, Taping};
    use super::*;
    use crate::time::Offset;
    use proptest::prelude::*;

    fn tape(packets: usize, content: u8) -> Tape {
        let mut tape = Taping::default().tape();
        for seq in 0..packets as u64 {
            let payload = &[content; 100];
            let at = Offset::default();
            tape.add(&Packet { track: 0, ssrc: 0, seq, rtp_time: 0, at, payload });
        }
        tape
    }

    #[test]
    fn a_spool_has_no_name_and_grows_no_more_than_it_must() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(folder.path()).unwrap();
        let slots: Vec<Slot> = (0..3).map(|n| spool.put(&tape(10, n)).unwrap()).collect();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let len = spool.end;
        spool.free(slots[1]);
        spool.put(&tape(6, 4)).unwrap();
        spool.put(&tape(4, 5)).unwrap();
        assert_eq!((spool.end, spool.free.len()), (len, 0));
        spool.free(slots[2]);
        assert_eq!(spool.end, slots[2].at, "the end of the file is given back");
        spool.fill_disk();
        assert!(spool.put(&tape(1, 1)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_there_is_read_as_it_was_written(
            steps in proptest::collection::vec((0..40_usize, any::<bool>(), any::<u8>()), 1..60),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Spool::create(folder.path()).unwrap();
            let mut there: Vec<(Slot, Vec<u8>)> = Vec::new();
            for (number, removes, content) in steps {
                if removes && !there.is_empty() {
                    let (slot, _) = there.swap_remove(number % there.len());
                    spool.free(slot);
                } else {
                    let tape = tape(number, content);
                    let bytes = tape.pieces().flatten().copied().collect();
                    there.push((spool.put(&tape).unwrap(), bytes));
                }
                for (slot, bytes) in &there {
                    prop_assert_eq!(&spool.read(*slot).unwrap(), bytes);
                }
                let used: u64 = there.iter().map(|(slot, _)| slot.len).sum();
                let free: u64 = spool.free.iter().map(|slot| slot.len).sum();
                prop_assert_eq!(used + free, spool.end);
            }
        }
    }
}
