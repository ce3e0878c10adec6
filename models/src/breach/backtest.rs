//! How wrong each path was about the crest of past windows of the same length: its bias, its scale, and so what its word is worth now.

use super::crest::crest;
use super::history::History;
use super::odds::{logit, squash};
use super::paths::{PATHS, RULES, Rule};
use crate::robust::{median_mut, weighted_median_mut};
use statrs::distribution::{ContinuousCDF, Normal};

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
pub fn weight(i: usize) -> f64 {
    0.5_f64.powf(i as f64 / HALF_LIFE_ORIGINS)
}

/// One path and its record.
#[derive(Clone, Debug)]
pub struct Judged {
    pub rule: Rule,
    pub name: &'static str,
    /// The path from now.
    pub path: Vec<f64>,
    /// Its crest, bias taken off.
    pub crest: f64,
    pub bias: f64,
    pub scale: f64,
    /// True crest minus predicted, newest origin first, with weights.
    pub errors: Vec<(f64, f64)>,
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
        let mut buffer = vec![0.0; horizon];
        let judged = RULES.map(|(name, rule)| {
            let mut path = vec![0.0; horizon];
            if !rule(history, history.len(), &mut path) || !path.iter().all(|v| v.is_finite()) {
                return None;
            }
            let mut errors = Vec::with_capacity(origins.len());
            for (i, &origin) in origins.iter().enumerate() {
                if rule(history, origin, &mut buffer) {
                    let error = crests[origin] - crest(&buffer, sustain);
                    if error.is_finite() {
                        errors.push((error, weight(i)));
                    }
                }
            }
            // A rule that could not be judged at half of the origins has no record.
            if errors.is_empty() || errors.len() * 2 < origins.len() {
                return None;
            }
            Some(Judged::new(rule, name, path, errors, history.noise(), sustain, threshold))
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
    fn new(rule: Rule, name: &'static str, path: Vec<f64>, errors: Vec<(f64, f64)>, noise: f64, sustain: usize, threshold: f64) -> Self {
        let count = errors.len() as f64;
        let bias = weighted_median_mut(&mut errors.clone()) * count / (count + UNBIASED_ORIGINS);
        let mut sizes: Vec<f64> = errors.iter().map(|(e, _)| (e - bias).abs()).collect();
        let typical = median_mut(&mut sizes);
        let total: f64 = errors.iter().map(|(_, w)| w).sum();
        // Wild errors count as large ones, and no more.
        let most = (4.0 * typical).max(1e-3);
        let square = errors.iter().map(|(e, w)| w * (e - bias).abs().min(most).powi(2)).sum::<f64>() / total;
        let floor = 0.5 * noise + 1e-4;
        let scale = (square + floor * floor).sqrt() * (1.0 + 2.0 / count);
        let crest = crest(&path, sustain) + bias;
        let z = (crest - threshold) / scale;
        let width = 0.4 * scale;
        let normal = Normal::standard();
        let raw = crest - bias;
        let over: f64 = errors.iter().map(|(e, w)| w * normal.cdf((raw + e - threshold) / width)).sum();
        let log_odds = logit((over + 0.15) / (total + 0.5));
        Self { rule, name, path, crest, bias, scale, errors, z: squash(z, 4.0), log_odds }
    }
}
