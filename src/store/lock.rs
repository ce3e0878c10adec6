//! One process a data directory: two daemons over one state would each undo what the other wrote.
//!
//! An advisory lock of the kernel's on a file of its own, not a file that exists: the kernel lets go of it however the process ends, so a
//! kill -9 leaves nothing behind that a person must delete.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::StoreError;

/// The lock's file inside the data directory. It stays there; only the lock on it counts.
pub const LOCK_FILE: &str = "portent.lock";

/// Most bytes read of what the holder wrote about itself: a process number.
const MAX_HOLDER_BYTES: u64 = 20;

/// Held while it lives.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Makes the directory if need be and locks it; [`StoreError::Locked`] if another process (or this one) has it.
    pub fn take(data_dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(data_dir).map_err(|source| StoreError::Io { act: "create", path: data_dir.into(), source })?;
        let path = data_dir.join(LOCK_FILE);
        let fail = |act| move |source| StoreError::Io { act, path: data_dir.join(LOCK_FILE), source };
        let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path).map_err(fail("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let read = file.take(MAX_HOLDER_BYTES).read_to_string(&mut pid).is_ok();
                let known = read && !pid.trim().is_empty();
                let holder = if known { format!("process {}", pid.trim()) } else { "another process".to_owned() };
                return Err(StoreError::Locked { path: data_dir.into(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(fail("lock")(source)),
        }
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(fail("write"))?;
        writeln!(file, "{}", std::process::id()).map_err(fail("write"))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("made/on/the/way");
        let first = DataDirLock::take(&data_dir).unwrap();
        let refused = DataDirLock::take(&data_dir).unwrap_err().to_string();
        assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
        assert!(refused.contains("data_dir"), "{refused}");
        drop(first);
        DataDirLock::take(&data_dir).unwrap();
    }
}
