//! One series of a running engine.

use super::{
    BreachSaid, Explanation, ForecastSaid, HistorySaid, NormalSaid, ProfileSaid, Said, ScoreSaid, WidthsSaid, base_rate, forecast, number,
    periods, trend,
};
use crate::core::civil;
use crate::core::engine::{Engine, Inherited, SeriesView};
use crate::core::labels::SeriesId;
use crate::core::outlook::{self, Fit, Outlook};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Side, Watch};

/// What the engine knows about one series of a watch; `None` when it does not know the series.
pub fn of_series(engine: &Engine, watch: usize, series: SeriesId) -> Option<Explanation> {
    let (selection, inherited) = engine.about(watch, series)?;
    let (view, fit) = engine.find(watch, series)?;
    let watch = engine.watches().nth(watch)?;
    // The watch as this series sees it.
    let own = Watch { profile: selection.profile.clone(), ..(**watch).clone() };
    let (block, row) = (view.block, view.row);
    let last = block.last(row).map(|(ms, value)| (Timestamp::from_millis(ms), value));
    let span = block.first_ms(row).zip(last).map_or(Span::ZERO, |(first, (last, _))| last - Timestamp::from_millis(first));
    let history = HistorySaid {
        span_s: span.as_secs_f64(),
        needed_s: own.baseline.min_history.as_secs_f64(),
        inherited_from: inherited.map_or(0, |i| i.siblings),
        wider: inherited.map(|i| i.wider),
    };
    let mut not_said = Vec::new();
    if history.is_cold() {
        not_said.push(format!("nothing is raised before {} of history", own.baseline.min_history));
    }
    let (normal, score) = last.map_or((None, None), |(at, _)| judged(&view, &own, inherited, history.is_cold(), at));
    let hours = block.coarse_means(row);
    let geometry = block.geometry();
    let hour = Span::from_millis(geometry.bucket_ms);
    let mut periods_s = periods(&hours, hour, geometry.buckets_per_day());
    if periods_s.is_empty() && block.summary(row).seasonal {
        periods_s.push(Span::DAY.as_secs_f64());
    }
    let fit = fit.filter(|_| !own.profile.deadline);
    if fit.is_none() && !own.profile.deadline {
        not_said.push("no forecast: too few closed buckets".to_owned());
    }
    let now = last.map_or(Timestamp::default(), |(at, _)| at);
    let ahead = fit.as_ref().map(|fit| {
        let widen = fit.widen(view.widths, &own);
        let passed = fit.elapsed(now).max(0.0);
        let widths = WidthsSaid { near: view.widths.of(false), far: view.widths.of(true), settled: view.widths.settled() };
        ForecastSaid { widths: Some(widths), ..forecast(&fit.fitted, fit.origin, fit.step, passed, own.horizon, widen) }
    });
    let limit = own.limit.as_ref().filter(|_| !view.threshold.is_nan() && !history.is_cold());
    let breach = limit.zip(last).map(|(limit, (at, value))| breach(&view, fit.as_ref(), &own, limit.side, at, value, &hours));
    Some(Explanation {
        watch: Some(own.name.to_string()),
        series: view.labels.to_string(),
        labels: view.labels.clone(),
        at: last.map(|(at, _)| at),
        value: last.map(|(_, value)| value),
        profile: ProfileSaid::from(selection),
        history,
        periods_s,
        normal,
        score,
        forecast: ahead,
        breach,
        not_said,
    })
}

/// What is normal now, and how odd the last value was.
fn judged(
    view: &SeriesView<'_>,
    watch: &Watch,
    inherited: Option<Inherited>,
    is_cold: bool,
    at: Timestamp,
) -> (Option<NormalSaid>, Option<ScoreSaid>) {
    let (block, row, sigma) = (view.block, view.row, watch.baseline.sigma);
    let own = block.expected(row, at.as_millis(), civil::hour_of_day(&watch.zone, at));
    let Some(band) = inherited.map(|inherited| inherited.band).or(own) else { return (None, None) };
    let normal = NormalSaid { expected: band.expected, lower: band.lower(sigma), upper: band.upper(sigma) };
    (Some(normal), view.scored.filter(|_| !is_cold).map(super::samples::score))
}

fn breach(view: &SeriesView<'_>, fit: Option<&Fit>, watch: &Watch, side: Side, at: Timestamp, value: f64, hours: &[f64]) -> BreachSaid {
    let (block, row, threshold) = (view.block, view.row, view.threshold);
    let outlook = fit.map(|fit| outlook::outlook(block, row, fit, at, watch, side, threshold, view.settled));
    let mut reasons = Vec::new();
    if view.breached {
        reasons.push(Said::new("breached", "it is past the threshold now"));
    }
    let per_hour = outlook::rate_per_minute(block, row) * 60.0;
    reasons.push(trend(per_hour, threshold - value));
    if watch.profile.deadline {
        reasons.push(Said::new("deadline", "it moves with the clock: the moment is worked out and not guessed"));
    }
    if let Some(outlook) = &outlook {
        reasons.extend(said(outlook));
    }
    let steps = (watch.horizon.as_millis() / block.geometry().bucket_ms.max(1)) as usize;
    let base_rate = base_rate(hours, steps, side, threshold);
    if let Some(rate) = base_rate {
        reasons.push(Said::new("base_rate", format!("{:.0} % of past stretches of {} held one", 100.0 * rate, watch.horizon)));
    }
    let open = view.lives.iter().find(|life| life.is_open());
    let eta_s = match (open, &outlook) {
        (Some(life), _) => {
            let eta = &life.prediction.eta;
            [eta.p10, eta.p50, eta.p90].map(|eta| eta.map(|eta| (eta - at).as_secs_f64().max(0.0)))
        }
        (None, Some(outlook)) => outlook.eta_s,
        (None, None) => [None; 3],
    };
    let horizon_s = watch.horizon.as_secs_f64();
    // What the engine last said, which may be of a look some minutes ago.
    BreachSaid { side, threshold, horizon_s, likelihood: view.likelihood, eta_s, base_rate, reasons }
}

fn said(outlook: &Outlook) -> Vec<Said> {
    let path = match outlook.median_s {
        Some(s) => format!("the median path reaches it in {}", Span::from_secs(s as i64)),
        None => "the median path does not reach it within the horizon".to_owned(),
    };
    let errors =
        format!("{} past forecasts were typically {} off at the end of the horizon", outlook.origins, number(outlook.typical_error));
    vec![Said::new("path", path), Said::new("past_errors", errors)]
}
