//! `portent detect`: how far from normal every sample of a file is, judged only by what came before it.
//!
//! Each series has a detector of its own, in its own step. Nothing is looked at twice and nothing ahead, so a longer file changes no
//! earlier score.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use portent_models::score::{Direction, Scored, Settings};
use rayon::prelude::*;
use serde::Serialize;

use super::forecast::finite;
use super::output::{self, Format};
use super::{Outcome, cell, progress};
use crate::core::score::{Detector, false_alarms_per_week};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::BaselineSettings;
use crate::source::replay::{self, DataSeries};

/// Series under way at once: enough for every thread to have some, few enough that their output waits in little memory.
const SERIES_A_BATCH: usize = 32;

/// Samples under way at once, unless one series alone has more: their output waits in memory, about 128 bytes each.
const SAMPLES_A_BATCH: usize = 1 << 20;

/// Samples before which nothing is said, whatever the step: a day of daily samples is one sample.
const MIN_SAMPLES: i64 = 24;

/// In a table, anomalies this near to each other are one.
const SAME_WITHIN: Span = Span::HOUR;

/// Rows of a table: what a person reads, the strongest first.
const MAX_TABLE_ROWS: usize = 50;

const EXAMPLES: &str = "\
Examples:
  portent detect metrics.csv                       the stretches furthest from normal
  portent detect metrics.csv -o csv > scores.csv   a score for every sample
  portent detect cpu.parquet --false-alarms 1/day --direction above --zone Europe/Berlin -o jsonl

Columns of -o csv: series,timestamp,value,expected,lower,upper,score,anomaly. A score of 1 is the edge of normal: in a series in which \
nothing is wrong it is reached --false-alarms often, whatever its values and its step. expected, lower and upper are empty, and the score \
0, until --min-history has passed. Files are wide (timestamp, then a column a series) or long (timestamp, value, label columns); - is CSV on \
standard input.";

/// Score every sample of data files: how far from normal it is
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Detect {
    /// CSV or Parquet files, read as one data set; - for CSV on standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to write: a table of anomalous stretches, or every sample
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Format,
    /// How often a score may reach 1 in a series in which nothing is wrong: 1/week, 0.2/day, 1/month
    #[arg(long, value_name = "N/SPAN", default_value = "1/week", value_parser = false_alarms_per_week)]
    false_alarms: f64,
    /// Which deviations count
    #[arg(long, value_enum, default_value = "both")]
    direction: Side,
    /// Values this near to what was expected are no anomaly, in the series' own unit
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = least)]
    least_deviation: f64,
    /// The same in percent of what was expected
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = least)]
    least_deviation_percent: f64,
    /// No value lies below this: bands end here, and a value below is an anomaly
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    lower: Option<f64>,
    /// No value lies above this
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    upper: Option<f64>,
    /// Time zone of the daily and weekly rhythm
    #[arg(long, default_value = "UTC", value_parser = zone)]
    zone: TimeZone,
    /// Say nothing about a series before this much history [default: 1d, and at least 24 samples]
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    min_history: Option<Span>,
}

pub fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| format!("{text:?} is not a time zone: want UTC or a name of the IANA database, as Europe/Berlin"))
}

pub fn positive(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error: crate::core::time::TimeError| error.to_string())?;
    if span > Span::ZERO { Ok(span) } else { Err("want a duration above 0".to_owned()) }
}

pub fn sigma(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|sigma: &f64| sigma.is_finite() && *sigma > 0.0).ok_or_else(|| "want a number above 0".to_owned())
}

fn least(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0).ok_or_else(|| "want a number, 0 or above".to_owned())
}

/// Deviations from what was expected, by their sign.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Side {
    Both,
    Above,
    Below,
}

impl Detect {
    pub fn run(&self) -> Outcome {
        let data = replay::read(&self.files)?;
        let bar = progress::bar(data.samples() as u64, "samples", self.output != Format::Table);
        let mut out = output::stdout();
        let mut first = true;
        let mut stretches = Vec::new();
        output::ignore_closed(self.head(&mut out))?;
        for batch in batches(&data.series) {
            if self.output == Format::Table {
                let found: Vec<Vec<Stretch>> = batch.par_iter().map(|series| self.stretches(series, &bar)).collect();
                stretches.extend(found.into_iter().flatten());
                continue;
            }
            let texts: Vec<Vec<u8>> = batch.par_iter().map(|series| self.rows(series, &bar)).collect();
            for text in texts.iter().filter(|text| !text.is_empty()) {
                // Every row of a JSON array begins with the comma after the one before.
                let text = if self.output == Format::Json && first { &text[1..] } else { &text[..] };
                first = false;
                if let Err(error) = out.write_all(text) {
                    output::ignore_closed(Err(error))?;
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
        bar.finish_and_clear();
        for series in data.series.iter().filter(|series| series.samples.is_empty()) {
            eprintln!("skipped {}: it has no samples", series.name);
        }
        stretches.sort_by(|a, b| b.score.total_cmp(&a.score));
        output::ignore_closed(self.tail(&mut out, &stretches, data.series.len()))?;
        Ok(ExitCode::SUCCESS)
    }

    fn settings(&self, step: Span) -> BaselineSettings {
        let usual = BaselineSettings::default().min_history;
        let min_history = self.min_history.unwrap_or_else(|| usual.max(step.times(MIN_SAMPLES)));
        let direction = match self.direction {
            Side::Both => Direction::Both,
            Side::Above => Direction::Above,
            Side::Below => Direction::Below,
        };
        let score = Settings {
            false_alarms_per_week: self.false_alarms,
            direction,
            least_deviation: self.least_deviation,
            least_share: self.least_deviation_percent / 100.0,
            lower: self.lower,
            upper: self.upper,
        };
        BaselineSettings { min_history, score, ..BaselineSettings::default() }
    }

    fn each(&self, series: &DataSeries, mut take: impl FnMut(Timestamp, f64, Option<Scored>)) {
        let mut detector = Detector::new(series.step, &self.settings(series.step), self.zone.clone());
        for &(at, value) in &series.samples {
            take(at, value, detector.push(at, value));
        }
    }

    fn rows(&self, series: &DataSeries, bar: &indicatif::ProgressBar) -> Vec<u8> {
        /// Bytes a row takes, about.
        const ROW_BYTES: usize = 128;
        let mut out = Vec::with_capacity(series.samples.len() * ROW_BYTES);
        let mut times = cell::Times::new();
        let mut name = Vec::new();
        if self.output == Format::Csv {
            cell::name(&mut name, &series.name);
        }
        self.each(series, |at, value, scored| match self.output {
            Format::Csv => csv_row(&mut out, &name, &mut times, at, value, scored),
            Format::Json | Format::Jsonl | Format::Table => {
                if self.output == Format::Json {
                    out.extend_from_slice(b",\n");
                }
                let row = Row {
                    series: &series.name,
                    timestamp: at,
                    value,
                    expected: scored.map(|s| s.expected),
                    lower: scored.map(|s| s.lower),
                    upper: scored.map(|s| s.upper),
                    score: scored.map_or(0.0, |s| s.score),
                    anomaly: scored.is_some_and(|s| s.is_anomaly()),
                };
                // Plain numbers and texts into memory: neither can fail.
                let _ = serde_json::to_writer(&mut out, &row);
                if self.output == Format::Jsonl {
                    out.push(b'\n');
                }
            }
        });
        bar.inc(series.samples.len() as u64);
        out
    }

    fn stretches(&self, series: &DataSeries, bar: &indicatif::ProgressBar) -> Vec<Stretch> {
        let near = SAME_WITHIN.max(series.step.times(2));
        let mut found: Vec<Stretch> = Vec::new();
        self.each(series, |at, value, scored| {
            let Some(scored) = scored.filter(Scored::is_anomaly) else { return };
            match found.last_mut() {
                Some(last) if at - last.to <= near => last.extend(at, value, &scored),
                _ => found.push(Stretch::new(&series.name, at, value, &scored)),
            }
        });
        bar.inc(series.samples.len() as u64);
        found
    }

    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        match self.output {
            Format::Csv => writeln!(out, "series,timestamp,value,expected,lower,upper,score,anomaly"),
            Format::Json => out.write_all(b"["),
            Format::Jsonl | Format::Table => Ok(()),
        }
    }

    fn tail(&self, out: &mut impl Write, stretches: &[Stretch], series: usize) -> io::Result<()> {
        match self.output {
            Format::Json => out.write_all(b"\n]\n")?,
            Format::Table if stretches.is_empty() => writeln!(out, "nothing out of the ordinary in {series} series")?,
            Format::Table => {
                let rows: Vec<Vec<String>> = stretches.iter().take(MAX_TABLE_ROWS).map(Stretch::cells).collect();
                output::table(out, &["SERIES", "FROM", "TO", "SAMPLES", "SCORE", "AT", "VALUE", "EXPECTED"], &rows)?;
                if let Some(next) = stretches.get(MAX_TABLE_ROWS) {
                    let rest = stretches.len() - MAX_TABLE_ROWS;
                    writeln!(out, "and {rest} more with scores up to {:.1}; -o csv has every sample", next.score)?;
                }
            }
            Format::Csv | Format::Jsonl => {}
        }
        out.flush()
    }
}

/// Series in their order, in batches within both limits.
fn batches(series: &[DataSeries]) -> impl Iterator<Item = &[DataSeries]> {
    let mut rest = series;
    std::iter::from_fn(move || {
        let mut samples = 0;
        let within = |one: &&DataSeries| {
            samples += one.samples.len();
            samples <= SAMPLES_A_BATCH
        };
        let len = rest.iter().take(SERIES_A_BATCH).take_while(within).count().max(1).min(rest.len());
        let (batch, after) = rest.split_at(len);
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

#[derive(Serialize)]
struct Row<'a> {
    series: &'a str,
    timestamp: Timestamp,
    value: f64,
    expected: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    score: f64,
    anomaly: bool,
}

fn csv_row(out: &mut Vec<u8>, name: &[u8], times: &mut cell::Times, at: Timestamp, value: f64, scored: Option<Scored>) {
    out.extend_from_slice(name);
    out.push(b',');
    times.write(out, at);
    out.push(b',');
    cell::number(out, value);
    let Some(scored) = scored else {
        out.extend_from_slice(b",,,,0,false\n");
        return;
    };
    for number in [scored.expected, scored.lower, scored.upper, scored.score] {
        out.push(b',');
        cell::number(out, number);
    }
    out.extend_from_slice(if scored.is_anomaly() { b",true\n" } else { b",false\n" });
}

/// Anomalies near each other.
#[derive(Debug)]
struct Stretch {
    series: String,
    from: Timestamp,
    to: Timestamp,
    samples: u64,
    score: f64,
    at: Timestamp,
    value: f64,
    expected: f64,
}

impl Stretch {
    fn new(series: &str, at: Timestamp, value: f64, scored: &Scored) -> Self {
        let (score, expected) = (scored.score, scored.expected);
        Self { series: series.to_owned(), from: at, to: at, samples: 1, score, at, value, expected }
    }

    fn extend(&mut self, at: Timestamp, value: f64, scored: &Scored) {
        self.to = at;
        self.samples += 1;
        if scored.score > self.score {
            (self.score, self.at, self.value, self.expected) = (scored.score, at, value, scored.expected);
        }
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.series.clone(),
            self.from.to_string(),
            self.to.to_string(),
            self.samples.to_string(),
            format!("{:.1}", self.score),
            self.at.to_string(),
            cell::brief(self.value),
            cell::brief(self.expected),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::labels::Labels;

    #[test]
    fn batches_hold_every_series_once_and_keep_to_both_limits() {
        let series = |len: usize| DataSeries {
            name: "a".to_owned(),
            labels: Labels::named("a"),
            samples: vec![(Timestamp::from_millis(0), 0.0); len],
            step: Span::MINUTE,
        };
        let of = |lens: &[usize]| {
            let all: Vec<DataSeries> = lens.iter().map(|len| series(*len)).collect();
            batches(&all).map(<[DataSeries]>::len).collect::<Vec<_>>()
        };
        let half = SAMPLES_A_BATCH / 2;
        assert_eq!(of(&[]), Vec::<usize>::new());
        assert_eq!(of(&[half, half, 1, SAMPLES_A_BATCH + 5, 1]), [2, 1, 1, 1]);
        assert_eq!(of(&[0; SERIES_A_BATCH + 1]), [SERIES_A_BATCH, 1]);
    }
}
