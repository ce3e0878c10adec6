//! The one font of all charts, carried in the program: a chart looks the same on a laptop, in a container without any font, and in a test.
//!
//! DejaVu Sans, because it has the arrows, the middle dot and every script that is common in labels; its licence lies beside it.

use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::png::OVERSAMPLING;

const FAMILY: &str = "portent-dejavu";
const REGULAR: &[u8] = include_bytes!("fonts/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("fonts/DejaVuSans-Bold.ttf");
/// Plotters' size is the height from ascender to descender: for DejaVu 1.164 times the size of the em square.
const HEIGHT_PER_EM: f64 = 1.164;

/// Registers the fonts with plotters, once; false when their bytes are no font.
pub fn ready() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(|| {
        [(FontStyle::Normal, REGULAR), (FontStyle::Bold, BOLD)]
            .into_iter()
            .all(|(style, bytes)| register_font(FAMILY, style, bytes).is_ok())
    })
}

/// Plotters' font for an em size in pixels. The height is even, as plotters halves it to find the baseline.
pub fn font(em: f64, bold: bool) -> FontDesc<'static> {
    ready();
    FontDesc::new(FontFamily::Name(FAMILY), height(em), if bold { FontStyle::Bold } else { FontStyle::Normal })
}

fn height(em: f64) -> f64 {
    (em * HEIGHT_PER_EM / 2.0).round() * 2.0
}

/// Width of `text` in pixels at an em size in pixels, as it is painted: at the larger canvas' even height.
pub fn width(text: &str, em: f64, bold: bool) -> f64 {
    // Measured large, as plotters cuts the width down to a whole pixel.
    const SCALE: f64 = 8.0;
    let canvas = f64::from(OVERSAMPLING);
    let painted = height(em * canvas) / canvas / (height(em * SCALE) / SCALE);
    font(em * SCALE, bold).layout_box(text).map_or(0.0, |((left, _), (right, _))| f64::from(right - left) / SCALE * painted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_a_width_and_bold_ones_more() {
        assert!(ready());
        let (regular, bold) = (width("ETA 03:40 → · µs", 16.0, false), width("ETA 03:40 → · µs", 16.0, true));
        assert!(regular > 100.0 && bold > regular && bold < 220.0, "{regular} {bold}");
        assert!(width("", 16.0, false).abs() < f64::EPSILON);
    }
}
