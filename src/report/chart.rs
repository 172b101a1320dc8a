//! Charts: plain numbers in, one picture out, as SVG and as PNG.
//!
//! Owns what the figures look like: layout, axes, colours, letters. Must not know where the numbers come from, nor
//! write files: a [`Drawing`] is bytes, and the same input gives the same bytes on every machine, whatever fonts are
//! installed there.
//!
//! A chart is a struct with public fields and a `draw` method. Strategies (or whatever is compared) are told apart by
//! colour and by dash, marker or hatching, in the order in which they are given, so a caller that keeps the order
//! keeps the colours from figure to figure. Numbers that cannot be drawn (NaN, infinities) are left out and lines are
//! interrupted there; names that are too long end in `…`; a chart without data says so.
//!
//! ```
//! use swarmlab::report::chart::{LinePoint, LineSeries, LinesChart, LinesPanel};
//!
//! let point = |seconds: f64, mean: f64| LinePoint { seconds, mean, band: Some((mean - 2.0, mean + 2.0)) };
//! let spread = LineSeries { name: "spread".into(), points: vec![point(0.0, 10.0), point(60.0, 55.0)] };
//! let chart = LinesChart {
//!     title: "Utilisation".into(),
//!     subtitle: "mean and 95 % interval of 20 runs".into(),
//!     panels: vec![LinesPanel { y_label: "CPU reserved (% of capacity)".into(), limit: None, series: vec![spread] }],
//! };
//! let drawing = chart.draw()?;
//! assert!(drawing.svg.contains("CPU reserved (% of capacity)"));
//! # Ok::<(), swarmlab::report::chart::ChartError>(())
//! ```

mod comparison;
mod distribution;
mod heat;
mod lines;
mod percentiles;
mod scaling;
mod stacked;

mod axis;
mod number;
mod outline;
mod page;
mod picture;
mod plot;
mod png_file;
mod style;
mod svg_file;
mod text;

pub use comparison::{Better, Comparison, Estimate, MetricPanel, Unit};
pub use distribution::{Distribution, Histogram};
pub use heat::{HeatMap, HeatPanel};
pub use lines::{Limit, LinePoint, LineSeries, LinesChart, LinesPanel};
pub use percentiles::{PercentilePoint, PercentileSeries, Percentiles};
pub use scaling::{Scaling, ScalingPanel, ScalingPoint, ScalingSeries};
pub use stacked::{Bar, StackedBars};

use thiserror::Error;

/// Pixels of the PNG per pixel of the SVG: sharp on dense screens and on paper.
pub const PNG_SCALE: u32 = 2;

/// Most series, bars or strategies that one chart takes; more cannot be told apart.
pub const SERIES_MAX: usize = 12;

/// Most panels that one chart takes, so that a picture stays a picture.
pub const PANELS_MAX: usize = 12;

/// Most metrics that one [`Comparison`] takes.
pub const METRICS_MAX: usize = 60;

/// One finished figure in both formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// A complete SVG document.
    pub svg: String,
    /// A complete PNG file, [`PNG_SCALE`] times the size of the SVG.
    pub png: Vec<u8>,
}

/// Why a chart could not be drawn.
#[derive(Debug, Error)]
pub enum ChartError {
    /// The data ask for a picture that nobody could read.
    #[error("a chart takes at most {limit} {what}, not {found}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The built-in font cannot be read.
    #[error("the built-in font cannot be read")]
    Font,
    /// The pixels could not be drawn.
    #[error("cannot draw the pixels: {0}")]
    Raster(String),
    /// The PNG could not be encoded.
    #[error("cannot encode the PNG")]
    Png(#[from] png::EncodingError),
}

/// Refuses more than `limit` of `what`.
fn at_most(limit: usize, found: usize, what: &'static str) -> Result<(), ChartError> {
    if found > limit {
        Err(ChartError::TooMany { what, found, limit })
    } else {
        Ok(())
    }
}
