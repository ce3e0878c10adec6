//! Ways to make `http` ask what it must not: addresses of this machine and of private networks in every dress, names that lead there, names that
//! change their mind, and redirects. Nobody is connected to.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use portent::act::http::Http;
use portent::act::places::{Names, Places};
use portent::act::{Acting, Actuator as _, Done};
use portent::core::playbook::StepEnd;
use serde_json::json;

use super::server::{Answer, Server};
use super::{job, lasting, now};

/// Hosts of URLs, each of which is this machine, a private network, or a cloud's metadata.
const HOSTS: &[&str] = &[
    // Loopback and "this machine".
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "127.1",
    "127.0.1",
    "0.0.0.0",
    "0",
    "0.0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    // The same as decimal, octal, hexadecimal, mixed, escaped and full-width numbers.
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7F.0.0.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "127.0x0.1",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    // IPv4 within IPv6: mapped, compatible, NAT64, 6to4, Teredo.
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",
    // Clouds' metadata.
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "[fd00:ec2::254]",
    // Private, link-local, shared, multicast, reserved.
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.65.254",
    "169.254.0.1",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[ff02::1]",
];

/// Answers of a name, one list after the other; the last stays.
#[derive(Debug)]
struct Changing {
    answers: Vec<Vec<&'static str>>,
    asked: AtomicUsize,
}

impl Names for Changing {
    fn look_up<'a>(&'a self, _name: &'a str) -> Acting<'a, io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, SeqCst).min(self.answers.len() - 1);
        Box::pin(async move { Ok(self.answers[turn].iter().map(|text| text.parse().unwrap()).collect()) })
    }
}

/// Listens on every address of this machine, of both kinds if it has both.
fn everywhere() -> Vec<Server> {
    let first = Server::start_at("0.0.0.0:0", Answer::Status(200, String::new()));
    let port = first.address.port();
    // A machine without IPv6 has nobody there to be asked.
    let has_v6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let second = has_v6.then(|| Server::start_at(&format!("[::1]:{port}"), Answer::Status(200, String::new())));
    [first].into_iter().chain(second).collect()
}

fn connections(servers: &[Server]) -> usize {
    servers.iter().map(Server::connections).sum()
}

async fn start(places: Places, url: &str) -> Done {
    Http::new(places, now()).start(&lasting(job(json!({ "url": url, "method": "POST" }), "a"), Duration::from_secs(5))).await
}

fn refused(done: &Done) -> bool {
    done.end == StepEnd::Failed && done.note.starts_with("nothing was sent: ") && done.note.contains("is not a public address")
}

#[tokio::test]
async fn sixty_private_addresses_and_one_are_not_connected_to_even_where_they_are_named() {
    let servers = everywhere();
    let port = servers[0].address.port();
    assert!(HOSTS.len() >= 60);
    for host in HOSTS {
        let url = format!("http://{host}:{port}/latest/meta-data/");
        let named = url::Url::parse(&url).unwrap().host().unwrap().to_string();
        // On the list of hosts, as the configuration would write it, and still refused.
        let done = start(Places::new([named], false), &url).await;
        assert!(refused(&done), "{host}: {done:?}");
        let done = start(Places::new([], true), &url).await;
        assert!(done.end == StepEnd::Failed && done.note.contains("is not among the hosts"), "{host}: {done:?}");
    }
    assert_eq!(connections(&servers), 0);
    // The listeners do hear who comes.
    let done = start(Places::new(["127.0.0.1".to_owned()], true), &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!((done.end, connections(&servers)), (StepEnd::Succeeded, 1));
}

#[tokio::test]
async fn names_that_lead_home_or_change_their_mind_lead_nowhere() {
    let servers = everywhere();
    let port = servers[0].address.port();
    let url = format!("http://rebind.example:{port}/");
    let named = || Places::new(["rebind.example".to_owned(), "localhost".to_owned()], false);
    assert!(refused(&start(named(), &format!("http://localhost:{port}/")).await), "by the system's own resolver");
    for answer in [
        vec!["127.0.0.1"],
        vec!["::1"],
        vec!["::ffff:127.0.0.1"],
        vec!["0.0.0.0"],
        vec!["169.254.169.254"],
        vec!["10.0.0.1"],
        vec!["1.1.1.1", "127.0.0.1"],
        vec!["127.0.0.1", "1.1.1.1"],
        vec!["2606:4700::1111", "::1"],
    ] {
        let names = Arc::new(Changing { answers: vec![answer.clone()], asked: AtomicUsize::new(0) });
        let done = start(named().asking(names.clone()), &url).await;
        assert!(refused(&done) && names.asked.load(SeqCst) == 1, "{answer:?}: {done:?}");
    }
    assert_eq!(connections(&servers), 0);

    // One that answers well when it is asked and otherwise when it is connected to. It is not asked again: what was judged is what is
    // connected to, here the first listener and not the other one.
    let first = Server::start(Answer::Status(200, String::new()));
    let other = Server::start_at(&format!("127.0.0.2:{}", first.address.port()), Answer::Status(200, String::new()));
    let names = Arc::new(Changing { answers: vec![vec!["127.0.0.1"], vec!["127.0.0.2"]], asked: AtomicUsize::new(0) });
    let places = Places::new(["rebind.example".to_owned()], true).asking(names.clone());
    let done = start(places, &format!("http://rebind.example:{}/", first.address.port())).await;
    assert_eq!((done.end, first.connections(), other.connections()), (StepEnd::Succeeded, 1, 0));
    assert_eq!((names.asked.load(SeqCst), first.got()[0].header("host").unwrap().split(':').next()), (1, Some("rebind.example")));
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let victims = everywhere();
    let port = victims[0].address.port();
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for to in [
            format!("http://127.0.0.1:{port}/"),
            format!("http://[::1]:{port}/"),
            format!("//127.0.0.1:{port}/"),
            format!("http://0x7f.1:{port}/"),
        ] {
            let server = Server::start(Answer::MovedTo(status, to.clone()));
            let done = start(Places::new(["127.0.0.1".to_owned()], true), &server.url("/")).await;
            assert!(done.end == StepEnd::Failed && done.note.contains("redirects are not followed"), "{status} to {to}: {done:?}");
            assert_eq!(server.connections(), 1);
        }
    }
    assert_eq!(connections(&victims), 0);
}
