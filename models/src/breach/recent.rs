//! What a row's last hours say about a question, which its closed hours cannot: where the series stands, how it moves, how wide an hour is.

use super::odds::squash;
use super::rings::{RingQuestion, Unit};
use crate::baseline::{Block, FINE};
use crate::robust::{median_mut, median_slope};

/// Number of the numbers.
pub const RECENT: usize = 10;

/// What each of them is called in the fit.
pub const RECENT_NAMES: [&str; RECENT] =
    ["gap_now", "gap_hour", "gap_noise", "gap_highest", "reach_1h", "reach_5h", "moved", "within", "within_now", "sub"];

/// Noise within an hour counts as at least this share of the week's range: a level line is not infinitely sure.
const MIN_NOISE: f64 = 0.005;

/// The numbers, bounded and without unit; 0 where nothing is known.
pub(super) fn recent(block: &Block, row: usize, unit: &Unit, question: &RingQuestion) -> [f64; RECENT] {
    let geometry = block.geometry();
    let newest = block.newest_fine();
    let fine = |age: i64| block.fine_mean(row, newest - age);
    let last = block.last(row).map_or(f64::NAN, |(_, value)| value);
    // One wild sample moves nothing.
    let mut near: Vec<f64> = [last, fine(0), fine(1)].into_iter().filter(|v| v.is_finite()).collect();
    let now = unit.of(median_mut(&mut near));
    let an_hour = (geometry.bucket_ms / geometry.fine_ms).clamp(1, FINE as i64 - 1);
    let scaled = |ages: i64| -> Vec<f64> { (0..ages).rev().map(|age| unit.of(fine(age))).collect() };
    let (hour, all) = (scaled(an_hour + 1), scaled(FINE as i64 - 1));
    let highest = hour.iter().copied().filter(|v| v.is_finite()).fold(now, f64::max);
    let size = |sigma: f64| (unit.slope * sigma).abs();
    let within = size(block.within_sigma(row));
    let noise = within.max(MIN_NOISE);
    let closed = block.bucket_moments(row, block.newest_bucket() - 1);
    let within_now = if closed.count > 1.0 { size((closed.m2 / (closed.count - 1.0)).sqrt()) } else { within };
    let threshold = unit.of(question.threshold);
    let left = threshold - now;
    let ahead = question.horizon_ms as f64 / geometry.fine_ms as f64;
    let reach = |slope: f64| if left <= 0.0 { REACHED } else { squash(slope * ahead / left, REACHED) };
    let numbers = [
        squash(left / unit.wide, 5.0),
        squash((threshold - highest) / unit.wide, 5.0),
        squash(left / noise, 8.0),
        squash((threshold - unit.highest) / noise, 8.0),
        reach(median_slope(&hour)),
        reach(median_slope(&all)),
        squash((now - unit.lately) / unit.wide, 4.0),
        squash((noise / unit.wide).ln(), 3.0),
        squash((within_now.max(0.4 * MIN_NOISE) / noise).ln(), 3.0),
        f64::from(u8::from(within > 0.0)),
    ];
    numbers.map(|number| if number.is_finite() { number } else { 0.0 })
}

/// Growth that covers what is left so many times is as good as there.
const REACHED: f64 = 3.0;
