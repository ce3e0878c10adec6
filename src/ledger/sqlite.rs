//! The ledger's file: made, migrated, verified, opened.
//!
//! One connection behind a lock: the daemon is the only writer, its transactions take a millisecond, and readers that wait for it see what was
//! just recorded. Plain SQL and our own migrations by `PRAGMA user_version` instead of sqlx's macros and migration tables: those want a
//! database at build time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::LedgerError;

/// How long a write waits for another process, such as an `sqlite3` shell in a transaction, before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// "PTNL": tells a ledger from any other SQLite file.
const APPLICATION_ID: i64 = 0x5054_4e4c;

/// Each brings the schema one version further. Never change one that was released; add the next.
const MIGRATIONS: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// Predictions, their truth, and the outbox, on disk.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// `None` after a transaction failed; see [`Ledger::record`].
    connection: Mutex<Option<SqliteConnection>>,
}

impl Ledger {
    /// Opens the ledger, or makes it if there is no file; verifies it and brings its schema up to date. A damaged file is an error and stays
    /// as it is. The data directory's lock keeps a second Portent away.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            make(path).await?;
        }
        let about = |act| move |source| from_sqlx(act, path, source);
        // SQLite takes an empty file for a new database. We never leave one: it is a ledger that something cut to nothing.
        if fs::metadata(path).map_err(|source| LedgerError::Io { act: "open", path: path.into(), source })?.len() == 0 {
            return Err(LedgerError::Damaged { path: path.into(), what: "the file is empty".to_owned() });
        }
        let mut connection = connect(path, false).await.map_err(about("open"))?;
        verify(&mut connection, path).await?;
        migrate(&mut connection, path).await?;
        Ok(Self { path: path.into(), connection: Mutex::new(Some(connection)) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the log back into the database file and lets go of it. Dropping is as safe, and leaves that work to the next start.
    pub async fn close(self) -> Result<(), LedgerError> {
        match self.connection.into_inner() {
            Some(connection) => connection.close().await.map_err(|source| from_sqlx("close", &self.path, source)),
            None => Ok(()),
        }
    }

    /// The connection, for one statement.
    pub(super) async fn connection(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, LedgerError> {
        let slot = self.slot().await?;
        Ok(MutexGuard::map(slot, |slot| slot.as_mut().expect("slot() has just filled it")))
    }

    /// The connection's place, filled; whoever breaks the connection empties it.
    pub(super) async fn slot(&self) -> Result<MutexGuard<'_, Option<SqliteConnection>>, LedgerError> {
        let mut slot = self.connection.lock().await;
        if slot.is_none() {
            *slot = Some(connect(&self.path, false).await.map_err(self.about("open again"))?);
        }
        Ok(slot)
    }

    /// Names what was being done when SQLite failed.
    pub(super) fn about(&self, act: &'static str) -> impl Fn(sqlx::Error) -> LedgerError + '_ {
        move |source| from_sqlx(act, &self.path, source)
    }

    pub(super) fn damaged(&self, what: String) -> LedgerError {
        LedgerError::Damaged { path: self.path.clone(), what }
    }
}

async fn connect(path: &Path, create: bool) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    SqliteConnection::connect_with(&options).await
}

/// Makes an empty ledger under another name and renames it when it is whole, so that whatever lies under the real name was once a ledger.
async fn make(path: &Path) -> Result<(), LedgerError> {
    let fail = |source| LedgerError::Io { act: "make", path: path.into(), source };
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(fail)?;
    // A leftover write-ahead log beside a missing database holds the last changes of a ledger that someone may still bring back.
    let wal = with_suffix(path, "-wal");
    if fs::metadata(&wal).is_ok_and(|meta| meta.len() > 0) {
        let what = format!("the file is gone, but its log {} is there", wal.display());
        return Err(LedgerError::Damaged { path: path.into(), what });
    }
    let new = with_suffix(path, ".new");
    for leftover in [new.clone(), with_suffix(&new, "-wal"), with_suffix(&new, "-shm")] {
        if leftover.exists() {
            fs::remove_file(leftover).map_err(fail)?;
        }
    }
    let about = |source| from_sqlx("make", path, source);
    let mut connection = connect(&new, true).await.map_err(about)?;
    sqlx::query(AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}"))).execute(&mut connection).await.map_err(about)?;
    migrate(&mut connection, path).await?;
    connection.close().await.map_err(about)?;
    fs::File::open(&new).and_then(|file| file.sync_all()).map_err(fail)?;
    fs::rename(&new, path).and_then(|()| fs::File::open(parent)?.sync_all()).map_err(fail)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

async fn verify(connection: &mut SqliteConnection, path: &Path) -> Result<(), LedgerError> {
    let about = |source| from_sqlx("verify", path, source);
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(about)?;
    if id != APPLICATION_ID {
        return Err(LedgerError::Foreign { path: path.into() });
    }
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await.map_err(about)?;
    if found == "ok" { Ok(()) } else { Err(LedgerError::Damaged { path: path.into(), what: found }) }
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), LedgerError> {
    let about = |source| from_sqlx("migrate", path, source);
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(about)?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(found).ok().filter(|done| *done <= known).ok_or(LedgerError::Newer { path: path.into(), found, known })?;
    for (number, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let mut transaction = connection.begin().await.map_err(about)?;
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(about)?;
        let version = AssertSqlSafe(format!("PRAGMA user_version = {}", number + 1));
        sqlx::raw_sql(version).execute(&mut *transaction).await.map_err(about)?;
        transaction.commit().await.map_err(about)?;
    }
    Ok(())
}

/// Primary result codes: <https://www.sqlite.org/rescode.html>.
fn from_sqlx(act: &'static str, path: &Path, source: sqlx::Error) -> LedgerError {
    let path = path.to_path_buf();
    let database = source.as_database_error();
    // Extended codes carry the primary one in their low byte.
    let primary = database.and_then(sqlx::error::DatabaseError::code).and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff);
    match primary {
        Some(5 | 6) => LedgerError::Busy { act, path, waited_s: BUSY_TIMEOUT.as_secs() },
        Some(11 | 26) => LedgerError::Damaged { path, what: database.map(ToString::to_string).unwrap_or_default() },
        Some(13) => LedgerError::Full { act, path },
        _ => LedgerError::Sqlite { act, path, source: Box::new(source) },
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
