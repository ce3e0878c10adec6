//! Ended, killed, damaged: what was told stays told, and what was learned is not learned anew.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::daemon::{Config, END_WITHIN, Running, SOON, raised};
use super::history::{DISKS, filling_prometheus};
use crate::support::Receiver;

const QUIET_DISKS: u64 = 4;
/// The window of five disks, once.
const WHOLE_PAST: f64 = 5.0 * 7.0 * 1_440.0;

const SAMPLES: &str = "portent_samples_decoded_total";

#[test]
fn after_sigterm_reading_goes_on_where_it_ended() {
    let prometheus = filling_prometheus(QUIET_DISKS).start();
    let receiver = Receiver::start();
    let mut portent = Running::start(&Config::new(&prometheus.url()).watch(DISKS).hook(&receiver));
    portent.first_event(&receiver);
    portent.wait_ready();
    assert!(portent.metric(SAMPLES) >= WHOLE_PAST, "{}", portent.metric(SAMPLES));
    let status = portent.process.sigterm_and_wait(END_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", portent.tail());

    let mut portent = Running::start_in(portent.process.into_dir(), &["-c", "portent.yaml"]);
    portent.wait_ready();
    thread::sleep(Duration::from_secs(5));
    let again = portent.metric(SAMPLES);
    assert!(again > 0.0 && again < WHOLE_PAST / 20.0, "{again} samples were read again");
    assert_eq!(portent.series("disks"), QUIET_DISKS + 1);
    assert_eq!(portent.data("/api/v1/predictions?state=open").as_array().unwrap().len(), 1);
    assert_eq!(raised(&receiver).len(), 1);
}

/// Wrong bytes all over the store's file, as a bad disk leaves them.
pub fn damage(file: &Path) {
    let length = fs::metadata(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).len();
    assert!(length > 0, "{} is empty", file.display());
    let mut file = OpenOptions::new().write(true).open(file).unwrap();
    for part in 0..64 {
        file.seek(SeekFrom::Start(length * part / 64)).unwrap();
        file.write_all(&[0xA5; 64]).unwrap();
    }
}

#[test]
fn a_damaged_store_is_set_aside_said_and_read_anew() {
    let prometheus = filling_prometheus(QUIET_DISKS).start();
    let receiver = Receiver::start();
    let mut portent = Running::start(&Config::new(&prometheus.url()).watch(DISKS).hook(&receiver));
    let told = portent.first_event(&receiver).json();
    portent.wait_ready();
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    damage(&portent.data_dir().join("store").join("db"));

    let mut portent = Running::start_in(portent.process.into_dir(), &["-c", "portent.yaml"]);
    portent.wait_ready();
    assert!(portent.process.log().contains("STORED BASELINES ARE DAMAGED"), "{}", portent.tail());
    assert_eq!(portent.metric("portent_store_rebuilds_total"), 1.0);
    assert!(portent.metric(SAMPLES) >= WHOLE_PAST, "{} samples were read", portent.metric(SAMPLES));
    thread::sleep(Duration::from_secs(10));
    assert_eq!(raised(&receiver).len(), 1, "told again");
    let open = portent.data("/api/v1/predictions?state=open");
    assert_eq!((open.as_array().unwrap().len(), &open[0]["id"]), (1, &told["data"]["id"]));
}

/// A watch that was taken out of the file while nothing ran: its prediction is not left open for ever.
#[test]
fn a_prediction_whose_watch_is_gone_is_taken_back() {
    let prometheus = filling_prometheus(1).start();
    let receiver = Receiver::start();
    let mut portent = Running::start(&Config::new(&prometheus.url()).watch(DISKS).hook(&receiver));
    let told = portent.first_event(&receiver).json();
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let dir = portent.process.into_dir();
    Config::new(&prometheus.url()).watch("name: others, query: disk_used_ratio, horizon: 24h").hook(&receiver).write(dir.path());

    let mut portent = Running::start_in(dir, &["-c", "portent.yaml"]);
    portent.wait_ready();
    let events = receiver.wait_for(2, SOON);
    let last = events[1].json();
    assert_eq!((&last["type"], &last["data"]["id"]), (&"dev.portent.prediction.resolved".into(), &told["data"]["id"]), "{last:#}");
    assert_eq!(portent.data("/api/v1/predictions?state=open").as_array().unwrap().len(), 0);
}
