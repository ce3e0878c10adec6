//! The data sets that come with the program: made ones, which every machine makes anew from a seed to the same byte, and a recorded one.
//!
//! A set is a folder under `datasets/`: `dataset.toml`, its card (origin, licence, hash, labelled incidents), and `data.csv`, wide, which every
//! verb that takes files reads. They are what `benches/accuracy` measures on, and what anybody can check a claim of ours with. Made sets
//! are stored although they can be made: a bench should not measure its generator, and a diff shows what a change of it changes.
//!
//! The same bytes everywhere: only adding, multiplying, dividing and rounding, which IEEE 754 fixes to the bit, and Rust's own shortest
//! printing of numbers; no sine, logarithm or power, whose last bits differ between maths libraries (see `rng` and `shape`, which the demo
//! shares). CSV and not Parquet, whose bytes change with the version of its writer and of zstd.

mod capacity;
mod card;
mod card_text;
mod disks;
mod fleet;
mod latency;
mod leaks;
mod made;
mod rng;
mod shape;
mod spec;
#[cfg(test)]
mod tests;

pub use card::{Card, CardError, Incident, Limit};
pub use made::{Made, sha256};
pub(crate) use rng::Rng;
pub(crate) use shape::{Wander, When, at};
pub use spec::Spec;

use crate::core::time::Timestamp;

/// Monday 2026-03-02T00:00:00Z: where made weeks begin.
pub const START: Timestamp = Timestamp::from_millis(1_772_409_600_000);

/// The file beside a card that holds its samples.
pub const DATA_FILE: &str = "data.csv";

/// The card's file.
pub const CARD_FILE: &str = "dataset.toml";

/// Samples in a row that make a breach, as a watch has it by default.
pub const SUSTAIN: usize = 3;

/// Sets that are made, by name.
pub const MADE: [Spec; 5] = [disks::SPEC, leaks::SPEC, capacity::SPEC, latency::SPEC, fleet::SPEC];

/// Cards of all sets as they lie in the repository. `demo` is made too, by the demo's own generator, and is not stored.
const CARDS: [&str; 7] = [
    include_str!("../../datasets/demo/dataset.toml"),
    include_str!("../../datasets/disks/dataset.toml"),
    include_str!("../../datasets/leaks/dataset.toml"),
    include_str!("../../datasets/capacity/dataset.toml"),
    include_str!("../../datasets/latency/dataset.toml"),
    include_str!("../../datasets/fleet/dataset.toml"),
    include_str!("../../datasets/servers/dataset.toml"),
];

/// Every set's card.
///
/// # Errors
/// A card that cannot be read, which a test rules out for those that are embedded.
pub fn cards() -> Result<Vec<Card>, CardError> {
    CARDS.iter().map(|text| Card::parse(text)).collect()
}

/// The set of this name as it is made; `None` where it was recorded or is not known.
pub fn made(name: &str) -> Option<&'static Spec> {
    MADE.iter().find(|spec| spec.name == name)
}
