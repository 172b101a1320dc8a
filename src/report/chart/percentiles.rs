//! Percentiles of a time, far into the tail.

use super::axis::{self, Axis, Tick};
use super::number::drawable;
use super::page::{self, Key, MARGIN, Page, WIDTH};
use super::picture::{Anchor, Frame, Point};
use super::plot::{self, Plot};
use super::style::Look;
use super::text::Pen;
use super::{ChartError, Drawing, SERIES_MAX, at_most};

/// Percentiles of a time such as the latency of a decision: one line per strategy. Both axes are logarithmic, the
/// horizontal one in what lies beyond the percentile, so that 99 is as far from 99.9 as 90 from 99.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles {
    /// What the picture shows.
    pub title: String,
    /// Below the title. May be empty.
    pub subtitle: String,
    /// The time that is measured, as in `decision latency`; its unit stands at the axis.
    pub y_label: String,
    /// One per strategy.
    pub series: Vec<PercentileSeries>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct PercentileSeries {
    /// Its name in the legend.
    pub name: String,
    /// Ascending. Times below a picosecond, zero among them, have no place on a logarithmic axis and are left out.
    pub points: Vec<PercentilePoint>,
}

/// One point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PercentilePoint {
    /// From 0 to 100, where 100 is the maximum.
    pub percentile: f64,
    /// The time below which so many per cent lie.
    pub nanoseconds: f64,
}

/// Shortest time that is drawn.
const NANOSECONDS_MIN: f64 = 1e-3;

impl Percentiles {
    /// Draws the chart.
    pub fn draw(&self) -> Result<Drawing, ChartError> {
        at_most(SERIES_MAX, self.series.len(), "series")?;
        let mut page = Page::new(WIDTH, &self.title, &self.subtitle);
        page.legend(&page::entries(
            self.series.iter().map(|series| series.name.as_str()),
            Key::MarkedLine,
        ));

        let points = || self.series.iter().flat_map(|series| series.drawable());
        let x = Ruler::new(points().map(|point| point.percentile));
        let y = Axis::log_time(axis::range(points().map(|point| point.nanoseconds * 1e-9)).unwrap_or((1e-7, 1e-3)));
        let top = page.y + 24.0;
        let left = MARGIN + plot::y_labels_width(&y);
        let frame = Frame {
            left,
            top,
            right: WIDTH - MARGIN - 8.0,
            bottom: top + 380.0,
        };
        let plot = Plot { frame, x: x.axis(), y };
        let label = Pen::HEADING.fit(&self.y_label, WIDTH - 2.0 * MARGIN);
        Pen::HEADING.write(&mut page.picture, (MARGIN, top - 13.0), Anchor::Start, &label);
        plot.rows(&mut page.picture);
        plot.columns(&mut page.picture);
        plot.base(&mut page.picture, true);
        plot.y_labels(&mut page.picture);
        plot.x_labels(&mut page.picture, "percentile");

        if points().next().is_none() {
            plot.remark(&mut page.picture, "no data");
        }
        let place = |point: PercentilePoint| plot.at(x.place(point.percentile), point.nanoseconds * 1e-9);
        let lines: Vec<Vec<Point>> = self
            .series
            .iter()
            .map(|series| series.drawable().filter_map(place).collect())
            .collect();
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.len() > 1) {
            page.picture.line(line.clone(), Look::of(i).stroke(2.0));
        }
        for (i, line) in lines.iter().enumerate() {
            let look = Look::of(i);
            line.iter()
                .for_each(|&at| look.mark.draw(&mut page.picture, at, look.colour));
        }
        page.y = frame.bottom + plot::X_AXIS_HEIGHT;
        page.render()
    }
}

impl PercentileSeries {
    fn drawable(&self) -> impl Iterator<Item = PercentilePoint> + '_ {
        let drawable = |point: &&PercentilePoint| {
            (0.0..=100.0).contains(&point.percentile)
                && point.nanoseconds >= NANOSECONDS_MIN
                && drawable(point.nanoseconds)
        };
        self.points.iter().filter(drawable).copied()
    }
}

/// Where percentiles lie. The maximum, which would be infinitely far away, is one decade beyond the last.
struct Ruler {
    percentiles: Vec<f64>,
    maximum: f64,
}

impl Ruler {
    fn new(percentiles: impl Iterator<Item = f64>) -> Ruler {
        let mut percentiles: Vec<f64> = percentiles.collect();
        percentiles.sort_by(f64::total_cmp);
        percentiles.dedup();
        let places = percentiles
            .iter()
            .filter(|&&percentile| percentile < 100.0)
            .map(|&percentile| decades(percentile));
        let maximum = places.fold(0.0, f64::max) + 1.0;
        Ruler { percentiles, maximum }
    }

    fn place(&self, percentile: f64) -> f64 {
        if percentile < 100.0 {
            decades(percentile)
        } else {
            self.maximum
        }
    }

    fn axis(&self) -> Axis {
        let label = |percentile: f64| {
            if percentile < 100.0 {
                ((percentile * 1e6).floor() / 1e6).to_string()
            } else {
                "max".to_string()
            }
        };
        let ticks = self.percentiles.iter().map(|&p| Tick {
            value: self.place(p),
            label: label(p),
        });
        let (low, high) = axis::range(self.percentiles.iter().map(|&p| self.place(p))).unwrap_or((0.0, 1.0));
        let air = (high - low) * 0.03;
        Axis::with_ticks((low - air, high + air), ticks.collect())
    }
}

/// Decades of what lies beyond a percentile below 100.
fn decades(percentile: f64) -> f64 {
    -libm::log10(1.0 - percentile / 100.0)
}
