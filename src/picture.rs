//! From the engine's state to a picture of one series, for every shell that shows one: what is drawn is what the engine knew at that moment.

use std::sync::Arc;

use portent_models::baseline::{BUCKETS, Block};
use portent_models::breach::Recalibration;

use crate::chart::{BandPoint, FAN_LEVELS, Fan, Scene, Unit, past_worth_showing};
use crate::core::civil;
use crate::core::engine::{Engine, Portrait};
use crate::core::heritage::Heritage;
use crate::core::labels::Labels;
use crate::core::outlook::{Fit, Ring, outlook};
use crate::core::prediction::Prediction;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::core::widths::Widths;

/// A baseline follows its trend for a day; what it would draw after that is no expectation of anything.
const MAX_BAND_AHEAD: Span = Span::DAY;

/// What a picture is made of: one row of a block, and what its engine knew beside it.
struct Known<'a> {
    block: &'a Block,
    row: usize,
    settled: &'a Recalibration,
    widths: Widths,
    /// What a young series goes by.
    heritage: Option<Arc<Heritage>>,
    /// The watch as the series sees it, with its own profile.
    watch: Watch,
}

/// What was known about a prediction's series at its last look; `None` when the engine does not know it (any more).
pub fn of_prediction(engine: &Engine, prediction: &Prediction) -> Option<Scene> {
    let index = engine.watch_index(&prediction.watch)?;
    let watch = engine.watches().nth(index)?;
    let (series, fit) = engine.find(index, prediction.series())?;
    let (selection, _) = engine.about(index, prediction.series())?;
    let watch = Watch { profile: selection.profile, ..(**watch).clone() };
    let heritage = engine.heritage(index, prediction.series());
    let known = Known { block: series.block, row: series.row, settled: series.settled, widths: series.widths, heritage, watch };
    Some(known.of_prediction(fit, prediction))
}

/// What was known when a prediction was raised, from the portrait that was kept then.
pub fn of_raised(watch: &Watch, portrait: &Portrait, prediction: &Prediction) -> Scene {
    Known::of_portrait(watch, portrait).of_prediction(portrait.fit.clone(), prediction)
}

/// What was known when a breach that nobody had told of was certain. There is no forecast in it: it would be one of what had come.
pub fn of_untold(watch: &Watch, portrait: &Portrait) -> Option<Scene> {
    let known = Known::of_portrait(watch, portrait);
    let side = watch.limit.as_ref()?.side;
    let (last, _) = known.block.last(known.row)?;
    let unit = known.unit(&portrait.labels);
    let mut scene = Scene::new(watch.title.fill(&portrait.labels), Timestamp::from_millis(last));
    scene.labels = portrait.labels.clone();
    scene.zone = watch.zone.clone();
    scene.unit = unit;
    scene.threshold = Some((side, portrait.threshold));
    scene.value_name = value_name(unit, &portrait.labels);
    let from = scene.now - past_worth_showing(watch.horizon);
    scene.history = known.history(from);
    scene.normal = known.normal(from, scene.now);
    scene.notes.extend(known.inherited());
    Some(scene)
}

/// The metric's name, where the unit says nothing.
fn value_name(unit: Unit, labels: &Labels) -> Option<String> {
    labels.metric().filter(|_| unit == Unit::Plain).map(str::to_owned)
}

impl<'a> Known<'a> {
    fn of_portrait(watch: &Watch, portrait: &'a Portrait) -> Self {
        let watch = Watch { profile: portrait.profile.clone(), ..watch.clone() };
        let heritage = portrait.heritage.clone();
        Self { block: &portrait.block, row: 0, settled: &portrait.settled, widths: portrait.widths, heritage, watch }
    }

    /// The query's, or that of the metric's own name where the query has none.
    fn unit(&self, labels: &Labels) -> Unit {
        let bounds = (self.watch.profile.lower, self.watch.profile.upper);
        match (Unit::guess(&self.watch.query, bounds), labels.metric()) {
            (Unit::Plain, Some(metric)) if !self.watch.query.contains('/') => Unit::guess(metric, bounds),
            (unit, _) => unit,
        }
    }

    fn of_prediction(&self, fit: Option<Fit>, prediction: &Prediction) -> Scene {
        let watch = &self.watch;
        let unit = self.unit(&prediction.labels);
        let mut scene = Scene::of_prediction(prediction, watch.zone.clone(), unit);
        // The state may be later than the prediction, when several columns came at once: then is now.
        if let Some((last, _)) = self.block.last(self.row).filter(|(last, _)| *last > scene.now.as_millis()) {
            scene.now = Timestamp::from_millis(last);
            scene.raised = Some((prediction.updated_at, prediction.current_value));
        }
        scene.value_name = value_name(unit, &prediction.labels);
        scene.notes.extend(self.inherited());
        let spoke = self.spoke(fit, prediction, scene.now);
        scene.forecast = spoke.map(|(fit, shift)| fan(&fit, shift, scene.now, fit.widen(self.widths, watch), watch.horizon));
        // The last hours look ahead for hours only: beside days of the past that would be a sliver.
        let reach = scene.forecast.as_ref().and_then(|fan| fan.at.last()).map_or(watch.horizon, |last| *last - scene.now);
        let from = scene.now - past_worth_showing(watch.horizon).min(past_worth_showing(reach).max(Span::DAY));
        scene.history = self.history(from);
        scene.normal = self.normal(from, scene.now + watch.horizon.min(MAX_BAND_AHEAD));
        scene
    }

    /// What the picture says of a young series.
    fn inherited(&self) -> Option<String> {
        let heritage = self.heritage.as_ref()?;
        Some(format!("young: day and band inherited from {} siblings, {:.1} times as wide", heritage.siblings, heritage.wider))
    }

    /// Hourly means, then the fine ring where it begins, then the last sample.
    fn history(&self, from: Timestamp) -> Vec<(Timestamp, f64)> {
        let (block, row) = (self.block, self.row);
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
        let mut points: Vec<(Timestamp, f64)> =
            coarse.take_while(|(t, _)| *t < fine_from).chain(fine).filter(|(t, _)| *t >= from).collect();
        if let Some((at, value)) = block.last(row) {
            let at = Timestamp::from_millis(at);
            points.retain(|(t, _)| *t < at);
            points.push((at, value));
        }
        points
    }

    /// For the past what was expected then, hour by hour; from the open bucket on what is expected now.
    fn normal(&self, from: Timestamp, to: Timestamp) -> Vec<BandPoint> {
        let (block, row, watch) = (self.block, self.row, &self.watch);
        let sigma = watch.baseline.sigma;
        let bucket_ms = block.geometry().bucket_ms;
        let middle = |bucket: i64| Timestamp::from_millis(bucket * bucket_ms + bucket_ms / 2);
        let civil = |bucket: i64| civil::hour_of_day(&watch.zone, middle(bucket));
        // A gap in what was expected is drawn as one.
        let gap = |at| BandPoint { at, expected: f64::NAN, lower: f64::NAN, upper: f64::NAN };
        let newest = block.newest_bucket();
        let first = block.geometry().bucket(from.as_millis()).max(newest - BUCKETS as i64);
        let past = (first..newest).map(|bucket| {
            let at = middle(bucket);
            block.expected_then(row, bucket, &civil).map_or_else(|| gap(at), |band| BandPoint::new(at, band, sigma))
        });
        let open = Timestamp::from_millis(newest * bucket_ms);
        let hours = ((to - open).as_millis() / Span::HOUR.as_millis()).max(0);
        let ahead = (0..=hours + 1).filter_map(|h| {
            let at = open + Span::HOUR.times(h);
            let civil = civil::hour_of_day(&watch.zone, at);
            let inherited = self.heritage.as_ref().map(|heritage| heritage.band(civil));
            let band = inherited.or_else(|| block.expected(row, at.as_millis(), civil))?;
            Some(BandPoint::new(at, band, sigma))
        });
        past.filter(|point| point.at >= from).chain(ahead).collect()
    }

    /// The fit that the prediction speaks of, and how far the series stands from its median. The engine asks the week and the last hours, and
    /// believes the surer one; the picture shows the one whose likelihood is the prediction's.
    fn spoke(&self, week: Option<Fit>, prediction: &Prediction, at: Timestamp) -> Option<(Fit, f64)> {
        let (block, row, watch) = (self.block, self.row, &self.watch);
        let breach = Some((prediction.side, prediction.threshold));
        let hours = if watch.profile.deadline {
            None
        } else {
            Fit::new(block, row, watch, Ring::Fine, breach, self.heritage.as_deref(), None).ok()
        };
        let off = |fit: &Fit| {
            let said = outlook(block, row, fit, at, watch, prediction.side, prediction.threshold, self.settled).likelihood;
            (said - prediction.likelihood).abs()
        };
        let fit = [week, hours].into_iter().flatten().min_by(|a, b| off(a).total_cmp(&off(b)))?;
        let shift = if watch.profile.deadline { 0.0 } else { fit.shift(block, row, at) };
        Some((fit, shift))
    }
}

/// The fit's forecast from where the series stands now, as the ETA has it: the distance from the median fades as the model's errors do. Its
/// intervals are as wide as live coverage has made them.
fn fan(fit: &Fit, shift: f64, now: Timestamp, widen: impl Fn(usize) -> f64, horizon: Span) -> Fan {
    let mut forecast = fit.fitted.forecast_widened(&FAN_LEVELS, widen);
    let persistence = fit.fitted.errors().persistence();
    let drift = |h: usize| shift * persistence.powi(i32::try_from(h).unwrap_or(i32::MAX));
    forecast.median.iter_mut().enumerate().for_each(|(h, v)| *v += drift(h));
    for interval in &mut forecast.intervals {
        interval.lower.iter_mut().enumerate().for_each(|(h, v)| *v += drift(h));
        interval.upper.iter_mut().enumerate().for_each(|(h, v)| *v += drift(h));
    }
    Fan::new(&forecast, |h| fit.origin + fit.step.times(h as i64 + 1), now, now + horizon + fit.step)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::engine::{Effect, Input, Judged};
    use crate::core::frame::{Frame, FrameBuilder, Grid};

    const STEP: Span = Span::from_secs(300);
    const DAY: i64 = 288;
    const CONFIG: &str = "sources: [ { name: s, prometheus: { url: http://h/ } } ]\nwatches: [ { name: disk, query: disk_used_ratio, step: 5m, \
                          above: 0.9, horizon: 24h, profile: saturating-gauge } ]\n";

    fn at(i: i64) -> Timestamp {
        Timestamp::from_millis(1_793_577_600_000) + STEP.times(i)
    }

    /// Grows by four hundredths a day and trembles; at 0.9 on the twelfth.
    fn value(i: i64) -> f64 {
        0.42 + 0.04 * i as f64 / DAY as f64 + 0.002 * (((i * 7919) % 13) as f64 / 13.0 - 0.5)
    }

    fn frame(from: i64, to: i64) -> Frame {
        let mut builder = FrameBuilder::new(Grid { start: at(from), step: STEP, len: (to - from) as usize });
        let row = builder.row_of(&Labels::named("disk_used_ratio"));
        (from..to).for_each(|i| builder.set(row, (i - from) as usize, value(i)));
        builder.finish()
    }

    /// Column by column until something is raised.
    fn raised(engine: &mut Engine) -> (i64, Prediction) {
        let feed = |engine: &mut Engine, from, to| {
            let frame = frame(from, to);
            engine.step(at(to), Input::Samples { watch: 0, frame: &frame, thresholds: None, judging: Judged::from(at(8 * DAY)) })
        };
        feed(engine, 0, 8 * DAY);
        for i in 8 * DAY..13 * DAY {
            for effect in feed(engine, i, i + 1) {
                if let Effect::Raised(prediction) = effect {
                    return (i, prediction);
                }
            }
        }
        panic!("nothing was raised")
    }

    fn engine() -> Engine {
        Engine::new(crate::config::parse(CONFIG, "x").unwrap().watches.into_iter().map(Arc::new), [])
    }

    #[test]
    fn the_band_of_the_past_is_that_of_then_and_the_forecast_begins_where_the_series_stands() {
        let mut engine = engine();
        let (i, prediction) = raised(&mut engine);
        let scene = of_prediction(&engine, &prediction).unwrap();
        assert_eq!((scene.now, scene.raised), (at(i), None));
        assert_eq!(scene.history.last(), Some(&(at(i), prediction.current_value)));
        assert!(scene.history.iter().all(|(t, _)| *t <= scene.now));
        let past: Vec<&BandPoint> = scene.normal.iter().filter(|point| point.at < scene.now - Span::HOUR.times(2)).collect();
        assert!(past.len() >= 60 && scene.normal.is_sorted_by_key(|point| point.at));
        for point in past {
            let then = value((point.at - at(0)).as_millis() / STEP.as_millis());
            assert!((point.expected - then).abs() < 0.02, "{point:?}, it was {then}");
        }
        let fan = scene.forecast.unwrap();
        assert!((fan.median[0] - prediction.current_value).abs() < 0.01, "{} {}", fan.median[0], prediction.current_value);
        let crossing = fan.median.iter().zip(&fan.at).find(|(v, _)| **v >= 0.9).map(|(_, t)| *t).unwrap();
        let eta = prediction.eta.p50.unwrap();
        assert!((crossing - eta).as_millis().abs() <= Span::HOUR.times(2).as_millis(), "{crossing} {eta}");
    }

    #[test]
    fn a_picture_of_a_state_that_has_moved_on_says_when_it_is() {
        let mut engine = engine();
        let (i, prediction) = raised(&mut engine);
        let later = frame(i + 1, i + 5);
        engine.step(at(i + 5), Input::Samples { watch: 0, frame: &later, thresholds: None, judging: Judged::from(at(8 * DAY)) });
        let scene = of_prediction(&engine, &prediction).unwrap();
        assert_eq!(scene.now, at(i + 4));
        assert_eq!(scene.history.last(), Some(&(at(i + 4), value(i + 4))), "the value beside now is that of now");
        assert_eq!(scene.raised, Some((prediction.raised_at, prediction.current_value)));
    }
}
