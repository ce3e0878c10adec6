//! One tick's reading: for every watch what is new since its cursor, straight into the engine.
//!
//! The first reading fetches a whole baseline window, in parts that are fed as they come, so that memory holds a part and not a week.
//! After that a tick reads the new columns and a small overlap for late samples. A watch that fails is asked less and less often; the
//! others do not wait for it, unless nobody gets an answer from their server: then one round's questions stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream;

use super::effects;
use super::state::Shared;
use crate::core::engine::{Input, Judged};
use crate::core::frame::Frame;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Limit, Threshold, Watch};
use crate::metrics::label::{MissingReason, RequestOutcome};
use crate::source::prometheus::{Cause, PrometheusClient, RangeAnswer, RangeAsk, Remarks, SourceError, plan};

/// Longest wait between two tries of a watch that fails while its server answers others: its query is at fault, and somebody has to mend it.
const MAX_PAUSE: Span = Span::from_secs(300);
/// Longest wait while the server answers nothing at all: when it comes back, nobody wants to wait for more than a tick or so.
const MAX_PAUSE_IN_OUTAGE: Span = Span::from_secs(30);
/// Watches of one source read at the same time; the client bounds the requests themselves.
const WATCHES_AT_ONCE: usize = 8;

/// What this round has seen of the server so far.
#[derive(Debug, Default)]
struct Round {
    answered: AtomicBool,
    failed: AtomicBool,
}

impl Round {
    /// A server that has failed one watch and answered none is not asked for the rest: each question may cost minutes of waiting.
    fn is_hopeless(&self) -> bool {
        self.failed.load(Ordering::Relaxed) && !self.answered.load(Ordering::Relaxed)
    }
}

/// Reads what is new for all watches of one source.
pub async fn source(shared: Arc<Shared>, name: String, client: Arc<PrometheusClient>, watches: Vec<(usize, Arc<Watch>)>, now: Timestamp) {
    if watches.is_empty() {
        return idle(&shared, &name, &client, now).await;
    }
    let round = Round::default();
    stream::iter(watches)
        .for_each_concurrent(WATCHES_AT_ONCE, |(index, watch)| {
            let (shared, client, round) = (&shared, &client, &round);
            async move {
                let paused = shared.health().watches.get(&*watch.name).and_then(|health| health.not_before).is_some_and(|t| now < t);
                if !paused && !round.is_hopeless() {
                    let result = read(shared, client, index, &watch, now).await;
                    note(shared, &watch, now, result, round);
                }
            }
        })
        .await;
}

/// A source that nothing is watched at is still asked by playbooks, so whether it is there is worth knowing.
async fn idle(shared: &Shared, name: &str, client: &PrometheusClient, now: Timestamp) {
    let began = Instant::now();
    let answer = client.instant("vector(1)", now, None).await;
    count_request(shared, began, answer.as_ref().map_or_else(outcome, |_| RequestOutcome::Ok));
    let mut health = shared.health();
    let Some(source) = health.sources.get_mut(name) else { return };
    match answer {
        Ok(_) => (source.up, source.last_success) = (true, Some(now)),
        Err(error) => {
            let text = error.to_string();
            if source.last_error.as_ref() != Some(&text) {
                tracing::warn!(source = name, error = text, "could not ask");
            }
            (source.up, source.last_error) = (false, Some(text));
        }
    }
}

/// What a reading came to.
enum Read {
    Nothing,
    Samples { remarks: Remarks },
}

async fn read(shared: &Arc<Shared>, client: &PrometheusClient, index: usize, watch: &Watch, now: Timestamp) -> Result<Read, SourceError> {
    let (cursor, series) = {
        let engine = shared.engine();
        // A reload may have changed the watches since this round began.
        if engine.watch_index(&watch.name) != Some(index) {
            return Ok(Read::Nothing);
        }
        (engine.cursor(index), engine.series_count(index))
    };
    let Some(grid) = plan::to_read(cursor, now, watch.step, watch.baseline.window) else { return Ok(Read::Nothing) };
    // Once a run the source is asked even if nothing can be new: whether it is there is worth knowing.
    let has_answered = shared.health().watches.get(&*watch.name).is_some_and(|health| health.answered);
    if has_answered && cursor.is_some_and(|cursor| grid.last() <= cursor) {
        return Ok(Read::Nothing);
    }
    let judging = Judged::listening(now, shared.started_at, shared.too_late, watch.step);
    say_what_is_skipped(shared, watch, cursor, judging.from);
    let threshold_query = match &watch.limit {
        Some(Limit { threshold: Threshold::Query(query), .. }) => Some(query.as_str()),
        _ => None,
    };
    let rows_hint = (series > 0).then_some(series);
    let ask = RangeAsk { query: &watch.query, grid, watch: Some(&watch.name), rows_hint };
    let mut remarks = Remarks::default();
    let mut windows = std::pin::pin!(client.range_windows(&ask));
    loop {
        let began = Instant::now();
        let Some(answer) = windows.next().await else { break };
        let answer = answer.inspect_err(|error| count_request(shared, began, outcome(error)))?;
        count_answer(shared, began, &answer);
        remarks.add(&answer.remarks);
        let thresholds = match threshold_query {
            Some(query) => {
                let ask = RangeAsk { query, grid: answer.frame.grid(), watch: Some(&watch.name), rows_hint };
                let began = Instant::now();
                let thresholds = client.query_range(&ask).await.inspect_err(|error| count_request(shared, began, outcome(error)))?;
                count_answer(shared, began, &thresholds);
                remarks.add(&thresholds.remarks);
                Some(thresholds.frame)
            }
            None => None,
        };
        // Windows come in order: what follows an incomplete one is held back with it, and the next tick judges again.
        let judging = if remarks.partial { Judged::WITHHELD } else { judging };
        step(shared, index, watch, answer.frame, thresholds, judging, now).await;
    }
    Ok(Read::Samples { remarks })
}

async fn step(shared: &Arc<Shared>, index: usize, watch: &Watch, frame: Frame, thresholds: Option<Frame>, judging: Judged, now: Timestamp) {
    let grid = frame.grid();
    let fresh = (0..grid.len).filter(|&i| grid.at(i) >= judging.from).count() as u64;
    shared.metrics.columns.inc_by(fresh);
    let name = watch.name.clone();
    effects::decide(shared, now, move |engine| {
        // A reload may have changed the watches between the question and the answer.
        if engine.watch_index(&name) != Some(index) {
            return Vec::new();
        }
        let effects = engine.step(now, Input::Samples { watch: index, frame: &frame, thresholds: thresholds.as_ref(), judging });
        let turned_away = engine.turned_away(index);
        if turned_away > 0 {
            tracing::warn!(watch = %name, turned_away, "more series than one watch may have; the rest is not watched");
        }
        effects
    })
    .await;
}

fn say_what_is_skipped(shared: &Shared, watch: &Watch, cursor: Option<Timestamp>, judge_from: Timestamp) {
    let Some(cursor) = cursor else { return };
    let behind = judge_from - cursor;
    let columns = (behind.as_millis() / watch.step.as_millis()).max(0);
    if columns > 0 {
        shared.metrics.columns_skipped.inc_by(columns.unsigned_abs());
        tracing::warn!(
            watch = %watch.name, columns, since = %cursor,
            "catching up: samples this far back are learned from and settle open predictions, but raise none"
        );
    }
}

fn note(shared: &Shared, watch: &Watch, now: Timestamp, result: Result<Read, SourceError>, round: &Round) {
    let mut health = shared.health();
    let health = &mut *health;
    let entry = health.watches.entry(watch.name.to_string()).or_default();
    let source = health.sources.entry(watch.source.to_string()).or_default();
    match result {
        Ok(Read::Nothing) => {}
        Ok(Read::Samples { remarks }) => {
            if entry.failures_in_a_row > 0 {
                tracing::info!(watch = %watch.name, "reading again");
            }
            let warning = held_back(&remarks);
            if let Some(warning) = warning.as_ref().filter(|w| entry.last_error.as_ref() != Some(w)) {
                tracing::warn!(watch = %watch.name, warning, "the answer is incomplete: it is learned from, and nothing is raised on its strength");
            }
            (entry.answered, entry.failing, entry.filled) = (true, false, true);
            (entry.failures_in_a_row, entry.not_before) = (0, None);
            entry.last_error = warning;
            round.answered.store(true, Ordering::Relaxed);
            (source.up, source.last_success) = (true, Some(now));
        }
        Err(error) => {
            // With its hint, if there is one.
            let text = error.to_string();
            // A query that the server understands and refuses says nothing against the server.
            if matches!(error.cause, Cause::Status { code: 400 | 422, .. }) {
                round.answered.store(true, Ordering::Relaxed);
            }
            round.failed.store(true, Ordering::Relaxed);
            let outage = round.is_hopeless();
            if entry.last_error.as_ref() != Some(&text) || entry.failures_in_a_row.is_power_of_two() {
                tracing::warn!(watch = %watch.name, error = text, failures = entry.failures_in_a_row + 1, "could not read");
            }
            entry.failing = true;
            entry.failures_in_a_row = entry.failures_in_a_row.saturating_add(1);
            // 10, 20, 40 ... seconds.
            let pause = Span::from_secs(5).times(1 << entry.failures_in_a_row.min(6));
            entry.not_before = Some(now + pause.min(if outage { MAX_PAUSE_IN_OUTAGE } else { MAX_PAUSE }));
            entry.last_error = Some(text.clone());
            source.up = !outage;
            source.last_error = Some(text);
        }
    }
}

/// Why a watch that answers is not judged, if it isn't.
fn held_back(remarks: &Remarks) -> Option<String> {
    let said = if remarks.warnings.is_empty() { "no reason given".to_owned() } else { remarks.warnings.join("; ") };
    remarks.partial.then(|| format!("the server's answer is incomplete, predictions are held back: {said}"))
}

fn outcome(error: &SourceError) -> RequestOutcome {
    match &error.cause {
        Cause::Timeout { .. } | Cause::TooSlow { .. } => RequestOutcome::Timeout,
        Cause::Connect(_) | Cause::Tls(_) => RequestOutcome::Connection,
        Cause::Status { code: 429, .. } => RequestOutcome::Throttled,
        Cause::Status { code: 400..=499, .. } | Cause::Settings { .. } | Cause::File { .. } | Cause::Redirect { .. } => {
            RequestOutcome::Refused
        }
        Cause::Status { .. } => RequestOutcome::ServerError,
        Cause::BodyTooLarge { .. } => RequestOutcome::TooLarge,
        Cause::Truncated(_) | Cause::NotPrometheus { .. } | Cause::Encoding(_) | Cause::Decode(_) => RequestOutcome::BadAnswer,
    }
}

fn count_request(shared: &Shared, began: Instant, outcome: RequestOutcome) {
    shared.metrics.source_requests.get_or_create(&outcome).inc();
    shared.metrics.source_request_duration_s.observe(began.elapsed().as_secs_f64());
}

fn count_answer(shared: &Shared, began: Instant, answer: &RangeAnswer) {
    count_request(shared, began, if answer.remarks.partial { RequestOutcome::Partial } else { RequestOutcome::Ok });
    let stats = &answer.stats;
    let metrics = &shared.metrics;
    metrics.source_received_bytes.inc_by(stats.bytes);
    metrics.samples_decoded.inc_by(stats.samples);
    let missing = |reason: MissingReason, count: u64| {
        metrics.samples_missing.get_or_create(&reason).inc_by(count);
    };
    missing(MissingReason::NotFinite, stats.nan + stats.infinite);
    missing(MissingReason::Stale, stats.stale);
    missing(MissingReason::Duplicate, stats.duplicates);
    let cells = (answer.frame.rows() * answer.frame.grid().len) as u64;
    missing(MissingReason::Gap, cells.saturating_sub(answer.frame.present() as u64));
}
