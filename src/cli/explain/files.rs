//! An explanation of a series of data files.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::{Failure, not_found, several};
use crate::config::profiles;
use crate::core::explain::{Explanation, Sampled, of_samples};
use crate::core::labels::METRIC_NAME;
use crate::core::selection::Selecting;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{BaselineSettings, Profile, Side};
use crate::source::replay::{self, DataSeries, Selector, infer_step};

/// Samples before which no score is given, whatever the step: as in `detect`.
const MIN_SAMPLES: i64 = 24;

/// What is asked.
pub struct Ask<'a> {
    pub paths: &'a [PathBuf],
    pub series: Option<&'a str>,
    pub origin: Option<Timestamp>,
    pub horizon: Span,
    pub limit: Option<(Side, f64)>,
    pub sustain: usize,
    pub zone: TimeZone,
}

pub fn explain(ask: &Ask<'_>) -> Result<Explanation, Failure> {
    let data = replay::read(ask.paths)?;
    let series = choose(&data.series, ask)?;
    let Some(&(last, _)) = series.samples.last() else {
        return Err(Failure::new(format!("cannot explain {}: it has no samples", series.name)));
    };
    let origin = ask.origin.unwrap_or(last);
    let past = &series.samples[..series.samples.partition_point(|(at, _)| *at <= origin)];
    if past.is_empty() {
        let message = format!("cannot explain {}: it has no samples up to {origin}", series.name);
        return Err(Failure::new(message).hint(format!("its first sample is of {}", series.samples[0].0)));
    }
    // By the past alone: what comes after the origin must not change a word.
    let step = infer_step(past).unwrap_or(series.step);
    let usual = BaselineSettings::default();
    let settings = BaselineSettings { min_history: usual.min_history.max(step.times(MIN_SAMPLES)), ..usual };
    let sampled = Sampled {
        name: &series.name,
        labels: &series.labels,
        samples: past,
        step,
        origin,
        horizon: ask.horizon,
        limit: ask.limit,
        sustain: ask.sustain,
        zone: ask.zone.clone(),
        settings,
    };
    let (profile, selecting) = profiles::auto("");
    Ok(of_samples(&sampled, |behaviour| match &selecting {
        Selecting::Auto(auto) => auto.select(&series.labels, behaviour),
        Selecting::Written => crate::core::selection::Selection { profile: Profile::clone(&profile), reasons: Vec::new() },
    }))
}

/// The series that is asked for: the only one, the one of that name, the one that a label's value or a selector is about.
fn choose<'a>(all: &'a [DataSeries], ask: &Ask<'_>) -> Result<&'a DataSeries, Failure> {
    let names = |some: &[&DataSeries]| some.iter().map(|s| s.name.clone()).collect::<Vec<String>>();
    let place = ask.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let every: Vec<&DataSeries> = all.iter().collect();
    let Some(wanted) = ask.series else {
        return match every.as_slice() {
            [only] => Ok(only),
            [] => Err(Failure::new(format!("cannot explain {place}: it holds no series"))),
            _ => Err(several(&place, &names(&every), "choose one with --series NAME")),
        };
    };
    if let Some(series) = all.iter().find(|series| series.name == wanted) {
        return Ok(series);
    }
    // A label's value is what people call a series by, where only one has it.
    let has = |s: &&DataSeries| s.labels.iter().any(|(label, value)| label != METRIC_NAME && value == wanted);
    let mut found: Vec<&DataSeries> = all.iter().filter(has).collect();
    if found.is_empty()
        && let Ok(selector) = wanted.parse::<Selector>()
    {
        found = all.iter().filter(|series| selector.matches(&series.labels)).collect();
    }
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(not_found(wanted, &names(&every))),
        _ => Err(several(wanted, &names(&found), "add labels to --series")),
    }
}
