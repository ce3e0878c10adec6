//! What is said about made series whose answers are known.

use portent_models::breach::{Chance, Question};

use super::*;
use crate::core::ahead::Ahead;
use crate::core::engine::{Engine, Input, Judged};
use crate::core::frame::{FrameBuilder, Grid};
use crate::core::score::Detector;
use crate::core::selection::{Behaviour, Selecting};
use crate::core::watch::{BaselineSettings, Watch};

const STEP: Span = Span::from_secs(300);
const DAY: i64 = 288;

fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

/// A day, growth, and a little noise.
fn value(i: i64) -> f64 {
    let noise = ((i * 7919) % 101) as f64 / 101.0 - 0.5;
    0.4 + 0.1 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin() + 0.02 * (i as f64 / DAY as f64) + 0.01 * noise
}

fn samples(n: i64) -> Vec<(Timestamp, f64)> {
    (0..n).map(|i| (start() + STEP.times(i), value(i))).collect()
}

fn explained(samples: &[(Timestamp, f64)], origin: Timestamp, limit: Option<(Side, f64)>) -> Explanation {
    let labels = Labels::named("disk_used_ratio");
    let asked = Sampled {
        name: "disk_used_ratio",
        labels: &labels,
        samples,
        step: STEP,
        origin,
        horizon: Span::DAY,
        limit,
        sustain: 1,
        zone: jiff::tz::TimeZone::UTC,
        settings: BaselineSettings::default(),
    };
    let (_, selecting) = crate::config::profiles::auto("");
    let Selecting::Auto(auto) = selecting else { panic!() };
    of_samples(&asked, |behaviour: &Behaviour| auto.select(&labels, behaviour))
}

#[test]
fn of_samples_it_is_what_forecast_and_detect_say() {
    let samples = samples(12 * DAY);
    let origin = samples.last().unwrap().0;
    let said = explained(&samples, origin, Some((Side::Above, 0.75)));
    let ahead = Ahead::new(&samples, STEP, origin, Span::DAY, 1, &portent_models::forecast::Ensemble).unwrap();
    let forecast = said.forecast.unwrap();
    let (times, told) = ahead.points(&LEVELS);
    assert_eq!(forecast.ahead.first().map(|a| (a.at, a.median)), Some((times[0], told.median[0])));
    assert_eq!(forecast.ahead.last().map(|a| (a.at, a.median)), times.last().copied().zip(told.median.last().copied()));
    assert!((forecast.members.iter().map(|m| m.weight).sum::<f64>() - 1.0).abs() < 1e-9);
    let breach = said.breach.unwrap();
    assert_eq!(breach.likelihood, ahead.breach(Side::Above, 0.75, 1).likelihood);
    let question = Question { threshold: 0.75, upward: true, horizon: 288, sustain: 1, day: 288 };
    assert_eq!(breach.likelihood, Chance::new(ahead.values(), &question).likelihood());
    assert!(breach.reasons.iter().any(|r| r.kind == "shares"), "{:?}", breach.reasons);
    let mut detector = Detector::new(STEP, &BaselineSettings::default(), jiff::tz::TimeZone::UTC);
    let last = samples.iter().map(|&(at, value)| detector.push(at, value)).last().flatten().unwrap();
    assert_eq!(said.score.map(|s| (s.score, s.per_week)), Some((last.score, Some(last.per_week()))));
    assert_eq!((said.profile.name.as_str(), said.profile.lower, said.profile.upper), ("saturating-gauge", Some(0.0), Some(1.0)));
    assert_eq!(said.periods_s, [86_400.0]);
}

#[test]
fn what_comes_after_the_origin_changes_nothing() {
    let all = samples(12 * DAY);
    let cut = &all[..(10 * DAY) as usize];
    let origin = cut.last().unwrap().0;
    let limit = Some((Side::Above, 0.7));
    assert_eq!(explained(&all, origin, limit), explained(cut, origin, limit));
}

#[test]
fn the_young_and_the_silent_are_told_so() {
    let young = samples(20);
    let said = explained(&young, young[19].0, None);
    assert!(said.history.is_cold() && said.score.is_none() && !said.not_said.is_empty());
    assert_eq!(said.periods_s, [] as [f64; 0]);
    let none = explained(&young, start() - Span::DAY, None);
    assert!(none.at.is_none() && none.forecast.is_none());
}

#[test]
fn an_engine_says_what_it_has_decided() {
    let text = "sources: [{ name: a, prometheus: { url: \"http://127.0.0.1:1\" } }]\n\
                watches: [{ name: disk, query: \"1 - node_filesystem_avail_bytes / node_filesystem_size_bytes\", step: 5m, above: 0.62 }]\n";
    let watch: Watch = crate::config::parse(text, "test.yaml").unwrap().watches.remove(0);
    let mut engine = Engine::new([watch.into()], []);
    let grid = Grid { start: start(), step: STEP, len: (9 * DAY) as usize };
    let mut builder = FrameBuilder::new(grid);
    let labels = Labels::from_pairs([("instance", "web-1")]).unwrap();
    let row = builder.add_row(labels.clone()).unwrap();
    (0..grid.len).for_each(|i| builder.set(row, i, value(i as i64)));
    let frame = builder.finish();
    engine.step(grid.last(), Input::Samples { watch: 0, frame: &frame, thresholds: None, judging: Judged::from(start()) });
    let said = of_series(&engine, 0, labels.id()).unwrap();
    assert_eq!((said.watch.as_deref(), said.at, said.periods_s.as_slice()), (Some("disk"), Some(grid.last()), &[86_400.0][..]));
    assert_eq!((said.profile.name.as_str(), said.profile.upper), ("saturating-gauge", Some(1.0)));
    assert_eq!(said.profile.reasons[0].text, "the query: a part over its whole");
    let view = engine.series(0).next().unwrap();
    assert_eq!(said.breach.as_ref().map(|b| b.likelihood), Some(view.likelihood));
    assert!(said.breach.unwrap().reasons.iter().any(|r| r.kind == "path"));
    let ahead = said.forecast.unwrap().ahead;
    assert!(ahead.iter().all(|a| a.at > grid.last() && a.bands.iter().all(|b| b.lower <= a.median && a.median <= b.upper)));
    assert_eq!(of_series(&engine, 0, Labels::named("other").id()), None);
}

#[test]
fn a_base_rate_counts_stretches() {
    let values: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i % 20 == 0))).collect();
    assert_eq!(base_rate(&values, 20, Side::Above, 1.0), Some(1.0));
    assert_eq!(base_rate(&values, 10, Side::Above, 1.0), Some(41.0 / 91.0));
    assert_eq!(base_rate(&values, 10, Side::Above, 2.0), Some(0.0));
    assert_eq!(base_rate(&values, 51, Side::Above, 1.0), None);
}
