//! Reads a Prometheus API answer as it arrives: its limits, its errors, and the [`Decoder`] that a body's chunks go into.
//!
//! Tokens come from [`json`](super::json), go through the [`document`](super::document) and end in columns, with no tree between.

use std::fmt;

use crate::core::frame::{Frame, Grid};
use crate::core::labels::Labels;
use crate::core::time::Timestamp;

use super::answer::{DecodeStats, InstantSample, Remarks};
use super::collect::{Matrix, Vector};
use super::document::{Document, Fault, MAX_LABELS, Target};
use super::json::{JsonError, Tokenizer};

/// Bounds on what one answer may become in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    pub max_series: usize,
    /// Series times grid points. A body of a few bytes a series can't make us set aside a full row for each without end.
    pub max_cells: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        let limits = super::settings::Limits::default();
        Self { max_series: limits.max_series, max_cells: limits.max_cells }
    }
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    #[error("body is not JSON: {0}")]
    Json(#[from] JsonError),
    #[error("{place} is a {found}, want {wanted}")]
    WrongType { place: &'static str, wanted: &'static str, found: &'static str },
    #[error("{place} {text:?} can't be read")]
    BadValue { place: &'static str, text: String },
    #[error("{0} stands twice")]
    Twice(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("result type is {found:?}, want {wanted}")]
    ResultType { wanted: &'static str, found: String },
    #[error("series {labels} stands twice in the answer")]
    DuplicateSeries { labels: Labels },
    #[error("label {name:?} stands twice in one series")]
    DuplicateLabel { name: String },
    #[error("a series has more than {MAX_LABELS} labels")]
    TooManyLabels,
    #[error("more than {limit} series")]
    TooManySeries { limit: usize },
    #[error("more than {limit} grid points over all series")]
    TooManyCells { limit: usize },
    #[error("none of {samples} samples lies on the grid that was asked for ({} every {}): the first is at {first}", .grid.start, .grid.step)]
    OffGrid { samples: u64, first: Timestamp, grid: Grid },
    /// The server reports a failure in its own words.
    #[error("{}", ServerWords(.kind, .message))]
    Server { kind: String, message: String },
}

struct ServerWords<'a>(&'a str, &'a str);

impl fmt::Display for ServerWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.is_empty() { "error" } else { self.0 };
        write!(f, "server says {kind}: {}", self.1)
    }
}

/// What an answer was decoded into.
#[derive(Debug)]
pub enum Payload {
    Matrix(Frame),
    Vector(Vec<InstantSample>),
}

#[derive(Debug)]
pub struct Decoded {
    pub payload: Payload,
    pub stats: DecodeStats,
    pub remarks: Remarks,
}

/// Reads one answer. After an error it is of no further use.
#[derive(Debug)]
pub struct Decoder {
    tokenizer: Tokenizer,
    document: Document,
}

impl Decoder {
    /// For the answer to a range query over `grid`.
    pub fn range(grid: Grid, limits: DecodeLimits) -> Self {
        Self::new(Target::Matrix(Box::new(Matrix::new(grid, limits))), limits)
    }

    /// For the answer to an instant query.
    pub fn instant(limits: DecodeLimits) -> Self {
        Self::new(Target::Vector(Vector::default()), limits)
    }

    fn new(target: Target, limits: DecodeLimits) -> Self {
        Self { tokenizer: Tokenizer::default(), document: Document::new(target, limits) }
    }

    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), DecodeError> {
        self.document.count_bytes(chunk.len());
        match self.tokenizer.feed(chunk, &mut self.document) {
            Err(Fault::BadText) => Err(self.tokenizer.bad_string().into()),
            Err(Fault::Decode(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    pub fn finish(self) -> Result<Decoded, DecodeError> {
        self.tokenizer.finish()?;
        self.document.finish()
    }

    /// The server's own words about a failure (`errorType`, `error`), as far as they were read.
    pub fn server_words(&self) -> Option<(String, String)> {
        self.document.words()
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
