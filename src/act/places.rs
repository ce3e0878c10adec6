//! Where actuators may send: hosts that the configuration names, at addresses that were looked at before anything is connected to.
//!
//! The name is looked up once, every address it has is judged, and the connection goes to those addresses and no others. Asking a second time
//! on the way out would let a name answer differently then (DNS rebinding). One private address among public ones refuses the name: who
//! mixes them is misconfigured or up to something.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

use super::Acting;
use crate::outbound::address::{MAX_ADDRESSES, PrivateAddress, is_public};

/// Who knows the addresses of a name.
pub trait Names: Send + Sync + fmt::Debug {
    fn look_up<'a>(&'a self, name: &'a str) -> Acting<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up<'a>(&'a self, name: &'a str) -> Acting<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Why a URL is no place to send to. Shows no path and no query of it: tokens live there.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("the URL's scheme is {0:?}, want http or https")]
    Scheme(String),
    #[error("the URL has a user or a password in it; hint: use a header or secret_file")]
    Credentials,
    #[error("the URL has no host")]
    NoHost,
    #[error("{0} is not among the hosts that may be called; hint: add it to act.http.allow if it is meant to be")]
    Host(String),
    #[error(transparent)]
    Private(#[from] PrivateAddress),
    #[error("cannot look up {name}: {cause}")]
    LookUp { name: String, cause: String },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Places {
    hosts: BTreeSet<String>,
    allow_private: bool,
    names: Arc<dyn Names>,
}

impl Places {
    /// `hosts` as [`url::Host`] writes them; none is nowhere.
    pub fn new(hosts: impl IntoIterator<Item = String>, allow_private: bool) -> Self {
        Self { hosts: hosts.into_iter().collect(), allow_private, names: Arc::new(SystemNames) }
    }

    #[must_use]
    pub fn asking(self, names: Arc<dyn Names>) -> Self {
        Self { names, ..self }
    }

    pub fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// What can be said of a URL without asking anybody. The `url` crate has by now turned `0x7f.1`, `2130706433` and the like into the
    /// address they mean.
    pub fn check(&self, url: &Url) -> Result<(), PlaceError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PlaceError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PlaceError::Credentials);
        }
        let host = url.host().ok_or(PlaceError::NoHost)?;
        let name = host.to_string();
        if !self.hosts.contains(&name) {
            return Err(PlaceError::Host(name));
        }
        match host {
            Host::Ipv4(address) => self.judge(&name, address.into()),
            Host::Ipv6(address) => self.judge(&name, address.into()),
            Host::Domain(_) => Ok(()),
        }
    }

    /// The addresses to connect to; none where the URL's host is an address itself.
    pub async fn find(&self, url: &Url) -> Result<Vec<SocketAddr>, PlaceError> {
        self.check(url)?;
        let Some(name) = url.domain() else { return Ok(Vec::new()) };
        let fail = |cause: String| PlaceError::LookUp { name: name.to_owned(), cause };
        let found = self.names.look_up(name).await.map_err(|error| fail(error.to_string()))?;
        if found.is_empty() || found.len() > MAX_ADDRESSES {
            return Err(fail(format!("found {} addresses, want 1 to {MAX_ADDRESSES}", found.len())));
        }
        found.iter().try_for_each(|address| self.judge(name, *address))?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }

    fn judge(&self, host: &str, address: IpAddr) -> Result<(), PlaceError> {
        if self.allow_private || is_public(address) { Ok(()) } else { Err(PrivateAddress { host: host.to_owned(), address }.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with these, whatever is asked.
    #[derive(Debug)]
    struct Says(Vec<&'static str>);

    impl Names for Says {
        fn look_up<'a>(&'a self, _name: &'a str) -> Acting<'a, io::Result<Vec<IpAddr>>> {
            Box::pin(async { Ok(self.0.iter().map(|text| text.parse().unwrap()).collect()) })
        }
    }

    async fn find(url: &str, addresses: &[&'static str], allow_private: bool) -> Result<Vec<SocketAddr>, String> {
        let places = Places::new(["ops.example".to_owned(), "[::1]".to_owned(), "127.0.0.1".to_owned()], allow_private);
        let places = places.asking(Arc::new(Says(addresses.to_vec())));
        places.find(&url.parse().unwrap()).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn every_address_of_an_allowed_host_must_be_public() {
        assert_eq!(find("https://ops.example/", &["1.1.1.1", "2606:4700::1111"], false).await.unwrap().len(), 2);
        for addresses in [&["127.0.0.1"][..], &["1.1.1.1", "10.0.0.1"], &["::ffff:169.254.169.254"], &["2606:4700::1111", "fe80::1"]] {
            let error = find("http://ops.example/", addresses, false).await.unwrap_err();
            assert!(error.contains("is not a public address"), "{error}");
            assert_eq!(find("http://ops.example/", addresses, true).await.unwrap().len(), addresses.len());
        }
        for (url, part) in [
            ("http://other.example/", "other.example is not among the hosts"),
            ("http://ops.example./", "ops.example. is not among"),
            ("http://ops.example.evil.example/", "is not among"),
            ("http://evil.example/?x=ops.example", "is not among"),
            ("http://ops.example@evil.example/", "a user or a password"),
            ("ftp://ops.example/", "want http or https"),
            ("file:///etc/passwd", "want http or https"),
            ("http://127.0.0.1/", "not a public address"),
            ("http://2130706433/", "not a public address"),
            ("http://[::1]/", "not a public address"),
        ] {
            let error = find(url, &["1.1.1.1"], false).await.unwrap_err();
            assert!(error.contains(part), "{url}: {error}");
        }
        assert!(find("http://OPS.example/", &["1.1.1.1"], false).await.is_ok(), "names have no case");
        assert!(find("http://ops.example/", &[], true).await.unwrap_err().contains("found 0 addresses"));
        assert!(find("http://ops.example/", &["1.1.1.1"; 17], true).await.unwrap_err().contains("found 17 addresses"));
        assert!(find("http://0x7f.1/", &[], true).await.unwrap().is_empty(), "an address is not looked up");
    }
}
