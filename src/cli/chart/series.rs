//! Which series is drawn: the one of a file or of a query, or the one that was named.

use std::path::Path;

use url::Url;

use super::Failure;
use crate::clock::{Clock, SystemClock};
use crate::core::frame::Grid;
use crate::core::labels::METRIC_NAME;
use crate::core::time::{Span, Timestamp};
use crate::source::prometheus::{PrometheusClient, PrometheusSettings, RangeAsk};
use crate::source::replay::{self, DataSeries};

/// A week at this step is 2,016 points: more than a chart has pixels, and enough for a daily rhythm.
pub const QUERY_STEP: Span = Span::from_secs(300);

/// As much of the past as a baseline knows.
const QUERY_PAST: Span = Span::WEEK;

/// Series that are listed where one has to be chosen.
const MAX_LISTED: usize = 20;

/// A series to draw.
#[derive(Debug)]
pub struct Found {
    pub series: DataSeries,
    pub title: String,
    /// What the unit is guessed from.
    pub expression: String,
}

/// The series of that name in a file; the only one where none is named.
pub fn of_file(file: &Path, name: Option<&str>) -> Result<Found, Failure> {
    let data = replay::read(&[file])?;
    let series = choose(data.series, name, &file.display().to_string())?;
    let title = series.labels.metric().unwrap_or(&series.name).to_owned();
    Ok(Found { expression: title.clone(), title, series })
}

/// The same of a query's answer.
pub fn of_query(query: &str, url: &Url, step: Span, origin: Option<Timestamp>, name: Option<&str>) -> Result<Found, Failure> {
    let now = origin.unwrap_or_else(|| SystemClock::new().now());
    let grid = Grid::aligned(now - QUERY_PAST, now, step);
    let client = PrometheusClient::new(PrometheusSettings::new(url.clone()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ask = RangeAsk { query, grid, watch: None, rows_hint: None };
    let answer = runtime.block_on(client.query_range(&ask))?;
    if answer.remarks.partial {
        eprintln!("note: the server's answer is partial: {}", answer.remarks.warnings.join("; "));
    }
    let frame = answer.frame;
    let series = (0..frame.rows()).map(|row| {
        let labels = frame.labels()[row].clone();
        let values = frame.row(row).iter().enumerate();
        let samples = values.filter(|(_, v)| v.is_finite()).map(|(i, v)| (grid.at(i), *v)).collect();
        DataSeries { name: labels.to_string(), labels, samples, step }
    });
    let series = choose(series.collect(), name, &format!("the answer to {query}"))?;
    let title = query.to_owned();
    Ok(Found { series, title, expression: query.to_owned() })
}

fn choose(mut all: Vec<DataSeries>, name: Option<&str>, place: &str) -> Result<DataSeries, Failure> {
    let listed = |all: &[DataSeries]| {
        let names: Vec<&str> = all.iter().take(MAX_LISTED).map(|s| s.name.as_str()).collect();
        let more = all.len().saturating_sub(MAX_LISTED);
        format!("--series takes one of: {}{}", names.join(", "), if more > 0 { format!(", and {more} more") } else { String::new() })
    };
    if all.is_empty() {
        return Err(Failure::new(format!("cannot draw {place}: it holds no series")));
    }
    match name {
        None if all.len() == 1 => Ok(all.remove(0)),
        None => {
            Err(Failure::usage(format!("cannot draw {place}: it holds {} series, and a chart shows one", all.len())).hint(listed(&all)))
        }
        Some(name) => {
            // A label's value is what people call a series by, where only one has it.
            let has = |s: &DataSeries| s.labels.iter().any(|(label, value)| label != METRIC_NAME && value == name);
            let exact = all.iter().position(|s| s.name == name || s.labels.to_string() == name);
            let only = || if all.iter().filter(|s| has(s)).count() == 1 { all.iter().position(has) } else { None };
            match exact.or_else(only) {
                Some(index) => Ok(all.swap_remove(index)),
                None => Err(Failure::usage(format!("cannot draw {place}: no series is named {name:?}")).hint(listed(&all))),
            }
        }
    }
}
