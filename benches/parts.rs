//! The parts that are paid per sample and per look: decoding and forecasting, each beside its rival; and reading a week from a server.
//!
//! Criterion takes the samples and compares with the run before (`target/criterion`); the figure lines at the end are the means of the
//! same runs.

#[path = "support/pull.rs"]
mod pull;
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use portent::core::engine::{Engine, Input, Judged};
use portent::core::labels::Labels;
use portent::core::outlook::{Fit, Ring, outlook};
use portent::core::watch::Side;
use portent::source::prometheus::{DecodeLimits, Decoder, Payload};
use portent_models::breach::Recalibration;
use portent_models::forecast::{Bounds, Context, by_name};
use support::figure::print;
use support::fleet::{DAY, Kind, WARM_UP, body, frame, grid};

/// Series of the answer that is decoded, a day each: 576,000 samples in 17 MB.
const SERIES: usize = 400;
/// As the HTTP client hands a body over.
const PIECE_BYTES: usize = 16 * 1024;

/// Runs a bench and gives back the mean time of one round.
fn measure<O>(criterion: &mut Criterion, name: &str, elements: u64, mut round: impl FnMut() -> O) -> Duration {
    let (mut total, mut rounds) = (Duration::ZERO, 0_u32);
    let (group, part) = name.split_once('/').expect("group/part");
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(elements));
    group.bench_function(part, |bencher| {
        bencher.iter_custom(|iterations| {
            let began = Instant::now();
            (0..iterations).for_each(|_| drop(black_box(round())));
            let time = began.elapsed();
            total += time;
            rounds += u32::try_from(iterations).unwrap_or(u32::MAX);
            time
        });
    });
    group.finish();
    total / rounds.max(1)
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    decode(&mut criterion);
    forecast(&mut criterion);
    pull::run();
    criterion.final_summary();
}

fn decode(criterion: &mut Criterion) {
    let labels: Vec<Labels> = Kind::Traffic.labels().into_iter().take(SERIES).collect();
    let body = body(Kind::Traffic, &labels, 0, DAY);
    let samples = (SERIES * DAY) as u64;
    let stream = || {
        let mut decoder = Decoder::range(grid(0, DAY), DecodeLimits::default());
        for piece in body.chunks(PIECE_BYTES) {
            decoder.feed(piece).expect("a good answer");
        }
        let Payload::Matrix(frame) = decoder.finish().expect("a whole answer").payload else { unreachable!("a range was asked for") };
        frame
    };
    let tree = || {
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let result = answer["data"]["result"].as_array().expect("a list");
        let number = |sample: &serde_json::Value| sample[1].as_str().and_then(|v| v.parse::<f64>().ok());
        result.iter().map(|item| item["values"].as_array().into_iter().flatten().filter_map(number).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(stream().present(), tree().iter().map(Vec::len).sum::<usize>());
    let ours = measure(criterion, "decode/stream", samples, stream);
    let rival = measure(criterion, "decode/serde_json_value", samples, tree);
    let per_sample = |time: Duration| time.as_secs_f64() * 1e9 / samples as f64;
    let note = format!("{SERIES} series x {DAY} samples, {:.1} MB in pieces of 16 KiB", body.len() as f64 / 1e6);
    print("decode.stream", per_sample(ours), "ns/sample", &note);
    print("decode.stream_rate", body.len() as f64 / 1e6 / ours.as_secs_f64(), "MB/s", "");
    print("decode.rival", per_sample(rival), "ns/sample", "serde_json::Value, then each value parsed into a Vec");
}

fn forecast(criterion: &mut Criterion) {
    let kind = Kind::Disk;
    let labels: Vec<Labels> = kind.labels().into_iter().take(1).collect();
    let watch = kind.watch();
    let mut engine = Engine::new([watch.clone()], []);
    let frame = frame(kind, &labels, 0, WARM_UP);
    let now = frame.grid().last();
    engine.step(now, Input::Samples { watch: 0, frame: &frame, thresholds: None, judging: Judged::from(now) });
    let view = engine.series(0).next().expect("one series");
    let (block, row) = (view.block, view.row);
    let breach = Some((Side::Above, 0.9));
    let fit = |ring| Fit::new(block, row, &watch, ring, breach, None, None).expect("eight days are enough");
    let coarse = measure(criterion, "forecast/fit_week_of_hours", 1, || fit(Ring::Coarse));
    let fine = measure(criterion, "forecast/fit_five_hours", 1, || fit(Ring::Fine));
    let (coarse_fit, fine_fit) = (fit(Ring::Coarse), fit(Ring::Fine));
    let looked = measure(criterion, "forecast/outlook", 1, || {
        [&coarse_fit, &fine_fit].map(|fit| outlook(block, row, fit, now, &watch, Side::Above, 0.9, &Recalibration::default()))
    });
    let horizon = coarse_fit.fitted.horizon();
    let context = Context::new(&block.coarse_means(row), 24, Bounds::default());
    let rivals = ["mstl", "ets"].map(|name| {
        let model = by_name(name).expect("a known model");
        (name, measure(criterion, &format!("forecast/{name}"), 1, || model.fit(&context, horizon)))
    });
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    print("forecast.fit_coarse", us(coarse), "us", "ensemble over a week of hours, 24 h ahead, with its past errors");
    print("forecast.fit_fine", us(fine), "us", "ensemble over five hours of five minutes, 3 h ahead");
    print("forecast.outlook", us(looked), "us", "likelihood and ETA from both fits");
    for (name, time) in rivals {
        print(&format!("forecast.rival_{name}"), us(time), "us", "augurs, the same week and the same past errors");
    }
}
