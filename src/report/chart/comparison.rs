//! Many metrics at once: a small panel for each, with the strategies below each other.

mod panel;

use super::page::{self, Key, MARGIN, Page};
use super::picture::{Anchor, Frame};
use super::style;
use super::text::Pen;
use super::{ChartError, Drawing, METRICS_MAX, SERIES_MAX, at_most};

/// Strategies compared by many metrics with different units: per metric a panel with the mean of each strategy, its
/// interval, and the winner.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What the picture shows.
    pub title: String,
    /// Below the title; should say what the intervals are. May be empty.
    pub subtitle: String,
    /// What a mark of a winner means, as in `better than every other (p < 0.05, Holm)`.
    pub winner_label: String,
    /// The names of the strategies.
    pub strategies: Vec<String>,
    /// In reading order.
    pub metrics: Vec<MetricPanel>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPanel {
    /// Its name, without the unit.
    pub title: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Which values are good.
    pub better: Better,
    /// In the order of [`Comparison::strategies`]; `None` where there is no value.
    pub estimates: Vec<Option<Estimate>>,
    /// Index of the strategy that is significantly better than every other, if there is one.
    pub winner: Option<usize>,
}

/// A unit, which decides how values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// None: a count, a ratio or an index.
    None,
    /// Any unit whose values are written as they are, as in `%`.
    Plain(String),
    /// Values are seconds, written in ns, µs, ms or s.
    Seconds,
    /// Values are bytes, written in B, KiB, MiB, GiB or TiB.
    Bytes,
}

/// Which values of a metric are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Small ones.
    Lower,
    /// Large ones.
    Higher,
    /// Neither: it only describes.
    Neither,
}

/// A mean with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Panels side by side.
const ACROSS: usize = 3;
/// Width of a panel.
const PANEL_WIDTH: f64 = 308.0;
/// White between panels.
const GAP: f64 = 18.0;

impl Comparison {
    /// Draws the chart.
    pub fn draw(&self) -> Result<Drawing, ChartError> {
        at_most(SERIES_MAX, self.strategies.len(), "strategies")?;
        at_most(METRICS_MAX, self.metrics.len(), "metrics")?;
        // A few panels do not need the whole width, but title and legend need some.
        let across = self.metrics.len().clamp(2, ACROSS);
        let width = 2.0 * MARGIN + across as f64 * (PANEL_WIDTH + GAP) - GAP;
        let mut page = Page::new(width, &self.title, &self.subtitle);
        page.legend(&page::entries(self.strategies.iter().map(String::as_str), Key::Whisker));
        self.winner_key(&mut page);

        for panels in self.metrics.chunks(across) {
            page.y += 10.0;
            // Panels side by side have titles of the same height, so that their rows are level.
            let lines = panels
                .iter()
                .map(|metric| metric.title_lines(PANEL_WIDTH).len())
                .max()
                .unwrap_or(1);
            let height = panel::height(lines, self.strategies.len());
            for (i, metric) in panels.iter().enumerate() {
                let left = MARGIN + i as f64 * (PANEL_WIDTH + GAP);
                let sheet = Frame {
                    left,
                    top: page.y,
                    right: left + PANEL_WIDTH,
                    bottom: page.y + height,
                };
                metric.draw(&mut page.picture, &sheet, lines, self.strategies.len());
            }
            page.y += height;
        }
        if self.metrics.is_empty() {
            page.y += 40.0;
            let pen = Pen {
                colour: style::MUTED,
                ..Pen::LABEL
            };
            pen.write(&mut page.picture, (width / 2.0, page.y), Anchor::Middle, "no data");
            page.y += 20.0;
        }
        page.render()
    }

    /// Says what the mark of a winner means, if there is a winner.
    fn winner_key(&self, page: &mut Page) {
        let strategies = self.strategies.len();
        if self.metrics.iter().all(|metric| metric.winner(strategies).is_none()) {
            return;
        }
        page.y += 10.0;
        let y = Pen::LABEL.centred(page.y);
        let star = Pen {
            bold: true,
            ..Pen::LABEL
        };
        star.write(&mut page.picture, (MARGIN, y), Anchor::Start, panel::WINNER);
        let room = page.picture.width - 2.0 * MARGIN - 20.0;
        let label = Pen::SUBTITLE.fit(&self.winner_label, room);
        Pen::SUBTITLE.write(&mut page.picture, (MARGIN + 20.0, y), Anchor::Start, &label);
        page.y += 14.0;
    }
}
