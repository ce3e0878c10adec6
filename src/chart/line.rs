//! From samples to what a line of pixels can show: cut at gaps, thinned to the lowest and the highest of each pixel column.
//!
//! Thinning by every n-th sample would lose the one-minute spike that the chart is looked at for; the extremes of each column are exactly
//! what ten thousand drawn samples would have left on the screen.

use crate::core::time::{Span, Timestamp};

/// A place on the picture, pixels from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// A rectangle on the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    #[cfg(test)]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
}

/// Values beyond are taken as missing: sums and differences of two of them would overflow.
pub const LARGEST_VALUE: f64 = 1e300;
/// A jump of more than this many usual steps is a gap: late scrapes are still a line, one lost sample is not.
const GAP_STEPS: f64 = 1.5;
/// The usual step is the 90 % quantile of the steps, so that irregular samples still make a line.
const USUAL_STEP_QUANTILE: f64 = 0.9;

/// A number that can be drawn.
pub fn is_drawable(value: f64) -> bool {
    value.abs() <= LARGEST_VALUE
}

/// The 90 % quantile of the time between samples; zero with fewer than two.
pub fn usual_step(samples: &[(Timestamp, f64)]) -> Span {
    let mut steps: Vec<Span> = samples.windows(2).map(|w| w[1].0 - w[0].0).filter(|s| *s > Span::ZERO).collect();
    if steps.is_empty() {
        return Span::ZERO;
    }
    let index = ((steps.len() - 1) as f64 * USUAL_STEP_QUANTILE) as usize;
    *steps.select_nth_unstable(index).1
}

/// Stretches of samples without a gap in between: a gap is a value that is no number, or a jump in time. Samples out of order are sorted
/// first; of two at one time the later in the list counts.
pub fn runs(samples: &[(Timestamp, f64)]) -> Vec<Vec<(Timestamp, f64)>> {
    let sorted;
    let samples = if samples.is_sorted_by(|a, b| a.0 < b.0) {
        samples
    } else {
        let mut copy = samples.to_vec();
        copy.sort_by_key(|s| s.0);
        copy.reverse();
        copy.dedup_by_key(|s| s.0);
        copy.reverse();
        sorted = copy;
        &sorted
    };
    let longest_ms = usual_step(samples).as_millis() as f64 * GAP_STEPS;
    let mut runs: Vec<Vec<(Timestamp, f64)>> = Vec::new();
    let mut last: Option<Timestamp> = None;
    for &(at, value) in samples {
        if !is_drawable(value) {
            last = None;
            continue;
        }
        match (last, runs.last_mut()) {
            (Some(before), Some(run)) if (at - before).as_millis() as f64 <= longest_ms => run.push((at, value)),
            _ => runs.push(vec![(at, value)]),
        }
        last = Some(at);
    }
    runs
}

/// At most four points of each pixel column, in order: the first, the lowest, the highest, the last.
pub fn thin(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    let mut rest = points;
    while let Some(first) = rest.first() {
        let column = first.x.floor();
        let len = rest.iter().position(|p| p.x.floor() != column).unwrap_or(rest.len());
        let (bucket, after) = rest.split_at(len);
        let extreme = |better: fn(f64, f64) -> bool| (0..len).fold(0, |best, i| if better(bucket[i].y, bucket[best].y) { i } else { best });
        let mut indices = [0, extreme(|a, b| a < b), extreme(|a, b| a > b), len - 1];
        indices.sort_unstable();
        for (i, index) in indices.iter().enumerate() {
            if i == 0 || indices[i - 1] != *index {
                kept.push(bucket[*index]);
            }
        }
        rest = after;
    }
    kept
}

/// The parts of a line that lie in `area`, cut where it leaves and enters.
pub fn clip(points: &[Point], area: &Rect) -> Vec<Vec<Point>> {
    let mut parts: Vec<Vec<Point>> = Vec::new();
    if let [only] = points {
        let inside = (area.left..=area.right).contains(&only.x) && (area.top..=area.bottom).contains(&only.y);
        return if inside { vec![vec![*only]] } else { Vec::new() };
    }
    for pair in points.windows(2) {
        let Some((from, to)) = clip_segment(pair[0], pair[1], area) else { continue };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&from) => part.push(to),
            _ => parts.push(vec![from, to]),
        }
    }
    parts
}

/// Liang and Barsky's line clipping (1984).
fn clip_segment(a: Point, b: Point, area: &Rect) -> Option<(Point, Point)> {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (delta, room) in [(-dx, a.x - area.left), (dx, area.right - a.x), (-dy, a.y - area.top), (dy, area.bottom - a.y)] {
        if delta == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if delta < 0.0 {
            enter = enter.max(room / delta);
        } else {
            leave = leave.min(room / delta);
        }
    }
    // Not a number: there is no line either.
    if enter.is_nan() || leave.is_nan() || enter > leave {
        return None;
    }
    let at = |t: f64| Point { x: a.x + t * dx, y: a.y + t * dy };
    Some((if enter > 0.0 { at(enter) } else { a }, if leave < 1.0 { at(leave) } else { b }))
}

/// A line cut into dashes; `pattern` is lengths on, off, on, off in pixels. An empty pattern is a solid line.
pub fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    let total: f64 = pattern.iter().sum();
    if total <= 1.0 || total.is_nan() {
        return vec![points.to_vec()];
    }
    let (mut out, mut index, mut left) = (Vec::new(), 0_usize, pattern[0]);
    let mut current = points.first().map(|p| vec![*p]).unwrap_or_default();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.x - from.x).hypot(to.y - from.y);
        while length > left {
            let t = left / length;
            let cut = Point { x: from.x + t * (to.x - from.x), y: from.y + t * (to.y - from.y) };
            if index % 2 == 0 {
                current.push(cut);
                out.push(std::mem::take(&mut current));
            }
            index = (index + 1) % pattern.len();
            current = if index % 2 == 0 { vec![cut] } else { Vec::new() };
            (length, left, from) = (length - left, pattern[index].max(0.5), cut);
        }
        left -= length;
        if index % 2 == 0 {
            current.push(to);
        }
    }
    if current.len() > 1 {
        out.push(current);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(values: &[(i64, f64)]) -> Vec<(Timestamp, f64)> {
        values.iter().map(|(m, v)| (Timestamp::from_millis(m * 60_000), *v)).collect()
    }

    #[test]
    fn a_gap_is_cut_and_never_bridged() {
        let mut samples: Vec<(i64, f64)> = (0..10).map(|m| (m, 1.0)).collect();
        samples[3].1 = f64::NAN;
        samples.remove(7);
        let lengths: Vec<usize> = runs(&minutes(&samples)).iter().map(Vec::len).collect();
        assert_eq!(lengths, [3, 3, 2], "cut at the NaN and at the missing minute");
        assert!(runs(&minutes(&[(0, f64::NAN), (1, f64::INFINITY), (2, 1e301)])).is_empty());
        assert_eq!(runs(&minutes(&[(0, 5.0)])), vec![minutes(&[(0, 5.0)])]);
    }

    #[test]
    fn late_scrapes_and_irregular_samples_stay_one_line() {
        let late: Vec<_> = (0..50_i64).map(|i| (Timestamp::from_millis(i * 60_000 + (i % 3) * 9_000), 1.0)).collect();
        assert_eq!(runs(&late).len(), 1);
        let irregular: Vec<_> = (0..60_i64).map(|i| (Timestamp::from_millis(i * i * 1_000), 1.0)).collect();
        assert_eq!(runs(&irregular).len(), 1);
    }

    #[test]
    fn disorder_is_put_right_and_the_later_of_two_equal_times_counts() {
        assert_eq!(runs(&minutes(&[(2, 3.0), (0, 1.0), (1, 2.0), (1, 9.0)])), vec![minutes(&[(0, 1.0), (1, 9.0), (2, 3.0)])]);
    }

    #[test]
    fn thinning_keeps_the_spike_and_the_order() {
        let points: Vec<Point> =
            (0..10_080).map(|i| Point { x: f64::from(i) / 10.08, y: if i == 5_000 { -99.0 } else { f64::from(i % 7) } }).collect();
        let kept = thin(&points);
        assert!(kept.len() <= 4 * 1_001 && kept.iter().any(|p| p.y == -99.0));
        assert!(kept.is_sorted_by(|a, b| a.x <= b.x));
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
        assert_eq!(thin(&[]), []);
    }

    #[test]
    fn clipping_cuts_at_the_edge_and_splits() {
        let area = Rect { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };
        let line = [(0.0, 5.0), (4.0, 5.0), (6.0, -5.0), (8.0, 5.0)].map(|(x, y)| Point { x, y });
        let parts = clip(&line, &area);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].last(), Some(&Point { x: 5.0, y: 0.0 }));
        assert_eq!(parts[1].first(), Some(&Point { x: 7.0, y: 0.0 }));
        assert!(clip(&[Point { x: -1.0, y: 20.0 }, Point { x: 20.0, y: 20.0 }], &area).is_empty());
    }

    #[test]
    fn dashes_are_as_long_as_asked_also_around_corners() {
        let line = [(0.0, 0.0), (5.0, 0.0), (5.0, 20.0)].map(|(x, y)| Point { x, y });
        let parts = dashes(&line, &[6.0, 4.0]);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0].last(), Some(&Point { x: 5.0, y: 1.0 }));
        assert_eq!(parts[1].first(), Some(&Point { x: 5.0, y: 5.0 }));
        assert_eq!(dashes(&line, &[]), vec![line.to_vec()]);
    }
}
