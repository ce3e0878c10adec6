//! Predictions as alerts of real Alertmanagers: all get them, they stay while a prediction is open, and go when it ends.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::daemon::{Config, Running, SOON, STARTED};
use super::history::{DISKS, filling_prometheus};
use crate::support::{Alertmanager, Receiver, wait_until};

fn one(alertmanager: &Alertmanager) -> Option<Value> {
    let alerts = alertmanager.alerts();
    assert!(alerts.len() < 2, "{alerts:#?}");
    alerts.into_iter().next()
}

#[test]
fn an_open_prediction_is_an_alert_at_every_alertmanager_until_it_ends() {
    let prometheus = filling_prometheus(1).start();
    let (often, seldom, mut counting) = (Alertmanager::start(), Alertmanager::start(), Receiver::start());
    let receiver = |name: &str, url: &str, resend: &str| {
        format!("{{ alertmanager: {{ name: {name}, url: '{url}', allow_private: true, resend: {resend} }} }}")
    };
    // Alerts of the first end by themselves after four seconds, those of the second after four hours.
    let receivers =
        [receiver("often", &often.url(), "1s"), receiver("seldom", &seldom.url(), "1h"), receiver("counting", &counting.url(), "1s")];
    let config = Config::new(&prometheus.url())
        .watch(DISKS)
        .line(&format!("notify: [ {} ]", receivers.join(", ")))
        .line("external_url: https://portent.example/");
    let mut portent = Running::start(&config);

    let told = |alertmanager: &Alertmanager| wait_until(STARTED, || one(alertmanager));
    let first = told(&often).unwrap_or_else(|| panic!("no alert\n{}", portent.tail()));
    let prediction = portent.data("/api/v1/predictions?state=open")[0].clone();
    let (labels, annotations) = (&first["labels"], &first["annotations"]);
    assert_eq!((&labels["alertname"], &labels["host"], &labels["service"]), (&"disks".into(), &"filling".into(), &"filling".into()));
    assert_eq!((&labels["severity"], &labels["__name__"]), (&"warning".into(), &Value::Null));
    assert_eq!(annotations["prediction"], prediction["id"]);
    assert!(annotations["summary"].as_str().unwrap().contains('%') && annotations["likelihood"].as_str().unwrap().starts_with("0."));
    assert!(annotations["eta"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{annotations:#}");
    assert_eq!(first["generatorURL"], "https://portent.example/");
    assert!(told(&seldom).is_some(), "{}", portent.tail());

    // Posted again and again: the same alert, later than its first end.
    let ends = |alert: &Value| alert["endsAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    thread::sleep(Duration::from_secs(6));
    let later = one(&often).expect("it was not kept");
    assert!(ends(&later) > ends(&first) && later["startsAt"] == first["startsAt"], "{first:#}\n{later:#}");

    // An Alertmanager that is away for a while gets what is so then, and not what it missed.
    counting.stop();
    thread::sleep(Duration::from_secs(8));
    let before = counting.received().len();
    counting.start_again();
    let again = wait_until(SOON, || (counting.received().len() > before).then_some(()));
    assert!(again.is_some(), "{}", portent.tail());
    thread::sleep(Duration::from_secs(2));
    let posted = counting.received();
    assert!(posted.len() - before <= 4, "{} requests in two seconds", posted.len() - before);
    assert!(posted.iter().all(|post| post.path == "/hook/api/v2/alerts" && post.json().as_array().unwrap().len() == 1));

    portent = portent.kill_and_start_again();
    portent.wait_ready();
    let kept = wait_until(SOON, || one(&often)).expect("a restart forgot it");
    assert_eq!((&kept["fingerprint"], &kept["startsAt"]), (&first["fingerprint"], &first["startsAt"]));

    // Its watch is taken away: it ends, and no Alertmanager is left to find that out by itself.
    let folder = portent.process.dir().to_owned();
    let text = fs::read_to_string(folder.join("portent.yaml")).unwrap();
    fs::write(folder.join("portent.yaml"), text.replace("name: disks,", "name: others,").replace("above: 0.9, ", "")).unwrap();
    let reply = portent.reload();
    assert!(reply.is_success(), "{}", reply.text());
    let gone = wait_until(SOON, || (one(&often).is_none() && one(&seldom).is_none()).then_some(()));
    assert!(gone.is_some(), "{:#?}\n{}", seldom.alerts(), portent.tail());
}
