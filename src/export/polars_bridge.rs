//! From arrow-rs columns to a polars data frame: the one place where the two Arrow implementations of this program meet.
//!
//! Both read the same memory layout and both speak Arrow's C data interface
//! (<https://arrow.apache.org/docs/format/CDataInterface.html>), so a column is handed over as a pointer and a release callback instead of
//! being copied: numbers and times keep their buffers, which a test looks at. Texts are rewritten by polars into its own string views; hand over
//! a number column and keep labels aside where that matters. A bridge crate would pin one version of each side, which seldom are the ones
//! in use.

use std::iter::repeat_n;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMillisecondArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use polars::error::PolarsError;
use polars::prelude::{Column, DataFrame, IntoColumn, PlSmallStr, Series};

use crate::core::frame::Frame;

/// A column that polars cannot take.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    #[error(
        "cannot hand column {column:?} to polars: type {kind} is not carried over\nhint: cast it to f64, i64, u64, bool, a timestamp or text"
    )]
    Kind { column: String, kind: DataType },
    #[error("cannot hand column {column:?} to polars: {source}")]
    Export { column: String, source: ArrowError },
    #[error("cannot hand column {column:?} to polars: {source}")]
    Import { column: String, source: PolarsError },
    #[error("cannot make a polars data frame of {columns} columns: {source}")]
    Frame { columns: usize, source: PolarsError },
}

/// A data frame of these columns, which are of one length and have each their own name. Times lose their zone: all of this program's are UTC.
///
/// # Errors
/// For a type not carried over, columns of different lengths, and a name that stands twice.
pub fn to_polars<'a>(columns: impl IntoIterator<Item = (&'a str, ArrayRef)>) -> Result<DataFrame, BridgeError> {
    let columns = columns.into_iter().map(|(name, array)| column(name, &array)).collect::<Result<Vec<_>, _>>()?;
    let (width, height) = (columns.len(), columns.first().map_or(0, Column::len));
    DataFrame::new(height, columns).map_err(|source| BridgeError::Frame { columns: width, source })
}

/// A frame in long form, a row a sample and null where one is missing: `series` (u64, the series' id), `timestamp`, `value`. The values
/// are the frame's own buffer.
///
/// # Errors
/// None for a frame of the core; polars' refusal otherwise.
pub fn frame_to_polars(frame: &Frame) -> Result<DataFrame, BridgeError> {
    let grid = frame.grid();
    let ids = frame.labels().iter().flat_map(|labels| repeat_n(labels.id().0, grid.len));
    let times = (0..frame.rows()).flat_map(|_| (0..grid.len).map(|i| grid.at(i).as_millis()));
    let values = frame.batch().column(1).as_fixed_size_list().values().clone();
    let series: ArrayRef = Arc::new(UInt64Array::from_iter_values(ids));
    let timestamp: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values(times));
    to_polars([("series", series), ("timestamp", timestamp), ("value", values)])
}

fn column(name: &str, array: &ArrayRef) -> Result<Column, BridgeError> {
    let export = |source| BridgeError::Export { column: name.to_owned(), source };
    let array = match array.data_type() {
        DataType::Float64 | DataType::Int64 | DataType::UInt64 | DataType::Int32 | DataType::UInt32 | DataType::Boolean => array.clone(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Timestamp(_, None) => array.clone(),
        // The zone is only a note on how to print; the numbers are UTC with it and without it, and the buffer stays the same.
        DataType::Timestamp(unit, Some(_)) => cast(array, &DataType::Timestamp(*unit, None)).map_err(export)?,
        kind => return Err(BridgeError::Kind { column: name.to_owned(), kind: kind.clone() }),
    };
    let (array, schema) = arrow::ffi::to_ffi(&array.to_data()).map_err(export)?;
    // SAFETY: both sides' structs are the C data interface's `ArrowArray` and `ArrowSchema`, `repr(C)` with the same fields in the same order, so
    // that moving one into the other's type changes nothing but its name; each is moved, not copied, so that exactly one release is called.
    // `to_ffi` has just made them valid and of one another's type, which is all that the import asks for.
    #[allow(unsafe_code, reason = "the one place where two Arrow implementations meet; argued just above")]
    let imported = unsafe {
        let array = std::mem::transmute::<arrow::ffi::FFI_ArrowArray, polars_arrow::ffi::ArrowArray>(array);
        let schema = std::mem::transmute::<arrow::ffi::FFI_ArrowSchema, polars_arrow::ffi::ArrowSchema>(schema);
        polars_arrow::ffi::import_field_from_c(&schema).and_then(|field| polars_arrow::ffi::import_array_from_c(array, field.dtype))
    };
    let series = imported.and_then(|array| Series::try_from((PlSmallStr::from_str(name), array)));
    series.map(IntoColumn::into_column).map_err(|source| BridgeError::Import { column: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::frame::{FrameBuilder, Grid};
    use crate::core::labels::Labels;
    use crate::core::time::{Span, Timestamp};
    use arrow::array::{Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use polars::prelude::{AnyValue, DataType as PolarsType, TimeUnit};

    fn pointer(frame: &DataFrame, name: &str) -> *const u8 {
        let physical = frame.column(name).unwrap().as_materialized_series().to_physical_repr().into_owned();
        match physical.dtype() {
            PolarsType::Float64 => physical.f64().unwrap().cont_slice().map_or(std::ptr::null(), |s| s.as_ptr().cast()),
            PolarsType::Int64 => physical.i64().unwrap().cont_slice().map_or(std::ptr::null(), |s| s.as_ptr().cast()),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn numbers_and_times_keep_their_buffers() {
        let values = Float64Array::from((0..1000).map(f64::from).collect::<Vec<_>>());
        let times = TimestampMicrosecondArray::from((0..1000).collect::<Vec<i64>>()).with_timezone("+02:00");
        let (part, counts) = (values.slice(10, 500), Int64Array::from(vec![7; 500]));
        let pointers = [part.values().as_ptr().cast(), times.values()[100..].as_ptr().cast(), counts.values().as_ptr().cast()];
        let columns: [(&str, ArrayRef); 3] = [("v", Arc::new(part)), ("t", Arc::new(times.slice(100, 500))), ("n", Arc::new(counts))];
        let frame = to_polars(columns).unwrap();
        drop((values, times));
        assert_eq!(frame.shape(), (500, 3));
        assert_eq!(["v", "t", "n"].map(|name| pointer(&frame, name)), pointers, "a column was copied");
        assert_eq!(frame.column("t").unwrap().dtype(), &PolarsType::Datetime(TimeUnit::Microseconds, None));
        assert_eq!(frame.column("v").unwrap().get(499).unwrap(), AnyValue::Float64(509.0), "alive after its maker is gone");
    }

    #[test]
    fn nulls_and_texts_come_through_and_other_types_are_refused() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a text longer than a view holds inline")]));
        let value: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(1.5), Some(f64::NAN)]));
        let frame = to_polars([("text", text.clone()), ("value", value)]).unwrap();
        assert_eq!((frame.column("text").unwrap().null_count(), frame.column("value").unwrap().null_count()), (1, 1));
        assert_eq!(frame.column("text").unwrap().get(2).unwrap(), AnyValue::String("a text longer than a view holds inline"));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![1]));
        assert!(matches!(to_polars([("d", days)]), Err(BridgeError::Kind { .. })));
        let short: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert!(matches!(to_polars([("a", text.clone()), ("b", short)]), Err(BridgeError::Frame { .. })));
        assert!(matches!(to_polars([("a", text.clone()), ("a", text)]), Err(BridgeError::Frame { .. })));
        assert_eq!(to_polars([]).unwrap().shape(), (0, 0));
    }

    #[test]
    fn a_frame_groups_by_series_in_polars() {
        let mut builder = FrameBuilder::new(Grid { start: Timestamp::from_millis(60_000), step: Span::MINUTE, len: 3 });
        for (name, values) in [("a", [1.0, f64::NAN, 3.0]), ("b", [10.0, 20.0, 60.0])] {
            let row = builder.add_row(Labels::named(name)).unwrap();
            values.into_iter().enumerate().for_each(|(i, value)| builder.set(row, i, value));
        }
        let frame = builder.finish();
        let long = frame_to_polars(&frame).unwrap();
        assert_eq!((long.shape(), long.column("value").unwrap().null_count()), ((6, 3), 1));
        let value = long.column("value").unwrap().as_materialized_series().clone();
        let buffer = polars_buffer(&value);
        assert_eq!(buffer, frame.values().as_ptr(), "the values were copied");
        #[allow(deprecated, reason = "the eager group-by is enough here, and the lazy one is compiled nowhere else")]
        let means = long.group_by_stable(["series"]).unwrap().select(["value"]).mean().unwrap();
        let got: Vec<Option<f64>> = means.column("value_mean").unwrap().f64().unwrap().iter().collect();
        assert_eq!(got, [Some(2.0), Some(30.0)], "null is not zero");
        assert_eq!(means.column("series").unwrap().get(1).unwrap(), AnyValue::UInt64(Labels::named("b").id().0));
    }

    /// Where the values lie, nulls or not.
    fn polars_buffer(series: &Series) -> *const f64 {
        let chunk = series.f64().unwrap().downcast_iter().next().unwrap();
        chunk.values().as_slice().as_ptr()
    }
}
