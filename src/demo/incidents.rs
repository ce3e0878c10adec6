//! What happens in the demo's second week, with dates: what must be foreseen, and what must not be cried about.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::config::WATCHES;
use super::generate::{END, SEED, START, STEP, data_set, write_csv};

/// One thing that happens, or seems to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    pub name: &'static str,
    /// The watch that sees it.
    pub watch: &'static str,
    /// The series, in Prometheus' notation.
    pub series: &'static str,
    /// When the cause begins, RFC 3339.
    pub begins: &'static str,
    /// When the series is first at or past the watch's threshold for three samples in a row, each time; none where nothing breaks and a
    /// prediction would be false.
    pub crosses: &'static [&'static str],
    /// When it is over.
    pub ends: &'static str,
    pub about: &'static str,
}

/// In order of their beginning.
pub const INCIDENTS: [Incident; 10] = [
    Incident {
        name: "nightly-restarts",
        watch: "memory-running-out",
        series: r#"memory_used_ratio{instance="batch-1"}"#,
        begins: "2026-03-02T00:00:00Z",
        crosses: &[],
        ends: "2026-03-16T00:00:00Z",
        about: "grows half of the memory each day and is restarted at four each night: steep, and healthy",
    },
    Incident {
        name: "near-but-steady",
        watch: "disk-filling",
        series: r#"disk_used_ratio{instance="db-1",mountpoint="/var/lib/postgresql"}"#,
        begins: "2026-03-02T00:00:00Z",
        crosses: &[],
        ends: "2026-03-16T00:00:00Z",
        about: "noise right below the threshold that never gets anywhere",
    },
    Incident {
        name: "nightly-batch",
        watch: "cpu-saturated",
        series: r#"cpu_busy_ratio{instance="batch-1"}"#,
        begins: "2026-03-02T01:00:00Z",
        crosses: &[],
        ends: "2026-03-15T04:00:00Z",
        about: "busy from one to four each night, as it should be",
    },
    Incident {
        name: "logs-outgrow-rotation",
        watch: "disk-filling",
        series: r#"disk_used_ratio{instance="web-2",mountpoint="/var/log"}"#,
        begins: "2026-03-09T12:00:00Z",
        crosses: &["2026-03-13T01:15:00Z", "2026-03-13T13:50:00Z"],
        ends: "2026-03-13T15:00:00Z",
        about: "debug logging left on doubles the growth under the daily sawtooth of log rotation",
    },
    Incident {
        name: "traffic-outgrows-capacity",
        watch: "traffic-over-capacity",
        series: r#"requests_per_second{service="shop"}"#,
        begins: "2026-03-09T00:00:00Z",
        crosses: &["2026-03-13T13:15:00Z"],
        ends: "2026-03-13T18:00:00Z",
        about: "grows 6.5 % a day over a daily and weekly rhythm; Friday's peak is the first above capacity",
    },
    Incident {
        name: "memory-leak",
        watch: "memory-running-out",
        series: r#"memory_used_ratio{instance="web-3"}"#,
        begins: "2026-03-10T06:00:00Z",
        crosses: &["2026-03-11T03:15:00Z", "2026-03-12T02:00:00Z"],
        ends: "2026-03-12T09:00:00Z",
        about: "a release leaks 1.8 % an hour, is killed at 97.5 %, begins anew and leaks on until a fixed release",
    },
    Incident {
        name: "one-off-spike",
        watch: "queue-growing",
        series: r#"queue_depth{queue="thumbnails"}"#,
        begins: "2026-03-11T14:20:00Z",
        crosses: &[],
        ends: "2026-03-11T14:35:00Z",
        about: "somebody uploads a catalogue: three high samples, below the threshold, and gone",
    },
    Incident {
        name: "certificate-forgotten",
        watch: "certificate-expiring",
        series: r#"certificate_expiry_seconds{domain="shop.example.com"}"#,
        begins: "2026-03-09T00:00:00Z",
        crosses: &["2026-03-12T10:00:00Z"],
        ends: "2026-03-13T09:00:00Z",
        about: "the renewal that should have come did not, until somebody did it by hand",
    },
    Incident {
        name: "runaway-log",
        watch: "disk-filling",
        series: r#"disk_used_ratio{instance="batch-1",mountpoint="/scratch"}"#,
        begins: "2026-03-14T01:30:00Z",
        crosses: &["2026-03-14T05:45:00Z"],
        ends: "2026-03-14T07:00:00Z",
        about: "a job in a loop fills the disk within four hours of a Saturday night",
    },
    Incident {
        name: "consumer-stuck",
        watch: "queue-growing",
        series: r#"queue_depth{queue="mail"}"#,
        begins: "2026-03-15T10:00:00Z",
        crosses: &["2026-03-15T16:00:00Z"],
        ends: "2026-03-15T17:30:00Z",
        about: "the queue's only consumer hangs; 320 messages more an hour",
    },
];

/// The data set's card, `datasets/demo/dataset.toml`: written from here, so that it cannot say anything else than the code.
pub fn dataset_toml() -> String {
    let set = data_set();
    let mut csv = Vec::new();
    write_csv(&set, &mut csv).expect("a Vec takes every write");
    let digest: String = Sha256::digest(&csv).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = format!(
        "# Written by `src/demo/incidents.rs`; a test keeps both the same.\n\
         name = \"demo\"\n\
         about = \"Two weeks of a small shop's fleet: a healthy week, then a week of incidents and of things that only look like one\"\n\
         origin = \"generated by src/demo/generate.rs\"\n\
         licence = \"CC0-1.0\"\n\
         step = \"{STEP}\"\nseed = {SEED}\nfrom = {START}\nto = {END}\nseries = {}\nsamples = {}\n\
         # Of the CSV form (`demo::write_csv`).\n\
         csv_sha256 = \"{digest}\"\n",
        set.series.len(),
        set.samples(),
    );
    for watch in &WATCHES {
        let line =
            format!("\n[[watch]]\nname = \"{}\"\nquery = '{}'\n{} = {}\n", watch.name, watch.query, watch.side.as_str(), watch.threshold);
        text.push_str(&line);
    }
    text.push_str("\n# `crosses`: first of three samples in a row at or past the threshold. Empty: must stay quiet.\n");
    for incident in &INCIDENTS {
        let Incident { name, watch, series, begins, crosses, ends, about } = incident;
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\n[[incident]]\nname = \"{name}\"\nwatch = \"{watch}\"\nseries = '{series}'\nbegins = {begins}\ncrosses = [{}]\nends = {ends}\nabout = \"{about}\"\n",
            crosses.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::time::{Span, Timestamp};
    use crate::core::watch::Hysteresis;
    use crate::source::replay::Selector;

    /// Breaches nearer to one another than this are one: noise around the threshold.
    const ONE_BREACH: Span = Span::from_secs(3 * 3600);

    /// The first samples of all breaches.
    fn crossings(samples: &[(Timestamp, f64)], is_bad: impl Fn(f64) -> bool) -> Vec<Timestamp> {
        let sustain = usize::from(Hysteresis::default().sustain);
        let (mut found, mut last_bad) = (Vec::new(), None::<Timestamp>);
        for window in samples.windows(sustain) {
            if window.iter().all(|(_, value)| is_bad(*value)) {
                if last_bad.is_none_or(|last| window[0].0 - last > ONE_BREACH) {
                    found.push(window[0].0);
                }
                last_bad = Some(window[sustain - 1].0);
            }
        }
        found
    }

    #[test]
    fn the_labels_are_what_the_data_does_and_nothing_else_breaks() {
        let set = data_set();
        let mut happens: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
        for watch in &WATCHES {
            let selector: Selector = watch.query.parse().unwrap();
            for series in set.series.iter().filter(|series| selector.matches(&series.labels)) {
                let times = crossings(&series.samples, |value| watch.side.is_breach(value, watch.threshold));
                if !times.is_empty() {
                    happens.insert((watch.name, series.labels.to_string()), times.iter().map(ToString::to_string).collect());
                }
            }
        }
        let mut labelled: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
        for incident in &INCIDENTS {
            assert!(set.series.iter().any(|series| series.labels.to_string() == incident.series), "{} has no series", incident.name);
            let (begins, ends): (Timestamp, Timestamp) = (incident.begins.parse().unwrap(), incident.ends.parse().unwrap());
            assert!(START <= begins && begins < ends && ends <= END, "{}", incident.name);
            for crossing in incident.crosses {
                let at: Timestamp = crossing.parse().unwrap();
                assert!(begins < at && at < ends, "{}", incident.name);
                labelled.entry((incident.watch, incident.series.to_owned())).or_default().push((*crossing).to_owned());
            }
        }
        assert_eq!(happens, labelled);
    }

    #[test]
    fn the_card_in_the_repository_is_this_one() {
        let card = include_str!("../../datasets/demo/dataset.toml");
        assert_eq!(card, dataset_toml(), "write what dataset_toml() gives to datasets/demo/dataset.toml");
    }
}
