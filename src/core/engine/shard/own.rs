//! The watch as one series sees it: the same but for the profile, where that is chosen for each series.
//!
//! A profile is a function of a row's closed buckets and of the extremes of its values. It is worked out when it is first asked for after
//! one of those has changed, and kept as the number of a variant of the watch: series of one watch differ in a handful of ways, so a
//! thousand of them share a few copies.

use std::sync::Arc;

use super::Shard;
use crate::core::selection::{Behaviour, Selecting, Selection, behaviour};
use crate::core::watch::{Profile, Watch};

/// Variants of one watch at most: profiles times bounds kept or dropped, with room to spare. Past it the watch itself is used.
const MAX_VARIANTS: usize = 256;

/// Copies of a watch that differ in their profile.
#[derive(Clone, Debug, Default)]
pub(super) struct Variants(Vec<Arc<Watch>>);

impl Variants {
    pub fn get(&self, number: u16) -> Option<&Arc<Watch>> {
        self.0.get(usize::from(number))
    }

    fn number_of(&mut self, watch: &Watch, profile: Profile) -> Option<u16> {
        let known = self.0.iter().position(|variant| variant.profile == profile);
        let number = known.or_else(|| {
            (self.0.len() < MAX_VARIANTS).then(|| {
                self.0.push(Arc::new(Watch { profile, ..watch.clone() }));
                self.0.len() - 1
            })
        });
        number.and_then(|number| u16::try_from(number).ok())
    }
}

impl Shard {
    /// Which profile a row has now, and why.
    pub fn selection(&self, row: usize, watch: &Watch) -> Selection {
        let state = &self.rows[row];
        watch.select(&state.labels, &Behaviour::of_row(&self.block, row, state.extremes))
    }

    /// The watch as this row sees it; `None` where that is as it is written.
    pub(super) fn own(&mut self, row: usize, watch: &Watch) -> Option<Arc<Watch>> {
        if watch.selecting == Selecting::Written {
            return None;
        }
        if self.rows[row].own.is_none() {
            let profile = self.selection(row, watch).profile;
            self.rows[row].own = self.variants.number_of(watch, profile);
        }
        self.rows[row].own.and_then(|number| self.variants.get(number)).cloned()
    }

    /// Whether the row's own profile may be that of a deadline, without working it out; it is one only if this says so.
    pub(super) fn may_be_deadline(&self, row: usize, watch: &Watch) -> bool {
        let Selecting::Auto(auto) = &watch.selecting else { return watch.profile.deadline };
        let newest = self.block.newest_bucket();
        let [last, before] = [1, 2].map(|age| self.block.bucket_moments(row, newest - age));
        let ticks = last.count == 0.0 || before.count == 0.0 || {
            let step_s = self.block.geometry().bucket_ms as f64 / 1000.0;
            behaviour::ticks(last.mean - before.mean, step_s)
        };
        auto.may_count_down(&self.rows[row].labels, ticks)
    }

    /// Takes note of a value: one past the extremes may cost a bound.
    pub(super) fn note(&mut self, row: usize, value: f64) {
        let state = &mut self.rows[row];
        let before = state.extremes;
        state.extremes.learn(value);
        if state.extremes != before {
            state.own = None;
        }
    }

    /// Buckets have closed, or settings have changed: profiles are worked out anew when asked for.
    pub(super) fn forget_own(&mut self) {
        self.rows.iter_mut().for_each(|row| row.own = None);
    }

    pub(super) fn forget_variants(&mut self) {
        self.forget_own();
        self.variants = Variants::default();
    }
}

#[cfg(test)]
mod tests;
