//! The bundled data sets, each series on its grid.

use std::path::{Path, PathBuf};

use portent::core::time::Timestamp;
use portent::datasets::{self, Card, DATA_FILE, Incident};
use portent::source::replay;

pub struct Set {
    pub card: Card,
    pub file: PathBuf,
    pub series: Vec<Series>,
}

pub struct Series {
    pub name: String,
    /// Of every sample, in seconds.
    pub times: Vec<f64>,
    pub values: Vec<f64>,
}

/// The set that is made anew by the demo and not stored.
const DEMO: &str = "demo";

impl Set {
    pub fn all() -> Vec<Self> {
        datasets::cards().unwrap().into_iter().filter(|card| card.name != DEMO).map(Self::read).collect()
    }

    fn read(card: Card) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets").join(&card.name).join(DATA_FILE);
        let data = replay::read(&[&file]).unwrap();
        let series = data.series.into_iter().map(|series| Series {
            name: series.name,
            times: series.samples.iter().map(|(at, _)| at.as_secs_f64()).collect(),
            values: series.samples.iter().map(|(_, value)| *value).collect(),
        });
        Self { series: series.collect(), card, file }
    }

    pub fn step_s(&self) -> f64 {
        self.card.step.as_secs_f64()
    }

    /// Steps of a day.
    pub fn day(&self) -> usize {
        (86_400.0 / self.step_s()) as usize
    }

    /// Whether a series is judged at a time: it has learned, and the time's truth is known.
    pub fn is_judged(&self, series: &str, at_s: f64) -> bool {
        let from = self.card.scored_from.map_or(f64::NEG_INFINITY, Timestamp::as_secs_f64);
        at_s >= from && !spans(&self.card.unclear, series).iter().any(|(begins, ends)| (*begins..=*ends).contains(&at_s))
    }
}

/// Beginnings and ends, in seconds.
pub fn spans(incidents: &[Incident], series: &str) -> Vec<(f64, f64)> {
    let of = incidents.iter().filter(|incident| incident.series == series);
    of.map(|incident| (incident.begins.as_secs_f64(), incident.ends.as_secs_f64())).collect()
}

impl Series {
    /// Values on a grid of `step_s` from the first sample on, NaN where missing.
    pub fn grid(&self, step_s: f64) -> Vec<f64> {
        let at = |time: f64| ((time - self.times[0]) / step_s).round() as usize;
        let mut grid = vec![f64::NAN; at(self.times[self.times.len() - 1]) + 1];
        self.times.iter().zip(&self.values).for_each(|(time, value)| grid[at(*time)] = *value);
        grid
    }
}
