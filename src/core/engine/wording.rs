//! Reasons with their numbers, in words.

use portent_models::baseline::Block;
use portent_models::breach::Recalibration;

use crate::core::anomaly::{Anomaly, number};
use crate::core::outlook::{Basis, Outlook};
use crate::core::prediction::{Eta, Evidence, Prediction};
use crate::core::time::{Span, Timestamp};

/// What was seen, into a prediction.
pub(super) fn write(prediction: &mut Prediction, at: Timestamp, value: f64, outlook: &Outlook, seasonal: bool, settled: &Recalibration) {
    let after = |s: f64| at + Span::from_secs_f64(s);
    let [p10, p50, p90] = outlook.eta_s.map(|s| s.map(after));
    prediction.updated_at = at;
    prediction.current_value = value;
    prediction.predicted_value = outlook.predicted_value;
    prediction.rate_of_change = outlook.rate_per_minute;
    prediction.likelihood = outlook.likelihood;
    prediction.confidence = outlook.confidence;
    prediction.eta = Eta { p10, p50, p90 };
    prediction.predicted_threshold_time = outlook.median_s.map(after).or(p50);
    prediction.evidence = self::outlook(prediction, outlook, seasonal, settled);
}

fn outlook(prediction: &Prediction, outlook: &Outlook, seasonal: bool, settled: &Recalibration) -> Vec<Evidence> {
    let mut evidence = Vec::with_capacity(6);
    let per_hour = outlook.rate_per_minute * 60.0;
    let direction = if per_hour > 0.0 {
        "rising"
    } else if per_hour < 0.0 {
        "falling"
    } else {
        "level"
    };
    evidence.push(Evidence {
        kind: "trend".into(),
        text: format!(
            "{direction} by {} an hour; now {}, bad at {} or {}",
            number(per_hour.abs()),
            number(prediction.current_value),
            number(prediction.threshold),
            prediction.side.as_str()
        ),
        value: outlook.rate_per_minute,
    });
    if outlook.origins > 0 {
        evidence.push(Evidence {
            kind: "past_errors".into(),
            text: format!(
                "{} past forecasts of this series were typically {} off at the end of the horizon",
                outlook.origins,
                number(outlook.typical_error)
            ),
            value: outlook.typical_error,
        });
    }
    let (rule, weight) = outlook.leading_rule;
    evidence.push(Evidence {
        kind: "model".into(),
        text: format!("of the rules that speak, {rule:?} has been right most often here and carries {:.0} %", 100.0 * weight),
        value: weight,
    });
    evidence.extend(basis(outlook, settled));
    if seasonal {
        evidence.push(Evidence { kind: "season".into(), text: "follows the time of day".into(), value: 1.0 });
    }
    evidence
}

/// What the likelihood rests on, and whether what came of earlier ones has corrected it.
fn basis(outlook: &Outlook, settled: &Recalibration) -> Option<Evidence> {
    let percent = |p: f64| format!("{:.0} %", 100.0 * p);
    let rests_on = match outlook.basis {
        Basis::Clock => return None,
        Basis::Paths => format!("{} of the ways it went before reach it from here", percent(outlook.stated)),
        Basis::Week { by_paths } => format!(
            "{} of the ways it went before reach it from here; with how the past week's hours came near it, {}",
            percent(by_paths),
            percent(outlook.stated)
        ),
    };
    let outcomes = settled.outcomes();
    let text = if settled.is_identity() {
        format!("{rests_on}; too little of this watch is settled to correct that ({outcomes:.0})")
    } else {
        format!("{rests_on}; by the last {outcomes:.0} settled answers of this watch that means {}", percent(outlook.likelihood))
    };
    Some(Evidence { kind: "likelihood".into(), text, value: outlook.stated })
}

pub(super) fn anomaly(anomaly: &Anomaly) -> Evidence {
    Evidence { kind: "anomaly".into(), text: format!("not normal since {}: {}", anomaly.started_at, anomaly.because), value: anomaly.score }
}

pub(super) fn history(block: &Block, row: usize, at: Timestamp) -> Evidence {
    const DAY_MS: f64 = 86_400_000.0;
    let days = block.first_ms(row).map_or(0.0, |first| (at.as_millis() - first) as f64 / DAY_MS);
    Evidence { kind: "history".into(), text: format!("{days:.1} days of history"), value: days }
}
