//! Portraits of what was known when something was raised, or began untold: what a page's pictures are drawn from once it is clear which
//! ones are worth a picture.
//!
//! Which events tell most is known only at the end, and a picture of every one of thousands would be drawn in vain. A portrait has ten
//! kilobytes, so some hundreds are kept, the more telling ones where there are more.

use std::collections::HashMap;

use super::telling::{catch_worth, false_worth};
use crate::core::engine::{Moment, Portrait};
use crate::core::labels::Labels;
use crate::core::prediction::{Prediction, PredictionId, Truth};
use crate::core::time::{Span, Timestamp};

/// Portraits of one kind kept at most: 10 MB, and fifty times what a page shows.
const MAX_KEPT: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Album {
    raised: HashMap<PredictionId, Portrait>,
    untold: Vec<Untold>,
}

#[derive(Debug)]
struct Untold {
    since: Timestamp,
    portrait: Portrait,
}

impl Album {
    /// Takes in what was kept during a step. `lasts` says how long the event of a series that began at a time has lasted by now, `None` where
    /// there is no such event; `known` what has become of a prediction by now: as raised, and as last heard of.
    pub fn take_in<'a>(
        &mut self,
        portraits: Vec<Portrait>,
        lasts: impl Fn(&str, &Labels, Timestamp) -> Option<Span>,
        known: impl Fn(&PredictionId) -> Option<(&'a Prediction, &'a Prediction)>,
    ) {
        for portrait in portraits {
            match &portrait.moment {
                Moment::Raised(id) => drop(self.raised.insert(id.clone(), portrait)),
                Moment::Untold { since, .. } => {
                    let since = *since;
                    if lasts(&portrait.watch, &portrait.labels, since).is_some() {
                        self.untold.push(Untold { since, portrait });
                    }
                }
            }
        }
        if self.untold.len() > MAX_KEPT {
            // The longest are the worst.
            self.untold.sort_by_cached_key(|untold| {
                let lasted = lasts(&untold.portrait.watch, &untold.portrait.labels, untold.since).unwrap_or(Span::ZERO);
                (-lasted.as_millis(), untold.since, untold.portrait.labels.clone())
            });
            self.untold.truncate(MAX_KEPT / 2);
        }
        if self.raised.len() > MAX_KEPT {
            self.weed(known);
        }
    }

    /// Leaves the most telling ones of either truth, and as many that are not settled.
    fn weed<'a>(&mut self, known: impl Fn(&PredictionId) -> Option<(&'a Prediction, &'a Prediction)>) {
        let mut kinds: [Vec<(f64, PredictionId)>; 3] = Default::default();
        for id in self.raised.keys() {
            let Some((raised, last)) = known(id) else { continue };
            let (kind, worth) = match last.truth {
                Some(Truth::CameTrue { at, .. }) => (0, catch_worth(raised, at)),
                Some(Truth::DidNot) => (1, false_worth(raised)),
                // What was raised last is settled last.
                Some(Truth::NotKnown | Truth::Averted { .. }) | None => (2, raised.raised_at.as_secs_f64()),
            };
            kinds[kind].push((worth, id.clone()));
        }
        let mut kept = HashMap::new();
        for kind in &mut kinds {
            kind.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let best = kind.iter().take(MAX_KEPT / 4);
            kept.extend(best.filter_map(|(_, id)| Some((id.clone(), self.raised.remove(id)?))));
        }
        self.raised = kept;
    }

    pub fn of_raised(&self, id: &PredictionId) -> Option<&Portrait> {
        self.raised.get(id)
    }

    pub fn of_untold(&self, watch: &str, labels: &Labels, since: Timestamp) -> Option<&Portrait> {
        let is_it = |untold: &&Untold| untold.since == since && untold.portrait.watch == watch && untold.portrait.labels == *labels;
        self.untold.iter().find(is_it).map(|untold| &untold.portrait)
    }
}
