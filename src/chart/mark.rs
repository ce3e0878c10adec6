//! The list of strokes, fills and words that a chart is made of: what the layout hands to the painter.
//!
//! Between the two lies this list, and not calls to a drawing library, so that the tests can ask where everything is and whether two words
//! overlap, without looking for them in pixels.

use super::line::{Point, Rect};
use super::palette::Ink;

/// One thing to paint; later ones over earlier ones. All lengths are pixels.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    Fill {
        area: Rect,
        ink: Ink,
    },
    /// The area between two lines over the same x, cut off at `area`.
    Band {
        edges: Vec<BandEdge>,
        area: Rect,
        ink: Ink,
    },
    /// `dash` is lengths on and off; empty for a solid line.
    Line {
        points: Vec<Point>,
        width: f64,
        dash: Vec<f64>,
        ink: Ink,
    },
    Polygon {
        points: Vec<Point>,
        ink: Ink,
    },
    Dot {
        center: Point,
        radius: f64,
        ink: Ink,
    },
    Text(Text),
}

/// A band at one x: `top` is the smaller y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandEdge {
    pub x: f64,
    pub top: f64,
    pub bottom: f64,
}

/// One line of words.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub text: String,
    /// Left end of the baseline; of upright text the lower end.
    pub at: Point,
    /// Measured width.
    pub width: f64,
    pub size: f64,
    pub bold: bool,
    pub upright: bool,
    pub ink: Ink,
}

/// Height of capitals and depth of descenders of DejaVu Sans, in parts of the size.
pub const CAP_HEIGHT: f64 = 0.73;
#[cfg(test)]
pub const DESCENT: f64 = 0.24;

impl Text {
    /// What the words cover.
    #[cfg(test)]
    pub fn area(&self) -> Rect {
        let (above, below) = (self.size * CAP_HEIGHT, self.size * DESCENT);
        if self.upright {
            Rect { left: self.at.x - above, top: self.at.y - self.width, right: self.at.x + below, bottom: self.at.y }
        } else {
            Rect { left: self.at.x, top: self.at.y - above, right: self.at.x + self.width, bottom: self.at.y + below }
        }
    }
}
