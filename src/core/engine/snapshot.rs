//! Derived state as bytes and back, a shard at a time.
//!
//! A checkpoint says what it is of (query, step, window): a shard that was made under another question is not an answer to this one, and
//! is thrown away and rebuilt from the source.

use std::collections::BTreeMap;

use portent_models::baseline::{self, Block};
use portent_models::score;
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::episodes::Episodes;
use super::row::Row;
use super::scores::Scores;
use super::shard::Shard;
use super::{Engine, Watched};
use crate::core::anomaly::Anomaly;
use crate::core::time::Timestamp;
use crate::core::watch::{Threshold, Watch};

/// The fastest: counts, labels and flat stretches pack well, the noise in the means not at all.
const PACK_LEVEL: i32 = 1;
/// Unpacked, 1,024 baselines and scorers take 7 MB and their labels seldom as much again. What claims to be larger is not read to its end.
const MAX_SHARD_BYTES: u32 = 64 << 20;
/// Raised whenever the header or what follows it changes. Other layouts are not read but rebuilt from the source: scorers that began
/// anew beside old baselines would judge by a few hours where they could have a week.
const LAYOUT: u16 = 2;

/// One shard's state under its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// `watch/shard number`.
    pub key: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("cannot read checkpoint {key:?}: {cause}")]
    Header { key: String, cause: String },
    #[error("cannot read checkpoint {key:?}: {cause}")]
    Block { key: String, cause: baseline::DecodeError },
    #[error("cannot read checkpoint {key:?}: {cause}")]
    Scores { key: String, cause: score::DecodeError },
    #[error("checkpoint {key:?} is of layout {found}, this build reads {LAYOUT}")]
    Layout { key: String, found: u16 },
    #[error("checkpoint {key:?} names {named} series and has baselines for {rows}")]
    Rows { key: String, named: usize, rows: usize },
    #[error("checkpoint {key:?} was made by another question (watch gone, or its query, step or window changed)")]
    OtherQuestion { key: String },
}

/// What every layout's header begins with; the first had no number.
#[derive(Deserialize)]
struct Layout {
    #[serde(default)]
    layout: u16,
}

/// Before the bytes of the block and those of the scorers.
#[derive(Serialize, Deserialize)]
struct Header {
    layout: u16,
    watch: String,
    question: String,
    cursor: Option<Timestamp>,
    rows: Vec<Row>,
    /// Under way, with the row each is of.
    anomalies: BTreeMap<usize, Anomaly>,
    /// The watch's, in each of its shards: any of them may be the oldest.
    #[serde(default)]
    calibration: Calibration,
    block_bytes: usize,
}

pub(super) fn question(watch: &Watch) -> String {
    format!("{} | {} | {} | {}", watch.source, watch.query, watch.step, watch.baseline.window)
}

impl Engine {
    /// The next shard that changed since its last checkpoint. It counts as unchanged from here on; after a failed write, call
    /// [`Engine::mark_dirty`]. One at a time, each with its watch's cursor: all of them at once would take as much memory again as the
    /// engine itself. What a shard has read beyond the others' cursors it ignores when it comes again.
    pub fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.watched.iter_mut().find_map(|watched| {
            let number = watched.shards.iter().position(|shard| shard.dirty)?;
            watched.shards[number].dirty = false;
            Some(watched.encode(number))
        })
    }

    /// How many checkpoints hold everything.
    pub fn shard_count(&self) -> usize {
        self.watched.iter().map(|watched| watched.shards.len()).sum()
    }

    /// Everything is to be written again.
    pub fn mark_dirty(&mut self) {
        self.watched.iter_mut().flat_map(|w| &mut w.shards).for_each(|shard| shard.dirty = true);
    }

    /// Takes back all shards of a checkpoint. A watch of which any shard is missing or damaged starts cold as a whole; those errors are
    /// given back, to be told.
    pub fn restore(&mut self, mut checkpoints: Vec<Checkpoint>) -> Vec<RestoreError> {
        checkpoints.sort_by_key(|checkpoint| shard_number(&checkpoint.key));
        let mut errors = Vec::new();
        let mut spoiled = vec![false; self.watched.len()];
        for checkpoint in checkpoints {
            match self.decode(&checkpoint) {
                Ok((watch, shard, cursor, calibration)) => {
                    let watched = &mut self.watched[watch];
                    // The oldest: what it has not heard of is read again, at least where the shard is as old.
                    if watched.cursor.is_none_or(|known| cursor.is_some_and(|cursor| cursor < known)) {
                        watched.calibration = calibration;
                    }
                    if shard_number(&checkpoint.key) != watched.shards.len() {
                        spoiled[watch] = true;
                    }
                    watched.cursor = match (watched.cursor, cursor) {
                        // The oldest: what is read twice is ignored the second time, what is never read is lost.
                        (Some(a), Some(b)) => Some(a.min(b)),
                        (a, b) => a.or(b),
                    };
                    watched.adopt(shard);
                }
                Err(error) => {
                    if let Some(watch) = checkpoint.key.rsplit_once('/').and_then(|(name, _)| self.watch_index(name)) {
                        spoiled[watch] = true;
                    }
                    errors.push(error);
                }
            }
        }
        for (watched, _) in self.watched.iter_mut().zip(spoiled).filter(|(_, spoiled)| *spoiled) {
            *watched = Watched::new(watched.watch.clone());
        }
        errors
    }

    fn decode(&self, checkpoint: &Checkpoint) -> Result<(usize, Shard, Option<Timestamp>, Calibration), RestoreError> {
        let key = || checkpoint.key.clone();
        let header_error = |cause: String| RestoreError::Header { key: key(), cause };
        let bytes = unpack(&checkpoint.bytes).map_err(header_error)?;
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| header_error("it is cut short".into()))?;
        let length = u32::from_le_bytes(*length) as usize;
        if rest.len() < length {
            return Err(header_error("it is cut short".into()));
        }
        let (header, rest) = rest.split_at(length);
        let json_error = |error: serde_json::Error| header_error(error.to_string());
        let Layout { layout: found } = serde_json::from_slice(header).map_err(json_error)?;
        if found != LAYOUT {
            return Err(RestoreError::Layout { key: key(), found });
        }
        let header: Header = serde_json::from_slice(header).map_err(json_error)?;
        let watch = self.watch_index(&header.watch).filter(|&w| question(&self.watched[w].watch) == header.question);
        let watch = watch.ok_or_else(|| RestoreError::OtherQuestion { key: key() })?;
        let (block, scores) = rest.split_at_checked(header.block_bytes).ok_or_else(|| header_error("it is cut short".into()))?;
        let block = Block::decode(block).map_err(|cause| RestoreError::Block { key: key(), cause })?;
        let Header { rows, mut anomalies, cursor, calibration, .. } = header;
        if block.rows() != rows.len() {
            return Err(RestoreError::Rows { key: key(), named: rows.len(), rows: block.rows() });
        }
        anomalies.retain(|row, _| *row < rows.len());
        let settings = self.watched[watch].watch.baseline.score;
        let scores = Scores::decode(scores, rows.len(), block.geometry().step_ms, settings);
        let scores = scores.map_err(|cause| RestoreError::Scores { key: key(), cause })?;
        Ok((watch, Shard::with(block, scores, rows, Episodes::new(anomalies)), cursor, calibration))
    }
}

/// The length, then the packed bytes.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("1,024 baselines and their labels are shorter than 4 GiB");
    let packed = zstd::bulk::compress(bytes, PACK_LEVEL).expect("packing into memory fails for want of memory only");
    [length.to_le_bytes().as_slice(), &packed].concat()
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let (length, rest) = packed.split_first_chunk::<4>().ok_or("it is cut short")?;
    let length = u32::from_le_bytes(*length);
    if length > MAX_SHARD_BYTES {
        return Err(format!("it claims {length} bytes, {MAX_SHARD_BYTES} is the limit"));
    }
    zstd::bulk::decompress(rest, length as usize).map_err(|error| error.to_string())
}

fn shard_number(key: &str) -> usize {
    key.rsplit_once('/').and_then(|(_, number)| number.parse().ok()).unwrap_or(usize::MAX)
}

impl Watched {
    fn encode(&self, number: usize) -> Checkpoint {
        let shard = &self.shards[number];
        let block = shard.block.encode();
        let header = Header {
            layout: LAYOUT,
            watch: self.watch.name.to_string(),
            question: question(&self.watch),
            cursor: self.cursor,
            rows: shard.rows().to_vec(),
            anomalies: shard.episodes.open().clone(),
            calibration: self.calibration.clone(),
            block_bytes: block.len(),
        };
        let header = serde_json::to_vec(&header).expect("labels and numbers are always JSON");
        let length = u32::try_from(header.len()).expect("1,024 label sets are shorter than 4 GiB");
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&block);
        shard.scores.encode(&mut bytes);
        Checkpoint { key: format!("{}/{number}", self.watch.name), bytes: pack(&bytes) }
    }

    fn adopt(&mut self, mut shard: Shard) {
        let number = self.shards.len();
        let fixed = self.watch.limit.as_ref().and_then(|limit| match limit.threshold {
            Threshold::Value(value) => Some(value),
            Threshold::Query(_) => None,
        });
        let ids: Vec<_> = shard.rows().iter().map(|row| row.labels.id()).collect();
        for (row, id) in ids.into_iter().enumerate() {
            self.rows.insert(id, (number, row));
            if let Some(value) = fixed {
                shard.restore_threshold(row, value);
            }
        }
        shard.dirty = false;
        self.shards.push(shard);
    }
}
