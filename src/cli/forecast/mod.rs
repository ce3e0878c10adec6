//! `portent forecast`: what series of files will do after an origin, and whether and when they reach a threshold.
//!
//! Every (series, origin) is a question of its own, answered from the samples up to the origin and nothing else; questions run side by
//! side and are written in the order in which they were asked.

mod ask;
mod cases;
mod days;
mod write;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;
use rayon::prelude::*;

use super::detect::{positive, zone};
use super::output::{self, Format};
use super::{Failure, Outcome, progress};
use crate::core::ahead::{Ahead, MAX_SUSTAIN};
use crate::core::calendar::Days;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;
use crate::source::replay::{self, DataSeries, DataSet};

pub use ask::{Ask, model, model_name};

/// Questions under way at once: enough to keep every thread busy between two writes, few enough to hold their answers.
const QUESTIONS_A_BATCH: usize = 256;

/// Interval levels at most: more than anybody draws.
const MAX_LEVELS: usize = 20;

/// Skipped series that are named; the rest is counted.
const MAX_NAMED: usize = 10;

const EXAMPLES: &str = "\
Examples:
  portent forecast disk.csv                               the next 24 h, a line a series
  portent forecast disk.csv --above 0.9 --horizon 3d      will it be full, and when?
  portent forecast cpu.parquet --levels 0.5,0.95 -o csv   every step with its intervals
  portent forecast cpu.csv --origin 2026-11-01T00:00:00Z --above 80 -o json
  portent forecast cpu.csv --cases questions.csv -o jsonl
  portent forecast shop.csv --zone Europe/Berlin --holidays 2026-12-25,2026-12-26 --horizon 3d

-o csv holds series,origin,timestamp,median and lower_L,upper_L for each level. With --above or --below, -o json holds an object for each \
series and origin: likelihood is the probability of a breach within the horizon, eta_s the seconds until then at 10, 50 and 90 % (null past \
the horizon). A breach is the first of --sustain samples in a row at or past the threshold, after the origin, also where the series is past \
it at the origin. --cases reads case,series,origin,horizon_s,above|below[,sustain], a question a row. Only samples up to an origin are used.";

/// Forecast series of data files; whether and when they reach a threshold
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Forecast {
    /// CSV or Parquet files, read as one data set; - for CSV on standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How far ahead
    #[arg(long, default_value = "24h", value_parser = positive, conflicts_with = "cases")]
    horizon: Span,
    /// Probabilities that the intervals hold
    #[arg(long, default_value = "0.8,0.95", value_delimiter = ',', value_parser = level)]
    levels: Vec<f64>,
    /// Forecast as of this time; repeat for several [default: each series' last sample]
    #[arg(long, value_name = "TIME", conflicts_with = "cases")]
    origin: Vec<Timestamp>,
    /// Values at or above this are a breach
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with_all = ["below", "cases"], value_parser = finite)]
    above: Option<f64>,
    /// Values at or below this are a breach
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "cases", value_parser = finite)]
    below: Option<f64>,
    /// Many questions: a CSV of case,series,origin,horizon_s,above|below[,sustain]
    #[arg(long, value_name = "CASES.csv")]
    cases: Option<PathBuf>,
    /// Samples in a row that make a breach [default: 1]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..=MAX_SUSTAIN as i64))]
    sustain: Option<u16>,
    /// Which member of the family; auto weighs them by their own past errors
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = model_name())]
    model: String,
    /// Distance between steps [default: each series' own]
    #[arg(long, value_parser = positive)]
    step: Option<Span>,
    /// Where days begin and clocks are changed, for rhythms that follow them
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    zone: TimeZone,
    /// Days unlike others: dates with commas between, or a file with a date a line
    #[arg(long, value_name = "FILE|DATES")]
    holidays: Option<String>,
    /// Another kind of days unlike others: dates, a file, or a rule such as FREQ=MONTHLY;BYMONTHDAY=-1
    #[arg(long, value_name = "NAME=DAYS")]
    days: Vec<String>,
    /// How to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

fn level(text: &str) -> Result<f64, String> {
    text.trim().parse().ok().filter(|l: &f64| *l > 0.0 && *l < 1.0).ok_or_else(|| "want a probability between 0 and 1, as 0.95".to_owned())
}

pub fn finite(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| "want a number".to_owned())
}

impl Forecast {
    pub fn run(&self) -> Outcome {
        if self.levels.len() > MAX_LEVELS {
            return Err(Failure::usage(format!("{} levels, more than {MAX_LEVELS}", self.levels.len())).hint("ask for fewer --levels"));
        }
        let mut levels = self.levels.clone();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        // A question that cannot be read should be said before a large file is.
        let cases = self.cases.as_deref().map(cases::read).transpose()?;
        let days = Days { zone: self.zone.clone(), kinds: days::kinds(self.holidays.as_deref(), &self.days)? };
        let data = replay::read(&self.files)?;
        let asks = match &cases {
            Some(cases) => self.of_cases(&data, cases, &days)?,
            None => self.of_series(&data, &days),
        };
        let bar = progress::bar(asks.len() as u64, "forecasts", self.output != Format::Table);
        let mut writer = write::Writer::new(self.output, &levels, cases.is_some(), cases.is_some() || self.limit().is_some());
        let mut out = output::stdout();
        let mut skipped = Vec::new();
        let written = self.answer(&asks, &mut writer, &mut out, &mut skipped, &bar);
        bar.finish_and_clear();
        output::ignore_closed(written)?;
        Ok(report(&skipped, asks.len()))
    }

    fn answer(
        &self,
        asks: &[Ask<'_>],
        writer: &mut write::Writer<'_>,
        out: &mut impl Write,
        skipped: &mut Vec<String>,
        bar: &indicatif::ProgressBar,
    ) -> io::Result<()> {
        let model = model(&self.model);
        writer.head(out)?;
        for batch in asks.chunks(QUESTIONS_A_BATCH) {
            let answers: Vec<Result<Ahead, String>> = batch
                .par_iter()
                .map(|ask| {
                    let answer = ask.answer(&*model);
                    bar.inc(1);
                    answer
                })
                .collect();
            for (ask, answer) in batch.iter().zip(answers) {
                match answer {
                    Ok(ahead) => writer.answer(out, ask, &ahead)?,
                    Err(why) => skipped.push(match ask.case {
                        Some(case) => format!("case {case} ({}): {why}", ask.name),
                        None => format!("{}: {why}", ask.name),
                    }),
                }
            }
        }
        writer.tail(out)
    }

    fn limit(&self) -> Option<(Side, f64)> {
        self.above.map(|x| (Side::Above, x)).or(self.below.map(|x| (Side::Below, x)))
    }

    fn of_series<'a>(&'a self, data: &'a DataSet, days: &'a Days) -> Vec<Ask<'a>> {
        let ask = |series: &'a DataSeries, origin: Option<Timestamp>| Ask {
            case: None,
            name: &series.name,
            series: Some(series),
            origin,
            horizon: self.horizon,
            limit: self.limit(),
            sustain: usize::from(self.sustain.unwrap_or(1)),
            step: self.step,
            days,
        };
        data.series
            .iter()
            .flat_map(|series| {
                let origins: Vec<Option<Timestamp>> =
                    if self.origin.is_empty() { vec![None] } else { self.origin.iter().copied().map(Some).collect() };
                origins.into_iter().map(move |origin| ask(series, origin))
            })
            .collect()
    }

    fn of_cases<'a>(&'a self, data: &'a DataSet, cases: &'a [cases::Case], days: &'a Days) -> Result<Vec<Ask<'a>>, Failure> {
        let by_name: std::collections::HashMap<&str, &DataSeries> = data.series.iter().map(|s| (s.name.as_str(), s)).collect();
        if let Some(unknown) = cases.iter().find(|case| !by_name.contains_key(case.series.as_str())) {
            let known: Vec<&str> = data.series.iter().take(MAX_NAMED).map(|s| s.name.as_str()).collect();
            return Err(Failure::new(format!("cannot answer case {}: no series is named {:?}", unknown.case, unknown.series)).hint(
                format!(
                    "{} series were read: {}{}",
                    data.series.len(),
                    known.join(", "),
                    if data.series.len() > MAX_NAMED { ", ..." } else { "" }
                ),
            ));
        }
        Ok(cases
            .iter()
            .map(|case| Ask {
                case: Some(&case.case),
                name: &case.series,
                series: by_name.get(case.series.as_str()).copied(),
                origin: Some(case.origin),
                horizon: case.horizon,
                limit: Some(case.limit),
                sustain: case.sustain.unwrap_or_else(|| usize::from(self.sustain.unwrap_or(1))),
                step: self.step,
                days,
            })
            .collect())
    }
}

/// Says what was not answered: nothing at all is a failure.
fn report(skipped: &[String], asked: usize) -> ExitCode {
    for line in skipped.iter().take(MAX_NAMED) {
        eprintln!("skipped {line}");
    }
    if skipped.len() > MAX_NAMED {
        eprintln!("skipped {} more", skipped.len() - MAX_NAMED);
    }
    if skipped.len() == asked {
        eprintln!("error: nothing could be forecast");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
