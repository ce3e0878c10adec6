//! Reads one source.

use std::path::PathBuf;

use url::Url;

use super::fields::Fields;
use super::http;
use super::reader::Cx;
use super::tree::Node;
use super::valid::{Auth, PrometheusConfig, Secret, SecretSource, SourceConfig, TlsConfig};
use crate::core::time::Span;

/// For one request. Prometheus itself gives up on a query after two minutes.
pub const DEFAULT_TIMEOUT: Span = Span::from_secs(60);
const SHORTEST_TIMEOUT: Span = Span::SECOND;
const LONGEST_TIMEOUT: Span = Span::from_secs(600);

impl PrometheusConfig {
    /// A server that needs nothing but its URL.
    pub fn plain(url: Url) -> Self {
        let (tenant, headers, auth, tls) = (None, Vec::new(), Auth::None, TlsConfig::default());
        Self { url, tenant, headers, auth, tls, proxy: None, timeout: DEFAULT_TIMEOUT }
    }
}

pub fn read(node: &Node, cx: &mut Cx) -> Option<SourceConfig> {
    let mut fields = Fields::of(node, "a source", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let prometheus = fields.need("prometheus", cx).and_then(|n| read_prometheus(n, cx));
    fields.done(cx);
    Some(SourceConfig { name: name?.into(), prometheus: prometheus? })
}

fn read_prometheus(node: &Node, cx: &mut Cx) -> Option<PrometheusConfig> {
    let mut fields = Fields::of(node, "a Prometheus source", cx)?;
    let url = fields.need("url", cx).and_then(|n| http::base_url(n, "url", cx));
    let tenant = fields.take("tenant").and_then(|n| cx.text(n, "tenant"));
    let headers = fields.take("headers").map(|n| http::headers(n, cx)).unwrap_or_default();
    let auth = read_auth(&mut fields, &headers, cx);
    let tls = fields.take("tls").and_then(|n| read_tls(n, cx)).unwrap_or_default();
    let proxy = fields.take("proxy").and_then(|n| http::url(n, "proxy", &["http", "https"], cx));
    let timeout = fields.take("timeout").and_then(|n| cx.span(n, "timeout", SHORTEST_TIMEOUT, LONGEST_TIMEOUT));
    fields.done(cx);
    Some(PrometheusConfig { url: url?, tenant, headers, auth, tls, proxy, timeout: timeout.unwrap_or(DEFAULT_TIMEOUT) })
}

fn read_auth(fields: &mut Fields<'_>, headers: &[(String, String)], cx: &mut Cx) -> Auth {
    let at = fields.at;
    let basic = fields.take("basic_auth");
    let bearer = read_secret(fields, "bearer_token", "bearer_token_file", cx);
    let by_header = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    if usize::from(basic.is_some()) + usize::from(bearer.is_some()) + usize::from(by_header) > 1 {
        cx.error_hint(
            at,
            "a Prometheus source has more than one way to authenticate",
            "keep one of basic_auth, bearer_token_file or a header",
        );
    }
    if let Some(node) = basic {
        return read_basic(node, cx).unwrap_or_default();
    }
    bearer.map(Auth::Bearer).unwrap_or_default()
}

fn read_basic(node: &Node, cx: &mut Cx) -> Option<Auth> {
    let mut fields = Fields::of(node, "basic_auth", cx)?;
    let username = fields.need("username", cx).and_then(|n| cx.text(n, "username"));
    let before = cx.errors.len();
    let password = read_secret(&mut fields, "password", "password_file", cx);
    if password.is_none() && cx.errors.len() == before {
        cx.error(fields.at, "basic_auth lacks \"password_file\" (or \"password\")");
    }
    fields.done(cx);
    Some(Auth::Basic { username: username?, password: password? })
}

fn read_secret(fields: &mut Fields<'_>, key: &'static str, file_key: &'static str, cx: &mut Cx) -> Option<SecretSource> {
    let at = fields.at;
    match (fields.take(key), fields.take(file_key)) {
        (Some(_), Some(_)) => {
            cx.error(at, format!("both {key:?} and {file_key:?} are given: want one of them"));
            None
        }
        (Some(node), None) => cx.text(node, key).map(|text| SecretSource::Inline(Secret::new(text))),
        (None, Some(node)) => http::file(node, file_key, cx).map(SecretSource::File),
        (None, None) => None,
    }
}

fn read_tls(node: &Node, cx: &mut Cx) -> Option<TlsConfig> {
    let mut fields = Fields::of(node, "tls", cx)?;
    let at = fields.at;
    let mut given = [false; 3];
    let mut files: [Option<PathBuf>; 3] = [None, None, None];
    for (i, key) in ["ca_file", "cert_file", "key_file"].into_iter().enumerate() {
        let node = fields.take(key);
        given[i] = node.is_some();
        files[i] = node.and_then(|n| http::file(n, key, cx));
    }
    let insecure_skip_verify = fields.take("insecure_skip_verify").and_then(|n| cx.flag(n, "insecure_skip_verify")).unwrap_or(false);
    fields.done(cx);
    if given[1] != given[2] {
        let (has, lacks) = if given[1] { ("cert_file", "key_file") } else { ("key_file", "cert_file") };
        cx.error(at, format!("tls has {has:?} but lacks {lacks:?}: a client certificate needs both"));
    }
    let [ca_file, cert_file, key_file] = files;
    Some(TlsConfig { ca_file, cert_file, key_file, insecure_skip_verify })
}
