//! The store on disk: sled 0.34.7, with what measurement says it needs around it.
//!
//! - It is opened, read and written behind `catch_unwind`: on damaged files it panics more often than it returns an error.
//! - Its own `flush` does not reach the disk on Linux (`sync_file_range`), so every checkpoint ends with an fsync of its file by us. The
//!   500 ms flusher stays on: without it memory grows without bound.
//! - Records are cut into pieces of 6 KiB, so that every page fits sled's log. What does not fit goes into a file of its own
//!   under `blobs/`, which sled never syncs and we could not sync in time: its flusher may write the pointer first.
//! - One tree, one batch, one manifest: see [`record`](super::record). Opening verifies every record. With anything amiss the whole store is
//!   set aside and an empty one made, not only the damaged record: pages that lost one record are no ground to write the next on, and blocks
//!   must never be older than the cursors that claim to have read them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::aside::{SetAside, set_aside};
use super::record::{self, Entry, MANIFEST_KIND, Manifest, RecordError};
use super::sled_files::{Trouble, close, from_io, judge, open_once_free, piece_count, put_pieces, read_record, size_of, sync_new, write};
use super::{Change, CheckpointStats, Damage, DataDirLock, Kind, Loaded, MAX_RECORDS, Record, Store, StoreError, check_limits, mark};
use crate::core::time::Timestamp;

/// The store's folder inside the data directory.
pub const STORE_DIR: &str = "store";

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
        let mut seen = HashSet::new();
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
        size_of(&self.path).map_err(|source| StoreError::Io { act: "measure", path: self.path.clone(), source })
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
    let db = open_once_free(path)?;
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

fn put_manifest(pieces: &mut ::sled::Batch, old: &Manifest, new: &Manifest) {
    let (encoded, _) = record::encode(MANIFEST_KIND, "", &new.to_bytes());
    put_pieces(pieces, MANIFEST_KIND, "", &encoded, piece_count(old.to_bytes().len()));
}

#[cfg(test)]
#[path = "sled_tests.rs"]
mod tests;
