//! The headline figures of a group, each with its count and interval, in the order in which they are shown: one list for CSV, for the comparison
//! of two configurations, and for whoever else wants them by name.

use serde::Serialize;

use super::bootstrap::Interval;
use super::summary::Group;

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Stable, the key of the group where it has one; units last.
    pub name: &'static str,
    /// `None` where there is nothing to go by.
    pub value: Option<f64>,
    pub interval: Option<Interval>,
    /// Of how many things it is.
    pub count: u64,
}

/// Of one group.
pub fn figures(group: &Group) -> Vec<Figure> {
    let figure = |name, value, interval, count| Figure { name, value, interval, count };
    let plain = |name, count: u64| figure(name, Some(count as f64), None, count);
    let settled = group.came_true + group.false_alarms;
    let mut figures = vec![
        plain("events", group.events),
        plain("told", group.told),
        figure("told_share", group.told_share, group.told_interval, group.events),
        figure("median_lead_time_s", group.median_lead_time_s, group.median_lead_time_interval_s, group.told),
        plain("raised", group.raised),
        plain("came_true", group.came_true),
        plain("false_alarms", group.false_alarms),
        figure(
            "false_alarms_per_series_week",
            group.false_alarms_per_series_week,
            group.false_alarms_per_series_week_interval,
            group.false_alarms,
        ),
        figure("precision", group.precision, group.precision_interval, settled),
        plain("anomalies", group.anomalies),
        figure("anomalies_per_series_week", group.anomalies_per_series_week, None, group.anomalies),
    ];
    if let Some(incidents) = group.incidents {
        figures.push(plain("incidents", incidents));
        figures.push(figure("noticed_share", group.noticed_share, group.noticed_interval, incidents));
        let delay = figure("median_notice_delay_s", group.median_notice_delay_s, None, group.noticed.unwrap_or_default());
        figures.push(delay);
        figures.push(figure("anomaly_precision", group.anomaly_precision, group.anomaly_precision_interval, group.anomalies));
    }
    figures
}
