//! Our own metrics: what Portent does and what it costs, for the Prometheus that it watches.
//!
//! Fixed cardinality: every label is a closed enum (see [`label`]; the watch's name is deliberately none), and every family holds all its
//! series from the start, so that `rate()` sees the first event and an absent metric means an absent Portent. Names and units follow
//! <https://prometheus.io/docs/practices/naming/>; what the process costs keeps the names all clients use ([`process`]).

pub mod acting;
pub mod label;
pub mod process;
pub mod text;

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::core::engine::{INTERVAL_LEVELS, Tally};
use crate::core::prediction::Truth;
use crate::core::time::Timestamp;
use crate::core::watch::Impact;
use acting::ActingMetrics;
use label::{
    ClosedLabel, Level, MissingReason, PushOutcome, ReloadResult, RequestOutcome, Stated, StatusClass, Trusted, Verdict, WebhookOutcome,
};
use text::Exposition;

/// A gauge of seconds or another measured number.
pub type FloatGauge = Gauge<f64, AtomicU64>;
/// A counter that grows by fractions.
pub type FloatCounter = Counter<f64, AtomicU64>;

/// From a millisecond (a tick over few series) to beyond the default tick of 30 s (it cannot keep up).
const DURATION_BUCKETS_S: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// From a quarter of an hour, in which little can be done, to the two days that a deadline is looked ahead.
const LEAD_TIME_BUCKETS_S: [f64; 9] = [60.0, 300.0, 900.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0];

/// All of them. Shared as it is; every method and field takes `&self`.
///
/// Labelled families are used as `metrics.source_requests.get_or_create(&RequestOutcome::Ok).inc()`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,

    pub ticks: Counter,
    pub tick_duration_s: Histogram,
    /// How long after its due time the last tick began.
    pub tick_lag_s: FloatGauge,
    /// Points of time (grid columns of a watch) that were evaluated.
    pub columns: Counter,
    /// Points of time given up because they lay too far back after an outage.
    pub columns_skipped: Counter,
    /// Points of time evaluated later than one tick after their time.
    pub columns_late: Counter,

    pub source_requests: Family<RequestOutcome, Counter>,
    pub source_request_duration_s: Histogram,
    pub source_received_bytes: Counter,
    pub samples_decoded: Counter,
    pub samples_missing: Family<MissingReason, Counter>,

    pub watches: Gauge,
    pub series_watched: Gauge,
    pub forecasts: Counter,
    interval_hits: Family<Level, Counter>,
    interval_expected_hits: Family<Level, FloatCounter>,
    interval_uncorrected_hits: Family<Level, Counter>,
    likelihoods_settled: Family<Stated, Counter>,
    likelihoods_came_true: Family<Stated, Counter>,
    likelihoods_said: Family<Stated, FloatCounter>,
    likelihood_squared_errors: FloatCounter,
    /// What of the engine's tallies is in the counters.
    counted: Mutex<Tally>,
    pub anomalies: Counter,
    pub anomalies_open: Gauge,

    predictions_open: Family<Impact, Gauge>,
    pub predictions_raised: Counter,
    pub predictions_resolved: Counter,
    pub predictions_expired: Counter,
    pub predictions_scored: Family<Verdict, Counter>,
    lead_time_s: Histogram,
    /// Raised, updated or ended while under a silence of ours, and so not told.
    pub predictions_silenced: Counter,
    pub silences_active: Gauge,

    pub webhook_attempts: Family<WebhookOutcome, Counter>,
    pub alert_pushes: Family<PushOutcome, Counter>,
    pub outbox_pending: Gauge,
    playbook_cases: Family<Trusted, Gauge>,
    pub audit_lines: Gauge,
    /// The first 48 bits of the newest line's hash.
    pub audit_head: Gauge,
    pub acting: ActingMetrics,

    pub checkpoint_duration_s: Histogram,
    pub checkpoint_bytes: Counter,
    pub checkpoint_failures: Counter,
    /// Unix seconds.
    pub checkpoint_last_success_s: FloatGauge,
    pub store_rebuilds: Counter,

    reloads: Family<ReloadResult, Counter>,
    reload_last_successful: Gauge,
    /// Files of playbooks that are not used.
    pub playbooks_refused: Gauge,
    reload_last_success_s: FloatGauge,

    pub http_requests: Family<StatusClass, Counter>,
    pub http_connections: Gauge,
}

/// Registers a metric and keeps a handle on it.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn add_unit<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, unit: Unit, metric: M) -> M {
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

/// Registers a family with all its series there from the start.
fn add_family<L, M>(registry: &mut Registry, name: &str, help: &str) -> Family<L, M>
where
    L: ClosedLabel + EncodeLabelSet + Eq + std::hash::Hash + Send + Sync + std::fmt::Debug,
    M: prometheus_client::metrics::TypedMetric + Default + Clone + Send + Sync + std::fmt::Debug + 'static,
    Family<L, M>: Metric,
{
    let family = Family::<L, M>::default();
    for label in L::ALL {
        drop(family.get_or_create(label));
    }
    add(registry, name, help, family)
}

impl Metrics {
    /// All at zero; the process' start time is now.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::ProcessCollector::from_now()));
        let r = registry.sub_registry_with_prefix("portent");
        r.register("build", "Version of this build", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let histogram = || Histogram::new(DURATION_BUCKETS_S);
        Self {
            ticks: add(r, "ticks", "Ticks that ran", Counter::default()),
            tick_duration_s: add_unit(r, "tick_duration", "How long ticks took, sources included", Unit::Seconds, histogram()),
            tick_lag_s: add_unit(r, "tick_lag", "How long after its due time the last tick began", Unit::Seconds, FloatGauge::default()),
            columns: add(r, "columns", "Points of time of a watch that were evaluated", Counter::default()),
            columns_skipped: add(r, "columns_skipped", "Points of time given up as too far back after an outage", Counter::default()),
            columns_late: add(r, "columns_late", "Points of time evaluated more than one tick late", Counter::default()),

            source_requests: add_family(r, "source_requests", "Requests to sources"),
            source_request_duration_s: add_unit(
                r,
                "source_request_duration",
                "How long requests to sources took, body included",
                Unit::Seconds,
                histogram(),
            ),
            source_received_bytes: add_unit(r, "source_received", "Bytes of answers read from sources", Unit::Bytes, Counter::default()),
            samples_decoded: add(r, "samples_decoded", "Samples decoded from answers", Counter::default()),
            samples_missing: add_family(r, "samples_missing", "Values that were not there or not used"),

            watches: add(r, "watches", "Watches configured", Gauge::default()),
            series_watched: add(r, "series_watched", "Series watched", Gauge::default()),
            forecasts: add(r, "forecasts", "Forecasts computed", Counter::default()),
            interval_hits: add_family(r, "interval_hits", "Values that later lay inside their forecast interval of that level"),
            interval_expected_hits: add_family(
                r,
                "interval_expected_hits",
                "Values that should have lain inside by the level stated; hits over this is 1 when intervals are honest",
            ),
            interval_uncorrected_hits: add_family(
                r,
                "interval_uncorrected_hits",
                "Values that would have lain inside by past forecasts' errors alone, had hits not corrected the width",
            ),
            likelihoods_settled: add_family(r, "likelihoods_settled", "Likelihoods whose truth became known, raised or not"),
            likelihoods_came_true: add_family(r, "likelihoods_came_true", "Of these, those that were followed by a breach"),
            likelihoods_said: add_family(
                r,
                "likelihoods_said",
                "Sum of these likelihoods; came true over this is 1 when a stated 80 % means 80 %",
            ),
            likelihood_squared_errors: add(
                r,
                "likelihood_squared_errors",
                "Sum of squared distances between likelihood and truth; over those settled it is Brier's score",
                FloatCounter::default(),
            ),
            counted: Mutex::default(),
            anomalies: add(r, "anomalies", "Anomalies that began", Counter::default()),
            anomalies_open: add(r, "anomalies_open", "Series that are not normal now", Gauge::default()),

            predictions_open: add_family(r, "predictions_open", "Predictions open now"),
            predictions_raised: add(r, "predictions_raised", "Predictions raised", Counter::default()),
            predictions_resolved: add(r, "predictions_resolved", "Predictions resolved", Counter::default()),
            predictions_expired: add(r, "predictions_expired", "Predictions whose horizon passed without a breach", Counter::default()),
            predictions_scored: add_family(r, "predictions_scored", "Predictions whose truth became known"),

            lead_time_s: add_unit(
                r,
                "prediction_lead_time",
                "How long before the breach predictions that came true were raised",
                Unit::Seconds,
                Histogram::new(LEAD_TIME_BUCKETS_S),
            ),

            predictions_silenced: add(
                r,
                "predictions_silenced",
                "Events of predictions (raised, updated, ended) that were not told because of a silence",
                Counter::default(),
            ),
            silences_active: add(r, "silences_active", "Silences of our own that are in force", Gauge::default()),

            webhook_attempts: add_family(r, "webhook_attempts", "Tries to deliver a webhook"),
            alert_pushes: add_family(r, "alert_pushes", "Times that open predictions were pushed to an Alertmanager"),
            outbox_pending: add(r, "outbox_pending", "Webhooks waiting to be delivered", Gauge::default()),
            playbook_cases: add_family(
                r,
                "playbook_cases",
                "Causes at services that playbooks have been used for, by how far they are trusted there",
            ),
            audit_lines: add(r, "audit_lines", "Lines of the audit of remedies", Gauge::default()),
            audit_head: add(r, "audit_head", "The first 48 bits of the newest audit line's hash, to find a cut end by", Gauge::default()),

            acting: ActingMetrics::new(r),

            checkpoint_duration_s: add_unit(r, "checkpoint_duration", "How long checkpoints took", Unit::Seconds, histogram()),
            checkpoint_bytes: add_unit(r, "checkpoint_written", "Bytes written by checkpoints", Unit::Bytes, Counter::default()),
            checkpoint_failures: add(r, "checkpoint_failures", "Checkpoints that failed", Counter::default()),
            checkpoint_last_success_s: add_unit(
                r,
                "checkpoint_last_success_timestamp",
                "When the last checkpoint ended well, since the Unix epoch; 0 before the first",
                Unit::Seconds,
                FloatGauge::default(),
            ),
            store_rebuilds: add(r, "store_rebuilds", "Times derived state was set aside as damaged and rebuilt", Counter::default()),

            reloads: add_family(r, "config_reloads", "Times the configuration was read again"),
            reload_last_successful: {
                let gauge = Gauge::default();
                gauge.set(1);
                add(r, "config_last_reload_successful", "Whether the last reading of the configuration succeeded", gauge)
            },
            playbooks_refused: add(r, "playbooks_refused", "Playbook files with faults, which are not used", Gauge::default()),
            reload_last_success_s: add_unit(
                r,
                "config_last_reload_success_timestamp",
                "When the configuration was last read well, since the Unix epoch; 0 before the first",
                Unit::Seconds,
                FloatGauge::default(),
            ),

            http_requests: add_family(r, "http_requests", "Requests answered by the own HTTP server"),
            http_connections: add(r, "http_connections", "Connections open to the own HTTP server", Gauge::default()),
            registry,
        }
    }

    /// The engine's settled answers, all of them together; what came since the last time is counted. Where a watch went away, they may be fewer.
    pub fn record_settled(&self, now: &Tally) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for ((label, now), had) in Stated::ALL.iter().zip(&now.likelihoods).zip(&counted.likelihoods) {
            self.likelihoods_settled.get_or_create(label).inc_by(now.count.saturating_sub(had.count));
            self.likelihoods_came_true.get_or_create(label).inc_by(now.came_true.saturating_sub(had.came_true));
            self.likelihoods_said.get_or_create(label).inc_by((now.said - had.said).max(0.0));
            self.likelihood_squared_errors.inc_by((now.squares - had.squares).max(0.0));
        }
        for ((level, now), had) in INTERVAL_LEVELS.iter().zip(&now.intervals).zip(&counted.intervals) {
            let label = Level::nearest(*level);
            for (now, had) in now.iter().zip(had) {
                self.interval_hits.get_or_create(&label).inc_by(now.inside.saturating_sub(had.inside));
                let count = now.count.saturating_sub(had.count);
                self.interval_expected_hits.get_or_create(&label).inc_by(level * count as f64);
            }
        }
        for ((level, now), had) in INTERVAL_LEVELS.iter().zip(&now.uncorrected).zip(&counted.uncorrected) {
            let hits = self.interval_uncorrected_hits.get_or_create(&Level::nearest(*level));
            now.iter().zip(had).for_each(|(now, had)| _ = hits.inc_by(now.inside.saturating_sub(had.inside)));
        }
        *counted = *now;
    }

    /// A prediction's truth became known.
    pub fn record_truth(&self, truth: &Truth) {
        self.predictions_scored.get_or_create(&Verdict::from(truth)).inc();
        if let Truth::CameTrue { lead_time_s, .. } = truth {
            self.lead_time_s.observe(*lead_time_s);
        }
    }

    /// Sets how many predictions of each impact are open. Impacts that are not named have none.
    pub fn set_open_predictions(&self, open: impl IntoIterator<Item = Impact>) {
        let mut counts = Impact::ALL.iter().map(|impact| (*impact, 0_i64)).collect::<Vec<_>>();
        for impact in open {
            if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == impact) {
                *count += 1;
            }
        }
        for (impact, count) in counts {
            self.predictions_open.get_or_create(&impact).set(count);
        }
    }

    /// Sets in how many cases a playbook is trusted how far.
    pub fn set_playbook_cases(&self, trusted: impl IntoIterator<Item = Trusted>) {
        let trusted: Vec<Trusted> = trusted.into_iter().collect();
        for label in Trusted::ALL {
            self.playbook_cases.get_or_create(label).set(trusted.iter().filter(|own| *own == label).count() as i64);
        }
    }

    /// The configuration was read again, or could not be.
    pub fn record_reload(&self, result: ReloadResult, at: Timestamp) {
        self.reloads.get_or_create(&result).inc();
        let success = result == ReloadResult::Success;
        self.reload_last_successful.set(i64::from(success));
        if success {
            self.reload_last_success_s.set(at.as_secs_f64());
        }
    }

    /// All metrics in the format asked for.
    pub fn encode(&self, exposition: Exposition) -> String {
        let mut out = String::new();
        prometheus_client::encoding::text::encode(&mut out, &self.registry).expect("a String takes any text");
        match exposition {
            Exposition::OpenMetrics => out,
            Exposition::Text => text::to_classic(&out),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod documented;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn series(text: &str) -> usize {
        text.lines().filter(|line| !line.starts_with('#')).count()
    }

    fn used() -> Metrics {
        let m = Metrics::new();
        m.ticks.inc();
        m.tick_duration_s.observe(0.3);
        m.tick_lag_s.set(0.01);
        for outcome in RequestOutcome::ALL {
            m.source_requests.get_or_create(outcome).inc();
        }
        let mut tally = Tally::default();
        tally.likelihood(0.8, true);
        tally.interval(0, false, true, true);
        m.record_settled(&tally);
        tally.interval(0, true, false, true);
        tally.interval(1, true, true, true);
        m.record_settled(&tally);
        m.set_open_predictions([Impact::High, Impact::High, Impact::Low]);
        m.record_reload(ReloadResult::Failure, Timestamp::from_millis(5_000));
        m
    }

    #[test]
    fn use_adds_no_series() {
        let (fresh, used) = (Metrics::new().encode(Exposition::OpenMetrics), used().encode(Exposition::OpenMetrics));
        assert_eq!(series(&fresh), series(&used));
        assert!(series(&fresh) < 220, "{} series", series(&fresh));
        for family in
            ["portent_source_requests_total{outcome=\"bad_answer\"} 0", "portent_predictions_scored_total{verdict=\"came_true\"} 0"]
        {
            assert!(fresh.contains(family), "{family} is absent before the first event");
        }
    }

    #[test]
    fn values_stand_where_they_belong() {
        let text = used().encode(Exposition::Text);
        for line in [
            "portent_ticks_total 1",
            "portent_tick_duration_seconds_bucket{le=\"0.5\"} 1",
            "portent_predictions_open{impact=\"high\"} 2",
            "portent_predictions_open{impact=\"critical\"} 0",
            "portent_config_last_reload_successful 0",
            "portent_config_reloads_total{result=\"failure\"} 1",
            "portent_interval_hits_total{level=\"0.8\"} 1",
            "portent_interval_expected_hits_total{level=\"0.8\"} 1.6",
            "portent_interval_uncorrected_hits_total{level=\"0.8\"} 2",
            "portent_likelihoods_settled_total{stated_to=\"0.9\"} 1",
            "portent_likelihoods_came_true_total{stated_to=\"0.9\"} 1",
            "portent_likelihoods_said_total{stated_to=\"0.9\"} 0.8",
            concat!("portent_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|l| l == line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn promtool_finds_nothing_to_complain_about() {
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool is needed for this test: apt-get install prometheus");
        promtool.stdin.take().unwrap().write_all(used().encode(Exposition::Text).as_bytes()).unwrap();
        let out = promtool.wait_with_output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success() && said.trim().is_empty(), "{said}");
    }
}
