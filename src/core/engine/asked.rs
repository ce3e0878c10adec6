//! What was said about one series and waits for its truth: one likelihood and one interval at a time.
//!
//! Only predictions that were raised get a truth by themselves, and to learn from those alone would be to learn from what was sure already.
//! So every series has one likelihood waiting, raised or not: it is taken at a look, settled by a breach or the end of its horizon, and the
//! next look takes the next one. An interval waits likewise, by turns an hour ahead and at the end of the horizon. It is about the mean of
//! an hour, as the forecast is, and as wide as the watch's [`Widths`] had it: how it would have been without them is judged, too. 64 bytes.

use portent_models::baseline::Block;
use serde::{Deserialize, Serialize};

use super::life::BreachWatch;
use super::tally::INTERVAL_LEVELS;
use crate::core::outlook::{Fit, Outlook};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::core::widths::Widths;

/// A series that was silent for this share of the horizon has left nobody able to say what happened.
const SILENT_SHARE: i64 = 8;
/// But so many steps are always forgiven: scrapes fail.
const FORGIVEN_STEPS: i64 = 10;
/// Samples that may still turn out to be a breach of before the horizon's end are waited for, so many at most.
const WAIT_STEPS: i64 = 10;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// When the likelihood's horizon ends; [`Timestamp::MIN`], which has no place in a text, for none.
    #[serde(default = "super::row::at_once", skip_serializing_if = "super::row::is_at_once")]
    due_at: Timestamp,
    /// As the map stated it, and as it was said.
    stated: f32,
    said: f32,
    /// The hour that the interval is about, the lower half of its number.
    bucket: u32,
    waits: bool,
    far: bool,
    /// Lower and upper bound for each level.
    bounds: Bounds,
    /// The same as past errors alone had them, where that was otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uncorrected: Option<Bounds>,
}

type Bounds = [[f32; 2]; INTERVAL_LEVELS.len()];

/// A likelihood whose truth has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub stated: f64,
    pub said: f64,
    pub came_true: bool,
}

/// An interval whose hour is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Covered {
    pub far: bool,
    pub inside: [bool; INTERVAL_LEVELS.len()],
    /// The same had nothing been corrected.
    pub uncorrected: [bool; INTERVAL_LEVELS.len()],
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            due_at: Timestamp::MIN,
            stated: 0.0,
            said: 0.0,
            bucket: 0,
            waits: false,
            far: false,
            bounds: Bounds::default(),
            uncorrected: None,
        }
    }
}

impl Asked {
    /// Whether both a likelihood and an interval are waiting: another look would take nothing.
    pub fn is_full(&self) -> bool {
        self.due_at != Timestamp::MIN && self.waits
    }

    /// Takes a likelihood, unless one is waiting.
    pub fn take(&mut self, at: Timestamp, outlook: &Outlook, watch: &Watch) {
        if self.due_at == Timestamp::MIN {
            self.due_at = at + watch.horizon;
            (self.stated, self.said) = (outlook.stated as f32, outlook.likelihood as f32);
        }
    }

    /// Takes an interval, unless one is waiting: of the hour after this one, or of the last within the horizon.
    pub fn promise(&mut self, block: &Block, row: usize, at: Timestamp, fit: &Fit, watch: &Watch, widths: Widths) {
        if self.waits {
            return;
        }
        let last = fit.last_step(watch);
        let ahead = if self.far { last } else { last.min(1) };
        let widen = widths.of(self.far);
        let of = |widen| {
            let bounds = fit.interval(block, row, at, ahead, INTERVAL_LEVELS, widen)?;
            Some(bounds.map(|[lower, upper]| [lower as f32, upper as f32]))
        };
        let Some(bounds) = of(widen) else { return };
        if bounds.iter().flatten().all(|bound| bound.is_finite()) {
            (self.bounds, self.waits) = (bounds, true);
            self.uncorrected = if widen == 1.0 { None } else { of(1.0) };
            self.bucket = (block.newest_bucket() + ahead as i64) as u32;
        }
    }

    /// A sample has come; `silent` is how long there was none before it, `breach` since when the series is past its threshold, if this sample
    /// made that sure.
    pub fn settle(
        &mut self,
        at: Timestamp,
        silent: Span,
        breach: Option<Timestamp>,
        state: &BreachWatch,
        watch: &Watch,
    ) -> Option<Outcome> {
        if self.due_at == Timestamp::MIN {
            return None;
        }
        let due = self.due_at;
        let patience = (watch.horizon.as_millis() / SILENT_SHARE).max(watch.step.times(FORGIVEN_STEPS).as_millis());
        if silent.as_millis() > patience {
            self.forget();
            return None;
        }
        let came_true = breach.is_some_and(|since| since <= due);
        let may_yet = at < due + watch.step.times(WAIT_STEPS) && state.pending_since().is_some_and(|since| since <= due);
        if !came_true && (at <= due || may_yet) {
            return None;
        }
        self.forget();
        Some(Outcome { stated: f64::from(self.stated), said: f64::from(self.said), came_true })
    }

    /// The interval's truth, once its hour is over; the next one lies near where this one lay far, and the other way round.
    pub fn cover(&mut self, block: &Block, row: usize) -> Option<Covered> {
        // The halves of two numbers that lie a week apart at most.
        let passed = (block.newest_bucket() as u32).wrapping_sub(self.bucket).cast_signed();
        if !self.waits || passed <= 0 {
            return None;
        }
        let hour = block.bucket_moments(row, block.newest_bucket() - i64::from(passed));
        let far = self.far;
        (self.waits, self.far) = (false, !far);
        // Rounding never turns two numbers round: what lies inside stays inside.
        let mean = hour.mean as f32;
        let inside = |bounds: Bounds| bounds.map(|[lower, upper]| (lower..=upper).contains(&mean));
        let uncorrected = inside(self.uncorrected.unwrap_or(self.bounds));
        (hour.count > 0.0).then(|| Covered { far, inside: inside(self.bounds), uncorrected })
    }

    /// Another threshold or horizon: what was said was about something else.
    pub fn forget(&mut self) {
        self.due_at = Timestamp::MIN;
    }
}
