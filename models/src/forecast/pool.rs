//! Rules side by side: what each says now and said at past origins, how wrong it was there, and what weight that gives it.
//!
//! Weights fall with the error a rule has lately made at this distance from the origin: who knows the next quarter of an hour is seldom who
//! knows tomorrow. Errors are taken relative to what all rules made of the same origin and averaged as logarithms, so that the one night on
//! which everybody was wrong does not decide. They are combined by weighted median, which one rule that runs away cannot pull along (means,
//! and picking the best, are clearly worse: what was best lately is itself noisy).

use super::rules::average;
use super::told::{Past, Rule, Told};
use crate::robust::{SIGMA_PER_MAD, median_mut, weighted_medians};

/// A rule whose errors are this many times the best one's has no say.
const WORST_RATIO: f64 = 2.0;
/// An error this many origins back counts half: a series that has begun to leak is not what it was, and the rules that see it must get
/// their say before its week is over.
const HALF_LIFE_ORIGINS: f64 = 16.0;
/// How sharply weight falls with error: of two rules, one twice as wrong has a sixteenth of the other's say.
const ERROR_POWER: i32 = 4;
/// An error this small against the others' is as good as none: logarithms must not run away.
const LEAST_RELATIVE: f64 = 1e-3;
/// Rules that are heard at a step: more change nothing but the time a median takes.
const MAX_HEARD: usize = 8;

/// A first step within this many typical ones is nothing new.
const USUAL_JUMPS: f64 = 4.0;
/// Distances from the origin that are weighed apart: each as far again as all before, from two steps on.
const FIRST_BLOCK: usize = 2;

/// Which block of distances a step (from 0) belongs to.
fn block(step: usize) -> usize {
    (step / FIRST_BLOCK + 1).ilog2() as usize
}

/// One rule's word.
struct Voice {
    name: &'static str,
    told: Told,
    /// Mean absolute error by origin (the present left out) and, within it, block; NaN where unknown.
    wrong: Vec<f64>,
    /// At how many past origins it spoke.
    spoke: usize,
    /// How far it jumps from the last value, against what is usual for it: 1 for a usual jump, less for a large one.
    trust: f64,
    /// By block; all blocks' add up to the number of blocks over the whole pool.
    weights: Vec<f64>,
}

impl Voice {
    /// `there` says which values are no gaps, where there are any; `step` is the series' usual change: values are never closer together. `None` where the rule has nothing to say now.
    fn judged(name: &'static str, told: Told, past: &Past<'_>, there: Option<&[bool]>, step: f64) -> Option<Self> {
        let (n, present) = (past.values.len(), past.origins.len() - 1);
        let now = told.path(present)?;
        let blocks = block(told.horizon().max(1) - 1) + 1;
        let mut wrong = vec![f64::NAN; present * blocks];
        let mut jumps = Vec::with_capacity(present);
        for ((o, &origin), wrong) in past.origins[..present].iter().enumerate().zip(wrong.chunks_exact_mut(blocks)) {
            let Some(path) = told.path(o) else { continue };
            jumps.push((path[0] - past.values[origin - 1]).abs());
            let truth = &past.values[origin..origin + path.len()];
            let there = there.map(|there| &there[origin..origin + path.len()]);
            let (mut from, mut width) = (0, FIRST_BLOCK);
            for wrong in wrong {
                let of = from..(from + width).min(path.len());
                if of.is_empty() {
                    break;
                }
                (from, width) = (of.end, 2 * width);
                *wrong = mean_error(&truth[of.clone()], &path[of.clone()], there.map(|there| &there[of]));
            }
        }
        let spoke = jumps.len();
        let usual = USUAL_JUMPS * (SIGMA_PER_MAD * if jumps.is_empty() { 0.0 } else { median_mut(&mut jumps) }).max(step);
        let jump = (now[0] - past.values[n - 1]).abs();
        let trust = if jump <= usual { 1.0 } else { (usual / jump) * (usual / jump) };
        Some(Self { name, told, wrong, spoke, trust, weights: Vec::with_capacity(blocks) })
    }
}

/// Mean absolute error where the truth is there; NaN where it is nowhere.
fn mean_error(truth: &[f64], predicted: &[f64], there: Option<&[bool]>) -> f64 {
    let errors = truth.iter().zip(predicted).map(|(truth, predicted)| (truth - predicted).abs());
    let (sum, count) = match there {
        None => (errors.sum::<f64>(), truth.len() as f64),
        Some(there) => errors.zip(there).filter(|(_, there)| **there).fold((0.0, 0.0), |(sum, count), (e, _)| (sum + e, count + 1.0)),
    };
    if count > 0.0 { sum / count } else { f64::NAN }
}

/// All rules that have something to say now.
pub(super) struct Pool {
    voices: Vec<Voice>,
}

impl Pool {
    /// `blends` names means of two of the rules that take part as rules of their own.
    pub(super) fn new(rules: &[&dyn Rule], blends: &[(&'static str, &str, &str)], past: &Past<'_>, horizon: usize) -> Self {
        let n = past.values.len();
        let mut steps: Vec<f64> = past.values.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
        let step = if steps.is_empty() { 0.0 } else { median_mut(&mut steps) };
        let mut voices: Vec<Voice> = Vec::with_capacity(rules.len() + blends.len());
        let (blank, there) = (Told::new(past.origins, n, horizon), past.context.gaps());
        for rule in rules {
            let mut told = blank.anew();
            rule.tell(past, &mut told);
            voices.extend(Voice::judged(rule.name(), told, past, there, step));
        }
        for (name, a, b) in blends {
            let told = |name: &str| voices.iter().find(|v| v.name == name).map(|v| &v.told);
            if let (Some(a), Some(b)) = (told(a), told(b)) {
                let mut mean = blank.anew();
                average(a, b, &mut mean);
                voices.extend(Voice::judged(name, mean, past, there, step));
            }
        }
        weigh(&mut voices, past.origins.len() - 1, block(horizon.max(1) - 1) + 1);
        Self { voices }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.voices.is_empty()
    }

    /// The combined path of one origin, as far as `out` is long; steps at which nobody spoke are NaN.
    pub(super) fn path(&self, origin: usize, out: &mut [f64]) {
        let mut speaking: [(&[f64], f64, f64); MAX_HEARD] = Default::default();
        let (mut from, mut width) = (0, FIRST_BLOCK);
        while from < out.len() {
            let to = (from + width).min(out.len());
            let b = block(from);
            let heard = self.voices.iter().filter(|voice| voice.weights[b] > 0.0);
            let heard = heard.filter_map(|voice| Some((&voice.told.path(origin)?[from..to], 0.0, voice.weights[b])));
            let count = speaking.iter_mut().zip(heard).map(|(place, voice)| *place = voice).count();
            weighted_medians(&speaking[..count], &mut out[from..to]);
            (from, width) = (to, 2 * width);
        }
    }

    /// Members by their mean weight over all distances, the heaviest first; the weights add up to 1.
    pub(super) fn shares(&self) -> Vec<(&'static str, f64)> {
        let mut shares: Vec<(&'static str, f64)> = self
            .voices
            .iter()
            .map(|v| (v.name, v.weights.iter().sum::<f64>() / v.weights.len().max(1) as f64))
            .filter(|(_, w)| *w > 0.0)
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }
}

/// A power of one over the error, block by block; nothing for the much worse, and for those who spoke at too few origins to compare.
fn weigh(voices: &mut [Voice], origins: usize, blocks: usize) {
    // What all rules on average made of an origin: one who was silent at the hard ones must not look good, and one wild day must not
    // outweigh all others.
    let mut known = vec![(0.0, 0.0); origins * blocks];
    for voice in &*voices {
        for ((sum, count), wrong) in known.iter_mut().zip(&voice.wrong) {
            let is_known = wrong.is_finite();
            *sum += if is_known { *wrong } else { 0.0 };
            *count += f64::from(u8::from(is_known));
        }
    }
    let hard: Vec<f64> = known.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { f64::NAN }).collect();
    let recent: Vec<f64> = (0..origins).map(|o| 0.5_f64.powf((origins - 1 - o) as f64 / HALF_LIFE_ORIGINS)).collect();
    let errors: Vec<Option<f64>> = voices.iter().flat_map(|v| relative_errors(v, &hard, &recent, blocks)).collect();
    let (mut raw, mut ranked) = (Vec::with_capacity(voices.len()), Vec::with_capacity(voices.len()));
    for b in 0..blocks {
        let of_block = || errors.iter().skip(b).step_by(blocks);
        let best = of_block().flatten().copied().fold(f64::INFINITY, f64::min);
        raw.clear();
        raw.extend(
            of_block()
                .zip(voices.iter())
                .map(|(e, v)| e.filter(|e| *e <= WORST_RATIO * best).map_or(0.0, |e| v.trust * (best / e).powi(ERROR_POWER))),
        );
        // Stable: of equals the first ones are heard.
        ranked.clear();
        ranked.extend(0..raw.len());
        ranked.sort_by(|&a: &usize, &b| f64::total_cmp(&raw[b], &raw[a]));
        ranked.iter().skip(MAX_HEARD).for_each(|&unheard| raw[unheard] = 0.0);
        let total: f64 = raw.iter().sum();
        for (i, (voice, weight)) in voices.iter_mut().zip(&raw).enumerate() {
            // No error is known yet: the first rule, the present level, alone speaks.
            let fallback = if i == 0 { 1.0 } else { 0.0 };
            voice.weights.push(if total > 0.0 && total.is_finite() { weight / total } else { fallback });
        }
    }
}

/// How wrong a voice was against all others, block by block: a mean of logarithms, those of recent origins counting more. `None` where it
/// spoke at too few.
fn relative_errors(voice: &Voice, hard: &[f64], recent: &[f64], blocks: usize) -> Vec<Option<f64>> {
    if 2 * voice.spoke <= recent.len() && !recent.is_empty() {
        return vec![None; blocks];
    }
    let mut sums = vec![(0.0, 0.0); blocks];
    let origins = voice.wrong.chunks_exact(blocks).zip(hard.chunks_exact(blocks)).zip(recent);
    for ((wrong, hard), recent) in origins {
        for ((sum, weight), (wrong, hard)) in sums.iter_mut().zip(wrong.iter().zip(hard)) {
            if wrong.is_finite() && hard.is_finite() {
                // Where nobody was wrong nobody was worse than another.
                let relative = if *hard > 0.0 { (wrong / hard).max(LEAST_RELATIVE) } else { 1.0 };
                *sum += recent * relative.ln();
                *weight += recent;
            }
        }
    }
    sums.into_iter().map(|(sum, weight)| Some(if weight > 0.0 { (sum / weight).exp() } else { 1.0 })).collect()
}
