//! What may be done at most, and how often.

use serde::{Deserialize, Serialize};

use super::verdict::Decision;
use super::window::Window;
use crate::core::learn::Trust;
use crate::core::time::Span;
use crate::core::watch::Impact;

/// How much is done by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Predict, notify, suggest; touch nothing.
    #[default]
    Observe,
    /// Go through the gate and write down what would have been done.
    Shadow,
    /// Do what a person approves.
    Ask,
    /// Do what the gate allows, ask for the rest.
    Execute,
}

impl Mode {
    pub const ALL: [(&'static str, Self); 4] =
        [("observe", Self::Observe), ("shadow", Self::Shadow), ("ask", Self::Ask), ("execute", Self::Execute)];

    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    pub(super) fn admits(self) -> Decision {
        match self {
            Self::Observe => Decision::Deny,
            Self::Shadow => Decision::Shadow,
            Self::Ask => Decision::Ask,
            Self::Execute => Decision::Allow,
        }
    }
}

/// When an actuator that fails is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row that open it.
    pub failures: u32,
    /// It stays open for so long after the last one; then one run may try.
    pub open_for: Span,
}

/// What follows from how past runs have ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learning {
    /// An end of so long ago counts half.
    pub half_life: Span,
    /// By so much the likelihoods that are asked for go up at most, for a playbook that often fails.
    pub raise_likelihood: f64,
    /// By so much they go down at most, for one that nearly always helps. Unless this is set, what is configured is the least.
    pub lower_likelihood: f64,
}

/// The configuration's `act`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub mode: Mode,
    /// Of a calibrated likelihood: below it nothing is done.
    pub min_likelihood: f64,
    /// From it on something is done ahead of time without a person.
    pub min_likelihood_proactive: f64,
    pub min_impact: Impact,
    /// Services that depend on the target's at most, before a person is asked.
    pub max_dependents: usize,
    /// Between two runs on one target.
    pub cooldown: Span,
    /// Runs that are started for one service within an hour at most.
    pub per_service_hour: u32,
    /// Runs of all within a minute, and within an hour.
    pub per_minute: u32,
    pub per_hour: u32,
    /// Runs of one playbook on one target within a day that did not help.
    pub max_attempts: u32,
    /// Before the second of them; twice as long before each one after it.
    pub backoff: Span,
    /// Failed health checks in a row, for what goes by those.
    pub min_failures: u32,
    pub max_sick_share: f64,
    pub breaker: Breaker,
    pub max_data_age: Span,
    /// A series must have been known for so long.
    pub min_history: Span,
    /// Something is done only within these, where there are any for the service.
    pub change_windows: Vec<Window>,
    /// Nothing is done within these.
    pub freezes: Vec<Window>,
    /// A person's approval is waited for so long.
    pub approval_expires: Span,
    pub learning: Learning,
    /// This share of what would be done by itself at low risk is left alone by lot, so that what acting is worth can be measured.
    pub hold_out: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Observe,
            min_likelihood: 0.7,
            min_likelihood_proactive: 0.8,
            min_impact: Impact::Low,
            max_dependents: 2,
            cooldown: Span::MINUTE.times(15),
            per_service_hour: 3,
            per_minute: 60,
            per_hour: 500,
            max_attempts: 3,
            backoff: Span::MINUTE.times(5),
            min_failures: 3,
            max_sick_share: 0.2,
            breaker: Breaker { failures: 3, open_for: Span::MINUTE.times(30) },
            max_data_age: Span::MINUTE.times(5),
            min_history: Span::DAY,
            change_windows: Vec::new(),
            freezes: Vec::new(),
            approval_expires: Span::MINUTE.times(30),
            learning: Learning { half_life: Span::DAY.times(30), raise_likelihood: 0.1, lower_likelihood: 0.0 },
            hold_out: 0.0,
        }
    }
}

impl Settings {
    /// The least likelihood to trouble a person with, and to act ahead of time without one, for a playbook that has fared so.
    pub(super) fn likelihoods(&self, trust: Option<&Trust>) -> (f64, f64) {
        /// Nothing is more likely than that and told, so a higher bar would be a hidden `never`.
        const HIGHEST: f64 = 0.99;
        let caution = trust.map_or(0.0, Trust::caution);
        let by = caution * if caution > 0.0 { self.learning.raise_likelihood } else { self.learning.lower_likelihood };
        // To the sixth digit: what is compared is what is written down.
        let shifted = |least: f64| ((least + by).clamp(0.0, HIGHEST.max(least)) * 1e6).round() / 1e6;
        (shifted(self.min_likelihood), shifted(self.min_likelihood_proactive))
    }
}
