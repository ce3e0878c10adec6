//! Up to 1,024 series of one watch: their baselines, their predictions, and what one sample after another does to them.
//!
//! Series do not look at each other here, so shards run side by side and the result does not depend on how many threads there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use portent_models::baseline::{Band, Block, Geometry};
use portent_models::breach::Recalibration;

use super::calibration::News;
use super::life::{BreachWatch, Life, Turn};
use super::row::{Row, SeriesView};
use super::wording;
use super::{Effect, Judged};
use crate::core::civil;
use crate::core::labels::Labels;
use crate::core::outlook::{self, Fit, Outlook, Ring};
use crate::core::playbook::Playbook;
use crate::core::prediction::{Anomaly, Cause, Eta, Prediction, PredictionId, State};
use crate::core::score::{self, Scored};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Limit, Side, Watch};

/// A series this likely to breach is looked at with every sample; the others once a bucket, or when they come half way nearer.
const HOT_LIKELIHOOD: f64 = 0.05;
/// Predictions of one series that wait for their truth at most. More would mean that hysteresis has failed; none is raised then.
const MAX_PENDING: usize = 4;
/// Samples in a row outside (inside) the band that begin (end) an anomaly.
const ANOMALY_AFTER: u16 = 3;
const ANOMALY_OVER_AFTER: u16 = 10;

/// One point in time, and what its samples are judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub at: Timestamp,
    pub watch: &'a Watch,
    pub playbooks: &'a [Arc<Playbook>],
    pub judging: Judged,
    /// What its watch's likelihoods have turned out to mean.
    pub settled: &'a Recalibration,
}

#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub block: Block,
    rows: Vec<Row>,
    fits: BTreeMap<usize, Fit>,
    fine_fits: BTreeMap<usize, Fit>,
    lives: BTreeMap<usize, Vec<Life>>,
    anomalies: BTreeMap<usize, Anomaly>,
    pub news: News,
    /// Whether anything changed since the last checkpoint.
    pub dirty: bool,
}

impl Shard {
    pub fn new(geometry: Geometry) -> Self {
        Self::with(Block::new(geometry), Vec::new(), BTreeMap::new())
    }

    /// A shard from a checkpoint; the block has a row for each of `rows`.
    pub fn with(block: Block, rows: Vec<Row>, anomalies: BTreeMap<usize, Anomaly>) -> Self {
        Self {
            block,
            rows,
            fits: BTreeMap::new(),
            fine_fits: BTreeMap::new(),
            lives: BTreeMap::new(),
            anomalies,
            news: News::default(),
            dirty: true,
        }
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn open_anomalies(&self) -> &BTreeMap<usize, Anomaly> {
        &self.anomalies
    }

    /// Room for a series: a new row, or the row of one that has been silent for a whole window. `None` when the shard is full.
    pub fn add(&mut self, labels: &Labels) -> Option<(usize, Option<Labels>)> {
        if let Some(row) = self.block.add_row() {
            self.rows.push(Row::new(labels.clone()));
            return Some((row, None));
        }
        // A row that has not had its first sample yet is new, not silent.
        let is_silent = |row: usize| self.block.last(row).is_some() && self.block.window(row).count == 0.0;
        let row = (0..self.rows.len()).find(|&row| is_silent(row) && !self.lives.contains_key(&row))?;
        self.block.clear_row(row);
        self.fits.remove(&row);
        self.fine_fits.remove(&row);
        self.anomalies.remove(&row);
        let old = std::mem::replace(&mut self.rows[row], Row::new(labels.clone()));
        Some((row, Some(old.labels)))
    }

    /// Goes on with predictions from before a restart.
    pub fn restore(&mut self, row: usize, predictions: Vec<Prediction>, quiet_until: Timestamp, step: Span) {
        self.rows[row].quiet_until = quiet_until;
        if !predictions.is_empty() {
            self.lives.entry(row).or_default().extend(predictions.into_iter().map(|p| Life::restored(p, step)));
        }
    }

    pub fn set_threshold(&mut self, row: usize, threshold: f64) {
        self.rows[row].threshold = threshold;
    }

    /// The threshold that the configuration gives; if it is not the one from before the restart, a breach of that one says nothing.
    pub fn restore_threshold(&mut self, row: usize, threshold: f64) {
        let row = &mut self.rows[row];
        if row.threshold.to_bits() != threshold.to_bits() {
            (row.threshold, row.breach, row.wake) = (threshold, BreachWatch::default(), f64::NAN);
            row.asked.forget();
        }
    }

    pub fn set_all_thresholds(&mut self, threshold: f64) {
        for row in &mut self.rows {
            (row.threshold, row.breach) = (threshold, BreachWatch::default());
            row.asked.forget();
        }
    }

    /// Horizon or bounds may have changed: every series is looked at anew.
    pub fn forget_fits(&mut self) {
        self.fits.clear();
        self.fine_fits.clear();
        for row in &mut self.rows {
            row.next_look = Timestamp::MIN;
            row.asked.forget();
        }
    }

    pub fn views<'a>(&'a self, settled: &'a Recalibration) -> impl Iterator<Item = SeriesView<'a>> {
        (0..self.rows.len()).map(move |row| self.view(row, settled))
    }

    pub fn view<'a>(&'a self, row: usize, settled: &'a Recalibration) -> SeriesView<'a> {
        let state = &self.rows[row];
        SeriesView {
            labels: &state.labels,
            block: &self.block,
            row,
            threshold: state.threshold,
            likelihood: f64::from(state.likelihood),
            score: f64::from(state.score),
            breached: state.breach.breached,
            lives: self.lives.get(&row).map_or(&[], Vec::as_slice),
            settled,
        }
    }

    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.lives.values().flatten()
    }

    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.anomalies.values()
    }

    /// Takes in one point in time: the samples that there are, with their rows.
    pub fn column(&mut self, column: Column<'_>, present: &[(usize, f64)], effects: &mut Vec<Effect>) {
        let Column { at, watch, .. } = column;
        let civil = score::advance(&mut self.block, &watch.zone, at);
        for &(row, value) in present {
            self.sample(row, value, civil, column, effects);
        }
        self.settle(at, watch, effects);
        self.dirty = true;
    }

    fn sample(&mut self, row: usize, value: f64, civil: f64, column: Column<'_>, effects: &mut Vec<Effect>) {
        let Column { at, watch, judging, .. } = column;
        let last = self.block.last(row).map_or(at, |(ms, _)| Timestamp::from_millis(ms));
        let Some(taken) = score::take(&mut self.block, row, at, value, civil, watch.baseline.min_history) else { return };
        let judged = at >= judging.from;
        if let Some(band) = taken.band {
            self.score(row, value, band, column, effects);
        }
        let Some(limit) = &watch.limit else { return };
        let threshold = self.rows[row].threshold;
        if threshold.is_nan() {
            return;
        }
        let breach = self.rows[row].breach.sample(at, limit.side.is_breach(value, threshold), watch.hysteresis.sustain);
        self.hear(row, at, at - last, breach, watch);
        if let Some(lives) = self.lives.get_mut(&row) {
            for life in lives {
                if at > life.prediction.updated_at {
                    life.count();
                }
                if let Some(since) = breach {
                    let turn = life.breach(at, since);
                    effects.extend(effect(turn, &life.prediction));
                }
            }
        }
        if judged && taken.is_old_enough {
            self.look(row, value, limit, column, effects);
        }
    }

    /// What had been said about the series may be settled by this sample.
    fn hear(&mut self, row: usize, at: Timestamp, silent: Span, breach: Option<Timestamp>, watch: &Watch) {
        let Row { asked, breach: state, labels, .. } = &mut self.rows[row];
        if let Some(outcome) = asked.settle(at, silent, breach, state, watch) {
            self.news.settled.push((at, labels.id(), outcome));
        }
        if let Some(covered) = asked.cover(&self.block, row) {
            self.news.covered.push(covered);
        }
    }

    fn score(&mut self, row: usize, value: f64, band: Band, column: Column<'_>, effects: &mut Vec<Effect>) {
        let Column { at, watch, judging, .. } = column;
        let Scored { sigmas, score, lower, upper, .. } = Scored::new(band, value, watch.baseline.sigma);
        let state = &mut self.rows[row];
        state.score = score as f32;
        if at < judging.from {
            return;
        }
        if score >= 1.0 {
            (state.odd_streak, state.even_streak) = (state.odd_streak.saturating_add(1), 0);
        } else {
            (state.odd_streak, state.even_streak) = (0, state.even_streak.saturating_add(1));
        }
        let (odd, even) = (state.odd_streak, state.even_streak);
        match self.anomalies.get_mut(&row) {
            None if odd >= ANOMALY_AFTER => {
                let anomaly = Anomaly {
                    watch: watch.name.to_string(),
                    labels: state.labels.clone(),
                    started_at: at,
                    ended_at: None,
                    score,
                    sigmas,
                    value,
                    expected: band.expected,
                    lower,
                    upper,
                };
                effects.push(Effect::AnomalyStarted(anomaly.clone()));
                self.anomalies.insert(row, anomaly);
            }
            Some(anomaly) if score > anomaly.score => {
                (anomaly.score, anomaly.sigmas, anomaly.value, anomaly.expected) = (score, sigmas, value, band.expected);
                (anomaly.lower, anomaly.upper) = (lower, upper);
            }
            Some(_) if even >= ANOMALY_OVER_AFTER => {
                if let Some(mut anomaly) = self.anomalies.remove(&row) {
                    anomaly.ended_at = Some(at);
                    effects.push(Effect::AnomalyEnded(anomaly));
                }
            }
            _ => {}
        }
    }

    /// Looks ahead, if it is time to, and raises, updates or takes back.
    fn look(&mut self, row: usize, value: f64, limit: &Limit, column: Column<'_>, effects: &mut Vec<Effect>) {
        let Column { at, watch, judging, .. } = column;
        let is_open = self.lives.get(&row).is_some_and(|lives| lives.iter().any(Life::is_open));
        let state = &self.rows[row];
        let threshold = state.threshold;
        let hot = f64::from(state.likelihood) >= HOT_LIKELIHOOD;
        let woken = limit.side.is_breach(value, state.wake);
        if !is_open && (!state.breach.is_over(watch.hysteresis.clear_after) || !(hot || woken || at >= state.next_look)) {
            self.rows[row].raise_streak = 0;
            return;
        }
        let Some(outlook) = self.outlook(row, value, limit, column) else { return };
        let bucket = Span::from_millis(self.block.geometry().bucket_ms);
        let state = &mut self.rows[row];
        state.likelihood = outlook.likelihood as f32;
        // Looks are spread over the bucket by the series' own fingerprint, so that they don't all fall on the full hour.
        let spread = Span::from_millis((state.labels.id().0 % bucket.as_millis().unsigned_abs()).cast_signed());
        state.next_look = (at - spread).floor(bucket) + bucket + spread;
        state.wake = value + 0.5 * (threshold - value);
        if !watch.profile.deadline {
            // What has begun to be a breach is no longer a question.
            if state.breach.is_over(watch.hysteresis.clear_after) {
                state.asked.take(at, &outlook, watch);
            }
            if let Some(fit) = self.fits.get(&row) {
                state.asked.promise(&self.block, row, at, fit, watch);
            }
        }
        if outlook.likelihood < HOT_LIKELIHOOD && !is_open {
            self.fits.remove(&row);
            self.fine_fits.remove(&row);
        }

        if is_open {
            let summary_seasonal = self.block.summary(row).seasonal;
            let Some(life) = self.lives.get_mut(&row).and_then(|lives| lives.iter_mut().find(|life| life.is_open())) else { return };
            if at <= life.prediction.updated_at {
                return;
            }
            wording::write(&mut life.prediction, at, value, &outlook, summary_seasonal, column.settled);
            let turn = life.judge(at, &watch.hysteresis);
            effects.extend(effect(turn, &life.prediction));
            return;
        }
        state.raise_streak = if outlook.likelihood >= watch.hysteresis.raise { state.raise_streak + 1 } else { 0 };
        let waiting = self.lives.get(&row).map_or(0, Vec::len);
        let is_heard = at >= judging.raise_from && at > state.quiet_until;
        if state.raise_streak < watch.hysteresis.raise_after || !is_heard || waiting >= MAX_PENDING {
            return;
        }
        state.raise_streak = 0;
        let prediction = self.prediction(row, value, limit, &outlook, column);
        effects.push(Effect::Raised(prediction.clone()));
        self.lives.entry(row).or_default().push(Life::new(prediction));
    }

    fn outlook(&mut self, row: usize, value: f64, limit: &Limit, column: Column<'_>) -> Option<Outlook> {
        let Column { at, watch, settled, .. } = column;
        let threshold = self.rows[row].threshold;
        if watch.profile.deadline {
            let rate = outlook::rate_per_minute(&self.block, row) / 60.0;
            // A clock runs at one second a second; what does not is no deadline (yet: it has just been renewed).
            let rate = if (rate.abs() - 1.0).abs() < 0.05 { rate.signum() } else { rate };
            return Some(outlook::deadline(value, rate, watch, limit.side, threshold));
        }
        // The week knows rhythms and slow growth; the last hours know what has just begun, and are asked when the series has left its
        // normal band towards the threshold: inside it, the rhythm explains what the last hours would take for growth. The surer one
        // speaks.
        // The shape knows hours: where it is steep (a nightly job begins), what is normal an hour before or after is normal now.
        let toward = if limit.side == Side::Above { 1.0 } else { -1.0 };
        let civil = civil::hour_of_day(&watch.zone, at);
        let has_left = [-1.0, 0.0, 1.0].into_iter().all(|hours| {
            let band = self.block.expected(row, at.as_millis(), (civil + hours).rem_euclid(24.0));
            band.is_some_and(|band| toward * band.sigmas(value) >= watch.baseline.sigma)
        });
        let mut best: Option<Outlook> = None;
        for (ring, fits) in [(Ring::Coarse, &mut self.fits), (Ring::Fine, &mut self.fine_fits)] {
            if ring == Ring::Fine && !has_left {
                continue;
            }
            if !fits.get(&row).is_some_and(|fit| fit.is_current(&self.block, threshold)) {
                fits.remove(&row);
                if let Ok(fit) = Fit::new(&self.block, row, watch, ring, Some((limit.side, threshold))) {
                    fits.insert(row, fit);
                }
            }
            let Some(fit) = fits.get(&row) else { continue };
            let outlook = outlook::outlook(&self.block, row, fit, at, watch, limit.side, threshold, settled);
            if best.as_ref().is_none_or(|best| outlook.likelihood > best.likelihood) {
                best = Some(outlook);
            }
        }
        best
    }

    fn prediction(&self, row: usize, value: f64, limit: &Limit, outlook: &Outlook, column: Column<'_>) -> Prediction {
        let Column { at, watch, playbooks, .. } = column;
        let state = &self.rows[row];
        let labels = &state.labels;
        let mut prediction = Prediction {
            id: PredictionId::new(&watch.name, labels.id(), Cause::Breach, at),
            watch: watch.name.to_string(),
            code: watch.code.clone(),
            title: watch.title.fill(labels),
            labels: labels.clone(),
            service: watch.service.fill(labels),
            cause: Cause::Breach,
            state: State::Open,
            raised_at: at,
            updated_at: at,
            ended_at: None,
            ended_because: None,
            revision: 0,
            current_value: value,
            rate_of_change: outlook.rate_per_minute,
            side: limit.side,
            threshold: state.threshold,
            likelihood: outlook.likelihood,
            confidence: outlook.confidence,
            impact: watch.impact,
            eta: Eta::default(),
            predicted_threshold_time: None,
            horizon: watch.horizon,
            evidence: Vec::new(),
            suggested_playbooks: playbooks
                .iter()
                .filter(|playbook| playbook.is_for(&watch.name, &watch.playbooks, labels))
                .map(|playbook| playbook.suggestion())
                .collect(),
            incident: None,
            chart_url: None,
            truth: None,
        };
        wording::write(&mut prediction, at, value, outlook, self.block.summary(row).seasonal, column.settled);
        if let Some(anomaly) = self.anomalies.get(&row) {
            prediction.evidence.push(wording::anomaly(anomaly));
        }
        prediction.evidence.push(wording::history(&self.block, row, at));
        prediction
    }

    /// Lets time pass for every prediction, whether its series still sends samples or not.
    pub fn settle(&mut self, at: Timestamp, watch: &Watch, effects: &mut Vec<Effect>) {
        if self.lives.is_empty() {
            return;
        }
        for (row, lives) in &mut self.lives {
            let breach = &self.rows[*row].breach;
            for life in lives.iter_mut() {
                let turn = life.pass(at, watch.step, breach);
                effects.extend(effect(turn, &life.prediction));
            }
            lives.retain(|life| !life.is_done());
        }
        self.lives.retain(|_, lives| !lives.is_empty());
    }

    fn breach_of(&self, row: usize, watch: &Watch) -> Option<(Side, f64)> {
        let threshold = self.rows[row].threshold;
        watch.limit.as_ref().filter(|_| !threshold.is_nan()).map(|limit| (limit.side, threshold))
    }

    /// The present fit of a row, made if need be and not kept.
    pub fn fit(&self, row: usize, watch: &Watch) -> Option<Fit> {
        match self.fits.get(&row).filter(|fit| fit.is_current(&self.block, self.rows[row].threshold)) {
            Some(fit) => Some(fit.clone()),
            None => Fit::new(&self.block, row, watch, Ring::Coarse, self.breach_of(row, watch)).ok(),
        }
    }
}

fn effect(turn: Turn, prediction: &Prediction) -> Option<Effect> {
    let prediction = || prediction.clone();
    match turn {
        Turn::Nothing => None,
        Turn::Updated => Some(Effect::Updated(prediction())),
        Turn::Ended => Some(Effect::Ended(prediction())),
        Turn::Scored => Some(Effect::Scored(prediction())),
    }
}
