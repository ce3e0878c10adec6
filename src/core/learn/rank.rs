//! Which of several playbooks goes first: the most urgent, and among equals the one whose drawn rate is highest (Thompson sampling).
//!
//! A draw and not the best estimate: what looks worse from few runs is tried now and then, less often the surer it is that it is worse. The
//! number drawn with is a hash of the prediction and the playbook, so it is the same in a replay, at every look at the same prediction, and
//! whatever other playbooks there are.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{Case, Learned};
use crate::core::playbook::Playbook;
use crate::core::prediction::Prediction;
use crate::core::time::{Span, Timestamp};

/// One of several, as it stood in the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    pub playbook: String,
    pub priority: u8,
    /// How often it is expected to help.
    pub rate: f64,
    /// What was drawn from what is known about that.
    pub drawn: f64,
}

/// The playbooks in the order in which the gate is asked about them, with what decided it.
pub fn order<'a>(
    learned: &Learned,
    (now, half_life): (Timestamp, Span),
    prediction: &Prediction,
    playbooks: &[&'a Playbook],
) -> Vec<(&'a Playbook, Ranked)> {
    let ranked = |playbook: &&'a Playbook| {
        let case = Case { playbook: playbook.name.clone(), cause: prediction.code.clone(), service: prediction.service.clone() };
        let known = learned.estimate(&case, now, half_life);
        let drawn = known.draw(chance(prediction, &playbook.name));
        (*playbook, Ranked { playbook: playbook.name.clone(), priority: playbook.priority, rate: known.rate(), drawn })
    };
    let mut order: Vec<(&Playbook, Ranked)> = playbooks.iter().map(ranked).collect();
    order.sort_by(|(_, a), (_, b)| a.priority.cmp(&b.priority).then(b.drawn.total_cmp(&a.drawn)).then_with(|| a.playbook.cmp(&b.playbook)));
    order
}

/// A number within 0..1, never at an end.
fn chance(prediction: &Prediction, playbook: &str) -> f64 {
    let mut hash = Xxh3::new();
    hash.update(prediction.id.as_str().as_bytes());
    hash.update(&[0]);
    hash.update(playbook.as_bytes());
    ((hash.digest() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}
