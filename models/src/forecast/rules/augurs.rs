//! Models of the augurs crate behind our own types: MSTL (decomposition and a naive trend) and ETS (automatic exponential smoothing).
//!
//! Both are asked for their point forecast only. MSTL computes in f32, so values are centred and scaled before; ETS there has no season
//! and costs a second on long series, so it gets the seasonally adjusted last weeks and is judged at few origins.

use augurs::ets::AutoETS;
use augurs::ets::trend::AutoETSTrendModel;
use augurs::mstl::MSTLModel;
use augurs::{Fit, Predict};

use super::super::told::{Past, Rule, Told};
use crate::moments::Moments;

/// Multiple seasonal-trend decomposition by LOESS (Bandara, Hyndman and Bergmeir 2021) with an ETS trend.
pub(in super::super) struct Mstl;

/// Automatic exponential smoothing (Hyndman et al. 2002) of the seasonally adjusted series, plus the season.
pub(in super::super) struct Ets;

/// Origins, the present among them, that either is asked at: each is a fit of its own.
const MAX_JUDGED: usize = 13;

/// Points that ETS is fitted to: 0.03 s for 168 points, seconds for 10,000.
const ETS_POINTS: usize = 336;

impl Rule for Mstl {
    fn name(&self) -> &'static str {
        "mstl"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        let season = past.season;
        if season == 0 {
            return;
        }
        let judged = past.origins.len().saturating_sub(MAX_JUDGED);
        for (o, &origin) in past.origins.iter().enumerate().skip(judged).filter(|(_, origin)| **origin >= 2 * season) {
            told.write(o, |out| {
                let (scaled, mean, sigma) = standardized(&past.values[..origin]);
                let trend = AutoETSTrendModel::from(AutoETS::non_seasonal());
                let Ok(fitted) = MSTLModel::new(vec![season], trend).fit(scaled.as_slice()) else { return false };
                let Ok(forecast) = fitted.predict(out.len(), None) else { return false };
                out.iter_mut().zip(forecast.point).for_each(|(o, z)| *o = mean + sigma * z);
                true
            });
        }
    }
}

impl Rule for Ets {
    fn name(&self) -> &'static str {
        "ets"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        for (o, &origin) in past.origins.iter().enumerate().skip(past.origins.len().saturating_sub(MAX_JUDGED)) {
            let (values, season) = (&past.values[..origin], past.season);
            let shape = if season > 0 && origin >= 2 * season { seasonal_shape(values, season) } else { vec![0.0] };
            let from = origin.saturating_sub(ETS_POINTS);
            let adjusted: Vec<f64> = (from..origin).map(|i| values[i] - shape[i % shape.len()]).collect();
            let (scaled, mean, sigma) = standardized(&adjusted);
            told.write(o, |out| {
                let Ok(fitted) = AutoETS::non_seasonal().fit(scaled.as_slice()) else { return false };
                let Ok(forecast) = fitted.predict(out.len(), None) else { return false };
                out.iter_mut().zip(forecast.point).enumerate().for_each(|(h, (o, z))| {
                    *o = mean + sigma * z + shape[(origin + h) % shape.len()];
                });
                true
            });
        }
    }
}

fn standardized(values: &[f64]) -> (Vec<f64>, f64, f64) {
    let moments: Moments = values.iter().copied().collect();
    let sigma = if moments.sigma() > 0.0 { moments.sigma() } else { 1.0 };
    (values.iter().map(|v| (v - moments.mean) / sigma).collect(), moments.mean, sigma)
}

/// Mean deviation of each slot of the season from its season's mean.
fn seasonal_shape(past: &[f64], season: usize) -> Vec<f64> {
    let seasons = past.len() / season;
    let start = past.len() - seasons * season;
    let mut shape = vec![0.0; season];
    for day in past[start..].chunks_exact(season) {
        let mean = day.iter().sum::<f64>() / season as f64;
        for (slot, value) in day.iter().enumerate() {
            shape[(start + slot) % season] += (value - mean) / seasons as f64;
        }
    }
    shape
}
