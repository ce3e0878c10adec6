//! The store port: derived state (baselines, forecasts, cursors) that can be rebuilt from Prometheus, kept so that a restart need not.
//!
//! Everything is opaque bytes under a [`Kind`] and a key; who writes a block encodes it. One call, [`Store::checkpoint`], changes anything,
//! and it is all or nothing and on the disk when it returns: blocks and the cursors that say how far they have read can never disagree.
//! Calls block (they read and write files): call them from a thread that may.

pub mod aside;
pub mod lock;
mod mark;
pub mod memory;
pub mod record;
pub mod sled;
mod sled_files;

#[cfg(test)]
mod conformance;

use std::io;
use std::path::PathBuf;

pub use self::aside::SetAside;
pub use self::lock::DataDirLock;
pub use self::memory::MemoryStore;
pub use self::sled::{Opened, SledStore};

/// Longest key in bytes. 256 of them have to fit an index page of the tree beneath, and no name people give to a watch is longer.
pub const MAX_KEY_BYTES: usize = 256;

/// Largest record in bytes: four blocks of 1,024 series at 4 KB each. More in one record means that a caller forgot to cut blocks.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// Most records at once. At 1,024 series a block this is 67 million series; what goes past it is a leak of keys, not growth.
pub const MAX_RECORDS: usize = 1 << 16;

/// What a record is, so that each reader asks for its own only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Baselines, forecasts and calibration of a block of series.
    Blocks = 1,
    /// How far a watch has been read.
    Cursors = 2,
    /// What the engine knows about itself.
    Meta = 3,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Blocks, Self::Cursors, Self::Meta];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Cursors => "cursors",
            Self::Meta => "meta",
        }
    }
}

/// One change of a checkpoint. Of several changes to one key in a batch the last counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put {
        kind: Kind,
        key: String,
        bytes: Vec<u8>,
    },
    /// Deleting what is not there is fine.
    Delete {
        kind: Kind,
        key: String,
    },
}

impl Change {
    pub fn put(kind: Kind, key: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self::Put { kind, key: key.into(), bytes }
    }

    pub fn delete(kind: Kind, key: impl Into<String>) -> Self {
        Self::Delete { kind, key: key.into() }
    }
}

/// One record as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub key: String,
    pub bytes: Vec<u8>,
}

/// What a read found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Every intact record, by key.
    pub records: Vec<Record>,
    /// What should have been there and is not, or is not what was written. Empty unless the disk went bad since the store was opened:
    /// opening verifies every record and sets a damaged store aside as a whole.
    pub damage: Vec<Damage>,
}

/// One record that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub kind: Kind,
    pub key: String,
    /// For people.
    pub what: String,
}

/// What a checkpoint did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointStats {
    /// Number of this checkpoint since the store was made; one more each time.
    pub generation: u64,
    pub puts: usize,
    pub deletes: usize,
    /// Bytes put, as the caller gave them.
    pub payload_bytes: u64,
}

/// Why the store can't do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("data directory {} is in use by {holder} (stop it, or give this one its own data_dir)", path.display())]
    Locked { path: PathBuf, holder: String },
    #[error(
        "store {} is of format {found}, this build reads up to {known} \
         (run the newer build, or move the folder away: what it holds is read again from Prometheus)",
        path.display()
    )]
    Newer { path: PathBuf, found: u16, known: u16 },
    #[error("could not {act} {}: {source} (free some space; the next checkpoint tries again)", path.display())]
    Full { act: &'static str, path: PathBuf, source: io::Error },
    #[error("could not {act} {}: {source}", path.display())]
    Io { act: &'static str, path: PathBuf, source: io::Error },
    #[error("could not {act} store {}: {what} (a restart verifies it and sets it aside if it is damaged)", path.display())]
    Failed { act: &'static str, path: PathBuf, what: String },
    #[error("key of {bytes} bytes, {limit} is the limit: {key:.40}...")]
    KeyTooLong { key: String, bytes: usize, limit: usize },
    #[error("record {} {key:?} has {bytes} bytes, {limit} is the limit", kind.as_str())]
    RecordTooLarge { kind: Kind, key: String, bytes: usize, limit: usize },
    #[error("checkpoint would leave {records} records, {limit} is the limit")]
    TooManyRecords { records: usize, limit: usize },
}

/// Where derived state is kept.
pub trait Store: Send + Sync {
    /// Every record of a kind, sorted by key.
    fn load(&self, kind: Kind) -> Result<Loaded, StoreError>;

    /// Applies all changes or none; when it returns they survive a crash and a power cut. After an error they may or may not be there, but
    /// never some of them: the caller keeps them and tries again later.
    fn checkpoint(&self, batch: Vec<Change>) -> Result<CheckpointStats, StoreError>;

    /// Bytes taken on the disk (in memory, for one that has none).
    fn size_on_disk_bytes(&self) -> Result<u64, StoreError>;
}

/// The limits every store keeps to, checked before anything changes.
pub(crate) fn check_limits(batch: &[Change]) -> Result<(), StoreError> {
    for change in batch {
        let (Change::Put { key, .. } | Change::Delete { key, .. }) = change;
        if key.len() > MAX_KEY_BYTES {
            return Err(StoreError::KeyTooLong { key: key.clone(), bytes: key.len(), limit: MAX_KEY_BYTES });
        }
        if let Change::Put { kind, key, bytes } = change
            && bytes.len() > MAX_RECORD_BYTES
        {
            return Err(StoreError::RecordTooLarge { kind: *kind, key: key.clone(), bytes: bytes.len(), limit: MAX_RECORD_BYTES });
        }
    }
    Ok(())
}
