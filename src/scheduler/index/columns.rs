//! What nodes have and what is reserved on them, in packed columns, and the best of them for an amount without a look
//! at each.
//!
//! Nodes of the same size and similar load lie together in blocks, whose bounds say how good a node among them can at
//! best be. So a search looks into the few blocks that may hold the winner. Which nodes lie together matters for speed
//! only: they are sorted anew when searches have had to look into too many blocks.
//!
//! Percentages are computed in floating point, which compilers vectorise, and are nevertheless the exact integers of
//! `weight`: see [`MARGIN`].

mod block;
mod bounds;

use rustc_hash::FxHashMap;

use crate::cluster::{Cluster, Node};
use crate::model::Resources;
use crate::scheduler::{Settings, Strategy};

use super::node_set::NodeSet;
use block::{Block, LANES, Lane};
use bounds::Bounds;

/// Blocks whose bounds are summed up in one group.
const BLOCKS_PER_GROUP: usize = 32;
/// A search may look into so many blocks before the order of the nodes is to blame.
const BLOCKS_PER_SEARCH: usize = 4;
/// Looks into a block that cost as much as sorting one node anew.
const LOOKS_PER_NODE: usize = 2;
/// Up to so many nodes are looked at one by one.
const FEW: usize = 48;

/// The columns of all nodes.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    packs: bool,
    blocks: Vec<Block>,
    bounds: Vec<Bounds>,
    groups: Vec<Bounds>,
    /// Where each node lies, by position: `block * LANES + lane`.
    slots: Vec<u32>,
    /// Blocks whose bounds are out of date.
    stale: Vec<u32>,
    /// Looks into blocks beyond what a search needs, since the nodes were last sorted.
    waste: usize,
}

/// What is asked of every node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    cpus: f64,
    memory: f64,
    /// Full is full at 100 %, not at just under 101 %.
    exact: bool,
    /// Whether high loads are wanted.
    packs: bool,
}

/// The best node found so far: the lowest score, then the lowest tie.
#[derive(Clone, Copy, Debug)]
struct Best {
    score: f64,
    tie: u64,
    position: Option<u32>,
}

impl Ask {
    pub(super) fn new(settings: &Settings, wanted: Resources, exact: bool) -> Ask {
        // Amounts are capped far below 2^53, so these are exact.
        Ask {
            cpus: wanted.cpus.nanos() as f64,
            memory: wanted.memory.get() as f64,
            exact,
            packs: settings.strategy != Strategy::Spread,
        }
    }
}

impl Best {
    const NONE: Best = Best {
        // Above every score, below the infinity of those that cannot win.
        score: f64::MAX,
        tie: u64::MAX,
        position: None,
    };

    fn is_beaten_by(&self, score: f64, tie: u64) -> bool {
        score < self.score || (score == self.score && tie < self.tie)
    }
}

impl Columns {
    pub(super) fn new(settings: &Settings, cluster: &Cluster) -> Columns {
        let mut columns = Columns {
            packs: settings.strategy != Strategy::Spread,
            blocks: Vec::new(),
            bounds: Vec::new(),
            groups: Vec::new(),
            slots: Vec::new(),
            stale: Vec::new(),
            waste: 0,
        };
        columns.rebuild(cluster);
        columns
    }

    /// Takes in all nodes and sorts them.
    pub(super) fn rebuild(&mut self, cluster: &Cluster) {
        let mut shapes = FxHashMap::default();
        let nodes = cluster.nodes().enumerate();
        let mut lanes: Vec<(u128, Lane)> = nodes
            .map(|(position, (_, node))| {
                let lane = self.lane(position, node);
                let found = shapes.len() as u32;
                let shape = *shapes.entry((node.total(), node.health())).or_insert(found);
                let order = u128::from(shape) << 96 | u128::from(lane.neighbourhood()) << 64 | u128::from(lane.tie);
                (order, lane)
            })
            .collect();
        lanes.sort_unstable_by_key(|(order, _)| *order);
        self.slots.clear();
        self.slots.resize(lanes.len(), 0);
        self.blocks.clear();
        self.blocks.resize(lanes.len().div_ceil(LANES), Block::EMPTY);
        for (slot, (_, lane)) in lanes.iter().enumerate() {
            self.slots[lane.position as usize] = slot as u32;
            self.blocks[slot / LANES].set(slot % LANES, lane);
        }
        self.bounds = self.blocks.iter().map(Block::bounds).collect();
        self.groups = self.bounds.chunks(BLOCKS_PER_GROUP).map(Bounds::of_all).collect();
        self.stale.clear();
        self.waste = 0;
    }

    /// Takes in what has become of a node. To be followed by [`Columns::refresh`].
    pub(super) fn update(&mut self, position: usize, node: &Node) {
        let slot = self.slots[position] as usize;
        let lane = self.lane(position, node);
        self.blocks[slot / LANES].set(slot % LANES, &lane);
        let block = (slot / LANES) as u32;
        if self.stale.last() != Some(&block) {
            self.stale.push(block);
        }
    }

    /// Brings the bounds up to date after updates.
    pub(super) fn refresh(&mut self) {
        if self.stale.len() > 1 {
            self.stale.sort_unstable();
            self.stale.dedup();
        }
        let mut last_group = usize::MAX;
        for block in &self.stale {
            let block = *block as usize;
            self.bounds[block] = self.blocks[block].bounds();
            let group = block / BLOCKS_PER_GROUP;
            if last_group != usize::MAX && last_group != group {
                self.groups[last_group] = Bounds::of_all(group_of(&self.bounds, last_group));
            }
            last_group = group;
        }
        if last_group != usize::MAX {
            self.groups[last_group] = Bounds::of_all(group_of(&self.bounds, last_group));
        }
        self.stale.clear();
    }

    /// Whether searches have cost more than sorting would.
    pub(super) fn is_worn(&self) -> bool {
        self.waste > LOOKS_PER_NODE * self.slots.len()
    }

    /// The position of the best node, of those in `eligible` if that is given.
    pub(super) fn best(&mut self, ask: &Ask, eligible: Option<&NodeSet>) -> Option<usize> {
        let mut best = Best::NONE;
        if let Some(eligible) = eligible {
            let few = eligible.len() <= FEW;
            if few {
                for position in eligible.iter() {
                    let slot = self.slots[position] as usize;
                    self.blocks[slot / LANES].look_at(slot % LANES, ask, &mut best);
                }
                return best.position.map(|position| position as usize);
            }
        }
        let mut looks = 0_usize;
        in_order_of_promise(&self.groups, ask, &mut best, |group, best| {
            let first = group * BLOCKS_PER_GROUP;
            let bounds = group_of(&self.bounds, group);
            in_order_of_promise(bounds, ask, best, |block, best| {
                looks += 1;
                self.blocks[first + block].look(ask, eligible, best);
            });
        });
        self.waste += looks.saturating_sub(BLOCKS_PER_SEARCH);
        best.position.map(|position| position as usize)
    }

    /// The nodes that have room.
    pub(super) fn with_room(&self, ask: &Ask) -> NodeSet {
        let mut set = NodeSet::none(self.slots.len());
        for block in &self.blocks {
            block.add_those_with_room(ask, &mut set);
        }
        set
    }

    fn lane(&self, position: usize, node: &Node) -> Lane {
        Lane::new(position as u32, node, self.packs)
    }
}

fn group_of(bounds: &[Bounds], group: usize) -> &[Bounds] {
    let first = group * BLOCKS_PER_GROUP;
    &bounds[first..bounds.len().min(first + BLOCKS_PER_GROUP)]
}

/// Looks into what may hold something better than the best so far: first into the one that promises most, so that the
/// rest can mostly be passed over.
fn in_order_of_promise(all: &[Bounds], ask: &Ask, best: &mut Best, mut look: impl FnMut(usize, &mut Best)) {
    let mut promised = Best::NONE;
    for (place, bounds) in all.iter().enumerate() {
        let score = bounds.promise(ask);
        if promised.is_beaten_by(score, bounds.tie()) {
            promised = Best {
                score,
                tie: bounds.tie(),
                position: Some(place as u32),
            };
        }
    }
    let Some(first) = promised.position.map(|place| place as usize) else {
        return;
    };
    if !best.is_beaten_by(promised.score, promised.tie) {
        return;
    }
    look(first, best);
    for (place, bounds) in all.iter().enumerate() {
        if place != first && best.is_beaten_by(bounds.promise(ask), bounds.tie()) {
            look(place, best);
        }
    }
}
