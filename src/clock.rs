//! Where the shells get the time from: the machine's clock, a fast one for the demo, one turned by hand for tests and backtests.
//!
//! The core never reads a clock, so this port is all there is to replace when time is to run differently. It gives wall time (UTC), because
//! samples carry wall time, but does not pass the machine's clock through: NTP steps it, virtual machines are paused, laptops sleep.
//! [`SystemClock`] turns those into one rule that a scheduler can live with; see there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::core::time::{Span, Timestamp};

/// The time now, and waiting for a time.
pub trait Clock: Send + Sync {
    /// UTC, in milliseconds.
    fn now(&self) -> Timestamp;

    /// Whether it is the machine's, whose owner may set it.
    fn is_machines(&self) -> bool {
        false
    }

    /// Ends once [`Clock::now`] is at or past `time`; at once if it is already.
    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()>;
}

/// A machine's clock that was set back by at most this much is let catch up; one set back further is believed at once. NTP steps in
/// practice are below a second or two; while we wait, time runs at half speed, so ten seconds of difference cost twenty of waiting. An hour
/// would leave the daemon for two hours in a future for which no source has samples.
pub const MAX_HELD_BACK: Span = Span::from_secs(10);

/// No sleep is longer than this before the time is read again: after a suspended laptop or a clock set forward the daemon notices within it.
const MAX_NAP: Duration = Duration::from_secs(5);

/// Wall time that does not go backwards because of a small step of the machine's clock.
///
/// Between two readings the monotonic clock says how much time has passed, and the machine's wall clock where we should be:
/// - ahead of where we would be (set forward, or woken from sleep): taken over at once. A scheduler sees a late tick and catches up.
/// - behind by at most [`MAX_HELD_BACK`]: time goes on at half speed until the wall clock has caught up. Nothing runs twice.
/// - behind by more: taken over at once, with a warning in the log. **This is the only case in which time goes backwards**; the ticks of the
///   repeated stretch find nothing new, since every series remembers its last sample's time.
#[derive(Debug)]
pub struct SystemClock {
    anchor: Mutex<Anchor>,
    monotonic: Instant,
}

/// The last reading, in nanoseconds: of the monotonic clock since the start, and of what was said then.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    monotonic_ns: i128,
    said_ns: i128,
}

impl Anchor {
    /// The next reading. Returns how far time was set back, when it was.
    fn advance(&mut self, monotonic_ns: i128, wall_ns: i128) -> Option<i128> {
        let passed_ns = (monotonic_ns - self.monotonic_ns).max(0);
        let behind_ns = self.said_ns + passed_ns - wall_ns;
        let held_ns = i128::from(MAX_HELD_BACK.as_millis()) * 1_000_000;
        let next_ns = if behind_ns <= 0 || behind_ns > held_ns { wall_ns } else { wall_ns.max(self.said_ns + passed_ns / 2) };
        let set_back = (next_ns < self.said_ns).then_some(self.said_ns - next_ns);
        *self = Self { monotonic_ns, said_ns: next_ns };
        set_back
    }
}

impl SystemClock {
    pub fn new() -> Self {
        Self { anchor: Mutex::new(Anchor { monotonic_ns: 0, said_ns: wall_ns() }), monotonic: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Nanoseconds since the Unix epoch by the machine's clock; negative before it.
fn wall_ns() -> i128 {
    let ns = |d: Duration| i128::try_from(d.as_nanos()).unwrap_or(i128::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => ns(since),
        Err(before) => -ns(before.duration()),
    }
}

/// A panic elsewhere cannot leave these plain numbers half written, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let (said_ns, set_back) = {
            let mut anchor = lock(&self.anchor);
            // Read under the lock: two threads must not hand in their readings in the wrong order.
            let monotonic_ns = i128::try_from(self.monotonic.elapsed().as_nanos()).unwrap_or(i128::MAX);
            let set_back = anchor.advance(monotonic_ns, wall_ns());
            (anchor.said_ns, set_back)
        };
        if let Some(ns) = set_back {
            let back_s = (ns / 1_000_000_000).to_string();
            tracing::warn!(back_s, "the machine's clock was set back; times already seen come again and bring nothing new");
        }
        Timestamp::from_millis(i64::try_from(said_ns.div_euclid(1_000_000)).unwrap_or(i64::MAX))
    }

    fn is_machines(&self) -> bool {
        true
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            loop {
                let left = time - self.now();
                if left <= Span::ZERO {
                    return;
                }
                tokio::time::sleep(left.to_std().min(MAX_NAP)).await;
            }
        }
        .boxed()
    }
}

/// A speed that no clock can run at.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("cannot run time at {speed} times its speed: want a number above 0, at most {MAX_SPEED}")]
pub struct SpeedError {
    pub speed: f64,
}

/// Above this a minute passes in 60 µs, less than the timer's own resolution of one millisecond: nothing could be awaited any more.
pub const MAX_SPEED: f64 = 1e6;

/// Time that starts at a chosen moment and runs `speed` times as fast as the real one: fourteen days of data in a minute. Its pace may be
/// changed while it runs; it never jumps.
#[derive(Debug)]
pub struct AcceleratedClock {
    pace: watch::Sender<Pace>,
}

/// Since when time has run how fast.
#[derive(Clone, Copy, Debug)]
struct Pace {
    start: Timestamp,
    origin: Instant,
    speed: f64,
}

impl Pace {
    fn now(&self) -> Timestamp {
        self.start + Span::from_secs_f64(self.origin.elapsed().as_secs_f64() * self.speed)
    }
}

impl AcceleratedClock {
    /// Starts now.
    ///
    /// # Errors
    /// When `speed` is not above zero and at most [`MAX_SPEED`].
    pub fn new(start: Timestamp, speed: f64) -> Result<Self, SpeedError> {
        is_speed(speed)?;
        Ok(Self { pace: watch::Sender::new(Pace { start, origin: Instant::now(), speed }) })
    }

    /// From now on time runs so fast; who sleeps sleeps by the new pace.
    ///
    /// # Errors
    /// As [`AcceleratedClock::new`].
    pub fn set_speed(&self, speed: f64) -> Result<(), SpeedError> {
        is_speed(speed)?;
        self.pace.send_modify(|pace| *pace = Pace { start: pace.now(), origin: Instant::now(), speed });
        Ok(())
    }

    pub fn speed(&self) -> f64 {
        self.pace.borrow().speed
    }
}

fn is_speed(speed: f64) -> Result<(), SpeedError> {
    if speed > 0.0 && speed <= MAX_SPEED { Ok(()) } else { Err(SpeedError { speed }) }
}

impl Clock for AcceleratedClock {
    fn now(&self) -> Timestamp {
        self.pace.borrow().now()
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            let mut changes = self.pace.subscribe();
            loop {
                let pace = *changes.borrow_and_update();
                let left_s = (time - pace.now()).as_secs_f64();
                if left_s <= 0.0 {
                    return;
                }
                let nap = Duration::from_secs_f64((left_s / pace.speed).min(MAX_NAP.as_secs_f64()));
                tokio::select! {
                    () = tokio::time::sleep(nap) => {}
                    // The sender is ours, so it is not gone.
                    _ = changes.changed() => {}
                }
            }
        }
        .boxed()
    }
}

/// Time that stands still until it is set.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
}

impl ManualClock {
    pub fn new(now: Timestamp) -> Self {
        Self { now: watch::Sender::new(now) }
    }

    /// Sets the time, forward or backward, and wakes who waited for it.
    pub fn set(&self, now: Timestamp) {
        self.now.send_replace(now);
    }

    pub fn advance(&self, by: Span) {
        self.now.send_modify(|now| *now = *now + by);
    }

    /// How many are asleep: a test that advances the time once its subject sleeps has no race.
    pub fn sleepers(&self) -> usize {
        self.now.receiver_count()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        let mut now = self.now.subscribe();
        async move {
            // An error would mean that the sender is gone, and it is borrowed by this very future.
            let _ = now.wait_for(|now| *now >= time).await;
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const S: i128 = 1_000_000_000;

    fn anchor() -> Anchor {
        Anchor { monotonic_ns: 0, said_ns: 1_000 * S }
    }

    #[test]
    fn a_step_forward_is_taken_over_and_drift_is_followed() {
        let mut a = anchor();
        assert_eq!((a.advance(S, 1_001 * S), a.said_ns), (None, 1_001 * S));
        assert_eq!((a.advance(2 * S, 5_000 * S), a.said_ns), (None, 5_000 * S));
    }

    #[test]
    fn a_small_step_back_slows_time_down_until_it_is_made_up() {
        let mut a = anchor();
        let mut last = a.said_ns;
        let mut caught_up = None;
        for second in 1..=12 {
            // Four seconds back at once, then a second a second.
            let wall = 996 * S + second * S;
            assert_eq!(a.advance(second * S, wall), None);
            assert!(a.said_ns > last, "time stood still or went back at {second}");
            last = a.said_ns;
            if a.said_ns == wall && caught_up.is_none() {
                caught_up = Some(second);
            }
        }
        assert_eq!(caught_up, Some(8), "four seconds at half speed take eight");
    }

    #[test]
    fn a_large_step_back_is_believed_and_reported() {
        let mut a = anchor();
        assert_eq!(a.advance(S, 400 * S), Some(600 * S));
        assert_eq!((a.advance(2 * S, 401 * S), a.said_ns), (None, 401 * S));
    }

    #[tokio::test]
    async fn the_system_clock_tells_the_machines_time_and_wakes_on_it() {
        let clock = SystemClock::new();
        let machine = Timestamp::from_millis(i64::try_from(wall_ns() / 1_000_000).unwrap());
        assert!((clock.now() - machine).as_millis().abs() < 1_000);
        let until = clock.now() + Span::from_millis(30);
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
        clock.sleep_until(Timestamp::MIN).await;
    }

    #[tokio::test]
    async fn the_fast_clock_passes_an_hour_in_a_moment() {
        let start = Timestamp::from_millis(1_000_000);
        let clock = AcceleratedClock::new(start, 100_000.0).unwrap();
        let began = Instant::now();
        clock.sleep_until(start + Span::HOUR).await;
        assert!(clock.now() - start >= Span::HOUR);
        let real = began.elapsed();
        assert!(real >= Duration::from_millis(30) && real < Duration::from_secs(5), "{real:?} for 36 ms");
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
            assert!(AcceleratedClock::new(start, bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_change_of_pace_moves_no_time_and_wakes_who_would_oversleep() {
        let start = Timestamp::from_millis(1_000_000);
        let clock = Arc::new(AcceleratedClock::new(start, 1.0).unwrap());
        let sleeper = clock.clone();
        let asleep = tokio::spawn(async move { sleeper.sleep_until(start + Span::HOUR.times(10)).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!asleep.is_finished() && clock.now() - start < Span::MINUTE);
        clock.set_speed(1e6).unwrap();
        tokio::time::timeout(Duration::from_secs(5), asleep).await.expect("it sleeps by the old pace").unwrap();
        assert!(clock.set_speed(0.0).is_err() && clock.speed() == 1e6);
        let before = clock.now();
        clock.set_speed(0.001).unwrap();
        assert!(clock.now() >= before && clock.now() - before < Span::DAY);
    }

    #[tokio::test]
    async fn the_manual_clock_wakes_only_those_whose_time_has_come() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let sleeper = |ms| {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep_until(Timestamp::from_millis(ms)).await })
        };
        let (soon, late) = (sleeper(10), sleeper(1_000));
        while clock.sleepers() < 2 {
            tokio::task::yield_now().await;
        }
        clock.advance(Span::from_millis(10));
        soon.await.unwrap();
        assert!(!late.is_finished());
        clock.set(Timestamp::from_millis(1_000));
        late.await.unwrap();
    }
}
