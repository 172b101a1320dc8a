//! Lines over time, each with the band of its uncertainty.

use super::axis::{self, Axis};
use super::number::drawable;
use super::page::{self, Entry, Key, MARGIN, Page, WIDTH};
use super::picture::{Anchor, Frame, Picture, Point, Stroke};
use super::plot::{self, Plot, crisp};
use super::style::{self, Look};
use super::text::Pen;
use super::{ChartError, Drawing, PANELS_MAX, SERIES_MAX, at_most};

/// What is measured over time, for instance utilisation or nodes in use: one line per strategy, in one panel or in
/// several that share time and legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LinesChart {
    /// What the picture shows.
    pub title: String,
    /// Below the title; should say what line and band are. May be empty.
    pub subtitle: String,
    /// From top to bottom.
    pub panels: Vec<LinesPanel>,
}

/// One quantity over time.
#[derive(Clone, Debug, PartialEq)]
pub struct LinesPanel {
    /// The quantity and its unit, as in `CPU reserved (% of capacity)`.
    pub y_label: String,
    /// A level to compare with.
    pub limit: Option<Limit>,
    /// The lines. Those of the same name look the same in all panels.
    pub series: Vec<LineSeries>,
}

/// A level that is drawn across a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Its name in the legend.
    pub name: String,
    /// Its height, in the unit of the panel.
    pub value: f64,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineSeries {
    /// Its name in the legend.
    pub name: String,
    /// Ascending in time. A point that cannot be drawn interrupts the line.
    pub points: Vec<LinePoint>,
}

/// One point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinePoint {
    /// Virtual time in seconds.
    pub seconds: f64,
    /// Height of the line.
    pub mean: f64,
    /// Lower and upper edge of the band.
    pub band: Option<(f64, f64)>,
}

impl LinesChart {
    /// Draws the chart.
    pub fn draw(&self) -> Result<Drawing, ChartError> {
        at_most(PANELS_MAX, self.panels.len(), "panels")?;
        let names = self.names();
        at_most(SERIES_MAX, names.len(), "series")?;

        let mut page = Page::new(WIDTH, &self.title, &self.subtitle);
        let mut entries = page::entries(names.iter().copied(), Key::Line);
        for limit in self.panels.iter().filter_map(|panel| panel.limit.as_ref()) {
            if entries.iter().all(|entry| entry.name != limit.name) {
                entries.push(Entry {
                    name: &limit.name,
                    key: Key::Rule(LIMIT),
                });
            }
        }
        page.legend(&entries);

        let points = || {
            self.panels
                .iter()
                .flat_map(|panel| panel.series.iter().flat_map(|series| &series.points))
        };
        let seconds = axis::range(points().map(|point| point.seconds)).unwrap_or((0.0, 60.0));
        let (x, unit) = Axis::time(seconds);
        let height = if self.panels.len() == 1 { 380.0 } else { 230.0 };
        let ys: Vec<Axis> = self.panels.iter().map(LinesPanel::y_axis).collect();
        let left = MARGIN + ys.iter().map(plot::y_labels_width).fold(0.0, f64::max);
        for (i, (panel, y)) in self.panels.iter().zip(ys).enumerate() {
            let top = page.y + 24.0;
            let frame = Frame {
                left,
                top,
                right: WIDTH - MARGIN - 8.0,
                bottom: top + height,
            };
            let plot = Plot { frame, x: x.clone(), y };
            let last = i + 1 == self.panels.len();
            panel.draw(&mut page.picture, &plot, &names, last);
            if last {
                plot.x_labels(&mut page.picture, &format!("virtual time ({unit})"));
            }
            page.y = frame.bottom + if last { plot::X_AXIS_HEIGHT } else { 16.0 };
        }
        page.render()
    }

    /// The names of all lines, in the order in which they first occur.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        names
    }
}

const LIMIT: Stroke = Stroke::solid(style::INK, 1.0);

/// A stretch of a line without interruption, on the sheet.
type Run = Vec<RunPoint>;

#[derive(Clone, Copy)]
struct RunPoint {
    at: Point,
    band: Option<(f64, f64)>,
}

impl LinesPanel {
    fn y_axis(&self) -> Axis {
        let points = self.series.iter().flat_map(|series| &series.points);
        let values = points.flat_map(|point| {
            let (low, high) = point.band.unwrap_or((point.mean, point.mean));
            [point.mean, low, high]
        });
        let limit = self.limit.iter().map(|limit| limit.value);
        Axis::linear(axis::from_zero(axis::range(values.chain(limit))), 6.0)
    }

    fn draw(&self, picture: &mut Picture, plot: &Plot, names: &[&str], last: bool) {
        let label = Pen::HEADING.fit(&self.y_label, plot.frame.right - MARGIN);
        Pen::HEADING.write(picture, (MARGIN, plot.frame.top - 11.0), Anchor::Start, &label);
        plot.rows(picture);
        plot.columns(picture);
        plot.y_labels(picture);

        let look = |series: &LineSeries| Look::of(names.iter().position(|&name| name == series.name).unwrap_or(0));
        let runs: Vec<(Look, Vec<Run>)> = self
            .series
            .iter()
            .map(|series| (look(series), series.runs(plot)))
            .collect();
        if runs.iter().all(|(_, runs)| runs.is_empty()) {
            plot.remark(picture, "no data");
        }
        // All bands below all lines: a band must not hide the line of another series.
        for (look, runs) in &runs {
            runs.iter().for_each(|run| band(picture, run, look));
        }
        plot.base(picture, last);
        if let Some(limit) = self.limit.as_ref().filter(|limit| drawable(limit.value)) {
            let y = crisp(plot.y_at(limit.value));
            picture.line(vec![(plot.frame.left, y), (plot.frame.right, y)], LIMIT);
        }
        for (look, runs) in &runs {
            for run in runs {
                match run.as_slice() {
                    [alone] => look.mark.draw(picture, alone.at, look.colour),
                    _ => picture.line(run.iter().map(|point| point.at).collect(), look.stroke(2.0)),
                }
            }
        }
    }
}

impl LineSeries {
    /// The stretches of the line. Several points per pixel are drawn as their mean, with the widest of their bands.
    fn runs(&self, plot: &Plot) -> Vec<Run> {
        let per_point = self.points.len().div_ceil(plot.frame.width() as usize).max(1);
        let (mut runs, mut run) = (Vec::new(), Run::new());
        for points in self.points.chunks(per_point) {
            let point = merged(points);
            match point.and_then(|point| Some((plot.at(point.seconds, point.mean)?, point.band))) {
                Some((at, band)) => {
                    let band = band.map(|(low, high)| (plot.y_at(low), plot.y_at(high)));
                    run.push(RunPoint { at, band });
                }
                None => runs.push(std::mem::take(&mut run)),
            }
        }
        runs.push(run);
        runs.retain(|run| !run.is_empty());
        runs
    }
}

/// The mean of those points that can be drawn.
fn merged(points: &[LinePoint]) -> Option<LinePoint> {
    let good: Vec<&LinePoint> = points
        .iter()
        .filter(|point| drawable(point.seconds) && drawable(point.mean))
        .collect();
    let mean = |of: fn(&LinePoint) -> f64| good.iter().map(|point| of(point)).sum::<f64>() / good.len() as f64;
    let bands = good
        .iter()
        .filter_map(|point| point.band)
        .filter(|&(low, high)| drawable(low) && drawable(high));
    let wider = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
    let (seconds, height) = (mean(|point| point.seconds), mean(|point| point.mean));
    (!good.is_empty()).then(|| LinePoint {
        seconds,
        mean: height,
        band: bands.reduce(wider),
    })
}

fn band(picture: &mut Picture, run: &[RunPoint], look: &Look) {
    for stretch in run.split(|point| point.band.is_none()) {
        let edges = stretch
            .iter()
            .filter_map(|point| point.band.map(|(low, high)| (point.at.0, low, high)));
        let edges: Vec<(f64, f64, f64)> = edges.collect();
        match edges.as_slice() {
            [] => {}
            &[(x, low, high)] => picture.line(vec![(x, low), (x, high)], Stroke::solid(look.colour, 1.5)),
            _ => {
                let lows = edges.iter().map(|&(x, low, _)| (x, low));
                let highs = edges.iter().rev().map(|&(x, _, high)| (x, high));
                picture.area(lows.chain(highs).collect(), look.colour, 0.18);
            }
        }
    }
}
