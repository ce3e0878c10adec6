//! The legend: one or more rows below the plot, only of what is drawn; the zone of all times at its right end.

use super::line::{Point, Rect, is_drawable};
use super::mark::Mark;
use super::palette::Ink;
use super::plan::{Sheet, short_zone_words, zone_words};
use super::range::Placement;
use super::{data, words};

/// One kind of mark with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Measured,
    Normal,
    Median,
    Intervals,
    Threshold,
    EtaRange,
    /// A time that is known and not guessed.
    EtaExact,
    Anomaly,
}

/// A legend of more rows would eat the plot.
const MAX_ROWS: usize = 3;
/// Lower pictures, in pixels, get one row of short words.
const LOW: f64 = 400.0;
/// Intervals narrower than this part of the axis cannot be seen: a deadline has none.
const LEAST_WIDTH: f64 = 1e-4;

/// Entries a row, with the zone as the last of the first row that has room for it: `(kind, words)`, no kind for the zone.
pub fn rows(sheet: &Sheet, margin: f64) -> Vec<Vec<(Option<Kind>, String)>> {
    let room = sheet.sizes.width - 2.0 * margin;
    let zone = if sheet.sizes.height < LOW { short_zone_words(sheet) } else { zone_words(sheet) };
    let max_rows = if sheet.sizes.height < LOW { 1 } else { MAX_ROWS };
    let mut named = entries(sheet);
    if max_rows == 1 {
        let needed = |named: &[(Kind, String)]| named.iter().map(|(kind, name)| width(sheet, Some(*kind), name) + gap(sheet)).sum::<f64>();
        // What explains itself goes first.
        for kind in [Kind::Measured, Kind::EtaRange, Kind::EtaExact, Kind::Intervals, Kind::Anomaly, Kind::Median, Kind::Normal] {
            if needed(&named) + sheet.text_width(&zone) > room {
                named.retain(|(known, _)| *known != kind);
            }
        }
    }
    let mut rows: Vec<Vec<(Option<Kind>, String)>> = vec![Vec::new()];
    let mut used = 0.0;
    let entries = named.into_iter().map(|(kind, name)| (Some(kind), name)).chain([(None, zone)]);
    for (kind, name) in entries {
        let name = words::cut_end(&name, |t| width(sheet, kind, t) <= room);
        let width = width(sheet, kind, &name);
        if used + width > room && used > 0.0 {
            if rows.len() == max_rows {
                break;
            }
            rows.push(Vec::new());
            used = 0.0;
        }
        used += width + gap(sheet);
        if let Some(row) = rows.last_mut() {
            row.push((kind, name));
        }
    }
    rows
}

fn gap(sheet: &Sheet) -> f64 {
    sheet.sizes.em * 0.95
}

fn swatch(sheet: &Sheet) -> f64 {
    sheet.sizes.em * 1.7
}

fn width(sheet: &Sheet, kind: Option<Kind>, name: &str) -> f64 {
    sheet.text_width(name) + if kind.is_some() { swatch(sheet) + sheet.sizes.em * 0.4 } else { 0.0 }
}

fn entries(sheet: &Sheet) -> Vec<(Kind, String)> {
    let scene = sheet.scene;
    let fan = scene.forecast.as_ref().filter(|f| !f.at.is_empty());
    let mut levels: Vec<f64> = fan
        .iter()
        .flat_map(|f| &f.levels)
        .filter(|l| l.lower.iter().zip(&l.upper).any(|(lower, upper)| upper - lower > LEAST_WIDTH * (sheet.values.high - sheet.values.low)))
        .map(|l| l.level)
        .filter(|l| l.is_finite())
        .collect();
    levels.sort_by(f64::total_cmp);
    let percent: Vec<String> = levels.iter().map(|l| format!("{}", (l * 1000.0).round() / 10.0)).collect();
    let low = sheet.sizes.height < LOW;
    let is_exact = scene.eta.is_some_and(|e| e.p50.is_some() && e.p10 == e.p90);
    let eta_words = match (scene.eta.is_some_and(|e| e.p50.is_some()), low) {
        (_, true) => "ETA",
        (true, false) => "ETA ◆, 10–90 %",
        (false, false) => "ETA 10–90 %",
    };
    let has_eta_range = !is_exact && scene.eta.is_some_and(|e| e.p10.is_some());
    let intervals =
        if low { "intervals".to_owned() } else { format!("{} % interval{}", percent.join("/"), if percent.len() > 1 { "s" } else { "" }) };
    [
        (Kind::Measured, "measured".to_owned(), scene.history.iter().any(|s| is_drawable(s.1))),
        (Kind::Normal, "normal".to_owned(), scene.normal.iter().any(|b| !b.lower.is_nan() && !b.upper.is_nan())),
        (Kind::Median, "forecast".to_owned(), fan.is_some_and(|f| f.median.iter().any(|m| !m.is_nan()))),
        (Kind::Intervals, intervals, !percent.is_empty()),
        // Its name stands beside it in the margin, too.
        (Kind::Threshold, "threshold".to_owned(), !low && sheet.values.threshold == Placement::Inside),
        (Kind::EtaRange, eta_words.to_owned(), has_eta_range),
        (Kind::EtaExact, "ETA".to_owned(), is_exact),
        (Kind::Anomaly, "anomaly".to_owned(), scene.anomalies.iter().any(|a| is_drawable(a.1))),
    ]
    .into_iter()
    .filter_map(|(kind, name, is_there)| is_there.then_some((kind, name)))
    .collect()
}

/// Draws what [`rows`] chose.
pub fn draw(sheet: &mut Sheet, rows: &[Vec<(Option<Kind>, String)>], margin: f64) {
    let em = sheet.sizes.em;
    for (i, row) in rows.iter().enumerate() {
        let baseline = sheet.sizes.height - sheet.px(12.0) - em * 1.5 * (rows.len() - 1 - i) as f64 - em * 0.1;
        let mut x = margin;
        for (kind, name) in row {
            match kind {
                None => {
                    let left = sheet.sizes.width - margin - sheet.text_width(name);
                    sheet.write(name, left, baseline, sheet.palette.faint_text);
                }
                Some(kind) => {
                    let area = Rect { left: x, top: baseline - em * 0.75, right: x + swatch(sheet), bottom: baseline + em * 0.1 };
                    sample(sheet, *kind, area);
                    sheet.write(name, area.right + em * 0.4, baseline, sheet.palette.text);
                }
            }
            x += width(sheet, *kind, name) + gap(sheet);
        }
    }
}

fn sample(sheet: &mut Sheet, kind: Kind, area: Rect) {
    let palette = sheet.palette;
    let y = f64::midpoint(area.top, area.bottom);
    let across = vec![Point { x: area.left, y }, Point { x: area.right, y }];
    let mut fill = |area: Rect, ink: Ink| sheet.marks.push(Mark::Fill { area, ink });
    match kind {
        Kind::Measured => sheet.line(across, data::HISTORY_WIDTH, &[], palette.history),
        Kind::Median => sheet.line(across, data::MEDIAN_WIDTH, &data::MEDIAN_DASH, palette.median),
        Kind::Threshold => sheet.line(across, data::THRESHOLD_WIDTH, &data::THRESHOLD_DASH, palette.threshold),
        Kind::Normal => {
            fill(area, palette.normal_fill);
            for y in [area.top, area.bottom] {
                sheet.line(vec![Point { x: area.left, y }, Point { x: area.right, y }], 1.0, &data::NORMAL_DASH, palette.normal_line);
            }
        }
        Kind::Intervals => {
            fill(area, palette.fan_fill);
            let inner = area.height() / 4.0;
            fill(Rect { top: area.top + inner, bottom: area.bottom - inner, ..area }, palette.fan_fill);
        }
        Kind::EtaRange => {
            fill(area, palette.eta_fill);
            data::bracket(sheet, area.left, area.right, area.top, false);
        }
        Kind::EtaExact => data::diamond(sheet, Point { x: f64::midpoint(area.left, area.right), y }, 6.0),
        Kind::Anomaly => data::ring(sheet, Point { x: f64::midpoint(area.left, area.right), y }),
    }
}
