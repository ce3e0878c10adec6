//! The audit: records of runs, appended before anything is done, read back at a start, verified and exported.

use sqlx::{Connection, SqliteConnection};

use super::chain::{Finding, Head, Line, Verification};
use super::sqlite_outbox::put;
use super::sqlite_predictions::count;
use super::{Ledger, LedgerError, MAX_CHANGES, OutboxItem, json};
use crate::core::run::{Entry, Record};

/// Lines that are read at a time: a page, so that an audit of years takes no more memory than one of a day.
const PAGE: i64 = 1_000;

/// The messages that a line and its place in the chain are worth.
pub type Tell<'a> = &'a (dyn Fn(&Entry, &Head) -> Vec<OutboxItem> + Sync);

impl Ledger {
    /// Writes all of them down, or none; when it returns they survive a power cut. Says the new head.
    pub async fn append(&self, entries: &[Entry]) -> Result<Head, LedgerError> {
        self.append_telling(entries, &|_, _| Vec::new()).await
    }

    /// The same, and in the same transaction the messages that `tell` makes of each line: neither is ever there without the other.
    pub async fn append_telling(&self, entries: &[Entry], tell: Tell<'_>) -> Result<Head, LedgerError> {
        if entries.len() > MAX_CHANGES {
            return Err(LedgerError::TooMany { what: "records at once", found: entries.len(), limit: MAX_CHANGES });
        }
        let texts: Vec<String> = entries
            .iter()
            .map(|entry| json::encode(entry).map_err(|error| LedgerError::UnstorableRecord { what: error.to_string() }))
            .collect::<Result<_, _>>()?;
        let mut slot = self.slot().await?;
        let connection = slot.as_mut().expect("slot() has just filled it");
        match append_all(connection, entries, &texts, tell).await {
            Ok(head) => Ok(head),
            Err(error) => {
                // As in `record`: sqlx goes on counting a transaction that SQLite has ended.
                *slot = None;
                Err(self.about("append to")(error))
            }
        }
    }

    /// The newest line's number and hash.
    pub async fn audit_head(&self) -> Result<Head, LedgerError> {
        head(&mut *self.connection().await?).await.map_err(self.about("read"))
    }

    /// Hands over every record, in order: what they add up to is small, and all of them together may not be.
    pub async fn audit_records(&self, mut each: impl FnMut(&Entry)) -> Result<(), LedgerError> {
        self.audit_lines(|line| {
            let entry = json::decode(&line.json).map_err(|e| self.damaged(format!("audit line {} can't be read: {e}", line.head.seq)))?;
            each(&entry);
            Ok(true)
        })
        .await
    }

    /// All of them.
    #[cfg(test)]
    pub async fn audit_entries(&self) -> Result<Vec<Entry>, LedgerError> {
        let mut entries = Vec::new();
        self.audit_records(|entry| entries.push(entry.clone())).await?;
        Ok(entries)
    }

    /// Goes along the chain. `anchor` is a head that was told outside.
    pub async fn audit_verify(&self, anchor: Option<Head>) -> Result<Finding, LedgerError> {
        let mut verification = Verification::new(anchor);
        let mut wrong = None;
        self.audit_lines(|line| {
            wrong = verification.line(&line);
            Ok(wrong.is_none())
        })
        .await?;
        Ok(wrong.unwrap_or_else(|| verification.finish()))
    }

    /// Hands over every line in order, until it is told to stop.
    pub async fn audit_lines(&self, mut each: impl FnMut(Line) -> Result<bool, LedgerError>) -> Result<(), LedgerError> {
        let mut after = i64::MIN;
        loop {
            let sql = "SELECT seq, at, json, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
            let query = sqlx::query_as::<_, (i64, i64, String, String)>(sql).bind(after).bind(PAGE);
            let rows = query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read"))?;
            let is_last = rows.len() < PAGE as usize;
            for (seq, at_ms, json, hash) in rows {
                after = seq;
                if !each(Line { head: Head { seq: seq.max(0).unsigned_abs(), hash }, at_ms, json })? {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The lines of one run, in order, as JSON.
    pub async fn audit_of(&self, run: &str, limit: usize) -> Result<Vec<String>, LedgerError> {
        let query =
            sqlx::query_scalar::<_, String>("SELECT json FROM audit WHERE run = ?1 ORDER BY seq LIMIT ?2").bind(run).bind(count(limit));
        query.fetch_all(&mut *self.connection().await?).await.map_err(self.about("read"))
    }
}

async fn head(connection: &mut SqliteConnection) -> Result<Head, sqlx::Error> {
    let query = sqlx::query_as::<_, (i64, String)>("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
    let last = query.fetch_optional(connection).await?;
    Ok(last.map_or_else(Head::origin, |(seq, hash)| Head { seq: seq.max(0).unsigned_abs(), hash }))
}

async fn append_all(connection: &mut SqliteConnection, entries: &[Entry], texts: &[String], tell: Tell<'_>) -> Result<Head, sqlx::Error> {
    // IMMEDIATE: between reading the head and writing after it nobody else may write.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut last = head(&mut transaction).await?;
    for (entry, text) in entries.iter().zip(texts) {
        last = last.next(entry.at.as_millis(), text);
        sqlx::query("INSERT INTO audit (seq, at, run, json, hash) VALUES (?1, ?2, ?3, ?4, ?5)")
            .bind(last.seq.cast_signed())
            .bind(entry.at.as_millis())
            .bind(run_of(&entry.record))
            .bind(text)
            .bind(&last.hash)
            .execute(&mut *transaction)
            .await?;
        for item in tell(entry, &last) {
            put(&mut transaction, &item, entry.at).await?;
        }
    }
    transaction.commit().await?;
    Ok(last)
}

fn run_of(record: &Record) -> Option<String> {
    record.run().map(|run| run.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::playbook::StepEnd;
    use crate::core::run::{RunKey, Turnout};
    use crate::core::time::Timestamp;

    fn entry(i: u64) -> Entry {
        let what = Turnout { step: 0, attempt: 1, is_undo: false };
        let record = match i % 3 {
            0 => Record::Started { run: RunKey(i), what, action: "command".into() },
            1 => Record::Ended { run: RunKey(i), what, action: "command".into(), end: StepEnd::Failed, note: "\"é\"\n".into() },
            _ => Record::Stopped { by: "ops".into() },
        };
        Entry { at: Timestamp::from_millis(i as i64), record }
    }

    async fn run(ledger: &Ledger, sql: &'static str) {
        sqlx::query(sql).execute(&mut *ledger.connection().await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_appended_comes_back_and_every_change_of_it_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let open = || async { Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap() };
        let ledger = open().await;
        let entries: Vec<Entry> = (0..2_500).map(entry).collect();
        ledger.append(&entries[..2_400]).await.unwrap();
        let head = ledger.append(&entries[2_400..]).await.unwrap();
        ledger.close().await.unwrap();
        let ledger = open().await;
        assert_eq!((ledger.audit_entries().await.unwrap(), ledger.audit_head().await.unwrap()), (entries, head.clone()));
        assert_eq!(ledger.audit_verify(Some(head.clone())).await.unwrap(), Finding::Whole { head: head.clone() });
        assert_eq!(ledger.audit_of(&RunKey(3).to_string(), 10).await.unwrap().len(), 1);
        run(&ledger, "DELETE FROM audit WHERE seq = 2500").await;
        assert_eq!(ledger.audit_verify(None).await.unwrap(), Finding::Whole { head: ledger.audit_head().await.unwrap() });
        assert!(matches!(ledger.audit_verify(Some(head)).await.unwrap(), Finding::Cut { .. }));
        run(&ledger, "UPDATE audit SET json = replace(json, 'ops', 'eve') WHERE seq = 1503").await;
        assert_eq!(ledger.audit_verify(None).await.unwrap(), Finding::Changed { seq: 1503 });
        run(&ledger, "DELETE FROM audit WHERE seq = 7").await;
        assert_eq!(ledger.audit_verify(None).await.unwrap(), Finding::Missing { wanted: 7, found: 8 });
    }

    #[tokio::test]
    async fn a_line_and_its_messages_are_there_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let item = |event_id: String| OutboxItem { event_id, target: "ops".into(), content_type: "x".into(), payload: vec![1] };
        let tell = |entry: &Entry, head: &Head| vec![item(format!("{}.{}", entry.record.run().map_or(0, |run| run.0), head.seq))];
        ledger.append_telling(&[entry(0), entry(1)], &tell).await.unwrap();
        let due =
            async || ledger.due(Timestamp::from_millis(9), "ops", 9).await.unwrap().into_iter().map(|d| d.event_id).collect::<Vec<_>>();
        assert_eq!(due().await, ["0.1", "1.2"]);
        run(&ledger, "CREATE TRIGGER no BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END").await;
        ledger.append_telling(&[entry(2), entry(3)], &tell).await.unwrap_err();
        assert_eq!((ledger.audit_head().await.unwrap().seq, due().await.len()), (2, 2));
        ledger.append(&[entry(3)]).await.unwrap();
        let again = ledger.put(&[item("0.1".into())], Timestamp::from_millis(1)).await;
        assert!(again.is_err(), "the trigger is still there");
        run(&ledger, "DROP TRIGGER no").await;
        ledger.put(&[item("0.1".into()), item("h.1".into())], Timestamp::from_millis(5)).await.unwrap();
        assert_eq!(due().await, ["0.1", "1.2", "h.1"], "an id is one message");
    }

    #[tokio::test]
    async fn a_ledger_from_before_has_an_empty_audit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path).await.unwrap();
        run(&ledger, "DROP TABLE audit").await;
        run(&ledger, "PRAGMA user_version = 1").await;
        ledger.close().await.unwrap();
        let ledger = Ledger::open(&path).await.unwrap();
        assert_eq!(ledger.audit_head().await.unwrap(), Head::origin());
        ledger.append(&[entry(1)]).await.unwrap();
    }
}
