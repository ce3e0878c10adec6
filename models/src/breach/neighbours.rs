//! What followed the past moments that looked most like now: nearest neighbours among past windows by the means of the last three steps, the
//! last hour, six hours and day.

use super::history::History;
use super::odds::{Share, squash};

/// Moments that are compared: one an hour over four weeks.
const MAX_MOMENTS: usize = 700;
/// Neighbours asked, as a share of all and at most.
const SHARE: f64 = 0.08;
const MOST: usize = 40;
const LEAST: usize = 6;
const LOOKS: usize = 4;

/// Log odds of a breach after the nearest past moments.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    /// Near in level, as it was.
    pub alike: f64,
    /// Near in shape, moved to today's level.
    pub moved: f64,
    /// Distance of the nearest ones in usual distances: how new the present is.
    pub novelty: f64,
}

impl Neighbours {
    pub fn new(history: &History, crests: &[f64], horizon: usize, threshold: f64) -> Self {
        let (n, cycle) = (history.len(), history.cycle());
        let spans = [3, (cycle / 24).max(3), (cycle / 4).max(4), cycle];
        let look = |end: usize| spans.map(|span| history.mean_before(end, span));
        let stride = (crests.len() / MAX_MOMENTS).max(1);
        let moments: Vec<usize> = (cycle.min(crests.len() / 2).max(3)..crests.len()).rev().step_by(stride).collect();
        if moments.len() < LEAST {
            return Self { alike: super::odds::seen(0.0, 0.0), moved: super::odds::seen(0.0, 0.0), novelty: 0.0 };
        }
        let looks: Vec<[f64; LOOKS]> = moments.iter().map(|&o| look(o)).collect();
        let now = look(n);
        let count = ((moments.len() as f64 * SHARE) as usize).clamp(LEAST, MOST);
        // Neighbours in time are one event: they count as so many independent ones.
        let worth = (stride as f64 / horizon as f64).clamp(0.15, 1.0);
        let shape = |l: &[f64; LOOKS]| [l[0] - l[3], l[1] - l[3], l[2] - l[3], 0.0];
        let of_day = |end: usize| {
            let rest = if history.day() > 0 { (n - end) % history.day() } else { 0 };
            let apart = rest.min(history.day().max(rest) - rest) as f64;
            // Half a day off is as far as one and a half sigmas.
            let hours = 3.0 * (apart / cycle as f64);
            hours * hours
        };
        let off: Vec<f64> = moments.iter().map(|moment| of_day(*moment)).collect();
        let ask = |of: &dyn Fn(&[f64; LOOKS]) -> [f64; LOOKS], is_hit: &dyn Fn(usize) -> bool| {
            let points: Vec<[f64; LOOKS]> = looks.iter().map(of).collect();
            let scale = spread(&points);
            let here = of(&now);
            // Squares are in order as their bits are.
            let mut near: Vec<(u64, usize)> = points
                .iter()
                .enumerate()
                .map(|(i, p)| {
                    let square: f64 = (0..LOOKS).map(|d| ((p[d] - here[d]) / scale[d]).powi(2)).sum();
                    ((square + off[i]).to_bits(), i)
                })
                .collect();
            near.select_nth_unstable(count - 1);
            near[..count].sort_unstable();
            let square = |at: usize| f64::from_bits(near[at].0);
            let width = square(count - 1).max(1e-9);
            let mut share = Share::default();
            for (at, (_, i)) in near[..count].iter().enumerate() {
                share.add(is_hit(*i), 1.0 - 0.8 * square(at) / width);
            }
            (share.log_odds(worth), square(count / 2).sqrt())
        };
        let (alike, novelty) = ask(&|l| *l, &|i| crests[moments[i]] >= threshold);
        let (moved, _) = ask(&shape, &|i| crests[moments[i]] - looks[i][1] >= threshold - now[1]);
        Self { alike, moved, novelty: squash(novelty, 4.0) }
    }
}

/// Standard deviation along each axis, never zero.
fn spread(points: &[[f64; LOOKS]]) -> [f64; LOOKS] {
    let n = points.len() as f64;
    std::array::from_fn(|d| {
        let mean = points.iter().map(|p| p[d]).sum::<f64>() / n;
        let variance = points.iter().map(|p| (p[d] - mean).powi(2)).sum::<f64>() / n;
        variance.sqrt().max(1e-6)
    })
}
