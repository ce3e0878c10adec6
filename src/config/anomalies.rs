//! The keys of a watch's `baseline` that say what counts as an anomaly, and how often one may be called with nothing wrong.

use portent_models::score::{Direction, Settings};

use super::fields::Fields;
use super::reader::Cx;
use crate::core::score::false_alarms_per_week;
use crate::core::watch::Profile;

/// A hundred times what was expected: more is no deviation but another kind of value.
const MOST_PERCENT: f64 = 10_000.0;
/// Prometheus' `rate` extrapolates, so a share can come out a little past its end with nothing wrong: by so much of the profile's range.
const PAST_THE_END: f64 = 0.01;

pub fn read(fields: &mut Fields<'_>, cx: &mut Cx) -> Settings {
    let mut score = Settings::default();
    if let Some(node) = fields.take("false_alarms") {
        match cx.text(node, "false_alarms").map(|text| false_alarms_per_week(&text)) {
            Some(Ok(rate)) => score.false_alarms_per_week = rate,
            Some(Err(fault)) => cx.error(node.at, format!("false_alarms: {fault}")),
            None => {}
        }
    }
    let directions = [("both", Direction::Both), ("above", Direction::Above), ("below", Direction::Below)];
    if let Some(direction) = fields.take("direction").and_then(|n| cx.one_of(n, "direction", &directions)) {
        score.direction = direction;
    }
    if let Some(least) = fields.take("least_deviation").and_then(|n| cx.number(n, "least_deviation", 0.0, f64::INFINITY)) {
        score.least_deviation = least;
    }
    if let Some(percent) = fields.take("least_deviation_percent").and_then(|n| cx.number(n, "least_deviation_percent", 0.0, MOST_PERCENT)) {
        score.least_share = percent / 100.0;
    }
    score.lower = fields.take("lower").and_then(|n| cx.number(n, "lower", f64::NEG_INFINITY, f64::INFINITY));
    let lowest = score.lower.unwrap_or(f64::NEG_INFINITY);
    score.upper = fields.take("upper").and_then(|n| cx.number(n, "upper", lowest, f64::INFINITY));
    score
}

/// Where the watch has no range of its own, its profile's holds.
pub fn within(mut score: Settings, profile: Option<&Profile>) -> Settings {
    let (lower, upper) = (profile.and_then(|p| p.lower), profile.and_then(|p| p.upper));
    let slack = lower.zip(upper).map_or(0.0, |(lower, upper)| PAST_THE_END * (upper - lower));
    score.lower = score.lower.or(lower.map(|lower| lower - slack));
    score.upper = score.upper.or(upper.map(|upper| upper + slack));
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::core::watch::BaselineSettings;

    fn baseline(watch: &str) -> BaselineSettings {
        let text = format!("sources: {{ name: s, prometheus: {{ url: 'http://h:1' }} }}\nwatches: {{ name: a, query: up, {watch} }}\n");
        config::parse(&text, "x.yaml").unwrap_or_else(|errors| panic!("{watch}: {errors}")).watches[0].baseline
    }

    #[test]
    fn every_key_is_read_and_none_is_needed() {
        assert_eq!(baseline("step: 1m").score, Settings::default());
        let keys = "false_alarms: 2/day, direction: above, least_deviation: 5, least_deviation_percent: 20, lower: -1, upper: 100";
        let want = Settings {
            false_alarms_per_week: 14.0,
            direction: Direction::Above,
            least_deviation: 5.0,
            least_share: 0.2,
            lower: Some(-1.0),
            upper: Some(100.0),
        };
        assert_eq!(baseline(&format!("baseline: {{ {keys} }}")).score, want);
    }

    #[test]
    fn a_profiles_bounds_are_the_range_where_the_watch_has_none() {
        let range = |watch: &str| (baseline(watch).score.lower, baseline(watch).score.upper);
        assert_eq!(range("profile: queue-depth"), (Some(0.0), None));
        assert_eq!(range("profile: saturating-gauge"), (Some(-0.01), Some(1.01)), "a rate may come out a little past its end");
        assert_eq!(range("profile: saturating-gauge, baseline: { upper: 1 }"), (Some(-0.01), Some(1.0)));
        assert_eq!(range("profile: { like: gauge, lower: 0, upper: 200 }, baseline: { sigma: 3 }"), (Some(-2.0), Some(202.0)));
    }
}
