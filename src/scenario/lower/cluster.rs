//! `[cluster]` and `[images]`.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::model::{Labels, Overcommit, Resources};
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{ClusterTable, ImageTable, NodeTable, NodeTraceFormat};
use crate::scenario::path::Path;
use crate::scenario::trace;
use crate::sim::{ImagePlan, Layer, NodePlan};

use super::labels::{self, Deal};
use super::{PLAIN_NAMES, Report, Traces, is_plain_name};

/// More nodes than this would not fit into memory.
const MOST_NODES: u64 = 1_000_000;
/// What is replaced by a node's number in its name.
const INDEX: &str = "{index}";
/// The label that limits the number of containers on a node.
const SLOTS: &str = "containerslots";

/// The nodes of all groups, and whether they are all there: those of a faulty list are not.
pub(super) fn nodes(cluster: &ClusterTable, traces: &mut Traces<'_>, report: &mut Report<'_>) -> (Vec<NodePlan>, bool) {
    let path = Path::root().key("cluster");
    let default = overcommit(cluster.overcommit, &path.key("overcommit"), report);
    let path = path.key("nodes");
    if cluster.nodes.is_empty() {
        report.impossible(&path, "there are no nodes", "add a group: [cluster.nodes.NAME]");
    }
    let mut nodes = Vec::new();
    let mut are_complete = true;
    for (group, table) in &cluster.nodes {
        let path = path.key(group);
        if !is_plain_name(group) {
            let message = format!("{group:?} cannot be the name of a group");
            report.error_at_key(Code::Impossible, &path, message).help = Some(PLAIN_NAMES.to_owned());
        }
        let room = MOST_NODES.saturating_sub(nodes.len() as u64);
        let of_group = group_nodes(group, table, default, room, &path, traces, report);
        are_complete &= !of_group.is_empty();
        nodes.extend(of_group);
    }
    check_unique(&nodes, &path, report);
    (nodes, are_complete)
}

fn overcommit(fraction: f64, path: &Path, report: &mut Report<'_>) -> Overcommit {
    Overcommit::from_fraction(fraction).unwrap_or_else(|| {
        let help = "it is a fraction above -1, such as 0.05 for 5 %, and at most 1000";
        report.impossible(path, format!("{fraction} cannot be an overcommitment"), help);
        Overcommit::NONE
    })
}

/// A node before it gets what its whole group has.
struct Bare {
    name: String,
    capacity: Resources,
    extra: Vec<(String, u64)>,
    labels: Vec<(String, String)>,
}

fn group_nodes(
    group: &str,
    table: &NodeTable,
    default: Overcommit,
    room: u64,
    path: &Path,
    traces: &mut Traces<'_>,
    report: &mut Report<'_>,
) -> Vec<NodePlan> {
    let bare = match &table.trace {
        Some(_) => listed(table, path, traces, report),
        None => counted(group, table, room, path, report),
    };
    if bare.len() as u64 > room {
        report.impossible(
            path,
            format!("there are more than {MOST_NODES} nodes"),
            "simulate a part of the cluster",
        );
        return Vec::new();
    }
    let own = table
        .overcommit
        .map(|fraction| overcommit(fraction, &path.key("overcommit"), report));
    labels::check(&table.labels, &path.key("labels"), report);
    if table.slots.is_some() && table.labels.contains_key(SLOTS) {
        let path = path.key("slots");
        report.error(
            Code::Conflict,
            &path,
            format!("`slots` sets the label `{SLOTS}`, which is given as well"),
        );
    }
    for (index, image) in table.images.iter().enumerate().filter(|(_, image)| image.is_empty()) {
        let path = path.key("images").index(index);
        report.impossible(&path, format!("{image:?} is not an image"), "leave it out");
    }
    let deals: Vec<_> = table
        .labels
        .iter()
        .map(|(name, value)| (name.as_str(), Deal::new(value, bare.len())))
        .collect();
    let mut resources: Vec<_> = table
        .resources
        .iter()
        .map(|(name, amount)| (name.clone(), *amount))
        .collect();
    resources.sort();
    let nodes = bare.into_iter().enumerate().map(|(index, bare)| {
        // What a list says about a node is more particular than what the scenario says about all of them.
        let mut labels: Labels = labels::of_node(&deals, index);
        labels.extend(bare.labels);
        if let Some(slots) = table.slots {
            labels.insert(SLOTS.to_owned(), slots.to_string());
        }
        let mut extra = resources.clone();
        extra.extend(bare.extra);
        extra.sort();
        NodePlan {
            name: bare.name,
            group: group.to_owned(),
            capacity: bare.capacity,
            overcommit: own.unwrap_or(default),
            labels,
            extra,
            images: table.images.clone(),
            bandwidth: table.bandwidth.map(|bandwidth| bandwidth.0.0),
            present: table.present,
        }
    });
    nodes.collect()
}

/// So many equal nodes.
fn counted(group: &str, table: &NodeTable, room: u64, path: &Path, report: &mut Report<'_>) -> Vec<Bare> {
    let count = table.count.unwrap_or(1);
    if count > room {
        let help = "simulate a part of the cluster";
        report.impossible(
            &path.key("count"),
            format!("there are more than {MOST_NODES} nodes"),
            help,
        );
        return Vec::new();
    }
    let cpus = table.cpus.map(|cpus| cpus.0);
    let memory = table.memory.map(|memory| memory.0);
    match cpus {
        None => report.missing(path, "cpus", "say what each node has: cpus = 8"),
        Some(cpus) if cpus.nanos() == 0 => {
            report.impossible(&path.key("cpus"), "a node needs CPUs", "write a number above zero");
        }
        Some(_) => {}
    }
    match memory {
        None => report.missing(path, "memory", "say what each node has: memory = \"32GiB\""),
        Some(memory) if memory.get() == 0 => {
            report.impossible(&path.key("memory"), "a node needs memory", "write an amount above zero");
        }
        Some(_) => {}
    }
    let capacity = Resources::new(cpus.unwrap_or_default(), memory.unwrap_or_default());
    let default_name = format!("{group}-{INDEX}");
    let template = table.name.as_deref().unwrap_or(&default_name);
    // A faulty name is not held against what refers to the nodes.
    let template = match check_template(template, count, &path.key("name"), report) {
        true => template,
        false => &default_name,
    };
    let bare = (1..=count).map(|index| Bare {
        name: name_node(template, index, count),
        capacity,
        extra: Vec::new(),
        labels: Vec::new(),
    });
    bare.collect()
}

/// The name of one of so many nodes.
fn name_node(template: &str, index: u64, count: u64) -> String {
    let width = count.to_string().len();
    template.replace(INDEX, &format!("{index:0width$}"))
}

/// Whether so many nodes can be named like this.
fn check_template(template: &str, count: u64, path: &Path, report: &mut Report<'_>) -> bool {
    if count > 1 && !template.contains(INDEX) {
        let help = format!("add the number of the node: {:?}", format!("{template}-{INDEX}"));
        let message = format!("all {count} nodes would be named {template:?}");
        report.error(Code::Duplicate, path, message).help = Some(help);
        return false;
    }
    let example = name_node(template, 1, count);
    let is_sound = is_plain_name(&example);
    // A name that is made from the group's is complained about with that.
    if !is_sound && report.is_given(path) {
        let help = match template.contains('{') {
            true => format!("only {INDEX} is replaced; {PLAIN_NAMES}"),
            false => PLAIN_NAMES.to_owned(),
        };
        report.impossible(path, format!("{example:?} cannot be the name of a node"), &help);
    }
    is_sound
}

/// The nodes of a list in a file.
fn listed(table: &NodeTable, path: &Path, traces: &mut Traces<'_>, report: &mut Report<'_>) -> Vec<Bare> {
    let given = [
        ("count", table.count.is_some()),
        ("name", table.name.is_some()),
        ("cpus", table.cpus.is_some()),
        ("memory", table.memory.is_some()),
    ];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        let message = format!("`{key}` and `trace` exclude each other");
        report.error_at_key(Code::Conflict, &path.key(key), message).help =
            Some("the list says it for each node".to_owned());
    }
    let trace_path = path.key("trace");
    let Some(list) = &table.trace else {
        return Vec::new();
    };
    let Some(file) = traces.open(&list.file, &trace_path, report) else {
        return Vec::new();
    };
    let nodes = match list.format {
        NodeTraceFormat::Openb => trace::read_nodes(&file, traces.lenient),
    };
    let file_path = trace_path.key("file");
    if nodes.complaints.is_empty() && nodes.content.is_empty() {
        report.impossible(&file_path, "the list has no nodes", "it has only a header");
    }
    report.extend(nodes.complaints, &file_path);
    for (resource, _) in nodes.content.iter().flat_map(|node| &node.extra).take(1) {
        if table.resources.contains_key(resource) {
            let path = path.key("resources").key(resource);
            report.error(
                Code::Conflict,
                &path,
                format!("the list says how much `{resource}` each node has"),
            );
        }
    }
    let bare = nodes.content.into_iter().map(|node| Bare {
        name: node.name,
        capacity: node.capacity,
        extra: node.extra,
        labels: node.labels,
    });
    bare.collect()
}

/// Complains once for each group that repeats names.
fn check_unique(nodes: &[NodePlan], path: &Path, report: &mut Report<'_>) {
    let mut groups: HashMap<&str, &str> = HashMap::with_capacity(nodes.len());
    let mut complained: HashSet<&str> = HashSet::new();
    for node in nodes {
        let Some(first) = groups.insert(&node.name, &node.group) else {
            continue;
        };
        if !complained.insert(&node.group) {
            continue;
        }
        let message = match first == node.group {
            true => format!("two nodes of group `{first}` are named {:?}", node.name),
            false => format!("a node of group `{first}` is named {:?} as well", node.name),
        };
        let help = format!(
            "give the nodes of a group a name of their own: name = \"{}-{INDEX}\"",
            node.group
        );
        report
            .error_at_key(Code::Duplicate, &path.key(&node.group), message)
            .help = Some(help);
    }
}

/// The images, their layers numbered.
pub(super) fn images(tables: &IndexMap<String, ImageTable>, report: &mut Report<'_>) -> Vec<ImagePlan> {
    let mut shared: HashMap<&str, Layer> = HashMap::new();
    let mut next = 0..;
    let mut images = Vec::new();
    for (name, table) in tables {
        let path = Path::root().key("images").key(name);
        let mut layers = Vec::new();
        match (&table.size, &table.layers) {
            (None, None) => report.missing(
                &path,
                "size",
                "say how large it is: size = \"140MiB\", or give its `layers`",
            ),
            (Some(_), Some(_)) => {
                report.error(
                    Code::Conflict,
                    &path.key("size"),
                    "`size` and `layers` exclude each other",
                );
            }
            (Some(size), None) => {
                if size.0.get() == 0 {
                    report.impossible(
                        &path.key("size"),
                        "an image has a size",
                        "leave the image out if its pull takes no time",
                    );
                }
                layers.extend(next.next().map(|id| Layer {
                    id,
                    bytes: size.0.get(),
                }));
            }
            (None, Some(table)) => {
                let path = path.key("layers");
                if table.is_empty() {
                    report.impossible(
                        &path,
                        "an image has layers",
                        "leave the image out if its pull takes no time",
                    );
                }
                for (layer, size) in table {
                    let bytes = size.0.get();
                    let known = match shared.get(layer.as_str()) {
                        Some(known) => known.clone(),
                        None => {
                            let id = next.next().unwrap_or(u32::MAX);
                            shared.entry(layer).or_insert(Layer { id, bytes }).clone()
                        }
                    };
                    if known.bytes != bytes {
                        let message = format!("another image says that the layer `{layer}` has {}", show(known.bytes));
                        let help = "layers of the same name are the same layer; give this one another name";
                        report.error(Code::Conflict, &path.key(layer), message).help = Some(help.to_owned());
                    }
                    layers.push(known);
                }
            }
        }
        images.push(ImagePlan {
            name: name.clone(),
            layers,
        });
    }
    images
}

fn show(bytes: u64) -> crate::model::Bytes {
    crate::model::Bytes::new(bytes)
}
