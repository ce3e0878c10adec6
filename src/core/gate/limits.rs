//! How often something may be done: cooldowns, rates, attempts, one at a time, circuit breakers.
//!
//! A time that lies ahead of now (the clock was set back between two runs of the process) counts as just now: a limit is rather kept too
//! long than broken.

use std::collections::BTreeSet;

use super::history::{Ended, History, Ran};
use super::reason::Reason;
use super::verdict::Decision;
use super::{Request, Settings};
use crate::core::time::{Span, Timestamp};

/// Doublings of the backoff at most: 5 minutes become three days.
const MAX_DOUBLINGS: u32 = 10;

pub(super) fn findings(request: &Request<'_>, history: &History) -> Vec<(Decision, Reason)> {
    let Request { now, playbook, targets, settings, prediction, .. } = *request;
    let within = |at: Timestamp, span: Span| now - at < span;
    let count = |of: &dyn Fn(&Ran) -> bool| history.runs().filter(|run| of(run)).count() as u32;
    let below = |runs: u32, most: u32| if runs < most { Decision::Allow } else { Decision::Deny };
    let mut found = Vec::new();

    for target in targets {
        let on_target = || history.runs().filter(|run| run.targets.contains(target));
        if let Some(run) = on_target().rfind(|run| run.ended.is_none()) {
            found.push((Decision::Deny, Reason::Running { target: target.clone(), since: run.started_at }));
        }
        let cooldown = playbook.cooldown.unwrap_or(settings.cooldown);
        if let Some(last) = on_target().map(|run| run.started_at).max().filter(|at| within(*at, cooldown)) {
            found.push((Decision::Deny, Reason::Cooldown { target: target.clone(), until: last + cooldown }));
        }
        found.extend(attempts(on_target().filter(|run| run.playbook == playbook.name), settings, now));
    }

    let (minute, hour) = (Span::MINUTE, Span::HOUR);
    let for_service = count(&|run| run.service == prediction.service && within(run.started_at, hour));
    found.push((below(for_service, settings.per_service_hour), Reason::PerService { runs: for_service, most: settings.per_service_hour }));
    let runs = count(&|run| within(run.started_at, minute));
    found.push((below(runs, settings.per_minute), Reason::PerMinute { runs, most: settings.per_minute }));
    let runs = count(&|run| within(run.started_at, hour));
    found.push((below(runs, settings.per_hour), Reason::PerHour { runs, most: settings.per_hour }));

    let actuators: BTreeSet<&str> = playbook.steps.iter().map(|step| step.does.action.as_str()).collect();
    for actuator in actuators {
        let Some((failures, last)) = history.failures_of(actuator) else { continue };
        if failures >= settings.breaker.failures && within(last, settings.breaker.open_for) {
            let until = last + settings.breaker.open_for;
            found.push((Decision::Deny, Reason::Breaker { actuator: actuator.to_owned(), failures, until }));
        }
    }
    found
}

/// Those of a day that did not help, since the last that did.
fn attempts<'a>(runs: impl DoubleEndedIterator<Item = &'a Ran>, settings: &Settings, now: Timestamp) -> Option<(Decision, Reason)> {
    let in_vain = runs
        .rev()
        .filter_map(|run| run.ended)
        .take_while(|(at, ended)| *ended != Ended::Helped && now - *at < Span::DAY)
        .filter(|(_, ended)| *ended == Ended::DidNotHelp);
    let (failed, last) = in_vain.fold((0_u32, Timestamp::MIN), |(count, last), (at, _)| (count + 1, last.max(at)));
    if failed == 0 {
        return None;
    }
    if failed >= settings.max_attempts {
        return Some((Decision::Deny, Reason::Attempts { failed, most: settings.max_attempts }));
    }
    let until = last + settings.backoff.times(1 << (failed - 1).min(MAX_DOUBLINGS));
    let admits = if now < until { Decision::Deny } else { Decision::Allow };
    Some((admits, Reason::Backoff { failed, until }))
}
