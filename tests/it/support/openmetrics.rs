//! Test history as OpenMetrics text, the one format `promtool` turns into blocks.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Writes sample by sample: eight days of 500 series are 300 MB of text and never in memory.
#[derive(Debug)]
pub struct OpenMetricsWriter {
    path: PathBuf,
    file: BufWriter<File>,
    family: String,
    families: Vec<String>,
    samples: u64,
}

impl OpenMetricsWriter {
    pub fn create(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let file = BufWriter::new(File::create(&path).expect("the test folder can be written"));
        Self { path, file, family: String::new(), families: Vec::new(), samples: 0 }
    }

    /// One series of a gauge: `value(time_ms)` at `start_ms`, `start_ms + step_ms`, ... `len` times; `None` is a gap, NaN a NaN.
    ///
    /// # Panics
    /// When a metric comes back after another one: OpenMetrics wants all series of a metric together, and `promtool` would refuse the
    /// file with a message that names neither.
    pub fn gauge(
        &mut self,
        metric: &str,
        labels: &[(&str, &str)],
        (start_ms, step_ms, len): (i64, i64, usize),
        mut value: impl FnMut(i64) -> Option<f64>,
    ) -> &mut Self {
        if self.family != metric {
            assert!(!self.families.iter().any(|f| f == metric), "the series of {metric} do not stand together");
            self.families.push(metric.to_owned());
            metric.clone_into(&mut self.family);
            writeln!(self.file, "# TYPE {metric} gauge").expect("the disk has room");
        }
        let name = series_name(metric, labels);
        let mut time_ms = start_ms;
        for _ in 0..len {
            if let Some(value) = value(time_ms) {
                let (seconds, ms) = (time_ms.div_euclid(1000), time_ms.rem_euclid(1000));
                writeln!(self.file, "{name} {} {seconds}.{ms:03}", number(value)).expect("the disk has room");
                self.samples += 1;
            }
            time_ms += step_ms;
        }
        self
    }

    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Ends the text; without its last line it is not OpenMetrics.
    pub fn finish(mut self) -> PathBuf {
        self.file.write_all(b"# EOF\n").expect("the disk has room");
        self.file.flush().expect("the disk has room");
        self.path
    }
}

/// `metric{name="value"}`, with quotes, backslashes and line ends escaped.
pub fn series_name(metric: &str, labels: &[(&str, &str)]) -> String {
    let mut text = format!("{metric}{{");
    for (i, (name, value)) in labels.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let value = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        write!(text, "{comma}{name}=\"{value}\"").expect("a string takes everything");
    }
    text + "}"
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

#[test]
fn gaps_escapes_and_the_end_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = OpenMetricsWriter::create(dir.path().join("om"));
    writer.gauge("m", &[("path", "a\"b\\c\nd")], (1_500, 1_000, 3), |t| (t != 2_500).then_some(t as f64 / 2.0));
    writer.gauge("n", &[], (0, 1, 1), |_| Some(f64::INFINITY));
    assert_eq!(writer.samples(), 3);
    let text = std::fs::read_to_string(writer.finish()).unwrap();
    let label = r#"m{path="a\"b\\c\nd"}"#;
    let expected = format!("# TYPE m gauge\n{label} 750 1.500\n{label} 1750 3.500\n# TYPE n gauge\nn{{}} +Inf 0.000\n# EOF\n");
    assert_eq!(text, expected);
}

#[test]
#[should_panic(expected = "the series of a do not stand together")]
fn a_split_family_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = OpenMetricsWriter::create(dir.path().join("om"));
    for metric in ["a", "b", "a"] {
        writer.gauge(metric, &[], (0, 1, 1), |_| Some(0.0));
    }
}
