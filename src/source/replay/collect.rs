//! Gathers the batches of all files into series: who they are, here; their samples, wherever a [`Keep`] puts them.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::cells::{BadCell, numbers, texts, times};
use super::dataset::{DataSeries, DataSet};
use super::error::{Place, ReplayError, Row};
use super::groups::Groups;
use super::layout::{Body, Layout, SERIES_NAME};
use crate::core::labels::{Labels, METRIC_NAME};
use crate::core::time::{Span, Timestamp};

/// Ten times what a large Prometheus shows in one query. More groups than this come from a label column that is no label, an id or a
/// second value, and would end in one series a row.
const MAX_SERIES: usize = 1_000_000;

/// 16 bytes a sample, in memory or in a temporary file: 8 GB. A file beyond that is better read from the Prometheus it came from, in ranges.
const MAX_SAMPLES: usize = 500_000_000;

/// Where samples go as they are read.
pub(super) trait Keep: Default {
    /// The next series, numbered from 0.
    fn open(&mut self);
    /// A sample, in the order of the files; never missing.
    fn push(&mut self, series: usize, time: Timestamp, value: f64);
    /// After each batch, with the number of rows read so far: the moment for slow work, and to end it all.
    fn pause(&mut self, rows: u64) -> Result<(), ReplayError>;
}

/// Everything read so far.
#[derive(Default)]
pub(super) struct Collector<K> {
    pub keep: K,
    pub series: Vec<Identity>,
    by_labels: HashMap<Labels, usize>,
    samples: usize,
    rows: u64,
    missing: u64,
}

/// Who a series is.
pub(super) struct Identity {
    pub labels: Labels,
    /// What the file calls it.
    name: String,
}

/// All samples in memory, series by series.
#[derive(Default)]
pub(super) struct Whole(Vec<Samples>);

struct Samples {
    samples: Vec<(Timestamp, f64)>,
    /// Every sample so far came after the one before.
    ordered: bool,
}

impl Keep for Whole {
    fn open(&mut self) {
        self.0.push(Samples { samples: Vec::new(), ordered: true });
    }

    fn push(&mut self, series: usize, time: Timestamp, value: f64) {
        let Samples { samples, ordered } = &mut self.0[series];
        *ordered &= samples.last().is_none_or(|(before, _)| *before < time);
        samples.push((time, value));
    }

    fn pause(&mut self, _: u64) -> Result<(), ReplayError> {
        Ok(())
    }
}

/// One file on its way into the collector.
pub(super) struct FileCollector<'a, K> {
    all: &'a mut Collector<K>,
    file: &'a str,
    layout: &'a Layout,
    /// Series' numbers of a wide file, column by column.
    columns: Vec<usize>,
    groups: Groups,
}

impl<K: Keep> Collector<K> {
    pub fn with(keep: K) -> Self {
        Self { keep, ..Self::default() }
    }

    /// A file whose columns are known.
    pub fn file<'a>(&'a mut self, file: &'a str, layout: &'a Layout) -> Result<FileCollector<'a, K>, ReplayError> {
        let mut columns = Vec::new();
        if let Body::Wide(positions) = &layout.body {
            for position in positions {
                let name = &layout.names[*position];
                columns.push(self.series_of(file, Labels::named(name), || name.clone())?);
            }
        }
        Ok(FileCollector { all: self, file, layout, columns, groups: Groups::default() })
    }

    /// The number of the series with these labels, new or known from an earlier file.
    fn series_of(&mut self, file: &str, labels: Labels, name: impl FnOnce() -> String) -> Result<usize, ReplayError> {
        if let Some(known) = self.by_labels.get(&labels) {
            return Ok(*known);
        }
        if self.series.len() >= MAX_SERIES {
            let hint = "in a long file every column but timestamp and value is a label: leave out ids and second values";
            return Err(ReplayError::TooMany { file: file.to_owned(), what: "series", limit: MAX_SERIES, hint });
        }
        let number = self.series.len();
        self.by_labels.insert(labels.clone(), number);
        self.series.push(Identity { labels, name: name() });
        self.keep.open();
        Ok(number)
    }

    /// Returns 1 when the value is missing, for the count.
    fn push(&mut self, series: usize, time: Timestamp, value: f64) -> u64 {
        if value.is_nan() {
            return 1;
        }
        self.keep.push(series, time, value);
        0
    }
}

impl Collector<Whole> {
    /// Sorts, drops duplicates, infers steps.
    pub fn finish(self) -> DataSet {
        let mut set = DataSet { rows: self.rows, missing: self.missing, ..DataSet::default() };
        let mut named: HashMap<&str, usize> = HashMap::new();
        for series in &self.series {
            *named.entry(&series.name).or_default() += 1;
        }
        let shared: Vec<bool> = self.series.iter().map(|series| named[series.name.as_str()] > 1).collect();
        for ((series, kept), shared) in self.series.into_iter().zip(self.keep.0).zip(shared) {
            let Samples { mut samples, ordered } = kept;
            if !ordered {
                set.unsorted += 1;
                set.duplicates += sort_last_wins(&mut samples);
            }
            samples.shrink_to_fit();
            let name = if shared { series.labels.to_string() } else { series.name };
            set.series.push(DataSeries { name, labels: series.labels, samples, step: Span::ZERO });
        }
        set.infer_steps();
        set
    }
}

/// Sorts by time, keeping of several samples of one time the one that was read last. Returns how many were dropped.
pub(super) fn sort_last_wins(samples: &mut Vec<(Timestamp, f64)>) -> u64 {
    // Stable, so that of equal times the last read stays last.
    samples.sort_by_key(|(time, _)| *time);
    let before = samples.len();
    samples.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
    (before - samples.len()) as u64
}

impl<K: Keep> FileCollector<'_, K> {
    /// Takes one batch. `place` says where its row with this index stands in the file; it is asked only when a cell is bad.
    pub fn take(&mut self, batch: &RecordBatch, place: impl Fn(usize) -> Row) -> Result<(), ReplayError> {
        let bad = |column: usize| {
            let (file, column, place) = (self.file.to_owned(), self.layout.names[column].clone(), &place);
            move |cell: BadCell| {
                let place = Place { file, row: place(cell.row), column };
                ReplayError::Cell { place, found: cell.found, want: cell.want, hint: cell.hint }
            }
        };
        let times = times(batch.column(self.layout.time)).map_err(bad(self.layout.time))?;
        let all = &mut *self.all;
        all.rows += times.len() as u64;
        match &self.layout.body {
            Body::Wide(positions) => {
                for (position, series) in positions.iter().zip(&self.columns) {
                    let values = numbers(batch.column(*position)).map_err(bad(*position))?;
                    for (time, value) in times.iter().zip(&values) {
                        all.missing += all.push(*series, *time, *value);
                    }
                }
                all.samples += times.len() * positions.len();
            }
            Body::Long { value, labels } => {
                let values = numbers(batch.column(*value)).map_err(bad(*value))?;
                let columns = label_columns(batch, labels).map_err(|(column, cell)| bad(column)(cell))?;
                let columns: Vec<&StringArray> = columns.iter().map(|column| &**column).collect();
                for (row, (time, value)) in times.iter().zip(&values).enumerate() {
                    let (file, layout) = (self.file, self.layout);
                    let series = self.groups.series_of(&columns, row, |cells| {
                        let (labels, name) = identity(file, layout, labels, cells)?;
                        all.series_of(file, labels, || name)
                    })?;
                    all.missing += all.push(series, *time, *value);
                }
                all.samples += times.len();
            }
        }
        if all.samples > MAX_SAMPLES {
            let hint = "read fewer files at once, or the Prometheus itself";
            return Err(ReplayError::TooMany { file: self.file.to_owned(), what: "samples", limit: MAX_SAMPLES, hint });
        }
        all.keep.pause(all.rows)
    }
}

type Texts<'a> = std::borrow::Cow<'a, StringArray>;

fn label_columns<'a>(batch: &'a RecordBatch, labels: &[usize]) -> Result<Vec<Texts<'a>>, (usize, BadCell)> {
    let of = |column: &usize| {
        let array: &'a ArrayRef = batch.column(*column);
        let hint = "label columns hold texts or numbers";
        texts(array).map_err(|found| (*column, BadCell { row: 0, found, want: "a label", hint }))
    };
    labels.iter().map(of).collect()
}

/// Labels and display name of a long file's group. The `series` cell is the metric's name where no column of that name is, else a label,
/// and the display name in any case; a group without any label is named after its file, so that several such files stay apart.
fn identity(file: &str, layout: &Layout, labels: &[usize], cells: &[Box<str>]) -> Result<(Labels, String), ReplayError> {
    let has_metric = labels.iter().any(|column| layout.names[*column] == METRIC_NAME);
    let series = labels.iter().zip(cells).find(|(column, _)| layout.names[**column] == SERIES_NAME).map(|(_, cell)| &**cell);
    let pairs = labels.iter().zip(cells).map(|(column, cell)| match layout.names[*column].as_str() {
        SERIES_NAME if !has_metric => (METRIC_NAME, &**cell),
        name => (name, &**cell),
    });
    let set = Labels::from_pairs(pairs).map_err(|error| ReplayError::Layout {
        file: file.to_owned(),
        found: error.to_string(),
        hint: "give every column its own name".to_owned(),
    })?;
    if set.is_empty() {
        let name = stem(file);
        return Ok((Labels::named(name), name.to_owned()));
    }
    let name = series.filter(|name| !name.is_empty()).map_or_else(|| set.to_string(), str::to_owned);
    Ok((set, name))
}

/// The file's name without folders and ending.
fn stem(file: &str) -> &str {
    let path = std::path::Path::new(file);
    path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| !stem.is_empty()).unwrap_or("value")
}
