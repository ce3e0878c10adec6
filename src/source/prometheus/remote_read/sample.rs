//! Raw samples as a range query would have shown them: at each grid point the newest sample not older than the lookback, unless that one
//! says that the series has ended.
//!
//! The rule is PromQL's: <https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness>.

use std::collections::BTreeMap;

use prost::Message;

use super::frames::Frames;
use super::wire::{ChunkedReadResponse, ChunkedSeries, Encoding, Label};
use super::xor::XorChunk;
use crate::core::frame::{Frame, FrameBuilder, Grid};
use crate::core::labels::Labels;
use crate::source::prometheus::answer::DecodeStats;
use crate::source::prometheus::collect::{Reading, classify};
use crate::source::prometheus::decode::{DecodeError, DecodeLimits};
use crate::source::prometheus::error::Cause;
use crate::source::prometheus::fetch::Reader;

/// How the server's PromQL looks back from a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookback {
    pub ms: i64,
    /// Whether a sample exactly that old no longer counts: since Prometheus 3.
    pub is_open: bool,
}

/// Puts a streamed answer on a grid.
#[derive(Debug)]
pub struct Sampler<'a> {
    grid: Grid,
    lookback: &'a Lookback,
    /// Labels that the server adds to what it sends away, and that its own queries do not show.
    external: &'a BTreeMap<String, String>,
    limits: DecodeLimits,
    frames: Frames,
    builder: FrameBuilder,
    stats: DecodeStats,
    under_way: Option<UnderWay>,
}

/// The series whose samples are being read.
#[derive(Debug)]
struct UnderWay {
    labels: Vec<Label>,
    /// `None` until it has a sample on the grid: a series without one is in no answer.
    row: Option<usize>,
    /// The newest sample, and the first grid point that it has not been written to.
    last: Option<(i64, f64)>,
    next: usize,
}

impl<'a> Sampler<'a> {
    pub fn new(grid: Grid, lookback: &'a Lookback, external: &'a BTreeMap<String, String>, limits: DecodeLimits) -> Self {
        Self {
            grid,
            lookback,
            external,
            limits,
            frames: Frames::default(),
            builder: FrameBuilder::new(grid),
            stats: DecodeStats::default(),
            under_way: None,
        }
    }

    fn message(&mut self, message: ChunkedReadResponse) -> Result<(), DecodeError> {
        message.chunked_series.into_iter().try_for_each(|series| self.series(series))
    }

    fn series(&mut self, series: ChunkedSeries) -> Result<(), DecodeError> {
        let is_same = self.under_way.as_ref().is_some_and(|known| known.labels == series.labels);
        if !is_same {
            self.end_series()?;
            self.under_way = Some(UnderWay { labels: series.labels, row: None, last: None, next: 0 });
        }
        for chunk in &series.chunks {
            match Encoding::try_from(chunk.encoding) {
                Ok(Encoding::Xor) => self.chunk(&chunk.data)?,
                Ok(Encoding::Histogram | Encoding::FloatHistogram) => self.stats.histogram_series += 1,
                Ok(Encoding::Unknown) | Err(_) => {
                    return Err(DecodeError::BadValue { place: "chunk encoding", text: chunk.encoding.to_string() });
                }
            }
        }
        Ok(())
    }

    fn chunk(&mut self, data: &[u8]) -> Result<(), DecodeError> {
        let bad = |error: super::xor::XorError| DecodeError::BadValue { place: "chunk", text: error.to_string() };
        // What is older than this reaches no grid point; what is newer than the last one is of the next window.
        let (from, until) = (self.grid.start.as_millis() - self.lookback.ms, self.grid.last().as_millis());
        let mut chunk = XorChunk::new(data).map_err(bad)?;
        while let Some((at, value)) = chunk.next_sample().map_err(bad)? {
            if at > until {
                break;
            }
            if at >= from && !self.next_in_step(at, value) {
                self.sample(at, value)?;
            }
        }
        Ok(())
    }

    /// What nearly every sample of a plain series is: the one before it is a value, and exactly the next grid point lies between the two.
    /// Whether it was that, and is taken in. What this does not know is the other way's to say; they must give the same.
    #[inline]
    fn next_in_step(&mut self, at: i64, value: f64) -> bool {
        let Some(UnderWay { last: Some((before, held)), next, row: Some(row), .. }) = &mut self.under_way else { return false };
        let step = self.grid.step.as_millis();
        let point = self.grid.start.as_millis() + step * *next as i64;
        let is_between = *before <= point && point < at && at <= point + step;
        // At the lookback's very end it is a question of the server's version.
        if !is_between || point - *before >= self.lookback.ms || !held.is_finite() || *next >= self.grid.len {
            return false;
        }
        self.builder.set(*row, *next, *held);
        *next += 1;
        (*before, *held) = (at, value);
        self.stats.samples += 1;
        self.stats.placed += 1;
        true
    }

    fn sample(&mut self, at: i64, value: f64) -> Result<(), DecodeError> {
        self.stats.samples += 1;
        let Some(series) = &self.under_way else { return Ok(()) };
        if let Some((before, _)) = series.last {
            if at < before {
                self.stats.unsorted += 1;
                return Ok(());
            }
            self.stats.duplicates += u64::from(at == before);
        }
        self.fill_until(at)?;
        if let Some(series) = &mut self.under_way {
            series.last = Some((at, value));
        }
        Ok(())
    }

    /// Writes the newest sample to the grid points that lie from it up to (and without) a time.
    fn fill_until(&mut self, until: i64) -> Result<(), DecodeError> {
        let Some(UnderWay { last: Some((at, value)), next, row, .. }) = self.under_way.as_mut() else { return Ok(()) };
        let (start, step) = (self.grid.start.as_millis(), self.grid.step.as_millis());
        // The first grid point at or after a time.
        let point = |ms: i64| usize::try_from((ms - start + step - 1).div_euclid(step)).unwrap_or(0).min(self.grid.len);
        let reach = if self.lookback.is_open { *at + self.lookback.ms } else { *at + self.lookback.ms + 1 };
        // Most samples are a step after the one before: the next point is found by going on from the last, without a division.
        let from = if start + step * *next as i64 >= *at { *next } else { point(*at).max(*next) };
        let (mut to, end) = (from, reach.min(until));
        while to < self.grid.len && start + step * (to as i64) < end {
            to += 1;
        }
        *next = if reach < until { point(until).max(*next) } else { to.max(*next) };
        if from >= to {
            return Ok(());
        }
        match classify(*value) {
            Reading::Value => {}
            other => {
                match other {
                    Reading::Stale => self.stats.stale += 1,
                    Reading::Infinite => self.stats.infinite += 1,
                    _ => self.stats.nan += 1,
                }
                return Ok(());
            }
        }
        let to_row = match *row {
            Some(row) => row,
            None => {
                let cells = (self.builder.rows() + 1).saturating_mul(self.grid.len);
                if self.builder.rows() >= self.limits.max_series {
                    return Err(DecodeError::TooManySeries { limit: self.limits.max_series });
                }
                if cells > self.limits.max_cells {
                    return Err(DecodeError::TooManyCells { limit: self.limits.max_cells });
                }
                let labels = self.under_way.as_ref().map_or(&[][..], |series| &series.labels);
                let made = self.builder.row_of(&shown(labels, self.external)?);
                if let Some(series) = &mut self.under_way {
                    series.row = Some(made);
                }
                made
            }
        };
        let value = self.under_way.as_ref().and_then(|series| series.last).map_or(f64::NAN, |(_, value)| value);
        (from..to).for_each(|index| self.builder.set(to_row, index, value));
        self.stats.placed += (to - from) as u64;
        Ok(())
    }

    fn end_series(&mut self) -> Result<(), DecodeError> {
        self.fill_until(self.grid.last().as_millis() + 1)?;
        self.under_way = None;
        Ok(())
    }
}

/// The labels as a query shows them.
fn shown(labels: &[Label], external: &BTreeMap<String, String>) -> Result<Labels, DecodeError> {
    let own = labels.iter().filter(|label| external.get(&label.name) != Some(&label.value));
    Labels::from_pairs(own.map(|label| (label.name.as_str(), label.value.as_str())))
        .map_err(|error| DecodeError::BadValue { place: "labels", text: error.to_string() })
}

impl Reader for Sampler<'_> {
    type Output = (Frame, DecodeStats);
    const IS_TEXT: bool = false;

    fn feed(&mut self, chunk: &[u8]) -> Result<(), Cause> {
        self.stats.bytes += chunk.len() as u64;
        self.frames.push(chunk);
        loop {
            let message = match self.frames.next_message() {
                Ok(Some(message)) => ChunkedReadResponse::decode(message),
                Ok(None) => return Ok(()),
                Err(error) => return Err(DecodeError::BadValue { place: "stream", text: error.to_string() }.into()),
            };
            let message = message.map_err(|e| DecodeError::BadValue { place: "message", text: e.to_string() })?;
            self.message(message)?;
        }
    }

    fn finish(mut self) -> Result<Self::Output, Cause> {
        self.frames.end().map_err(|error| Cause::Truncated(error.to_string()))?;
        self.end_series()?;
        Ok((self.builder.finish(), self.stats))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::{Span, Timestamp};
    use crate::source::prometheus::STALE_MARKER_BITS;

    const STALE: f64 = f64::from_bits(STALE_MARKER_BITS);

    fn grid() -> Grid {
        Grid { start: Timestamp::from_millis(600_000), step: Span::MINUTE, len: 8 }
    }

    fn read(samples: &[(i64, f64)], is_open: bool, is_short_way_open: bool) -> (Frame, DecodeStats) {
        let (lookback, external) = (Lookback { ms: 120_000, is_open }, BTreeMap::new());
        let mut sampler = Sampler::new(grid(), &lookback, &external, DecodeLimits::default());
        sampler.under_way = Some(UnderWay { labels: Vec::new(), row: None, last: None, next: 0 });
        for (at, value) in samples {
            if !(is_short_way_open && sampler.next_in_step(*at, *value)) {
                sampler.sample(*at, *value).unwrap();
            }
        }
        sampler.finish().unwrap()
    }

    /// What is on the grid, and what was counted.
    fn seen((frame, stats): &(Frame, DecodeStats)) -> (Vec<Vec<u64>>, String) {
        ((0..frame.rows()).map(|row| frame.row(row).iter().map(|v| v.to_bits()).collect()).collect(), format!("{stats:?}"))
    }

    /// Minutes and values on the grid of minutes 10 to 17, looking back two minutes.
    fn placed(samples: &[(f64, f64)], is_open: bool) -> Vec<f64> {
        let samples: Vec<(i64, f64)> = samples.iter().map(|(minutes, value)| ((minutes * 60_000.0) as i64, *value)).collect();
        let [long, short] = [false, true].map(|is_short| read(&samples, is_open, is_short));
        assert_eq!(seen(&long), seen(&short));
        if long.0.rows() == 0 { Vec::new() } else { long.0.row(0).iter().map(|v| if v.is_nan() { -1.0 } else { *v }).collect() }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_and_the_long_one_give_the_same(
            steps in proptest::collection::vec((0_i64..8, -2_i64..3, 0_u8..12), 0..40), offset in 0_i64..600_000, is_open: bool,
        ) {
            let mut at = offset + 300_000;
            let samples: Vec<(i64, f64)> = steps.iter().enumerate().map(|(i, (halves, off, kind))| {
                at += halves * 30_000 + off * i64::from(*halves == 2);
                (at, match kind { 0 => STALE, 1 => f64::NAN, 2 => f64::INFINITY, _ => i as f64 })
            }).collect();
            let [long, short] = [false, true].map(|is_short| read(&samples, is_open, is_short));
            proptest::prop_assert_eq!(seen(&long), seen(&short));
        }
    }

    #[test]
    fn a_point_shows_the_newest_sample_within_the_lookback() {
        assert_eq!(placed(&[(9.5, 1.0), (10.0, 2.0), (12.2, 3.0), (12.9, 4.0)], true), [2.0, 2.0, -1.0, 4.0, 4.0, -1.0, -1.0, -1.0]);
        assert_eq!(placed(&[(9.5, 1.0), (10.0, 2.0), (12.2, 3.0), (12.9, 4.0)], false), [2.0, 2.0, 2.0, 4.0, 4.0, -1.0, -1.0, -1.0]);
        assert_eq!(placed(&[(8.0, 1.0)], true), Vec::<f64>::new());
        assert_eq!(placed(&[(8.0, 1.0)], false)[..2], [1.0, -1.0]);
    }

    #[test]
    fn an_ended_series_and_a_value_that_is_none_are_missing_at_once() {
        assert_eq!(placed(&[(10.0, 1.0), (10.5, STALE), (13.0, 2.0)], true), [1.0, -1.0, -1.0, 2.0, 2.0, -1.0, -1.0, -1.0]);
        assert_eq!(placed(&[(10.0, 1.0), (11.0, f64::NAN), (12.0, 3.0)], true)[..4], [1.0, -1.0, 3.0, 3.0]);
        assert_eq!(placed(&[(10.0, f64::INFINITY)], true), Vec::<f64>::new());
    }

    #[test]
    fn of_two_samples_at_one_time_the_last_counts() {
        assert_eq!(placed(&[(10.0, 1.0), (10.0, 2.0)], true)[..2], [2.0, 2.0]);
    }

    #[test]
    fn labels_that_the_server_adds_are_taken_off() {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let external = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
        let shown = |labels: &[Label]| shown(labels, &external).unwrap();
        assert_eq!(shown(&[label("__name__", "up"), label("region", "eu")]), Labels::named("up"));
        assert_eq!(shown(&[label("__name__", "up"), label("region", "us")]).get("region"), Some("us"));
    }
}
