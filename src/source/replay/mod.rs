//! Reads history from data files, CSV or Parquet, for everything that looks at the past without a Prometheus.
//!
//! | | |
//! |---|---|
//! | wide | `timestamp`, then a column a series, named as the column |
//! | long | `timestamp`, `value`, every other column a label; `series` is the metric's name and the series' display name |
//! | time | RFC 3339 (no offset: UTC), Unix seconds or milliseconds, or any Parquet timestamp or date; never empty |
//! | missing | an empty cell, `NaN`, an infinity, `null`, `NA`, or no row at all: never zero |
//! | order | any; rows are sorted by time, of rows of one series and time the last read wins |
//! | step | inferred for every series from its own samples |
//!
//! Several files are read as one data set: series of equal labels are one series. A [`DataSet`] is held in memory whole, 16 bytes a
//! sample, for models that walk it many times and in many orders; a [`History`] is gone through once in the order of time, and memory holds
//! a stretch of it. arrow's and parquet's readers are used rather than polars' because those would
//! triple what a first build compiles.

mod cells;
mod collect;
mod csv;
mod dataset;
mod error;
mod groups;
mod history;
mod hours;
mod layout;
mod parquet;
mod selector;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

pub use dataset::{DataSeries, DataSet, infer_step};
pub use error::{Place, ReplayError, Row};
pub use history::{History, Known, Stretches};
pub use selector::{Query, Selector};

/// The path that stands for CSV on standard input.
pub const STDIN: &str = "-";

/// Reads all files into one data set. What a file holds is told by its first bytes, not by its name; `-` is CSV on standard input.
///
/// # Errors
/// The first thing that cannot be read as times, numbers and labels, with its file, line and column.
pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<DataSet, ReplayError> {
    if paths.is_empty() {
        return Err(ReplayError::NoFile);
    }
    let mut all = collect::Collector::<collect::Whole>::default();
    for path in paths {
        read_one(&mut all, path.as_ref())?;
    }
    Ok(all.finish())
}

/// Reads CSV text from anything that can be read, under this name in messages.
///
/// # Errors
/// As [`read`].
pub fn read_csv(name: &str, input: impl Read) -> Result<DataSet, ReplayError> {
    let mut all = collect::Collector::<collect::Whole>::default();
    csv::read(&mut all, name, input, None)?;
    Ok(all.finish())
}

fn read_one<K: collect::Keep>(all: &mut collect::Collector<K>, path: &Path) -> Result<(), ReplayError> {
    if path.as_os_str() == STDIN {
        return csv::read(all, "stdin", std::io::stdin().lock(), None);
    }
    let file = path.display().to_string();
    let io = |source| ReplayError::Io { file: file.clone(), source };
    let mut input = File::open(path).map_err(io)?;
    let mut magic = Vec::with_capacity(parquet::MAGIC.len());
    input.by_ref().take(parquet::MAGIC.len() as u64).read_to_end(&mut magic).map_err(io)?;
    if magic == parquet::MAGIC {
        return parquet::read(all, &file, input);
    }
    // A pipe or FIFO cannot be rewound: what was read of it goes first again.
    let reopen = || File::open(path);
    if input.rewind().is_ok() {
        csv::read(all, &file, input, Some(&reopen))
    } else {
        csv::read(all, &file, std::io::Cursor::new(magic).chain(input), None)
    }
}
