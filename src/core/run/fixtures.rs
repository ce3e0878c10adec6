//! For tests: a prediction, a playbook and everything around them, all of it fine.

use crate::core::gate::{Around, Mode, Settings};
use crate::core::labels::Labels;
use crate::core::playbook::Playbook;
use crate::core::prediction::{Cause, Eta, Prediction, PredictionId, State};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Impact, Side};

pub fn settings() -> Settings {
    Settings { mode: Mode::Execute, ..Settings::default() }
}

pub fn around() -> Around {
    Around { data_age: Some(Span::SECOND), known_for: Some(Span::WEEK), ..Around::default() }
}

/// Of so many steps with so many tries each.
pub fn playbook(name: &str, (steps, tries, has_undo): (usize, u32, bool)) -> Playbook {
    let undo = if has_undo { ", undo: { action: command, with: { run: [back] } }" } else { "" };
    let step = |i| format!("{{ name: s{i}, action: command, timeout: 1m, retry: {tries}{undo} }}");
    let steps: Vec<String> = (0..steps).map(step).collect();
    let text = format!("name: {name}\nabout: does it\ntarget: \"{{{{pod}}}}\"\nsteps: [{}]\n", steps.join(", "));
    serde_saphyr::from_str(&text).unwrap()
}

pub fn prediction(pod: usize, raised_at: Timestamp) -> Prediction {
    let labels = Labels::from_pairs([("pod", format!("pod-{pod}"))]).unwrap();
    Prediction {
        id: PredictionId::new("memory", labels.id(), Cause::Breach, raised_at),
        watch: "memory".into(),
        code: "H2".into(),
        title: format!("memory of pod-{pod}"),
        labels,
        service: format!("shop-{}", pod % 2),
        cause: Cause::Breach,
        state: State::Open,
        raised_at,
        updated_at: raised_at,
        ended_at: None,
        ended_because: None,
        revision: 0,
        current_value: 0.8,
        predicted_value: None,
        rate_of_change: 0.001,
        side: Side::Above,
        threshold: 0.95,
        likelihood: 0.9,
        confidence: 0.8,
        impact: Impact::High,
        eta: Eta::default(),
        predicted_threshold_time: None,
        horizon: Span::DAY,
        evidence: Vec::new(),
        suggested_playbooks: Vec::new(),
        incident: None,
        chart_url: None,
        truth: None,
    }
}
