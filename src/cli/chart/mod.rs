//! `portent chart`: one series as PNG, with what is normal for it, what is forecast, and when it reaches a threshold.
//!
//! Draws what `detect` and `forecast` say about the same series: the band is the one that each sample was judged by when it came, not
//! today's band laid over the past, which would have learned from the very samples that it shows as odd.

mod series;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;

use super::detect::{positive, sigma, zone};
use super::forecast::{Ask, finite, model, model_name};
use super::{Failure, Outcome};
use crate::chart::{self, BandPoint, FAN_LEVELS, Fan, Scene, Style, Theme, Unit, past_worth_showing};
use crate::core::ahead::Ahead;
use crate::core::calendar::Days;
use crate::core::prediction::Eta;
use crate::core::score::{Detector, Scorer};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{BaselineSettings, Side};

use self::series::Found;

/// Points of the band: two a pixel column of the largest useful chart.
const MAX_BAND_POINTS: i64 = 2_000;

/// A baseline follows its trend for a day. What it would draw after that is no expectation of anything, least of all beside a forecast.
const MAX_BAND_AHEAD: Span = Span::DAY;

const EXAMPLES: &str = "\
Examples:
  portent chart disk.csv --above 0.9 --out disk.png
  portent chart cpu.parquet --series web-1 --horizon 12h --zone Europe/Berlin --out cpu.png
  portent chart --query 'node_load1{instance=\"a:9100\"}' --prometheus http://127.0.0.1:9090 --out load.png

A file or query with several series wants --series. With --origin the chart is as of then: nothing later is looked at.";

/// Draw a series as PNG: history, normal band, forecast, threshold
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Chart {
    /// A CSV or Parquet file; - for CSV on standard input
    #[arg(value_name = "FILE", required_unless_present = "query", conflicts_with = "query")]
    file: Option<PathBuf>,
    /// PromQL, read from --prometheus over the last 7 days
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    query: Option<String>,
    /// The Prometheus to ask
    #[arg(long, value_name = "URL", requires = "query")]
    prometheus: Option<url::Url>,
    /// Where the picture goes
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Which series, by its name or labels, where there are several
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// How far ahead
    #[arg(long, default_value = "24h", value_parser = positive)]
    horizon: Span,
    /// How much of the past to show [default: three horizons, from 6h to 7d]
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    past: Option<Span>,
    /// Values at or above this are a breach
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "below", value_parser = finite)]
    above: Option<f64>,
    /// Values at or below this are a breach
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    below: Option<f64>,
    /// Draw as of this time [default: the last sample]
    #[arg(long, value_name = "TIME")]
    origin: Option<Timestamp>,
    /// Time zone of the time axis and of the daily rhythm
    #[arg(long, default_value = "UTC", value_parser = zone)]
    zone: TimeZone,
    /// The edge of the normal band, in standard deviations
    #[arg(long, default_value_t = 2.0, value_parser = sigma)]
    sigma: f64,
    /// Which model
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = model_name())]
    model: String,
    /// Distance between samples [default: a file's own; 5m for a query]
    #[arg(long, value_parser = positive)]
    step: Option<Span>,
    /// Title [default: the metric's name, or the query]
    #[arg(long)]
    title: Option<String>,
    /// In pixels
    #[arg(long, default_value_t = Style::default().width)]
    width: u32,
    /// In pixels
    #[arg(long, default_value_t = Style::default().height)]
    height: u32,
    #[arg(long, value_enum, default_value = "light")]
    theme: Colours,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Colours {
    Light,
    Dark,
}

impl Colours {
    pub fn theme(self) -> Theme {
        match self {
            Self::Light => Theme::Light,
            Self::Dark => Theme::Dark,
        }
    }
}

impl Chart {
    pub fn run(&self) -> Outcome {
        let found = match (&self.file, &self.query, &self.prometheus) {
            (Some(file), ..) => series::of_file(file, self.series.as_deref())?,
            (None, Some(query), Some(url)) => {
                series::of_query(query, url, self.step.unwrap_or(series::QUERY_STEP), self.origin, self.series.as_deref())?
            }
            _ => return Err(Failure::usage("name a file, or give --query and --prometheus")),
        };
        let scene = self.scene(&found)?;
        let style = Style { width: self.width, height: self.height, theme: self.theme.theme() };
        chart::render_to_file(&scene, &style, &self.out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn scene(&self, found: &Found) -> Result<Scene, Failure> {
        let series = &found.series;
        let Some(&(last, _)) = series.samples.last() else {
            return Err(Failure::new(format!("cannot draw {}: it has no samples", series.name)));
        };
        let origin = self.origin.unwrap_or(last);
        let past = &series.samples[..series.samples.partition_point(|(at, _)| *at <= origin)];
        let from = origin - self.past.unwrap_or_else(|| past_worth_showing(self.horizon));
        let title = self.title.clone().unwrap_or_else(|| found.title.clone());
        let mut scene = Scene::new(title, origin);
        scene.labels = series.labels.without_metric();
        scene.zone = self.zone.clone();
        scene.unit = Unit::guess(&found.expression, (None, None));
        scene.history = past[past.partition_point(|(at, _)| *at < from)..].to_vec();
        self.normal(&mut scene, found, past, from);
        let limit = self.above.map(|x| (Side::Above, x)).or(self.below.map(|x| (Side::Below, x)));
        scene.threshold = limit;
        match self.ahead(found, origin, limit) {
            Ok(ahead) => self.future(&mut scene, &ahead, limit),
            Err(why) => scene.notes.push(format!("no forecast: {why}")),
        }
        Ok(scene)
    }

    /// The band of what was expected of each sample, what is expected next, and the anomalies as the daemon would call them.
    fn normal(&self, scene: &mut Scene, found: &Found, past: &[(Timestamp, f64)], from: Timestamp) {
        let series = &found.series;
        let settings = BaselineSettings { sigma: self.sigma, ..BaselineSettings::default() };
        let mut detector = Detector::new(series.step, &settings, self.zone.clone());
        let mut scorer = Scorer::new(series.step, settings, self.zone.clone());
        let apart = Span::from_millis((scene.now - from).as_millis() / MAX_BAND_POINTS);
        let mut next = from;
        for &(at, value) in past {
            let scored = scorer.push(at, value);
            let is_odd = detector.push(at, value).is_some_and(|scored| scored.is_anomaly());
            if at < from {
                continue;
            }
            if let Some(scored) = scored.filter(|_| at >= next) {
                scene.normal.push(BandPoint { at, expected: scored.expected, lower: scored.lower, upper: scored.upper });
                next = at + apart;
            }
            if is_odd {
                scene.anomalies.push((at, value));
            }
        }
        if scene.normal.is_empty() {
            return;
        }
        let reach = self.horizon.min(MAX_BAND_AHEAD);
        let ahead_every = series.step.max(Span::from_millis(reach.as_millis() / MAX_BAND_POINTS));
        let steps = reach.as_millis() / ahead_every.as_millis().max(1);
        let future = (0..=steps).map(|h| scene.now + ahead_every.times(h));
        scene.normal.extend(future.filter_map(|at| scorer.expected(at).map(|band| BandPoint::new(at, band, self.sigma))));
    }

    fn ahead(&self, found: &Found, origin: Timestamp, limit: Option<(Side, f64)>) -> Result<Ahead, String> {
        let series = &found.series;
        let days = Days { zone: self.zone.clone(), ..Days::default() };
        let ask = Ask {
            case: None,
            name: &series.name,
            series: Some(series),
            origin: Some(origin),
            horizon: self.horizon,
            limit,
            sustain: 1,
            step: self.step,
            days: &days,
        };
        ask.answer(&*model(&self.model))
    }

    fn future(&self, scene: &mut Scene, ahead: &Ahead, limit: Option<(Side, f64)>) {
        let (times, forecast) = ahead.points(&FAN_LEVELS);
        scene.forecast = Some(Fan::new(&forecast, |h| times[h], scene.now, scene.now + self.horizon));
        if let Some((side, threshold)) = limit {
            let breach = ahead.breach(side, threshold, 1);
            let [p10, p50, p90] = breach.eta_s.map(|eta| eta.map(|s| ahead.origin + Span::from_secs_f64(s)));
            scene.eta = Some(Eta { p10, p50, p90 });
            scene.likelihood = Some(breach.likelihood);
        }
    }
}
