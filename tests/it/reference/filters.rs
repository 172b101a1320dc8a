//! `scheduler/RULES.md` §5: the filters, each from a list of nodes to a shorter one, or to a failure if nothing is
//! left.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use swarmlab::model::{PortBinding, Request};
use swarmlab::scheduler::{Filter, Strict};

use super::{CAP, RefCluster, RefContainer, RefExpression, Snapshot, amounts, lookup};

/// What a pass asks of every filter.
pub struct Question<'a> {
    pub cluster: &'a RefCluster,
    pub request: &'a Request,
    pub strict: Strict,
    pub enforce_soft: bool,
    pub affinities: Result<Vec<RefExpression>, String>,
    pub constraints: Result<Vec<RefExpression>, String>,
    pub whitelists: Result<Vec<RefExpression>, String>,
}

/// Nothing is left.
pub struct Failed;

type Nodes<'a> = Vec<Snapshot<'a>>;

impl<'a> Question<'a> {
    pub fn new(cluster: &'a RefCluster, request: &'a Request, strict: Strict, enforce_soft: bool) -> Question<'a> {
        let parse = |texts: &[String]| {
            let texts = texts.iter();
            texts.map(|text| RefExpression::parse(text, strict.globs)).collect()
        };
        let whitelists = request.whitelists.iter();
        Question {
            cluster,
            request,
            strict,
            enforce_soft,
            affinities: parse(&request.affinities),
            constraints: parse(&request.constraints),
            whitelists: whitelists.map(|text| RefExpression::parse_whitelist(text)).collect(),
        }
    }
}

pub fn apply<'a>(filter: Filter, question: &Question<'_>, nodes: Nodes<'a>) -> Result<Nodes<'a>, Failed> {
    match filter {
        Filter::Health => keep(nodes, |node| node.node.health > 0),
        Filter::Port => port(question, nodes),
        Filter::ContainerSlots => keep(nodes, has_slot),
        Filter::Dependency => dependency(question, nodes),
        Filter::Affinity => expressions(question, &question.affinities, nodes, |expression, node| {
            let texts = affinity_candidates(&expression.key, node);
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            expression.holds(&texts, question.strict.globs)
        }),
        Filter::Constraint => expressions(question, &question.constraints, nodes, |expression, node| {
            expression.holds(&constraint_candidates(&expression.key, node), question.strict.globs)
        }),
        Filter::Whitelist => expressions(question, &question.whitelists, nodes, |expression, node| {
            let listed = |text: &str| expression.value.split('|').any(|part| part == text);
            if question.strict.whitelist {
                // Key and operator count as they do in a constraint.
                constraint_candidates(&expression.key, node).into_iter().any(listed) == expression.equal
            } else {
                listed(&node.node.name)
            }
        }),
        Filter::Resources => resources(question.request, nodes),
    }
}

fn keep<'a>(nodes: Nodes<'a>, accepts: impl Fn(&Snapshot<'a>) -> bool) -> Result<Nodes<'a>, Failed> {
    let kept: Nodes<'a> = nodes.into_iter().filter(accepts).collect();
    if kept.is_empty() { Err(Failed) } else { Ok(kept) }
}

/// Sequential AND over expressions, soft ones only if they are enforced.
fn expressions<'a>(
    question: &Question<'_>,
    parsed: &Result<Vec<RefExpression>, String>,
    mut nodes: Nodes<'a>,
    holds: impl Fn(&RefExpression, &Snapshot<'a>) -> bool,
) -> Result<Nodes<'a>, Failed> {
    for expression in parsed.as_ref().map_err(|_| Failed)? {
        if expression.soft && !question.enforce_soft {
            continue;
        }
        nodes = keep(nodes, |node| holds(expression, node))?;
    }
    Ok(nodes)
}

/// `scheduler/RULES.md` §5.2
fn port<'a>(question: &Question<'_>, mut nodes: Nodes<'a>) -> Result<Nodes<'a>, Failed> {
    let request = question.request;
    if request.network_mode == "host" {
        for key in &request.exposed_ports {
            let exposes = |container: &&RefContainer| {
                !container.pending
                    && holds(container, question.strict)
                    && container.request.network_mode == "host"
                    && container.request.exposed_ports.contains(key)
            };
            nodes = keep(nodes, |node| !node.containers.iter().any(exposes))?;
        }
        return Ok(nodes);
    }
    for wanted in &request.port_bindings {
        let occupies = |container: &&RefContainer| {
            let asked = &container.request.port_bindings;
            let mut bindings = asked.iter().chain(&container.published);
            holds(container, question.strict) && bindings.any(|occupied| clash(wanted, occupied, question.strict))
        };
        nodes = keep(nodes, |node| !node.containers.iter().any(occupies))?;
    }
    Ok(nodes)
}

/// Only stopped containers may be told to hold no ports.
fn holds(container: &RefContainer, strict: Strict) -> bool {
    !container.stopped || !strict.stopped_ports
}

fn clash(wanted: &PortBinding, occupied: &PortBinding, strict: Strict) -> bool {
    let binds_all = |binding: &PortBinding| {
        let address = binding.host_ip.parse::<IpAddr>();
        binding.host_ip.is_empty()
            || address == Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            || address == Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
            || address == Ok(IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()))
    };
    let protocol = |binding: &PortBinding| match binding.container_port.find('/') {
        Some(slash) => binding.container_port[slash + 1..].to_owned(),
        None => "tcp".to_owned(),
    };
    wanted.host_port == occupied.host_port
        && !occupied.host_port.is_empty()
        && (wanted.host_ip == occupied.host_ip || binds_all(wanted) || binds_all(occupied))
        && (!strict.port_protocol || protocol(wanted) == protocol(occupied))
}

/// `scheduler/RULES.md` §5.3
fn has_slot(node: &Snapshot<'_>) -> bool {
    let slots = node.node.labels.get("containerslots").map(|text| text.parse::<i64>());
    match slots {
        Some(Ok(slots)) => (node.containers.len() as i64) < slots,
        Some(Err(_)) | None => true,
    }
}

/// `scheduler/RULES.md` §5.4
fn dependency<'a>(question: &Question<'_>, nodes: Nodes<'a>) -> Result<Nodes<'a>, Failed> {
    if nodes.is_empty() {
        return Ok(nodes);
    }
    let request = question.request;
    let before_colon = |text: &String| text.split(':').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = request.volumes_from.iter().map(before_colon).collect();
    names.extend(request.links.iter().map(before_colon));
    if request.network_mode.starts_with("container:") {
        names.push(request.network_mode["container:".len()..].to_owned());
    }
    keep(nodes, |node| {
        names
            .iter()
            .all(|name| !lookup::find(question.cluster, &node.containers, name).is_empty())
    })
}

/// `scheduler/RULES.md` §5.5
fn affinity_candidates(key: &str, node: &Snapshot<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    match key {
        "container" => {
            for container in &node.containers {
                if let Some(first) = container.names.first() {
                    texts.push(container.id.clone());
                    texts.push(first.trim_start_matches('/').to_owned());
                }
            }
        }
        "image" => {
            for image in &node.node.images {
                texts.push(image.id.clone());
                for tag in &image.tags {
                    texts.push(tag.clone());
                    texts.push(without_tag(tag));
                }
            }
        }
        key => {
            for container in &node.containers {
                texts.push(container.request.labels.get(key).cloned().unwrap_or_default());
            }
        }
    }
    texts
}

/// `manager/RULES.md` §7.2: the split is at `@` if present, else at the last `:` unless what follows contains `/`.
fn without_tag(reference: &str) -> String {
    if let Some(at) = reference.find('@') {
        return reference[..at].to_owned();
    }
    match reference.rfind(':') {
        Some(colon) if !reference[colon..].contains('/') => reference[..colon].to_owned(),
        _ => reference.to_owned(),
    }
}

/// `scheduler/RULES.md` §5.6
fn constraint_candidates<'a>(key: &str, node: &Snapshot<'a>) -> Vec<&'a str> {
    match key {
        "node" => vec![&node.node.id, &node.node.name],
        key => vec![node.node.labels.get(key).map_or("", String::as_str)],
    }
}

/// Our own filter: what is asked for is free, exactly. Further resources count for pending containers always.
fn resources<'a>(request: &Request, mut nodes: Nodes<'a>) -> Result<Nodes<'a>, Failed> {
    let (cpu, memory) = amounts(request);
    if cpu > 0 {
        nodes = keep(nodes, |node| node.used_cpu + cpu <= node.total_cpu)?;
    }
    if memory > 0 {
        nodes = keep(nodes, |node| node.used_memory + memory <= node.total_memory)?;
    }
    for (name, wanted) in request.extra.iter().filter(|(_, wanted)| *wanted > 0) {
        let sum = |extra: &[(String, u64)]| -> i128 {
            let amounts = extra.iter().filter(|(own, _)| own == name);
            amounts.map(|(_, amount)| i128::from(*amount).min(CAP)).sum()
        };
        nodes = keep(nodes, |node| {
            let used: i128 = node
                .containers
                .iter()
                .map(|container| sum(&container.request.extra))
                .sum();
            used + i128::from(*wanted).min(CAP) <= sum(&node.node.extra)
        })?;
    }
    Ok(nodes)
}
