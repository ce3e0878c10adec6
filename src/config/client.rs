//! From what the configuration says about a source to what its client takes: they know nothing of each other.

use std::time::Duration;

use super::{Auth, LimitsConfig, PrometheusConfig, SecretSource};
use crate::source::prometheus::{self, Limits, PrometheusSettings, Secret, Timeouts, TlsSettings};

impl PrometheusConfig {
    /// Settings of this source's client.
    pub fn settings(&self, limits: &LimitsConfig) -> PrometheusSettings {
        let secret_source = |source: &SecretSource| match source {
            SecretSource::Inline(inline) => prometheus::SecretSource::Inline(Secret::new(inline.expose())),
            SecretSource::File(path) => prometheus::SecretSource::File(path.clone()),
        };
        let auth = match &self.auth {
            Auth::None => prometheus::Auth::None,
            Auth::Basic { username, password } => prometheus::Auth::Basic { username: username.clone(), password: secret_source(password) },
            Auth::Bearer(token) => prometheus::Auth::Bearer(secret_source(token)),
        };
        PrometheusSettings {
            tenant: self.tenant.clone(),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_str()))).collect(),
            auth,
            tls: TlsSettings {
                ca_file: self.tls.ca_file.clone(),
                cert_file: self.tls.cert_file.clone(),
                key_file: self.tls.key_file.clone(),
                insecure_skip_verify: self.tls.insecure_skip_verify,
            },
            proxy: self.proxy.clone(),
            timeouts: Timeouts { request: Duration::from_millis(self.timeout.as_millis().unsigned_abs()), ..Timeouts::default() },
            limits: Limits {
                max_concurrency: limits.queries,
                max_body_bytes: usize::try_from(limits.answer_bytes).unwrap_or(usize::MAX),
                max_series: limits.series_per_watch,
                ..Limits::default()
            },
            ..PrometheusSettings::new(self.url.clone())
        }
    }
}
