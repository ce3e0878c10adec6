//! A range of a Prometheus as the engine's samples: read window by window and fed as they come.

use futures_util::StreamExt;

use super::Backtest;
use crate::chart::ChartError;
use crate::core::frame::Grid;
use crate::core::time::Timestamp;
use crate::core::watch::{Limit, Threshold};
use crate::source::prometheus::{PrometheusClient, RangeAsk, SourceError};

/// Why a range could not be gone through.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Chart(#[from] ChartError),
}

/// Reads one watch of the backtest from `from` to `to` and feeds it. `go_on` hears how much has been done, from 0 to 1, and may end it.
/// Says whether all was looked at.
///
/// # Errors
/// The source's, when a window cannot be read: what follows it would stand after a gap. When a chart cannot be drawn.
pub async fn feed(
    backtest: &mut Backtest,
    watch_index: usize,
    client: &PrometheusClient,
    from: Timestamp,
    to: Timestamp,
    mut go_on: impl FnMut(f64) -> bool,
) -> Result<bool, RangeError> {
    let Some(watch) = backtest.watches().nth(watch_index).cloned() else { return Ok(true) };
    let grid = Grid::aligned(from, to, watch.step);
    let ask = RangeAsk { query: &watch.query, grid, watch: Some(&watch.name), rows_hint: None };
    let threshold_query = match &watch.limit {
        Some(Limit { threshold: Threshold::Query(query), .. }) => Some(query.as_str()),
        _ => None,
    };
    let mut windows = std::pin::pin!(client.range_windows(&ask));
    let mut done = 0;
    while go_on(done as f64 / grid.len.max(1) as f64) {
        let Some(answer) = windows.next().await else { return Ok(true) };
        let answer = answer?;
        let remarks = &answer.remarks;
        for warning in remarks.warnings.iter().filter(|_| remarks.partial) {
            backtest.note(format!("{}: the server warns: {warning}", watch.name));
        }
        let thresholds = match threshold_query {
            Some(query) => {
                let ask = RangeAsk { query, grid: answer.frame.grid(), watch: Some(&watch.name), rows_hint: None };
                Some(client.query_range(&ask).await?.frame)
            }
            None => None,
        };
        done += answer.frame.grid().len;
        backtest.feed(watch_index, &answer.frame, thresholds.as_ref(), grid.last())?;
    }
    Ok(false)
}
