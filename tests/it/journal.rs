//! Which changes of a cluster are told to those who keep something derived from its nodes: all that a decision can tell,
//! and not the bare fact that a container runs.

use std::sync::Arc;

use swarmlab::cluster::{Cluster, Identity, NewNode, Placement};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, NodeIdx, Overcommit, PortBinding, Request, Resources};

fn one_node() -> (Cluster, NodeIdx) {
    let mut cluster = Cluster::new();
    let node = cluster.add_node(NewNode {
        name: "n1".to_owned(),
        capacity: Resources::new(Cpus::whole(4), Bytes::from_gib(8)),
        overcommit: Overcommit::DEFAULT,
        ..NewNode::default()
    });
    (cluster, node)
}

fn place(cluster: &mut Cluster, node: NodeIdx, request: Request) -> ContainerIdx {
    let placement = Placement {
        request: Arc::new(request),
        name: "web".into(),
        swarm_id: String::new(),
    };
    cluster.place(node, placement).expect("the name is free")
}

fn request(cpus: u64) -> Request {
    Request {
        resources: Resources::new(Cpus::whole(cpus), Bytes::from_gib(1)),
        ..Request::default()
    }
}

/// Places and commits; whether the commit was recorded as a change of the node, and of it only.
fn is_recorded(request: Request, identity: Option<Identity>) -> bool {
    let (mut cluster, node) = one_node();
    let container = place(&mut cluster, node, request);
    let before = cluster.revision();
    cluster.commit(container, identity);
    assert_eq!(cluster.check(), Ok(()));
    let committed = cluster.container(container).expect("it is still there");
    assert!(!committed.is_pending());
    let changed = cluster.changed_since(before).expect("it is not long ago");
    assert!(changed.iter().all(|changed| *changed == node));
    !changed.is_empty()
}

#[test]
fn that_a_container_runs_changes_nothing() {
    assert!(!is_recorded(request(1), None));
    let bound = PortBinding {
        container_port: "80/tcp".into(),
        host_port: "8080".into(),
        ..PortBinding::default()
    };
    let with_port = Request {
        port_bindings: vec![bound],
        ..request(1)
    };
    assert!(
        !is_recorded(with_port, None),
        "a pending one occupies what it asked for"
    );
}

#[test]
fn what_the_daemon_says_of_it_is_a_change() {
    let published = PortBinding {
        container_port: "80/tcp".into(),
        host_port: "32768".into(),
        ..PortBinding::default()
    };
    let said = [
        Identity::default(),
        Identity {
            id: "f".repeat(64),
            ..Identity::default()
        },
        Identity {
            aliases: vec!["db/web".to_owned()],
            ..Identity::default()
        },
        Identity {
            published: vec![published],
            ..Identity::default()
        },
    ];
    for identity in said {
        assert!(is_recorded(request(1), Some(identity.clone())), "{identity:?}");
    }
}

#[test]
fn a_container_that_was_left_out_of_the_sums_enters_them() {
    assert!(is_recorded(request(64), None));
    let (mut cluster, node) = one_node();
    let container = place(&mut cluster, node, request(64));
    assert_eq!(cluster.node(node).used().cpus, 0);
    cluster.commit(container, None);
    assert_eq!(cluster.node(node).used().cpus, Cpus::whole(64).nanos());
}

#[test]
fn ports_of_the_hosts_network_are_occupied_from_the_start_on() {
    let shares_network = Request {
        network_mode: "host".to_owned(),
        exposed_ports: vec!["80/tcp".to_owned()],
        ..request(1)
    };
    assert!(is_recorded(shares_network, None));
}

#[test]
fn a_container_that_is_gone_cannot_be_committed() {
    let (mut cluster, node) = one_node();
    let container = place(&mut cluster, node, request(1));
    cluster.remove(container);
    let before = cluster.revision();
    cluster.commit(container, None);
    cluster.commit(container, Some(Identity::default()));
    assert_eq!((cluster.revision(), cluster.check()), (before, Ok(())));
    assert!(cluster.container(container).is_none());
}
