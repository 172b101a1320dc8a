//! Images, networks and volumes of the played daemon.

use serde_json::{Map, Value, json};

use super::World;
use crate::live::fake::Reply;

pub fn about_images(world: &mut World, method: &str, rest: &[&str], parameter: &dyn Fn(&str) -> String) -> Reply {
    match (method, rest) {
        ("GET", ["json"]) => {
            let images = world.images.iter().map(|(id, tags)| {
                json!({ "Id": id, "RepoTags": tags, "RepoDigests": [], "Created": 1_700_000_000, "Labels": {} })
            });
            Reply::Json(200, images.collect())
        }
        ("POST", ["create"]) => {
            let image = format!("{}:{}", parameter("fromImage"), parameter("tag"));
            if image.starts_with("denied:") {
                return Reply::Json(404, json!({ "message": "pull access denied for denied" }));
            }
            if !world.registry.contains(&image) {
                let text = "{\"status\":\"Pulling\"}\n{\"error\":\"repository does not exist\",\"errorDetail\":{}}\n";
                return Reply::Text(200, text);
            }
            world.images.push((format!("sha256:{}", image.len()), vec![image]));
            Reply::Text(200, "{\"status\":\"Pulling\"}\n{\"status\":\"Downloaded\"}\n")
        }
        ("POST", ["load"]) => {
            if world.registry.iter().any(|image| image == "broken") {
                return Reply::Text(200, "{\"error\":\"unexpected EOF\",\"errorDetail\":{}}\n");
            }
            world
                .images
                .push(("sha256:10ad".to_owned(), vec!["loaded:latest".to_owned()]));
            Reply::Text(200, "{\"stream\":\"Loaded image: loaded:latest\"}\n")
        }
        ("GET", [_, "json"]) => Reply::Json(200, json!({ "Id": "sha256:b0", "On": world.name })),
        ("POST", [image, "tag"]) => {
            let tag = format!("{}:{}", parameter("repo"), parameter("tag"));
            let named = world
                .images
                .iter_mut()
                .find(|(id, tags)| id == image || tags.iter().any(|own| own == image));
            if let Some((_, tags)) = named {
                tags.push(tag);
            }
            Reply::Text(201, "")
        }
        ("DELETE", [image]) => {
            let image = if image.contains(':') {
                (*image).to_owned()
            } else {
                format!("{image}:latest")
            };
            world.images.retain(|(id, tags)| *id != image && !tags.contains(&image));
            Reply::Json(200, json!([{ "Untagged": image }]))
        }
        _ => Reply::Json(404, json!({ "message": "page not found" })),
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or("")
}

pub fn about_networks(world: &mut World, method: &str, rest: &[&str], body: &Value) -> Reply {
    match (method, rest) {
        ("GET", []) => Reply::Json(200, json!(world.networks)),
        ("POST", ["create"]) => {
            let mut network = body.as_object().cloned().unwrap_or_default();
            let id = format!("{}-{}-network", text(&network, "Name"), world.name);
            let scope = if text(&network, "Driver") == "overlay" {
                "global"
            } else {
                "local"
            };
            network.insert("Id".to_owned(), json!(id));
            network.insert("Scope".to_owned(), json!(scope));
            world.networks.push(network);
            Reply::Json(201, json!({ "Id": id, "Warning": "" }))
        }
        ("GET", [network]) => {
            let is = |known: &&Map<String, Value>| text(known, "Id") == *network || text(known, "Name") == *network;
            match world.networks.iter().find(is) {
                Some(network) => Reply::Json(200, json!(network)),
                None => Reply::Json(404, json!({ "message": format!("network {network} not found") })),
            }
        }
        ("DELETE", [network]) => {
            world.networks.retain(|known| text(known, "Id") != *network);
            Reply::Text(204, "")
        }
        _ => Reply::Text(200, ""),
    }
}

pub fn about_volumes(world: &mut World, method: &str, rest: &[&str], body: &Value) -> Reply {
    match (method, rest) {
        ("GET", []) => Reply::Json(200, json!({ "Volumes": world.volumes, "Warnings": null })),
        ("POST", ["create"]) => {
            let volume = json!({ "Name": body["Name"], "Driver": "local", "Labels": body["Labels"], "Scope": "local" });
            let volume = volume.as_object().expect("an object").clone();
            world.volumes.push(volume.clone());
            Reply::Json(201, json!(volume))
        }
        ("GET", [name]) => match world.volumes.iter().find(|volume| text(volume, "Name") == *name) {
            Some(volume) => Reply::Json(200, json!(volume)),
            None => Reply::Json(404, json!({ "message": "no such volume" })),
        },
        ("DELETE", [name]) => {
            world.volumes.retain(|volume| text(volume, "Name") != *name);
            Reply::Text(204, "")
        }
        _ => Reply::Text(404, ""),
    }
}
