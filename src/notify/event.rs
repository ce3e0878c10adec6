//! The envelope: a prediction's event as CloudEvents 1.0 JSON in structured mode (<https://github.com/cloudevents/spec>, v1.0.2).
//!
//! `data` is the prediction as it stands, by its own serde form, rather than a second hand-kept struct: the API, the ledger and the
//! webhook then cannot drift apart. What receivers may rely on is pinned by `schemas/prediction-event.schema.json` and a test over both.
//!
//! The event's id is a function of the prediction and its revision, so that a crash between "decided" and "stored" makes the same event
//! again and never a second one.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::core::prediction::{Prediction, State};
use crate::core::time::Timestamp;

/// Media type of the body.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The JSON Schema (2020-12) of the whole event, for receivers and for `portent`'s own tests.
pub const SCHEMA: &str = include_str!("../../schemas/prediction-event.schema.json");

/// Names the schema that `data` keeps to. It gets another number when a field goes away or changes its meaning, not when one is added.
pub const DATA_SCHEMA: &str = "urn:portent:prediction-event:1#/$defs/prediction";

/// What happened to the prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    #[serde(rename = "dev.portent.prediction.raised")]
    Raised,
    #[serde(rename = "dev.portent.prediction.updated")]
    Updated,
    /// It ended, one way or the other: `data.state` says `resolved` or `expired`, `data.ended_because` why.
    #[serde(rename = "dev.portent.prediction.resolved")]
    Resolved,
}

impl EventKind {
    /// The kind of event that this value of the prediction is: its first revision is raised, a later open one updated.
    pub fn of(prediction: &Prediction) -> Self {
        match prediction.state {
            State::Open if prediction.revision == 0 => Self::Raised,
            State::Open => Self::Updated,
            State::Resolved | State::Expired => Self::Resolved,
        }
    }

    /// The CloudEvents `type`.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Raised => "dev.portent.prediction.raised",
            Self::Updated => "dev.portent.prediction.updated",
            Self::Resolved => "dev.portent.prediction.resolved",
        }
    }
}

/// One event, as it is posted. Field order is the order in the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<K, D> {
    /// Always `1.0`.
    pub specversion: String,
    /// The same over all retries and restarts; also the `webhook-id`.
    pub id: String,
    /// A URI reference.
    pub source: String,
    #[serde(rename = "type")]
    pub kind: K,
    /// What joins events: the prediction's id, or the run's.
    pub subject: String,
    /// When it happened (not when it was sent).
    pub time: Timestamp,
    pub datacontenttype: String,
    pub dataschema: String,
    pub data: D,
}

/// A prediction's: its id is `{prediction id}.{revision}`, its source `/portent/watches/{watch}`, percent-encoded.
pub type CloudEvent = Envelope<EventKind, Prediction>;

impl<K: Serialize, D: Serialize> Envelope<K, D> {
    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("the event has string keys only and no serializer that fails")
    }
}

impl CloudEvent {
    /// The event of `kind` at time `at`. A relative `chart_url` is put behind `chart_url_base`, if there is one.
    pub fn new(prediction: &Prediction, kind: EventKind, at: Timestamp, chart_url_base: Option<&str>) -> Self {
        let mut data = prediction.clone();
        data.chart_url = data.chart_url.map(|url| absolute(url, chart_url_base));
        Self {
            specversion: "1.0".to_owned(),
            id: event_id(prediction),
            source: source(&prediction.watch),
            kind,
            subject: prediction.id.to_string(),
            time: at,
            datacontenttype: "application/json".to_owned(),
            dataschema: DATA_SCHEMA.to_owned(),
            data,
        }
    }
}

/// `{prediction id}.{revision}`. Both parts are ours (a hash and a counter), so the full stop that Standard Webhooks warns of in ids that
/// others choose cannot be made to stand for another split of the signed text.
pub fn event_id(prediction: &Prediction) -> String {
    format!("{}.{}", prediction.id, prediction.revision)
}

/// The event's id and its body. Equal arguments give equal bytes, on every machine.
pub fn encode(prediction: &Prediction, kind: EventKind, at: Timestamp, chart_url_base: Option<&str>) -> (String, Vec<u8>) {
    let event = CloudEvent::new(prediction, kind, at, chart_url_base);
    let body = event.body();
    (event.id, body)
}

fn absolute(url: String, base: Option<&str>) -> String {
    match base {
        Some(base) if !url.contains("://") => format!("{}/{}", base.trim_end_matches('/'), url.trim_start_matches('/')),
        _ => url,
    }
}

fn source(watch: &str) -> String {
    let mut path = String::from("/portent/watches/");
    for byte in watch.bytes() {
        // RFC 3986, section 2.3: what needs no encoding anywhere in a URI.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    path
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::Value;

    use super::*;
    use crate::core::labels::Labels;
    use crate::core::playbook::Suggestion;
    use crate::core::prediction::{Cause, Eta, Evidence, PredictionId, Truth};
    use crate::core::time::Span;
    use crate::core::watch::{Impact, Side};

    /// A prediction with every optional field filled.
    pub fn full() -> Prediction {
        let raised_at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let labels = Labels::from_pairs([("__name__", "disk_used_ratio"), ("instance", "db-1:9100"), ("mountpoint", "/var")]).unwrap();
        Prediction {
            id: PredictionId::new("disk-filling", labels.id(), Cause::Breach, raised_at),
            watch: "disk-filling".into(),
            code: "disk-filling".into(),
            title: "/var on db-1 fills".into(),
            labels,
            service: "db-1:9100".into(),
            cause: Cause::Breach,
            state: State::Open,
            raised_at,
            updated_at: raised_at + Span::MINUTE,
            ended_at: None,
            ended_because: None,
            revision: 0,
            current_value: 0.81,
            predicted_value: Some(0.93),
            rate_of_change: 0.0003,
            side: Side::Above,
            threshold: 0.9,
            likelihood: 0.93,
            confidence: 0.8,
            impact: Impact::High,
            eta: Eta { p10: Some(raised_at + Span::HOUR.times(4)), p50: Some(raised_at + Span::HOUR.times(5)), p90: None },
            predicted_threshold_time: Some(raised_at + Span::HOUR.times(5)),
            horizon: Span::DAY,
            evidence: vec![Evidence { kind: "trend".into(), text: "grows by 1.8 % an hour".into(), value: 0.0003 }],
            suggested_playbooks: vec![Suggestion {
                name: "expand-volume".into(),
                about: "adds 20 %".into(),
                would_run: vec!["grow (command)".into()],
            }],
            incident: Some("i1".into()),
            chart_url: Some("charts/p1.png".into()),
            truth: None,
        }
    }

    /// The same with nothing that may be missing.
    fn bare() -> Prediction {
        Prediction {
            labels: Labels::default(),
            service: String::new(),
            eta: Eta::default(),
            predicted_threshold_time: None,
            evidence: vec![],
            suggested_playbooks: vec![],
            incident: None,
            chart_url: None,
            ..full()
        }
    }

    fn event(prediction: &Prediction) -> Value {
        let (_, body) =
            encode(prediction, EventKind::of(prediction), "2026-11-22T10:01:00Z".parse().unwrap(), Some("http://p.example:9273/"));
        serde_json::from_slice(&body).unwrap()
    }

    /// Every event the engine can make: raised, updated, resolved by coming true, expired without, each full and bare.
    fn all() -> Vec<Value> {
        let lives = |p: Prediction| {
            let ended_at = Some(p.raised_at + Span::HOUR);
            let because = Some("breached".to_owned());
            let lead_time_s = 3600.0;
            let came_true = Truth::CameTrue { at: p.raised_at + Span::HOUR, lead_time_s };
            [
                Prediction { revision: 0, ..p.clone() },
                Prediction { revision: 1, ..p.clone() },
                Prediction {
                    revision: 2,
                    state: State::Resolved,
                    ended_at,
                    ended_because: because.clone(),
                    truth: Some(came_true),
                    ..p.clone()
                },
                Prediction {
                    revision: 2,
                    state: State::Resolved,
                    ended_at,
                    ended_because: because,
                    truth: Some(Truth::NotKnown),
                    ..p.clone()
                },
                Prediction { revision: 3, state: State::Expired, ended_at, truth: Some(Truth::DidNot), ..p },
            ]
        };
        lives(full()).iter().chain(&lives(bare())).map(event).collect()
    }

    fn is_valid(instance: &Value, at: &str) -> Result<(), String> {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("urn:portent:prediction-event:1", serde_json::from_str(SCHEMA).unwrap()).unwrap();
        let index = compiler.compile(at, &mut schemas).unwrap();
        schemas.validate(instance, index).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn every_event_keeps_to_the_published_schema() {
        for event in all() {
            is_valid(&event, "urn:portent:prediction-event:1").unwrap_or_else(|e| panic!("{e}\n{event:#}"));
            is_valid(&event["data"], event["dataschema"].as_str().unwrap()).unwrap();
        }
    }

    #[test]
    fn the_schema_describes_every_field_and_requires_those_that_receivers_rely_on() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let data = &schema["$defs"]["prediction"];
        let required: Vec<&str> = data["required"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        for name in event(&full())["data"].as_object().unwrap().keys() {
            assert!(data["properties"].get(name).is_some(), "{name:?} is sent, but the schema does not describe it");
            assert!(required.contains(&name.as_str()), "{name:?} is always sent, but the schema does not promise it");
        }
        let promised = "id watch code title labels service current_value rate_of_change threshold likelihood confidence impact eta \
                        predicted_threshold_time evidence suggested_playbooks incident chart_url";
        for name in promised.split_whitespace() {
            assert!(required.contains(&name), "{name:?} is promised to receivers");
        }
    }

    #[test]
    fn the_schema_refuses_what_would_mislead_a_receiver() {
        let good = event(&full());
        let wrongs: [(&str, Value); 12] = [
            ("/specversion", "0.3".into()),
            ("/type", "dev.portent.prediction.deleted".into()),
            ("/id", "".into()),
            ("/time", "yesterday".into()),
            ("/data/likelihood", 1.2.into()),
            ("/data/confidence", Value::Null),
            ("/data/current_value", "0.81".into()),
            ("/data/impact", "catastrophic".into()),
            ("/data/eta/p50", 1_795_341_600.into()),
            ("/data/eta", Value::Null),
            ("/data/labels/instance", 7.into()),
            ("/data/state", "resolved".into()),
        ];
        for (pointer, wrong) in wrongs {
            let mut event = good.clone();
            *event.pointer_mut(pointer).unwrap() = wrong.clone();
            assert!(is_valid(&event, "urn:portent:prediction-event:1").is_err(), "{pointer} = {wrong} was let through");
        }
    }

    #[test]
    fn the_envelope_names_prediction_revision_and_watch() {
        let mut prediction = Prediction { revision: 7, watch: "disk filling/größe".into(), ..full() };
        let event = event(&prediction);
        assert_eq!(event["id"], format!("{}.7", prediction.id));
        assert_eq!(event["subject"], prediction.id.to_string());
        assert_eq!(event["type"], EventKind::Updated.type_name());
        assert_eq!(event["source"], "/portent/watches/disk%20filling%2Fgr%C3%B6%C3%9Fe");
        assert_eq!(event["time"], "2026-11-22T10:01:00Z");
        assert_eq!(event["data"]["eta"]["p10"], "2026-11-22T14:00:00Z");
        assert_eq!(event["data"]["chart_url"], "http://p.example:9273/charts/p1.png");
        prediction.chart_url = Some("https://charts.example/1.png".into());
        assert_eq!(
            CloudEvent::new(&prediction, EventKind::Raised, prediction.raised_at, Some("http://x")).data.chart_url,
            prediction.chart_url
        );
    }

    #[test]
    fn equal_predictions_give_equal_bytes_and_the_body_reads_back() {
        let at = full().raised_at;
        let (id, body) = encode(&full(), EventKind::Raised, at, None);
        assert_eq!((id.clone(), body.clone()), encode(&full(), EventKind::Raised, at, None));
        let back: CloudEvent = serde_json::from_slice(&body).unwrap();
        assert_eq!((back.id, back.kind, back.data), (id, EventKind::Raised, full()));
    }
}
