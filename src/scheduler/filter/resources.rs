//! `resources`, our own filter: nodes on which everything asked for is free, exactly, further resources included.

use crate::cluster::Node;
use crate::model::{Bytes, Cpus, Request, units};

use super::{Question, Refusal, Rule};

const CPUS: Rule = 0;
const MEMORY: Rule = 1;
const EXTRA: Rule = 2;

pub(super) fn asks(request: &Request) -> bool {
    items(request).next().is_some()
}

pub(super) fn refuses(question: &Question<'_>, node: &Node) -> Option<Rule> {
    let request = question.request.request();
    let (wanted, total, used) = (request.resources, node.total(), node.used());
    if wanted.cpus > Cpus::ZERO && used.cpus + wanted.cpus.nanos() > total.cpus.nanos() {
        return Some(CPUS);
    }
    if wanted.memory > Bytes::ZERO && used.memory + wanted.memory.get() > total.memory.get() {
        return Some(MEMORY);
    }
    let short = request
        .extra
        .iter()
        .position(|(name, amount)| units(*amount) > free(node, name))?;
    Some(EXTRA.saturating_add(Rule::try_from(short).unwrap_or(Rule::MAX)))
}

pub(in crate::scheduler) fn free(node: &Node, name: &str) -> u64 {
    let extra = node.extra().iter().find(|extra| extra.name == name);
    extra.map_or(0, |extra| extra.total.saturating_sub(extra.used))
}

/// The amounts asked for, as the error text lists them.
pub(super) fn items(request: &Request) -> impl Iterator<Item = String> {
    let cpus = Some(request.resources.cpus).filter(|cpus| *cpus > Cpus::ZERO);
    let memory = Some(request.resources.memory).filter(|memory| *memory > Bytes::ZERO);
    let extra = request.extra.iter().filter(|(_, amount)| *amount > 0);
    let cpus = cpus.map(|cpus| format!("cpus={cpus}"));
    let memory = memory.map(|memory| format!("memory={memory}"));
    let extra = extra.map(|(name, amount)| format!("{name}={amount}"));
    cpus.into_iter().chain(memory).chain(extra)
}

pub(super) fn describe(question: &Question<'_>, node: &Node, rule: Rule) -> Refusal {
    let request = question.request.request();
    let (total, used) = (node.total(), node.used());
    let (rule, free) = match rule {
        CPUS => {
            let free = Cpus::from_nanos(total.cpus.nanos().saturating_sub(used.cpus));
            (format!("cpus={}", request.resources.cpus), free.to_string())
        }
        MEMORY => {
            let free = Bytes::new(total.memory.get().saturating_sub(used.memory));
            (format!("memory={}", request.resources.memory), free.to_string())
        }
        extra => {
            let (name, amount) = &request.extra[usize::from(extra - EXTRA)];
            (format!("{name}={amount}"), free(node, name).to_string())
        }
    };
    Refusal {
        rule,
        found: format!("{free} free"),
    }
}
