//! How a Prometheus is reached: plain data that the configuration fills and [`PrometheusClient`](super::PrometheusClient) checks.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;
use xxhash_rust::xxh3::Xxh3;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    Inline(Secret),
    /// Read anew for every request, so a rotated token counts from the next one on. White space at both ends is dropped.
    File(PathBuf),
}

/// Who we say we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    #[default]
    None,
    Basic {
        username: String,
        password: SecretSource,
    },
    Bearer(SecretSource),
}

/// Whom we believe, and our own certificate. Files are PEM, and read again when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Stands instead of the system's authorities, as in Prometheus' own configuration.
    pub ca_file: Option<PathBuf>,
    /// Client certificate chain; goes with `key_file`.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// Believes anybody. For a lab.
    pub insecure_skip_verify: bool,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// For one attempt, from the request to the last byte. Also told to the server, so that it stops when we do.
    pub request: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

/// A healthy server accepts within milliseconds; five seconds cover a lost SYN or two.
pub const DEFAULT_CONNECT: Duration = Duration::from_secs(5);

/// Prometheus gives up on a query after two minutes (`--query.timeout`); waiting longer gains nothing.
pub const DEFAULT_REQUEST: Duration = Duration::from_secs(120);

/// A body under way pauses for garbage collection, not for a quarter of a minute.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(15);

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: DEFAULT_CONNECT, request: DEFAULT_REQUEST, idle: DEFAULT_IDLE }
    }
}

/// Bounds on what one client asks for and takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one answer's body.
    pub max_body_bytes: usize,
    /// Grid points of one request.
    pub max_points: usize,
    /// Series of one answer.
    pub max_series: usize,
    /// Series times grid points of one answer.
    pub max_cells: usize,
    /// Requests under way at once, over all queries of this client.
    pub max_concurrency: usize,
    /// Tries of one request, the first included.
    pub max_attempts: u32,
    /// First wait between two tries; doubled with each.
    pub backoff: Duration,
}

/// About 2.5 million samples: 20 MB of columns, so four at once stay under 100 MB.
pub const DEFAULT_MAX_BODY_BYTES: usize = 64 << 20;

/// Prometheus refuses more than 11,000 points a series in one answer; 10,000 leaves room for both ends.
pub const DEFAULT_MAX_POINTS: usize = 10_000;

/// Ten times the largest installation we are built for.
pub const DEFAULT_MAX_SERIES: usize = 100_000;

/// 64 MB of columns in one answer, the same order as the body they come from.
pub const DEFAULT_MAX_CELLS: usize = 8 << 20;

/// Prometheus evaluates 20 queries at once by default (`--query.max-concurrency`); a fifth leaves its users the rest.
pub const DEFAULT_MAX_CONCURRENCY: usize = 4;

/// With the default backoff about two seconds of patience; the next tick is the true retry.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 4;

/// Longer than a restart of a connection pool, shorter than anybody notices.
pub const DEFAULT_BACKOFF: Duration = Duration::from_millis(250);

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            max_points: DEFAULT_MAX_POINTS,
            max_series: DEFAULT_MAX_SERIES,
            max_cells: DEFAULT_MAX_CELLS,
            max_concurrency: DEFAULT_MAX_CONCURRENCY,
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            backoff: DEFAULT_BACKOFF,
        }
    }
}

/// One Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusSettings {
    /// `http` or `https`; a path is a prefix (`https://mimir.example/prometheus`), a user and password in it become basic auth.
    pub url: Url,
    /// Sent as `X-Scope-OrgID`, which Mimir, Cortex and their proxies route by.
    pub tenant: Option<String>,
    /// Further headers of every request.
    pub headers: Vec<(String, Secret)>,
    pub auth: Auth,
    pub tls: TlsSettings,
    /// Used if named here; the environment's proxy variables are not looked at.
    pub proxy: Option<Url>,
    pub timeouts: Timeouts,
    pub limits: Limits,
}

impl PrometheusSettings {
    /// Tells apart whose data is read: the whole address, tenant, headers and user. Not what renews itself: a token's text or its file's
    /// content. Stable between runs, so that answers can be kept under it.
    pub fn identity(&self) -> u128 {
        let mut hash = Xxh3::new();
        let mut part = |text: &str| {
            hash.update(text.as_bytes());
            hash.update(&[0xff]);
        };
        part(self.url.as_str());
        part(self.tenant.as_deref().unwrap_or_default());
        for (name, value) in &self.headers {
            part(name);
            part(value.reveal());
        }
        match &self.auth {
            Auth::None => {}
            Auth::Basic { username, .. } => part(username),
            Auth::Bearer(SecretSource::Inline(token)) => part(token.reveal()),
            Auth::Bearer(SecretSource::File(path)) => part(&path.to_string_lossy()),
        }
        hash.digest128()
    }

    /// A server at `url`, everything else as by default.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            tenant: None,
            headers: Vec::new(),
            auth: Auth::default(),
            tls: TlsSettings::default(),
            proxy: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        }
    }
}
