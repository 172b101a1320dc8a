//! Networks that span engines. They are kept once for all engines of a process, as a store of keys and values keeps them
//! for real ones; each engine has a copy of their descriptions, which it brings up to date before it does anything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Refusal;
use super::network::Network;

/// How many there can be: each takes one of the subnets 10.0.0.0/16 to 10.255.0.0/16.
const NETWORKS_MAX: usize = 256;

/// All of them, and who is in them.
#[derive(Debug, Default)]
pub struct Overlays {
    known: Mutex<Known>,
    /// Raised with every network that comes or goes.
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    networks: Vec<Network>,
    /// Who is in a network, by the IDs of both.
    members: BTreeMap<(String, String), Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    /// The node that it is on, as an index into the plan's.
    node: usize,
    address: u32,
}

impl Overlays {
    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number that is another whenever a network has come or gone.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// All networks, with the version that they are of.
    pub(super) fn networks(&self) -> (u64, Vec<Network>) {
        self.with(|known| (self.version(), known.networks.clone()))
    }

    /// Adds a network, for which a subnet is found.
    pub(super) fn create(&self, network: Network) -> Result<(), Refusal> {
        self.with(|known| {
            if known.networks.iter().any(|other| other.name == network.name) {
                let text = format!("network with name {} already exists", network.name);
                return Err(Refusal::new(409, text));
            }
            let used = |number: &u8| known.networks.iter().any(|other| other.subnet == Some(*number));
            let subnet = (0..=u8::MAX).find(|number| !used(number));
            if subnet.is_none() {
                let text = format!("there are {NETWORKS_MAX} overlay networks, and no address is left for another one");
                return Err(Refusal::new(400, text));
            }
            known.networks.push(Network { subnet, ..network });
            self.version.fetch_add(1, Ordering::Release);
            Ok(())
        })
    }

    /// Removes a network that nobody is in.
    pub(super) fn remove(&self, id: &str) -> Result<(), Refusal> {
        self.with(|known| {
            if known.members.keys().any(|(network, _)| network == id) {
                return Err(Refusal::new(403, format!("network id {id} has active endpoints")));
            }
            known.networks.retain(|network| network.id != id);
            self.version.fetch_add(1, Ordering::Release);
            Ok(())
        })
    }

    /// Whether anybody is in a network.
    pub(super) fn is_used(&self, id: &str) -> bool {
        self.with(|known| known.members.keys().any(|(network, _)| network == id))
    }

    /// The number of the address that a container of a node gets in a network.
    pub(super) fn join(&self, network: &str, container: &str, name: &str, node: usize) -> u32 {
        self.with(|known| {
            let key = (network.to_owned(), container.to_owned());
            if let Some(member) = known.members.get(&key) {
                return member.address;
            }
            let own = known.members.iter().filter(|((other, _), _)| other == network);
            let taken: std::collections::BTreeSet<u32> = own.map(|(_, member)| member.address).collect();
            // The first is the gateway's.
            let address = (2..u32::from(u16::MAX))
                .find(|number| !taken.contains(number))
                .unwrap_or(0);
            let name = name.to_owned();
            known.members.insert(key, Member { name, node, address });
            address
        })
    }

    /// A container has left a network.
    pub(super) fn leave(&self, network: &str, container: &str) {
        self.with(|known| known.members.remove(&(network.to_owned(), container.to_owned())));
    }

    /// All containers of a node have left all networks.
    pub(super) fn leave_all(&self, node: usize) {
        self.with(|known| known.members.retain(|_, member| member.node != node));
    }

    /// Takes a container out of a network that may be on another engine, by its name or ID. Whether it was there.
    pub(super) fn expel(&self, network: &str, container: &str) -> bool {
        self.with(|known| {
            let before = known.members.len();
            known
                .members
                .retain(|(own, id), member| own != network || (member.name != container && id != container));
            known.members.len() < before
        })
    }
}
