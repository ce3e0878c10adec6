//! Why a data file cannot be read: which file, which line, which column, what stood there, and what to do about it.

use std::fmt;

use parquet::errors::ParquetError;

/// A data file that cannot be read as series. The hint, where there is one, is the message's second line.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("cannot read data: no file was named\nhint: name CSV or Parquet files, or - for CSV on standard input")]
    NoFile,
    #[error("cannot read {file}: {source}")]
    Io { file: String, source: std::io::Error },
    #[error("cannot read {file}: {found}\nhint: {hint}")]
    Layout { file: String, found: String, hint: String },
    #[error("cannot read {place}: {found:?} is not {want}\nhint: {hint}")]
    Cell { place: Place, found: String, want: &'static str, hint: &'static str },
    #[error(
        "cannot read {file}, line {line}: expected {expected} fields as in the header, {found}\nhint: quote fields that hold commas, leave missing values empty"
    )]
    Fields { file: String, line: u64, expected: usize, found: String },
    #[error("cannot read {file} as CSV, near line {line}: {found}")]
    Csv { file: String, line: u64, found: String },
    #[error("stopped while the files were read: nothing has been looked at yet")]
    Stopped,
    #[error("cannot read back what was set aside in a temporary file: {source}\nhint: is there room in {folder}?")]
    Aside { folder: String, source: std::io::Error },
    #[error("cannot read {file} as Parquet: {source}")]
    Parquet { file: String, source: ParquetError },
    #[error("cannot read {file}: more than {limit} {what}\nhint: {hint}")]
    TooMany { file: String, what: &'static str, limit: usize, hint: &'static str },
    #[error(
        "cannot lay {rows} series on a grid of {points} points: more than {limit} values\nhint: choose a longer step, a shorter range or fewer files"
    )]
    FrameSize { rows: usize, points: usize, limit: usize },
}

/// Where in a file a cell stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// Counted as the file's reader would: lines of a CSV from 1 with the header, rows of a Parquet file from 1.
    pub row: Row,
    pub column: String,
}

/// A position that a person can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Line(u64),
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Row::Line(line) => write!(f, "{}, line {line}, column {:?}", self.file, self.column),
            Row::Row(row) => write!(f, "{}, row {row}, column {:?}", self.file, self.column),
        }
    }
}
