//! Engines and their states (`manager/RULES.md` §18).

use std::time::Duration;

use hyper::Method;
use serde_json::json;

use super::engine::{Engine, Mood};
use super::{Swarm, nodes, options, plain, until, with_env};
use crate::live::within;
use swarmlab::model::Overcommit;
use swarmlab::net::Address;

/// `manager/RULES.md` §18, 1.
#[tokio::test]
async fn an_engine_is_its_daemon_at_its_address() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&a, &b]).await;
    for engine in [&a, &b] {
        let id = format!("{}|{}", engine.world().id, engine.authority());
        assert_eq!(swarm.line(&engine.authority(), "ID").await, id);
    }
    let id = swarm.create("web", &with_env(&["constraint:node==node-1"])).await;
    let inspected = swarm.get(&format!("/containers/{id}/json")).await.expect(200).json();
    assert_eq!(inspected["Node"]["ID"], format!("ID-node-1|{}", b.authority()));
    assert_eq!(inspected["FieldOfTheFuture"], 1);
}

/// `manager/RULES.md` §18, 2.
#[tokio::test]
async fn an_engine_that_is_down_at_first_joins_when_it_is_there() {
    let mut late = Engine::not_yet("node-0").await;
    let swarm = Swarm::with(options(&nodes([&late]))).await;
    let error = format!(
        "Cannot connect to the Docker daemon at tcp://{}. Is the docker daemon running?",
        late.authority()
    );
    until("the error is told", async || {
        (swarm.line(&late.authority(), "Error").await == error).then_some(())
    })
    .await;
    assert_eq!(swarm.line(&late.authority(), "Name").await, "(unknown)");
    assert_eq!(swarm.line(&late.authority(), "Status").await, "Pending");
    late.resume().await;
    swarm.until_status(&late.authority(), "Healthy").await;
    assert_eq!(swarm.line(&late.authority(), "Name").await, "node-0");
    assert_eq!(swarm.line(&late.authority(), "Error").await, "");
}

/// `manager/RULES.md` §18, 3.
#[tokio::test]
async fn an_engine_that_dies_is_unhealthy_until_it_lives() {
    let mut engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| options.failure_retry = 2).await;
    let mut listening = swarm.listen("").await;
    engine.kill().await;
    swarm.until_status(&engine.authority(), "Unhealthy").await;
    engine.resume().await;
    swarm.until_status(&engine.authority(), "Healthy").await;
    let events = listening.until("engine_reconnect").await;
    let count = |action: &str| events.iter().filter(|event| event["Action"] == action).count();
    assert_eq!(
        (count("engine_disconnect"), count("engine_reconnect")),
        (1, 1),
        "{events:?}"
    );
}

/// `manager/RULES.md` §18, 4; `scheduler/RULES.md` §15, 21 and 27.
#[tokio::test]
async fn one_failure_makes_an_engine_the_last_choice() {
    let (mut empty, other) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::tuned(&[&empty, &other], |options| {
        options.refresh_min = Duration::from_secs(3600);
        options.refresh_max = Duration::from_secs(3600);
    })
    .await;
    swarm.create("load", &with_env(&["constraint:node==node-1"])).await;
    empty.kill().await;
    let (status, message) = swarm.post("/containers/create?name=a", &plain()).await.failure();
    assert_eq!(status, 500);
    assert!(
        message.contains("Cannot connect to the Docker daemon at tcp://"),
        "{message}"
    );
    assert_eq!(swarm.line(&empty.authority(), "Status").await, "Healthy");
    // It has fewer containers, and yet the other one is taken.
    swarm.create("a", &plain()).await;
    assert!(other.world().named("a").is_some());
}

/// `scheduler/RULES.md` §15, 27 with `createretry`, and 28.
#[tokio::test]
async fn a_create_is_tried_again_elsewhere_if_that_is_wanted() {
    let (mut empty, mut other) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::tuned(&[&empty, &other], |options| {
        options.refresh_min = Duration::from_secs(3600);
        options.refresh_max = Duration::from_secs(3600);
        options.create_retry = 1;
        options.failure_retry = 1;
    })
    .await;
    swarm.create("load", &with_env(&["constraint:node==node-1"])).await;
    empty.kill().await;
    swarm.create("a", &plain()).await;
    assert!(other.world().named("a").is_some());
    other.kill().await;
    let failed = swarm.post("/containers/create?name=b", &plain()).await;
    assert_eq!(
        failed.failure(),
        (500, "No healthy node available in the cluster".to_owned())
    );
}

/// `manager/RULES.md` §18, 5.
#[tokio::test]
async fn an_engine_that_refuses_everything_is_there() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| options.failure_retry = 1).await;
    engine.set_mood(Mood::Refuses);
    let asked = engine.asked("/containers/json");
    until("it has refused a few times", async || {
        (engine.asked("/containers/json") > asked + 5).then_some(())
    })
    .await;
    assert_eq!(swarm.line(&engine.authority(), "Status").await, "Healthy");
    let failed = swarm.post("/containers/create?name=b", &plain()).await;
    assert_eq!(failed.failure(), (500, "not today".to_owned()));
}

/// `manager/RULES.md` §18, 6 and 7.
#[tokio::test]
async fn a_daemon_must_have_resources_and_labels_must_have_values() {
    let nothing = Engine::start_with("node-0", |world| world.cpus = 0).await;
    let odd = Engine::start_with("node-1", |world| world.labels = vec!["foo".to_owned()]).await;
    let good = Engine::start_with("node-2", |world| {
        world.labels = ["node=x", "storagedriver=zz", "zone=a"].map(str::to_owned).to_vec();
    })
    .await;
    let swarm = Swarm::with(options(&nodes([&nothing, &odd, &good]))).await;
    swarm.until_status(&good.authority(), "Healthy").await;
    assert_eq!(
        swarm.line(&good.authority(), "Labels").await,
        "kernelversion=5.10, operatingsystem=FakeOS 1, ostype=linux, storagedriver=overlay2, zone=a"
    );
    for (engine, text) in [
        (&nothing, "cannot get resources for this engine"),
        (&odd, "an invalid label (foo)"),
    ] {
        until("the reason is told", async || {
            swarm
                .line(&engine.authority(), "Error")
                .await
                .contains(text)
                .then_some(())
        })
        .await;
        assert_eq!(swarm.line(&engine.authority(), "Status").await, "Pending");
    }
}

/// `manager/RULES.md` §18, 8.
#[tokio::test]
async fn reserved_lines_count_overcommit() {
    let engine = Engine::start("node-0").await;
    for (fraction, cpus, memory) in [(0.05, "0 / 4", "0 B / 8.4 GiB"), (1.0, "0 / 8", "0 B / 16 GiB")] {
        let swarm = Swarm::tuned(&[&engine], |options| {
            options.overcommit = Overcommit::from_fraction(fraction).expect("an overcommit");
        })
        .await;
        assert_eq!(swarm.line(&engine.authority(), "Reserved CPUs").await, cpus);
        assert_eq!(swarm.line(&engine.authority(), "Reserved Memory").await, memory);
    }
}

/// `manager/RULES.md` §18, 9 and 27.
#[tokio::test]
async fn engines_are_listed_as_people_count_and_once() {
    let (ten, two) = (Engine::start("node-10").await, Engine::start("node-2").await);
    let swarm = Swarm::with(options(&nodes([&ten, &two, &ten, &two]))).await;
    swarm.until_status(&ten.authority(), "Healthy").await;
    swarm.until_status(&two.authority(), "Healthy").await;
    let lines = swarm.lines().await;
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|(key, _)| key.strip_prefix(' ').filter(|name| !name.starts_with(' ')))
        .collect();
    assert_eq!(names, ["node-2", "node-10"]);
    assert!(lines.contains(&("Nodes".to_owned(), "2".to_owned())));
}

/// `manager/RULES.md` §18, 24.
#[tokio::test]
async fn times_are_told_by_the_managers_clock() {
    let engine = Engine::start_with("node-0", |world| world.clock = -60_000_000_000).await;
    let swarm = Swarm::of(&[&engine]).await;
    swarm.run("web", &plain()).await;
    swarm.create("idle", &plain()).await;
    let listed = swarm.get("/containers/json?all=1").await.expect(200).json();
    let status = |name: &str| {
        let name = json!(format!("/node-0/{name}"));
        let found = listed
            .as_array()
            .expect("a list")
            .iter()
            .find(|entry| entry["Names"][0] == name);
        found.expect("an entry")["Status"]
            .as_str()
            .expect("a status")
            .to_owned()
    };
    let up = status("web");
    assert!(up == "Up Less than a second" || up.ends_with(" seconds"), "{up}");
    // The time that says never is not shifted.
    assert_eq!(status("idle"), "Created");
}

/// `manager/RULES.md` §18, 25: a replaced daemon is taken in without anybody's help.
#[tokio::test]
async fn a_daemon_that_was_replaced_is_taken_in_anew() {
    let mut engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| options.failure_retry = 1).await;
    swarm.run("old", &plain()).await;
    engine.kill().await;
    swarm.until_status(&engine.authority(), "Unhealthy").await;
    {
        let mut world = engine.world();
        world.id = "ID-other".to_owned();
        world.containers.clear();
        let id = world.create("new", &plain());
        world.start(&id);
    }
    engine.resume().await;
    let id = format!("ID-other|{}", engine.authority());
    until("it is the other one", async || {
        (swarm.line(&engine.authority(), "ID").await == id).then_some(())
    })
    .await;
    swarm.until_status(&engine.authority(), "Healthy").await;
    assert_eq!(swarm.names("?all=1").await, ["/node-0/new"]);
    assert_eq!(swarm.get("/containers/old/json").await.status, 404);
}

/// A daemon whose machine is given another name is the same daemon with the same containers.
#[tokio::test]
async fn an_engine_may_be_renamed() {
    let mut engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| options.failure_retry = 1).await;
    let web = json!({ "Image": "busybox", "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": "80" }] } } });
    swarm.run("web", &web).await;
    engine.kill().await;
    swarm.until_status(&engine.authority(), "Unhealthy").await;
    engine.world().name = "node-9".to_owned();
    engine.resume().await;
    until("it is called so", async || {
        (swarm.names("?all=1").await == ["/node-9/web"]).then_some(())
    })
    .await;
    swarm.until_status(&engine.authority(), "Healthy").await;
    let (status, message) = swarm.post("/containers/create", &web).await.failure();
    assert_eq!(status, 500);
    assert!(message.contains("[port 80 (Bridge mode)]"), "{message}");
}

/// `manager/RULES.md` §18, 28, as far as a process is not needed: told to stop, the manager ends, and its streams with
/// it.
#[tokio::test]
async fn a_manager_stops_when_it_is_told_to() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let mut listening = swarm.listen("").await;
    swarm.stop().await;
    within(async { while listening.more().await.is_some() {} }).await;
}

/// An engine that has been asked to do something is told so by the API version that both speak.
#[tokio::test]
async fn daemons_are_asked_in_the_version_agreed_upon() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    swarm.create("web", &plain()).await;
    assert!(engine.asked("POST /v1.40/containers/create?name=web") == 1);
    swarm
        .ask(Method::POST, "/v1.24/containers/web/kill", None)
        .await
        .expect(204);
    assert_eq!(engine.asked("POST /v1.24/containers/"), 1);
}

/// A daemon beside the manager, as Podman's service without root often is.
#[tokio::test]
async fn an_engine_may_be_at_a_socket_of_this_machine() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = Address::Unix(directory.path().join("docker.sock"));
    let mut near = Engine::not_yet_at("node-0", socket.clone());
    near.resume().await;
    let far = Engine::start("node-1").await;
    let swarm = Swarm::with(options(&format!("{socket},{}", far.authority()))).await;
    swarm.until_status(&near.authority(), "Healthy").await;
    swarm.until_status(&far.authority(), "Healthy").await;
    let body = json!({
        "Image": "busybox", "Env": ["constraint:node==node-0"],
        "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": "8080" }] } },
    });
    let id = swarm.run("web", &body).await;
    let inspected = swarm.get(&format!("/containers/{id}/json")).await.expect(200).json();
    assert_eq!(inspected["Node"]["Addr"], socket.to_string());
    let listed = swarm.get("/containers/json").await.expect(200).json();
    assert_eq!(listed[0]["Ports"][0]["IP"], "127.0.0.1");
    near.kill().await;
    swarm.until_status(&near.authority(), "Unhealthy").await;
    let gone = format!("Cannot connect to the Docker daemon at {socket}. Is the docker daemon running?");
    assert_eq!(swarm.line(&near.authority(), "Error").await, gone);
}
