//! What sources and receivers have in common: URLs, headers, and files named in the configuration.

use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use super::reader::{Cx, quoted};
use super::tree::{Node, Value};

/// Most extra headers of one target; servers refuse requests with about 100.
const MAX_HEADERS: usize = 50;
/// Longest header value: servers refuse header blocks past 8 kB.
const MAX_HEADER_BYTES: usize = 4_096;
/// Longest URL: what servers and proxies take at least.
const MAX_URL_BYTES: usize = 2_000;
/// Largest file with a key or a certificate bundle; the world's largest CA bundle has a quarter of it.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Headers that the client sets itself (RFC 9110, 7.6.1 and 8.6), with what to do instead.
const OWN_HEADERS: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "content-type", "accept-encoding"];

/// An `http` or `https` URL without credentials.
pub fn url(node: &Node, what: &str, schemes: &[&str], cx: &mut Cx) -> Option<Url> {
    let text = cx.text(node, what)?;
    let want = format!("want {}://HOST[:PORT]", schemes.join(":// or "));
    if text.len() > MAX_URL_BYTES {
        cx.error(node.at, format!("{what}: longer than {MAX_URL_BYTES} bytes"));
        return None;
    }
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(fault) => {
            // "localhost:9090" is the commonest slip, and a URL of the scheme "localhost" to the parser.
            cx.error(node.at, format!("{what}: {} is not a URL ({fault}): {want}", quoted(&text)));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        // The text holds a password: it is not repeated.
        cx.error_hint(
            node.at,
            format!("{what}: a URL with a user or password in it"),
            "URLs end up in logs; use a key of its own or a file",
        );
        return None;
    }
    if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        cx.error(node.at, format!("{what}: found {}, {want}", quoted(&text)));
        return None;
    }
    Some(url)
}

/// A base URL: no query, no fragment, a slash at the end so that joining keeps its path.
pub fn base_url(node: &Node, what: &str, cx: &mut Cx) -> Option<Url> {
    let mut url = url(node, what, &["http", "https"], cx)?;
    if url.query().is_some() || url.fragment().is_some() {
        cx.error(node.at, format!("{what}: a query or fragment has no place here: found {}", quoted(url.as_str())));
        return None;
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

pub fn headers(node: &Node, cx: &mut Cx) -> Vec<(String, String)> {
    let Value::Map(entries) = &node.value else {
        cx.wrong(node, "headers", "a mapping (Name: value)");
        return Vec::new();
    };
    if entries.len() > MAX_HEADERS {
        cx.error(node.at, format!("headers: found {}, want {MAX_HEADERS} at most", entries.len()));
        return Vec::new();
    }
    let mut read = Vec::new();
    for entry in entries {
        let is_token = !entry.key.is_empty() && entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        let Some(value) = cx.text(&entry.node, &entry.key) else { continue };
        if !is_token {
            cx.error(entry.key_at, format!("headers: {} is no header name", quoted(&entry.key)));
        } else if OWN_HEADERS.contains(&entry.key.to_ascii_lowercase().as_str()) {
            cx.error(entry.key_at, format!("headers: {:?} is set by the client itself", entry.key));
        } else if value.len() > MAX_HEADER_BYTES || !value.bytes().all(|b| (b' '..0x7f).contains(&b)) {
            cx.error(
                entry.node.at,
                format!("headers: the value of {:?} is longer than {MAX_HEADER_BYTES} bytes or not printable ASCII", entry.key),
            );
        } else {
            read.push((entry.key.clone(), value));
        }
    }
    read
}

/// A file that is there, holds something and is not absurdly large. Relative to the configuration's folder.
pub fn file(node: &Node, what: &str, cx: &mut Cx) -> Option<PathBuf> {
    let text = cx.text(node, what)?;
    let path = cx.path(&text);
    let fault = match std::fs::metadata(&path) {
        Err(error) => error_text(&error),
        Ok(meta) if meta.is_dir() => "is a folder".to_owned(),
        // Opening a pipe would wait for its writer.
        Ok(meta) if !meta.is_file() => "is not a regular file".to_owned(),
        Ok(meta) if meta.len() == 0 => "is empty".to_owned(),
        Ok(meta) if meta.len() > MAX_FILE_BYTES => format!("has {} bytes, more than {MAX_FILE_BYTES}", meta.len()),
        Ok(_) => match std::fs::File::open(&path) {
            Ok(_) => return Some(path),
            Err(error) => error_text(&error),
        },
    };
    let message = format!("{what}: cannot read {}: {fault}", quoted(&path.display().to_string()));
    if path.is_relative() || text != path.display().to_string() {
        cx.error_hint(node.at, message, "relative paths start at the configuration's folder");
    } else {
        cx.error(node.at, message);
    }
    None
}

/// The system's words without "(os error 2)".
pub fn error_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Whether the URL's host is, as written, an address that the public internet can't reach. Names that resolve to one are found when sending.
pub fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_private_ip(ip.into()),
        Some(Host::Ipv6(ip)) => is_private_ip(ip.into()),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn is_private_ip(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_in_all_spellings() {
        for private in [
            "http://127.0.0.1",
            "http://127.1",
            "http://0x7f000001",
            "http://localhost",
            "http://10.1.2.3",
            "http://[::1]",
            "http://[fd00::1]",
            "http://[::ffff:192.168.0.1]",
            "http://169.254.169.254",
            "http://a.localhost:8080",
        ] {
            assert!(is_private(&Url::parse(private).unwrap()), "{private}");
        }
        for public in ["https://ops.example", "http://8.8.8.8", "http://[2606:4700::1]", "http://172.32.0.1"] {
            assert!(!is_private(&Url::parse(public).unwrap()), "{public}");
        }
    }
}
