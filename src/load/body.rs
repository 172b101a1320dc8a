//! A request of the scheduler as a client of Docker would make it.

use serde_json::{Value, json};

use crate::docker::Map;
use crate::model::Request;
use crate::scheduler::EXPRESSION_KINDS;

/// Labels that simulated engines understand, and others keep.
const CLASS: &str = "swarmlab.class";
const LIFETIME: &str = "swarmlab.lifetime";

/// The body with which such a container is created. A simulated engine lets it live until it is removed.
pub fn create_body(request: &Request, class: &str) -> Value {
    // Expressions are told once, in the environment; in a label as well, they would count twice.
    let is_told = |key: &str| {
        EXPRESSION_KINDS
            .iter()
            .any(|(kind, label)| *kind != "reschedule" && *label == key)
    };
    let mut labels: Map = request
        .labels
        .iter()
        .filter(|(key, _)| !is_told(key))
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect();
    labels.insert(CLASS.to_owned(), class.into());
    labels.insert(LIFETIME.to_owned(), "forever".into());
    let expressions = [
        ("constraint", &request.constraints),
        ("affinity", &request.affinities),
        ("whitelist", &request.whitelists),
    ];
    let env: Vec<String> = expressions
        .into_iter()
        .flat_map(|(kind, texts)| texts.iter().map(move |text| format!("{kind}:{text}")))
        .collect();
    let mut ports = Map::new();
    for binding in &request.port_bindings {
        let own = json!({ "HostIp": binding.host_ip.as_str(), "HostPort": binding.host_port.as_str() });
        match ports.get_mut(binding.container_port.as_str()) {
            Some(Value::Array(list)) => list.push(own),
            _ => {
                ports.insert(binding.container_port.to_string(), json!([own]));
            }
        }
    }
    let exposed = request.exposed_ports.iter().map(|port| (port.clone(), json!({})));
    let exposed = exposed.chain(ports.keys().map(|port| (port.clone(), json!({}))));
    json!({
        "Image": request.image, "Labels": labels, "Env": env, "ExposedPorts": exposed.collect::<Map>(),
        "HostConfig": {
            "NanoCpus": request.resources.cpus.nanos(), "Memory": request.resources.memory.get(), "PortBindings": ports,
            "NetworkMode": request.network_mode, "Links": request.links, "VolumesFrom": request.volumes_from,
        },
    })
}
