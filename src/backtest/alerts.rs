//! The server's own alerts as the truth: `ALERTS{alertstate="firing"}` over the range, by the same way and into the same cache as the samples.
//!
//! An alert fires from its first sample to its last, for as long as its rule was evaluated to something; its `for:` has passed by then. It is
//! about the series of a watch of the same source that agree with it in every label that both have, one at least; `__name__`, `alertname`,
//! `alertstate` and `severity` do not count, for they say what an alert is and not whose. So `DiskFull{instance="a",mountpoint="/"}` is about
//! that one disk, `NodeBad{instance="a"}` about everything on that host, and an alert without a label of its own about nothing.

use std::collections::HashMap;

use super::cache::Cache;
use super::range::{Reading, Server};
use super::truth::{Stretch, Truth, Whose};
use crate::core::frame::{Frame, Grid};
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};
use crate::source::prometheus::SourceError;

/// What is asked.
const FIRING: &str = "ALERTS{alertstate=\"firing\"}";
/// The grid that alerts are read on: rules are seldom evaluated more often.
const STEP: Span = Span::MINUTE;

/// Which alerts count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertName {
    /// For this watch only; for all, unless given.
    pub watch: Option<String>,
    pub name: String,
}

impl AlertName {
    /// `NAME` or `WATCH=NAME`.
    pub fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((watch, name)) => Self { watch: Some(watch.to_owned()), name: name.to_owned() },
            None => Self { watch: None, name: text.to_owned() },
        }
    }
}

/// One alert under way while it is read.
struct Firing {
    since: Timestamp,
    last: Timestamp,
}

/// Reads all alerts of a source that fired from `from` to `to` and adds those that count: these names, or all where there are none. Says how
/// many stretches there were.
///
/// # Errors
/// The source's.
pub async fn read(
    truth: &mut Truth,
    source_name: &str,
    source: Server<'_>,
    (from, to): (Timestamp, Timestamp),
    names: &[AlertName],
) -> Result<usize, SourceError> {
    let grid = Grid::aligned(from, to, STEP);
    let reading = Reading::new(source, FIRING, "alerts");
    let mut firing: HashMap<Labels, Firing> = HashMap::new();
    let mut stretches: Vec<(Labels, Stretch)> = Vec::new();
    for part in Cache::stretches(grid) {
        take_in(&reading.stretch(part).await?.0, grid, &mut firing, &mut stretches);
    }
    stretches.extend(firing.into_iter().map(|(labels, firing)| {
        let stretch = firing.stretch(&labels, grid);
        (labels, stretch)
    }));
    stretches.sort_by(|(a, of_a), (b, of_b)| (a, of_a.from).cmp(&(b, of_b.from)));
    let mut counted = 0;
    for (labels, stretch) in stretches {
        let named: Vec<&AlertName> = names.iter().filter(|alert| alert.name == stretch.what).collect();
        if named.is_empty() && !names.is_empty() {
            continue;
        }
        let everywhere = named.iter().any(|alert| alert.watch.is_none());
        let only: Vec<String> = if everywhere { Vec::new() } else { named.iter().filter_map(|alert| alert.watch.clone()).collect() };
        let text = format!("{source_name}: {labels}");
        truth.add(&text, || Whose::Alert { source: source_name.into(), labels, only }, stretch);
        counted += 1;
    }
    Ok(counted)
}

fn take_in(frame: &Frame, whole: Grid, firing: &mut HashMap<Labels, Firing>, stretches: &mut Vec<(Labels, Stretch)>) {
    let grid = frame.grid();
    for (row, labels) in frame.labels().iter().enumerate() {
        for (column, _) in frame.row(row).iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let at = grid.at(column);
            match firing.get_mut(labels) {
                Some(one) if at - one.last <= whole.step => one.last = at,
                Some(one) => {
                    stretches.push((labels.clone(), one.stretch(labels, whole)));
                    (one.since, one.last) = (at, at);
                }
                None => {
                    // What fires at the first moment began before it, nobody knows when.
                    let since = if at == whole.start { at - whole.step } else { at };
                    firing.insert(labels.clone(), Firing { since, last: at });
                }
            }
        }
    }
}

impl Firing {
    fn stretch(&self, labels: &Labels, whole: Grid) -> Stretch {
        let what = labels.get("alertname").unwrap_or_default().to_owned();
        Stretch { from: self.since, to: (self.last < whole.last()).then_some(self.last), what, unclear: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::frame::FrameBuilder;

    #[test]
    fn an_alert_fires_from_its_first_sample_to_its_last_however_it_is_cut() {
        let labels = Labels::from_pairs([("__name__", "ALERTS"), ("alertname", "Full"), ("host", "a")]).unwrap();
        let whole = Grid { start: Timestamp::default(), step: STEP, len: 12 };
        let fires = |i: usize| matches!(i, 0 | 1 | 4..=6 | 10 | 11);
        let stretches = |cut: usize| {
            let (mut firing, mut stretches) = (HashMap::new(), Vec::new());
            for (start, len) in [(0, cut), (cut, 12 - cut)] {
                let mut builder = FrameBuilder::new(Grid { start: whole.at(start), len, ..whole });
                let row = builder.row_of(&labels);
                (0..len).filter(|i| fires(start + i)).for_each(|i| builder.set(row, i, 1.0));
                take_in(&builder.finish(), whole, &mut firing, &mut stretches);
            }
            stretches.extend(firing.into_iter().map(|(labels, one)| (labels.clone(), one.stretch(&labels, whole))));
            stretches
                .into_iter()
                .map(|(_, s)| (s.from.as_millis() / 60_000, s.to.map(|to| to.as_millis() / 60_000), s.what))
                .collect::<Vec<_>>()
        };
        let want = [(-1, Some(1), "Full".to_owned()), (4, Some(6), "Full".to_owned()), (10, None, "Full".to_owned())];
        for cut in [1, 5, 6, 9, 11] {
            assert_eq!(stretches(cut), want, "{cut}");
        }
    }

    #[test]
    fn a_name_may_be_for_one_watch() {
        assert_eq!(AlertName::parse("Full"), AlertName { watch: None, name: "Full".into() });
        assert_eq!(AlertName::parse("disk=Full"), AlertName { watch: Some("disk".into()), name: "Full".into() });
    }
}
