//! The API server: how it is found and asked.
//!
//! kube gives the configuration (kubeconfig, service account) and the requests; they are sent by the client that sends everything of ours, and not
//! by kube's own. That one tries again by itself, reads answers of any length and does not tell what was never sent from what got lost, and
//! those are the three things that an actuator has to know. It also saves a second HTTP stack.
//!
//! Read anew for every step: tokens of service accounts are replaced every hour, and steps are rare.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::Config;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Identity, Response};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use url::Url;

use super::fault::Fault;
use super::settings::{Access, ClusterSettings};
use super::target::Kind;
use crate::outbound::client;
use crate::outbound::token;

/// Longest answer: five hundred pods have about five megabytes, and an object one and a half at most.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Kubeconfigs, certificates and keys: the largest have a few hundred clusters.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Cluster {
    base: String,
    client: Client,
    token: Option<HeaderValue>,
    timeout: Duration,
}

impl Cluster {
    /// Finds it; asks it nothing yet.
    ///
    /// # Errors
    /// For people; no secret is in it.
    pub async fn find(settings: &ClusterSettings) -> Result<Self, String> {
        let config = configuration(&settings.access).await?;
        let base = base(&config.cluster_url.to_string())?;
        if config.accept_invalid_certs {
            return Err("the kubeconfig says insecure-skip-tls-verify, which would hand the token to anybody; hint: certificate-authority"
                .to_owned());
        }
        if config.tls_server_name.is_some() {
            return Err("the kubeconfig says tls-server-name, which is not known here".to_owned());
        }
        let auth = &config.auth_info;
        known_ways(auth)?;
        let mut builder = client::builder().timeout(settings.timeout).connect_timeout(settings.timeout / 2);
        match &config.root_cert {
            Some(found) => {
                let certificates: Result<Vec<_>, _> = found.iter().map(|der| Certificate::from_der(der)).collect();
                builder =
                    builder.tls_certs_only(certificates.map_err(|_| "the cluster's certificate-authority cannot be read".to_owned())?);
            }
            // Without this, a machine that has no CA certificates could not even send without TLS.
            None if base.starts_with("http:") => builder = builder.tls_certs_only([]),
            None => {}
        }
        if let Some(pem) = identity(auth).await? {
            let identity = Identity::from_pem(&pem).map_err(|_| "the client certificate and its key cannot be read".to_owned())?;
            builder = builder.identity(identity);
        }
        let client = builder.build().map_err(|error| format!("cannot set up the HTTP client: {}", words(error)))?;
        Ok(Self { base, client, token: bearer(auth).await?, timeout: settings.timeout })
    }

    /// Requests about objects of a kind, in a namespace or everywhere.
    pub fn requests(&self, kind: Kind, namespace: Option<&str>) -> Request {
        Request::new(format!("{}{}", self.base, kind.path(namespace)))
    }

    /// Asks once what kube has made a request of. Nothing is asked past the `deadline`.
    pub async fn ask<T, R>(&self, made: Result<R, kube::core::request::Error>, deadline: Instant) -> Result<T, Fault>
    where
        T: DeserializeOwned,
        reqwest::Request: TryFrom<R, Error = reqwest::Error>,
    {
        let made = made.map_err(|error| Fault::Unsent(error.to_string()))?;
        let timeout = self.timeout.min(deadline.saturating_duration_since(Instant::now()));
        if timeout.is_zero() {
            return Err(Fault::Unsent("the step's time is over".to_owned()));
        }
        let request = reqwest::Request::try_from(made).map_err(|error| Fault::Unsent(words(error)))?;
        let mut request = reqwest::RequestBuilder::from_parts(self.client.clone(), request).timeout(timeout);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let response = request.send().await.map_err(|error| {
            if error.is_builder() || error.is_connect() {
                Fault::Unsent(format!("the API server cannot be reached: {}", words(error)))
            } else if error.is_timeout() {
                Fault::Unclear(format!("the API server gave no answer within {timeout:?}"))
            } else {
                Fault::Unclear(words(error))
            }
        })?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = read(response).await;
        if !status.is_success() {
            return Err(Fault::of(status, after.as_deref(), &self.hidden(body.unwrap_or_else(|part| part.0))));
        }
        let body = body.map_err(|(part, why)| Fault::odd(&self.hidden(part), why))?;
        serde_json::from_slice(&body).map_err(|_| Fault::odd(&self.hidden(body), "is nothing that an API server says"))
    }

    /// What was answered, fit to be noted: who echoes what it was sent would carry the token into the record.
    fn hidden(&self, body: Vec<u8>) -> Vec<u8> {
        match self.token.as_ref().and_then(|value| value.to_str().ok()).and_then(|text| text.strip_prefix("Bearer ")) {
            Some(token) => String::from_utf8_lossy(&body).replace(token, "***").into_bytes(),
            None => body,
        }
    }
}

/// The whole body, or what came of it and why it is not whole.
async fn read(mut response: Response) -> Result<Vec<u8>, (Vec<u8>, &'static str)> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER_BYTES => return Err((body, "is longer than any that is read")),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(_) => return Err((body, "broke off")),
        }
    }
}

async fn configuration(access: &Access) -> Result<Config, String> {
    let Access::Kubeconfig { file, context } = access else {
        return Config::incluster()
            .map_err(|error| format!("this is no pod with a service account: {error}; hint: act.kubernetes.kubeconfig"));
    };
    let (path, named) = (file.clone(), context.clone());
    let read = move || {
        small_file(&path)?;
        Kubeconfig::read_from(&path).map_err(|error| format!("kubeconfig {}: {error}", path.display()))
    };
    let kubeconfig = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())??;
    let chosen = named.as_ref().or(kubeconfig.current_context.as_ref()).cloned().unwrap_or_default();
    let context = kubeconfig.contexts.iter().find(|one| one.name == chosen).and_then(|one| one.context.as_ref());
    let cluster = context.and_then(|context| kubeconfig.clusters.iter().find(|one| one.name == context.cluster));
    if cluster.and_then(|one| one.cluster.as_ref()).is_some_and(|cluster| cluster.proxy_url.is_some()) {
        return Err(format!("kubeconfig {}: proxy-url is not known here", file.display()));
    }
    let options = KubeConfigOptions { context: named, ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| format!("kubeconfig {}: {error}", file.display()))
}

/// Where all paths begin, without a slash at the end.
fn base(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("the cluster's server is no URL: {error}"))?;
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        _ => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return Err("the cluster's server is not https; only on loopback (kubectl proxy) http will do".to_owned());
    }
    if !url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
        return Err("the cluster's server has more in it than scheme, host, port and path".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Ways to say who we are that start programs or ask others are a person's, not a daemon's.
fn known_ways(auth: &AuthInfo) -> Result<(), String> {
    let unknown = [
        ("exec", auth.exec.is_some()),
        ("auth-provider", auth.auth_provider.is_some()),
        ("username", auth.username.is_some()),
        ("as", auth.impersonate.is_some() || auth.impersonate_groups.is_some() || auth.impersonate_uid.is_some()),
    ];
    match unknown.into_iter().find(|(_, is_there)| *is_there) {
        Some((name, _)) => Err(format!(
            "the kubeconfig's user has {name:?}, which is not used here; hint: a service account's token, see docs/kubernetes-rbac.yaml"
        )),
        None => Ok(()),
    }
}

async fn bearer(auth: &AuthInfo) -> Result<Option<HeaderValue>, String> {
    match (&auth.token_file, &auth.token) {
        (Some(file), _) => token::from_file(Path::new(file)).await.map(Some),
        (None, Some(secret)) => token::header(secret.expose_secret()).map(Some),
        (None, None) => Ok(None),
    }
}

/// The client's certificate and key, one after the other as PEM.
async fn identity(auth: &AuthInfo) -> Result<Option<Vec<u8>>, String> {
    let key_data = auth.client_key_data.as_ref().map(secrecy::ExposeSecret::expose_secret);
    let certificate = part("client-certificate", auth.client_certificate_data.as_deref(), auth.client_certificate.as_deref()).await?;
    let key = part("client-key", key_data, auth.client_key.as_deref()).await?;
    match (certificate, key) {
        (Some(mut pem), Some(key)) => {
            pem.push(b'\n');
            pem.extend(key);
            Ok(Some(pem))
        }
        (None, None) => Ok(None),
        _ => Err("the kubeconfig's user has one of client-certificate and client-key, want both".to_owned()),
    }
}

async fn part(what: &str, data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    if let Some(data) = data {
        return BASE64_STANDARD.decode(data.trim()).map(Some).map_err(|_| format!("the kubeconfig's {what}-data is not base64"));
    }
    let Some(file) = file else { return Ok(None) };
    let path = Path::new(file).to_owned();
    let read = move || small_file(&path).and_then(|()| std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display())));
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?.map(Some)
}

/// Asked before reading: a pipe would block for ever, and a device never end.
fn small_file(path: &Path) -> Result<(), String> {
    let about = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if about.is_file() && about.len() <= MAX_FILE_BYTES {
        Ok(())
    } else {
        Err(format!("{} is no regular file of at most {MAX_FILE_BYTES} bytes", path.display()))
    }
}

fn words(error: reqwest::Error) -> String {
    client::words(error).unwrap_or_else(|private| private.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_do_not_leave_in_the_clear() {
        for (text, want) in [
            ("https://10.0.0.1:6443/", Some("https://10.0.0.1:6443")),
            ("https://r.example/k8s/clusters/c-1/", Some("https://r.example/k8s/clusters/c-1")),
            ("http://127.0.0.1:8001", Some("http://127.0.0.1:8001")),
            ("http://[::1]:8001", Some("http://[::1]:8001")),
            ("http://10.0.0.1:6443", None),
            ("http://localhost:8001", None),
            ("https://me@r.example/", None),
            ("https://r.example/?x", None),
            ("ftp://r.example/", None),
        ] {
            assert_eq!(base(text).ok().as_deref(), want, "{text}");
        }
    }
}
