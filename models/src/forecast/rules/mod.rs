//! The family's members: simple causal rules, each right about some kind of series.
//!
//! Each takes the values up to an origin and says the steps after it. Alone most are naive; weighed by their own past errors they are hard
//! to beat.

mod analog;
mod augurs;
mod autoregression;
mod blend;
mod day;
mod holt;
mod level;
#[cfg(feature = "prophet")]
mod prophet;
mod rhythms;
mod ridge;
mod root;
mod sawtooth;
mod theta;
mod tooth;
mod trend;
mod winters;

pub(super) use analog::{ANALOG_LEVEL, ANALOG_QUARTER, ANALOG_SHORT};
pub(super) use augurs::{Ets, Mstl};
pub(super) use autoregression::{NARROW, WIDE};
pub(super) use blend::{Blend, average};
pub(super) use day::{SEASONAL, SEASONAL_GROWTH, SEASONAL_MEDIAN, WEEKLY_SHIFTED};
pub(super) use holt::DampedHolt;
pub(super) use level::{LAST, MEDIAN_DAY};
#[cfg(feature = "prophet")]
pub(super) use prophet::Prophet;
pub(super) use rhythms::TwoRhythms;
pub(super) use sawtooth::Sawtooth;
pub(super) use theta::Theta;
pub(super) use tooth::Resets;
pub(super) use trend::{DRIFT, TREND_LONG, TREND_SHORT};
pub(super) use winters::HoltWinters;

use super::told::{Past, Rule, Told};

/// Takes the past, the season (0, or with two of it in the past) and where the current tooth of a sawtooth began; writes the steps
/// after; `false` where it has nothing to say. `room` is for whatever it has to put somewhere.
type Say = fn(past: &[f64], season: usize, since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool;

/// A rule that needs nothing but the past of one origin, asked at each in turn.
pub(super) struct Plain {
    name: &'static str,
    say: Say,
}

impl Rule for Plain {
    fn name(&self) -> &'static str {
        self.name
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        let mut room = Vec::new();
        for (o, &origin) in past.origins.iter().enumerate() {
            let season = if origin >= 2 * past.season { past.season } else { 0 };
            told.write(o, |out| (self.say)(&past.values[..origin], season, past.resets.since(o, origin - 1), out, &mut room));
        }
    }
}

/// Puts values into a room, and lends them from there.
fn kept(room: &mut Vec<f64>, values: impl Iterator<Item = f64>) -> &mut [f64] {
    room.clear();
    room.extend(values);
    room
}

/// What a rule says about values now.
#[cfg(test)]
fn said(rule: &dyn Rule, values: &[f64], season: usize, horizon: usize) -> Option<Vec<f64>> {
    use super::{Bounds, Context};
    let context = Context::new(values, season, Bounds::default());
    let origins = [values.len() - 30, values.len() - 7, values.len()];
    let resets = Resets::new(context.values(), &origins);
    let mut told = Told::new(&origins, values.len(), horizon);
    rule.tell(
        &Past { values: context.values(), season: context.season(), resets: &resets, origins: &origins, context: &context },
        &mut told,
    );
    told.path(2).map(<[f64]>::to_vec)
}
