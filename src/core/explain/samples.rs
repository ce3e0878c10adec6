//! One series of data files, from its samples: what `forecast` and `detect` say about them, and why.

use portent_models::breach::{GROUPS, Question, Why};
use portent_models::forecast::Ensemble;
use portent_models::score::{self as model, View};

use super::{BreachSaid, Explanation, HistorySaid, NormalSaid, ProfileSaid, Said, ScoreSaid, base_rate, forecast, periods, trend};
use crate::core::ahead::{Ahead, Given, season_steps};
use crate::core::calendar::Days;
use crate::core::labels::Labels;
use crate::core::score::Detector;
use crate::core::selection::{Behaviour, Selection};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{BaselineSettings, Side};

/// A share of the log odds below this is not worth a line.
const LEAST_SHARE: f64 = 0.05;

/// What is asked about a series of files.
#[derive(Clone, Debug)]
pub struct Sampled<'a> {
    pub name: &'a str,
    pub labels: &'a Labels,
    /// In order of time, up to the origin.
    pub samples: &'a [(Timestamp, f64)],
    pub step: Span,
    pub origin: Timestamp,
    pub horizon: Span,
    pub limit: Option<(Side, f64)>,
    pub sustain: usize,
    pub zone: jiff::tz::TimeZone,
    pub settings: BaselineSettings,
}

/// Everything about one series. `select` chooses its profile by how it has behaved.
pub fn of_samples(asked: &Sampled<'_>, select: impl Fn(&Behaviour) -> Selection) -> Explanation {
    let past = &asked.samples[..asked.samples.partition_point(|(at, _)| *at <= asked.origin)];
    let first = past.first().map(|(at, _)| *at);
    let last = past.last().copied();
    let span = first.zip(last).map_or(Span::ZERO, |(first, (last, _))| last - first);
    let needed = asked.settings.min_history;
    let history = HistorySaid { span_s: span.as_secs_f64(), needed_s: needed.as_secs_f64(), inherited_from: 0, wider: None };
    let mut not_said = Vec::new();
    if history.is_cold() {
        not_said.push(format!("no score before {needed} of history"));
    }
    let (normal, score) = judged(asked, past);
    let days = Days { zone: asked.zone.clone(), ..Days::default() };
    let extremes = past.iter().map(|(_, value)| *value).collect();
    let bounds = select(&Behaviour { extremes, ..Behaviour::default() }).profile.bounds(asked.limit);
    let given = Given { days: &days, bounds };
    let ahead = Ahead::given(past, asked.step, asked.origin, asked.horizon, asked.sustain, &Ensemble, given)
        .map_err(|error| not_said.push(format!("no forecast: {error}")))
        .ok();
    let values = ahead.as_ref().map_or(&[][..], Ahead::values);
    let periods_s = periods(values, asked.step, season_steps(asked.step));
    let is_daily = periods_s.iter().any(|s| (s - Span::DAY.as_secs_f64()).abs() < 0.05 * s);
    let behaviour = behaviour(past, asked.step, is_daily);
    let told = ahead.as_ref().map(|ahead| {
        let passed = (ahead.origin - ahead.end()).as_millis() as f64 / ahead.step.as_millis() as f64;
        forecast(&ahead.fitted, ahead.end(), ahead.step, passed, asked.horizon, |_| 1.0)
    });
    let breach = ahead.as_ref().zip(asked.limit).map(|(ahead, (side, threshold))| breach(asked, ahead, side, threshold));
    Explanation {
        watch: None,
        series: asked.name.to_owned(),
        labels: asked.labels.clone(),
        at: last.map(|(at, _)| at),
        value: last.map(|(_, value)| value),
        profile: ProfileSaid::from(select(&behaviour)),
        history,
        periods_s,
        normal,
        score,
        forecast: told,
        breach,
        not_said,
    }
}

/// As of the samples up to the origin. Values of hours, as the engine sees them, where the step is shorter.
fn behaviour(past: &[(Timestamp, f64)], step: Span, is_seasonal: bool) -> Behaviour {
    let width = step.max(Span::HOUR);
    let mut hours: Vec<f64> = Vec::new();
    let mut sums: (i64, f64, f64) = (i64::MIN, 0.0, 0.0);
    for (at, value) in past {
        let bucket = at.as_millis().div_euclid(width.as_millis());
        if bucket != sums.0 {
            if sums.2 > 0.0 {
                hours.push(sums.1 / sums.2);
            }
            // Hours of a gap are one missing value: what counts is that the change across it is not a change of an hour.
            if sums.0 != i64::MIN && bucket > sums.0 + 1 {
                hours.push(f64::NAN);
            }
            sums = (bucket, 0.0, 0.0);
        }
        (sums.1, sums.2) = (sums.1 + value, sums.2 + 1.0);
    }
    let extremes = past.iter().map(|(_, value)| *value).collect();
    let week = (Span::WEEK.as_millis() / width.as_millis()) as usize;
    let recent = &hours[hours.len().saturating_sub(week.max(24))..];
    Behaviour { is_seasonal, ..Behaviour::of_values(recent, width.as_secs_f64(), extremes) }
}

fn judged(asked: &Sampled<'_>, past: &[(Timestamp, f64)]) -> (Option<NormalSaid>, Option<ScoreSaid>) {
    let mut detector = Detector::new(asked.step, &asked.settings, asked.zone.clone());
    let mut last = None;
    for &(at, value) in past {
        last = detector.push(at, value);
    }
    let Some(scored) = last else { return (None, None) };
    let normal = NormalSaid { expected: scored.expected, lower: scored.lower, upper: scored.upper };
    (Some(normal), Some(score(&scored)))
}

/// A calibrated score in words.
pub fn score(scored: &model::Scored) -> ScoreSaid {
    let (view, what) = match scored.view {
        View::Level { over_ms } => ("level", format!("its level over {}", Span::from_millis(over_ms))),
        View::Season => ("season", "how far it is from what is usual at this time of the day and week".to_owned()),
        View::Variation => ("variation", "how much it varies from one sample to the next".to_owned()),
        View::Flatline => ("flatline", "how long it has kept one value".to_owned()),
        View::Silence => ("silence", "how long nothing came before it".to_owned()),
        View::Range => ("range", "a value where none can be".to_owned()),
    };
    let often = if scored.per_week() >= 1.0 {
        format!("something as odd comes {:.0} times a week", scored.per_week())
    } else {
        format!("something as odd comes once in {:.0} weeks", 1.0 / scored.per_week().max(1e-6))
    };
    let text = format!("stands out most by {what}; {often} when nothing is wrong");
    ScoreSaid { score: scored.score, sigmas: scored.sigmas, view: view.to_owned(), per_week: Some(scored.per_week()), text }
}

fn breach(asked: &Sampled<'_>, ahead: &Ahead, side: Side, threshold: f64) -> BreachSaid {
    let said = ahead.breach(side, threshold, asked.sustain);
    let per_hour = ahead.rate_per_minute * 60.0;
    let mut reasons = vec![trend(per_hour, threshold - ahead.current)];
    let (times, told) = ahead.points(&[]);
    let reached = told.median.iter().zip(&times).find(|(value, _)| side.is_breach(**value, threshold));
    reasons.push(Said::new(
        "path",
        match reached {
            Some((_, at)) => format!("the median path reaches it in {}", *at - asked.origin),
            None => "the median path does not reach it within the horizon".to_owned(),
        },
    ));
    let steps = (asked.horizon.as_millis() / ahead.step.as_millis()).max(1) as usize;
    let base_rate = base_rate(ahead.values(), steps, side, threshold);
    if let Some(rate) = base_rate {
        reasons.push(Said::new("base_rate", format!("{:.0} % of past stretches of {} held one", 100.0 * rate, asked.horizon)));
    }
    let question = Question {
        threshold,
        upward: side == Side::Above,
        horizon: steps,
        sustain: asked.sustain,
        day: crate::core::ahead::day_steps(ahead.step),
    };
    if let Some(why) = Why::new(ahead.values(), &question) {
        let mut shares: Vec<(&str, f64)> = GROUPS.into_iter().zip(why.shares).filter(|(_, share)| share.abs() >= LEAST_SHARE).collect();
        shares.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let list: Vec<String> = shares.iter().map(|(group, share)| format!("{group} {share:+.1}")).collect();
        let text = format!("log odds {:+.1} = {:+.1} for any series, {}", why.log_odds(), why.base, list.join(", "));
        reasons.push(Said::new("shares", text));
    }
    let horizon_s = asked.horizon.as_secs_f64();
    BreachSaid { side, threshold, horizon_s, likelihood: said.likelihood, eta_s: said.eta_s, base_rate, reasons }
}
