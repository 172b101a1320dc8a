//! What happens to the nodes of a plan, in order of time.

use std::time::Duration;

use rand::rngs::ChaCha8Rng;

use crate::model::Time;

use super::input::{NodeAction, NodeInput};
use super::plan::{Action, Plan, When};
use super::queue::EventQueue;
use super::sampler::Sampler;
use super::streams::{Purpose, Streams};

/// Hands out the events of nodes, which no placement has an influence on.
pub struct NodeEvents<'a> {
    queue: EventQueue<Due<'a>>,
    /// How many of the queue are not random.
    fixed: usize,
}

enum Due<'a> {
    Fixed(NodeInput),
    /// A node's random failure, or the recovery that ends it.
    Random(Box<Renewal<'a>>),
}

/// One node that fails and recovers again and again.
struct Renewal<'a> {
    node: usize,
    down: bool,
    between: &'a Sampler,
    repair: Option<&'a Sampler>,
    rng: ChaCha8Rng,
}

impl<'a> NodeEvents<'a> {
    /// Those of a plan and a seed.
    pub fn of(plan: &'a Plan, seed: u64) -> NodeEvents<'a> {
        NodeEvents::new(plan, Streams::new(seed))
    }

    pub(super) fn new(plan: &'a Plan, streams: Streams) -> NodeEvents<'a> {
        let mut events = NodeEvents {
            queue: EventQueue::new(),
            fixed: 0,
        };
        for (number, event) in plan.events.iter().enumerate() {
            for (place, node) in event.nodes.iter().enumerate() {
                let name = &plan.nodes[*node].name;
                let mut rng = streams.stream(Purpose::Faults, name, number as u64);
                match &event.when {
                    When::At { time, stagger } => {
                        let stagger = stagger.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX));
                        events.add(*time + stagger, *node, (number, &event.action), &mut rng);
                    }
                    When::Random { between } => {
                        let first = Time::ZERO + Duration::from_nanos(between.sample(&mut rng));
                        let repair = match &event.action {
                            Action::Fail { repair } => repair.as_ref(),
                            _ => None,
                        };
                        let renewal = Renewal {
                            node: *node,
                            down: false,
                            between,
                            repair,
                            rng,
                        };
                        events.queue.add(first, Due::Random(Box::new(renewal)));
                    }
                }
            }
        }
        events
    }

    fn add(&mut self, time: Time, node: usize, (number, action): (usize, &Action), rng: &mut ChaCha8Rng) {
        let mut at = |time: Time, change: NodeAction| {
            self.fixed += 1;
            self.queue.add(time, Due::Fixed(NodeInput { node, change }));
        };
        match action {
            Action::Fail { repair } => {
                at(time, NodeAction::Fail);
                if let Some(repair) = repair {
                    at(time + Duration::from_nanos(repair.sample(rng)), NodeAction::Recover);
                }
            }
            Action::Flap { down, up, times } => {
                let mut start = time;
                for _ in 0..*times {
                    at(start, NodeAction::Fail);
                    at(start + *down, NodeAction::Recover);
                    start = start + *down + *up;
                }
            }
            Action::Recover => at(time, NodeAction::Recover),
            Action::Drain => at(time, NodeAction::Drain),
            Action::Undrain => at(time, NodeAction::Undrain),
            Action::Join => at(time, NodeAction::Join),
            Action::Leave => at(time, NodeAction::Leave),
            Action::Relabel(labels) => at(time, NodeAction::Relabel(labels.clone())),
            Action::Misbehave { lasts, .. } => {
                at(time, NodeAction::Misbehave(number));
                if let Some(lasts) = lasts {
                    at(time + *lasts, NodeAction::Behave(number));
                }
            }
            Action::Health(health) => at(time, NodeAction::Health(*health)),
        }
    }

    /// When the next one happens; `None` if none does.
    pub fn next_time(&self) -> Option<Time> {
        self.queue.next_time()
    }

    pub(super) fn only_random(&self) -> bool {
        self.fixed == 0
    }

    /// Takes the next one.
    pub fn pop(&mut self) -> Option<NodeInput> {
        let (time, due) = self.queue.pop()?;
        match due {
            Due::Fixed(input) => {
                self.fixed -= 1;
                Some(input)
            }
            Due::Random(mut renewal) => {
                let node = renewal.node;
                let change = if renewal.down {
                    NodeAction::Recover
                } else {
                    NodeAction::Fail
                };
                renewal.down = !renewal.down;
                let wait = match (renewal.down, renewal.repair) {
                    (true, Some(repair)) => Some(repair.sample(&mut renewal.rng)),
                    // Without repair the node stays down.
                    (true, None) => None,
                    (false, _) => Some(renewal.between.sample(&mut renewal.rng)),
                };
                if let Some(wait) = wait {
                    // A failure that takes no time would never let time pass.
                    let wait = Duration::from_nanos(wait.max(1));
                    self.queue.add(time + wait, Due::Random(renewal));
                }
                Some(NodeInput { node, change })
            }
        }
    }
}
