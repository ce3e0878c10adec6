//! What lies in the plot: bands and shades behind the grid, lines and markers before it.

use super::line::{LARGEST_VALUE, Point, Rect, clip, is_drawable, runs, thin, usual_step};
use super::mark::{BandEdge, Mark};
use super::palette::Ink;
use super::plan::Sheet;
use super::range::Placement;
use crate::core::time::{Span, Timestamp};

/// Widths and dashes in pixels at 1200 x 600, told apart in black and white too: what was measured is thin and solid, what is forecast is
/// thick and dashed, the threshold is dashed and dotted, the edge of normal dotted. The legend draws the same.
pub const HISTORY_WIDTH: f64 = 1.8;
pub const MEDIAN_WIDTH: f64 = 3.0;
pub const MEDIAN_DASH: [f64; 2] = [9.0, 5.0];
pub const THRESHOLD_WIDTH: f64 = 2.4;
pub const THRESHOLD_DASH: [f64; 4] = [16.0, 5.0, 4.0, 5.0];
pub const NORMAL_DASH: [f64; 2] = [3.0, 3.0];
const ETA_DASH: [f64; 2] = [5.0, 4.0];
/// A forecast starts at the last sample when that is at most this many of its own steps away: further off, the line would invent data.
const APEX_STEPS: i64 = 2;
/// The last sample is the current value when it is at most this many usual steps old.
const CURRENT_STEPS: i64 = 3;
/// Markers nearer than this cover each other.
const RING_CELL: f64 = 5.0;

/// Bands and shades: what the grid lines are seen through.
pub fn behind(sheet: &mut Sheet) {
    let (scene, palette) = (sheet.scene, sheet.palette);
    eta_shade(sheet);
    let normal: Vec<_> = scene.normal.iter().map(|b| (b.at, b.lower, b.upper)).collect();
    band(sheet, &normal, palette.normal_fill, palette.normal_line, &NORMAL_DASH);
    if let Some(fan) = &scene.forecast {
        let apex = apex(sheet).map(|(at, value)| (at, value, value));
        let mut levels: Vec<_> = fan.levels.iter().filter(|l| !l.level.is_nan()).collect();
        levels.sort_by(|a, b| b.level.total_cmp(&a.level));
        for level in levels {
            let edges = fan.at.iter().zip(&level.lower).zip(&level.upper).map(|((at, lower), upper)| (*at, *lower, *upper));
            let edges: Vec<_> = apex.into_iter().chain(edges).collect();
            band(sheet, &edges, palette.fan_fill, palette.fan_line, &[]);
        }
    }
}

/// From the ETA's 10 % to its 90 % quantile, or to the end.
fn eta_shade(sheet: &mut Sheet) {
    let plot = sheet.plot;
    let Some((eta, early)) = sheet.scene.eta.and_then(|e| Some((e, e.p10.or(e.p50)?))) else { return };
    let (from, to) = (sheet.x(early), eta.p90.map_or(plot.right, |t| sheet.x(t)));
    let area = Rect { left: from.clamp(plot.left, plot.right), right: to.clamp(plot.left, plot.right), ..plot };
    if area.width() > 0.0 {
        sheet.marks.push(Mark::Fill { area, ink: sheet.palette.eta_fill });
    }
}

/// The area between lower and upper, interrupted where either is no number, with its edges.
fn band(sheet: &mut Sheet, points: &[(Timestamp, f64, f64)], fill: Ink, line: Ink, dash: &[f64]) {
    let area = sheet.plot;
    for part in points.split(|(_, lower, upper)| lower.is_nan() || upper.is_nan()) {
        let bounded = |v: f64| v.clamp(-LARGEST_VALUE, LARGEST_VALUE);
        let edges: Vec<BandEdge> = part
            .iter()
            .map(|(at, lower, upper)| {
                let (a, b) = (sheet.y(bounded(*lower)), sheet.y(bounded(*upper)));
                BandEdge { x: sheet.x(*at), top: a.min(b), bottom: a.max(b) }
            })
            .collect();
        if edges.is_empty() || !edges.is_sorted_by(|a, b| a.x <= b.x) {
            continue;
        }
        let tops: Vec<Point> = edges.iter().map(|e| Point { x: e.x, y: e.top }).collect();
        let bottoms: Vec<Point> = edges.iter().map(|e| Point { x: e.x, y: e.bottom }).collect();
        sheet.marks.push(Mark::Band { edges, area, ink: fill });
        for points in [tops, bottoms] {
            for piece in clip(&thin(&points), &area) {
                sheet.line(piece, 1.0, dash, line);
            }
        }
    }
}

/// The last sample, if the forecast may start there.
fn apex(sheet: &Sheet) -> Option<(Timestamp, f64)> {
    let fan = sheet.scene.forecast.as_ref()?;
    let first = *fan.at.first()?;
    let step = fan.at.get(1).map_or_else(|| usual_step(&sheet.scene.history), |second| *second - first);
    let last = *sheet.scene.history.last().filter(|s| is_drawable(s.1))?;
    (last.0 < first && first - last.0 <= step.times(APEX_STEPS)).then_some(last)
}

/// The value that counts as current: the last sample, unless it is old.
pub fn current(sheet: &Sheet) -> Option<f64> {
    let history = &sheet.scene.history;
    let step = usual_step(history).as_millis().max(Span::MINUTE.as_millis());
    let (at, value) = *history.last().filter(|s| is_drawable(s.1))?;
    let age = sheet.scene.now - at;
    (age >= Span::ZERO && age <= Span::from_millis(step).times(CURRENT_STEPS)).then_some(value)
}

/// Everything drawn over the grid but the ETA.
pub fn lines(sheet: &mut Sheet) {
    let (scene, palette, plot) = (sheet.scene, sheet.palette, sheet.plot);
    let now = sheet.x(scene.now);
    if (plot.left..=plot.right).contains(&now) {
        sheet.vertical(now, plot.top - sheet.px(6.0), plot.bottom, 1.6, &[], palette.now);
    }
    if let Some((_, threshold)) = scene.threshold.filter(|_| sheet.values.threshold == Placement::Inside) {
        let y = sheet.y(threshold);
        sheet.line(vec![Point { x: plot.left, y }, Point { x: plot.right, y }], THRESHOLD_WIDTH, &THRESHOLD_DASH, palette.threshold);
    }
    let expected: Vec<_> = scene.normal.iter().map(|b| (b.at, b.expected)).collect();
    curve(sheet, &expected, 1.4, &NORMAL_DASH, palette.normal_line);
    history(sheet);
    if let Some(fan) = &scene.forecast {
        let median: Vec<_> = apex(sheet).into_iter().chain(fan.at.iter().copied().zip(fan.median.iter().copied())).collect();
        // A case of paper keeps the dashes apart from intervals and history under them.
        curve(sheet, &median, MEDIAN_WIDTH + 2.0, &[], Ink { alpha: 0.55, ..palette.paper });
        curve(sheet, &median, MEDIAN_WIDTH, &MEDIAN_DASH, palette.median);
    }
    anomalies(sheet);
    if current(sheet).is_some()
        && let Some(&(at, value)) = scene.history.last()
    {
        let center = sheet.point(at, value);
        for (radius, ink) in [(5.5, palette.paper), (4.2, palette.history)] {
            sheet.marks.push(Mark::Dot { center, radius: sheet.px(radius), ink });
        }
    }
    if scene.history.iter().all(|s| !is_drawable(s.1)) {
        sheet.write("no data", plot.left + sheet.px(8.0), plot.bottom - sheet.sizes.em * 0.6, palette.faint_text);
    }
}

/// A line over values given in order, interrupted at NaN only.
fn curve(sheet: &mut Sheet, values: &[(Timestamp, f64)], width: f64, dash: &[f64], ink: Ink) {
    for part in values.split(|v| !is_drawable(v.1)) {
        let points: Vec<Point> = part.iter().map(|(at, v)| sheet.point(*at, *v)).collect();
        for piece in clip(&thin(&points), &sheet.plot) {
            sheet.line(piece, width, dash, ink);
        }
    }
}

/// The measured line with its gaps; the widest are named.
fn history(sheet: &mut Sheet) {
    let palette = sheet.palette;
    let runs = runs(&sheet.scene.history);
    let words = "no data";
    let width = sheet.text_width(words);
    // From the end of each run to the start of the next, and from the last sample to now.
    let ends = runs.iter().filter_map(|r| r.last()).map(|s| sheet.x(s.0));
    let starts =
        runs.iter().skip(1).filter_map(|r| r.first()).map(|s| sheet.x(s.0)).chain([sheet.x(sheet.scene.now).min(sheet.plot.right)]);
    let gaps: Vec<(f64, f64)> = ends.zip(starts).filter(|(from, to)| to - from > width + sheet.px(16.0)).collect();
    for (from, to) in gaps {
        sheet.write(words, f64::midpoint(from, to) - width / 2.0, sheet.plot.bottom - sheet.sizes.em * 0.6, palette.faint_text);
    }
    for run in runs {
        let points: Vec<Point> = run.iter().map(|(at, v)| sheet.point(*at, *v)).collect();
        for piece in clip(&thin(&points), &sheet.plot) {
            match piece[..] {
                // A sample alone between gaps is a dot: it was measured.
                [center] => sheet.marks.push(Mark::Dot { center, radius: sheet.px(HISTORY_WIDTH), ink: palette.history }),
                _ => sheet.line(piece, HISTORY_WIDTH, &[], palette.history),
            }
        }
    }
}

fn anomalies(sheet: &mut Sheet) {
    let cell = sheet.px(RING_CELL);
    let mut points: Vec<Point> = sheet.scene.anomalies.iter().filter(|a| is_drawable(a.1)).map(|(at, v)| sheet.point(*at, *v)).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    let mut last: Option<Point> = None;
    for point in points {
        let is_apart = last.is_none_or(|l| (point.x - l.x).hypot(point.y - l.y) >= cell);
        if is_apart && !clip(&[point], &sheet.plot).is_empty() {
            ring(sheet, point);
            last = Some(point);
        }
    }
}

/// The marker of an anomaly.
pub fn ring(sheet: &mut Sheet, center: Point) {
    const CORNERS: u32 = 20;
    let radius = sheet.px(6.0);
    let corner = |i: u32| std::f64::consts::TAU * f64::from(i) / f64::from(CORNERS);
    let points = (0..=CORNERS).map(|i| Point { x: center.x + radius * corner(i).cos(), y: center.y + radius * corner(i).sin() }).collect();
    sheet.line(points, 2.0, &[], sheet.palette.anomaly);
}

/// The ETA: a bracket over the plot from its 10 % to its 90 % quantile, a line down from its median, a diamond at the threshold.
pub fn eta(sheet: &mut Sheet, lane: f64) {
    let (palette, plot) = (sheet.palette, sheet.plot);
    let Some(eta) = sheet.scene.eta else { return };
    let Some(early) = eta.p10.or(eta.p50) else { return };
    let clamped = |x: f64| x.clamp(plot.left, plot.right);
    let (from, to) = (clamped(sheet.x(early)), clamped(eta.p90.map_or(plot.right, |t| sheet.x(t))));
    let y = lane + sheet.px(9.0);
    if eta.p10 != eta.p90 || eta.p10.is_none() {
        bracket(sheet, from, to, y, eta.p90.is_none());
    }
    let Some(middle) = eta.p50.map(|t| sheet.x(t)).filter(|x| (plot.left..=plot.right).contains(x)) else { return };
    sheet.vertical(middle, y, plot.bottom, 1.8, &ETA_DASH, palette.threshold);
    let threshold = sheet.scene.threshold.map(|t| t.1).filter(|t| is_drawable(*t));
    let y = threshold.map_or(plot.top, |t| sheet.y(t).clamp(plot.top, plot.bottom));
    diamond(sheet, Point { x: middle, y }, 8.0);
}

/// The ETA's mark, in a thin case of paper.
pub fn diamond(sheet: &mut Sheet, center: Point, radius: f64) {
    let palette = sheet.palette;
    for (radius, ink) in [(radius + 2.0, palette.paper), (radius, palette.threshold)] {
        let r = sheet.px(radius);
        let points = [(0.0, -r), (r, 0.0), (0.0, r), (-r, 0.0)].map(|(dx, dy)| Point { x: center.x + dx, y: center.y + dy }).to_vec();
        sheet.marks.push(Mark::Polygon { points, ink });
    }
}

/// A horizontal bar with ends turned down; an arrow's head instead where it has no right end.
pub fn bracket(sheet: &mut Sheet, from: f64, to: f64, y: f64, is_open: bool) {
    let (drop, ink) = (sheet.px(5.0), sheet.palette.threshold);
    let mut points = vec![Point { x: from, y: y + drop }, Point { x: from, y }, Point { x: to, y }];
    if is_open {
        let head = [(to - drop, y - drop), (to, y), (to - drop, y + drop)].map(|(x, y)| Point { x, y }).to_vec();
        sheet.line(head, 2.2, &[], ink);
    } else {
        points.push(Point { x: to, y: y + drop });
    }
    sheet.line(points, 2.2, &[], ink);
}
