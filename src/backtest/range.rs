//! A range of a Prometheus as the engine's samples: read stretch by stretch and fed as they come.
//!
//! What was read before comes from the cache. The rest: a plain selector's samples by remote read, at a thirtieth of the server's work; where
//! that can't be had, by range queries, which show the same. Which way it was is noted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt};
use tokio::sync::OnceCell;

use super::cache::{Asked, Cache};
use super::past::{Done, PastError, Take};
use crate::core::frame::{Frame, Grid};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Limit, Threshold};
use crate::source::prometheus::{PrometheusClient, RangeAnswer, RangeAsk, Remarks, RemoteRead, SourceError};

/// Stretches read at once: the next one comes while one is gone through.
const AT_ONCE: usize = 2;

/// A server, and what it has answered before.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    pub client: &'a PrometheusClient,
    pub cache: Option<&'a Cache>,
    /// The time of reading: what is too young then is not kept.
    pub now: Timestamp,
}

/// Reads one watch of the backtest from `from` to `to` and feeds it. `go_on` hears how much has been done, and may end it. Says
/// whether all was looked at.
///
/// # Errors
/// The source's, when a stretch cannot be read: what follows it would stand after a gap. When a chart cannot be drawn.
pub async fn feed(
    backtest: &mut impl Take,
    watch_index: usize,
    source: Server<'_>,
    (from, to): (Timestamp, Timestamp),
    mut go_on: impl FnMut(Done) -> bool,
) -> Result<bool, PastError> {
    let Some(watch) = backtest.watch(watch_index).cloned() else { return Ok(true) };
    let grid = Grid::aligned(from, to, watch.step);
    let values = Reading::new(source, &watch.query, &watch.name);
    let thresholds = match &watch.limit {
        Some(Limit { threshold: Threshold::Query(query), .. }) => Some(Reading::new(source, query, &watch.name)),
        _ => None,
    };
    let pair = |grid: Grid| {
        let (values, thresholds) = (&values, &thresholds);
        async move {
            let answer = values.stretch(grid).await?;
            let limits = match thresholds {
                Some(thresholds) => Some(thresholds.stretch(grid).await?),
                None => None,
            };
            Ok::<_, SourceError>((answer, limits))
        }
    };
    let mut stretches = std::pin::pin!(stream::iter(Cache::stretches(grid)).map(pair).buffered(AT_ONCE));
    let mut columns = 0;
    let mut done = Done { of: grid.step.times(grid.len as i64), ..Done::default() };
    while go_on(done) {
        let Some(next) = stretches.next().await else {
            backtest.hear(format!("{}: samples came {}", watch.name, values.way()));
            return Ok(true);
        };
        let ((frame, remarks), limits) = next?;
        for warning in remarks.warnings.iter().filter(|_| remarks.partial) {
            backtest.hear(format!("{}: the server warns: {warning}", watch.name));
        }
        backtest.take(watch_index, &frame, limits.as_ref().map(|(frame, _)| frame), grid.last())?;
        columns += frame.grid().len;
        done.series = done.series.max(frame.rows());
        done.samples += frame.present() as u64;
        done.part = columns as f64 / grid.len.max(1) as f64;
        done.gone = grid.step.times(columns as i64);
    }
    Ok(false)
}

/// Whether a query has an answer at a time.
///
/// # Errors
/// The source's.
pub async fn has_data(source: Server<'_>, query: &str, at: Timestamp) -> Result<bool, SourceError> {
    let point = Grid { start: at, step: Span::SECOND, len: 1 };
    Ok(Reading::new(source, query, "probe").stretch(point).await?.0.rows() > 0)
}

/// One query under way.
pub(super) struct Reading<'a> {
    source: Server<'a>,
    query: &'a str,
    watch: &'a str,
    /// Whether remote read will do, once that has been asked.
    remote: OnceCell<Option<RemoteRead>>,
    is_refused: AtomicBool,
    /// Stretches from the cache, by remote read, by range queries.
    came: [AtomicUsize; 3],
}

impl<'a> Reading<'a> {
    pub fn new(source: Server<'a>, query: &'a str, watch: &'a str) -> Self {
        Self { source, query, watch, remote: OnceCell::new(), is_refused: AtomicBool::new(false), came: Default::default() }
    }

    /// What it has to say on a grid, from the cache if it was asked before.
    pub async fn stretch(&self, grid: Grid) -> Result<(Frame, Remarks), SourceError> {
        let Server { client, cache, now } = self.source;
        let asked = Asked { server: client.identity(), query: self.query };
        if let Some(frame) = cache.and_then(|cache| cache.read(asked, grid)) {
            self.came[0].fetch_add(1, Ordering::Relaxed);
            return Ok((frame, Remarks::default()));
        }
        let RangeAnswer { frame, remarks, .. } = self.ask(grid).await?;
        if let Some(cache) = cache.filter(|_| !remarks.partial)
            && let Err(error) = cache.write(asked, &frame, now)
        {
            tracing::warn!(%error, "an answer cannot be kept; the next run asks again");
        }
        Ok((frame, remarks))
    }

    async fn ask(&self, grid: Grid) -> Result<RangeAnswer, SourceError> {
        let client = self.source.client;
        let ask = RangeAsk { query: self.query, grid, watch: Some(self.watch), rows_hint: None };
        let open = async || match RemoteRead::open(client, self.query).await {
            Ok(remote) => Some(remote),
            Err(unfit) => {
                tracing::debug!(watch = self.watch, %unfit, "range queries instead of remote read");
                None
            }
        };
        if let Some(remote) = self.remote.get_or_init(open).await
            && !self.is_refused.load(Ordering::Relaxed)
        {
            match client.read_range(&ask, remote).await {
                Ok(answer) => {
                    self.came[1].fetch_add(1, Ordering::Relaxed);
                    return Ok(answer);
                }
                // Some servers have the settings and not the protocol, or stop to let it be used: range queries say what is wrong.
                Err(error) => {
                    tracing::debug!(watch = self.watch, %error, "range queries instead of remote read");
                    self.is_refused.store(true, Ordering::Relaxed);
                }
            }
        }
        self.came[2].fetch_add(1, Ordering::Relaxed);
        client.query_range(&ask).await
    }

    /// Which way the stretches came, for people.
    fn way(&self) -> String {
        let ways = ["from the cache", "by remote read", "by range queries"];
        let came: Vec<&str> =
            ways.into_iter().zip(&self.came).filter(|(_, count)| count.load(Ordering::Relaxed) > 0).map(|(way, _)| way).collect();
        came.join(" and ")
    }
}
