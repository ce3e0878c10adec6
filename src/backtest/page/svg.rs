//! A sheet for a small diagram: a plot with a scale a side, drawn as SVG in the page's own colours.

use std::fmt::Write;

use crate::chart::escape;

/// Where the data goes on a sheet, in the sheet's own units.
#[derive(Clone, Copy, Debug)]
pub struct Plot {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Plot {
    /// From shares of the plot, 0 to 1, counted from its lower left corner.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top))
    }
}

/// How words stand to their place.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Drawn on from mark to mark.
#[derive(Debug)]
pub struct Sheet(String);

impl Sheet {
    /// `says` is what the diagram shows, for whoever cannot see it.
    pub fn new(width: f64, height: f64, says: &str) -> Self {
        Self(format!("<svg class=\"diagram\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">", escape(says)))
    }

    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        // Writing into a string cannot fail.
        let _ = write!(self.0, "<path class=\"{class}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>");
    }

    /// `says` appears where a mouse rests on it.
    pub fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), says: &str) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"1.5\">{}</rect>",
            title(says)
        );
    }

    pub fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64, says: &str) {
        let _ = write!(self.0, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\">{}</circle>", title(says));
    }

    pub fn diamond(&mut self, class: &str, (x, y): (f64, f64), r: f64, says: &str) {
        let _ = write!(
            self.0,
            "<path class=\"{class}\" d=\"M{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}Z\">{}</path>",
            y - r,
            x + r,
            y + r,
            x - r,
            title(says)
        );
    }

    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(self.0, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(text));
    }

    /// The same, written upwards.
    pub fn upright(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let _ = write!(
            self.0,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 {x:.1} {y:.1})\">{}</text>",
            escape(text)
        );
    }

    pub fn finish(mut self) -> String {
        self.0.push_str("</svg>");
        self.0
    }
}

fn title(says: &str) -> String {
    if says.is_empty() { String::new() } else { format!("<title>{}</title>", escape(says)) }
}
