//! What is expected at a time of the day, and of the week, by the clock on the wall.
//!
//! Three expectations, each corrected by the next where the past says that it helps: the level over three days; the mean of each slot of
//! the day; the mean of each hour of the week around those. How much of the daily and of the weekly figure is believed is a regression on
//! what they would have said before each sample came, so a series without a rhythm isn't given the noise of one. The tables learn from a
//! slot's mean, held within three robust deviations: an incident moves its slots by little, and a new level is learned in days.

use super::codec::{DecodeError, Reader, Writer};

/// Quarters of an hour. Finer slots would hold few samples and be noise; coarser ones would blur the steps of a morning.
const MOST_SLOTS: usize = 96;
const WEEK_HOURS: usize = 168;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// A slot remembers this many days; an hour of the week as many weeks.
const REMEMBERED: f32 = 4.0;
/// Days that the level and the belief in the daily table remember.
const LEVEL_DAYS: f32 = 3.0;
/// How far one day may move a slot, and one week an hour of the week, in robust deviations.
const MOST_DAILY: f32 = 3.0;
const MOST_WEEKLY: f32 = 1.5;
/// The weekly table must explain so much more than by chance before it is believed.
const WEEKLY_BY_CHANCE: f32 = 0.3;

/// Gain of a mean over `memory` samples that has seen `seen` before.
pub(super) fn gain(seen: u32, memory: f32) -> f32 {
    (1.0 / (seen as f32 + 1.0)).max(1.0 / memory.max(1.0))
}

/// A slot under way: its number since 1970 and the mean of what it held.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    slot: i64,
    sum: f32,
    count: f32,
}

impl Open {
    /// The finished slot and its mean, when `slot` is another.
    fn turn(&mut self, slot: i64) -> Option<(i64, f32)> {
        if slot == self.slot {
            return None;
        }
        let done = (self.count > 0.0).then(|| (self.slot, self.sum / self.count));
        *self = Self { slot, sum: 0.0, count: 0.0 };
        done
    }

    fn push(&mut self, value: f32) {
        self.sum += value;
        self.count += 1.0;
    }
}

#[derive(Clone, Debug)]
pub(super) struct Season {
    slot_ms: i64,
    step_ms: i64,
    /// NaN for a slot that has not been yet.
    day: [f32; MOST_SLOTS],
    /// Days that each slot has seen, up to what it remembers.
    day_seen: [u8; MOST_SLOTS],
    week: [f32; WEEK_HOURS],
    open_day: Open,
    open_week: Open,
    /// Means over a day, for slots that have not been yet, and over three.
    recent: f32,
    level: f32,
    /// Of the regression on the daily table: product with the truth, and square; and of that on the weekly one.
    day_fit: [f32; 2],
    week_fit: [f32; 2],
}

/// What was expected of one sample, and what only the season itself needs afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub value: f32,
    daily: f32,
    before_week: f32,
    slot: i64,
    hour: i64,
}

impl Season {
    pub fn new(step_ms: i64) -> Self {
        let slots = (DAY_MS / step_ms.max(1)).clamp(1, MOST_SLOTS as i64);
        Self {
            slot_ms: DAY_MS / slots,
            step_ms,
            day: [f32::NAN; MOST_SLOTS],
            day_seen: [0; MOST_SLOTS],
            week: [f32::NAN; WEEK_HOURS],
            open_day: Open::default(),
            open_week: Open::default(),
            recent: 0.0,
            level: 0.0,
            day_fit: [0.0; 2],
            week_fit: [0.0; 2],
        }
    }

    fn slots(&self) -> i64 {
        (DAY_MS / self.slot_ms).min(MOST_SLOTS as i64)
    }

    fn index(&self, slot: i64) -> usize {
        slot.rem_euclid(self.slots()) as usize
    }

    /// Closes slots that are over at this local time. `scale` is the robust deviation of the series.
    pub fn advance(&mut self, local_ms: i64, scale: f32) {
        if let Some((slot, mean)) = self.open_day.turn(local_ms.div_euclid(self.slot_ms)) {
            let index = self.index(slot);
            let seen = self.day_seen[index];
            if seen == 0 {
                self.day[index] = mean;
            } else {
                let most = MOST_DAILY * scale;
                self.day[index] += gain(u32::from(seen), REMEMBERED) * mean.clamp(-most, most);
            }
            self.day_seen[index] = seen.saturating_add(1).min(REMEMBERED as u8);
        }
        if let Some((hour, mean)) = self.open_week.turn(local_ms.div_euclid(HOUR_MS)) {
            self.close_hour(hour.rem_euclid(WEEK_HOURS as i64) as usize, mean, MOST_WEEKLY * scale);
        }
    }

    fn close_hour(&mut self, index: usize, mean: f32, most: f32) {
        let known = self.week[index];
        if known.is_nan() {
            self.week[index] = mean.clamp(-most, most);
            return;
        }
        let gain = 1.0 / WEEK_HOURS as f32;
        self.week_fit[0] += gain * (mean.clamp(-most, most) * known - self.week_fit[0]);
        self.week_fit[1] += gain * (known * known - self.week_fit[1]);
        self.week[index] += (mean - known).clamp(-most, most) / REMEMBERED;
    }

    /// What is expected at a local time, after [`Self::advance`] to it, of a series of so many days.
    pub fn expected(&self, local_ms: i64, days: f32) -> Expected {
        let slot = local_ms.div_euclid(self.slot_ms);
        // Between the centres of two slots, where a slot's centre is that of its samples.
        let lead_ms = (self.slot_ms - self.step_ms).max(0) / 2;
        let left = (local_ms - lead_ms).div_euclid(self.slot_ms);
        let part = (local_ms - lead_ms).rem_euclid(self.slot_ms) as f32 / self.slot_ms as f32;
        let known = |slot: i64| {
            let value = self.day[self.index(slot)];
            if value.is_nan() { self.recent } else { value }
        };
        // Not over midnight: what grows from day to day falls back there in the table, and nowhere else.
        let (before, after) = if self.index(left + 1) == 0 { (slot, slot) } else { (left, left + 1) };
        let daily = known(before) * (1.0 - part) + known(after) * part;
        let believed = if self.day_fit[1] > 0.0 { (self.day_fit[0] / self.day_fit[1]).clamp(0.0, 1.0) } else { 1.0 };
        // The regression has nothing to go by on the first day, and is sure of itself after three.
        let trust = ((days - 1.0) / (LEVEL_DAYS - 1.0)).clamp(0.0, 1.0);
        let before_week = self.level + (1.0 - trust * (1.0 - believed)) * (daily - self.level);
        let hour = local_ms.div_euclid(HOUR_MS);
        let weekly = self.week[hour.rem_euclid(WEEK_HOURS as i64) as usize];
        let believed = if self.week_fit[1] > 0.0 { (self.week_fit[0] / self.week_fit[1] - WEEKLY_BY_CHANCE).clamp(0.0, 1.0) } else { 0.0 };
        let value = before_week + if weekly.is_nan() { 0.0 } else { believed * weekly };
        Expected { value, daily, before_week, slot, hour }
    }

    /// The mean over a day: what is expected on the first.
    pub fn recent(&self) -> f32 {
        self.recent
    }

    /// Takes in what came instead.
    pub fn learn(&mut self, value: f32, expected: Expected, scale: f32, seen: u32, samples_a_day: f32) {
        if seen == 0 {
            (self.recent, self.level) = (value, value);
            (self.open_day.slot, self.open_week.slot) = (expected.slot, expected.hour);
        }
        let index = self.index(expected.slot);
        self.open_day.push(if self.day_seen[index] == 0 { value } else { value - expected.daily });
        self.open_week.push(value - expected.before_week);
        let slow = gain(seen, LEVEL_DAYS * samples_a_day);
        let shape = expected.daily - self.level;
        let from_level = value - self.level;
        let most = 2.0 * MOST_DAILY * scale.max(f32::MIN_POSITIVE);
        self.day_fit[0] += slow * (from_level.clamp(shape - most, shape + most) * shape - self.day_fit[0]);
        self.day_fit[1] += slow * (shape * shape - self.day_fit[1]);
        self.level += slow * from_level;
        self.recent += gain(seen, samples_a_day) * (value - self.recent);
    }

    pub fn encode(&self, out: &mut Writer) {
        let slots = self.slots() as usize;
        self.day[..slots].iter().chain(&self.week).for_each(|v| out.f32(*v));
        self.day_seen[..slots].iter().for_each(|v| out.u8(*v));
        for open in [self.open_day, self.open_week] {
            out.i64(open.slot);
            out.f32(open.sum);
            out.f32(open.count);
        }
        [self.recent, self.level].iter().chain(&self.day_fit).chain(&self.week_fit).for_each(|v| out.f32(*v));
    }

    pub fn decode(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        let slots = self.slots() as usize;
        for value in self.day[..slots].iter_mut().chain(&mut self.week) {
            *value = input.f32()?;
        }
        for seen in &mut self.day_seen[..slots] {
            *seen = input.u8()?;
        }
        for open in [&mut self.open_day, &mut self.open_week] {
            *open = Open { slot: input.i64()?, sum: input.f32()?, count: input.f32()? };
        }
        for value in [&mut self.recent, &mut self.level].into_iter().chain(&mut self.day_fit).chain(&mut self.week_fit) {
            *value = input.f32()?;
        }
        Ok(())
    }
}
