//! Inks: chosen by lightness first and hue second, so that a printed or colour-blind look loses nothing.
//!
//! The three lines that must never be confused (measured, forecast, threshold) differ in lightness, in dash and in weight as well as in hue
//! (near-black, blue, vermilion: apart for all common kinds of colour blindness, after Okabe and Ito, "Color Universal Design", 2008).

/// A colour with an opacity in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ink {
    pub rgb: (u8, u8, u8),
    pub alpha: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    Light,
    Dark,
}

/// One theme's inks, by what they draw.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    pub paper: Ink,
    pub text: Ink,
    pub faint_text: Ink,
    pub frame: Ink,
    pub grid: Ink,
    pub day_line: Ink,
    pub history: Ink,
    pub normal_fill: Ink,
    pub normal_line: Ink,
    pub median: Ink,
    /// Each interval adds this much; nested ones get denser inwards.
    pub fan_fill: Ink,
    pub fan_line: Ink,
    pub threshold: Ink,
    pub threshold_text: Ink,
    pub eta_fill: Ink,
    pub now: Ink,
    pub anomaly: Ink,
}

const fn ink(red: u8, green: u8, blue: u8, alpha: f64) -> Ink {
    Ink { rgb: (red, green, blue), alpha }
}

const LIGHT: Palette = Palette {
    paper: ink(255, 255, 255, 1.0),
    text: ink(31, 36, 42, 1.0),
    faint_text: ink(87, 96, 106, 1.0),
    frame: ink(140, 149, 159, 1.0),
    grid: ink(208, 215, 222, 0.6),
    day_line: ink(160, 170, 180, 0.7),
    history: ink(20, 24, 30, 1.0),
    normal_fill: ink(96, 108, 96, 0.17),
    normal_line: ink(96, 108, 96, 0.55),
    median: ink(36, 134, 220, 1.0),
    fan_fill: ink(52, 140, 220, 0.19),
    fan_line: ink(52, 140, 220, 0.55),
    threshold: ink(172, 38, 6, 1.0),
    threshold_text: ink(170, 40, 5, 1.0),
    eta_fill: ink(225, 120, 30, 0.16),
    now: ink(60, 68, 77, 1.0),
    anomaly: ink(150, 40, 140, 1.0),
};

const DARK: Palette = Palette {
    paper: ink(17, 21, 27, 1.0),
    text: ink(230, 234, 239, 1.0),
    faint_text: ink(160, 170, 180, 1.0),
    frame: ink(100, 110, 120, 1.0),
    grid: ink(70, 78, 88, 0.6),
    day_line: ink(110, 120, 130, 0.7),
    history: ink(240, 244, 248, 1.0),
    normal_fill: ink(170, 185, 170, 0.17),
    normal_line: ink(170, 185, 170, 0.5),
    median: ink(70, 150, 230, 1.0),
    fan_fill: ink(60, 145, 235, 0.20),
    fan_line: ink(60, 145, 235, 0.55),
    threshold: ink(255, 160, 110, 1.0),
    threshold_text: ink(255, 170, 125, 1.0),
    eta_fill: ink(255, 150, 60, 0.16),
    now: ink(190, 198, 206, 1.0),
    anomaly: ink(225, 130, 215, 1.0),
};

impl Theme {
    pub fn palette(self) -> &'static Palette {
        match self {
            Self::Light => &LIGHT,
            Self::Dark => &DARK,
        }
    }
}

impl Ink {
    /// CIE lightness L*, 0 (black) to 100 (white), of the ink laid on `paper`: what is left of it in grey.
    pub fn lightness(self, paper: Self) -> f64 {
        let channel = |over: u8, under: u8| {
            let mixed = (f64::from(over) * self.alpha + f64::from(under) * (1.0 - self.alpha)) / 255.0;
            if mixed <= 0.040_45 { mixed / 12.92 } else { ((mixed + 0.055) / 1.055).powf(2.4) }
        };
        let (over, under) = (self.rgb, paper.rgb);
        let y = 0.2126 * channel(over.0, under.0) + 0.7152 * channel(over.1, under.1) + 0.0722 * channel(over.2, under.2);
        if y <= 216.0 / 24_389.0 { y * 24_389.0 / 27.0 } else { 116.0 * y.cbrt() - 16.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_lines_are_apart_in_grey_and_all_text_is_readable() {
        for theme in [Theme::Light, Theme::Dark] {
            let p = theme.palette();
            let paper = p.paper.lightness(p.paper);
            let mut lines: Vec<f64> = [p.history, p.threshold, p.median].map(|ink| ink.lightness(p.paper)).to_vec();
            lines.push(paper);
            lines.sort_by(f64::total_cmp);
            assert!(lines.windows(2).all(|w| w[1] - w[0] >= 11.0), "{theme:?} {lines:?}");
            for text in [p.text, p.faint_text, p.threshold_text, p.now] {
                assert!((text.lightness(p.paper) - paper).abs() >= 50.0, "{theme:?} {text:?}");
            }
            // The normal band is to be seen but not to compete.
            let band = (p.normal_fill.lightness(p.paper) - paper).abs();
            assert!((4.0..25.0).contains(&band), "{theme:?} {band}");
        }
    }
}
