//! `portent forecast` a day ahead, against tomorrow being like today, with the interval that textbooks give that: the spread of its past
//! errors as a normal distribution (Hyndman, Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., 5.5).

use std::collections::HashMap;

use portent::core::time::{Span, Timestamp};
use portent_models::accuracy::{Errors, errors, seasonal_naive_scale, smape};

use super::data::Set;
use super::line::Line;
use super::portent::{Portent, number, rows};

/// Origins a series, this far apart: they meet every other hour of the day.
const ORIGINS: i64 = 7;
const APART: Span = Span::from_secs(27 * 3_600);
const RIVAL: &str = "seasonal naive";
/// Levels of the intervals and how many sigmas the rival's reach.
const LEVELS: [(f64, f64); 2] = [(0.8, 1.2816), (0.95, 1.96)];

/// Figures of one forecaster over all forecasts of a set.
#[derive(Default)]
struct Figures {
    smape: Vec<f64>,
    mase: Vec<f64>,
    /// By level.
    coverage: [Vec<f64>; 2],
    msis: Vec<f64>,
}

pub fn measure(portent: &Portent, sets: &[Set]) -> Vec<Line> {
    let mut lines = Vec::new();
    for set in sets {
        let end = Timestamp::from_millis((set.series.iter().map(|s| s.times[s.times.len() - 1]).fold(0.0, f64::max) * 1e3) as i64);
        let origins: Vec<Timestamp> = (0..ORIGINS).map(|n| end - Span::DAY - APART.times(n)).collect();
        let times: Vec<String> = origins.iter().map(ToString::to_string).collect();
        let mut arguments = vec!["--horizon", "24h", "--levels", "0.8,0.95", "-o", "csv"];
        for time in &times {
            arguments.extend(["--origin", time]);
        }
        let csv = portent.run("forecast", &set.file, &arguments);
        let mut said: HashMap<(&str, &str), Vec<[f64; 5]>> = HashMap::new();
        for cells in rows(&csv) {
            let path = said.entry((cells[0], cells[1])).or_default();
            path.push([number(cells[3]), number(cells[4]), number(cells[5]), number(cells[6]), number(cells[7])]);
        }
        let (mut ours, mut naive) = (Figures::default(), Figures::default());
        for series in &set.series {
            let grid = series.grid(set.step_s());
            for (origin, time) in origins.iter().zip(&times) {
                let at = ((origin.as_secs_f64() - series.times[0]) / set.step_s()).round() as usize + 1;
                // A series that ended before has no truth.
                let (Some(path), true) = (said.get(&(series.name.as_str(), time.as_str())), at + set.day() <= grid.len()) else { continue };
                judge(&grid, at, set.day(), path, [&mut ours, &mut naive]);
            }
        }
        lines.extend(write(&set.card.name, &ours, &naive));
    }
    lines
}

/// `path` holds, for each step, the median and the intervals' ends, the lower level first.
fn judge(grid: &[f64], at: usize, day: usize, path: &[[f64; 5]], [ours, naive]: [&mut Figures; 2]) {
    let (past, truth) = (&grid[..at], &grid[at..at + day]);
    let scale = seasonal_naive_scale(past, day);
    // A series that does the same each day makes every error infinite.
    if scale.is_nan() || scale <= 0.0 || path.len() < day {
        return;
    }
    let column = |i: usize| path[..day].iter().map(|step| step[i]).collect::<Vec<f64>>();
    let bounds = [(column(1), column(2)), (column(3), column(4))];
    ours.add(truth, &column(0), &bounds, scale);

    let differences: Vec<f64> = past.iter().zip(&past[day..]).map(|(a, b)| b - a).filter(|d| d.is_finite()).collect();
    let sigma = (differences.iter().map(|d| d * d).sum::<f64>() / differences.len() as f64).sqrt();
    // A gap yesterday: the last value that was there at that time of day.
    let same_time = |i: usize| (1..=at / day).map(|days| past[at + i - days * day]).find(|v| v.is_finite()).unwrap_or(past[at - 1]);
    let median: Vec<f64> = (0..day).map(same_time).collect();
    let around = |z: f64| (median.iter().map(|m| m - z * sigma).collect(), median.iter().map(|m| m + z * sigma).collect());
    naive.add(truth, &median, &LEVELS.map(|(_, z)| around(z)), scale);
}

impl Figures {
    fn add(&mut self, truth: &[f64], median: &[f64], bounds: &[(Vec<f64>, Vec<f64>); 2], scale: f64) {
        self.smape.push(smape(truth, median));
        for (i, ((level, _), (lower, upper))) in LEVELS.iter().zip(bounds).enumerate() {
            let Errors { mase, coverage, msis } = errors(truth, median, (lower, upper), *level, scale);
            self.coverage[i].push(coverage);
            if i == 1 {
                self.mase.push(mase);
                self.msis.push(msis);
            }
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    let known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

fn write(set: &str, ours: &Figures, naive: &Figures) -> Vec<Line> {
    let ratio = |a: &[f64], b: &[f64]| mean(a) / mean(b);
    let owa = f64::midpoint(ratio(&ours.smape, &naive.smape), ratio(&ours.mase, &naive.mase));
    [
        ("MASE", mean(&ours.mase), mean(&naive.mase)),
        ("OWA against seasonal naive", owa, 1.0),
        ("inside the 80 % interval", mean(&ours.coverage[0]), mean(&naive.coverage[0])),
        ("inside the 95 % interval", mean(&ours.coverage[1]), mean(&naive.coverage[1])),
        ("MSIS at 95 %", mean(&ours.msis), mean(&naive.msis)),
    ]
    .into_iter()
    .map(|(metric, ours_is, rival)| Line {
        part: "forecasts",
        set: set.to_owned(),
        metric,
        ours: ours_is,
        rival,
        rival_name: RIVAL,
        of: ours.mase.len(),
    })
    .collect()
}
