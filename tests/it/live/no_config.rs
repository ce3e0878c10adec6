//! `portent run --prometheus URL`: nothing is configured, and what the server has is watched.

use std::time::{Duration, Instant};

use super::daemon::{Running, STARTED};
use crate::support::{NodeExporter, Prometheus, wait_until};

#[test]
fn a_url_is_enough_to_watch_the_host_and_the_server_itself() {
    let node = NodeExporter::start();
    let prometheus = Prometheus::new().scrape_itself().scrape("node", &node.address()).start();
    let scraped = wait_until(STARTED, || Some(prometheus.query("up == 1", None)).filter(|up| up.len() == 2));
    assert!(scraped.is_some(), "both are scraped");
    let began = Instant::now();
    let portent = Running::start_in(tempfile::tempdir().unwrap(), &["--prometheus", &prometheus.url()]);
    let watched = |name: &'static str| portent.series(name) > 0;
    let all = wait_until(Duration::from_secs(60), || {
        portent.readiness()?;
        ["node-filesystem-filling", "node-memory", "prometheus-head-series"].into_iter().all(watched).then_some(())
    });
    assert!(all.is_some(), "{:#}\n{}", portent.data("/api/v1/status"), portent.tail());
    eprintln!("watched after {:?}", began.elapsed());
    assert_eq!(portent.metric("portent_predictions_raised_total"), 0.0, "nothing can be said after a minute of history");
}

/// The watches of a run without configuration are found anew at each start, after the state was opened.
#[test]
fn what_a_run_without_configuration_has_learned_outlives_it() {
    let prometheus = Prometheus::new().scrape_itself().start();
    let scraped = wait_until(STARTED, || Some(prometheus.query("up == 1", None)).filter(|up| up.len() == 1));
    assert!(scraped.is_some());
    let url = prometheus.url();
    let mut portent = Running::start_in(tempfile::tempdir().unwrap(), &["--prometheus", &url]);
    let found = wait_until(STARTED * 2, || {
        portent.readiness()?;
        (portent.series("prometheus-head-series") > 0).then_some(())
    });
    assert!(found.is_some(), "{}", portent.tail());
    assert!(portent.process.sigterm_and_wait(super::daemon::END_WITHIN).success());
    drop(prometheus);

    let portent = Running::start_in(portent.process.into_dir(), &["--prometheus", &url]);
    portent.wait_not_ready("source prometheus: cannot", STARTED);
    assert!(portent.series("prometheus-head-series") > 0, "forgotten over a restart: {}", portent.tail());
}
