//! Derived state onto the disk every few minutes, and back at a start.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::state::Shared;
use crate::core::engine::{Checkpoint, Engine};
use crate::core::time::Timestamp;
use crate::store::{Change, Kind, Store, StoreError};

/// Names of the watches that the last checkpoint holds anything of.
///
/// # Errors
/// When the store can't be read at all.
pub fn watches(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let names = store.load(Kind::Blocks)?.records.into_iter().filter_map(|r| r.key.rsplit_once('/').map(|(watch, _)| watch.to_owned()));
    Ok(names.collect())
}

/// Takes back what the last checkpoint holds. What can't be used is said loudly, deleted, and read again from the source.
///
/// # Errors
/// When the store can't be read or written at all.
pub fn restore(engine: &mut Engine, store: &dyn Store) -> Result<(), StoreError> {
    let loaded = store.load(Kind::Blocks)?;
    for damage in &loaded.damage {
        tracing::error!(key = damage.key, what = damage.what, "a stored baseline is damaged; it is read again from the source");
    }
    let checkpoints: Vec<Checkpoint> = loaded.records.into_iter().map(|r| Checkpoint { key: r.key, bytes: r.bytes }).collect();
    let keys: Vec<String> = checkpoints.iter().map(|c| c.key.clone()).collect();
    for error in engine.restore(checkpoints) {
        tracing::warn!(%error, "a stored baseline is not used; it is read again from the source");
    }
    let alive = |key: &String| {
        key.rsplit_once('/').and_then(|(watch, _)| engine.watch_index(watch)).is_some_and(|watch| engine.series_count(watch) > 0)
    };
    let gone: Vec<Change> = keys.iter().filter(|key| !alive(key)).map(|key| Change::delete(Kind::Blocks, key)).collect();
    if !gone.is_empty() {
        store.checkpoint(gone)?;
    }
    Ok(())
}

/// Writes the shards that changed, one after the other.
pub async fn write(shared: &Arc<Shared>, now: Timestamp) {
    let began = Instant::now();
    let mut bytes = 0;
    // As many as there are, and no more: a slow source that is still being read changes shards as fast as they are written.
    let most = shared.engine().shard_count();
    for _ in 0..most {
        match write_next(shared).await {
            Ok(Some(written)) => bytes += written,
            Ok(None) => break,
            Err(error) => {
                tracing::error!(%error, "could not write a checkpoint; the next one tries again, predictions are not affected");
                shared.metrics.checkpoint_failures.inc();
                shared.engine().mark_dirty();
                shared.health().store_error = Some(error.to_string());
                return;
            }
        }
    }
    if bytes > 0 {
        let metrics = &shared.metrics;
        metrics.checkpoint_duration_s.observe(began.elapsed().as_secs_f64());
        metrics.checkpoint_bytes.inc_by(bytes);
        metrics.checkpoint_last_success_s.set(now.as_secs_f64());
        tracing::debug!(bytes, took_ms = began.elapsed().as_millis(), "checkpoint");
        let sizes = (shared.store.size_on_disk_bytes().ok(), file_bytes(shared.ledger.path()));
        let mut health = shared.health();
        (health.last_checkpoint, health.store_error, health.storage) = (Some(now), None, sizes);
    }
}

/// Writes one shard that changed; says of how many bytes.
async fn write_next(shared: &Arc<Shared>) -> Result<Option<u64>, StoreError> {
    // Nothing half decided: a decision that is in the checkpoint and not in the ledger would be lost with a crash.
    let decided = shared.deciding.clone().write_owned().await;
    // What the ledger has not taken yet must be decided again after a crash: then the cursor has to stay where it is.
    if !shared.unrecorded().is_empty() {
        return Ok(None);
    }
    let shared = shared.clone();
    let writing = move || {
        let next = shared.engine().checkpoint();
        drop(decided);
        let Some(Checkpoint { key, bytes }) = next else { return Ok(None) };
        let size = bytes.len() as u64;
        shared.store.checkpoint(vec![Change::put(Kind::Blocks, key, bytes)])?;
        Ok(Some(size))
    };
    tokio::task::spawn_blocking(writing).await.expect("writing does not panic: the store is guarded")
}

fn file_bytes(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|meta| meta.len())
}
