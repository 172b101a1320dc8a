//! How a cost grows with the size of what it is paid for.

use super::axis::{self, Axis, Tick};
use super::number::{self, drawable};
use super::page::{self, Key, MARGIN, Page, WIDTH};
use super::picture::{Anchor, Frame, Picture, Stroke};
use super::plot::{self, Plot};
use super::style::Look;
use super::text::Pen;
use super::{ChartError, Drawing, PANELS_MAX, SERIES_MAX, at_most};

/// A cost such as the latency of a decision against a size such as the number of nodes, both axes logarithmic: one line
/// for each thing that is paid for, in one panel or in several that share both axes and the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// What the picture shows.
    pub title: String,
    /// Below the title. May be empty.
    pub subtitle: String,
    /// The size, as in `nodes`.
    pub x_label: String,
    /// Whether costs are nanoseconds, which get a unit at their axis, or plain numbers.
    pub is_time: bool,
    /// From top to bottom.
    pub panels: Vec<ScalingPanel>,
}

/// One comparison of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingPanel {
    /// What it shows, as in `spread: time of a decision`.
    pub title: String,
    /// The lines. Those of the same name look the same in all panels.
    pub series: Vec<ScalingSeries>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingSeries {
    /// Its name in the legend.
    pub name: String,
    /// Ascending in size. What is not above zero has no place on a logarithmic axis and is left out.
    pub points: Vec<ScalingPoint>,
}

/// One point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalingPoint {
    /// Size.
    pub size: f64,
    /// Cost.
    pub cost: f64,
    /// Lower and upper edge of its uncertainty.
    pub interval: Option<(f64, f64)>,
}

/// Least cost and size that are drawn.
const SMALLEST: f64 = 1e-3;

impl Scaling {
    /// Draws the chart.
    pub fn draw(&self) -> Result<Drawing, ChartError> {
        at_most(PANELS_MAX, self.panels.len(), "panels")?;
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        at_most(SERIES_MAX, names.len(), "series")?;
        let mut page = Page::new(WIDTH, &self.title, &self.subtitle);
        page.legend(&page::entries(names.iter().copied(), Key::MarkedLine));

        let factor = if self.is_time { 1e-9 } else { 1.0 };
        let points = || {
            let series = self.panels.iter().flat_map(|panel| &panel.series);
            series.flat_map(ScalingSeries::drawable)
        };
        let costs = points().flat_map(|point| {
            let (low, high) = point.interval.unwrap_or((point.cost, point.cost));
            [point.cost, low, high]
        });
        let costs = axis::range(costs.map(|cost| cost.max(SMALLEST) * factor));
        let y = if self.is_time {
            Axis::log_time(costs.unwrap_or((1e-7, 1e-3)))
        } else {
            Axis::log_plain(costs.unwrap_or((1.0, 1e3)))
        };
        let x = sizes(points().map(|point| point.size));
        let left = MARGIN + plot::y_labels_width(&y);
        let height = if self.panels.len() == 1 { 380.0 } else { 250.0 };
        for (i, panel) in self.panels.iter().enumerate() {
            let top = page.y + 28.0;
            let frame = Frame {
                left,
                top,
                right: WIDTH - MARGIN - 8.0,
                bottom: top + height,
            };
            let (x, y) = (x.clone(), y.clone());
            let plot = Plot { frame, x, y };
            let last = i + 1 == self.panels.len();
            panel.draw(&mut page.picture, &plot, &names, factor, last);
            if last {
                plot.x_labels(&mut page.picture, &self.x_label);
            }
            page.y = frame.bottom + if last { plot::X_AXIS_HEIGHT } else { 16.0 };
        }
        page.render()
    }
}

impl ScalingPanel {
    fn draw(&self, picture: &mut Picture, plot: &Plot, names: &[&str], factor: f64, last: bool) {
        let label = Pen::HEADING.fit(&self.title, plot.frame.right - MARGIN);
        Pen::HEADING.write(picture, (MARGIN, plot.frame.top - 13.0), Anchor::Start, &label);
        plot.rows(picture);
        plot.columns(picture);
        plot.base(picture, last);
        plot.y_labels(picture);
        if self.series.iter().all(|series| series.drawable().next().is_none()) {
            plot.remark(picture, "no data");
        }
        let look = |series: &ScalingSeries| Look::of(names.iter().position(|&name| name == series.name).unwrap_or(0));
        let place = |size: f64, cost: f64| plot.at(libm::log10(size), cost.max(SMALLEST) * factor);
        for series in &self.series {
            let look = look(series);
            for point in series.drawable() {
                let (low, high) = point.interval.unwrap_or((point.cost, point.cost));
                if let (Some(low), Some(high)) = (place(point.size, low), place(point.size, high)) {
                    picture.line(vec![low, high], Stroke::solid(look.colour, 1.5));
                }
            }
            let line: Vec<_> = series
                .drawable()
                .filter_map(|point| place(point.size, point.cost))
                .collect();
            if line.len() > 1 {
                picture.line(line, look.stroke(2.0));
            }
        }
        for series in &self.series {
            let look = look(series);
            for at in series.drawable().filter_map(|point| place(point.size, point.cost)) {
                look.mark.draw(picture, at, look.colour);
            }
        }
    }
}

impl ScalingSeries {
    fn drawable(&self) -> impl Iterator<Item = ScalingPoint> + '_ {
        let is_drawable = |value: f64| value >= SMALLEST && drawable(value);
        let points = self.points.iter().copied();
        points.filter(move |point| is_drawable(point.size) && is_drawable(point.cost))
    }
}

/// An even axis of the sizes' logarithms, marked at the sizes that there are.
fn sizes(sizes: impl Iterator<Item = f64>) -> Axis {
    let mut sizes: Vec<f64> = sizes.collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let tick = |size: &f64| Tick {
        value: libm::log10(*size),
        label: number::humane(*size),
    };
    let (low, high) = match (sizes.first(), sizes.last()) {
        (Some(first), Some(last)) => (libm::log10(*first), libm::log10(*last)),
        _ => (0.0, 1.0),
    };
    let air = if high > low { (high - low) * 0.04 } else { 0.5 };
    Axis::with_ticks((low - air, high + air), sizes.iter().map(tick).collect())
}
