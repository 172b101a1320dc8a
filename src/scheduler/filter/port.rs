//! `port` (`scheduler/RULES.md` §5.2): nodes on which every host port asked for is free.

use crate::cluster::{HostModePort, Node, OccupiedPort};
use crate::model::{PortBinding, Request};

use super::{Question, Refusal, Rule, Strict};

pub(super) fn asks(request: &Request) -> bool {
    if request.uses_host_network() {
        !request.exposed_ports.is_empty()
    } else {
        !request.port_bindings.is_empty()
    }
}

pub(super) fn refuses(question: &Question<'_>, node: &Node) -> Option<Rule> {
    let request = question.request.request();
    let taken = if request.uses_host_network() {
        let taken = |port: &String| exposer(question, node, port).is_some();
        request.exposed_ports.iter().position(taken)
    } else {
        let wanted = &request.port_bindings;
        wanted
            .iter()
            .position(|wanted| occupant(question, node, wanted).is_some())
    };
    taken.map(|place| Rule::try_from(place).unwrap_or(Rule::MAX))
}

/// Whether two bindings of the same host port clash: their addresses are the same text, or either binds all interfaces.
/// The original does not look at the protocol.
pub(in crate::scheduler) fn clashes(
    occupied: &PortBinding,
    all_interfaces: bool,
    wanted: &PortBinding,
    by_protocol: bool,
) -> bool {
    (wanted.binds_all_interfaces() || all_interfaces || occupied.host_ip == wanted.host_ip)
        && (!by_protocol || occupied.protocol() == wanted.protocol())
}

/// Whether a container holds its ports. The original's stopped ones do, until they are removed.
pub(in crate::scheduler) fn holds(strict: Strict, stopped: bool) -> bool {
    !(strict.stopped_ports && stopped)
}

/// Who exposes a port in network mode `host`.
fn exposer<'a>(question: &Question<'_>, node: &'a Node, port: &str) -> Option<&'a HostModePort> {
    let mut exposed = node.host_mode_ports().iter();
    exposed.find(|own| own.port.as_str() == port && holds(question.strict, own.stopped))
}

/// What occupies a wanted host port.
fn occupant<'a>(question: &Question<'_>, node: &'a Node, wanted: &PortBinding) -> Option<&'a OccupiedPort> {
    if node.ports().is_empty() {
        return None;
    }
    let by_protocol = question.strict.port_protocol;
    node.ports().iter().find(|occupied| {
        occupied.binding.host_port == wanted.host_port
            && holds(question.strict, occupied.stopped)
            && clashes(&occupied.binding, occupied.all_interfaces, wanted, by_protocol)
    })
}

pub(super) fn items(request: &Request) -> impl Iterator<Item = String> {
    let host_mode = request.uses_host_network();
    let exposed = request.exposed_ports.iter().filter(move |_| host_mode);
    let bound = request.port_bindings.iter().filter(move |_| !host_mode);
    let exposed = exposed.map(|port| format!("port {port} (Host mode)"));
    exposed.chain(bound.map(|binding| format!("port {} (Bridge mode)", binding.host_port)))
}

pub(super) fn describe(question: &Question<'_>, node: &Node, rule: Rule) -> Refusal {
    let request = question.request.request();
    let owner = if request.uses_host_network() {
        let port = &request.exposed_ports[usize::from(rule)];
        exposer(question, node, port).map(|exposed| exposed.container)
    } else {
        let wanted = &request.port_bindings[usize::from(rule)];
        occupant(question, node, wanted).map(|occupied| occupied.container)
    };
    let container = owner.and_then(|owner| question.cluster.container(owner));
    Refusal {
        rule: items(request).nth(usize::from(rule)).unwrap_or_default(),
        found: match container.map(|container| container.name()) {
            Some("") | None => "taken by another container".to_owned(),
            Some(name) => format!("taken by {name}"),
        },
    }
}
