//! `portent explain`: why Portent says about one series what it says.
//!
//! Two places to ask: data files, answered by what `forecast` and `detect` say about them, and a running daemon, which is asked over its
//! API. What is an existing file is a file; everything else is a selector, as Prometheus writes it.

mod files;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;

use super::detect::{positive, zone};
use super::forecast::finite;
use super::output::{self, Format};
use super::remote::Remote;
use super::{Failure, Outcome};
use crate::config::nearest::nearest;
use crate::core::ahead::MAX_SUSTAIN;
use crate::core::explain::Explanation;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;
use crate::server::report::SeriesReport;
use crate::source::replay::{STDIN, Selector};

/// Series that are listed where one has to be chosen.
const MAX_LISTED: usize = 20;
/// Series that the daemon is asked for so that the nearest name can be said.
const MAX_ASKED: usize = 1_000;

const EXAMPLES: &str = "\
Examples:
  portent explain disk.csv --above 0.9                          the only series of a file
  portent explain fleet.csv --series web-1 --origin 2026-11-01T00:00:00Z --below 10 --horizon 3d
  portent explain 'node_load1{instance=\"web-1:9100\"}'           of the daemon that runs here
  portent explain '{instance=\"web-1:9100\"}' --watch disk-filling --url http://portent:9273 -o json

On files, the numbers are those of portent forecast and portent detect. Exit code: 0 explained, 1 no such series, or several, 2 wrong usage.";

/// Why it says about one series what it says: profile, period, weights, bands, score, likelihood
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// CSV or Parquet files, or a series of a running daemon: its name, or labels in braces
    #[arg(required = true, value_name = "FILE|SELECTOR")]
    what: Vec<String>,
    /// Which series of the files: its name, or labels in braces
    #[arg(long, value_name = "NAME|SELECTOR")]
    series: Option<String>,
    /// As of this time [default: the last sample]; files only
    #[arg(long, value_name = "TIME")]
    origin: Option<Timestamp>,
    /// How far ahead; files only
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    horizon: Option<Span>,
    /// Values at or above this are a breach; files only
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "below", value_parser = finite)]
    above: Option<f64>,
    /// Values at or below this are a breach; files only
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    below: Option<f64>,
    /// Samples in a row that make a breach [default: 1]; files only
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..=MAX_SUSTAIN as i64))]
    sustain: Option<u16>,
    /// Where "every night at two" is measured [default: UTC]; files only
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    zone: Option<TimeZone>,
    /// Only this watch; daemon only
    #[arg(long, value_name = "NAME")]
    watch: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Explain {
    pub fn run(self) -> Outcome {
        if !matches!(self.remote.output, Format::Table | Format::Json) {
            return Err(Failure::usage("an explanation is written as a table or as JSON").hint("choose -o table or -o json"));
        }
        let explanation = if self.is_of_files() { self.of_files()? } else { self.of_daemon()? };
        if self.remote.output == Format::Json {
            println!("{}", serde_json::to_string_pretty(&explanation)?);
        } else {
            output::ignore_closed(table::write(&mut output::stdout(), &explanation))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn is_of_files(&self) -> bool {
        let is_file = |text: &String| text == STDIN || Path::new(text).exists();
        let looks_like_one = |text: &String| !text.contains('{') && ["csv", "parquet"].iter().any(|end| has_extension(text, end));
        self.what.len() > 1 || self.what.iter().all(|text| is_file(text) || looks_like_one(text))
    }

    fn limit(&self) -> Option<(Side, f64)> {
        self.above.map(|x| (Side::Above, x)).or(self.below.map(|x| (Side::Below, x)))
    }

    fn of_files(&self) -> Result<Explanation, Failure> {
        if self.watch.is_some() {
            return Err(Failure::usage("files have no watches: --watch is for a running daemon").hint("choose a series with --series"));
        }
        let paths: Vec<PathBuf> = self.what.iter().map(PathBuf::from).collect();
        files::explain(&files::Ask {
            paths: &paths,
            series: self.series.as_deref(),
            origin: self.origin,
            horizon: self.horizon.unwrap_or(Span::DAY),
            limit: self.limit(),
            sustain: usize::from(self.sustain.unwrap_or(1)),
            zone: self.zone.clone().unwrap_or(TimeZone::UTC),
        })
    }

    fn of_daemon(&self) -> Result<Explanation, Failure> {
        let given = [
            ("--series", self.series.is_some()),
            ("--origin", self.origin.is_some()),
            ("--horizon", self.horizon.is_some()),
            ("--above or --below", self.limit().is_some()),
            ("--sustain", self.sustain.is_some()),
            ("--zone", self.zone.is_some()),
        ];
        let what = &self.what[0];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            let message = format!("{option} is for files, and there is no file {what:?}");
            return Err(Failure::usage(message).hint("a running daemon's watches say what is asked of their series"));
        }
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        // A watch's name, or what a series is called in short, is not a selector.
        if let Err(why) = what.parse::<Selector>() {
            return Err(Failure::usage(format!("{what:?} is neither a file nor a series: {why}"))
                .hint("a series is written as node_load1{instance=\"web-1:9100\"}"));
        }
        let watch = self.watch.as_deref().map(|name| format!("&watch={}", encoded(name))).unwrap_or_default();
        let path = format!("/api/v1/explain?selector={}{watch}&limit={MAX_LISTED}", encoded(what));
        let mut found: Vec<Explanation> = self.remote.get(&path)?;
        if found.len() == 1 {
            return Ok(found.remove(0));
        }
        if found.is_empty() {
            let path = format!("/api/v1/series?limit={MAX_ASKED}{watch}");
            let known: Vec<SeriesReport> = self.remote.get(&path)?;
            let names: Vec<String> = known.iter().map(|s| s.labels.to_string()).collect();
            return Err(not_found(what, &names));
        }
        let names: Vec<String> =
            found.iter().map(|e| e.watch.as_ref().map_or_else(|| e.series.clone(), |watch| format!("{} ({watch})", e.series))).collect();
        Err(several(what, &names, "add labels to the selector, or --watch NAME"))
    }
}

fn has_extension(text: &str, extension: &str) -> bool {
    Path::new(text).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// No series is called that: the nearest that is, or some of them.
fn not_found(what: &str, names: &[String]) -> Failure {
    let failure = Failure::new(format!("no series is {what}"));
    if names.is_empty() {
        return failure.hint("there are no series at all");
    }
    match nearest(what, names.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint(format!("there are:\n{}", listed(names))),
    }
}

fn several(what: &str, names: &[String], hint: &str) -> Failure {
    // The daemon names no more of them than are listed.
    let at_least = if names.len() == MAX_LISTED { "at least " } else { "" };
    Failure::new(format!("{what} is {at_least}{} series, and one is explained at a time:\n{}", names.len(), listed(names))).hint(hint)
}

fn listed(names: &[String]) -> String {
    let mut lines: Vec<String> = names.iter().take(MAX_LISTED).map(|name| format!("  {name}")).collect();
    if names.len() > MAX_LISTED {
        lines.push(format!("  and {} more", names.len() - MAX_LISTED));
    }
    lines.join("\n")
}
