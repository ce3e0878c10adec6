//! The validated configuration: plain data that nobody checks again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::act::ActConfig;
use super::error::ConfigError;
use crate::core::access::Access;
use crate::core::health::HealthCheck;
use crate::core::playbook::Playbook;
use crate::core::time::Span;
use crate::core::watch::Watch;
use crate::notify::Topic;
use crate::packs::Pack;

/// Everything Portent is told. Paths are complete: what was relative in the file is relative to the file's folder here.
#[derive(Clone, Debug)]
pub struct Config {
    /// At least one, names unique.
    pub sources: Vec<SourceConfig>,
    /// The packs in use, one entry for each source they look at.
    pub packs: Vec<PackUse>,
    /// The watches written out in the file, and those of every pack that needs no probe. Names unique.
    pub watches: Vec<Watch>,
    /// Names unique among these and the watches.
    pub checks: Vec<HealthCheck>,
    pub notify: Vec<NotifyConfig>,
    /// The embedded playbooks and the user's; a user's one replaces an embedded one of the same name.
    pub playbooks: Vec<Playbook>,
    /// Where the user's come from, and which files were refused.
    pub books: Books,
    /// The tick.
    pub interval: Span,
    pub data_dir: PathBuf,
    /// Where charts of raised predictions go; none are drawn without it.
    pub chart_dir: Option<PathBuf>,
    pub listen: SocketAddr,
    /// What people reach the server under, for links in notifications. Ends with a slash.
    pub external_url: Option<Url>,
    /// Who may reach the server.
    pub access: Arc<Access>,
    pub log: LogConfig,
    pub act: ActConfig,
    pub limits: LimitsConfig,
}

/// The user's files of playbooks.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The file of each playbook that has one, by name.
    pub files: BTreeMap<String, PathBuf>,
    pub dir: Option<PathBuf>,
    /// Every fault of the files that were refused; the rest is used.
    pub refused: Vec<ConfigError>,
    /// How many those are.
    pub refused_files: usize,
}

/// A place that samples come from.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    pub name: Arc<str>,
    pub prometheus: PrometheusConfig,
}

/// How to reach a server that speaks Prometheus' HTTP API.
#[derive(Clone, Debug)]
pub struct PrometheusConfig {
    /// Without credentials, query or fragment; ends with a slash, so that `url.join("api/v1/query")` keeps a path prefix.
    pub url: Url,
    /// Sent as `X-Scope-OrgID`, as Mimir, Cortex, Thanos and Loki read it.
    pub tenant: Option<String>,
    /// Further request headers. Checked: well-formed, none that the client itself sets.
    pub headers: Vec<(String, String)>,
    pub auth: Auth,
    pub tls: TlsConfig,
    /// Proxy for this source; none is used without it, whatever the environment says.
    pub proxy: Option<Url>,
    /// For one request, the answer's body included.
    pub timeout: Span,
}

/// Who we are to a server. Files are read when used, and again when they change; that they are there was checked.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    #[default]
    None,
    Basic {
        username: String,
        password: SecretSource,
    },
    Bearer(SecretSource),
}

/// A secret, or the file that holds it (trailing line break not counted).
#[derive(Clone, Debug)]
pub enum SecretSource {
    Inline(Secret),
    File(PathBuf),
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself: for the request that needs it, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    /// PEM; in addition to nothing: when given, only these authorities are trusted.
    pub ca_file: Option<PathBuf>,
    /// PEM; always together with `key_file`.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// Off unless asked for by name.
    pub insecure_skip_verify: bool,
}

/// A pack in use on a source.
#[derive(Clone, Debug)]
pub struct PackUse {
    pub pack: &'static Pack,
    pub source: Arc<str>,
    /// Ask the source with the pack's probe first and watch only if it has data: for a run without a configuration. The pack's watches are
    /// then not among the configuration's; [`Pack::watches_on`] makes them.
    pub probe: bool,
}

#[derive(Clone, Debug)]
pub enum NotifyConfig {
    Webhook(WebhookConfig),
    Alertmanager(AlertmanagerConfig),
}

impl NotifyConfig {
    pub fn name(&self) -> &str {
        match self {
            Self::Webhook(hook) => &hook.name,
            Self::Alertmanager(alertmanager) => &alertmanager.name,
        }
    }
}

/// A receiver of webhooks.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Unique; keeps its place in the outbox, so better written than derived from the URL.
    pub name: String,
    pub url: Url,
    /// Holds the signing key (Standard Webhooks); requests are unsigned without it.
    pub secret_file: Option<PathBuf>,
    pub headers: Vec<(String, String)>,
    /// Loopback and private addresses are refused without it, also when a name turns out to mean one.
    pub allow_private: bool,
    pub timeout: Span,
    /// What it wants to hear of.
    pub events: Vec<Topic>,
}

/// An Alertmanager that open predictions are kept known to, as alerts.
#[derive(Clone, Debug)]
pub struct AlertmanagerConfig {
    /// Unique among the receivers.
    pub name: String,
    /// Its base URL; ends with a slash.
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub allow_private: bool,
    pub timeout: Span,
    /// What is open is posted again this often.
    pub resend: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub format: LogFormat,
    pub level: LogLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What one run may take in at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Series one watch may bring: 4 KB of state each.
    pub series_per_watch: usize,
    /// Queries under way at a time, for each source.
    pub queries: usize,
    /// Bytes of one answer.
    pub answer_bytes: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { series_per_watch: 20_000, queries: 4, answer_bytes: 256 << 20 }
    }
}

impl Config {
    /// Whether others than those on this machine could reach a server there, and everybody who reaches it may do everything.
    pub fn is_open_at(&self, address: SocketAddr) -> bool {
        self.access.logins.is_empty() && !address.ip().is_loopback()
    }

    pub fn webhooks(&self) -> impl Iterator<Item = &WebhookConfig> {
        self.notify.iter().filter_map(|receiver| if let NotifyConfig::Webhook(hook) = receiver { Some(hook) } else { None })
    }

    pub fn alertmanagers(&self) -> impl Iterator<Item = &AlertmanagerConfig> {
        self.notify.iter().filter_map(|receiver| if let NotifyConfig::Alertmanager(one) = receiver { Some(one) } else { None })
    }

    /// The keys whose change takes effect only at a restart, of those that differ from `old`: the reload goes on without them and says so.
    pub fn restart_keys(&self, old: &Self) -> Vec<&'static str> {
        let differs = [
            ("listen", self.listen != old.listen),
            ("data_dir", self.data_dir != old.data_dir),
            ("log.format", self.log.format != old.log.format),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}
