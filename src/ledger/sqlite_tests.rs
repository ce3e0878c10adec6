//! Real files, real processes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::super::*;
use super::*;
use crate::core::labels::Labels;
use crate::core::prediction::{Eta, Evidence, Truth};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Impact, Side};

use crate::child_process;

const HOUR: i64 = 3_600_000;

fn hours(n: i64) -> Timestamp {
    Timestamp::from_millis(1_795_341_600_000 + n * HOUR)
}

/// Raised at `hour` for `host`, due a day later.
fn prediction(host: &str, hour: i64) -> Prediction {
    let labels = Labels::from_pairs([("__name__", "disk_used"), ("instance", host), ("path", "C:\\\"é\"\n")]).unwrap();
    Prediction {
        id: PredictionId::new("disk-filling", labels.id(), Cause::Breach, hours(hour)),
        watch: "disk-filling".into(),
        code: "disk-filling".into(),
        title: format!("{host} fills up"),
        labels,
        service: host.into(),
        cause: Cause::Breach,
        state: State::Open,
        raised_at: hours(hour),
        updated_at: hours(hour),
        ended_at: None,
        ended_because: None,
        revision: 0,
        current_value: 907.303_832_202_868_9,
        predicted_value: None,
        rate_of_change: 1.0 / 3.0,
        side: Side::Above,
        threshold: 0.9,
        likelihood: 0.934_567_890_123_456_7,
        confidence: f64::MIN_POSITIVE,
        impact: Impact::High,
        eta: Eta { p10: Some(hours(hour + 3)), p50: Some(hours(hour + 5)), p90: None },
        predicted_threshold_time: Some(hours(hour + 5)),
        horizon: Span::DAY,
        evidence: vec![Evidence { kind: "trend".into(), text: "grows".into(), value: -907.303_832_202_868_9 }],
        suggested_playbooks: Vec::new(),
        incident: None,
        chart_url: None,
        truth: None,
    }
}

fn change(prediction: Prediction, kind: ChangeKind) -> PredictionChange {
    let event_id = format!("{}.{}", prediction.id, prediction.revision);
    let item = |target: &str| OutboxItem {
        event_id: event_id.clone(),
        target: target.into(),
        content_type: "application/json".into(),
        payload: event_id.clone().into_bytes(),
    };
    PredictionChange { at: prediction.updated_at, outbox: vec![item("ops"), item("chat")], prediction, kind }
}

fn later(mut prediction: Prediction, hour: i64) -> Prediction {
    prediction.revision += 1;
    prediction.updated_at = hours(hour);
    prediction
}

async fn open(dir: &Path) -> Ledger {
    Ledger::open(&dir.join("ledger.sqlite")).await.unwrap()
}

#[tokio::test]
async fn a_change_is_recorded_once_with_its_messages_and_comes_back_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path()).await;
    let raised = prediction("a", 0);
    let updated = later(raised.clone(), 1);
    assert_eq!(ledger.record(&[change(raised.clone(), ChangeKind::Raised)]).await.unwrap(), [true]);
    let both = [change(raised.clone(), ChangeKind::Raised), change(updated.clone(), ChangeKind::Updated)];
    assert_eq!(ledger.record(&both).await.unwrap(), [false, true]);
    ledger.mark_delivered(&format!("{}.0", raised.id), "ops", hours(1)).await.unwrap();
    assert_eq!(ledger.prune_settled(hours(2), 10).await.unwrap(), 1);
    // The same again, with the message already forgotten, in another process.
    ledger.close().await.unwrap();
    let ledger = open(dir.path()).await;
    assert_eq!(ledger.record(&both).await.unwrap(), [false, false]);
    assert_eq!(ledger.due(hours(9), "ops", 10).await.unwrap().len(), 1);
    assert_eq!(ledger.due(hours(9), "chat", 10).await.unwrap().len(), 2);

    assert_eq!(ledger.prediction(&raised.id).await.unwrap(), Some(updated.clone()));
    assert_eq!(ledger.prediction(&PredictionId("none".into())).await.unwrap(), None);
    let events = ledger.events(&raised.id).await.unwrap();
    let expected = [(ChangeKind::Raised, hours(0), raised), (ChangeKind::Updated, hours(1), updated)];
    assert_eq!(events.into_iter().map(|e| (e.kind, e.at, e.prediction)).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_older_revision_is_history_and_a_truth_is_not_lost_to_a_shared_revision() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path()).await;
    let raised = prediction("a", 0);
    let mut ended = later(later(raised.clone(), 1), 2);
    ended.state = State::Resolved;
    let scored = Prediction { truth: Some(Truth::CameTrue { at: hours(2), lead_time_s: 7200.1 }), ..ended.clone() };
    let changes =
        [change(ended, ChangeKind::Resolved), change(raised.clone(), ChangeKind::Raised), change(scored.clone(), ChangeKind::Scored)];
    assert_eq!(ledger.record(&changes).await.unwrap(), [true, true, true]);
    assert_eq!(ledger.prediction(&raised.id).await.unwrap(), Some(scored));
    let kinds: Vec<_> = ledger.events(&raised.id).await.unwrap().iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [ChangeKind::Raised, ChangeKind::Resolved, ChangeKind::Scored]);
    let columns: (String, String, i64) =
        sqlx::query_as("SELECT state, truth, due_at FROM predictions").fetch_one(&mut *ledger.connection().await.unwrap()).await.unwrap();
    assert_eq!(columns, ("resolved".into(), "came_true".into(), hours(24).as_millis()));
}

#[tokio::test]
async fn all_changes_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path()).await;
    let fine = change(prediction("a", 0), ChangeKind::Raised);
    let not_finite = change(Prediction { rate_of_change: f64::NAN, ..prediction("b", 0) }, ChangeKind::Raised);
    let error = ledger.record(&[fine.clone(), not_finite]).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Unstorable { what, .. } if what.contains("not finite")), "{error}");
    let mut fat = change(prediction("b", 0), ChangeKind::Raised);
    fat.outbox[0].payload = vec![0; MAX_PAYLOAD_BYTES + 1];
    assert!(matches!(ledger.record(&[fine.clone(), fat]).await, Err(LedgerError::TooMany { .. })));
    // Fails inside SQLite, after the first change was already written.
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *ledger.connection().await.unwrap()).await.unwrap();
    let cap = |pages: i64| AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::raw_sql(cap(pages + 20)).execute(&mut *ledger.connection().await.unwrap()).await.unwrap();
    let mut big = change(prediction("b", 0), ChangeKind::Raised);
    big.outbox[0].payload = vec![0; MAX_PAYLOAD_BYTES];
    let error = ledger.record(&[fine.clone(), big]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Full { .. }), "{error}");
    assert_eq!(ledger.predictions(&Filter::default()).await.unwrap(), []);
    assert_eq!(ledger.pending_counts().await.unwrap(), PendingCounts::new());
    // And it goes on once there is space.
    sqlx::raw_sql(cap(1 << 30)).execute(&mut *ledger.connection().await.unwrap()).await.unwrap();
    assert_eq!(ledger.record(&[fine]).await.unwrap(), [true]);
}

#[tokio::test]
async fn a_restart_finds_what_is_open_what_is_unjudged_and_what_was_said_last() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path()).await;
    let open_one = prediction("open", 3);
    let unjudged = Prediction { state: State::Resolved, ..prediction("unjudged", 2) };
    let done = Prediction { state: State::Expired, truth: Some(Truth::NotKnown), ..prediction("done", 1) };
    let again = Prediction { state: State::Expired, truth: Some(Truth::DidNot), ..prediction("open", 0) };
    let all = [&open_one, &unjudged, &done, &again].map(|p| change(p.clone(), ChangeKind::Raised));
    ledger.record(&all).await.unwrap();
    assert_eq!(ledger.open_predictions().await.unwrap(), [unjudged.clone(), open_one.clone()]);

    let last = ledger.last_events_since(hours(1)).await.unwrap();
    let seen: Vec<_> = last.iter().map(|e| (e.series, e.updated_at, e.id.clone())).collect();
    let expected = [&open_one, &unjudged, &done].map(|p| (p.series(), p.updated_at, p.id.clone()));
    assert_eq!(seen, expected, "one for each cause, the latest");
    assert_eq!((last[0].watch.as_str(), last[0].cause), ("disk-filling", Cause::Breach));

    let ids = async |filter: Filter| -> Vec<_> { ledger.predictions(&filter).await.unwrap().into_iter().map(|p| p.id).collect() };
    let all_ids = [&open_one, &unjudged, &done, &again].map(|p| p.id.clone());
    assert_eq!(ids(Filter::default()).await, all_ids, "newest first");
    assert_eq!(ids(Filter { limit: Some(2), ..Filter::default() }).await, all_ids[..2]);
    assert_eq!(ids(Filter { state: Some(State::Expired), ..Filter::default() }).await, all_ids[2..]);
    assert_eq!(ids(Filter { since: Some(hours(2)), ..Filter::default() }).await, all_ids[..2]);
    assert_eq!(ids(Filter { watch: Some("cpu".into()), ..Filter::default() }).await, []);
}

#[tokio::test]
async fn messages_wait_fail_are_given_up_or_delivered_each_target_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path()).await;
    let first = change(prediction("a", 0), ChangeKind::Raised);
    let second = change(prediction("b", 1), ChangeKind::Raised);
    ledger.record(&[first.clone(), second.clone()]).await.unwrap();
    let (a, b) = (&first.outbox[0].event_id, &second.outbox[0].event_id);
    let due = async |at: i64, target: &str| -> Vec<_> {
        ledger.due(hours(at), target, 10).await.unwrap().into_iter().map(|d| (d.event_id, d.attempts)).collect()
    };
    assert_eq!(due(0, "ops").await, [(a.clone(), 0)], "the second is not made yet");
    assert_eq!(due(1, "ops").await, [(a.clone(), 0), (b.clone(), 0)]);
    let message = ledger.due(hours(1), "ops", 1).await.unwrap().remove(0);
    assert_eq!((message.payload, message.content_type.as_str()), (a.clone().into_bytes(), "application/json"));

    ledger.mark_failed(a, "ops", &"é".repeat(MAX_ERROR_CHARS + 1), hours(5)).await.unwrap();
    assert_eq!(due(4, "ops").await, [(b.clone(), 0)]);
    assert_eq!(due(5, "ops").await, [(a.clone(), 1), (b.clone(), 0)]);
    ledger.mark_delivered(b, "ops", hours(2)).await.unwrap();
    ledger.mark_delivered(b, "ops", hours(3)).await.unwrap();
    ledger.mark_failed(b, "ops", "too late", hours(4)).await.unwrap();
    assert_eq!(ledger.next_due("ops").await.unwrap(), Some(hours(5)));
    ledger.mark_dead(a, "ops", "410 gone").await.unwrap();
    assert_eq!(ledger.next_due("ops").await.unwrap(), None);
    assert_eq!(due(99, "ops").await, []);
    assert_eq!(due(99, "chat").await.len(), 2, "another target's fate is its own");

    let ops = OutboxCounts { pending: 0, dead: 1, oldest_pending: None };
    let chat = OutboxCounts { pending: 2, dead: 0, oldest_pending: Some(hours(0)) };
    assert_eq!(ledger.pending_counts().await.unwrap(), BTreeMap::from([("ops".to_owned(), ops), ("chat".to_owned(), chat)]));
    let error = ledger.mark_delivered("nobody", "ops", hours(1)).await.unwrap_err();
    assert!(matches!(error, LedgerError::NoSuchMessage { .. }), "{error}");
    let kept: String = sqlx::query_scalar("SELECT last_error FROM outbox WHERE state = 'dead'")
        .fetch_one(&mut *ledger.connection().await.unwrap())
        .await
        .unwrap();
    assert_eq!(kept, "410 gone");
    assert_eq!(ledger.prune_settled(hours(2), 10).await.unwrap(), 1, "given up and old; the other was delivered at two, not before");
    assert_eq!(ledger.prune_settled(hours(3), 0).await.unwrap(), 0);
    assert_eq!(ledger.prune_settled(hours(3), 10).await.unwrap(), 1);
    assert_eq!(due(99, "chat").await.len(), 2, "what waits is never forgotten");
}

#[tokio::test]
async fn what_is_no_whole_ledger_is_an_error_and_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let refused = async |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = Ledger::open(&path).await.unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), bytes, "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        error
    };
    for garbage in [&b""[..], b"not a database", &[0xa5; 8192]] {
        let error = refused(garbage).await;
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("restore a copy"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let ledger = open(dir.path()).await;
    let changes: Vec<_> = (0..200).map(|i| change(prediction(&format!("host-{i}"), i), ChangeKind::Raised)).collect();
    ledger.record(&changes).await.unwrap();
    ledger.close().await.unwrap();
    let whole = fs::read(&path).unwrap();
    assert!(matches!(refused(&whole[..whole.len() / 2]).await, LedgerError::Damaged { .. }));
    let mut holed = whole.clone();
    holed[20_480..24_576].fill(0xff);
    assert!(matches!(refused(&holed).await, LedgerError::Damaged { .. }));
    // Bytes 60..64 hold user_version, 68..72 application_id: https://www.sqlite.org/fileformat.html#the_database_header
    let mut newer = whole.clone();
    newer[60..64].copy_from_slice(&7_u32.to_be_bytes());
    assert!(matches!(refused(&newer).await, LedgerError::Newer { found: 7, known: 2, .. }));
    let mut foreign = whole.clone();
    foreign[68..72].fill(0);
    assert!(matches!(refused(&foreign).await, LedgerError::Foreign { .. }));
    fs::write(&path, whole).unwrap();
    assert_eq!(open(dir.path()).await.predictions(&Filter::default()).await.unwrap().len(), 200);
}

#[tokio::test]
async fn a_lost_file_beside_its_log_is_not_taken_for_a_first_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let ledger = open(dir.path()).await;
    ledger.record(&[change(prediction("a", 0), ChangeKind::Raised)]).await.unwrap();
    fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    let error = Ledger::open(&path).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Damaged { what, .. } if what.contains("-wal")), "{error}");
}

#[tokio::test]
async fn a_ledger_that_another_holds_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, other) = (open(dir.path()).await, open(dir.path()).await);
    let mut connection = other.connection().await.unwrap();
    let transaction = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let one = [change(prediction("a", 0), ChangeKind::Raised)];
    let error = ledger.record(&one).await.unwrap_err();
    assert!(matches!(error, LedgerError::Busy { .. }), "{error}");
    transaction.rollback().await.unwrap();
    assert_eq!(ledger.record(&one).await.unwrap(), [true]);
}

#[tokio::test]
async fn a_caller_that_gives_up_half_way_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path()).await;
    let mut given_up = 0;
    for round in 0..40_i64 {
        let changes: Vec<_> = (0..5).map(|i| change(prediction(&format!("h{i}"), round), ChangeKind::Raised)).collect();
        let patience = Duration::from_micros(round.unsigned_abs() * 100);
        given_up += u32::from(tokio::time::timeout(patience, ledger.record(&changes)).await.is_err());
        let there = ledger.predictions(&Filter { since: Some(hours(round)), ..Filter::default() }).await.unwrap().len();
        assert!(there == 0 || there == 5, "round {round}: {there} of 5");
        // And the next one works, and completes what was given up.
        ledger.record(&changes).await.unwrap();
        assert_eq!(ledger.due(hours(round), "ops", MAX_ROWS).await.unwrap().len(), 5 * (usize::try_from(round).unwrap() + 1));
    }
    assert!(given_up > 0, "nobody was impatient enough to prove anything");
}

#[tokio::test]
#[ignore = "the child process of a_killed_process_loses_nothing_it_acknowledged"]
async fn child_records_until_killed() {
    let Some(dir) = child_process::folder() else { return };
    let ledger = open(&dir).await;
    let begin = i64::try_from(ledger.predictions(&Filter::default()).await.unwrap().len()).unwrap();
    for number in begin.. {
        let raised = prediction("a", number);
        let updated = later(raised.clone(), number + 1);
        let changes = [change(raised, ChangeKind::Raised), change(updated.clone(), ChangeKind::Updated)];
        assert_eq!(ledger.record(&changes).await.unwrap(), [true, true]);
        child_process::acknowledge(updated.id);
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..8 {
        let then = Duration::from_millis(round * 2);
        let said = child_process::kill_after("ledger::sqlite::tests::child_records_until_killed", dir.path(), 20, then);
        acknowledged.extend(said.into_iter().map(PredictionId));
        let ledger = open(dir.path()).await;
        let found = ledger.predictions(&Filter::default()).await.unwrap();
        let ids: BTreeSet<_> = found.iter().map(|p| p.id.clone()).collect();
        assert_eq!(ids.len(), found.len());
        assert!(acknowledged.is_subset(&ids), "lost: {:?}", acknowledged.difference(&ids));
        // One more at most: recorded, and killed before it could say so.
        assert!(ids.len() <= acknowledged.len() + usize::try_from(round).unwrap() + 1, "{} and {}", ids.len(), acknowledged.len());
        let expected: BTreeSet<_> = ids.iter().flat_map(|id| [format!("{id}.0"), format!("{id}.1")]).collect();
        for target in ["ops", "chat"] {
            let due = ledger.due(hours(1_000_000), target, MAX_ROWS).await.unwrap();
            assert_eq!(due.len(), expected.len(), "messages to {target}");
            assert!(due.iter().all(|d| d.payload == d.event_id.as_bytes()));
            assert_eq!(due.into_iter().map(|d| d.event_id).collect::<BTreeSet<_>>(), expected);
        }
        for id in &ids {
            assert_eq!(ledger.events(id).await.unwrap().len(), 2);
        }
    }
}

#[tokio::test]
#[ignore = "a measurement: run with --ignored --nocapture"]
async fn measure_record() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let ledger = open(dir.path()).await;
    for size in [1, 100, 1, 100] {
        let mut times: Vec<_> = Vec::new();
        for round in 0..30 {
            let host = format!("h{size}-{}-{round}", times.len());
            let changes: Vec<_> = (0..size).map(|i| change(prediction(&host, i + 1000 * round), ChangeKind::Raised)).collect();
            let start = Instant::now();
            ledger.record(&changes).await.unwrap();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        println!("record of {size}: median {:?}, slowest {:?}", times[15], times[29]);
    }
}
