//! sled behind a guard: records in pieces, every call behind `catch_unwind`, every error judged: is it the files, or the machine?

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use super::aside::sync_dir;
use super::record::{self, FORMAT, HEADER_BYTES, RecordError};
use super::{MAX_RECORD_BYTES, StoreError, mark};

/// sled's page cache. Blocks are read once, at the start; after that it only writes, a block of 4 MB at a time.
const CACHE_BYTES: u64 = 4 << 20;

/// sled's own flusher. Its default, written down because it must not be `None`: memory would grow without bound.
const FLUSH_EVERY_MS: u64 = 500;

/// Piece of a record. A leaf holds at most 16 keys and 3 more while it merges; 19 x (6 KiB + longest key) stay under the 128 KiB at which
/// sled leaves its log.
const PIECE_BYTES: usize = 6 << 10;

/// How long one wait for sled's file takes, and how many there are: 10 s in all; one wait was enough after 320 MiB of writes.
const RELEASE_WAIT: Duration = Duration::from_millis(20);
const MAX_RELEASE_WAITS: u32 = 500;

/// Deepest folder walked for the size on disk; sled makes one level.
const MAX_DEPTH: usize = 3;

/// Why sled's files can't be used as they are.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The files are not what was written.
    Damaged(String),
    /// The files may be fine; something else is not.
    Other(StoreError),
}

impl Trouble {
    pub(super) fn into_error(self, act: &'static str, path: &Path) -> StoreError {
        match self {
            Self::Damaged(what) => StoreError::Failed { act, path: path.into(), what },
            Self::Other(error) => error,
        }
    }
}

pub(super) fn judge(path: &Path, what: &str, error: &RecordError) -> Trouble {
    match error {
        RecordError::Newer { found } => Trouble::Other(StoreError::Newer { path: path.into(), found: *found, known: FORMAT }),
        damage => Trouble::Damaged(format!("{what}: {damage}")),
    }
}

/// sled lets go of its files some time after its handle was dropped. The data directory's lock is ours already, so a file that is still in
/// use is our own from just before.
pub(super) fn open_once_free(path: &Path) -> Result<::sled::Db, Trouble> {
    let config = ::sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_EVERY_MS));
    let mut waits = 0;
    loop {
        match guarded("open", path, || config.open()) {
            Err(Trouble::Other(StoreError::Locked { .. })) if waits < MAX_RELEASE_WAITS => {
                waits += 1;
                std::thread::sleep(RELEASE_WAIT);
            }
            other => return other,
        }
    }
}

/// Puts a record's pieces together again. The outer error is sled's, the inner one the record's.
pub(super) fn read_record(db: &::sled::Db, path: &Path, kind: u8, key: &str) -> Result<Result<(Vec<u8>, u32), RecordError>, Trouble> {
    let read = || {
        let mut bytes = Vec::new();
        let mut expected = usize::MAX;
        for (number, piece) in db.scan_prefix(piece_prefix(kind, key)).enumerate() {
            let (at, piece) = piece?;
            if at[at.len() - 4..] != piece_number(number) || bytes.len() >= expected {
                break;
            }
            if number == 0 {
                match record::claimed_payload_bytes(&piece) {
                    Ok(claimed) => expected = HEADER_BYTES + claimed,
                    Err(error) => return Ok(Err(error)),
                }
                // A length that lies must not make us reserve memory for it; 16 MiB are the most a record may have.
                bytes.reserve(expected.min(HEADER_BYTES + MAX_RECORD_BYTES));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Ok(bytes))
    };
    let bytes = guarded("read", path, read)?;
    Ok(bytes.and_then(|bytes| record::decode(kind, key, bytes)))
}

/// Applies the batch, waits until it is on the disk, and only then acknowledges it.
pub(super) fn write(db: &::sled::Db, path: &Path, pieces: ::sled::Batch, generation: u64) -> Result<(), Trouble> {
    guarded("write", path, || db.apply_batch(pieces))?;
    guarded("flush", path, || db.flush())?;
    let file = path.join("db");
    fs::File::open(&file).and_then(|f| f.sync_all()).map_err(|source| from_io("sync", &file, source))?;
    mark::write(path, generation).map_err(|source| from_io("write the mark of", path, source))
}

/// A new store's names and settings: sled syncs its data file only.
pub(super) fn sync_new(path: &Path) -> Result<(), Trouble> {
    let fail = |source| from_io("sync", path, source);
    for entry in fs::read_dir(path).map_err(fail)? {
        fs::File::open(entry.map_err(fail)?.path()).and_then(|f| f.sync_all()).map_err(fail)?;
    }
    sync_dir(path).and_then(|()| path.parent().map_or(Ok(()), sync_dir)).map_err(fail)
}

/// Puts `encoded` piece by piece and removes those of the `old_pieces` that it no longer has.
pub(super) fn put_pieces(pieces: &mut ::sled::Batch, kind: u8, key: &str, encoded: &[u8], old_pieces: usize) {
    let mut count = 0;
    for (number, piece) in encoded.chunks(PIECE_BYTES).enumerate() {
        pieces.insert(piece_key(kind, key, number), piece);
        count = number + 1;
    }
    for number in count..old_pieces {
        pieces.remove(piece_key(kind, key, number));
    }
}

pub(super) fn piece_count(payload_bytes: usize) -> usize {
    (HEADER_BYTES + payload_bytes).div_ceil(PIECE_BYTES)
}

/// Kind, key's length, key: the length keeps `disk/1` from being the beginning of `disk/10`.
fn piece_prefix(kind: u8, key: &str) -> Vec<u8> {
    let length = u16::try_from(key.len()).expect("check_limits has seen it");
    [&[kind][..], &length.to_be_bytes(), key.as_bytes()].concat()
}

pub(super) fn piece_key(kind: u8, key: &str, number: usize) -> Vec<u8> {
    let mut bytes = piece_prefix(kind, key);
    bytes.extend_from_slice(&piece_number(number));
    bytes
}

/// Big-endian, so that pieces lie in order.
fn piece_number(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a record of 16 MiB has 2,731 pieces").to_be_bytes()
}

/// Runs sled code; a panic in it is damage like any other.
fn guarded<T>(act: &'static str, path: &Path, run: impl FnOnce() -> ::sled::Result<T>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(::sled::Error::Io(source))) => Err(from_io(act, path, source)),
        Ok(Err(error)) => Err(Trouble::Damaged(format!("could not {act} it: {error}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Trouble::Damaged(format!("could not {act} it: sled panicked: {}", text.unwrap_or("without a word"))))
        }
    }
}

/// An error that the kernel gave is the machine's, one that sled made up (file too short, no sense in it) is damage.
pub(super) fn from_io(act: &'static str, path: &Path, source: io::Error) -> Trouble {
    let path = path.to_path_buf();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Trouble::Other(StoreError::Full { act, path, source })
        }
        _ if source.to_string().contains("could not acquire lock") => {
            Trouble::Other(StoreError::Locked { path, holder: "another process (sled's own lock)".to_owned() })
        }
        io::ErrorKind::NotFound => Trouble::Damaged(format!("could not {act} it: a file is missing: {source}")),
        _ if source.raw_os_error().is_some() => Trouble::Other(StoreError::Io { act, path, source }),
        _ => Trouble::Damaged(format!("could not {act} it: {source}")),
    }
}

/// Drops sled's handle, which flushes and may panic. What it says then no longer matters: all that counts was synced by a checkpoint.
pub(super) fn close(db: Option<::sled::Db>) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
}

/// Bytes of all files in a folder.
pub(super) fn size_of(path: &Path) -> io::Result<u64> {
    size_to_depth(path, MAX_DEPTH)
}

fn size_to_depth(path: &Path, depth: usize) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(meta) if meta.is_dir() && depth > 0 => total += size_to_depth(&entry.path(), depth - 1)?,
            Ok(meta) => total += meta.len(),
            // sled deletes old snapshots while we look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
