//! The headers that say who we are. Secrets in files are read for every request: a rotated one counts at once, and a look at the
//! modification time would miss a change within its resolution.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncReadExt;

use super::error::Cause;
use super::settings::{Auth, PrometheusSettings, Secret, SecretSource};

/// Largest secret file. Tokens of cloud providers have up to 4 KiB.
pub const MAX_SECRET_BYTES: u64 = 16 * 1024;

/// The header Mimir and Cortex route by.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");

/// Headers that the client sets itself; another value would break the exchange or its bounds.
const RESERVED: [&str; 7] = ["accept-encoding", "connection", "content-length", "content-type", "host", "te", "transfer-encoding"];

/// Headers that stay the same for every request.
pub(super) fn fixed_headers(settings: &PrometheusSettings) -> Result<HeaderMap, Cause> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // Prometheus compresses so slowly that gzip takes four times as long as the plain body on a LAN.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(tenant) = &settings.tenant {
        headers.insert(TENANT, value("tenant", tenant, false)?);
    }
    for (name, secret) in &settings.headers {
        let bad = |why: String| Cause::Settings { field: "headers", why };
        let header = HeaderName::try_from(name.as_str()).map_err(|_| bad(format!("{name:?} is not a header's name")))?;
        if RESERVED.contains(&header.as_str()) {
            return Err(bad(format!("{name:?} is set by the client itself")));
        }
        if header == AUTHORIZATION && settings.auth != Auth::None {
            return Err(bad(format!("{name:?} stands beside a user or token: which is meant?")));
        }
        if header == TENANT && settings.tenant.is_some() {
            return Err(bad(format!("{name:?} stands beside a tenant: which is meant?")));
        }
        headers.append(header, value("headers", secret.reveal(), true)?);
    }
    Ok(headers)
}

fn value(field: &'static str, text: &str, sensitive: bool) -> Result<HeaderValue, Cause> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Cause::Settings { field, why: "a value holds characters that can't stand in a header".to_owned() })?;
    value.set_sensitive(sensitive);
    Ok(value)
}

/// The `Authorization` header for one request.
pub(super) async fn authorization(auth: &Auth) -> Result<Option<HeaderValue>, Cause> {
    Ok(match auth {
        Auth::None => None,
        Auth::Basic { username, password } => {
            if username.contains(':') {
                return Err(Cause::Settings { field: "username", why: "basic auth can't carry a colon in it".to_owned() });
            }
            let password = reveal(password).await?;
            let pair = BASE64_STANDARD.encode(format!("{username}:{}", password.reveal()));
            Some(value("password", &format!("Basic {pair}"), true)?)
        }
        Auth::Bearer(token) => {
            let token = reveal(token).await?;
            Some(value("token", &format!("Bearer {}", token.reveal()), true)?)
        }
    })
}

async fn reveal(source: &SecretSource) -> Result<Secret, Cause> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.clone()),
        SecretSource::File(path) => read_secret(path).await,
    }
}

async fn read_secret(path: &Path) -> Result<Secret, Cause> {
    let fail = |why: String| Cause::File { path: path.to_owned(), why };
    let file = tokio::fs::File::open(path).await.map_err(|e| fail(e.to_string()))?;
    let mut text = String::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text).await.map_err(|e| fail(e.to_string()))?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(fail(format!("more than {MAX_SECRET_BYTES} bytes, so no secret")));
    }
    match text.trim() {
        "" => Err(fail("it is empty".to_owned())),
        secret => Ok(Secret::new(secret)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(headers: &[(&str, &str)]) -> PrometheusSettings {
        let mut settings = PrometheusSettings::new("http://h/".parse().unwrap());
        settings.headers = headers.iter().map(|(n, v)| ((*n).to_owned(), Secret::new(*v))).collect();
        settings
    }

    #[test]
    fn headers_that_would_break_or_contradict_are_refused() {
        assert_eq!(fixed_headers(&settings(&[("X-Team", "a")])).unwrap()["x-team"], "a");
        for bad in [("Host", "x"), ("Accept-Encoding", "gzip"), ("bad name", "x"), ("X-A", "line\nbreak")] {
            assert!(fixed_headers(&settings(&[bad])).is_err(), "{bad:?}");
        }
        let mut both = settings(&[("X-Scope-OrgID", "a")]);
        both.tenant = Some("b".into());
        assert!(fixed_headers(&both).is_err());
        let mut both = settings(&[("Authorization", "Basic x")]);
        both.auth = Auth::Bearer(SecretSource::Inline(Secret::new("t")));
        assert!(fixed_headers(&both).is_err());
    }

    #[tokio::test]
    async fn secret_files_are_trimmed_bounded_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let auth = Auth::Bearer(SecretSource::File(path.clone()));
        let error = authorization(&auth).await.unwrap_err().to_string();
        assert!(error.contains("token: No such file"), "{error}");
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(authorization(&auth).await.unwrap().unwrap(), "Bearer one");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(authorization(&auth).await.unwrap().unwrap(), "Bearer two");
        std::fs::write(&path, " \n").unwrap();
        assert!(authorization(&auth).await.is_err());
        std::fs::write(&path, "x".repeat(20_000)).unwrap();
        assert!(authorization(&auth).await.is_err());
    }

    #[tokio::test]
    async fn basic_auth_as_in_rfc_7617() {
        let auth = Auth::Basic { username: "Aladdin".into(), password: SecretSource::Inline(Secret::new("open sesame")) };
        assert_eq!(authorization(&auth).await.unwrap().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{auth:?}").contains("sesame"));
    }
}
