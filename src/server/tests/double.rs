//! A view whose answers a test sets. Filters are honoured as the port demands.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use crate::core::access::Access;
use crate::core::anomaly::{Anomaly, OddView, Why};
use crate::core::explain::Explanation;
use crate::core::labels::Labels;
use crate::core::learn::{Case, End, How, Learned, Stats, Trial};
use crate::core::playbook::Suggestion;
use crate::core::prediction::{Cause, Eta, Evidence, Prediction, PredictionId, State, Truth};
use crate::core::run::RunKey;
use crate::core::silence::own::{SilenceError, SilenceId, Silences, Wish};
use crate::core::time::{Span, Timestamp};
use crate::core::topology::Tier;
use crate::core::watch::{Impact, Side};
use crate::server::plan_report::PlanReport;
use crate::server::report::{
    CalibrationReport, Counts, Readiness, SeriesReport, SeriesState, SourceReport, StatusReport, StorageReport, WatchReport, WatchState,
    finite,
};
use crate::server::run_report::{RunDetail, RunReport, TrialReport};
use crate::server::silence_report::{PredictionReport, SilenceReport};
use crate::server::view::Word;
use crate::server::{AnomalyFilter, ExplainFilter, PlaybookAsk, PredictionFilter, SeriesFilter, Subject, View, ViewError};

use super::explained::explanation;
use super::silenced::{add, expire, report, silences};

pub const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

#[derive(Default)]
pub struct Double {
    pub unhealthy: AtomicBool,
    pub reasons: Mutex<Vec<String>>,
    pub access: Arc<Access>,
    pub predictions: Vec<Prediction>,
    pub series: Vec<SeriesReport>,
    pub anomalies: Vec<Anomaly>,
    /// Questions about predictions wait for `release`.
    pub hang: AtomicBool,
    pub release: Notify,
    pub hanging: AtomicUsize,
    /// Questions about series fail; about anomalies panic.
    pub broken: AtomicBool,
    pub runs: Mutex<Vec<RunReport>>,
    pub silences: Mutex<Silences>,
    pub reload_error: Mutex<Option<String>>,
    pub reloads_begun: AtomicUsize,
    pub reloads_ended: AtomicUsize,
}

impl View for Double {
    fn healthy(&self) -> bool {
        !self.unhealthy.load(Ordering::Relaxed)
    }

    fn access(&self) -> Arc<Access> {
        self.access.clone()
    }

    fn ready(&self) -> Readiness {
        Readiness::unless(self.reasons.lock().unwrap().clone())
    }

    fn status(&self) -> StatusReport {
        let open = self.predictions.iter().filter(|p| p.state == State::Open).count();
        StatusReport {
            version: "0.1.0".into(),
            started_at: NOW - Span::HOUR,
            now: NOW,
            uptime_s: 3600.0,
            mode: "observe".into(),
            stopped_by: None,
            readiness: self.ready(),
            sources: vec![SourceReport {
                name: "prod".into(),
                url: "http://127.0.0.1:9090".into(),
                up: true,
                last_success: Some(NOW - Span::from_secs(12)),
                last_error: None,
                lag_s: Some(12.0),
            }],
            watches: ["disk-filling", "memory"]
                .map(|name| WatchReport {
                    name: name.into(),
                    source: "prod".into(),
                    series: 250,
                    last_sample: Some(NOW - Span::MINUTE),
                    last_error: (name == "memory").then(|| "answer cut off after 3 MB".into()),
                    state: if name == "memory" { WatchState::Failing } else { WatchState::Watching },
                })
                .into(),
            counts: Counts { series: 500, predictions_open: open, anomalies_open: self.anomalies.len(), webhooks_pending: 0, ticks: 120 },
            calibration: CalibrationReport {
                likelihoods_settled: 2_000,
                said: Some(0.12),
                came_true: Some(0.11),
                brier: Some(0.06),
                ..CalibrationReport::default()
            },
            storage: StorageReport { store_bytes: Some(2 << 20), ledger_bytes: Some(40_960), last_checkpoint: Some(NOW - Span::MINUTE) },
            playbooks_refused: vec!["playbooks/faulty.yaml:4:5: a step lacks \"action\"".to_owned()],
            resident_memory_bytes: crate::metrics::process::resident_memory_bytes(),
        }
    }

    fn predictions(&self, filter: PredictionFilter) -> BoxFuture<'_, Result<Vec<PredictionReport>, ViewError>> {
        async move {
            if self.hang.load(Ordering::Relaxed) {
                let released = self.release.notified();
                self.hanging.fetch_add(1, Ordering::Relaxed);
                released.await;
            }
            let wanted = |p: &&Prediction| {
                filter.state.is_none_or(|state| p.state == state)
                    && filter.watch.as_ref().is_none_or(|watch| p.watch == *watch)
                    && filter.since.is_none_or(|since| p.updated_at >= since)
            };
            let silences = self.silences.lock().unwrap();
            let shown = |p: &Prediction| PredictionReport { prediction: p.clone(), silenced: silences.covering(p, NOW) };
            Ok(self.predictions.iter().filter(wanted).take(filter.limit).map(shown).collect())
        }
        .boxed()
    }

    fn series(&self, filter: SeriesFilter) -> BoxFuture<'_, Result<Vec<SeriesReport>, ViewError>> {
        async move {
            if self.broken.load(Ordering::Relaxed) {
                return Err(ViewError("read ledger: disk I/O error".into()));
            }
            let wanted = |s: &&SeriesReport| filter.watch.as_ref().is_none_or(|watch| s.watch == *watch);
            Ok(self.series.iter().filter(wanted).skip(filter.offset).take(filter.limit).cloned().collect())
        }
        .boxed()
    }

    fn explain(&self, filter: ExplainFilter) -> BoxFuture<'_, Result<Vec<Explanation>, ViewError>> {
        async move {
            let wanted = |s: &&SeriesReport| {
                filter.watch.as_ref().is_none_or(|watch| s.watch == *watch)
                    && filter.selector.as_ref().is_none_or(|selector| selector.matches(&s.labels))
            };
            Ok(self.series.iter().filter(wanted).take(filter.limit).enumerate().map(|(n, s)| explanation(s, n)).collect())
        }
        .boxed()
    }

    fn anomalies(&self, filter: AnomalyFilter) -> BoxFuture<'_, Result<Vec<Anomaly>, ViewError>> {
        async move {
            assert!(!self.broken.load(Ordering::Relaxed), "a panic on demand, with a secret");
            Ok(self.anomalies.iter().take(filter.limit).cloned().collect())
        }
        .boxed()
    }

    fn runs(&self, only_waiting: bool) -> BoxFuture<'_, Result<Vec<RunReport>, ViewError>> {
        let runs = self.runs.lock().unwrap().clone();
        async move { Ok(runs.into_iter().filter(|run| !only_waiting || run.token.is_some()).collect()) }.boxed()
    }

    fn decide(&self, run: RunKey, word: Word) -> BoxFuture<'_, Result<Result<RunReport, String>, ViewError>> {
        let mut runs = self.runs.lock().unwrap();
        let found = runs.iter_mut().find(|known| known.run == run.to_string() && known.token.as_deref() == Some(&word.token));
        let said = found.map(|known| {
            (known.token, known.approved_by) = (None, Some(word.by));
            known.clone()
        });
        async move { Ok(said.ok_or_else(|| "the token is not of this action".to_owned())) }.boxed()
    }

    fn run(&self, run: RunKey) -> BoxFuture<'_, Result<Option<RunDetail>, ViewError>> {
        let found = self.runs.lock().unwrap().iter().find(|known| known.run == run.to_string()).cloned();
        let prediction = self.predictions.first().cloned();
        let audit = vec![serde_json::json!({ "at": NOW, "record": "approved", "run": RUN, "by": "ann", "reason": "it is night" })];
        let dependents = vec!["api".to_owned(), "web".to_owned()];
        async move { Ok(found.map(|run| RunDetail { run, tier: Tier::High, dependents, prediction, audit })) }.boxed()
    }

    fn dry_run(&self, run: RunKey) -> BoxFuture<'_, Result<Vec<TrialReport>, String>> {
        let would = Some("would start [\"/usr/bin/systemctl\", \"restart\", \"a\"]".to_owned());
        let trial = TrialReport { name: "restart".into(), action: "command".into(), risk: Some("high".into()), would, error: None };
        let is_known = run.to_string() == RUN;
        async move { if is_known { Ok(vec![trial]) } else { Err("it is over, or was never there".to_owned()) } }.boxed()
    }

    fn playbook(&self, ask: PlaybookAsk) -> BoxFuture<'_, Result<Result<PlanReport, String>, ViewError>> {
        let report = PlanReport {
            playbook: ask.playbook.clone(),
            about: "frees space".to_owned(),
            prediction: None,
            title: None,
            labels: match ask.subject {
                Subject::Series(on) => on,
                Subject::Open(_) => Labels::default(),
            },
            service: String::new(),
            targets: Vec::new(),
            decision: Some(crate::core::gate::Decision::Deny),
            findings: Vec::new(),
            reasons: vec!["there is nothing to act on".to_owned()],
            steps: Vec::new(),
            run: None,
            note: Some(format!("asked by {}", ask.by)),
        };
        let said = if ask.is_dry { Ok(report) } else { Err("nothing is open about it".to_owned()) };
        async move { Ok(said) }.boxed()
    }

    fn silences(&self) -> Vec<SilenceReport> {
        self.silences.lock().unwrap().all().map(report).collect()
    }

    fn silence(&self, wish: Wish) -> BoxFuture<'_, Result<Result<SilenceReport, SilenceError>, ViewError>> {
        let said = add(&self.silences, wish);
        async move { Ok(said) }.boxed()
    }

    fn unsilence(&self, id: SilenceId, by: String) -> BoxFuture<'_, Result<Result<SilenceReport, SilenceError>, ViewError>> {
        let said = expire(&self.silences, id, &by);
        async move { Ok(said) }.boxed()
    }

    fn stop(&self, by: String, is_stopped: bool) -> BoxFuture<'_, Result<Option<String>, ViewError>> {
        async move { Ok(is_stopped.then_some(by)) }.boxed()
    }

    fn learned(&self) -> BoxFuture<'_, Result<Stats, ViewError>> {
        let end = |run, how| End { at: NOW, run, how, stable_after: (how == How::Worked).then_some(Span::MINUTE) };
        let mut learned = Learned::default();
        for (run, how) in [(1, How::Worked), (2, How::RolledBack)] {
            let case = Case { playbook: "restart".into(), cause: "H1".into(), service: "shop".into() };
            learned.end(case, end(run, how));
        }
        for (id, is_held_out) in [("p1", true), ("p2", false)] {
            let (id, series) = (PredictionId(id.into()), Labels::named("a").id());
            let trial = Trial { playbook: "restart".into(), watch: "memory".into(), series, is_held_out, was_drawn: true, at: NOW };
            learned.trials.put(&id, trial);
            learned.trials.settle(&id, Some(is_held_out));
        }
        learned.forgive("scale", NOW, "ann");
        async move { Ok(learned.stats(NOW, Span::DAY)) }.boxed()
    }

    fn forgive(&self, playbook: String, by: String) -> BoxFuture<'_, Result<Option<Stats>, ViewError>> {
        let mut learned = Learned::default();
        learned.forgive(&playbook, NOW, &by);
        async move { Ok((playbook != "nothing").then(|| learned.stats(NOW, Span::DAY))) }.boxed()
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        async move {
            self.reloads_begun.fetch_add(1, Ordering::SeqCst);
            if self.hang.load(Ordering::Relaxed) {
                self.release.notified().await;
            }
            self.reloads_ended.fetch_add(1, Ordering::SeqCst);
            self.reload_error.lock().unwrap().clone().map_or(Ok(()), Err)
        }
        .boxed()
    }
}

pub fn labels(n: usize) -> Labels {
    Labels::from_pairs([
        ("__name__", "node_filesystem_avail_bytes".to_owned()),
        ("instance", format!("host-{n}:9100")),
        ("mountpoint", "/var/lib/<b>\"postgres\"</b>".into()),
    ])
    .unwrap()
}

pub fn prediction(n: usize, state: State) -> Prediction {
    let minutes = |m: i64| NOW + Span::MINUTE.times(m);
    let ended = state != State::Open;
    let raised_at = minutes(-90 - i64::try_from(n).unwrap());
    let impact = [Impact::Critical, Impact::High, Impact::Medium, Impact::Low][n % 4];
    Prediction {
        id: PredictionId::new("disk-filling", labels(n).id(), Cause::Breach, raised_at),
        watch: "disk-filling".into(),
        code: "disk-filling".into(),
        title: format!("Disk of host-{n} fills up"),
        labels: labels(n),
        service: format!("host-{n}"),
        cause: Cause::Breach,
        state,
        raised_at,
        updated_at: minutes(-1),
        ended_at: ended.then(|| minutes(-5)),
        ended_because: ended.then(|| "the threshold was reached".into()),
        revision: 2,
        current_value: 0.874,
        predicted_value: Some(0.93),
        rate_of_change: 0.000_087,
        side: Side::Above,
        threshold: 0.9,
        likelihood: [0.97, 0.92, 0.88, 0.81, 0.8][n % 5],
        confidence: 0.8,
        impact,
        eta: Eta { p10: Some(minutes(240)), p50: Some(minutes(300)), p90: if n % 3 == 2 { None } else { Some(minutes(395)) } },
        predicted_threshold_time: Some(minutes(300)),
        horizon: Span::DAY,
        evidence: vec![
            Evidence { kind: "trend".into(), text: "grows by 0.52 % an hour, for 31 h without a break".into(), value: 0.0052 },
            Evidence { kind: "past_errors".into(), text: "forecasts 5 h ahead were off by 0.4 % in the median".into(), value: 0.004 },
        ],
        suggested_playbooks: vec![Suggestion {
            name: "free-space".into(),
            about: "makes room on a filling disk".into(),
            would_run: vec!["rotate logs (command)".into(), "tell the owner (notify)".into()],
        }],
        incident: None,
        chart_url: None,
        truth: match state {
            State::Open => None,
            State::Resolved => Some(Truth::CameTrue { at: minutes(-5), lead_time_s: 5_100.0 }),
            State::Expired => Some(Truth::DidNot),
        },
    }
}

pub fn series(n: usize) -> SeriesReport {
    let learning = n % 2 == 1;
    SeriesReport {
        watch: if n < 250 { "disk-filling" } else { "memory" }.into(),
        labels: labels(n),
        id: labels(n).id().to_string(),
        value: Some(0.5),
        at: Some(NOW),
        expected: if learning { finite(f64::NAN) } else { Some(0.48) },
        lower: (!learning).then_some(0.4),
        upper: (!learning).then_some(0.6),
        score: (!learning).then_some(0.3),
        sigma: Some(0.02),
        mean: Some(0.47),
        rate_of_change: Some(-0.001),
        likelihood: (!learning).then_some(0.01),
        eta: Eta::default(),
        threshold: Some(0.9),
        side: Some(Side::Above),
        history_s: 86_400.0,
        state: if learning { SeriesState::Learning } else { SeriesState::Normal },
        profile: "saturating-gauge".into(),
        inherited_from: 3 * usize::from(learning),
    }
}

pub fn anomaly() -> Anomaly {
    Anomaly {
        watch: "memory".into(),
        labels: labels(7),
        started_at: NOW - Span::MINUTE.times(12),
        ended_at: None,
        score: 1.8,
        sigmas: 3.6,
        value: 0.71,
        expected: 0.52,
        lower: 0.41,
        upper: 0.63,
        last_odd_at: NOW - Span::MINUTE.times(2),
        why: Why { view: OddView::Level, over_s: Some(300.0), hour_p: 0.001, per_week: 0.03 },
        because: "the level over 5m is unusual, +3.6 sigmas from 0.52; comes once in 33 weeks with nothing wrong".into(),
    }
}

/// Something of everything.
/// A remedy that waits for a person's word.
pub const RUN: &str = "r0123456789abcdef";

fn waiting_run() -> RunReport {
    let value = serde_json::json!({
        "run": RUN, "playbook": "restart-leaky-process", "about": "restarts it", "targets": ["shop/a"], "service": "shop",
        "prediction": "p0123456789abcdef", "watch": "memory", "code": "H2", "labels": { "pod": "a" },
        "value": 0.81, "threshold": 0.95, "likelihood": 0.86, "proposed_at": NOW, "phase": "waiting", "expires_at": NOW + Span::HOUR,
        "outcome": null, "why": null, "decision": "ask",
        "findings": [
            { "admits": "ask", "check": "blast_radius", "dependents": 3, "most": 2 },
            { "admits": "allow", "check": "likelihood", "value": 0.86, "least": 0.7, "least_proactive": 0.8 }
        ],
        "reasons": ["3 services depend on it, 2 at most without a person", "likelihood is 0.86: below 0.7 nothing, from 0.8 without a person"],
        "proposed_by": null, "is_high_risk": true, "approved_by": null,
        "steps": [{ "name": "restart", "action": "command", "with": { "run": ["systemctl", "restart", "a"] }, "undo": null, "end": null, "undone": null }],
        "token": "t0"
    });
    serde_json::from_value(value).unwrap()
}

pub fn busy() -> Double {
    let states = [State::Open, State::Open, State::Open, State::Open, State::Resolved, State::Expired];
    Double {
        predictions: states.into_iter().enumerate().map(|(n, state)| prediction(n, state)).collect(),
        series: (0..500).map(series).collect(),
        anomalies: vec![anomaly()],
        runs: Mutex::new(vec![waiting_run()]),
        silences: Mutex::new(silences()),
        ..Double::default()
    }
}
