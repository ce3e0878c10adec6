//! The made server over a real socket, asked as Prometheus' own clients ask.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;

use super::*;
use crate::core::time::Timestamp;
use crate::demo::generate::{END, START, STEP, data_set};
use crate::source::replay::DataSeries;

/// A server whose clock stands where the test puts it.
struct Setup {
    server: DemoServer,
    clock: Arc<AtomicI64>,
    client: reqwest::Client,
}

impl Setup {
    async fn new(data: DataSet, now: Timestamp) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(AtomicI64::new(now.as_millis()));
        let hand = clock.clone();
        let now: Now = Arc::new(move || Timestamp::from_millis(hand.load(Ordering::SeqCst)));
        let server = DemoServer::start(Arc::new(data), now).await.unwrap();
        Self { server, clock, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn get(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.client.get(format!("{}{path}?{}", self.server.url(), encode(form))).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.server.url())).body(encode(form));
        let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }
}

fn encode(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// Samples at 0, 60, ..., 300 s, a gap, and 1200 s.
fn small() -> DataSet {
    let samples = [0, 60, 120, 180, 240, 300, 1200].map(|s| (Timestamp::from_millis(s * 1000), s as f64 / 8.0)).to_vec();
    let series = |name: &str, job: &str| DataSeries {
        name: name.into(),
        labels: Labels::from_pairs([("__name__", name), ("job", job)]).unwrap(),
        samples: samples.clone(),
        step: Span::MINUTE,
    };
    DataSet { series: vec![series("b", "x"), series("a", "y \"q\""), series("a", "x")], ..DataSet::default() }
}

#[tokio::test]
async fn ranges_look_back_five_minutes_and_never_past_the_clock() {
    let setup = Setup::new(small(), Timestamp::from_millis(10_000_000)).await;
    let form = [("query", "a"), ("start", "-60"), ("end", "1300.5"), ("step", "150")];
    let (status, body) = setup.post("/api/v1/query_range", &form).await;
    assert_eq!((status, &body["status"], &body["data"]["resultType"]), (200, &"success".into(), &"matrix".into()));
    let result = body["data"]["result"].as_array().unwrap();
    assert_eq!(result.len(), 2, "sorted by labels, without b");
    assert_eq!((&result[0]["metric"]["job"], &result[1]["metric"]["job"]), (&"x".into(), &"y \"q\"".into()));
    // At 690 the sample of 300 is 390 s old; at 540, 240 s; 600 is no point of the grid. At 1290 there is one of 90 s ago.
    let want = serde_json::json!([[90, "7.5"], [240, "30"], [390, "37.5"], [540, "37.5"], [1290, "150"]]);
    assert_eq!(result[0]["values"], want);
    assert_eq!(setup.get("/api/v1/query_range", &form).await.1, body, "GET and POST say the same");
    setup.clock.store(240_000, Ordering::SeqCst);
    let (_, body) = setup.post("/api/v1/query_range", &form).await;
    assert_eq!(body["data"]["result"][0]["values"], serde_json::json!([[90, "7.5"], [240, "30"], [390, "30"]]));
    setup.clock.store(-1, Ordering::SeqCst);
    let (_, body) = setup.post("/api/v1/query_range", &form).await;
    assert_eq!(body["data"]["result"], serde_json::json!([]), "series without points are left out");
}

#[tokio::test]
async fn instant_queries_default_to_the_clock() {
    let setup = Setup::new(small(), Timestamp::from_millis(301_250)).await;
    let (_, body) = setup.get("/api/v1/query", &[("query", r#"{__name__=~"a|b",job!="x"}"#)]).await;
    let want = serde_json::json!([{ "metric": { "__name__": "a", "job": "y \"q\"" }, "value": [301.25, "37.5"] }]);
    assert_eq!((&body["data"]["resultType"], &body["data"]["result"]), (&"vector".into(), &want));
    let at = async |time: &str| setup.get("/api/v1/query", &[("query", "b"), ("time", time)]).await.1["data"]["result"].clone();
    // The clock is at 301 s.
    assert_eq!(at("599.999").await[0]["value"][1], "37.5");
    assert_eq!(at("600").await, serde_json::json!([]), "a sample of exactly the lookback is too old");
    assert_eq!(at("1970-01-01T00:01:01Z").await[0]["value"], serde_json::json!([61, "7.5"]));
    let (_, body) = setup.get("/api/v1/query", &[("query", "1"), ("time", "5")]).await;
    assert_eq!(body["data"], serde_json::json!({ "resultType": "scalar", "result": [5, "1"] }));
}

#[tokio::test]
async fn what_prometheus_refuses_is_refused_in_its_words() {
    let setup = Setup::new(small(), Timestamp::from_millis(0)).await;
    for (query, start, end, step, says) in [
        ("rate(a[5m])", "0", "60", "15", "invalid parameter \"query\": parse error"),
        ("", "0", "60", "15", "parse error: no expression found in input"),
        ("a", "", "60", "15", "invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
        ("a", "60", "0", "15", "invalid parameter \"end\": end timestamp must not be before start time"),
        ("a", "0", "60", "0", "zero or negative query resolution step widths are not accepted"),
        ("a", "0", "60", "soon", "invalid parameter \"step\": cannot parse \"soon\" to a valid duration"),
        ("a", "0", "11001", "1s", "exceeded maximum resolution of 11,000 points per timeseries"),
    ] {
        let form = [("query", query), ("start", start), ("end", end), ("step", step)];
        let (status, body) = setup.post("/api/v1/query_range", &form).await;
        assert_eq!((status, &body["status"], &body["errorType"]), (400, &"error".into(), &"bad_data".into()), "{form:?}");
        assert!(body["error"].as_str().unwrap().contains(says), "{form:?}: {body}");
    }
    let form = [("query", "a"), ("start", "0"), ("end", "11000"), ("step", "1")];
    assert_eq!(setup.post("/api/v1/query_range", &form).await.0, 200, "11,000 steps are allowed");
    let gone = setup.client.get(format!("{}/api/v2/x", setup.server.url())).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 404);
    let large = setup.client.post(format!("{}/api/v1/query", setup.server.url()));
    let large =
        large.header("content-type", "application/x-www-form-urlencoded").body("x".repeat(MAX_FORM_BYTES + 1)).send().await.unwrap();
    assert_eq!(large.status().as_u16(), 413);
}

#[tokio::test]
async fn the_fortnight_comes_out_as_it_was_made() {
    let data = data_set();
    let setup = Setup::new(data.clone(), END).await;
    let mut seen = 0;
    for (metric, ..) in METRICS {
        let (start, end) = (START.to_string(), END.to_string());
        let form = [("query", metric), ("start", start.as_str()), ("end", end.as_str()), ("step", "5m")];
        let (_, body) = setup.post("/api/v1/query_range", &form).await;
        for series in body["data"]["result"].as_array().unwrap() {
            let labels: Labels = serde_json::from_value(series["metric"].clone()).unwrap();
            let made = data.series.iter().find(|series| series.labels == labels).unwrap();
            let got = series["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| (Timestamp::from_secs_f64(pair[0].as_f64().unwrap()), pair[1].as_str().unwrap().parse::<f64>().unwrap()));
            assert_eq!(got.collect::<Vec<_>>(), made.samples, "{labels}");
            assert_eq!(made.step, STEP);
            seen += 1;
        }
    }
    assert_eq!(seen, data.series.len());
}

#[tokio::test]
async fn it_tells_what_it_has_and_can_be_wrapped() {
    let setup = Setup::new(small(), START).await;
    assert_eq!(setup.get("/api/v1/labels", &[]).await.1["data"], serde_json::json!(["__name__", "job"]));
    assert_eq!(setup.get("/api/v1/label/__name__/values", &[]).await.1["data"], serde_json::json!(["a", "b"]));
    let (_, metadata) = setup.get("/api/v1/metadata", &[("metric", "queue_depth")]).await;
    assert_eq!(metadata["data"]["queue_depth"][0]["type"], "gauge");
    assert_eq!(setup.get("/api/v1/metadata", &[]).await.1["data"].as_object().unwrap().len(), METRICS.len());
    let ready = setup.client.get(format!("{}/-/ready", setup.server.url())).send().await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.text().await.unwrap().as_str()), (200, "Prometheus Server is Ready.\n"));
    let broken = |router: Router| router.layer(axum::middleware::map_response(async |_: Response| (StatusCode::BAD_GATEWAY, "no\n")));
    let server = DemoServer::start_with(Arc::new(small()), Arc::new(|| START), broken).await.unwrap();
    let answer = setup.client.get(format!("{}/-/ready", server.url())).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 502);
    let address = server.address();
    drop(server);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "dropping it frees the port");
}
