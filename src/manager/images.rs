//! Images of all engines as if they were one daemon's (`manager/API.md` §5).

use std::collections::HashMap;
use std::sync::Arc;

use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::Manager;
use super::answer::{Answer, Failure, bare, json_answer};
use super::proxy::{self, whole_target};
use super::server::Call;
use super::state::{EngineId, State};
use crate::docker::{CallError, Daemon, FilteredImage, ImageFilters, Map, ShownNames, Timestamp, json, path};
use crate::net;

/// What an image without tags is called.
const NO_TAG: &str = "<none>:<none>";
const NO_DIGEST: &str = "<none>@<none>";
/// Clients below this version filter by `filter`.
const REFERENCE_SINCE: (u32, u32) = (1, 28);

/// `GET /images/json`.
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let deprecated = call.matched.version.is_none_or(|version| version < REFERENCE_SINCE);
    let deprecated = if deprecated { call.parameter("filter") } else { "" };
    let filters = ImageFilters::new(call.filters()?, &["node"], deprecated)?;
    // The original shows images without names to those only who ask for them.
    let all = call.flag("all");
    let nameless = all || filters.minds_names();
    let mut listed = call.manager.keeper.with(|state| {
        let before = bound(state, &filters, "before")?;
        let since = bound(state, &filters, "since")?;
        let mut merged: Vec<Map> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (_, engine) in state.validated() {
            let on_node = |value: &str| value == engine.name() || value == engine.id();
            if filters.has("node") && !filters.values("node").any(on_node) {
                continue;
            }
            let parents = engine.parents();
            for image in &engine.images {
                let (id, created) = (image.facts.id.as_str(), image.facts.created);
                let seen = FilteredImage {
                    tags: &image.facts.repo_tags,
                    digests: &image.facts.repo_digests,
                    labels: &image.facts.labels,
                    is_parent: parents.contains(id),
                };
                let in_time = before.is_none_or(|bound| created < bound) && since.is_none_or(|bound| created > bound);
                let Some(names) = filters.names(&seen, all).filter(|_| in_time) else {
                    continue;
                };
                if names.is_empty() && !nameless {
                    continue;
                }
                let place = *places.entry(id).or_insert_with(|| {
                    let mut fresh = image.listed.clone();
                    json::set(&mut fresh, "RepoTags", Vec::<String>::new());
                    json::set(&mut fresh, "RepoDigests", Vec::<String>::new());
                    merged.push(fresh);
                    merged.len() - 1
                });
                add_names(&mut merged[place], &names);
            }
        }
        Ok::<_, Failure>(merged)
    })?;
    for image in &mut listed {
        if json::list(image, "RepoTags").is_empty() && json::list(image, "RepoDigests").is_empty() {
            json::set(image, "RepoTags", vec![NO_TAG.to_owned()]);
            json::set(image, "RepoDigests", vec![NO_DIGEST.to_owned()]);
        }
    }
    listed.sort_by_key(|image| std::cmp::Reverse(json::number(image, "Created").unwrap_or(0)));
    Ok(json_answer(&listed))
}

/// When the image that bounds a list was made.
fn bound(state: &State, filters: &ImageFilters, name: &str) -> Result<Option<Option<Timestamp>>, Failure> {
    let mut values = filters.values(name);
    let Some(query) = values.next() else { return Ok(None) };
    let meant = state.validated().find_map(|(_, engine)| engine.image(query));
    let holders = state.holders(query, false);
    let meant = meant.or_else(|| holders.first().map(|(_, _, image)| *image));
    match meant.filter(|_| values.next().is_none()) {
        Some(image) => Ok(Some(image.facts.created)),
        None => Err(Failure::bad_request(format!(
            "Invalid filter: 'type'='{name}': no such image found: '{query}'"
        ))),
    }
}

/// Adds the names that an image has on one engine to those that it has on others.
fn add_names(merged: &mut Map, names: &ShownNames<'_>) {
    for (key, names) in [("RepoTags", &names.tags), ("RepoDigests", &names.digests)] {
        let mut all: Vec<String> = json::texts(merged, key).map(str::to_owned).collect();
        for name in names {
            if !all.iter().any(|known| known == name) {
                all.push((*name).to_owned());
            }
        }
        json::set(merged, key, all);
    }
}

/// Whoever can answer: those who hold an image, the likeliest first.
type Holders = Vec<(EngineId, Daemon)>;

fn holders(manager: &Manager, query: &str, mind_tag: bool) -> Holders {
    manager.keeper.with(|state| {
        let holders = state.holders(query, mind_tag).into_iter();
        holders.map(|(id, engine, _)| (id, engine.daemon.clone())).collect()
    })
}

/// `GET /images/{n}/json` and `/history`.
pub(super) async fn proxy(call: Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    let holders = holders(&call.manager, name, true);
    if holders.is_empty() {
        return Err(Failure::not_found(format!("No such image: {name}")));
    }
    from_any(&call, holders).await
}

/// `GET /images/{n}/get`.
pub(super) async fn save(call: Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    let holders = holders(&call.manager, name, name.contains(':'));
    if holders.is_empty() {
        return Err(Failure::not_found(format!("No such image: {name}")));
    }
    from_any(&call, holders).await
}

/// `GET /images/get?names=…`.
pub(super) async fn save_several(call: Call) -> Result<Answer, Failure> {
    let names: Vec<&str> = call
        .query
        .iter()
        .filter(|(key, _)| key == "names")
        .map(|(_, name)| name.as_str())
        .collect();
    let holders: Holders = call.manager.keeper.with(|state| {
        let healthy = state.validated().filter(|(_, engine)| engine.is_healthy());
        let holds = |engine: &super::state::Engine, name: &str| {
            let query = if name.contains(':') {
                name
            } else {
                crate::cluster::repository(name)
            };
            engine.images.iter().any(|held| held.image.matches(query))
        };
        healthy
            .filter(|(_, engine)| names.iter().all(|name| holds(engine, name)))
            .map(|(id, engine)| (id, engine.daemon.clone()))
            .collect()
    });
    if holders.is_empty() {
        return Err(Failure::not_found(format!(
            "Unable to find a healthy engine containing all images: [{}]",
            names.join(" ")
        )));
    }
    from_any(&call, holders).await
}

/// `GET /images/search` and `POST /auth`: any engine will do.
pub(super) async fn anywhere(mut call: Call) -> Result<Answer, Failure> {
    let (engine, daemon) = call.manager.any_engine()?;
    let body = call.body().await?;
    let target = whole_target(call.request.uri());
    let mut request = Request::builder()
        .method(call.request.method().clone())
        .uri(target)
        .body(net::full(body))
        .map_err(|error| Failure::bad_request(error.to_string()))?;
    *request.headers_mut() = call.request.headers().clone();
    proxy::send_on(&call.manager, request, engine, &daemon).await
}

/// Asks one after the other until one can be reached.
async fn from_any(call: &Call, holders: Holders) -> Result<Answer, Failure> {
    let target = whole_target(call.request.uri());
    let mut last = Failure::internal("no engine could be asked");
    for (engine, daemon) in holders {
        let request = repeated(call.request.method(), &target, call.request.headers())?;
        match proxy::send_on(&call.manager, request, engine, &daemon).await {
            // One that has lost the image meanwhile does not speak for the others.
            Ok(answer) if answer.status() == StatusCode::NOT_FOUND => {
                last = Failure::not_found(format!("No such image: {}", call.matched.name));
            }
            Ok(answer) => return Ok(answer),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// A request without body, once more.
fn repeated(method: &Method, target: &str, headers: &HeaderMap) -> Result<Request<net::Body>, Failure> {
    let mut request = Request::builder()
        .method(method.clone())
        .uri(target)
        .body(net::empty())
        .map_err(|error| Failure::bad_request(format!("{target} is no target of a request: {error}")))?;
    *request.headers_mut() = headers.clone();
    for name in [hyper::header::CONTENT_LENGTH, hyper::header::TRANSFER_ENCODING] {
        request.headers_mut().remove(name);
    }
    Ok(request)
}

/// `POST /images/{n}/push`.
pub(super) async fn push(call: Call) -> Result<Answer, Failure> {
    let image = match call.parameter("tag") {
        "" => call.matched.name.clone(),
        tag => format!("{}:{tag}", call.matched.name),
    };
    let holders = holders(&call.manager, &image, true);
    if holders.is_empty() {
        return Err(Failure::not_found(format!("No such image: {image}")));
    }
    from_any(&call, holders).await
}

/// `POST /images/{n}/tag`: on every engine that has the image.
pub(super) async fn tag(call: Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    let tagged = on_every_holder(&call.manager, name, |daemon| {
        let query = path::query(&[("repo", call.parameter("repo")), ("tag", call.parameter("tag"))]);
        let target = format!("{}{query}", path::path(&["images", name, "tag"]));
        async move { daemon.call(Method::POST, &target, None).await.map(drop) }
    })
    .await;
    if tagged.is_empty() {
        return Err(Failure::not_found(format!("No such image: {name}")));
    }
    faults_of(tagged)?;
    Ok(bare(StatusCode::CREATED))
}

/// `DELETE /images/{n}`: on every engine that has the image.
pub(super) async fn remove(call: Call) -> Result<Answer, Failure> {
    let name = &call.matched.name;
    let flags: Vec<(&str, &str)> = ["force", "noprune"]
        .into_iter()
        .filter(|flag| call.flag(flag))
        .map(|flag| (flag, "1"))
        .collect();
    let target = format!("{}{}", path::path(&["images", name]), path::query(&flags));
    let removed = on_every_holder(&call.manager, name, |daemon| {
        let target = target.clone();
        async move {
            let answer = daemon.call(Method::DELETE, &target, None).await?;
            serde_json::from_slice::<Vec<Value>>(&answer.body)
                .map_err(|error| CallError::Garbled(format!("{}: {error}", daemon.address())))
        }
    })
    .await;
    if removed.is_empty() {
        return Err(Failure::not_found(format!("No such image {name}")));
    }
    let removed: Vec<Value> = faults_of(removed)?.into_iter().flatten().collect();
    Ok(json_answer(&removed))
}

/// What came of the same call to several engines, with their names.
pub(super) type Outcomes<T> = Vec<(String, Result<T, CallError>)>;

/// Makes the same call to every engine that has an image, at the same time, and reloads their lists of images.
async fn on_every_holder<T, F>(manager: &Arc<Manager>, image: &str, call: impl Fn(Daemon) -> F) -> Outcomes<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CallError>> + Send + 'static,
{
    let holders: Vec<(EngineId, String, Daemon)> = manager.keeper.with(|state| {
        let holders = state.holders(image, true).into_iter();
        holders
            .map(|(id, engine, _)| (id, engine.name().to_owned(), engine.daemon.clone()))
            .collect()
    });
    let mut calls = tokio::task::JoinSet::new();
    for (id, name, daemon) in holders {
        let made = call(daemon.clone());
        let manager = Arc::clone(manager);
        calls.spawn(async move {
            let outcome = manager.noted(id, made).await;
            manager.refresh_images(id, &daemon).await;
            (name, outcome)
        });
    }
    let mut outcomes = calls.join_all().await;
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    outcomes
}

/// The results, or what every engine that failed says, line by line.
pub(super) fn faults_of<T>(outcomes: Outcomes<T>) -> Result<Vec<T>, Failure> {
    let mut results = Vec::new();
    let mut faults = Vec::new();
    for (engine, outcome) in outcomes {
        match outcome {
            Ok(result) => results.push(result),
            Err(error) => faults.push((engine, error)),
        }
    }
    if faults.is_empty() {
        return Ok(results);
    }
    // If all say the same, such as that it is in use, clients can tell what it is from the status.
    let statuses: Vec<Option<u16>> = faults.iter().map(|(_, error)| error.status()).collect();
    let same = statuses[0].filter(|first| results.is_empty() && statuses.iter().all(|status| *status == Some(*first)));
    let status = same
        .filter(|status| matches!(*status, 400 | 409))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let lines: Vec<String> = faults
        .iter()
        .map(|(engine, error)| format!("{engine}: {}", error.told()))
        .collect();
    Err(Failure::new(status, lines.join("\n")))
}

impl Manager {
    /// An engine for what any can do: the one that the scheduler would give a container that asks for nothing.
    pub(super) fn any_engine(&self) -> Result<(EngineId, Daemon), Failure> {
        let found = self.keeper.with(|state| state.any_engine());
        found.map_err(Failure::internal)
    }
}
