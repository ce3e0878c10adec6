//! One sample against what its series' baseline expected: the step that the engine takes for every sample of a watch, and `detect` and
//! `chart` for every sample of a file.
//!
//! The order matters and stands here only once: time moves first, then the band is read, and only then does the sample enter the
//! baseline. The other way round a sample would be judged by a band that has already learned from it.

use jiff::tz::TimeZone;
use portent_models::baseline::{Accepted, Band, Block, Geometry};

use super::civil;
use super::time::{Span, Timestamp};
use super::watch::BaselineSettings;

/// A constant series has a band of no width, and its first other value a distance without end. Beyond this nothing is told apart.
pub const MAX_SCORE: f64 = 1e6;

/// Moves a block's time forward, and gives the civil hour of that time.
pub fn advance(block: &mut Block, zone: &TimeZone, at: Timestamp) -> f64 {
    let bucket_ms = block.geometry().bucket_ms;
    block.advance(at.as_millis(), &|bucket| civil::slot(zone, bucket, bucket_ms));
    civil::hour_of_day(zone, at)
}

/// A new sample that has entered the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// What had been expected; `None` while too little is known.
    pub band: Option<Band>,
    /// Whether the series has its minimum history.
    pub is_old_enough: bool,
}

/// Takes in one sample after [`advance`] to its time. `None` for one that is late or was seen before: nothing is said about it.
pub fn take(block: &mut Block, row: usize, at: Timestamp, value: f64, civil: f64, min_history: Span) -> Option<Taken> {
    let band = block.expected(row, at.as_millis(), civil);
    if block.observe(row, at.as_millis(), value, band.map_or(f64::NAN, |b| b.expected)) != Accepted::New {
        return None;
    }
    let is_old_enough = block.first_ms(row).is_some_and(|first| at.as_millis() - first >= min_history.as_millis());
    Some(Taken { band: band.filter(|_| is_old_enough), is_old_enough })
}

/// How far from normal one value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub expected: f64,
    /// The edges of normal.
    pub lower: f64,
    pub upper: f64,
    /// Signed distance from the expectation, in sigmas.
    pub sigmas: f64,
    /// 1.0 is the edge of normal; at most [`MAX_SCORE`].
    pub score: f64,
}

impl Scored {
    /// `sigma` is how many sigmas from the expectation the edge of normal lies.
    pub fn new(band: Band, value: f64, sigma: f64) -> Self {
        let sigmas = band.sigmas(value);
        let score = (sigmas.abs() / sigma).min(MAX_SCORE);
        Self { expected: band.expected, lower: band.lower(sigma), upper: band.upper(sigma), sigmas, score }
    }

    pub fn is_anomaly(&self) -> bool {
        self.score >= 1.0
    }
}

/// One series on its own, sample by sample in order of time.
#[derive(Clone, Debug)]
pub struct Scorer {
    block: Block,
    settings: BaselineSettings,
    zone: TimeZone,
}

impl Scorer {
    pub fn new(step: Span, settings: BaselineSettings, zone: TimeZone) -> Self {
        let mut block = Block::new(Geometry::new(settings.window.as_millis(), step.as_millis()));
        // A new block has room for a row.
        block.add_row();
        Self { block, settings, zone }
    }

    /// How far the sample is from what was expected before it came; `None` while too little is known.
    pub fn push(&mut self, at: Timestamp, value: f64) -> Option<Scored> {
        let civil = advance(&mut self.block, &self.zone, at);
        let taken = take(&mut self.block, 0, at, value, civil, self.settings.min_history)?;
        taken.band.map(|band| Scored::new(band, value, self.settings.sigma))
    }

    /// What is expected at a time to come, as of the last sample.
    pub fn expected(&self, at: Timestamp) -> Option<Band> {
        self.block.expected(0, at.as_millis(), civil::hour_of_day(&self.zone, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scorer() -> Scorer {
        Scorer::new(Span::MINUTE.times(5), BaselineSettings::default(), TimeZone::UTC)
    }

    fn value(i: i64) -> f64 {
        let day = (i as f64 / 288.0 * std::f64::consts::TAU).sin();
        100.0 + 20.0 * day + ((i * 7919) % 13) as f64 / 6.5
    }

    #[test]
    fn nothing_is_said_in_the_first_day_and_a_jump_is_seen_at_once() {
        let mut scorer = scorer();
        // Ends within an hour: at a full one time itself would move the band.
        for i in 0..5 * 288 + 3 {
            let scored = scorer.push(Timestamp::from_millis(i * 300_000), value(i));
            assert_eq!(scored.is_some(), i >= 288, "sample {i}");
        }
        let at = Timestamp::from_millis((5 * 288 + 3) * 300_000);
        let band = scorer.expected(at).unwrap();
        let scored = scorer.push(at, value(3) + 50.0).unwrap();
        assert!(scored.is_anomaly() && scored.sigmas > 0.0);
        assert_eq!(scored.expected, band.expected, "the sample is judged by what was expected before it");
    }

    #[test]
    fn a_constant_series_has_a_finite_score() {
        let mut scorer = scorer();
        for i in 0..600 {
            scorer.push(Timestamp::from_millis(i * 300_000), 0.0);
        }
        let scored = scorer.push(Timestamp::from_millis(600 * 300_000), 1e300).unwrap();
        assert_eq!(scored.score, MAX_SCORE);
    }

    #[test]
    fn a_repeated_sample_is_no_second_one() {
        let mut scorer = scorer();
        for i in 0..600 {
            scorer.push(Timestamp::from_millis(i * 300_000), value(i));
        }
        assert_eq!(scorer.push(Timestamp::from_millis(599 * 300_000), 5.0), None);
    }
}
