//! Which samples count, so that whoever starts late tells nothing stale: one rule for the daemon and the backtest.

use crate::core::time::{Span, Timestamp};

/// This many steps are always judged, or a watch with a long step could never raise anything.
const JUDGED_STEPS: i64 = 4;

/// Which of the samples that come in may lead to what. All of them are learned from, and settle what was predicted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Earlier samples are not judged: they are from too long ago, or from before the beginning.
    pub from: Timestamp,
    /// Earlier samples are judged and raise nothing yet: nobody was there to be told, and a lead time counts from when one is.
    pub raise_from: Timestamp,
}

impl Judged {
    pub fn from(from: Timestamp) -> Self {
        Self { from, raise_from: from }
    }

    /// At `now`, by whoever has been listening since `started_at`: nothing from too long ago, and nothing raised on samples from before the
    /// start. One rule for the daemon and the backtest, which goes over the past as if it had been started at its beginning.
    pub fn listening(now: Timestamp, started_at: Timestamp, too_late: Span, step: Span) -> Self {
        let from = now - too_late.max(step.times(JUDGED_STEPS));
        Self { from, raise_from: from.max(started_at - step) }
    }

    /// Nothing is judged, nothing raised or taken back: the samples are known to be incomplete (G3).
    pub const WITHHELD: Self = Self { from: Timestamp::MAX, raise_from: Timestamp::MAX };
}
