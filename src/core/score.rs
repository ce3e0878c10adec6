//! One sample against what its series' past makes of it.
//!
//! Two measures. The baseline's band ([`take`], [`Scorer`]) is what forecasts and thresholds go by, and what charts draw: a distance in
//! sigmas. The model's scores are what anomalies are called by: how rare an hour as odd as this is for the series, calibrated so that 1.0
//! means the same rate of false alarms everywhere. [`Detector`] is one series' scores, as `detect` says them; the engine holds its own.
//!
//! The order matters and stands here only once: time moves first, then the band is read, and only then does the sample enter the
//! baseline. The other way round a sample would be judged by a band that has already learned from it.

use jiff::tz::TimeZone;
use portent_models::baseline::{Accepted, Band, Block, Geometry};
use portent_models::score::{self as model, DecodeError};

use super::civil;
use super::heritage::Heritage;
use super::time::{Span, Timestamp};
use super::watch::BaselineSettings;

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

/// Takes in one sample after [`advance`] to its time; a young series is measured by what it has inherited. `None` for one that is late or
/// was seen before: nothing is said about it.
pub fn take(
    block: &mut Block,
    row: usize,
    (at, value): (Timestamp, f64),
    civil: f64,
    min_history: Span,
    heritage: Option<&Heritage>,
) -> Option<Taken> {
    let band = heritage.map(|heritage| heritage.band(civil)).or_else(|| block.expected(row, at.as_millis(), civil));
    if block.observe(row, at.as_millis(), value, band.map_or(f64::NAN, |b| b.expected)) != Accepted::New {
        return None;
    }
    let is_old_enough = block.first_ms(row).is_some_and(|first| at.as_millis() - first >= min_history.as_millis());
    Some(Taken { band: band.filter(|_| is_old_enough), is_old_enough })
}

/// How far from the baseline's expectation one value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub expected: f64,
    /// The edges of the band.
    pub lower: f64,
    pub upper: f64,
    /// Signed distance from the expectation, in sigmas.
    pub sigmas: f64,
}

impl Scored {
    /// `sigma` is how many sigmas from the expectation the edge of the band lies.
    pub fn new(band: Band, value: f64, sigma: f64) -> Self {
        let sigmas = band.sigmas(value);
        Self { expected: band.expected, lower: band.lower(sigma), upper: band.upper(sigma), sigmas }
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
        let taken = take(&mut self.block, 0, (at, value), civil, self.settings.min_history, None)?;
        taken.band.map(|band| Scored::new(band, value, self.settings.sigma))
    }

    /// What is expected at a time to come, as of the last sample.
    pub fn expected(&self, at: Timestamp) -> Option<Band> {
        self.block.expected(0, at.as_millis(), civil::hour_of_day(&self.zone, at))
    }
}

/// A rate of false alarms as people write it (`1/week`, `0.5/day`), in episodes a week.
///
/// # Errors
/// What was wanted, when the text is something else.
pub fn false_alarms_per_week(text: &str) -> Result<f64, String> {
    let wanted = || format!("{text:?} is not a rate of false alarms: want a number a span of time, as 1/week, 0.2/day or 1/month");
    let (count, span) = text.split_once('/').ok_or_else(wanted)?;
    let count: f64 = count.trim().parse().map_err(|_| wanted())?;
    let weeks = match span.trim() {
        "hour" => 1.0 / 168.0,
        "day" => 1.0 / 7.0,
        "week" => 1.0,
        "month" => 30.0 / 7.0,
        "year" => 365.0 / 7.0,
        _ => return Err(wanted()),
    };
    let rate = count / weeks;
    if (LEAST_FALSE_ALARMS..=MOST_FALSE_ALARMS).contains(&rate) { Ok(rate) } else { Err(format!("{text:?}: want 1/year to 1/hour")) }
}

/// Once a year: rarer than anything that a series' own past can show.
const LEAST_FALSE_ALARMS: f64 = 0.019;
/// Once an hour: the scores tell hours apart, not minutes.
const MOST_FALSE_ALARMS: f64 = 168.0;

/// Time zones change their offset at whole quarters of an hour, so one look-up holds until the next.
const OFFSET_HOLDS: Span = Span::from_millis(15 * 60_000);

/// The calibrated scores of one series, sample by sample in order of time.
#[derive(Clone, Debug)]
pub struct Detector {
    scorer: model::Scorer,
    zone: TimeZone,
    min_history: Span,
    /// Time of the first sample.
    first: Option<Timestamp>,
    /// The zone's offset, and the quarter of an hour it is of.
    offset: (Timestamp, i64),
}

impl Detector {
    pub fn new(step: Span, settings: &BaselineSettings, zone: TimeZone) -> Self {
        let scorer = model::Scorer::new(step.as_millis(), settings.score);
        Self { scorer, zone, min_history: settings.min_history, first: None, offset: (Timestamp::MIN, 0) }
    }

    /// How odd the sample is, judged by what came before it; `None` while too little is known, and for a late, repeated or missing sample.
    pub fn push(&mut self, at: Timestamp, value: f64) -> Option<model::Scored> {
        let quarter = at.floor(OFFSET_HOLDS);
        if quarter != self.offset.0 {
            self.offset = (quarter, civil::offset_ms(&self.zone, at));
        }
        let scored = self.scorer.push(at.as_millis(), self.offset.1, value);
        let first = *self.first.get_or_insert(at);
        scored.filter(|_| at - first >= self.min_history)
    }

    /// The state as bytes, appended: less than two kilobytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.map_or(i64::MIN, Timestamp::as_millis).to_le_bytes());
        self.scorer.encode(out);
    }

    /// A detector that goes on exactly where [`Self::encode`] left one of the same step.
    ///
    /// # Errors
    /// When the bytes are of another version, step or length.
    pub fn decode(bytes: &[u8], step: Span, settings: &BaselineSettings, zone: TimeZone) -> Result<Self, DecodeError> {
        let (first, rest) = bytes.split_first_chunk::<8>().ok_or(DecodeError::Length { found: bytes.len() })?;
        let first = i64::from_le_bytes(*first);
        let mut made = Self::new(step, settings, zone);
        made.scorer = model::Scorer::decode(rest, step.as_millis(), settings.score)?;
        made.first = (first != i64::MIN).then(|| Timestamp::from_millis(first));
        Ok(made)
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
        assert!(scored.sigmas > 2.0 && band.expected + 40.0 > scored.upper);
        assert_eq!(scored.expected, band.expected, "the sample is judged by what was expected before it");
    }

    #[test]
    fn a_repeated_sample_is_no_second_one() {
        let mut scorer = scorer();
        for i in 0..600 {
            scorer.push(Timestamp::from_millis(i * 300_000), value(i));
        }
        assert_eq!(scorer.push(Timestamp::from_millis(599 * 300_000), 5.0), None);
    }

    #[test]
    fn a_detector_waits_for_its_history_and_goes_on_from_bytes() {
        let settings = BaselineSettings { min_history: Span::DAY, ..BaselineSettings::default() };
        let step = Span::MINUTE.times(5);
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let mut detector = Detector::new(step, &settings, berlin.clone());
        for i in 0..5 * 288 {
            let scored = detector.push(Timestamp::from_millis(i * 300_000), value(i));
            assert_eq!(scored.is_some(), i >= 288, "sample {i}");
        }
        let mut bytes = Vec::new();
        detector.encode(&mut bytes);
        let mut restored = Detector::decode(&bytes, step, &settings, berlin).unwrap();
        for i in 5 * 288..5 * 288 + 3 {
            let at = Timestamp::from_millis(i * 300_000);
            let scored = detector.push(at, value(i) + 50.0);
            assert_eq!(scored, restored.push(at, value(i) + 50.0));
            assert!(i < 5 * 288 + 1 || scored.unwrap().is_anomaly(), "{scored:?}");
        }
        assert!(Detector::decode(&bytes[..5], step, &settings, TimeZone::UTC).is_err());
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        assert_eq!(false_alarms_per_week("1/week"), Ok(1.0));
        assert_eq!(false_alarms_per_week("2 / day"), Ok(14.0));
        assert!(false_alarms_per_week("1/month").unwrap() < 0.25 && false_alarms_per_week("1/year").unwrap() < 0.02);
        for bad in ["1", "x/week", "1/fortnight", "0/week", "-1/day", "100/hour", "NaN/day"] {
            assert!(false_alarms_per_week(bad).is_err(), "{bad}");
        }
    }
}
