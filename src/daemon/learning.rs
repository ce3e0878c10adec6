//! Between the engine and the runs: which predictions something is done about, and what became of them. And it says when a playbook may do
//! less by itself than before, or more again: in the log as it happens, in the metrics as it stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::acting::{self, News};
use super::state::Shared;
use crate::core::engine::{Effect, Engine};
use crate::core::gate::Mode;
use crate::core::learn::{Case, Learned, Trust};
use crate::core::prediction::Truth;
use crate::core::run::{Entry, Record, Runs};
use crate::core::time::Timestamp;
use crate::metrics::label::Trusted;

/// Rates fade over weeks; a minute is soon enough to say so, and every case is gone through.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How each case stood at the last look.
#[derive(Debug, Default)]
pub struct Standings {
    modes: BTreeMap<Case, Mode>,
    looked_at: Option<Instant>,
}

impl Standings {
    /// Looks, if it is time to.
    pub async fn look(&mut self, shared: &Shared, now: Timestamp) {
        if self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked_at = Some(Instant::now());
        let half_life = shared.config().act.settings.learning.half_life;
        let trusts = shared.acting.learned().await.trusts(now, half_life);
        shared.metrics.set_playbook_cases(trusts.iter().map(|(_, trust)| Trusted::from(trust)));
        for (case, trust) in &trusts {
            self.tell(case, trust);
        }
        self.modes.retain(|case, _| trusts.iter().any(|(known, _)| known == case));
    }

    fn tell(&mut self, case: &Case, trust: &Trust) {
        let (mode, before) = (trust.mode(), self.modes.insert(case.clone(), trust.mode()).unwrap_or(Mode::Execute));
        let Trust { rate, low, high, evidence } = *trust;
        let (playbook, cause, service) = (&case.playbook, &case.cause, &case.service);
        if mode < before {
            let to = mode.as_str();
            tracing::warn!(playbook, cause, service, to, rate, low, high, evidence, "a playbook that keeps failing is demoted");
        } else if mode > before {
            let to = mode.as_str();
            tracing::info!(playbook, cause, service, to, rate, low, high, evidence, "a demoted playbook may do more again");
        }
    }
}

/// Tells the engine what was begun: the truth of such a prediction is nobody's to know.
pub fn mark_acted(shared: &Shared, runs: &Runs, records: &[Entry]) {
    for entry in records {
        let Record::Started { run, .. } = &entry.record else { continue };
        if let Some(run) = runs.get(*run) {
            shared.engine().act_upon(run.proposal.prediction.clone(), &run.proposal.watch, run.proposal.labels.id());
        }
    }
}

/// The same after a restart, of everything whose truth has not come.
pub fn mark_all_acted(engine: &mut Engine, learned: &Learned) {
    for (prediction, trial) in learned.trials.open().filter(|(_, trial)| !trial.is_held_out) {
        engine.act_upon(prediction.clone(), &trial.watch, trial.series);
    }
}

/// Tells the runs what became of predictions.
pub fn settle(shared: &Arc<Shared>, effects: &[Effect]) {
    for effect in effects {
        let (Effect::Ended(prediction) | Effect::Scored(prediction)) = effect else { continue };
        let breached = match prediction.truth {
            Some(Truth::CameTrue { .. } | Truth::Averted { breached_at: Some(_) }) => Some(true),
            Some(Truth::DidNot | Truth::Averted { breached_at: None }) => Some(false),
            Some(Truth::NotKnown) => None,
            None => continue,
        };
        let (shared, prediction) = (shared.clone(), prediction.id.clone());
        // The engine's effects wait for nobody's decision about remedies.
        tokio::spawn(async move { acting::hear(&shared, News::Truth { prediction, breached }).await });
    }
}
