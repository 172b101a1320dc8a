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

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::cluster::{Cluster, Node};
use crate::model::Resources;
use crate::scheduler::{Settings, Strategy};

use super::node_set::NodeSet;
use block::{Block, LANES, Lane};
use bounds::{Bounds, SumBound};

/// Blocks whose bounds are summed up in one group.
const BLOCKS_PER_GROUP: usize = 32;
/// A search may look into so many blocks before the order of the nodes is to blame.
const BLOCKS_PER_SEARCH: usize = 4;
/// Looks into a block that cost as much as sorting one node anew.
const LOOKS_PER_NODE: usize = 2;
/// Where a node lies that is not among them.
const NOWHERE: u32 = u32::MAX;

/// The columns of all nodes.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    packs: bool,
    blocks: Vec<Block>,
    of_blocks: Promises,
    of_groups: Promises,
    /// Where each node lies, by position: `block * LANES + lane`; [`NOWHERE`] if it is not among them.
    slots: Vec<u32>,
    /// Blocks whose bounds are out of date.
    stale: Vec<u32>,
    /// Looks into blocks beyond what a search needs, since the nodes were last sorted.
    waste: usize,
}

/// What sorting nodes needs meanwhile, kept from one time to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorting {
    shapes: FxHashMap<(Resources, u8), u32>,
    lanes: Vec<(u128, Lane)>,
}

/// The bounds of several blocks or groups, those that are looked at first apart from the others.
#[derive(Clone, Debug, Default)]
struct Promises {
    sums: Vec<SumBound>,
    bounds: Vec<Bounds>,
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
    /// The columns of all nodes, or of those in `members`.
    pub(super) fn new(
        settings: &Settings,
        cluster: &Cluster,
        members: Option<&NodeSet>,
        sorting: &mut Sorting,
    ) -> Columns {
        let mut columns = Columns {
            packs: settings.strategy != Strategy::Spread,
            blocks: Vec::new(),
            of_blocks: Promises::default(),
            of_groups: Promises::default(),
            slots: Vec::new(),
            stale: Vec::new(),
            waste: 0,
        };
        columns.rebuild(cluster, members, sorting);
        columns
    }

    /// Takes in the nodes anew and sorts them.
    pub(super) fn rebuild(&mut self, cluster: &Cluster, members: Option<&NodeSet>, sorting: &mut Sorting) {
        let Sorting { shapes, lanes } = sorting;
        shapes.clear();
        lanes.clear();
        let nodes = cluster.nodes().enumerate();
        let nodes = nodes.filter(|(position, _)| members.is_none_or(|members| members.contains(*position)));
        lanes.extend(nodes.map(|(position, (_, node))| {
            let lane = self.lane(position, node);
            let found = shapes.len() as u32;
            let shape = *shapes.entry((node.total(), node.health())).or_insert(found);
            let neighbourhood = lane.neighbourhood(self.packs);
            let order = u128::from(shape) << 96 | u128::from(neighbourhood) << 64 | u128::from(lane.tie);
            (order, lane)
        }));
        lanes.sort_unstable_by_key(|(order, _)| *order);
        self.slots.clear();
        self.slots.resize(cluster.order().len(), NOWHERE);
        self.blocks.clear();
        self.blocks.resize(lanes.len().div_ceil(LANES), Block::EMPTY);
        for (slot, (_, lane)) in lanes.iter().enumerate() {
            self.slots[lane.position as usize] = slot as u32;
            self.blocks[slot / LANES].set(slot % LANES, lane);
        }
        let (blocks, groups) = (self.blocks.len(), self.blocks.len().div_ceil(BLOCKS_PER_GROUP));
        self.of_blocks.resize(blocks);
        self.of_groups.resize(groups);
        (0..blocks).for_each(|block| self.of_blocks.set(block, self.blocks[block].bounds()));
        (0..groups).for_each(|group| self.sum_up(group));
        self.stale.clear();
        self.waste = 0;
    }

    /// Takes in what has become of a node. To be followed by [`Columns::refresh`].
    pub(super) fn update(&mut self, position: usize, node: &Node) {
        let slot = self.slots[position];
        if slot == NOWHERE {
            return;
        }
        let slot = slot as usize;
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
        let stale = std::mem::take(&mut self.stale);
        let mut group = None;
        for block in stale.iter().map(|block| *block as usize) {
            self.of_blocks.set(block, self.blocks[block].bounds());
            let own = Some(block / BLOCKS_PER_GROUP);
            if group != own {
                group.into_iter().for_each(|group| self.sum_up(group));
                group = own;
            }
        }
        group.into_iter().for_each(|group| self.sum_up(group));
        self.stale = stale;
        self.stale.clear();
    }

    /// Whether searches have cost more than sorting would.
    pub(super) fn is_worn(&self) -> bool {
        self.waste > LOOKS_PER_NODE * self.slots.len()
    }

    /// The position of the best node, of those in `eligible` if that is given.
    pub(super) fn best(&mut self, ask: &Ask, eligible: Option<&NodeSet>) -> Option<usize> {
        let mut best = Best::NONE;
        let mut looks = 0_usize;
        self.of_groups
            .in_order(0..self.of_groups.len(), ask, &mut best, |group, best| {
                self.of_blocks
                    .in_order(self.blocks_of(group), ask, best, |block, best| {
                        looks += 1;
                        self.blocks[block].look(ask, eligible, best);
                    });
            });
        self.waste += looks.saturating_sub(BLOCKS_PER_SEARCH);
        best.position.map(|position| position as usize)
    }

    /// The position of the best of a few nodes, which must be among them.
    pub(super) fn best_of(&self, ask: &Ask, few: impl Iterator<Item = usize>) -> Option<usize> {
        let mut best = Best::NONE;
        for position in few {
            let slot = self.slots[position] as usize;
            self.blocks[slot / LANES].look_at(slot % LANES, ask, &mut best);
        }
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

    fn blocks_of(&self, group: usize) -> Range<usize> {
        let first = group * BLOCKS_PER_GROUP;
        first..self.blocks.len().min(first + BLOCKS_PER_GROUP)
    }

    /// Makes the bounds of a group from those of its blocks.
    fn sum_up(&mut self, group: usize) {
        let together = self.of_blocks.together(self.blocks_of(group));
        self.of_groups.set(group, together);
    }
}

impl Promises {
    fn len(&self) -> usize {
        self.sums.len()
    }

    fn resize(&mut self, len: usize) {
        self.sums.resize(len, SumBound::NOTHING);
        self.bounds.resize(len, Bounds::NOTHING);
    }

    fn set(&mut self, place: usize, (sum, bounds): (SumBound, Bounds)) {
        self.sums[place] = sum;
        self.bounds[place] = bounds;
    }

    fn together(&self, range: Range<usize>) -> (SumBound, Bounds) {
        let sums = self.sums[range.clone()].iter().copied();
        let bounds = self.bounds[range].iter().copied();
        (SumBound::of_all(sums), Bounds::of_all(bounds))
    }

    /// Looks into what may hold something better than the best so far: first into the one that promises most, so that
    /// the rest can mostly be passed over.
    fn in_order(&self, range: Range<usize>, ask: &Ask, best: &mut Best, mut look: impl FnMut(usize, &mut Best)) {
        let by_sum = !ask.packs && ask.cpus > 0.0 && ask.memory > 0.0;
        let may_beat = |place: usize, best: &Best| {
            let sum = &self.sums[place];
            let least = if by_sum { sum.promise(ask) } else { f64::NEG_INFINITY };
            if !best.is_beaten_by(least, sum.tie()) {
                return None;
            }
            let score = self.bounds[place].promise(ask);
            let score = if score < least { least } else { score };
            best.is_beaten_by(score, sum.tie()).then_some(score)
        };
        let mut promised = *best;
        let mut first = None;
        for place in range.clone() {
            if let Some(score) = may_beat(place, &promised) {
                promised.score = score;
                promised.tie = self.sums[place].tie();
                first = Some(place);
            }
        }
        let Some(first) = first else {
            return;
        };
        look(first, best);
        for place in range {
            if place != first && may_beat(place, best).is_some() {
                look(place, best);
            }
        }
    }
}
