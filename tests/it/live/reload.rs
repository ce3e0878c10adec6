//! The configuration read again while running: a good one counts at once, a bad one changes nothing.

use super::daemon::{Config, Running, SOON};
use super::history::{DISKS, quiet_prometheus};
use crate::support::wait_until;

const OTHERS: &str = "name: others, query: disk_used_ratio * 2, horizon: 6h";

fn is_watched(portent: &Running, watch: &str) -> bool {
    wait_until(SOON, || (portent.series(watch) > 0).then_some(())).is_some()
}

#[test]
fn by_post_and_by_sighup_good_ones_count_and_bad_ones_do_not() {
    let prometheus = quiet_prometheus(3).start();
    let good = Config::new(&prometheus.url()).watch(DISKS);
    let mut portent = Running::start(&good);
    portent.wait_ready();
    let folder = portent.process.dir().to_owned();
    let successful = |portent: &Running| portent.metric("portent_config_last_reload_successful");
    assert_eq!(successful(&portent), 1.0);

    good.clone().watch(OTHERS).write(&folder);
    let reply = portent.reload();
    assert!(reply.is_success(), "{}", reply.text());
    assert!(is_watched(&portent, "others"), "{}", portent.tail());
    assert_eq!(portent.watch("disks")["state"], "watching", "what was learned about an unchanged watch stays");

    good.clone().watch("name: broken, query: up, abvoe: 1").write(&folder);
    let reply = portent.reload();
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("abvoe") && reply.text().contains("above"), "{}", reply.text());
    assert_eq!((portent.series("disks"), portent.series("others")), (3, 3));
    assert_eq!(successful(&portent), 0.0);

    good.watch("name: third, query: disk_used_ratio / 2, horizon: 6h").write(&folder);
    portent.process.process().signal("HUP");
    assert!(is_watched(&portent, "third"), "{}", portent.tail());
    assert!(portent.watch("others").is_null(), "it is in the file no more");
    assert_eq!(successful(&portent), 1.0);

    std::fs::write(folder.join("portent.yaml"), "sources: [").unwrap();
    portent.process.process().signal("HUP");
    assert!(wait_until(SOON, || (successful(&portent) == 0.0).then_some(())).is_some(), "{}", portent.tail());
    assert_eq!((portent.series("disks"), portent.series("third")), (3, 3));
}
