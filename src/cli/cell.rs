//! Numbers, times and names as CSV cells, straight into a buffer: a file of millions of samples is written as fast as it is read.
//!
//! Numbers have the shortest form that reads back as the same number (serde_json's writer, which is Ryu's successor, and unlike `{}` writes
//! 1e300 in five characters). Times are RFC 3339 in UTC; the date is worked out once for all samples of a day.

use serde_json::ser::{CompactFormatter, Formatter};

use crate::core::time::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// First and last time that RFC 3339 can say: the years 0 and 9999.
const MIN_MS: i64 = -62_167_219_200_000;
const MAX_MS: i64 = 253_402_300_799_999;

/// The number; nothing for one that is not finite, which is how these files say "missing".
pub fn number(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        // A Vec takes everything.
        let _ = CompactFormatter.write_f64(out, value);
        if out.ends_with(b".0") {
            out.truncate(out.len() - 2);
        }
    }
}

/// The number as text, for cells of a table.
pub fn shown(value: f64) -> String {
    let mut out = Vec::new();
    number(&mut out, value);
    String::from_utf8_lossy(&out).into_owned()
}

/// Four significant digits: what people compare at a glance.
pub fn brief(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let size = value.abs();
    let digits = if size > 0.0 { (3.0 - size.log10().floor()).clamp(0.0, 12.0) as usize } else { 0 };
    if size >= 1e15 || (size > 0.0 && size < 1e-6) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A name, quoted where CSV needs it (RFC 4180, section 2).
pub fn name(out: &mut Vec<u8>, text: &str) {
    if !text.contains(['"', ',', '\n', '\r']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for part in text.split_inclusive('"') {
        out.extend_from_slice(part.as_bytes());
        if part.ends_with('"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

/// Writes times; remembers the day.
#[derive(Debug)]
pub struct Times {
    day: i64,
    date: Vec<u8>,
}

impl Times {
    pub fn new() -> Self {
        Self { day: i64::MIN, date: Vec::new() }
    }

    /// RFC 3339 with as many digits of a second as there are milliseconds.
    pub fn write(&mut self, out: &mut Vec<u8>, at: Timestamp) {
        let ms = at.as_millis();
        if !(MIN_MS..=MAX_MS).contains(&ms) {
            out.extend_from_slice(at.to_string().as_bytes());
            return;
        }
        let day = ms.div_euclid(DAY_MS);
        if day != self.day {
            self.day = day;
            self.date.clear();
            let (year, month, day) = civil(day);
            digits(&mut self.date, year, 4);
            self.date.push(b'-');
            digits(&mut self.date, month, 2);
            self.date.push(b'-');
            digits(&mut self.date, day, 2);
            self.date.push(b'T');
        }
        out.extend_from_slice(&self.date);
        let rest = ms.rem_euclid(DAY_MS);
        digits(out, rest / 3_600_000, 2);
        out.push(b':');
        digits(out, rest / 60_000 % 60, 2);
        out.push(b':');
        digits(out, rest / 1_000 % 60, 2);
        if rest % 1_000 != 0 {
            out.push(b'.');
            digits(out, rest % 1_000, 3);
            while out.last() == Some(&b'0') {
                out.pop();
            }
        }
        out.push(b'Z');
    }
}

fn digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
    }
}

/// Year, month and day of a day since 1970: "civil from days", Howard Hinnant.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(at: i64) -> String {
        let mut out = Vec::new();
        Times::new().write(&mut out, Timestamp::from_millis(at));
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn times_are_written_as_the_calendar_library_writes_them(ms in MIN_MS..=MAX_MS) {
            prop_assert_eq!(written(ms), Timestamp::from_millis(ms).to_string());
        }

        #[test]
        fn numbers_read_back_as_themselves(value in any::<f64>()) {
            let text = shown(value);
            if value.is_finite() {
                prop_assert_eq!(text.parse::<f64>().unwrap(), value);
            } else {
                prop_assert_eq!(text, "");
            }
        }
    }

    #[test]
    fn the_day_is_kept_and_left() {
        let (mut times, mut out) = (Times::new(), Vec::new());
        for ms in [0, 86_399_000, 86_400_000, -1] {
            times.write(&mut out, Timestamp::from_millis(ms));
            out.push(b' ');
        }
        let want = "1970-01-01T00:00:00Z 1970-01-01T23:59:59Z 1970-01-02T00:00:00Z 1969-12-31T23:59:59.999Z ";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn names_are_quoted_where_they_must() {
        let mut out = Vec::new();
        name(&mut out, r#"up{job="a",x="b"}"#);
        assert_eq!(String::from_utf8(out).unwrap(), r#""up{job=""a"",x=""b""}""#);
    }

    #[test]
    fn numbers_for_people_have_four_digits() {
        for (value, text) in [(0.0, "0"), (12.0, "12"), (0.123_456, "0.1235"), (123_456.7, "123457"), (1e-9, "1.000e-9"), (-2.5, "-2.5")] {
            assert_eq!(brief(value), text);
        }
    }
}
