//! How right a detector's scores are: their ranking at all thresholds, and what alarms at one threshold are worth.

use std::ops::RangeInclusive;

/// Buffer widths and thresholds at which the volume is sampled: finer ones move the third digit.
const WIDTHS: usize = 12;
const LEVELS: usize = 200;

/// What is known of a series, sample by sample.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Whether the sample is odd.
    pub odd: Vec<bool>,
    /// Widest buffer around a stretch, in samples: about the length of one.
    pub buffer: usize,
}

/// Volume under the range precision-recall surface: the mean, over buffer widths, of the area under the precision-recall curve in which a
/// sample near an odd stretch counts in part and recall is weighed by the share of stretches that are met (Paparrizos et al., "Volume Under the Surface", VLDB
/// 2022). 1 at best, about the share of odd samples by chance; NaN where nothing is odd. Scores must not be NaN.
pub fn vus_pr(truth: &Truth, scores: &[f64]) -> f64 {
    if !truth.odd.contains(&true) || truth.odd.len() != scores.len() {
        return f64::NAN;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut thresholds: Vec<f64> = (0..LEVELS).map(|i| scores[order[(order.len() - 1) * i / (LEVELS - 1)]]).collect();
    thresholds.dedup();
    let width = |i: usize| truth.buffer as f64 * i as f64 / (WIDTHS - 1) as f64;
    (0..WIDTHS).map(|i| range_pr(&truth.odd, scores, &order, &thresholds, width(i) as usize)).sum::<f64>() / WIDTHS as f64
}

/// Stretches of samples for which it holds.
fn stretches(holds: impl Iterator<Item = bool>) -> Vec<RangeInclusive<usize>> {
    let mut found: Vec<RangeInclusive<usize>> = Vec::new();
    let mut before = false;
    for (i, holds) in holds.enumerate() {
        match found.last_mut() {
            Some(last) if holds && before => *last = *last.start()..=i,
            _ if holds => found.push(i..=i),
            _ => {}
        }
        before = holds;
    }
    found
}

fn range_pr(odd: &[bool], scores: &[f64], order: &[usize], thresholds: &[f64], width: usize) -> f64 {
    let n = odd.len();
    let mut soft: Vec<f64> = odd.iter().map(|odd| f64::from(u8::from(*odd))).collect();
    for stretch in stretches(odd.iter().copied()) {
        for d in 1..=width / 2 {
            let part = (1.0 - d as f64 / width as f64).sqrt();
            for at in [stretch.start().checked_sub(d), Some(stretch.end() + d).filter(|at| *at < n)].into_iter().flatten() {
                soft[at] = soft[at].max(part);
            }
        }
    }
    let total = odd.iter().filter(|odd| **odd).count() as f64;
    let best: Vec<f64> = stretches(soft.iter().map(|s| *s > 0.0))
        .into_iter()
        .map(|stretch| scores[stretch].iter().copied().fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let (mut taken, mut hits, mut extra, mut recall_before, mut area) = (0, 0.0, 0.0, 0.0, 0.0);
    for &threshold in thresholds {
        while taken < n && scores[order[taken]] >= threshold {
            let at = order[taken];
            hits += soft[at];
            extra += if odd[at] { 0.0 } else { soft[at] };
            taken += 1;
        }
        let met = best.iter().filter(|best| **best >= threshold).count() as f64 / best.len() as f64;
        // Samples of the buffer count as positives once they are predicted.
        let recall = (hits / (total + extra / 2.0)).min(1.0) * met;
        let precision = if taken > 0 { hits / taken as f64 } else { 1.0 };
        area += (recall - recall_before) * precision;
        recall_before = recall;
    }
    area
}

/// What alarms were worth, over any number of series: add them up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Alarms {
    pub incidents: usize,
    /// Incidents during which there was an alarm.
    pub met: usize,
    /// Alarms that overlap an incident, and those that do not.
    pub right: usize,
    pub wrong: usize,
    pub weeks: f64,
}

impl Alarms {
    pub fn recall(&self) -> f64 {
        self.met as f64 / self.incidents as f64
    }

    pub fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    pub fn wrong_a_week(&self) -> f64 {
        self.wrong as f64 / self.weeks
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            incidents: self.incidents + other.incidents,
            met: self.met + other.met,
            right: self.right + other.right,
            wrong: self.wrong + other.wrong,
            weeks: self.weeks + other.weeks,
        }
    }
}

/// Alarms of one series: samples at or past the threshold, those at most `merge` apart being one alarm. Times, `merge` and `incidents`
/// (inclusive) are in any one unit; `week` is a week in it, `step` what a sample stands for.
pub fn alarms(times: &[f64], scores: &[f64], threshold: f64, incidents: &[(f64, f64)], merge: f64, step: f64, week: f64) -> Alarms {
    let mut found: Vec<(f64, f64)> = Vec::new();
    for (&at, _) in times.iter().zip(scores).filter(|(_, score)| **score >= threshold) {
        match found.last_mut() {
            Some((_, end)) if at - *end <= merge => *end = at,
            _ => found.push((at, at)),
        }
    }
    let overlap = |a: &(f64, f64), b: &(f64, f64)| a.0 <= b.1 && b.0 <= a.1;
    let right = found.iter().filter(|alarm| incidents.iter().any(|incident| overlap(alarm, incident))).count();
    Alarms {
        incidents: incidents.len(),
        met: incidents.iter().filter(|incident| found.iter().any(|alarm| overlap(alarm, incident))).count(),
        right,
        wrong: found.len() - right,
        weeks: times.len() as f64 * step / week,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(buffer: usize) -> Truth {
        Truth { odd: (0..1000).map(|i| (500..520).contains(&i) || (800..810).contains(&i)).collect(), buffer }
    }

    #[test]
    fn a_perfect_ranking_has_all_and_a_constant_little() {
        let truth = truth(0);
        let perfect: Vec<f64> = truth.odd.iter().map(|odd| f64::from(u8::from(*odd))).collect();
        assert!((vus_pr(&truth, &perfect) - 1.0).abs() < 1e-9);
        let worst: Vec<f64> = perfect.iter().map(|p| 1.0 - p).collect();
        assert!(vus_pr(&truth, &worst) < 0.05 && vus_pr(&truth, &vec![0.5; 1000]) < 0.05);
        assert!(vus_pr(&Truth { odd: vec![false; 9], buffer: 0 }, &[0.0; 9]).is_nan());
    }

    #[test]
    fn near_counts_in_part_and_half_of_the_stretches_half() {
        let wide = truth(20);
        // A sample late in both stretches, and nothing else.
        let late: Vec<f64> = (0..1000).map(|i| f64::from(u8::from(i == 522 || i == 812))).collect();
        assert!(vus_pr(&wide, &late) > vus_pr(&truth(0), &late), "within the buffer it counts");
        let one: Vec<f64> = (0..1000).map(|i| f64::from(u8::from((500..520).contains(&i)))).collect();
        let both: Vec<f64> = wide.odd.iter().map(|odd| f64::from(u8::from(*odd))).collect();
        let (one, both) = (vus_pr(&wide, &one), vus_pr(&wide, &both));
        assert!(0.2 < one && one < 0.6 * both, "{one} {both}");
    }

    #[test]
    fn alarms_are_merged_and_counted_once() {
        let times: Vec<f64> = (0..100).map(f64::from).collect();
        let scores: Vec<f64> = (0..100).map(|i| f64::from(u8::from([10, 12, 13, 40, 70].contains(&i)))).collect();
        let found = alarms(&times, &scores, 1.0, &[(11.0, 20.0), (80.0, 90.0)], 2.0, 1.0, 50.0);
        assert_eq!(found, Alarms { incidents: 2, met: 1, right: 1, wrong: 2, weeks: 2.0 });
        assert_eq!((found.recall(), found.precision(), found.wrong_a_week()), (0.5, 1.0 / 3.0, 1.0));
    }
}
