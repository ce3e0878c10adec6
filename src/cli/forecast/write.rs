//! Answers as JSON, CSV or a table, each written as soon as it is there.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Ask;
use crate::cli::cell;
use crate::cli::output::{self, Format};
use crate::core::ahead::{Ahead, Breach};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;

/// Writes answers in one format.
#[derive(Debug)]
pub struct Writer<'a> {
    format: Format,
    levels: &'a [f64],
    is_cases: bool,
    is_breach: bool,
    written: usize,
    rows: Vec<Vec<String>>,
    text: Vec<u8>,
}

/// A breach and its odds.
#[derive(Serialize)]
struct BreachAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'a str>,
    series: &'a str,
    origin: Timestamp,
    current: f64,
    rate_per_minute: f64,
    likelihood: f64,
    eta_s: EtaS,
    threshold: f64,
    side: Side,
    sustain: usize,
    horizon_s: f64,
    model: &'a str,
}

#[derive(Serialize)]
struct EtaS {
    p10: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
}

/// A whole forecast.
#[derive(Serialize)]
struct PathAnswer<'a> {
    series: &'a str,
    origin: Timestamp,
    model: &'a str,
    step: Span,
    current: f64,
    rate_per_minute: f64,
    points: Vec<Point<'a>>,
}

struct Point<'a> {
    at: Timestamp,
    median: f64,
    levels: &'a [f64],
    bounds: Vec<(f64, f64)>,
}

impl Serialize for Point<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 + 2 * self.levels.len()))?;
        map.serialize_entry("timestamp", &self.at)?;
        map.serialize_entry("median", &self.median)?;
        for (level, (lower, upper)) in self.levels.iter().zip(&self.bounds) {
            map.serialize_entry(&format!("lower_{level}"), lower)?;
            map.serialize_entry(&format!("upper_{level}"), upper)?;
        }
        map.end()
    }
}

impl<'a> Writer<'a> {
    /// `levels` in rising order.
    pub fn new(format: Format, levels: &'a [f64], is_cases: bool, is_breach: bool) -> Self {
        Self { format, levels, is_cases, is_breach, written: 0, rows: Vec::new(), text: Vec::new() }
    }

    pub fn head(&mut self, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Json => out.write_all(b"["),
            Format::Csv if self.is_cases => writeln!(
                out,
                "case,series,origin,current,rate_per_minute,likelihood,eta_p10_s,eta_p50_s,eta_p90_s,threshold,side,sustain,horizon_s,model"
            ),
            Format::Csv => {
                write!(out, "series,origin,timestamp,median")?;
                self.levels.iter().try_for_each(|level| write!(out, ",lower_{level},upper_{level}"))?;
                writeln!(out)
            }
            Format::Jsonl | Format::Table => Ok(()),
        }
    }

    pub fn answer(&mut self, out: &mut impl Write, ask: &Ask<'_>, ahead: &Ahead) -> io::Result<()> {
        let breach = ask.limit.map(|(side, threshold)| ahead.breach(side, threshold, ask.sustain));
        match (self.format, breach, ask.limit) {
            (Format::Json | Format::Jsonl, Some(breach), Some((side, threshold))) => {
                self.json(out, &breach_answer(ask, ahead, breach, side, threshold))?;
            }
            (Format::Json | Format::Jsonl, ..) => self.json(out, &path_answer(ask.name, ahead, self.levels))?,
            (Format::Csv, Some(breach), Some((side, threshold))) if self.is_cases => {
                self.case_row(ask, ahead, breach, side, threshold);
                out.write_all(&self.text)?;
            }
            (Format::Csv, ..) => {
                self.path_rows(ask.name, ahead);
                out.write_all(&self.text)?;
            }
            (Format::Table, breach, limit) => self.rows.push(cells(ask, ahead, breach.zip(limit), self.levels)),
        }
        self.written += 1;
        Ok(())
    }

    pub fn tail(&mut self, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Json => out.write_all(b"\n]\n")?,
            Format::Table if !self.rows.is_empty() => {
                let widest = self.levels.last().map_or("INTERVAL".to_owned(), |level| format!("{}% INTERVAL", cell::brief(level * 100.0)));
                let mut header: Vec<&str> = if self.is_cases { vec!["CASE"] } else { Vec::new() };
                header.extend(["SERIES", "ORIGIN", "CURRENT", "PER MINUTE"]);
                if self.is_breach {
                    header.extend(["THRESHOLD", "LIKELIHOOD", "ETA", "10% TO 90%", "MODEL"]);
                } else {
                    header.extend(["AT", "MEDIAN", widest.as_str(), "MODEL"]);
                }
                output::table(out, &header, &self.rows)?;
            }
            Format::Table | Format::Jsonl | Format::Csv => {}
        }
        out.flush()
    }

    fn json(&self, out: &mut impl Write, answer: &impl Serialize) -> io::Result<()> {
        if self.format == Format::Json {
            out.write_all(if self.written == 0 { b"\n" } else { b",\n" })?;
        }
        serde_json::to_writer(&mut *out, answer)?;
        if self.format == Format::Jsonl { out.write_all(b"\n") } else { Ok(()) }
    }

    fn path_rows(&mut self, name: &str, ahead: &Ahead) {
        let (times, forecast) = ahead.points(self.levels);
        let mut stem = Vec::new();
        let mut clock = cell::Times::new();
        cell::name(&mut stem, name);
        stem.push(b',');
        clock.write(&mut stem, ahead.origin);
        stem.push(b',');
        let out = &mut self.text;
        out.clear();
        for (h, at) in times.into_iter().enumerate() {
            out.extend_from_slice(&stem);
            clock.write(out, at);
            out.push(b',');
            cell::number(out, forecast.median[h]);
            for interval in &forecast.intervals {
                for bound in [interval.lower[h], interval.upper[h]] {
                    out.push(b',');
                    cell::number(out, bound);
                }
            }
            out.push(b'\n');
        }
    }

    fn case_row(&mut self, ask: &Ask<'_>, ahead: &Ahead, breach: Breach, side: Side, threshold: f64) {
        let out = &mut self.text;
        out.clear();
        cell::name(out, ask.case.unwrap_or_default());
        out.push(b',');
        cell::name(out, ask.name);
        out.push(b',');
        cell::Times::new().write(out, ahead.origin);
        let [p10, p50, p90] = breach.eta_s.map(|eta| eta.unwrap_or(f64::NAN));
        for number in [ahead.current, ahead.rate_per_minute, breach.likelihood, p10, p50, p90, threshold] {
            out.push(b',');
            cell::number(out, number);
        }
        let horizon_s = cell::shown(ahead.horizon.as_secs_f64());
        let rest = format!(",{},{},{horizon_s},{}\n", side.as_str(), ask.sustain, ahead.fitted.model());
        out.extend_from_slice(rest.as_bytes());
    }
}

fn breach_answer<'a>(ask: &Ask<'a>, ahead: &Ahead, breach: Breach, side: Side, threshold: f64) -> BreachAnswer<'a> {
    let [p10, p50, p90] = breach.eta_s;
    BreachAnswer {
        case: ask.case,
        series: ask.name,
        origin: ahead.origin,
        current: ahead.current,
        rate_per_minute: ahead.rate_per_minute,
        likelihood: breach.likelihood,
        eta_s: EtaS { p10, p50, p90 },
        threshold,
        side,
        sustain: ask.sustain,
        horizon_s: ahead.horizon.as_secs_f64(),
        model: ahead.fitted.model(),
    }
}

fn path_answer<'a>(name: &'a str, ahead: &Ahead, levels: &'a [f64]) -> PathAnswer<'a> {
    let (times, forecast) = ahead.points(levels);
    let point = |(h, at): (usize, Timestamp)| Point {
        at,
        median: forecast.median[h],
        levels,
        bounds: forecast.intervals.iter().map(|i| (i.lower[h], i.upper[h])).collect(),
    };
    PathAnswer {
        series: name,
        origin: ahead.origin,
        model: ahead.fitted.model(),
        step: ahead.step,
        current: ahead.current,
        rate_per_minute: ahead.rate_per_minute,
        points: times.into_iter().enumerate().map(point).collect(),
    }
}

fn cells(ask: &Ask<'_>, ahead: &Ahead, breach: Option<(Breach, (Side, f64))>, levels: &[f64]) -> Vec<String> {
    let mut row: Vec<String> = ask.case.iter().map(|case| (*case).to_owned()).collect();
    row.extend([ask.name.to_owned(), ahead.origin.to_string(), cell::brief(ahead.current), cell::brief(ahead.rate_per_minute)]);
    if let Some((breach, (side, threshold))) = breach {
        let [p10, p50, p90] = breach.eta_s.map(|eta| eta.map_or("-".to_owned(), until));
        let range = if breach.eta_s == [None; 3] { "-".to_owned() } else { format!("{p10} to {p90}") };
        let likelihood = format!("{:.0}%", breach.likelihood * 100.0);
        row.extend([format!("{} {}", side.as_str(), cell::brief(threshold)), likelihood, p50, range]);
    } else {
        let (times, forecast) = ahead.points(levels);
        let interval = forecast.intervals.last().and_then(|i| i.lower.last().zip(i.upper.last()));
        row.push(times.last().map_or("-".to_owned(), Timestamp::to_string));
        row.push(forecast.median.last().map_or("-".to_owned(), |m| cell::brief(*m)));
        row.push(interval.map_or("-".to_owned(), |(low, high)| format!("{} to {}", cell::brief(*low), cell::brief(*high))));
    }
    row.push(ahead.fitted.model().to_owned());
    row
}

/// A length of time for people: to the minute, or to the second below ten minutes.
fn until(seconds: f64) -> String {
    let unit = if seconds < 600.0 { 1.0 } else { 60.0 };
    Span::from_secs_f64((seconds / unit).round() * unit).to_string()
}
