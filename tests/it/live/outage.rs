//! The server is away, goes away, hangs, and comes back: that is said, nothing is made up, and nobody has to help.

use std::thread;
use std::time::Duration;

use super::daemon::{Config, END_WITHIN, Running, SOON, raised};
use super::history::{DISKS, quiet_prometheus};
use crate::support::Receiver;

const QUIET_DISKS: u64 = 5;
/// Asked every few seconds, so that an outage is met soon.
const OFTEN: &str = "name: disks, query: disk_used_ratio, step: 5s, above: 0.9, horizon: 6h, profile: saturating-gauge";

#[test]
fn a_server_that_is_away_is_named_and_taken_up_again_when_it_comes_back() {
    let receiver = Receiver::start();
    let mut prometheus = quiet_prometheus(QUIET_DISKS);
    let portent = Running::start(&Config::new(&prometheus.url()).watch(OFTEN).hook(&receiver));
    portent.wait_not_ready("source lab: cannot", SOON);
    prometheus.start_again();
    portent.wait_recovered(SOON);
    assert_eq!(portent.series("disks"), QUIET_DISKS);
    let before = portent.resident_bytes();

    prometheus.stop();
    portent.wait_not_ready("source lab: cannot", SOON);
    assert_eq!(portent.series("disks"), QUIET_DISKS, "what is known stays known");
    prometheus.start_again();
    portent.wait_recovered(SOON);

    prometheus.pause();
    portent.wait_not_ready("source lab", SOON);
    thread::sleep(Duration::from_secs(5));
    prometheus.resume();
    portent.wait_recovered(SOON);

    assert_eq!(portent.watch("disks")["state"], "watching");
    assert!(raised(&receiver).is_empty(), "an outage is no breach");
    let grown = portent.resident_bytes().saturating_sub(before);
    assert!(grown < 50 << 20, "{grown} bytes more");
}

#[test]
fn sigterm_ends_in_time_while_server_and_receiver_hang() {
    let receiver = Receiver::start();
    receiver.answer_always(crate::support::Answer::Slow(Duration::from_secs(60), 204));
    let mut prometheus = super::history::filling_prometheus(QUIET_DISKS).start();
    let mut portent = Running::start(&Config::new(&prometheus.url()).watch(DISKS).watch(&OFTEN.replace("disks", "often")).hook(&receiver));
    portent.first_event(&receiver);
    prometheus.pause();
    // Two seconds until a request is given up, a quarter of one before the next: at any later moment one is under way.
    thread::sleep(Duration::from_millis(1_500));
    let status = portent.process.sigterm_and_wait(END_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", portent.tail());
    assert!(portent.tail().contains("state is on disk"), "{}", portent.tail());
}

#[test]
fn sigterm_ends_in_time_while_the_first_reading_hangs() {
    let mut prometheus = quiet_prometheus(1).start();
    prometheus.pause();
    let mut portent = Running::start(&Config::new(&prometheus.url()).watch(DISKS));
    portent.wait_not_ready("source lab", SOON);
    let status = portent.process.sigterm_and_wait(END_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", portent.tail());
}

/// A reading that hangs must not hold up the operator, who may be reloading because of it.
#[test]
fn a_reload_does_not_wait_for_a_server_that_hangs() {
    let mut prometheus = quiet_prometheus(1).start();
    let healthy = quiet_prometheus(2).start();
    prometheus.pause();
    let portent = Running::start(&Config::new(&prometheus.url()).watch(DISKS));
    portent.wait_not_ready("source lab", SOON);
    Config::new(&healthy.url()).watch(DISKS).write(portent.process.dir());
    let began = std::time::Instant::now();
    let reply = portent.reload();
    assert!(reply.is_success(), "{}", reply.text());
    assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
    portent.wait_recovered(SOON);
    assert_eq!(portent.series("disks"), 2);
}
