//! From the engine's state to a picture of one series, for every shell that shows one: what is drawn is what the engine knew at that moment.

use crate::chart::{BandPoint, FAN_LEVELS, Fan, Scene, Unit, past_worth_showing};
use crate::core::civil;
use crate::core::engine::{Engine, SeriesView};
use crate::core::outlook::Fit;
use crate::core::prediction::Prediction;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// What was known about a prediction's series at its last look; `None` when the engine does not know it (any more).
pub fn of_prediction(engine: &Engine, prediction: &Prediction) -> Option<Scene> {
    let watch_index = engine.watch_index(&prediction.watch)?;
    let watch = engine.watches().nth(watch_index)?.clone();
    let (series, fit) = engine.find(watch_index, prediction.series())?;
    let unit = Unit::guess(&watch.query, (watch.profile.lower, watch.profile.upper));
    let mut scene = Scene::of_prediction(prediction, watch.zone.clone(), unit);
    let from = scene.now - past_worth_showing(watch.horizon);
    scene.history = history(&series, from);
    scene.normal = normal(&series, &watch, from, scene.now + watch.horizon);
    scene.forecast = fit.map(|fit| fan(&fit, scene.now, watch.horizon));
    Some(scene)
}

/// Hourly means, then the fine ring where it begins, then the last sample.
fn history(series: &SeriesView<'_>, from: Timestamp) -> Vec<(Timestamp, f64)> {
    let (block, row) = (series.block, series.row);
    let geometry = block.geometry();
    let middle = |bucket: i64, width_ms: i64| Timestamp::from_millis(bucket * width_ms + width_ms / 2);
    let fine = block.fine_means(row);
    let first_fine = block.newest_fine() - fine.len() as i64;
    let fine: Vec<(Timestamp, f64)> = fine
        .into_iter()
        .chain([block.fine_mean(row, block.newest_fine())])
        .enumerate()
        .map(|(i, value)| (middle(first_fine + i as i64, geometry.fine_ms), value))
        .collect();
    let fine_from = fine.iter().find(|(_, v)| v.is_finite()).map_or(Timestamp::from_millis(i64::MAX), |(t, _)| *t);
    let coarse = block.coarse_means(row);
    let first = block.newest_bucket() - coarse.len() as i64;
    let coarse = coarse.into_iter().enumerate().map(|(i, value)| (middle(first + i as i64, geometry.bucket_ms), value));
    let mut points: Vec<(Timestamp, f64)> = coarse.take_while(|(t, _)| *t < fine_from).chain(fine).filter(|(t, _)| *t >= from).collect();
    if let Some((at, value)) = block.last(row) {
        let at = Timestamp::from_millis(at);
        points.retain(|(t, _)| *t < at);
        points.push((at, value));
    }
    points
}

fn normal(series: &SeriesView<'_>, watch: &Watch, from: Timestamp, to: Timestamp) -> Vec<BandPoint> {
    let hours = ((to - from).as_millis() / Span::HOUR.as_millis()).max(0);
    (0..=hours)
        .filter_map(|h| {
            let at = from + Span::HOUR.times(h);
            let band = series.block.expected(series.row, at.as_millis(), civil::hour_of_day(&watch.zone, at))?;
            Some(BandPoint::new(at, band, watch.baseline.sigma))
        })
        .collect()
}

fn fan(fit: &Fit, now: Timestamp, horizon: Span) -> Fan {
    let forecast = fit.fitted.forecast(&FAN_LEVELS);
    Fan::new(&forecast, |h| fit.origin + fit.step.times(h as i64 + 1), now, now + horizon + fit.step)
}
