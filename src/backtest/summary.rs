//! Counts by watch and by service: how much was told, how early, and how often in vain.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray};
use polars::error::PolarsError;
use polars::prelude::{DataFrame, GroupBy};
use serde::Serialize;

use crate::export::polars_bridge::{BridgeError, to_polars};

/// One thing that counts: a series that was looked at, something told, or something that happened. Zero where it is none of that kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fact {
    pub watch: String,
    pub service: String,
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
    pub unknown: f64,
    pub pending: f64,
    /// Anomalies called.
    pub anomalies: f64,
}

/// What it comes to for one watch, one service, or all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    pub name: String,
    pub series: u64,
    /// Weeks of samples at which something could have been told, added up over the series.
    pub series_weeks: f64,
    /// Breaches that really happened.
    pub events: u64,
    /// Those that a standing prediction told before they began.
    pub told: u64,
    pub missed: u64,
    pub median_lead_time_s: Option<f64>,
    /// Predictions raised, and what became of them.
    pub raised: u64,
    pub came_true: u64,
    pub false_alarms: u64,
    pub unknown: u64,
    pub pending: u64,
    /// `None` where nothing was judged.
    pub false_alarms_per_series_week: Option<f64>,
    /// Anomalies called, of those that are listed.
    pub anomalies: u64,
    pub anomalies_per_series_week: Option<f64>,
}

/// Why facts cannot be added up.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    #[error("cannot add up results by {by}: {source}")]
    Polars { by: &'static str, source: PolarsError },
}

/// Columns that are added up.
const SUMMED: [&str; 10] = ["series", "weeks", "events", "told", "raised", "came_true", "false_alarms", "unknown", "pending", "anomalies"];
const WATCH: &str = "watch";
const SERVICE: &str = "service";
/// The same for every fact: all of them are one group.
const ALL: &str = "all";
const LEAD: &str = "lead_time_s";

/// Facts as columns, ready to be grouped.
#[derive(Debug)]
pub(super) struct Facts(DataFrame);

impl Facts {
    pub fn new(facts: &[Fact]) -> Result<Self, SummaryError> {
        let text = |pick: &dyn Fn(&Fact) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(facts.iter().map(pick))) };
        let number = |pick: &dyn Fn(&Fact) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values(facts.iter().map(pick))) };
        let lead: ArrayRef = Arc::new(facts.iter().map(|f| f.lead_time_s).collect::<Float64Array>());
        let columns = [
            (WATCH, text(&|f| f.watch.clone())),
            (SERVICE, text(&|f| f.service.clone())),
            (ALL, text(&|_| ALL.to_owned())),
            (SUMMED[0], number(&|f| f.series)),
            (SUMMED[1], number(&|f| f.weeks)),
            (SUMMED[2], number(&|f| f.events)),
            (SUMMED[3], number(&|f| f.told)),
            (SUMMED[4], number(&|f| f.raised)),
            (SUMMED[5], number(&|f| f.came_true)),
            (SUMMED[6], number(&|f| f.false_alarms)),
            (SUMMED[7], number(&|f| f.unknown)),
            (SUMMED[8], number(&|f| f.pending)),
            (SUMMED[9], number(&|f| f.anomalies)),
            (LEAD, lead),
        ];
        Ok(Self(to_polars(columns)?))
    }

    pub fn by_watch(&self) -> Result<Vec<Group>, SummaryError> {
        self.by(WATCH)
    }

    /// By name: a server and a file bring the same series in different orders.
    pub fn by_service(&self) -> Result<Vec<Group>, SummaryError> {
        let mut groups = self.by(SERVICE)?;
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    pub fn all(&self) -> Result<Group, SummaryError> {
        Ok(self.by(ALL)?.into_iter().next().unwrap_or_else(|| Group { name: ALL.to_owned(), ..Group::default() }))
    }

    /// Groups in the order in which they first appear.
    fn by(&self, by: &'static str) -> Result<Vec<Group>, SummaryError> {
        self.groups(by).map_err(|source| SummaryError::Polars { by, source })
    }

    fn groups(&self, by: &str) -> Result<Vec<Group>, PolarsError> {
        if self.0.height() == 0 {
            return Ok(Vec::new());
        }
        let grouped = || -> Result<GroupBy<'_>, PolarsError> { self.0.group_by_stable([by]) };
        #[allow(deprecated, reason = "what stands in its place is the lazy engine, which is not compiled in")]
        let (sums, medians) = (grouped()?.select(SUMMED).sum()?, grouped()?.select([LEAD]).median()?);
        let names = sums.column(by)?.str()?;
        let leads = medians.column(&format!("{LEAD}_median"))?.f64()?;
        let sum =
            |name: &str, i: usize| -> Result<f64, PolarsError> { Ok(sums.column(&format!("{name}_sum"))?.f64()?.get(i).unwrap_or(0.0)) };
        // Whole numbers far below 2^53, added up as floats.
        let count = |name: &str, i: usize| -> Result<u64, PolarsError> { Ok(sum(name, i)? as u64) };
        (0..sums.height())
            .map(|i| {
                let (events, told, weeks) = (count("events", i)?, count("told", i)?, sum("weeks", i)?);
                let (false_alarms, anomalies) = (count("false_alarms", i)?, count("anomalies", i)?);
                let a_week = |count: u64| (weeks > 0.0).then(|| count as f64 / weeks);
                Ok(Group {
                    name: names.get(i).unwrap_or_default().to_owned(),
                    series: count("series", i)?,
                    series_weeks: weeks,
                    events,
                    told,
                    missed: events - told,
                    median_lead_time_s: leads.get(i),
                    raised: count("raised", i)?,
                    came_true: count("came_true", i)?,
                    false_alarms,
                    unknown: count("unknown", i)?,
                    pending: count("pending", i)?,
                    false_alarms_per_series_week: a_week(false_alarms),
                    anomalies,
                    anomalies_per_series_week: a_week(anomalies),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_one_counts_by_hand() {
        let fact = |watch: &str, service: &str| Fact { watch: watch.into(), service: service.into(), ..Fact::default() };
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
            Fact { anomalies: 5.0, ..fact("memory", "a") },
        ];
        let facts = Facts::new(&facts).unwrap();
        let [disk, memory] = &facts.by_watch().unwrap()[..] else { panic!("two watches") };
        assert_eq!((disk.name.as_str(), disk.series, disk.series_weeks), ("disk", 2, 1.5));
        assert_eq!((disk.events, disk.told, disk.missed, disk.median_lead_time_s), (3, 2, 1, Some(250.0)));
        assert_eq!((disk.raised, disk.came_true, disk.false_alarms, disk.false_alarms_per_series_week), (4, 1, 3, Some(2.0)));
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
        let all = Facts::new(&[]).unwrap().all().unwrap();
        assert_eq!((all.events, all.raised, all.median_lead_time_s, all.false_alarms_per_series_week), (0, 0, None, None));
    }
}
