//! The worker that empties one target's outbox: one task a target, so that a stuck receiver holds up nobody but itself.
//!
//! Events go out in the order they were made, one at a time: "resolved" must not overtake "raised". So a failed event holds the ones
//! behind it back, but only for its first [`HOLD_ATTEMPTS`] attempts (about half a minute): an event that this receiver cannot digest
//! would otherwise block every later prediction for three days. After that the others pass it, and the failed one comes again when its
//! own backoff says so; receivers that care compare `data.revision`. While a target keeps failing, whichever event is next, the pause
//! between two attempts grows to [`PAUSE_MAX`], so a long queue is no reason for many requests.
//!
//! At least once (N1): an event leaves the outbox only after a 2xx. What became of an attempt is written down before anything else is
//! sent; a crash in between sends the same event, with the same id, once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::outbox::{Outbox, Pending};
use super::retry::{MAX_AGE, RETRY_AFTER_MAX, backoff, next_attempt};
use super::webhook::{SendOutcome, WebhookTarget};
use crate::core::time::{Span, Timestamp};

/// The real time. Receivers compare the signature's timestamp with their clock, so a demo's accelerated clock does not belong here.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Events taken out of the outbox at once: enough to keep a fast receiver busy, small enough to hold in memory for every target.
pub const BATCH: usize = 32;

/// Attempts of one event for which later events wait behind it: with the backoff's bounds of 1, 2, 4 and 8 s about a restart's length.
pub const HOLD_ATTEMPTS: u32 = 5;

/// Head start of the events that pass a failed one: time enough to ask the outbox for them.
const OVERTAKE: Span = Span::SECOND;

/// The longest pause between two attempts at a failing target that did not ask for a longer one: what a queue of new events loses at most
/// after the receiver is back.
pub const PAUSE_MAX: Span = Span::MINUTE;

/// Tries to write down one outcome: with the backoff between them up to three minutes, which outlasts a busy disk and a backup's lock.
/// More would let one row that can never be written (it is gone, say) stop its target for good.
pub const WRITE_TRIES: u32 = 8;

/// The longest sleep without asking the outbox, so that a jump of the clock or a lost wake-up delays nothing for long.
pub const IDLE_MAX: Duration = Duration::from_secs(30);

/// The shortest sleep of an idle worker, whatever the outbox says of its next event.
const IDLE_MIN: Duration = Duration::from_millis(20);

/// How long an attempt under way may still take after the shutdown: the daemon has ten seconds in all.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// What a worker has done since it started, for `/metrics`.
#[derive(Debug, Default)]
pub struct TargetStats {
    attempts: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    outbox_errors: AtomicU64,
    last_delivered_ms: AtomicI64,
    failures_in_a_row: AtomicU64,
}

/// [`TargetStats`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetTotals {
    /// Requests, whatever came of them.
    pub attempts: u64,
    pub delivered: u64,
    /// Attempts that failed and will be made again.
    pub failed: u64,
    /// Events given up: refused for good, or too old.
    pub dead: u64,
    pub outbox_errors: u64,
    pub last_delivered_at: Option<Timestamp>,
    /// 0 while the target is well.
    pub failures_in_a_row: u64,
}

impl TargetStats {
    pub fn totals(&self) -> TargetTotals {
        let last = self.last_delivered_ms.load(Relaxed);
        TargetTotals {
            attempts: self.attempts.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            failed: self.failed.load(Relaxed),
            dead: self.dead.load(Relaxed),
            outbox_errors: self.outbox_errors.load(Relaxed),
            last_delivered_at: (last != 0).then(|| Timestamp::from_millis(last)),
            failures_in_a_row: self.failures_in_a_row.load(Relaxed),
        }
    }
}

/// Delivers what the outbox holds for `target` until `shutdown` is true or its sender is gone, then ends within [`SHUTDOWN_GRACE`] and
/// the outbox's own time. `wake` says that there may be something new; it never shortens the pause of a failing target.
pub async fn run_target<O: Outbox>(
    target: WebhookTarget,
    outbox: Arc<O>,
    clock: Clock,
    stats: Arc<TargetStats>,
    wake: watch::Receiver<()>,
    shutdown: watch::Receiver<bool>,
) {
    Worker { target, outbox, clock, stats, wake, shutdown, jitter: rand::random::<f64>, failures: 0 }.run().await;
}

struct Worker<O> {
    target: WebhookTarget,
    outbox: Arc<O>,
    clock: Clock,
    stats: Arc<TargetStats>,
    wake: watch::Receiver<()>,
    shutdown: watch::Receiver<bool>,
    /// Uniform in [0, 1).
    jitter: fn() -> f64,
    /// Of the target, one after the other, whichever event.
    failures: u32,
}

/// What is to happen after an attempt.
enum Next {
    Event,
    Pause(Span),
    Stop,
}

/// What has to be written down about an attempt.
enum Mark {
    Delivered,
    Failed { next_attempt_at: Timestamp, error: String },
    Dead { error: String },
}

impl<O: Outbox> Worker<O> {
    async fn run(mut self) {
        let mut outbox_failures = 0;
        loop {
            // Before asking, so that what is added while we ask wakes us.
            self.wake.borrow_and_update();
            let asked = tokio::select! {
                biased;
                () = stopped(&mut self.shutdown) => return,
                asked = self.outbox.due((self.clock)(), self.target.name(), BATCH) => asked,
            };
            let events = match asked {
                Ok(events) => events,
                Err(e) => {
                    outbox_failures += 1;
                    if !self.outbox_trouble(&e, outbox_failures).await {
                        return;
                    }
                    continue;
                }
            };
            outbox_failures = 0;
            if events.is_empty() {
                self.idle().await;
                continue;
            }
            for event in &events {
                match self.deliver(event).await {
                    Next::Event => {}
                    Next::Pause(pause) => {
                        self.rest(pause).await;
                        break;
                    }
                    Next::Stop => return,
                }
            }
        }
    }

    /// One attempt, and what follows from it, written down.
    async fn deliver(&mut self, event: &Pending) -> Next {
        self.stats.attempts.fetch_add(1, Relaxed);
        let outcome = tokio::select! {
            biased;
            outcome = self.target.send(&event.event_id, event.body.clone(), (self.clock)()) => outcome,
            () = grace(&mut self.shutdown) => return Next::Stop,
        };
        let now = (self.clock)();
        let (mark, next) = match outcome {
            SendOutcome::Delivered => (Mark::Delivered, Next::Event),
            SendOutcome::Dead { error } => (Mark::Dead { error: error.to_string() }, Next::Event),
            SendOutcome::Retry { after, error } => self.after_failure(event, now, after, &error.to_string()),
        };
        self.count(&mark, event, now);
        match self.write_down(event, &mark, now).await {
            Some(true) => next,
            Some(false) => Next::Pause(PAUSE_MAX),
            None => Next::Stop,
        }
    }

    fn after_failure(&mut self, event: &Pending, now: Timestamp, after: Option<Span>, error: &str) -> (Mark, Next) {
        self.failures = self.failures.saturating_add(1);
        let attempts = event.attempts.saturating_add(1);
        let asked = after.unwrap_or(Span::ZERO).min(RETRY_AFTER_MAX);
        let rest = backoff(self.failures, (self.jitter)()).min(PAUSE_MAX).max(asked);
        let last = event.created_at + MAX_AGE;
        if now >= last {
            let error = format!("{error}; given up after {MAX_AGE}");
            return (Mark::Dead { error }, Next::Pause(rest));
        }
        let next_attempt_at = next_attempt(attempts, now, after, (self.jitter)());
        let (next_attempt_at, hold) = if attempts < HOLD_ATTEMPTS {
            (next_attempt_at, next_attempt_at - now)
        } else {
            // Later than the pause's end, or the oldest event would come first again and nothing could ever pass it.
            (next_attempt_at.max(now + rest + OVERTAKE), Span::ZERO)
        };
        // The last try is made on the day, not skipped because the backoff steps over it.
        let next_attempt_at = next_attempt_at.min(last);
        (Mark::Failed { next_attempt_at, error: error.to_owned() }, Next::Pause(rest.max(hold)))
    }

    fn count(&mut self, mark: &Mark, event: &Pending, now: Timestamp) {
        let (target, event_id, attempt) = (self.target.name(), event.event_id.as_str(), event.attempts.saturating_add(1));
        match mark {
            Mark::Delivered => {
                self.failures = 0;
                self.stats.delivered.fetch_add(1, Relaxed);
                self.stats.last_delivered_ms.store(now.as_millis(), Relaxed);
                tracing::debug!(target_name = target, event_id, attempt, "webhook delivered");
            }
            Mark::Failed { next_attempt_at, error } => {
                self.stats.failed.fetch_add(1, Relaxed);
                tracing::warn!(target_name = target, event_id, attempt, %next_attempt_at, error, "webhook failed, will be tried again");
            }
            Mark::Dead { error } => {
                self.stats.dead.fetch_add(1, Relaxed);
                tracing::error!(target_name = target, event_id, attempt, error, "webhook given up");
            }
        }
        self.stats.failures_in_a_row.store(u64::from(self.failures), Relaxed);
    }

    /// Tells the outbox, again and again, before anything else is sent: going on without would repeat the request. After
    /// [`WRITE_TRIES`] it does go on, since other events may fare better. `None` if the shutdown came first, or else whether it is written.
    async fn write_down(&mut self, event: &Pending, mark: &Mark, now: Timestamp) -> Option<bool> {
        for failures in 1..=WRITE_TRIES {
            let (target, id) = (self.target.name(), event.event_id.as_str());
            let written = match mark {
                Mark::Delivered => self.outbox.mark_delivered(id, target, now).await,
                Mark::Failed { next_attempt_at, error } => self.outbox.mark_failed(id, target, error, *next_attempt_at).await,
                Mark::Dead { error } => self.outbox.mark_dead(id, target, error).await,
            };
            let Err(e) = written else { return Some(true) };
            if !self.outbox_trouble(&e, failures).await {
                return None;
            }
        }
        Some(false)
    }

    /// False if the shutdown came during the pause.
    async fn outbox_trouble(&mut self, error: &O::Error, failures: u32) -> bool {
        self.stats.outbox_errors.fetch_add(1, Relaxed);
        tracing::error!(target_name = self.target.name(), %error, "the outbox cannot be used, will be tried again");
        let pause = backoff(failures, (self.jitter)()).min(PAUSE_MAX);
        self.rest(pause).await
    }

    /// Sleeps, by the monotonic clock. False if the shutdown came first.
    async fn rest(&mut self, pause: Span) -> bool {
        tokio::select! {
            biased;
            () = stopped(&mut self.shutdown) => false,
            () = sleep(pause.to_std()) => true,
        }
    }

    /// Sleeps until the next event is due, something new comes, or the shutdown.
    async fn idle(&mut self) {
        let pause = match self.outbox.next_due(self.target.name()).await {
            Ok(Some(at)) => (at - (self.clock)()).to_std().clamp(IDLE_MIN, IDLE_MAX),
            // An outbox that cannot answer is asked again by the loop, which also counts and reports it.
            Ok(None) | Err(_) => IDLE_MAX,
        };
        tokio::select! {
            () = stopped(&mut self.shutdown) => {}
            () = woken(&mut self.wake) => {}
            () = sleep(pause) => {}
        }
    }
}

/// Done once the shutdown is asked for, or can no longer be.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // The error says that the sender is gone, and that is the same to us.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Done [`SHUTDOWN_GRACE`] after the shutdown is asked for.
async fn grace(shutdown: &mut watch::Receiver<bool>) {
    stopped(shutdown).await;
    sleep(SHUTDOWN_GRACE).await;
}

/// Done at the next wake-up; never, when nobody is left who could send one.
async fn woken(wake: &mut watch::Receiver<()>) {
    if wake.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
