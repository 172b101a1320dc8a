//! Stacked bars: what a total is made of, one bar per strategy.

use super::axis::Axis;
use super::number::{Notation, drawable, exponent, power_of_ten};
use super::page::{self, Key, MARGIN, Page, WIDTH};
use super::picture::{Anchor, Frame, Picture};
use super::plot::{self, Plot};
use super::style::{self, Look};
use super::text::Pen;
use super::{ChartError, Drawing, SERIES_MAX, at_most};

/// Totals and their parts, for instance rejections by reason: one bar per strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct StackedBars {
    /// What the picture shows.
    pub title: String,
    /// Below the title. May be empty.
    pub subtitle: String,
    /// The quantity and its unit, as in `rejections (% of requests)`.
    pub x_label: String,
    /// The names of the parts.
    pub parts: Vec<String>,
    /// What to say if all bars are empty, as in `no rejections`.
    pub nothing: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its parts, in the order of [`StackedBars::parts`]. What is not positive is not drawn.
    pub values: Vec<f64>,
}

/// Height of a bar.
const BAR_HEIGHT: f64 = 30.0;
/// From one bar to the next.
const BAR_PITCH: f64 = 46.0;
/// Widest name of a bar.
const NAME_MAX: f64 = 220.0;

impl StackedBars {
    /// Draws the chart.
    pub fn draw(&self) -> Result<Drawing, ChartError> {
        at_most(SERIES_MAX, self.bars.len(), "bars")?;
        at_most(SERIES_MAX, self.parts.len(), "parts")?;
        let most = self.bars.iter().map(|bar| self.total(bar)).fold(0.0, f64::max);

        let mut page = Page::new(WIDTH, &self.title, &self.subtitle);
        page.legend(&page::entries(self.parts.iter().map(String::as_str), Key::Swatch));

        let names: Vec<String> = self
            .bars
            .iter()
            .map(|bar| Pen::LABEL.fit(&bar.name, NAME_MAX))
            .collect();
        let notation = self.notation(most);
        let totals: Vec<String> = self
            .bars
            .iter()
            .map(|bar| notation.write_short(self.total(bar)))
            .collect();
        let widest = |texts: &[String], pen: Pen| texts.iter().map(|text| pen.width(text)).fold(0.0, f64::max);
        let top = page.y + 6.0;
        let frame = Frame {
            left: MARGIN + widest(&names, Pen::LABEL) + 10.0,
            top,
            right: WIDTH - MARGIN - widest(&totals, Pen::HEADING) - 10.0,
            bottom: top + self.bars.len().max(1) as f64 * BAR_PITCH,
        };
        let x = if most > 0.0 {
            Axis::linear((0.0, most), 8.0)
        } else {
            Axis::with_ticks((0.0, 1.0), Vec::new())
        };
        let plot = Plot {
            frame,
            x,
            y: Axis::with_ticks((0.0, 1.0), Vec::new()),
        };
        plot.columns(&mut page.picture);
        for (i, bar) in self.bars.iter().enumerate() {
            let middle = top + (i as f64 + 0.5) * BAR_PITCH;
            let baseline = Pen::LABEL.centred(middle);
            Pen::LABEL.write(&mut page.picture, (frame.left - 10.0, baseline), Anchor::End, &names[i]);
            let end = self.draw_bar(&mut page.picture, &plot, &notation, (bar, middle));
            Pen::HEADING.write(&mut page.picture, (end + 8.0, baseline), Anchor::Start, &totals[i]);
        }
        if most == 0.0 {
            plot.remark(&mut page.picture, &self.nothing);
        }
        plot.base(&mut page.picture, true);
        plot.x_labels(&mut page.picture, &self.x_label);
        page.y = frame.bottom + plot::X_AXIS_HEIGHT;
        page.render()
    }

    /// The parts of a bar that can be drawn, with their indices.
    fn values<'a>(&self, bar: &'a Bar) -> impl Iterator<Item = (usize, f64)> + use<'a> {
        let values = bar.values.iter().copied().enumerate().take(self.parts.len());
        values.filter(|&(_, value)| value > 0.0 && drawable(value))
    }

    /// Three digits of the longest bar, or whole numbers if all parts are whole.
    fn notation(&self, most: f64) -> Notation {
        let whole = self
            .bars
            .iter()
            .flat_map(|bar| self.values(bar))
            .all(|(_, value)| value == value.round());
        match most {
            0.0 => Notation::new(0.0, 0.0),
            _ if most < 1e6 && whole => Notation::new(most, 1.0),
            _ => Notation::new(most, power_of_ten(exponent(most) - 2)),
        }
    }

    fn total(&self, bar: &Bar) -> f64 {
        self.values(bar).map(|(_, value)| value).sum()
    }

    /// Draws the parts of a bar and tells where they end.
    fn draw_bar(&self, picture: &mut Picture, plot: &Plot, notation: &Notation, (bar, middle): (&Bar, f64)) -> f64 {
        let mut sum = 0.0;
        let mut left = plot.frame.left;
        for (i, value) in self.values(bar) {
            sum += value;
            let right = plot.x_at(sum);
            let frame = Frame {
                left,
                top: middle - BAR_HEIGHT / 2.0,
                right,
                bottom: middle + BAR_HEIGHT / 2.0,
            };
            let look = Look::of(i);
            style::fill(picture, frame, &look);
            label(picture, &frame, &notation.write_short(value), &look);
            if right - left > 3.0 {
                // Keeps neighbours apart in a grey print.
                picture.fill(
                    Frame {
                        left: right - 1.0,
                        ..frame
                    },
                    style::PAPER,
                );
            }
            left = right;
        }
        left
    }
}

/// Writes the value into its part of the bar if there is room.
fn label(picture: &mut Picture, frame: &Frame, text: &str, look: &Look) {
    let pen = Pen {
        colour: style::PAPER,
        bold: true,
        ..Pen::TICK
    };
    let (half, (x, y)) = (pen.width(text) / 2.0 + 4.0, frame.centre());
    if frame.width() < 2.0 * half + 4.0 {
        return;
    }
    let pen = Pen {
        colour: style::readable_on(look.colour),
        ..pen
    };
    if look.hatch != style::Hatch::None {
        // Hatching would run through the digits.
        picture.fill(
            Frame {
                left: x - half,
                top: y - 9.0,
                right: x + half,
                bottom: y + 9.0,
            },
            look.colour,
        );
    }
    pen.write(picture, (x, pen.centred(y)), Anchor::Middle, text);
}
