//! The ledger: what can't be rebuilt from samples. Predictions with every change and their later truth, the webhooks that still have to go
//! out, and the audit: what was decided about remedies, and done.
//!
//! SQLite in WAL mode with `synchronous = FULL`, not the store's sled: after a simulated power cut sled lost acknowledged records in 27 of
//! 60 trials. A change and the webhooks it causes are one transaction, so that there is never one without the other; both are known by
//! their ids, so that an engine which comes by the same samples twice says nothing twice.

pub mod chain;
mod json;
pub mod sqlite;
mod sqlite_audit;
mod sqlite_outbox;
mod sqlite_predictions;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use self::sqlite::Ledger;
pub use self::sqlite_audit::Tell;
use crate::core::labels::SeriesId;
use crate::core::prediction::{Cause, Prediction, PredictionId, State};
use crate::core::time::Timestamp;

/// Most changes in one transaction. A tick with more raises predictions for nearly everything it watches: something else is wrong.
pub const MAX_CHANGES: usize = 10_000;

/// Largest payload of one webhook in bytes. Receivers commonly refuse more than 1 MiB.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// Most rows any question answers with, whatever limit it names: about 20 MB of predictions.
pub const MAX_ROWS: usize = 10_000;

/// Most live predictions read back at a start. At 2 KB each they take 100 MB.
pub const MAX_LIVE: usize = 50_000;

/// Longest error text kept for a failed delivery, in characters: enough for a line of the receiver's answer.
pub const MAX_ERROR_CHARS: usize = 500;

/// What happened to a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    Raised,
    Updated,
    /// It ended: came true, went away, or expired; the prediction's state says which.
    Resolved,
    /// Its truth became known.
    Scored,
}

impl ChangeKind {
    pub const ALL: [Self; 4] = [Self::Raised, Self::Updated, Self::Resolved, Self::Scored];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Updated => "updated",
            Self::Resolved => "resolved",
            Self::Scored => "scored",
        }
    }
}

/// A prediction as it is from now on, and what has to be told to whom because of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionChange {
    pub prediction: Prediction,
    pub kind: ChangeKind,
    pub at: Timestamp,
    pub outbox: Vec<OutboxItem>,
}

/// One message to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxItem {
    /// The same over all retries; with `target` it names the message for ever.
    pub event_id: String,
    pub target: String,
    pub content_type: String,
    pub payload: Vec<u8>,
}

/// One change as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub kind: ChangeKind,
    pub at: Timestamp,
    /// The whole prediction as it was then.
    pub prediction: Prediction,
}

/// The latest prediction for one cause: what an engine needs to know so as not to raise it again after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEvent {
    pub watch: String,
    pub series: SeriesId,
    pub cause: Cause,
    pub id: PredictionId,
    pub updated_at: Timestamp,
}

/// Which predictions; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub state: Option<State>,
    pub watch: Option<String>,
    /// Changed at or after this time.
    pub since: Option<Timestamp>,
    /// At most so many; [`MAX_ROWS`] if `None` or more than that.
    pub limit: Option<usize>,
}

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub event_id: String,
    pub target: String,
    pub created_at: Timestamp,
    /// Tries that failed so far.
    pub attempts: u32,
    pub content_type: String,
    pub payload: Vec<u8>,
}

/// How a target's messages stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    pub pending: u64,
    /// Given up.
    pub dead: u64,
    /// When the oldest pending one was made.
    pub oldest_pending: Option<Timestamp>,
}

/// Counts by target.
pub type PendingCounts = BTreeMap<String, OutboxCounts>;

/// Why the ledger can't do it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("ledger {} is damaged: {what} (it was not touched: restore a copy, or move it away to begin an empty one)", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("{} is an SQLite database, but no ledger of Portent's (give it another data_dir)", path.display())]
    Foreign { path: PathBuf },
    #[error("ledger {} has schema {found}, this build knows up to {known} (run the newer build)", path.display())]
    Newer { path: PathBuf, found: i64, known: usize },
    #[error("could not {act} ledger {}: another process kept it locked for {waited_s} s (is a second Portent or an sqlite3 shell at work on it?)", path.display())]
    Busy { act: &'static str, path: PathBuf, waited_s: u64 },
    #[error("could not {act} ledger {}: no space left (free some; nothing of this was recorded)", path.display())]
    Full { act: &'static str, path: PathBuf },
    #[error("could not {act} ledger {}: {source}", path.display())]
    Sqlite { act: &'static str, path: PathBuf, source: Box<sqlx::Error> },
    #[error("could not {act} ledger {}: {source}", path.display())]
    Io { act: &'static str, path: PathBuf, source: std::io::Error },
    #[error("prediction {id} can't be stored: {what}")]
    Unstorable { id: PredictionId, what: String },
    #[error("a record can't be stored: {what}")]
    UnstorableRecord { what: String },
    #[error("{found} {what}, {limit} is the limit")]
    TooMany { what: &'static str, found: usize, limit: usize },
    #[error("no message {event_id} to {target} in the outbox")]
    NoSuchMessage { event_id: String, target: String },
}
