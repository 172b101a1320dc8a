//! `affinity` (`scheduler/RULES.md` §5.5): expressions over the containers and images of a node.

use crate::cluster::{Cluster, Node};

use super::{Expression, Question, Refusal, Rule, abridged};

pub(super) fn refuses(question: &Question<'_>, node: &Node) -> Option<Rule> {
    let affinities = question.request.affinities();
    question.first_broken(affinities, |expression| holds(question.cluster, node, expression))
}

pub(in crate::scheduler) fn holds(cluster: &Cluster, node: &Node, expression: &Expression) -> bool {
    expression.holds(candidates(cluster, node, expression.key()))
}

/// The texts that an affinity with this key compares with: for `container` the ID and first name of every container
/// that has a name; for `image` every name of every image; otherwise every container's label of that key.
fn candidates<'a>(cluster: &'a Cluster, node: &'a Node, key: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    let containers = cluster.containers_on(node);
    match key {
        "container" => {
            let named = containers.filter(|container| !container.name().is_empty());
            Box::new(named.flat_map(|container| [container.id(), container.name()]))
        }
        "image" => Box::new(node.images().iter().flat_map(|image| image.names())),
        _ => Box::new(containers.map(move |container| {
            let value = container.request().labels.get(key);
            value.map_or("", String::as_str)
        })),
    }
}

pub(super) fn describe(question: &Question<'_>, node: &Node, rule: Rule) -> Refusal {
    let found = |expression: &Expression| {
        let texts = candidates(question.cluster, node, expression.key());
        match expression.key() {
            "container" => format!("its containers are {}", abridged(texts)),
            "image" => format!("its images are {}", abridged(texts)),
            key => format!("its containers have {key} {}", abridged(texts)),
        }
    };
    question.describe_expression(question.request.affinities(), rule, found)
}
