//! What people want to hear nothing of: written down like a stop, and one more reason for the gate to refuse.

use super::decide::Known;
use super::record::Record;
use super::{Runs, Turn};
use crate::core::silence::Covered;
use crate::core::silence::own::{OwnSilence, SilenceId, State};
use crate::core::time::Timestamp;

impl Runs {
    /// Not one more than there may be, and none twice.
    pub(super) fn silence(&mut self, now: Timestamp, silence: &OwnSilence, turn: &mut Turn) {
        if !self.silences.is_full(now) && self.silences.get(silence.id).is_none() {
            self.put(now, Record::Silenced { silence: Box::new(silence.clone()) }, turn);
        }
    }

    pub(super) fn unsilence(&mut self, now: Timestamp, silence: SilenceId, by: &str, turn: &mut Turn) {
        if self.silences.get(silence).is_some_and(|known| known.state(now) != State::Expired) {
            self.put(now, Record::Unsilenced { silence, by: by.to_owned() }, turn);
        }
    }

    /// Of ours and of Alertmanager's the one that lasts longest.
    pub(super) fn silence_over(&self, now: Timestamp, known: Known<'_>) -> Option<Covered> {
        let own = self.silences.covering(known.prediction, now);
        own.into_iter().chain(known.around.silence.clone()).max_by_key(|silence| silence.until)
    }
}
