//! Which profile fits a series, and why: `profile: auto`.
//!
//! Three witnesses, in this order. The *form* of the query and the *names* in it ([`quantity`], once a watch), the *type* the server gives
//! a metric (where the daemon has asked), and how the series has *behaved* ([`behaviour`], for each series anew from what the engine keeps,
//! so that a backtest decides as the daemon does). Behaviour can take back what a name promised, never the other way round: a bound
//! that past values lie beyond is dropped, whoever stated it. A profile that the configuration names is used as written.
//!
//! Rejected: a classifier over many series' statistics. It would say a word without a reason, and the few kinds differ in what their
//! names say long before they differ in what their values do.

pub mod behaviour;
pub mod form;
pub mod quantity;
mod reason;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use behaviour::{Behaviour, Extremes};
pub use quantity::{Kind, MetricType, Quantity, Scale};
pub use reason::Reason;

use self::quantity::{Source, Working};
use super::labels::Labels;
use super::watch::Profile;

/// Reasons that are kept of one query: more do not fit a line, and the first ones are the nearest to the values.
const MAX_REASONS: usize = 8;

/// A profile and every reason for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    pub profile: Profile,
    pub reasons: Vec<Reason>,
}

/// How a watch's profile comes about.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Selecting {
    /// As the configuration says.
    #[default]
    Written,
    /// From form, names, types and behaviour.
    Auto(Arc<Auto>),
}

/// What is known of a watch before its first sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Auto {
    /// The profiles there are, by name; the first one is for what nothing is known about.
    pub profiles: &'static [Profile],
    pub quantity: Quantity,
    pub reasons: Vec<Reason>,
    /// Metrics of the query, to ask the server about.
    pub metrics: Vec<String>,
}

impl Auto {
    /// From a query and the types of its metrics, as far as they are known.
    pub fn new(query: &str, types: &dyn Fn(&str) -> Option<MetricType>, profiles: &'static [Profile]) -> Self {
        let form = form::read(query);
        let mut working = Working { types, sources: Vec::new() };
        let quantity = form.as_ref().map_or(Quantity::UNKNOWN, |form| working.quantity(form));
        let mut reasons: Vec<Reason> =
            if quantity.kind == Kind::Unknown { Vec::new() } else { working.sources.into_iter().map(Reason::from).collect() };
        // What was applied last says most about the values.
        reasons.sort_by_key(|reason| !matches!(reason, Reason::Form { .. }));
        reasons.truncate(MAX_REASONS);
        let metrics = form.map(|form| form.metrics().into_iter().map(str::to_owned).collect()).unwrap_or_default();
        Self { profiles, quantity, reasons, metrics }
    }

    /// What a series is that the query says nothing about: its own name may.
    fn of_series(&self, labels: &Labels) -> (Quantity, Vec<Reason>) {
        let name = labels.metric().filter(|_| self.quantity.kind == Kind::Unknown);
        let Some(name) = name else { return (self.quantity, self.reasons.clone()) };
        let said = words::of_name(name);
        if said.word.is_empty() {
            return (Quantity::UNKNOWN, Vec::new());
        }
        (said.quantity, vec![Reason::from(Source::Name { metric: name.to_owned(), word: said.word })])
    }

    /// Whether a series may turn out to be a countdown: by its name, or where that doesn't say anything else and `ticks`, whether it fell by a
    /// second a second just now.
    pub fn may_count_down(&self, labels: &Labels, ticks: bool) -> bool {
        let kind = match (self.quantity.kind, labels.metric()) {
            (Kind::Unknown, Some(name)) if !ticks => words::of_name(name).quantity.kind,
            (kind, _) => kind,
        };
        match kind {
            Kind::Countdown => true,
            Kind::Unknown | Kind::Level | Kind::Latency => ticks,
            _ => false,
        }
    }

    fn named(&self, name: &str) -> Profile {
        self.profiles.iter().find(|profile| profile.name == name).or(self.profiles.first()).cloned().unwrap_or_else(Profile::gauge)
    }

    /// The profile by query alone, for what is said about the watch as a whole.
    pub fn of_watch(&self) -> Selection {
        self.decide(self.quantity, self.reasons.clone(), &Behaviour::default())
    }

    /// The profile of one series.
    pub fn select(&self, labels: &Labels, behaviour: &Behaviour) -> Selection {
        let (quantity, reasons) = self.of_series(labels);
        self.decide(quantity, reasons, behaviour)
    }

    fn decide(&self, quantity: Quantity, mut reasons: Vec<Reason>, behaviour: &Behaviour) -> Selection {
        let kind = behaviour.settle(quantity.kind, &mut reasons);
        let is_bounded = matches!(quantity.scale, Scale::Share | Scale::Percent | Scale::ShareOrPercent);
        let mut profile = self.named(match kind {
            Kind::Countdown => "deadline",
            Kind::Latency => "latency-quantile",
            Kind::Queue => "queue-depth",
            Kind::Failures => "error-ratio",
            Kind::Part => "saturating-gauge",
            Kind::Traffic if is_bounded || behaviour.is_seasonal => "seasonal-traffic",
            Kind::Traffic => "counter-rate",
            Kind::Level if quantity.scale == Scale::AtLeastZero && behaviour.is_seasonal => "seasonal-traffic",
            _ => "gauge",
        });
        (profile.lower, profile.upper) = behaviour.bounds(quantity, &mut reasons);
        profile.resets |= matches!(kind, Kind::Counter | Kind::Age) || behaviour.falls_back;
        if behaviour.falls_back {
            reasons.push(Reason::FallsBack);
        }
        if behaviour.is_seasonal && !profile.deadline {
            profile.seasonal = true;
            reasons.push(Reason::Seasonal);
        }
        if reasons.is_empty() {
            reasons.push(Reason::NothingKnown);
        }
        Selection { profile, reasons }
    }
}
