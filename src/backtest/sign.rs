//! What a naive alert goes by, sample by sample: a straight line continued, a lower threshold, a week's mean and sigma.

use std::collections::VecDeque;

use super::rival::Look;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// A line needs two points; below this many a first sample's noise would be its slope.
const LEAST_POINTS: usize = 4;
/// The fixed warning stands this share of the threshold before it: the 80 % and 90 % of most published alerts' warnings lie around it.
const WARNING_SHARE: f64 = 0.1;
/// As wide as "three sigma" says.
const SIGMAS: f64 = 3.0;
/// Hours of a week.
const HOURS: usize = 168;
/// Samples of a day at an hour's step: with fewer, sigma is not known.
const LEAST_COUNT: f64 = 24.0;

/// One naive alert's view of one series.
#[derive(Clone, Debug)]
pub(super) enum Sign {
    /// `predict_linear(metric[range], horizon)` past the threshold.
    Line(Line),
    /// A fixed threshold, a tenth before the one that counts.
    Warning,
    /// Further from the mean of seven days, towards the threshold, than three of their sigmas.
    Sigma(Week),
}

impl Sign {
    /// In the order in which they are shown: the first one is *the* rival.
    pub fn all() -> [(&'static str, Self); 4] {
        [
            ("predict_linear[6h]", Self::Line(Line::over(Span::HOUR.times(6)))),
            ("predict_linear[1h]", Self::Line(Line::over(Span::HOUR))),
            ("threshold 10 % lower", Self::Warning),
            ("7 days' mean +- 3 sigma", Self::Sigma(Week::default())),
        ]
    }

    /// Takes in samples in order of time, and tells at each whether it warns; never at one that nobody judges.
    pub fn go_over(&mut self, looks: &[Look<'_>], watch: &Watch, mut tell: impl FnMut(&Look<'_>, bool)) {
        match self {
            Self::Line(line) => looks.iter().for_each(|look| {
                line.push(look.at, look.value);
                let warns = look.judged && line.at(look.at + watch.horizon).is_some_and(|v| look.limit.side.is_breach(v, look.threshold));
                tell(look, warns);
            }),
            Self::Warning => looks.iter().for_each(|look| {
                let warning = look.threshold - look.toward() * WARNING_SHARE * look.threshold.abs();
                tell(look, look.judged && look.limit.side.is_breach(look.value, warning));
            }),
            Self::Sigma(week) => looks.iter().for_each(|look| {
                let known = if look.judged { week.mean_and_sigma() } else { None };
                week.push(look.at, look.value);
                tell(look, known.is_some_and(|(mean, sigma)| look.toward() * (look.value - mean) > SIGMAS * sigma));
            }),
        }
    }
}

/// Rolling mean and sigma over seven days, by sums an hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Week {
    /// Number of the newest hour since 1970, and when it ends.
    newest: i64,
    ends: Timestamp,
    /// Its place in `hours`.
    place: usize,
    /// Count, sum and sum of squares of each hour, around `base`; empty until the first sample.
    hours: Vec<[f64; 3]>,
    /// Of all hours; added up anew with each hour, so that no rounding error stays.
    total: [f64; 3],
    base: f64,
}

impl Week {
    fn push(&mut self, at: Timestamp, value: f64) {
        if at >= self.ends || self.hours.is_empty() {
            self.begin_hour(at, value);
        }
        let from_base = value - self.base;
        let added = [1.0, from_base, from_base * from_base];
        let sums = &mut self.hours[self.place];
        (*sums, self.total) = (plus(*sums, added), plus(self.total, added));
    }

    fn begin_hour(&mut self, at: Timestamp, value: f64) {
        let hour = at.as_millis().div_euclid(Span::HOUR.as_millis());
        let place = |hour: i64| hour.rem_euclid(HOURS as i64) as usize;
        if self.hours.is_empty() {
            (self.hours, self.base, self.newest) = (vec![[0.0; 3]; HOURS], value, hour);
        }
        for passed in (self.newest + 1..=hour).rev().take(HOURS) {
            self.hours[place(passed)] = [0.0; 3];
        }
        (self.newest, self.place) = (hour, place(hour));
        self.ends = at.floor(Span::HOUR) + Span::HOUR;
        self.total = self.hours.iter().copied().fold([0.0; 3], plus);
    }

    fn mean_and_sigma(&self) -> Option<(f64, f64)> {
        let [count, sum, square] = self.total;
        let mean = sum / count;
        (count >= LEAST_COUNT).then(|| (self.base + mean, (square / count - mean * mean).max(0.0).sqrt()))
    }
}

fn plus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// Least squares over the samples of a range, by running sums: Prometheus' own line
/// (<https://prometheus.io/docs/prometheus/latest/querying/functions/#predict_linear>).
#[derive(Clone, Debug)]
pub(super) struct Line {
    range: Span,
    points: VecDeque<Point>,
    base: Timestamp,
    sums: Sums,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Timestamp,
    /// Hours since the base.
    x: f64,
    y: f64,
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
    pub fn over(range: Span) -> Self {
        Self { range, points: VecDeque::new(), base: Timestamp::default(), sums: Sums::default() }
    }

    fn push(&mut self, at: Timestamp, value: f64) {
        let since = at - self.base;
        // Anew after each range, so that rounding errors of adding and taking away do not pile up.
        if self.points.is_empty() || since >= self.range.times(2) {
            self.points.push_back(Point { at, x: 0.0, y: value });
            self.begin(at);
            return;
        }
        let point = Point { at, x: hours(since), y: value };
        self.points.push_back(point);
        self.sums.add(point.x, value, 1.0);
        while let Some(oldest) = self.points.front().copied().filter(|oldest| at - oldest.at >= self.range) {
            self.sums.add(oldest.x, oldest.y, -1.0);
            self.points.pop_front();
        }
    }

    /// Moves the base to the oldest point that is still in the range.
    fn begin(&mut self, at: Timestamp) {
        while self.points.front().is_some_and(|oldest| at - oldest.at >= self.range) {
            self.points.pop_front();
        }
        self.base = self.points.front().map_or(at, |oldest| oldest.at);
        self.sums = Sums::default();
        for point in &mut self.points {
            point.x = hours(point.at - self.base);
            self.sums.add(point.x, point.y, 1.0);
        }
    }

    /// The line's value at a time; `None` where there are too few points for a line.
    fn at(&self, time: Timestamp) -> Option<f64> {
        if self.points.len() < LEAST_POINTS {
            return None;
        }
        let share = 1.0 / self.points.len() as f64;
        let (x, y) = (self.sums.x * share, self.sums.y * share);
        let spread = self.sums.xx - self.sums.x * x;
        if spread <= 0.0 {
            return None;
        }
        Some(y + (self.sums.xy - self.sums.x * y) / spread * (hours(time - self.base) - x))
    }
}

/// A product, since the lines ask it of every sample.
fn hours(span: Span) -> f64 {
    const HOURS_PER_MS: f64 = 1.0 / 3_600_000.0;
    span.as_millis() as f64 * HOURS_PER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_least_squares_over_the_last_six_hours_whatever_went_before() {
        let mut line = Line::over(Span::HOUR.times(6));
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

    #[test]
    fn a_week_is_what_brute_force_over_its_hours_says() {
        let mut week = Week::default();
        let value = |i: i64| 1e7 + ((i * 7919) % 101) as f64 + if i > 900 { 50.0 } else { 0.0 };
        // A gap of nine days empties it.
        for i in (0..1_500_i64).chain(1_500 + 216..2_000) {
            week.push(Timestamp::from_millis(i * 3_600_000), value(i));
            let held: Vec<f64> = (i - 167..=i).filter(|k| *k >= 0 && !(1_500..1_716).contains(k)).map(value).collect();
            let Some((mean, sigma)) = week.mean_and_sigma() else {
                assert!(held.len() < 24);
                continue;
            };
            let want = held.iter().sum::<f64>() / held.len() as f64;
            let spread = (held.iter().map(|v| (v - want).powi(2)).sum::<f64>() / held.len() as f64).sqrt();
            assert!((mean - want).abs() < 1e-6 && (sigma - spread).abs() < 1e-6, "{i}: {mean} {want}, {sigma} {spread}");
        }
    }
}
