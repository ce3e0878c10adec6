//! What clocks and calendars know about a series' days, as plain data: the local time of each step and which days are unlike others.
//!
//! A season lives in local time, the grid in universal time. Instead of teaching every rule about clocks, the past is laid on the grid of the
//! *present* local time before anything is fitted (an hour is missing in spring, one is there twice in autumn) and the forecast is read back
//! through the offsets of the steps ahead. Days unlike others (holidays, sales, the end of a month) are taken out of the past that rules learn
//! from, and what set each kind of them apart is put on the steps ahead that lie on days of that kind.
//!
//! Each kind has an effect of its own, as large as the days seen of it prove: what usual days' noise alone would show is not believed
//! (James and Stein's shrinkage, 1961, by its positive part), first of the day as a whole and then of what sets its hours apart from that.

use std::collections::BTreeMap;

use crate::robust::{SIGMA_PER_MAD, median_mut};

/// Past days of one kind that a special one is compared with, a week (or a season) apart.
const USUAL_DAYS: usize = 4;
/// Seasons that the noise of usual days is taken from.
const NOISE_SEASONS: usize = 14;
/// Weeks of seven seasons: holidays move, weekends do not.
const WEEK: usize = 7;

/// One entry for each value of the past, then one for each step ahead; what is not given counts as the last one's offset and as a usual
/// day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    /// Local minus universal time, in steps.
    pub offset_steps: Vec<i32>,
    /// Number of the kind of special day that the step lies on; 0 for a usual day.
    pub kind: Vec<u8>,
}

/// How a path on the grid of the present local time is read at the steps asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// How far the step's local time has moved against the present's, for each step ahead; beyond its end as the last.
    moved: Vec<i32>,
    /// What a day unlike others adds, for each step ahead.
    added: Vec<f64>,
}

impl Reading {
    /// Steps that have to be forecast for `horizon` of them to be read.
    pub(super) fn reach(&self, horizon: usize) -> usize {
        let most = self.moved.iter().take(horizon).copied().max().unwrap_or(0).max(0);
        horizon + most as usize
    }

    pub(super) fn read(&self, path: &[f64], horizon: usize) -> Vec<f64> {
        let last = self.moved.last().copied().unwrap_or(0);
        (0..horizon)
            .map(|h| {
                let moved = self.moved.get(h).copied().unwrap_or(last) as isize;
                let at = h.saturating_add_signed(moved).min(path.len() - 1);
                path[at] + self.added.get(h).copied().unwrap_or(0.0)
            })
            .collect()
    }
}

/// The past on the grid of the present local time without its special days, which of its values are to be believed, and how to read what
/// comes.
pub(super) fn straighten(values: &[f64], season: usize, calendar: &Calendar) -> (Vec<f64>, Vec<bool>, Reading) {
    let n = values.len();
    let offset = |i: usize| calendar.offset_steps.get(i).or(calendar.offset_steps.last()).copied().unwrap_or(0);
    let now = n.checked_sub(1).map_or(0, offset);
    let kind = |i: usize| calendar.kind.get(i).copied().unwrap_or(0);

    let least = (0..n).map(|i| i as i64 + i64::from(offset(i) - now)).min().unwrap_or(0);
    // The present is at its own place: nothing of the past may come after it.
    let len = usize::try_from((n as i64 - least).max(0)).unwrap_or(n);
    let (mut local, mut special) = (vec![f64::NAN; len], vec![0; len]);
    for (i, value) in values.iter().enumerate() {
        let at = i as i64 + i64::from(offset(i) - now) - least;
        if let Some(at) = usize::try_from(at).ok().filter(|at| *at < len) {
            // The hour that is there twice: both count alike.
            local[at] = if local[at].is_finite() && value.is_finite() {
                f64::midpoint(local[at], *value)
            } else if value.is_finite() {
                *value
            } else {
                local[at]
            };
            special[at] = special[at].max(kind(i));
        }
    }
    // The hour that never was is what its neighbours make of it: left as a gap.

    let slots = season.max(1);
    let mut apart: BTreeMap<u8, Vec<Vec<f64>>> = BTreeMap::new();
    let original = local.clone();
    for i in (0..len).filter(|&i| special[i] > 0) {
        let usual = usual(&original, &special, i, season);
        if original[i].is_finite() && usual.is_finite() {
            apart.entry(special[i]).or_insert_with(|| vec![Vec::new(); slots])[(len - i - 1) % slots].push(original[i] - usual);
        }
        local[i] = usual;
    }
    let noise = if apart.is_empty() { 0.0 } else { noise(&original, &special, season) };
    let effects: BTreeMap<u8, Vec<f64>> = apart.into_iter().map(|(kind, apart)| (kind, effect(apart, noise))).collect();
    let ahead = calendar.offset_steps.len().max(calendar.kind.len()).saturating_sub(n);
    let moved: Vec<i32> = (0..ahead).map(|h| offset(n + h) - now).collect();
    let added = (0..ahead)
        .map(|h| {
            let at = (h + 1) as i64 + i64::from(moved[h]);
            let slot = (-at).rem_euclid(slots as i64) as usize;
            effects.get(&kind(n + h)).filter(|_| season > 0).map_or(0.0, |effect| effect[slot])
        })
        .collect();
    let believed = (0..len).map(|i| local[i].is_finite() && special[i] == 0).collect();
    (local, believed, Reading { moved, added })
}

/// What a kind of day adds at each slot, from how far its days were from usual ones.
fn effect(apart: Vec<Vec<f64>>, noise: f64) -> Vec<f64> {
    let days = apart.iter().map(Vec::len).max().unwrap_or(0).max(1) as f64;
    let by_slot: Vec<Option<f64>> = apart.into_iter().map(|mut values| (!values.is_empty()).then(|| median_mut(&mut values))).collect();
    let known = || by_slot.iter().flatten();
    let count = known().count().max(1) as f64;
    let whole = known().sum::<f64>() / count;
    let square = known().map(|value| (value - whole) * (value - whole)).sum::<f64>() / count;
    // The noise of a day's hours hangs together: a day is one look at the whole, however many hours it has.
    let by_chance = noise * noise / days;
    let believed = |square: f64| if square > by_chance { 1.0 - by_chance / square } else { 0.0 };
    let (of_whole, of_slots) = (believed(whole * whole), believed(square));
    by_slot.into_iter().map(|value| of_whole * whole + value.map_or(0.0, |value| of_slots * (value - whole))).collect()
}

/// How far usual days are from what days before them said of them: robust sigma.
fn noise(values: &[f64], special: &[u8], season: usize) -> f64 {
    let from = values.len().saturating_sub(NOISE_SEASONS * season);
    let distance = |i: usize| (values[i] - usual(values, special, i, season)).abs();
    let mut distances: Vec<f64> = (from..values.len()).filter(|&i| special[i] == 0).map(distance).filter(|d| d.is_finite()).collect();
    if distances.is_empty() { 0.0 } else { SIGMA_PER_MAD * median_mut(&mut distances) }
}

/// What would have been there on a day like others: the median of the same time of the weeks before, with less than two weeks of the days
/// before, and where there are none of the days after.
fn usual(values: &[f64], special: &[u8], at: usize, season: usize) -> f64 {
    if season == 0 {
        return f64::NAN;
    }
    let known = |i: usize| (special[i] == 0).then(|| values[i]).filter(|v| v.is_finite());
    for cycle in [WEEK * season, season] {
        let mut before: Vec<f64> = (1..=USUAL_DAYS).filter_map(|k| at.checked_sub(k * cycle)).filter_map(known).collect();
        if before.is_empty() {
            before = (1..=USUAL_DAYS).map(|k| at + k * cycle).filter(|i| *i < values.len()).filter_map(known).collect();
        }
        if !before.is_empty() {
            return median_mut(&mut before);
        }
    }
    f64::NAN
}
