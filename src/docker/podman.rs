//! What Podman's Docker-compatible service says in other words than Docker, put into Docker's: a cluster compares what
//! its daemons say, and creates on one what another one described.
//!
//! Observed with Podman 4.3.

use serde_json::Value;

use super::json::{self, Map};

/// How Podman calls itself among the components of its version.
const ENGINE: &str = "Podman Engine";

/// Its name for the network that containers are on unless they say otherwise, which it lists as `bridge`.
const DEFAULT_NETWORK: &str = "podman";

/// Docker's words for how something is mounted. Those for propagation are not among them: Podman tells its own default,
/// which Docker refuses for volumes.
const BIND_MODES: [&str; 5] = ["rw", "ro", "z", "Z", "nocopy"];

/// Whether an answer to `/version` is Podman's.
pub(super) fn is_podman(version: &Map) -> bool {
    json::maps(version, "Components").any(|component| json::text(component, "Name") == ENGINE)
}

/// An entry of the list of containers.
pub(super) fn listed(container: &mut Map) {
    familiarise(container, "Image");
    for port in list_mut(container, "Ports").filter_map(Value::as_object_mut) {
        // It leaves out the address of a port that is published on all of them.
        let is_published = json::number(port, "PublicPort").is_some_and(|public| public > 0);
        if is_published && json::text(port, "IP").is_empty() {
            json::set(port, "IP", "0.0.0.0");
        }
    }
    rename_default_network(container);
}

/// A container in full.
pub(super) fn inspected(container: &mut Map) {
    if let Some(config) = map_mut(container, "Config") {
        familiarise(config, "Image");
    }
    if let Some(host) = map_mut(container, "HostConfig") {
        // What it writes where nothing was asked for. Docker refuses to create a container with it.
        for (key, unasked) in [("Runtime", "oci"), ("PidMode", "private"), ("UTSMode", "private")] {
            if json::text(host, key) == unasked {
                json::set(host, key, "");
            }
        }
    }
    rewrite_binds(container);
    rename_default_network(container);
}

/// Volumes without a name are told as Docker tells them, by their place in the configuration, and the modes of the rest
/// are those that Docker has a word for: Podman adds what it mounts with to what was asked for.
fn rewrite_binds(container: &mut Map) {
    let Some(host) = map_mut(container, "HostConfig").filter(|host| !json::list(host, "Binds").is_empty()) else {
        return;
    };
    let (mut named, mut nameless) = (Vec::new(), Vec::new());
    for bind in json::texts(host, "Binds") {
        let mut parts = bind.splitn(3, ':');
        let (Some(source), Some(place)) = (parts.next(), parts.next()) else {
            named.push(bind.to_owned());
            continue;
        };
        if is_made_up(source) {
            nameless.push(place.to_owned());
            continue;
        }
        let asked = parts.next().unwrap_or_default().split(',');
        let modes: Vec<&str> = asked.filter(|mode| BIND_MODES.contains(mode)).collect();
        let modes = if modes.is_empty() {
            "rw".to_owned()
        } else {
            modes.join(",")
        };
        named.push(format!("{source}:{place}:{modes}"));
    }
    json::set(host, "Binds", named);
    if nameless.is_empty() {
        return;
    }
    if let Some(config) = map_mut(container, "Config") {
        let mut volumes = json::map(config, "Volumes").cloned().unwrap_or_default();
        volumes.extend(nameless.into_iter().map(|place| (place, Value::Object(Map::new()))));
        json::set(config, "Volumes", volumes);
    }
}

/// Whether a volume's name was made up by the daemon because nobody gave one.
fn is_made_up(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An entry of the list of images.
pub(super) fn image(image: &mut Map) {
    for key in ["RepoTags", "RepoDigests"] {
        let mut names: Vec<String> = json::texts(image, key).map(|name| familiar(name).to_owned()).collect();
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        json::set(image, key, names);
    }
}

/// An image's name as people write it. Podman writes names in full: with Docker's registry, or with `localhost` if the
/// image was made on the spot; and understands them without.
fn familiar(name: &str) -> &str {
    ["docker.io/library/", "docker.io/", "localhost/"]
        .iter()
        .find_map(|registry| name.strip_prefix(registry))
        .unwrap_or(name)
}

/// The configuration of a container that is to be created: the default network goes by Podman's name.
pub(super) fn wanted(config: &mut Map) {
    let endpoints = map_mut(config, "NetworkingConfig").and_then(|networking| map_mut(networking, "EndpointsConfig"));
    if let Some(endpoints) = endpoints
        && let Some(endpoint) = endpoints.remove("bridge")
    {
        endpoints.insert(DEFAULT_NETWORK.to_owned(), endpoint);
    }
}

fn familiarise(object: &mut Map, key: &str) {
    let name = familiar(json::text(object, key)).to_owned();
    if !name.is_empty() {
        json::set(object, key, name);
    }
}

fn rename_default_network(container: &mut Map) {
    let networks = map_mut(container, "NetworkSettings").and_then(|settings| map_mut(settings, "Networks"));
    if let Some(networks) = networks
        && let Some(mut endpoint) = networks.remove(DEFAULT_NETWORK)
    {
        // The ID of a network is its name here.
        if let Some(endpoint) = endpoint.as_object_mut()
            && json::text(endpoint, "NetworkID") == DEFAULT_NETWORK
        {
            json::set(endpoint, "NetworkID", "bridge");
        }
        networks.insert("bridge".to_owned(), endpoint);
    }
}

fn map_mut<'a>(object: &'a mut Map, key: &str) -> Option<&'a mut Map> {
    json::get_mut(object, key).and_then(Value::as_object_mut)
}

fn list_mut<'a>(object: &'a mut Map, key: &str) -> impl Iterator<Item = &'a mut Value> {
    json::get_mut(object, key)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put(alter: fn(&mut Map), value: Value) -> Value {
        let mut object = value.as_object().cloned().expect("an object");
        alter(&mut object);
        Value::Object(object)
    }

    #[test]
    fn images_are_called_as_people_call_them() {
        let tags = [
            "localhost/a:1",
            "docker.io/library/a:1",
            "docker.io/b/c:1",
            "quay.io/d:1",
        ];
        let image = put(image, json!({ "RepoTags": tags, "RepoDigests": null }));
        assert_eq!(image["RepoTags"], json!(["a:1", "b/c:1", "quay.io/d:1"]));
    }

    #[test]
    fn a_container_could_be_created_on_docker() {
        let networks = json!({ "podman": { "NetworkID": "podman", "IPAddress": "10.88.0.2" } });
        let told = json!({
            "Config": { "Image": "localhost/a:1" },
            "HostConfig": { "Runtime": "oci", "PidMode": "private", "UTSMode": "private", "IpcMode": "shareable" },
            "NetworkSettings": { "Networks": networks },
        });
        let networks = json!({ "bridge": { "NetworkID": "bridge", "IPAddress": "10.88.0.2" } });
        let expected = json!({
            "Config": { "Image": "a:1" },
            "HostConfig": { "Runtime": "", "PidMode": "", "UTSMode": "", "IpcMode": "shareable" },
            "NetworkSettings": { "Networks": networks },
        });
        assert_eq!(put(inspected, told), expected);
    }

    #[test]
    fn what_is_mounted_is_told_as_it_was_asked_for() {
        let made_up = "0123456789abcdef".repeat(4);
        let binds = json!([
            "data:/data:rw,rprivate,nosuid,nodev,rbind",
            "/etc:/host:ro,rprivate,rbind",
            format!("{made_up}:/scratch:rprivate,rw,nodev"),
        ]);
        let told = put(
            inspected,
            json!({ "Config": { "Image": "a", "Volumes": null }, "HostConfig": { "Binds": binds } }),
        );
        assert_eq!(told["HostConfig"]["Binds"], json!(["data:/data:rw", "/etc:/host:ro"]));
        assert_eq!(told["Config"]["Volumes"], json!({ "/scratch": {} }));
    }

    #[test]
    fn ports_have_addresses() {
        let ports = json!([{ "PrivatePort": 80, "PublicPort": 80 }, { "PrivatePort": 81 }]);
        let listed = put(listed, json!({ "Image": "busybox", "Ports": ports }));
        assert_eq!(listed["Ports"][0]["IP"], json!("0.0.0.0"));
        assert_eq!(listed["Ports"][1]["IP"], Value::Null);
    }

    #[test]
    fn podman_says_who_it_is() {
        let says = |version: Value| is_podman(version.as_object().expect("an object"));
        assert!(says(
            json!({ "Components": [{ "Name": "Podman Engine", "Version": "4.3.1" }] })
        ));
        assert!(!says(
            json!({ "Components": [{ "Name": "Engine", "Version": "28.2.2" }] })
        ));
        assert!(!says(json!({})));
    }
}
