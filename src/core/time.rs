//! Points in time and lengths of time as the core knows them: UTC milliseconds inside, RFC 3339 and Prometheus durations outside.
//!
//! Own newtypes rather than `std::time`: the core never reads a clock, timestamps may lie before 1970 in a data file, and every
//! arithmetic step has to be exact and total (a far-away time saturates, it never panics).

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A signed length of time in milliseconds, written as Prometheus writes it (`1h30m`, `7d`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Timestamp {
    pub const MIN: Self = Self(i64::MIN);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Nearest millisecond to a Unix time in seconds; the ends of the range for what lies outside it.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1000.0).round() as i64)
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The latest multiple of `step` that is not after this time.
    pub fn floor(self, step: Span) -> Self {
        Self(self.0 - self.0.rem_euclid(step.0.max(1)))
    }
}

impl Span {
    pub const ZERO: Self = Self(0);
    pub const SECOND: Self = Self(1_000);
    pub const MINUTE: Self = Self(60_000);
    pub const HOUR: Self = Self(3_600_000);
    pub const DAY: Self = Self(86_400_000);
    pub const WEEK: Self = Self(7 * 86_400_000);

    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1000)
    }

    /// Nearest millisecond; saturates.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1000.0).round() as i64)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.max(0) as u64)
    }

    pub const fn times(self, n: i64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, rhs: Span) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, rhs: Span) -> Self {
        Self(self.0.saturating_sub(rhs.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, rhs: Self) -> Span {
        Span(self.0.saturating_sub(rhs.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(self.0.saturating_sub(rhs.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("{0:?} is not a time: want RFC 3339 (2026-11-22T10:00:00Z) or Unix seconds or milliseconds")]
    Timestamp(String),
    #[error("{0:?} is not a duration: want a number and a unit of ms, s, m, h, d, w, y, as in 30s, 1h30m, 7d")]
    Span(String),
}

/// Unix numbers at or above this are milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973.
const FIRST_MILLIS: f64 = 1e11;

impl FromStr for Timestamp {
    type Err = TimeError;

    /// RFC 3339 (any offset; a space may stand for the `T`; no offset means UTC), or a Unix time in seconds or milliseconds.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        let fail = || TimeError::Timestamp(text.to_owned());
        if let Ok(number) = text.parse::<f64>() {
            if !number.is_finite() {
                return Err(fail());
            }
            return Ok(if number.abs() >= FIRST_MILLIS { Self(number.round() as i64) } else { Self::from_secs_f64(number) });
        }
        if let Ok(t) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(t.as_millisecond()));
        }
        let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| fail())?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| fail())?;
        Ok(Self(zoned.timestamp().as_millisecond()))
    }
}

/// Units of Prometheus' duration syntax, largest first, in milliseconds. A year has 365 days there.
const UNITS: [(&str, i64); 7] =
    [("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Span {
    type Err = TimeError;

    /// Prometheus' duration syntax: <https://prometheus.io/docs/prometheus/latest/querying/basics/#time-durations>.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let fail = || TimeError::Span(text.to_owned());
        let mut rest = text.trim();
        let (negative, unsigned) = match rest.strip_prefix('-') {
            Some(r) => (true, r),
            None => (false, rest),
        };
        rest = unsigned;
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(fail());
        }
        let (mut total, mut last_unit) = (0_i64, i64::MAX);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fail)?;
            let amount: i64 = rest[..digits].parse().map_err(|_| fail())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = UNITS.iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(fail)?.1;
            if unit >= last_unit {
                return Err(fail());
            }
            last_unit = unit;
            rest = &rest[letters..];
            total = amount.checked_mul(unit).and_then(|ms| total.checked_add(ms)).ok_or_else(fail)?;
        }
        Ok(Self(if negative { -total } else { total }))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut rest = self.0.unsigned_abs();
        // Weeks and years are read but not written: "7d" and "365d" are what people say.
        for (unit, ms) in &UNITS[2..] {
            let ms = *ms as u64;
            if rest >= ms {
                write!(f, "{}{unit}", rest / ms)?;
                rest %= ms;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Written as RFC 3339, read as anything [`FromStr`] reads.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write_as_prometheus_does() {
        for (text, ms, shown) in [
            ("30s", 30_000, "30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1w", 604_800_000, "7d"),
            ("250ms", 250, "250ms"),
            ("0", 0, "0s"),
            ("-5m", -300_000, "-5m"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.as_millis(), span.to_string().as_str()), (ms, shown), "{text}");
        }
        for bad in ["", "5", "m", "5x", "1m1h", "1m1m", "99999999999999y", "1.5h"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?} was read");
        }
    }

    #[test]
    fn timestamps_read_rfc3339_and_unix_numbers() {
        for text in ["2026-11-22T10:00:00Z", "2026-11-22T11:00:00+01:00", "2026-11-22 10:00:00", "1795341600", "1795341600000"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().as_millis(), 1_795_341_600_000, "{text}");
        }
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("NaN".parse::<Timestamp>().is_err());
    }

    #[test]
    fn floor_goes_down_on_both_sides_of_the_epoch() {
        assert_eq!(Timestamp::from_millis(-1).floor(Span::MINUTE).as_millis(), -60_000);
        assert_eq!(Timestamp::from_millis(61_000).floor(Span::MINUTE).as_millis(), 60_000);
    }
}
