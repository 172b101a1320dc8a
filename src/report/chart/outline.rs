//! The outline of a letter, from the font's curves to the pixels that they cover.

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use skrifa::outline::OutlinePen;

/// A letter larger than this many pixels in either direction is not drawn: no text of a chart is.
const PIXELS_MAX: f32 = 4096.0;

/// The curves of a letter, in units of its font, upwards.
#[derive(Default)]
pub(super) struct Outline {
    curves: Vec<Curve>,
    /// Where the curve that is being drawn began, and where the pen is.
    begin: (f32, f32),
    pen: (f32, f32),
}

type At = (f32, f32);

/// A curve with the points between its ends that bend it.
enum Curve {
    Line([At; 2]),
    Quadratic([At; 3]),
    Cubic([At; 4]),
}

impl Curve {
    fn points(&self) -> &[At] {
        match self {
            Curve::Line(points) => points,
            Curve::Quadratic(points) => points,
            Curve::Cubic(points) => points,
        }
    }
}

impl OutlinePen for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        (self.begin, self.pen) = ((x, y), (x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.curves.push(Curve::Line([self.pen, (x, y)]));
        self.pen = (x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.curves.push(Curve::Quadratic([self.pen, (x1, y1), (x, y)]));
        self.pen = (x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.curves.push(Curve::Cubic([self.pen, (x1, y1), (x2, y2), (x, y)]));
        self.pen = (x, y);
    }

    fn close(&mut self) {
        if self.pen != self.begin {
            self.line_to(self.begin.0, self.begin.1);
        }
    }
}

impl Outline {
    /// How much of each pixel a letter covers that stands at a place on the baseline, so many pixels to a unit; and the
    /// pixel of its upper left corner. `None` if there is nothing to be seen of it.
    pub(super) fn fill(&self, scale: f32, (x, y): At) -> Option<((i32, i32), Rasterizer)> {
        // Whole pixels are added at the end, so that a letter looks the same wherever it stands.
        let (x_fraction, y_fraction) = (x.fract(), y.fract());
        let place = |at: &At| (at.0 * scale + x_fraction, y_fraction - at.1 * scale);
        let mut points = self.curves.iter().flat_map(Curve::points).map(place);
        let first = points.next()?;
        let (min, max) = points.fold((first, first), |(min, max), at| {
            ((min.0.min(at.0), min.1.min(at.1)), (max.0.max(at.0), max.1.max(at.1)))
        });
        let corner = (min.0.floor(), min.1.floor());
        let (width, height) = (max.0.ceil() - corner.0, max.1.ceil() - corner.1);
        if !(1.0..=PIXELS_MAX).contains(&width) || !(1.0..=PIXELS_MAX).contains(&height) {
            return None;
        }
        let mut letter = Rasterizer::new(width as usize, height as usize);
        let to = |at: &At| -> Point {
            let at = place(at);
            point(at.0 - corner.0, at.1 - corner.1)
        };
        for curve in &self.curves {
            match curve {
                Curve::Line([a, b]) => letter.draw_line(to(a), to(b)),
                Curve::Quadratic([a, b, c]) => letter.draw_quad(to(a), to(b), to(c)),
                Curve::Cubic([a, b, c, d]) => letter.draw_cubic(to(a), to(b), to(c), to(d)),
            }
        }
        let corner = (corner.0 as i32 + x.trunc() as i32, corner.1 as i32 + y.trunc() as i32);
        Some((corner, letter))
    }
}
