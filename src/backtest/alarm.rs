//! What was told and what happened, side by side: the same rules for our predictions and for the rival's alarms.

use serde::Serialize;

use crate::core::time::Timestamp;

/// What became of something told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The breach, or whatever else is the truth, that began at `at` was within the horizon.
    CameTrue { at: Timestamp },
    /// The event that began at `at` was under way already when it was raised: it came too late to be of use, and was not in vain. Never where
    /// thresholds are the truth, since nothing is raised past them.
    Late { at: Timestamp },
    /// The horizon passed with enough samples and without a breach.
    DidNot,
    /// Something was done about it (`--acted`): whether that kept it from happening nobody knows, and where it happened at `breached_at` all the
    /// same, it counts neither way, or only failures would.
    Averted { breached_at: Option<Timestamp> },
    /// Too few samples to tell.
    NotKnown,
    /// The data ends before the horizon does.
    Pending,
}

/// Something told about one series: raised, perhaps taken back, and true or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    pub raised_at: Timestamp,
    /// When it was taken back, came true or expired.
    pub closed_at: Option<Timestamp>,
    /// The end of its horizon.
    pub due_at: Timestamp,
    pub verdict: Verdict,
}

/// How an event was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Something stood when it began: the alarm's number, the earliest that counts.
    Told(usize),
    /// The alarm of that number was about it, but had been taken back before it began. Who had acted on that would have been wrong.
    TakenBack(usize),
    Missed,
}

/// How an event that began at `at` was met by the alarms of its series.
pub fn met(at: Timestamp, alarms: &[Alarm]) -> Met {
    let about = |alarm: &Alarm| alarm.raised_at < at && at <= alarm.due_at;
    let stood = |alarm: &Alarm| about(alarm) && alarm.closed_at.is_none_or(|closed| closed >= at);
    if let Some(told) = alarms.iter().position(stood) {
        return Met::Told(told);
    }
    alarms.iter().rposition(about).map_or(Met::Missed, Met::TakenBack)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(raised: i64, closed: Option<i64>, due: i64) -> Alarm {
        let at = Timestamp::from_millis;
        Alarm { raised_at: at(raised), closed_at: closed.map(at), due_at: at(due), verdict: Verdict::Pending }
    }

    #[test]
    fn an_event_is_told_by_what_stood_when_it_began() {
        let at = Timestamp::from_millis(100);
        assert_eq!(met(at, &[]), Met::Missed);
        assert_eq!(met(at, &[alarm(50, None, 200)]), Met::Told(0));
        assert_eq!(met(at, &[alarm(50, Some(100), 200)]), Met::Told(0), "it was closed because the event began");
        assert_eq!(met(at, &[alarm(50, Some(99), 200)]), Met::TakenBack(0));
        assert_eq!(met(at, &[alarm(10, Some(40), 200), alarm(60, Some(103), 300)]), Met::Told(1), "only the second one stood");
        assert_eq!(met(at, &[alarm(50, None, 99)]), Met::Missed, "its horizon was over");
        assert_eq!(met(at, &[alarm(100, None, 200), alarm(150, None, 300)]), Met::Missed, "as late as the event itself is too late");
    }
}
