//! Tests of [`Decoder`](super::Decoder): every fault an answer can carry, and that the way it is cut never matters.

use proptest::prelude::*;

use super::*;
use crate::core::time::Span;

fn grid(len: usize) -> Grid {
    Grid { start: Timestamp::from_millis(60_000), step: Span::MINUTE, len }
}

fn decode(decoder: Decoder, chunks: &[&[u8]]) -> Result<Decoded, DecodeError> {
    let mut decoder = decoder;
    for chunk in chunks {
        decoder.feed(chunk)?;
    }
    decoder.finish()
}

fn range(text: &str) -> Result<(Frame, DecodeStats, Remarks), DecodeError> {
    let decoded = decode(Decoder::range(grid(3), DecodeLimits::default()), &[text.as_bytes()])?;
    match decoded.payload {
        Payload::Matrix(frame) => Ok((frame, decoded.stats, decoded.remarks)),
        Payload::Vector(_) => panic!("asked for a matrix"),
    }
}

fn instant(text: &str) -> Result<Vec<InstantSample>, DecodeError> {
    match decode(Decoder::instant(DecodeLimits::default()), &[text.as_bytes()])?.payload {
        Payload::Vector(samples) => Ok(samples),
        Payload::Matrix(_) => panic!("asked for a vector"),
    }
}

fn matrix(series: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#)
}

#[test]
fn a_matrix_becomes_columns() {
    let text = matrix(
        r#"{"metric":{"__name__":"up","a":"\u00e9\"x"},"values":[[60,"1"],[120,"0.25"],[180,"-3e2"]]},{"metric":{},"values":[[120,"7"]]}"#,
    );
    let (frame, stats, remarks) = range(&text).unwrap();
    assert_eq!(frame.labels()[0], Labels::from_pairs([("__name__", "up"), ("a", "é\"x")]).unwrap());
    assert_eq!(frame.row(0), [1.0, 0.25, -300.0]);
    assert!(frame.row(1)[0].is_nan() && frame.row(1)[1] == 7.0);
    assert_eq!((stats.samples, stats.placed, stats.bytes), (4, 4, text.len() as u64));
    assert!(!remarks.partial);
}

#[test]
fn keys_may_come_in_any_order_and_unknown_ones_are_skipped() {
    let text = r#"{"warnings":["w"],"stats":{"a":[1,{"b":null}]},"data":{"x":[],"result":[{"values":[[120,"2"],[60,"1"],[60,"5"]],"new":{"k":"v"},
        "metric":{"a":"b"}}],"resultType":"matrix"},"infos":["i"],"status":"success","trace":true}"#;
    let (frame, stats, remarks) = range(text).unwrap();
    assert_eq!(frame.row(0)[..2], [5.0, 2.0]);
    assert_eq!((stats.unsorted, stats.duplicates), (1, 1));
    assert_eq!((remarks.warnings, remarks.infos), (vec!["w".to_owned()], vec!["i".to_owned()]));
}

#[test]
fn missing_values_are_missing_and_counted() {
    let (frame, stats, _) = range(&matrix(r#"{"metric":{},"values":[[60,"NaN"],[120,"+Inf"],[180,"-Inf"]]}"#)).unwrap();
    assert_eq!((frame.rows(), frame.present()), (1, 0));
    assert_eq!((stats.nan, stats.infinite, stats.placed), (1, 2, 0));
}

#[test]
fn unsorted_samples_find_their_place_and_of_two_the_last_wins() {
    let (frame, stats, _) = range(&matrix(r#"{"metric":{},"values":[[180,"3"],[60,"1"],[120,"9"],[120,"2"]]}"#)).unwrap();
    assert_eq!(frame.row(0), [1.0, 2.0, 3.0]);
    assert_eq!((stats.unsorted, stats.duplicates), (1, 1));
}

#[test]
fn samples_off_the_grid_are_ignored_and_a_whole_answer_of_them_is_an_error() {
    let (frame, stats, _) = range(&matrix(r#"{"metric":{},"values":[[59.999,"1"],[130,"2"],[240,"3"]]}"#)).unwrap();
    assert_eq!((frame.present(), stats.off_grid), (1, 2));
    let error = range(&matrix(r#"{"metric":{},"values":[[75,"1"],[135,"2"]]}"#)).unwrap_err();
    assert!(matches!(error, DecodeError::OffGrid { samples: 2, .. }), "{error}");
    assert!(error.to_string().contains("1970-01-01T00:01:15Z"), "{error}");
}

#[test]
fn duplicate_label_sets_are_an_error() {
    let twice = r#"{"metric":{"a":"1","b":""},"values":[]},{"metric":{"a":"1"},"values":[]}"#;
    assert!(matches!(range(&matrix(twice)), Err(DecodeError::DuplicateSeries { labels }) if labels.get("a") == Some("1")));
    let vector =
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"2"]}]}}"#;
    assert!(matches!(instant(vector), Err(DecodeError::DuplicateSeries { .. })));
    assert!(matches!(range(&matrix(r#"{"metric":{"a":"1","a":"2"},"values":[]}"#)), Err(DecodeError::DuplicateLabel { .. })));
}

#[test]
fn wrong_types_are_named() {
    for (text, message) in [
        ("[]".to_owned(), "answer is a array, want object"),
        (r#"{"status":1}"#.to_owned(), "status is a number, want string"),
        (r#"{"status":"success","data":[]}"#.to_owned(), "data is a array, want object"),
        (r#"{"status":"success","data":{"resultType":"matrix","result":null}}"#.to_owned(), "data.result is a null, want array"),
        (r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.to_owned(), "result type is \"vector\", want matrix"),
        (r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#.to_owned(), "result type is \"string\", want matrix"),
        (r#"{"status":"success","data":{"result":[]}}"#.to_owned(), "data.resultType is missing"),
        (r#"{"status":"success","data":{"resultType":"matrix"}}"#.to_owned(), "data.result is missing"),
        (r#"{"status":"success"}"#.to_owned(), "data is missing"),
        (r#"{"data":{"resultType":"matrix","result":[]}}"#.to_owned(), "status is missing"),
        (r#"{"status":"maybe","data":{"resultType":"matrix","result":[]}}"#.to_owned(), "status \"maybe\" can't be read"),
        (matrix(r#"{"metric":{},"values":[[60,1]]}"#), "sample value is a number, want string"),
        (matrix(r#"{"metric":{},"values":[["60","1"]]}"#), "sample time is a string, want number"),
        (matrix(r#"{"metric":{},"values":[[60,"one"]]}"#), "sample value \"one\" can't be read"),
        (matrix(r#"{"metric":{},"values":[[60,"1",2]]}"#), "third item of a sample is a number, want nothing"),
        (matrix(r#"{"metric":{},"value":[60,"1"]}"#), "result type is \"series with a \\\"value\\\" key\", want matrix"),
        (matrix(r#"{"metric":{"a":1},"values":[]}"#), "label value is a number, want string"),
        (matrix(r#"{"metric":{},"metric":{},"values":[]}"#), "metric stands twice"),
        (matrix(r#"{"values":[[60,"1"]]}"#), "metric is missing"),
        (matrix("1"), "item of data.result is a number, want object"),
        (matrix(r#"{"metric":{"a":"\ud800"},"values":[]}"#), "body is not JSON: string with a bad escape"),
    ] {
        let error = range(&text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}\n{error}");
    }
}

#[test]
fn truncated_text_is_incomplete_wherever_it_ends() {
    let text = matrix(r#"{"metric":{"a":"b"},"values":[[60,"1"],[120,"2"]]}"#);
    for end in 0..text.len() {
        let error = range(&text[..end]).unwrap_err();
        assert!(matches!(error, DecodeError::Json(e) if e.fault == crate::source::prometheus::JsonFault::Incomplete), "{end}: {error}");
    }
}

#[test]
fn vectors_and_scalars() {
    let samples = instant(
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"1"},"value":[60.5,"2"]},{"metric":{"a":"2"},"value":[60.5,"NaN"]}]}}"#,
    )
    .unwrap();
    assert_eq!((samples[0].value, samples[0].at.as_millis(), samples[1].value), (Some(2.0), 60_500, None));
    let scalar = instant(r#"{"status":"success","data":{"result":[60,"0.9"],"resultType":"scalar"}}"#).unwrap();
    assert_eq!((scalar.len(), scalar[0].labels.is_empty(), scalar[0].value), (1, true, Some(0.9)));
}

#[test]
fn the_server_may_say_that_it_failed() {
    let text = r#"{"status":"error","errorType":"execution","error":"too many samples\u001b[31m","data":null}"#;
    assert_eq!(range(text).unwrap_err().to_string(), "server says execution: too many samples [31m");
}

#[test]
fn remarks_have_limits_and_infos_are_not_partial() {
    let many: Vec<String> = (0..40).map(|i| format!("\"w{i}\"")).collect();
    let text = format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[]}},"warnings":[{}]}}"#, many.join(","));
    let (_, _, remarks) = range(&text).unwrap();
    assert_eq!((remarks.warnings.len(), remarks.dropped, remarks.partial), (16, 24, true));
    let text = matrix("").replace("}}", r#"},"warnings":["PromQL info: name does not end in _total"]}"#);
    let (_, _, remarks) = range(&text).unwrap();
    assert_eq!((remarks.infos.len(), remarks.warnings.len(), remarks.partial), (1, 0, false));
    let (_, _, remarks) = range(&matrix("").replacen('{', r#"{"isPartial":true,"#, 1)).unwrap();
    assert!(remarks.partial);
}

#[test]
fn native_histograms_are_skipped_and_counted() {
    let (frame, stats, _) = range(&matrix(r#"{"metric":{},"histograms":[[60,{"count":"1","buckets":[[0,"1","2","3"]]}]]}"#)).unwrap();
    assert_eq!((frame.present(), stats.histogram_series), (0, 1));
}

#[test]
fn few_bytes_a_series_cannot_claim_rows_without_end() {
    let series: Vec<String> = (0..100).map(|i| format!(r#"{{"metric":{{"a":"{i}"}},"values":[]}}"#)).collect();
    let text = matrix(&series.join(","));
    let limits = DecodeLimits { max_series: 50, max_cells: usize::MAX };
    let error = decode(Decoder::range(grid(3), limits), &[text.as_bytes()]).unwrap_err();
    assert_eq!(error, DecodeError::TooManySeries { limit: 50 });
    let limits = DecodeLimits { max_series: 1000, max_cells: 150 };
    let error = decode(Decoder::range(grid(3), limits), &[text.as_bytes()]).unwrap_err();
    assert_eq!(error, DecodeError::TooManyCells { limit: 150 });
}

fn value_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => any::<f64>().prop_map(|v| format!("{v}").replace("inf", "+Inf").replace("-+", "-")),
        1 => Just("NaN".to_owned()),
        1 => Just("+Inf".to_owned()),
    ]
}

/// A label's value and samples: grid index and value as text.
type Series = (String, Vec<(usize, String)>);

/// Series, and whether their labels stand last.
fn answer() -> impl Strategy<Value = (Vec<Series>, bool)> {
    let samples = proptest::collection::vec((0usize..12, value_text()), 0..12);
    (proptest::collection::vec(("[a-z\\\\\"é\n]{0,8}", samples), 0..5), any::<bool>())
}

proptest! {
    /// The frame equals what a plain reading of the model gives, and any cutting of the bytes gives the same frame.
    #[test]
    fn any_chunking_gives_the_same_frame((series, labels_last) in answer(), sizes in proptest::collection::vec(1usize..40, 1..30)) {
        let grid = grid(10);
        let mut items = Vec::new();
        let mut want = Vec::new();
        for (i, (label, samples)) in series.iter().enumerate() {
            let values: Vec<_> = samples.iter().map(|(at, v)| serde_json::json!([grid.at(*at).as_secs_f64(), v])).collect();
            let metric = serde_json::json!({"i": i.to_string(), "label": label}).to_string();
            let values = serde_json::Value::from(values).to_string();
            items.push(if labels_last { format!(r#"{{"values":{values},"metric":{metric}}}"#) } else { format!(r#"{{"metric":{metric},"values":{values}}}"#) });
            let mut row = vec![f64::NAN; grid.len];
            for (at, v) in samples.iter().filter(|(at, _)| *at < grid.len) {
                let value = if v.contains("Inf") || v == "NaN" { f64::NAN } else { v.parse().unwrap() };
                row[*at] = value;
            }
            want.push(row);
        }
        let text = matrix(&items.join(", "));
        let read = |chunks: &[&[u8]]| decode(Decoder::range(grid, DecodeLimits::default()), chunks);
        let whole = read(&[text.as_bytes()]);
        let mut chunks = Vec::new();
        let mut rest = text.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        match (whole, read(&chunks)) {
            (Ok(Decoded { payload: Payload::Matrix(a), stats, .. }), Ok(Decoded { payload: Payload::Matrix(b), stats: other, .. })) => {
                prop_assert_eq!(stats, other);
                prop_assert_eq!(a.labels(), b.labels());
                for (row, wanted) in want.iter().enumerate() {
                    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    prop_assert_eq!(bits(a.row(row)), bits(wanted));
                    prop_assert_eq!(bits(b.row(row)), bits(wanted));
                }
            }
            (Err(a), Err(b)) => prop_assert_eq!(a, b),
            (a, b) => prop_assert!(false, "{a:?} {b:?}"),
        }
    }

    #[test]
    fn noise_in_an_answer_never_panics(at in 0usize..200, byte in any::<u8>(), cut in 0usize..200) {
        let mut text = matrix(r#"{"metric":{"a":"b\u00e9"},"values":[[60,"1"],[120,"2.5"]]}"#).into_bytes();
        let index = at % text.len();
        text[index] = byte;
        let (head, tail) = text.split_at(cut.min(text.len()));
        let whole = decode(Decoder::range(grid(3), DecodeLimits::default()), &[&text]).map(|d| d.stats);
        let halves = decode(Decoder::range(grid(3), DecodeLimits::default()), &[head, tail]).map(|d| d.stats);
        prop_assert_eq!(whole.is_ok(), halves.is_ok());
    }
}
