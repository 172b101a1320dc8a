//! What counts for an engine's health: each outcome from when its own call was sent.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;

use super::engine::{Engine, Mood, Stage};
use super::{Listening, Swarm, plain, until};

/// Nothing is asked of the engine but what the test asks.
async fn one() -> (Engine, Arc<Swarm>, String) {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| {
        options.failure_retry = 1;
        options.refresh_min = Duration::from_secs(3600);
        options.refresh_max = Duration::from_secs(3600);
    })
    .await;
    let id = swarm.create("web", &plain()).await;
    swarm.names("?all=1").await;
    (engine, Arc::new(swarm), id)
}

async fn fail(engine: &Engine, swarm: &Swarm) {
    engine.set_mood(Mood::Resets);
    swarm.get("/containers/web/json").await.failure();
    assert_eq!(swarm.line(&engine.authority(), "Status").await, "Unhealthy");
}

/// What has been told of the engine's health until now.
async fn told(swarm: &Swarm, listening: &mut Listening) -> Vec<String> {
    swarm.create("last", &plain()).await;
    let events = listening.until("create").await;
    let told = events.iter().filter_map(|event| event["Action"].as_str());
    told.filter(|action| action.starts_with("engine_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn an_answer_from_before_a_failure_does_not_call_an_engine_healthy() {
    let (engine, swarm, id) = one().await;
    let mut listening = swarm.listen("").await;
    let asked = engine.asked("/json");
    let answer = engine.world().hold(Stage::Answer, &format!("/containers/{id}/json"));
    let inspecting = {
        let swarm = Arc::clone(&swarm);
        tokio::spawn(async move { swarm.get("/containers/web/json").await })
    };
    until("it is asked", async || (engine.asked("/json") > asked).then_some(())).await;
    fail(&engine, &swarm).await;
    answer.send(()).expect("it waits");
    inspecting.await.expect("an answer").expect(200);
    assert_eq!(swarm.line(&engine.authority(), "Status").await, "Unhealthy");
    // What is asked from now on shows that it is back.
    engine.set_mood(Mood::Fine);
    swarm.ask(Method::POST, "/containers/web/start", None).await.expect(204);
    assert_eq!(swarm.line(&engine.authority(), "Status").await, "Healthy");
    assert_eq!(
        told(&swarm, &mut listening).await,
        ["engine_disconnect", "engine_reconnect"]
    );
}

/// A look at a container asks two questions at once. The first one's answer is older than the failure that comes before
/// the second one's.
#[tokio::test]
async fn questions_that_are_asked_together_count_each_in_its_own_time() {
    let (engine, swarm, id) = one().await;
    let mut listening = swarm.listen("").await;
    let target = format!("/containers/{id}/json");
    let asked = engine.asked(&target);
    let inspection = engine.world().hold(Stage::Answer, &target);
    swarm.ask(Method::POST, "/containers/web/start", None).await.expect(204);
    until("it is looked at", async || {
        (engine.asked(&target) > asked).then_some(())
    })
    .await;
    fail(&engine, &swarm).await;
    drop(inspection);
    // The list waits for the look.
    swarm.names("?all=1").await;
    assert_eq!(swarm.line(&engine.authority(), "Status").await, "Unhealthy");
    engine.set_mood(Mood::Fine);
    swarm.ask(Method::POST, "/containers/web/start", None).await.expect(204);
    assert_eq!(
        told(&swarm, &mut listening).await,
        ["engine_disconnect", "engine_reconnect"]
    );
}

/// An engine that is slow with one order, and answers what it is asked meanwhile, is there.
#[tokio::test]
async fn an_engine_that_is_slow_with_one_order_is_not_called_unhealthy() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| {
        options.failure_retry = 1;
        options.timeouts.order = Duration::from_millis(500);
    })
    .await;
    let mut listening = swarm.listen("").await;
    let _request = engine.world().hold(Stage::Request, "create?name=slow");
    let (status, message) = swarm.post("/containers/create?name=slow", &plain()).await.failure();
    assert!(
        status == 500 && message.contains("Cannot connect to the Docker daemon"),
        "{message}"
    );
    assert_eq!(told(&swarm, &mut listening).await, [""; 0]);
}
