//! An explanation with something in every place.

use super::double::NOW;
use crate::core::explain::{
    AheadSaid, BandSaid, BreachSaid, Explanation, ForecastSaid, HistorySaid, MemberSaid, NormalSaid, ProfileSaid, Said, ScoreSaid,
    WidthsSaid,
};
use crate::core::watch::Side;
use crate::server::report::SeriesReport;

/// Every second one knows nothing yet.
pub fn explanation(series: &SeriesReport, n: usize) -> Explanation {
    let said = |text: &str| Said { kind: "name".into(), text: text.into() };
    let known = n.is_multiple_of(2);
    Explanation {
        watch: Some(series.watch.clone()),
        series: series.labels.to_string(),
        labels: series.labels.clone(),
        at: known.then_some(NOW),
        value: known.then_some(0.5),
        profile: ProfileSaid {
            name: "gauge".into(),
            lower: known.then_some(0.0),
            upper: None,
            seasonal: true,
            resets: false,
            deadline: false,
            reasons: vec![said("bytes")],
        },
        history: HistorySaid { span_s: 3600.0, needed_s: 86_400.0, inherited_from: 3, wider: known.then_some(1.5) },
        periods_s: vec![86_400.0],
        normal: known.then_some(NormalSaid { expected: 0.5, lower: 0.4, upper: 0.6 }),
        score: known.then(|| ScoreSaid { score: 0.2, sigmas: -0.1, view: "level".into(), per_week: None, text: "usual".into() }),
        forecast: known.then(|| ForecastSaid {
            model: "ensemble".into(),
            step_s: 3600.0,
            origins: 24,
            members: vec![MemberSaid { rule: "drift".into(), weight: 1.0 }],
            ahead: vec![AheadSaid {
                at: NOW,
                median: 0.5,
                bands: vec![BandSaid { level: 0.8, lower: 0.4, upper: 0.6 }],
                typical_error: 0.01,
            }],
            widths: Some(WidthsSaid { near: 1.2, far: 0.9, settled: 40 }),
        }),
        breach: known.then(|| BreachSaid {
            side: Side::Above,
            threshold: 0.9,
            horizon_s: 86_400.0,
            likelihood: 0.1,
            eta_s: [Some(60.0), None, None],
            base_rate: None,
            reasons: vec![said("rising")],
        }),
        not_said: vec!["no more".into()],
    }
}
