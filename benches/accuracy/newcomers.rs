//! The first day of a series among its siblings: the engine's forecast of the hours to come from two, six and twelve hours of the series' own,
//! with what it inherits, against the same engine that knows no siblings, and against the last hour going on.
//!
//! Each series of a bundled set that has two siblings at least (those whose names differ only in their number) is left out of its set's first
//! days and comes in as a pod that has just been started. Where the engine without siblings has no forecast yet, the last hour goes on
//! for it, with the level's own interval.

use std::sync::Arc;

use portent::core::engine::{Engine, Input, Judged};
use portent::core::frame::{FrameBuilder, Grid};
use portent::core::labels::Labels;
use portent::core::time::{Span, Timestamp};
use portent_models::accuracy::seasonal_naive_scale;
use portent_models::forecast::{Bounds, Context, Ensemble, fit_or_level};

use super::data::{Series, Set};
use super::line::Line;
use super::portent::Portent;

/// Hours after the first one of the set at which the newcomer starts: a morning, an evening and a night.
const STARTS_H: [i64; 3] = [8 * 24 + 7, 9 * 24 + 18, 11 * 24 + 1];
/// Hours of its own at which it is asked about.
const ASKED_H: [i64; 3] = [2, 6, 12];
/// Hours ahead that are judged.
const AHEAD: usize = 24;
const LEAST_SIBLINGS: usize = 2;
const LEVEL: f64 = 0.95;

/// Errors in units of a day's usual change, and whether the truth lay inside.
#[derive(Default)]
struct Figures {
    errors: Vec<f64>,
    inside: Vec<f64>,
}

/// Median and interval of each hour ahead.
type Told = Vec<(f64, [f64; 2])>;

pub fn measure(_: &Portent, sets: &[Set]) -> Vec<Line> {
    let mut lines = Vec::new();
    for set in sets {
        let mut figures: [Figures; 3] = Default::default();
        for newcomer in &set.series {
            let siblings: Vec<&Series> =
                set.series.iter().filter(|s| s.name != newcomer.name && stem(&s.name) == stem(&newcomer.name)).collect();
            if siblings.len() >= LEAST_SIBLINGS {
                for start in STARTS_H {
                    judge(set, newcomer, &siblings, start, &mut figures);
                }
            }
        }
        let [with, without, naive] = &figures;
        for (rival, rival_name) in [(without, "the same without siblings"), (naive, "the last hour goes on")] {
            for (metric, ours, theirs) in
                [("first day, scaled error", &with.errors, &rival.errors), ("first day, inside the 95 %", &with.inside, &rival.inside)]
            {
                let line = Line {
                    part: "newcomers",
                    set: set.card.name.clone(),
                    metric,
                    ours: mean(ours),
                    rival: mean(theirs),
                    rival_name,
                    of: ours.len(),
                };
                lines.extend((!ours.is_empty()).then_some(line));
            }
        }
    }
    lines
}

/// The name without the number at its end; all of it where that is no number of a copy (metrics of one server are no siblings).
fn stem(name: &str) -> &str {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.ends_with('-') { stem } else { name }
}

fn judge(set: &Set, newcomer: &Series, siblings: &[&Series], start_h: i64, figures: &mut [Figures; 3]) {
    let begin = Timestamp::from_millis((newcomer.times[0] * 1e3) as i64);
    let starts = begin + Span::HOUR.times(start_h);
    let truth = hours(newcomer, begin);
    let first = start_h as usize;
    if truth.len() < first + ASKED_H[2] as usize + AHEAD + 1 {
        return;
    }
    let scale = seasonal_naive_scale(&truth, 24);
    if !scale.is_finite() || scale <= 0.0 {
        return;
    }
    let (mut with, mut without) = (World::new(set, newcomer, siblings, "one"), World::new(set, newcomer, siblings, "another"));
    for asked in ASKED_H {
        let now = starts + Span::HOUR.times(asked) + Span::MINUTE.times(5);
        let own = &truth[first..first + asked as usize];
        let last = own.iter().rev().copied().find(|v| v.is_finite()).unwrap_or(f64::NAN);
        let naive = || naive(own, last);
        let told = [with.told(starts, now), without.told(starts, now).or_else(|| Some(naive())), Some(naive())];
        for (figures, told) in figures.iter_mut().zip(told) {
            let Some(told) = told else { continue };
            for (h, (median, [lower, upper])) in told.iter().enumerate() {
                let value = truth[first + asked as usize + 1 + h];
                if value.is_finite() {
                    figures.errors.push((value - median).abs() / scale);
                    figures.inside.push(f64::from(u8::from((*lower..=*upper).contains(&value))));
                }
            }
        }
    }
}

/// The last hour goes on, as a walk of its own largest steps.
fn naive(own: &[f64], last: f64) -> Told {
    let context = Context::new(&own[own.len().saturating_sub(6)..], 0, Bounds::default());
    let fitted = fit_or_level(&Ensemble, &context, AHEAD).unwrap();
    (0..AHEAD).map(|h| (last, fitted.bounds(h, [LEVEL], 1.0).unwrap()[0])).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Means of whole hours since `begin`.
fn hours(series: &Series, begin: Timestamp) -> Vec<f64> {
    let hour = |at: &f64| ((at - begin.as_secs_f64()) / 3_600.0).floor() as usize;
    let mut sums = vec![(0.0, 0.0); series.times.last().map_or(0, hour) + 1];
    for (at, value) in series.times.iter().zip(&series.values).filter(|(_, value)| value.is_finite()) {
        let (sum, count) = &mut sums[hour(at)];
        (*sum, *count) = (*sum + value, *count + 1.0);
    }
    sums.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { f64::NAN }).collect()
}

/// An engine with the siblings, and the newcomer under the workload of its choice.
struct World<'a> {
    engine: Engine,
    rows: Vec<(Labels, &'a Series)>,
    step: Span,
    fed: Timestamp,
}

impl<'a> World<'a> {
    fn new(set: &Set, newcomer: &'a Series, siblings: &[&'a Series], workload: &str) -> Self {
        let step = Span::from_secs(set.step_s() as i64);
        let text = format!(
            "sources: [{{ name: a, prometheus: {{ url: \"http://127.0.0.1:1\" }} }}]\nwatches: [{{ name: w, query: x, step: {step}, above: 1e9, horizon: 30h }}]\n"
        );
        let watches = portent::config::parse(&text, "bench").unwrap().watches;
        let labels = |workload: &str, pod: &str| Labels::from_pairs([("workload", workload), ("pod", pod)]).unwrap();
        let mut rows = vec![(labels(workload, &newcomer.name), newcomer)];
        rows.extend(siblings.iter().map(|series| (labels("one", &series.name), *series)));
        let fed = Timestamp::from_millis((newcomer.times[0] * 1e3) as i64);
        Self { engine: Engine::new(watches.into_iter().map(Arc::new), []), rows, step, fed }
    }

    /// Up to `now`, the newcomer from its start on; then what the engine says about it.
    fn told(&mut self, starts: Timestamp, now: Timestamp) -> Option<Told> {
        let grid = Grid { start: self.fed, step: self.step, len: ((now - self.fed).as_millis() / self.step.as_millis()) as usize };
        let mut builder = FrameBuilder::new(grid);
        for (place, (labels, series)) in self.rows.iter().enumerate() {
            let row = builder.row_of(labels);
            for (at, value) in series.times.iter().zip(&series.values) {
                let at = Timestamp::from_millis((at * 1e3) as i64);
                if let Some(column) = grid.index_of(at).filter(|_| place > 0 || at >= starts) {
                    builder.set(row, column, *value);
                }
            }
        }
        let frame = builder.finish();
        let judging = Judged::from(Timestamp::MAX);
        self.engine.step(now, Input::Samples { watch: 0, frame: &frame, thresholds: None, judging });
        self.fed = grid.at(grid.len);
        let (view, fit) = self.engine.find(0, self.rows[0].0.id())?;
        let fit = fit?;
        let at = grid.last();
        let (shift, persistence) = (fit.shift(view.block, view.row, at), fit.fitted.errors().persistence());
        // The first step is the open hour.
        (1..=AHEAD)
            .map(|ahead| {
                let median = fit.fitted.median().get(ahead)? + shift * persistence.powi(ahead as i32);
                Some((median, fit.interval(view.block, view.row, at, ahead, [LEVEL], 1.0)?[0]))
            })
            .collect()
    }
}
