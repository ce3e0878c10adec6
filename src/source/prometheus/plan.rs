//! What to ask for: which part of the past is new, and in which windows to read it. Pure.

use crate::core::frame::Grid;
use crate::core::time::{Span, Timestamp};

/// Points read again before the cursor: late scrapes, remote-written and rule-computed samples come a few steps after their time.
pub const OVERLAP_STEPS: i64 = 5;

/// Least overlap in time, for short steps: VictoriaMetrics adjusts points of the last 30 s (`-search.latencyOffset`), which may be
/// incomplete, and a scrape interval of a minute leaves nothing new in less.
pub const OVERLAP_MIN: Span = Span::from_secs(120);

/// Points of the first window while nobody knows how many series will answer: 10,000 series make 16 MB of it.
pub const PROBE_POINTS: usize = 60;

/// Bytes of body a sample takes before the first answer has told: `[1795341600,"0.8437219"],`, with its share of the labels.
pub const BYTES_PER_SAMPLE: f64 = 28.0;

/// Series that a streamed answer is expected to have: most watches have fewer.
const STREAMED_ROWS: usize = 2_000;
/// What a sample takes in an XOR chunk at most, where its values are no noise.
const STREAMED_BYTES_PER_SAMPLE: f64 = 4.0;
/// Times a window is halved before we give up: 10,000 points become 156.
pub const MAX_HALVINGS: u32 = 6;

/// The grid with what is new at `now`: all of `window` at first (`cursor` None: nothing was read yet), then from the last sample time read
/// with a small overlap. Never earlier than `now - window`, so that a long outage costs one window and no more; never later than `now`.
/// None when no point lies in it.
pub fn to_read(cursor: Option<Timestamp>, now: Timestamp, step: Span, window: Span) -> Option<Grid> {
    let oldest = now - window;
    let overlap = step.times(OVERLAP_STEPS).max(OVERLAP_MIN);
    let from = match cursor {
        // A cursor ahead of `now` means the clock was set back: what lies just behind `now` is still worth a look.
        Some(cursor) => (cursor.min(now) - overlap).max(oldest),
        None => oldest,
    };
    let grid = Grid::aligned(from, now, step);
    (grid.len > 0).then_some(grid)
}

/// Bounds on one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLimits {
    pub max_points: usize,
    pub max_body_bytes: usize,
    pub max_cells: usize,
}

/// How long the next window may be, by what the answers so far have told.
#[derive(Debug, Clone)]
pub struct Pace {
    limits: WindowLimits,
    rows: Option<usize>,
    bytes_per_sample: f64,
    max_points: usize,
}

impl Pace {
    /// `rows`: series expected, if anybody knows.
    pub fn new(limits: WindowLimits, rows: Option<usize>) -> Self {
        Self { limits, rows, bytes_per_sample: BYTES_PER_SAMPLE, max_points: limits.max_points.max(1) }
    }

    /// For answers that take little room on the way and are read as they come: no small window first, which would cost as much as a large
    /// one. Where there are more series than most watches have, windows are halved.
    pub fn streamed(limits: WindowLimits, rows: Option<usize>) -> Self {
        Self { bytes_per_sample: STREAMED_BYTES_PER_SAMPLE, ..Self::new(limits, Some(rows.unwrap_or(STREAMED_ROWS))) }
    }

    /// Whether the next window is a guess that the others should wait for.
    pub fn is_guess(&self, remaining: usize) -> bool {
        self.rows.is_none() && remaining > PROBE_POINTS
    }

    /// Learns from an answer. The most series seen count: they come and go over a week.
    pub fn learn(&mut self, rows: usize, samples: u64, bytes: u64) {
        self.rows = Some(self.rows.unwrap_or(0).max(rows));
        if samples > 0 {
            // Counts below 2^53, exact enough for an estimate in any case.
            self.bytes_per_sample = (bytes as f64 / samples as f64).max(self.bytes_per_sample);
        }
    }

    /// A window of this many points was refused.
    pub fn too_large(&mut self, points: usize) {
        self.max_points = self.max_points.min(points.div_ceil(2)).max(1);
    }

    /// Points of the next window, at most `remaining`, at least one. Half of each limit is aimed at: an estimate may be off by two.
    pub fn points(&self, remaining: usize) -> usize {
        if self.is_guess(remaining) {
            return PROBE_POINTS.min(self.max_points);
        }
        let rows = self.rows.unwrap_or(1).max(1);
        let by_cells = self.limits.max_cells / 2 / rows;
        // A float beyond the range saturates, which is what is meant.
        let by_body = (self.limits.max_body_bytes as f64 / 2.0 / (rows as f64 * self.bytes_per_sample)) as usize;
        remaining.min(self.max_points).min(by_cells).min(by_body).max(1)
    }
}

/// `len` points of `grid` from `first` on.
pub fn part(grid: Grid, first: usize, len: usize) -> Grid {
    Grid { start: grid.at(first), step: grid.step, len: len.min(grid.len.saturating_sub(first)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: WindowLimits = WindowLimits { max_points: 10_000, max_body_bytes: 64 << 20, max_cells: 8 << 20 };

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn the_first_read_is_the_whole_window_and_the_next_what_is_new() {
        let now = at(20_000) + Span::from_secs(7);
        let first = to_read(None, now, Span::MINUTE, Span::WEEK).unwrap();
        assert_eq!((first.start, first.last(), first.len), (at(20_000 - 10_080 + 1), at(20_000), 10_080));
        let next = to_read(Some(at(19_999)), now, Span::MINUTE, Span::WEEK).unwrap();
        assert_eq!((next.start, next.last()), (at(19_994), at(20_000)));
        let fine = to_read(Some(at(20_000)), now, Span::from_secs(5), Span::WEEK).unwrap();
        assert_eq!(fine.start, at(19_998), "the overlap is two minutes at least");
    }

    #[test]
    fn outages_and_clocks_set_back_are_bounded() {
        let long = to_read(Some(at(10)), at(100_000), Span::MINUTE, Span::WEEK).unwrap();
        assert_eq!(long.start, at(100_000 - 10_080));
        let back = to_read(Some(at(200_000)), at(100_000), Span::MINUTE, Span::WEEK).unwrap();
        assert_eq!((back.start, back.last()), (at(99_995), at(100_000)));
        assert_eq!(to_read(None, at(7) + Span::SECOND, Span::HOUR, Span::MINUTE), None);
    }

    #[test]
    fn windows_shrink_with_the_number_of_series() {
        let mut pace = Pace::new(LIMITS, None);
        assert_eq!((pace.points(10_080), pace.points(30)), (PROBE_POINTS, 30));
        pace.learn(500, 30_000, 660_000);
        assert_eq!(pace.points(10_080), 2396, "32 MiB at 28 bytes and 500 series");
        pace.learn(10_000, 600_000, 13_200_000);
        assert_eq!(pace.points(10_080), 119);
        pace.too_large(100);
        assert_eq!(pace.points(10_080), 50);
        assert_eq!(Pace::new(LIMITS, Some(1)).points(20_000), 10_000);
        let streamed = Pace::streamed(LIMITS, None);
        assert!(!streamed.is_guess(10_080) && streamed.points(1_440) == 1_440, "a day at once, and no probe");
        assert_eq!(Pace::new(LIMITS, Some(usize::MAX / 2)).points(20_000), 1);
    }

    proptest! {
        #[test]
        fn never_later_than_now_and_never_before_the_window(cursor in proptest::option::of(-1_000_000i64..100_000_000_000), now in 0i64..100_000_000_000, step in 1i64..100_000, window in 1i64..1_000_000_000) {
            let (now, step, window) = (Timestamp::from_millis(now), Span::from_millis(step), Span::from_millis(window));
            if let Some(grid) = to_read(cursor.map(Timestamp::from_millis), now, step, window) {
                prop_assert!(grid.last() <= now && grid.last() + step > now);
                prop_assert!(grid.start >= now - window);
            }
        }

        #[test]
        fn parts_cover_the_grid(len in 1usize..5000, size in 1usize..700) {
            let grid = Grid { start: at(1), step: Span::MINUTE, len };
            let mut next = 0;
            while next < len {
                let part = part(grid, next, size);
                prop_assert_eq!(part.start, grid.at(next));
                prop_assert!(part.len > 0 && part.len <= size);
                next += part.len;
            }
            prop_assert_eq!(next, len);
        }
    }
}
