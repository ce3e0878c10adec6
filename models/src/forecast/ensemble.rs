//! The default: a weighted median of simple rules, each weighed by its own recent errors on this very series.
//!
//! Why not the best single rule: which one was best lately is itself noisy, and a median of several good ones is beaten by few
//! (Makridakis et al., "The M4 Competition", 2020). Why the median and not the mean: one rule that runs away does not pull it along.

use ndarray::Array2;

use super::members::{MEMBERS, since_reset};
use super::paths::{ErrorPaths, origins};
use super::{Context, FitError, Fitted, MIN_POINTS, Model};
use crate::robust::{SIGMA_PER_MAD, median_mut, weighted_median_mut};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Ensemble;

/// A rule whose errors are this many times the best one's has no say.
const WORST_RATIO: f64 = 2.0;

/// An error this many origins back counts half: a series that has begun to leak is not what it was, and the rules that see it must get
/// their say before its week is over.
const HALF_LIFE_ORIGINS: f64 = 8.0;
/// A first step within this many typical ones is nothing new.
const USUAL_JUMPS: f64 = 4.0;

const NAME: &str = "ensemble";

impl Model for Ensemble {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
        if context.present() < MIN_POINTS {
            return Err(FitError::TooShort { model: NAME, have: context.present(), need: MIN_POINTS });
        }
        let origins = origins(context, horizon);
        let since = since_reset(context.values());
        let pool: Vec<Judged> = MEMBERS.iter().filter_map(|member| Judged::new(context, member, &origins, horizon, &since)).collect();
        let weights = weigh(&pool, origins.len(), context);
        if weights.iter().all(|w| *w == 0.0) {
            return Err(FitError::Numerics { model: NAME, cause: "no rule gave a finite forecast".into() });
        }

        let combine = |pick: &dyn Fn(&Judged) -> Option<f64>| {
            let mut votes: Vec<(f64, f64)> =
                pool.iter().zip(&weights).filter(|(_, w)| **w > 0.0).filter_map(|(j, w)| pick(j).map(|value| (value, *w))).collect();
            weighted_median_mut(&mut votes)
        };
        let median: Vec<f64> = (0..horizon).map(|h| context.bounds().clamp(combine(&|j| Some(j.now[h])))).collect();
        let predicted = Array2::from_shape_fn((origins.len(), horizon), |(o, h)| combine(&|j| j.said[o].then(|| j.then[[o, h]])));
        let errors = ErrorPaths::new(context, &origins, &predicted);

        let mut shares: Vec<(&'static str, f64)> =
            pool.iter().zip(&weights).filter(|(_, w)| **w > 0.0).map(|(j, w)| (j.name, *w)).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(Fitted { model: NAME, median, errors, bounds: context.bounds(), weights: shares })
    }
}

/// One rule, what it says now, what it said at past origins, and how wrong it was.
struct Judged {
    name: &'static str,
    now: Vec<f64>,
    then: Array2<f64>,
    said: Vec<bool>,
    /// Mean absolute error at each origin that it spoke at; NaN elsewhere.
    wrong: Vec<f64>,
    /// Typical distance of its first step from the value before it, at past origins.
    typical_jump: f64,
}

impl Judged {
    fn new(context: &Context, member: &super::members::Member, origins: &[usize], horizon: usize, since: &[usize]) -> Option<Self> {
        let values = context.values();
        let mut now = vec![0.0; horizon];
        let says = |past: usize, out: &mut [f64]| {
            (member.rule)(&values[..past], if past >= 2 * context.season() { context.season() } else { 0 }, since[past - 1], out)
                && out.iter().all(|o| o.is_finite())
        };
        if !says(values.len(), &mut now) {
            return None;
        }
        let mut then = Array2::from_elem((origins.len(), horizon), f64::NAN);
        let mut said = vec![false; origins.len()];
        let mut wrong = vec![f64::NAN; origins.len()];
        let mut row = vec![0.0; horizon];
        let mut jumps = Vec::with_capacity(origins.len());
        for (o, &past) in origins.iter().enumerate() {
            if !says(past, &mut row) {
                continue;
            }
            jumps.push((row[0] - values[past - 1]).abs());
            said[o] = true;
            let (mut sum, mut count) = (0.0, 0.0);
            for (h, predicted) in row.iter().enumerate().take(values.len() - past) {
                let truth = context.truth(past + h);
                if truth.is_finite() {
                    sum += (truth - predicted).abs();
                    count += 1.0;
                }
            }
            if count > 0.0 {
                wrong[o] = sum / count;
            }
            then.row_mut(o).iter_mut().zip(&row).for_each(|(cell, value)| *cell = *value);
        }
        let typical_jump = SIGMA_PER_MAD * median_mut(&mut jumps);
        Some(Self { name: member.name, now, then, said, wrong, typical_jump })
    }
}

/// Weights that add up to 1: one over the mean error, nothing for the much worse and for those who spoke at too few origins to compare, and
/// less for those whose next value is further from the present one than their next values ever were: they speak of a world that is gone.
fn weigh(pool: &[Judged], origins: usize, context: &Context) -> Vec<f64> {
    let present = context.values().last().copied().unwrap_or(f64::NAN);
    // Values are never closer together than the series' own usual step.
    let mut steps: Vec<f64> = context.values().windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    let step = if steps.is_empty() { 0.0 } else { median_mut(&mut steps) };
    let trust = |judged: &Judged| {
        let (jump, usual) = ((judged.now[0] - present).abs(), USUAL_JUMPS * judged.typical_jump.max(step));
        if jump <= usual { 1.0 } else { (usual / jump) * (usual / jump) }
    };
    let mean = |judged: &Judged| {
        let known = judged.wrong.iter().filter(|w| w.is_finite()).count();
        let (mut sum, mut weight) = (0.0, 0.0);
        for (o, wrong) in judged.wrong.iter().enumerate().filter(|(_, w)| w.is_finite()) {
            let recent = 0.5_f64.powf((origins - 1 - o) as f64 / HALF_LIFE_ORIGINS);
            sum += recent * wrong;
            weight += recent;
        }
        (known * 2 > origins || origins == 0).then(|| if weight > 0.0 { sum / weight } else { 0.0 })
    };
    let errors: Vec<Option<f64>> = pool.iter().map(mean).collect();
    let best = errors.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    // A perfect rule on a perfect series: everything that is as perfect shares, nothing divides by zero.
    let floor = best.max(1e-12);
    let raw: Vec<f64> = errors
        .iter()
        .map(|e| e.filter(|e| *e <= WORST_RATIO * best + 1e-12).map_or(0.0, |e| 1.0 / e.max(floor)))
        .zip(pool.iter().map(trust))
        .map(|(weight, trust)| weight * trust)
        .collect();
    let total: f64 = raw.iter().sum();
    if total > 0.0 && total.is_finite() {
        return raw.iter().map(|w| w / total).collect();
    }
    // No error is known yet: the present level alone speaks.
    pool.iter().enumerate().map(|(i, _)| if i == 0 { 1.0 } else { 0.0 }).collect()
}
