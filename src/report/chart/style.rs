//! How things that are compared are told apart: by colour, and again by dash, marker or hatching, so that a
//! colour-blind reader or a grey print loses nothing.
//!
//! Owns every colour. Must not know which things are compared.

use super::picture::{Colour, Frame, Picture, Point, Stroke};

/// Titles and names.
pub(super) const INK: Colour = Colour(0x1f2328);
/// Numbers along axes, remarks.
pub(super) const MUTED: Colour = Colour(0x57606a);
/// Axes.
pub(super) const AXIS: Colour = Colour(0x8c959f);
/// Grid lines.
pub(super) const GRID: Colour = Colour(0xe4e7eb);
/// Grid lines between those with a number.
pub(super) const GRID_MINOR: Colour = Colour(0xf1f3f5);
/// Behind what is pointed out.
pub(super) const HIGHLIGHT: Colour = Colour(0xfff4cc);
/// The sheet.
pub(super) const PAPER: Colour = Colour(0xffffff);
/// In a heat map, a cell without a value.
pub(super) const ABSENT: Colour = Colour(0xc4c8cc);

/// Okabe and Ito, "Color Universal Design" (2008), without the yellow, which is too light for a line.
const PALETTE: [Colour; 7] = [
    Colour(0x0072b2),
    Colour(0xd55e00),
    Colour(0x009e73),
    Colour(0xcc79a7),
    Colour(0xe69f00),
    Colour(0x56b4e9),
    Colour(0x3c3c3c),
];

const DASHES: [&[f64]; 6] = [
    &[],
    &[9.0, 4.0],
    &[2.5, 2.5],
    &[10.0, 3.0, 2.5, 3.0],
    &[16.0, 4.0],
    &[6.0, 2.5, 2.0, 2.5, 2.0, 2.5],
];

const MARKS: [Mark; 6] = [
    Mark::Disc,
    Mark::Square,
    Mark::Up,
    Mark::Diamond,
    Mark::Down,
    Mark::Cross,
];

const HATCHES: [Hatch; 5] = [Hatch::None, Hatch::Rising, Hatch::Dots, Hatch::Falling, Hatch::Level];

/// The look of one of several things that are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub colour: Colour,
    pub dash: &'static [f64],
    pub mark: Mark,
    pub hatch: Hatch,
}

impl Look {
    /// The look of the thing with this index.
    pub(super) fn of(index: usize) -> Look {
        Look {
            colour: PALETTE[index % PALETTE.len()],
            dash: DASHES[index % DASHES.len()],
            mark: MARKS[index % MARKS.len()],
            hatch: HATCHES[index % HATCHES.len()],
        }
    }

    /// Its line.
    pub(super) fn stroke(&self, width: f64) -> Stroke {
        Stroke {
            colour: self.colour,
            width,
            dash: self.dash,
        }
    }
}

/// The shape of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Disc,
    Square,
    Up,
    Diamond,
    Down,
    Cross,
}

impl Mark {
    /// Draws the marker with a thin light border, which keeps it apart from the lines below it.
    pub(super) fn draw(self, picture: &mut Picture, at: Point, colour: Colour) {
        const BORDER: f64 = 1.2;
        match self {
            Mark::Disc => {
                picture.disc(at, 4.4 + BORDER, PAPER);
                picture.disc(at, 4.4, colour);
            }
            _ => {
                picture.area(self.outline(at, BORDER), PAPER, 1.0);
                picture.area(self.outline(at, 0.0), colour, 1.0);
            }
        }
    }

    /// The corners around a point, pushed outwards by `grow`.
    fn outline(self, (x, y): Point, grow: f64) -> Vec<Point> {
        let corners: &[Point] = match self {
            Mark::Disc => &[],
            Mark::Square => &[(-3.9, -3.9), (3.9, -3.9), (3.9, 3.9), (-3.9, 3.9)],
            Mark::Up => &[(0.0, -5.2), (5.0, 3.6), (-5.0, 3.6)],
            Mark::Down => &[(0.0, 5.2), (5.0, -3.6), (-5.0, -3.6)],
            Mark::Diamond => &[(0.0, -5.6), (5.6, 0.0), (0.0, 5.6), (-5.6, 0.0)],
            Mark::Cross => &[
                (-1.5, -5.0),
                (1.5, -5.0),
                (1.5, -1.5),
                (5.0, -1.5),
                (5.0, 1.5),
                (1.5, 1.5),
                (1.5, 5.0),
                (-1.5, 5.0),
                (-1.5, 1.5),
                (-5.0, 1.5),
                (-5.0, -1.5),
                (-1.5, -1.5),
            ],
        };
        // Sharp corners must go further out than blunt ones for a border of even width.
        let reach = match self {
            Mark::Up | Mark::Down => 1.9 * grow,
            Mark::Disc | Mark::Square | Mark::Diamond | Mark::Cross => grow,
        };
        let out = |v: f64| if v == 0.0 { 0.0 } else { v + reach.copysign(v) };
        corners.iter().map(|&(dx, dy)| (x + out(dx), y + out(dy))).collect()
    }
}

/// White lines over a filled area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hatch {
    None,
    Rising,
    Dots,
    Falling,
    Level,
}

/// Draws a rectangle in the look of a thing.
pub(super) fn fill(picture: &mut Picture, frame: Frame, look: &Look) {
    const GAP: f64 = 7.0;
    let stroke = Stroke::solid(PAPER, 1.3);
    picture.fill(frame, look.colour);
    match look.hatch {
        Hatch::None => {}
        Hatch::Rising => diagonals(&frame, GAP * 1.4, |points| picture.line(points, stroke), false),
        Hatch::Falling => diagonals(&frame, GAP * 1.4, |points| picture.line(points, stroke), true),
        Hatch::Level => {
            for y in steps(frame.top + GAP / 2.0, frame.bottom, GAP) {
                picture.line(vec![(frame.left, y), (frame.right, y)], stroke);
            }
        }
        Hatch::Dots => {
            for (row, y) in steps(frame.top + GAP / 2.0, frame.bottom - 1.3, GAP).enumerate() {
                let first = frame.left + GAP / 2.0 + if row % 2 == 1 { GAP / 2.0 } else { 0.0 };
                for x in steps(first, frame.right - 1.3, GAP) {
                    picture.disc((x, y), 1.3, PAPER);
                }
            }
        }
    }
}

/// The lines at 45° that cross a frame, cut off at its border.
fn diagonals(frame: &Frame, gap: f64, mut line: impl FnMut(Vec<Point>), falling: bool) {
    let (width, height) = (frame.width(), frame.height());
    for along in steps(gap / 2.0, width + height, gap) {
        // From the left or bottom border to the top or right border, in a frame seen from its bottom left corner.
        let (x0, y0) = ((along - height).max(0.0), along.min(height));
        let (x1, y1) = (along.min(width), (along - width).max(0.0));
        let place = |x: f64, y: f64| {
            let x = if falling { frame.right - x } else { frame.left + x };
            (x, frame.top + y)
        };
        line(vec![place(x0, y0), place(x1, y1)]);
    }
}

fn steps(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let count = ((to - from) / step).ceil().max(0.0) as usize;
    (0..count).map(move |i| from + i as f64 * step)
}

/// Anchors of viridis (van der Walt and Smith, matplotlib 1.5), nine at equal distances.
const VIRIDIS: [Colour; 9] = [
    Colour(0x440154),
    Colour(0x472d7b),
    Colour(0x3b528b),
    Colour(0x2c728e),
    Colour(0x21918c),
    Colour(0x28ae80),
    Colour(0x5ec962),
    Colour(0xaddc30),
    Colour(0xfde725),
];

/// Just over capacity, and far over capacity: reds, which viridis lacks and which are dark next to its yellow.
const OVER: [Colour; 2] = [Colour(0xe8472b), Colour(0x7a0016)];

/// Colour of a share from 0 to 1.
pub(super) fn heat(share: f64) -> Colour {
    let place = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    VIRIDIS[below].towards(VIRIDIS[below + 1], place - below as f64)
}

/// Colour of an excess, 0 for the least and 1 for the most in the picture.
pub(super) fn excess(share: f64) -> Colour {
    OVER[0].towards(OVER[1], share)
}

/// Dark or light letters, whichever stands out from a colour.
pub(super) fn readable_on(background: Colour) -> Colour {
    let [red, green, blue] = background.channels().map(f64::from);
    if 0.299 * red + 0.587 * green + 0.114 * blue > 140.0 {
        INK
    } else {
        PAPER
    }
}
