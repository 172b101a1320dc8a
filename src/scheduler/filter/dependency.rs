//! `dependency` (`scheduler/RULES.md` §5.4): nodes that hold every container that is mounted from, linked to or joined.

use crate::cluster::Node;
use crate::model::Request;

use super::{Question, Refusal, Rule};

/// The containers a request depends on, in the order of the error text.
pub(in crate::scheduler) fn names(request: &Request) -> impl Iterator<Item = &str> {
    let before_colon = |text: &'_ String| -> usize { text.find(':').unwrap_or(text.len()) };
    let volumes = request.volumes_from.iter().map(move |text| &text[..before_colon(text)]);
    let links = request.links.iter().map(move |text| &text[..before_colon(text)]);
    volumes
        .chain(links)
        .chain(request.network_mode.strip_prefix("container:"))
}

pub(super) fn refuses(question: &Question<'_>, node: &Node) -> Option<Rule> {
    let request = question.request.request();
    if request.volumes_from.is_empty() && request.links.is_empty() && request.network_mode.is_empty() {
        return None;
    }
    let missing = names(request).position(|name| question.cluster.find_on(node.index(), name).is_none())?;
    Some(Rule::try_from(missing).unwrap_or(Rule::MAX))
}

pub(super) fn items(request: &Request) -> impl Iterator<Item = String> {
    let volumes = request.volumes_from.iter().map(|text| format!("--volumes-from={text}"));
    let links = request.links.iter().map(|text| format!("--link={text}"));
    let network = request.network_mode.strip_prefix("container:");
    volumes
        .chain(links)
        .chain(network.map(|name| format!("--net=container:{name}")))
}

pub(super) fn describe(question: &Question<'_>, rule: Rule) -> Refusal {
    let request = question.request.request();
    let name = names(request).nth(usize::from(rule)).unwrap_or_default();
    let elsewhere = question.cluster.find(name);
    let elsewhere = elsewhere.and_then(|container| question.cluster.container(container));
    Refusal {
        rule: items(request).nth(usize::from(rule)).unwrap_or_default(),
        found: match elsewhere {
            Some(container) => format!("{name} is on {}", question.cluster.node(container.node()).name()),
            None => format!("there is no container {name}"),
        },
    }
}
