//! A frame with two axes: grid, marks, labels.
//!
//! Owns the furniture around data. Must not know the data.

use super::axis::Axis;
use super::number::drawable;
use super::picture::{Anchor, Frame, Picture, Point, Stroke};
use super::style;
use super::text::Pen;

/// Room below a frame for labels and the name of its axis.
pub(super) const X_AXIS_HEIGHT: f64 = 44.0;
/// Room below a frame for labels alone.
pub(super) const X_LABELS_HEIGHT: f64 = 22.0;

/// Least white between a label and the edge of the sheet.
const EDGE: f64 = 6.0;

/// A frame with its axes.
pub(super) struct Plot {
    pub frame: Frame,
    pub x: Axis,
    pub y: Axis,
}

impl Plot {
    /// Where a pair of numbers lies on the sheet, if it can be drawn.
    pub(super) fn at(&self, x: f64, y: f64) -> Option<Point> {
        (drawable(x) && drawable(y)).then(|| (self.x_at(x), self.y_at(y)))
    }

    /// Where a number lies along the x axis.
    pub(super) fn x_at(&self, x: f64) -> f64 {
        self.x.place(x, self.frame.left, self.frame.right)
    }

    /// Where a number lies along the y axis.
    pub(super) fn y_at(&self, y: f64) -> f64 {
        self.y.place(y, self.frame.bottom, self.frame.top)
    }

    /// Lines across the frame at the marks of the y axis.
    pub(super) fn rows(&self, picture: &mut Picture) {
        let minor = self.y.minor.iter().map(|&value| (value, style::GRID_MINOR));
        let major = self.y.ticks.iter().map(|tick| (tick.value, style::GRID));
        for (value, colour) in minor.chain(major) {
            let y = crisp(self.y_at(value));
            picture.line(
                vec![(self.frame.left, y), (self.frame.right, y)],
                Stroke::solid(colour, 1.0),
            );
        }
    }

    /// Lines down the frame at the marks of the x axis.
    pub(super) fn columns(&self, picture: &mut Picture) {
        for tick in &self.x.ticks {
            let x = crisp(self.x_at(tick.value));
            picture.line(
                vec![(x, self.frame.top), (x, self.frame.bottom)],
                Stroke::solid(style::GRID, 1.0),
            );
        }
    }

    /// The line at the bottom of the frame, with marks if they have labels below.
    pub(super) fn base(&self, picture: &mut Picture, marked: bool) {
        let y = crisp(self.frame.bottom);
        let stroke = Stroke::solid(style::AXIS, 1.0);
        picture.line(vec![(self.frame.left, y), (self.frame.right, y)], stroke);
        if marked {
            for tick in &self.x.ticks {
                let x = crisp(self.x_at(tick.value));
                picture.line(vec![(x, y), (x, y + 4.5)], stroke);
            }
        }
    }

    /// Labels left of the frame.
    pub(super) fn y_labels(&self, picture: &mut Picture) {
        let mut lowest_top = f64::INFINITY;
        for tick in &self.y.ticks {
            let y = self.y_at(tick.value);
            // Marks that lie too close together go without a label, from the second on.
            if y + Pen::TICK.size / 2.0 <= lowest_top {
                let at = (self.frame.left - 7.0, Pen::TICK.centred(y));
                Pen::TICK.write(picture, at, Anchor::End, &tick.label);
                lowest_top = y - Pen::TICK.size / 2.0 - 1.0;
            }
        }
    }

    /// Labels below the frame, and the name of the axis below them.
    pub(super) fn x_labels(&self, picture: &mut Picture, name: &str) {
        let baseline = self.frame.bottom + 19.0;
        let mut free_from = 0.0;
        for tick in &self.x.ticks {
            let half = Pen::TICK.width(&tick.label) / 2.0;
            let centre = self.x_at(tick.value).min(picture.width - half - EDGE).max(half + EDGE);
            if centre - half >= free_from {
                Pen::TICK.write(picture, (centre, baseline), Anchor::Middle, &tick.label);
                free_from = centre + half + 6.0;
            }
        }
        let name = Pen::LABEL.fit(name, self.frame.width());
        let at = (self.frame.centre().0, baseline + 21.0);
        Pen::LABEL.write(picture, at, Anchor::Middle, &name);
    }

    /// A remark in the middle of a frame that has nothing else to show.
    pub(super) fn remark(&self, picture: &mut Picture, remark: &str) {
        let (x, y) = self.frame.centre();
        let pen = Pen {
            colour: style::MUTED,
            ..Pen::LABEL
        };
        let remark = pen.fit(remark, self.frame.width());
        let half = pen.width(&remark) / 2.0 + 6.0;
        let behind = Frame {
            left: x - half,
            top: y - pen.size,
            right: x + half,
            bottom: y + pen.size,
        };
        picture.fill(behind, style::PAPER);
        pen.write(picture, (x, pen.centred(y)), Anchor::Middle, &remark);
    }
}

/// Width that the labels of a y axis take.
pub(super) fn y_labels_width(axis: &Axis) -> f64 {
    let widths = axis.ticks.iter().map(|tick| Pen::TICK.width(&tick.label));
    widths.fold(0.0, f64::max) + 7.0
}

/// The middle of the pixel in which a thin line lies, so that it fills that pixel and no other.
pub(super) fn crisp(v: f64) -> f64 {
    v.floor() + 0.5
}
