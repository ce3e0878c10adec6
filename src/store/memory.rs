//! The store that forgets: for backtests and for tests. Same answers as the one on disk, limits included.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Change, CheckpointStats, Kind, Loaded, MAX_RECORDS, Record, Store, StoreError, check_limits};

#[derive(Debug, Default)]
struct State {
    generation: u64,
    records: BTreeMap<(Kind, String), Vec<u8>>,
}

/// Keeps everything in one map behind a lock.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn load(&self, kind: Kind) -> Result<Loaded, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = state.records.iter().filter(|((k, _), _)| *k == kind);
        let records = of_kind.map(|((_, key), bytes)| Record { key: key.clone(), bytes: bytes.clone() }).collect();
        Ok(Loaded { records, damage: Vec::new() })
    }

    fn checkpoint(&self, batch: Vec<Change>) -> Result<CheckpointStats, StoreError> {
        check_limits(&batch)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = BTreeMap::new();
        for change in batch {
            match change {
                Change::Put { kind, key, bytes } => changes.insert((kind, key), Some(bytes)),
                Change::Delete { kind, key } => changes.insert((kind, key), None),
            };
        }
        let gone = changes.iter().filter(|(k, v)| v.is_none() && state.records.contains_key(*k)).count();
        let new = changes.iter().filter(|(k, v)| v.is_some() && !state.records.contains_key(*k)).count();
        let records = state.records.len() + new - gone;
        if records > MAX_RECORDS {
            return Err(StoreError::TooManyRecords { records, limit: MAX_RECORDS });
        }
        let mut stats = CheckpointStats { generation: state.generation + 1, puts: 0, deletes: gone, payload_bytes: 0 };
        for (key, value) in changes {
            match value {
                Some(bytes) => {
                    stats.puts += 1;
                    stats.payload_bytes += bytes.len() as u64;
                    state.records.insert(key, bytes);
                }
                None => drop(state.records.remove(&key)),
            }
        }
        state.generation = stats.generation;
        Ok(stats)
    }

    fn size_on_disk_bytes(&self) -> Result<u64, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.records.iter().map(|((_, key), bytes)| (key.len() + bytes.len()) as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    #[test]
    fn keeps_what_a_store_promises() {
        conformance::holds_for(&MemoryStore::new());
    }
}
