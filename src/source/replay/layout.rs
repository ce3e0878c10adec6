//! What a data file's columns mean, read from their names alone.
//!
//! Two layouts are known. Wide: a time column, then a column a series. Long: a time column, `value`, and every other column a label.
//! The name `value` decides, not the cells: a file whose layout hung on its content would change meaning with its first bad cell.

use super::error::ReplayError;

/// The time column's name, best first. `timestamp` is the documented one; the others are what exporters of other tools write.
const TIME_NAMES: [&str; 3] = ["timestamp", "ts", "time"];

/// Makes a file long.
const VALUE_NAME: &str = "value";

/// Groups like any label, and its value is the series' display name.
pub(super) const SERIES_NAME: &str = "series";

/// A wide file of a whole fleet has some thousand columns; far beyond that a header is not a header but a file without line ends.
const MAX_COLUMNS: usize = 50_000;

/// Column positions by role.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub names: Vec<String>,
    pub time: usize,
    pub body: Body,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Positions of the series' columns.
    Wide(Vec<usize>),
    /// Position of the values, and of the label columns, `series` among them.
    Long { value: usize, labels: Vec<usize> },
}

impl Layout {
    /// Reads the roles from a header. Names are trimmed, and the time and value columns are found in any case.
    pub fn of(file: &str, header: &[String]) -> Result<Self, ReplayError> {
        let names: Vec<String> = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        let fail = |found: String, hint: &str| ReplayError::Layout { file: file.to_owned(), found, hint: hint.to_owned() };
        if names.len() > MAX_COLUMNS {
            let hint = "write it long instead: timestamp,value and a column a label";
            return Err(ReplayError::TooMany { file: file.to_owned(), what: "columns", limit: MAX_COLUMNS, hint });
        }
        let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let Some(time) = TIME_NAMES.iter().find_map(|name| find(name)) else {
            let seen = names.iter().take(8).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            let hint = match names.as_slice() {
                [one] if one.contains([';', '\t']) => "separate the columns with commas",
                [one] if one.parse::<f64>().is_ok() => "begin the file with a header line: timestamp,value",
                _ => "name the time column timestamp",
            };
            return Err(fail(format!("no column named timestamp among {seen}"), hint));
        };
        if let Some(unnamed) = names.iter().position(String::is_empty) {
            let hint = "name it or leave it out (pandas: to_csv(..., index=False))";
            return Err(fail(format!("column {} has no name", unnamed + 1), hint));
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some([twice, ..]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(fail(format!("column {twice:?} stands twice"), "give every column its own name"));
        }
        let value = find(VALUE_NAME).filter(|value| *value != time);
        let others = |not: &[usize]| (0..names.len()).filter(|column| !not.contains(column)).collect::<Vec<_>>();
        let body = match value {
            Some(value) => Body::Long { value, labels: others(&[time, value]) },
            None => Body::Wide(others(&[time])),
        };
        if body == Body::Wide(Vec::new()) {
            return Err(fail("there is no column beside the time".to_owned(), "add a column value, or a column a series"));
        }
        Ok(Self { names, time, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(header: &str) -> Result<Layout, ReplayError> {
        Layout::of("f.csv", &header.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_value_column_makes_a_file_long() {
        assert_eq!(layout("timestamp,cpu,disk").unwrap().body, Body::Wide(vec![1, 2]));
        let long = layout("host,Timestamp,series, value").unwrap();
        assert_eq!((long.time, long.body), (1, Body::Long { value: 3, labels: vec![0, 2] }));
        assert_eq!(layout("\u{feff}ts,time").unwrap().time, 0, "ts goes before time, which is then a series");
    }

    #[test]
    fn bad_headers_say_what_to_change() {
        for (header, says) in [
            ("date,value", "no column named timestamp among \"date\", \"value\"\nhint: name the time column timestamp"),
            ("timestamp;value", "hint: separate the columns with commas"),
            ("12", "hint: begin the file with a header line"),
            (",timestamp,value", "column 1 has no name\nhint: name it or leave it out (pandas"),
            ("timestamp,a,b,a", "column \"a\" stands twice"),
            ("timestamp", "there is no column beside the time"),
        ] {
            let error = layout(header).unwrap_err().to_string();
            assert!(error.contains(says), "{header:?}: {error}");
        }
    }
}
