//! Engines that are there and say nothing, or break off.

use std::time::{Duration, Instant};

use hyper::Method;
use tokio::io::AsyncWriteExt;

use super::engine::{Engine, Mood};
use super::{Swarm, plain, until, with_env};
use crate::live::AGES;
use swarmlab::net::Listener;

#[tokio::test]
async fn an_engine_that_never_answers_is_unhealthy_and_delays_nobody() {
    let (stuck, well) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::tuned(&[&stuck, &well], |options| {
        options.timeouts.answer = Duration::from_millis(300);
        options.timeouts.order = Duration::from_millis(300);
        options.failure_retry = 2;
    })
    .await;
    swarm.run("far", &with_env(&["constraint:node==node-0"])).await;
    stuck.set_mood(Mood::Hangs);
    let since = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut number = 0;
    until("it is unhealthy", async || {
        let asked = Instant::now();
        let name = format!("c{number}");
        swarm.run(&name, &with_env(&["constraint:node==node-1"])).await;
        swarm.get(&format!("/containers/{name}/json")).await.expect(200);
        swarm.names("?all=1").await;
        slowest = slowest.max(asked.elapsed());
        number += 1;
        (swarm.line(&stuck.authority(), "Status").await == "Unhealthy").then_some(())
    })
    .await;
    // Nothing here is that slow, unless it waits for the engine that hangs.
    assert!(
        since.elapsed() < AGES && slowest < Duration::from_secs(20),
        "{slowest:?}"
    );
    assert_eq!(swarm.get("/containers/far/json").await.failure().0, 500);
    stuck.set_mood(Mood::Fine);
    swarm.until_status(&stuck.authority(), "Healthy").await;
    swarm.get("/containers/far/json").await.expect(200);
}

/// A create that hits an engine which hangs fails in time, and keeps no room.
#[tokio::test]
async fn a_create_on_an_engine_that_hangs_is_given_up() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| {
        options.timeouts.order = Duration::from_millis(300);
        options.failure_retry = 100_000;
    })
    .await;
    engine.set_mood(Mood::Hangs);
    let (status, message) = swarm.post("/containers/create?name=web", &plain()).await.failure();
    assert!(
        status == 500 && message.contains("Cannot connect to the Docker daemon"),
        "{message}"
    );
    engine.set_mood(Mood::Fine);
    swarm.create("web", &plain()).await;
}

#[tokio::test]
async fn an_engine_that_resets_connections_is_unhealthy() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let mut listening = swarm.listen("").await;
    engine.set_mood(Mood::Resets);
    swarm.until_status(&engine.authority(), "Unhealthy").await;
    listening.until("engine_disconnect").await;
    engine.set_mood(Mood::Fine);
    swarm.until_status(&engine.authority(), "Healthy").await;
}

/// Nothing is learnt from what nobody understands: such an engine is not taken for one that is there.
#[tokio::test]
async fn an_engine_that_babbles_keeps_its_state_and_its_containers() {
    let (odd, well) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::tuned(&[&odd, &well], |options| options.failure_retry = 1).await;
    swarm.run("far", &with_env(&["constraint:node==node-0"])).await;
    assert_eq!(swarm.names("").await, ["/node-0/far"]);
    odd.set_mood(Mood::Babbles);
    let asked = odd.asked("/containers/json");
    until("it has babbled", async || {
        (odd.asked("/containers/json") > asked + 3).then_some(())
    })
    .await;
    assert_eq!(swarm.names("").await, ["/node-0/far"]);
    assert_eq!(swarm.get("/containers/far/json").await.failure().0, 500);
    swarm.run("near", &with_env(&["constraint:node==node-1"])).await;
    odd.set_mood(Mood::Fine);
    swarm.get("/containers/far/json").await.expect(200);
}

/// What listens at an engine's address is no daemon at all: it sends bytes, closes half of the connection, or all.
#[tokio::test]
async fn what_speaks_no_http_harms_nobody() {
    let (mut odd, well) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::tuned(&[&odd, &well], |options| options.failure_retry = 1).await;
    swarm.run("far", &with_env(&["constraint:node==node-0"])).await;
    odd.kill().await;
    let listener = Listener::bind(&odd.address, None).await.expect("its address");
    let (counter, mut count) = tokio::sync::watch::channel(0);
    let rogue = tokio::spawn(async move {
        for number in 0.. {
            let mut stream = listener
                .accept()
                .await
                .expect("a connection")
                .establish(AGES)
                .await
                .expect("a stream");
            let bytes: &[u8] = match number % 6 {
                0 => b"\x16\x03\x01\x00\xff\xff\xff\xff",
                1 => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{",
                2 => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                3 => b"HTTP/1.1 99999 What\r\n\r\n",
                4 => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
                _ => b"",
            };
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            let _ = counter.send(number);
        }
    });
    while *count.borrow_and_update() < 24 {
        crate::live::within(count.changed()).await.expect("it goes on");
        swarm.get("/info").await.expect(200);
        let failure = swarm.get("/containers/far/json").await;
        assert!(failure.status >= 500, "{}", failure.text());
    }
    swarm.run("near", &with_env(&["constraint:node==node-1"])).await;
    rogue.abort();
    assert!(rogue.await.is_err_and(|error| error.is_cancelled()));
    odd.resume().await;
    swarm.until_status(&odd.authority(), "Healthy").await;
    swarm.get("/containers/far/json").await.expect(200);
}

/// Requests that have no limit of their own are not waited for longer than their engine is taken for healthy.
#[tokio::test]
async fn what_an_engine_is_asked_that_falls_silent_is_answered_for_it() {
    let (stuck, well) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::tuned(&[&stuck, &well], |options| {
        options.timeouts.answer = Duration::from_millis(300);
        options.failure_retry = 2;
    })
    .await;
    swarm.run("far", &with_env(&["constraint:node==node-0"])).await;
    well.world().registry.push("app:1".to_owned());
    stuck.set_mood(Mood::Hangs);
    let (looked, ordered, pulled) = tokio::join!(
        swarm.get("/containers/far/top"),
        swarm.ask(Method::POST, "/containers/far/stop", None),
        swarm.ask(Method::POST, "/images/create?fromImage=app&tag=1", None),
    );
    let address = stuck.authority();
    let gone = format!("The Docker daemon at tcp://{address} does not answer");
    assert_eq!(looked.failure(), (500, gone.clone()));
    assert_eq!(ordered.failure(), (500, gone.clone()));
    let pulled = pulled.expect(200);
    let lines: Vec<&str> = pulled.text().lines().collect();
    let of = |node: &str| {
        lines
            .iter()
            .rfind(|line| line.contains(node))
            .expect("a line")
            .to_string()
    };
    assert!(of("node-0").contains(&gone), "{lines:?}");
    assert!(!of("node-1").contains("does not answer"), "{lines:?}");
    assert!(well.world().images.iter().any(|(_, tags)| tags == &["app:1"]));
}

/// What the daemon does not answer, its events may tell.
#[tokio::test]
async fn a_create_that_is_not_answered_but_seen_has_succeeded() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| {
        options.timeouts.order = Duration::from_secs(2);
        options.failure_retry = 100_000;
    })
    .await;
    engine.set_mood(Mood::Sulks);
    let id = swarm.create("web", &plain()).await;
    assert_eq!(engine.world().named("web").map(|web| web.id.clone()), Some(id));
    assert_eq!(swarm.names("?all=1").await, ["/node-0/web"]);
}

/// A client that was told that there is no container does not get one later, and the name stays free.
#[tokio::test]
async fn a_container_that_is_created_after_all_is_removed() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| {
        options.timeouts.answer = Duration::from_millis(300);
        options.timeouts.order = Duration::from_millis(300);
        options.failure_retry = 100_000;
    })
    .await;
    engine.set_mood(Mood::Hangs);
    let (status, message) = swarm.post("/containers/create?name=web", &plain()).await.failure();
    assert!(
        status == 500 && message.contains("Cannot connect to the Docker daemon"),
        "{message}"
    );
    let request = engine.last("/containers/create").expect("a request");
    let body = serde_json::from_slice(&request.body).expect("a configuration");
    engine.set_mood(Mood::Fine);
    let late = engine.world().create("web", &body);
    until("it is gone", async || {
        (engine.world().named("web").is_none() && swarm.names("?all=1").await.is_empty()).then_some(())
    })
    .await;
    assert!(
        engine
            .world()
            .orders
            .contains(&format!("DELETE /containers/{late}?v=1"))
    );
    let id = swarm.create("web", &plain()).await;
    let asked = engine.asked("/containers/json");
    until("it has been looked at", async || {
        (engine.asked("/containers/json") > asked + 2).then_some(())
    })
    .await;
    assert_eq!(
        engine.world().named("web").map(|web| web.id.clone()),
        Some(id),
        "this one stays"
    );
}

/// What a daemon says is the client's fault is told as that.
#[tokio::test]
async fn a_daemon_that_refuses_a_create_says_whose_fault_it_is() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let refused = swarm.post("/containers/create?name=a!", &plain()).await;
    assert_eq!(refused.failure(), (400, "Invalid container name (a!)".to_owned()));
}

/// Who creates a container has it at once, whatever its engine says of it afterwards; lists wait for that, if not for long.
#[tokio::test]
async fn a_new_container_is_there_before_its_engine_describes_it() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::tuned(&[&engine], |options| options.timeouts.answer = 10 * AGES).await;
    engine.set_mood(Mood::Obeys);
    let since = Instant::now();
    let id = swarm.create("web", &plain()).await;
    assert_eq!(
        swarm.post("/containers/create?name=web", &plain()).await.status,
        409,
        "its name is taken"
    );
    assert!(
        swarm.names("?all=1").await.is_empty(),
        "nobody knows what it looks like"
    );
    assert_eq!(swarm.delete(&format!("/containers/{id}")).await.status, 204);
    assert!(since.elapsed() < AGES);
}
