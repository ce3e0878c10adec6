//! Which stretch of time and of values a chart shows.
//!
//! Taking the smallest and the largest of everything drawn is the obvious rule and a bad one: one interval that blows up, or a threshold
//! ten times higher than any value, squeezes what was measured into a flat line. So what was measured is always shown whole; the rest has a
//! reach beyond it; and a threshold out of reach is named at the edge with an arrow instead.

use super::line::is_drawable;
use super::scene::Scene;
use super::time_ticks::{FIRST_MS, LAST_MS};
use super::unit::Unit;
use crate::core::time::{Span, Timestamp};

/// The stretch of time that a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// The stretch of values that a chart shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueRange {
    pub low: f64,
    pub high: f64,
    pub threshold: Placement,
}

/// Where the threshold lies as seen from the shown values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    Absent,
    Inside,
    Above,
    Below,
}

/// `now` is left outside when it is further than this many spans from everything else: stale data stays readable.
const NOW_REACH: i64 = 2;
/// Shown around a single point in time.
const LONE_POINT: Span = Span::from_secs(1_800);
/// How far a median may carry the axis beyond what was measured, in heights of the latter.
const MEDIAN_REACH: f64 = 1.5;
/// The same for intervals and the normal band.
const BAND_REACH: f64 = 0.6;
/// The threshold is drawn in place when what was measured still keeps this part of the height.
const LEAST_DATA_SHARE: f64 = 0.15;
/// Free height above and below.
const PADDING: f64 = 0.06;
/// Smaller differences are not shown larger than this part of the value: they are rounding, not news.
const LEAST_RELATIVE_SPAN: f64 = 1e-6;
/// The axis starts at zero when the lowest value is below this part of the highest.
const ZERO_PULL: f64 = 0.25;

/// From the first sample to the end of the forecast; `now` and the ETA's times inside.
pub fn time_range(scene: &Scene) -> TimeRange {
    let fits = |t: &Timestamp| (FIRST_MS..=LAST_MS).contains(&t.as_millis());
    let history = || scene.history.iter().filter(|s| is_drawable(s.1)).map(|s| s.0);
    let fan = || scene.forecast.iter().flat_map(|f| f.at.iter().copied());
    let band = || scene.normal.iter().map(|b| b.at);
    let known: Vec<Timestamp> = if history().chain(fan()).any(|t| fits(&t)) {
        history().chain(fan()).chain(scene.eta_times()).filter(fits).collect()
    } else {
        band().chain(scene.eta_times()).filter(fits).collect()
    };
    let now = Timestamp::from_millis(scene.now.as_millis().clamp(FIRST_MS, LAST_MS));
    let (mut start, mut end) = match (known.iter().min(), known.iter().max()) {
        (Some(start), Some(end)) => (*start, *end),
        _ => (now, now),
    };
    // A normal band may tell of a future that nobody forecast.
    if scene.forecast.is_none() && start < end {
        let limit = end + Span::from_millis((end - start).as_millis() / 2);
        end = band().filter(|t| fits(t) && *t <= limit).fold(end, Timestamp::max);
    }
    let reach = Span::from_millis((end - start).as_millis().max(LONE_POINT.as_millis()).saturating_mul(NOW_REACH));
    if now >= start - reach && now <= end + reach {
        (start, end) = (start.min(now), end.max(now));
    }
    if start >= end {
        (start, end) = (start - LONE_POINT, end + LONE_POINT);
    }
    TimeRange { start, end }
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    low: f64,
    high: f64,
}

impl Extent {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        values.filter(|v| is_drawable(*v)).fold(None, |extent: Option<Self>, v| {
            Some(extent.map_or(Self { low: v, high: v }, |e| Self { low: e.low.min(v), high: e.high.max(v) }))
        })
    }

    fn span(self) -> f64 {
        self.high - self.low
    }

    fn with(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    /// Grows towards `other`, at most `reach` beyond either end of `core`.
    fn towards(self, other: Option<Self>, core: Self, reach: f64) -> Self {
        other.map_or(self, |o| {
            self.with(o.low.clamp(core.low - reach, core.high + reach)).with(o.high.clamp(core.low - reach, core.high + reach))
        })
    }
}

/// The values shown in `time`.
pub fn value_range(scene: &Scene, time: TimeRange) -> ValueRange {
    let shown = |t: Timestamp| t >= time.start && t <= time.end;
    let threshold = scene.threshold.map(|t| t.1).filter(|t| is_drawable(*t));
    let measured = Extent::of(scene.history.iter().chain(&scene.anomalies).filter(|s| shown(s.0)).map(|s| s.1));
    let median = Extent::of(scene.forecast.iter().flat_map(|f| f.at.iter().zip(&f.median)).filter(|p| shown(*p.0)).map(|p| *p.1));
    let normal = Extent::of(scene.normal.iter().filter(|b| shown(b.at)).flat_map(|b| [b.lower, b.upper]));
    let fan = Extent::of(scene.forecast.iter().flat_map(|f| &f.levels).flat_map(|l| l.lower.iter().chain(&l.upper)).copied());
    let Some(mut core) = measured.or(median).or(normal) else {
        let around = threshold.map_or(Extent { low: 0.0, high: 1.0 }, |t| Extent { low: t, high: t });
        return finished(around, scene.unit, threshold);
    };
    // An ETA without its threshold would hang in the air.
    let reached = |t: f64| scene.eta_times().next().is_some() || median.is_some_and(|m| m.low <= t && t <= m.high);
    if let Some(t) = threshold.filter(|t| reached(*t)) {
        core = core.with(t);
    }
    // What models say beyond the possible is not worth height, as long as nothing measured is there.
    let (floor, ceiling) = natural_bounds(scene.unit);
    let floor = if core.low >= floor { floor } else { f64::NEG_INFINITY };
    let ceiling = if core.high <= ceiling { ceiling } else { f64::INFINITY };
    let possible = |e: Option<Extent>| e.map(|e| Extent { low: e.low.clamp(floor, ceiling), high: e.high.clamp(floor, ceiling) });
    let (median, normal, fan) = (possible(median), possible(normal), possible(fan));
    let unit_height = core.span().max(least_span(core, scene.unit));
    let mut range = core.towards(median, core, unit_height * MEDIAN_REACH).towards(normal, core, unit_height * BAND_REACH).towards(
        fan,
        core,
        unit_height * BAND_REACH,
    );
    if let Some(t) = threshold {
        let with = range.with(t);
        let data = measured.map_or(core.span(), Extent::span).max(range.span());
        if measured.is_none_or(|m| m.span() == 0.0) || data >= with.span() * LEAST_DATA_SHARE {
            range = with;
        }
    }
    finished(range, scene.unit, threshold)
}

/// The least height worth drawing: differences below it look like differences below it.
fn least_span(extent: Extent, unit: Unit) -> f64 {
    let level = extent.low.abs().max(extent.high.abs());
    let of_unit = match unit {
        Unit::Ratio => 0.002,
        Unit::Percent => 0.2,
        Unit::Bytes | Unit::BytesPerSecond => 8.0,
        Unit::Seconds | Unit::Plain => f64::MIN_POSITIVE,
    };
    (level * LEAST_RELATIVE_SPAN).max(of_unit)
}

/// Pads, holds on to natural edges, and says where the threshold came to lie.
fn finished(extent: Extent, unit: Unit, threshold: Option<f64>) -> ValueRange {
    let Extent { mut low, mut high } = extent;
    if high - low < least_span(extent, unit) {
        // A constant lies in the middle of a tenth of its own size, or of a whole unit around zero.
        let around = [low.abs().max(high.abs()) * 0.05, if unit == Unit::Ratio { 0.01 } else { 1.0 }];
        let half = if low == 0.0 && high == 0.0 || unit == Unit::Ratio { around[0].max(around[1]) } else { around[0] };
        (low, high) = (low - half, high + half);
    }
    let padding = (high - low) * PADDING;
    let top = natural_bounds(unit).1;
    let (is_positive, is_below_top) = (extent.low >= 0.0, extent.high <= top);
    (low, high) = (low - padding, high + padding);
    if is_positive && low < (high * ZERO_PULL) {
        low = if extent.low == 0.0 { -padding * 0.25 } else { 0.0 };
    }
    if is_below_top && high > top {
        high = top + (top - low) * PADDING * 0.25;
    }
    let threshold = match threshold {
        None => Placement::Absent,
        Some(t) if t > high => Placement::Above,
        Some(t) if t < low => Placement::Below,
        Some(_) => Placement::Inside,
    };
    ValueRange { low, high, threshold }
}

/// A whole is never more than itself, and no size is negative.
fn natural_bounds(unit: Unit) -> (f64, f64) {
    match unit {
        Unit::Ratio => (0.0, 1.0),
        Unit::Percent => (0.0, 100.0),
        Unit::Bytes | Unit::BytesPerSecond => (0.0, f64::INFINITY),
        Unit::Seconds | Unit::Plain => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::scene::{BandPoint, Fan, FanLevel};
    use crate::core::prediction::Eta;
    use crate::core::watch::Side;

    const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

    fn scene(values: &[f64]) -> Scene {
        let at = |i: usize| NOW - Span::MINUTE.times(i64::try_from(values.len() - 1 - i).unwrap());
        Scene { history: values.iter().enumerate().map(|(i, v)| (at(i), *v)).collect(), ..Scene::new("t", NOW) }
    }

    fn range(scene: &Scene) -> ValueRange {
        value_range(scene, time_range(scene))
    }

    fn fan(median: f64, lower: f64, upper: f64) -> Fan {
        Fan {
            at: vec![NOW + Span::HOUR],
            median: vec![median],
            levels: vec![FanLevel { level: 0.8, lower: vec![lower], upper: vec![upper] }],
        }
    }

    #[test]
    fn everything_measured_is_inside() {
        let shown = range(&scene(&[60.0, 62.0, 1_000.0, 61.0]));
        assert!(shown.low >= 0.0 && shown.low <= 60.0 && shown.high > 1_000.0);
        assert_eq!(shown.threshold, Placement::Absent);
    }

    #[test]
    fn a_far_threshold_is_named_at_the_edge_and_a_near_one_drawn() {
        let mut far = scene(&[60.0, 61.0, 62.0]);
        far.threshold = Some((Side::Above, 9_000.0));
        let shown = range(&far);
        assert_eq!(shown.threshold, Placement::Above);
        assert!(shown.high < 70.0);
        far.threshold = Some((Side::Below, -9_000.0));
        assert_eq!(range(&far).threshold, Placement::Below);
        far.threshold = Some((Side::Above, 66.0));
        assert_eq!(range(&far).threshold, Placement::Inside);
        // With an ETA the threshold belongs into the picture whatever it costs.
        far.threshold = Some((Side::Above, 9_000.0));
        far.eta = Some(Eta { p10: Some(NOW + Span::HOUR), ..Eta::default() });
        assert_eq!(range(&far).threshold, Placement::Inside);
    }

    #[test]
    fn a_forecast_that_blows_up_does_not_flatten_the_past() {
        let mut wild = scene(&[10.0, 12.0, 14.0]);
        wild.forecast = Some(fan(1e12, -1e15, 1e15));
        let shown = range(&wild);
        assert!(shown.high - shown.low < 5.0 * 4.0, "{shown:?}");
        wild.unit = Unit::Ratio;
        wild.history.iter_mut().for_each(|s| s.1 /= 20.0);
        assert!(range(&wild).high <= 1.02, "a ratio beyond 1 is not worth height: {:?}", range(&wild));
        let mut wild = scene(&[10.0, 12.0, 14.0]);
        wild.forecast = Some(fan(f64::NAN, f64::NEG_INFINITY, f64::INFINITY));
        assert!(range(&wild).high < 20.0);
    }

    #[test]
    fn degenerate_series_have_a_height() {
        for values in
            [&[][..], &[0.0], &[5.0, 5.0, 5.0], &[-3.0, -3.0], &[1e15, 1e15], &[1e-12, 1e-12], &[f64::NAN, f64::NAN], &[1e300, -1e300]]
        {
            for unit in [Unit::Plain, Unit::Ratio, Unit::Bytes, Unit::Seconds] {
                let mut s = Scene { unit, ..scene_or_empty(values) };
                s.normal = vec![BandPoint { at: NOW, expected: f64::NAN, lower: f64::NAN, upper: f64::NAN }];
                let shown = range(&s);
                assert!(shown.high > shown.low && (shown.high - shown.low).is_finite(), "{values:?} {unit:?} {shown:?}");
            }
        }
    }

    fn scene_or_empty(values: &[f64]) -> Scene {
        if values.is_empty() { Scene::new("t", NOW) } else { scene(values) }
    }

    #[test]
    fn natural_edges_hold() {
        let mut disk = scene(&[0.2, 0.5, 0.7]);
        disk.unit = Unit::Ratio;
        disk.forecast = Some(fan(0.9, 0.6, 1.4));
        let shown = range(&disk);
        assert!(shown.low.abs() < f64::EPSILON && shown.high <= 1.02, "{shown:?}");
        assert!(range(&scene(&[-1.0, 3.0])).low < -1.0);
    }

    #[test]
    fn time_reaches_from_the_first_sample_to_the_last_forecast_with_now_inside() {
        let mut s = scene(&[1.0; 60]);
        s.forecast = Some(fan(1.0, 0.0, 2.0));
        assert_eq!(time_range(&s), TimeRange { start: NOW - Span::MINUTE.times(59), end: NOW + Span::HOUR });
        // Data a year old: now lies outside rather than squeezing it into a pixel.
        s.now = NOW + Span::DAY.times(365);
        assert_eq!(time_range(&s).end, NOW + Span::HOUR);
        let empty = time_range(&Scene::new("t", NOW));
        assert_eq!(empty, TimeRange { start: NOW - LONE_POINT, end: NOW + LONE_POINT });
        let mut odd = Scene::new("t", Timestamp::MIN);
        odd.history = vec![(Timestamp::MIN, 1.0), (Timestamp::from_millis(i64::MAX), 2.0)];
        let range = time_range(&odd);
        assert!(range.start < range.end);
    }
}
