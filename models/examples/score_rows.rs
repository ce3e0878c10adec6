//! Scores of many series, and what the prior of the calibration is fitted to (see `models/fit/prior.py`).
//!
//! `score_rows VALUES.f64 TIMES.i64 SERIES.i64 OUT.f32`: all series' values and times (ms) one after the other; a series is three numbers
//! (index of the first sample, of the one after the last, step in ms). The answer is three numbers a sample: the score (0 where nothing is
//! said), and the largest distance and the largest run of its hour so far. Little-endian throughout. Prints the time that a sample took.

use std::io::Write;
use std::time::{Duration, Instant};

use portent_models::score::{Scorer, Settings};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let words = |path: &str| -> std::io::Result<Vec<[u8; 8]>> {
        Ok(std::fs::read(path)?.chunks_exact(8).map(|c| c.try_into().expect("chunks are of eight bytes")).collect())
    };
    let values: Vec<f64> = words(&args[1])?.into_iter().map(f64::from_le_bytes).collect();
    let times: Vec<i64> = words(&args[2])?.into_iter().map(i64::from_le_bytes).collect();
    let series: Vec<i64> = words(&args[3])?.into_iter().map(i64::from_le_bytes).collect();
    let mut out = std::io::BufWriter::new(std::fs::File::create(&args[4])?);
    let mut took = Duration::ZERO;
    let mut rows: Vec<[f32; 3]> = Vec::new();
    for s in series.chunks_exact(3) {
        let range = s[0] as usize..s[1] as usize;
        rows.clear();
        rows.reserve(range.len());
        let mut scorer = Scorer::new(s[2], Settings::default());
        let started = Instant::now();
        for (at, value) in times[range.clone()].iter().zip(&values[range]) {
            let score = scorer.push(*at, 0, *value).map_or(0.0, |scored| scored.score as f32);
            let [distance, run] = scorer.hour_so_far();
            rows.push([score, distance, run]);
        }
        took += started.elapsed();
        for number in rows.iter().flatten() {
            out.write_all(&number.to_le_bytes())?;
        }
    }
    println!("{} samples, {:.0} ns a sample, {} bytes", values.len(), took.as_nanos() as f64 / values.len() as f64, Scorer::BYTES);
    out.flush()
}
