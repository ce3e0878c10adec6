//! What was read: series with their samples in time order, and what had to be set right on the way.

use super::error::ReplayError;
use crate::core::frame::{Frame, FrameBuilder, Grid};
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};

/// For a series of one sample in a data set that shows no step at all: Prometheus' default scrape interval.
const DEFAULT_STEP: Span = Span::MINUTE;

/// Clocks of scrapes jitter by some milliseconds; a median this near a whole second means that second.
const JITTER: f64 = 0.01;

/// 800 MB of values in one frame. A frame is for one window of many series, not for years of seconds at once.
const MAX_FRAME_VALUES: usize = 100_000_000;

/// Series in the order in which they first appeared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSet {
    pub series: Vec<DataSeries>,
    /// Rows read, without headers.
    pub rows: u64,
    /// Cells that were empty, NaN or infinite. They are missing samples, and so not among the samples.
    pub missing: u64,
    /// Samples dropped because a later one of the same series and time followed; missing ones never replace a sample.
    pub duplicates: u64,
    /// Series whose rows were not in time order, or held duplicates.
    pub unsorted: u64,
}

/// One series of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSeries {
    /// The column's name or the `series` cell where it is the only one of that name, else the labels in Prometheus' notation. Unique.
    pub name: String,
    pub labels: Labels,
    /// In time order, each time once, no NaN, no infinities. Empty for a column without values.
    pub samples: Vec<(Timestamp, f64)>,
    /// See [`infer_step`].
    pub step: Span,
}

impl DataSet {
    /// Fills every series' step; a series too short to show one gets the commonest of the others.
    pub(super) fn infer_steps(&mut self) {
        let seen: Vec<Option<Span>> = self.series.iter().map(|series| infer_step(&series.samples)).collect();
        let commonest = commonest(&seen);
        for (series, step) in self.series.iter_mut().zip(seen) {
            series.step = step.unwrap_or(commonest);
        }
    }

    /// Number of samples of all series.
    pub fn samples(&self) -> usize {
        self.series.iter().map(|series| series.samples.len()).sum()
    }

    /// Time of the earliest sample.
    pub fn first(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(|series| series.samples.first()).map(|(time, _)| *time).min()
    }

    /// Time of the latest sample.
    pub fn last(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(|series| series.samples.last()).map(|(time, _)| *time).max()
    }

    /// The smallest step of all series.
    pub fn step(&self) -> Option<Span> {
        self.series.iter().map(|series| series.step).min()
    }

    /// The series of this display name.
    pub fn named(&self, name: &str) -> Option<&DataSeries> {
        self.series.iter().find(|series| series.name == name)
    }

    /// All series over all of their time, on the multiples of `step` that hold the first and the last sample. See [`DataSeries::on_grid`].
    ///
    /// # Errors
    /// When the frame would hold more than its limit of values.
    pub fn to_frame(&self, step: Span) -> Result<Frame, ReplayError> {
        let step = Span::from_millis(step.as_millis().max(1));
        let (first, last) = (self.first().unwrap_or_default(), self.last().unwrap_or_default());
        let end = last.floor(step);
        let end = if end < last { end + step } else { end };
        let mut grid = Grid::aligned(first, end, step);
        if self.samples() == 0 {
            grid.len = 0;
        }
        self.frame_on(grid)
    }

    /// All series on one grid. See [`DataSeries::on_grid`].
    ///
    /// # Errors
    /// When the frame would hold more than its limit of values.
    pub fn frame_on(&self, grid: Grid) -> Result<Frame, ReplayError> {
        let rows = self.series.len();
        if rows.checked_mul(grid.len).is_none_or(|values| values > MAX_FRAME_VALUES) {
            return Err(ReplayError::FrameSize { rows, points: grid.len, limit: MAX_FRAME_VALUES });
        }
        let mut builder = FrameBuilder::new(grid);
        for series in &self.series {
            let row = builder.row_of(&series.labels);
            series.each_on(grid, |index, value| builder.set(row, index, value));
        }
        Ok(builder.finish())
    }
}

impl DataSeries {
    /// The series on a grid: at each point the latest sample in `(point - step, point]`, NaN where there is none.
    ///
    /// Looks back only, never ahead and never further than one step: a value carried over a gap would hide the gap, and the nearest sample
    /// could be one from the future of that point.
    pub fn on_grid(&self, grid: Grid) -> Vec<f64> {
        let mut values = vec![f64::NAN; grid.len];
        self.each_on(grid, |index, value| values[index] = value);
        values
    }

    /// The grid of the series' own times: from its first sample in its own step, to the first point not before its last sample.
    pub fn own_grid(&self) -> Grid {
        match (self.samples.first(), self.samples.last()) {
            (Some((first, _)), Some((last, _))) => {
                let (length, step) = ((*last - *first).as_millis().unsigned_abs(), self.step.as_millis().max(1).unsigned_abs());
                Grid { start: *first, step: self.step, len: usize::try_from(length.div_ceil(step)).unwrap_or(usize::MAX).saturating_add(1) }
            }
            _ => Grid { start: Timestamp::default(), step: self.step, len: 0 },
        }
    }

    fn each_on(&self, grid: Grid, set: impl FnMut(usize, f64)) {
        each_on(&self.samples, grid, set);
    }
}

/// See [`DataSeries::on_grid`].
pub(super) fn each_on(samples: &[(Timestamp, f64)], grid: Grid, mut set: impl FnMut(usize, f64)) {
    let step = grid.step.as_millis();
    let from = samples.partition_point(|(time, _)| (*time - grid.start).as_millis() <= -step);
    for (time, value) in &samples[from..] {
        let offset = (*time - grid.start).as_millis();
        // Rounds up: the point at or after the sample.
        let Ok(index) = usize::try_from((offset + step - 1).div_euclid(step)) else { continue };
        if index >= grid.len {
            break;
        }
        set(index, *value);
    }
}

/// The step between samples in time order: the median of the differences, so that gaps, which are few and long, and extra samples, which
/// are few and short, do not count; the lower of two middles, so that it is a difference that occurred. Jitter of a hundredth around a
/// whole second is taken off. None for fewer than two samples.
pub fn infer_step(samples: &[(Timestamp, f64)]) -> Option<Span> {
    let mut steps: Vec<i64> = samples.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_millis()).filter(|ms| *ms > 0).collect();
    let middle = steps.len().checked_sub(1)? / 2;
    let (_, median, _) = steps.select_nth_unstable(middle);
    Some(without_jitter(*median))
}

/// The step that most series have, for those too short to show one.
pub(super) fn commonest(seen: &[Option<Span>]) -> Span {
    let mut sorted: Vec<Span> = seen.iter().flatten().copied().collect();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).max_by_key(|same| same.len()).map_or(DEFAULT_STEP, |same| same[0])
}

/// The step that a median difference in milliseconds means.
pub(super) fn without_jitter(median: i64) -> Span {
    let seconds = ((median + 500) / 1000) * 1000;
    let near = seconds > 0 && (median - seconds).unsigned_abs() as f64 <= median as f64 * JITTER;
    Span::from_millis(if near { seconds } else { median })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[(i64, f64)]) -> DataSeries {
        let samples: Vec<_> = samples.iter().map(|(s, v)| (Timestamp::from_millis(*s * 1000), *v)).collect();
        let step = infer_step(&samples).unwrap_or(DEFAULT_STEP);
        DataSeries { name: "a".into(), labels: Labels::named("a"), samples, step }
    }

    #[test]
    fn the_step_is_the_median_difference() {
        let step = |ms: &[i64]| infer_step(&ms.iter().map(|ms| (Timestamp::from_millis(*ms), 0.0)).collect::<Vec<_>>());
        assert_eq!(step(&[0, 60_000, 120_000, 900_000, 960_000, 975_000]), Some(Span::MINUTE), "a gap and an extra sample");
        assert_eq!(step(&[3, 15_001, 29_998, 45_004, 60_005]), Some(Span::from_secs(15)), "jitter");
        assert_eq!(step(&[0, 250, 500, 750]), Some(Span::from_millis(250)));
        assert_eq!(step(&[0, 60_000, 360_000]), Some(Span::MINUTE), "the lower of two middles");
        assert_eq!((step(&[5]), step(&[])), (None, None));
    }

    #[test]
    fn a_grid_point_sees_one_step_back_and_never_ahead() {
        let series = series(&[(0, 1.0), (60, 2.0), (119, 3.0), (121, 4.0), (300, 5.0)]);
        let grid = Grid { start: Timestamp::from_millis(0), step: Span::MINUTE, len: 6 };
        let got = series.on_grid(grid);
        assert_eq!(got[..4], [1.0, 2.0, 3.0, 4.0]);
        assert!(got[4].is_nan(), "nothing in (180, 240]");
        assert_eq!(got[5], 5.0);
        let later = series.on_grid(Grid { start: Timestamp::from_millis(90_000), ..grid });
        assert_eq!(later[..2], [2.0, 4.0], "a grid between the samples looks back");
    }

    #[test]
    fn frames_hold_all_samples_and_have_a_limit() {
        let mut set = DataSet { series: vec![series(&[(30, 1.0), (90, 2.0), (210, 3.0)])], ..DataSet::default() };
        let frame = set.to_frame(Span::MINUTE).unwrap();
        assert_eq!((frame.grid().start.as_millis(), frame.grid().len, frame.present()), (60_000, 4, 3));
        assert_eq!(set.series[0].own_grid(), Grid { start: Timestamp::from_millis(30_000), step: Span::MINUTE, len: 4 });
        set.series[0].samples[2].0 = Timestamp::from_millis(10_000_000_000_000);
        assert!(matches!(set.to_frame(Span::SECOND), Err(ReplayError::FrameSize { rows: 1, .. })));
        assert_eq!(DataSet::default().to_frame(Span::MINUTE).unwrap().grid().len, 0);
    }
}
