//! Containers (`manager/API.md` §11, 7 to 19).

use http_body_util::BodyExt;
use hyper::{Method, Request};
use serde_json::{Value, json};

use super::engine::{Engine, Mood, World};
use super::{Swarm, plain, until, with_env};
use crate::live::within;
use swarmlab::docker::path;
use swarmlab::net;

fn filters(filters: &Value) -> String {
    path::query(&[("all", "1"), ("filters", &filters.to_string())])
}

fn publishing(port: &str) -> Value {
    json!({ "Image": "busybox", "HostConfig": { "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": port }] } } })
}

/// `manager/API.md` §11, 7.
#[tokio::test]
async fn creates_succeed_or_say_why_not() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let created = swarm.post("/containers/create?name=web", &plain()).await.expect(201);
    let id = created.json()["Id"].as_str().expect("an ID").to_owned();
    assert_eq!(id.len(), 64);
    assert_eq!(created.text(), format!("{{\"Id\":\"{id}\"}}"));
    assert_eq!(
        swarm.post("/containers/create?name=web", &plain()).await.failure().0,
        409
    );
    for body in ["{", "[]", "null", "", "\u{0}", "{\"Image\":1}x"] {
        let request = Request::post("/containers/create")
            .body(net::full(body))
            .expect("a request");
        let answer = swarm.send(request).await;
        assert_eq!(answer.status(), 400, "{body}");
        let text = within(answer.into_body().collect()).await.expect("a body").to_bytes();
        let message: Value = serde_json::from_slice(&text).expect("JSON");
        assert!(message["message"].is_string());
    }
}

/// `manager/API.md` §11, 8.
#[tokio::test]
async fn names_and_ports_lead_to_the_node() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    swarm.run("c1", &publishing("80")).await;
    let listed = swarm.get("/containers/json").await.expect(200).json();
    let host = engine.address.host().to_owned();
    assert_eq!(listed[0]["Names"], json!(["/node-0/c1"]));
    assert_eq!(listed[0]["Ports"][0]["IP"], host.as_str());
    assert_eq!(listed[0]["FieldOfTheFuture"], 1);
    let inspected = swarm.get("/containers/c1/json").await.expect(200).json();
    assert_eq!(
        inspected["NetworkSettings"]["Ports"]["80/tcp"][0]["HostIp"],
        host.as_str()
    );
    // `manager/API.md` §11, 14.
    assert_eq!(
        (&inspected["Node"]["Name"], &inspected["Node"]["IP"]),
        (&json!("node-0"), &json!(host))
    );
}

/// Containers in one go: name, whether it runs, and more in its body.
fn have(world: &mut World, all: &[(&str, bool, Value)]) {
    for (name, running, more) in all {
        let mut body = plain();
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        let id = world.create(name, &body);
        if *running {
            world.start(&id);
        }
    }
}

/// `manager/API.md` §11, 9 and 10.
#[tokio::test]
async fn lists_show_what_runs_unless_more_is_asked_for() {
    let a = Engine::start_with("node-0", |world| {
        have(
            world,
            &[
                ("up", true, json!({})),
                ("swarm", true, json!({ "Image": "swarm:latest" })),
                ("ended", true, json!({})),
                ("idle", false, json!({})),
            ],
        );
        let id = world.named("ended").expect("a container").id.clone();
        world.end(&id, 3);
    })
    .await;
    let mut b = Engine::start_with("node-1", |world| have(world, &[("far", true, json!({}))])).await;
    let swarm = Swarm::tuned(&[&a, &b], |options| options.failure_retry = 1).await;
    b.kill().await;
    swarm.until_status(&b.authority(), "Unhealthy").await;
    assert_eq!(swarm.names("").await, ["/node-0/up"]);
    assert_eq!(swarm.names("?all=none").await, ["/node-0/up"]);
    assert_eq!(swarm.names("?all=1").await.len(), 5);
    assert_eq!(swarm.names("?limit=1").await, ["/node-1/far"]);
    let only = async |filters: Value| swarm.names(&path::query(&[("filters", &filters.to_string())])).await;
    assert_eq!(only(json!({ "status": ["exited"] })).await, ["/node-0/ended"]);
    assert_eq!(only(json!({ "status": ["created"] })).await, ["/node-0/idle"]);
    // As with a daemon, a code chooses among what is listed, and lists no more.
    assert_eq!(only(json!({ "exited": ["3"] })).await, Vec::<String>::new());
    let code = json!({ "exited": ["3"] }).to_string();
    let all = path::query(&[("all", "1"), ("filters", &code)]);
    assert_eq!(swarm.names(&all).await, ["/node-0/ended"]);
    // The legacy form.
    assert_eq!(only(json!({ "status": { "exited": true } })).await, ["/node-0/ended"]);
}

/// `manager/API.md` §11, 11, 12 and 13.
#[tokio::test]
async fn filters_choose() {
    let engine = Engine::start_with("node-0", |world| {
        have(
            world,
            &[
                ("p3", true, json!({ "Labels": { "a": "1", "b": "2" } })),
                (
                    "v",
                    true,
                    json!({ "Mounts": [{ "Name": "v1", "Destination": "/abc" }] }),
                ),
                (
                    "d",
                    true,
                    json!({ "Mounts": [{ "Name": "v2", "Destination": "/def" }] }),
                ),
                (
                    "n",
                    true,
                    json!({ "NetworkingConfig": { "EndpointsConfig": { "test1": {} } } }),
                ),
                ("task", true, json!({ "Labels": { "com.docker.swarm.task": "" } })),
            ],
        );
    })
    .await;
    let swarm = Swarm::of(&[&engine]).await;
    for (chosen, names) in [
        (json!({ "label": ["a=1", "b=3"] }), vec![]),
        (json!({ "label": ["a=1", "b"] }), vec!["p3"]),
        (json!({ "name": ["^p3$"] }), vec!["p3"]),
        (json!({ "name": ["node-0/p3"] }), vec![]),
        (json!({ "name": ["("] }), vec![]),
        (json!({ "volume": ["v1", "/def"] }), vec!["d", "v"]),
        (json!({ "network": ["test1"] }), vec!["n"]),
        (json!({ "health": ["none"] }), vec!["d", "n", "p3", "task", "v"]),
        (json!({ "is-task": ["true"] }), vec!["task"]),
    ] {
        let mut found = swarm.names(&filters(&chosen)).await;
        found.sort_unstable();
        let names: Vec<String> = names.iter().map(|name| format!("/node-0/{name}")).collect();
        assert_eq!(found, names, "{chosen}");
    }
    assert_eq!(
        swarm
            .get(&format!("/containers/json{}", filters(&json!({ "exited": ["x"] }))))
            .await
            .failure()
            .0,
        500
    );
    for list in ["containers/json", "images/json", "networks", "volumes", "events"] {
        assert_eq!(
            swarm.get(&format!("/{list}?filters=bad")).await.failure().0,
            400,
            "{list}"
        );
    }
    for list in ["containers/json", "images/json", "networks", "volumes"] {
        let unknown = filters(&json!({ "unheard-of": ["true"] }));
        let refused = swarm.get(&format!("/{list}{unknown}")).await.failure();
        assert_eq!(refused, (400, "Invalid filter 'unheard-of'".to_owned()), "{list}");
    }
}

/// `manager/API.md` §11, 14, of an engine that is gone.
#[tokio::test]
async fn a_container_on_a_dead_engine_cannot_be_asked_for() {
    let mut engine = Engine::start_with("n", |world| have(world, &[("c", true, json!({}))])).await;
    let swarm = Swarm::tuned(&[&engine], |options| options.failure_retry = 1).await;
    engine.kill().await;
    swarm.until_status(&engine.authority(), "Unhealthy").await;
    for path in ["/containers/c/json", "/containers/c/logs", "/containers/c/top"] {
        let failure = swarm.get(path).await.failure();
        assert_eq!(failure, (500, "Container c running on unhealthy node n".to_owned()));
    }
    let started = swarm.ask(Method::POST, "/containers/c/start", None).await.failure();
    assert!(
        started.0 == 500 && started.1.contains("Cannot connect to the Docker daemon"),
        "{started:?}"
    );
}

/// `manager/API.md` §11, 15: without the help of refreshes.
#[tokio::test]
async fn what_a_client_has_done_is_seen_at_once() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    for number in 0..10 {
        let name = format!("c{number}");
        swarm.run(&name, &plain()).await;
        swarm
            .ask(Method::POST, &format!("/containers/{name}/kill"), None)
            .await
            .expect(204);
        assert!(swarm.names("").await.is_empty());
        let listed = swarm.get("/containers/json?all=1").await.json();
        assert!(
            listed[0]["Status"]
                .as_str()
                .expect("a status")
                .starts_with("Exited (137) "),
            "{listed}"
        );
    }
}

/// `manager/API.md` §11, 16 and 31.
#[tokio::test]
async fn streams_begin_at_once_and_end_with_the_client() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    swarm.run("c", &plain()).await;
    let request = |method: &str, target: &str| {
        Request::builder()
            .method(method)
            .uri(target)
            .body(net::empty())
            .expect("a request")
    };
    let waiting = swarm.send(request("POST", "/containers/c/wait")).await;
    assert_eq!(waiting.status(), 200);
    let mut logs = swarm.send(request("GET", "/containers/c/logs?follow=1")).await;
    let first = within(logs.body_mut().frame()).await.expect("a frame").expect("data");
    assert_eq!(first.into_data().expect("data"), "line 1\n");
}

/// `manager/API.md` §11, 17.
#[tokio::test]
async fn commands_are_created_and_run_once() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    swarm.create("c", &plain()).await;
    assert_eq!(
        swarm.post("/containers/c/exec", &json!({ "Cmd": [] })).await.failure(),
        (400, "No exec command specified".to_owned())
    );
    // The daemon says 409; 500 is the original's, and the acceptance case's.
    let stopped = swarm
        .post("/containers/c/exec", &json!({ "Cmd": ["true"] }))
        .await
        .failure();
    assert!(stopped.0 == 500 && stopped.1.contains("is not running"), "{stopped:?}");
    swarm.ask(Method::POST, "/containers/c/start", None).await.expect(204);
    let exec = swarm
        .post("/containers/c/exec", &json!({ "Cmd": ["true"] }))
        .await
        .expect(201)
        .json();
    let exec = exec["Id"].as_str().expect("an ID").to_owned();
    let answer = swarm
        .post(&format!("/exec/{exec}/start"), &json!({ "Detach": true }))
        .await
        .expect(200);
    assert_eq!(answer.text(), "executed");
    let starts = engine
        .world()
        .orders
        .iter()
        .filter(|order| order.contains(&format!("/exec/{exec}/start")))
        .count();
    assert_eq!(starts, 1);
}

/// `manager/API.md` §11, 19.
#[tokio::test]
async fn a_rename_needs_a_free_name() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&a, &b]).await;
    let other = swarm.create("other", &with_env(&["constraint:node==node-1"])).await;
    swarm.create("c", &with_env(&["constraint:node==node-0"])).await;
    let (status, message) = swarm
        .ask(Method::POST, "/containers/c/rename?name=other", None)
        .await
        .failure();
    assert!(status == 409 && message.contains("Conflict"), "{message}");
    swarm
        .ask(
            Method::POST,
            &format!("/containers/c/rename?name={}", &other[..10]),
            None,
        )
        .await
        .expect(204);
    assert_eq!(swarm.get("/containers/c/json").await.status, 404);
    let found = swarm
        .get(&format!("/containers/{}/json", &other[..10]))
        .await
        .expect(200)
        .json();
    assert_ne!(found["Id"], other.as_str());
}

/// `scheduler/RULES.md` §15, 3 and 13.
#[tokio::test]
async fn a_refusal_says_why_for_every_node() {
    let (a, b) = (Engine::start("node-0").await, Engine::start("node-1").await);
    let swarm = Swarm::of(&[&a, &b]).await;
    let odd = swarm
        .post("/containers/create", &with_env(&["constraint:node==/"]))
        .await;
    assert_eq!(odd.failure().0, 500);
    swarm.run("blocker", &publishing("80")).await;
    let mut body = publishing("80");
    body["Env"] = json!(["constraint:node!=node-1"]);
    let refused = swarm.post("/containers/create", &body).await;
    let taken_on = if a.world().named("blocker").is_some() {
        "node-0"
    } else {
        "node-1"
    };
    if taken_on == "node-0" {
        let (status, message) = refused.failure();
        assert_eq!(status, 500);
        assert!(
            message.starts_with("Unable to find a node that satisfies the following conditions"),
            "{message}"
        );
        let nodes = refused.json()["nodes"].clone();
        let of = |name: &str| {
            let found = nodes
                .as_array()
                .expect("a list")
                .iter()
                .find(|node| node["node"] == name);
            found.expect("a node").clone()
        };
        assert_eq!(of("node-0")["filter"], "port", "{nodes}");
        assert!(
            of("node-1")["filter"].is_string() && of("node-1")["rule"].is_string(),
            "{nodes}"
        );
    } else {
        panic!("ties go to the first name: {}", refused.text());
    }
}

/// A container that a daemon removed itself is no longer there, whoever asks.
#[tokio::test]
async fn what_the_daemon_does_not_know_is_gone() {
    let engine = Engine::start("node-0").await;
    let swarm = Swarm::of(&[&engine]).await;
    let id = swarm.create("c", &plain()).await;
    // Without an event.
    engine.world().containers.clear();
    assert_eq!(swarm.get("/containers/c/json").await.status, 404);
    until("it is forgotten", async || {
        swarm.names("?all=1").await.is_empty().then_some(())
    })
    .await;
    assert_eq!(swarm.delete(&format!("/containers/{id}")).await.status, 404);
    engine.set_mood(Mood::Fine);
}
