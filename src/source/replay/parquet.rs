//! Parquet files, through parquet's arrow reader: uncompressed, Snappy or Zstandard.

use std::fs::File;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::collect::{Collector, Keep};
use super::error::{ReplayError, Row};
use super::layout::Layout;

/// Cells read before they are gathered. Larger than for CSV: the reader's work a batch and column is larger.
const BATCH_CELLS: usize = 1 << 18;

/// Rows of a batch of few columns.
const MAX_BATCH_ROWS: usize = 32_768;

/// The first four bytes of every Parquet file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Reads one Parquet file into the collector.
pub(super) fn read<K: Keep>(all: &mut Collector<K>, file: &str, input: File) -> Result<(), ReplayError> {
    let fail = |source: ParquetError| ReplayError::Parquet { file: file.to_owned(), source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(fail)?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let layout = Layout::of(file, &names)?;
    let rows = (BATCH_CELLS / names.len()).clamp(1, MAX_BATCH_ROWS);
    let reader = builder.with_batch_size(rows).build().map_err(fail)?;
    let mut done: u64 = 0;
    let mut collector = all.file(file, &layout)?;
    for batch in reader {
        let batch = batch.map_err(|error| fail(ParquetError::ArrowError(error.to_string())))?;
        collector.take(&batch, |row| Row::Row(done + row as u64 + 1))?;
        done += batch.num_rows() as u64;
    }
    Ok(())
}
