//! Heat maps: nodes from top to bottom, time from left to right, load as colour.

mod grid;

use super::axis::Axis;
use super::number::{self, drawable};
use super::page::{MARGIN, Page, WIDTH};
use super::picture::{Anchor, Colour, Frame, Picture};
use super::plot::{self, Plot};
use super::style;
use super::text::Pen;
use super::{ChartError, Drawing, PANELS_MAX, at_most};
use grid::{Grid, value};

/// How the load is spread over the nodes: one panel per strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// What the picture shows.
    pub title: String,
    /// Below the title. May be empty.
    pub subtitle: String,
    /// The quantity, as in `CPU reserved (share of capacity)`.
    pub value_label: String,
    /// What a row is, in the plural, as in `nodes`.
    pub rows_label: String,
    /// What a cell without a value is, as in `node down`.
    pub absent_label: String,
    /// Virtual time in seconds at the left edge of the first column and at the right edge of the last.
    pub seconds: (f64, f64),
    /// One per strategy.
    pub panels: Vec<HeatPanel>,
}

/// The map of one strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatPanel {
    /// Its heading.
    pub name: String,
    /// From top to bottom; in each row one cell per column, at equal distances in time. A cell is a share of
    /// capacity: 1 is full, more is overcommitted, `None` or NaN is absent, as are the cells that a short row lacks.
    pub rows: Vec<Vec<Option<f32>>>,
}

/// White between panels side by side.
const GAP: f64 = 24.0;

impl HeatMap {
    /// Draws the chart.
    pub fn draw(&self) -> Result<Drawing, ChartError> {
        at_most(PANELS_MAX, self.panels.len(), "panels")?;
        let most = self.panels.iter().map(HeatPanel::most).fold(0.0, f32::max);
        let mut page = Page::new(WIDTH, &self.title, &self.subtitle);
        self.key(&mut page, most);

        let mut merged = false;
        let (low, high) = self.seconds;
        let seconds = if drawable(low) && drawable(high) && low < high {
            (low, high)
        } else {
            (0.0, 60.0)
        };
        let (x, unit) = Axis::time(seconds);
        // Two columns as soon as one would not fit on a screen.
        let across = if self.panels.len() > 3 { 2 } else { 1 };
        let count = self.panels.iter().map(|panel| panel.rows.len()).max().unwrap_or(0);
        let left = Pen::TICK.width(&number::humane(count as f64)) + 7.0;
        let cell = (WIDTH - 2.0 * MARGIN - 8.0 - (across - 1) as f64 * GAP) / across as f64;
        for (line, panels) in self.panels.chunks(across).enumerate() {
            let top = page.y + 26.0;
            for (i, panel) in panels.iter().enumerate() {
                let start = MARGIN + i as f64 * (cell + GAP);
                let grid = Grid::new(panel, cell - left);
                let frame = Frame {
                    left: start + left,
                    top,
                    right: start + cell,
                    bottom: top + grid.height,
                };
                let plot = Plot {
                    frame,
                    x: x.clone(),
                    y: grid.axis(),
                };
                self.heading(&mut page.picture, panel, &grid, &frame);
                grid.draw(&mut page.picture, &plot, most);
                plot.y_labels(&mut page.picture);
                // The lowest panel of each column carries the axis.
                let last = line * across + i + across >= self.panels.len();
                plot.base(&mut page.picture, last);
                if last {
                    plot.x_labels(&mut page.picture, &format!("virtual time ({unit})"));
                }
                let below = if last { plot::X_AXIS_HEIGHT } else { 12.0 };
                page.y = page.y.max(frame.bottom + below);
                merged |= grid.merged;
            }
        }
        if merged {
            self.footnote(&mut page);
        }
        page.render()
    }

    fn heading(&self, picture: &mut Picture, panel: &HeatPanel, grid: &Grid, frame: &Frame) {
        let baseline = frame.top - 9.0;
        let count = number::humane(panel.rows.len() as f64);
        let remark = match grid.per_row {
            1 => format!("{}: {count}", self.rows_label),
            per_row => format!("{}: {count}, {per_row} per row", self.rows_label),
        };
        let remark = Pen::TICK.fit(&remark, frame.width() / 2.0);
        Pen::TICK.write(picture, (frame.right, baseline), Anchor::End, &remark);
        let name = Pen::HEADING.fit(&panel.name, frame.width() - Pen::TICK.width(&remark) - 16.0);
        Pen::HEADING.write(picture, (frame.left, baseline), Anchor::Start, &name);
    }

    /// Says what a cell shows that stands for several.
    fn footnote(&self, page: &mut Page) {
        let note = format!(
            "A cell stands for several {} or moments: their mean, or their maximum if that exceeds 100 %; greyed by \
             the share that is absent.",
            self.rows_label
        );
        page.y += Pen::TICK.size + 4.0;
        let note = Pen::TICK.fit(&note, WIDTH - 2.0 * MARGIN);
        Pen::TICK.write(&mut page.picture, (MARGIN, page.y), Anchor::Start, &note);
    }

    /// The colours and what they mean, in one line.
    fn key(&self, page: &mut Page, most: f32) {
        const BAR: f64 = 220.0;
        const OVER: f64 = 66.0;
        let (top, height) = (page.y + 2.0, 13.0);
        let middle = Pen::LABEL.centred(top + height / 2.0);
        let label = Pen::LABEL.fit(&self.value_label, 400.0);
        Pen::LABEL.write(&mut page.picture, (MARGIN, middle), Anchor::Start, &label);
        let mut x = MARGIN + Pen::LABEL.width(&label) + 16.0;

        let frame = |left: f64, width: f64| Frame {
            left,
            top,
            right: left + width,
            bottom: top + height,
        };
        let shades =
            |colour: fn(f64) -> Colour| (0..110).map(|i| colour(f64::from(i) / 109.0)).collect::<Vec<Colour>>();
        let below = top + height + 15.0;
        let cells = |picture: &mut Picture, frame: Frame, fills: Vec<Colour>| {
            picture.cells(frame, fills.len(), fills);
        };
        cells(&mut page.picture, frame(x, BAR), shades(style::heat));
        for (share, text) in [(0.0, "0"), (0.5, "50 %"), (1.0, "100 %")] {
            Pen::TICK.write(&mut page.picture, (x + share * BAR, below), Anchor::Middle, text);
        }
        x += BAR;
        if most > 1.0 {
            x += 4.0;
            cells(&mut page.picture, frame(x, OVER), shades(style::excess));
            let text = format!("{} %", number::humane(f64::from(most * 100.0).round()));
            Pen::TICK.write(&mut page.picture, (x + OVER, below), Anchor::Middle, &text);
            x += OVER;
        }
        if self.panels.iter().any(HeatPanel::has_absent) {
            x += 36.0;
            page.picture.fill(frame(x, 20.0), style::ABSENT);
            let text = Pen::LABEL.fit(&self.absent_label, WIDTH - MARGIN - x - 27.0);
            Pen::LABEL.write(&mut page.picture, (x + 27.0, middle), Anchor::Start, &text);
        }
        page.y = below + 6.0;
    }
}

impl HeatPanel {
    fn columns(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The largest value, for the scale of what exceeds capacity.
    fn most(&self) -> f32 {
        let values = self.rows.iter().flatten().filter_map(|&cell| value(cell));
        values.fold(0.0, f32::max)
    }

    fn has_absent(&self) -> bool {
        let columns = self.columns();
        self.rows
            .iter()
            .any(|row| row.len() < columns || row.iter().any(|&cell| value(cell).is_none()))
    }
}
