//! The shape of a Prometheus API answer: which token may stand where, and what it means.
//!
//! One state per place in the document, so a sample costs four small steps and the parsing of its numbers. Keys may come in any order
//! (the format promises none); what is not known is skipped, since servers add keys with every version. What is known must have the
//! right type: a wrong one is an error, because half-understood data is worse than none.

use std::borrow::Cow;
use std::sync::Arc;

use crate::core::labels::Labels;

use super::answer::{DecodeStats, MAX_REMARK_CHARS, Remarks, clip};
use super::collect::{Matrix, Names, Vector};
use super::decode::{DecodeError, DecodeLimits, Decoded, Payload};
use super::json::JsonError;
use super::number::{parse_seconds_ms, parse_value};
use super::place::{Back, Place};
use super::token::{Sink, Text, Token};

/// Labels of one series. Prometheus' own advice is about ten; a hundred is beyond any use, and bounds one series' memory.
pub const MAX_LABELS: usize = 128;

/// Why the document stops the tokenizer.
#[derive(Debug)]
pub(super) enum Fault {
    Decode(DecodeError),
    /// A string that is none; the tokenizer knows where.
    BadText,
}

impl From<JsonError> for Fault {
    fn from(error: JsonError) -> Self {
        Self::Decode(error.into())
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

#[derive(Debug)]
pub(super) enum Target {
    Matrix(Box<Matrix>),
    Vector(Vector),
}

impl Target {
    fn wanted(&self) -> &'static str {
        match self {
            Self::Matrix(_) => "matrix",
            Self::Vector(_) => "vector or scalar",
        }
    }

    fn takes(&self, result_type: &str) -> bool {
        match self {
            Self::Matrix(_) => result_type == "matrix",
            Self::Vector(_) => matches!(result_type, "vector" | "scalar"),
        }
    }
}

/// Keys that must stand once.
#[derive(Debug, Default)]
struct Seen {
    data: bool,
    result: bool,
    /// In the present series.
    metric: bool,
}

/// The answer as far as it was read: where the next token stands, and what is known already.
#[derive(Debug)]
pub(super) struct Document {
    place: Place,
    target: Target,
    limits: DecodeLimits,
    stats: DecodeStats,
    remarks: Remarks,
    status: Option<String>,
    error_type: Option<String>,
    error: Option<String>,
    result_type: Option<String>,
    seen: Seen,
    names: Names,
    pairs: Vec<(Arc<str>, Arc<str>)>,
    /// Samples stand in a list (`values`), not alone (`value`).
    in_list: bool,
    time_ms: i64,
}

impl Document {
    pub fn new(target: Target, limits: DecodeLimits) -> Self {
        Self {
            place: Place::Start,
            target,
            limits,
            stats: DecodeStats::default(),
            remarks: Remarks::default(),
            status: None,
            error_type: None,
            error: None,
            result_type: None,
            seen: Seen::default(),
            names: Names::default(),
            pairs: Vec::new(),
            in_list: false,
            time_ms: 0,
        }
    }

    pub fn count_bytes(&mut self, bytes: usize) {
        self.stats.bytes += bytes as u64;
    }

    /// The server's own words about a failure, as far as they were read.
    pub fn words(&self) -> Option<(String, String)> {
        let message = self.error.clone().or_else(|| self.error_type.clone())?;
        Some((self.error_type.clone().unwrap_or_default(), message))
    }

    pub fn finish(self) -> Result<Decoded, DecodeError> {
        match self.status.as_deref() {
            Some("success") => {}
            Some("error") => {
                let (kind, message) = self.words().unwrap_or_else(|| (String::new(), "no reason given".to_owned()));
                return Err(DecodeError::Server { kind, message });
            }
            Some(other) => return Err(DecodeError::BadValue { place: "status", text: clip(other, MAX_REMARK_CHARS) }),
            None => return Err(DecodeError::Missing("status")),
        }
        if !self.seen.data {
            return Err(DecodeError::Missing("data"));
        }
        if self.result_type.is_none() {
            return Err(DecodeError::Missing("data.resultType"));
        }
        if !self.seen.result {
            return Err(DecodeError::Missing("data.result"));
        }
        let payload = match self.target {
            Target::Matrix(matrix) => Payload::Matrix(matrix.finish(&self.stats)?.finish()),
            Target::Vector(vector) => Payload::Vector(vector.finish()),
        };
        Ok(Decoded { payload, stats: self.stats, remarks: self.remarks })
    }

    fn top_key(&mut self, key: &[u8]) -> Result<Place, DecodeError> {
        Ok(match key {
            b"status" => Place::Status,
            b"data" if self.seen.data => return Err(DecodeError::Twice("data")),
            b"data" => Place::Data,
            b"warnings" => Place::Warnings,
            b"infos" => Place::Infos,
            b"errorType" => Place::ErrorType,
            b"error" => Place::Error,
            // VictoriaMetrics' cluster version: some storage nodes did not answer.
            b"isPartial" => Place::IsPartial,
            _ => Place::Skip { depth: 0, back: Back::Top },
        })
    }

    fn series_key(&mut self, key: &[u8]) -> Result<Place, DecodeError> {
        Ok(match (key, &self.target) {
            (b"metric", _) if self.seen.metric => return Err(DecodeError::Twice("metric")),
            (b"metric", _) => Place::Metric,
            (b"values", Target::Matrix(_)) => Place::Values,
            (b"value", Target::Vector(_)) => Place::Value,
            (b"value" | b"values", _) => {
                let found = String::from_utf8_lossy(key).into_owned();
                return Err(DecodeError::ResultType { wanted: self.target.wanted(), found: format!("series with a {found:?} key") });
            }
            (b"histogram" | b"histograms", _) => {
                self.stats.histogram_series += 1;
                Place::Skip { depth: 0, back: Back::Series }
            }
            _ => Place::Skip { depth: 0, back: Back::Series },
        })
    }

    fn end_metric(&mut self) -> Result<(), DecodeError> {
        let labels = Labels::from_pairs(self.pairs.drain(..)).map_err(|e| DecodeError::DuplicateLabel { name: e.name })?;
        self.seen.metric = true;
        match &mut self.target {
            Target::Matrix(matrix) => matrix.labels(labels),
            Target::Vector(vector) => {
                vector.labels(labels);
                Ok(())
            }
        }
    }

    fn end_series(&mut self) -> Result<(), DecodeError> {
        self.seen.metric = false;
        let whole = match &mut self.target {
            Target::Matrix(matrix) => matrix.end_series(&mut self.stats),
            Target::Vector(vector) => vector.end_series(&self.limits, &mut self.stats)?,
        };
        if whole { Ok(()) } else { Err(DecodeError::Missing("metric")) }
    }

    fn sample(&mut self, text: Text<'_>) -> Result<(), Fault> {
        let value = sample_value(text)?;
        match &mut self.target {
            Target::Matrix(matrix) => matrix.sample(self.time_ms, value, &mut self.stats)?,
            Target::Vector(vector) => vector.sample(self.time_ms, value, &mut self.stats),
        }
        Ok(())
    }
}

fn sample_value(text: Text<'_>) -> Result<f64, Fault> {
    let value = text.plain().and_then(parse_value);
    value.ok_or_else(|| match text.decode() {
        Some(bad) => DecodeError::BadValue { place: "sample value", text: clip(&bad, 40) }.into(),
        None => Fault::BadText,
    })
}

fn sample_time(number: &[u8]) -> Result<i64, Fault> {
    let bad = || DecodeError::BadValue { place: "sample time", text: clip(&String::from_utf8_lossy(number), 40) };
    parse_seconds_ms(number).ok_or_else(|| bad().into())
}

fn string(text: Text<'_>) -> Result<String, Fault> {
    text.decode().map(Cow::into_owned).ok_or(Fault::BadText)
}

/// Text of a known key; an escaped key is decoded, since `"st\u0061tus"` is `status` too.
fn key_bytes<R>(text: Text<'_>, with: impl FnOnce(&[u8]) -> R) -> Result<R, Fault> {
    match text.plain() {
        Some(plain) => Ok(with(plain)),
        None => text.decode().map(|t| with(t.as_bytes())).ok_or(Fault::BadText),
    }
}

fn wrong(place: &'static str, wanted: &'static str, token: &Token<'_>) -> Fault {
    DecodeError::WrongType { place, wanted, found: token.name() }.into()
}

impl Sink for Document {
    type Error = Fault;

    fn token(&mut self, token: Token<'_>) -> Result<(), Fault> {
        self.place = match (self.place, token) {
            // The four steps of a sample come first: nearly every token is one of them.
            (Place::ValueItems, Token::BeginArray) => Place::SampleTime,
            (Place::SampleTime, Token::Num(number)) => {
                self.time_ms = sample_time(number)?;
                Place::SampleValue
            }
            (Place::SampleValue, Token::Str(text)) => {
                self.sample(text)?;
                Place::SampleEnd
            }
            (Place::SampleEnd, Token::EndArray) => {
                if self.in_list {
                    Place::ValueItems
                } else {
                    Place::Series
                }
            }
            (Place::ValueItems, Token::EndArray) => Place::Series,
            (Place::ValueItems, token) => return Err(wrong("item of values", "array", &token)),
            (Place::SampleTime, token) => return Err(wrong("sample time", "number", &token)),
            (Place::SampleValue, token) => return Err(wrong("sample value", "string", &token)),
            (Place::SampleEnd, token) => return Err(wrong("third item of a sample", "nothing", &token)),

            (Place::Series, Token::Key(key)) => key_bytes(key, |k| self.series_key(k))??,
            (Place::Series, Token::EndObject) => {
                self.end_series()?;
                Place::ResultItems
            }
            (Place::Metric, Token::BeginObject) => Place::MetricNames,
            (Place::Metric, token) => return Err(wrong("metric", "object", &token)),
            (Place::MetricNames, Token::Key(key)) => {
                if self.pairs.len() == MAX_LABELS {
                    return Err(DecodeError::TooManyLabels.into());
                }
                let name = key.decode().ok_or(Fault::BadText)?;
                self.pairs.push((self.names.get(&name), Arc::default()));
                Place::MetricValue
            }
            (Place::MetricNames, Token::EndObject) => {
                self.end_metric()?;
                Place::Series
            }
            (Place::MetricValue, Token::Str(text)) => {
                let value = text.decode().ok_or(Fault::BadText)?;
                if let Some(pair) = self.pairs.last_mut() {
                    pair.1 = (&*value).into();
                }
                Place::MetricNames
            }
            (Place::MetricValue, token) => return Err(wrong("label value", "string", &token)),
            (Place::Values, Token::BeginArray) => {
                self.in_list = true;
                Place::ValueItems
            }
            (Place::Values, token) => return Err(wrong("values", "array", &token)),
            (Place::Value, Token::BeginArray) => {
                self.in_list = false;
                Place::SampleTime
            }
            (Place::Value, token) => return Err(wrong("value", "array", &token)),

            (Place::Start, Token::BeginObject) => Place::Top,
            (Place::Start, token) => return Err(wrong("answer", "object", &token)),
            (Place::Top, Token::Key(key)) => key_bytes(key, |k| self.top_key(k))??,
            (Place::Top, Token::EndObject) => Place::Done,
            (Place::Status, Token::Str(text)) => {
                self.status = Some(string(text)?);
                Place::Top
            }
            (Place::Status, token) => return Err(wrong("status", "string", &token)),
            (Place::ErrorType, Token::Str(text)) => {
                self.error_type = Some(clip(&string(text)?, MAX_REMARK_CHARS));
                Place::Top
            }
            (Place::Error, Token::Str(text)) => {
                self.error = Some(clip(&string(text)?, MAX_REMARK_CHARS));
                Place::Top
            }
            (Place::ErrorType | Place::Error, Token::Null) => Place::Top,
            (Place::ErrorType | Place::Error, token) => return Err(wrong("error", "string", &token)),
            (Place::IsPartial, Token::Bool(partial)) => {
                self.remarks.partial |= partial;
                Place::Top
            }
            (Place::IsPartial, token) => return Err(wrong("isPartial", "boolean", &token)),
            (Place::Warnings, Token::BeginArray) => Place::WarningItems,
            (Place::Infos, Token::BeginArray) => Place::InfoItems,
            (Place::Warnings | Place::Infos, Token::Null) => Place::Top,
            (Place::Warnings | Place::Infos, token) => return Err(wrong("warnings", "array", &token)),
            (Place::WarningItems, Token::Str(text)) => {
                self.remarks.warn(&text.decode().ok_or(Fault::BadText)?);
                Place::WarningItems
            }
            (Place::InfoItems, Token::Str(text)) => {
                self.remarks.inform(&text.decode().ok_or(Fault::BadText)?);
                Place::InfoItems
            }
            (Place::WarningItems | Place::InfoItems, Token::EndArray) => Place::Top,
            (Place::WarningItems | Place::InfoItems, token) => return Err(wrong("warning", "string", &token)),

            (Place::Data, Token::BeginObject) => {
                self.seen.data = true;
                Place::DataKeys
            }
            // A failed query's answer may say so.
            (Place::Data, Token::Null) => Place::Top,
            (Place::Data, token) => return Err(wrong("data", "object", &token)),
            (Place::DataKeys, Token::Key(key)) => key_bytes(key, |k| match k {
                b"resultType" => Ok(Place::ResultType),
                b"result" if self.seen.result => Err(DecodeError::Twice("data.result")),
                b"result" => Ok(Place::Result),
                _ => Ok(Place::Skip { depth: 0, back: Back::DataKeys }),
            })??,
            (Place::DataKeys, Token::EndObject) => Place::Top,
            (Place::ResultType, Token::Str(text)) => {
                let found = string(text)?;
                if !self.target.takes(&found) {
                    return Err(DecodeError::ResultType { wanted: self.target.wanted(), found: clip(&found, 40) }.into());
                }
                self.result_type = Some(found);
                Place::DataKeys
            }
            (Place::ResultType, token) => return Err(wrong("data.resultType", "string", &token)),
            (Place::Result, Token::BeginArray) => {
                self.seen.result = true;
                Place::ResultItems
            }
            (Place::Result, token) => return Err(wrong("data.result", "array", &token)),
            (Place::ResultItems, Token::BeginObject) => Place::Series,
            (Place::ResultItems, Token::EndArray) => Place::DataKeys,
            (Place::ResultItems, Token::Num(number)) if matches!(self.target, Target::Vector(_)) => {
                self.time_ms = sample_time(number)?;
                Place::ScalarValue
            }
            (Place::ResultItems, token) => return Err(wrong("item of data.result", "object", &token)),
            (Place::ScalarValue, Token::Str(text)) => {
                if let Target::Vector(vector) = &mut self.target {
                    vector.labels(Labels::default());
                }
                self.sample(text)?;
                self.end_series()?;
                Place::ScalarEnd
            }
            (Place::ScalarValue, token) => return Err(wrong("scalar", "string", &token)),
            (Place::ScalarEnd, Token::EndArray) => Place::DataKeys,
            (Place::ScalarEnd, token) => return Err(wrong("third item of a scalar", "nothing", &token)),

            (Place::Skip { depth, back }, token) => skip(depth, back, &token)?,
            (Place::Top | Place::Series | Place::DataKeys | Place::MetricNames | Place::Done, token) => {
                return Err(wrong("object", "key", &token));
            }
        };
        Ok(())
    }
}

/// One token further through something unknown.
fn skip(depth: u32, back: Back, token: &Token<'_>) -> Result<Place, Fault> {
    let depth = match token {
        Token::BeginObject | Token::BeginArray => depth + 1,
        Token::EndObject | Token::EndArray => depth - 1,
        Token::Num(number) if parse_value(number).is_none() => {
            return Err(DecodeError::BadValue { place: "number", text: clip(&String::from_utf8_lossy(number), 40) }.into());
        }
        _ => depth,
    };
    let over = depth == 0 && !matches!(token, Token::Key(_));
    Ok(if over { back.place() } else { Place::Skip { depth, back } })
}
