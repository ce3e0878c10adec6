//! The silences of a view whose answers a test sets.

use std::sync::Mutex;

use super::double::NOW;
use crate::core::silence::own::{OwnSilence, SilenceError, SilenceId, Silences, State, Until, Wish};
use crate::core::time::Span;
use crate::server::silence_report::SilenceReport;

pub fn add(silences: &Mutex<Silences>, wish: Wish) -> Result<SilenceReport, SilenceError> {
    let made = OwnSilence::new(wish, NOW)?;
    silences.lock().unwrap().put(&made, NOW);
    Ok(report(&made))
}

pub fn expire(silences: &Mutex<Silences>, id: SilenceId, by: &str) -> Result<SilenceReport, SilenceError> {
    let mut silences = silences.lock().unwrap();
    match silences.get(id).map(|known| known.state(NOW)) {
        None => return Err(SilenceError::Unknown { id }),
        Some(State::Expired) => return Err(SilenceError::Over { id, since: NOW }),
        Some(_) => silences.expire(id, by, NOW),
    }
    silences.get(id).map(report).ok_or(SilenceError::Unknown { id })
}

pub fn report(silence: &OwnSilence) -> SilenceReport {
    SilenceReport { silence: silence.clone(), state: silence.state(NOW), predictions_open: 1 }
}

/// Of the second host, which has an open prediction.
pub fn silences() -> Silences {
    let matchers = vec!["service=host-1".parse().unwrap(), "mountpoint=~/var.*".parse().unwrap()];
    let wish = Wish { matchers, starts_at: None, until: Until::For(Span::HOUR), by: "ann".into(), comment: "moving it".into() };
    let mut silences = Silences::default();
    silences.put(&OwnSilence::new(wish, NOW).unwrap(), NOW);
    silences
}
