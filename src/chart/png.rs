//! Paints a plan with plotters, into memory, and packs it as PNG.
//!
//! Everything is painted at twice the size and averaged down: plotters smooths only lines of one pixel, and letters it places on whole
//! pixels. Bands are filled a column at a time instead of as polygons, because that has no rules for self-crossing outlines to get wrong.

use plotters::prelude::{BitMapBackend, Circle, DrawingArea, IntoDrawingArea, PathElement, Polygon, RGBAColor, Rectangle, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, TextStyle};
use plotters::{coord::Shift, element::Text as Words};

use super::line::{Point, Rect, dashes};
use super::mark::{BandEdge, Mark, Text};
use super::palette::Ink;
use super::plan::plan;
use super::scene::Scene;
use super::{ChartError, Style, encode, fonts};

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Painted = Result<(), ChartError>;

/// Painted this many times larger in each direction.
pub const OVERSAMPLING: u32 = 2;

/// The scene as the bytes of a PNG file. Equal scenes give equal bytes.
pub fn render(scene: &Scene, style: &Style) -> Result<Vec<u8>, ChartError> {
    encode::png(&pixels(scene, style)?, style.width, style.height).map_err(|error| ChartError::Encode(error.to_string()))
}

/// The picture itself: three bytes a pixel, row after row.
pub fn pixels(scene: &Scene, style: &Style) -> Result<Vec<u8>, ChartError> {
    style.check()?;
    if !fonts::ready() {
        return Err(ChartError::Font);
    }
    let plan = plan(scene, style);
    let (width, height) = (style.width * OVERSAMPLING, style.height * OVERSAMPLING);
    let mut buffer = vec![0_u8; width as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut buffer, (width, height)).into_drawing_area();
        for mark in &plan.marks {
            paint(&area, mark)?;
        }
        area.present().map_err(painting)?;
    }
    Ok(averaged(&buffer, style.width as usize, style.height as usize))
}

fn painting(error: impl std::fmt::Display) -> ChartError {
    ChartError::Paint(error.to_string())
}

fn color(ink: Ink) -> RGBAColor {
    RGBAColor(ink.rgb.0, ink.rgb.1, ink.rgb.2, ink.alpha)
}

/// A length on the paper as one on the larger canvas. All coordinates come from a plan, whose points lie within a few pictures' widths.
fn large(length: f64) -> i32 {
    (length * f64::from(OVERSAMPLING)).round() as i32
}

fn at(point: Point) -> (i32, i32) {
    (large(point.x), large(point.y))
}

fn paint(area: &Area, mark: &Mark) -> Painted {
    match mark {
        Mark::Fill { area: rect, ink } => fill(area, *rect, *ink),
        Mark::Band { edges, area: rect, ink } => band(area, edges, *rect, *ink),
        Mark::Line { points, width, dash, ink } => dashes(points, dash).iter().try_for_each(|part| stroke(area, part, *width, *ink)),
        Mark::Polygon { points, ink } => {
            let points: Vec<_> = points.iter().map(|p| at(*p)).collect();
            area.draw(&Polygon::new(points, ShapeStyle::from(color(*ink)).filled())).map_err(painting)
        }
        Mark::Dot { center, radius, ink } => {
            area.draw(&Circle::new(at(*center), large(*radius), ShapeStyle::from(color(*ink)).filled())).map_err(painting)
        }
        Mark::Text(text) => write(area, text),
    }
}

fn fill(area: &Area, rect: Rect, ink: Ink) -> Painted {
    let (left, top) = (large(rect.left), large(rect.top));
    // The bitmap backend fills up to the second corner and without it.
    let (right, bottom) = (large(rect.right), large(rect.bottom));
    if right <= left || bottom <= top {
        return Ok(());
    }
    area.draw(&Rectangle::new([(left, top), (right, bottom)], ShapeStyle::from(color(ink)).filled())).map_err(painting)
}

/// Column by column, each as high as the edges are apart in its middle.
fn band(area: &Area, edges: &[BandEdge], clip: Rect, ink: Ink) -> Painted {
    let scale = f64::from(OVERSAMPLING);
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let first = large(from.x.max(clip.left));
        let last = large(to.x.min(clip.right));
        for column in first..last {
            let x = (f64::from(column) + 0.5) / scale;
            let t = ((x - from.x) / (to.x - from.x)).clamp(0.0, 1.0);
            let between = |a: f64, b: f64| (a + (b - a) * t).clamp(clip.top, clip.bottom);
            let (top, bottom) = (between(from.top, to.top), between(from.bottom, to.bottom));
            let column = f64::from(column) / scale;
            fill(area, Rect { left: column, top, right: column + 1.0 / scale, bottom }, ink)?;
        }
    }
    Ok(())
}

/// A line of any width with round joints. Each piece is painted by itself: as one outline, a line that turns back over itself has holes.
fn stroke(area: &Area, points: &[Point], width: f64, ink: Ink) -> Painted {
    let width = (width * f64::from(OVERSAMPLING)).round().max(1.0);
    let points: Vec<(i32, i32)> = points.iter().map(|p| at(*p)).collect();
    let is_level = points.windows(2).all(|w| w[0].0 == w[1].0) || points.windows(2).all(|w| w[0].1 == w[1].1);
    if is_level && let (Some(a), Some(b)) = (points.iter().min(), points.iter().max()) {
        return straight(area, *a, *b, width as i32, ink);
    }
    let style = ShapeStyle::from(color(ink)).stroke_width(width as u32);
    // Transparent ink laid on twice would show at the joints.
    if ink.alpha < 1.0 {
        return area.draw(&PathElement::new(points, style)).map_err(painting);
    }
    let joint = (width / 2.0 - 0.5).round() as i32;
    for pair in points.windows(2).filter(|w| w[0] != w[1]) {
        if width < 2.0 {
            area.draw(&PathElement::new(pair.to_vec(), style)).map_err(painting)?;
        } else {
            area.draw(&Polygon::new(slanted(pair[0], pair[1], width), style.filled())).map_err(painting)?;
        }
        if joint > 0 {
            area.draw(&Circle::new(pair[1], joint, style.filled())).map_err(painting)?;
        }
    }
    Ok(())
}

/// The corners of a piece of a line. plotters rounds both its edges to whole pixels by themselves, which makes a slope of one half as thick as a
/// level line; here the way from edge to edge is the one in whole pixels whose thickness comes nearest.
fn slanted(a: (i32, i32), b: (i32, i32), width: f64) -> Vec<(i32, i32)> {
    let along = (f64::from(b.0 - a.0), f64::from(b.1 - a.1));
    let length = along.0.hypot(along.1);
    let across = (-along.1 / length, along.0 / length);
    let off = |way: &(f64, f64)| (way.0 * across.0 + way.1 * across.1 - width).abs();
    let exact = (across.0 * width, across.1 * width);
    let (left, right, top, bottom) = (exact.0.floor(), exact.0.ceil(), exact.1.floor(), exact.1.ceil());
    let ways = [(left, top), (left, bottom), (right, top), (right, bottom)];
    let nearest = ways.into_iter().min_by(|one, other| off(one).total_cmp(&off(other))).unwrap_or(exact);
    let whole = (nearest.0 as i32, nearest.1 as i32);
    let half = ((nearest.0 / 2.0).round() as i32, (nearest.1 / 2.0).round() as i32);
    let (begin, end) = ((a.0 + half.0, a.1 + half.1), (b.0 + half.0, b.1 + half.1));
    vec![begin, end, (end.0 - whole.0, end.1 - whole.1), (begin.0 - whole.0, begin.1 - whole.1)]
}

/// A level or upright line is a rectangle: sharp edges, whatever its width.
fn straight(area: &Area, a: (i32, i32), b: (i32, i32), width: i32, ink: Ink) -> Painted {
    let (before, after) = (width / 2, width - width / 2);
    let corners = if a.1 == b.1 { [(a.0, a.1 - before), (b.0, b.1 + after)] } else { [(a.0 - before, a.1), (b.0 + after, b.1)] };
    area.draw(&Rectangle::new(corners, ShapeStyle::from(color(ink)).filled())).map_err(painting)
}

fn write(area: &Area, text: &Text) -> Painted {
    let font = fonts::font(text.size * f64::from(OVERSAMPLING), text.bold);
    // plotters' letters stand on a line half the font's height below the given point.
    let rise = (font.get_size() / 2.0) as i32;
    let ink = color(text.ink);
    let style = TextStyle::from(font).color(&ink).pos(Pos::new(HPos::Left, VPos::Top));
    let (x, y) = at(text.at);
    let (position, style) = if text.upright { ((x - rise, y), style.transform(FontTransform::Rotate270)) } else { ((x, y - rise), style) };
    area.draw(&Words::new(text.text.as_str(), position, style)).map_err(painting)
}

/// Each pixel is the mean of the larger picture's under it.
fn averaged(large: &[u8], width: usize, height: usize) -> Vec<u8> {
    const N: usize = OVERSAMPLING as usize;
    let mut out = Vec::with_capacity(width * height * 3);
    for rows in large.chunks_exact(width * N * 3 * N) {
        let rows: [&[u8]; N] = std::array::from_fn(|i| &rows[i * width * N * 3..(i + 1) * width * N * 3]);
        for x in (0..width * N * 3).step_by(N * 3) {
            let mut sums = [(N * N / 2) as u32; 3];
            for row in rows {
                for pixel in row[x..x + N * 3].chunks_exact(3) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += u32::from(*byte));
                }
            }
            // The mean of bytes is a byte.
            out.extend(sums.map(|sum| (sum / (N * N) as u32) as u8));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_thick_on_every_slope() {
        const SIDE: usize = 600;
        let ink = Ink { rgb: (0, 0, 0), alpha: 1.0 };
        let thickness = |degrees: f64| {
            let mut buffer = vec![255_u8; SIDE * SIDE * 3];
            let (x, y) = (120.0 * degrees.to_radians().cos(), 120.0 * degrees.to_radians().sin());
            {
                let area = BitMapBackend::with_buffer(&mut buffer, (SIDE as u32, SIDE as u32)).into_drawing_area();
                stroke(&area, &[Point { x: 150.0 - x, y: 150.0 - y }, Point { x: 150.0 + x, y: 150.0 + y }], 2.0, ink).unwrap();
            }
            buffer.iter().step_by(3).filter(|v| **v < 128).count() as f64 / 480.0
        };
        // Two pixels are four on the larger canvas; edges that touch a pixel count it whole.
        for degrees in 0..180 {
            let thick = thickness(f64::from(degrees));
            assert!((3.9..=5.3).contains(&thick), "{degrees} degrees: {thick:.2}");
        }
    }
}
