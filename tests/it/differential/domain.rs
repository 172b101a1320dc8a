//! Nodes, containers, requests and settings from domains so small that collisions, ties and rejections are frequent.

use swarmlab::cluster::Identity;
use swarmlab::model::{Bytes, Cpus, Labels, PortBinding, Request, Resources};
use swarmlab::scheduler::{Filter, Settings, Strategy, Strict};

use crate::reference::{RefImage, RefNode};

use super::choices::Choices;
use super::expressions;

pub const NODE_NAMES: [&str; 9] = ["n1", "n2", "n10", "n1a", "N1", "a.b", "axb", "web", ""];
pub const NODE_IDS: [&str; 5] = ["D1|10.0.0.1:2375", "D2|10.0.0.2:2375", "D1", "n2", ""];
pub const CONTAINER_NAMES: [&str; 10] = [
    "c1",
    "c2",
    "c10",
    "web",
    "db",
    "web/db",
    "abc",
    "aaaaaaaaaaaa",
    "axb",
    "a.b",
];
/// IDs and swarm IDs: they share prefixes, short forms and each other's space.
pub const IDS: [&str; 9] = [
    "aaaaaaaaaaaa1111",
    "aaaaaaaaaaaa2222",
    "aaaaaaaaaaab0000",
    "abc",
    "abcd",
    "bbbbbbbbbbbb0000",
    "b",
    "c10",
    "web",
];
pub const LABEL_KEYS: [&str; 6] = ["region", "rack", "os.type", "tt", "containerslots", "node"];
pub const LABEL_VALUES: [&str; 16] = [
    "us", "eu", "us-east", "US", "", "a.b", "axb", "1", "c++", "é", "٣", "a b", "a\nb", "us|eu", "\u{212a}", "u\u{17f}",
];
const SLOTS: [&str; 10] = ["0", "1", "2", "3", "-1", "foo", "+2", " 2", "99999999999999999999", ""];
pub const IMAGE_TAGS: [&str; 8] = [
    "redis",
    "redis:3",
    "redis:latest",
    "localhost:5000/redis",
    "localhost:5000/redis:3",
    "redis@sha256:00",
    "test:latest",
    "a.b:1",
];
pub const IMAGE_IDS: [&str; 3] = ["", "sha256:06a1f7", "sha256:06a1"];
const HOST_IPS: [&str; 12] = [
    "",
    "0.0.0.0",
    "::",
    "0:0:0:0:0:0:0:0",
    "127.0.0.1",
    "10.0.0.1",
    "00.0.0.0",
    "::1",
    "::ffff:0.0.0.0",
    "::ffff:0:0",
    "::0.0.0.0",
    "::ffff:10.0.0.1",
];
const HOST_PORTS: [&str; 5] = ["80", "", "81", "080", "8000-8010"];
const CONTAINER_PORTS: [&str; 6] = ["80/tcp", "80/udp", "80", "81/tcp", "53/udp", "80/"];
const EXTRA: [&str; 3] = ["gpu", "fpga", "ssd"];

pub fn labels(c: &mut impl Choices) -> Labels {
    let mut labels = Labels::new();
    for _ in 0..c.below(4) {
        let key = c.text(&LABEL_KEYS);
        let value = if key == "containerslots" {
            c.text(&SLOTS)
        } else {
            c.text(&LABEL_VALUES)
        };
        labels.insert(key, value);
    }
    labels
}

pub fn image(c: &mut impl Choices) -> RefImage {
    RefImage {
        id: c.text(&IMAGE_IDS),
        tags: (0..c.below(3)).map(|_| c.text(&IMAGE_TAGS)).collect(),
    }
}

fn extra(c: &mut impl Choices) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for name in EXTRA {
        if c.one_in(6) {
            all.push((name.to_owned(), c.pick(&[1, 0, 1, 2, 1, 2, 3, 1, u64::MAX, 1 << 50])));
        }
    }
    all.sort();
    all
}

pub fn capacity(c: &mut impl Choices) -> (u64, u64) {
    let cpu_nanos = c.pick(&[
        2_000_000_000,
        4_000_000_000,
        0,
        500_000_000,
        1_000_000_000,
        2_500_000_000,
        20_000_000_000,
        21_000_000_000,
        100_000_000_000,
        1 << 50,
    ]);
    let memory = c.pick(&[1000, 100, 0, 1, 10, 99, 101, 1001, 1 << 30, 1 << 50]);
    (cpu_nanos, memory)
}

pub fn overcommit(c: &mut impl Choices) -> f64 {
    c.pick(&[0.05, 0.0, 0.059, -0.5, -0.999, 0.29, 1.0, 10.0, -0.005])
}

pub fn node(c: &mut impl Choices, number: usize) -> RefNode {
    let (cpu_nanos, memory_bytes) = capacity(c);
    RefNode {
        number,
        name: c.text(&NODE_NAMES),
        id: c.text(&NODE_IDS),
        labels: if c.one_in(3) { labels(c) } else { Labels::new() },
        health: i128::from(health(c)),
        schedulable: !c.one_in(10),
        cpu_nanos: i128::from(cpu_nanos),
        memory_bytes: i128::from(memory_bytes),
        overcommit: overcommit(c),
        extra: extra(c),
        images: c.some(4, image),
    }
}

pub fn health(c: &mut impl Choices) -> u8 {
    c.pick(&[100, 100, 100, 100, 67, 34, 0])
}

pub fn resources(c: &mut impl Choices) -> Resources {
    let millis = c.pick(&[0, 1000, 0, 250, 500, 2000, 3000, 4000, 5000, 20_000, 22_000, 1, 105_000]);
    let memory = c.pick(&[
        0,
        1,
        0,
        9,
        10,
        11,
        100,
        500,
        990,
        991,
        1000,
        1001,
        1050,
        1051,
        1 << 29,
        1 << 50,
    ]);
    Resources::new(Cpus::from_millis(millis), Bytes::new(memory))
}

fn binding(c: &mut impl Choices) -> PortBinding {
    PortBinding {
        container_port: c.text(&CONTAINER_PORTS).into(),
        host_ip: c.text(&HOST_IPS).into(),
        host_port: c.text(&HOST_PORTS).into(),
    }
}

fn dependency(c: &mut impl Choices) -> String {
    let name = container_query(c);
    let suffix = c.text(&["", ":ro", ":alias", ":a:b"]);
    name + &suffix
}

/// Something that may name a container.
pub fn container_query(c: &mut impl Choices) -> String {
    let name = if c.one_in(2) {
        c.text(&IDS)
    } else {
        c.text(&CONTAINER_NAMES)
    };
    match c.below(6) {
        0 => name,
        1 => name.chars().take(12).collect(),
        2 => format!("{}/{name}", c.pick(&NODE_NAMES)),
        3 => format!("{}/{name}", c.pick(&NODE_IDS)),
        4 => name.chars().take(c.below(5)).collect(),
        _ => format!("/{name}"),
    }
}

/// What running containers look like: mostly labels, ports and amounts.
pub fn running(c: &mut impl Choices) -> Request {
    Request {
        resources: resources(c),
        extra: extra(c),
        labels: if c.one_in(3) { labels(c) } else { Labels::new() },
        network_mode: if c.one_in(4) { "host".to_owned() } else { String::new() },
        exposed_ports: c.some(3, |c| c.text(&CONTAINER_PORTS)),
        port_bindings: c.some(3, binding),
        ..Request::default()
    }
}

/// A request with any mixture of demands; each kind is missing more often than not.
pub fn request(c: &mut impl Choices) -> Request {
    let mut request = if c.one_in(2) {
        running(c)
    } else {
        Request {
            resources: resources(c),
            ..Request::default()
        }
    };
    request.image = c.text(&IMAGE_TAGS);
    if c.one_in(2) {
        request.constraints = c.some(3, |c| expressions::constraint(c));
        request.affinities = c.some(3, |c| expressions::affinity(c));
    }
    if c.one_in(6) {
        request.whitelists = c.some(3, |c| expressions::whitelist(c));
    }
    if c.one_in(6) {
        request.volumes_from = c.some(3, dependency);
        request.links = c.some(3, dependency);
    }
    if c.one_in(12) {
        request.network_mode = match c.below(4) {
            0 => format!("container:{}", container_query(c)),
            mode => ["bridge", "host", "container:"][mode - 1].to_owned(),
        };
    }
    request
}

pub fn identity(c: &mut impl Choices) -> Identity {
    Identity {
        id: if c.one_in(4) { String::new() } else { c.text(&IDS) },
        swarm_id: swarm_id(c),
        aliases: c.some(3, |c| c.text(&CONTAINER_NAMES)),
        published: c.some(3, binding),
    }
}

pub fn swarm_id(c: &mut impl Choices) -> String {
    if c.one_in(3) { c.text(&IDS) } else { String::new() }
}

pub fn container_name(c: &mut impl Choices) -> String {
    match c.below(4) {
        0 => String::new(),
        1 => c.text(&CONTAINER_NAMES),
        2 => format!("c{}", c.below(1000)),
        _ => format!("/{}", c.pick(&CONTAINER_NAMES)),
    }
}

/// The default filters, all of them in any order, or any of them any number of times.
pub fn filters(c: &mut impl Choices) -> Vec<Filter> {
    match c.below(4) {
        0 => Filter::DEFAULT.to_vec(),
        1 => Filter::ALL.to_vec(),
        2 => {
            let mut left = Filter::ALL.to_vec();
            (0..left.len()).map(|_| left.remove(c.below(left.len()))).collect()
        }
        _ => (0..c.below(9)).map(|_| c.pick(&Filter::ALL)).collect(),
    }
}

pub fn strict(c: &mut impl Choices) -> Strict {
    let mut strict = Strict::default();
    if c.one_in(2) {
        for name in Strict::NAMES {
            if c.one_in(2) {
                strict.enable(name).expect("it is one of the names");
            }
        }
    }
    strict
}

pub fn settings(c: &mut impl Choices) -> Settings {
    Settings {
        filters: filters(c),
        strategy: c.pick(&Strategy::ALL),
        strict: strict(c),
    }
}
