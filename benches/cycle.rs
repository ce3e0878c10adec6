//! What watching 10,000 series costs: time a cycle, memory, state, checkpoint; each beside what a plain way of doing it costs.
//!
//! Not a criterion bench: a cycle changes the state it runs on, so it can't be repeated, and its memory is as much the question as its
//! time. A cycle is what the daemon does each minute but for the network: decode each watch's answer (the new minute and the five of
//! overlap that are read again for late samples), hand it to the engine, take the effects.

mod support;

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::time::{Duration, Instant};

use portent::core::engine::{Checkpoint, Effect, Engine, Input, Judged};
use portent::core::frame::Frame;
use portent::core::labels::Labels;
use portent::source::prometheus::plan::OVERLAP_STEPS;
use portent::source::prometheus::{DecodeLimits, Decoder, Payload};
use portent::store::{Change, Kind as RecordKind, SledStore, Store};
use portent_models::baseline::Block;
use support::figure::{memory_mb, ms, print, quantile};
use support::fleet::{KINDS, Kind, SERIES_PER_WATCH, WARM_UP, body, frame, grid};

const SERIES: usize = KINDS.len() * SERIES_PER_WATCH;
/// Minutes handed over at once while warming up.
const CHUNK: usize = 240;
/// Cycles before measuring: the first looks ahead for every series, which happens once after a start.
const SETTLING: usize = 10;
/// An hour: in one of them the hour's bucket closes for every series.
const CYCLES: usize = 60;
/// As the HTTP client hands a body over.
const PIECE_BYTES: usize = 16 * 1024;
/// Series of the plain rival, whose figures are scaled to [`SERIES`].
const RIVALS: usize = 500;
const WEEK_MINUTES: usize = 10_080;

fn main() {
    let labels: Vec<(Kind, Vec<Labels>)> = KINDS.iter().map(|kind| (*kind, kind.labels())).collect();
    let mut engine = Engine::new(KINDS.iter().map(|kind| kind.watch()), []);
    let before = memory_mb("VmRSS");

    let began = Instant::now();
    for from in (0..WARM_UP).step_by(CHUNK) {
        for (watch, (kind, labels)) in labels.iter().enumerate() {
            let frame = frame(*kind, labels, from, CHUNK.min(WARM_UP - from));
            learn(&mut engine, watch, &frame);
        }
    }
    let samples = (SERIES * WARM_UP) as f64;
    print("fill.time", began.elapsed().as_secs_f64(), "s", "8 days of 10,000 series, the making of the numbers included");
    print("fill.per_sample", began.elapsed().as_secs_f64() * 1e9 / samples, "ns/sample", "on all threads");

    let first = cycle(&mut engine, &labels, WARM_UP);
    print("cycle.first", ms(first.time), "ms", "after a start: every series is looked at");
    for i in 1..SETTLING {
        cycle(&mut engine, &labels, WARM_UP + i);
    }
    let cycles: Vec<Cycle> = (SETTLING..SETTLING + CYCLES).map(|i| cycle(&mut engine, &labels, WARM_UP + i)).collect();
    let times = |of: fn(&Cycle) -> Duration| cycles.iter().map(of).collect::<Vec<_>>();
    let median = quantile(&mut times(|c| c.time), 0.5);
    print("cycle.median", ms(median), "ms", "10,000 series at 1 minute, 60 cycles; aim: under 1,000 ms");
    print("cycle.p95", ms(quantile(&mut times(|c| c.time), 0.95)), "ms", "");
    print("cycle.max", ms(quantile(&mut times(|c| c.time), 1.0)), "ms", "the one in which the hour closes");
    print("cycle.decode_median", ms(quantile(&mut times(|c| c.decode), 0.5)), "ms", "of it: JSON to frame, one thread");
    print("cycle.per_series", median.as_secs_f64() * 1e9 / SERIES as f64, "ns/series", "");
    print("cycle.body", cycles.iter().map(|c| c.bytes).sum::<usize>() as f64 / CYCLES as f64 / 1e6, "MB", "JSON read in a cycle");
    print("cycle.effects", cycles.iter().map(|c| c.effects).sum::<usize>() as f64, "effects", "in 60 cycles");
    let open = engine.lives().filter(|life| life.is_open()).count();
    print("cycle.open_predictions", open as f64, "predictions", "200 series grow towards their threshold");
    assert!(open > 0, "nothing was predicted: the bench measures an idle engine");

    let steady = memory_mb("VmRSS");
    print("rss.steady", steady, "MB", "after 60 cycles; aim: under 150 MB");
    print("rss.per_series", (steady - before) * 1e6 / SERIES as f64, "B/series", "all that grew with them: state, labels, look-up");
    print("rss.peak", memory_mb("VmHWM"), "MB", "the fill included");
    print("state.block_row", Block::bytes_per_row() as f64, "B/series", "in a full block; aim: under 4,096 B");
    checkpoint(&mut engine, &labels);
    drop(engine);
    rival(&labels[0].1);
}

fn learn(engine: &mut Engine, watch: usize, frame: &Frame) {
    // Judged from the end of the warm-up on, as the daemon does it with what it reads at its start.
    let judge_from = grid(WARM_UP, 1).start;
    engine.step(frame.grid().last(), Input::Samples { watch, frame, thresholds: None, judging: Judged::from(judge_from) });
}

struct Cycle {
    time: Duration,
    decode: Duration,
    bytes: usize,
    effects: usize,
}

fn cycle(engine: &mut Engine, labels: &[(Kind, Vec<Labels>)], minute: usize) -> Cycle {
    let overlap = OVERLAP_STEPS as usize;
    let bodies: Vec<Vec<u8>> = labels.iter().map(|(kind, labels)| body(*kind, labels, minute - overlap, overlap + 1)).collect();
    let now = grid(minute, 1).start;
    let judge_from = grid(WARM_UP, 1).start;
    let mut decode = Duration::ZERO;
    let mut effects: Vec<Effect> = Vec::new();
    let began = Instant::now();
    for (watch, body) in bodies.iter().enumerate() {
        let reading = Instant::now();
        let frame = decoded(body, minute - overlap, overlap + 1);
        decode += reading.elapsed();
        effects.extend(engine.step(now, Input::Samples { watch, frame: &frame, thresholds: None, judging: Judged::from(judge_from) }));
    }
    effects.extend(engine.step(now, Input::Tick));
    let time = began.elapsed();
    Cycle { time, decode, bytes: bodies.iter().map(Vec::len).sum(), effects: effects.len() }
}

fn decoded(body: &[u8], minute: usize, len: usize) -> Frame {
    let mut decoder = Decoder::range(grid(minute, len), DecodeLimits::default());
    for piece in body.chunks(PIECE_BYTES) {
        decoder.feed(piece).expect("a good answer");
    }
    match decoder.finish().expect("a whole answer").payload {
        Payload::Matrix(frame) => frame,
        Payload::Vector(_) => unreachable!("a range was asked for"),
    }
}

/// All state into a real store on this machine's disk, twice: the second writes over the first, as it goes on.
fn checkpoint(engine: &mut Engine, labels: &[(Kind, Vec<Labels>)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let now = grid(WARM_UP, 1).start;
    let store = SledStore::open(folder.path(), now).expect("a store").store;
    let mut bytes = 0;
    for round in 0..2 {
        cycle(engine, labels, WARM_UP + SETTLING + CYCLES + round);
        let began = Instant::now();
        bytes = 0;
        while let Some(Checkpoint { key, bytes: shard }) = engine.checkpoint() {
            bytes += shard.len();
            store.checkpoint(vec![Change::put(RecordKind::Blocks, key, shard)]).expect("the checkpoint");
        }
        if round == 1 {
            print("checkpoint.time", ms(began.elapsed()), "ms", "all 10,000 series, a block of 1,024 at a time, into sled and on the disk");
        }
    }
    print("state.checkpoint", bytes as f64 / SERIES as f64, "B/series", "with labels, streaks and cursors, as JSON before the block");
    print("rss.after_checkpoint", memory_mb("VmRSS"), "MB", "with sled's cache; aim: under 150 MB");

    let plain = tempfile::tempdir().expect("a folder");
    let tree = sled::Config::new().path(plain.path().join("db")).open().expect("a tree");
    let value = vec![7_u8; bytes / SERIES];
    let mut times: Vec<Duration> = (0..2)
        .map(|_| {
            let began = Instant::now();
            for (_, labels) in labels {
                for labels in labels {
                    tree.insert(labels.to_string(), value.as_slice()).expect("an insert");
                }
            }
            tree.flush().expect("a flush");
            began.elapsed()
        })
        .collect();
    print("rival.checkpoint", ms(quantile(&mut times, 0.5)), "ms", "sled with a key a series, the same bytes");
}

/// The plain way: a week of samples a series behind its name, mean and sigma over all of them each time. It knows no season, no trend and
/// no forecast.
fn rival(labels: &[Labels]) {
    let labels = &labels[..RIVALS];
    let mut series: HashMap<String, VecDeque<f64>> = HashMap::new();
    for (i, labels) in labels.iter().enumerate() {
        series.insert(labels.to_string(), (0..WEEK_MINUTES).map(|minute| Kind::Disk.value(i, minute)).collect());
    }
    let scale = SERIES as f64 / RIVALS as f64;
    let note = "HashMap<String, VecDeque<f64>>, mean and sigma of 7 days; 500 series x 20";
    let held: usize =
        series.iter().map(|(name, window)| name.capacity() + size_of_val(window) + window.capacity() * size_of::<f64>()).sum();
    print("rival.memory", held as f64 * scale / 1e6, "MB", note);
    let mut times: Vec<Duration> = (0..5)
        .map(|i| {
            let body = body(Kind::Disk, labels, WEEK_MINUTES + i, 1);
            let began = Instant::now();
            let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            for item in answer["data"]["result"].as_array().expect("a list") {
                let name = key(&item["metric"]);
                let value: f64 = item["values"][0][1].as_str().and_then(|v| v.parse().ok()).expect("a number");
                let window = series.get_mut(&name).expect("a known series");
                window.pop_front();
                window.push_back(value);
                let mean = window.iter().sum::<f64>() / window.len() as f64;
                let sigma = (window.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (window.len() - 1) as f64).sqrt();
                black_box((value - mean) / sigma);
            }
            began.elapsed()
        })
        .collect();
    print("rival.cycle", ms(quantile(&mut times, 0.5)) * scale, "ms", note);
}

fn key(metric: &serde_json::Value) -> String {
    let pairs = metric.as_object().expect("labels").iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    Labels::from_pairs(pairs).expect("each name once").to_string()
}
