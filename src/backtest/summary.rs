//! Counts by watch and by service: how much was told, how early, and how often in vain, each with how far it can be believed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray};
use polars::error::PolarsError;
use polars::prelude::{DataFrame, GroupBy};
use serde::Serialize;

use super::bootstrap::{self, Interval};
use crate::export::polars_bridge::{BridgeError, to_polars};

/// One thing that counts: a series that was looked at, something told, or something that happened. Zero where it is none of that kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fact {
    pub watch: String,
    pub service: String,
    /// Number of the series it is about.
    pub of: usize,
    pub series: f64,
    /// For how long the series was judged, in weeks.
    pub weeks: f64,
    pub events: f64,
    pub told: f64,
    /// Of a told event.
    pub lead_time_s: Option<f64>,
    pub raised: f64,
    pub came_true: f64,
    pub false_alarms: f64,
    pub late: f64,
    pub averted: f64,
    pub unknown: f64,
    pub pending: f64,
    /// Anomalies called.
    pub anomalies: f64,
    /// Those of them that can be judged, and those that stood during an event.
    pub anomalies_judged: f64,
    pub anomalies_true: f64,
    /// Events that an anomaly can be held against.
    pub incidents: f64,
    pub noticed: f64,
    /// Of a noticed event.
    pub delay_s: Option<f64>,
}

impl Fact {
    /// Another one about the same series.
    pub fn like(&self) -> Self {
        Self { watch: self.watch.clone(), service: self.service.clone(), of: self.of, ..Self::default() }
    }
}

/// What it comes to for one watch, one service, or all. Intervals hold the true value nine times in ten, and are `None` where there are too
/// few to say (see [`bootstrap::FEW`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    pub name: String,
    pub series: u64,
    /// Weeks of samples at which something could have been told, added up over the series.
    pub series_weeks: f64,
    /// What really happened and could have been told: breaches, or labelled events of watches with a threshold.
    pub events: u64,
    /// Those that a standing prediction told before they began.
    pub told: u64,
    pub missed: u64,
    /// Fewer events than an interval needs: what is said about them is an anecdote.
    pub few_events: bool,
    pub told_share: Option<f64>,
    pub told_interval: Option<Interval>,
    pub median_lead_time_s: Option<f64>,
    pub median_lead_time_interval_s: Option<Interval>,
    /// Predictions raised, and what became of them.
    pub raised: u64,
    pub came_true: u64,
    pub false_alarms: u64,
    /// Raised while the event was under way.
    pub late: u64,
    /// Acted upon: neither right nor wrong.
    pub averted: u64,
    pub unknown: u64,
    pub pending: u64,
    /// Share of those that came true among those that came true or did not.
    pub precision: Option<f64>,
    pub precision_interval: Option<Interval>,
    /// `None` where nothing was judged.
    pub false_alarms_per_series_week: Option<f64>,
    pub false_alarms_per_series_week_interval: Option<Interval>,
    /// Anomalies called, of those that are listed.
    pub anomalies: u64,
    pub anomalies_per_series_week: Option<f64>,
    /// What follows is `None` where thresholds are the truth: they are no measure of what is unusual. Events of all watches, with a threshold or
    /// without, and those of them during which an anomaly stood.
    pub incidents: Option<u64>,
    pub noticed: Option<u64>,
    pub noticed_share: Option<f64>,
    pub noticed_interval: Option<Interval>,
    /// From an event's beginning to the anomaly; 0 where it stood already.
    pub median_notice_delay_s: Option<f64>,
    /// Anomalies that stood during an event, and their share of those that can be judged.
    pub anomalies_true: Option<u64>,
    pub anomaly_precision: Option<f64>,
    pub anomaly_precision_interval: Option<Interval>,
}

/// Why facts cannot be added up.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    #[error("cannot add up results by {by}: {source}")]
    Polars { by: &'static str, source: PolarsError },
}

/// A column that is added up.
type Column = (&'static str, fn(&Fact) -> f64);

const SUMMED: [Column; 16] = [
    ("series", |f| f.series),
    ("weeks", |f| f.weeks),
    ("events", |f| f.events),
    ("told", |f| f.told),
    ("raised", |f| f.raised),
    ("came_true", |f| f.came_true),
    ("false_alarms", |f| f.false_alarms),
    ("late", |f| f.late),
    ("averted", |f| f.averted),
    ("unknown", |f| f.unknown),
    ("pending", |f| f.pending),
    ("anomalies", |f| f.anomalies),
    ("anomalies_judged", |f| f.anomalies_judged),
    ("anomalies_true", |f| f.anomalies_true),
    ("incidents", |f| f.incidents),
    ("noticed", |f| f.noticed),
];
const WATCH: &str = "watch";
const SERVICE: &str = "service";
/// The same for every fact: all of them are one group.
const ALL: &str = "all";
const LEAD: &str = "lead_time_s";
const DELAY: &str = "delay_s";

/// What is drawn when intervals are made: one series with all that counts in it.
#[derive(Clone, Debug, Default)]
struct Unit {
    weeks: f64,
    events: u64,
    told: u64,
    leads: Vec<f64>,
    came_true: u64,
    false_alarms: u64,
    anomalies_judged: u64,
    anomalies_true: u64,
    incidents: u64,
    noticed: u64,
}

/// Facts as columns, ready to be grouped.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    columns: DataFrame,
    facts: &'a [Fact],
    /// Whether anomalies are judged.
    incidents: bool,
}

impl<'a> Facts<'a> {
    /// `incidents`: they say what an anomaly should have noticed.
    pub fn new(facts: &'a [Fact], incidents: bool) -> Result<Self, SummaryError> {
        let text = |pick: &dyn Fn(&Fact) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(facts.iter().map(pick))) };
        let number = |pick: fn(&Fact) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values(facts.iter().map(pick))) };
        let lead: ArrayRef = Arc::new(facts.iter().map(|f| f.lead_time_s).collect::<Float64Array>());
        let delay: ArrayRef = Arc::new(facts.iter().map(|f| f.delay_s).collect::<Float64Array>());
        let named = [
            (WATCH, text(&|f| f.watch.clone())),
            (SERVICE, text(&|f| f.service.clone())),
            (ALL, text(&|_| ALL.to_owned())),
            (LEAD, lead),
            (DELAY, delay),
        ];
        let columns = to_polars(named.into_iter().chain(SUMMED.map(|(name, pick)| (name, number(pick)))))?;
        Ok(Self { columns, facts, incidents })
    }

    pub fn by_watch(&self) -> Result<Vec<Group>, SummaryError> {
        self.by(WATCH, |fact| &fact.watch)
    }

    /// By name: a server and a file bring the same series in different orders.
    pub fn by_service(&self) -> Result<Vec<Group>, SummaryError> {
        let mut groups = self.by(SERVICE, |fact| &fact.service)?;
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    pub fn all(&self) -> Result<Group, SummaryError> {
        Ok(self.by(ALL, |_| ALL)?.into_iter().next().unwrap_or_else(|| Group {
            name: ALL.to_owned(),
            few_events: true,
            ..Group::default()
        }))
    }

    /// Groups in the order in which they first appear.
    fn by(&self, by: &'static str, name: fn(&Fact) -> &str) -> Result<Vec<Group>, SummaryError> {
        let mut groups = self.groups(by).map_err(|source| SummaryError::Polars { by, source })?;
        let draws = bootstrap::draws(self.facts.len());
        let mut units = self.units(name);
        for group in &mut groups {
            group.set_intervals(&units.remove(group.name.as_str()).unwrap_or_default(), draws);
        }
        Ok(groups)
    }

    /// The series of each group, in the order of the facts.
    fn units(&self, name: fn(&Fact) -> &str) -> HashMap<&'a str, Vec<Unit>> {
        let mut units: HashMap<&str, Vec<Unit>> = HashMap::new();
        let mut places: HashMap<(&str, usize), usize> = HashMap::new();
        for fact in self.facts {
            let of_group = units.entry(name(fact)).or_default();
            let place = *places.entry((name(fact), fact.of)).or_insert_with(|| {
                of_group.push(Unit::default());
                of_group.len() - 1
            });
            of_group[place].add(fact);
        }
        units
    }

    fn groups(&self, by: &str) -> Result<Vec<Group>, PolarsError> {
        if self.columns.height() == 0 {
            return Ok(Vec::new());
        }
        let grouped = || -> Result<GroupBy<'_>, PolarsError> { self.columns.group_by_stable([by]) };
        #[allow(deprecated, reason = "what stands in its place is the lazy engine, which is not compiled in")]
        let (sums, medians) = (grouped()?.select(SUMMED.map(|(name, _)| name)).sum()?, grouped()?.select([LEAD, DELAY]).median()?);
        let names = sums.column(by)?.str()?;
        let (leads, delays) = (medians.column(&format!("{LEAD}_median"))?.f64()?, medians.column(&format!("{DELAY}_median"))?.f64()?);
        let sum =
            |name: &str, i: usize| -> Result<f64, PolarsError> { Ok(sums.column(&format!("{name}_sum"))?.f64()?.get(i).unwrap_or(0.0)) };
        // Whole numbers far below 2^53, added up as floats.
        let count = |name: &str, i: usize| -> Result<u64, PolarsError> { Ok(sum(name, i)? as u64) };
        (0..sums.height())
            .map(|i| {
                let (events, told, weeks) = (count("events", i)?, count("told", i)?, sum("weeks", i)?);
                let (came_true, false_alarms, anomalies) = (count("came_true", i)?, count("false_alarms", i)?, count("anomalies", i)?);
                let (incidents, noticed) = (count("incidents", i)?, count("noticed", i)?);
                let (judged, right) = (count("anomalies_judged", i)?, count("anomalies_true", i)?);
                let a_week = |count: u64| (weeks > 0.0).then(|| count as f64 / weeks);
                let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
                Ok(Group {
                    name: names.get(i).unwrap_or_default().to_owned(),
                    series: count("series", i)?,
                    series_weeks: weeks,
                    events,
                    told,
                    missed: events - told,
                    few_events: events < bootstrap::FEW as u64,
                    told_share: share(told, events),
                    median_lead_time_s: leads.get(i),
                    raised: count("raised", i)?,
                    came_true,
                    false_alarms,
                    late: count("late", i)?,
                    averted: count("averted", i)?,
                    unknown: count("unknown", i)?,
                    pending: count("pending", i)?,
                    precision: share(came_true, came_true + false_alarms),
                    false_alarms_per_series_week: a_week(false_alarms),
                    anomalies,
                    anomalies_per_series_week: a_week(anomalies),
                    incidents: self.incidents.then_some(incidents),
                    noticed: self.incidents.then_some(noticed),
                    noticed_share: share(noticed, incidents).filter(|_| self.incidents),
                    median_notice_delay_s: delays.get(i),
                    anomalies_true: self.incidents.then_some(right),
                    anomaly_precision: share(right, judged).filter(|_| self.incidents),
                    ..Group::default()
                })
            })
            .collect()
    }
}

impl Unit {
    fn add(&mut self, fact: &Fact) {
        // Each fact counts one thing or none.
        let plus = |to: &mut u64, more: f64| *to += more as u64;
        self.weeks += fact.weeks;
        self.leads.extend(fact.lead_time_s);
        plus(&mut self.events, fact.events);
        plus(&mut self.told, fact.told);
        plus(&mut self.came_true, fact.came_true);
        plus(&mut self.false_alarms, fact.false_alarms);
        plus(&mut self.anomalies_judged, fact.anomalies_judged);
        plus(&mut self.anomalies_true, fact.anomalies_true);
        plus(&mut self.incidents, fact.incidents);
        plus(&mut self.noticed, fact.noticed);
    }
}

impl Group {
    fn set_intervals(&mut self, units: &[Unit], draws: usize) {
        self.told_interval = bootstrap::share(units.iter().map(|u| (u.told, u.events)), draws);
        self.median_lead_time_interval_s = bootstrap::median(units.iter().map(|u| u.leads.as_slice()), draws);
        self.precision_interval = bootstrap::share(units.iter().map(|u| (u.came_true, u.came_true + u.false_alarms)), draws);
        self.false_alarms_per_series_week_interval = bootstrap::rate(units.iter().map(|u| (u.false_alarms, u.weeks)), draws);
        self.noticed_interval = bootstrap::share(units.iter().map(|u| (u.noticed, u.incidents)), draws);
        self.anomaly_precision_interval = bootstrap::share(units.iter().map(|u| (u.anomalies_true, u.anomalies_judged)), draws);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_one_counts_by_hand() {
        let fact = |watch: &str, service: &str| Fact {
            watch: watch.into(),
            service: service.into(),
            of: usize::from(service == "b") + 2 * usize::from(watch == "memory"),
            ..Fact::default()
        };
        let event = |watch: &str, service: &str, lead: Option<f64>| Fact {
            events: 1.0,
            told: f64::from(u8::from(lead.is_some())),
            lead_time_s: lead,
            ..fact(watch, service)
        };
        let facts = [
            Fact { series: 1.0, weeks: 1.0, ..fact("disk", "a") },
            Fact { series: 1.0, weeks: 0.5, ..fact("disk", "b") },
            Fact { series: 1.0, weeks: 2.0, ..fact("memory", "a") },
            event("disk", "a", Some(100.0)),
            event("disk", "a", Some(400.0)),
            event("disk", "b", None),
            event("memory", "a", Some(900.0)),
            Fact { raised: 1.0, came_true: 1.0, ..fact("disk", "a") },
            Fact { raised: 1.0, false_alarms: 1.0, ..fact("disk", "b") },
            Fact { raised: 1.0, false_alarms: 1.0, ..fact("disk", "b") },
            Fact { raised: 1.0, false_alarms: 1.0, ..fact("disk", "b") },
            Fact { raised: 1.0, unknown: 1.0, ..fact("memory", "a") },
            Fact { raised: 1.0, pending: 1.0, ..fact("memory", "a") },
            Fact { anomalies: 5.0, anomalies_judged: 4.0, anomalies_true: 1.0, ..fact("memory", "a") },
            Fact { incidents: 1.0, noticed: 1.0, delay_s: Some(60.0), ..fact("memory", "a") },
            Fact { incidents: 1.0, ..fact("memory", "a") },
        ];
        let facts = Facts::new(&facts, true).unwrap();
        let [disk, memory] = &facts.by_watch().unwrap()[..] else { panic!("two watches") };
        assert_eq!((disk.name.as_str(), disk.series, disk.series_weeks), ("disk", 2, 1.5));
        assert_eq!((disk.events, disk.told, disk.missed, disk.median_lead_time_s), (3, 2, 1, Some(250.0)));
        assert_eq!((disk.raised, disk.came_true, disk.false_alarms, disk.false_alarms_per_series_week), (4, 1, 3, Some(2.0)));
        assert_eq!((disk.told_share, disk.precision, disk.few_events, disk.told_interval), (Some(2.0 / 3.0), Some(0.25), true, None));
        assert_eq!(disk.false_alarms_per_series_week_interval, Some([0.818 / 1.5, 7.754 / 1.5]), "of three in one and a half weeks");
        assert_eq!((memory.incidents, memory.noticed_share, memory.median_notice_delay_s), (Some(2), Some(0.5), Some(60.0)));
        assert_eq!((memory.anomalies_true, memory.anomaly_precision), (Some(1), Some(0.25)));
        assert_eq!((memory.raised, memory.unknown, memory.pending, memory.false_alarms_per_series_week), (2, 1, 1, Some(0.0)));
        assert_eq!((memory.anomalies, memory.anomalies_per_series_week, disk.anomalies_per_series_week), (5, Some(2.5), Some(0.0)));
        let services = facts.by_service().unwrap();
        assert_eq!(services.iter().map(|g| (g.name.as_str(), g.events, g.told)).collect::<Vec<_>>(), [("a", 3, 3), ("b", 1, 0)]);
        let all = facts.all().unwrap();
        assert_eq!((all.series, all.events, all.told, all.median_lead_time_s), (3, 4, 3, Some(400.0)));
        assert_eq!(all.false_alarms_per_series_week, Some(3.0 / 3.5));
    }

    #[test]
    fn nothing_adds_up_to_nothing() {
        let all = Facts::new(&[], false).unwrap().all().unwrap();
        assert_eq!((all.events, all.raised, all.median_lead_time_s, all.false_alarms_per_series_week), (0, 0, None, None));
    }

    #[test]
    fn intervals_go_by_series_and_do_not_depend_on_who_comes_first() {
        let mut facts = Vec::new();
        for of in 0..12_usize {
            let one = |f: Fact| Fact { watch: "w".into(), service: format!("s{}", of % 2), of, ..f };
            facts.push(one(Fact { series: 1.0, weeks: 2.0, ..Fact::default() }));
            for event in 0..of % 4 {
                let lead = (of % 3 > 0).then_some(100.0 * (of + event) as f64);
                facts.push(one(Fact { events: 1.0, told: f64::from(u8::from(lead.is_some())), lead_time_s: lead, ..Fact::default() }));
                facts.push(one(Fact { raised: 1.0, false_alarms: 1.0, ..Fact::default() }));
                facts.push(one(Fact { raised: 1.0, came_true: 1.0, ..Fact::default() }));
            }
        }
        let all = Facts::new(&facts, false).unwrap().all().unwrap();
        let within = |value: Option<f64>, interval: Option<Interval>| {
            let (value, [low, high]) = (value.unwrap(), interval.unwrap());
            low < value && value < high
        };
        assert!(within(all.told_share, all.told_interval), "{all:?}");
        assert!(within(all.median_lead_time_s, all.median_lead_time_interval_s), "{all:?}");
        assert!(within(all.false_alarms_per_series_week, all.false_alarms_per_series_week_interval), "{all:?}");
        assert_eq!((all.precision, all.few_events, all.incidents, all.noticed_interval), (Some(0.5), false, None, None));
        assert_eq!(Facts::new(&facts, false).unwrap().all().unwrap(), all);
        let services = Facts::new(&facts, false).unwrap().by_service().unwrap();
        assert_eq!(services.iter().map(|g| (g.events, g.told_interval.is_some())).collect::<Vec<_>>(), [(6, true), (12, true)]);
    }
}
