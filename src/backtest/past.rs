//! What a past is fed into, and how far it has come: the same for files and for a server.

use crate::chart::ChartError;
use crate::core::frame::Frame;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::source::prometheus::SourceError;
use crate::source::replay::ReplayError;

use super::Backtest;

/// Goes over a past: one backtest, or several side by side over the same samples.
pub trait Take {
    /// The watch of this number, as it is read.
    fn watch(&self, watch: usize) -> Option<&Watch>;
    /// See [`Backtest::feed`].
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    fn take(&mut self, watch: usize, frame: &Frame, thresholds: Option<&Frame>, ends: Timestamp) -> Result<(), ChartError>;
    /// Something that the reader of the report should know.
    fn hear(&mut self, note: String);
}

impl Take for Backtest {
    fn watch(&self, watch: usize) -> Option<&Watch> {
        self.watches().nth(watch).map(|watch| &**watch)
    }

    fn take(&mut self, watch: usize, frame: &Frame, thresholds: Option<&Frame>, ends: Timestamp) -> Result<(), ChartError> {
        self.feed(watch, frame, thresholds, ends).map(|_| ())
    }

    fn hear(&mut self, note: String) {
        self.note(note);
    }
}

/// How much of a past has been gone over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Done {
    /// From 0 to 1.
    pub part: f64,
    pub series: usize,
    pub samples: u64,
    /// How much time has been gone over, of how much.
    pub gone: Span,
    pub of: Span,
}

/// Why a past could not be gone through.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Chart(#[from] ChartError),
}
