//! What could be set otherwise: one key changed at a time, then the changes that did best two and more together.
//!
//! Ladders of a few rungs and not a search: a week of history has a handful of events, and among a thousand settings one looks good by chance.

use serde::Serialize;

use crate::config::profiles;
use crate::core::selection::Selecting;
use crate::core::time::Span;
use crate::core::watch::{Limit, Threshold, Watch};

/// Most settings of one watch that are tried in the first round, and in the second.
pub const MOST_SINGLE: usize = 24;
pub const MOST_COMBINED: usize = 12;

/// Rungs of the ladders. Whatever is set today stands among them anyway.
const RAISE: [f64; 5] = [0.5, 0.65, 0.8, 0.9, 0.97];
const AFTER: [u16; 4] = [1, 3, 10, 30];
const SUSTAIN: [u16; 4] = [1, 3, 5, 15];
const SIGMA: [f64; 3] = [1.5, 2.0, 3.0];
/// Of today's horizon, times a quarter.
const HORIZON_QUARTERS: [i64; 4] = [1, 2, 8, 16];
/// A breach that is to be told so long before is looked for this many times further ahead.
const LEADS_AHEAD: i64 = 4;
/// As the configuration has it: fewer steps ahead mean nothing, and no trend of a week's history holds for longer than two months.
const MIN_STEPS_AHEAD: i64 = 5;
const MAX_HORIZON: Span = Span::from_secs(60 * 86_400);
/// Profiles that differ in what they make the models do. A deadline is one by nature.
const PROFILES: [&str; 5] = ["gauge", "saturating-gauge", "queue-depth", "latency-quantile", "error-ratio"];

/// One thing set otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "key", content = "value", rename_all = "snake_case")]
pub enum Change {
    Sigma(f64),
    Horizon(Span),
    Profile(String),
    /// The likelihood to raise at, and the one to clear below, which keeps its distance.
    Raise {
        likelihood: f64,
        clear: f64,
    },
    RaiseAfter(u16),
    Sustain(u16),
}

impl Change {
    /// Whether two changes are about the same key.
    fn is_about_the_same(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Changes of one watch, none for today's settings.
pub type Candidate = Vec<Change>;

/// The watch with the changes made.
pub fn changed(watch: &Watch, changes: &[Change]) -> Watch {
    let mut watch = watch.clone();
    for change in changes {
        match change {
            Change::Sigma(sigma) => watch.baseline.sigma = *sigma,
            Change::Horizon(horizon) => watch.horizon = *horizon,
            Change::Profile(name) => {
                if let Some(profile) = profiles::find(name) {
                    (watch.profile, watch.selecting) = (profile.clone(), Selecting::Written);
                }
            }
            Change::Raise { likelihood, clear } => (watch.hysteresis.raise, watch.hysteresis.clear) = (*likelihood, *clear),
            Change::RaiseAfter(after) => watch.hysteresis.raise_after = *after,
            Change::Sustain(samples) => watch.hysteresis.sustain = *samples,
        }
    }
    watch
}

/// Today's settings, then each key alone on every other rung of its ladder.
pub fn single(watch: &Watch, min_lead: Span) -> Vec<Candidate> {
    let set = &watch.hysteresis;
    let mut all: Vec<Candidate> = vec![Vec::new()];
    let raise = RAISE.into_iter().filter(|r| (r - set.raise).abs() > 0.01);
    // Two digits: what a person would write.
    let clear = |likelihood: f64| ((likelihood * set.clear / set.raise * 100.0).round() / 100.0).clamp(0.01, likelihood - 0.01);
    all.extend(raise.map(|likelihood| vec![Change::Raise { likelihood, clear: clear(likelihood) }]));
    all.extend(AFTER.into_iter().filter(|after| *after != set.raise_after).map(|after| vec![Change::RaiseAfter(after)]));
    all.extend(horizons(watch, min_lead).into_iter().map(|horizon| vec![Change::Horizon(horizon)]));
    all.extend(SUSTAIN.into_iter().filter(|samples| *samples != set.sustain).map(|samples| vec![Change::Sustain(samples)]));
    all.extend(SIGMA.into_iter().filter(|sigma| *sigma != watch.baseline.sigma).map(|sigma| vec![Change::Sigma(sigma)]));
    all.extend(PROFILES.into_iter().filter(|name| suits(watch, name)).map(|name| vec![Change::Profile(name.to_owned())]));
    all.truncate(MOST_SINGLE);
    all
}

fn horizons(watch: &Watch, min_lead: Span) -> Vec<Span> {
    let times = |quarters: i64| Span::from_millis(watch.horizon.as_millis() * quarters / 4);
    // Whole minutes, as people write them.
    let round = |span: Span| Span::MINUTE.times((span.as_millis() + 30_000) / 60_000);
    let ahead = min_lead.times(LEADS_AHEAD);
    let mut all: Vec<Span> = HORIZON_QUARTERS.into_iter().map(times).chain((ahead > watch.horizon).then_some(ahead)).map(round).collect();
    all.retain(|h| *h != watch.horizon && *h >= watch.step.times(MIN_STEPS_AHEAD) && *h <= MAX_HORIZON && *h > min_lead);
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a profile is another than the one that is written, and has the watch's threshold within its bounds.
fn suits(watch: &Watch, name: &str) -> bool {
    let Some(profile) = profiles::find(name) else { return false };
    let is_set = watch.selecting == Selecting::Written && watch.profile.name == name;
    let holds = match &watch.limit {
        Some(Limit { threshold: Threshold::Value(t), .. }) => {
            profile.lower.is_none_or(|l| l <= *t) && profile.upper.is_none_or(|u| *t <= u)
        }
        _ => profile.lower.is_none() && profile.upper.is_none(),
    };
    !is_set && holds
}

/// The changes of single candidates together: of those named first, each with each, then the first of each key all at once.
pub fn combined(best: &[Change]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    for (i, first) in best.iter().enumerate() {
        for second in best[i + 1..].iter().filter(|second| !second.is_about_the_same(first)) {
            all.push(vec![first.clone(), second.clone()]);
        }
    }
    all.truncate(MOST_COMBINED - 1);
    let mut together: Candidate = Vec::new();
    for change in best {
        if !together.iter().any(|known| known.is_about_the_same(change)) {
            together.push(change.clone());
        }
    }
    if together.len() > 2 {
        all.push(together);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(keys: &str) -> Watch {
        let text = format!("sources: {{ name: s, prometheus: {{ url: 'http://h:1' }} }}\nwatches: {{ name: a, query: up, {keys} }}\n");
        crate::config::parse(&text, "x").unwrap_or_else(|errors| panic!("{errors}")).watches[0].clone()
    }

    #[test]
    fn each_key_has_its_ladder_and_what_is_set_stands_first_alone() {
        let all = single(&watch("above: 0.9, horizon: 4h, profile: gauge"), Span::ZERO);
        assert!(all[0].is_empty() && all[1..].iter().all(|changes| changes.len() == 1) && all.len() <= MOST_SINGLE);
        for wanted in [
            Change::Raise { likelihood: 0.5, clear: 0.25 },
            Change::Raise { likelihood: 0.97, clear: 0.49 },
            Change::RaiseAfter(30),
            Change::Horizon(Span::HOUR),
            Change::Horizon(Span::HOUR.times(16)),
            Change::Sustain(1),
            Change::Sigma(3.0),
            Change::Profile("saturating-gauge".into()),
        ] {
            assert!(all.contains(&vec![wanted.clone()]), "{wanted:?} among {all:?}");
        }
        for same in [Change::RaiseAfter(3), Change::Sustain(3), Change::Sigma(2.0), Change::Profile("gauge".into())] {
            assert!(!all.contains(&vec![same.clone()]), "{same:?}");
        }
        let beyond = single(&watch("above: 90"), Span::ZERO);
        assert!(!beyond.contains(&vec![Change::Profile("saturating-gauge".into())]), "its values end at 1");
        let far = single(&watch("above: 0.9, horizon: 1h"), Span::HOUR.times(2));
        let horizons: Vec<_> = far.iter().filter_map(|c| if let [Change::Horizon(h)] = c[..] { Some(h) } else { None }).collect();
        assert_eq!(horizons, [Span::HOUR.times(4), Span::HOUR.times(8)], "shorter than the lead time is of no use");
    }

    #[test]
    fn what_is_proposed_is_what_the_configuration_reads() {
        let today = watch("above: 0.9, horizon: 4h");
        for changes in single(&today, Span::ZERO) {
            let lines = super::super::patch::keys(&changes, &today);
            let changed_keys = lines.iter().map(|line| line.split("  #").next().unwrap_or_default());
            let mut keys: Vec<&str> = std::iter::once("above: 0.9").chain(changed_keys).collect();
            if !keys.iter().any(|key| key.starts_with("horizon")) {
                keys.push("horizon: 4h");
            }
            let text = keys.join(", ");
            let (read, made) = (watch(&text), changed(&today, &changes));
            assert_eq!((read.horizon, read.hysteresis, read.profile), (made.horizon, made.hysteresis, made.profile), "{text}");
            assert_eq!(read.baseline.sigma, made.baseline.sigma);
        }
    }

    #[test]
    fn changes_go_together_when_they_are_about_different_keys() {
        let best = [Change::Sustain(1), Change::Sustain(5), Change::Sigma(3.0), Change::RaiseAfter(1)];
        let all = combined(&best);
        assert!(all.contains(&vec![Change::Sustain(5), Change::Sigma(3.0)]) && all.len() == 6);
        assert!(!all.iter().any(|c| c.contains(&best[0]) && c.contains(&best[1])));
        assert_eq!(all.last().unwrap().len(), 3, "the first of each");
        assert!(combined(&[]).is_empty());
    }
}
