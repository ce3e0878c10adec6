//! Data files of any size as one history that is gone through in the order of time, with a stretch of it in memory.
//!
//! What has to be known before the first sample is looked at (which series there are, their steps, where they begin and end) is counted
//! while the files are read; the samples themselves wait by the hour ([`super::hours`]). What comes out is what a
//! [`DataSet`](super::DataSet) of the same files would give, bit for bit.

use std::path::Path;

use super::collect::{Collector, Keep, sort_last_wins};
use super::dataset::{commonest, each_on, without_jitter};
use super::error::ReplayError;
use super::hours::{Hours, Record};
use super::{DataSet, read_one};
use crate::core::frame::{Frame, FrameBuilder, Grid};
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};

/// Different lengths between two samples that are counted for one series: some hundred are jitter. Where there are more, and the median
/// means little, those that are new do not count, so that a file of random times costs 64 KB a series and no more.
const MAX_LENGTHS: usize = 4_096;
/// Samples of one stretch, if no single hour has more: 16 MB, hours of a thousand series at a minute.
const STRETCH_SAMPLES: usize = 1 << 20;

/// Series in the order in which they first appeared, and their samples.
#[derive(Debug)]
pub struct History {
    pub series: Vec<Known>,
    hours: Hours,
    /// What the reader should know about how it is held.
    pub note: Option<String>,
}

/// What is known about a series from the beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub labels: Labels,
    /// As [`infer_step`](super::infer_step) finds it.
    pub step: Span,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub samples: u64,
}

impl History {
    /// Reads all files, as [`super::read`] does. `go_on` hears how many rows have been read, and may end it.
    ///
    /// # Errors
    /// As [`super::read`]; [`ReplayError::Stopped`]; and when the temporary file cannot be read.
    pub fn read<P: AsRef<Path>>(paths: &[P], go_on: impl FnMut(u64) -> bool) -> Result<Self, ReplayError> {
        Self::read_holding(paths, Hours::default(), go_on)
    }

    pub(super) fn read_holding<P: AsRef<Path>>(paths: &[P], hours: Hours, mut go_on: impl FnMut(u64) -> bool) -> Result<Self, ReplayError> {
        if paths.is_empty() {
            return Err(ReplayError::NoFile);
        }
        let keep = Aside { hours, go_on: Some(&mut go_on), ..Aside::default() };
        let mut all = Collector::with(keep);
        for path in paths {
            read_one(&mut all, path.as_ref())?;
        }
        let Collector { keep: Aside { hours, counts, fault, .. }, series, .. } = all;
        let labels = series.into_iter().map(|series| series.labels).collect();
        Self::new(
            labels,
            counts,
            hours,
            fault.map(|why| format!("all samples are held in memory: no temporary file can be written ({why})")),
        )
    }

    fn new(labels: Vec<Labels>, mut counts: Vec<Count>, mut hours: Hours, note: Option<String>) -> Result<Self, ReplayError> {
        hours.sort();
        if counts.iter().any(|count| count.is_unsorted) {
            count_again(&hours, &mut counts)?;
        }
        let seen: Vec<Option<Span>> = counts.iter().map(Count::step).collect();
        let commonest = commonest(&seen);
        let known = |((labels, count), step): ((Labels, Count), Option<Span>)| {
            let Count { first, last, samples, .. } = count;
            Known { labels, step: step.unwrap_or(commonest), first, last, samples }
        };
        let series = labels.into_iter().zip(counts).zip(seen).map(known).collect();
        Ok(Self { series, hours, note })
    }

    /// Time of the latest sample.
    pub fn last(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(|series| series.last).max()
    }

    /// From the beginning on, with the samples of these series.
    pub fn stretches(&self, wanted: impl IntoIterator<Item = usize>) -> Stretches<'_> {
        let mut held = vec![None; self.series.len()];
        wanted.into_iter().for_each(|series| held[series] = Some(Vec::new()));
        Stretches { history: self, next: 0, held, disordered: Vec::new() }
    }
}

/// What is already in memory, for those who look at it as they would at files.
impl TryFrom<&DataSet> for History {
    type Error = ReplayError;

    fn try_from(set: &DataSet) -> Result<Self, ReplayError> {
        let mut keep = Aside::default();
        for (index, series) in set.series.iter().enumerate() {
            keep.open();
            series.samples.iter().for_each(|(at, value)| keep.push(index, *at, *value));
        }
        let mut history = Self::new(set.series.iter().map(|series| series.labels.clone()).collect(), keep.counts, keep.hours, None)?;
        history.series.iter_mut().zip(&set.series).for_each(|(known, series)| known.step = series.step);
        Ok(history)
    }
}

/// The history on its way past: the samples of the stretch that is looked at, and of what is still needed from before.
#[derive(Debug)]
pub struct Stretches<'a> {
    history: &'a History,
    next: usize,
    /// Of the series that are wanted.
    held: Vec<Option<Vec<(Timestamp, f64)>>>,
    disordered: Vec<usize>,
}

impl Stretches<'_> {
    /// Takes in the next stretch. Gives back until when all samples are known now; none when there are no more.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn advance(&mut self) -> Result<Option<Timestamp>, ReplayError> {
        let hours = &self.history.hours;
        if self.next >= hours.len() {
            return Ok(None);
        }
        let mut samples = 0;
        while self.next < hours.len() && samples < STRETCH_SAMPLES {
            let (held, disordered) = (&mut self.held, &mut self.disordered);
            let take = |Record { series, at, value }: Record| {
                let series = series as usize;
                if let Some(held) = &mut held[series] {
                    if held.last().is_some_and(|(before, _)| *before >= at) && disordered.last() != Some(&series) {
                        disordered.push(series);
                    }
                    held.push((at, value));
                }
            };
            samples += hours.each(self.next, take).map_err(aside)?;
            self.next += 1;
        }
        for series in self.disordered.drain(..) {
            if let Some(held) = &mut self.held[series] {
                sort_last_wins(held);
            }
        }
        Ok(Some(if self.next < hours.len() { hours.begins(self.next) - Span::from_millis(1) } else { Timestamp::MAX }))
    }

    /// Series on a grid within what is known, as [`DataSet::frame_on`] has them.
    pub fn frame(&self, series: &[usize], grid: Grid) -> Frame {
        let mut builder = FrameBuilder::new(grid);
        for &index in series {
            let row = builder.row_of(&self.history.series[index].labels);
            if let Some(held) = &self.held[index] {
                each_on(held, grid, |column, value| builder.set(row, column, value));
            }
        }
        builder.finish()
    }

    /// Lets go of a series' samples up to this time.
    pub fn forget(&mut self, series: usize, until: Timestamp) {
        if let Some(held) = &mut self.held[series] {
            let old = held.partition_point(|(at, _)| *at <= until);
            held.drain(..old);
        }
    }
}

/// Where samples go on their way from a file into a history.
#[derive(Default)]
struct Aside<'a> {
    hours: Hours,
    counts: Vec<Count>,
    fault: Option<std::io::Error>,
    go_on: Option<&'a mut dyn FnMut(u64) -> bool>,
}

impl Keep for Aside<'_> {
    fn open(&mut self) {
        self.counts.push(Count::default());
    }

    fn push(&mut self, series: usize, at: Timestamp, value: f64) {
        self.counts[series].push(at);
        // The collector takes a million series at most.
        self.hours.push(Record { series: series as u32, at, value });
    }

    fn pause(&mut self, rows: u64) -> Result<(), ReplayError> {
        if self.go_on.as_mut().is_some_and(|go_on| !go_on(rows)) {
            return Err(ReplayError::Stopped);
        }
        if let Err(error) = self.hours.relieve() {
            self.fault = Some(error);
        }
        Ok(())
    }
}

/// What is counted of one series while it is read.
#[derive(Clone, Debug, Default)]
struct Count {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    before: Option<Timestamp>,
    samples: u64,
    is_unsorted: bool,
    /// Milliseconds between two samples, and how often, in the order of length.
    lengths: Vec<(i64, u64)>,
    /// Where the length before stands: nearly always the next one too.
    usual: usize,
}

impl Count {
    fn push(&mut self, at: Timestamp) {
        self.samples += 1;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        match self.before.replace(at) {
            Some(before) if at > before => self.count((at - before).as_millis()),
            Some(_) => self.is_unsorted = true,
            None => {}
        }
    }

    fn count(&mut self, length: i64) {
        if let Some((_, times)) = self.lengths.get_mut(self.usual).filter(|(known, _)| *known == length) {
            *times += 1;
            return;
        }
        match self.lengths.binary_search_by_key(&length, |(known, _)| *known) {
            Ok(found) => {
                self.lengths[found].1 += 1;
                self.usual = found;
            }
            Err(place) if self.lengths.len() < MAX_LENGTHS => {
                self.lengths.insert(place, (length, 1));
                self.usual = place;
            }
            Err(_) => {}
        }
    }

    /// The lower of two middles, as [`infer_step`](super::infer_step) takes it.
    fn step(&self) -> Option<Span> {
        let middle = self.lengths.iter().map(|(_, times)| times).sum::<u64>().checked_sub(1)? / 2;
        let mut passed = 0;
        let median = self.lengths.iter().find(|(_, times)| {
            passed += times;
            passed > middle
        });
        median.map(|(length, _)| without_jitter(*length))
    }
}

/// Counts the series anew whose samples came in another order than time, an hour at a time.
fn count_again(hours: &Hours, counts: &mut [Count]) -> Result<(), ReplayError> {
    let is_wrong: Vec<bool> = counts.iter().map(|count| count.is_unsorted).collect();
    for (count, _) in counts.iter_mut().zip(&is_wrong).filter(|(_, wrong)| **wrong) {
        *count = Count::default();
    }
    for hour in 0..hours.len() {
        let mut samples: Vec<(u32, Timestamp)> = Vec::new();
        let take = |r: Record| samples.extend(is_wrong[r.series as usize].then_some((r.series, r.at)));
        hours.each(hour, take).map_err(aside)?;
        samples.sort_unstable();
        samples.dedup();
        for (series, at) in &samples {
            counts[*series as usize].push(*at);
        }
    }
    Ok(())
}

fn aside(source: std::io::Error) -> ReplayError {
    ReplayError::Aside { folder: std::env::temp_dir().display().to_string(), source }
}
