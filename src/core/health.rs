//! Health checks: what is asked, and when so many failures in a row are an episode.
//!
//! An episode begins at the first failure of the row and is over after so many good answers in a row. A question that nobody answered (the
//! source that was to be asked is down) is no failure and no good answer: what is not known changes nothing.

use std::collections::BTreeMap;

use super::gate::Around;
use super::labels::{Labels, SeriesId};
use super::playbook::Compare;
use super::prediction::{Cause, Eta, Evidence, Prediction, PredictionId, State};
use super::template::Template;
use super::time::{Span, Timestamp};
use super::watch::{Impact, Side};

/// Series that one check may bring: each is a target of its own, and a query that finds more was not meant as a health check.
pub const MAX_SERIES: usize = 1_000;
/// What has not been seen for so long is forgotten, if it was well: a pod that is gone is no longer sick either.
const FORGET_AFTER: Span = Span::HOUR;

/// One thing to ask.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// Unique among watches and checks: playbooks name it as they name watches.
    pub name: String,
    pub probe: Probe,
    /// Of one asking.
    pub timeout: Span,
    /// So many failures in a row begin an episode.
    pub failures: u32,
    /// So many good answers in a row end it.
    pub recovers: u32,
    /// Of an HTTP check's only series; a query's series have their own, too.
    pub labels: Labels,
    pub service: Template,
    pub code: String,
    pub impact: Impact,
    pub playbooks: Vec<String>,
}

/// How it is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// A GET; any 2xx is healthy.
    Http { url: String },
    /// Each series of the answer is healthy where its value is so.
    Query { source: String, query: String, healthy: Compare },
}

impl HealthCheck {
    /// The source that its playbooks' queries go to, if it names one.
    pub fn source(&self) -> Option<&str> {
        if let Probe::Query { source, .. } = &self.probe { Some(source) } else { None }
    }
}

/// What one series of one check has answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub labels: Labels,
    pub last_at: Timestamp,
    /// In a row.
    pub failures: u32,
    good: u32,
    first_failed_at: Timestamp,
    pub why: String,
    /// The episode under way, and since when.
    pub episode: Option<(PredictionId, Timestamp)>,
    /// It has been well since this process was started.
    was_well: bool,
}

/// What a new answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    Began,
    Ended,
}

/// Every series of every check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standings(BTreeMap<(String, SeriesId), Standing>);

impl Standings {
    /// Takes in an answer: well, or why not. `earlier` is the episode that a run of before this process was about: what has not been well in
    /// between is the same one, so that nothing is done about it twice.
    pub fn hear(
        &mut self,
        check: &HealthCheck,
        labels: &Labels,
        now: Timestamp,
        answer: Result<(), String>,
        earlier: impl FnOnce() -> Option<PredictionId>,
    ) -> Change {
        let key = (check.name.clone(), labels.id());
        let standing = self.0.entry(key).or_insert_with(|| Standing {
            labels: labels.clone(),
            last_at: now,
            failures: 0,
            good: 0,
            first_failed_at: now,
            why: String::new(),
            episode: None,
            was_well: false,
        });
        standing.last_at = now;
        match answer {
            Ok(()) => {
                (standing.failures, standing.good) = (0, standing.good.saturating_add(1));
                if standing.good < check.recovers {
                    return Change::Nothing;
                }
                standing.was_well = true;
                if standing.episode.take().is_some() { Change::Ended } else { Change::Nothing }
            }
            Err(why) => {
                if standing.failures == 0 && standing.episode.is_none() {
                    standing.first_failed_at = now;
                }
                (standing.failures, standing.good, standing.why) = (standing.failures.saturating_add(1), 0, why);
                if standing.episode.is_some() || standing.failures < check.failures {
                    return Change::Nothing;
                }
                let since = standing.first_failed_at;
                let own = || PredictionId::new(&check.name, labels.id(), Cause::Check, since);
                let id = Some(()).filter(|()| !standing.was_well).and_then(|()| earlier()).unwrap_or_else(own);
                standing.episode = Some((id, since));
                Change::Began
            }
        }
    }

    /// Leaves only what belongs to these checks and has been heard of.
    pub fn forget(&mut self, checks: &[HealthCheck], now: Timestamp) {
        self.0.retain(|(name, _), standing| {
            checks.iter().any(|check| check.name == *name) && (standing.episode.is_some() || now - standing.last_at < FORGET_AFTER)
        });
    }

    pub fn get(&self, check: &str, series: SeriesId) -> Option<&Standing> {
        self.0.get(&(check.to_owned(), series))
    }

    /// Every series that is in an episode, as what playbooks are run about.
    pub fn failing<'a>(&'a self, checks: &'a [HealthCheck]) -> impl Iterator<Item = Prediction> + 'a {
        checks.iter().flat_map(|check| {
            let own = self.0.iter().filter(|((name, _), _)| *name == check.name);
            own.filter_map(|(_, standing)| standing.prediction(check))
        })
    }
}

impl Standing {
    /// What the gate and runs know of it. It is observed and not predicted: its likelihood is 1, and it has no time to come.
    pub fn prediction(&self, check: &HealthCheck) -> Option<Prediction> {
        let (id, since) = self.episode.clone()?;
        let text = format!("failed {} times in a row: {}", self.failures, self.why);
        Some(Prediction {
            id,
            watch: check.name.clone(),
            code: check.code.clone(),
            title: format!("health check {} fails", check.name),
            labels: self.labels.clone(),
            service: check.service.fill(&self.labels),
            cause: Cause::Check,
            state: State::Open,
            raised_at: since,
            updated_at: self.last_at,
            ended_at: None,
            ended_because: None,
            revision: 0,
            current_value: 1.0,
            predicted_value: None,
            rate_of_change: 0.0,
            side: Side::Above,
            threshold: 1.0,
            likelihood: 1.0,
            confidence: 1.0,
            impact: check.impact,
            eta: Eta::default(),
            predicted_threshold_time: None,
            horizon: Span::ZERO,
            evidence: vec![Evidence { kind: Evidence::CHECK.into(), text, value: f64::from(self.failures) }],
            suggested_playbooks: Vec::new(),
            incident: None,
            chart_url: None,
            truth: None,
        })
    }

    /// What the gate is told of it.
    pub fn around(&self, now: Timestamp) -> Around {
        Around { data_age: Some(now - self.last_at), failures: Some(self.failures), ..Around::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> HealthCheck {
        HealthCheck {
            name: "shop-health".into(),
            probe: Probe::Http { url: "http://shop/".into() },
            timeout: Span::SECOND,
            failures: 3,
            recovers: 2,
            labels: Labels::from_pairs([("service", "shop")]).unwrap(),
            service: "{{service}}".parse().unwrap(),
            code: "shop-health".into(),
            impact: Impact::High,
            playbooks: vec![],
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(1_793_577_600_000) + Span::MINUTE.times(minutes)
    }

    /// What each answer changed: `x` fails, `.` is well.
    fn told(standings: &mut Standings, from: i64, answers: &str, earlier: Option<&PredictionId>) -> Vec<Change> {
        let check = check();
        let hear = |(i, c): (usize, char)| {
            let answer = if c == 'x' { Err("refused".to_owned()) } else { Ok(()) };
            standings.hear(&check, &check.labels, at(from + i as i64), answer, || earlier.cloned())
        };
        answers.chars().enumerate().map(hear).collect()
    }

    #[test]
    fn so_many_in_a_row_begin_and_end_it_and_each_episode_has_its_own_name() {
        use Change::{Began, Ended, Nothing};
        let (mut standings, checks) = (Standings::default(), [check()]);
        assert_eq!(told(&mut standings, 0, "xx.xx.xxx", None)[6..], [Nothing, Nothing, Began]);
        let first = standings.failing(&checks).next().unwrap();
        assert_eq!((first.raised_at, first.service.as_str(), first.evidence_of(Evidence::CHECK)), (at(6), "shop", Some(3.0)));
        assert_eq!(told(&mut standings, 9, "x.x.x", None), [Nothing; 5], "one good answer ends nothing");
        let same = standings.failing(&checks).next().unwrap();
        assert_eq!((&same.id, same.raised_at), (&first.id, first.raised_at));
        let standing = standings.get("shop-health", check().labels.id()).unwrap();
        assert_eq!(standing.around(at(14)).failures, Some(1), "in a row");
        assert_eq!(told(&mut standings, 14, "..xxx", None), [Nothing, Ended, Nothing, Nothing, Began]);
        let second = standings.failing(&checks).next().unwrap();
        assert_ne!(second.id, first.id);
    }

    #[test]
    fn what_has_not_been_well_since_the_start_is_what_a_run_was_about_before() {
        let before = PredictionId("p0".into());
        let mut standings = Standings::default();
        told(&mut standings, 0, "xxx", Some(&before));
        assert_eq!(standings.failing(&[check()]).next().unwrap().id, before, "the process was restarted in the middle of it");
        told(&mut standings, 3, "..xxx", Some(&before));
        assert_ne!(standings.failing(&[check()]).next().unwrap().id, before, "it was well in between");
    }

    #[test]
    fn what_is_gone_is_forgotten_unless_it_is_sick() {
        let (mut standings, checks) = (Standings::default(), [check()]);
        told(&mut standings, 0, ".", None);
        standings.forget(&checks, at(59));
        assert_eq!(standings.0.len(), 1);
        standings.forget(&checks, at(60));
        assert_eq!(standings.0.len(), 0);
        told(&mut standings, 0, "xxx", None);
        standings.forget(&checks, at(600));
        assert_eq!(standings.0.len(), 1);
        standings.forget(&[], at(0));
        assert_eq!(standings.0.len(), 0, "its check was taken out of the configuration");
    }
}
