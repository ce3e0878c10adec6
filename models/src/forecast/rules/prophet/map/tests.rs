//! The optimizer beside the density that it climbs, written down a second time as Stan has it.

use super::*;
use crate::forecast::conformance::noise;

/// A year's quarter of days: bends at a third and two thirds, one of them true, and a weekly wave.
fn data() -> Data {
    let n = 90;
    let t: Vec<f64> = (0..n).map(|i| i as f64 / (n - 1) as f64).collect();
    let wave = |t: f64| (t * 40.0).sin();
    Data {
        T: n as i32,
        y: t.iter().enumerate().map(|(i, t)| 0.2 + 0.3 * t + 0.9 * (t - 0.33).max(0.0) + 0.15 * wave(*t) + 0.05 * noise(i)).collect(),
        cap: vec![0.0; n],
        S: 2,
        t_change: vec![0.33, 0.66],
        trend_indicator: TrendIndicator::Linear,
        K: 2,
        s_a: vec![1, 1],
        s_m: vec![0, 0],
        X: t.iter().flat_map(|t| [wave(*t), (t * 40.0).cos()]).collect(),
        sigmas: vec![PositiveFloat::try_new(10.0).unwrap(); 2],
        tau: PositiveFloat::try_new(0.05).unwrap(),
        t,
    }
}

fn init(data: &Data) -> InitialParams {
    InitialParams {
        k: 0.0,
        m: 0.0,
        delta: vec![0.0; data.t_change.len()],
        beta: vec![0.0; data.sigmas.len()],
        sigma_obs: PositiveFloat::one(),
    }
}

/// prophet.stan, line by line: the negative log density of k, m, σ, δ..., β..., constants left out.
fn stan(data: &Data, at: &[f64]) -> f64 {
    let (k, m, sigma) = (at[0], at[1], at[2]);
    let (delta, beta) = at[3..].split_at(data.t_change.len());
    let mut density = k * k / 50.0 + m * m / 50.0 + sigma * sigma / (2.0 * 0.25);
    density += delta.iter().map(|d| d.abs() / f64::from(data.tau)).sum::<f64>();
    density += beta.iter().zip(&data.sigmas).map(|(b, s)| b * b / (2.0 * f64::from(*s).powi(2))).sum::<f64>();
    for (i, (t, y)) in data.t.iter().zip(&data.y).enumerate() {
        let passed = || delta.iter().zip(&data.t_change).filter(|(_, change)| *t >= **change);
        let rate = k + passed().map(|(d, _)| d).sum::<f64>();
        let offset = m - passed().map(|(d, change)| d * change).sum::<f64>();
        let features: f64 = beta.iter().enumerate().map(|(f, b)| b * data.X[i * beta.len() + f] * f64::from(data.s_a[f])).sum();
        let miss = y - (rate * t + offset) - features;
        density += sigma.ln() + miss * miss / (2.0 * sigma * sigma);
    }
    density
}

fn flat(found: &OptimizedParams) -> Vec<f64> {
    [found.k, found.m, f64::from(found.sigma_obs)].into_iter().chain(found.delta.clone()).chain(found.beta.clone()).collect()
}

#[test]
fn the_gradient_of_stans_density_vanishes_where_it_ends() {
    let data = data();
    let found = Posterior.optimize(&init(&data), &data, &OptimizeOpts::default()).unwrap();
    let at = flat(&found);
    for i in 0..at.len() {
        let by = |step: f64| {
            let mut moved = at.clone();
            moved[i] += step;
            stan(&data, &moved)
        };
        let (step, bend) = (1e-6, (3..5).contains(&i));
        // The density is curved like n / sigma²; a hundredth of a standard error is as good as the top.
        let slope = (by(step) - by(-step)) / (2.0 * step);
        let curve = (by(1e-4) - 2.0 * by(0.0) + by(-1e-4)) / 1e-8;
        let at_kink = bend && at[i].abs() < 1e-4;
        assert!(at_kink || slope.abs() < 0.03 * curve.abs().sqrt(), "{i}: {slope} of curve {curve} at {at:?}");
        assert!(!at_kink || (by(1e-3) > by(0.0) && by(-1e-3) > by(0.0)), "{i}: the kink is no least: {at:?}");
    }
    // The bend that was made is found, less what its prior takes; the other is none.
    assert!((found.delta[0] - 0.9).abs() < 0.1 && found.delta[1].abs() < 0.05, "{found:?}");
    assert!((found.beta[0] - 0.15).abs() < 0.01 && (f64::from(found.sigma_obs) - 0.0144).abs() < 0.004, "{found:?}");
}

#[test]
fn it_never_climbs_and_ends_lower_than_anything_near() {
    let data = data();
    let after = |turns: u32| {
        let opts = OptimizeOpts { iter: Some(turns), ..OptimizeOpts::default() };
        stan(&data, &flat(&Posterior.optimize(&init(&data), &data, &opts).unwrap()))
    };
    let course: Vec<f64> = (1..20).map(after).collect();
    assert!(course.windows(2).all(|w| w[1] <= w[0] + 1e-9), "{course:?}");
    let best = flat(&Posterior.optimize(&init(&data), &data, &OptimizeOpts::default()).unwrap());
    for seed in 0..200 {
        let near: Vec<f64> =
            best.iter().enumerate().map(|(i, w)| w * (1.0 + 0.1 * noise(seed * 97 + i)) + 1e-3 * noise(seed * 89 + i)).collect();
        assert!(stan(&data, &near) >= stan(&data, &best) - 1e-4, "{near:?}");
    }
}

#[test]
fn the_order_of_features_moves_no_digit_and_what_it_cannot_do_it_refuses() {
    let data = data();
    let found = Posterior.optimize(&init(&data), &data, &OptimizeOpts::default()).unwrap();
    let mut other = data.clone();
    other.X = data.X.chunks_exact(2).flat_map(|row| [row[1], row[0]]).collect();
    let turned = Posterior.optimize(&init(&other), &other, &OptimizeOpts::default()).unwrap();
    assert_eq!((found.beta[0], found.beta[1], found.k, found.trend), (turned.beta[1], turned.beta[0], turned.k, turned.trend));
    let flat = Data { trend_indicator: TrendIndicator::Flat, ..data.clone() };
    let found = Posterior.optimize(&init(&flat), &flat, &OptimizeOpts::default()).unwrap();
    assert_eq!((found.k, found.delta), (0.0, vec![0.0; 2]));
    for refused in [Data { trend_indicator: TrendIndicator::Logistic, ..data.clone() }, Data { s_m: vec![0, 1], ..data }] {
        assert!(Posterior.optimize(&init(&refused), &refused, &OptimizeOpts::default()).is_err());
    }
}
