//! `portent detect` against the distance from the mean of seven days, in sigmas: the rule that most dashboards have.

use std::collections::HashMap;

use portent_models::accuracy::{Alarms, Truth, alarms, vus_pr};

use super::data::{Series, Set, spans};
use super::line::Line;
use super::portent::{Portent, number, rows};

const WEEK_S: f64 = 604_800.0;
const HOUR_S: f64 = 3_600.0;
/// The rival's alarm, in sigmas.
const SIGMAS: f64 = 3.0;
const RIVAL: &str = "7-day mean, 3 sigma";

/// Figures of one set, ours and the rival's.
#[derive(Default)]
struct Figures {
    vus: [Vec<f64>; 2],
    alarms: [Alarms; 2],
    series: usize,
}

pub fn measure(portent: &Portent, sets: &[Set]) -> Vec<Line> {
    let mut lines = Vec::new();
    for set in sets.iter().filter(|set| set.card.anomalies) {
        let csv = portent.run("detect", &set.file, &["-o", "csv"]);
        let mut scores: HashMap<&str, Vec<f64>> = HashMap::new();
        for cells in rows(&csv) {
            scores.entry(cells[0]).or_default().push(number(cells[6]));
        }
        let mut figures = Figures::default();
        for series in &set.series {
            figures.add(set, series, &scores[series.name.as_str()]);
        }
        lines.extend(figures.lines(&set.card.name));
    }
    lines
}

/// |value - mean| / sigma of the seven days before; 0 until there is half a day.
fn rival(series: &Series, step_s: f64) -> Vec<f64> {
    let window = (WEEK_S / step_s) as usize;
    let least = window / 14;
    let (mut sum, mut squares) = (0.0, 0.0);
    // About the first value, so that squares of large values do not drown the variance.
    let zero = series.values[0];
    let mut scores = Vec::with_capacity(series.values.len());
    for (i, value) in series.values.iter().enumerate() {
        let n = i.min(window) as f64;
        let mean = sum / n;
        let sigma = ((squares / n - mean * mean).max(0.0) * n / (n - 1.0)).sqrt().max(1e-9);
        scores.push(if i >= least { (value - zero - mean).abs() / sigma } else { 0.0 });
        let entering = value - zero;
        (sum, squares) = (sum + entering, squares + entering * entering);
        if i >= window {
            let leaving = series.values[i - window] - zero;
            (sum, squares) = (sum - leaving, squares - leaving * leaving);
        }
    }
    scores
}

impl Figures {
    fn add(&mut self, set: &Set, series: &Series, ours: &[f64]) {
        assert_eq!(ours.len(), series.values.len(), "{}: a score a sample", series.name);
        let incidents = spans(&set.card.incidents, &series.name);
        let judged: Vec<usize> = (0..ours.len()).filter(|&i| set.is_judged(&series.name, series.times[i])).collect();
        let pick = |values: &[f64]| judged.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let times = pick(&series.times);
        let odd: Vec<bool> = times.iter().map(|at| incidents.iter().any(|(begins, ends)| (*begins..=*ends).contains(at))).collect();
        let scored: Vec<(f64, f64)> = incidents.into_iter().filter(|(begins, _)| set.is_judged(&series.name, *begins)).collect();
        // As long as a stretch usually is.
        let mut lengths: Vec<usize> = scored.iter().map(|(begins, ends)| ((ends - begins) / set.step_s()) as usize).collect();
        lengths.sort_unstable();
        let truth = Truth { odd, buffer: lengths.get(lengths.len() / 2).copied().unwrap_or(0) };
        self.series += 1;
        for (which, (scores, threshold)) in [(pick(ours), 1.0), (pick(&rival(series, set.step_s())), SIGMAS)].into_iter().enumerate() {
            let volume = vus_pr(&truth, &scores);
            self.vus[which].extend(Some(volume).filter(|v| v.is_finite()));
            let merge = HOUR_S.max(2.0 * set.step_s());
            self.alarms[which] = self.alarms[which].plus(alarms(&times, &scores, threshold, &scored, merge, set.step_s(), WEEK_S));
        }
    }

    fn lines(&self, set: &str) -> Vec<Line> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let [ours, rival] = &self.alarms;
        [
            ("VUS-PR, mean", mean(&self.vus[0]), mean(&self.vus[1]), self.vus[0].len()),
            ("recall at score 1.0", ours.recall(), rival.recall(), ours.incidents),
            ("precision at score 1.0", ours.precision(), rival.precision(), ours.right + ours.wrong),
            ("false alarms a series-week", ours.wrong_a_week(), rival.wrong_a_week(), self.series),
        ]
        .into_iter()
        .map(|(metric, ours, rival, of)| Line { part: "anomalies", set: set.to_owned(), metric, ours, rival, rival_name: RIVAL, of })
        .collect()
    }
}
