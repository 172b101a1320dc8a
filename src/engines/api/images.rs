//! Requests about images.

use serde_json::{Value, json};

use super::system::pruned;
use super::{Answered, Ask, Reply, files, not_found, show};
use crate::docker::json;
use crate::docker::json::Map;
use crate::docker::{FilteredImage, ImageFilters, PruneFilters, Timestamp};
use crate::engines::follow::Follow;
use crate::engines::model::image::{ImageRecord, tagged};
use crate::engines::model::{Model, Refusal};

pub(super) fn answer(model: &mut Model, ask: &Ask, method: &str, rest: &[&str]) -> Answered {
    let no_image = |name: &str| Refusal::new(404, format!("No such image: {}", tagged(name)));
    match (method, rest) {
        ("GET", ["json"]) => list(model, ask),
        ("GET", ["search"]) => Ok(Reply::Json(200, json!([]))),
        ("POST", ["create"]) => create(model, ask),
        ("POST", ["load"]) => files::load(model, ask),
        ("POST", ["prune"]) => {
            let filters = ask.filters()?;
            let dangling = match filters.contains("dangling") {
                true if filters.equals("dangling", "false") || filters.asks_for("dangling", "0") => false,
                true if !filters.equals("dangling", "true") && !filters.asks_for("dangling", "1") => {
                    return Err(Refusal::new(400, "Invalid filter 'dangling'"));
                }
                _ => true,
            };
            let now = model.date(model.now());
            let filters = PruneFilters::new(filters, &["dangling", "label", "label!", "until"], now)?;
            let built = Timestamp::from_seconds(show::image_created());
            let unused = |image: &&ImageRecord| {
                let used = model
                    .containers
                    .values()
                    .any(|container| container.image_id == image.id);
                image.complete && !used && filters.wants(&image.labels, built) && (!dangling || image.tags.is_empty())
            };
            let gone: Vec<String> = model
                .images
                .iter()
                .filter(unused)
                .map(|image| image.id.clone())
                .collect();
            let mut done: Vec<Map> = Vec::new();
            for id in gone {
                done.extend(model.remove_image(&id, true)?);
            }
            let mut shown = pruned("ImagesDeleted", Vec::new());
            if let Some(shown) = shown.as_object_mut() {
                json::set(shown, "ImagesDeleted", done);
            }
            Ok(Reply::Json(200, shown))
        }
        ("GET", ["get"]) => {
            let names = ask.query.iter().filter(|(key, _)| key == "names");
            let names: Vec<String> = names.map(|(_, name)| name.clone()).collect();
            files::save(model, &names)
        }
        ("GET", [name @ .., "get"]) => files::save(model, &[name.join("/")]),
        ("POST", [.., "push"]) => Err(Refusal::new(501, "simulated engines push images nowhere")),
        // Names of images may have slashes.
        ("GET", [name @ .., "json"]) => {
            let name = name.join("/");
            let image = model.image(&name).ok_or_else(|| no_image(&name))?;
            Ok(Reply::Json(200, show::image_inspected(image)))
        }
        ("GET", [name @ .., "history"]) => {
            let name = name.join("/");
            let image = model.image(&name).ok_or_else(|| no_image(&name))?;
            Ok(Reply::Json(200, history(image)))
        }
        ("POST", [name @ .., "tag"]) => {
            model.tag(&name.join("/"), ask.parameter("repo"), ask.parameter("tag"))?;
            Ok(Reply::Empty(201))
        }
        ("DELETE", [_, ..]) => {
            let done = model.remove_image(&rest.join("/"), ask.flag("force"))?;
            Ok(Reply::Json(200, done.into()))
        }
        _ => Err(not_found()),
    }
}

fn history(image: &ImageRecord) -> Value {
    let entry = |id: &str, by: &str, tags: Value, size: u64| json!({ "Id": id, "Created": show::image_created(), "CreatedBy": by, "Tags": tags, "Size": size, "Comment": "" });
    let mut entries = vec![entry(&image.id, "CMD [\"sh\"]", json!(image.tags), 0)];
    let layers = image.layers.iter().rev();
    entries.extend(layers.map(|layer| entry("<missing>", "ADD file in /", Value::Null, layer.bytes)));
    entries.into()
}

fn list(model: &Model, ask: &Ask) -> Answered {
    let filters = ImageFilters::new(ask.filters()?, &[], ask.parameter("filter"))?;
    for value in filters.values("before").chain(filters.values("since")) {
        if model.image(value).is_none() {
            return Err(Refusal::new(404, format!("No such image: {}", tagged(value))));
        }
    }
    // All images are of the same age, so that none is before or since another.
    if filters.has("before") || filters.has("since") {
        return Ok(Reply::Json(200, json!([])));
    }
    let shown = model.images.iter().filter(|image| image.complete).filter_map(|image| {
        let seen = FilteredImage {
            tags: &image.tags,
            digests: &image.digests,
            labels: &image.labels,
            is_parent: false,
        };
        let names = filters.names(&seen, ask.flag("all"))?;
        Some(show::image_listed(model, image, &names))
    });
    Ok(Reply::Json(200, shown.collect()))
}

fn create(model: &mut Model, ask: &Ask) -> Answered {
    let image = ask.parameter("fromImage");
    if image.is_empty() {
        if ask.parameter("fromSrc").is_empty() {
            return Err(Refusal::new(400, "neither fromImage nor fromSrc is given"));
        }
        let repo = ask.parameter("repo");
        let name = model.load(if repo.is_empty() { "imported" } else { repo });
        let id = model.image(&name).map(|image| image.id.clone());
        return Ok(Reply::Json(200, json!({ "status": id })));
    }
    let reference = match ask.parameter("tag") {
        "" => image.to_owned(),
        digest if digest.contains(':') => format!("{image}@{digest}"),
        tag => format!("{image}:{tag}"),
    };
    let pulling = model.pull(&reference)?;
    let size = model.image(&pulling.reference).map_or(0, |image| image.size);
    let step = pulling.layers.len();
    Ok(Reply::Follow {
        raw: false,
        follow: Box::new(Follow::Pull {
            pulling,
            told: vec![0; step],
            begun: false,
            size,
        }),
    })
}
