//! Where a container's configuration refers to other containers, and how these references are altered when the others
//! get new IDs.
//!
//! Daemons turn the name in `container:NAME` into an ID when they create a container, and clients such as Compose send
//! IDs from the start. Whoever creates a container anew elsewhere must therefore take its references along.

use std::collections::HashMap;

use serde_json::Value;

use crate::docker::{Map, json};
use crate::model::Request;
use crate::scheduler::{Expression, Operator, Strict};

/// How one container refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    Network,
    Ipc,
    Pid,
    Cgroup,
    /// `--volumes-from`.
    Volumes,
    Link,
    /// A hard affinity to exactly this container.
    Affinity,
}

impl Tie {
    /// What a container does that refers to another one so: the verb in front of that one's name.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Tie::Network => "shares the network of",
            Tie::Ipc => "shares the IPC namespace of",
            Tie::Pid => "shares the process namespace of",
            Tie::Cgroup => "shares the control group of",
            Tie::Volumes => "mounts the volumes of",
            Tie::Link => "is linked to",
            Tie::Affinity => "has an affinity to",
        }
    }

    /// Whether a container cannot be started without the other one.
    pub(super) fn is_needed_to_start(self) -> bool {
        !matches!(self, Tie::Volumes | Tie::Affinity)
    }
}

/// Fields of `HostConfig` that are `container:NAME` if something is shared with another container.
const MODES: [(&str, Tie); 4] = [
    ("NetworkMode", Tie::Network),
    ("IpcMode", Tie::Ipc),
    ("PidMode", Tie::Pid),
    ("Cgroup", Tie::Cgroup),
];

/// A reference to another container, which must be on the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub tie: Tie,
    /// The other container's name, ID, or the beginning of its ID, as written; without a slash in front.
    pub target: Box<str>,
}

/// What takes the place of a target.
#[derive(Clone, Debug)]
pub(super) struct Replacement {
    /// Another ID, or a name.
    pub by: String,
    /// Whether the target was written as a name, which goes on being right where daemons keep names.
    pub was_name: bool,
}

/// References to containers as they are written, and what takes their place.
pub(super) type Replacements = HashMap<String, Replacement>;

/// The references of a container as its daemon describes it, whose request this is.
pub(super) fn of(inspected: &Map, request: &Request) -> Box<[Reference]> {
    let mut found = Vec::new();
    let mut add = |tie, target: &str| {
        let target = bare(target);
        if !target.is_empty() {
            found.push(Reference {
                tie,
                target: target.into(),
            });
        }
    };
    if let Some(host) = json::map(inspected, "HostConfig") {
        for (key, tie) in MODES {
            if let Some(target) = json::text(host, key).strip_prefix("container:") {
                add(tie, target);
            }
        }
        json::texts(host, "VolumesFrom").for_each(|text| add(Tie::Volumes, before_colon(text)));
        json::texts(host, "Links").for_each(|text| add(Tie::Link, before_colon(text)));
    }
    let endpoints = json::at(inspected, &["NetworkSettings", "Networks"]).and_then(Value::as_object);
    for endpoint in endpoints.into_iter().flat_map(Map::values).filter_map(Value::as_object) {
        json::texts(endpoint, "Links").for_each(|text| add(Tie::Link, before_colon(text)));
    }
    for affinity in &request.affinities {
        if let Some(expression) = exact(affinity).filter(|it| it.operator() == Operator::Equal && !it.is_soft()) {
            add(Tie::Affinity, expression.value());
        }
    }
    found.into()
}

/// Alters the references in the body of a create request. Its expressions are not part of it.
pub(super) fn rewrite(body: &mut Map, replacements: &Replacements) {
    if replacements.is_empty() {
        return;
    }
    if json::map(body, "HostConfig").is_some() {
        let host = json::map_mut(body, "HostConfig");
        for (key, _) in MODES {
            let target = json::text(host, key).strip_prefix("container:");
            if let Some(new) = target.and_then(|target| replacements.get(bare(target))) {
                // Daemons make an ID of a name here themselves.
                let mode = format!("container:{}", new.by);
                json::set(host, key, mode);
            }
        }
        rewrite_list(host, "VolumesFrom", replacements);
        rewrite_list(host, "Links", replacements);
    }
    if json::at(body, &["NetworkingConfig", "EndpointsConfig"]).is_some() {
        let endpoints = json::map_mut(json::map_mut(body, "NetworkingConfig"), "EndpointsConfig");
        for endpoint in endpoints.values_mut().filter_map(Value::as_object_mut) {
            rewrite_list(endpoint, "Links", replacements);
        }
    }
}

/// Alters the containers that the entries of a list begin with, such as `NAME:ro`.
pub(super) fn rewrite_list(map: &mut Map, key: &str, replacements: &Replacements) {
    let Some(Value::Array(entries)) = json::get_mut(map, key) else {
        return;
    };
    for entry in entries {
        let Some(text) = entry.as_str() else { continue };
        let target = before_colon(text);
        let Some(new) = replacements.get(bare(target)).filter(|new| !new.was_name) else {
            continue;
        };
        let slash = if target.starts_with('/') { "/" } else { "" };
        *entry = Value::from(format!("{slash}{}{}", new.by, &text[target.len()..]));
    }
}

/// An affinity with another container in place of the one that it is to; `None` if it stays.
pub(super) fn rewrite_affinity(affinity: &str, replacements: &Replacements) -> Option<String> {
    let expression = exact(affinity)?;
    let new = replacements.get(bare(expression.value())).filter(|new| !new.was_name)?;
    Some(format!("{}{}", affinity.strip_suffix(expression.value())?, new.by))
}

/// A request without its references to some containers: what is left of it to decide once they are where it goes.
pub(super) fn without(request: &Request, is_there: impl Fn(&str) -> bool) -> Request {
    let mut request = request.clone();
    let is_there = |text: &str| is_there(bare(before_colon(text)));
    request.volumes_from.retain(|text| !is_there(text));
    request.links.retain(|text| !is_there(text));
    if request.network_mode.strip_prefix("container:").is_some_and(is_there) {
        request.network_mode.clear();
    }
    request
        .affinities
        .retain(|affinity| exact(affinity).is_none_or(|expression| !is_there(expression.value())));
    request
}

/// An expression about one container, as opposed to a pattern.
fn exact(affinity: &str) -> Option<Expression> {
    let expression = Expression::parse(affinity, Strict::default()).ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    let is_exact = expression.key() == "container" && expression.value().chars().all(is_plain);
    is_exact.then_some(expression)
}

fn before_colon(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

fn bare(target: &str) -> &str {
    target.strip_prefix('/').unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map {
        value.as_object().cloned().expect("an object")
    }

    fn replacements(all: &[(&str, &str, bool)]) -> Replacements {
        let all = all.iter().map(|(target, by, was_name)| {
            let new = Replacement {
                by: (*by).to_owned(),
                was_name: *was_name,
            };
            ((*target).to_owned(), new)
        });
        all.collect()
    }

    #[test]
    fn every_place_is_found_where_a_container_can_be_referred_to() {
        let inspected = map(json!({
            "HostConfig": {
                "NetworkMode": "container:n", "IpcMode": "container:/i", "PidMode": "container:p", "Cgroup": "container:c",
                "VolumesFrom": ["v:ro", "w"], "Links": ["/l:/own/alias"],
            },
            "NetworkSettings": { "Networks": { "net": { "Links": ["m:alias"] } } },
        }));
        let request = Request {
            affinities: [
                "container==a.1",
                "container==~soft",
                "container!=not",
                "container==any*",
                "image==img",
            ]
            .map(str::to_owned)
            .to_vec(),
            ..Request::default()
        };
        let found: Vec<_> = of(&inspected, &request)
            .iter()
            .map(|reference| (reference.tie, reference.target.to_string()))
            .collect();
        let expected = [
            (Tie::Network, "n"),
            (Tie::Ipc, "i"),
            (Tie::Pid, "p"),
            (Tie::Cgroup, "c"),
            (Tie::Volumes, "v"),
            (Tie::Volumes, "w"),
            (Tie::Link, "l"),
            (Tie::Link, "m"),
            (Tie::Affinity, "a.1"),
        ];
        assert_eq!(found, expected.map(|(tie, target)| (tie, target.to_owned())));
        assert!(
            of(
                &map(json!({ "HostConfig": { "NetworkMode": "bridge" } })),
                &Request::default()
            )
            .is_empty()
        );
    }

    #[test]
    fn new_ids_take_the_place_of_old_ones_and_names_stay_where_daemons_keep_them() {
        let new = replacements(&[("id", "new", false), ("db", "new", true)]);
        let mut body = map(json!({
            "HostConfig": {
                "NetworkMode": "container:db", "PidMode": "container:id", "IpcMode": "shareable",
                "VolumesFrom": ["id:ro", "db", "other:ro"], "Links": ["id:x", "/id:/own/x", "/db:/own/db"],
            },
            "NetworkingConfig": { "EndpointsConfig": { "net": { "Links": ["id:alias"] } } },
        }));
        rewrite(&mut body, &new);
        let expected = json!({
            "HostConfig": {
                "NetworkMode": "container:new", "PidMode": "container:new", "IpcMode": "shareable",
                "VolumesFrom": ["new:ro", "db", "other:ro"], "Links": ["new:x", "/new:/own/x", "/db:/own/db"],
            },
            "NetworkingConfig": { "EndpointsConfig": { "net": { "Links": ["new:alias"] } } },
        });
        assert_eq!(Value::Object(body), expected);
        for (affinity, rewritten) in [
            ("container==id", Some("container==new")),
            ("container!=~id", Some("container!=~new")),
            ("container==db", None),
            ("image==id", None),
        ] {
            assert_eq!(rewrite_affinity(affinity, &new).as_deref(), rewritten, "{affinity}");
        }
    }
}
