//! May this be done now? One pure function of what was predicted, what would be done, what depends on it, what was done before, and the
//! time. It answers with every reason and its numbers, not only the first that stands in the way.
//!
//! Each check admits as much as it can answer for: anything, only after a person was asked, or nothing. The least of all decides, and the mode
//! is the last word: shadow and observe do nothing whatever the checks say. What is not known never admits anything.

mod history;
mod limits;
mod reason;
mod settings;
mod verdict;
mod window;

pub use history::{Ended, History, Ran};
pub use reason::Reason;
pub use settings::{Breaker, Learning, Mode, Settings};
pub use verdict::{Decision, Finding, Verdict};
pub use window::{Window, WindowError};

use super::learn::Trust;
use super::playbook::{Facts, Playbook};
use super::prediction::{Cause, Evidence, Prediction, State};
use super::silence::Covered;
use super::time::{Span, Timestamp};
use super::topology::{Tier, Topology};
use super::watch::Impact;

/// What is asked of the gate.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub now: Timestamp,
    pub prediction: &'a Prediction,
    pub playbook: &'a Playbook,
    /// What it would act on; nothing is nothing, never everything.
    pub targets: &'a [String],
    pub facts: &'a Facts,
    pub settings: &'a Settings,
    pub topology: &'a Topology,
    pub history: &'a History,
    pub around: &'a Around,
}

/// What else is known at that moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around {
    /// Who has stopped everything, if anybody has.
    pub killed: Option<String>,
    /// The silence that the series is under.
    pub silence: Option<Covered>,
    /// Age of the watch's newest data; `None` where it is not known.
    pub data_age: Option<Span>,
    /// The source calls its answer incomplete.
    pub is_partial: bool,
    /// How long the series has been known.
    pub known_for: Option<Span>,
    /// Services of the same group that are sick now.
    pub sick: usize,
    /// Failures in a row of a health check; `None` where it is about none.
    pub failures: Option<u32>,
    /// Why nobody can say whether it is silenced.
    pub silences_unknown: Option<String>,
    /// How often the playbook helps here, as far as its runs have shown; `None` where it never ran.
    pub trust: Option<Trust>,
    /// The action's lot, a number in 0..1, where some are to be held out.
    pub lot: Option<f64>,
    /// What the playbook's own check says before anything is done; no reason for anything, and written down.
    pub before: Option<f64>,
}

/// The edge of normal at the watch's own rate of false alarms: below it there is no anomaly.
const LEAST_SCORE: f64 = 1.0;
/// Twice that far out something is acted on without a person; at one false alarm a week, the edge itself would act in vain every week.
const LEAST_SCORE_ALONE: f64 = 2.0;

/// See the module.
pub fn judge(request: &Request<'_>) -> Verdict {
    let mut findings = Vec::new();
    let mut find = |admits: Decision, reason: Reason| findings.push(Finding { admits, reason });
    let allow_if = |holds: bool| if holds { Decision::Allow } else { Decision::Deny };
    let ask_unless = |holds: bool| if holds { Decision::Allow } else { Decision::Ask };
    let Request { now, prediction, playbook, targets, settings, topology, history, around, .. } = *request;

    let mode = playbook.mode.map_or(settings.mode, |own| own.min(settings.mode));
    find(mode.admits(), Reason::Mode { global: settings.mode, playbook: playbook.mode });
    if let Some(by) = &around.killed {
        find(Decision::Deny, Reason::Killed { by: by.clone() });
    }
    find(allow_if(!targets.is_empty() && targets.iter().all(|target| !target.is_empty())), Reason::Targets { count: targets.len() });
    find(allow_if(prediction.state == State::Open), Reason::Open { state: prediction.state });
    for unmet in playbook.when.unmet(prediction, request.facts, now) {
        find(Decision::Deny, Reason::Condition(unmet));
    }

    // The data.
    let fresh = around.data_age.is_some_and(|age| age <= settings.max_data_age);
    find(allow_if(fresh), Reason::DataAge { age: around.data_age, most: settings.max_data_age });
    if around.is_partial {
        find(Decision::Deny, Reason::Partial);
    }
    if prediction.cause != Cause::Check {
        let known = around.known_for.is_some_and(|known| known >= settings.min_history);
        find(allow_if(known), Reason::History { known_for: around.known_for, least: settings.min_history });
    }

    // What is predicted, or what has been seen.
    let (admits, reason) = sureness(prediction, settings, around);
    find(admits, reason);
    find(allow_if(prediction.impact >= settings.min_impact), Reason::Impact { impact: prediction.impact, least: settings.min_impact });

    // The harm it could do.
    let service = prediction.service.as_str();
    let dependents = topology.dependents(service).len();
    find(ask_unless(dependents <= settings.max_dependents), Reason::BlastRadius { dependents, most: settings.max_dependents });
    let tier = topology.tier(service);
    find(ask_unless(tier < Tier::Critical), Reason::Tier { tier });
    let of = topology.group(service).len();
    let share = around.sick as f64 / of.max(1) as f64;
    find(allow_if(of < 2 || share <= settings.max_sick_share), Reason::SickGroup { sick: around.sick, of, most: settings.max_sick_share });
    if let Some(trust) = around.trust {
        let at_most = trust.mode();
        find(at_most.admits(), Reason::Trust { trust, at_most });
    }

    // The time.
    if let Some(why) = &around.silences_unknown {
        find(Decision::Allow, Reason::SilencesUnknown { why: why.clone() });
    }
    if let Some(silence) = &around.silence {
        find(Decision::Deny, Reason::Silenced { silence: silence.clone() });
    }
    for (admits, reason) in window::findings(settings, service, now) {
        find(admits, reason);
    }
    for (admits, reason) in limits::findings(request, history) {
        find(admits, reason);
    }
    // Last, and only among what would begin by itself: what is left alone by lot must be like what is acted upon.
    let is_low_risk = tier <= Tier::Medium && prediction.impact <= Impact::Medium && dependents == 0;
    let is_allowed = findings.iter().all(|finding| finding.admits == Decision::Allow);
    if let Some(lot) = around.lot.filter(|_| settings.hold_out > 0.0 && is_low_risk && is_allowed) {
        let admits = allow_if(lot >= settings.hold_out);
        findings.push(Finding { admits, reason: Reason::HoldOut { lot, share: settings.hold_out } });
    }
    Verdict::new(mode, findings)
}

/// How sure it is, by what began it. An anomaly says that something is unusual, not that it is bad: only a glaring one is acted on alone.
fn sureness(prediction: &Prediction, settings: &Settings, around: &Around) -> (Decision, Reason) {
    // NaN is nothing at all, and no number that could be written down.
    let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
    let by_level = |value: f64, least: f64, alone: f64| match () {
        () if value >= alone => Decision::Allow,
        // Sure enough to trouble a person with it, not to act alone.
        () if value >= least => Decision::Ask,
        () => Decision::Deny,
    };
    match prediction.cause {
        Cause::Breach => {
            let value = finite(prediction.likelihood);
            let (least, least_proactive) = settings.likelihoods(around.trust.as_ref());
            (by_level(value, least, least_proactive), Reason::Likelihood { value, least, least_proactive })
        }
        Cause::Anomaly => {
            let value = finite(prediction.evidence_of(Evidence::ANOMALY).unwrap_or(0.0));
            let reason = Reason::Score { value, least: LEAST_SCORE, least_alone: LEAST_SCORE_ALONE };
            (by_level(value, LEAST_SCORE, LEAST_SCORE_ALONE), reason)
        }
        Cause::Check => {
            let (seen, least) = (around.failures.unwrap_or(0), settings.min_failures);
            (if seen >= least { Decision::Allow } else { Decision::Deny }, Reason::Failures { seen, least })
        }
    }
}

#[cfg(test)]
mod tests;
