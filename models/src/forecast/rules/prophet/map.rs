//! The most likely parameters of Prophet's model, found without Stan.
//!
//! With a trend of straight pieces (or none) and seasons that are added, the model is linear, and its negative log posterior is
//!
//! ```text
//! N ln σ + |y - Xθ|² / 2σ² + 2σ² + (k² + m²) / 50 + Σ |δ| / τ + Σ β² / 2s²      (prophet.stan; θ = k, m, δ, β)
//! ```
//!
//! Each |δ| lies below the parabola that touches it where it stands, δ²/2|δ₀| + |δ₀|/2 (Hunter and Li, "Variable selection using MM
//! algorithms", 2005), which leaves a ridge regression of a few dozen unknowns, and σ's best value has a closed form. By turns the two only
//! ever go down. A gradient descent (Stan's L-BFGS) passes over all samples hundreds of times and stumbles over the kinks at δ = 0, where
//! most of them end; here the samples are added up once.

use augurs::prophet::optimizer::{Data, Error, InitialParams, OptimizeOpts, OptimizedParams, Optimizer};
use augurs::prophet::{PositiveFloat, TrendIndicator};

use super::super::ridge::Ridge;

/// 1 / variance of the prior of k and m, and of σ: normal(0, 5) and normal(0, 0.5).
const TREND_PRECISION: f64 = 1.0 / 25.0;
const NOISE_PRECISION: f64 = 4.0;
/// Turns at most; it ends long before where the posterior is not flat.
const MAX_TURNS: u32 = 200;
/// A turn that gains less of the posterior is the last.
const LEAST_GAIN: f64 = 1e-7;
/// Noise is not taken to be less than this share of the range: nothing is gained below, and equations lose their digits.
const LEAST_NOISE: f64 = 1e-4;
/// |δ| below this counts as this: its parabola would be a spike.
const LEAST_BEND: f64 = 1e-7;

/// Finds the maximum of the posterior. For linear and flat trends with features that are added; others are refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posterior;

impl Optimizer for Posterior {
    fn optimize(&self, init: &InitialParams, data: &Data, opts: &OptimizeOpts) -> Result<OptimizedParams, Error> {
        let design = Design::of(data)?;
        let mut ridge = Ridge::new(design.priors.len());
        design.rows().zip(&data.y).for_each(|(row, y)| ridge.add(row, *y, 1.0));
        let count = data.y.len() as f64 - f64::from(u8::from(opts.jacobian == Some(true)));
        // Bends begin as large as their prior has them: from nought none would ever leave it.
        let mut bends = vec![f64::from(data.tau); design.bends];
        let mut noise = f64::from(init.sigma_obs);
        let (mut weights, mut before) = (Vec::new(), f64::INFINITY);
        for _ in 0..opts.iter.unwrap_or(MAX_TURNS).clamp(1, MAX_TURNS) {
            let penalty: Vec<f64> = design.priors.iter().map(|prior| noise * noise * prior.precision(&bends)).collect();
            if !ridge.solve_with(|i| penalty[i], &mut weights) {
                return Err(Error::static_str("the samples say nothing about the parameters"));
            }
            bends.copy_from_slice(&weights[design.trend..design.trend + design.bends]);
            let misses = design.rows().zip(&data.y).map(|(row, y)| y - dot(row, &weights)).map(|miss| miss * miss).sum::<f64>();
            noise = likeliest_noise(count, misses);
            let now =
                design.penalty(&weights) + count * noise.ln() + misses / (2.0 * noise * noise) + NOISE_PRECISION * noise * noise / 2.0;
            if before - now < LEAST_GAIN * (1.0 + now.abs()) {
                break;
            }
            before = now;
        }
        design.parameters(&weights, noise, data)
    }
}

/// Where N ln σ + misses / 2σ² + 2σ² is least: its derivative times σ³ is a square equation in σ².
fn likeliest_noise(count: f64, misses: f64) -> f64 {
    let root = (count * count + 4.0 * NOISE_PRECISION * misses).sqrt();
    // (-N + root) / 2p, without the difference of two near numbers.
    (2.0 * misses / (count + root)).sqrt().max(LEAST_NOISE)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What is believed of a weight before anything is seen.
#[derive(Clone, Copy, Debug)]
enum Prior {
    /// Normal around nought, with this 1 / variance.
    Normal(f64),
    /// Laplace around nought: the number of the bend, and 1 / scale.
    Laplace(usize, f64),
}

impl Prior {
    /// 1 / variance of a normal in its place, where bends are as they are.
    fn precision(self, bends: &[f64]) -> f64 {
        match self {
            Self::Normal(precision) => precision,
            Self::Laplace(bend, rate) => rate / bends[bend].abs().max(LEAST_BEND),
        }
    }
}

/// The model as a regression: columns are k (unless flat), m, the bends δ, the features.
struct Design {
    /// Row after row.
    cells: Vec<f64>,
    priors: Vec<Prior>,
    /// Columns of k and m, and of δ.
    trend: usize,
    bends: usize,
    /// Features in the order of their columns: by what they hold, since augurs has them in the order of a hash map, and sums depend on
    /// their order.
    features: Vec<usize>,
}

impl Design {
    fn of(data: &Data) -> Result<Self, Error> {
        if data.s_m.iter().any(|s| *s != 0) {
            return Err(Error::static_str("features that are multiplied with the trend are not for this optimizer"));
        }
        let bends = match data.trend_indicator {
            TrendIndicator::Linear => data.t_change.len(),
            TrendIndicator::Flat => 0,
            TrendIndicator::Logistic => return Err(Error::static_str("a logistic trend is not for this optimizer")),
        };
        let trend = if data.trend_indicator == TrendIndicator::Flat { 1 } else { 2 };
        let count = data.sigmas.len();
        if data.y.len() != data.t.len() || data.X.len() != count * data.t.len() || data.s_a.len() != count {
            return Err(Error::static_str("features and samples differ in number"));
        }
        let column = |feature: usize| data.X.iter().skip(feature).step_by(count);
        let mut features: Vec<usize> = (0..count).collect();
        features.sort_by(|a, b| {
            let differ = column(*a).zip(column(*b)).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
            differ.unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut cells = Vec::with_capacity(data.t.len() * (trend + bends + count));
        for (&t, row) in data.t.iter().zip(data.X.chunks_exact(count)) {
            if trend == 2 {
                cells.push(t);
            }
            cells.push(1.0);
            cells.extend(data.t_change[..bends].iter().map(|change| (t - change).max(0.0)));
            cells.extend(features.iter().map(|&f| row[f] * f64::from(data.s_a[f])));
        }
        let rate = 1.0 / f64::from(data.tau);
        let mut priors = vec![Prior::Normal(TREND_PRECISION); trend];
        priors.extend((0..bends).map(|bend| Prior::Laplace(bend, rate)));
        priors.extend(features.iter().map(|&f| Prior::Normal(f64::from(data.sigmas[f]).powi(-2))));
        Ok(Self { cells, priors, trend, bends, features })
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.cells.chunks_exact(self.priors.len())
    }

    /// The priors' part of the negative log posterior, constants left out.
    fn penalty(&self, weights: &[f64]) -> f64 {
        let one = |(prior, w): (&Prior, &f64)| match prior {
            Prior::Normal(precision) => precision * w * w / 2.0,
            Prior::Laplace(_, rate) => rate * w.abs(),
        };
        self.priors.iter().zip(weights).map(one).sum()
    }

    fn parameters(&self, weights: &[f64], noise: f64, data: &Data) -> Result<OptimizedParams, Error> {
        let (trend, rest) = weights.split_at(self.trend);
        let (bends, features) = rest.split_at(self.bends);
        let (k, m) = if let [k, m] = trend { (*k, *m) } else { (0.0, trend[0]) };
        let mut delta = bends.to_vec();
        delta.resize(data.t_change.len(), 0.0);
        let mut beta = vec![0.0; features.len()];
        self.features.iter().zip(features).for_each(|(&feature, weight)| beta[feature] = *weight);
        let trend = self.rows().map(|row| dot(&row[..self.trend + self.bends], weights)).collect();
        let sigma_obs = PositiveFloat::try_new(noise).map_err(Error::custom)?;
        Ok(OptimizedParams { k, m, sigma_obs, delta, beta, trend })
    }
}

#[cfg(test)]
mod tests;
