//! What a chart is before it is a file: a list of shapes on a white sheet, in pixels of a sheet about 1000 wide.
//!
//! Owns the vocabulary that charts are drawn with. Must not know data, axes or file formats.

use super::{ChartError, Drawing, png_file, svg_file};

/// A place on the sheet; x grows to the right, y grows downwards.
pub(super) type Point = (f64, f64);

/// Red, green and blue, as in `0xRRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Colour(pub u32);

impl Colour {
    /// The three channels.
    pub(super) fn channels(self) -> [u8; 3] {
        let [_, red, green, blue] = self.0.to_be_bytes();
        [red, green, blue]
    }

    /// The colour `share` of the way from here to `other`.
    pub(super) fn towards(self, other: Colour, share: f64) -> Colour {
        let (from, to) = (self.channels(), other.channels());
        let channel = |i: usize| {
            let mixed = f64::from(from[i]) + (f64::from(to[i]) - f64::from(from[i])) * share.clamp(0.0, 1.0);
            mixed.round() as u8
        };
        Colour(u32::from_be_bytes([0, channel(0), channel(1), channel(2)]))
    }
}

/// An upright rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Frame {
    /// Horizontal extent.
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Vertical extent.
    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// The middle.
    pub(super) fn centre(&self) -> Point {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    pub colour: Colour,
    pub width: f64,
    /// Lengths drawn and left out in turn; empty for a solid line.
    pub dash: &'static [f64],
}

impl Stroke {
    /// A solid line.
    pub(super) const fn solid(colour: Colour, width: f64) -> Stroke {
        Stroke {
            colour,
            width,
            dash: &[],
        }
    }
}

/// Which part of a text stands at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// One line of letters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    /// The anchor, on the baseline.
    pub at: Point,
    pub content: String,
    /// Font size, the height of an em.
    pub size: f64,
    pub bold: bool,
    pub colour: Colour,
    pub anchor: Anchor,
}

/// Something on the sheet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A line through points.
    Line { points: Vec<Point>, stroke: Stroke },
    /// A filled polygon.
    Area {
        points: Vec<Point>,
        fill: Colour,
        opacity: f64,
    },
    /// A filled rectangle.
    Box { frame: Frame, fill: Colour },
    /// A filled circle.
    Disc { centre: Point, radius: f64, fill: Colour },
    /// A raster of equal cells, row by row from the top left.
    Cells {
        frame: Frame,
        columns: usize,
        rows: usize,
        fills: Vec<Colour>,
    },
    /// Letters.
    Text(Text),
}

/// A white sheet with shapes, later ones on top.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub width: f64,
    pub height: f64,
    /// What the picture shows, for readers who cannot see it.
    pub title: String,
    pub shapes: Vec<Shape>,
}

impl Picture {
    /// Adds a line through points.
    pub(super) fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        self.shapes.push(Shape::Line { points, stroke });
    }

    /// Adds a filled polygon.
    pub(super) fn area(&mut self, points: Vec<Point>, fill: Colour, opacity: f64) {
        self.shapes.push(Shape::Area { points, fill, opacity });
    }

    /// Adds a filled rectangle.
    pub(super) fn fill(&mut self, frame: Frame, fill: Colour) {
        self.shapes.push(Shape::Box { frame, fill });
    }

    /// Adds a filled circle.
    pub(super) fn disc(&mut self, centre: Point, radius: f64, fill: Colour) {
        self.shapes.push(Shape::Disc { centre, radius, fill });
    }

    /// Adds a raster of equal cells; what does not fill a row at the end is left out.
    pub(super) fn cells(&mut self, frame: Frame, columns: usize, mut fills: Vec<Colour>) {
        let rows = fills.len().checked_div(columns).unwrap_or(0);
        fills.truncate(rows * columns);
        self.shapes.push(Shape::Cells {
            frame,
            columns,
            rows,
            fills,
        });
    }

    /// Adds letters; nothing if there are none.
    pub(super) fn text(&mut self, text: Text) {
        if !text.content.is_empty() {
            self.shapes.push(Shape::Text(text));
        }
    }

    /// The picture as files.
    pub(super) fn render(&self) -> Result<Drawing, ChartError> {
        Ok(Drawing {
            svg: svg_file::write(self),
            png: png_file::encode(self)?,
        })
    }
}
