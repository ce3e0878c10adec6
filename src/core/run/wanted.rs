//! What a person proposes: a playbook for an open prediction that nobody has answered in time, or that the gate refused before.
//!
//! It goes through the same gate and gets the same name as what is proposed by itself, so that it can't be done twice. What differs is that
//! somebody stands behind it, who must not be the only one to look where the risk is high ([`Run::objection_to`](super::Run::objection_to)).

use super::decide::{Known, World};
use super::record::{Outcome, Proposal, RunKey};
use super::{MAX_OPEN, Runs, Turn};
use crate::core::gate::Mode;
use crate::core::playbook::Playbook;
use crate::core::prediction::Prediction;
use crate::core::time::Timestamp;

impl Runs {
    /// Why a person can't propose this now, whatever the gate would say.
    pub fn hindrance(&self, run: RunKey, prediction: &Prediction, mode: Mode) -> Option<String> {
        let own = self.outcomes.of(run);
        match () {
            () if mode == Mode::Observe => Some("mode is observe: nothing is proposed".to_owned()),
            () if self.open().any(|(_, open)| open.proposal.prediction == prediction.id) => {
                Some("something is under way for this prediction already".to_owned())
            }
            () if self.open().count() >= MAX_OPEN => Some(format!("{MAX_OPEN} runs are open already")),
            // Of all these nothing was started. What was done is not done again, and a no stays one, for this episode.
            () if matches!(own, None | Some(Outcome::Refused | Outcome::Shadowed | Outcome::Expired)) => None,
            () => Some("it was done, or decided about, for this prediction already".to_owned()),
        }
    }

    pub(super) fn want(&mut self, now: Timestamp, known: Known<'_>, playbook: &Playbook, by: &str, world: World<'_>, turn: &mut Turn) {
        let proposal = Proposal { by: Some(by.to_owned()), ..Proposal::new(playbook, known.prediction) };
        if self.hindrance(proposal.key(), known.prediction, world.settings.mode).is_none() {
            let verdict = self.judge(now, known, &proposal, world);
            self.propose(now, (proposal, Vec::new()), verdict, world, turn);
        }
    }
}
