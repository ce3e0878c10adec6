//! By what the past is judged: thresholds, a file of labels, or the server's own alerts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ValueEnum, ValueHint};

use super::Failure;
use crate::backtest::ActedUpon;
use crate::backtest::alerts::{self, AlertName};
use crate::backtest::labels;
use crate::backtest::range::Server;
use crate::backtest::truth::{Stretch, Truth, TruthKind};
use crate::core::time::Timestamp;
use crate::datasets::Card;
use crate::source::prometheus::SourceError;

/// What is the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Thresholds that were crossed, for as many samples in a row as the watch wants.
    Thresholds,
    /// The incidents of --labels.
    Labels,
    /// What fired on the server: ALERTS{alertstate="firing"}.
    Alerts,
}

/// Arguments about it.
#[derive(Clone, Debug, clap::Args)]
pub struct TruthArgs {
    /// Incidents to judge by: CSV `series,start,end,what`, a selector such as {host="a"} in the first column, or a bundled set's dataset.toml.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    labels: Option<PathBuf>,
    /// By what everything is judged [default: thresholds, or labels where --labels is given]. An alert is about the series that agree with it in
    /// every label that both have, one at least, its name and severity aside.
    #[arg(long, value_enum, value_name = "KIND")]
    truth: Option<Kind>,
    /// Only alerts of this name count; NAME, or WATCH=NAME for one watch; may stand several times.
    #[arg(long, value_name = "NAME")]
    alert: Vec<String>,
    /// What was really done at that time, as `portent audit export` wrote it: predictions that were acted upon are "averted?", neither right nor
    /// wrong.
    #[arg(long, value_name = "FILE.jsonl", value_hint = ValueHint::FilePath)]
    acted: Option<PathBuf>,
}

impl TruthArgs {
    fn kind(&self) -> Kind {
        self.truth.unwrap_or(if self.labels.is_some() { Kind::Labels } else { Kind::Thresholds })
    }

    /// Whether they go together.
    pub fn check(&self, of_files: bool) -> Result<(), Failure> {
        let kind = self.kind();
        if kind == Kind::Labels && self.labels.is_none() {
            return Err(Failure::usage("--truth labels needs a file of them: --labels FILE"));
        }
        if kind != Kind::Labels && self.labels.is_some() {
            return Err(Failure::usage("--labels are the truth or they are not: leave out --truth, or --labels"));
        }
        if kind != Kind::Alerts && !self.alert.is_empty() {
            return Err(Failure::usage("--alert is about --truth alerts"));
        }
        if kind == Kind::Alerts && of_files {
            return Err(
                Failure::usage("--truth alerts: files hold no alerts").hint("leave the files out, and name a server with --prometheus URL")
            );
        }
        Ok(())
    }

    /// What was really done, if that is known.
    pub fn acted(&self) -> Result<ActedUpon, Failure> {
        Ok(self.acted.as_deref().map(ActedUpon::read).transpose()?.unwrap_or_default())
    }

    /// The labels, if they are the truth.
    pub fn labels(&self) -> Result<Option<Truth>, Failure> {
        let Some(file) = &self.labels else { return Ok(None) };
        let is_card = file.extension().is_some_and(|extension| extension == "toml");
        Ok(Some(if is_card { of_card(file)? } else { labels::read(file)? }))
    }

    /// The alerts of all these servers, if they are the truth, with a note on what was found.
    pub async fn alerts(
        &self,
        servers: impl Iterator<Item = (&Arc<str>, Server<'_>)>,
        range: (Timestamp, Timestamp),
    ) -> Result<Option<(Truth, String)>, SourceError> {
        if self.kind() != Kind::Alerts {
            return Ok(None);
        }
        let names: Vec<AlertName> = self.alert.iter().map(|text| AlertName::parse(text)).collect();
        let mut truth = Truth::of(TruthKind::Alerts);
        let mut found = 0;
        for (name, server) in servers {
            found += alerts::read(&mut truth, name, server, range, &names).await?;
        }
        let which = if names.is_empty() { String::new() } else { format!(" of the names {}", self.alert.join(", ")) };
        let note = match found {
            0 => format!("no alert{which} fired in that time: everything told counts as false"),
            found => format!("judged by {found} stretches of alerts{which} that fired"),
        };
        Ok(Some((truth, note)))
    }
}

/// A bundled set's card: its incidents and the stretches that it calls unclear, where the incidents are all that is odd in it; or else the moments
/// at which something crossed the set's threshold, since what led there is nothing that anybody was woken for.
fn of_card(file: &Path) -> Result<Truth, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::new(format!("cannot read labels {}: {error}", file.display())))?;
    let card = Card::parse(&text)?;
    let mut truth = Truth::of(TruthKind::Labels);
    let incidents = card.incidents.iter().map(|incident| (incident, false));
    for (incident, unclear) in incidents.chain(card.unclear.iter().map(|incident| (incident, true))) {
        let whole = || vec![(incident.begins, incident.ends)];
        let crossings = || incident.crosses.iter().map(|at| (*at, *at)).collect();
        let times: Vec<(Timestamp, Timestamp)> = if card.anomalies || unclear { whole() } else { crossings() };
        let whose = labels::whose(&incident.series).map_err(|why| Failure::new(format!("cannot use labels {}: {why}", file.display())))?;
        for (from, to) in times {
            let stretch = Stretch { from, to: Some(to), what: incident.about.clone(), unclear };
            truth.add(&incident.series, || whose.clone(), stretch);
        }
    }
    Ok(truth)
}
