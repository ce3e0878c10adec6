//! The format's rules, through files on disk.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::Int32Type;
use tempfile::TempDir;

use super::*;
use crate::core::time::{Span, Timestamp};

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn csv(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    }

    fn parquet(&self, name: &str, compression: Compression, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let path = self.0.path().join(name);
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }
}

fn read_text(text: &str) -> Result<DataSet, ReplayError> {
    let files = Files::new();
    read(&[files.csv("data.csv", text)])
}

fn shown(set: &DataSet) -> Vec<String> {
    let sample = |(time, value): &(Timestamp, f64)| format!("{}={value}", time.as_millis() / 1000);
    set.series
        .iter()
        .map(|s| format!("{} | {} | {} | {}", s.name, s.labels, s.step, s.samples.iter().map(sample).collect::<Vec<_>>().join(" ")))
        .collect()
}

#[test]
fn wide_and_long_say_the_same() {
    let wide = read_text("timestamp,cpu,disk\n60,1,0.5\n120,2,\n180,NaN,0.7\n240,inf,0.8\n").unwrap();
    assert_eq!(shown(&wide), ["cpu | cpu | 1m | 60=1 120=2", "disk | disk | 1m | 60=0.5 180=0.7 240=0.8"]);
    assert_eq!((wide.rows, wide.missing, wide.duplicates, wide.unsorted), (4, 3, 0, 0));
    let long = "value,series,timestamp\n1,cpu,60\n0.5,disk,60\n2,cpu,120\n,disk,120\n0.7,disk,180\n0.8,disk,240\n";
    assert_eq!(read_text(long).unwrap().series, wide.series);
}

#[test]
fn label_columns_make_label_sets_and_names_stay_unique() {
    let text = "timestamp,value,series,host\n0,1,cpu,a\n0,2,cpu,b\n0,3,mem,\n60,4,mem,\n60,5,cpu,a\n";
    let set = read_text(text).unwrap();
    let want =
        [r#"cpu{host="a"} | cpu{host="a"} | 1m | 0=1 60=5"#, r#"cpu{host="b"} | cpu{host="b"} | 1m | 0=2"#, "mem | mem | 1m | 0=3 60=4"];
    assert_eq!(shown(&set), want);
    let metric = read_text("timestamp,value,__name__,series,host\n0,1,up,web 1,a\n60,1,up,web 1,a\n").unwrap();
    assert_eq!(shown(&metric), [r#"web 1 | up{host="a",series="web 1"} | 1m | 0=1 60=1"#]);
    let bare = read_text("timestamp,value\n0,1\n30,2\n").unwrap();
    assert_eq!(shown(&bare), ["data | data | 30s | 0=1 30=2"], "named after the file");
}

#[test]
fn all_forms_of_time_are_read_and_mixed() {
    let text = "timestamp,a\n2026-11-22T10:00:00Z,1\n1795341660,2\n1795341720000,3\n2026-11-22T11:03:00+01:00,4\n2026-11-22 10:04:00,5\n\
                1795341900.0,6\n2026-11-22T10:06:00.000Z,7\n 2026-11-22T10:07:00Z ,8\n";
    let set = read_text(text).unwrap();
    let want: Vec<(Timestamp, f64)> =
        (0..8).map(|i| (Timestamp::from_millis(1_795_341_600_000 + i * 60_000), f64::from(i as i32) + 1.0)).collect();
    assert_eq!(set.series[0].samples, want);
}

#[test]
fn the_quick_readers_of_times_agree_with_the_core() {
    let mut texts: Vec<String> =
        ["1969-12-31T23:59:59Z", "0000-03-01T00:00:00Z", "9999-12-28T23:59:59Z", "99999999999", "100000000000", "-5"]
            .map(str::to_owned)
            .to_vec();
    // Every day of a leap year, of a common one and of centuries of both kinds.
    for year in [1900, 1970, 2000, 2023, 2024, 2100] {
        let first = jiff::civil::date(year, 1, 1);
        texts.extend((0..366).map(|d| first + jiff::Span::new().days(d)).map(|day| format!("{day}T{:02}:07:59Z", day.day() % 24)));
    }
    for text in texts {
        let set = read_csv("x", format!("timestamp,a\n{text},1\n").as_bytes()).unwrap();
        assert_eq!(set.series[0].samples[0].0, text.parse::<Timestamp>().unwrap(), "{text}");
    }
    for bad in
        ["2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "1795341600000000", "1795341600000000000", "", "noon"]
    {
        assert!(read_csv("x", format!("timestamp,a\n\"{bad}\",1\n").as_bytes()).is_err(), "{bad:?} was read");
    }
}

#[test]
fn rows_are_sorted_and_of_duplicates_the_last_wins() {
    let set = read_text("timestamp,a,b\n120,3,1\n60,2,1\n120,4,\n0,1,1\n60,5,7\n60,,\n").unwrap();
    assert_eq!(shown(&set), ["a | a | 1m | 0=1 60=5 120=4", "b | b | 1m | 0=1 60=7 120=1"]);
    assert_eq!((set.duplicates, set.missing, set.unsorted), (3, 3, 2));
}

#[test]
fn series_have_their_own_steps_and_short_ones_the_commonest() {
    let mut text = "timestamp,value,series\n".to_owned();
    for i in 0..20 {
        text += &format!("{},1,slow\n{},1,fast\n{},1,quick\n", i * 300, i * 15, i * 15);
    }
    text += "7,1,once\n";
    let steps: Vec<String> = read_text(&text).unwrap().series.iter().map(|s| s.step.to_string()).collect();
    assert_eq!(steps, ["5m", "15s", "15s", "15s"]);
}

#[test]
fn several_files_are_one_data_set() {
    let files = Files::new();
    let a = files.csv("a.csv", "timestamp,cpu\n120,3\n180,4\n");
    let b = files.csv("b.csv", "timestamp,value,series\n0,1,cpu\n60,2,cpu\n0,9,new\n");
    let (c, d) = (files.csv("c.csv", "timestamp,value\n0,1\n"), files.csv("d.csv", "timestamp,value\n0,2\n"));
    let set = read(&[a, b, c, d]).unwrap();
    assert_eq!(shown(&set), ["cpu | cpu | 1m | 0=1 60=2 120=3 180=4", "new | new | 1m | 0=9", "c | c | 1m | 0=1", "d | d | 1m | 0=2"]);
    assert!(matches!(read::<PathBuf>(&[]), Err(ReplayError::NoFile)));
}

#[test]
fn bad_cells_name_file_line_column_and_what_to_do() {
    for (text, says) in [
        ("timestamp,a\n0,1\n\n60,x y\n", "line 4, column \"a\": \"x y\" is not a number"),
        ("timestamp,a,b\n0,\"1\n\",2\n60,1,2,5\n", "line 4: expected 3 fields as in the header, found 4"),
        ("timestamp,a\n0,1\n60\n", "line 3: expected 2 fields as in the header, found 1"),
        ("timestamp,a\n0,1\nyesterday,2\n", "line 3, column \"timestamp\": \"yesterday\" is not a time\nhint: write RFC 3339"),
        ("timestamp,a\n0,1\n,2\n", "line 3, column \"timestamp\": \"\" is not a time"),
        ("timestamp,a\n1e30,1\n", "\"1e30\" is not a time"),
        ("timestamp,value,host\n0,\"1,5\",a\n", "line 2, column \"value\": \"1,5\" is not a number"),
        ("", "the file is empty"),
        ("\u{1f}\u{0}", "it is not text"),
    ] {
        let error = read_text(text).unwrap_err().to_string();
        assert!(error.contains("data.csv") && error.contains(says), "{text:?}: {error}");
    }
    // Far into a file, past many batches.
    let mut long = "timestamp,a,b\n".to_owned();
    for i in 0..100_000 {
        long += &format!("{i},1,2\n");
    }
    long += "100000,1,two\n";
    assert!(read_text(&long).unwrap_err().to_string().contains("line 100002, column \"b\": \"two\""));
    let missing = read(&["/nowhere/at/all.csv"]).unwrap_err();
    assert!(matches!(missing, ReplayError::Io { .. }), "{missing}");
}

#[test]
fn line_ends_quotes_and_marks_of_other_systems_are_read() {
    let set = read_text("\u{feff}timestamp,value,\"ho,st\"\r\n0,1,\"a \"\"b\"\"\"\r\n60, 2 ,\"a \"\"b\"\"\"\r\n").unwrap();
    assert_eq!(shown(&set), [r#"{ho,st="a \"b\""} | {ho,st="a \"b\""} | 1m | 0=1 60=2"#]);
    assert_eq!(shown(&read_text("timestamp,a\n0,NA\n60,null\n120,1").unwrap()), ["a | a | 1m | 120=1"]);
    assert_eq!(shown(&read_text("timestamp,a\n").unwrap()), ["a | a | 1m | "]);
}

#[test]
fn parquet_types_and_compressions_say_the_same() {
    let files = Files::new();
    let seconds = [1_795_341_600_i64, 1_795_341_660, 1_795_341_720];
    let value: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)]));
    let host: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "b"]));
    let times: Vec<(&str, ArrayRef)> = vec![
        ("seconds", Arc::new(Int64Array::from(seconds.to_vec()))),
        ("millis", Arc::new(Int64Array::from(seconds.map(|s| s * 1000).to_vec()))),
        ("float", Arc::new(Float64Array::from(seconds.map(|s| s as f64).to_vec()))),
        ("ts_s", Arc::new(TimestampSecondArray::from(seconds.to_vec()))),
        ("ts_us", Arc::new(TimestampMicrosecondArray::from(seconds.map(|s| s * 1_000_000).to_vec()).with_timezone("+02:00"))),
        ("ts_ns", Arc::new(TimestampNanosecondArray::from(seconds.map(|s| s * 1_000_000_000).to_vec()).with_timezone("Europe/Berlin"))),
        ("text", Arc::new(StringArray::from(vec!["2026-11-22T10:00:00Z", "2026-11-22T10:01:00Z", "2026-11-22T10:02:00Z"]))),
    ];
    for (i, (name, time)) in times.into_iter().enumerate() {
        let compression = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())][i % 3];
        let columns = vec![("timestamp", time), ("value", value.clone()), ("host", host.clone())];
        let set = read(&[files.parquet(name, compression, columns)]).unwrap();
        let want = [r#"{host="a"} | {host="a"} | 1m | 1795341600=1.5"#, r#"{host="b"} | {host="b"} | 1m | "#];
        assert_eq!((shown(&set), set.missing), (want.map(str::to_owned).to_vec(), 2), "{name}");
    }
}

#[test]
fn parquet_wide_columns_and_odd_label_types_are_read_and_bad_ones_named() {
    let files = Files::new();
    let time: ArrayRef = Arc::new(Int64Array::from(vec![0, 60]));
    let (int, float): (ArrayRef, ArrayRef) = (Arc::new(Int64Array::from(vec![1, 2])), Arc::new(Float32Array::from(vec![0.5, 1.5])));
    let wide = files.parquet("w", Compression::SNAPPY, vec![("timestamp", time.clone()), ("i", int.clone()), ("f", float)]);
    assert_eq!(shown(&read(&[wide]).unwrap()), ["i | i | 1m | 0=1 60=2", "f | f | 1m | 0=0.5 60=1.5"]);
    let dictionary: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(["web", "web"]));
    let view: ArrayRef = Arc::new(StringViewArray::from(vec!["eu", "eu"]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![7, 7]));
    let columns = vec![("timestamp", time.clone()), ("value", int), ("series", dictionary), ("zone", view), ("rack", number)];
    let long = files.parquet("l", Compression::SNAPPY, columns);
    assert_eq!(shown(&read(&[long]).unwrap()), [r#"web | web{rack="7",zone="eu"} | 1m | 0=1 60=2"#]);
    let words: ArrayRef = Arc::new(StringArray::from(vec!["1", "many"]));
    let bad = files.parquet("b", Compression::SNAPPY, vec![("timestamp", time), ("a", words)]);
    let error = read(&[&bad]).unwrap_err().to_string();
    assert!(error.contains("row 2, column \"a\": \"many\" is not a number"), "{error}");
    let mut bytes = std::fs::read(&bad).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&bad, bytes).unwrap();
    assert!(matches!(read(&[&bad]), Err(ReplayError::Parquet { .. })));
}

#[test]
fn thousands_of_interleaved_series_come_out_whole() {
    let mut text = "timestamp,value,job,instance\n".to_owned();
    for t in 0..20 {
        for i in 0..2_000 {
            text += &format!("{},{},job{},host{i}\n", t * 60, i * t, i % 3);
        }
    }
    let set = read_text(&text).unwrap();
    assert_eq!((set.series.len(), set.samples()), (2_000, 40_000));
    let frame = set.to_frame(Span::MINUTE).unwrap();
    assert_eq!((frame.rows(), frame.grid().len, frame.present()), (2_000, 20, 40_000));
    assert_eq!(frame.values()[[1_234, 7]], 1_234.0 * 7.0);
    assert_eq!(frame.labels()[1_234].get("instance"), Some("host1234"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_read_though_it_cannot_be_rewound() {
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"timestamp,a\n0,1\n60,x\n").unwrap();
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    drop(writer);
    let error = read(&[path]).unwrap_err().to_string();
    assert!(error.contains("line 3, column \"a\": \"x\" is not a number"), "{error}");
}

/// Every window of a history beside the same window of the whole, bit for bit.
fn is_the_same(set: &DataSet, history: &History, step: Span) {
    let known: Vec<_> = history.series.iter().map(|s| (&s.labels, s.step, s.first, s.last, s.samples as usize)).collect();
    let (first, last) = (|s: &DataSeries| s.samples.first().map(|s| s.0), |s: &DataSeries| s.samples.last().map(|s| s.0));
    let whole: Vec<_> = set.series.iter().map(|s| (&s.labels, s.step, first(s), last(s), s.samples.len())).collect();
    assert_eq!(known, whole);
    let all: Vec<usize> = (0..set.series.len()).collect();
    let grid = set.to_frame(step).unwrap().grid();
    let (mut stretches, mut next) = (history.stretches(all.iter().copied()), 0);
    while let Some(known) = stretches.advance().unwrap() {
        let due = (next..grid.len).take_while(|i| grid.at(*i) <= known).count();
        let window = crate::core::frame::Grid { start: grid.at(next), len: due, ..grid };
        let (streamed, whole) = (stretches.frame(&all, window), set.frame_on(window).unwrap());
        assert_eq!(streamed.labels(), whole.labels());
        let bits = |frame: &crate::core::frame::Frame| frame.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&streamed), bits(&whole));
        next += due;
        for series in &all {
            stretches.forget(*series, grid.at(next) - step);
        }
    }
    assert_eq!(next, grid.len, "every column came");
}

#[test]
fn a_history_shows_what_the_whole_does_in_any_order_and_in_any_memory() {
    let files = Files::new();
    // Jittered, with gaps of hours, missing values and a coarser third series; two columns of labels.
    let row = |host: i64, i: i64| {
        let at = 1_793_577_600_000 + i * 60_000 + (i * 7919 + host) % 11 - 5;
        let value = if i % 17 == 3 { String::new() } else { format!("{}", ((i * 31 + host) % 101) as f64 / 7.0) };
        format!("{at},{value},h{host},d{}\n", host % 2)
    };
    let there = |host: i64, i: i64| !(200..400).contains(&i) && (host != 2 || i % 5 == 0);
    let by_series: Vec<String> = (0..3).flat_map(|h| (0..700).filter(move |i| there(h, *i)).map(move |i| row(h, i))).collect();
    let by_time: Vec<String> = (0..700).flat_map(|i| (0..3).filter(move |h| there(*h, i)).map(move |h| row(h, i))).collect();
    let mut mixed: Vec<String> = (0..by_time.len()).map(|i| by_time[i * 7 % by_time.len()].clone()).collect();
    assert!(!by_time.len().is_multiple_of(7), "every row once");
    // Twice the same time: the last read wins.
    mixed.push(by_time[5].replace(',', ",9").replace(",9h", ",h").replace(",9d", ",d"));
    let head = "timestamp,value,host,disk\n".to_owned();
    for (name, rows) in [("series", &by_series), ("time", &by_time), ("mixed", &mixed)] {
        let path = files.csv(&format!("{name}.csv"), &(head.clone() + &rows.concat()));
        let set = read(&[&path]).unwrap();
        if name == "mixed" {
            assert_eq!((set.unsorted, set.duplicates), (3, 1));
        }
        for held in [0, 100, 1 << 20] {
            let history = History::read_holding(&[&path], hours::Hours::holding(held), |_| true).unwrap();
            for step in [Span::MINUTE, Span::from_secs(300), Span::from_secs(7_000), Span::WEEK] {
                is_the_same(&set, &history, step);
            }
        }
    }
    let none = History::read(&[files.csv("none.csv", &head)], |_| true).unwrap();
    assert!(none.series.is_empty() && none.stretches([]).advance().unwrap().is_none());
}

#[test]
fn reading_a_history_ends_when_it_is_told_to() {
    let files = Files::new();
    let path = files.csv("a.csv", "timestamp,value\n60,1\n120,2\n");
    let mut heard = 0;
    let stopped = History::read(&[&path], |rows| {
        heard = rows;
        false
    });
    assert!(matches!(stopped, Err(ReplayError::Stopped)));
    assert_eq!(heard, 2);
}
