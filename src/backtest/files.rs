//! Data files as the engine's samples: which series belong to which watch, and window after window of them, all watches side by side, so that
//! the past is gone through once and what was stopped early has come equally far everywhere.

use std::sync::Arc;

use super::past::{Done, PastError, Take};
use crate::config::profiles;
use crate::core::frame::Grid;
use crate::core::labels::METRIC_NAME;
use crate::core::template::Template;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{BaselineSettings, Hysteresis, Impact, Limit, Threshold, Watch};
use crate::source::replay::{History, Known, Selector};

/// Values of one window at most: 16 MB, and a week of a small fleet in one piece.
const MAX_WINDOW_VALUES: usize = 2 << 20;
/// Columns of one window at most, so that progress moves and Ctrl-C is heard while there are few series.
const MAX_WINDOW_COLUMNS: usize = 2_016;
/// How many steps after its due time a prediction is settled at the latest; see `Life::pass`.
const SETTLED_STEPS: i64 = 12;
/// Labels that say whose a series is, the most telling first.
const LABELS_OF_A_SERVICE: [&str; 4] = ["service", "job", "instance", "host"];

/// A watch and the series of a data set that it is about.
#[derive(Clone, Debug)]
pub struct Share {
    pub watch: Arc<Watch>,
    /// Positions in the history.
    pub series: Vec<usize>,
    /// Of a threshold that is a query.
    pub thresholds: Vec<usize>,
}

impl Share {
    fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.series.iter().chain(&self.thresholds).copied()
    }
}

/// Shares a history out to a configuration's watches. A query that is a plain selector picks its series; the watch's step becomes the
/// data's where that is longer, since between two samples there is nothing to judge. Watches without series, and why, are the second value.
pub fn share_out(set: &History, watches: &[Watch]) -> (Vec<Share>, Vec<String>) {
    let (mut shares, mut notes) = (Vec::new(), Vec::new());
    let pick = |query: &str| -> Result<Vec<usize>, String> {
        let selector: Selector = query.parse()?;
        Ok((0..set.series.len()).filter(|&i| selector.matches(&set.series[i].labels)).collect())
    };
    for watch in watches {
        let series = match pick(&watch.query) {
            Ok(series) if series.is_empty() => {
                notes.push(format!("{}: no series in the files matches {}", watch.name, watch.query));
                continue;
            }
            Ok(series) => series,
            Err(why) => {
                notes.push(format!("{}: left out, files answer plain selectors only: {why}", watch.name));
                continue;
            }
        };
        let thresholds = match &watch.limit {
            Some(Limit { threshold: Threshold::Query(query), .. }) => pick(query).unwrap_or_default(),
            _ => Vec::new(),
        };
        let step = series.iter().map(|&i| set.series[i].step).max().unwrap_or(watch.step);
        let mut watch = watch.clone();
        if step > watch.step {
            notes.push(format!("{}: the files' step of {step} is used instead of {}", watch.name, watch.step));
            watch.step = step;
        }
        shares.push(Share { watch: watch.into(), series, thresholds });
    }
    (shares, notes)
}

/// What is asked about files without a configuration.
#[derive(Clone, Debug)]
pub struct Question {
    pub limit: Option<Limit>,
    pub horizon: Span,
}

/// Watches made for a history: one for each step that occurs in it, over all series of that step.
pub fn make_watches(set: &History, question: &Question) -> Vec<Share> {
    let mut steps: Vec<Span> = set.series.iter().filter(|s| s.samples > 0).map(|s| s.step).collect();
    steps.sort_unstable();
    steps.dedup();
    let alone = steps.len() == 1;
    steps.into_iter().map(|step| make_watch(set, question, step, alone)).collect()
}

fn make_watch(set: &History, question: &Question, step: Span, alone: bool) -> Share {
    let series: Vec<usize> = (0..set.series.len()).filter(|&i| set.series[i].step == step && set.series[i].samples > 0).collect();
    let has = |label: &str| series.iter().any(|&i| set.series[i].labels.get(label).is_some());
    let service = LABELS_OF_A_SERVICE.into_iter().find(|label| has(label)).unwrap_or(METRIC_NAME);
    let template = |text: &str| text.parse::<Template>().expect("a label's name in braces is a template");
    // The files' series have names of their own: each says what it is.
    let (profile, selecting) = profiles::auto("");
    let watch = Watch {
        name: if alone { "files".into() } else { format!("files-{step}").into() },
        source: "files".into(),
        query: "files".into(),
        step,
        limit: question.limit.clone(),
        horizon: question.horizon,
        baseline: BaselineSettings::default(),
        profile,
        selecting,
        special_days: crate::core::calendar::Kinds::default(),
        zone: jiff::tz::TimeZone::UTC,
        service: template(&format!("{{{{{service}}}}}")),
        code: "files".into(),
        title: template("{{__name__}} will cross its threshold"),
        why: None,
        impact: Impact::Medium,
        playbooks: Vec::new(),
        hysteresis: Hysteresis::default(),
    };
    Share { watch: watch.into(), series, thresholds: Vec::new() }
}

/// Feeds all shares, the backtest's watches in their order. `go_on` hears how much has been done, and may end it. Says whether all was looked
/// at.
///
/// # Errors
/// When a chart cannot be drawn, or what was set aside cannot be read.
pub fn feed(
    backtest: &mut impl Take,
    set: &History,
    shares: &[Share],
    to: Option<Timestamp>,
    mut go_on: impl FnMut(Done) -> bool,
) -> Result<bool, PastError> {
    let mut ways: Vec<Way<'_>> = shares.iter().map(|share| Way::new(set, share, to)).collect();
    let values: usize = ways.iter().map(Way::values).sum();
    let from = ways.iter().filter(|way| way.grid.len > 0).map(|way| way.grid.start).min().unwrap_or_default();
    let until = ways.iter().filter(|way| way.grid.len > 0).map(|way| way.grid.last()).max().unwrap_or(from);
    let mut done = Done { series: shares.iter().map(|share| share.series.len()).sum(), of: until - from, ..Done::default() };
    let mut passed = 0;
    let mut stretches = set.stretches(shares.iter().flat_map(Share::all));
    set.note.iter().for_each(|note| backtest.hear(note.clone()));
    while ways.iter().any(|way| way.next < way.grid.len) {
        let known = stretches.advance()?.unwrap_or(Timestamp::MAX);
        for (index, way) in ways.iter_mut().enumerate() {
            while let Some(window) = way.window(known) {
                if !go_on(done) {
                    return Ok(false);
                }
                let frame = stretches.frame(&way.share.series, window);
                let thresholds = (!way.share.thresholds.is_empty()).then(|| stretches.frame(&way.share.thresholds, window));
                backtest.take(index, &frame, thresholds.as_ref(), way.ends)?;
                way.next += window.len;
                passed += window.len * way.rows;
                done.samples += frame.present() as u64;
                done.part = passed as f64 / values.max(1) as f64;
                done.gone = done.gone.max(window.last() - from);
            }
        }
        // A series may belong to several watches: it is let go up to where the last of them has come.
        let mut come = vec![Timestamp::MAX; set.series.len()];
        for way in ways.iter().filter(|way| way.next < way.grid.len) {
            way.share.all().for_each(|series| come[series] = come[series].min(way.grid.at(way.next) - way.grid.step));
        }
        come.into_iter().enumerate().for_each(|(series, come)| stretches.forget(series, come));
    }
    go_on(Done { part: 1.0, ..done });
    Ok(true)
}

/// A share and how far it has come.
struct Way<'a> {
    share: &'a Share,
    grid: Grid,
    ends: Timestamp,
    rows: usize,
    next: usize,
}

impl<'a> Way<'a> {
    fn new(set: &History, share: &'a Share, to: Option<Timestamp>) -> Self {
        let (grid, ends) = grid_of(set, share, to);
        Self { share, grid, ends, rows: share.series.len().max(1), next: 0 }
    }

    fn values(&self) -> usize {
        self.grid.len * self.rows
    }

    /// The next columns whose samples are all known.
    fn window(&self, known: Timestamp) -> Option<Grid> {
        let step = self.grid.step;
        let due = if known < self.grid.start { 0 } else { ((known - self.grid.start).as_millis() / step.as_millis()).saturating_add(1) };
        let due = usize::try_from(due).unwrap_or(usize::MAX).min(self.grid.len);
        let most = (MAX_WINDOW_VALUES / self.rows).clamp(1, MAX_WINDOW_COLUMNS);
        (self.next < due).then(|| Grid { start: self.grid.at(self.next), step, len: most.min(due - self.next) })
    }
}

/// The columns of a share, and when its last sample comes. It begins with its first sample. Where other series go on after its last, time
/// goes on for it too, until nothing of it is open any more: silence settles a prediction column by column, as it does for a daemon whose
/// server has lost the series. `to` ends it in any case.
pub(super) fn grid_of(set: &History, share: &Share, to: Option<Timestamp>) -> (Grid, Timestamp) {
    let watch = &share.watch;
    let step = watch.step;
    let known = || share.series.iter().map(|&i| &set.series[i]);
    let first = known().filter_map(|Known { first, .. }| *first).min();
    let last = known().filter_map(|Known { last, .. }| *last).max();
    let (Some(first), Some(last), Some(last_of_all)) = (first, last, set.last()) else {
        return (Grid { start: Timestamp::default(), step, len: 0 }, Timestamp::default());
    };
    let until = |time: Timestamp| to.map_or(time, |to| to.min(time)).floor(step);
    let own_end = last.floor(step) + if last.floor(step) < last { step } else { Span::ZERO };
    let settled = last + watch.horizon + step.times(SETTLED_STEPS);
    (Grid::aligned(first, until(own_end.max(last_of_all.min(settled))), step), until(own_end))
}
