//! What a stated probability has turned out to mean: a map from stated to observed, learnt from predictions whose truth has come.
//!
//! The shipped map is right on average over many kinds of series; one installation's disks may breach half as often as it says. The beta map
//! (Kull, Silva Filho, Flach, "Beta calibration", AISTATS 2017: log odds' = a ln p - b ln(1 - p) + c) bends both ends on its own and holds
//! the identity, which the step function of isotonic regression does not with a few dozen outcomes. It is drawn towards the identity by a
//! prior and *is* the identity until enough has been resolved. Outcomes fade, so that a changed world is learnt again. State is a handful of
//! sums a bin, whatever the number of outcomes; one map a kind of metric.

/// Bins of log odds, each half a unit wide, about zero: 2 % to 98 %.
const BINS: usize = 16;
const BIN_WIDTH: f64 = 0.5;
/// Nothing is changed before so many outcomes: with fewer, chance alone bends a map.
const MIN_OUTCOMES: f64 = 40.0;
/// ... of which so many of either sort.
const MIN_OF_EACH: f64 = 6.0;
/// An outcome counts half after so many more.
const HALF_LIFE_OUTCOMES: f64 = 400.0;
/// Weight of the identity: as a normal prior of sigma 0.5 on each of `a`, `b` and `c`.
const PRIOR: f64 = 4.0;
/// Newton's steps: convergence is quadratic, six are plenty from the identity.
const MAX_STEPS: usize = 12;
/// Stated probabilities are never surer than this.
const SURE: f64 = 1e-4;

/// Sums of the outcomes in one bin of stated probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Faded number of outcomes.
    pub count: f64,
    /// Of which came true.
    pub hits: f64,
    /// Sums of `ln p` and of `-ln(1 - p)` over them.
    pub log_p: f64,
    pub log_not_p: f64,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalibration {
    bins: [Bin; BINS],
    map: Map,
}

/// `logit p' = a ln p - b ln(1 - p) + c`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Map {
    a: f64,
    b: f64,
    c: f64,
}

const IDENTITY: Map = Map { a: 1.0, b: 1.0, c: 0.0 };

impl Default for Recalibration {
    fn default() -> Self {
        Self { bins: [Bin::default(); BINS], map: IDENTITY }
    }
}

impl Recalibration {
    /// From the bins of another one; those past the last are ignored, as is what cannot be (negative or not finite).
    pub fn from_bins(bins: &[Bin]) -> Self {
        let mut new = Self::default();
        for (to, from) in new.bins.iter_mut().zip(bins) {
            let sound = [from.count, from.hits, -from.log_p, from.log_not_p].iter().all(|v| v.is_finite() && *v >= 0.0);
            if sound && from.hits <= from.count {
                *to = *from;
            }
        }
        new.map = new.fit();
        new
    }

    /// All there is to keep.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// A prediction that stated `likelihood` (as the shipped map gave it, before this one) has come true or not.
    pub fn observe(&mut self, likelihood: f64, came_true: bool) {
        if !likelihood.is_finite() {
            return;
        }
        let p = likelihood.clamp(SURE, 1.0 - SURE);
        let fade = 0.5_f64.powf(1.0 / HALF_LIFE_OUTCOMES);
        for bin in &mut self.bins {
            *bin = Bin { count: bin.count * fade, hits: bin.hits * fade, log_p: bin.log_p * fade, log_not_p: bin.log_not_p * fade };
        }
        let at = ((p / (1.0 - p)).ln() / BIN_WIDTH + BINS as f64 / 2.0).clamp(0.0, BINS as f64 - 1.0) as usize;
        let bin = &mut self.bins[at];
        bin.count += 1.0;
        bin.hits += f64::from(u8::from(came_true));
        bin.log_p += p.ln();
        bin.log_not_p -= (1.0 - p).ln();
        self.map = self.fit();
    }

    /// Outcomes that count, faded ones in part.
    pub fn outcomes(&self) -> f64 {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// Whether anything is changed yet.
    pub fn is_identity(&self) -> bool {
        self.map == IDENTITY
    }

    /// What the stated likelihood has meant. Never falls as it rises; 0 and 1, which only certainty states, stay.
    pub fn apply(&self, likelihood: f64) -> f64 {
        if self.is_identity() || likelihood <= 0.0 || likelihood >= 1.0 {
            return likelihood;
        }
        let p = likelihood.clamp(SURE, 1.0 - SURE);
        1.0 / (1.0 + (-self.map.log_odds(p.ln(), -(1.0 - p).ln())).exp())
    }

    fn fit(&self) -> Map {
        let (count, hits) = self.bins.iter().fold((0.0, 0.0), |(c, h), bin| (c + bin.count, h + bin.hits));
        if count < MIN_OUTCOMES || hits < MIN_OF_EACH || count - hits < MIN_OF_EACH {
            return IDENTITY;
        }
        let mut map = IDENTITY;
        for _ in 0..MAX_STEPS {
            let mut gradient = [PRIOR * (1.0 - map.a), PRIOR * (1.0 - map.b), -PRIOR * map.c];
            let mut curvature = [[PRIOR, 0.0, 0.0], [0.0, PRIOR, 0.0], [0.0, 0.0, PRIOR]];
            for bin in self.bins.iter().filter(|bin| bin.count > 0.0) {
                let x = [bin.log_p / bin.count, bin.log_not_p / bin.count, 1.0];
                let p = 1.0 / (1.0 + (-map.log_odds(x[0], x[1])).exp());
                for i in 0..3 {
                    gradient[i] += (bin.hits - bin.count * p) * x[i];
                    for j in 0..3 {
                        curvature[i][j] += bin.count * p * (1.0 - p) * x[i] * x[j];
                    }
                }
            }
            let Some(step) = solve(curvature, gradient) else { return IDENTITY };
            // Neither slope may turn: a higher stated likelihood never means a lower one.
            map = Map { a: (map.a + step[0]).max(0.0), b: (map.b + step[1]).max(0.0), c: map.c + step[2] };
            if step.iter().all(|s| s.abs() < 1e-10) {
                break;
            }
        }
        if map.a.is_finite() && map.b.is_finite() && map.c.is_finite() { map } else { IDENTITY }
    }
}

impl Map {
    fn log_odds(self, log_p: f64, log_not_p: f64) -> f64 {
        self.a * log_p + self.b * log_not_p + self.c
    }
}

/// Cramer's rule; `None` where there is no single answer.
fn solve(m: [[f64; 3]; 3], y: [f64; 3]) -> Option<[f64; 3]> {
    let det = |m: &[[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let whole = det(&m);
    if whole.abs() < 1e-12 {
        return None;
    }
    Some(std::array::from_fn(|column| {
        let mut replaced = m;
        for (row, value) in replaced.iter_mut().zip(y) {
            row[column] = value;
        }
        det(&replaced) / whole
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Outcomes in the proportion `truth`, spread evenly.
    fn feed(map: &mut Recalibration, stated: f64, truth: f64, times: u32) {
        for i in 0..times {
            let before = (f64::from(i) * truth).floor();
            map.observe(stated, (f64::from(i + 1) * truth).floor() > before);
        }
    }

    #[test]
    fn it_is_the_identity_until_enough_is_known() {
        let mut map = Recalibration::default();
        feed(&mut map, 0.7, 0.5, 30);
        assert!(map.is_identity());
        assert_eq!(map.apply(0.7), 0.7);
        feed(&mut map, 0.7, 0.5, 30);
        assert!(!map.is_identity());
        // All of one sort teaches nothing about the other.
        let mut all = Recalibration::default();
        feed(&mut all, 0.7, 1.0, 300);
        assert!(all.is_identity());
    }

    #[test]
    fn overstated_odds_come_down_and_right_ones_stay() {
        let mut map = Recalibration::default();
        for _ in 0..20 {
            feed(&mut map, 0.8, 0.4, 10);
            feed(&mut map, 0.2, 0.1, 10);
        }
        assert!((map.apply(0.8) - 0.4).abs() < 0.06, "{}", map.apply(0.8));
        assert!((map.apply(0.2) - 0.1).abs() < 0.05, "{}", map.apply(0.2));
        let mut right = Recalibration::default();
        for _ in 0..20 {
            feed(&mut right, 0.8, 0.8, 10);
            feed(&mut right, 0.2, 0.2, 10);
        }
        for p in [0.05, 0.2, 0.5, 0.8, 0.95] {
            assert!((right.apply(p) - p).abs() < 0.03, "{p}: {}", right.apply(p));
        }
    }

    #[test]
    fn a_changed_world_is_learnt_again() {
        let mut map = Recalibration::default();
        feed(&mut map, 0.7, 0.3, 500);
        assert!(map.apply(0.7) < 0.4);
        feed(&mut map, 0.7, 0.7, 3_000);
        assert!((map.apply(0.7) - 0.7).abs() < 0.05, "{}", map.apply(0.7));
    }

    proptest! {
        #[test]
        fn it_never_falls_and_survives_a_round_trip(outcomes in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 0..300)) {
            let mut map = Recalibration::default();
            for (p, y) in &outcomes {
                map.observe(*p, *y);
            }
            let at: Vec<f64> = (0..=100).map(|i| map.apply(f64::from(i) / 100.0)).collect();
            prop_assert!(at.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!(at.windows(2).all(|w| w[1] >= w[0]), "{at:?}");
            prop_assert_eq!(Recalibration::from_bins(map.bins()), map);
        }
    }
}
