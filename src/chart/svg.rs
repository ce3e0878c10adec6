//! A plan as SVG, for pages: sharp at every size and on paper, and in the reader's own colours.
//!
//! The same marks as the PNG's, so both show the same. Inks become names and a page's style sheet gives the names their colours, light or
//! dark: one picture serves both. Words stay words, which can be found and read aloud; `textLength` holds them to the width that the layout
//! measured, whatever font the reader has.

use std::fmt::Write;

use super::line::{Point, Rect, dashes};
use super::mark::{BandEdge, Mark, Text};
use super::palette::{Ink, Palette, Theme};
use super::plan::plan;
use super::scene::Scene;
use super::{ChartError, Style, fonts};

/// The scene as one `<svg>` element of class `chart`, in the names that [`inks`] gives colours to.
///
/// # Errors
/// For a size that can not be drawn.
pub fn svg(scene: &Scene, style: &Style) -> Result<String, ChartError> {
    style.check()?;
    if !fonts::ready() {
        return Err(ChartError::Font);
    }
    let palette = style.theme.palette();
    let plan = plan(scene, style);
    let mut out = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
        style.width,
        style.height,
        escape(&scene.title)
    );
    for mark in &plan.marks {
        paint(&mut out, mark, palette);
    }
    out.push_str("</svg>");
    Ok(out)
}

/// The colours of all names, for the theme that the reader prefers; light on paper.
pub fn inks() -> String {
    let rules = |theme: Theme| {
        let mut out = String::new();
        for (name, ink) in theme.palette().named() {
            let ((r, g, b), alpha) = (ink.rgb, ink.alpha);
            let _ = write!(out, ".chart .{name}{{--ink:rgb({r} {g} {b}/{alpha})}}");
        }
        out
    };
    let shape = ".chart .f{fill:var(--ink)}.chart .s{fill:none;stroke:var(--ink);stroke-linejoin:round}";
    format!("{}{shape}@media screen and (prefers-color-scheme:dark){{{}}}", rules(Theme::Light), rules(Theme::Dark))
}

/// Text as it may stand in HTML and SVG, between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Neither HTML nor XML may hold them, and what turns the writing's direction would turn all that follows.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Class, and the opacity where it is not the name's own.
fn class(ink: Ink, palette: &Palette, kind: char) -> String {
    let named = palette.named();
    if let Some((name, _)) = named.iter().find(|(_, known)| *known == ink) {
        return format!("class=\"{kind} {name}\"");
    }
    let (name, known) = named.iter().find(|(_, known)| known.rgb == ink.rgb).copied().unwrap_or(("text", ink));
    format!("class=\"{kind} {name}\" opacity=\"{:.2}\"", (ink.alpha / known.alpha).min(1.0))
}

fn paint(out: &mut String, mark: &Mark, palette: &Palette) {
    // Writing into a string cannot fail.
    let _ = match mark {
        Mark::Fill { area, ink } => {
            let (x, y) = (number(area.left), number(area.top));
            let (width, height) = (number(area.width()), number(area.height()));
            write!(out, "<rect {} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>", class(*ink, palette, 'f'))
        }
        Mark::Band { edges, area, ink } => {
            let outline = outline(edges, *area);
            write!(out, "<path {} d=\"{}Z\"/>", class(*ink, palette, 'f'), path(&outline))
        }
        Mark::Line { points, width, dash, ink } => {
            let d: String = dashes(points, dash).iter().map(|part| path(part)).collect();
            write!(out, "<path {} stroke-width=\"{}\" d=\"{d}\"/>", class(*ink, palette, 's'), number(*width))
        }
        Mark::Polygon { points, ink } => write!(out, "<path {} d=\"{}Z\"/>", class(*ink, palette, 'f'), path(points)),
        Mark::Dot { center, radius, ink } => {
            let (x, y, r) = (number(center.x), number(center.y), number(*radius));
            write!(out, "<circle {} cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>", class(*ink, palette, 'f'))
        }
        Mark::Text(text) => write_text(out, text, palette),
    };
}

fn write_text(out: &mut String, text: &Text, palette: &Palette) -> std::fmt::Result {
    let (x, y) = (number(text.at.x), number(text.at.y));
    let turned = if text.upright { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    let weight = if text.bold { " font-weight=\"700\"" } else { "" };
    write!(
        out,
        "<text {} x=\"{x}\" y=\"{y}\" font-size=\"{}\"{weight}{turned} textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
        class(text.ink, palette, 'f'),
        number(text.size),
        number(text.width),
        escape(&text.text)
    )
}

/// Along the upper edge and back along the lower one, within the area.
fn outline(edges: &[BandEdge], area: Rect) -> Vec<Point> {
    let mut kept: Vec<BandEdge> = Vec::new();
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        if to.x <= area.left || from.x >= area.right || to.x <= from.x {
            continue;
        }
        let at = |x: f64| {
            let t = (x - from.x) / (to.x - from.x);
            let between = |a: f64, b: f64| (a + (b - a) * t).clamp(area.top, area.bottom);
            BandEdge { x, top: between(from.top, to.top), bottom: between(from.bottom, to.bottom) }
        };
        kept.extend([at(from.x.max(area.left)), at(to.x.min(area.right))]);
    }
    kept.dedup();
    let tops = kept.iter().map(|e| Point { x: e.x, y: e.top });
    let bottoms = kept.iter().rev().map(|e| Point { x: e.x, y: e.bottom });
    tops.chain(bottoms).collect()
}

fn path(points: &[Point]) -> String {
    let mut out = String::new();
    for (i, point) in points.iter().enumerate() {
        let _ = write!(out, "{}{} {}", if i == 0 { 'M' } else { 'L' }, number(point.x), number(point.y));
    }
    out
}

/// To a tenth of a pixel, without digits that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::gallery::{all, disk};
    use super::*;

    #[test]
    fn every_scene_is_drawn_with_all_its_words_and_only_in_named_inks() {
        let names: Vec<&str> = Theme::Light.palette().named().iter().map(|(name, _)| *name).collect();
        for (scene_name, scene) in all() {
            let drawn = svg(&scene, &Style::default()).unwrap();
            // The title may say anything.
            let marks = drawn.split_once('>').unwrap().1;
            for wrong in ["\"NaN", "MNaN", "LNaN", " NaN\"", "\"inf", "Minf", "Linf", "-inf"] {
                assert!(!marks.contains(wrong), "{scene_name}: {wrong}");
            }
            for class in drawn.split("class=\"").skip(2).filter_map(|rest| rest.split('"').next()) {
                let (kind, name) = class.split_once(' ').unwrap();
                assert!((kind == "f" || kind == "s") && names.contains(&name), "{scene_name}: {class}");
            }
            for mark in &plan(&scene, &Style::default()).marks {
                if let Mark::Text(text) = mark {
                    assert!(drawn.contains(&format!(">{}</text>", escape(&text.text))), "{scene_name}: {:?}", text.text);
                }
            }
        }
        let size = svg(&disk(), &Style::default()).unwrap().len();
        assert!(size < 100_000, "{size} bytes");
    }

    #[test]
    fn hostile_words_stay_words() {
        let mut scene = disk();
        scene.title = "</svg><script>alert('1')</script>&\"\u{202e}".into();
        let drawn = svg(&scene, &Style::default()).unwrap();
        assert!(!drawn.contains("<script") && drawn.contains("&lt;script&gt;"), "{}", &drawn[..300]);
        assert_eq!(escape("a\u{0}b\u{202e}c"), "a b c");
    }

    #[test]
    fn every_ink_has_a_colour_in_both_themes() {
        let css = inks();
        for (name, _) in Theme::Dark.palette().named() {
            assert_eq!(css.matches(&format!(".chart .{name}{{")).count(), 2, "{name}");
        }
    }
}
