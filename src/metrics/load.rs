//! How loaded each node was over time, bounded for a heat map.

use rustc_hash::FxHashMap;

use crate::cluster::{Cluster, Node};
use crate::model::{NodeIdx, Time};
use crate::sim::NodeEvent;

use super::{PerResource, Setup};

/// Most rows; more nodes share rows, neighbours in the setup together.
pub const LOAD_ROWS_MAX: usize = 256;
/// Most columns; of longer runs, neighbouring samples share columns, equally many in each.
pub const LOAD_COLUMNS_MAX: usize = 400;

/// Load by node and time. A cell is the mean over its nodes and samples, those without the node excepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadMap {
    /// What the cells say.
    pub unit: LoadUnit,
    /// Nodes, in the order of the setup; at most [`LOAD_ROWS_MAX`].
    pub rows: Vec<LoadRow>,
    /// Time of the first sample of each column; at most [`LOAD_COLUMNS_MAX`].
    pub times: Vec<Time>,
    /// Row after row. Not a number where no node of the row was in the cluster and in working order. A node that is
    /// drained still has a load.
    pub cells: Vec<f32>,
}

/// What a load is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadUnit {
    /// The dominant share: the larger of the reserved shares of real CPU and memory; 1 is full.
    #[default]
    Share,
    /// The number of containers, if nothing reserved anything in the whole run.
    Containers,
}

/// A row: one node, or neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRow {
    /// Name of the first node.
    pub first: String,
    /// Name of the last node, the same if there is but one.
    pub last: String,
    /// How many nodes.
    pub nodes: usize,
}

impl LoadMap {
    /// The cells of one row, by column.
    pub fn row(&self, row: usize) -> &[f32] {
        let columns = self.times.len();
        &self.cells[row * columns..(row + 1) * columns]
    }
}

/// Collects a load map, sample by sample.
#[derive(Clone, Debug)]
pub(super) struct LoadRecorder<'a> {
    setup: &'a Setup,
    rows: usize,
    row_of_name: FxHashMap<&'a str, usize>,
    /// By node index; `None`: not looked up yet.
    row_of_node: Vec<Option<usize>>,
    /// By node index: in the plan, but not in the cluster.
    absent: Vec<bool>,
    columns: Vec<Column>,
    /// Samples in a full column, a power of two.
    stride: usize,
    /// The latest sample, which another one at the same time replaces.
    latest: Option<Column>,
    reserved: bool,
}

#[derive(Clone, Debug)]
struct Column {
    time: Time,
    samples: usize,
    cells: Vec<Cell>,
}

/// Sums over the healthy nodes of a cell.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    share: f64,
    containers: u64,
    nodes: u32,
}

impl<'a> LoadRecorder<'a> {
    pub(super) fn new(setup: &'a Setup) -> LoadRecorder<'a> {
        let rows = setup.nodes.len().min(LOAD_ROWS_MAX);
        let names = setup.nodes.iter().enumerate();
        let row = |place: usize| place * rows / setup.nodes.len();
        LoadRecorder {
            rows,
            row_of_name: names.map(|(place, node)| (node.name.as_str(), row(place))).collect(),
            setup,
            row_of_node: Vec::new(),
            absent: Vec::new(),
            columns: Vec::new(),
            stride: 1,
            latest: None,
            reserved: false,
        }
    }

    /// The run begins: what takes no containers yet has not joined, since nobody can have drained it.
    pub(super) fn begin(&mut self, cluster: &Cluster) {
        for (idx, node) in cluster.nodes() {
            self.set_absent(idx, !node.is_schedulable());
        }
    }

    /// Something happened to a node.
    pub(super) fn node(&mut self, idx: NodeIdx, change: NodeEvent) {
        match change {
            NodeEvent::Joined => self.set_absent(idx, false),
            // A node that leaves is out of order from then on, or gone altogether.
            NodeEvent::Left
            | NodeEvent::Failed
            | NodeEvent::Recovered
            | NodeEvent::Drained
            | NodeEvent::Undrained
            | NodeEvent::Relabelled
            | NodeEvent::Health(_) => {}
        }
    }

    fn set_absent(&mut self, idx: NodeIdx, absent: bool) {
        if self.absent.len() <= idx.index() {
            self.absent.resize(idx.index() + 1, false);
        }
        self.absent[idx.index()] = absent;
    }

    /// Adds a sample; one at the time of the last replaces it. Nodes that the setup does not know are left out.
    pub(super) fn sample(&mut self, time: Time, cluster: &Cluster) {
        let mut cells = match self.latest.take() {
            Some(latest) if latest.time == time => latest.cells,
            Some(latest) => self.push(latest),
            None => Vec::new(),
        };
        cells.clear();
        cells.resize(self.rows, Cell::default());
        for (idx, node) in cluster.nodes() {
            if node.health() == 0 || self.absent.get(idx.index()) == Some(&true) {
                continue;
            }
            if self.row_of_node.len() <= idx.index() {
                self.row_of_node.resize(idx.index() + 1, None);
            }
            let names = &self.row_of_name;
            let find = || names.get(node.name()).copied().unwrap_or(usize::MAX);
            let row = *self.row_of_node[idx.index()].get_or_insert_with(find);
            if let Some(cell) = cells.get_mut(row) {
                let share = dominant_share(node);
                self.reserved |= share > 0.0;
                cell.share += share;
                cell.containers += node.containers().len() as u64;
                cell.nodes += 1;
            }
        }
        let samples = 1;
        self.latest = Some(Column { time, samples, cells });
    }

    pub(super) fn finish(mut self) -> LoadMap {
        if let Some(latest) = self.latest.take() {
            self.push(latest);
        }
        let unit = if self.reserved {
            LoadUnit::Share
        } else {
            LoadUnit::Containers
        };
        let value = |cell: &Cell| {
            let sum = match unit {
                LoadUnit::Share => cell.share,
                LoadUnit::Containers => cell.containers as f64,
            };
            // No nodes give 0 ÷ 0, which is not a number, as promised.
            (sum / f64::from(cell.nodes)) as f32
        };
        let by_row = (0..self.rows).flat_map(|row| self.columns.iter().map(move |column| &column.cells[row]));
        LoadMap {
            unit,
            cells: by_row.map(value).collect(),
            rows: (0..self.rows).map(|row| self.describe(row)).collect(),
            times: self.columns.iter().map(|column| column.time).collect(),
        }
    }

    /// Adds a finished sample to the columns, and hands back a buffer for the next.
    fn push(&mut self, sample: Column) -> Vec<Cell> {
        match self.columns.last_mut() {
            Some(last) if last.samples < self.stride => {
                last.merge(&sample);
                sample.cells
            }
            _ => {
                if self.columns.len() == LOAD_COLUMNS_MAX {
                    self.halve();
                    return self.push(sample);
                }
                self.columns.push(sample);
                Vec::new()
            }
        }
    }

    fn halve(&mut self) {
        let mut halved: Vec<Column> = Vec::with_capacity(LOAD_COLUMNS_MAX);
        for (place, column) in std::mem::take(&mut self.columns).into_iter().enumerate() {
            match halved.last_mut() {
                Some(last) if place % 2 == 1 => last.merge(&column),
                _ => halved.push(column),
            }
        }
        self.columns = halved;
        self.stride *= 2;
    }

    fn describe(&self, row: usize) -> LoadRow {
        let all = self.setup.nodes.len();
        // The nodes i with i * rows / all = row, rounded down.
        let (first, end) = ((row * all).div_ceil(self.rows), ((row + 1) * all).div_ceil(self.rows));
        LoadRow {
            first: self.setup.nodes[first].name.clone(),
            last: self.setup.nodes[end - 1].name.clone(),
            nodes: end - first,
        }
    }
}

impl Column {
    fn merge(&mut self, later: &Column) {
        self.samples += later.samples;
        for (cell, other) in self.cells.iter_mut().zip(&later.cells) {
            cell.share += other.share;
            cell.containers += other.containers;
            cell.nodes += other.nodes;
        }
    }
}

/// The larger of the reserved shares of real CPU and memory. What a node has none of does not count.
fn dominant_share(node: &Node) -> f64 {
    let capacity: PerResource<u64> = node.capacity().into();
    let shares = capacity.zip(node.used().into(), |capacity: u64, used: u64| {
        if capacity > 0 {
            used as f64 / capacity as f64
        } else {
            0.0
        }
    });
    shares.cpu.max(shares.memory)
}
