//! Data files as the engine's samples: which series belong to which watch, and window after window of them.

use std::sync::Arc;

use super::Backtest;
use crate::chart::ChartError;
use crate::config::profiles;
use crate::core::frame::{Frame, FrameBuilder, Grid};
use crate::core::labels::METRIC_NAME;
use crate::core::template::Template;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{BaselineSettings, Hysteresis, Impact, Limit, Threshold, Watch};
use crate::source::replay::{DataSeries, DataSet, Selector};

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
    /// Positions in the data set.
    pub series: Vec<usize>,
    /// Of a threshold that is a query.
    pub thresholds: Vec<usize>,
}

/// Shares a data set out to a configuration's watches. A query that is a plain selector picks its series; the watch's step becomes the
/// data's where that is longer, since between two samples there is nothing to judge. Watches without series, and why, are the second value.
pub fn share_out(set: &DataSet, watches: &[Watch]) -> (Vec<Share>, Vec<String>) {
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

/// Watches made for a data set: one for each step that occurs in it, over all series of that step.
pub fn make_watches(set: &DataSet, question: &Question) -> Vec<Share> {
    let mut steps: Vec<Span> = set.series.iter().filter(|s| !s.samples.is_empty()).map(|s| s.step).collect();
    steps.sort_unstable();
    steps.dedup();
    let alone = steps.len() == 1;
    steps.into_iter().map(|step| make_watch(set, question, step, alone)).collect()
}

fn make_watch(set: &DataSet, question: &Question, step: Span, alone: bool) -> Share {
    let series: Vec<usize> = (0..set.series.len()).filter(|&i| set.series[i].step == step && !set.series[i].samples.is_empty()).collect();
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
        holidays: std::collections::BTreeSet::new(),
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

/// Feeds all shares, the backtest's watches in their order. `go_on` hears how much has been done, from 0 to 1, and may end it. Says whether
/// all was looked at.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn feed(
    backtest: &mut Backtest,
    set: &DataSet,
    shares: &[Share],
    to: Option<Timestamp>,
    mut go_on: impl FnMut(f64) -> bool,
) -> Result<bool, ChartError> {
    for (index, share) in shares.iter().enumerate() {
        let (grid, ends) = grid_of(set, share, to);
        let rows = share.series.len().max(1);
        let columns = (MAX_WINDOW_VALUES / rows).clamp(1, MAX_WINDOW_COLUMNS);
        let mut next = 0;
        while next < grid.len {
            let done = (index as f64 + next as f64 / grid.len as f64) / shares.len() as f64;
            if !go_on(done) {
                return Ok(false);
            }
            let window = Grid { start: grid.at(next), step: grid.step, len: columns.min(grid.len - next) };
            let frame = frame_of(set, &share.series, window);
            let thresholds = (!share.thresholds.is_empty()).then(|| frame_of(set, &share.thresholds, window));
            backtest.feed(index, &frame, thresholds.as_ref(), ends)?;
            next += window.len;
        }
    }
    Ok(true)
}

/// The columns of a share, and when its last sample comes. It begins with its first sample. Where other series go on after its last, time
/// goes on for it too, until nothing of it is open any more: silence settles a prediction column by column, as it does for a daemon whose
/// server has lost the series. `to` ends it in any case.
fn grid_of(set: &DataSet, share: &Share, to: Option<Timestamp>) -> (Grid, Timestamp) {
    let watch = &share.watch;
    let step = watch.step;
    let samples = || share.series.iter().map(|&i| &set.series[i].samples);
    let first = samples().filter_map(|s| s.first()).map(|(t, _)| *t).min();
    let last = samples().filter_map(|s| s.last()).map(|(t, _)| *t).max();
    let (Some(first), Some(last), Some(last_of_all)) = (first, last, set.last()) else {
        return (Grid { start: Timestamp::default(), step, len: 0 }, Timestamp::default());
    };
    let until = |time: Timestamp| to.map_or(time, |to| to.min(time)).floor(step);
    let own_end = last.floor(step) + if last.floor(step) < last { step } else { Span::ZERO };
    let settled = last + watch.horizon + step.times(SETTLED_STEPS);
    (Grid::aligned(first, until(own_end.max(last_of_all.min(settled))), step), until(own_end))
}

fn frame_of(set: &DataSet, series: &[usize], grid: Grid) -> Frame {
    let mut builder = FrameBuilder::new(grid);
    for series in series.iter().map(|&i| &set.series[i]) {
        let DataSeries { labels, .. } = series;
        let row = builder.row_of(labels);
        for (index, value) in series.on_grid(grid).into_iter().enumerate() {
            builder.set(row, index, value);
        }
    }
    builder.finish()
}
