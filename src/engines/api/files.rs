//! Requests about files: archives of containers and images.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answered, Ask, Reply};
use crate::docker::Timestamp;
use crate::docker::json::{self, Map};
use crate::engines::model::files::{Files, FilesError, Kind, Node, base, normal};
use crate::engines::model::image::ImageRecord;
use crate::engines::model::{Model, Refusal};
use std::sync::Arc;

/// Bits of a mode as Go has them.
const DIRECTORY: u32 = 1 << 31;
const LINK: u32 = 1 << 27;

impl From<FilesError> for Refusal {
    fn from(error: FilesError) -> Refusal {
        let status = match error {
            FilesError::Archive(_) | FilesError::NotDirectory(_) => 400,
            FilesError::TooLarge => 507,
        };
        Refusal::new(status, error.to_string())
    }
}

/// `GET`, `HEAD` and `PUT /containers/ID/archive`.
pub(super) fn archive(model: &mut Model, ask: &Ask, method: &str, id: &str) -> Answered {
    let path = ask.parameter("path");
    if path.is_empty() {
        return Err(Refusal::new(400, "bad parameter: path cannot be empty"));
    }
    let name = model.containers[id].name.clone();
    let missing = || Refusal::new(404, format!("Could not find the file {path} in container {name}"));
    let files = model.files_of(id);
    let node = files.get(path).ok_or_else(missing)?;
    match method {
        "GET" => {
            // Of what is only asked about, nothing is packed.
            let body = match ask.method.as_str() {
                "HEAD" => Vec::new(),
                _ => packed(&files, path)?,
            };
            Ok(Reply::File {
                kind: "application/x-tar",
                stat: Some(stat(path, &node)),
                body: body.into(),
            })
        }
        "PUT" => {
            if node.kind != Kind::Directory {
                return Err(Refusal::new(400, "extraction point is not a directory"));
            }
            let mut files = files;
            Arc::make_mut(&mut files).unpack(path, uncompressed(&ask.body)?)?;
            model.set_files(id, files);
            model.tell_of(id, "extract-to-dir", &[("path", path.to_owned())]);
            Ok(Reply::Empty(200))
        }
        _ => Err(super::not_found()),
    }
}

/// `GET /containers/ID/export`.
pub(super) fn export(model: &mut Model, id: &str) -> Answered {
    let body = packed(&model.files_of(id), "/")?;
    model.tell_of(id, "export", &[]);
    Ok(Reply::File {
        kind: "application/octet-stream",
        stat: None,
        body: body.into(),
    })
}

/// `GET /containers/ID/changes`.
pub(super) fn changes(model: &Model, id: &str) -> Value {
    let container = &model.containers[id];
    let image = model.image(&container.image_id).and_then(|image| image.files.clone());
    let (here, before) = (model.files_of(id), image.unwrap_or_else(Files::usual));
    let changes = here.changes(&before);
    let shown: Vec<Value> = changes
        .into_iter()
        .map(|(path, kind)| json!({ "Path": path, "Kind": kind }))
        .collect();
    match shown.is_empty() {
        true => Value::Null,
        false => shown.into(),
    }
}

fn packed(files: &Files, path: &str) -> Result<Vec<u8>, Refusal> {
    let packed = files.pack(path).unwrap_or_else(|| Ok(Vec::new()));
    packed.map_err(|error| Refusal::new(500, format!("the files cannot be packed: {error}")))
}

/// What a path is, for the header of an answer.
fn stat(path: &str, node: &Node) -> String {
    let (bits, link) = match &node.kind {
        Kind::Directory => (DIRECTORY, ""),
        Kind::Link(target) => (LINK, target.as_str()),
        Kind::File(_) => (0, ""),
    };
    let modified = i64::try_from(node.modified).unwrap_or(i64::MAX);
    let stat = json!({
        "name": base(&normal(path)), "size": node.size(), "mode": bits | node.mode,
        "mtime": Timestamp::from_seconds(modified).to_seconds_text(), "linkTarget": link,
    });
    STANDARD.encode(stat.to_string())
}

/// An archive that is not compressed.
pub(super) fn uncompressed(body: &Bytes) -> Result<&[u8], Refusal> {
    let compressed = [&b"\x1f\x8b"[..], b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"];
    match compressed.iter().any(|magic| body.starts_with(magic)) {
        true => Err(Refusal::new(501, "simulated engines read no compressed archives")),
        false => Ok(body),
    }
}

/// The archive of some images, as `docker save` has it.
pub(super) fn save(model: &Model, names: &[String]) -> Answered {
    let mut archive = Files::empty();
    let mut manifest = Vec::new();
    for name in names {
        let Some(image) = model.image(name) else {
            return Err(Refusal::new(404, format!("No such image: {name}")));
        };
        let layer = packed(&image.files.clone().unwrap_or_else(Files::usual), "/")?;
        let digits = image.id.trim_start_matches("sha256:");
        let digest = crate::engines::model::hash_bytes(&layer);
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": { "Cmd": ["sh"], "Labels": image.labels },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
        });
        archive.put(&format!("{digits}.json"), Node::file(config.to_string().into_bytes()))?;
        archive.put(&format!("{digest}/layer.tar"), Node::file(layer))?;
        manifest.push(json!({
            "Config": format!("{digits}.json"), "RepoTags": image.tags, "Layers": [format!("{digest}/layer.tar")],
        }));
    }
    let manifest = Value::from(manifest).to_string().into_bytes();
    archive.put("manifest.json", Node::file(manifest))?;
    Ok(Reply::File {
        kind: "application/x-tar",
        stat: None,
        body: packed(&archive, "/")?.into(),
    })
}

/// `POST /images/load`: the images of an archive that `docker save` has made, here or elsewhere.
pub(super) fn load(model: &mut Model, ask: &Ask) -> Answered {
    let mut archive = Files::empty();
    archive.unpack("/", uncompressed(&ask.body)?)?;
    let content = |path: &str| match archive.get(path).map(|node| node.kind) {
        Some(Kind::File(bytes)) => Some(bytes),
        _ => None,
    };
    let manifest =
        content("manifest.json").ok_or_else(|| Refusal::new(400, "there is no manifest.json in the archive"))?;
    let manifest: Vec<Map> = serde_json::from_slice(&manifest).map_err(|error| {
        Refusal::new(
            400,
            format!("the manifest.json in the archive is no list of images: {error}"),
        )
    })?;
    let mut told = String::new();
    for entry in &manifest {
        let mut files = Files::default();
        for layer in json::texts(entry, "Layers") {
            files.unpack("/", uncompressed(&content(layer).unwrap_or_default().into())?)?;
        }
        let config = normal(json::text(entry, "Config"));
        let config = base(&config).trim_end_matches(".json").to_owned();
        let is_id = config.len() == 64 && config.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = if is_id { config } else { files.digest() };
        let tags: Vec<String> = json::texts(entry, "RepoTags").map(str::to_owned).collect();
        let id = model.add_image(&id, &tags, Arc::new(files), Default::default(), "load");
        let shown = match tags.as_slice() {
            [] => vec![format!("Loaded image ID: {id}\n")],
            tags => tags.iter().map(|tag| format!("Loaded image: {tag}\n")).collect(),
        };
        told.extend(
            shown
                .into_iter()
                .map(|text| json!({ "stream": text }).to_string() + "\n"),
        );
    }
    Ok(Reply::File {
        kind: "application/json",
        stat: None,
        body: told.into(),
    })
}

/// `POST /commit`: the files of a container as an image.
pub(super) fn commit(model: &mut Model, ask: &Ask) -> Answered {
    let id = model.find(ask.parameter("container"))?;
    let files = model.files_of(&id);
    let labels = model
        .image(&model.containers[&id].image_id)
        .map(|image: &ImageRecord| image.labels.clone());
    let tags = match (ask.parameter("repo"), ask.parameter("tag")) {
        ("", _) => Vec::new(),
        (repo, "") => vec![repo.to_owned()],
        (repo, tag) => vec![format!("{repo}:{tag}")],
    };
    let seed = format!("commit/{id}/{}/{}", files.digest(), model.now().0);
    let image = model.add_image(
        &crate::engines::model::hash(&seed),
        &tags,
        files,
        labels.unwrap_or_default(),
        "tag",
    );
    model.tell_of(&id, "commit", &[("comment", ask.parameter("comment").to_owned())]);
    Ok(Reply::Json(201, json!({ "Id": image })))
}
