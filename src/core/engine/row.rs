//! What is kept for one series besides its baseline, and what of it can be seen from outside.

use portent_models::baseline::Block;
use portent_models::breach::Recalibration;
use portent_models::score::Scored;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::life::{BreachWatch, Life};
use super::shard::kin::kin;
use crate::core::anomaly::Anomaly;
use crate::core::labels::Labels;
use crate::core::selection::Extremes;
use crate::core::time::Timestamp;
use crate::core::widths::Widths;

/// What the engine keeps for a series besides its baseline. Small: there are many. A checkpoint holds it, leaving out what is as at the
/// beginning: a restart goes on in the middle of a streak, and looks at no series before its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub labels: Labels,
    /// NaN: no threshold is known, nothing is judged.
    #[serde(default = "not_known", skip_serializing_if = "is_not_known")]
    pub threshold: f64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub breach: BreachWatch,
    #[serde(default, skip_serializing_if = "is_default")]
    pub raise_streak: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub likelihood: f32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub score: f32,
    /// The same with its reasons; not known after a restart until the next sample.
    #[serde(skip)]
    pub scored: Option<Scored>,
    /// The lowest and the highest value so far.
    #[serde(default, skip_serializing_if = "is_default")]
    pub extremes: Extremes,
    /// Number of the watch's variant with this series' own profile; `None` until it is asked for.
    #[serde(skip)]
    pub own: Option<u16>,
    /// Equal for copies of one workload.
    #[serde(skip)]
    pub kin: u64,
    /// When the next outlook is due at the latest.
    #[serde(default = "at_once", skip_serializing_if = "is_at_once")]
    pub next_look: Timestamp,
    /// A value this near to the threshold asks for an outlook at once.
    #[serde(default = "not_known", skip_serializing_if = "is_not_known")]
    pub wake: f64,
    /// What was said and waits for its truth.
    #[serde(default, skip_serializing_if = "is_default")]
    pub asked: Asked,
    /// Nothing is raised up to here: it was, before a restart. The ledger knows.
    #[serde(skip, default = "at_once")]
    pub quiet_until: Timestamp,
}

fn not_known() -> f64 {
    f64::NAN
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_not_known(value: &f64) -> bool {
    !value.is_finite()
}

pub(super) fn at_once() -> Timestamp {
    Timestamp::MIN
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
pub(super) fn is_at_once(at: &Timestamp) -> bool {
    *at == Timestamp::MIN
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Row {
    pub fn new(labels: Labels) -> Self {
        Self {
            kin: kin(&labels),
            own: None,
            extremes: Extremes::default(),
            labels,
            threshold: f64::NAN,
            breach: BreachWatch::default(),
            raise_streak: 0,
            likelihood: 0.0,
            score: 0.0,
            scored: None,
            next_look: Timestamp::MIN,
            wake: f64::NAN,
            asked: Asked::default(),
            quiet_until: Timestamp::MIN,
        }
    }
}

/// One series as of now, for those who ask.
#[derive(Clone, Debug)]
pub struct SeriesView<'a> {
    pub labels: &'a Labels,
    pub block: &'a Block,
    pub row: usize,
    pub threshold: f64,
    pub likelihood: f64,
    /// Of the last sample; 1.0 is the edge of normal.
    pub score: f64,
    /// The same with its reasons, once a sample has come.
    pub scored: Option<&'a Scored>,
    /// Under way.
    pub anomaly: Option<&'a Anomaly>,
    pub breached: bool,
    pub lives: &'a [Life],
    /// What likelihoods of its watch have turned out to mean.
    pub settled: &'a Recalibration,
    /// How wide its intervals have turned out to have to be.
    pub widths: Widths,
}
