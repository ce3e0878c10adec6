//! Many questions in one file: `case,series,origin,horizon_s,above|below[,sustain]`, a question a row.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};

use super::Failure;
use crate::core::ahead::MAX_SUSTAIN;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;

/// Questions of one file: a day's work at a millisecond each.
const MAX_CASES: usize = 1_000_000;

/// A header of half a dozen names.
const MAX_HEADER_BYTES: u64 = 64 << 10;

const COLUMNS: &str = "the columns are case,series,origin,horizon_s,above|below[,sustain]";

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    pub case: String,
    pub series: String,
    pub origin: Timestamp,
    pub horizon: Span,
    pub limit: (Side, f64),
    pub sustain: Option<usize>,
}

/// Reads all questions.
pub fn read(path: &Path) -> Result<Vec<Case>, Failure> {
    let file = File::open(path).map_err(|error| refused(path, &error.to_string()))?;
    read_from(path, BufReader::new(file))
}

fn refused(path: &Path, why: &str) -> Failure {
    Failure::new(format!("cannot read cases {}: {why}", path.display())).hint(COLUMNS)
}

fn read_from(path: &Path, mut input: impl BufRead) -> Result<Vec<Case>, Failure> {
    let refused = |why: &str| refused(path, why);
    let mut header = Vec::new();
    input.by_ref().take(MAX_HEADER_BYTES).read_until(b'\n', &mut header).map_err(|error| refused(&error.to_string()))?;
    if header.trim_ascii().is_empty() {
        return Err(refused("it has no header"));
    }
    let header = header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&header);
    let (schema, _) =
        Format::default().with_header(true).infer_schema(Cursor::new(header), Some(0)).map_err(|error| refused(&error.to_string()))?;
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().trim().to_owned()).collect();
    let find = |name: &str| names.iter().position(|n| n == name);
    let need = |name: &str| find(name).ok_or_else(|| refused(&format!("it has no column {name}")));
    let (case, series, origin, horizon) = (need("case")?, need("series")?, need("origin")?, need("horizon_s")?);
    let (above, below, sustain) = (find("above"), find("below"), find("sustain"));
    if above.is_none() && below.is_none() {
        return Err(refused("it has no column above or below"));
    }
    let schema = Schema::new(names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>());
    let reader = ReaderBuilder::new(Arc::new(schema)).build_buffered(input).map_err(|error| refused(&error.to_string()))?;
    let mut cases = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| refused(&error.to_string()))?;
        let columns: Vec<&StringArray> = batch.columns().iter().map(AsArray::as_string::<i32>).collect();
        for row in 0..batch.num_rows() {
            let cell = |column: usize| if columns[column].is_null(row) { "" } else { columns[column].value(row).trim() };
            let optional = |column: Option<usize>| column.map(&cell).filter(|text| !text.is_empty());
            let record = cases.len() + 1;
            let bad =
                |column: &str, found: &str, want: &str| refused(&format!("question {record}, column {column}: {found:?} is not {want}"));
            let number = |column: &'static str, text: &str| {
                text.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(|| bad(column, text, "a number"))
            };
            let limit = match (optional(above), optional(below)) {
                (Some(text), None) => (Side::Above, number("above", text)?),
                (None, Some(text)) => (Side::Below, number("below", text)?),
                _ => return Err(refused(&format!("question {record} wants a value either above or below"))),
            };
            let seconds = number("horizon_s", cell(horizon))?;
            if seconds <= 0.0 {
                return Err(bad("horizon_s", cell(horizon), "above 0"));
            }
            let in_a_row = optional(sustain)
                .map(|text| {
                    let known = text.parse::<f64>().ok().filter(|k| k.fract() == 0.0 && (1.0..=MAX_SUSTAIN as f64).contains(k));
                    known.map(|k| k as usize).ok_or_else(|| bad("sustain", text, "a whole number of samples from 1 to 1000"))
                })
                .transpose()?;
            cases.push(Case {
                case: cell(case).to_owned(),
                series: cell(series).to_owned(),
                origin: cell(origin).parse().map_err(|_| bad("origin", cell(origin), "a time"))?,
                horizon: Span::from_secs_f64(seconds),
                limit,
                sustain: in_a_row,
            });
            if cases.len() > MAX_CASES {
                return Err(refused(&format!("more than {MAX_CASES} questions")));
            }
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Case>, String> {
        read_from(Path::new("q.csv"), text.as_bytes()).map_err(|failure| failure.message)
    }

    #[test]
    fn columns_stand_in_any_order_and_either_side_may_be_asked() {
        let cases =
            read("sustain,series,case,origin,horizon_s,above,below\n3,a,1,2026-11-01T00:00:00Z,3600,5,\n,b,x,1795341600,60,,-1.5\n")
                .unwrap();
        assert_eq!((cases[0].limit, cases[0].sustain, cases[0].horizon), ((Side::Above, 5.0), Some(3), Span::HOUR));
        assert_eq!((cases[1].limit, cases[1].sustain, cases[1].case.as_str()), ((Side::Below, -1.5), None, "x"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("", "no header"),
            ("case,series,origin,above\n", "horizon_s"),
            ("case,series,origin,horizon_s\n", "above or below"),
            ("case,series,origin,horizon_s,above\n1,a,noon,60,5\n", "\"noon\" is not a time"),
            ("case,series,origin,horizon_s,above\n1,a,0,-1,5\n", "above 0"),
            ("case,series,origin,horizon_s,above,below\n1,a,0,60,5,6\n", "either"),
            ("case,series,origin,horizon_s,above,sustain\n1,a,0,60,5,0\n", "sustain"),
            ("case,series,origin,horizon_s,above\n1,a,0,60\n", "fields"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(word), "{text:?}: {error}");
        }
    }
}
