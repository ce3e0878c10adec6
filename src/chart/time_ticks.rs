//! Ticks of the time axis: round local times, and the day under the first tick of each day.
//!
//! Steps are counted in civil time and each result is asked of the zone, rather than adding milliseconds: on the day the clocks change, 06:00
//! must still stand at 06:00. A local time that does not exist has no tick; one that exists twice has two where the step is an hour or less.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{ToSpan, Zoned};

use crate::core::time::{Span, Timestamp};

/// One mark on the time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeTick {
    pub at: Timestamp,
    /// `06:00`, or `22 Nov` on a long axis.
    pub label: String,
    /// The day (or the year, on a long axis) that starts with this tick; the first tick has it as well.
    pub day: Option<String>,
    /// Where a day (or a year) begins: drawn stronger.
    pub is_major: bool,
}

/// No axis has more: a loop over days or months ends here whatever it is asked.
const MAX_TICKS: usize = 200;
/// Times outside are not drawn: years 1 to 9999, less a day at either end so that every zone can write them.
pub const FIRST_MS: i64 = -62_135_510_400_000;
pub const LAST_MS: i64 = 253_402_128_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Seconds(i64),
    Days(i64),
    /// Every Monday, or every second one.
    Weeks(i64),
    Months(i64),
    Years(i64),
}

const STEPS: [Step; 33] = [
    Step::Seconds(1),
    Step::Seconds(5),
    Step::Seconds(10),
    Step::Seconds(15),
    Step::Seconds(30),
    Step::Seconds(60),
    Step::Seconds(120),
    Step::Seconds(300),
    Step::Seconds(600),
    Step::Seconds(900),
    Step::Seconds(1_800),
    Step::Seconds(3_600),
    Step::Seconds(7_200),
    Step::Seconds(10_800),
    Step::Seconds(21_600),
    Step::Seconds(43_200),
    Step::Days(1),
    Step::Days(2),
    Step::Weeks(1),
    Step::Weeks(2),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(20),
    Step::Years(50),
    Step::Years(100),
    Step::Years(500),
    Step::Years(1_000),
];

impl Step {
    fn approx_ms(self) -> i64 {
        match self {
            Self::Seconds(n) => n * 1_000,
            Self::Days(n) => n * Span::DAY.as_millis(),
            Self::Weeks(n) => n * Span::WEEK.as_millis(),
            Self::Months(n) => n * 30 * Span::DAY.as_millis(),
            Self::Years(n) => n * 365 * Span::DAY.as_millis(),
        }
    }
}

/// Ticks in `[from, to]`, about `target` of them and never many more.
pub fn time_ticks(from: Timestamp, to: Timestamp, zone: &TimeZone, target: usize) -> Vec<TimeTick> {
    let (from, to) = (clamped(from), clamped(to));
    let span = (to - from).as_millis();
    if span <= 0 {
        return Vec::new();
    }
    let wanted = span / i64::try_from(target.clamp(1, MAX_TICKS / 2)).unwrap_or(1);
    let step = STEPS.into_iter().find(|s| s.approx_ms() >= wanted).unwrap_or(Step::Years(1_000));
    let (Some(first), Some(last)) = (zoned(from, zone), zoned(to, zone)) else { return Vec::new() };
    let mut times = Vec::new();
    for civil in civil_times(step, first.date(), last.date(), first.time()) {
        let both = matches!(step, Step::Seconds(s) if s <= 3_600);
        times.extend(instants(civil, zone, both).filter(|t| (from..=to).contains(t)));
        if times.len() > MAX_TICKS {
            break;
        }
    }
    times.sort_unstable();
    times.dedup();
    labelled(&times, step, zone)
}

/// Candidate local times from the first day to the last, a little generous at both ends.
fn civil_times(step: Step, first: Date, last: Date, first_time: Time) -> Vec<DateTime> {
    let days = |start: Date, by: jiff::Span| -> Vec<DateTime> {
        start.series(by).take_while(|d| *d <= last).take(MAX_TICKS).map(|d| d.to_datetime(Time::midnight())).collect()
    };
    match step {
        Step::Seconds(s) => {
            // Starting at the hour before the window keeps one-second steps from walking through a whole day first.
            let hour = i64::from(first_time.hour());
            let start_s = if s < 3_600 { (hour - 1).max(0) * 3_600 } else { 0 };
            let in_day = |date: Date, from_s: i64| {
                let midnight = date.to_datetime(Time::midnight());
                (from_s..Span::DAY.as_millis() / 1_000)
                    .step_by(usize::try_from(s).unwrap_or(1))
                    .filter_map(move |s| midnight.checked_add(s.seconds()).ok())
            };
            // Short steps come with short windows: two days of them are enough, and of long steps there are few a day.
            in_day(first, start_s)
                .chain(first.series(1.day()).skip(1).take_while(|d| *d <= last).take(MAX_TICKS).flat_map(|d| in_day(d, 0)))
                .take(SECONDS_CANDIDATES)
                .collect()
        }
        Step::Days(n) => {
            // Even days of the year's count, so that the ticks do not jump as the window moves.
            let skew = i64::from(first.day_of_year() - 1).rem_euclid(n);
            first.checked_sub(skew.days()).map(|start| days(start, n.days())).unwrap_or_default()
        }
        Step::Weeks(n) => {
            let back = i64::from(first.weekday().since(Weekday::Monday));
            first.checked_sub(back.days()).map(|start| days(start, n.weeks())).unwrap_or_default()
        }
        Step::Months(n) => {
            let months = i64::from(first.month() - 1).rem_euclid(n);
            first.first_of_month().checked_sub(months.months()).map(|start| days(start, n.months())).unwrap_or_default()
        }
        Step::Years(n) => {
            let year = i64::from(first.year()).div_euclid(n) * n;
            let start = i16::try_from(year).ok().and_then(|y| Date::new(y, 1, 1).ok()).unwrap_or(first.first_of_year());
            days(start, n.years())
        }
    }
}

/// Seven hours of one-second steps: the window of the shortest step is minutes long and starts within two hours of the first candidate.
const SECONDS_CANDIDATES: usize = 25_200;

/// When the clocks of `zone` show `civil`: never, once, or twice (both only if wanted).
fn instants(civil: DateTime, zone: &TimeZone, both: bool) -> impl Iterator<Item = Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    let offsets = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
        AmbiguousOffset::Gap { .. } => [None, None],
        AmbiguousOffset::Fold { before, after } => [Some(before), both.then_some(after)],
    };
    offsets
        .into_iter()
        .flatten()
        .filter_map(move |offset| offset.to_timestamp(civil).ok())
        .map(|t| Timestamp::from_millis(t.as_millisecond()))
}

fn labelled(times: &[Timestamp], step: Step, zone: &TimeZone) -> Vec<TimeTick> {
    let mut ticks: Vec<TimeTick> = Vec::with_capacity(times.len());
    let mut last_group: Option<String> = None;
    for &at in times {
        let Some(local) = zoned(at, zone) else { continue };
        let (label, group) = match step {
            Step::Seconds(s) if s < 60 => (local.strftime("%H:%M:%S"), local.strftime("%a %-d %b")),
            Step::Seconds(_) => (local.strftime("%H:%M"), local.strftime("%a %-d %b")),
            Step::Days(_) => (local.strftime("%a %-d %b"), local.strftime("%Y")),
            Step::Weeks(_) => (local.strftime("%-d %b"), local.strftime("%Y")),
            Step::Months(_) => (local.strftime("%b"), local.strftime("%Y")),
            Step::Years(_) => (local.strftime("%Y"), local.strftime("")),
        };
        let group = group.to_string();
        let starts = last_group.as_ref() != Some(&group) && !group.is_empty();
        let is_first = last_group.is_none();
        let at_midnight = local.time() == Time::midnight();
        let is_major = match step {
            Step::Seconds(_) => at_midnight,
            Step::Years(_) => false,
            _ => starts && !is_first,
        };
        ticks.push(TimeTick { at, label: label.to_string(), day: starts.then(|| group.clone()), is_major });
        last_group = Some(group);
    }
    ticks
}

fn clamped(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis().clamp(FIRST_MS, LAST_MS))
}

/// `time` on the clocks of `zone`; nothing outside the years that can be written.
pub fn zoned(time: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    if !(FIRST_MS..=LAST_MS).contains(&time.as_millis()) {
        return None;
    }
    jiff::Timestamp::from_millisecond(time.as_millis()).ok().map(|t| t.to_zoned(zone.clone()))
}

/// What the axis says about its zone: `UTC`, `Europe/Berlin (UTC+1)`, or both offsets where the clocks change in between.
pub fn zone_name(zone: &TimeZone, from: Timestamp, to: Timestamp) -> String {
    let offset = |t: Timestamp| zoned(clamped(t), zone).map_or(0, |z| z.offset().seconds());
    let (first, last) = (offset(from), offset(to));
    let name = match zone.iana_name() {
        Some("UTC" | "Etc/UTC" | "Etc/Unknown") => return "UTC".into(),
        Some(name) => name.to_owned(),
        None if first == 0 && last == 0 => return "UTC".into(),
        None => return utc_offset(first),
    };
    if first == last {
        format!("{name} ({})", utc_offset(first))
    } else {
        format!("{name} ({} → {})", utc_offset(first), utc_offset(last))
    }
}

fn utc_offset(seconds: i32) -> String {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    match (minutes / 60, minutes % 60) {
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn labels(from: &str, to: &str, zone: &TimeZone, target: usize) -> Vec<String> {
        time_ticks(at(from), at(to), zone, target).into_iter().map(|t| t.label).collect()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    #[test]
    fn midnights_are_local_and_carry_the_day() {
        let ticks = time_ticks(at("2026-11-21T20:30:00Z"), at("2026-11-22T20:30:00Z"), &berlin(), 8);
        let shown: Vec<_> = ticks.iter().map(|t| (t.label.as_str(), t.day.as_deref(), t.is_major)).collect();
        assert_eq!(shown[0], ("00:00", Some("Sun 22 Nov"), true));
        assert_eq!(ticks[0].at, at("2026-11-21T23:00:00Z"));
        assert_eq!(shown[1], ("03:00", None, false));
        assert_eq!(shown.len(), 8);
    }

    #[test]
    fn round_times_stay_round_when_the_clocks_change() {
        // Back one hour at 03:00 CEST on 25 October: a day of 25 hours.
        let ticks = time_ticks(at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"), &berlin(), 5);
        assert_eq!(ticks.iter().map(|t| t.label.as_str()).collect::<Vec<_>>(), ["00:00", "06:00", "12:00", "18:00", "00:00"]);
        assert_eq!((ticks[1].at - ticks[0].at).as_millis(), 7 * 3_600_000);
        // Hour by hour, 02:00 stands there twice in autumn and not at all in spring.
        let autumn = labels("2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z", &berlin(), 4);
        assert_eq!(autumn, ["01:00", "02:00", "02:00", "03:00"]);
        let spring = labels("2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z", &berlin(), 4);
        assert_eq!(spring, ["01:00", "03:00", "04:00", "05:00"]);
    }

    #[test]
    fn long_axes_count_days_weeks_months_and_years() {
        let utc = TimeZone::UTC;
        assert_eq!(
            labels("2026-11-20T01:00:00Z", "2026-11-24T01:00:00Z", &utc, 5),
            ["Sat 21 Nov", "Sun 22 Nov", "Mon 23 Nov", "Tue 24 Nov"]
        );
        assert_eq!(labels("2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z", &utc, 5), ["2 Nov", "9 Nov", "16 Nov", "23 Nov", "30 Nov"]);
        assert_eq!(labels("2026-01-15T00:00:00Z", "2026-06-15T00:00:00Z", &utc, 6), ["Feb", "Mar", "Apr", "May", "Jun"]);
        assert_eq!(labels("2020-01-01T00:00:00Z", "2025-06-15T00:00:00Z", &utc, 6), ["2020", "2021", "2022", "2023", "2024", "2025"]);
        assert_eq!(labels("2026-11-22T10:00:00Z", "2026-11-22T10:00:20Z", &utc, 5)[1], "10:00:05");
    }

    #[test]
    fn any_window_gives_some_ticks_and_never_too_many() {
        for zone in [TimeZone::UTC, berlin(), TimeZone::get("Asia/Kathmandu").unwrap()] {
            for span_ms in [1_000_i64, 59_000, 3_600_000, 86_400_000, 9 * 86_400_000, 200 * 86_400_000, 40 * 365 * 86_400_000, i64::MAX] {
                for from in ["2026-03-28T23:59:59.5Z", "2024-02-29T12:00:00Z", "1969-12-31T23:00:00Z"] {
                    let ticks = time_ticks(at(from), at(from) + Span::from_millis(span_ms), &zone, 8);
                    assert!(ticks.len() <= 20, "{from} {span_ms}: {}", ticks.len());
                    assert!(ticks.len() >= 2 || span_ms <= 1_000, "{from} {span_ms}: {}", ticks.len());
                }
            }
        }
        assert_eq!(time_ticks(Timestamp::MIN, Timestamp::from_millis(i64::MAX), &TimeZone::UTC, 8).len(), 9);
        assert!(time_ticks(at("2026-01-01T00:00:00Z"), at("2025-01-01T00:00:00Z"), &TimeZone::UTC, 8).is_empty());
    }

    #[test]
    fn the_zone_is_named_with_its_offset() {
        let (before, after) = (at("2026-10-24T00:00:00Z"), at("2026-10-26T00:00:00Z"));
        assert_eq!(zone_name(&TimeZone::UTC, before, after), "UTC");
        assert_eq!(zone_name(&berlin(), before, after), "Europe/Berlin (UTC+2 → UTC+1)");
        assert_eq!(zone_name(&TimeZone::get("Asia/Kathmandu").unwrap(), before, after), "Asia/Kathmandu (UTC+5:45)");
    }
}
