//! Files as the rest of the tool meets them: read up to a limit, whatever lies at the path, and replaced
//! whole. Knows nothing of what the files hold.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufWriter, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

/// How often a folder that somebody else has locked is tried again, and after which pause.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder, a device, a FIFO or a socket: something without an end that is known.
    #[error("not a regular file")]
    NotRegular,
    #[error("larger than the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("not UTF-8 text")]
    NotUtf8,
}

impl ReadError {
    /// Whether there is nothing at the path.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(e) if e.kind() == io::ErrorKind::NotFound)
    }
}

/// Opens a regular file for reading. Returns at once also where opening would wait (a FIFO without a
/// writer).
pub fn open(path: &Path) -> Result<File, ReadError> {
    regular(OpenOptions::new().read(true), path)
}

/// Opens a regular file, or a new one, to add to its end. Returns at once, as [`open`].
pub fn append(path: &Path) -> Result<File, ReadError> {
    regular(OpenOptions::new().append(true).create(true), path)
}

fn regular(how: &mut OpenOptions, path: &Path) -> Result<File, ReadError> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = how.custom_flags(flags).open(path)?;
    // Asked of the open file: the path may name another one by now.
    if file.metadata()?.is_file() { Ok(file) } else { Err(ReadError::NotRegular) }
}

/// The contents of a regular file of at most `limit` bytes. Never holds more than that, also of a file
/// that grows while it is read.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(ReadError::TooLarge { limit }) } else { Ok(bytes) }
}

/// As [`read`], for text.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    String::from_utf8(read(path, limit)?).map_err(|_| ReadError::NotUtf8)
}

/// Whether a path leads into `folder` or a folder below it when all links are followed. The last part of
/// the path need not exist; when a folder on the way does not, nothing is known and the answer is no.
pub fn is_inside(folder: &Path, path: &Path) -> bool {
    let real = path.canonicalize().or_else(|_| folder_of(path).canonicalize());
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match (folder.canonicalize(), real) {
        (Ok(folder), Ok(real)) => real.starts_with(folder),
        _ => false,
    }
}

/// Puts a file with these contents at `path`: readers see the old file or the whole new one. A link at
/// `path` is replaced, and what it points at stays. A new file gets the permissions of any new file, one
/// that is replaced keeps its own.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace_with(path, |out| out.write_all(contents))
}

/// As [`replace`], with the contents that `write` writes.
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let before = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file);
    // A name nobody can guess, made with O_EXCL: nothing that waits there is written to.
    let mut new = OpenOptions::new();
    new.write(true).create_new(true).mode(0o666);
    let mut named = tempfile::Builder::new();
    let mut file =
        named.prefix(".loadcall-").make_in(folder_of(path), |unused| new.open(unused))?;
    let mut out = BufWriter::new(&mut file);
    write(&mut out)?;
    out.into_inner()?;
    if let Some(before) = before {
        let mode = before.permissions().mode() & 0o777;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
    }
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Holds other processes that call this for the same folder off until the result is dropped. For who reads
/// a file and then replaces it.
///
/// # Errors
/// The folder cannot be locked, or somebody else has it locked for ten seconds.
#[expect(clippy::disallowed_methods, reason = "waits for another process; nothing is measured")]
pub fn lock_folder_of(path: &Path) -> io::Result<File> {
    let folder = File::open(folder_of(path))?;
    for _ in 0..LOCK_TRIES {
        match folder.try_lock() {
            Ok(()) => return Ok(folder),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// As [`lock_folder_of`], without waiting; `None` when somebody else has it locked.
pub fn try_lock_folder_of(path: &Path) -> io::Result<Option<File>> {
    let folder = File::open(folder_of(path))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    fn text(path: &Path) -> String {
        read_text(path, 100).unwrap()
    }

    #[test]
    fn a_limit_is_kept_whatever_the_size_is_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        let error = read(&path, 4).unwrap_err();
        assert!(matches!(error, ReadError::TooLarge { limit: 4 }), "{error}");
        // Of files in /proc the size is said to be 0.
        let status = Path::new("/proc/self/status");
        assert!(!status.exists() || matches!(read(status, 4), Err(ReadError::TooLarge { .. })));
    }

    #[test]
    fn only_regular_files_are_opened_and_none_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let to_fifo = folder.path().join("link");
        symlink(&fifo, &to_fifo).unwrap();
        for path in [folder.path(), &fifo, &to_fifo, Path::new("/dev/zero")] {
            let error = open(path).unwrap_err();
            assert!(matches!(error, ReadError::NotRegular), "{}: {error}", path.display());
        }
        assert!(open(&folder.path().join("none")).unwrap_err().is_missing());
    }

    #[test]
    fn what_is_not_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace(&path, b"\xff").unwrap();
        assert_eq!(read_text(&path, 5).unwrap_err().to_string(), "not UTF-8 text");
    }

    #[test]
    fn links_lead_outside() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, outer) = (folder.path().join("inner"), folder.path().join("outer"));
        for made in [&inner, &outer] {
            std::fs::create_dir(made).unwrap();
            replace(&made.join("a"), b"").unwrap();
        }
        symlink(&outer, inner.join("folder")).unwrap();
        symlink(outer.join("a"), inner.join("file")).unwrap();
        for (path, inside) in [
            ("a", true),
            ("none", true),
            ("../inner/a", true),
            ("..", false),
            ("../outer/a", false),
            ("../outer/none", false),
            ("folder/a", false),
            ("folder/none", false),
            ("file", false),
            ("none/none", false),
        ] {
            assert_eq!(is_inside(&inner, &inner.join(path)), inside, "{path}");
        }
        assert!(is_inside(&inner, &inner.join("a").canonicalize().unwrap()));
        assert!(!is_inside(&inner, Path::new("/dev/null")));
    }

    #[test]
    fn replacing_follows_no_link_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        replace(&at("victim"), b"old").unwrap();
        // Where the temporary file used to be, and at the file itself.
        symlink(at("victim"), at("a.partial")).unwrap();
        symlink(at("victim"), at("a.json")).unwrap();
        replace(&at("a.json"), b"new").unwrap();
        assert_eq!((text(&at("victim")), text(&at("a.json"))), ("old".into(), "new".into()));
        assert!(!at("a.json").is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn permissions_are_those_of_any_new_file_or_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (ours, usual) = (folder.path().join("ours"), folder.path().join("usual"));
        replace(&ours, b"1").unwrap();
        File::create(&usual).unwrap();
        assert_eq!(mode(&ours), mode(&usual));
        std::fs::set_permissions(&ours, Permissions::from_mode(0o640)).unwrap();
        replace(&ours, b"2").unwrap();
        assert_eq!(mode(&ours), 0o640);
    }

    #[test]
    fn a_folder_is_locked_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let first = lock_folder_of(&path).unwrap();
        let second = File::open(folder.path()).unwrap();
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(try_lock_folder_of(&path).unwrap().is_none());
        drop(first);
        lock_folder_of(&path).unwrap();
    }
}
