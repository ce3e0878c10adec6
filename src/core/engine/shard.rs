//! Up to 1,024 series of one watch: their baselines, their predictions, and what one sample after another does to them.
//!
//! Series do not look at each other here, but for what a young one inherits from closed buckets of its siblings in the same shard ([`kin`]). So
//! shards run side by side, and the result does not depend on how many threads there are.

mod acted;
mod fits;
pub(super) mod kin;
mod own;
pub(super) mod portray;
mod reach;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;

use portent_models::baseline::{Block, Geometry};
use portent_models::score::{Scored, Settings};

use self::fits::Fits;
use self::kin::Heirs;
use self::own::Variants;
use self::portray::Portraits;
use super::calibration::{Calibration, News};
use super::episodes::Episodes;
use super::life::{BreachWatch, Life, effect};
use super::row::Row;
use super::scores::Scores;
use super::wording;
use super::{Effect, Judged};
use crate::core::labels::Labels;
use crate::core::outlook::{self, Fit, Outlook, Ring};
use crate::core::playbook::Playbook;
use crate::core::prediction::{Cause, Eta, Prediction, PredictionId, State};
use crate::core::score;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Limit, Watch};

/// A series this likely to breach is looked at with every sample; the others once a bucket, or when they come half way nearer.
const HOT_LIKELIHOOD: f64 = 0.05;
/// Predictions of one series that wait for their truth at most. More would mean that hysteresis has failed; none is raised then.
const MAX_PENDING: usize = 4;

/// One point in time, and what its samples are judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub at: Timestamp,
    pub watch: &'a Watch,
    pub playbooks: &'a [Arc<Playbook>],
    pub judging: Judged,
    /// What its watch's answers have turned out to mean.
    pub learnt: &'a Calibration,
}

/// A row, its value, and what its scorer says of it.
pub(super) type Sample = (usize, f64, Option<Scored>);

#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub block: Block,
    pub scores: Scores,
    rows: Vec<Row>,
    variants: Variants,
    fits: Fits,
    fine_fits: Fits,
    heirs: Heirs,
    lives: BTreeMap<usize, Vec<Life>>,
    pub episodes: Episodes,
    pub news: News,
    pub portraits: Portraits,
    /// Whether anything changed since the last checkpoint.
    pub dirty: bool,
}

impl Shard {
    pub fn new(geometry: Geometry, settings: Settings) -> Self {
        Self::with(Block::new(geometry), Scores::new(geometry.step_ms, settings), Vec::new(), Episodes::default())
    }

    /// A shard from a checkpoint; block and scores have a row for each of `rows`.
    pub fn with(block: Block, scores: Scores, mut rows: Vec<Row>, episodes: Episodes) -> Self {
        for row in &mut rows {
            row.kin = kin::kin(&row.labels);
        }
        Self {
            block,
            scores,
            rows,
            variants: Variants::default(),
            fits: Fits::over(Ring::Coarse),
            fine_fits: Fits::over(Ring::Fine),
            heirs: Heirs::default(),
            lives: BTreeMap::new(),
            episodes,
            news: News::default(),
            portraits: Portraits::default(),
            dirty: true,
        }
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Room for a series: a new row, or the row of one that has been silent for a whole window. `None` when the shard is full.
    pub fn add(&mut self, labels: &Labels) -> Option<(usize, Option<Labels>)> {
        if let Some(row) = self.block.add_row() {
            self.rows.push(Row::new(labels.clone()));
            self.scores.add();
            return Some((row, None));
        }
        // A row that has not had its first sample yet is new, not silent.
        let is_silent = |row: usize| self.block.last(row).is_some() && self.block.window(row).count == 0.0;
        let row = (0..self.rows.len()).find(|&row| is_silent(row) && !self.lives.contains_key(&row))?;
        self.block.clear_row(row);
        self.scores.clear(row);
        self.fits.remove(row);
        self.fine_fits.remove(row);
        self.episodes.forget(row);
        self.heirs.forget();
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
            (row.threshold, row.breach, row.wake, row.next_look) = (threshold, BreachWatch::default(), f64::NAN, Timestamp::MIN);
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
        self.heirs.forget();
        for row in &mut self.rows {
            row.next_look = Timestamp::MIN;
            row.asked.forget();
        }
        self.forget_variants();
    }

    /// Takes in one point in time: the samples that there are, which have been scored.
    pub fn column(&mut self, column: Column<'_>, samples: &[Sample], effects: &mut Vec<Effect>) {
        let Column { at, watch, judging, .. } = column;
        let newest = self.block.newest_bucket();
        let civil = score::advance(&mut self.block, &watch.zone, at);
        if self.block.newest_bucket() != newest {
            self.forget_own();
            self.heirs.forget();
        }
        for &(row, value, scored) in samples {
            self.sample(row, value, civil, scored, column, effects);
        }
        self.settle(at, watch, effects);
        if at >= judging.from {
            self.episodes.settle(at, watch.step, effects);
        }
        self.dirty = true;
    }

    /// The same of samples that nothing has scored yet.
    #[cfg(test)]
    pub fn unscored(&mut self, column: Column<'_>, present: &[(usize, f64)], effects: &mut Vec<Effect>) {
        let offset_ms = crate::core::civil::offset_ms(&column.watch.zone, column.at);
        let samples = present.iter().map(|&(row, value)| (row, value, self.scores.push(row, column.at, offset_ms, value)));
        let samples: Vec<Sample> = samples.collect();
        self.column(column, &samples, effects);
    }

    fn sample(&mut self, row: usize, value: f64, civil: f64, scored: Option<Scored>, column: Column<'_>, effects: &mut Vec<Effect>) {
        let Column { at, watch, judging, .. } = column;
        let last = self.block.last(row).map_or(at, |(ms, _)| Timestamp::from_millis(ms));
        let heritage = self.inherit(row, watch);
        let Some(taken) = score::take(&mut self.block, row, (at, value), civil, watch.baseline.min_history, heritage.as_deref()) else {
            // A late sample is in a closed bucket now.
            self.rows[row].own = None;
            self.heirs.forget_row(row);
            return;
        };
        self.note(row, value);
        let judged = at >= judging.from;
        if let Some(scored) = scored.filter(|_| taken.is_old_enough) {
            let state = &mut self.rows[row];
            (state.score, state.scored) = (scored.score as f32, Some(scored));
            self.episodes.sample(row, &state.labels, (at, value), &scored, (watch, judging), effects);
        }
        let Some(limit) = &watch.limit else { return };
        let threshold = self.rows[row].threshold;
        if threshold.is_nan() {
            return;
        }
        let breach = self.rows[row].breach.sample(at, limit.side.is_breach(value, threshold), watch.hysteresis.sustain);
        self.hear(row, at, at - last, breach, watch);
        self.portray_breach(row, breach, watch);
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
        if judged && taken.is_old_enough && self.is_due(row, value, limit, at, watch) {
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
            self.news.covered.push((at, covered));
        }
    }

    /// Whether it is time to look ahead. Most samples are of series that are looked at once an hour.
    fn is_due(&mut self, row: usize, value: f64, limit: &Limit, at: Timestamp, watch: &Watch) -> bool {
        if self.lives.get(&row).is_some_and(|lives| lives.iter().any(Life::is_open)) {
            return true;
        }
        let state = &self.rows[row];
        let hot = f64::from(state.likelihood) >= HOT_LIKELIHOOD;
        let woken = limit.side.is_breach(value, state.wake);
        let due = state.breach.is_over(watch.hysteresis.clear_after) && (hot || woken || at >= state.next_look);
        if !due {
            self.rows[row].raise_streak = 0;
        }
        due
    }

    /// Looks ahead, and raises, updates or takes back. The series' own profile is asked for where that may matter: most looks end before.
    fn look(&mut self, row: usize, value: f64, limit: &Limit, column: Column<'_>, effects: &mut Vec<Effect>) {
        let Column { at, watch, judging, .. } = column;
        let is_open = self.lives.get(&row).is_some_and(|lives| lives.iter().any(Life::is_open));
        let threshold = self.rows[row].threshold;
        let may_rest = !is_open && !self.may_be_deadline(row, watch);
        let is_safe = may_rest && self.is_still_safe(row, value, limit, at, watch);
        let is_far = may_rest && !is_safe && self.is_out_of_reach(row, value, limit, at, watch);
        let rests = is_safe || is_far;
        let own = if rests { None } else { self.own(row, watch) };
        let column = Column { watch: own.as_deref().unwrap_or(watch), ..column };
        let watch = column.watch;
        let outlook = if rests { None } else { self.outlook(row, value, limit, column) };
        let Geometry { bucket_ms, fine_ms, .. } = self.block.geometry();
        if outlook.is_none() && !rests {
            // Nothing can be fitted, and that stays so until a bucket closes. One that never could is not taken for looked at.
            let (fine, state) = (Span::from_millis(fine_ms), &mut self.rows[row]);
            if state.next_look > Timestamp::MIN {
                state.next_look = at.floor(fine) + fine;
            }
            return;
        }
        let bucket = Span::from_millis(bucket_ms);
        let state = &mut self.rows[row];
        if let Some(outlook) = &outlook {
            state.likelihood = outlook.likelihood as f32;
        } else if is_far {
            state.likelihood = 0.0;
        }
        // Looks are spread over the bucket by the series' own fingerprint, so that they don't all fall on the full hour.
        let spread = Span::from_millis((state.labels.id().0 % bucket.as_millis().unsigned_abs()).cast_signed());
        state.next_look = (at - spread).floor(bucket) + bucket + spread;
        let Some(outlook) = outlook else {
            state.raise_streak = 0;
            return;
        };
        state.wake = value + 0.5 * (threshold - value);
        if !watch.profile.deadline {
            // What has begun to be a breach is no longer a question.
            if state.breach.is_over(watch.hysteresis.clear_after) {
                state.asked.take(at, &outlook, watch);
            }
            if let Some(fit) = self.fits.get(row) {
                state.asked.promise(&self.block, row, at, fit, watch, column.learnt.widths);
            }
        }
        if outlook.likelihood < HOT_LIKELIHOOD && !is_open {
            self.fits.remove(row);
            self.fine_fits.remove(row);
        }

        if is_open {
            let summary_seasonal = self.block.summary(row).seasonal;
            let Some(life) = self.lives.get_mut(&row).and_then(|lives| lives.iter_mut().find(|life| life.is_open())) else { return };
            if at <= life.prediction.updated_at {
                return;
            }
            wording::write(&mut life.prediction, at, value, &outlook, summary_seasonal, &column.learnt.map);
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
        self.portray_raised(row, &prediction, column);
        effects.push(Effect::Raised(prediction.clone()));
        self.lives.entry(row).or_default().push(Life::new(prediction));
    }

    fn outlook(&mut self, row: usize, value: f64, limit: &Limit, column: Column<'_>) -> Option<Outlook> {
        let Column { at, watch, learnt, .. } = column;
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
        let has_left = self.has_left(row, value, limit.side, at, watch);
        let (mut best, mut week): (Option<Outlook>, _) = (None, None);
        for fits in [Some(&mut self.fits), has_left.then_some(&mut self.fine_fits)].into_iter().flatten() {
            let heritage = self.heirs.of(row).map(Arc::as_ref);
            let make = |ring| Fit::new(&self.block, row, watch, ring, Some((limit.side, threshold)), heritage, week.take());
            let Some(fit) = fits.current(&self.block, row, threshold, make) else { continue };
            week = fit.week();
            let outlook = outlook::outlook(&self.block, row, fit, at, watch, limit.side, threshold, &learnt.map);
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
            predicted_value: outlook.predicted_value,
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
                .filter(|playbook| playbook.is_for(&watch.name, &watch.code, &watch.playbooks, labels))
                .map(|playbook| playbook.suggestion())
                .collect(),
            incident: None,
            chart_url: None,
            truth: None,
        };
        wording::write(&mut prediction, at, value, outlook, self.block.summary(row).seasonal, &column.learnt.map);
        if let Some(anomaly) = self.episodes.of(row) {
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
}
