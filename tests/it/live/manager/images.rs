//! Images (`manager/API.md` §11, 20 to 25; `scheduler/RULES.md` §15, 26).

use hyper::Method;
use serde_json::{Value, json};

use super::engine::Engine;
use super::{Swarm, until};
use swarmlab::docker::path;

async fn two() -> (Engine, Engine) {
    (Engine::start("node-0").await, Engine::start("node-1").await)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// `manager/API.md` §11, 20.
#[tokio::test]
async fn a_pull_goes_to_all_engines() {
    let (a, b) = two().await;
    for engine in [&a, &b] {
        engine.world().registry.push("alpine:3".to_owned());
    }
    let swarm = Swarm::of(&[&a, &b]).await;
    let pulled = swarm
        .ask(Method::POST, "/images/create?fromImage=alpine&tag=3", None)
        .await
        .expect(200);
    let told = lines(pulled.text());
    for name in ["node-0", "node-1"] {
        assert!(told.iter().filter(|line| line["id"] == name).count() >= 2, "{told:?}");
    }
    assert!(told.iter().all(|line| line.get("error").is_none()));
    assert!(a.world().images.len() == 2 && b.world().images.len() == 2);
}

/// What fails in the middle is introduced as what failed, and what an engine refuses as the engine's answer.
#[tokio::test]
async fn failures_of_images_begin_as_ever() {
    let engine = Engine::start("node-0").await;
    engine.world().registry.push("broken".to_owned());
    let swarm = Swarm::of(&[&engine]).await;
    for (path, doing, error) in [
        (
            "/images/create?fromImage=nothing&tag=1",
            "Pulling nothing:1...",
            "Failed to load nothing:1: repository does not exist",
        ),
        (
            "/images/create?fromImage=denied&tag=1",
            "Pulling denied:1...",
            "Error response from daemon: pull access denied for denied",
        ),
        (
            "/images/load",
            "Loading Image...",
            "Failed to load image: unexpected EOF",
        ),
    ] {
        let failed = swarm.ask(Method::POST, path, None).await.expect(200);
        let told = lines(failed.text());
        let status = format!("{doing} : {error}");
        assert!(told.iter().any(|line| line["status"] == status.as_str()), "{told:?}");
        let last = told.last().expect("a line");
        assert_eq!(last["error"], error, "{last}");
    }
}

/// `manager/API.md` §11, 21 and 22.
#[tokio::test]
async fn an_image_is_listed_once_with_all_its_names() {
    let (a, b) = two().await;
    b.world().images[0].1 = vec!["other:1".to_owned()];
    let swarm = Swarm::of(&[&a, &b]).await;
    let listed = swarm.get("/images/json").await.expect(200).json();
    assert_eq!(listed.as_array().expect("a list").len(), 1);
    assert_eq!(listed[0]["RepoTags"], json!(["busybox:latest", "other:1"]));
    let with = |filters: Value| format!("/images/json{}", path::query(&[("filters", &filters.to_string())]));
    let listed = swarm.get(&with(json!({ "node": ["node-0"] }))).await.expect(200).json();
    assert_eq!(listed[0]["RepoTags"], json!(["busybox:latest"]));
    assert_eq!(swarm.get(&with(json!({ "dangling": ["x"] }))).await.failure().0, 400);
    let unknown = swarm.get(&with(json!({ "since": ["nothing"] }))).await.failure();
    assert_eq!(
        unknown,
        (
            400,
            "Invalid filter: 'type'='since': no such image found: 'nothing'".to_owned()
        )
    );
}

/// `manager/API.md` §11, 23, 24 and 25.
#[tokio::test]
async fn images_are_saved_tagged_removed_and_loaded() {
    let (a, b) = two().await;
    a.world()
        .images
        .push(("sha256:a1".to_owned(), vec!["only-a:latest".to_owned()]));
    b.world()
        .images
        .push(("sha256:b1".to_owned(), vec!["only-b:latest".to_owned()]));
    let swarm = Swarm::of(&[&a, &b]).await;
    let nowhere = swarm.get("/images/get?names=only-a&names=only-b").await.failure();
    let text = "Unable to find a healthy engine containing all images: [only-a only-b]";
    assert_eq!(nowhere, (404, text.to_owned()));
    swarm
        .ask(Method::POST, "/images/busybox:latest/tag?repo=mine&tag=1", None)
        .await
        .expect(201);
    for engine in [&a, &b] {
        assert!(engine.world().images[0].1.contains(&"mine:1".to_owned()));
    }
    let listed = swarm.get("/images/json").await.expect(200).json();
    assert!(listed.to_string().contains("mine:1"));
    assert_eq!(
        swarm.delete("/images/bus").await.failure(),
        (404, "No such image bus".to_owned())
    );
    swarm.delete("/images/busybox").await.expect(200);
    assert!(a.world().images.len() == 1 && b.world().images.len() == 1);
    swarm.post("/images/load", &json!("an archive")).await.expect(200);
    for engine in [&a, &b] {
        assert!(engine.world().images.iter().any(|(_, tags)| tags == &["loaded:latest"]));
        assert_eq!(engine.last("/images/load").expect("a request").body, "\"an archive\"");
    }
}

#[tokio::test]
async fn any_living_holder_answers_for_an_image() {
    let (mut a, b) = two().await;
    let swarm = Swarm::tuned(&[&a, &b], |options| {
        options.refresh_min = std::time::Duration::from_secs(3600);
        options.refresh_max = std::time::Duration::from_secs(3600);
    })
    .await;
    a.kill().await;
    for _ in 0..60 {
        let inspected = swarm.get("/images/busybox/json").await.expect(200).json();
        assert_eq!(inspected["On"], "node-1");
    }
}

/// `scheduler/RULES.md` §15, 26.
#[tokio::test]
async fn a_create_goes_to_the_image_if_that_cannot_come() {
    let (a, b) = two().await;
    a.world()
        .images
        .push(("sha256:a1".to_owned(), vec!["app:1".to_owned()]));
    let swarm = Swarm::of(&[&a, &b]).await;
    let body = |constraint: &str| json!({ "Image": "app:1", "Env": [constraint] });
    let id = swarm.create("soft", &body("constraint:node==~node-1")).await;
    let created = a.world().containers[&id].clone();
    assert!(
        !created.body["Labels"].to_string().contains("image=="),
        "{}",
        created.body
    );
    let (status, message) = swarm
        .post("/containers/create?name=hard", &body("constraint:node==node-1"))
        .await
        .failure();
    assert!(
        status == 500 && message.contains("repository does not exist"),
        "{message}"
    );
    // Room that was kept for it is free again.
    until("nothing is kept", async || {
        (swarm.get("/info").await.json()["Containers"] == 1).then_some(())
    })
    .await;
    b.world().registry.push("app:1".to_owned());
    swarm.create("hard", &body("constraint:node==node-1")).await;
    assert!(b.world().named("hard").is_some());
}
