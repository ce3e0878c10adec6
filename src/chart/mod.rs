//! Charts as PNG: what was measured, what is normal, what is forecast, the threshold, and when it will be reached.
//!
//! ```text
//! Scene (data) -> range, ticks, words (pure rules) -> plan (a list of marks) -> png (plotters) -> bytes
//!                                                                            -> svg, for pages
//! ```
//! Everything up to the list of marks is pure and tested without a pixel; plotters only paints. plotters' own chart builder is not used: its
//! ticks know neither time zones nor GiB, its legend covers data, and its text can't be asked where it is.

mod axes;
mod data;
mod encode;
mod fonts;
mod legend;
mod line;
mod mark;
mod number;
mod palette;
mod plan;
mod png;
mod range;
mod remarks;
pub mod scene;
mod svg;
mod time_ticks;
mod unit;
mod words;

use std::path::{Path, PathBuf};

pub use palette::Theme;
pub use png::render;
pub use scene::{BandPoint, FAN_LEVELS, Fan, FanLevel, Scene, past_worth_showing};
pub use svg::{escape, inks, svg};
pub use time_ticks::{TimeTick, time_ticks};
pub use unit::Unit;

/// How large and in which colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    pub theme: Theme,
}

/// Fits a chat message or a ticket without scrolling, and a retina screen at half its size.
impl Default for Style {
    fn default() -> Self {
        Self { width: 1200, height: 600, theme: Theme::Light }
    }
}

/// Below, header and legend leave no room for data.
pub const MIN_WIDTH: u32 = 320;
pub const MIN_HEIGHT: u32 = 220;
/// 4K: painting takes twelve bytes for every pixel, here 100 MB.
pub const MAX_WIDTH: u32 = 3_840;
pub const MAX_HEIGHT: u32 = 2_160;

impl Style {
    fn check(&self) -> Result<(), ChartError> {
        if (MIN_WIDTH..=MAX_WIDTH).contains(&self.width) && (MIN_HEIGHT..=MAX_HEIGHT).contains(&self.height) {
            Ok(())
        } else {
            Err(ChartError::Size { width: self.width, height: self.height })
        }
    }
}

/// Why there is no chart.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    #[error(
        "draw chart: {width}x{height} pixels is not a size for a chart: want {MIN_WIDTH} to {MAX_WIDTH} wide and {MIN_HEIGHT} to {MAX_HEIGHT} high"
    )]
    Size { width: u32, height: u32 },
    #[error("draw chart: the embedded font can't be read")]
    Font,
    #[error("draw chart: paint: {0}")]
    Paint(String),
    #[error("draw chart: pack as PNG: {0}")]
    Encode(String),
    #[error("write chart {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}

/// Renders into a file: all of it or nothing, as a reader may look at any time. The folder must exist. Blocks.
pub fn render_to_file(scene: &Scene, style: &Style, path: &Path) -> Result<(), ChartError> {
    let bytes = render(scene, style)?;
    let failed = |source| ChartError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?.to_owned();
    name.push(".tmp");
    let partial = path.with_file_name(name);
    let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // The disk may be full: what was begun is worth nothing.
        let _ = std::fs::remove_file(&partial);
    }
    written.map_err(failed)
}

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod tests;
