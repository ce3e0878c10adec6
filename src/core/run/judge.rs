//! What the gate is asked with: what is around a prediction, and what the records add to it.

use super::Runs;
use super::decide::{Known, World};
use super::record::{Proposal, RunKey};
use crate::core::gate::{self, Around, Request, Verdict};
use crate::core::time::Timestamp;

/// The action's own number in 0..1, the same whenever it is asked for.
fn lot(run: RunKey) -> f64 {
    // Not the key itself: a wait before a second try is made of that.
    let seed = [b"held out".as_slice(), &run.0.to_le_bytes()].concat();
    (xxhash_rust::xxh3::xxh3_64(&seed) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Runs {
    pub(super) fn judge(&self, now: Timestamp, known: Known<'_>, proposal: &Proposal, world: World<'_>) -> Verdict {
        let killed = self.stopped.clone().or_else(|| known.around.killed.clone());
        let estimate = self.learned.estimate(&proposal.case(), now, world.settings.learning.half_life);
        // Of a playbook that never ran nothing is known, and nothing is said.
        let trust = (estimate.evidence > 0.0).then(|| estimate.trust());
        // What a person asks for is no matter of chance.
        let lot = (world.settings.hold_out > 0.0 && proposal.by.is_none()).then(|| lot(proposal.key()));
        let silence = self.silence_over(now, known);
        let around = Around { killed, silence, trust, lot, ..known.around.clone() };
        gate::judge(&Request {
            now,
            prediction: known.prediction,
            playbook: &proposal.playbook,
            targets: &proposal.targets,
            facts: known.facts,
            settings: world.settings,
            topology: world.topology,
            history: &self.history,
            around: &around,
        })
    }
}
