//! Where everything goes: a scene and a size become a list of marks.
//!
//! Words never lie over data: title, labels and the sentence about the ETA have rows above the plot, ticks and legend rows below, the
//! threshold's value the margin to its right. What a row can't hold is shortened, not squeezed.

use super::fonts;
use super::line::{Point, Rect};
use super::mark::{CAP_HEIGHT, Mark, Text};
use super::palette::{Ink, Palette};
use super::range::{Placement, TimeRange, ValueRange, time_range, value_range};
use super::scene::Scene;
use super::time_ticks::zone_name;
use super::{Style, axes, data, legend, remarks, words};
use crate::core::time::Timestamp;
use crate::core::watch::Side;

/// Everything to paint, over paper of `width` x `height`.
#[derive(Clone, Debug)]
pub struct Plan {
    pub marks: Vec<Mark>,
    /// Where the data is drawn.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests ask where a value was drawn"))]
    pub plot: Rect,
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests ask where a value was drawn"))]
    pub values: ValueRange,
}

/// Sizes in pixels, from the picture's own.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub width: f64,
    pub height: f64,
    /// 1 at 1200 x 600.
    pub scale: f64,
    pub em: f64,
    pub title_em: f64,
}

/// Text at 1200 x 600: large enough to be read when the picture is shown at half its size, as a chat window does.
const EM: f64 = 17.0;
const TITLE_EM: f64 = 23.0;
/// Below this no text can be read.
const LEAST_SCALE: f64 = 0.6;
const LARGEST_SCALE: f64 = 4.0;
const MAX_LABEL_LINES: usize = 2;
/// The right margin takes no more than this part of the width, however long the threshold's number.
const MAX_MARGIN_SHARE: f64 = 0.2;

/// Scene and sizes on their way to a list of marks: what all parts of the layout share.
pub struct Sheet<'a> {
    pub scene: &'a Scene,
    pub palette: &'static Palette,
    pub sizes: Sizes,
    pub plot: Rect,
    pub values: ValueRange,
    pub times: TimeRange,
    pub marks: Vec<Mark>,
}

impl Sheet<'_> {
    pub fn px(&self, length: f64) -> f64 {
        length * self.sizes.scale
    }

    pub fn x(&self, time: Timestamp) -> f64 {
        let part = (time - self.times.start).as_secs_f64() / (self.times.end - self.times.start).as_secs_f64();
        self.plot.left + part.clamp(-1e3, 1e3) * self.plot.width()
    }

    pub fn y(&self, value: f64) -> f64 {
        let part = (value - self.values.low) / (self.values.high - self.values.low);
        self.plot.bottom - part.clamp(-1e3, 1e3) * self.plot.height()
    }

    pub fn point(&self, time: Timestamp, value: f64) -> Point {
        Point { x: self.x(time), y: self.y(value) }
    }

    pub fn text_width(&self, text: &str) -> f64 {
        fonts::width(text, self.sizes.em, false)
    }

    /// Words with the left end of their baseline at `x`, `baseline`.
    pub fn write(&mut self, text: &str, x: f64, baseline: f64, ink: Ink) {
        self.write_as(text, x, baseline, self.sizes.em, false, ink);
    }

    pub fn write_as(&mut self, text: &str, x: f64, baseline: f64, size: f64, bold: bool, ink: Ink) {
        if !text.is_empty() {
            let width = fonts::width(text, size, bold);
            let at = Point { x, y: baseline };
            self.marks.push(Mark::Text(Text { text: text.to_owned(), at, width, size, bold, upright: false, ink }));
        }
    }

    pub fn line(&mut self, points: Vec<Point>, width: f64, dash: &[f64], ink: Ink) {
        let scale = self.sizes.scale;
        self.marks.push(Mark::Line { points, width: (width * scale).max(1.0), dash: dash.iter().map(|d| d * scale).collect(), ink });
    }

    pub fn vertical(&mut self, x: f64, top: f64, bottom: f64, width: f64, dash: &[f64], ink: Ink) {
        self.line(vec![Point { x, y: top }, Point { x, y: bottom }], width, dash, ink);
    }
}

/// Lays a scene out. `style` has been checked.
pub fn plan(scene: &Scene, style: &Style) -> Plan {
    let (width, height) = (f64::from(style.width), f64::from(style.height));
    let scale = (width / 1200.0).min(height / 600.0).clamp(LEAST_SCALE, LARGEST_SCALE);
    let sizes = Sizes { width, height, scale, em: EM * scale, title_em: TITLE_EM * scale };
    let times = time_range(scene);
    let values = value_range(scene, times);
    let everything = Rect { left: 0.0, top: 0.0, right: width, bottom: height };
    let mut sheet = Sheet { scene, palette: style.theme.palette(), sizes, plot: everything, values, times, marks: Vec::new() };
    sheet.marks.push(Mark::Fill { area: everything, ink: sheet.palette.paper });

    let margin = sheet.px(16.0);
    let lane = header(&mut sheet, margin);
    let tag = threshold_tag(&sheet);
    let tag_width = tag.iter().map(|line| fonts::width(line, sizes.em, true)).fold(0.0, f64::max);
    sheet.plot.right = width - margin - if tag.is_empty() { sheet.px(8.0) } else { tag_width + sheet.px(8.0) };
    sheet.plot.top = lane + sheet.px(14.0);
    let legend_rows = legend::rows(&sheet, margin);
    sheet.plot.bottom = height - sheet.px(12.0) - sizes.em * (1.5 * legend_rows.len() as f64 + 2.95);

    let ticks = scene.unit.ticks(values.low, values.high, ((sheet.plot.height() / (sizes.em * 3.2)) as usize).clamp(2, 8));
    let tick_width = ticks.iter().map(|t| sheet.text_width(&t.label)).fold(0.0, f64::max);
    sheet.plot.left = (margin + sizes.em * 1.5 + tick_width + sheet.px(8.0)).round();

    data::behind(&mut sheet);
    axes::value_axis(&mut sheet, &ticks, margin);
    axes::time_axis(&mut sheet);
    data::lines(&mut sheet);
    data::eta(&mut sheet, lane);
    lane_words(&mut sheet, lane);
    write_tag(&mut sheet, &tag);
    legend::draw(&mut sheet, &legend_rows, margin);
    Plan { marks: sheet.marks, plot: sheet.plot, values }
}

/// Title, labels, notes; returns the baseline of the row between them and the plot.
fn header(sheet: &mut Sheet, margin: f64) -> f64 {
    let (sizes, room, palette) = (sheet.sizes, sheet.sizes.width - 2.0 * margin, sheet.palette);
    let fits = |text: &str| fonts::width(text, sizes.em, false) <= room;
    let mut baseline = margin * 0.9 + sizes.title_em * CAP_HEIGHT;
    let title = words::cut_end(&sheet.scene.title, |t| fonts::width(t, sizes.title_em, true) <= room);
    sheet.write_as(&title, margin, baseline, sizes.title_em, true, palette.text);
    let low = sizes.height < 320.0 * sizes.scale;
    let mut lines = words::label_lines(&sheet.scene.labels, if low { 1 } else { MAX_LABEL_LINES }, fits);
    if !low {
        let said = sheet.scene.notes.iter().map(|n| words::one_line(n)).filter(|n| !n.is_empty()).collect::<Vec<_>>().join(" · ");
        let mut line = words::cut_end(&said, fits);
        // What the chart says about itself is said whole or not at all.
        for remark in remarks::of(sheet.scene) {
            let longer = if line.is_empty() { remark } else { format!("{line} · {remark}") };
            if fits(&longer) {
                line = longer;
            }
        }
        lines.extend((!line.is_empty()).then_some(line));
    }
    for (i, line) in lines.iter().enumerate() {
        baseline += sizes.em * if i == 0 { 1.55 } else { 1.4 };
        sheet.write(line, margin, baseline, palette.faint_text);
    }
    baseline + sizes.em * 1.95
}

/// `now` and the ETA's sentence over their lines, moved apart where they would meet.
fn lane_words(sheet: &mut Sheet, baseline: f64) {
    let scene = sheet.scene;
    let gap = sheet.sizes.em;
    let now_x = sheet.x(scene.now);
    let current = data::current(sheet).map_or(String::new(), |v| format!(" · {}", scene.unit.show(v)));
    let is_shown = (sheet.plot.left..=sheet.plot.right).contains(&now_x);
    let clock = if is_shown { words::clock(scene.now, scene.now, &scene.zone) } else { words::dated(scene.now, &scene.zone) };
    let now = format!("now {clock}{current}");
    let (left, right) = (sheet.plot.left, sheet.sizes.width - sheet.px(16.0));
    let room = right - left;
    let sentence = words::cut_end(&words::eta_sentence(scene), |t| fonts::width(t, sheet.sizes.em, true) <= room);
    let sentence_width = fonts::width(&sentence, sheet.sizes.em, true);
    let now_width = sheet.text_width(&now);
    let anchor = scene.eta.and_then(|e| e.p50.or(e.p10)).map_or(right, |t| sheet.x(t));
    let centred = |x: f64, width: f64| (x - width / 2.0).clamp(left, (right - width).max(left));
    let (mut now_at, mut eta_at) = (centred(now_x, now_width), centred(anchor, sentence_width));
    // Not enough for both: the sentence tells more than the word, and the line is drawn anyway.
    let both = now_width + gap + sentence_width <= room;
    if both && !sentence.is_empty() && now_at < eta_at + sentence_width + gap && eta_at < now_at + now_width + gap {
        if now_x <= anchor {
            eta_at = eta_at.max(now_at + now_width + gap).min(right - sentence_width);
            now_at = now_at.min(eta_at - gap - now_width);
        } else {
            now_at = now_at.max(eta_at + sentence_width + gap).min(right - now_width);
            eta_at = eta_at.min(now_at - gap - sentence_width);
        }
    }
    if both || sentence.is_empty() {
        sheet.write(&now, now_at, baseline, sheet.palette.now);
    }
    sheet.write_as(&sentence, eta_at, baseline, sheet.sizes.em, true, sheet.palette.threshold_text);
}

/// The threshold's value, for the right margin: two short lines, none without a threshold.
fn threshold_tag(sheet: &Sheet) -> Vec<String> {
    let Some((side, value)) = sheet.scene.threshold else { return Vec::new() };
    let sign = match side {
        Side::Above => "≥",
        Side::Below => "≤",
    };
    let arrow = match sheet.values.threshold {
        Placement::Above => " ↑",
        Placement::Below => " ↓",
        Placement::Inside => "",
        Placement::Absent => return Vec::new(),
    };
    let room = sheet.sizes.width * MAX_MARGIN_SHARE;
    let value = format!("{sign} {}{arrow}", sheet.scene.unit.show(value));
    [String::from("threshold"), value]
        .into_iter()
        .map(|line| words::cut_end(&line, |t| fonts::width(t, sheet.sizes.em, true) <= room))
        .collect()
}

fn write_tag(sheet: &mut Sheet, tag: &[String]) {
    let Some((_, threshold)) = sheet.scene.threshold.filter(|_| !tag.is_empty()) else { return };
    let em = sheet.sizes.em;
    let middle = sheet.y(threshold).clamp(sheet.plot.top + em * 1.05, sheet.plot.bottom - em * 1.3);
    for (i, line) in tag.iter().enumerate() {
        let baseline = middle - em * 0.25 + em * 1.25 * i as f64;
        sheet.write_as(line, sheet.plot.right + sheet.px(8.0), baseline, em, true, sheet.palette.threshold_text);
    }
}

/// The same in as few words as can be, for small pictures.
pub fn short_zone_words(sheet: &Sheet) -> String {
    let name = zone_name(&sheet.scene.zone, sheet.times.start, sheet.times.end);
    name.split_once('(').and_then(|(_, offset)| offset.strip_suffix(')')).map_or(name.clone(), str::to_owned)
}

/// What stands at the end of the legend: the zone of all times on the chart.
pub fn zone_words(sheet: &Sheet) -> String {
    format!("time: {}", zone_name(&sheet.scene.zone, sheet.times.start, sheet.times.end))
}
