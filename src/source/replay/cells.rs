//! One column of one batch, whatever its type in the file, as times, numbers or texts.
//!
//! CSV cells come as text and are read here rather than by arrow's typed CSV columns: that reader stops at the first bad cell with its own
//! words and knows one form of time a column, while a message here names file, line and column, and every form of time is welcome.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};

use crate::core::time::Timestamp;

/// A cell that is not what its column holds: its row in the batch, what stood there, what was wanted.
#[derive(Debug, PartialEq)]
pub(super) struct BadCell {
    pub row: usize,
    pub found: String,
    pub want: &'static str,
    pub hint: &'static str,
}

/// As [`Timestamp`]'s text form has it: numbers from here on are milliseconds, smaller ones seconds.
const FIRST_MILLIS: f64 = 1e11;

/// 9999-12-30T22:00:00.999Z, the last time that has a date in every zone. What lies past it is a number in micro- or nanoseconds, not a
/// time anybody means.
const LAST_MS: i64 = 253_402_207_200_999;

const WANT_TIME: &str = "a time";
const HINT_TIME: &str = "write RFC 3339 (2026-11-22T10:00:00Z) or Unix seconds or milliseconds";
const WANT_NUMBER: &str = "a number";
const HINT_NUMBER: &str =
    "leave missing values empty; a column of words is a label and needs a value column beside it (timestamp,value,label...)";

/// Texts that stand for a missing value beside the empty cell and NaN: what R, SQL tools and Python print.
const MISSING: [&str; 5] = ["null", "NULL", "NA", "N/A", "None"];

/// The column's times.
pub(super) fn times(column: &ArrayRef) -> Result<Vec<Timestamp>, BadCell> {
    let bad = |row: usize, found: String| BadCell { row, found, want: WANT_TIME, hint: HINT_TIME };
    let typed = match column.data_type() {
        DataType::Timestamp(_, zone) => to(column, &DataType::Timestamp(TimeUnit::Millisecond, zone.clone())),
        DataType::Date32 => Ok(column.clone()),
        DataType::Date64 => to(column, &DataType::Timestamp(TimeUnit::Millisecond, None)),
        kind if kind.is_integer() => to(column, &DataType::Int64),
        kind if kind.is_floating() || matches!(kind, DataType::Decimal128(..)) => to(column, &DataType::Float64),
        _ => to(column, &DataType::Utf8),
    }
    .map_err(|found| bad(0, found))?;
    if let Some(row) = first_null(typed.as_ref()) {
        return Err(bad(row, String::new()));
    }
    let at = |row: usize, time: Option<Timestamp>, found: &dyn Fn() -> String| {
        time.filter(|t| t.as_millis().abs() <= LAST_MS).ok_or_else(|| bad(row, found()))
    };
    match typed.data_type() {
        DataType::Timestamp(..) => {
            let values = typed.as_primitive::<TimestampMillisecondType>().values();
            values.iter().enumerate().map(|(row, ms)| at(row, Some(Timestamp::from_millis(*ms)), &|| ms.to_string())).collect()
        }
        DataType::Date32 => {
            let values = typed.as_primitive::<Date32Type>().values();
            Ok(values.iter().map(|days| Timestamp::from_millis(i64::from(*days) * 86_400_000)).collect())
        }
        DataType::Int64 => {
            let values = typed.as_primitive::<Int64Type>().values();
            values.iter().enumerate().map(|(row, n)| at(row, Some(of_unix_int(*n)), &|| n.to_string())).collect()
        }
        DataType::Float64 => {
            let values = typed.as_primitive::<Float64Type>().values();
            values.iter().enumerate().map(|(row, n)| at(row, of_unix(*n), &|| n.to_string())).collect()
        }
        _ => texts_to_times(typed.as_string::<i32>(), &bad),
    }
}

fn texts_to_times(texts: &StringArray, bad: &dyn Fn(usize, String) -> BadCell) -> Result<Vec<Timestamp>, BadCell> {
    let mut times: Vec<Timestamp> = Vec::with_capacity(texts.len());
    let mut before = ("", Timestamp::MIN);
    for row in 0..texts.len() {
        let text = texts.value(row);
        // Long files repeat a time for every series: reading it once is most of the work saved.
        if row == 0 || text != before.0 {
            let time = time_of(text).filter(|t| t.as_millis().abs() <= LAST_MS).ok_or_else(|| bad(row, text.to_owned()))?;
            before = (text, time);
        }
        times.push(before.1);
    }
    Ok(times)
}

/// The plain forms by hand, as they are all but every cell of every file; the rest as [`Timestamp`] reads them.
fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let bytes = text.as_bytes();
    if (1..=15).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        return text.parse().ok().map(of_unix_int);
    }
    utc_of(bytes).or_else(|| text.parse().ok())
}

/// `YYYY-MM-DDTHH:MM:SSZ`, with a space for the `T` and without the `Z` as well; none for any other form or a date that does not exist.
fn utc_of(text: &[u8]) -> Option<Timestamp> {
    let stem = text.strip_suffix(b"Z").unwrap_or(text);
    let separators = stem.len() == 19
        && (stem[4], stem[7], stem[13], stem[16]) == (b'-', b'-', b':', b':')
        && (stem[10] == b'T' || (stem[10] == b' ' && stem.len() == text.len()));
    if !separators {
        return None;
    }
    let number = |from: usize, to: usize| {
        stem[from..to].iter().try_fold(0_i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Days 29 to 31 are left to the calendar, which knows the months.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970-03-01 in years that begin in March, so that the leap day is the last: "days from civil", Howard Hinnant.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(Timestamp::from_millis((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000))
}

fn of_unix_int(number: i64) -> Timestamp {
    let millis = number.unsigned_abs() >= FIRST_MILLIS as u64;
    Timestamp::from_millis(if millis { number } else { number * 1000 })
}

fn of_unix(number: f64) -> Option<Timestamp> {
    number
        .is_finite()
        .then(|| if number.abs() >= FIRST_MILLIS { Timestamp::from_secs_f64(number / 1000.0) } else { Timestamp::from_secs_f64(number) })
}

/// The column's numbers, NaN where missing. Infinities are missing too: neither has a place on an axis.
pub(super) fn numbers(column: &ArrayRef) -> Result<Vec<f64>, BadCell> {
    let bad = |row: usize, found: String| BadCell { row, found, want: WANT_NUMBER, hint: HINT_NUMBER };
    let kind = column.data_type();
    if kind.is_numeric() || matches!(kind, DataType::Boolean | DataType::Null) {
        let typed = to(column, &DataType::Float64).map_err(|found| bad(0, found))?;
        let typed = typed.as_primitive::<Float64Type>();
        let seen = |row: usize, value: f64| if value.is_finite() && typed.is_valid(row) { value } else { f64::NAN };
        return Ok(typed.values().iter().enumerate().map(|(row, value)| seen(row, *value)).collect());
    }
    let texts = texts(column).map_err(|found| bad(0, found))?;
    (0..texts.len())
        .map(|row| if texts.is_null(row) { Ok(f64::NAN) } else { number_of(texts.value(row)).ok_or(row) })
        .collect::<Result<_, usize>>()
        .map_err(|row| bad(row, texts.value(row).to_owned()))
}

fn number_of(text: &str) -> Option<f64> {
    if let Ok(value) = text.parse::<f64>() {
        return Some(if value.is_finite() { value } else { f64::NAN });
    }
    let text = text.trim();
    if text.is_empty() || MISSING.contains(&text) {
        return Some(f64::NAN);
    }
    text.parse().ok().map(|value: f64| if value.is_finite() { value } else { f64::NAN })
}

/// The column as text; a missing text stays null.
pub(super) fn texts(column: &ArrayRef) -> Result<Cow<'_, StringArray>, String> {
    match column.as_string_opt::<i32>() {
        Some(texts) => Ok(Cow::Borrowed(texts)),
        None => to(column, &DataType::Utf8).map(|texts| Cow::Owned(texts.as_string::<i32>().clone())),
    }
}

fn to(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef, String> {
    if column.data_type() == kind {
        return Ok(column.clone());
    }
    cast(column, kind).map_err(|_| format!("type {}", column.data_type()))
}

fn first_null(column: &dyn Array) -> Option<usize> {
    if column.null_count() == 0 { None } else { (0..column.len()).find(|row| column.is_null(*row)) }
}
