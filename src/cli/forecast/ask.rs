//! One question about one series, and its answer.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use portent_models::breach::FirstPassage;
use portent_models::forecast::{ABSENT, Bounds, Ensemble, Model, NAMES, by_name};

use crate::config::profiles;
use crate::core::ahead::{Ahead, AheadError, Given};
use crate::core::calendar::Days;
use crate::core::selection::{Behaviour, Selecting};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;
use crate::source::replay::{DataSeries, infer_step};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub case: Option<&'a str>,
    pub name: &'a str,
    pub series: Option<&'a DataSeries>,
    /// `None`: the last sample.
    pub origin: Option<Timestamp>,
    pub horizon: Span,
    pub limit: Option<(Side, f64)>,
    pub sustain: usize,
    /// `None`: the series' own.
    pub step: Option<Span>,
    pub days: &'a Days,
}

/// Names of models as the command line takes them. One that this build left out is known by name, so that nobody looks for it elsewhere.
pub fn model_name() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(NAMES.into_iter().chain(ABSENT.iter().map(|(name, _)| *name))).try_map(|name| {
        match ABSENT.iter().find(|(absent, _)| *absent == name) {
            Some((_, feature)) => Err(format!("this binary was built without it: cargo build --release --features {feature}")),
            None => Ok(name),
        }
    })
}

/// The model of one of the names that the command line takes.
pub fn model(name: &str) -> Box<dyn Model> {
    by_name(name).unwrap_or_else(|| Box::new(Ensemble))
}

impl Ask<'_> {
    /// What the series' name says of its values, as far as they keep to it.
    fn bounds(&self, series: &DataSeries, past: &[(Timestamp, f64)]) -> Bounds {
        let (profile, selecting) = profiles::auto("");
        let behaviour = Behaviour { extremes: past.iter().map(|(_, value)| *value).collect(), ..Behaviour::default() };
        let profile = match &selecting {
            Selecting::Auto(auto) => auto.select(&series.labels, &behaviour).profile,
            Selecting::Written => profile,
        };
        profile.bounds(self.limit)
    }

    /// The fitted series, or why there is none, for people.
    pub fn answer(&self, model: &dyn Model) -> Result<Ahead, String> {
        let Some(series) = self.series else { return Err("no such series".to_owned()) };
        let Some(&(last, _)) = series.samples.last() else { return Err("it has no samples".to_owned()) };
        let origin = self.origin.unwrap_or(last);
        let past = &series.samples[..series.samples.partition_point(|(at, _)| *at <= origin)];
        // The step is inferred from the past alone: what comes after the origin must not change a word.
        let step = self.step.or_else(|| infer_step(past)).unwrap_or(series.step);
        // Of a case nothing is told but whether and when: no path is fitted for it unless a model was named.
        let is_default = by_name(NAMES[0]).is_some_and(|default| default.name() == model.name());
        let model: &dyn Model = if self.case.is_some() && is_default { &FirstPassage } else { model };
        // Whether and when is told without a path, so no bound can matter.
        let bounds = if self.case.is_some() { Bounds::default() } else { self.bounds(series, past) };
        let given = Given { days: self.days, bounds };
        let ahead = Ahead::given(past, step, origin, self.horizon, self.sustain, model, given).map_err(|error| match error {
            AheadError::TooManySteps { .. } => format!("{error}; choose a longer --step or a shorter horizon"),
            error => error.to_string(),
        })?;
        // Answered here, where questions run side by side, not where answers are written one by one.
        Ok(match self.limit {
            Some((side, threshold)) => ahead.asked(side, threshold, self.sustain),
            None => ahead,
        })
    }
}
