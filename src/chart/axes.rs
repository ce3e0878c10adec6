//! The two axes: grid lines at round places, and the words beside them.

use super::fonts;
use super::line::Point;
use super::mark::{CAP_HEIGHT, Mark, Text};
use super::plan::Sheet;
use super::time_ticks::{TimeTick, time_ticks};
use super::unit::Tick;
use super::words;

/// Lines and words at round values, the frame, and what the values are.
pub fn value_axis(sheet: &mut Sheet, ticks: &[Tick], margin: f64) {
    let (plot, palette, em) = (sheet.plot, sheet.palette, sheet.sizes.em);
    for tick in ticks {
        let y = sheet.y(tick.value);
        sheet.line(vec![Point { x: plot.left, y }, Point { x: plot.right, y }], 1.0, &[], palette.grid);
        let x = plot.left - sheet.px(8.0) - sheet.text_width(&tick.label);
        sheet.write(&tick.label, x, y + em * CAP_HEIGHT / 2.0, palette.text);
    }
    for (from, to) in [((plot.left, plot.top), (plot.left, plot.bottom)), ((plot.left, plot.bottom), (plot.right, plot.bottom))] {
        sheet.line(vec![Point { x: from.0, y: from.1 }, Point { x: to.0, y: to.1 }], 1.0, &[], palette.frame);
    }
    let named = sheet.scene.value_name.as_deref().unwrap_or_else(|| sheet.scene.unit.name());
    let name = words::cut_end(named, |t| fonts::width(t, em, false) <= plot.height());
    if !name.is_empty() {
        let width = sheet.text_width(&name);
        let at = Point { x: margin * 0.7 + em * CAP_HEIGHT, y: f64::midpoint(plot.top, plot.bottom) + width / 2.0 };
        sheet.marks.push(Mark::Text(Text { text: name, at, width, size: em, bold: false, upright: true, ink: palette.faint_text }));
    }
}

/// Lines and words at round local times.
pub fn time_axis(sheet: &mut Sheet) {
    let (plot, palette, em) = (sheet.plot, sheet.palette, sheet.sizes.em);
    let gap = em * 0.8;
    // The most ticks whose labels all fit.
    let most = ((plot.width() / (em * 4.4)) as usize).max(1);
    let ticks = (1..=most).rev().map(|n| time_ticks(sheet.times.start, sheet.times.end, &sheet.scene.zone, n)).find(|ticks| {
        let ends: Vec<(f64, f64)> = ticks.iter().map(|t| (sheet.x(t.at), sheet.text_width(&t.label) / 2.0)).collect();
        ends.windows(2).all(|w| w[0].0 + w[0].1 + gap <= w[1].0 - w[1].1)
    });
    let ticks = ticks.unwrap_or_default();
    for tick in &ticks {
        let x = sheet.x(tick.at);
        let ink = if tick.is_major { palette.day_line } else { palette.grid };
        sheet.vertical(x, plot.top, plot.bottom, 1.0, &[], ink);
        sheet.vertical(x, plot.bottom, plot.bottom + sheet.px(5.0), 1.0, &[], palette.frame);
        let half = sheet.text_width(&tick.label) / 2.0;
        let x = x.clamp(half, sheet.sizes.width - half);
        sheet.write(&tick.label, x - half, plot.bottom + em * 1.4, palette.text);
    }
    days(sheet, &ticks, gap);
}

/// The row of days. A day that starts at its tick goes before the first tick's day, which is only a reminder.
fn days(sheet: &mut Sheet, ticks: &[TimeTick], gap: f64) {
    let (palette, baseline) = (sheet.palette, sheet.plot.bottom + sheet.sizes.em * 2.65);
    let mut taken: Vec<(f64, f64)> = Vec::new();
    let mut named: Vec<&TimeTick> = ticks.iter().filter(|t| t.day.is_some()).collect();
    named.sort_by_key(|t| !t.is_major);
    for tick in named {
        let day = tick.day.as_deref().unwrap_or_default();
        let width = sheet.text_width(day);
        let left = (sheet.x(tick.at) - width / 2.0).clamp(0.0, sheet.sizes.width - width);
        if taken.iter().all(|(from, to)| left > to + gap || left + width + gap < *from) {
            taken.push((left, left + width));
            sheet.write(day, left, baseline, palette.faint_text);
        }
    }
}
