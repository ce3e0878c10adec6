//! How wrong each path was about the crest of past windows of the same length: its bias, its scale, and so what its word is worth now.

use super::crest::{crest, first};
use super::history::History;
use super::odds::{logit, normal_share, squash};
use super::paths::{PATHS, RULES};
use super::sorted::median;
use crate::robust::weighted_median_mut;

/// Past origins at most; more cost time linearly and are about older days.
pub const MAX_ORIGINS: usize = 28;
/// So many same-time origins are enough; with fewer, others of the day are taken too.
const ENOUGH_DAYS: usize = 12;
/// An error this many origins back counts half.
const HALF_LIFE_ORIGINS: f64 = 10.0;
/// Bias is trusted as if so many origins more had shown none.
const UNBIASED_ORIGINS: f64 = 3.0;

/// Origins (values before the index are known) with a whole window after them, newest first.
pub fn origins(history: &History, horizon: usize) -> Vec<usize> {
    let (n, day) = (history.len(), history.day());
    let Some(last) = n.checked_sub(horizon) else { return Vec::new() };
    let first = if day > 0 { (2 * day + 1).min(n / 2) } else { n / 3 }.max(8);
    if last < first {
        return Vec::new();
    }
    if day > 0 {
        let days = horizon.div_ceil(day);
        let same_time: Vec<usize> = (days..).map_while(|j| n.checked_sub(j * day)).take_while(|o| *o >= first).take(MAX_ORIGINS).collect();
        if same_time.len() >= ENOUGH_DAYS {
            return same_time;
        }
    }
    let count = MAX_ORIGINS.min(last - first + 1);
    (0..count).map(|i| if count == 1 { last } else { last - (last - first) * i / (count - 1) }).collect()
}

/// Weight of the origin that is `i`-th back.
fn weight(i: usize) -> f64 {
    0.5_f64.powf(i as f64 / HALF_LIFE_ORIGINS)
}

/// One path and its record.
#[derive(Clone, Debug)]
pub struct Judged {
    pub name: &'static str,
    /// The path's crest, bias taken off.
    pub crest: f64,
    pub bias: f64,
    pub scale: f64,
    /// True crest minus predicted, newest origin first, with weights.
    pub errors: Vec<(f64, f64)>,
    /// Step from now at which the path, with its error of a past origin laid on it, reaches the threshold; with the same weights.
    pub crossings: Vec<(Option<f64>, f64)>,
    /// How far the crest lies past the threshold, in scales.
    pub z: f64,
    /// Log odds that it will, from the errors one by one.
    pub log_odds: f64,
}

/// All paths; `None` where a rule has nothing to say now or had not at too few origins.
#[derive(Clone, Debug)]
pub struct Backtest {
    pub judged: [Option<Judged>; PATHS],
    pub origins: usize,
}

impl Backtest {
    /// `crests` as [`crests`](super::crest::crests) gives them for this history and horizon.
    pub fn new(history: &History, crests: &[f64], horizon: usize, sustain: usize, threshold: f64) -> Self {
        let origins = origins(history, horizon);
        let weights: Vec<f64> = (0..origins.len()).map(weight).collect();
        let values = history.values();
        let (mut path, mut then) = (vec![0.0; horizon], vec![0.0; horizon]);
        let judged = RULES.map(|(name, rule)| {
            if !rule(history, history.len(), &mut path) || !path.iter().all(|v| v.is_finite()) {
                return None;
            }
            let mut errors = Vec::with_capacity(origins.len());
            let mut crossings = Vec::with_capacity(origins.len());
            for (&origin, &weight) in origins.iter().zip(&weights) {
                if rule(history, origin, &mut then) {
                    let error = crests[origin] - crest(&then, sustain);
                    if error.is_finite() {
                        errors.push((error, weight));
                    }
                    for ((laid, path), truth) in then.iter_mut().zip(&path).zip(&values[origin..]) {
                        *laid = path + truth - *laid;
                    }
                    crossings.push((first(&then, sustain, threshold), weight));
                }
            }
            // A rule that could not be judged at half of the origins has no record.
            if errors.is_empty() || errors.len() * 2 < origins.len() {
                return None;
            }
            Some(Judged::new(name, crest(&path, sustain), errors, crossings, history.noise(), threshold))
        });
        Self { judged, origins: origins.len() }
    }

    /// Paths by the precision of their record, the best first.
    pub fn ranked(&self) -> Vec<&Judged> {
        let mut ranked: Vec<&Judged> = self.judged.iter().flatten().collect();
        ranked.sort_by(|a, b| a.scale.total_cmp(&b.scale));
        ranked
    }
}

impl Judged {
    fn new(name: &'static str, raw: f64, errors: Vec<(f64, f64)>, crossings: Vec<(Option<f64>, f64)>, noise: f64, threshold: f64) -> Self {
        let count = errors.len() as f64;
        let bias = weighted_median_mut(&mut errors.clone()) * count / (count + UNBIASED_ORIGINS);
        let typical = median(errors.iter().map(|(e, _)| (e - bias).abs()));
        let total: f64 = errors.iter().map(|(_, w)| w).sum();
        // Wild errors count as large ones, and no more.
        let most = (4.0 * typical).max(1e-3);
        let square = errors.iter().map(|(e, w)| w * (e - bias).abs().min(most).powi(2)).sum::<f64>() / total;
        let floor = 0.5 * noise + 1e-4;
        let scale = (square + floor * floor).sqrt() * (1.0 + 2.0 / count);
        let crest = raw + bias;
        let z = (crest - threshold) / scale;
        let width = 0.4 * scale;
        let raw = crest - bias;
        let over: f64 = errors.iter().map(|(e, w)| w * normal_share((raw + e - threshold) / width)).sum();
        let log_odds = logit((over + 0.15) / (total + 0.5));
        Self { name, crest, bias, scale, errors, crossings, z: squash(z, 4.0), log_odds }
    }
}
