//! What clocks and calendars know about a series' days, as plain data: the local time of each step and which days are unlike others.
//!
//! A season lives in local time, the grid in universal time. Instead of teaching every rule about clocks, the past is laid on the grid of the
//! *present* local time before anything is fitted (an hour is missing in spring, one is there twice in autumn) and the forecast is read back
//! through the offsets of the steps ahead. Days unlike others (holidays, sales) are taken out of the past that rules learn from, and what set them
//! apart is put on the steps ahead that lie on such days.

use crate::robust::median_mut;

/// Past days of one kind that a special one is compared with, a week (or a season) apart.
const USUAL_DAYS: usize = 4;
/// Weeks of seven seasons: holidays move, weekends do not.
const WEEK: usize = 7;

/// One entry for each value of the past, then one for each step ahead; what is not given counts as the last one's offset and as a usual
/// day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    /// Local minus universal time, in steps.
    pub offset_steps: Vec<i32>,
    /// Whether the step lies on a day unlike others.
    pub unlike: Vec<bool>,
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
    let unlike = |i: usize| calendar.unlike.get(i).copied().unwrap_or(false);

    let least = (0..n).map(|i| i as i64 + i64::from(offset(i) - now)).min().unwrap_or(0);
    // The present is at its own place: nothing of the past may come after it.
    let len = usize::try_from((n as i64 - least).max(0)).unwrap_or(n);
    let (mut local, mut special) = (vec![f64::NAN; len], vec![false; len]);
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
            special[at] |= unlike(i);
        }
    }
    // The hour that never was is what its neighbours make of it: left as a gap.

    let mut apart: Vec<Vec<f64>> = vec![Vec::new(); season.max(1)];
    let original = local.clone();
    for i in (0..len).filter(|&i| special[i]) {
        let usual = usual(&original, &special, i, season);
        if original[i].is_finite() && usual.is_finite() {
            apart[(len - i - 1) % season.max(1)].push(original[i] - usual);
        }
        local[i] = usual;
    }
    let ahead = calendar.offset_steps.len().max(calendar.unlike.len()).saturating_sub(n);
    let moved: Vec<i32> = (0..ahead).map(|h| offset(n + h) - now).collect();
    let added = (0..ahead)
        .map(|h| {
            let at = (h + 1) as i64 + i64::from(moved[h]);
            let slot = (-at).rem_euclid(season.max(1) as i64) as usize;
            if unlike(n + h) && season > 0 && !apart[slot].is_empty() { median_mut(&mut apart[slot].clone()) } else { 0.0 }
        })
        .collect();
    let believed = (0..len).map(|i| local[i].is_finite() && !special[i]).collect();
    (local, believed, Reading { moved, added })
}

/// What would have been there on a day like others: the median of the same time of the weeks before, with less than two weeks of the days
/// before, and where there are none of the days after.
fn usual(values: &[f64], special: &[bool], at: usize, season: usize) -> f64 {
    if season == 0 {
        return f64::NAN;
    }
    let known = |i: usize| (!special[i]).then(|| values[i]).filter(|v| v.is_finite());
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
