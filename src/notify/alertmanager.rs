//! Predictions as alerts of Alertmanager (API v2, `POST /api/v2/alerts`), in the way Prometheus itself sends them.
//!
//! Not by the outbox: an alert is a state and not an event. What is open is posted again and again, each time with an end a few repeats away, so
//! that one that nobody posts any more ends by itself; what is over is posted with its end for a while. So nothing has to be remembered about
//! an Alertmanager: after an outage or a restart it gets what is so now, once, and never what it missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use serde::Serialize;
use url::Url;

use super::webhook::{self, SettingsCause, SettingsError};
use crate::core::labels::METRIC_NAME;
use crate::core::prediction::{Prediction, State};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Impact, Side};
use crate::outbound::client as outgoing;

/// An alert ends by itself after so many repeats that did not come: what Prometheus allows, so that a restart or two cost nothing.
const REPEATS_UNTIL_OVER: i64 = 4;

/// What is over is posted with its end for so long: Prometheus' own patience with an Alertmanager that is away.
pub const TOLD_AFTER_END: Span = Span::from_secs(900);

/// Alerts of one request: a hundred kilobytes.
pub const MAX_ALERTS: usize = 200;

/// Alerts of all requests of one push: Alertmanager holds them in memory, and so many say that something else is wrong.
pub const MAX_OPEN: usize = 10_000;

/// An answer says nothing beyond its status; of a refusal this much is told.
const MAX_ANSWER_BYTES: usize = 500;

/// As configured. Its `Debug` shows neither the URL's path nor the headers' values: tokens live there.
#[derive(Clone)]
pub struct AlertmanagerSettings {
    /// Unique among the receivers.
    pub name: String,
    /// Ends with a slash.
    pub url: Url,
    pub headers: BTreeMap<String, String>,
    pub timeout: Span,
    pub allow_private: bool,
    /// What is open is posted again this often.
    pub resend: Span,
}

impl fmt::Debug for AlertmanagerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertmanagerSettings")
            .field("name", &self.name)
            .field("origin", &self.url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}

/// One alert as Alertmanager takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
}

/// The alerts that stand for these predictions at `now`: of those that are open, and of those that ended a short while ago and whose labels no
/// open one has. `page` is where people find Portent.
pub fn alerts(predictions: &[Prediction], now: Timestamp, resend: Span, page: Option<&str>) -> Vec<Alert> {
    let is_open = |prediction: &&Prediction| prediction.state == State::Open;
    let alert = |prediction: &Prediction, ends_at| Alert {
        labels: labels(prediction),
        annotations: annotations(prediction),
        starts_at: prediction.raised_at,
        // Alertmanager refuses an alert that ends before it begins, and with it all others of the request.
        ends_at: std::cmp::max(ends_at, prediction.raised_at),
        generator_url: page.map(str::to_owned),
    };
    let mut all: Vec<Alert> =
        predictions.iter().filter(is_open).take(MAX_OPEN).map(|p| alert(p, now + resend.times(REPEATS_UNTIL_OVER))).collect();
    let mut taken: BTreeSet<BTreeMap<String, String>> = all.iter().map(|alert| alert.labels.clone()).collect();
    for prediction in predictions.iter().filter(|prediction| !is_open(prediction)) {
        let Some(ended_at) = prediction.ended_at.filter(|ended| now - *ended <= TOLD_AFTER_END) else { continue };
        let over = alert(prediction, ended_at);
        if taken.insert(over.labels.clone()) {
            all.push(over);
        }
    }
    all
}

/// The series' own labels, and ours; where both have one, the series' is kept as `exported_`, as Prometheus does it.
fn labels(prediction: &Prediction) -> BTreeMap<String, String> {
    // The three words that routes are commonly written for; the impact itself stands beside.
    let (severity, impact) = match prediction.impact {
        Impact::Critical => ("critical", "critical"),
        Impact::High => ("warning", "high"),
        Impact::Medium => ("warning", "medium"),
        Impact::Low => ("info", "low"),
    };
    let ours = [
        ("alertname", prediction.watch.as_str()),
        ("service", &prediction.service),
        ("severity", severity),
        ("impact", impact),
        ("code", &prediction.code),
    ];
    let mut labels = BTreeMap::new();
    for (name, value) in prediction.labels.iter().filter(|(name, value)| *name != METRIC_NAME && !value.is_empty()) {
        let name = label_name(name);
        let is_ours = ours.iter().any(|(own, text)| *own == name && *text != value);
        labels.insert(if is_ours { format!("exported_{name}") } else { name }, value.to_owned());
    }
    // An empty label is none, to Alertmanager too.
    labels.extend(ours.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value.to_owned())));
    labels
}

/// Alertmanager's older grammar of names, which the newer one contains.
fn label_name(name: &str) -> String {
    let text: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) { format!("_{text}") } else { text }
}

fn annotations(prediction: &Prediction) -> BTreeMap<String, String> {
    let side = if prediction.side == Side::Above { "at or above" } else { "at or below" };
    let eta = prediction.eta.p50.map_or_else(|| "past the horizon".to_owned(), |eta| eta.to_string());
    let percent = 100.0 * prediction.likelihood;
    let mut all = BTreeMap::from([
        ("summary".to_owned(), format!("{}: {percent:.0} % within {}, expected {eta}", prediction.title, prediction.horizon)),
        (
            "description".to_owned(),
            format!("now {}, bad {side} {}; {}", prediction.current_value, prediction.threshold, because(prediction)),
        ),
        ("eta".to_owned(), eta),
        ("likelihood".to_owned(), format!("{:.2}", prediction.likelihood)),
        ("prediction".to_owned(), prediction.id.to_string()),
    ]);
    all.extend(prediction.chart_url.clone().map(|url| ("chart".to_owned(), url)));
    let playbooks: Vec<&str> = prediction.suggested_playbooks.iter().map(|playbook| playbook.name.as_str()).collect();
    if !playbooks.is_empty() {
        all.insert("playbooks".to_owned(), playbooks.join(", "));
    }
    all
}

fn because(prediction: &Prediction) -> String {
    prediction.evidence.first().map_or_else(String::new, |evidence| evidence.text.clone())
}

/// Why a push failed. Shows of the URL only its scheme, host and port.
#[derive(Debug, thiserror::Error)]
#[error("cannot push alerts to alertmanager {name:?} at {origin}: {cause}")]
pub struct PushError {
    pub name: String,
    pub origin: String,
    pub cause: String,
}

/// An Alertmanager that is ready to be told.
#[derive(Debug)]
pub struct AlertmanagerTarget {
    settings: AlertmanagerSettings,
    endpoint: Url,
    client: Client,
}

impl AlertmanagerTarget {
    /// Checks the settings and sets up the client.
    ///
    /// # Errors
    /// Settings that can't work.
    pub fn new(settings: AlertmanagerSettings) -> Result<Self, SettingsError> {
        let fail = |cause| SettingsError { kind: "alertmanager", name: settings.name.clone(), cause };
        let AlertmanagerSettings { url, headers, timeout, allow_private, .. } = &settings;
        let client = webhook::client(url, headers, None, *timeout, *allow_private).map_err(fail)?;
        let endpoint = url.join("api/v2/alerts").map_err(|error| fail(SettingsCause::Client(error.to_string())))?;
        Ok(Self { settings, endpoint, client })
    }

    pub fn settings(&self) -> &AlertmanagerSettings {
        &self.settings
    }

    /// All of them, in as many requests as it takes; the first that fails ends it, as the next push brings everything again.
    ///
    /// # Errors
    /// What the connection or Alertmanager said.
    pub async fn push(&self, alerts: &[Alert]) -> Result<(), PushError> {
        for part in alerts.chunks(MAX_ALERTS) {
            self.post(part).await.map_err(|cause| PushError {
                name: self.settings.name.clone(),
                origin: self.endpoint.origin().ascii_serialization(),
                cause,
            })?;
        }
        Ok(())
    }

    async fn post(&self, alerts: &[Alert]) -> Result<(), String> {
        let body = serde_json::to_vec(alerts).map_err(|error| error.to_string())?;
        let request = self.client.post(self.endpoint.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return Err(format!("no answer within {}", self.settings.timeout)),
            Err(error) => return Err(outgoing::words(error).unwrap_or_else(|private| private.to_string())),
        };
        match response.status() {
            status if status.is_success() => Ok(()),
            status @ StatusCode::BAD_REQUEST => {
                // It names the label it does not like, and everything of ours in it is a series' labels, which are no secret.
                let said = tokio::time::timeout(Duration::from_secs(1), response.chunk()).await.ok().and_then(Result::ok).flatten();
                let said = said.unwrap_or_default();
                let text = String::from_utf8_lossy(&said[..said.len().min(MAX_ANSWER_BYTES)]).into_owned();
                Err(format!("server answered {status}: {}", text.replace(char::is_control, " ")))
            }
            status => Err(format!("server answered {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::labels::Labels;
    use crate::notify::event::tests::full;

    #[test]
    fn an_alert_says_what_whose_how_bad_and_until_when() {
        let prediction = full();
        let now = prediction.raised_at + Span::MINUTE;
        let all = alerts(std::slice::from_ref(&prediction), now, Span::MINUTE, Some("http://p/"));
        let json = serde_json::to_value(&all).unwrap();
        let labels = serde_json::json!({
            "alertname": "disk-filling", "service": "db-1:9100", "severity": "warning", "impact": "high", "code": "disk-filling",
            "instance": "db-1:9100", "mountpoint": "/var",
        });
        assert_eq!(json[0]["labels"], labels);
        assert_eq!((&json[0]["startsAt"], &json[0]["endsAt"]), (&"2026-11-22T10:00:00Z".into(), &"2026-11-22T10:05:00Z".into()));
        assert_eq!(json[0]["annotations"]["summary"], "/var on db-1 fills: 93 % within 1d, expected 2026-11-22T15:00:00Z");
        assert_eq!((&json[0]["annotations"]["likelihood"], &json[0]["generatorURL"]), (&"0.93".into(), &"http://p/".into()));
        assert_eq!(json[0]["annotations"]["playbooks"], "expand-volume");
    }

    #[test]
    fn what_is_over_is_told_for_a_while_and_never_ends_one_that_is_open() {
        let open = full();
        let now = open.raised_at + Span::HOUR;
        let ended =
            |ago: Span, labels: &Labels| Prediction { state: State::Resolved, ended_at: Some(now - ago), labels: labels.clone(), ..full() };
        let other = Labels::from_pairs([("instance", "db-2")]).unwrap();
        let both = [ended(Span::MINUTE, &open.labels), open.clone(), ended(Span::MINUTE, &other), ended(Span::HOUR, &Labels::default())];
        let all = alerts(&both, now, Span::MINUTE, None);
        let ends: Vec<_> = all.iter().map(|alert| (alert.labels["instance"].as_str(), alert.ends_at)).collect();
        assert_eq!(ends, [("db-1:9100", now + Span::MINUTE.times(4)), ("db-2", now - Span::MINUTE)]);
        let before = Prediction { ended_at: Some(open.raised_at - Span::HOUR), ..ended(Span::ZERO, &other) };
        assert!(alerts(&[before], open.raised_at, Span::MINUTE, None).iter().all(|alert| alert.ends_at >= alert.starts_at));
    }

    #[test]
    fn a_series_own_labels_are_neither_lost_nor_mistaken_for_ours() {
        let labels = Labels::from_pairs([("severity", "low"), ("service", "db-1:9100"), ("1st.größe", "x"), ("__name__", "m")]).unwrap();
        let found = super::labels(&Prediction { labels, ..full() });
        let names: Vec<_> = found.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let wanted =
            "_1st_gr__e=x alertname=disk-filling code=disk-filling exported_severity=low impact=high service=db-1:9100 severity=warning";
        assert_eq!(names.join(" "), wanted);
    }
}
