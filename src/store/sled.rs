//! The store on disk: sled 0.34.7, with what measurement says it needs around it.
//!
//! - It is opened, read and written behind `catch_unwind`: on damaged files it panics more often than it returns an error.
//! - Its own `flush` does not reach the disk on Linux (`sync_file_range`), so every checkpoint ends with an fsync of its file by us. The
//!   500 ms flusher stays on: without it memory grows without bound.
//! - Records are cut into pieces of [`PIECE_BYTES`], so that every page fits sled's log. What does not fit goes into a file of its own
//!   under `blobs/`, which sled never syncs and we could not sync in time: its flusher may write the pointer first.
//! - One tree, one batch, one manifest: see [`record`](super::record). Opening verifies every record. With anything amiss the whole store is
//!   set aside and an empty one made, not only the damaged record: pages that lost one record are no ground to write the next on, and blocks
//!   must never be older than the cursors that claim to have read them.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::aside::{SetAside, set_aside, sync_dir};
use super::mark;
use super::record::{self, Entry, FORMAT, HEADER_BYTES, MANIFEST_KIND, Manifest, RecordError};
use super::{Change, CheckpointStats, Damage, DataDirLock, Kind, Loaded, MAX_RECORDS, Record, Store, StoreError, check_limits};
use crate::core::time::Timestamp;

/// The store's folder inside the data directory.
pub const STORE_DIR: &str = "store";

/// sled's page cache. Blocks are read once, at the start; after that it only writes.
const CACHE_BYTES: u64 = 32 << 20;

/// sled's own flusher; see above. Its default, written down because it must not be `None`.
const FLUSH_EVERY_MS: u64 = 500;

/// Piece of a record. A leaf holds at most 16 keys and 3 more while it merges; 19 x (6 KiB + longest key) stay under the 128 KiB at which
/// sled leaves its log.
const PIECE_BYTES: usize = 6 << 10;

/// How long one wait for sled's file takes, and how many there are: 10 s in all, the longest release measured took under 1 s.
const RELEASE_WAIT: Duration = Duration::from_millis(20);
const MAX_RELEASE_WAITS: u32 = 500;

/// Deepest folder walked for the size on disk; sled makes one level.
const MAX_DEPTH: usize = 3;

/// A store that is ready, and the damaged one that stood in its place, if one did.
#[derive(Debug)]
pub struct Opened {
    pub store: SledStore,
    /// Log it loudly and read everything again from Prometheus.
    pub set_aside: Option<SetAside>,
}

/// Derived state in sled.
#[derive(Debug)]
pub struct SledStore {
    path: PathBuf,
    inner: Mutex<Inner>,
    _lock: DataDirLock,
}

#[derive(Debug)]
struct Inner {
    /// `None` after a failure: sled refuses everything from then on, so the next call opens it anew.
    db: Option<::sled::Db>,
    manifest: Manifest,
}

/// Why sled's files can't be used as they are.
#[derive(Debug)]
enum Trouble {
    /// The files are not what was written.
    Damaged(String),
    /// The files may be fine; something else is not.
    Other(StoreError),
}

impl SledStore {
    /// Opens or makes the store in `data_dir` and verifies every record. `now` names the folder of a damaged one.
    pub fn open(data_dir: &Path, now: Timestamp) -> Result<Opened, StoreError> {
        let lock = DataDirLock::take(data_dir)?;
        let path = data_dir.join(STORE_DIR);
        let mut aside = None;
        let (db, manifest) = match open_verified(&path) {
            Ok(opened) => opened,
            Err(Trouble::Other(error)) => return Err(error),
            Err(Trouble::Damaged(what)) => {
                aside = Some(set_aside(&path, now, what)?);
                open_verified(&path).map_err(|trouble| trouble.into_error("make", &path))?
            }
        };
        let inner = Mutex::new(Inner { db: Some(db), manifest });
        Ok(Opened { store: Self { path, inner, _lock: lock }, set_aside: aside })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state and its database, opened anew if the last call failed.
    fn inner(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.db.is_none() {
            let (db, manifest) = open_verified(&self.path).map_err(|trouble| trouble.into_error("open again", &self.path))?;
            *inner = Inner { db: Some(db), manifest };
        }
        Ok(inner)
    }
}

impl Store for SledStore {
    fn load(&self, kind: Kind) -> Result<Loaded, StoreError> {
        let inner = self.inner()?;
        let db = inner.db.as_ref().expect("inner() has just opened it");
        let mut loaded = Loaded::default();
        for ((_, key), entry) in inner.manifest.entries.iter().filter(|((k, _), _)| *k == kind) {
            match read_entry(db, &self.path, kind, key, *entry) {
                Ok(bytes) => loaded.records.push(Record { key: key.clone(), bytes }),
                Err(Trouble::Damaged(what)) => loaded.damage.push(Damage { kind, key: key.clone(), what }),
                Err(Trouble::Other(error)) => return Err(error),
            }
        }
        Ok(loaded)
    }

    fn checkpoint(&self, batch: Vec<Change>) -> Result<CheckpointStats, StoreError> {
        check_limits(&batch)?;
        let mut inner = self.inner()?;
        let mut manifest = inner.manifest.clone();
        manifest.generation += 1;
        let mut stats = CheckpointStats { generation: manifest.generation, puts: 0, deletes: 0, payload_bytes: 0 };
        let mut pieces = ::sled::Batch::default();
        // Last change first: of several to one key only the last is written.
        let mut seen = std::collections::HashSet::new();
        for change in batch.into_iter().rev() {
            let (kind, key, bytes) = match change {
                Change::Put { kind, key, bytes } => (kind, key, Some(bytes)),
                Change::Delete { kind, key } => (kind, key, None),
            };
            if !seen.insert((kind, key.clone())) {
                continue;
            }
            let old = inner.manifest.entries.get(&(kind, key.clone())).map_or(0, |entry| piece_count(entry.payload_bytes as usize));
            match bytes {
                Some(payload) => {
                    let (encoded, crc) = record::encode(kind as u8, &key, &payload);
                    put_pieces(&mut pieces, kind as u8, &key, &encoded, old);
                    stats.puts += 1;
                    stats.payload_bytes += payload.len() as u64;
                    let payload_bytes = u32::try_from(payload.len()).expect("check_limits has seen it");
                    manifest.entries.insert((kind, key), Entry { payload_bytes, crc });
                }
                None => {
                    put_pieces(&mut pieces, kind as u8, &key, &[], old);
                    stats.deletes += usize::from(manifest.entries.remove(&(kind, key)).is_some());
                }
            }
        }
        if manifest.entries.len() > MAX_RECORDS {
            return Err(StoreError::TooManyRecords { records: manifest.entries.len(), limit: MAX_RECORDS });
        }
        put_manifest(&mut pieces, &inner.manifest, &manifest);
        let db = inner.db.as_ref().expect("inner() has just opened it");
        match write(db, &self.path, pieces, stats.generation) {
            Ok(()) => {
                inner.manifest = manifest;
                Ok(stats)
            }
            Err(trouble) => {
                close(inner.db.take());
                Err(trouble.into_error("write", &self.path))
            }
        }
    }

    fn size_on_disk_bytes(&self) -> Result<u64, StoreError> {
        size_of(&self.path, MAX_DEPTH).map_err(|source| StoreError::Io { act: "measure", path: self.path.clone(), source })
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // sled flushes on drop, which can panic like the rest of it.
        close(self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).db.take());
    }
}

/// Opens sled, reads the manifest and every record in it. A folder that is not there yet becomes an empty store.
fn open_verified(path: &Path) -> Result<(::sled::Db, Manifest), Trouble> {
    let marked = acknowledged(path)?;
    let config = ::sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_EVERY_MS));
    let db = open_once_free(path, &config)?;
    let manifest = match verify(&db, path) {
        // A store that never acknowledged anything has nothing to lose: new, or killed while it was being made.
        Err(Trouble::Damaged(_)) if marked == 0 => create(&db, path),
        Ok(manifest) if manifest.generation < marked => {
            Err(Trouble::Damaged(format!("checkpoint {marked} was acknowledged, the files are those of {}", manifest.generation)))
        }
        other => other,
    };
    match manifest {
        Ok(manifest) => Ok((db, manifest)),
        Err(trouble) => {
            close(Some(db));
            Err(trouble)
        }
    }
}

/// Number of the last acknowledged checkpoint. A folder without any file of ours gets a mark, before sled makes its own.
fn acknowledged(path: &Path) -> Result<u64, Trouble> {
    let fail = |act| move |source| from_io(act, path, source);
    match mark::read(path).map_err(fail("read the mark of"))? {
        Some(found) => found.map_err(|error| judge(path, "the mark", &error)),
        None if path.join("db").exists() => Err(Trouble::Damaged("the mark is missing".to_owned())),
        None => {
            fs::create_dir_all(path).and_then(|()| mark::write(path, 0)).map_err(fail("create"))?;
            Ok(0)
        }
    }
}

fn create(db: &::sled::Db, path: &Path) -> Result<Manifest, Trouble> {
    let manifest = Manifest::default();
    let mut pieces = ::sled::Batch::default();
    put_manifest(&mut pieces, &manifest, &manifest);
    write(db, path, pieces, 0)?;
    sync_new(path)?;
    Ok(manifest)
}

/// sled lets go of its files some time after its handle was dropped. The data directory's lock is ours already, so a file that is still in
/// use is our own from just before.
fn open_once_free(path: &Path, config: &::sled::Config) -> Result<::sled::Db, Trouble> {
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

fn verify(db: &::sled::Db, path: &Path) -> Result<Manifest, Trouble> {
    let found = read_record(db, path, MANIFEST_KIND, "")?.and_then(|(bytes, _)| Manifest::from_bytes(&bytes));
    let manifest = found.map_err(|error| judge(path, "the manifest", &error))?;
    for ((kind, key), entry) in &manifest.entries {
        read_entry(db, path, *kind, key, *entry)?;
    }
    Ok(manifest)
}

/// The payload that the manifest speaks of, and no other.
fn read_entry(db: &::sled::Db, path: &Path, kind: Kind, key: &str, entry: Entry) -> Result<Vec<u8>, Trouble> {
    let found = read_record(db, path, kind as u8, key)?;
    let right = found.and_then(|(bytes, crc)| if crc == entry.crc { Ok(bytes) } else { Err(RecordError::Stale) });
    right.map_err(|error| judge(path, &format!("{} {key:?}", kind.as_str()), &error))
}

fn judge(path: &Path, what: &str, error: &RecordError) -> Trouble {
    match error {
        RecordError::Newer { found } => Trouble::Other(StoreError::Newer { path: path.into(), found: *found, known: FORMAT }),
        damage => Trouble::Damaged(format!("{what}: {damage}")),
    }
}

/// Puts a record's pieces together again. The outer error is sled's, the inner one the record's.
fn read_record(db: &::sled::Db, path: &Path, kind: u8, key: &str) -> Result<Result<(Vec<u8>, u32), RecordError>, Trouble> {
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
                bytes.reserve(expected.min(HEADER_BYTES + super::MAX_RECORD_BYTES));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Ok(bytes))
    };
    let bytes = guarded("read", path, read)?;
    Ok(bytes.and_then(|bytes| record::decode(kind, key, bytes)))
}

/// Applies the batch, waits until it is on the disk, and only then acknowledges it.
fn write(db: &::sled::Db, path: &Path, pieces: ::sled::Batch, generation: u64) -> Result<(), Trouble> {
    guarded("write", path, || db.apply_batch(pieces))?;
    guarded("flush", path, || db.flush())?;
    let file = path.join("db");
    fs::File::open(&file).and_then(|f| f.sync_all()).map_err(|source| from_io("sync", &file, source))?;
    mark::write(path, generation).map_err(|source| from_io("write the mark of", path, source))
}

/// A new store's names and settings: sled syncs its data file only.
fn sync_new(path: &Path) -> Result<(), Trouble> {
    let fail = |source| from_io("sync", path, source);
    for entry in fs::read_dir(path).map_err(fail)? {
        fs::File::open(entry.map_err(fail)?.path()).and_then(|f| f.sync_all()).map_err(fail)?;
    }
    sync_dir(path).and_then(|()| path.parent().map_or(Ok(()), sync_dir)).map_err(fail)
}

fn put_manifest(pieces: &mut ::sled::Batch, old: &Manifest, new: &Manifest) {
    let (encoded, _) = record::encode(MANIFEST_KIND, "", &new.to_bytes());
    put_pieces(pieces, MANIFEST_KIND, "", &encoded, piece_count(old.to_bytes().len()));
}

/// Puts `encoded` piece by piece and removes those of the `old_pieces` that it no longer has.
fn put_pieces(pieces: &mut ::sled::Batch, kind: u8, key: &str, encoded: &[u8], old_pieces: usize) {
    let mut count = 0;
    for (number, piece) in encoded.chunks(PIECE_BYTES).enumerate() {
        pieces.insert(piece_key(kind, key, number), piece);
        count = number + 1;
    }
    for number in count..old_pieces {
        pieces.remove(piece_key(kind, key, number));
    }
}

fn piece_count(payload_bytes: usize) -> usize {
    (HEADER_BYTES + payload_bytes).div_ceil(PIECE_BYTES)
}

/// Kind, key's length, key: the length keeps `disk/1` from being the beginning of `disk/10`.
fn piece_prefix(kind: u8, key: &str) -> Vec<u8> {
    let length = u16::try_from(key.len()).expect("check_limits has seen it");
    [&[kind][..], &length.to_be_bytes(), key.as_bytes()].concat()
}

fn piece_key(kind: u8, key: &str, number: usize) -> Vec<u8> {
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
fn from_io(act: &'static str, path: &Path, source: io::Error) -> Trouble {
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
fn close(db: Option<::sled::Db>) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
}

fn size_of(path: &Path, depth: usize) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(meta) if meta.is_dir() && depth > 0 => total += size_of(&entry.path(), depth - 1)?,
            Ok(meta) => total += meta.len(),
            // sled deletes old snapshots while we look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

impl Trouble {
    fn into_error(self, act: &'static str, path: &Path) -> StoreError {
        match self {
            Self::Damaged(what) => StoreError::Failed { act, path: path.into(), what },
            Self::Other(error) => error,
        }
    }
}

#[cfg(test)]
#[path = "sled_tests.rs"]
mod tests;
