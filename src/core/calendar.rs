//! Days unlike others, and clocks that are changed: what the calendar says about the steps of a forecast.
//!
//! Special days are civil dates in the watch's zone, of as many kinds as somebody gives: holidays, sales, the end of a month. They are given,
//! not known: which days they are differs by country, company and year. A kind is a list of dates, or a rule of RFC 5545 that is written out
//! once when it is read: asked for every hour of a forecast, a set of dates answers at once.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use portent_models::forecast::{Bounds, Calendar, Context};
use rrule::{Frequency, RRuleSet};

use super::civil;
use super::time::{Span, Timestamp};

/// Days of one kind at most: fourteen years of weekends, or thirty of four dozen holidays.
pub const MAX_DAYS: usize = 1_500;
/// Kinds of one calendar at most: of more, too few days of each would be seen to learn from.
pub const MAX_KINDS: usize = 16;
/// Where rules begin: no Prometheus holds anything older.
const FIRST_DAY: &str = "20200101T000000Z";

/// Special days of one kind, which are like each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kind {
    pub name: String,
    pub days: BTreeSet<Date>,
}

/// Shared, since every variant of a watch has them.
pub type Kinds = Arc<[Kind]>;

/// Where days begin, and which of them are unlike others.
#[derive(Clone, Debug, PartialEq)]
pub struct Days {
    pub zone: TimeZone,
    /// A day of two kinds is of the first.
    pub kinds: Kinds,
}

impl Default for Days {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, kinds: Kinds::default() }
    }
}

/// The days of a rule as RFC 5545 writes it (`FREQ=MONTHLY;BYMONTHDAY=-1`), from 2020 on.
///
/// # Errors
/// What was wanted, when the text is something else or is about every day.
pub fn rule(text: &str) -> Result<BTreeSet<Date>, String> {
    let wrong = |cause: String| format!("{text:?} is no recurrence of RFC 5545: {cause} (as in FREQ=MONTHLY;BYMONTHDAY=-1)");
    let set = RRuleSet::from_str(&format!("DTSTART:{FIRST_DAY}\nRRULE:{text}")).map_err(|error| wrong(error.to_string()))?;
    let often = |freq| matches!(freq, Frequency::Daily | Frequency::Hourly | Frequency::Minutely | Frequency::Secondly);
    if set.get_rrule().iter().any(|rule| often(rule.get_freq())) {
        return Err(format!("{text:?} is about every day: want FREQ=WEEKLY, MONTHLY or YEARLY"));
    }
    let date = |at: i64| jiff::Timestamp::from_millisecond(at).ok().map(|at| at.to_zoned(TimeZone::UTC).date());
    let days: BTreeSet<Date> = set.into_iter().take(MAX_DAYS).filter_map(|day| date(day.timestamp_millis())).collect();
    if days.is_empty() { Err(wrong("it names no day".to_owned())) } else { Ok(days) }
}

/// A date as people write it.
///
/// # Errors
/// What was wanted, when the text is something else.
pub fn date(text: &str) -> Result<Date, String> {
    // A time of day would be a moment, and it is not said in which zone.
    let is_date = text.len() == "2026-12-25".len() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = text.parse().ok().filter(|_| is_date);
    date.ok_or_else(|| format!("{text:?} is not a date: want year-month-day, as 2026-12-25"))
}

impl Days {
    /// What models are told about equally spaced values, the last one at `last`, and `ahead` steps after it. `None` where there is nothing to
    /// tell: no special day anywhere near, and no clock that is changed.
    pub fn calendar(&self, last: Timestamp, step: Span, past: usize, ahead: usize) -> Option<Calendar> {
        if self.zone == TimeZone::UTC && self.kinds.is_empty() {
            return None;
        }
        let step_ms = step.as_millis().max(1);
        let first = last - step.times(past as i64 - 1);
        let times = (0..(past + ahead) as i64).map(|i| first + step.times(i));
        let (mut offset_steps, mut kind) = (Vec::with_capacity(past + ahead), Vec::with_capacity(past + ahead));
        // Asked of the zone once a stretch of one offset, and of the special days once a day.
        let mut stretch = Stretch::EMPTY;
        let mut day = (i64::MIN, 0);
        for at in times {
            if !stretch.holds(at) {
                stretch = Stretch::from(&self.zone, at);
            }
            offset_steps.push(i32::try_from((stretch.offset_ms + step_ms / 2).div_euclid(step_ms)).unwrap_or(0));
            let number = at.as_millis().saturating_add(stretch.offset_ms).div_euclid(Span::DAY.as_millis());
            if !self.kinds.is_empty() && number != day.0 {
                day = (number, self.kind_of(at));
            }
            kind.push(day.1);
        }
        let is_changed = offset_steps.windows(2).any(|w| w[0] != w[1]);
        (is_changed || kind.iter().any(|kind| *kind > 0)).then_some(Calendar { offset_steps, kind })
    }

    /// The past as models see it, with what the calendar says of it where that is anything.
    pub fn context(&self, values: &[f64], season: usize, bounds: Bounds, last: Timestamp, step: Span, ahead: usize) -> Context {
        match self.calendar(last, step, values.len(), ahead) {
            Some(calendar) => Context::with_calendar(values, season, bounds, &calendar),
            None => Context::new(values, season, bounds),
        }
    }

    /// Number of the kind of a time's day; 0 for a usual day.
    fn kind_of(&self, at: Timestamp) -> u8 {
        let Ok(time) = jiff::Timestamp::from_millisecond(at.as_millis()) else { return 0 };
        let date = time.to_zoned(self.zone.clone()).date();
        let kind = self.kinds.iter().take(MAX_KINDS).position(|kind| kind.days.contains(&date));
        kind.map_or(0, |kind| kind as u8 + 1)
    }
}

/// A time in which the clock on the wall keeps its distance from UTC.
struct Stretch {
    from_ms: i64,
    /// The first millisecond after it.
    until_ms: i64,
    offset_ms: i64,
}

impl Stretch {
    const EMPTY: Self = Self { from_ms: 0, until_ms: 0, offset_ms: 0 };

    /// The rest of the one that a time lies in, up to the zone's next change.
    fn from(zone: &TimeZone, at: Timestamp) -> Self {
        let next = jiff::Timestamp::from_millisecond(at.as_millis()).ok().and_then(|time| zone.following(time).next());
        let until_ms = next.map_or(i64::MAX, |change| change.timestamp().as_millisecond());
        Self { from_ms: at.as_millis(), until_ms, offset_ms: civil::offset_ms(zone, at) }
    }

    fn holds(&self, at: Timestamp) -> bool {
        (self.from_ms..self.until_ms).contains(&at.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use portent_models::forecast::{Ensemble, Model};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn berlin(holidays: &[&str]) -> Days {
        let days = holidays.iter().map(|day| date(day).unwrap()).collect();
        Days { zone: TimeZone::get("Europe/Berlin").unwrap(), kinds: [Kind { name: "holidays".to_owned(), days }].into() }
    }

    /// A load that follows the clock on the wall in Berlin, and on holidays that of a Sunday night.
    fn load(days: &Days, at: Timestamp) -> f64 {
        let hour = civil::hour_of_day(&days.zone, at);
        let noise = ((at.as_millis() / 3_600_000 * 7919) % 97) as f64 / 97.0 - 0.5;
        let open = [1.0, 0.25, 1.8][usize::from(days.kind_of(at))];
        100.0 + open * 80.0 * f64::from(u8::from((8.0..20.0).contains(&hour))) + 3.0 * noise
    }

    /// Mean absolute error of a day of hours after `origin`, told from five weeks before it.
    fn error(truth: &Days, told: &Days, origin: Timestamp) -> f64 {
        let past: Vec<f64> = (0..5 * 168).rev().map(|h| load(truth, origin - Span::HOUR.times(h))).collect();
        let context = told.context(&past, 24, Bounds::default(), origin, Span::HOUR, 24);
        let fitted = Ensemble.fit(&context, 24).unwrap();
        let errors = (1..=24).map(|h| (fitted.median()[h - 1] - load(truth, origin + Span::HOUR.times(h as i64))).abs());
        errors.sum::<f64>() / 24.0
    }

    #[test]
    fn a_change_of_the_clock_is_known_before_it_comes() {
        let days = berlin(&[]);
        // The clock goes back on 2026-10-25 at three: the first day after it is told an hour off by a calendar without zones.
        let origin = at("2026-10-25T00:00:00Z");
        let (with, without) = (error(&days, &days, origin), error(&days, &Days::default(), origin));
        assert!(with < 3.0 && without > 6.0, "with {with:.2}, without {without:.2}");
    }

    #[test]
    fn a_holiday_is_told_from_holidays_before_it() {
        let days = berlin(&["2026-10-26", "2026-11-02", "2026-11-11"]);
        let none = berlin(&[]);
        let eve = at("2026-11-10T23:00:00Z");
        let (with, without) = (error(&days, &days, eve), error(&days, &none, eve));
        assert!(with < 10.0 && without > 20.0, "the holiday: with {with:.2}, without {without:.2}");
        // The day after is an ordinary one again.
        let with = error(&days, &days, at("2026-11-11T23:00:00Z"));
        assert!(with < 5.0, "the day after: {with:.2}");
    }

    #[test]
    fn a_sale_is_told_from_sales_and_a_holiday_from_holidays() {
        let holidays = berlin(&["2026-10-26", "2026-11-02", "2026-11-11"]);
        let sale = Kind { name: "sale".to_owned(), days: ["2026-10-22", "2026-11-05", "2026-11-12"].map(|d| date(d).unwrap()).into() };
        let both = Days { kinds: [holidays.kinds[0].clone(), sale].into(), ..holidays.clone() };
        let mixed = both.kinds.iter().flat_map(|kind| kind.days.iter().copied()).collect();
        let one = Days { kinds: [Kind { name: "special".to_owned(), days: mixed }].into(), ..holidays.clone() };
        for (eve, what) in [("2026-11-10T23:00:00Z", "holiday"), ("2026-11-11T23:00:00Z", "sale"), ("2026-11-12T23:00:00Z", "day after")] {
            let (with, as_one) = (error(&both, &both, at(eve)), error(&both, &one, at(eve)));
            assert!(with < 10.0, "{what}: {with:.2}");
            assert!(what == "day after" || as_one > 2.0 * with, "{what}: {with:.2} by kinds, {as_one:.2} as one");
        }
    }

    #[test]
    fn a_rule_names_its_days() {
        let last = rule("FREQ=MONTHLY;BYMONTHDAY=-1").unwrap();
        assert!(last.contains(&date("2026-02-28").unwrap()) && last.contains(&date("2028-02-29").unwrap()) && last.len() == MAX_DAYS);
        let black_friday = rule("FREQ=YEARLY;BYMONTH=11;BYDAY=4FR;COUNT=10").unwrap();
        assert!(black_friday.contains(&date("2026-11-27").unwrap()) && black_friday.len() == 10);
        for bad in ["FREQ=DAILY", "every friday", "FREQ=HOURLY;COUNT=3", ""] {
            assert!(rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_step_has_the_offset_and_the_day_that_it_has_alone() {
        let days = berlin(&["2026-10-25", "2026-10-27"]);
        for (last, step) in [("2026-10-25T03:20:00Z", Span::HOUR), ("2026-10-25T00:55:00Z", Span::from_millis(300_000))] {
            let last = at(last);
            let told = days.calendar(last, step, 100, 60).unwrap();
            let first = last - step.times(99);
            for i in 0..160 {
                let then = first + step.times(i as i64);
                let offset_steps = civil::offset_ms(&days.zone, then) / step.as_millis();
                assert_eq!((i64::from(told.offset_steps[i]), told.kind[i]), (offset_steps, days.kind_of(then)), "{then:?}");
            }
        }
    }

    #[test]
    fn nothing_is_told_where_there_is_nothing_to_tell() {
        let last = at("2026-07-01T00:00:00Z");
        assert_eq!(berlin(&["2026-12-25"]).calendar(last, Span::HOUR, 168, 24), None);
        assert_eq!(Days::default().calendar(last, Span::HOUR, 168, 24), None);
        let told = berlin(&["2026-07-01"]).calendar(last, Span::HOUR, 24, 24).unwrap();
        // Midnight in Berlin is ten in the evening here.
        assert_eq!(told.kind.iter().position(|kind| *kind > 0), Some(21));
        assert_eq!(told.kind.iter().filter(|kind| **kind == 1).count(), 24);
        assert!(date("2026-2-30").is_err() && date("2026-02-30").is_err() && date("2026-02-28T10:00").is_err());
    }
}
