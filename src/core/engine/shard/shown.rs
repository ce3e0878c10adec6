//! What of a shard can be seen from outside: its series, what is told about them, and their present forecasts.

use super::Shard;
use crate::core::anomaly::Anomaly;
use crate::core::engine::calibration::Calibration;
use crate::core::engine::life::Life;
use crate::core::engine::row::SeriesView;
use crate::core::outlook::{Fit, Ring};
use crate::core::watch::{Side, Watch};

impl Shard {
    pub fn views<'a>(&'a self, learnt: &'a Calibration) -> impl Iterator<Item = SeriesView<'a>> {
        (0..self.rows.len()).map(move |row| self.view(row, learnt))
    }

    pub fn view<'a>(&'a self, row: usize, learnt: &'a Calibration) -> SeriesView<'a> {
        let state = &self.rows[row];
        SeriesView {
            labels: &state.labels,
            block: &self.block,
            row,
            threshold: state.threshold,
            likelihood: f64::from(state.likelihood),
            score: f64::from(state.score),
            scored: state.scored.as_ref(),
            anomaly: self.episodes.of(row),
            breached: state.breach.breached,
            lives: self.lives.get(&row).map_or(&[], Vec::as_slice),
            settled: &learnt.map,
            widths: learnt.widths,
        }
    }

    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.lives.values().flatten()
    }

    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.episodes.open().values()
    }

    fn breach_of(&self, row: usize, watch: &Watch) -> Option<(Side, f64)> {
        let threshold = self.rows[row].threshold;
        watch.limit.as_ref().filter(|_| !threshold.is_nan()).map(|limit| (limit.side, threshold))
    }

    /// The present fit of a row, made if need be and not kept.
    pub fn fit(&self, row: usize, watch: &Watch) -> Option<Fit> {
        let own = Watch { profile: self.selection(row, watch).profile, ..watch.clone() };
        let watch = &own;
        match self.fits.get(row).filter(|fit| fit.is_current(&self.block, self.rows[row].threshold)) {
            Some(fit) => Some(fit.clone()),
            None => {
                Fit::new(&self.block, row, watch, Ring::Coarse, self.breach_of(row, watch), self.heritage(row, watch).as_deref(), None).ok()
            }
        }
    }
}
