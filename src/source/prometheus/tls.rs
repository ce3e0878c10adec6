//! The HTTP client underneath, and its renewal when a certificate file changes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use reqwest::{Certificate, Client, Identity, Proxy, redirect};

use super::error::{Cause, chain};
use super::settings::PrometheusSettings;

/// Largest certificate or key file. A bundle of every public authority has 230 KB.
pub const MAX_PEM_BYTES: u64 = 4 << 20;

/// What tells one version of a file from the next.
type Stamp = Option<(SystemTime, u64)>;

/// The client, built anew when one of its files changed.
#[derive(Debug)]
pub(super) struct Http {
    settings: PrometheusSettings,
    current: Mutex<(Vec<Stamp>, Client)>,
}

impl Http {
    pub fn new(settings: &PrometheusSettings) -> Result<Self, Cause> {
        // Whoever came first has set the same or made a choice of their own; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stamps = stamps(settings);
        Ok(Self { settings: settings.clone(), current: Mutex::new((stamps, build(settings)?)) })
    }

    /// The client to use now. Files half written keep the old one until they are whole.
    pub fn client(&self) -> Client {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.settings);
        if now != current.0 {
            match build(&self.settings) {
                Ok(client) => *current = (now, client),
                Err(cause) => tracing::warn!(%cause, "a changed certificate file is unusable, going on with the old one"),
            }
        }
        current.1.clone()
    }
}

fn stamps(settings: &PrometheusSettings) -> Vec<Stamp> {
    let tls = &settings.tls;
    let stamp = |path: &PathBuf| std::fs::metadata(path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
    [&tls.ca_file, &tls.cert_file, &tls.key_file].into_iter().flatten().map(stamp).collect()
}

fn build(settings: &PrometheusSettings) -> Result<Client, Cause> {
    let tls = &settings.tls;
    let timeouts = &settings.timeouts;
    let mut builder = Client::builder()
        .user_agent(concat!("portent/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(timeouts.connect)
        .tls_danger_accept_invalid_certs(tls.insecure_skip_verify);
    builder = match &settings.proxy {
        Some(url) => {
            let proxy = Proxy::all(url.clone()).map_err(|e| Cause::Settings { field: "proxy", why: chain(&e.without_url()) })?;
            builder.proxy(proxy)
        }
        None => builder.no_proxy(),
    };
    let needs_tls = settings.url.scheme() == "https" || settings.proxy.as_ref().is_some_and(|p| p.scheme() == "https");
    if let Some(path) = &tls.ca_file {
        let pem = read(path)?;
        let bad = |why: String| Cause::File { path: path.clone(), why };
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| bad(chain(&e)))?;
        if certificates.is_empty() {
            return Err(bad("it holds no PEM certificate".to_owned()));
        }
        builder = builder.tls_certs_only(certificates);
    } else if !needs_tls {
        // Without TLS nobody needs the system's authorities, and a machine that has none can still speak plain HTTP.
        builder = builder.tls_certs_only([]);
    }
    match (&tls.cert_file, &tls.key_file) {
        (Some(cert), Some(key)) => {
            let mut pem = read(key)?;
            pem.push(b'\n');
            pem.extend(read(cert)?);
            let identity = Identity::from_pem(&pem).map_err(|e| Cause::File { path: cert.clone(), why: chain(&e) })?;
            builder = builder.identity(identity);
        }
        (None, None) => {}
        (Some(_), None) => return Err(Cause::Settings { field: "tls", why: "cert_file needs key_file".to_owned() }),
        (None, Some(_)) => return Err(Cause::Settings { field: "tls", why: "key_file needs cert_file".to_owned() }),
    }
    builder.build().map_err(|e| Cause::Settings { field: "tls", why: chain(&e) })
}

fn read(path: &Path) -> Result<Vec<u8>, Cause> {
    let fail = |why: String| Cause::File { path: path.to_owned(), why };
    let length = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if length > MAX_PEM_BYTES {
        return Err(fail(format!("more than {MAX_PEM_BYTES} bytes, so no certificate")));
    }
    std::fs::read(path).map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> PrometheusSettings {
        PrometheusSettings::new(url.parse().unwrap())
    }

    #[test]
    fn bad_files_and_halves_of_a_pair_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        let mut missing = settings("https://h/");
        missing.tls.ca_file = Some(ca.clone());
        assert!(Http::new(&missing).unwrap_err().to_string().contains("ca.pem: No such file"));
        std::fs::write(&ca, "not pem").unwrap();
        assert!(Http::new(&missing).unwrap_err().to_string().contains("holds no PEM certificate"));
        let mut half = settings("https://h/");
        half.tls.cert_file = Some(ca);
        assert_eq!(Http::new(&half).unwrap_err().to_string(), "tls is unusable: cert_file needs key_file");
    }
}
