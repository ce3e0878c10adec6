//! The client: settings checked once, then queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::{Url, form_urlencoded};

use crate::core::time::Timestamp;

use super::answer::{BuildInfo, InstantAnswer, MetricKind};
use super::auth::{authorization, fixed_headers};
use super::decode::{DecodeError, DecodeLimits, Decoded, Decoder, Payload};
use super::error::{Cause, SourceError, redact};
use super::fetch::{Bounds, Posted, Reader, Request, SLOW_GRACE, Whole, exchange};
use super::hide::Secrets;
use super::retry::wait;
use super::settings::{Auth, Limits, PrometheusSettings, Secret, SecretSource};
use super::tls::Http;

/// One Prometheus, ready to be asked. Cheap to share behind an `Arc`; dropping a query's future ends its requests.
#[derive(Debug)]
pub struct PrometheusClient {
    base: Url,
    shown: Arc<str>,
    settings: PrometheusSettings,
    headers: HeaderMap,
    http: Http,
    under_way: Semaphore,
    bounds: Bounds,
}

/// A question, before it has an address.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub act: &'static str,
    pub watch: Option<&'a str>,
    pub method: Method,
    pub path: &'static str,
    pub params: Vec<(&'static str, String)>,
    /// What is posted instead of the parameters as a form.
    pub posted: Option<Posted>,
}

impl PrometheusClient {
    /// Checks the settings and builds the client; nothing is sent.
    ///
    /// # Errors
    /// Settings that can't work (scheme, headers, TLS files), each named. Secret files are first read by a request.
    pub fn new(mut settings: PrometheusSettings) -> Result<Self, SourceError> {
        let shown: Arc<str> = redact(&settings.url).into();
        let fail = |cause| SourceError { act: "use source", watch: None, url: shown.clone(), cause, attempts: 0 };
        if !matches!(settings.url.scheme(), "http" | "https") || !settings.url.has_host() {
            let why = format!("scheme is {:?}, want http or https", settings.url.scheme());
            return Err(fail(Cause::Settings { field: "url", why }));
        }
        take_user(&mut settings).map_err(fail)?;
        let headers = fixed_headers(&settings).map_err(fail)?;
        let http = Http::new(&settings).map_err(fail)?;
        let Limits { max_body_bytes, max_concurrency, .. } = settings.limits;
        let bounds = Bounds { timeouts: settings.timeouts, max_body_bytes, slow_grace: SLOW_GRACE };
        let under_way = Semaphore::new(max_concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { base: settings.url.clone(), shown: shown.clone(), settings, headers, http, under_way, bounds })
    }

    /// Whose data this reads: see [`PrometheusSettings::identity`].
    pub fn identity(&self) -> u128 {
        self.settings.identity()
    }

    /// The server's URL, fit to be shown.
    pub fn shown_url(&self) -> &str {
        &self.shown
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    #[cfg(test)]
    pub(super) fn set_slow_grace(&mut self, grace: std::time::Duration) {
        self.bounds.slow_grace = grace;
    }

    /// The value of every series of `query` at `time`; `watch` names on whose behalf, for messages.
    ///
    /// # Errors
    /// [`SourceError`], after retries.
    pub async fn instant(&self, query: &str, time: Timestamp, watch: Option<&str>) -> Result<InstantAnswer, SourceError> {
        let params = vec![("query", query.to_owned()), ("time", seconds(time)), ("timeout", self.server_timeout())];
        let call = Call { act: "query", watch, method: Method::POST, path: "api/v1/query", params, posted: None };
        let limits = self.decode_limits();
        match self.ask(&call, || Decoder::instant(limits)).await? {
            Decoded { payload: Payload::Vector(samples), stats, remarks } => Ok(InstantAnswer { samples, stats, remarks }),
            Decoded { payload: Payload::Matrix(_), .. } => unreachable!("an instant decoder makes vectors"),
        }
    }

    /// Kinds of metrics by name, of one or of all. Empty where the server keeps no metadata (VictoriaMetrics 1.79, for one).
    ///
    /// # Errors
    /// [`SourceError`], after retries.
    pub async fn metadata(&self, metric: Option<&str>) -> Result<BTreeMap<String, MetricKind>, SourceError> {
        #[derive(Deserialize)]
        struct Entry {
            #[serde(rename = "type")]
            kind: MetricKind,
        }
        // One entry a metric is enough: targets that disagree on a metric's kind are their own trouble.
        let mut params = vec![("limit_per_metric", "1".to_owned())];
        params.extend(metric.map(|m| ("metric", m.to_owned())));
        let call = Call { act: "read metadata", watch: None, method: Method::GET, path: "api/v1/metadata", params, posted: None };
        let entries: BTreeMap<String, Vec<Entry>> = self.ask_small(&call).await?;
        Ok(entries.into_iter().filter_map(|(name, kinds)| Some((name, kinds.first()?.kind))).collect())
    }

    /// The server's version: also the cheapest way to see that it is there and lets us in.
    ///
    /// # Errors
    /// [`SourceError`], after retries.
    pub async fn build_info(&self) -> Result<BuildInfo, SourceError> {
        let call = Call {
            act: "read version",
            watch: None,
            method: Method::GET,
            path: "api/v1/status/buildinfo",
            params: Vec::new(),
            posted: None,
        };
        self.ask_small(&call).await
    }

    /// An answer that is small by nature and no samples: read whole, then parsed.
    pub(super) async fn ask_small<T: for<'de> Deserialize<'de>>(&self, call: &Call<'_>) -> Result<T, SourceError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer<T> {
            status: String,
            data: Option<T>,
            #[serde(default)]
            error_type: String,
            #[serde(default)]
            error: String,
        }
        let body = self.ask(call, Whole::default).await?;
        let answer = match serde_json::from_slice::<Answer<T>>(&body) {
            Ok(answer) => answer,
            Err(error) => {
                let cause = if error.is_eof() {
                    Cause::Truncated(error.to_string())
                } else {
                    DecodeError::BadValue { place: "answer", text: error.to_string() }.into()
                };
                return Err(self.error(call, cause, 1));
            }
        };
        match answer {
            Answer { status, data: Some(data), .. } if status == "success" => Ok(data),
            Answer { status, .. } if status == "success" => Err(self.error(call, DecodeError::Missing("data").into(), 1)),
            Answer { error_type, error, .. } => {
                let message = super::answer::clip(&error, super::answer::MAX_REMARK_CHARS);
                let authorization = authorization(&self.settings.auth).await.ok().flatten();
                let cause = DecodeError::Server { kind: error_type, message }.into();
                Err(self.error(call, Secrets::of(&self.headers, authorization.as_ref()).hide(cause), 1))
            }
        }
    }

    /// Asks until there is an answer, a reason not to go on, or no try left.
    pub(super) async fn ask<R: Reader>(&self, call: &Call<'_>, reader: impl Fn() -> R) -> Result<R::Output, SourceError> {
        let mut attempt = 1;
        loop {
            let cause = match self.attempt(call, reader()).await {
                Ok(output) => return Ok(output),
                Err(cause) => cause,
            };
            // What a smaller window may mend is not asked again as it is.
            let patient = attempt < self.settings.limits.max_attempts && cause.is_retryable() && !cause.wants_smaller();
            let retry_after = if let Cause::Status { retry_after, .. } = &cause { *retry_after } else { None };
            let pause = if patient { wait(attempt, self.settings.limits.backoff, retry_after, rand::random()) } else { None };
            let Some(pause) = pause else { return Err(self.error(call, cause, attempt)) };
            tracing::debug!(url = %self.shown, watch = call.watch, attempt, ?pause, %cause, "trying again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<R: Reader>(&self, call: &Call<'_>, reader: R) -> Result<R::Output, Cause> {
        // The semaphore is never closed, so this only ever waits.
        let _permit = self.under_way.acquire().await.map_err(|e| Cause::Connect(e.to_string()))?;
        let mut url = endpoint(&self.base, call.path);
        let body = if call.posted.is_some() {
            call.posted.clone()
        } else if call.method == Method::POST {
            Some(Posted::form(form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.params).finish()))
        } else {
            if !call.params.is_empty() {
                url.query_pairs_mut().extend_pairs(&call.params);
            }
            None
        };
        let authorization = authorization(&self.settings.auth).await?;
        let request =
            Request { method: call.method.clone(), url, body, headers: self.headers.clone(), authorization: authorization.clone() };
        let answer = exchange(&self.http.client(), request, &self.bounds, reader).await;
        answer.map_err(|cause| Secrets::of(&self.headers, authorization.as_ref()).hide(cause))
    }

    pub(super) fn error(&self, call: &Call<'_>, cause: Cause, attempts: u32) -> SourceError {
        SourceError { act: call.act, watch: call.watch.map(Into::into), url: self.shown.clone(), cause, attempts }
    }

    pub(super) fn decode_limits(&self) -> DecodeLimits {
        DecodeLimits { max_series: self.settings.limits.max_series, max_cells: self.settings.limits.max_cells }
    }

    /// How long the server may work on a query: a tenth less than we wait, so that its own word on it ("timeout", which halves the
    /// window) arrives before our patience ends.
    pub(super) fn server_timeout(&self) -> String {
        format!("{}ms", self.settings.timeouts.request.as_millis() / 10 * 9)
    }
}

/// A user and password in the URL become basic auth, so that they are never sent or shown as part of it.
fn take_user(settings: &mut PrometheusSettings) -> Result<(), Cause> {
    let url = &mut settings.url;
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    if settings.auth != Auth::None {
        return Err(Cause::Settings { field: "url", why: "it holds a user beside another user or token: which is meant?".to_owned() });
    }
    let decode = |text: &str| match form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).next() {
        Some((name, _)) => name.into_owned(),
        None => String::new(),
    };
    let username = decode(&url.username().replace('&', "%26").replace('=', "%3D"));
    let password = decode(&url.password().unwrap_or_default().replace('&', "%26").replace('=', "%3D"));
    settings.auth = Auth::Basic { username, password: SecretSource::Inline(Secret::new(password)) };
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| Cause::Settings { field: "url", why: "it can't hold a user".to_owned() })
}

/// The API's address below the base URL, whose path is a prefix and whose query is kept.
fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_fragment(None);
    url
}

/// A time as the API wants it: seconds, exact to the millisecond, no float on the way.
pub(super) fn seconds(time: Timestamp) -> String {
    let ms = time.as_millis();
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_prefix_and_query() {
        for (base, want) in [
            ("http://h:9090", "http://h:9090/api/v1/query"),
            ("http://h/prom/", "http://h/prom/api/v1/query"),
            ("http://h/prom?token=x", "http://h/prom/api/v1/query?token=x"),
        ] {
            assert_eq!(endpoint(&base.parse().unwrap(), "api/v1/query").as_str(), want);
        }
    }

    #[test]
    fn whose_data_it_is_is_told_apart() {
        let of = |url: &str| PrometheusSettings::new(url.parse().unwrap());
        let plain = of("http://h/x?k=1");
        let bearer = |auth| PrometheusSettings { auth: Auth::Bearer(auth), ..plain.clone() };
        let all = [
            plain.clone(),
            of("http://h/x?k=2"),
            PrometheusSettings { tenant: Some("a".into()), ..plain.clone() },
            PrometheusSettings { tenant: Some("b".into()), ..plain.clone() },
            PrometheusSettings { headers: vec![("a".into(), Secret::new("b"))], ..plain.clone() },
            bearer(SecretSource::Inline(Secret::new("t"))),
            bearer(SecretSource::File("t.key".into())),
            of("http://user:secret@h/x?k=1"),
        ];
        let known: Vec<u128> = all.into_iter().map(|settings| PrometheusClient::new(settings).unwrap().identity()).collect();
        assert!((0..known.len()).all(|i| !known[..i].contains(&known[i])), "{known:?}");
        let other_secret = PrometheusClient::new(of("http://user:other@h/x?k=1")).unwrap();
        assert_eq!(other_secret.identity(), known[7], "a password may be renewed");
    }

    #[test]
    fn times_are_written_exactly() {
        assert_eq!(seconds(Timestamp::from_millis(1_435_781_430_781)), "1435781430.781");
        assert_eq!(seconds(Timestamp::from_millis(-1_500)), "-1.500");
    }

    #[test]
    fn a_user_in_the_url_becomes_basic_auth_and_is_never_shown() {
        let client = PrometheusClient::new(PrometheusSettings::new("http://us%40er:p%26w+1@h/x?k=v".parse().unwrap())).unwrap();
        let want = Auth::Basic { username: "us@er".into(), password: SecretSource::Inline(Secret::new("p&w+1")) };
        assert_eq!(client.settings.auth, want);
        assert_eq!(client.shown_url(), "http://h/x?k=***");
        assert!(!format!("{client:?}").contains("p&w"), "{client:?}");
        let error = PrometheusClient::new(PrometheusSettings::new("ftp://u:secret@h/".parse().unwrap())).unwrap_err().to_string();
        assert_eq!(error, "cannot use source from ftp://h/: url is unusable: scheme is \"ftp\", want http or https");
    }
}
