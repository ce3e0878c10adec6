//! How right stated probabilities are.

/// Mean squared error of probabilities, and against always saying the base rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brier {
    /// Brier's score (1950): 0 at best.
    pub score: f64,
    /// 1 at best, 0 for who always says the base rate, below for who is worse than that (Murphy 1973).
    pub skill: f64,
    /// How often it came true.
    pub base_rate: f64,
}

/// Of stated probabilities and what came true; NaN of nothing, and the skill NaN where always the same happened.
pub fn brier(stated: &[f64], came: &[bool]) -> Brier {
    let n = came.len() as f64;
    let truth = || came.iter().map(|came| f64::from(u8::from(*came)));
    let base_rate = truth().sum::<f64>() / n;
    let score = stated.iter().zip(truth()).map(|(p, y)| (p - y) * (p - y)).sum::<f64>() / n;
    let constant = base_rate * (1.0 - base_rate);
    Brier { score, skill: if constant > 0.0 { 1.0 - score / constant } else { f64::NAN }, base_rate }
}

/// Mean precision over all recalls, equal probabilities taken together (as scikit-learn's `average_precision_score`): 1 at best, the base
/// rate by chance; NaN where nothing came true.
pub fn average_precision(stated: &[f64], came: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..stated.len().min(came.len())).collect();
    order.sort_by(|&a, &b| stated[b].total_cmp(&stated[a]));
    let total = came.iter().filter(|came| **came).count();
    let (mut hits, mut taken, mut area) = (0, 0, 0.0);
    for equal in order.chunk_by(|&a, &b| stated[a] == stated[b]) {
        let new = equal.iter().filter(|&&at| came[at]).count();
        taken += equal.len();
        hits += new;
        area += new as f64 / total as f64 * hits as f64 / taken as f64;
    }
    if total > 0 { area } else { f64::NAN }
}

/// What was stated and what came, of one range of probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The range's upper end.
    pub to: f64,
    pub count: usize,
    /// Means of what was stated and of what came.
    pub stated: f64,
    pub came: f64,
}

/// Reliability: of all questions answered with about the same probability, how many came true (Murphy, Winkler 1977). `edges` are upper
/// ends, rising, the last at least 1; empty ranges are left out.
pub fn reliability(stated: &[f64], came: &[bool], edges: &[f64]) -> Vec<Bin> {
    let mut from = f64::NEG_INFINITY;
    let mut bins = Vec::with_capacity(edges.len());
    for &to in edges {
        let of = || stated.iter().zip(came).filter(|(p, _)| from < **p && **p <= to);
        let count = of().count();
        if count > 0 {
            let n = count as f64;
            let yes = of().filter(|(_, came)| **came).count() as f64;
            bins.push(Bin { to, count, stated: of().map(|(p, _)| p).sum::<f64>() / n, came: yes / n });
        }
        from = to;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skill_is_against_the_base_rate() {
        let came = [true, false, false, false];
        let sure = brier(&[1.0, 0.0, 0.0, 0.0], &came);
        assert_eq!((sure.score, sure.skill, sure.base_rate), (0.0, 1.0, 0.25));
        assert!(brier(&[0.25; 4], &came).skill.abs() < 1e-12);
        assert!(brier(&[0.0, 1.0, 1.0, 1.0], &came).skill < -4.0);
        assert!(brier(&[0.5], &[true]).skill.is_nan());
    }

    #[test]
    fn precision_is_averaged_over_recall() {
        // Ranked yes, no, yes, no: (1/1 + 2/3) / 2.
        let ap = average_precision(&[0.9, 0.8, 0.7, 0.1], &[true, false, true, false]);
        assert!((ap - 5.0 / 6.0).abs() < 1e-12, "{ap}");
        assert_eq!(average_precision(&[0.3; 4], &[true, false, true, false]), 0.5);
        assert!(average_precision(&[0.3], &[false]).is_nan());
    }

    #[test]
    fn bins_hold_what_lies_in_them() {
        let bins = reliability(&[0.05, 0.1, 0.9, 1.0], &[false, true, true, true], &[0.1, 0.5, 1.0]);
        assert_eq!(bins.len(), 2);
        assert_eq!((bins[0].count, bins[0].came), (2, 0.5));
        assert!((bins[0].stated - 0.075).abs() < 1e-12);
        assert_eq!((bins[1].count, bins[1].came, bins[1].to), (2, 1.0, 1.0));
    }
}
