//! CSV files and standard input, through arrow's reader.
//!
//! Every column is read as text and made into times and numbers in `cells`: see there for why.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use super::collect::{Collector, Keep};
use super::error::{ReplayError, Row};
use super::layout::Layout;

/// Bytes read from a file at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A header of fifty thousand names fits; a file whose first line is longer has no lines.
const MAX_HEADER_BYTES: u64 = 8 << 20;

/// Cells read before they are gathered: large enough that the work a batch is nothing, small enough to stay in the cache.
const BATCH_CELLS: usize = 1 << 16;

/// Rows of a batch of few columns.
const MAX_BATCH_ROWS: usize = 8_192;

/// Reads one CSV into the collector. `reread` opens it again to find the line of a bad cell; without it the line is counted from records,
/// which is right as long as no empty lines and no line ends inside quotes came before.
pub(super) fn read<K: Keep>(
    all: &mut Collector<K>,
    file: &str,
    input: impl Read,
    reread: Option<&dyn Fn() -> std::io::Result<File>>,
) -> Result<(), ReplayError> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let (header, skipped) = header(file, &mut input)?;
    let layout = Layout::of(file, &header)?;
    let fields: Vec<Field> = layout.names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let rows = (BATCH_CELLS / fields.len()).clamp(1, MAX_BATCH_ROWS);
    let width = fields.len();
    let reader = ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_batch_size(rows)
        .build_buffered(input)
        .map_err(|error| ReplayError::Csv { file: file.to_owned(), line: skipped, found: error.to_string() })?;
    let line_of = |record: u64| {
        let found = reread.and_then(|open| line_of_record(BufReader::with_capacity(BUFFER_BYTES, open().ok()?), record + 1));
        found.unwrap_or(record + skipped)
    };
    let mut done: u64 = 0;
    let mut collector = all.file(file, &layout)?;
    for batch in reader {
        let batch = batch.map_err(|error| refused(file, error, done, width, &line_of))?;
        collector.take(&batch, |row| Row::Line(line_of(done + row as u64 + 1)))?;
        done += batch.num_rows() as u64;
    }
    Ok(())
}

/// The first line that is not empty, as names, and how many lines were read for it.
fn header(file: &str, input: &mut impl BufRead) -> Result<(Vec<String>, u64), ReplayError> {
    let mut line = Vec::new();
    let mut lines = 0;
    let refuse =
        |found: &str, hint: &str| Err(ReplayError::Layout { file: file.to_owned(), found: found.to_owned(), hint: hint.to_owned() });
    while line.trim_ascii().is_empty() {
        line.clear();
        let read = input
            .by_ref()
            .take(MAX_HEADER_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(|source| ReplayError::Io { file: file.to_owned(), source })?;
        if read == 0 {
            return refuse("the file is empty", "begin it with a header line: timestamp,value");
        }
        if read as u64 == MAX_HEADER_BYTES {
            return refuse("the first line does not end", "is it a CSV or Parquet file?");
        }
        lines += 1;
    }
    if line.starts_with(&[0x1f, 0x8b]) || line.contains(&0) {
        return refuse("it is not text", "unpack it first: CSV and Parquet are read, gzip and spreadsheets are not");
    }
    match Format::default().with_header(true).infer_schema(Cursor::new(&line), Some(0)) {
        Ok((schema, _)) => Ok((schema.fields().iter().map(|field| field.name().clone()).collect(), lines)),
        Err(error) => refuse(&format!("its header cannot be read ({error})"), "begin the file with a header line: timestamp,value"),
    }
}

/// Makes arrow's refusal a person's: which line has how many fields.
fn refused(file: &str, error: ArrowError, done: u64, expected: usize, line_of: &dyn Fn(u64) -> u64) -> ReplayError {
    let found = match error {
        ArrowError::CsvError(found) => found,
        ArrowError::IoError(_, source) => return ReplayError::Io { file: file.to_owned(), source },
        other => other.to_string(),
    };
    // "incorrect number of fields for line 5, expected 3 got 2", where the line counts records.
    let fields = found.strip_prefix("incorrect number of fields for line ").and_then(|rest| rest.split_once(", "));
    let record = fields.and_then(|(record, _)| record.parse().ok());
    let line = line_of(record.unwrap_or(done + 1));
    match fields.and_then(|(_, rest)| rest.split_once("got ")) {
        Some((_, got)) => ReplayError::Fields { file: file.to_owned(), line, expected, found: format!("found {got}") },
        None => ReplayError::Csv { file: file.to_owned(), line, found },
    }
}

/// The line on which the record of this number begins, the header being record 1: empty lines are no records, and a record goes on while
/// a quote is open.
fn line_of_record(mut input: impl BufRead, record: u64) -> Option<u64> {
    let (mut records, mut lines, mut quoted) = (0, 0, false);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        lines += 1;
        if !quoted && !matches!(line.as_slice(), b"\n" | b"\r\n") {
            records += 1;
            if records == record {
                return Some(lines);
            }
        }
        quoted ^= line.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
    }
}
