//! The sheet: title, subtitle and legend at the top, and how far down it is used.
//!
//! Owns margins and the order of things from top to bottom. Must not know what is drawn below the legend.

use super::picture::{Anchor, Frame, Picture, Point, Stroke};
use super::style::{self, Look};
use super::text::Pen;
use super::{ChartError, Drawing};

/// Width of most pictures.
pub(super) const WIDTH: f64 = 1000.0;
/// White around everything.
pub(super) const MARGIN: f64 = 20.0;
/// Widest name in a legend.
const NAME_MAX: f64 = 400.0;
/// Height of one row of a legend.
const LEGEND_ROW: f64 = 22.0;

/// A sheet that is filled from the top.
pub(super) struct Page {
    pub picture: Picture,
    /// First free height.
    pub y: f64,
}

/// One line of a legend.
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub key: Key,
}

/// One line for each name, in the look of its index.
pub(super) fn entries<'a>(names: impl Iterator<Item = &'a str>, key: fn(Look) -> Key) -> Vec<Entry<'a>> {
    names
        .enumerate()
        .map(|(i, name)| Entry {
            name,
            key: key(Look::of(i)),
        })
        .collect()
}

/// What stands before a name in a legend.
pub(super) enum Key {
    Line(Look),
    MarkedLine(Look),
    Whisker(Look),
    Swatch(Look),
    Rule(Stroke),
}

impl Page {
    /// A sheet with its title and subtitle.
    pub(super) fn new(width: f64, title: &str, subtitle: &str) -> Page {
        let room = width - 2.0 * MARGIN;
        let title = Pen::TITLE.fit(title, room);
        let picture = Picture {
            width,
            height: 0.0,
            title: title.clone(),
            shapes: Vec::new(),
        };
        let mut page = Page { picture, y: MARGIN };
        for (pen, line) in [(Pen::TITLE, title), (Pen::SUBTITLE, Pen::SUBTITLE.fit(subtitle, room))] {
            if !line.is_empty() {
                page.y += pen.size;
                pen.write(&mut page.picture, (MARGIN, page.y), Anchor::Start, &line);
                page.y += pen.size * 0.5;
            }
        }
        page.y += 4.0;
        page
    }

    /// Adds a legend, in as many rows as it takes.
    pub(super) fn legend(&mut self, entries: &[Entry]) {
        const KEY: f64 = 32.0;
        const GAP: f64 = 24.0;
        if entries.is_empty() {
            return;
        }
        let mut x = MARGIN;
        let mut middle = self.y + LEGEND_ROW / 2.0;
        for entry in entries {
            let name = Pen::LABEL.fit(entry.name, NAME_MAX);
            let width = KEY + 7.0 + Pen::LABEL.width(&name);
            if x > MARGIN && x + width > self.picture.width - MARGIN {
                x = MARGIN;
                middle += LEGEND_ROW;
            }
            entry.key.draw(&mut self.picture, (x, middle), KEY);
            let at = (x + KEY + 7.0, Pen::LABEL.centred(middle));
            Pen::LABEL.write(&mut self.picture, at, Anchor::Start, &name);
            x += width + GAP;
        }
        self.y = middle + LEGEND_ROW / 2.0 + 6.0;
    }

    /// The files of the finished sheet, which ends a margin below what is used.
    pub(super) fn render(mut self) -> Result<Drawing, ChartError> {
        self.picture.height = (self.y + MARGIN).ceil();
        self.picture.render()
    }
}

impl Key {
    fn draw(&self, picture: &mut Picture, (x, y): Point, width: f64) {
        let ends = vec![(x, y), (x + width, y)];
        let centre = (x + width / 2.0, y);
        match self {
            Key::Line(look) => picture.line(ends, look.stroke(2.4)),
            Key::Rule(stroke) => picture.line(ends, *stroke),
            Key::MarkedLine(look) => {
                picture.line(ends, look.stroke(2.0));
                look.mark.draw(picture, centre, look.colour);
            }
            Key::Whisker(look) => {
                picture.line(ends, Stroke::solid(look.colour, 1.6));
                for x in [x, x + width] {
                    picture.line(vec![(x, y - 4.0), (x, y + 4.0)], Stroke::solid(look.colour, 1.6));
                }
                look.mark.draw(picture, centre, look.colour);
            }
            Key::Swatch(look) => {
                let frame = Frame {
                    left: x,
                    top: y - 7.0,
                    right: x + width,
                    bottom: y + 7.0,
                };
                style::fill(picture, frame, look);
            }
        }
    }
}
