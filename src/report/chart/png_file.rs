//! A picture as a PNG file.
//!
//! Owns the pixels. Shapes are drawn several times too large and averaged down, because plotters smooths only some
//! of them. Must not know what the picture shows.

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::style::{Color, RGBColor};

use super::outline::Outline;
use super::picture::{Anchor, Colour, Picture, Point, Shape, Stroke, Text};
use super::{ChartError, PNG_SCALE, text};

/// Samples per pixel of the PNG, along each side.
const OVERSAMPLING: u32 = 2;

/// Samples per pixel of the picture, along each side.
const SAMPLES: u32 = PNG_SCALE * OVERSAMPLING;

/// Height of the strips that are drawn one after the other, in pixels of the picture: a tall picture would take
/// hundreds of megabytes at once.
const STRIP_HEIGHT: u32 = 250;

/// Dots per metre at 96 pixels of the picture per inch.
const DOTS_PER_METRE: u32 = 3780 * PNG_SCALE;

/// The whole file.
pub(super) fn encode(picture: &Picture) -> Result<Vec<u8>, ChartError> {
    let (width, height) = (picture.width.ceil() as u32, picture.height.ceil() as u32);
    let mut pixels = Vec::with_capacity((width * height * PNG_SCALE * PNG_SCALE * 3) as usize);
    for top in (0..height).step_by(STRIP_HEIGHT as usize) {
        let rows = STRIP_HEIGHT.min(height - top);
        let size = (width * SAMPLES, rows * SAMPLES);
        let mut samples = vec![255; (size.0 * size.1 * 3) as usize];
        let canvas = BitMapBackend::with_buffer(&mut samples, size);
        Strip {
            canvas,
            size,
            top: f64::from(top),
        }
        .paint(picture)?;
        average(&samples, size.0 as usize, &mut pixels);
    }

    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width * PNG_SCALE, height * PNG_SCALE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Default);
    encoder.set_filter(png::FilterType::NoFilter);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: DOTS_PER_METRE,
        yppu: DOTS_PER_METRE,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

/// Appends to `pixels` the mean of each square of samples.
fn average(samples: &[u8], width: usize, pixels: &mut Vec<u8>) {
    let side = OVERSAMPLING as usize;
    for rows in samples.chunks(width * 3 * side) {
        for x in 0..width / side {
            for channel in 0..3 {
                let sample = |i: usize| usize::from(rows[((i / side) * width + x * side + i % side) * 3 + channel]);
                let sum: usize = (0..side * side).map(sample).sum();
                pixels.push(((sum + side * side / 2) / (side * side)) as u8);
            }
        }
    }
}

/// A part of the sheet over its whole width.
struct Strip<'a> {
    canvas: BitMapBackend<'a>,
    /// In samples.
    size: (u32, u32),
    /// In pixels of the picture.
    top: f64,
}

impl Strip<'_> {
    fn paint(mut self, picture: &Picture) -> Result<(), ChartError> {
        for shape in &picture.shapes {
            match shape {
                Shape::Line { points, stroke } => self.line(points, stroke)?,
                Shape::Area { points, fill, opacity } => self.polygon(points, *fill, *opacity)?,
                Shape::Box { frame, fill } => {
                    self.rectangle((frame.left, frame.top), (frame.right, frame.bottom), *fill)?;
                }
                Shape::Disc { centre, radius, fill } => self.disc(*centre, *radius, *fill)?,
                Shape::Cells {
                    frame,
                    columns,
                    rows,
                    fills,
                } => {
                    let (width, height) = (frame.width() / *columns as f64, frame.height() / *rows as f64);
                    for (i, fill) in fills.iter().enumerate() {
                        let left = frame.left + (i % columns) as f64 * width;
                        let top = frame.top + (i / columns) as f64 * height;
                        self.rectangle((left, top), (left + width, top + height), *fill)?;
                    }
                }
                Shape::Text(text) => self.letters(text)?,
            }
        }
        self.canvas.present().map_err(raster)
    }

    /// In samples of this strip, not yet rounded.
    fn at(&self, (x, y): Point) -> Point {
        (x * f64::from(SAMPLES), (y - self.top) * f64::from(SAMPLES))
    }

    fn rectangle(&mut self, from: Point, to: Point, fill: Colour) -> Result<(), ChartError> {
        let (from, to) = (rounded(self.at(from)), rounded(self.at(to)));
        self.canvas.draw_rect(from, to, &rgb(fill), true).map_err(raster)
    }

    fn disc(&mut self, centre: Point, radius: f64, fill: Colour) -> Result<(), ChartError> {
        const CORNERS: u32 = 32;
        let corner = |i: u32| {
            let (sin, cos) = libm::sincos(std::f64::consts::TAU * f64::from(i) / f64::from(CORNERS));
            (centre.0 + radius * cos, centre.1 + radius * sin)
        };
        let corners: Vec<Point> = (0..CORNERS).map(corner).collect();
        self.polygon(&corners, fill, 1.0)
    }

    /// One rectangle per piece, and discs where pieces meet.
    fn line(&mut self, points: &[Point], stroke: &Stroke) -> Result<(), ChartError> {
        let half = stroke.width / 2.0;
        for run in dashes(points, stroke.dash) {
            for pair in run.windows(2) {
                let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
                let length = libm::hypot(x1 - x0, y1 - y0);
                if length == 0.0 {
                    continue;
                }
                let (dx, dy) = ((y1 - y0) / length * half, (x0 - x1) / length * half);
                let corners = [
                    (x0 + dx, y0 + dy),
                    (x1 + dx, y1 + dy),
                    (x1 - dx, y1 - dy),
                    (x0 - dx, y0 - dy),
                ];
                self.polygon(&corners, stroke.colour, 1.0)?;
            }
            for &joint in run.iter().skip(1).rev().skip(1) {
                self.disc(joint, half, stroke.colour)?;
            }
        }
        Ok(())
    }

    /// Row by row of samples, by the even-odd rule. Not plotters' own polygons: those include their border and come
    /// out a sample too wide.
    fn polygon(&mut self, points: &[Point], fill: Colour, opacity: f64) -> Result<(), ChartError> {
        let corners: Vec<Point> = points.iter().map(|&point| self.at(point)).collect();
        let low = corners
            .iter()
            .map(|corner| corner.1)
            .fold(f64::INFINITY, f64::min)
            .max(0.0);
        let high = corners
            .iter()
            .map(|corner| corner.1)
            .fold(f64::NEG_INFINITY, f64::max)
            .min(f64::from(self.size.1));
        let style = rgb(fill).mix(opacity);
        let mut crossings: Vec<f64> = Vec::new();
        let mut row = low.floor();
        while row < high {
            let y = row + 0.5;
            crossings.clear();
            for (i, &(x0, y0)) in corners.iter().enumerate() {
                let (x1, y1) = corners[(i + 1) % corners.len()];
                if (y0 <= y) != (y1 <= y) {
                    crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
                }
            }
            crossings.sort_by(f64::total_cmp);
            for span in crossings.chunks_exact(2) {
                let (from, to) = (span[0].round() as i32, span[1].round() as i32);
                let y = row as i32;
                self.canvas
                    .draw_rect((from, y), (to, y + 1), &style, true)
                    .map_err(raster)?;
            }
            row += 1.0;
        }
        Ok(())
    }

    fn letters(&mut self, text: &Text) -> Result<(), ChartError> {
        let font = text::font(text.bold)?;
        let em = (text.size * f64::from(SAMPLES)) as f32;
        let scale = em / font.units_per_em();
        let shift = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => 0.5,
            Anchor::End => 1.0,
        };
        let width = text::width(&text.content, text.size, text.bold);
        let (x, y) = self.at((text.at.0 - shift * width, text.at.1));
        if y < -f64::from(em) || y > f64::from(self.size.1) + f64::from(em) {
            return Ok(());
        }
        let mut x = x as f32;
        for letter in text.content.chars() {
            let glyph = font.glyph(letter);
            let mut outline = Outline::default();
            font.outline(glyph, &mut outline);
            let drawn = outline.fill(scale, (x, y.round() as f32));
            x += scale * font.advance(glyph);
            let Some((corner, letter)) = drawn else {
                continue;
            };
            let mut result = Ok(());
            letter.for_each_pixel_2d(|dx, dy, coverage| {
                let at = (corner.0 + dx as i32, corner.1 + dy as i32);
                let colour = rgb(text.colour).mix(f64::from(coverage.clamp(0.0, 1.0)));
                if result.is_ok() {
                    result = self.canvas.draw_pixel(at, colour.to_backend_color()).map_err(raster);
                }
            });
            result?;
        }
        Ok(())
    }
}

/// The drawn pieces of a dashed line.
fn dashes(points: &[Point], dash: &[f64]) -> Vec<Vec<Point>> {
    if dash.is_empty() {
        return vec![points.to_vec()];
    }
    let mut pieces = Vec::new();
    let mut piece: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut phase, mut left) = (0, dash[0]);
    for pair in points.windows(2) {
        let ((mut x, mut y), (x1, y1)) = (pair[0], pair[1]);
        loop {
            let length = libm::hypot(x1 - x, y1 - y);
            if length <= left {
                left -= length;
                break;
            }
            (x, y) = (x + (x1 - x) * left / length, y + (y1 - y) * left / length);
            piece.push((x, y));
            if phase % 2 == 0 {
                pieces.push(std::mem::take(&mut piece));
            }
            piece = vec![(x, y)];
            phase += 1;
            left = dash[phase % dash.len()];
        }
        piece.push((x1, y1));
    }
    if phase % 2 == 0 {
        pieces.push(piece);
    }
    pieces
}

fn rgb(colour: Colour) -> RGBColor {
    let [red, green, blue] = colour.channels();
    RGBColor(red, green, blue)
}

fn rounded((x, y): Point) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

fn raster(error: impl std::fmt::Display) -> ChartError {
    ChartError::Raster(error.to_string())
}
