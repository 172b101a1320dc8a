//! What the manager says, and what the daemons themselves say: the two must come to the same, and no daemon may have
//! promised anything twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::daemons::Node;
use crate::manager::{Manager, eventually, words};

/// What `docker info` says of an engine, by the key.
fn engine(manager: &Manager, node: &Node) -> BTreeMap<String, String> {
    let answer = manager.ask("GET", "/info", "");
    let info: Value = serde_json::from_str(&answer.body).expect("JSON");
    let lines: Vec<[String; 2]> = serde_json::from_value(info["SystemStatus"].clone()).expect("pairs");
    let own = lines.iter().skip_while(|[_, value]| *value != node.address()).skip(1);
    own.take_while(|[key, _]| key.starts_with("  └ "))
        .map(|[key, value]| (key.trim_start_matches("  └ ").to_owned(), value.clone()))
        .collect()
}

pub fn status(manager: &Manager, node: &Node) -> String {
    engine(manager, node).remove("Status").unwrap_or_default()
}

/// Everything about all containers of a daemon, as it says itself.
fn inspected(node: &Node) -> Vec<Value> {
    let ids = node.docker().ok(words("ps -aq --no-trunc"));
    if ids.is_empty() {
        return Vec::new();
    }
    let ids = words(&ids);
    let told = node.docker().ok(["inspect"].iter().chain(&ids));
    serde_json::from_str(&told).expect("a list")
}

/// `ID STATE node/name` of every container.
pub fn at_the_daemons<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for node in nodes {
        let listed = node
            .docker()
            .ok(words("ps -a --no-trunc --format {{.ID}}|{{.State}}|{{.Names}}"));
        for line in listed.lines() {
            let parts: Vec<&str> = line.split('|').collect();
            all.insert(format!("{} {} {}/{}", parts[0], parts[1], node.name(), parts[2]));
        }
    }
    all
}

/// Waits until the manager lists what the daemons list, and counts as many.
#[track_caller]
pub fn agree(manager: &Manager, nodes: &[&Node]) {
    let told = || {
        let listed = manager
            .docker()
            .ok(words("ps -a --no-trunc --format {{.ID}}|{{.State}}|{{.Names}}"));
        let listed: BTreeSet<String> = listed.lines().map(|line| line.replace('|', " ")).collect();
        let count = |node: &&Node| engine(manager, node).remove("Containers").unwrap_or_default();
        (listed, nodes.iter().map(count).collect::<Vec<_>>())
    };
    let true_state = || {
        // Not what daemons say in their own account: after a crash it counts what ran before as running.
        let count = |node: &&Node| {
            let own = at_the_daemons([*node]);
            let in_state = |state: &str| own.iter().filter(|line| line.contains(state)).count();
            let (running, paused) = (in_state(" running "), in_state(" paused "));
            let stopped = own.len() - running - paused;
            format!("{} ({running} Running, {paused} Paused, {stopped} Stopped)", own.len())
        };
        let listed = at_the_daemons(nodes.iter().copied());
        (listed, nodes.iter().map(count).collect::<Vec<_>>())
    };
    eventually(|| (told(), true_state()), |(manager, daemons)| manager == daemons);
}

/// Asks the daemons themselves: no name is there twice, no port twice on a node, and no node has promised more memory
/// than it has (and a twentieth, which is the usual overcommit).
#[track_caller]
pub fn nothing_is_booked_twice(nodes: &[&Node]) {
    let mut names = BTreeSet::new();
    for node in nodes {
        let total: f64 = node.docker().ok(words("info -f {{.MemTotal}}")).parse().expect("bytes");
        let (mut ports, mut memory) = (BTreeSet::new(), 0.0);
        for container in inspected(node) {
            let name = container["Name"].as_str().expect("a name").to_owned();
            assert!(names.insert(name.clone()), "{name} is there twice");
            let host = &container["HostConfig"];
            memory += host["Memory"].as_f64().unwrap_or_default();
            let bindings = host["PortBindings"].as_object().into_iter().flatten();
            for port in bindings.flat_map(|(_, list)| list.as_array().into_iter().flatten()) {
                let port = port["HostPort"].as_str().expect("a port").to_owned();
                assert!(ports.insert(port.clone()), "port {port} twice on {}", node.name());
            }
        }
        assert!(
            memory <= total * 1.05,
            "{memory} bytes of {total} promised on {}",
            node.name()
        );
    }
}
