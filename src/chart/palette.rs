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

impl Palette {
    /// Every ink by its name.
    pub fn named(&self) -> [(&'static str, Ink); 17] {
        [
            ("paper", self.paper),
            ("text", self.text),
            ("faint-text", self.faint_text),
            ("frame", self.frame),
            ("grid", self.grid),
            ("day-line", self.day_line),
            ("history", self.history),
            ("normal-fill", self.normal_fill),
            ("normal-line", self.normal_line),
            ("median", self.median),
            ("fan-fill", self.fan_fill),
            ("fan-line", self.fan_line),
            ("threshold", self.threshold),
            ("threshold-text", self.threshold_text),
            ("eta-fill", self.eta_fill),
            ("now", self.now),
            ("anomaly", self.anomaly),
        ]
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

    /// Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1: linear RGB
    /// as seen without the long, the middle and the short cones.
    const BLIND: [(&str, [[f64; 3]; 3]); 3] = [
        ("protanopia", [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]]),
        ("deuteranopia", [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]]),
        ("tritanopia", [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]]),
    ];
    const SEEN: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

    /// CIE L*a*b* (D65) of an ink on paper as seen through a matrix of linear RGB.
    fn lab(ink: Ink, paper: Ink, eye: &[[f64; 3]; 3]) -> [f64; 3] {
        let linear = |v: f64| if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
        let mixed = |over: u8, under: u8| linear((f64::from(over) * ink.alpha + f64::from(under) * (1.0 - ink.alpha)) / 255.0);
        let (over, under) = (ink.rgb, paper.rgb);
        let rgb = [mixed(over.0, under.0), mixed(over.1, under.1), mixed(over.2, under.2)];
        let times = |m: &[[f64; 3]; 3], v: [f64; 3]| [0, 1, 2].map(|i| m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2]);
        let seen = times(eye, rgb).map(|v| v.clamp(0.0, 1.0));
        let to_xyz = [[0.412_456, 0.357_576, 0.180_438], [0.212_673, 0.715_152, 0.072_175], [0.019_334, 0.119_192, 0.950_304]];
        let xyz = times(&to_xyz, seen);
        let f = |v: f64| if v > 216.0 / 24_389.0 { v.cbrt() } else { (24_389.0 / 27.0 * v + 16.0) / 116.0 };
        let [x, y, z] = [f(xyz[0] / 0.950_47), f(xyz[1]), f(xyz[2] / 1.088_83)];
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// Euclidean in L*a*b* (CIE 1976): 2 is just to be seen beside each other, 20 is another colour at a glance.
    fn distance(a: Ink, b: Ink, paper: Ink, eye: &[[f64; 3]; 3]) -> f64 {
        let (a, b) = (lab(a, paper, eye), lab(b, paper, eye));
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn lines_stay_apart_for_every_kind_of_colour_blindness() {
        for theme in [Theme::Light, Theme::Dark] {
            let p = theme.palette();
            for (eye, matrix) in BLIND.iter().map(|(name, matrix)| (*name, matrix)).chain([("all cones", &SEEN)]) {
                let inks = [("history", p.history), ("forecast", p.median), ("threshold", p.threshold), ("paper", p.paper)];
                for (i, (a, one)) in inks.iter().enumerate() {
                    for (b, other) in &inks[i + 1..] {
                        let apart = distance(*one, *other, p.paper, matrix);
                        assert!(apart >= 30.0, "{theme:?}, {eye}: {a} and {b} are {apart:.1} apart");
                    }
                }
                // Rings are told by their shape; their colour may not vanish against paper or line.
                for (name, ink) in [("paper", p.paper), ("history", p.history)] {
                    assert!(distance(p.anomaly, ink, p.paper, matrix) >= 20.0, "{theme:?}, {eye}: anomaly and {name}");
                }
                let fills = distance(p.normal_fill, p.fan_fill, p.paper, matrix);
                assert!(fills >= 8.0, "{theme:?}, {eye}: normal and forecast's shades are {fills:.1} apart");
            }
        }
        // The matrices are those of the paper: white stays white.
        for (eye, matrix) in BLIND {
            let white = lab(ink(255, 255, 255, 1.0), ink(255, 255, 255, 1.0), &matrix);
            assert!((white[0] - 100.0).abs() < 0.1 && white[1].abs() < 0.5 && white[2].abs() < 0.5, "{eye}: {white:?}");
        }
    }

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
