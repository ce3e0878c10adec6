//! How Prometheus' API reads parameters, looks samples up and writes answers.
//!
//! Answers are written as text rather than built as JSON values: a range of a fortnight is a hundred thousand points, and their form is fixed.

use std::fmt::Write;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::server::LOOKBACK;
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};
use crate::source::replay::DataSeries;

/// An error as the API writes it.
pub(super) struct ApiError(pub String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "status": "error", "errorType": "bad_data", "error": self.0 });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}

pub(super) fn invalid(parameter: &str, why: impl std::fmt::Display) -> ApiError {
    ApiError(format!("invalid parameter \"{parameter}\": {why}"))
}

pub(super) fn time(parameter: &str, text: &str) -> Result<Timestamp, ApiError> {
    let refuse = || invalid(parameter, format!("cannot parse {text:?} to a valid timestamp"));
    // Numbers are always seconds here.
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(Timestamp::from_secs_f64(seconds)),
        Ok(_) => Err(refuse()),
        Err(_) => text.parse().map_err(|_| refuse()),
    }
}

pub(super) fn duration(text: &str) -> Result<Span, ApiError> {
    let refuse = || invalid("step", format!("cannot parse {text:?} to a valid duration"));
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(Span::from_secs_f64(seconds)),
        Ok(_) => Err(refuse()),
        Err(_) => text.parse().map_err(|_| refuse()),
    }
}

/// A series read at rising times, never past the clock.
pub(super) struct Walk<'a> {
    samples: &'a [(Timestamp, f64)],
    /// Samples before this are at or before the last time asked for.
    next: usize,
}

impl<'a> Walk<'a> {
    pub fn new(series: &'a DataSeries, now: Timestamp) -> Self {
        let visible = series.samples.partition_point(|(time, _)| *time <= now);
        Self { samples: &series.samples[..visible], next: 0 }
    }

    pub fn at(&mut self, at: Timestamp) -> Option<f64> {
        self.next += self.samples[self.next..].partition_point(|(time, _)| *time <= at);
        let (time, value) = self.samples[..self.next].last()?;
        (at - *time < LOOKBACK).then_some(*value)
    }
}

pub(super) fn by_labels<'a>(all: impl Iterator<Item = &'a DataSeries>, wanted: impl Fn(&Labels) -> bool) -> Vec<&'a DataSeries> {
    let mut found: Vec<&DataSeries> = all.filter(|series| wanted(&series.labels)).collect();
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    found
}

/// Adds one series of a matrix, unless it has no points.
pub(super) fn push_series(out: &mut String, labels: &Labels, points: impl Iterator<Item = (Timestamp, f64)>) {
    let before = out.len();
    // Writing to a String does not fail.
    let _ = write!(out, "{}{{\"metric\":{},\"values\":[", if before == 0 { "" } else { "," }, labels_json(labels));
    let empty = out.len();
    for (at, value) in points {
        let comma = if out.len() == empty { "" } else { "," };
        let _ = write!(out, "{comma}{}", point(at, value));
    }
    if out.len() == empty {
        out.truncate(before);
    } else {
        out.push_str("]}");
    }
}

pub(super) fn success(data: &str) -> Response {
    let body = format!("{{\"status\":\"success\",\"data\":{{{data}}}}}");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

pub(super) fn labels_json(labels: &Labels) -> String {
    json!(labels).to_string()
}

/// `[seconds, "value"]`, the value as Go's shortest decimal form, which is Rust's too but for the names of infinities.
pub(super) fn point(at: Timestamp, value: f64) -> String {
    let (seconds, millis) = (at.as_millis().div_euclid(1000), at.as_millis().rem_euclid(1000));
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    let text = if value == f64::INFINITY {
        "+Inf".into()
    } else if value == f64::NEG_INFINITY {
        "-Inf".into()
    } else {
        value.to_string()
    };
    format!("[{seconds}{fraction},\"{text}\"]")
}
