//! Real daemons, several on one machine, each on a machine of its own as far as it can see.
//!
//! The laboratory is a network namespace with a bridge, on which the tests have the address 10.231.0.1. Every daemon
//! has a further network namespace with an address on that bridge, so all of them have the same port (2375), each can
//! publish port 80, and each keeps Docker's own networks and packet filter rules for itself. It also has its own
//! mounts, host name and processes. The first process of its process namespace is under our control; when it ends, the
//! kernel ends the daemon, its shims and its containers with it. That is how a node is killed, and how nothing is left.

mod image;
mod network;
mod node;
mod registry;
mod shared;

use std::ops::Index;
use std::thread;

pub use network::{OWN_ADDRESS, open as open_network};
pub use node::{Node, Setup};
pub use registry::Registry;
pub use shared::shared;

/// Daemons that were started together.
pub struct Daemons {
    nodes: Vec<Node>,
}

impl Daemons {
    /// Starts one daemon for each, all at the same time, and waits until they answer and have their image.
    pub fn start(setups: impl IntoIterator<Item = Setup>) -> Self {
        let starting: Vec<_> = setups
            .into_iter()
            .map(|setup| {
                let parent = thread::current().name().unwrap_or_default().to_owned();
                let builder = thread::Builder::new().name(parent);
                builder.spawn(move || Node::start(setup)).expect("a thread")
            })
            .collect();
        // All are waited for before one that failed is reported, so that the others are dropped.
        let ended: Vec<_> = starting.into_iter().map(thread::JoinHandle::join).collect();
        let nodes = ended
            .into_iter()
            .map(|node| node.expect("every daemon starts"))
            .collect();
        Self { nodes }
    }

    /// `node-1`, `node-2` and so on, in zones `a`, `b` and so on.
    pub fn several(count: u8) -> Self {
        let zone = |index: u8| char::from(b'a' + (index - 1) % 26);
        Self::start(
            (1..=count).map(|index| Setup::new(&format!("node-{index}")).label(&format!("zone={}", zone(index)))),
        )
    }

    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Their addresses, as discovery wants them: `10.231.0.11:2375,10.231.0.12:2375`.
    pub fn addresses(&self) -> String {
        let addresses: Vec<String> = self.iter().map(Node::address).collect();
        addresses.join(",")
    }
}

impl Index<usize> for Daemons {
    type Output = Node;

    fn index(&self, index: usize) -> &Node {
        &self.nodes[index]
    }
}
