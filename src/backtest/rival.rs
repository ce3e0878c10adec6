//! The naive rivals that every claim stands beside: alerts that everybody writes first, held for as many samples as our own predictions
//! are, taken back after as many, and judged by the same rules.

use super::alarm::{Alarm, Verdict};
use super::sign::Sign;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Limit, Side, Watch};

/// Alarms of one series that wait for their truth at most, as in the engine.
const MAX_PENDING: usize = 4;
/// Below this share of the samples that there should have been, nobody can say that it did not happen. As in the engine.
const LEAST_SEEN: f64 = 0.5;

/// One series as the rival sees it.
#[derive(Clone, Debug)]
pub(super) struct Rival {
    sign: Sign,
    alarms: Alarms,
}

/// What the rival's alert has made of its sign so far.
#[derive(Clone, Debug, Default)]
struct Alarms {
    streak: u16,
    clear_streak: u16,
    waiting: Vec<Waiting>,
    settled: Vec<Alarm>,
}

#[derive(Clone, Debug)]
struct Waiting {
    alarm: Alarm,
    seen: u32,
}

/// One sample with what is known about its series at that moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub at: Timestamp,
    pub value: f64,
    pub limit: &'a Limit,
    pub threshold: f64,
    /// When the breach began that this sample completes.
    pub began: Option<Timestamp>,
    /// In breach, or perhaps about to be.
    pub near: bool,
    pub judged: bool,
}

impl Look<'_> {
    /// 1 where more is worse, else -1.
    pub fn toward(&self) -> f64 {
        if self.limit.side == Side::Above { 1.0 } else { -1.0 }
    }
}

impl Rival {
    pub fn new(sign: Sign) -> Self {
        Self { sign, alarms: Alarms::default() }
    }

    /// Takes in samples in order of time.
    pub fn hear(&mut self, looks: &[Look<'_>], watch: &Watch) {
        let Self { sign, alarms } = self;
        sign.go_over(looks, watch, |look, warns| alarms.sample(look, watch, warns));
    }

    /// All alarms, once no more samples come.
    pub fn finish(mut self, at: Timestamp, watch: &Watch) -> Vec<Alarm> {
        self.alarms.settle(at, watch, Span::ZERO);
        let Alarms { waiting, mut settled, .. } = self.alarms;
        settled.extend(waiting.into_iter().map(|w| w.alarm));
        settled
    }
}

impl Alarms {
    #[inline]
    fn sample(&mut self, look: &Look<'_>, watch: &Watch, warns: bool) {
        // Most samples of most series: nothing is told, and nothing waits.
        if self.waiting.is_empty() && !warns {
            self.streak = if look.judged { 0 } else { self.streak };
            return;
        }
        self.sample_of_few(look, watch, warns);
    }

    fn sample_of_few(&mut self, look: &Look<'_>, watch: &Watch, warns: bool) {
        if !self.waiting.is_empty() {
            for waiting in &mut self.waiting {
                waiting.seen += 1;
                if let Some(since) = look.began.filter(|since| *since <= waiting.alarm.due_at) {
                    waiting.alarm.verdict = Verdict::CameTrue { at: since };
                    waiting.alarm.closed_at.get_or_insert(look.at);
                }
            }
            let undecided = look.near && look.began.is_none();
            self.settle(look.at, watch, if undecided { watch.step.times(10) } else { Span::ZERO });
        }
        if look.judged {
            self.judge(look, watch, warns);
        }
    }

    fn judge(&mut self, look: &Look<'_>, watch: &Watch, warns: bool) {
        let hysteresis = &watch.hysteresis;
        if let Some(open) = self.waiting.iter_mut().find(|w| w.alarm.closed_at.is_none()) {
            self.clear_streak = if warns { 0 } else { self.clear_streak + 1 };
            if self.clear_streak >= hysteresis.clear_after {
                open.alarm.closed_at = Some(look.at);
            }
            return;
        }
        self.streak = if warns && !look.near { self.streak + 1 } else { 0 };
        if self.streak < hysteresis.raise_after || self.waiting.len() >= MAX_PENDING {
            return;
        }
        (self.streak, self.clear_streak) = (0, 0);
        let due_at = look.at + watch.horizon;
        self.waiting.push(Waiting { alarm: Alarm { raised_at: look.at, closed_at: None, due_at, verdict: Verdict::Pending }, seen: 0 });
    }

    /// Lets time pass up to `at`; alarms whose horizon has passed `grace` ago are settled.
    fn settle(&mut self, at: Timestamp, watch: &Watch, grace: Span) {
        // Asked at every sample while one waits, and nothing to do until the last: without the divisions.
        if self.waiting.iter().all(|Waiting { alarm, .. }| alarm.verdict == Verdict::Pending && at <= alarm.due_at + grace) {
            return;
        }
        let wanted = LEAST_SEEN * (watch.horizon.as_millis() / watch.step.as_millis().max(1)) as f64;
        for Waiting { alarm, seen } in &mut self.waiting {
            if alarm.verdict == Verdict::Pending && at > alarm.due_at + grace {
                alarm.verdict = if f64::from(*seen) >= wanted { Verdict::DidNot } else { Verdict::NotKnown };
                alarm.closed_at.get_or_insert(at);
            }
        }
        let settled = &mut self.settled;
        self.waiting.retain(|Waiting { alarm, .. }| {
            let is_open = alarm.verdict == Verdict::Pending;
            if !is_open {
                settled.push(*alarm);
            }
            is_open
        });
    }
}
