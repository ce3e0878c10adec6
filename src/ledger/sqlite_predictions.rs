//! Predictions and their changes: recorded once, asked for often.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

use super::sqlite_outbox::put;
use super::{
    ChangeKind, Event, Filter, LastEvent, Ledger, LedgerError, MAX_CHANGES, MAX_LIVE, MAX_PAYLOAD_BYTES, MAX_ROWS, PredictionChange, json,
};
use crate::core::labels::SeriesId;
use crate::core::prediction::{Prediction, PredictionId};
use crate::core::time::Timestamp;

impl Ledger {
    /// Records all changes and their messages, or none of them; when it returns they survive a power cut. A change that was recorded before
    /// (same prediction, revision and kind) changes nothing and sends nothing. Says for each change whether it was new.
    pub async fn record(&self, changes: &[PredictionChange]) -> Result<Vec<bool>, LedgerError> {
        let texts = check(changes)?;
        let mut slot = self.slot().await?;
        let connection = slot.as_mut().expect("slot() has just filled it");
        match record_all(connection, changes, &texts).await {
            Ok(new) => Ok(new),
            Err(error) => {
                // On a full disk or a failed write SQLite ends the transaction by itself; sqlx goes on counting it and refuses the next one
                // on this connection for ever.
                *slot = None;
                Err(self.about("record in")(error))
            }
        }
    }

    /// What an engine must go on with after a restart, oldest first: predictions that are open or whose truth is not judged yet. Of more
    /// than [`MAX_LIVE`] the newest.
    pub async fn open_predictions(&self) -> Result<Vec<Prediction>, LedgerError> {
        let sql = "SELECT json FROM predictions WHERE state = 'open' OR truth IS NULL ORDER BY raised_at DESC, id LIMIT ?1";
        let query = sqlx::query_scalar::<_, String>(sql).bind(count(MAX_LIVE));
        let rows = query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read"))?;
        if rows.len() == MAX_LIVE {
            tracing::warn!(limit = MAX_LIVE, "ledger holds more live predictions than are continued: the oldest stay as they are");
        }
        rows.iter().rev().map(|text| self.prediction_from(text)).collect()
    }

    /// The latest prediction of each (watch, series, cause) that changed at or after `since`.
    pub async fn last_events_since(&self, since: Timestamp) -> Result<Vec<LastEvent>, LedgerError> {
        // Beside max(), SQLite takes the other columns from the row that has the maximum: https://www.sqlite.org/lang_select.html#bareagg
        let sql = "SELECT watch, series, cause, id, max(updated_at) FROM predictions WHERE updated_at >= ?1
                   GROUP BY watch, series, cause ORDER BY 5 DESC LIMIT ?2";
        let query = sqlx::query_as::<_, (String, String, String, String, i64)>(sql).bind(since.as_millis()).bind(count(MAX_LIVE));
        let rows = query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read"))?;
        rows.into_iter()
            .map(|(watch, series, cause, id, updated_at)| {
                let series = u64::from_str_radix(&series, 16).map_err(|e| self.damaged(format!("series of {id}: {e}")))?;
                let cause = from_word(&cause).map_err(|e| self.damaged(format!("cause of {id}: {e}")))?;
                let updated_at = Timestamp::from_millis(updated_at);
                Ok(LastEvent { watch, series: SeriesId(series), cause, id: PredictionId(id), updated_at })
            })
            .collect()
    }

    /// Predictions, the newest first.
    pub async fn predictions(&self, filter: &Filter) -> Result<Vec<Prediction>, LedgerError> {
        let sql = "SELECT json FROM predictions WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR watch = ?2)
                   AND (?3 IS NULL OR updated_at >= ?3) ORDER BY raised_at DESC, id LIMIT ?4";
        let query = sqlx::query_scalar::<_, String>(sql)
            .bind(filter.state.map(word))
            .bind(filter.watch.as_deref())
            .bind(filter.since.map(Timestamp::as_millis))
            .bind(count(filter.limit.unwrap_or(MAX_ROWS).min(MAX_ROWS)));
        let rows = query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read"))?;
        rows.iter().map(|text| self.prediction_from(text)).collect()
    }

    pub async fn prediction(&self, id: &PredictionId) -> Result<Option<Prediction>, LedgerError> {
        let query = sqlx::query_scalar::<_, String>("SELECT json FROM predictions WHERE id = ?1").bind(&id.0);
        let row = query.fetch_optional(&mut *self.connection().await?).await.map_err(self.about("read"))?;
        row.map(|text| self.prediction_from(&text)).transpose()
    }

    /// Every change of one prediction in the order they were recorded; empty if there is no such prediction.
    pub async fn events(&self, id: &PredictionId) -> Result<Vec<Event>, LedgerError> {
        let sql = "SELECT kind, at, json FROM prediction_events WHERE id = ?1 ORDER BY revision, rowid LIMIT ?2";
        let query = sqlx::query_as::<_, (String, i64, String)>(sql).bind(&id.0).bind(count(MAX_ROWS));
        let rows = query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read"))?;
        rows.into_iter()
            .map(|(kind, at, text)| {
                let known = ChangeKind::ALL.into_iter().find(|k| k.as_str() == kind);
                let kind = known.ok_or_else(|| self.damaged(format!("event of {id} is of unknown kind {kind:?}")))?;
                Ok(Event { kind, at: Timestamp::from_millis(at), prediction: self.prediction_from(&text)? })
            })
            .collect()
    }

    fn prediction_from(&self, text: &str) -> Result<Prediction, LedgerError> {
        json::decode(text).map_err(|error| self.damaged(format!("a prediction can't be read: {error}: {text:.80}")))
    }
}

/// The JSON of every change, once all of them are known to fit.
fn check(changes: &[PredictionChange]) -> Result<Vec<String>, LedgerError> {
    if changes.len() > MAX_CHANGES {
        return Err(LedgerError::TooMany { what: "changes at once", found: changes.len(), limit: MAX_CHANGES });
    }
    let largest = changes.iter().flat_map(|change| &change.outbox).map(|item| item.payload.len()).max().unwrap_or(0);
    if largest > MAX_PAYLOAD_BYTES {
        return Err(LedgerError::TooMany { what: "bytes in a message", found: largest, limit: MAX_PAYLOAD_BYTES });
    }
    let unstorable = |p: &Prediction, error: serde_json::Error| LedgerError::Unstorable { id: p.id.clone(), what: error.to_string() };
    changes.iter().map(|change| json::encode(&change.prediction).map_err(|error| unstorable(&change.prediction, error))).collect()
}

async fn record_all(connection: &mut SqliteConnection, changes: &[PredictionChange], texts: &[String]) -> Result<Vec<bool>, sqlx::Error> {
    // IMMEDIATE: takes the write lock at once, where the busy timeout works; a lock wanted half-way through fails without waiting.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut new = Vec::with_capacity(changes.len());
    for (change, text) in changes.iter().zip(texts) {
        new.push(record_one(&mut transaction, change, text).await?);
    }
    transaction.commit().await?;
    Ok(new)
}

async fn record_one(transaction: &mut SqliteConnection, change: &PredictionChange, text: &str) -> Result<bool, sqlx::Error> {
    let prediction = &change.prediction;
    // The row first, for the events' foreign key. A revision older than the one there adds to the history and changes no row.
    let row = "INSERT INTO predictions (id, watch, series, cause, state, raised_at, updated_at, due_at, truth, revision, json)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING";
    sqlx::query(row)
        .bind(&prediction.id.0)
        .bind(&prediction.watch)
        .bind(prediction.series().to_string())
        .bind(word(prediction.cause))
        .bind(word(prediction.state))
        .bind(prediction.raised_at.as_millis())
        .bind(prediction.updated_at.as_millis())
        .bind(prediction.due_at().as_millis())
        .bind(verdict(prediction))
        .bind(prediction.revision)
        .bind(text)
        .execute(&mut *transaction)
        .await?;
    let event = "INSERT OR IGNORE INTO prediction_events (id, revision, kind, at, json) VALUES (?1, ?2, ?3, ?4, ?5)";
    let inserted = sqlx::query(event)
        .bind(&prediction.id.0)
        .bind(prediction.revision)
        .bind(change.kind.as_str())
        .bind(change.at.as_millis())
        .bind(text)
        .execute(&mut *transaction)
        .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    let update = "UPDATE predictions SET state = ?2, updated_at = ?3, due_at = ?4, truth = ?5, revision = ?6, json = ?7
                  WHERE id = ?1 AND revision <= ?6";
    sqlx::query(update)
        .bind(&prediction.id.0)
        .bind(word(prediction.state))
        .bind(prediction.updated_at.as_millis())
        .bind(prediction.due_at().as_millis())
        .bind(verdict(prediction))
        .bind(prediction.revision)
        .bind(text)
        .execute(&mut *transaction)
        .await?;
    for item in &change.outbox {
        put(transaction, item, change.at).await?;
    }
    Ok(true)
}

/// The word that stands for a plain enum in JSON, so that columns and JSON say the same.
fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => unreachable!("plain enums are written as a word: {other:?}"),
    }
}

fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::String(word.to_owned()))
}

/// The tag of the truth, `None` while it is not judged.
fn verdict(prediction: &Prediction) -> Option<String> {
    let truth = serde_json::to_value(prediction.truth.as_ref()?).ok()?;
    truth.get("verdict")?.as_str().map(str::to_owned)
}

pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
