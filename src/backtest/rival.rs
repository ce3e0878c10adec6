//! The naive rival that every claim stands beside: the alert that everybody writes first, `predict_linear(metric[6h], horizon)` past the
//! threshold, held for as many samples as our own predictions are and taken back after as many.
//!
//! The line is Prometheus' own: least squares through all samples of the range, continued from now
//! (<https://prometheus.io/docs/prometheus/latest/querying/functions/#predict_linear>).

use std::collections::VecDeque;

use super::alarm::{Alarm, Verdict};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Limit, Watch};

/// The range that most published alerts use.
pub const RANGE: Span = Span::from_secs(6 * 3_600);
/// A line needs two points; below this many a first sample's noise would be its slope.
const LEAST_POINTS: usize = 4;
/// Sums are worked out anew after this long, so that rounding errors of adding and taking away do not pile up.
const ANEW_AFTER: Span = RANGE;
/// Alarms of one series that wait for their truth at most, as in the engine.
const MAX_PENDING: usize = 4;
/// Below this share of the samples that there should have been, nobody can say that it did not happen. As in the engine.
const LEAST_SEEN: f64 = 0.5;

/// One series as the rival sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rival {
    line: Line,
    streak: u16,
    clear_streak: u16,
    waiting: Vec<Waiting>,
    settled: Vec<Alarm>,
}

#[derive(Clone, Debug)]
struct Waiting {
    alarm: Alarm,
    seen: u32,
}

/// One sample with what is known about its series at that moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub at: Timestamp,
    pub value: f64,
    pub limit: &'a Limit,
    pub threshold: f64,
    /// When the breach began that this sample completes.
    pub began: Option<Timestamp>,
    /// In breach, or perhaps about to be.
    pub near: bool,
    pub judged: bool,
}

impl Rival {
    pub fn sample(&mut self, look: &Look<'_>, watch: &Watch) {
        self.line.push(look.at, look.value);
        for waiting in &mut self.waiting {
            waiting.seen += 1;
            if let Some(since) = look.began.filter(|since| *since <= waiting.alarm.due_at) {
                waiting.alarm.verdict = Verdict::CameTrue { at: since };
                waiting.alarm.closed_at.get_or_insert(look.at);
            }
        }
        let undecided = look.near && look.began.is_none();
        self.settle(look.at, watch, if undecided { watch.step.times(10) } else { Span::ZERO });
        if look.judged {
            self.judge(look, watch);
        }
    }

    fn judge(&mut self, look: &Look<'_>, watch: &Watch) {
        let hysteresis = &watch.hysteresis;
        let foreseen = self.line.at(look.at + watch.horizon).is_some_and(|v| look.limit.side.is_breach(v, look.threshold));
        if let Some(open) = self.waiting.iter_mut().find(|w| w.alarm.closed_at.is_none()) {
            self.clear_streak = if foreseen { 0 } else { self.clear_streak + 1 };
            if self.clear_streak >= hysteresis.clear_after {
                open.alarm.closed_at = Some(look.at);
            }
            return;
        }
        self.streak = if foreseen && !look.near { self.streak + 1 } else { 0 };
        if self.streak < hysteresis.raise_after || self.waiting.len() >= MAX_PENDING {
            return;
        }
        (self.streak, self.clear_streak) = (0, 0);
        let due_at = look.at + watch.horizon;
        self.waiting.push(Waiting { alarm: Alarm { raised_at: look.at, closed_at: None, due_at, verdict: Verdict::Pending }, seen: 0 });
    }

    /// Lets time pass up to `at`; alarms whose horizon has passed `grace` ago are settled.
    fn settle(&mut self, at: Timestamp, watch: &Watch, grace: Span) {
        let wanted = LEAST_SEEN * (watch.horizon.as_millis() / watch.step.as_millis().max(1)) as f64;
        for Waiting { alarm, seen } in &mut self.waiting {
            if alarm.verdict == Verdict::Pending && at > alarm.due_at + grace {
                alarm.verdict = if f64::from(*seen) >= wanted { Verdict::DidNot } else { Verdict::NotKnown };
                alarm.closed_at.get_or_insert(at);
            }
        }
        let (waiting, settled) = std::mem::take(&mut self.waiting).into_iter().partition(|w| w.alarm.verdict == Verdict::Pending);
        self.waiting = waiting;
        let settled: Vec<Waiting> = settled;
        self.settled.extend(settled.into_iter().map(|w| w.alarm));
    }

    /// All alarms, once no more samples come.
    pub fn finish(mut self, at: Timestamp, watch: &Watch) -> Vec<Alarm> {
        self.settle(at, watch, Span::ZERO);
        self.settled.extend(self.waiting.into_iter().map(|w| w.alarm));
        self.settled
    }
}

/// Least squares over the samples of the last [`RANGE`], by running sums.
#[derive(Clone, Debug, Default)]
struct Line {
    points: VecDeque<(Timestamp, f64)>,
    base: Timestamp,
    sums: Sums,
}

/// Hours since the base on x.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Sums {
    fn add(&mut self, x: f64, y: f64, sign: f64) {
        self.x += sign * x;
        self.y += sign * y;
        self.xx += sign * x * x;
        self.xy += sign * x * y;
    }
}

impl Line {
    fn push(&mut self, at: Timestamp, value: f64) {
        self.points.push_back((at, value));
        if self.points.len() == 1 || at - self.base >= ANEW_AFTER + RANGE {
            self.points.retain(|(t, _)| at - *t < RANGE);
            self.base = self.points.front().map_or(at, |(t, _)| *t);
            self.sums = Sums::default();
            for (t, v) in &self.points {
                self.sums.add(hours(*t - self.base), *v, 1.0);
            }
            return;
        }
        self.sums.add(hours(at - self.base), value, 1.0);
        while let Some((t, v)) = self.points.front().copied().filter(|(t, _)| at - *t >= RANGE) {
            self.sums.add(hours(t - self.base), v, -1.0);
            self.points.pop_front();
        }
    }

    /// The line's value at a time; `None` where there are too few points for a line.
    fn at(&self, time: Timestamp) -> Option<f64> {
        let n = self.points.len() as f64;
        let spread = self.sums.xx - self.sums.x * self.sums.x / n;
        if self.points.len() < LEAST_POINTS || spread <= 0.0 {
            return None;
        }
        let slope = (self.sums.xy - self.sums.x * self.sums.y / n) / spread;
        let (x, y) = (self.sums.x / n, self.sums.y / n);
        Some(y + slope * (hours(time - self.base) - x))
    }
}

fn hours(span: Span) -> f64 {
    span.as_secs_f64() / 3_600.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_least_squares_over_the_last_six_hours_whatever_went_before() {
        let mut line = Line::default();
        let value = |i: i64| 1e6 + (i * i % 17) as f64 + if i < 300 { 1e9 } else { 0.0 };
        for i in 0..1000_i64 {
            line.push(Timestamp::from_millis(i * 300_000), value(i));
            let from = (i - 71).max(0);
            let points: Vec<(f64, f64)> = (from..=i).map(|k| ((k - i) as f64 / 12.0, value(k))).collect();
            assert_eq!(line.points.len(), points.len());
            if points.len() < LEAST_POINTS {
                continue;
            }
            let n = points.len() as f64;
            let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
            let slope =
                points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>();
            let want = my + slope * (24.0 - mx);
            let got = line.at(Timestamp::from_millis(i * 300_000) + Span::DAY).unwrap();
            assert!((got - want).abs() < 1e-9 * 1e9, "{i}: {got} instead of {want}");
        }
    }
}
