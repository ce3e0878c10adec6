//! Messages that have to go out: at least once, with the same id on every try.

use sqlx::{Connection, SqliteConnection};

use super::sqlite_predictions::count;
use super::{Delivery, Ledger, LedgerError, MAX_ERROR_CHARS, MAX_ROWS, OutboxCounts, OutboxItem, PendingCounts};
use crate::core::time::Timestamp;

impl Ledger {
    /// Messages that hang on nothing else in the ledger. One that was put before, by its id, is not put again.
    pub async fn put(&self, items: &[OutboxItem], at: Timestamp) -> Result<(), LedgerError> {
        let mut slot = self.slot().await?;
        let connection = slot.as_mut().expect("slot() has just filled it");
        let done = put_all(connection, items, at).await;
        if done.is_err() {
            // As in `record`: sqlx goes on counting a transaction that SQLite has ended.
            *slot = None;
        }
        done.map_err(self.about("write the outbox of"))
    }

    /// Messages to `target` whose time has come, in the order they were made.
    pub async fn due(&self, now: Timestamp, target: &str, limit: usize) -> Result<Vec<Delivery>, LedgerError> {
        let sql = "SELECT event_id, created_at, attempts, content_type, payload FROM outbox
                   WHERE state = 'pending' AND target = ?1 AND next_attempt_at <= ?2 ORDER BY created_at, rowid LIMIT ?3";
        let query = sqlx::query_as::<_, (String, i64, u32, String, Vec<u8>)>(sql);
        let query = query.bind(target).bind(now.as_millis()).bind(count(limit.min(MAX_ROWS)));
        let rows = query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read the outbox of"))?;
        let delivery = |(event_id, created_at, attempts, content_type, payload)| Delivery {
            event_id,
            target: target.to_owned(),
            created_at: Timestamp::from_millis(created_at),
            attempts,
            content_type,
            payload,
        };
        Ok(rows.into_iter().map(delivery).collect())
    }

    /// When the next message to `target` is due; `None` if none is pending.
    pub async fn next_due(&self, target: &str) -> Result<Option<Timestamp>, LedgerError> {
        let sql = "SELECT min(next_attempt_at) FROM outbox WHERE state = 'pending' AND target = ?1";
        let query = sqlx::query_scalar::<_, Option<i64>>(sql).bind(target);
        let next = query.fetch_one(&mut *self.connection().await?).await.map_err(self.about("read the outbox of"))?;
        Ok(next.map(Timestamp::from_millis))
    }

    /// The target has it. Saying so twice is fine.
    pub async fn mark_delivered(&self, event_id: &str, target: &str, at: Timestamp) -> Result<(), LedgerError> {
        let sql = "UPDATE outbox SET state = 'delivered', delivered_at = coalesce(delivered_at, ?3) WHERE event_id = ?1 AND target = ?2";
        self.mark(event_id, target, sqlx::query(sql).bind(event_id).bind(target).bind(at.as_millis())).await
    }

    /// A try failed; the next one is due at `next_attempt_at`. What was delivered or given up meanwhile stays so.
    pub async fn mark_failed(&self, event_id: &str, target: &str, error: &str, next_attempt_at: Timestamp) -> Result<(), LedgerError> {
        let sql = "UPDATE outbox SET attempts = attempts + 1, last_error = ?3,
                   next_attempt_at = iif(state = 'pending', ?4, next_attempt_at) WHERE event_id = ?1 AND target = ?2";
        self.mark(event_id, target, sqlx::query(sql).bind(event_id).bind(target).bind(cut(error)).bind(next_attempt_at.as_millis())).await
    }

    /// The last try failed: given up. It stays in the outbox as evidence.
    pub async fn mark_dead(&self, event_id: &str, target: &str, error: &str) -> Result<(), LedgerError> {
        let sql = "UPDATE outbox SET attempts = attempts + 1, last_error = ?3,
                   state = iif(state = 'pending', 'dead', state) WHERE event_id = ?1 AND target = ?2";
        self.mark(event_id, target, sqlx::query(sql).bind(event_id).bind(target).bind(cut(error))).await
    }

    /// How every target's messages stand. Targets with neither pending nor dead ones are left out.
    pub async fn pending_counts(&self) -> Result<PendingCounts, LedgerError> {
        let sql = "SELECT target, sum(state = 'pending'), sum(state = 'dead'), min(iif(state = 'pending', created_at, NULL)) FROM outbox
                   WHERE state IN ('pending', 'dead') GROUP BY target LIMIT ?1";
        let query = sqlx::query_as::<_, (String, i64, i64, Option<i64>)>(sql).bind(count(MAX_ROWS));
        let rows = query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read the outbox of"))?;
        let counts = |(target, pending, dead, oldest): (String, i64, i64, Option<i64>)| {
            let oldest_pending = oldest.map(Timestamp::from_millis);
            (target, OutboxCounts { pending: pending.unsigned_abs(), dead: dead.unsigned_abs(), oldest_pending })
        };
        Ok(rows.into_iter().map(counts).collect())
    }

    /// Forgets up to `limit` messages that were delivered, or made and given up, before `before`; says how many. What was recorded once
    /// stays known by the prediction's event, so a forgotten message is not sent again.
    pub async fn prune_settled(&self, before: Timestamp, limit: usize) -> Result<u64, LedgerError> {
        let sql = "DELETE FROM outbox WHERE rowid IN
                   (SELECT rowid FROM outbox
                    WHERE (state = 'delivered' AND delivered_at < ?1) OR (state = 'dead' AND created_at < ?1) LIMIT ?2)";
        let query = sqlx::query(sql).bind(before.as_millis()).bind(count(limit));
        let done = query.execute(&mut *self.connection().await?).await.map_err(self.about("prune"))?;
        Ok(done.rows_affected())
    }

    async fn mark(
        &self,
        event_id: &str,
        target: &str,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<(), LedgerError> {
        let done = query.execute(&mut *self.connection().await?).await.map_err(self.about("update the outbox of"))?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::NoSuchMessage { event_id: event_id.to_owned(), target: target.to_owned() });
        }
        Ok(())
    }
}

async fn put_all(connection: &mut SqliteConnection, items: &[OutboxItem], at: Timestamp) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for item in items {
        put(&mut transaction, item, at).await?;
    }
    transaction.commit().await
}

pub(super) async fn put(connection: &mut SqliteConnection, item: &OutboxItem, at: Timestamp) -> Result<(), sqlx::Error> {
    let message = "INSERT OR IGNORE INTO outbox (event_id, target, created_at, next_attempt_at, content_type, payload)
                   VALUES (?1, ?2, ?3, ?3, ?4, ?5)";
    sqlx::query(message)
        .bind(&item.event_id)
        .bind(&item.target)
        .bind(at.as_millis())
        .bind(&item.content_type)
        .bind(&item.payload)
        .execute(connection)
        .await?;
    Ok(())
}

fn cut(error: &str) -> String {
    error.chars().take(MAX_ERROR_CHARS).collect()
}
