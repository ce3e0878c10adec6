//! A stretch of time in which a series was not normal, and why it is called so: the value that log, page, API, backtest and the evidence of
//! a prediction all show.

use portent_models::score::{Scored, View};
use serde::{Deserialize, Serialize};

use super::labels::Labels;
use super::prediction::{Cause, Eta, Evidence, Prediction, PredictionId, State};
use super::time::{Span, Timestamp};
use super::watch::{Side, Watch};

/// An episode: from the first sample out of the ordinary until none has come for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    pub watch: String,
    pub labels: Labels,
    pub started_at: Timestamp,
    /// When it was known to be over: some time after `last_odd_at`.
    pub ended_at: Option<Timestamp>,
    /// Time of the last sample out of the ordinary so far.
    pub last_odd_at: Timestamp,
    /// The highest score so far; 1.0 is the edge of normal at the watch's rate of false alarms.
    pub score: f64,
    /// What follows is of the sample with that score. Signed distance from the expectation, in the series' robust deviations.
    pub sigmas: f64,
    pub value: f64,
    pub expected: f64,
    /// The edges of normal for a value on its own.
    pub lower: f64,
    pub upper: f64,
    pub why: Why,
    /// `why` for people.
    pub because: String,
}

/// What was out of the ordinary, and how rare that is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    pub view: OddView,
    /// The time over which the level was out of the ordinary, where it was the level.
    pub over_s: Option<f64>,
    /// Share of this series' hours that hold something as odd.
    pub hour_p: f64,
    /// Episodes as odd as this a week that come with nothing wrong.
    pub per_week: f64,
}

/// What one looks at in a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddView {
    /// The value, or its level over some time.
    Level,
    /// What is usual at this time of the day and week.
    Season,
    /// How much values vary from one to the next.
    Variation,
    /// The same value for unusually long.
    Flatline,
    /// No value for unusually long.
    Silence,
    /// A value where none can be, by the settings.
    Range,
}

impl Anomaly {
    pub fn new(watch: &str, labels: Labels, at: Timestamp, value: f64, scored: &Scored) -> Self {
        let mut made = Self {
            watch: watch.to_owned(),
            labels,
            started_at: at,
            ended_at: None,
            last_odd_at: at,
            score: f64::NEG_INFINITY,
            sigmas: 0.0,
            value,
            expected: 0.0,
            lower: 0.0,
            upper: 0.0,
            why: Why { view: OddView::Level, over_s: None, hour_p: 1.0, per_week: 0.0 },
            because: String::new(),
        };
        made.odd(at, value, scored);
        made
    }

    /// What the gate and runs know of it. It is observed and not predicted: its likelihood is 1, and it has no time to come.
    pub fn prediction(&self, watch: &Watch) -> Prediction {
        let is_high = self.value >= self.expected;
        let evidence = Evidence { kind: Evidence::ANOMALY.into(), text: self.because.clone(), value: self.score };
        Prediction {
            id: PredictionId::new(&self.watch, self.labels.id(), Cause::Anomaly, self.started_at),
            watch: self.watch.clone(),
            code: watch.code.clone(),
            title: watch.title.fill(&self.labels),
            labels: self.labels.clone(),
            service: watch.service.fill(&self.labels),
            cause: Cause::Anomaly,
            state: if self.ended_at.is_none() { State::Open } else { State::Resolved },
            raised_at: self.started_at,
            updated_at: self.last_odd_at,
            ended_at: self.ended_at,
            ended_because: None,
            revision: 0,
            current_value: self.value,
            predicted_value: None,
            rate_of_change: 0.0,
            side: if is_high { Side::Above } else { Side::Below },
            // Written down with a run, so it must be a number.
            threshold: Some(if is_high { self.upper } else { self.lower }).filter(|edge| edge.is_finite()).unwrap_or(self.value),
            likelihood: 1.0,
            confidence: 1.0,
            impact: watch.impact,
            eta: Eta::default(),
            predicted_threshold_time: None,
            horizon: Span::ZERO,
            evidence: vec![evidence],
            suggested_playbooks: Vec::new(),
            incident: None,
            chart_url: None,
            truth: None,
        }
    }

    /// One more sample out of the ordinary. The oddest one is what the anomaly shows.
    pub fn odd(&mut self, at: Timestamp, value: f64, scored: &Scored) {
        self.last_odd_at = self.last_odd_at.max(at);
        if scored.score <= self.score {
            return;
        }
        (self.score, self.sigmas, self.value, self.expected) = (scored.score, scored.sigmas, value, scored.expected);
        (self.lower, self.upper) = (scored.lower, scored.upper);
        self.why = Why::new(scored);
        self.because = self.why.words(value, scored);
    }
}

impl Why {
    fn new(scored: &Scored) -> Self {
        let (view, over_s) = match scored.view {
            View::Level { over_ms } => (OddView::Level, Some(over_ms as f64 / 1000.0)),
            View::Season => (OddView::Season, None),
            View::Variation => (OddView::Variation, None),
            View::Flatline => (OddView::Flatline, None),
            View::Silence => (OddView::Silence, None),
            View::Range => (OddView::Range, None),
        };
        Self { view, over_s, hour_p: scored.hour_p(), per_week: scored.per_week() }
    }

    fn words(&self, value: f64, scored: &Scored) -> String {
        let from = || format!("{:+.1} sigmas from {}", scored.sigmas, number(scored.expected));
        let what = match self.view {
            OddView::Level => format!("the level over {} is unusual, {}", Span::from_secs_f64(self.over_s.unwrap_or_default()), from()),
            OddView::Season => format!("unusual for the time of the day and week, {}", from()),
            OddView::Variation => "varies from value to value as it usually does not".to_owned(),
            OddView::Flatline => format!("{} for unusually long", number(value)),
            OddView::Silence => "no samples for unusually long before this one".to_owned(),
            OddView::Range => return format!("{} lies where no value can", number(value)),
        };
        format!("{what}; comes {} with nothing wrong", often(self.per_week))
    }
}

impl OddView {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Season => "season",
            Self::Variation => "variation",
            Self::Flatline => "flatline",
            Self::Silence => "silence",
            Self::Range => "range",
        }
    }
}

/// A rate a week in the unit that people would choose. What a series of weeks cannot show is not told in digits.
fn often(per_week: f64) -> String {
    /// Ten years.
    const MOST_WEEKS: f64 = 520.0;
    const WEEKS_A_YEAR: f64 = 52.0;
    let weeks = 1.0 / per_week;
    match weeks {
        w if w >= MOST_WEEKS => "less than once in 10 years".to_owned(),
        w if w >= 2.0 * WEEKS_A_YEAR => format!("once in {:.0} years", w / WEEKS_A_YEAR),
        w if w >= 1.5 => format!("once in {w:.0} weeks"),
        w if w > 1.0 / 7.0 => format!("once in {:.1} days", w * 7.0),
        w => format!("once in {:.1} hours", w * 168.0),
    }
}

/// Four digits that matter, and no exponent for anything a person would write without.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e12).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = if size >= 1.0 { 3 - size.log10().floor() as i32 } else { 4 };
    let text = format!("{value:.*}", digits.clamp(0, 4).unsigned_abs() as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        for (value, text) in
            [(604_800.0, "604800"), (0.8428, "0.8428"), (1178.5, "1178"), (12.3456, "12.35"), (0.0, "0"), (0.9, "0.9"), (2e-9, "2.000e-9")]
        {
            assert_eq!(number(value), text);
        }
    }

    fn scored(score: f64, view: View, per_week: f64) -> Scored {
        let every_hour = Scored { expected: 100.0, lower: 90.0, upper: 110.0, sigmas: 7.25, score, ln_hour_p: 0.0, view };
        Scored { ln_hour_p: (per_week / every_hour.per_week()).ln(), ..every_hour }
    }

    #[test]
    fn the_oddest_sample_is_shown_and_the_last_one_is_remembered() {
        let at = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
        let level = View::Level { over_ms: 4_800_000 };
        let mut anomaly = Anomaly::new("w", Labels::named("m"), at(0), 150.0, &scored(1.5, level, 0.05));
        assert_eq!(anomaly.because, "the level over 1h20m is unusual, +7.2 sigmas from 100; comes once in 20 weeks with nothing wrong");
        assert_eq!((anomaly.why.view, anomaly.why.over_s), (OddView::Level, Some(4_800.0)));
        anomaly.odd(at(5), 140.0, &scored(1.2, View::Season, 0.2));
        assert_eq!((anomaly.score, anomaly.value, anomaly.last_odd_at), (1.5, 150.0, at(5)));
        anomaly.odd(at(10), 1.0, &scored(100.0, View::Range, 0.0));
        assert_eq!((anomaly.because.as_str(), anomaly.started_at), ("1 lies where no value can", at(0)));
    }

    #[test]
    fn every_view_has_its_words_and_rarity_its_unit() {
        let said = |view, per_week| Why::new(&scored(1.0, view, per_week)).words(3.0, &scored(1.0, view, per_week));
        assert_eq!(said(View::Flatline, 1.0), "3 for unusually long; comes once in 7.0 days with nothing wrong");
        assert_eq!(said(View::Silence, 0.002), "no samples for unusually long before this one; comes once in 10 years with nothing wrong");
        assert!(said(View::Variation, 0.0).contains("less than once in 10 years"));
        assert!(said(View::Season, 20.0).ends_with("comes once in 8.4 hours with nothing wrong"));
    }
}
