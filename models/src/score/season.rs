//! What is expected at a time of the day, and of the week, by the clock on the wall.
//!
//! Three expectations, each corrected by the next where the past says that it helps: the level over three days; the mean of each slot of
//! the day; the mean of each hour of the week around those. How much of the daily and of the weekly figure is believed is a regression on
//! what they would have said before each sample came, so a series without a rhythm isn't given the noise of one. The tables learn from a
//! slot's mean, held within three robust deviations: an incident moves its slots by little, and a new level is learned in days.

use super::codec::{DecodeError, Reader, Writer};
use super::smaller;
use super::table::Table;

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
    1.0 / smaller(seen as f32 + 1.0, memory.max(1.0))
}

/// A slot under way: its number since 1970 and the mean of what it held.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    slot: i32,
    sum: f32,
    count: f32,
}

impl Open {
    /// The finished slot and its mean, when `slot` is another.
    fn turn(&mut self, slot: i32) -> Option<(i32, f32)> {
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

/// Two bits a slot: days that it has seen after the first, up to what it remembers.
#[derive(Clone, Debug)]
struct Days([u8; MOST_SLOTS / 4]);

impl Days {
    fn get(&self, index: usize) -> u8 {
        self.0[index / 4] >> (index % 4 * 2) & 3
    }

    fn raise(&mut self, index: usize) {
        if self.get(index) < 3 {
            self.0[index / 4] += 1 << (index % 4 * 2);
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Season {
    day: Table<MOST_SLOTS>,
    days: Days,
    week: Table<WEEK_HOURS>,
    open_day: Open,
    open_week: Open,
    /// Means over a day, for slots that have not been yet, and over three.
    recent: f32,
    level: f32,
    /// Of the regression on the daily table: product with the truth, and square; and of that on the weekly one.
    day_fit: [f32; 2],
    week_fit: [f32; 2],
}

/// How the day of a series is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    width_ms: u32,
    /// From the beginning of a slot to the sample in its middle.
    lead_ms: u32,
    count: u8,
}

impl Slots {
    pub fn new(step_ms: i64) -> Self {
        let count = (DAY_MS / step_ms.max(1)).clamp(1, MOST_SLOTS as i64);
        let width_ms = DAY_MS / count;
        Self { width_ms: width_ms as u32, lead_ms: ((width_ms - step_ms).max(0) / 2) as u32, count: count as u8 }
    }

    fn count(self) -> usize {
        usize::from(self.count)
    }
}

/// A local time, cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Slot of the day, and the milliseconds since it began.
    index: usize,
    into_ms: u32,
    /// Numbers since 1970 of the slot and of the hour.
    slot: i32,
    hour: i32,
}

impl Moment {
    pub fn new(slots: Slots, local_ms: i64) -> Self {
        // A thousand times further than any time that has a date.
        let day = local_ms.div_euclid(DAY_MS).clamp(-(1 << 24), 1 << 24) as i32;
        let of_day = local_ms.rem_euclid(DAY_MS) as u32;
        let index = (of_day / slots.width_ms).min(u32::from(slots.count) - 1);
        Self {
            index: index as usize,
            into_ms: of_day - index * slots.width_ms,
            slot: day * i32::from(slots.count) + index as i32,
            hour: day * 24 + (of_day / HOUR_MS as u32) as i32,
        }
    }
}

/// What was expected of one sample, and what only the season itself needs afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub value: f32,
    daily: f32,
    before_week: f32,
    /// Whether the slot has not been yet.
    is_first: bool,
}

impl Season {
    pub fn new() -> Self {
        Self {
            day: Table::new(),
            days: Days([0; MOST_SLOTS / 4]),
            week: Table::new(),
            open_day: Open::default(),
            open_week: Open::default(),
            recent: 0.0,
            level: 0.0,
            day_fit: [0.0; 2],
            week_fit: [0.0; 2],
        }
    }

    /// Closes slots that are over at this local time. `scale` is the robust deviation of the series.
    pub fn advance(&mut self, slots: Slots, now: Moment, scale: f32) {
        if let Some((slot, mean)) = self.open_day.turn(now.slot) {
            let count = i32::from(slots.count);
            self.close_slot(slot.rem_euclid(count) as usize, mean, MOST_DAILY * scale);
            if slot.div_euclid(count) != now.slot.div_euclid(count) {
                self.day.settle();
            }
        }
        if let Some((hour, mean)) = self.open_week.turn(now.hour) {
            self.close_hour(slot_of_week(hour), mean, MOST_WEEKLY * scale);
            if hour.div_euclid(WEEK_HOURS as i32) != now.hour.div_euclid(WEEK_HOURS as i32) {
                self.week.settle();
            }
        }
    }

    fn close_slot(&mut self, index: usize, mean: f32, most: f32) {
        let known = self.day.get(index);
        if known.is_nan() {
            self.day.set(index, mean);
            return;
        }
        let seen = u32::from(self.days.get(index)) + 1;
        self.day.set(index, known + gain(seen, REMEMBERED) * mean.clamp(-most, most));
        self.days.raise(index);
    }

    fn close_hour(&mut self, index: usize, mean: f32, most: f32) {
        let known = self.week.get(index);
        if known.is_nan() {
            self.week.set(index, mean.clamp(-most, most));
            return;
        }
        let gain = 1.0 / WEEK_HOURS as f32;
        self.week_fit[0] += gain * (mean.clamp(-most, most) * known - self.week_fit[0]);
        self.week_fit[1] += gain * (known * known - self.week_fit[1]);
        self.week.set(index, known + (mean - known).clamp(-most, most) / REMEMBERED);
    }

    /// What is expected at a local time, after [`Self::advance`] to it, of a series of so many days.
    pub fn expected(&self, slots: Slots, now: Moment, days: f32) -> Expected {
        // Between the centres of two slots, where a slot's centre is that of its samples.
        let is_early = now.into_ms < slots.lead_ms;
        let past_ms = now.into_ms + if is_early { slots.width_ms } else { 0 } - slots.lead_ms;
        let part = past_ms as f32 / slots.width_ms as f32;
        let known = |index: usize| {
            let value = self.day.get(index);
            if value.is_nan() { self.recent } else { value }
        };
        // Not over midnight: what grows from day to day falls back there in the table, and nowhere else.
        let (before, after) = match is_early {
            true if now.index > 0 => (now.index - 1, now.index),
            false if now.index + 1 < slots.count() => (now.index, now.index + 1),
            _ => (now.index, now.index),
        };
        let daily = known(before) * (1.0 - part) + known(after) * part;
        let believed = if self.day_fit[1] > 0.0 { (self.day_fit[0] / self.day_fit[1]).clamp(0.0, 1.0) } else { 1.0 };
        // The regression has nothing to go by on the first day, and is sure of itself after three.
        let trust = ((days - 1.0) / (LEVEL_DAYS - 1.0)).clamp(0.0, 1.0);
        let before_week = self.level + (1.0 - trust * (1.0 - believed)) * (daily - self.level);
        let weekly = self.week.get(slot_of_week(now.hour));
        let believed = if self.week_fit[1] > 0.0 { (self.week_fit[0] / self.week_fit[1] - WEEKLY_BY_CHANCE).clamp(0.0, 1.0) } else { 0.0 };
        let value = before_week + if weekly.is_nan() { 0.0 } else { believed * weekly };
        Expected { value, daily, before_week, is_first: self.day.get(now.index).is_nan() }
    }

    /// The mean over a day: what is expected on the first.
    pub fn recent(&self) -> f32 {
        self.recent
    }

    /// Takes in what came instead.
    pub fn learn(&mut self, value: f32, expected: Expected, scale: f32, (seen, samples_a_day): (u32, f32)) {
        if seen == 0 {
            (self.recent, self.level) = (value, value);
        }
        self.open_day.push(if expected.is_first { value } else { value - expected.daily });
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

    pub fn encode(&self, slots: Slots, out: &mut Writer) {
        self.day.encode(slots.count(), out);
        self.days.0.iter().for_each(|days| out.u8(*days));
        self.week.encode(WEEK_HOURS, out);
        for open in [self.open_day, self.open_week] {
            out.u32(open.slot.cast_unsigned());
            out.f32(open.sum);
            out.f32(open.count);
        }
        [self.recent, self.level].iter().chain(&self.day_fit).chain(&self.week_fit).for_each(|v| out.f32(*v));
    }

    pub fn decode(&mut self, slots: Slots, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.day.decode(slots.count(), input)?;
        for days in &mut self.days.0 {
            *days = input.u8()?;
        }
        self.week.decode(WEEK_HOURS, input)?;
        for open in [&mut self.open_day, &mut self.open_week] {
            *open = Open { slot: input.u32()?.cast_signed(), sum: input.f32()?, count: input.f32()? };
        }
        for value in [&mut self.recent, &mut self.level].into_iter().chain(&mut self.day_fit).chain(&mut self.week_fit) {
            *value = input.f32()?;
        }
        Ok(())
    }
}

fn slot_of_week(hour: i32) -> usize {
    hour.rem_euclid(WEEK_HOURS as i32) as usize
}
