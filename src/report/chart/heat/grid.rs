//! The cells of a heat map as they are drawn: several of the data in one where there is no room for each.

use super::HeatPanel;
use crate::report::chart::axis::{Axis, Tick, round_step};
use crate::report::chart::number;
use crate::report::chart::picture::{Colour, Picture};
use crate::report::chart::plot::Plot;
use crate::report::chart::style;

/// Most rows of cells in a panel: each is at least two pixels high. More rows of data are drawn several per cell.
const ROWS_MAX: usize = 100;
/// Height that a panel should have.
const PANEL_HEIGHT: f64 = 170.0;
/// Highest row of cells.
const ROW_HEIGHT_MAX: f64 = 24.0;
/// Narrowest column of cells.
const COLUMN_WIDTH_MIN: f64 = 2.0;
/// Shades from empty to full: more are not seen, and make large files.
const SHADES: f32 = 64.0;

/// The cells of a panel as they are drawn: few enough to be seen.
pub(super) struct Grid {
    columns: usize,
    /// Rows of data in each row of cells, except perhaps the last.
    pub per_row: usize,
    rows_of_data: usize,
    /// Of the panel, in pixels.
    pub height: f64,
    /// Whether any cell stands for several of the data.
    pub merged: bool,
    cells: Vec<Cell>,
}

impl Grid {
    /// The cells of a panel of this width in pixels.
    pub(super) fn new(panel: &HeatPanel, panel_width: f64) -> Grid {
        let width = panel.columns();
        let per_row = panel.rows.len().div_ceil(ROWS_MAX).max(1);
        let rows = panel.rows.len().div_ceil(per_row);
        let columns = width.min((panel_width / COLUMN_WIDTH_MIN) as usize);
        let mut cells = Vec::with_capacity(rows * columns);
        for block in panel.rows.chunks(per_row) {
            for column in 0..columns {
                let span = column * width / columns..(column + 1) * width / columns;
                let places = block.iter().flat_map(|row| span.clone().map(move |i| row.get(i)));
                cells.push(merged(places.map(|cell| cell.copied().flatten())));
            }
        }
        let height = if cells.is_empty() {
            PANEL_HEIGHT / 2.0
        } else {
            (PANEL_HEIGHT / rows as f64).round().clamp(2.0, ROW_HEIGHT_MAX) * rows as f64
        };
        Grid {
            columns,
            per_row,
            rows_of_data: panel.rows.len(),
            height,
            merged: per_row > 1 || columns < width,
            cells,
        }
    }

    /// The numbers of the rows of data, the first one at the top.
    pub(super) fn axis(&self) -> Axis {
        let count = self.rows_of_data as f64;
        let mut ticks = Vec::new();
        if count > 0.0 {
            // At most one label per 18 pixels.
            let step = round_step(18.0 * count / self.height).max(1.0);
            ticks.push(1.0);
            let rounds = (1..).map(|i| f64::from(i) * step).take_while(|&row| row <= count);
            ticks.extend(rounds.filter(|&row| row - 1.0 >= step * 0.6));
        }
        // The last row of cells may stand for fewer rows of data, and is as high as the others.
        let height = (self.rows_of_data.div_ceil(self.per_row) * self.per_row) as f64;
        let tick = |row: f64| Tick {
            value: height + 0.5 - row,
            label: number::humane(row),
        };
        Axis::with_ticks((0.0, height), ticks.into_iter().rev().map(tick).collect())
    }

    /// Draws the cells; the most over capacity gets the darkest red.
    pub(super) fn draw(&self, picture: &mut Picture, plot: &Plot, most: f32) {
        if self.cells.is_empty() {
            plot.remark(picture, "no data");
            return;
        }
        let fills = self.cells.iter().map(|cell| cell.colour(most)).collect();
        picture.cells(plot.frame, self.columns, fills);
    }
}

/// A cell as it is drawn, which may stand for several of the data.
#[derive(Clone, Copy)]
struct Cell {
    value: Option<f32>,
    /// Share of the data that are absent; the cell is greyed by it.
    absent: f64,
}

/// What a cell of the data is worth, if anything.
pub(super) fn value(cell: Option<f32>) -> Option<f32> {
    cell.filter(|value| value.is_finite())
}

/// One cell for several: the mean of their values, or the largest if that is over capacity.
fn merged(cells: impl Iterator<Item = Option<f32>>) -> Cell {
    let (mut absent, mut present, mut sum, mut most) = (0_u32, 0_u32, 0.0_f64, 0.0_f32);
    for cell in cells {
        match value(cell) {
            None => absent += 1,
            Some(value) => {
                present += 1;
                sum += f64::from(value);
                most = most.max(value);
            }
        }
    }
    let mean = (sum / f64::from(present.max(1))) as f32;
    Cell {
        value: (present > 0).then_some(if most > 1.0 { most } else { mean }),
        absent: f64::from(absent) / f64::from((absent + present).max(1)),
    }
}

impl Cell {
    fn colour(self, most: f32) -> Colour {
        let shade = |share: f32| f64::from((share * SHADES).round() / SHADES);
        let full = match self.value {
            None => style::ABSENT,
            Some(value) if value > 1.0 => style::excess(shade((value - 1.0) / (most - 1.0))),
            Some(value) => style::heat(shade(value)),
        };
        // Rounded up, so that one absent node among many is still seen.
        full.towards(style::ABSENT, (self.absent * 4.0).ceil() / 4.0)
    }
}
