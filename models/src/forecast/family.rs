//! The family by name.

#[cfg(feature = "prophet")]
use super::rules::Prophet;
use super::rules::{
    ANALOG_QUARTER, Blend, DRIFT, DampedHolt, Ets, HoltWinters, LAST, MEDIAN_DAY, Mstl, NARROW, SEASONAL, SEASONAL_MEDIAN, Sawtooth, Theta,
    TwoRhythms, WIDE,
};
use super::single::Single;
use super::told::Rule;
use super::{Ensemble, Model};

static AUTOREGRESSION: Blend = Blend { name: "autoregression", rules: [&WIDE, &NARROW] };

/// How many members can be asked for alone.
const COUNT: usize = 14 + cfg!(feature = "prophet") as usize;

const SINGLES: [&dyn Rule; COUNT] = [
    &LAST,
    &MEDIAN_DAY,
    &SEASONAL,
    &SEASONAL_MEDIAN,
    &DRIFT,
    &DampedHolt,
    &HoltWinters,
    &Theta,
    &AUTOREGRESSION,
    &ANALOG_QUARTER,
    &TwoRhythms,
    &Sawtooth,
    &Mstl,
    &Ets,
    #[cfg(feature = "prophet")]
    &Prophet,
];

/// Names that [`by_name`] knows; the first is the default, the combination of the family.
pub const NAMES: [&str; COUNT + 1] = [
    "auto",
    "naive",
    "median-day",
    "seasonal-naive",
    "seasonal-median",
    "drift",
    "holt",
    "holt-winters",
    "theta",
    "autoregression",
    "analog",
    "two-rhythms",
    "sawtooth",
    "mstl",
    "ets",
    #[cfg(feature = "prophet")]
    "prophet",
];

/// Members that exist but were left out of this build, each with the cargo feature that brings it.
pub const ABSENT: &[(&str, &str)] = &[
    #[cfg(not(feature = "prophet"))]
    ("prophet", "prophet"),
];

/// The model of that name.
pub fn by_name(name: &str) -> Option<Box<dyn Model>> {
    if matches!(name, "auto" | "ensemble") {
        return Some(Box::new(Ensemble));
    }
    let rule = SINGLES.into_iter().find(|rule| rule.name() == name)?;
    Some(Box::new(Single(rule)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_model_and_every_model_its_name() {
        for name in &NAMES[1..] {
            assert_eq!(by_name(name).unwrap().name(), *name);
        }
        assert!(by_name("auto").is_some() && ABSENT.iter().all(|(name, _)| by_name(name).is_none()));
    }
}
