//! How one sees whether a run helped: a query, what its value must be, and for how long.

use serde::{Deserialize, Serialize};

use super::trigger::Compare;
use crate::core::time::{Span, Timestamp};

/// PromQL and what its value must come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// With `{{label}}` filled from the prediction's series.
    pub query: String,
    pub success: Compare,
    /// What shows that it did not help; it is not waited for what is still to come then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Compare>,
    /// It must have come to that by then.
    #[serde(default = "usual_within")]
    pub within: Span,
    /// And have stayed so for this long.
    #[serde(default, rename = "for")]
    pub holds: Span,
}

fn usual_within() -> Span {
    Check::USUAL_WITHIN
}

/// What a check says at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Success,
    Failure,
    /// Time has run out and neither was seen: no value, or one in between.
    Inconclusive,
    NotYet,
}

impl Check {
    /// What is restarted or moved has come back by then.
    pub const USUAL_WITHIN: Span = Span::from_secs(600);

    /// What the value of `now` says, when the run's steps ended at `began` and the value has been good since `good_since`.
    pub fn judge(&self, value: Option<f64>, now: Timestamp, began: Timestamp, good_since: Option<Timestamp>) -> Answer {
        let value = value.filter(|v| v.is_finite());
        if self.failure.is_some_and(|failure| value.is_some_and(|v| failure.holds(v))) {
            return Answer::Failure;
        }
        let is_good = value.is_some_and(|v| self.success.holds(v));
        if is_good && now - good_since.unwrap_or(now) >= self.holds {
            return Answer::Success;
        }
        let patience = self.within + self.holds;
        match value {
            _ if now - began < patience => Answer::NotYet,
            // It had its time, and shows that it is not good.
            Some(_) if !is_good => Answer::Failure,
            _ => Answer::Inconclusive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_must_come_in_time_and_stay() {
        let check: Check = serde_saphyr::from_str("query: up\nsuccess: { lt: 0.8 }\nfailure: { gt: 0.95 }\nwithin: 5m\nfor: 2m\n").unwrap();
        let at = |minutes: i64| Timestamp::default() + Span::MINUTE.times(minutes);
        let judge = |value, minutes, good: Option<i64>| check.judge(value, at(minutes), at(0), good.map(at));
        assert_eq!(judge(Some(0.9), 1, None), Answer::NotYet);
        assert_eq!(judge(Some(0.96), 1, None), Answer::Failure);
        assert_eq!((judge(Some(0.7), 2, Some(2)), judge(Some(0.7), 4, Some(2))), (Answer::NotYet, Answer::Success));
        assert_eq!(judge(Some(0.9), 7, None), Answer::Failure);
        assert_eq!((judge(None, 7, None), judge(Some(f64::NAN), 6, None)), (Answer::Inconclusive, Answer::NotYet));
        assert_eq!(judge(Some(0.7), 8, Some(7)), Answer::Inconclusive, "it came too late to stay");
    }
}
