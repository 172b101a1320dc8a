//! What daemons report of containers, whoever created them: a live cluster is not only what was placed through it.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::model::{ContainerIdx, Name, NodeIdx, Request};

use super::{Cluster, Container, Identity};

/// A container as its daemon describes it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it reserves and occupies.
    pub request: Arc<Request>,
    /// Its first name, without the leading slash; empty if it has none.
    pub name: Name,
    /// Everything else that it is known by.
    pub identity: Identity,
    /// Whether it has run and does not any more.
    pub stopped: bool,
}

impl Cluster {
    /// Takes in a container that nobody placed here: it was there before, or somebody created it on the node itself. Its
    /// name may be that of a container on another node. `None` if the node has been removed.
    pub fn adopt(&mut self, node: NodeIdx, report: Report) -> Option<ContainerIdx> {
        self.has_node(node).then(|| {
            self.insert(Container {
                request: report.request,
                node,
                slot: 0,
                generation: NonZeroU32::MIN,
                pending: false,
                stopped: report.stopped,
                counted: false,
                name: report.name,
                identity: Some(Box::new(report.identity)),
            })
        })
    }

    /// Takes in what has become of a container, which is no longer pending. Returns whether anything of it is new.
    pub fn amend(&mut self, container: ContainerIdx, report: Report) -> bool {
        let Some(known) = self.container(container) else {
            return false;
        };
        let same = !known.pending
            && known.stopped == report.stopped
            && known.name == report.name
            && known.identity.as_deref() == Some(&report.identity)
            && known.request == report.request;
        if same {
            return false;
        }
        if let Some(mut amended) = self.extract(container) {
            amended.pending = false;
            amended.stopped = report.stopped;
            amended.request = report.request;
            amended.name = report.name;
            amended.identity = Some(Box::new(report.identity));
            self.reinsert(container, amended);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::cluster::{NewNode, Placement};
    use crate::model::{Bytes, Cpus, PortBinding, Resources};

    use super::*;

    fn report(name: &str, cpus: u64, host_port: &str) -> Report {
        let port = PortBinding {
            container_port: "80/tcp".into(),
            host_ip: "".into(),
            host_port: host_port.into(),
        };
        Report {
            request: Arc::new(Request {
                resources: Resources::new(Cpus::whole(cpus), Bytes::ZERO),
                ..Request::default()
            }),
            name: name.into(),
            identity: Identity {
                id: format!("id-of-{name}"),
                published: vec![port],
                ..Identity::default()
            },
            stopped: false,
        }
    }

    #[test]
    fn two_nodes_may_have_containers_of_one_name() {
        let mut cluster = Cluster::new();
        let nodes = ["n1", "n2"].map(|name| {
            cluster.add_node(NewNode {
                name: name.to_owned(),
                ..NewNode::default()
            })
        });
        let containers = nodes.map(|node| cluster.adopt(node, report("web", 1, "80")));
        assert_eq!(cluster.check(), Ok(()));
        assert!(containers.iter().all(Option::is_some));
        assert_eq!(cluster.find("web"), None, "it is ambiguous");
        assert_eq!(cluster.find("n2/web"), containers[1]);
        cluster.remove_node(nodes[1]);
        assert_eq!(cluster.adopt(nodes[1], report("late", 1, "81")), None);
        assert_eq!(cluster.find("web"), containers[0]);
        assert_eq!(cluster.check(), Ok(()));
    }

    #[test]
    fn what_is_new_replaces_what_was_known() {
        let mut cluster = Cluster::new();
        let node = cluster.add_node(NewNode {
            name: "n1".to_owned(),
            capacity: Resources::new(Cpus::whole(8), Bytes::from_gib(8)),
            ..NewNode::default()
        });
        let placement = Placement {
            request: Arc::new(Request::default()),
            name: "web".into(),
            swarm_id: "s".to_owned(),
        };
        let container = cluster.place(node, placement).expect("the name is free");
        assert!(cluster.amend(container, report("web", 2, "80")));
        assert_eq!(cluster.check(), Ok(()));
        assert_eq!(cluster.node(node).used().cpus, 2_000_000_000);
        assert!(!cluster.amend(container, report("web", 2, "80")), "nothing is new");
        assert!(cluster.amend(container, report("shop", 3, "81")));
        assert_eq!(cluster.check(), Ok(()));
        assert_eq!((cluster.find("web"), cluster.find("shop")), (None, Some(container)));
        assert_eq!(cluster.node(node).ports()[0].binding.host_port.as_str(), "81");
        cluster.remove(container);
        assert!(!cluster.amend(container, report("shop", 3, "81")), "it is gone");
        assert_eq!(cluster.check(), Ok(()));
    }
}
