//! Which addresses a request of ours may go to: a guard against being made to post into our own network (server-side request forgery).
//!
//! The question is asked of the address that is about to be connected to, inside the client's resolver, rather than of the URL's name
//! beforehand: a name can answer a public address to the check and a private one to the connection (DNS rebinding). IPv6 is judged by
//! what is public, not by what is not: everything outside 2000::/3 is either special or not given out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Addresses of one name that are tried; a name with more is a mistake or a trick, and each costs a connection attempt.
pub const MAX_ADDRESSES: usize = 16;

/// IPv4 blocks that are not the public internet's: IANA's special-purpose registry (RFC 6890 and its updates), and one address that
/// serves a cloud's machines from within the public range.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // this network; 0.0.0.0 reaches the machine itself
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier NAT; Alibaba's metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's machine agent
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local; AWS', Google's and Azure's metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments; Oracle's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays, withdrawn
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved
    (Ipv4Addr::BROADCAST, 32),
];

/// What inside 2000::/3 is not public after all.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments; Teredo, which carries an IPv4 address
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// The name or address leads into a private network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} is {address}, which is not a public address; hint: set allow_private: true if it is meant to be")]
pub struct PrivateAddress {
    pub host: String,
    pub address: IpAddr,
}

/// Whether an address belongs to the public internet, whatever it is dressed up as.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.segments() {
            // IPv4-mapped (::ffff:a.b.c.d), and NAT64's well-known prefix: the packet ends at the IPv4 address.
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
            // 6to4: the tunnel ends at the IPv4 address.
            [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
            [first, ..] => first & 0xe000 == 0x2000 && !NOT_PUBLIC_V6.iter().any(|(net, bits)| same_prefix_v6(v6, *net, *bits)),
        },
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|(net, bits)| (address.to_bits() ^ net.to_bits()).leading_zeros() >= *bits)
}

fn same_prefix_v6(address: Ipv6Addr, net: Ipv6Addr, bits: u32) -> bool {
    (address.to_bits() ^ net.to_bits()).leading_zeros() >= bits
}

/// The system's resolver, without what is not public. Literal addresses never come here: [`check_literal`] is for them.
#[derive(Debug, Clone, Copy)]
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.take(MAX_ADDRESSES).collect();
            let (public, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| is_public(a.ip()));
            match others.first() {
                Some(other) if public.is_empty() => Err(PrivateAddress { host: name.as_str().to_owned(), address: other.ip() }.into()),
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

/// The same for a URL whose host is an address: the client connects to it without asking the resolver. The `url` crate has by then
/// turned `0x7f.1`, `2130706433` and the like into the address they mean.
pub fn check_literal(url: &url::Url) -> Result<(), PrivateAddress> {
    let address = match url.host() {
        Some(url::Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(url::Host::Ipv6(v6)) => IpAddr::V6(v6),
        Some(url::Host::Domain(_)) | None => return Ok(()),
    };
    if is_public(address) { Ok(()) } else { Err(PrivateAddress { host: url.host_str().unwrap_or_default().to_owned(), address }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_dress() {
        for text in [
            "127.0.0.1",
            "127.255.0.3",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:a00:1::1",
            "2001:db8::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "3fff::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text} was let through");
        }
    }

    #[test]
    fn public_addresses_pass_up_to_the_edges() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.15",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text} was refused");
        }
    }

    #[test]
    fn literal_hosts_are_read_as_a_browser_reads_them() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://[::1]:8080/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest",
            "http://10.0.0.5:9093/",
            "http://１２７.０.０.１/",
        ] {
            assert!(check_literal(&url::Url::parse(url).unwrap()).is_err(), "{url} was let through");
        }
        for url in ["https://1.1.1.1/", "https://[2606:4700::1111]/", "https://ops.example/"] {
            assert_eq!(check_literal(&url::Url::parse(url).unwrap()), Ok(()));
        }
    }

    #[tokio::test]
    async fn the_resolver_refuses_a_name_of_this_machine() {
        let error = PublicOnly.resolve("localhost".parse().unwrap()).await.err().expect("localhost is not public");
        assert!(error.downcast_ref::<PrivateAddress>().is_some_and(|e| e.address.is_loopback()), "{error}");
    }
}
