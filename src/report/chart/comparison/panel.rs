//! One panel of a comparison.

use super::{Better, Estimate, MetricPanel, Unit};
use crate::report::chart::axis::{self, Axis};
use crate::report::chart::number::{self, Notation, drawable, exponent, power_of_ten};
use crate::report::chart::picture::{Anchor, Frame, Picture, Stroke};
use crate::report::chart::plot::{self, Plot, crisp};
use crate::report::chart::style::{self, Look};
use crate::report::chart::text::Pen;

/// Marks the winner.
pub(super) const WINNER: &str = "★";

/// Height of a line of the title.
const TITLE_LINE: f64 = 17.0;
/// Most lines of a title.
const TITLE_LINES_MAX: usize = 2;
/// Height of the unit and of the white around title and unit.
const UNIT: f64 = 27.0;
/// Height of the row of a strategy.
const ROW: f64 = 22.0;
/// So many times the largest mean can be shown on an axis in its unit.
const WIDEST: f64 = 1e6;
/// Width of the values and the winner's mark.
const VALUES: f64 = 108.0;

/// Height of a panel with so many lines of title.
pub(super) fn height(lines: usize, strategies: usize) -> f64 {
    lines as f64 * TITLE_LINE + UNIT + strategies.max(1) as f64 * ROW + plot::X_LABELS_HEIGHT + 8.0
}

impl MetricPanel {
    /// The title, in as many lines as it takes.
    pub(super) fn title_lines(&self, width: f64) -> Vec<String> {
        Pen::HEADING.wrap(&self.title, width, TITLE_LINES_MAX)
    }

    /// Draws the panel into a frame, leaving room for so many lines of title.
    pub(super) fn draw(&self, picture: &mut Picture, sheet: &Frame, lines: usize, strategies: usize) {
        let estimates: Vec<Option<Estimate>> = (0..strategies).map(|i| self.estimate(i)).collect();
        let largest = |of: fn(&Estimate) -> f64| estimates.iter().flatten().map(of).fold(0.0, f64::max);
        let (means, ends) = (largest(|e| e.mean.abs()), largest(|e| e.low.abs().max(e.high.abs())));
        // Values are written in the unit that suits the means, unless the axis could not be labelled in it.
        let largest = if ends > means * WIDEST { ends } else { means };
        let (divisor, unit) = self.unit.scale(largest);
        let scaled = |e: Estimate| Estimate {
            mean: e.mean / divisor,
            low: e.low / divisor,
            high: e.high / divisor,
        };
        let estimates: Vec<Option<Estimate>> = estimates.into_iter().map(|e| e.map(scaled)).collect();
        self.head(picture, sheet, &unit);

        let top = sheet.top + lines as f64 * TITLE_LINE + UNIT;
        let frame = Frame {
            left: sheet.left + 8.0,
            top,
            right: sheet.right - VALUES,
            bottom: top + strategies.max(1) as f64 * ROW,
        };
        let range = axis::range(estimates.iter().flatten().flat_map(|e| [e.mean, e.low, e.high]));
        let plot = Plot {
            frame,
            x: x_axis(range.unwrap_or((0.0, 1.0))),
            y: Axis::with_ticks((0.0, 1.0), Vec::new()),
        };
        let winner = self.winner(strategies);
        if let Some(i) = winner {
            let top = frame.top + i as f64 * ROW;
            let stripe = Frame {
                left: frame.left,
                top,
                right: sheet.right,
                bottom: top + ROW,
            };
            picture.fill(stripe, style::HIGHLIGHT);
        }
        plot.columns(picture);
        plot.base(picture, true);
        match range {
            Some(_) => plot.x_labels(picture, ""),
            None => plot.remark(picture, "no data"),
        }

        let notation = notation(estimates.iter().flatten());
        for (i, estimate) in estimates.iter().enumerate() {
            let middle = frame.top + (i as f64 + 0.5) * ROW;
            let pen = Pen {
                bold: winner == Some(i),
                ..Pen::LABEL
            };
            let value = estimate.map_or("–".to_string(), |e| notation.write(e.mean));
            pen.write(picture, (sheet.right - 24.0, pen.centred(middle)), Anchor::End, &value);
            if winner == Some(i) {
                pen.write(
                    picture,
                    (sheet.right - 11.0, pen.centred(middle)),
                    Anchor::Middle,
                    WINNER,
                );
            }
            if let Some(estimate) = estimate {
                whisker(picture, &plot, middle, estimate, &Look::of(i));
            }
        }
    }

    /// The winner, if it is one of the strategies and has a value to show.
    pub(super) fn winner(&self, strategies: usize) -> Option<usize> {
        let shown = |&winner: &usize| winner < strategies && self.estimate(winner).is_some();
        self.winner.filter(shown)
    }

    /// The estimate of a strategy if it can be drawn; an interval that cannot is taken to be empty.
    fn estimate(&self, strategy: usize) -> Option<Estimate> {
        let Estimate { mean, low, high } = (*self.estimates.get(strategy)?)?;
        let or_mean = |end: f64| if drawable(end) { end } else { mean };
        drawable(mean).then(|| Estimate {
            mean,
            low: or_mean(low),
            high: or_mean(high),
        })
    }

    fn head(&self, picture: &mut Picture, sheet: &Frame, unit: &str) {
        let rule = crisp(sheet.top);
        picture.line(
            vec![(sheet.left, rule), (sheet.right, rule)],
            Stroke::solid(style::GRID, 1.0),
        );
        let mut baseline = sheet.top + 1.0;
        for line in self.title_lines(sheet.width()) {
            baseline += TITLE_LINE;
            Pen::HEADING.write(picture, (sheet.left, baseline), Anchor::Start, &line);
        }
        baseline += TITLE_LINE;
        let better = match self.better {
            Better::Lower => "lower is better",
            Better::Higher => "higher is better",
            Better::Neither => "",
        };
        Pen::TICK.write(picture, (sheet.right, baseline), Anchor::End, better);
        let unit = Pen::TICK.fit(unit, sheet.width() - Pen::TICK.width(better) - 12.0);
        Pen::TICK.write(picture, (sheet.left, baseline), Anchor::Start, &unit);
    }
}

impl Unit {
    /// What values up to this size are divided by before they are written, and the name of the unit then. There is no
    /// room for a power of ten beside each value, so that it goes to the unit.
    fn scale(&self, largest: f64) -> (f64, String) {
        let (divisor, name) = match self {
            Unit::None => (1.0, ""),
            Unit::Plain(name) => (1.0, name.as_str()),
            Unit::Seconds if largest == 0.0 => (1.0, "s"),
            Unit::Seconds => number::time_unit(largest),
            Unit::Bytes => {
                const NAMES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
                let sizes = NAMES
                    .iter()
                    .enumerate()
                    .map(|(i, name)| ((1_u64 << (10 * i)) as f64, *name));
                sizes
                    .rev()
                    .find(|(size, _)| largest >= *size)
                    .unwrap_or((1.0, NAMES[0]))
            }
        };
        let scaled = largest / divisor;
        if scaled == 0.0 || (0.01..1e15).contains(&scaled) {
            return (divisor, name.to_string());
        }
        let power = exponent(scaled);
        let unit = format!("{} {name}", number::times_power(power));
        (divisor * power_of_ten(power), unit.trim().to_string())
    }
}

/// An axis over the range with a little air, and with at least two marks: one alone tells no scale.
fn x_axis((low, high): (f64, f64)) -> Axis {
    let air = (high - low) * 0.04;
    let axes = [3.0, 4.0, 5.0, 7.0].map(|wanted| Axis::linear((low - air, high + air), wanted));
    let [coarsest, ..] = &axes;
    axes.iter()
        .find(|axis| axis.ticks.len() >= 2)
        .unwrap_or(coarsest)
        .clone()
}

/// A notation in which the values can be told apart: two digits of the widest interval, or three of the largest value.
fn notation<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> Notation {
    let (mut largest, mut widest) = (0.0_f64, 0.0_f64);
    for Estimate { mean, low, high } in estimates {
        largest = largest.max(mean.abs());
        widest = widest.max(high - low);
    }
    if largest == 0.0 {
        return Notation::new(0.0, 0.0);
    }
    let step = |value: f64, digits: i32| power_of_ten(exponent(value) - digits + 1);
    let wanted = if widest > 0.0 {
        step(largest, 3).min(step(widest, 2))
    } else {
        step(largest, 3)
    };
    // More than five digits or four decimals are noise, and have no room; below a million, whole numbers are not rounded.
    let wanted = wanted.max(step(largest, 5)).max(1e-4);
    Notation::new(largest, if largest < 1e6 { wanted.min(1.0) } else { wanted })
}

fn whisker(picture: &mut Picture, plot: &Plot, y: f64, estimate: &Estimate, look: &Look) {
    let stroke = Stroke::solid(look.colour, 1.8);
    let [low, mean, high] = [estimate.low, estimate.mean, estimate.high].map(|value| plot.x_at(value));
    picture.line(vec![(low, y), (high, y)], stroke);
    for x in [low, high] {
        picture.line(vec![(x, y - 5.0), (x, y + 5.0)], stroke);
    }
    look.mark.draw(picture, (mean, y), look.colour);
}
