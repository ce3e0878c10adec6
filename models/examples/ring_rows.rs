//! Features of many breach questions as a block's rings show them, for fitting (see `models/fit/fit_rings.py`).
//!
//! `ring_rows VALUES.f64 QUESTIONS.i64 OUT.f64`: the files of `breach_rows`. Samples go through a real [`Block`] with a week's window.

use std::io::Write;

use portent_models::baseline::{Block, Geometry, SLOTS};
use portent_models::breach::rings::{RING_FEATURES, RingQuestion, Week};
use portent_models::forecast::{Bounds, Context, Ensemble, Model};
use portent_models::robust::{SIGMA_PER_MAD, median_mut};

const WEEK_MS: i64 = 604_800_000;
const DAY_MS: i64 = 86_400_000;

/// A block that has been fed a series up to some index. It forgets what is older than a week.
struct Fed {
    begun: usize,
    at: usize,
    step_ms: i64,
    block: Block,
}

impl Fed {
    fn new(begun: usize, step_ms: i64) -> Self {
        let mut block = Block::new(Geometry::new(WEEK_MS, step_ms));
        block.add_row();
        Self { begun, at: begun, step_ms, block }
    }

    fn feed(&mut self, values: &[f64], until: usize) {
        let bucket_ms = self.block.geometry().bucket_ms;
        for (i, value) in values.iter().enumerate().take(until).skip(self.at) {
            let at = i as i64 * self.step_ms;
            self.block.advance(at, &|bucket| ((bucket * bucket_ms).rem_euclid(DAY_MS) * SLOTS as i64 / DAY_MS) as usize);
            if value.is_finite() {
                self.block.observe(0, at, *value, f64::NAN);
            }
        }
        self.at = until;
    }

    fn row(&self, question: &RingQuestion) -> Option<[f64; RING_FEATURES]> {
        let geometry = self.block.geometry();
        let week = Week::new(&self.block, 0, question)?;
        let steps = (question.horizon_ms / geometry.bucket_ms) as usize + 3;
        let context = Context::new(&self.block.coarse_means(0), geometry.buckets_per_day(), Bounds::default());
        let fitted = Ensemble.fit(&context, steps).ok()?;
        // As the daemon does it: the median path is brought to where the series stands, as far as it is more than noise.
        let hours = |ms: i64| ms as f64 / geometry.bucket_ms as f64;
        let at_ms = (self.at as i64 - 1) * self.step_ms;
        let elapsed = hours(at_ms - (self.block.newest_bucket() - 1) * geometry.bucket_ms) - 0.5;
        let (position, median) = ((elapsed - 1.0).max(0.0), fitted.median());
        let at = (position as usize).min(median.len() - 2);
        let newest = self.block.newest_fine();
        let near = [self.block.last(0)?.1, self.block.fine_mean(0, newest), self.block.fine_mean(0, newest - 1)];
        let mut near: Vec<f64> = near.into_iter().filter(|v| v.is_finite()).collect();
        let distance = median_mut(&mut near) - (median[at] + (position - at as f64) * (median[at + 1] - median[at]));
        let noise = self.block.within_sigma(0).powi(2);
        let explained = (fitted.errors().typical(0) * SIGMA_PER_MAD).powi(2).max(distance * distance - noise);
        let gain = if explained > 0.0 { explained / (explained + noise) } else { f64::from(u8::from(noise == 0.0)) };
        let passage = fitted.passage(question.threshold, question.upward, gain * distance, elapsed, 1);
        let by_paths = passage.within(elapsed + hours(question.horizon_ms));
        Some(week.features(&self.block, 0, question, by_paths))
    }
}

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let words = |path: &str| -> std::io::Result<Vec<[u8; 8]>> {
        Ok(std::fs::read(path)?.chunks_exact(8).map(|c| c.try_into().expect("chunks are of eight bytes")).collect())
    };
    let values: Vec<f64> = words(&args[1])?.into_iter().map(f64::from_le_bytes).collect();
    let questions: Vec<i64> = words(&args[2])?.into_iter().map(i64::from_le_bytes).collect();
    let mut out = std::io::BufWriter::new(std::fs::File::create(&args[3])?);
    let mut whole = Fed::new(0, 1);
    for q in questions.chunks_exact(8) {
        let (from, to, step_ms) = (q[0] as usize, q[1] as usize, DAY_MS / q[6]);
        // Questions of one series with one past come one after the other; a shortened past is fed by itself.
        let mut own = Fed::new(from, step_ms);
        let goes_on = whole.begun == from && whole.step_ms == step_ms && whole.at <= to && to - from > 4 * q[6] as usize;
        let fed = if goes_on { &mut whole } else { &mut own };
        fed.feed(&values, to);
        let question = RingQuestion { threshold: f64::from_bits(q[2] as u64), upward: q[3] == 1, horizon_ms: q[4] * step_ms };
        for value in fed.row(&question).unwrap_or([f64::NAN; RING_FEATURES]) {
            out.write_all(&value.to_le_bytes())?;
        }
        if !goes_on && to - from > 4 * q[6] as usize {
            whole = own;
        }
    }
    out.flush()
}
