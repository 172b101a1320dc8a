//! Which images nodes hold, and how long it takes until they hold another.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::cluster::Image;
use crate::model::Time;

use super::plan::{Layer, Plan};

/// The images of a plan, numbered, and what every node has of them.
pub(super) struct Images {
    numbers: FxHashMap<String, usize>,
    known: Vec<Known>,
    nodes: Vec<NodeImages>,
}

struct Known {
    image: Arc<Image>,
    /// Empty if the pull is not modelled.
    layers: Vec<Layer>,
}

/// What one node has of them.
struct NodeImages {
    store: LayerStore,
    /// Whether the cluster knows that the node holds the image, by image number.
    held: Vec<bool>,
}

/// The layers of images that one node has or is pulling, over a link on which pulls follow one another.
#[derive(Clone, Debug, Default)]
pub struct LayerStore {
    /// Bytes per second.
    bandwidth: Option<u64>,
    /// When each layer is, or was, complete.
    layers: BTreeMap<u32, Time>,
    /// When the link has finished everything that it has been told to pull.
    link_free: Time,
}

/// What a node needs before it can start a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// When the image is complete.
    pub ready: Time,
    /// Bytes that are pulled for it now; those already on their way are not counted.
    pub bytes: u64,
}

impl LayerStore {
    /// An empty store that is filled with so many bytes per second; without a bound, in no time.
    pub fn new(bandwidth: Option<u64>) -> LayerStore {
        LayerStore {
            bandwidth,
            ..LayerStore::default()
        }
    }

    /// The layers are there from the start.
    pub fn preload(&mut self, layers: &[Layer]) {
        for layer in layers {
            self.layers.insert(layer.id, Time::ZERO);
        }
    }

    /// When a layer is, or was, complete; `None` if nobody has asked for it.
    pub fn ready(&self, layer: u32) -> Option<Time> {
        self.layers.get(&layer).copied()
    }

    /// The time that a layer takes on a link that has nothing else to do.
    pub fn transfer(&self, layer: &Layer) -> Time {
        self.bandwidth.map_or(Time::ZERO, |bandwidth| {
            let nanos = u128::from(layer.bytes) * 1_000_000_000 / u128::from(bandwidth.max(1));
            Time(u64::try_from(nanos).unwrap_or(u64::MAX))
        })
    }

    /// Starts to pull those layers that are lacking. What is there or on its way is not pulled again.
    pub fn pull(&mut self, layers: &[Layer], now: Time) -> Pull {
        let mut pull = Pull { ready: now, bytes: 0 };
        for layer in layers {
            let ready = match (self.layers.get(&layer.id), self.bandwidth) {
                (Some(ready), _) => *ready,
                (None, None) => {
                    pull.bytes += layer.bytes;
                    self.layers.insert(layer.id, now);
                    now
                }
                (None, Some(_)) => {
                    pull.bytes += layer.bytes;
                    let start = self.link_free.max(now);
                    let ready = Time(start.0.saturating_add(self.transfer(layer).0));
                    self.link_free = ready;
                    self.layers.insert(layer.id, ready);
                    ready
                }
            };
            pull.ready = pull.ready.max(ready);
        }
        pull
    }

    /// What was on its way is lost, what was complete is still there.
    pub fn interrupt(&mut self, now: Time) {
        self.layers.retain(|_, ready| *ready <= now);
        self.link_free = now;
    }

    /// Layers are removed; what is on its way goes on.
    pub fn forget(&mut self, layers: impl IntoIterator<Item = u32>) {
        for layer in layers {
            self.layers.remove(&layer);
        }
    }

    fn clear(&mut self) {
        self.layers.clear();
    }
}

impl Images {
    pub(super) fn new(plan: &Plan) -> Images {
        let node = |bandwidth| NodeImages {
            store: LayerStore::new(bandwidth),
            held: Vec::new(),
        };
        let mut images = Images {
            numbers: FxHashMap::default(),
            known: Vec::new(),
            nodes: plan.nodes.iter().map(|planned| node(planned.bandwidth)).collect(),
        };
        for image in &plan.images {
            let number = images.number(&image.name);
            images.known[number].layers.clone_from(&image.layers);
        }
        images
    }

    /// The number of an image reference; `image` and `image:latest` are different references here.
    pub(super) fn number(&mut self, reference: &str) -> usize {
        if let Some(number) = self.numbers.get(reference) {
            return *number;
        }
        let number = self.known.len();
        self.numbers.insert(reference.to_owned(), number);
        self.known.push(Known {
            image: Arc::new(Image::tagged(reference)),
            layers: Vec::new(),
        });
        number
    }

    /// The image with this number, as the cluster has it.
    pub(super) fn image(&self, number: usize) -> &Arc<Image> {
        &self.known[number].image
    }

    /// The node holds the image from the start.
    pub(super) fn preload(&mut self, node: usize, number: usize) {
        self.nodes[node].store.preload(&self.known[number].layers);
        self.hold(node, number);
    }

    /// Notes that the cluster knows of the image on the node; `false` if it did already.
    pub(super) fn hold(&mut self, node: usize, number: usize) -> bool {
        let held = &mut self.nodes[node].held;
        if held.len() <= number {
            held.resize(number + 1, false);
        }
        !std::mem::replace(&mut held[number], true)
    }

    /// Starts to pull what the node lacks of the image. Layers already there or on their way are not pulled again.
    pub(super) fn pull(&mut self, node: usize, number: usize, now: Time) -> Pull {
        let node = &mut self.nodes[node];
        if node.held.get(number).copied().unwrap_or(false) {
            return Pull { ready: now, bytes: 0 };
        }
        node.store.pull(&self.known[number].layers, now)
    }

    /// The node fails: what was on its way is lost, what was complete is still on its disk.
    pub(super) fn interrupt(&mut self, node: usize, now: Time) {
        self.nodes[node].store.interrupt(now);
    }

    /// The node is replaced by a fresh machine: it holds nothing. Returns what it held.
    pub(super) fn wipe(&mut self, node: usize) -> Vec<Arc<Image>> {
        let node = &mut self.nodes[node];
        node.store.clear();
        let held = std::mem::take(&mut node.held);
        let numbers = held.iter().enumerate().filter(|(_, held)| **held);
        numbers
            .map(|(number, _)| Arc::clone(&self.known[number].image))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::testing::{image, node, plan};

    #[test]
    fn shared_layers_are_pulled_once_and_pulls_follow_one_another() {
        let mut plan = plan();
        plan.nodes.push(node("n1"));
        plan.nodes[0].bandwidth = Some(100);
        plan.images.push(image("a", &[(1, 1000), (2, 500)]));
        plan.images.push(image("b", &[(1, 1000), (3, 200)]));
        let mut images = Images::new(&plan);
        let second = |seconds: u64| Time(seconds * 1_000_000_000);
        let (a, b) = (images.number("a"), images.number("b"));
        let first = images.pull(0, a, Time::ZERO);
        assert_eq!((first.ready, first.bytes), (second(15), 1500));
        let again = images.pull(0, a, second(3));
        assert_eq!((again.ready, again.bytes), (second(15), 0), "it is on its way");
        let other = images.pull(0, b, second(4));
        assert_eq!(
            (other.ready, other.bytes),
            (second(17), 200),
            "the link is busy until 15 s"
        );
        images.interrupt(0, second(16));
        let after = images.pull(0, b, second(20));
        assert_eq!(
            (after.ready, after.bytes),
            (second(22), 200),
            "layer 3 was lost, layer 1 was not"
        );
    }
}
