//! `scheduler/RULES.md` §4.2: what a client is told when no node is left.

use swarmlab::scheduler::Filter;

use super::RefExpression;
use super::filters::Question;

/// The text if the last of these filters, the first ones configured, has left no node.
pub fn of_filters(filters: &[Filter], question: &Question<'_>) -> String {
    if filters.last() == Some(&Filter::Health) {
        return "No healthy node available in the cluster".to_owned();
    }
    let mut lines = vec!["Unable to find a node that satisfies the following conditions ".to_owned()];
    for filter in filters {
        match items(*filter, question) {
            Ok(items) if items.is_empty() => {}
            Ok(items) => lines.push(format!("[{}]", items.join(" "))),
            Err(error) => {
                lines.push(format!("error from {} filter: {error}", name(*filter)));
                break;
            }
        }
    }
    lines.join("\n")
}

fn items(filter: Filter, question: &Question<'_>) -> Result<Vec<String>, String> {
    let request = question.request;
    let with_softness = |expression: &RefExpression| format!("{} (soft={})", expression.text(), expression.soft);
    let list = |parsed: &Result<Vec<RefExpression>, String>, show: &dyn Fn(&RefExpression) -> String| {
        let expressions = parsed.as_ref().map_err(String::clone)?;
        Ok(expressions.iter().map(show).collect())
    };
    match filter {
        Filter::Health => Ok(Vec::new()),
        Filter::Port if request.network_mode == "host" => Ok(request
            .exposed_ports
            .iter()
            .map(|port| format!("port {port} (Host mode)"))
            .collect()),
        Filter::Port => {
            let bindings = request.port_bindings.iter();
            Ok(bindings
                .map(|binding| format!("port {} (Bridge mode)", binding.host_port))
                .collect())
        }
        Filter::ContainerSlots => Ok(vec!["available container slots".to_owned()]),
        Filter::Dependency => {
            let mut items = Vec::new();
            items.extend(request.volumes_from.iter().map(|text| format!("--volumes-from={text}")));
            items.extend(request.links.iter().map(|text| format!("--link={text}")));
            if request.network_mode.starts_with("container:") {
                items.push(format!("--net={}", request.network_mode));
            }
            Ok(items)
        }
        Filter::Affinity => list(&question.affinities, &with_softness),
        Filter::Constraint => list(&question.constraints, &RefExpression::text),
        Filter::Whitelist => list(&question.whitelists, &with_softness),
        Filter::Resources => {
            let mut items = Vec::new();
            if request.resources.cpus.nanos() > 0 {
                items.push(format!("cpus={}", request.resources.cpus));
            }
            if request.resources.memory.get() > 0 {
                items.push(format!("memory={}", request.resources.memory));
            }
            let extra = request.extra.iter().filter(|(_, amount)| *amount > 0);
            items.extend(extra.map(|(name, amount)| format!("{name}={amount}")));
            Ok(items)
        }
    }
}

/// `scheduler/RULES.md` §4: the names of the filters.
fn name(filter: Filter) -> &'static str {
    match filter {
        Filter::Health => "health",
        Filter::Port => "port",
        Filter::ContainerSlots => "containerslots",
        Filter::Dependency => "dependency",
        Filter::Affinity => "affinity",
        Filter::Constraint => "constraint",
        Filter::Whitelist => "whitelist",
        Filter::Resources => "resources",
    }
}
