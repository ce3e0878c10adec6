//! A set as it is made from its settings: the bytes of its two files.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::spec::Column;
use super::{Rng, START, SUSTAIN, Spec, When, card_text};
use crate::core::time::{Span, Timestamp};

/// Breaches nearer to one another than this are one: noise around the threshold.
const ONE_BREACH: Span = Span::from_secs(3 * 3600);

/// A made set's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Of `dataset.toml`.
    pub card: String,
    /// Of `data.csv`.
    pub data: String,
}

/// A column's values at every step; `None` in its gaps.
pub(super) struct Run {
    pub column: Column,
    pub values: Vec<Option<f64>>,
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Stable over versions of everything, as `std`'s hasher is not (FNV-1a).
fn stream_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn at_hours(hours: f64) -> Timestamp {
    START + Span::from_secs((hours * 3600.0).round() as i64)
}

impl Spec {
    /// Makes the set, the same bytes every time and everywhere.
    pub fn make(&self) -> Made {
        let runs = self.runs();
        let steps = runs.first().map_or(0, |run| run.values.len());
        let mut data = String::from("timestamp");
        for run in &runs {
            // Writing to a String does not fail; no name needs quotes.
            let _ = write!(data, ",{}", run.column.name);
        }
        data.push('\n');
        for i in 0..steps {
            let _ = write!(data, "{}", (START + self.step().times(i as i64)).as_millis() / 1000);
            for run in &runs {
                data.push(',');
                if let Some(value) = run.values[i] {
                    let _ = write!(data, "{value}");
                }
            }
            data.push('\n');
        }
        let card = card_text::write(self, &runs, &sha256(data.as_bytes()));
        Made { card, data }
    }

    pub(super) fn runs(&self) -> Vec<Run> {
        let columns = (self.columns)(&mut Rng::new(self.seed));
        columns.into_iter().map(|column| self.run(column)).collect()
    }

    fn run(&self, mut column: Column) -> Run {
        // A stream a series: adding one leaves the others as they are.
        let mut rng = Rng::new(self.seed ^ stream_of(&column.name));
        let steps = self.days * (24 * 60 / self.step_min);
        let values = (0..=steps).map(|i| {
            let when = When { hours: f64::from(i * self.step_min) / 60.0 };
            let value = ((column.make)(when, &mut rng) * column.scale).round() / column.scale;
            let lost = column.gaps.iter().any(|(from, to)| when.within(*from, *to));
            (!lost).then_some(value)
        });
        let values = values.collect();
        Run { column, values }
    }

    /// When a column first reached the set's limit, each time.
    pub(super) fn crossings(&self, run: &Run) -> Vec<Timestamp> {
        let (side, threshold) = self.limit;
        let (mut found, mut last) = (Vec::new(), None::<Timestamp>);
        for (i, window) in run.values.windows(SUSTAIN).enumerate() {
            if window.iter().all(|value| value.is_some_and(|v| side.is_breach(v, threshold))) {
                let at = START + self.step().times(i as i64);
                if last.is_none_or(|last| at - last > ONE_BREACH) {
                    found.push(at);
                }
                last = Some(at);
            }
        }
        found
    }
}
