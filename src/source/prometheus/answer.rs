//! What a Prometheus said, in our words.

use crate::core::frame::Frame;
use crate::core::labels::Labels;
use crate::core::time::Timestamp;

/// Remarks kept of one kind and one answer; a server that writes more is counted, not stored.
pub const MAX_REMARKS: usize = 16;

/// Characters kept of one remark.
pub const MAX_REMARK_CHARS: usize = 512;

/// What was counted while an answer was decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeStats {
    /// Bytes of body.
    pub bytes: u64,
    /// Samples that stood in the answer.
    pub samples: u64,
    /// Finite ones that found their place on the grid (in an instant answer: finite ones).
    pub placed: u64,
    pub nan: u64,
    pub stale: u64,
    pub infinite: u64,
    /// More than [`TOLERANCE_MS`](super::TOLERANCE_MS) from a grid point, or outside the grid.
    pub off_grid: u64,
    /// Samples that replaced one already at their grid point.
    pub duplicates: u64,
    /// Samples earlier than the one before them.
    pub unsorted: u64,
    /// Series that carried native histograms, which are not read.
    pub histogram_series: u64,
}

impl DecodeStats {
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.samples += other.samples;
        self.placed += other.placed;
        self.nan += other.nan;
        self.stale += other.stale;
        self.infinite += other.infinite;
        self.off_grid += other.off_grid;
        self.duplicates += other.duplicates;
        self.unsorted += other.unsorted;
        self.histogram_series += other.histogram_series;
    }
}

/// What the server remarked on its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// At most [`MAX_REMARKS`], each at most [`MAX_REMARK_CHARS`] long, each once.
    pub warnings: Vec<String>,
    /// Remarks on the query itself, which say nothing against the data.
    pub infos: Vec<String>,
    /// Remarks beyond the limit.
    pub dropped: u64,
    /// Something is missing from the answer: it may be shown, but nothing may be done on its strength.
    pub partial: bool,
}

/// Before it split them off (prometheus#14327, about 2.54) Prometheus put these annotations among the warnings; they concern the
/// query's wording, not the data.
const INFO_PREFIX: &str = "PromQL info:";

impl Remarks {
    pub(super) fn warn(&mut self, text: &str) {
        if text.starts_with(INFO_PREFIX) {
            return self.inform(text);
        }
        self.partial = true;
        self.dropped += keep(&mut self.warnings, text);
    }

    pub(super) fn inform(&mut self, text: &str) {
        self.dropped += keep(&mut self.infos, text);
    }

    pub fn add(&mut self, other: &Self) {
        for text in &other.warnings {
            self.dropped += keep(&mut self.warnings, text);
        }
        for text in &other.infos {
            self.dropped += keep(&mut self.infos, text);
        }
        self.dropped += other.dropped;
        self.partial |= other.partial;
    }
}

fn keep(into: &mut Vec<String>, text: &str) -> u64 {
    let text = clip(text, MAX_REMARK_CHARS);
    if into.contains(&text) {
        return 0;
    }
    if into.len() == MAX_REMARKS {
        return 1;
    }
    into.push(text);
    0
}

/// At most `chars` characters on one line: what a server says goes to logs and terminals, and may hold anything.
pub(super) fn clip(text: &str, chars: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut out: String = text.trim().chars().take(chars).map(clean).collect();
    if text.trim().chars().nth(chars).is_some() {
        out.push('…');
    }
    out
}

/// The answer to a range query, on the grid that was asked for.
#[derive(Debug, Clone)]
pub struct RangeAnswer {
    pub frame: Frame,
    pub stats: DecodeStats,
    pub remarks: Remarks,
}

/// One series of an instant answer.
#[derive(Debug, Clone, PartialEq)]
pub struct InstantSample {
    pub labels: Labels,
    pub at: Timestamp,
    /// None for NaN, the stale marker and the infinities.
    pub value: Option<f64>,
}

/// The answer to an instant query. A scalar is one series without labels.
#[derive(Debug, Clone)]
pub struct InstantAnswer {
    pub samples: Vec<InstantSample>,
    pub stats: DecodeStats,
    pub remarks: Remarks,
}

/// What a metric's exporter says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
    #[serde(alias = "gaugehistogram")]
    GaugeHistogram,
    Summary,
    Info,
    #[serde(alias = "stateset")]
    StateSet,
    /// Said to be unknown, or a word that this version doesn't know.
    #[serde(other)]
    Unknown,
}

/// Which server answers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct BuildInfo {
    #[serde(default)]
    pub version: String,
}
