//! `portent forecast --cases`: will it be at or past the limit within the horizon, and when? Against always saying how often it is, and
//! against `predict_linear`, the rule that most alerts have.

use portent::core::time::Timestamp;
use portent::datasets::{Limit, SUSTAIN};
use portent_models::accuracy::{Brier, average_precision, brier, reliability};

use super::data::{Series, Set};
use super::line::Line;
use super::portent::Portent;

/// Questions about a series are this far apart, so that they are asked at every other hour: all of them, not a chosen mixture, so that what
/// is asked breaks as often as it does in life.
const APART_S: f64 = 7.0 * 3_600.0;
/// From here on a likelihood is a call.
const CALLED: f64 = 0.5;
/// Ranges of stated probabilities, and how many answers one needs to count.
const EDGES: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.9, 1.0];
const LEAST_IN_BIN: usize = 30;
/// What `predict_linear` looks back over.
const LOOK_BACK_S: [f64; 2] = [3_600.0, 6.0 * 3_600.0];
const RIVALS: [&str; 2] = ["predict_linear over 1 h", "predict_linear over 6 h"];
const BASE_RATE: &str = "the base rate";

/// A question with its truth.
struct Question {
    series: String,
    origin_s: f64,
    horizon_s: f64,
    /// Seconds until the first breach; `None` where there is none within the horizon.
    breaks_after_s: Option<f64>,
    rivals: [Answer; 2],
}

/// What was said: a probability, and after how many seconds.
#[derive(Clone, Copy)]
struct Answer {
    likelihood: f64,
    after_s: Option<f64>,
}

pub fn measure(portent: &Portent, sets: &[Set]) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut all, mut all_said) = (Vec::new(), Vec::new());
    for set in sets {
        let Some(limit) = set.card.limit else { continue };
        let questions: Vec<Question> = set.series.iter().flat_map(|series| ask(set, series, limit)).collect();
        let answers = answer(portent, set, limit, &questions);
        lines.extend(write(&set.card.name, &questions, &answers));
        all_said.extend(answers);
        all.extend(questions);
    }
    lines.extend(write("all", &all, &all_said));
    lines
}

/// Every seven hours, where the series is well and the whole horizon is known.
fn ask(set: &Set, series: &Series, limit: Limit) -> Vec<Question> {
    let is_bad = |value: f64| limit.side.is_breach(value, limit.threshold);
    let horizon_s = limit.horizon.as_secs_f64();
    let last = series.times[series.times.len() - 1];
    let first = set.card.scored_from.map_or(series.times[0] + 7.0 * 86_400.0, Timestamp::as_secs_f64);
    let count = ((last - horizon_s - first) / APART_S).max(0.0) as usize;
    let mut questions = Vec::with_capacity(count);
    for n in 0..count {
        let origin_s = first + APART_S * n as f64;
        let past = series.times.partition_point(|at| *at <= origin_s);
        if past == 0 || is_bad(series.values[past - 1]) {
            continue;
        }
        let breaks = series.values[past..]
            .windows(SUSTAIN)
            .zip(&series.times[past..])
            .take_while(|(_, at)| **at <= origin_s + horizon_s)
            .find(|(window, _)| window.iter().all(|v| is_bad(*v)));
        questions.push(Question {
            series: series.name.clone(),
            origin_s,
            horizon_s,
            breaks_after_s: breaks.map(|(_, at)| at - origin_s),
            rivals: LOOK_BACK_S.map(|back| predict_linear(&series.times[..past], &series.values[..past], back, origin_s, limit)),
        });
    }
    questions
}

/// Least squares over the last `back_s`, drawn on: at the limit by the horizon's end, or not; and when.
fn predict_linear(times: &[f64], values: &[f64], back_s: f64, origin_s: f64, limit: Limit) -> Answer {
    let from = times.partition_point(|at| *at <= origin_s - back_s);
    let n = (times.len() - from) as f64;
    let (mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0);
    for (at, y) in times[from..].iter().zip(&values[from..]) {
        let x = at - origin_s;
        (sx, sy, sxx, sxy) = (sx + x, sy + y, sxx + x * x, sxy + x * y);
    }
    let spread = n * sxx - sx * sx;
    let slope = if spread > 0.0 { (n * sxy - sx * sy) / spread } else { 0.0 };
    let now = (sy - slope * sx) / n;
    let end = now + slope * limit.horizon.as_secs_f64();
    let called = n >= 2.0 && limit.side.is_breach(end, limit.threshold);
    let after = (limit.threshold - now) / slope;
    Answer { likelihood: f64::from(u8::from(called)), after_s: Some(after.max(0.0)).filter(|_| called && slope != 0.0) }
}

/// Asks all questions of a set in one run.
fn answer(portent: &Portent, set: &Set, limit: Limit, questions: &[Question]) -> Vec<Answer> {
    let mut csv = format!("case,series,origin,horizon_s,{},sustain\n", limit.side.as_str());
    for (case, question) in questions.iter().enumerate() {
        let origin = Timestamp::from_secs_f64(question.origin_s);
        csv += &format!("{case},{},{origin},{},{},{SUSTAIN}\n", question.series, limit.horizon.as_secs_f64(), limit.threshold);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), csv).unwrap();
    let cases = file.path().display().to_string();
    let out = portent.run("forecast", &set.file, &["--cases", &cases, "-o", "jsonl"]);
    let mut answers: Vec<Option<Answer>> = vec![None; questions.len()];
    for line in out.lines() {
        let said: serde_json::Value = serde_json::from_str(line).unwrap();
        let case: usize = said["case"].as_str().unwrap().parse().unwrap();
        answers[case] = Some(Answer { likelihood: said["likelihood"].as_f64().unwrap(), after_s: said["eta_s"]["p50"].as_f64() });
    }
    answers.into_iter().map(|answer| answer.expect("an answer to every question")).collect()
}

/// Median of how far the foretold time was off, as a share of the horizon, where a breach was called and came.
fn time_error(questions: &[Question], answers: &[Answer]) -> f64 {
    let mut off: Vec<f64> = questions
        .iter()
        .zip(answers)
        .filter(|(_, answer)| answer.likelihood >= CALLED)
        .filter_map(|(question, answer)| Some((answer.after_s? - question.breaks_after_s?).abs() / question.horizon_s))
        .collect();
    off.sort_by(f64::total_cmp);
    off.get(off.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Furthest that a range of stated probabilities lies from what came of it.
fn worst_bin(stated: &[f64], came: &[bool]) -> f64 {
    let bins = reliability(stated, came, &EDGES);
    bins.iter().filter(|bin| bin.count >= LEAST_IN_BIN).map(|bin| (bin.stated - bin.came).abs()).fold(f64::NAN, f64::max)
}

fn write(set: &str, questions: &[Question], answers: &[Answer]) -> Vec<Line> {
    let came: Vec<bool> = questions.iter().map(|q| q.breaks_after_s.is_some()).collect();
    let stated = |answers: &[Answer]| answers.iter().map(|a| a.likelihood).collect::<Vec<f64>>();
    let ours = stated(answers);
    let Brier { score, skill, base_rate } = brier(&ours, &came);
    let constant = base_rate * (1.0 - base_rate);
    let false_calls = |stated: &[f64]| {
        let quiet: Vec<f64> = stated.iter().zip(&came).filter(|(_, came)| !**came).map(|(p, _)| *p).collect();
        quiet.iter().filter(|p| **p >= CALLED).count() as f64 / quiet.len() as f64
    };
    let mut lines = Vec::new();
    let mut line = |metric, ours, rival, rival_name| {
        lines.push(Line { part: "breaches", set: set.to_owned(), metric, ours, rival, rival_name, of: questions.len() });
    };
    line("Brier score", score, constant, BASE_RATE);
    line("skill over the base rate", skill, 0.0, BASE_RATE);
    line("average precision", average_precision(&ours, &came), base_rate, BASE_RATE);
    for (which, name) in RIVALS.into_iter().enumerate() {
        let rival: Vec<Answer> = questions.iter().map(|q| q.rivals[which]).collect();
        let theirs = stated(&rival);
        line("Brier score", score, brier(&theirs, &came).score, name);
        line("average precision", average_precision(&ours, &came), average_precision(&theirs, &came), name);
        line("false calls of quiet horizons", false_calls(&ours), false_calls(&theirs), name);
        line("time error / horizon, median", time_error(questions, answers), time_error(questions, &rival), name);
        line("worst bin of reliability", worst_bin(&ours, &came), worst_bin(&theirs, &came), name);
    }
    lines
}
