//! Features of many breach questions, for fitting the constants of the logistic map (see `models/fit/fit.py`).
//!
//! `breach_rows VALUES.f64 QUESTIONS.i64 OUT.f64`: all series' values one after the other; a question is eight numbers (index of the first
//! value, of the one after the last, threshold as the bits of an f64, 1 for upward, horizon, sustain and day in steps, 0); the answer is a row
//! of features a question, little-endian throughout.

use std::io::Write;

use portent_models::breach::features::{FEATURES, Features};
use portent_models::breach::history::History;
use portent_models::breach::times::Times;

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let words = |path: &str| -> std::io::Result<Vec<[u8; 8]>> {
        Ok(std::fs::read(path)?.chunks_exact(8).map(|c| c.try_into().expect("chunks are of eight bytes")).collect())
    };
    let values: Vec<f64> = words(&args[1])?.into_iter().map(f64::from_le_bytes).collect();
    let questions: Vec<i64> = words(&args[2])?.into_iter().map(i64::from_le_bytes).collect();
    let with_times = args.len() > 4;
    let mut out = std::io::BufWriter::new(std::fs::File::create(&args[3])?);
    for q in questions.chunks_exact(8) {
        let past = &values[q[0] as usize..q[1] as usize];
        let (threshold, upward, horizon, sustain, day) =
            (f64::from_bits(q[2] as u64), q[3] == 1, q[4] as usize, q[5] as usize, q[6] as usize);
        let row = match History::new(past, day, upward, 8) {
            Some(history) => {
                let threshold = history.scaled(threshold);
                let features = Features::new(&history, threshold, horizon, sustain);
                let mut row = features.values.to_vec();
                if with_times {
                    let times = Times::new(&history, &features.backtest, horizon, sustain, threshold);
                    row.extend((1..20).map(|q| times.quantile(f64::from(q) / 20.0) / horizon as f64));
                }
                row
            }
            None => vec![f64::NAN; FEATURES + if with_times { 19 } else { 0 }],
        };
        for value in row {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    out.flush()
}
