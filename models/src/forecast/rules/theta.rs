//! The theta method: half of the linear trend, the rest by simple exponential smoothing, on the seasonally adjusted series.
//!
//! Assimakopoulos and Nikolopoulos, "The theta model" (2000), in the form to which Hyndman and Billah (2003) reduced it: smoothing with a
//! drift of half the slope. Winner of the M3 competition; the smoothing gain is chosen among a few by past errors instead of by a search.

use super::super::told::{Past, Rule, Told};

const GAINS: [f64; 4] = [0.1, 0.3, 0.6, 0.9];
const HALF_LIFE_STEPS: f64 = 72.0;

/// See the module.
pub(in super::super) struct Theta;

impl Rule for Theta {
    fn name(&self) -> &'static str {
        "theta"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        let day = past.season.max(1);
        let keep = 0.5_f64.powf(1.0 / HALF_LIFE_STEPS);
        // Sums of the values at each slot and of deviations: the season as of an origin is the mean of what came before.
        let mut shape = vec![(0.0, 0.0); day];
        let mut level: Option<[f64; GAINS.len()]> = None;
        let mut wrong = [0.0; GAINS.len()];
        let (mut sum_y, mut sum_ty) = (0.0, 0.0);
        let mut window = 0.0;
        let mut next = 0;
        for (o, &origin) in past.origins.iter().enumerate() {
            while next < origin {
                let value = past.values[next];
                window += value - if next >= day { past.values[next - day] } else { 0.0 };
                let slot = &mut shape[next % day];
                let season = if slot.1 > 0.0 { slot.0 / slot.1 } else { 0.0 };
                let adjusted = value - season;
                let levels = level.get_or_insert([adjusted; GAINS.len()]);
                for (g, gain) in GAINS.iter().enumerate() {
                    let error = adjusted - levels[g];
                    wrong[g] = keep * wrong[g] + error.abs();
                    levels[g] += gain * error;
                }
                if past.season > 0 && next + 1 >= day {
                    slot.0 += value - window / day as f64;
                    slot.1 += 1.0;
                }
                sum_y += adjusted;
                sum_ty += next as f64 * adjusted;
                next += 1;
            }
            let Some(levels) = level.filter(|_| origin >= (2 * day).max(8)) else { continue };
            let n = origin as f64;
            let slope = (sum_ty - sum_y * (n - 1.0) / 2.0) / (n * (n * n - 1.0) / 12.0);
            let best = (0..GAINS.len()).min_by(|&a, &b| wrong[a].total_cmp(&wrong[b])).unwrap_or(0);
            told.write(o, |out| {
                for (h, o) in out.iter_mut().enumerate() {
                    let slot = shape[(origin + h) % day];
                    let season = if slot.1 > 0.0 { slot.0 / slot.1 } else { 0.0 };
                    *o = levels[best] + 0.5 * slope * (h + 1) as f64 + season;
                }
                true
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn the_season_stays_and_half_the_trend() {
        let value = |i: usize| 20.0 + 0.05 * i as f64 + 5.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin();
        let values: Vec<f64> = (0..480).map(value).collect();
        let path = said(&Theta, &values, 24, 48).unwrap();
        for (h, v) in path.iter().enumerate() {
            // Half of the growth is missing by design, and the level trails a little.
            assert!((v - value(480 + h)).abs() < 0.6 + 0.03 * h as f64, "{h}: {v} for {}", value(480 + h));
        }
    }
}
