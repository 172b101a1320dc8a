//! What a recorder needs to know before a run.

use std::time::Duration;

use crate::model::Resources;
use crate::sim::Plan;

use super::{PerResource, TypicalShapes};

/// What is measured, and against what. One setup serves all runs of a plan, whatever their strategy and seed.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Cut from the start of everything that is measured over time; what is submitted before its end is not counted.
    pub warm_up: Duration,
    /// Time a daemon needs to start a container whose image is there; more is a wait for the image.
    pub start_latency: Duration,
    /// Every node that may take part, in the order of the load map's rows.
    pub nodes: Vec<SetupNode>,
    /// Names of the classes, indexed as [`Subject::class`](crate::sim::Subject::class).
    pub classes: Vec<String>,
    /// The containers by which free capacity is judged.
    pub shapes: TypicalShapes,
    /// Whether image pulls are modelled, so that figures about them mean something.
    pub images: bool,
}

/// A node that may take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetupNode {
    /// Unique name.
    pub name: String,
    /// What it really has.
    pub capacity: Resources,
}

impl Setup {
    /// Everything from a plan.
    pub fn from_plan(plan: &Plan) -> Setup {
        let nodes = plan.nodes.iter().map(|node| SetupNode {
            name: node.name.clone(),
            capacity: node.capacity,
        });
        Setup {
            warm_up: plan.run.warm_up,
            start_latency: plan.run.start_latency,
            nodes: nodes.collect(),
            classes: plan.classes.iter().map(|class| class.name.clone()).collect(),
            shapes: TypicalShapes::from_plan(plan),
            images: !plan.images.is_empty(),
        }
    }

    /// What all nodes have together.
    pub(super) fn capacity(&self) -> PerResource<u128> {
        let capacities = self.nodes.iter().map(|node| PerResource::from(node.capacity));
        capacities.fold(PerResource::default(), |sum, capacity: PerResource<u64>| {
            sum.zip(capacity, |sum, part| sum + u128::from(part))
        })
    }
}
