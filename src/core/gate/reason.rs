//! Why the gate says what it says: every check with its numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::settings::Mode;
use crate::core::learn::{LEAST_EVIDENCE, Trust};
use crate::core::playbook::Unmet;
use crate::core::prediction::State;
use crate::core::silence::Covered;
use crate::core::time::{Span, Timestamp};
use crate::core::topology::Tier;
use crate::core::watch::Impact;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum Reason {
    Mode {
        global: Mode,
        playbook: Option<Mode>,
    },
    Killed {
        by: String,
    },
    Targets {
        count: usize,
    },
    Open {
        state: State,
    },
    Condition(Unmet),
    DataAge {
        age: Option<Span>,
        most: Span,
    },
    Partial,
    History {
        known_for: Option<Span>,
        least: Span,
    },
    Likelihood {
        value: f64,
        least: f64,
        least_proactive: f64,
    },
    Score {
        value: f64,
        least: f64,
        least_alone: f64,
    },
    Impact {
        impact: Impact,
        least: Impact,
    },
    Failures {
        seen: u32,
        least: u32,
    },
    BlastRadius {
        dependents: usize,
        most: usize,
    },
    Tier {
        tier: Tier,
    },
    SickGroup {
        sick: usize,
        of: usize,
        most: f64,
    },
    Trust {
        #[serde(flatten)]
        trust: Trust,
        at_most: Mode,
    },
    HoldOut {
        lot: f64,
        share: f64,
    },
    SilencesUnknown {
        why: String,
    },
    Silenced {
        #[serde(flatten)]
        silence: Covered,
    },
    Frozen {
        name: String,
        until: Timestamp,
    },
    OutsideWindow {
        windows: usize,
        next: Option<Timestamp>,
    },
    InWindow {
        name: String,
        until: Timestamp,
    },
    Cooldown {
        target: String,
        until: Timestamp,
    },
    Running {
        target: String,
        since: Timestamp,
    },
    PerService {
        runs: u32,
        most: u32,
    },
    PerMinute {
        runs: u32,
        most: u32,
    },
    PerHour {
        runs: u32,
        most: u32,
    },
    Attempts {
        failed: u32,
        most: u32,
    },
    Backoff {
        failed: u32,
        until: Timestamp,
    },
    Breaker {
        actuator: String,
        failures: u32,
        until: Timestamp,
    },
}

impl Reason {
    /// The check's name, as it stands in records.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).ok();
        value.and_then(|value| value.get("check")?.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn known(span: Option<Span>) -> String {
    span.map_or_else(|| "not known".to_owned(), |span| span.to_string())
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode { global, playbook: None } => write!(f, "mode is {}", global.as_str()),
            Self::Mode { global, playbook: Some(own) } => write!(f, "mode is {}, the playbook's {}", global.as_str(), own.as_str()),
            Self::Killed { by } => write!(f, "everything was stopped by {by}"),
            Self::Targets { count: 0 } => write!(f, "there is nothing to act on"),
            Self::Targets { count } => write!(f, "{count} to act on"),
            Self::Open { state } => write!(f, "the prediction is {}", word(state)),
            Self::Condition(Unmet { metric, wanted, found }) => {
                write!(f, "{metric} is {}, want {wanted}", found.map_or_else(|| "not known".to_owned(), |v| v.to_string()))
            }
            Self::DataAge { age, most } => write!(f, "age of the data is {}, {most} at most", known(*age)),
            Self::Partial => write!(f, "the source calls its data incomplete"),
            Self::History { known_for, least } => write!(f, "the series is known for {}, {least} at least", known(*known_for)),
            Self::Likelihood { value, least, least_proactive } => {
                write!(f, "likelihood is {value:.2}: below {least:.2} nothing, from {least_proactive:.2} without a person")
            }
            Self::Score { value, least, least_alone } => {
                write!(f, "score is {value:.2}: below {least} nothing, from {least_alone} without a person")
            }
            Self::Impact { impact, least } => write!(f, "impact is {}, {} at least", word(impact), word(least)),
            Self::Failures { seen, least } => write!(f, "failed {seen} times in a row, {least} at least"),
            Self::BlastRadius { dependents, most } => write!(f, "{dependents} services depend on it, {most} at most without a person"),
            Self::Tier { tier } => write!(f, "its tier is {}", word(tier)),
            Self::SickGroup { sick, of, most } => write!(f, "{sick} of {of} in its group are sick, {:.0} % at most", most * 100.0),
            Self::Trust { trust, .. } if trust.is_little() => {
                write!(f, "too little is known of how often it helps: {:.1} runs, {LEAST_EVIDENCE} at least", trust.evidence)
            }
            Self::Trust { trust: Trust { rate, low, high, evidence }, at_most } => {
                let percent = |share: &f64| share * 100.0;
                write!(
                    f,
                    "it helps in {:.0} % of runs ({:.0} to {:.0}), known from {evidence:.1}",
                    percent(rate),
                    percent(low),
                    percent(high)
                )?;
                if *at_most < Mode::Execute { write!(f, ": demoted to {}", at_most.as_str()) } else { Ok(()) }
            }
            Self::HoldOut { lot, share } if lot < share => {
                write!(f, "held out by lot, to measure what acting is worth: {lot:.3} is below {share}")
            }
            Self::HoldOut { lot, share } => write!(f, "not held out by lot: {lot:.3} is not below {share}"),
            Self::SilencesUnknown { why } => write!(f, "taken for not silenced, since nobody can say: {why}"),
            Self::Silenced { silence: Covered { id: Some(id), by, until } } => write!(f, "silenced by {by} until {until}: {id}"),
            Self::Silenced { silence: Covered { id: None, by, until } } => write!(f, "silenced by {by} until {until}"),
            Self::Frozen { name, until } => write!(f, "frozen by {name} until {until}"),
            Self::OutsideWindow { windows, next: Some(next) } => {
                write!(f, "outside of its {windows} change windows, the next is at {next}")
            }
            Self::OutsideWindow { windows, next: None } => write!(f, "outside of its {windows} change windows"),
            Self::InWindow { name, until } => write!(f, "within change window {name} until {until}"),
            Self::Cooldown { target, until } => write!(f, "{target} was acted on, and is left alone until {until}"),
            Self::Running { target, since } => write!(f, "something is under way on {target} since {since}"),
            Self::PerService { runs, most } => write!(f, "{runs} runs for the service within an hour, {most} at most"),
            Self::PerMinute { runs, most } => write!(f, "{runs} runs within a minute, {most} at most"),
            Self::PerHour { runs, most } => write!(f, "{runs} runs within an hour, {most} at most"),
            Self::Attempts { failed, most } => write!(f, "it did not help {failed} times within a day, {most} at most"),
            Self::Backoff { failed, until } => write!(f, "it did not help {failed} times, the next try is after {until}"),
            Self::Breaker { actuator, failures, until } => {
                write!(f, "{actuator} failed {failures} times in a row, left alone until {until}")
            }
        }
    }
}
