//! `portent status` and `portent predictions`: what a running daemon says of itself, over its HTTP API.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueHint};
use serde::de::DeserializeOwned;

use super::output::{self, Format};
use super::{Failure, Outcome};
use crate::config::DEFAULT_LISTEN;
use crate::core::prediction::{Prediction, State, Truth};
use crate::core::time::{Span, Timestamp};
use crate::server::report::{CalibrationReport, Envelope, SeriesReport, StatusReport};
use crate::server::silence_report::PredictionReport;

/// A daemon on the same machine answers in milliseconds; the rest is for one across a slow line.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How the daemon is reached.
#[derive(Debug, Args)]
pub struct Remote {
    /// Where the daemon listens
    #[arg(long, value_name = "URL", env = "PORTENT_URL", default_value_t = format!("http://{DEFAULT_LISTEN}"))]
    url: String,
    /// File with your token, where the daemon has logins; without it PORTENT_TOKEN may hold the token itself
    #[arg(long, value_name = "FILE", env = "PORTENT_TOKEN_FILE", value_hint = ValueHint::FilePath)]
    token_file: Option<PathBuf>,
    /// table, json, jsonl or csv
    #[arg(short, value_enum, default_value = "table")]
    pub output: Format,
}

impl Remote {
    /// The data of an answer.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(reqwest::Method::GET, path)?.ok_or_else(|| self.refused("it gave no data"))
    }

    /// The same of a request that changes something.
    pub fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.post_maybe(path)?.ok_or_else(|| self.refused("it gave no data"))
    }

    /// The same where no data is an answer.
    pub fn post_maybe<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        self.ask(reqwest::Method::POST, path)
    }

    fn refused(&self, why: &str) -> Failure {
        Failure::new(format!("the daemon at {} refused: {why}", self.url))
    }

    /// The token that goes with every request. There is no option for the token itself: arguments stand in `ps` for everybody.
    pub fn token(&self) -> Result<Option<String>, Failure> {
        let Some(file) = &self.token_file else { return Ok(std::env::var("PORTENT_TOKEN").ok().filter(|token| !token.is_empty())) };
        let text =
            std::fs::read_to_string(file).map_err(|error| Failure::new(format!("cannot read the token in {}: {error}", file.display())))?;
        let token = text.lines().map(str::trim).find(|line| !line.is_empty());
        token.map(|token| Some(token.to_owned())).ok_or_else(|| Failure::new(format!("{} holds no token", file.display())))
    }

    /// Who decides, as a parameter: a token says it by itself, and without one a name has to.
    pub fn by<'a>(&self, name: Option<&'a str>) -> Result<&'a str, Failure> {
        match name {
            _ if self.token()?.is_some() => Ok(""),
            Some(name) => Ok(name),
            None => Err(Failure::usage("say who decides: --by NAME, or a token (--token-file)")),
        }
    }

    fn ask<T: DeserializeOwned>(&self, method: reqwest::Method, path: &str) -> Result<Option<T>, Failure> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let token = self.token()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let body = runtime.block_on(async {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
            let mut request = client.request(method, &url);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            request.send().await?.bytes().await
        });
        let body = body.map_err(|error: reqwest::Error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Failure::new(format!("cannot ask the daemon at {}: {why}", self.url))
                .hint("is it running (portent run)? name another with --url")
                .unreachable()
        })?;
        let envelope: Envelope<T> =
            serde_json::from_slice(&body).map_err(|error| Failure::new(format!("cannot read the answer of {}: {error}", self.url)))?;
        match envelope.error {
            Some(why) if envelope.error_type.as_deref() == Some("unauthorized") => {
                Err(self.refused(&why).hint("name your token's file with --token-file, or set PORTENT_TOKEN"))
            }
            Some(why) => Err(self.refused(&why)),
            None => Ok(envelope.data),
        }
    }
}

/// How a running daemon, its sources and its watches are doing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent status\n  portent status --all\n  portent status -o json | jq .counts")]
pub struct Status {
    #[command(flatten)]
    remote: Remote,
    /// Every series, too
    #[arg(long)]
    all: bool,
}

/// Predictions of a running daemon, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent predictions\n  portent predictions --all --since 7d\n  portent predictions -o json")]
pub struct Predictions {
    #[command(flatten)]
    remote: Remote,
    /// Those that have ended, too
    #[arg(long)]
    all: bool,
    /// Only this watch
    #[arg(long, value_name = "NAME")]
    watch: Option<String>,
    /// Changed within this time, as in 24h
    #[arg(long, value_name = "DURATION")]
    since: Option<Span>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl Status {
    pub fn run(self) -> Outcome {
        let status: StatusReport = self.remote.get("/api/v1/status")?;
        let series: Vec<SeriesReport> = if self.all { self.remote.get("/api/v1/series?limit=1000")? } else { Vec::new() };
        if self.remote.output == Format::Table {
            output::ignore_closed(print_status(&status, &series))?;
        } else {
            let value = if self.all { serde_json::json!({ "status": status, "series": series }) } else { serde_json::json!(status) };
            println!("{}", serde_json::to_string_pretty(&value)?);
        }
        Ok(ExitCode::from(u8::from(!status.readiness.ready)))
    }
}

/// One line about whether what was said came.
fn came(c: &CalibrationReport) -> String {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let (Some(said), Some(came_true), Some(brier)) = (c.said, c.came_true, c.brier) else {
        return "no likelihood is settled yet".to_owned();
    };
    let likelihoods =
        format!("{} likelihoods settled: said {}, came {} (Brier {brier:.3})", c.likelihoods_settled, percent(said), percent(came_true));
    match (c.coverage_80, c.coverage_95) {
        (Some(most), Some(nearly_all)) => {
            format!("{likelihoods}; {} of values in 80 % intervals, {} in 95 %", percent(most), percent(nearly_all))
        }
        _ => likelihoods,
    }
}

fn print_status(status: &StatusReport, series: &[SeriesReport]) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = output::stdout();
    let uptime = Span::from_secs(status.uptime_s as i64);
    writeln!(
        out,
        "portent {} up {uptime}, mode {}, {}",
        status.version,
        status.mode,
        if status.readiness.ready { "ready" } else { "NOT READY" }
    )?;
    if let Some(by) = &status.stopped_by {
        writeln!(out, "  STOPPED by {by}: nothing is started until portent resume")?;
    }
    for reason in &status.readiness.reasons {
        writeln!(out, "  {reason}")?;
    }
    for fault in &status.playbooks_refused {
        writeln!(out, "  refused: {fault}")?;
    }
    let c = &status.counts;
    writeln!(
        out,
        "{} series, {} open predictions, {} anomalies, {} webhooks waiting, {} ticks",
        c.series, c.predictions_open, c.anomalies_open, c.webhooks_pending, c.ticks
    )?;
    writeln!(out, "{}\n", came(&status.calibration))?;
    let rows: Vec<Vec<String>> = status
        .watches
        .iter()
        .map(|w| {
            let last = w.last_sample.map_or_else(|| "-".to_owned(), |t| t.to_string());
            let state = serde_json::to_value(w.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
            vec![w.name.clone(), w.source.clone(), w.series.to_string(), state, last, w.last_error.clone().unwrap_or_default()]
        })
        .collect();
    output::table(&mut out, &["WATCH", "SOURCE", "SERIES", "STATE", "LAST SAMPLE", "LAST ERROR"], &rows)?;
    if !series.is_empty() {
        let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), short);
        let rows: Vec<Vec<String>> = series
            .iter()
            .map(|s| {
                let state = serde_json::to_value(s.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
                vec![
                    s.watch.clone(),
                    s.labels.to_string(),
                    number(s.value),
                    number(s.expected),
                    number(s.score),
                    number(s.likelihood),
                    state,
                ]
            })
            .collect();
        writeln!(out)?;
        output::table(&mut out, &["WATCH", "SERIES", "VALUE", "EXPECTED", "SCORE", "LIKELIHOOD", "STATE"], &rows)?;
    }
    out.flush()
}

impl Predictions {
    pub fn run(self) -> Outcome {
        let mut path = format!("/api/v1/predictions?limit={}", self.limit.clamp(1, 1000));
        if !self.all {
            path += "&state=open";
        }
        if let Some(watch) = &self.watch {
            let encoded: String = url::form_urlencoded::byte_serialize(watch.as_bytes()).collect();
            path += &format!("&watch={encoded}");
        }
        if let Some(since) = self.since {
            let status: StatusReport = self.remote.get("/api/v1/status")?;
            path += &format!("&since={}", (status.now - since).as_millis());
        }
        let predictions: Vec<PredictionReport> = self.remote.get(&path)?;
        match self.remote.output {
            Format::Json => println!("{}", serde_json::to_string_pretty(&predictions)?),
            Format::Jsonl => {
                for prediction in &predictions {
                    println!("{}", serde_json::to_string(prediction)?);
                }
            }
            Format::Table | Format::Csv => output::ignore_closed(print_predictions(&predictions, self.remote.output))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_predictions(predictions: &[PredictionReport], format: Format) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = output::stdout();
    let header = ["RAISED", "WHAT", "SERVICE", "LIKELIHOOD", "ETA", "IMPACT", "STATE", "ID"];
    let rows: Vec<Vec<String>> = predictions
        .iter()
        .map(|report| {
            let p = &report.prediction;
            vec![
                p.raised_at.to_string(),
                p.title.clone(),
                p.service.clone(),
                format!("{:.0} %", 100.0 * p.likelihood),
                p.eta.p50.map_or_else(|| "-".to_owned(), |t: Timestamp| t.to_string()),
                format!("{:?}", p.impact).to_lowercase(),
                report.silenced.as_ref().map_or_else(|| state_words(p), |s| format!("open, silenced until {}", s.until)),
                p.id.to_string(),
            ]
        })
        .collect();
    if predictions.is_empty() && format == Format::Table {
        writeln!(out, "nothing is predicted")?;
    } else if format == Format::Table {
        output::table(&mut out, &header, &rows)?;
    } else {
        output::csv(&mut out, &header, &rows)?;
    }
    out.flush()
}

fn state_words(prediction: &Prediction) -> String {
    match (prediction.state, prediction.truth) {
        (State::Open, _) => "open".to_owned(),
        (_, Some(Truth::CameTrue { lead_time_s, .. })) => format!("came true after {}", Span::from_secs(lead_time_s as i64)),
        (_, Some(Truth::Averted { breached_at: None })) => "averted?".to_owned(),
        (_, Some(Truth::Averted { .. })) => "came all the same".to_owned(),
        (_, Some(Truth::DidNot)) => "did not come true".to_owned(),
        (_, Some(Truth::NotKnown)) => "not known".to_owned(),
        (State::Resolved, None) => "resolved".to_owned(),
        (State::Expired, None) => "expired".to_owned(),
    }
}

/// Four digits that matter.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        let digits = if value == 0.0 { 0 } else { (3 - value.abs().log10().floor() as i32).clamp(0, 6) };
        return format!("{value:.*}", digits.unsigned_abs() as usize);
    }
    format!("{value:.3e}")
}
