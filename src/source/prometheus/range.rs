//! Range queries of any length: cut into windows that the server and our own limits bear, fetched a few at a time, joined.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, Stream, StreamExt};
use reqwest::Method;

use crate::core::frame::{Frame, FrameBuilder, Grid};
use crate::core::time::Span;

use super::answer::{DecodeStats, RangeAnswer, Remarks};
use super::client::{Call, PrometheusClient, seconds};
use super::decode::{DecodeError, Decoded, Decoder, Payload};
use super::error::{Cause, SourceError};
use super::plan::{MAX_HALVINGS, Pace, WindowLimits, part};
use super::remote_read::RemoteRead;

/// Series times grid points of a joined answer, as a multiple of one answer's limit: 512 MB by default. Longer reads go through
/// [`PrometheusClient::range_windows`], which holds only the windows under way.
pub const MAX_JOINED: usize = 8;

/// What is asked: a query over a grid, on whose behalf.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAsk<'a> {
    pub query: &'a str,
    pub grid: Grid,
    /// The watch, for messages.
    pub watch: Option<&'a str>,
    /// Series expected, as the last answer had; saves a long read its probe.
    pub rows_hint: Option<usize>,
}

impl PrometheusClient {
    /// All of the grid in one frame. Series that stand in some windows only are missing in the others.
    ///
    /// # Errors
    /// [`SourceError`], after retries and halving; one failed window fails the whole.
    pub async fn query_range(&self, ask: &RangeAsk<'_>) -> Result<RangeAnswer, SourceError> {
        self.joined(ask, None).await
    }

    /// The same for a plain selector, by remote read.
    ///
    /// # Errors
    /// As [`Self::query_range`].
    pub async fn read_range(&self, ask: &RangeAsk<'_>, remote: &RemoteRead) -> Result<RangeAnswer, SourceError> {
        self.joined(ask, Some(remote)).await
    }

    async fn joined(&self, ask: &RangeAsk<'_>, remote: Option<&RemoteRead>) -> Result<RangeAnswer, SourceError> {
        let mut windows = std::pin::pin!(self.windows_by(ask, remote));
        let mut joined: Option<Joined> = None;
        while let Some(answer) = windows.next().await {
            let answer = answer?;
            match &mut joined {
                None if answer.frame.grid() == ask.grid => return Ok(answer),
                None => {
                    let mut first = Joined::new(ask.grid, self.limits().max_cells.saturating_mul(MAX_JOINED));
                    first.add(&answer).map_err(|e| self.error(&call(ask, ask.grid, String::new()), e, 1))?;
                    joined = Some(first);
                }
                Some(joined) => {
                    joined.add(&answer).map_err(|e| self.error(&call(ask, ask.grid, String::new()), e, 1))?;
                }
            }
        }
        Ok(match joined {
            Some(joined) => RangeAnswer { frame: joined.builder.finish(), stats: joined.stats, remarks: joined.remarks },
            None => RangeAnswer { frame: FrameBuilder::new(ask.grid).finish(), stats: DecodeStats::default(), remarks: Remarks::default() },
        })
    }

    /// The grid's windows in the order of time, as frames of their own; the next ones are fetched while one is looked at. Stop at the
    /// first error: what follows it would leave a gap. Nothing is asked for an empty grid.
    pub fn range_windows<'a>(&'a self, ask: &'a RangeAsk<'a>) -> impl Stream<Item = Result<RangeAnswer, SourceError>> + Send + 'a {
        self.windows_by(ask, None)
    }

    /// The same windows of a plain selector's samples, read by remote read.
    pub fn remote_windows<'a>(
        &'a self,
        ask: &'a RangeAsk<'a>,
        remote: &'a RemoteRead,
    ) -> impl Stream<Item = Result<RangeAnswer, SourceError>> + Send + 'a {
        self.windows_by(ask, Some(remote))
    }

    fn windows_by<'a>(
        &'a self,
        ask: &'a RangeAsk<'a>,
        remote: Option<&'a RemoteRead>,
    ) -> impl Stream<Item = Result<RangeAnswer, SourceError>> + Send + 'a {
        let limits = self.limits();
        let limits = WindowLimits { max_points: limits.max_points, max_body_bytes: limits.max_body_bytes, max_cells: limits.max_cells };
        let pace = if remote.is_some() { Pace::streamed(limits, ask.rows_hint) } else { Pace::new(limits, ask.rows_hint) };
        let reading = Reading { client: self, ask, remote, pace: Mutex::new(pace) };
        let reading = std::sync::Arc::new(reading);
        // The first window tells how many series there are; the others are cut by what it told.
        let first_len = if ask.grid.len == 0 { 0 } else { reading.pace().points(ask.grid.len) };
        let probe = reading.clone();
        let first = stream::iter((first_len > 0).then_some(())).then(move |()| {
            let reading = probe.clone();
            async move { reading.window(part(ask.grid, 0, first_len)).await }
        });
        let cutter = reading.clone();
        let rest = stream::unfold(first_len, move |next| {
            let window = (next < ask.grid.len).then(|| part(ask.grid, next, cutter.pace().points(ask.grid.len - next)));
            std::future::ready(window.map(|w| (w, next + w.len)))
        });
        let rest = rest
            .map(move |window| {
                let reading = reading.clone();
                async move { reading.window(window).await }
            })
            .buffered(self.limits().max_concurrency.max(1));
        first.chain(rest).flat_map(|answers| {
            let answers: Vec<_> = match answers {
                Ok(answers) => answers.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(answers)
        })
    }
}

/// One range query under way.
struct Reading<'a> {
    client: &'a PrometheusClient,
    ask: &'a RangeAsk<'a>,
    remote: Option<&'a RemoteRead>,
    pace: Mutex<Pace>,
}

impl Reading<'_> {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One window; halved, and its halves again, where the answer proves too large.
    async fn window(&self, window: Grid) -> Result<Vec<RangeAnswer>, SourceError> {
        let mut answers = Vec::new();
        let mut left = vec![(window, 0)];
        while let Some((grid, halvings)) = left.pop() {
            match self.fetch(grid).await {
                Ok(answer) => answers.push(answer),
                Err(error) if error.cause.wants_smaller() && grid.len > 1 && halvings < MAX_HALVINGS => {
                    let half = grid.len.div_ceil(2);
                    tracing::debug!(url = %error.url, watch = self.ask.watch, points = grid.len, cause = %error.cause, "halving the window");
                    self.pace().too_large(grid.len);
                    left.push((part(grid, half, grid.len), halvings + 1));
                    left.push((part(grid, 0, half), halvings + 1));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }

    async fn fetch(&self, grid: Grid) -> Result<RangeAnswer, SourceError> {
        if let Some(remote) = self.remote {
            let answer = remote.window(self.client, self.ask.watch, grid).await?;
            self.pace().learn(answer.frame.rows(), answer.stats.samples, answer.stats.bytes);
            return Ok(answer);
        }
        let call = call(self.ask, grid, self.client.server_timeout());
        let limits = self.client.decode_limits();
        match self.client.ask(&call, || Decoder::range(grid, limits)).await? {
            Decoded { payload: Payload::Matrix(frame), stats, remarks } => {
                self.pace().learn(frame.rows(), stats.samples, stats.bytes);
                Ok(RangeAnswer { frame, stats, remarks })
            }
            Decoded { payload: Payload::Vector(_), .. } => unreachable!("a range decoder makes matrices"),
        }
    }
}

fn call<'a>(ask: &RangeAsk<'a>, grid: Grid, timeout: String) -> Call<'a> {
    let params = vec![
        ("query", ask.query.to_owned()),
        ("start", seconds(grid.start)),
        ("end", seconds(grid.last())),
        ("step", step_seconds(grid.step)),
        ("timeout", timeout),
    ];
    Call { act: "read range", watch: ask.watch, method: Method::POST, path: "api/v1/query_range", params, posted: None }
}

/// Seconds with milliseconds, as `start` and `end` are written.
fn step_seconds(step: Span) -> String {
    let ms = step.as_millis();
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

struct Joined {
    builder: FrameBuilder,
    max_cells: usize,
    stats: DecodeStats,
    remarks: Remarks,
}

impl Joined {
    fn new(grid: Grid, max_cells: usize) -> Self {
        Self { builder: FrameBuilder::new(grid), max_cells, stats: DecodeStats::default(), remarks: Remarks::default() }
    }

    fn add(&mut self, answer: &RangeAnswer) -> Result<(), Cause> {
        let frame: &Frame = &answer.frame;
        let Some(first) = self.builder.grid().index_of(frame.grid().start) else { return Ok(()) };
        for (row, labels) in frame.labels().iter().enumerate() {
            let to = self.builder.row_of(labels);
            if self.builder.rows().saturating_mul(self.builder.grid().len) > self.max_cells {
                return Err(DecodeError::TooManyCells { limit: self.max_cells }.into());
            }
            for (i, value) in frame.row(row).iter().enumerate() {
                self.builder.set(to, first + i, *value);
            }
        }
        self.stats.add(&answer.stats);
        self.remarks.add(&answer.remarks);
        Ok(())
    }
}
