//! Answers that come late: after what they are about has been removed, given to somebody else, or has left the cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use tokio::task::JoinHandle;

use super::engine::{Engine, Mood, Stage};
use super::{Answer, Swarm, options, plain, until, with_env};
use swarmlab::scheduler::Filter;

async fn three() -> [Engine; 3] {
    [
        Engine::start("node-0").await,
        Engine::start("node-1").await,
        Engine::start("node-2").await,
    ]
}

/// Creates a container on a node, in a task of its own.
fn creating(swarm: &Arc<Swarm>, name: &'static str, node: &str) -> JoinHandle<Answer> {
    let swarm = Arc::clone(swarm);
    let body = with_env(&[&format!("constraint:node=={node}")]);
    tokio::spawn(async move { swarm.post(&format!("/containers/create?name={name}"), &body).await })
}

async fn asked(engine: &Engine, text: &str) {
    until(&format!("it is asked for {text}"), async || {
        (engine.asked(text) > 0).then_some(())
    })
    .await;
}

/// A container that an engine has been told to create is seen and removed before the engine answers.
async fn removed_early(swarm: &Arc<Swarm>, engine: &Engine) {
    until("it is seen", async || {
        (swarm.get("/containers/slow/json").await.status == 200).then_some(())
    })
    .await;
    swarm.delete("/containers/slow").await.expect(204);
    assert!(engine.world().named("slow").is_none());
}

/// The discovery's list is a file.
async fn listed(engines: &[&Engine], tune: impl FnOnce(&mut swarmlab::manager::Options)) -> (Swarm, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cluster");
    list(directory.path(), engines);
    let mut options = options(&format!("file://{}", file.display()));
    tune(&mut options);
    let swarm = Swarm::with(options).await;
    for engine in engines {
        swarm.until_status(&engine.authority(), "Healthy").await;
    }
    (swarm, directory)
}

fn list(directory: &Path, engines: &[&Engine]) {
    let lines: Vec<String> = engines.iter().map(|engine| engine.authority() + "\n").collect();
    std::fs::write(directory.join("cluster"), lines.concat()).expect("a file");
}

async fn until_gone(swarm: &Swarm, engine: &Engine) {
    until("it has left", async || {
        swarm.told(&engine.authority()).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_create_that_is_answered_late_does_not_confirm_anothers() {
    let engines = three().await;
    let swarm = Arc::new(Swarm::of(&engines.iter().collect::<Vec<_>>()).await);
    let slow_answer = engines[0].world().hold(Stage::Answer, "create?name=slow");
    let slow = creating(&swarm, "slow", "node-0");
    removed_early(&swarm, &engines[0]).await;
    // This one is given the place of the first, and is still on its way when that is answered.
    let web_request = engines[1].world().hold(Stage::Request, "create?name=web");
    let web = creating(&swarm, "web", "node-1");
    asked(&engines[1], "create?name=web").await;
    slow_answer.send(()).expect("it waits");
    slow.await.expect("an answer").expect(201);
    let lists = engines[0].asked("/containers/json");
    until("the first engine has been refreshed", async || {
        (engines[0].asked("/containers/json") > lists + 2).then_some(())
    })
    .await;
    let again = swarm
        .post("/containers/create?name=web", &with_env(&["constraint:node==node-2"]))
        .await;
    assert_eq!(again.status, 409, "the name is being given: {}", again.text());
    web_request.send(()).expect("it waits");
    web.await.expect("an answer").expect(201);
    assert_eq!(swarm.names("?all=1").await, ["/node-1/web"]);
    assert!(engines[2].world().named("web").is_none());
}

#[tokio::test]
async fn a_create_that_is_cut_off_is_not_answered_with_anothers_container() {
    let engines = three().await;
    let swarm = Arc::new(Swarm::of(&engines.iter().collect::<Vec<_>>()).await);
    let slow_answer = engines[0].world().hold(Stage::Answer, "create?name=slow");
    let slow = creating(&swarm, "slow", "node-0");
    removed_early(&swarm, &engines[0]).await;
    let victim = swarm.create("victim", &with_env(&["constraint:node==node-1"])).await;
    drop(slow_answer);
    let slow = slow.await.expect("an answer");
    assert!(!slow.text().contains(&victim), "{}", slow.text());
    assert_eq!(slow.failure().0, 500);
    assert_eq!(swarm.names("?all=1").await, ["/node-1/victim"]);
}

/// The client has been told that there is no container, so there is none when the engine is back.
#[tokio::test]
async fn a_create_whose_engine_leaves_the_cluster_has_failed() {
    let engines = three().await;
    let all: Vec<&Engine> = engines.iter().collect();
    let (swarm, directory) = listed(&all, |_| {}).await;
    let swarm = Arc::new(swarm);
    let request = engines[0].world().hold(Stage::Request, "create?name=slow");
    let slow = creating(&swarm, "slow", "node-0");
    asked(&engines[0], "create?name=slow").await;
    list(directory.path(), &all[1..]);
    let slow = slow.await.expect("an answer");
    assert_eq!(slow.failure().0, 500, "{}", slow.text());
    until_gone(&swarm, &engines[0]).await;
    let other = swarm.create("slow", &with_env(&["constraint:node==node-1"])).await;
    // The engine does as it was told all the same.
    request.send(()).ok();
    let body = serde_json::from_slice(&engines[0].last("create?name=slow").expect("a request").body);
    let body = body.expect("a configuration");
    if engines[0].world().named("slow").is_none() {
        engines[0].world().create("slow", &body);
    }
    list(directory.path(), &all);
    swarm.until_status(&engines[0].authority(), "Healthy").await;
    until("what nobody waits for is removed", async || {
        engines[0].world().named("slow").is_none().then_some(())
    })
    .await;
    assert_eq!(swarm.get("/containers/slow/json").await.expect(200).json()["Id"], other);
}

/// Nobody finds out that the engine has left before it answers, since it counted as lost when it was asked.
#[tokio::test]
async fn a_create_that_is_answered_after_its_engine_has_left_is_taken_back() {
    let engines = three().await;
    let all: Vec<&Engine> = engines.iter().collect();
    let (swarm, directory) = listed(&all, |options| {
        options.failure_retry = 1;
        options.refresh_min = Duration::from_secs(3600);
        options.refresh_max = Duration::from_secs(3600);
        options.filters = vec![Filter::Constraint];
    })
    .await;
    let swarm = Arc::new(swarm);
    swarm.create("lost", &with_env(&["constraint:node==node-0"])).await;
    swarm.names("?all=1").await;
    engines[0].set_mood(Mood::Resets);
    swarm.get("/containers/lost/json").await.failure();
    swarm.until_status(&engines[0].authority(), "Unhealthy").await;
    engines[0].set_mood(Mood::Fine);
    let answer = engines[0].world().hold(Stage::Answer, "create?name=slow");
    let slow = creating(&swarm, "slow", "node-0");
    asked(&engines[0], "create?name=slow").await;
    list(directory.path(), &all[1..]);
    until_gone(&swarm, &engines[0]).await;
    let victim = swarm.create("victim", &with_env(&["constraint:node==node-1"])).await;
    answer.send(()).expect("it waits");
    let slow = slow.await.expect("an answer");
    assert!(!slow.text().contains(&victim), "{}", slow.text());
    let (status, message) = slow.failure();
    assert!(status == 500 && message.contains("has left the cluster"), "{message}");
    assert!(engines[0].world().named("slow").is_none());
}

/// An engine that is off the list for a moment runs on: its names are not given to others.
#[tokio::test]
async fn names_stay_taken_while_their_engine_is_off_the_list() {
    let engines = three().await;
    let all: Vec<&Engine> = engines.iter().collect();
    let (swarm, directory) = listed(&all, |_| {}).await;
    let web = swarm.create("web", &with_env(&["constraint:node==node-0"])).await;
    swarm.names("?all=1").await;
    list(directory.path(), &all[1..]);
    until_gone(&swarm, &engines[0]).await;
    let (status, message) = swarm.post("/containers/create?name=web", &plain()).await.failure();
    assert!(
        status == 409 && message.starts_with("Conflict") && message.contains("left the cluster"),
        "{message}"
    );
    let other = swarm.create("other", &plain()).await;
    let target = format!("/containers/{other}/rename?name=web");
    assert_eq!(swarm.ask(Method::POST, &target, None).await.status, 409);
    list(directory.path(), &all);
    swarm.until_status(&engines[0].authority(), "Healthy").await;
    assert_eq!(swarm.get("/containers/web/json").await.expect(200).json()["Id"], web);
    swarm.delete("/containers/web").await.expect(204);
    swarm.create("web", &with_env(&["constraint:node==node-1"])).await;
}

#[tokio::test]
async fn names_of_an_engine_that_does_not_come_back_are_free_in_the_end() {
    let engines = three().await;
    let all: Vec<&Engine> = engines.iter().collect();
    let (swarm, directory) = listed(&all, |options| options.name_retention = Duration::from_millis(200)).await;
    swarm.create("web", &with_env(&["constraint:node==node-0"])).await;
    swarm.names("?all=1").await;
    list(directory.path(), &all[1..]);
    until("the name is free", async || {
        let created = swarm
            .post("/containers/create?name=web", &with_env(&["constraint:node!=node-0"]))
            .await;
        (created.status == 201).then_some(())
    })
    .await;
}

/// A name is given to a container by a rename as by a create: to nobody else meanwhile.
#[tokio::test]
async fn a_name_that_is_being_given_is_given_to_nobody_else() {
    let engines = three().await;
    let swarm = Arc::new(Swarm::of(&engines.iter().collect::<Vec<_>>()).await);
    let id = swarm.create("a", &with_env(&["constraint:node==node-0"])).await;
    let request = engines[0].world().hold(Stage::Request, "rename?name=web");
    let renaming = {
        let (swarm, target) = (Arc::clone(&swarm), format!("/containers/{id}/rename?name=web"));
        tokio::spawn(async move { swarm.ask(Method::POST, &target, None).await })
    };
    asked(&engines[0], "rename?name=web").await;
    let on_another = with_env(&["constraint:node==node-1"]);
    assert_eq!(swarm.post("/containers/create?name=web", &on_another).await.status, 409);
    request.send(()).expect("it waits");
    renaming.await.expect("an answer").expect(204);
    assert_eq!(swarm.names("?all=1").await, ["/node-0/web"]);
    swarm.delete("/containers/web").await.expect(204);
    swarm.create("web", &on_another).await;
}

/// A description that was on its way when the container was removed does not bring it back.
#[tokio::test]
async fn what_is_described_late_is_not_taken_in_again() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| {
        options.refresh_min = Duration::from_secs(3600);
        options.refresh_max = Duration::from_secs(3600);
        options.container_name_refresh_filter = "everything".to_owned();
    })
    .await;
    let swarm = Arc::new(swarm);
    let id = swarm.create("one", &plain()).await;
    swarm.names("?all=1").await;
    // It looks different, and nobody has been told.
    engine.world().containers.get_mut(&id).expect("it is there").running = true;
    let target = format!("/containers/{id}/json");
    let before = engine.asked(&target);
    let answer = engine.world().hold(Stage::Answer, &target);
    let refreshing = {
        let swarm = Arc::clone(&swarm);
        let query = format!("?filters={}", "%7B%22name%22%3A%5B%22everything%22%5D%7D");
        tokio::spawn(async move { swarm.names(&query).await })
    };
    until("it is being inspected", async || {
        (engine.asked(&target) > before).then_some(())
    })
    .await;
    engine.world().remove(&id);
    until("it is gone", async || {
        (swarm.get("/containers/one/json").await.status == 404 && swarm.names("?all=1").await.is_empty()).then_some(())
    })
    .await;
    answer.send(()).expect("it waits");
    refreshing.await.expect("a list");
    assert!(swarm.names("?all=1").await.is_empty());
    swarm.create("one", &plain()).await;
}
