//! What a server has answered, kept as Parquet: a second backtest over the same time asks nobody.
//!
//! A file holds one query over one stretch of its grid, a row a series (`labels`, `values`), under a name made of server, query, step and
//! stretch. Stretches are whole days by UTC (shorter ones for steps of seconds), so that ranges that overlap share what they have in common.
//! A file that cannot be read is no file: it is asked for again. Nothing that is still growing, or that the server called incomplete, is kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use xxhash_rust::xxh3::xxh3_128;

use crate::core::frame::{Frame, FrameBuilder, Grid};
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};

/// Grid points of a stretch at most: a day of minutes, so that its frame stays in tens of megabytes for tens of thousands of series.
const MAX_POINTS: i64 = 1_440;
/// Widths of stretches, the longest that fits is taken.
const WIDTHS: [Span; 5] = [Span::DAY, Span::from_secs(6 * 3_600), Span::HOUR, Span::from_secs(600), Span::MINUTE];
/// Samples younger than this may still change: late scrapes, rules that are behind, remote writes.
const SETTLED_AFTER: Span = Span::HOUR;
/// The oldest files are removed beyond this; a week of 10,000 series at a minute is about 200 MB.
const MAX_BYTES: u64 = 4 << 30;
/// Raised when the files' layout or meaning changes.
const VERSION: u32 = 1;

#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// Whose answer it is.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose data it is: address, tenant, user.
    pub server: u128,
    pub query: &'a str,
}

impl Cache {
    /// In this folder, which is made if need be.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(folder)?;
        let cache = Self { folder: folder.to_owned() };
        cache.shrink(MAX_BYTES)?;
        Ok(cache)
    }

    /// The stretches of a grid, in the order of time.
    pub fn stretches(grid: Grid) -> Vec<Grid> {
        let fits = |width: &Span| width.as_millis() / grid.step.as_millis().max(1) <= MAX_POINTS;
        let width = WIDTHS.into_iter().find(fits).unwrap_or(grid.step.times(MAX_POINTS));
        let mut parts: Vec<Grid> = Vec::new();
        let mut next = 0;
        while next < grid.len {
            let start = grid.at(next);
            let end = start.floor(width) + width;
            let len = ((end - start).as_millis() + grid.step.as_millis() - 1).div_euclid(grid.step.as_millis()).max(1);
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(grid.len - next);
            parts.push(Grid { start, step: grid.step, len });
            next += len;
        }
        parts
    }

    /// What was answered for a stretch, if it was and is whole.
    pub fn read(&self, asked: Asked<'_>, grid: Grid) -> Option<Frame> {
        let path = self.path(asked, grid);
        let file = File::open(&path).ok()?;
        match decode(file, grid) {
            Ok(frame) => Some(frame),
            Err(why) => {
                tracing::warn!(path = %path.display(), %why, "a file of the cache cannot be read: asking again");
                None
            }
        }
    }

    /// Keeps an answer. What is not settled at `now` is not kept.
    ///
    /// # Errors
    /// The file system's, or parquet's.
    pub fn write(&self, asked: Asked<'_>, frame: &Frame, now: Timestamp) -> Result<(), String> {
        if frame.grid().last() + SETTLED_AFTER > now {
            return Ok(());
        }
        let path = self.path(asked, frame.grid());
        // A name of its own, so that a file is whole or not there, whoever else is writing.
        let mut half = tempfile::NamedTempFile::new_in(&self.folder).map_err(|e| e.to_string())?;
        encode(half.as_file_mut(), frame).map_err(|e| e.to_string())?;
        half.persist(&path).map_err(|e| e.to_string())?;
        Ok(())
    }

    fn path(&self, asked: Asked<'_>, grid: Grid) -> PathBuf {
        let (start, step) = (grid.start.as_millis(), grid.step.as_millis());
        let key = xxh3_128(format!("{VERSION}\0{:x}\0{}\0{start}\0{step}\0{}", asked.server, asked.query, grid.len).as_bytes());
        self.folder.join(format!("{key:032x}.parquet"))
    }

    /// Removes the files used longest ago until what is left is small enough.
    fn shrink(&self, max_bytes: u64) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (path, about) = (entry.path(), entry.metadata()?);
            if path.extension().is_some_and(|ext| ext == "parquet") && about.is_file() {
                files.push((about.modified()?, about.len(), path));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if bytes <= max_bytes {
                break;
            }
            fs::remove_file(path)?;
            bytes -= len;
        }
        Ok(())
    }
}

fn schema(len: usize) -> (Arc<Schema>, Arc<Field>, i32) {
    let item = Arc::new(Field::new_list_field(DataType::Float64, true));
    let size = i32::try_from(len).unwrap_or(i32::MAX);
    let values = Field::new("values", DataType::FixedSizeList(item.clone(), size), false);
    (Arc::new(Schema::new(vec![Field::new("labels", DataType::Utf8, false), values])), item, size)
}

fn encode(file: &mut File, frame: &Frame) -> Result<(), Box<dyn std::error::Error>> {
    let (schema, item, size) = schema(frame.grid().len);
    let labels = frame.labels().iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    let values: Vec<f64> = frame.values().iter().copied().collect();
    let values = Float64Array::from_iter(values.into_iter().map(|v| (!v.is_nan()).then_some(v)));
    let lists = FixedSizeListArray::try_new_with_length(item, size, Arc::new(values), None, frame.rows())?;
    let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(labels)), Arc::new(lists)];
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

fn decode(file: File, grid: Grid) -> Result<Frame, Box<dyn std::error::Error>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let (wanted, ..) = schema(grid.len);
    let found = reader.schema();
    let is_same = found.fields().iter().map(|f| (f.name(), f.data_type())).eq(wanted.fields().iter().map(|f| (f.name(), f.data_type())));
    if !is_same {
        return Err("its columns are others".into());
    }
    let mut builder = FrameBuilder::new(grid);
    for batch in reader.build()? {
        let batch = batch?;
        let (labels, lists) = (batch.column(0).as_string::<i32>(), batch.column(1).as_fixed_size_list());
        for (row, labels) in labels.iter().enumerate() {
            let labels: Labels = serde_json::from_str(labels.unwrap_or_default())?;
            let to = builder.add_row(labels)?;
            let values = lists.value(row);
            let values = values.as_primitive::<Float64Type>();
            (0..grid.len).filter(|&i| values.is_valid(i)).for_each(|i| builder.set(to, i, values.value(i)));
        }
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(len: usize) -> Grid {
        Grid { start: Timestamp::from_millis(86_400_000 * 20 + 3_600_000), step: Span::MINUTE, len }
    }

    fn frame(grid: Grid) -> Frame {
        let mut builder = FrameBuilder::new(grid);
        for host in ["a", "b \"\\ é"] {
            let row = builder.add_row(Labels::from_pairs([("__name__", "disk"), ("host", host)]).unwrap()).unwrap();
            (0..grid.len).filter(|i| i % 7 != 3).for_each(|i| builder.set(row, i, (i as f64).sin() / 3.0 + host.len() as f64));
        }
        builder.finish()
    }

    fn late() -> Timestamp {
        Timestamp::from_millis(86_400_000 * 400)
    }

    #[test]
    fn what_was_answered_comes_back_bit_for_bit_and_only_to_whom_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let asked = Asked { server: 1, query: "disk" };
        let (whole, grid) = (frame(grid(300)), grid(300));
        assert!(cache.read(asked, grid).is_none());
        cache.write(asked, &whole, late()).unwrap();
        let found = cache.read(asked, grid).unwrap();
        assert_eq!(found.labels(), whole.labels());
        let bits = |frame: &Frame| frame.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found), bits(&whole));
        for other in [Asked { server: 2, ..asked }, Asked { query: "disk2", ..asked }] {
            assert!(cache.read(other, grid).is_none());
        }
        assert!(cache.read(asked, Grid { len: 299, ..grid }).is_none());
        let none = FrameBuilder::new(grid).finish();
        cache.write(Asked { query: "nothing", ..asked }, &none, late()).unwrap();
        assert_eq!(cache.read(Asked { query: "nothing", ..asked }, grid).map(|f| f.rows()), Some(0));
    }

    #[test]
    fn a_damaged_file_is_none_and_what_is_not_settled_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let asked = Asked { server: 1, query: "disk" };
        let whole = frame(grid(300));
        cache.write(asked, &whole, grid(300).last() + Span::MINUTE).unwrap();
        assert!(cache.read(asked, grid(300)).is_none());
        cache.write(asked, &whole, late()).unwrap();
        let path = cache.path(asked, grid(300));
        let bytes = fs::read(&path).unwrap();
        for damaged in [&bytes[..bytes.len() / 2], b"", b"PAR1 and no more of it PAR1"] {
            fs::write(&path, damaged).unwrap();
            assert!(cache.read(asked, grid(300)).is_none());
        }
    }

    #[test]
    fn stretches_cover_the_grid_and_end_at_midnight() {
        let grid = grid(4_000);
        let parts = Cache::stretches(grid);
        assert_eq!(parts.iter().map(|p| p.len).collect::<Vec<_>>(), [1_380, 1_440, 1_180]);
        assert!(parts.windows(2).all(|w| w[0].last() + grid.step == w[1].start));
        let fine = Cache::stretches(Grid { step: Span::from_secs(5), ..grid });
        assert!(fine.iter().all(|p| p.len <= 1_440) && fine.iter().map(|p| p.len).sum::<usize>() == 4_000);
        let odd = Cache::stretches(Grid { start: Timestamp::from_millis(7), step: Span::from_millis(86_399_999), len: 9 });
        assert_eq!(odd.iter().map(|p| p.len).sum::<usize>(), 9);
    }

    #[test]
    fn the_oldest_files_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        for (name, age) in [("old", 300), ("new", 100)] {
            let path = dir.path().join(format!("{name}.parquet"));
            fs::write(&path, [0; 1000]).unwrap();
            let at = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
            File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        }
        cache.shrink(1_500).unwrap();
        assert!(!dir.path().join("old.parquet").exists() && dir.path().join("new.parquet").exists());
    }
}
