//! A cluster and requests of our own, to measure without a scenario.
//!
//! Every node has 64 CPUs and 256 GiB, holds 30 containers and belongs to one of ten zones; every second one holds the
//! image that is asked for.

use std::sync::Arc;

use crate::cluster::{Cluster, Image, NewNode, NodeChange, Placement};
use crate::model::{Bytes, Cpus, Labels, Overcommit, PortBinding, Request, Resources};

use super::subject::{FIRST_SIGHT, Kind};

const CONTAINERS_PER_NODE: usize = 30;

/// A cluster of so many nodes.
pub(super) fn cluster(nodes: usize) -> Cluster {
    let mut cluster = Cluster::new();
    let image = Arc::new(Image::tagged("web:1"));
    let resident = Arc::new(Request {
        resources: Resources::new(Cpus::from_millis(250), Bytes::from_mib(256)),
        labels: Labels::from([("tier".to_owned(), "front".to_owned())]),
        ..Request::default()
    });
    for number in 0..nodes {
        let idx = cluster.add_node(NewNode {
            id: format!("id-{number:07}"),
            name: format!("node-{number:07}"),
            capacity: Resources::new(Cpus::whole(64), Bytes::from_gib(256)),
            overcommit: Overcommit::DEFAULT,
            labels: Labels::from([("zone".to_owned(), format!("zone-{}", number % 10))]),
            extra: Vec::new(),
        });
        if number % 2 == 0 {
            cluster.update_node(idx, NodeChange::AddImage(Arc::clone(&image)));
        }
        for container in 0..CONTAINERS_PER_NODE {
            let placement = Placement {
                request: Arc::clone(&resident),
                name: format!("resident-{number}-{container}").into(),
                swarm_id: String::new(),
            };
            let placed = cluster.place(idx, placement);
            cluster.commit(placed.expect("the node exists and names are numbered"), None);
        }
    }
    cluster
}

/// What is asked of it: one request for every filter that costs something.
pub(super) fn kinds() -> Vec<Kind> {
    let plain = Request {
        resources: Resources::new(Cpus::from_millis(500), Bytes::from_mib(512)),
        ..Request::default()
    };
    let constrained = |text: &str| Request {
        constraints: vec![text.to_owned()],
        ..plain.clone()
    };
    let affine = |text: &str| Request {
        affinities: vec![text.to_owned()],
        ..plain.clone()
    };
    let port = PortBinding {
        container_port: "80/tcp".into(),
        host_ip: "".into(),
        host_port: "80".into(),
    };
    vec![
        Kind::recurring("plain", plain.clone()),
        Kind::recurring("constraint", constrained("zone==zone-3")),
        Kind::recurring("regex", constrained("zone==/^zone-[3-5]$/")),
        Kind::recurring("affinity", affine("image==web")),
        Kind::recurring("soft-affinity-miss", affine("container==~nobody")),
        Kind::recurring(
            "port",
            Request {
                port_bindings: vec![port],
                ..plain.clone()
            },
        ),
        Kind::recurring("rejected", constrained("zone==nowhere")),
        Kind::never_seen(FIRST_SIGHT, plain),
    ]
}
