//! Names that refer to something elsewhere in the scenario, and amounts that have to fit somewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::{Bytes, Resources, Time};
use crate::scenario::diagnostic::Code;
use crate::scenario::format::{ClassTable, ScenarioFile};
use crate::scenario::path::Path;
use crate::scenario::suggest::enumerate_ticked;
use crate::scheduler::{Expression, Filter, Operator, Strict};
use crate::sim::{Action, Arrivals, ClassPlan, End, ImagePlan, Plan, Sampler, Source, When};

use super::amount::{least, most_written};
use super::{Report, request};

/// What is replaced by a container's number.
const INDEX: &str = "{index}";

/// Complains about names that refer to nothing and doubts what cannot have an effect.
pub(super) fn check(file: &ScenarioFile, plan: &Plan, nodes_are_complete: bool, report: &mut Report<'_>) {
    let workload = Path::root().key("workload");
    let offered = offer(plan);
    let offered_further = offer_further(plan);
    let node_labels = node_labels(plan);
    let names = ContainerNames::new(&plan.classes);
    for ((name, class), class_plan) in file.workload.iter().zip(&plan.classes) {
        let path = workload.key(name);
        references(name, class, &names, &path, report);
        if nodes_are_complete {
            constraints(class, &node_labels, &path, report);
            capacity(class_plan, offered, &path, report);
            further_resources(class, class_plan, plan, &offered_further, &path, report);
        }
        if let (Source::Synthetic { start, .. }, Some(end)) = (&class_plan.source, last_instant(plan))
            && *start >= end
        {
            report.warning(
                Code::NoEffect,
                &path.key("start"),
                "the run ends before this class starts",
            );
        }
    }
    let groups = Path::root().key("cluster").key("nodes");
    let images = Images::new(&plan.images);
    let joining = joining(plan);
    for (group, table) in &file.cluster.nodes {
        for (index, image) in table.images.iter().enumerate() {
            let path = groups.key(group).key("images").index(index);
            images.check(Some(image), &path, report);
        }
        if !table.present && !joining.contains(group.as_str()) {
            let warning = report.warning(
                Code::NoEffect,
                &groups.key(group),
                "the nodes of this group never join the cluster",
            );
            warning.help = Some("add an event with `action = \"join\"`, or remove `present`".to_owned());
        }
    }
    for (index, event) in plan.events.iter().enumerate() {
        if let (When::At { time, .. }, Some(end)) = (&event.when, last_instant(plan))
            && *time >= end
        {
            let path = Path::root().key("events").index(index).key("at");
            report.warning(Code::NoEffect, &path, "the run ends before this event");
        }
    }
}

fn last_instant(plan: &Plan) -> Option<Time> {
    match plan.run.end {
        End::At(time) | End::Drained { at_most: time } => Some(time).filter(|time| *time < Time::MAX),
    }
}

/// The groups of which some node joins.
fn joining(plan: &Plan) -> HashSet<&str> {
    let joining = plan.events.iter().filter(|event| matches!(event.action, Action::Join));
    let nodes = joining.flat_map(|event| &event.nodes);
    nodes.map(|node| plan.nodes[*node].group.as_str()).collect()
}

/// The listed images.
pub(super) struct Images<'p> {
    list: &'p [ImagePlan],
    names: HashSet<&'p str>,
}

impl<'p> Images<'p> {
    /// These.
    pub fn new(list: &'p [ImagePlan]) -> Images<'p> {
        Images {
            list,
            names: list.iter().map(|image| image.name.as_str()).collect(),
        }
    }

    /// Doubts an image that is not listed but nearly is.
    pub fn check(&self, image: Option<&str>, path: &Path, report: &mut Report<'_>) {
        let Some(image) = image.filter(|image| !self.names.contains(image)) else {
            return;
        };
        let names = self.list.iter().map(|image| image.name.as_str());
        if let Some(near) = report.suggestions.nearest("image", image, names) {
            let message = format!("the image {image:?} is not listed in [images], so that its pull takes no time");
            report.warning(Code::Suspicious, path, message).help = Some(format!("did you mean {near:?}?"));
        }
    }
}

/// What containers will be called.
struct ContainerNames<'p> {
    classes: HashMap<&'p str, &'p ClassPlan>,
    sorted: Vec<&'p str>,
    /// A trace gives names of its own, so that any name may be right.
    are_given: bool,
}

impl<'p> ContainerNames<'p> {
    fn new(classes: &'p [ClassPlan]) -> ContainerNames<'p> {
        let is_named = |class: &ClassPlan| match &class.source {
            Source::Trace(trace) => trace.rows.iter().any(|row| row.name.is_some()),
            Source::Synthetic { .. } => false,
        };
        let mut sorted: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        sorted.sort_unstable();
        ContainerNames {
            classes: classes.iter().map(|class| (class.name.as_str(), class)).collect(),
            sorted,
            are_given: classes.iter().any(is_named),
        }
    }
}

/// Containers by the classes they belong to, as far as their names are foreseeable.
fn references(name: &str, class: &ClassTable, names: &ContainerNames<'_>, path: &Path, report: &mut Report<'_>) {
    let all = |list: &[String], key: &str| -> Vec<(String, Path)> {
        let list = list.iter().enumerate();
        // What follows the colon is an alias or a mode.
        list.map(|(index, text)| {
            (
                text.split(':').next().unwrap_or_default().to_owned(),
                path.key(key).index(index),
            )
        })
        .collect()
    };
    let mut wanted = all(&class.links, "links");
    wanted.extend(all(&class.volumes_from, "volumes-from"));
    let joined = class
        .network
        .as_deref()
        .and_then(|network| network.strip_prefix("container:"));
    wanted.extend(joined.map(|text| (text.to_owned(), path.key("network"))));
    if names.are_given {
        return;
    }
    for (text, path) in wanted {
        // A manager also takes NODE/NAME.
        let text = text.rsplit('/').next().unwrap_or_default();
        if let Err((message, help)) = resolve(text, name, names, report) {
            report.error(Code::Dangling, &path, message).help = Some(help);
        }
    }
}

fn resolve(text: &str, own: &str, names: &ContainerNames<'_>, report: &mut Report<'_>) -> Result<(), (String, String)> {
    let classes = &names.classes;
    let instance = text.replace(INDEX, "1");
    let parts = instance.rsplit_once('-').and_then(|(class, number)| {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        Some((*classes.get(class)?, number.parse::<u64>().ok().filter(|_| is_number)?))
    });
    let Some((class, number)) = parts else {
        let prefix = instance.rsplit_once('-').map_or(instance.as_str(), |(class, _)| class);
        let names = &names.sorted;
        let near = classes.contains_key(instance.as_str()).then(|| instance.clone());
        let help = match near.or_else(|| report.suggestions.nearest("class", prefix, names.iter().copied())) {
            Some(near) => format!("the containers of class `{near}` are named `{near}-1`, `{near}-2` and so on"),
            None => {
                format!(
                    "containers are named CLASS-1, CLASS-2 and so on, and the classes are {}",
                    enumerate_ticked(names)
                )
            }
        };
        return Err((format!("no container is ever named `{text}`"), help));
    };
    if class.name == own {
        let help = "a container cannot depend on its own class: the first one would wait for itself".to_owned();
        return Err((format!("`{text}` is of the same class"), help));
    }
    match most_containers(class) {
        Some(most) if number > most => {
            let name = &class.name;
            let help = format!("they are named `{name}-1` to `{name}-{most}`");
            Err((format!("class `{name}` has only {most} containers"), help))
        }
        _ => Ok(()),
    }
}

/// How many containers a class can ever ask for, if that is limited.
fn most_containers(class: &ClassPlan) -> Option<u64> {
    let arrivals = match &class.source {
        // A trace without rows is at fault itself.
        Source::Trace(trace) => Some(trace.rows.len() as u64).filter(|rows| *rows > 0),
        Source::Synthetic { arrivals, limit, .. } => match (arrivals, *limit) {
            (Arrivals::AtStart { count }, Some(limit)) => Some(limit.min(*count)),
            (Arrivals::AtStart { count }, None) => Some(*count),
            (_, limit) => limit,
        },
    };
    arrivals.map(|arrivals| arrivals.saturating_mul(u64::from(class.replicas)))
}

/// All labels that nodes have at some time.
fn node_labels(plan: &Plan) -> BTreeSet<&str> {
    let given = plan
        .nodes
        .iter()
        .flat_map(|node| node.labels.keys())
        .map(String::as_str);
    let changes = plan.events.iter().filter_map(|event| match &event.action {
        Action::Relabel(labels) => Some(labels),
        _ => None,
    });
    given.chain(changes.flatten().map(|(name, _)| name.as_str())).collect()
}

/// Doubts hard constraints on labels that no node ever has.
fn constraints(class: &ClassTable, labels: &BTreeSet<&str>, path: &Path, report: &mut Report<'_>) {
    for (word, text, path) in request::expressions(class, path) {
        if word != "constraint" {
            continue;
        }
        let Ok(expression) = Expression::parse(&text, Strict::default()) else {
            continue;
        };
        if expression.key() == "node" || labels.contains(expression.key()) {
            continue;
        }
        // A node without the label satisfies `!=`, a soft constraint is dropped, and `*` matches the missing label.
        let is_vain = expression.operator() == Operator::Equal && !expression.is_soft() && expression.value() != "*";
        let near = report
            .suggestions
            .nearest("label", expression.key(), labels.iter().copied());
        if !is_vain && near.is_none() {
            continue;
        }
        let message = format!("no node has a label `{}`", expression.key());
        report.warning(Code::Suspicious, &path, message).help = near.map(|near| format!("did you mean `{near}`?"));
    }
}

/// The most of each resource that any one node can ever offer.
fn offer(plan: &Plan) -> Resources {
    let offers = plan.nodes.iter().map(|node| node.overcommit.apply(node.capacity));
    offers.fold(Resources::ZERO, |most, offer| {
        Resources::new(most.cpus.max(offer.cpus), most.memory.max(offer.memory))
    })
}

/// The most units of each further resource that any one node has.
fn offer_further(plan: &Plan) -> HashMap<&str, u64> {
    let mut most = HashMap::new();
    for (name, amount) in plan.nodes.iter().flat_map(|node| &node.extra) {
        let known = most.entry(name.as_str()).or_insert(*amount);
        *known = (*known).max(*amount);
    }
    most
}

/// Doubts requests for more CPU or memory than any node can ever offer.
fn capacity(class: &ClassPlan, offered: Resources, path: &Path, report: &mut Report<'_>) {
    if offered == Resources::ZERO {
        // The nodes are at fault themselves.
        return;
    }
    match &class.source {
        Source::Synthetic { cpus, memory, .. } => {
            let wanted = |sampler: &Sampler| most_written(sampler).unwrap_or_else(|| least(sampler));
            if wanted(cpus) > offered.cpus.nanos() {
                let message = format!(
                    "no node offers more than {} CPUs, overcommitment included",
                    offered.cpus
                );
                report.warning(Code::NeverFits, &path.key("cpus"), message);
            }
            if wanted(memory) > offered.memory.get() {
                let message = format!(
                    "no node offers more than {}, overcommitment included",
                    roughly(offered.memory)
                );
                report.warning(Code::NeverFits, &path.key("memory"), message);
            }
        }
        Source::Trace(trace) => {
            let too_large: Vec<bool> = trace
                .requests
                .iter()
                .map(|request| request.resources.cpus > offered.cpus || request.resources.memory > offered.memory)
                .collect();
            let rows = trace.rows.iter().filter(|row| too_large[row.request as usize]).count();
            if rows > 0 {
                let message = format!(
                    "{rows} of {} containers ask for more than any node offers",
                    trace.rows.len()
                );
                let help = format!(
                    "no node offers more than {} CPUs or more than {}, overcommitment included",
                    offered.cpus,
                    roughly(offered.memory)
                );
                report
                    .warning(Code::NeverFits, &path.key("trace").key("file"), message)
                    .help = Some(help);
            }
        }
    }
}

/// An amount that overcommitment has made crooked, to a hundredth of its unit.
fn roughly(memory: Bytes) -> String {
    let bytes = memory.get();
    let unit = [("TiB", 40), ("GiB", 30), ("MiB", 20)]
        .into_iter()
        .find(|(_, shift)| bytes >> shift > 0);
    match unit {
        Some((unit, shift)) if !bytes.is_multiple_of(1 << shift) => {
            let hundredths = (u128::from(bytes) * 100) >> shift;
            format!("{}.{:02}{unit}", hundredths / 100, hundredths % 100)
        }
        _ => memory.to_string(),
    }
}

/// Doubts further resources that nobody has or nobody looks at.
fn further_resources(
    class: &ClassTable,
    class_plan: &ClassPlan,
    plan: &Plan,
    offered: &HashMap<&str, u64>,
    path: &Path,
    report: &mut Report<'_>,
) {
    let mut wanted: BTreeMap<&str, (u64, Path)> = BTreeMap::new();
    if let Source::Trace(trace) = &class_plan.source {
        for (name, amount) in trace.requests.iter().flat_map(|request| &request.extra) {
            let (most, _) = wanted.entry(name).or_insert_with(|| (0, path.key("trace").key("file")));
            *most = (*most).max(*amount);
        }
    }
    for (name, amount) in &class.resources {
        wanted.insert(name, (*amount, path.key("resources").key(name)));
    }
    for (name, (amount, path)) in wanted {
        let most = offered.get(name).copied();
        if !plan.run.filters.contains(&Filter::Resources) {
            let message = format!("no filter looks at the resource `{name}`");
            let help = "add \"resources\" to the `filters` of [run]".to_owned();
            report.warning(Code::NoEffect, &path, message).help = Some(help);
        } else if most.is_none_or(|most| most < amount) {
            let offered = most.unwrap_or(0);
            let message = format!("{amount} of the resource `{name}` fit on no node: none offers more than {offered}");
            report.warning(Code::NeverFits, &path, message);
        }
    }
}
